//! `[source.files]`: which files hold the bars, and how they are written.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use super::elsewhere::elsewhere;
use super::numbers;
use super::path::JobPath;
use super::wide::{self, Wide};
use crate::bars::layout::{Delimiter, Encoding, Header, LinePattern, TextLayout};
use crate::bars::number::NumberFormat;
use crate::schema::diagnostic::Diagnostic;
use crate::schema::keys::Otherwise::{Count, Flag, Mistake, Nothing, Text, Texts};
use crate::schema::keys::{ANY_COUNT, Holds, Section, key};
use crate::schema::reader::Reader;
use crate::schema::section::SectionReader;

/// Files as a source.
#[derive(Debug, Clone)]
pub struct FileSource {
    /// Files, folders or globs; at least one.
    pub paths: Vec<JobPath>,
    /// The format; without one it follows from the file names.
    pub format: Option<FileFormat>,
    /// How records lie in text files.
    pub layout: TextLayout,
    /// Whether the job names the delimiter.
    pub delimiter_is_given: bool,
    /// Where the records are in a JSON document: a dotted path.
    pub records: Option<String>,
    /// What the header says where CSV files are wide tables.
    pub wide: Option<Wide>,
    /// How numbers are written that are text.
    pub numbers: NumberFormat,
    /// Whether files without any record are left out; where the job does not say, if others have some.
    pub skip_empty: bool,
    /// Whether a column that a file lacks is NULL in it.
    pub missing_is_null: bool,
    /// Conditions on source fields; a row that breaks one is not read.
    pub filter: Vec<Filter>,
    /// Whether other programs may write to the files while rows are moved.
    pub writers: Writers,
}

/// Whether other programs may write to the files of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// They may: rows are moved only where they can be held back for a moment.
    Any,
    /// They never do.
    None,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Comma-separated values with a header row.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One JSON document with many records in it.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC.
    Arrow,
}

/// A condition on a source field: it equals the value. NULL equals nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The field, by its name in the source.
    pub field: Spanned<String>,
    /// What it must be.
    pub value: FilterValue,
}

/// What a filtered field must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterValue {
    /// This text.
    Text(String),
    /// This whole number.
    Integer(i64),
    /// This truth value.
    Boolean(bool),
    /// One of these texts; at least one.
    AnyOf(Vec<String>),
}

const FORMATS: &[&str] = &["csv", "ndjson", "json", "parquet", "arrow"];
const WRITERS: &[&str] = &["any", "none"];

/// `NA` is a ticker (National Bank of Canada), so it is not a NULL unless a job says so.
const NULLS: &[&str] = &["", "null", "NULL", "None", "N/A"];

pub(super) const FILES: Section = Section {
    name: "`[source.files]`",
    doc: "Files as a source.",
    keys: &[
        key(
            "path",
            Holds::SomeTexts,
            Mistake,
            "A file, a folder or a glob, or several, relative to the job file; `{symbol}` is a piece of a name that becomes the field `symbol`.",
        ),
        key(
            "format",
            Holds::Choice(FORMATS),
            Nothing,
            "The format; without it, it follows from the file names: .csv, .tsv, .txt, .ndjson, .jsonl, .json (each also .gz, .zst, .bz2, .xz), .parquet, .pq, .parq, .arrow, .feather, .ipc.",
        ),
        key(
            "header",
            Holds::Choice(&["first", "none", "auto"]),
            Text("first"),
            "Whether the first record of a CSV file names the columns: always, never, or where no cell of it is a number or a date.",
        ),
        key(
            "columns",
            Holds::Texts,
            Nothing,
            "The names of the columns in order, for files without a header and for JSON records that are arrays.",
        ),
        key(
            "records",
            Holds::Text,
            Nothing,
            "The dotted path to the records in a JSON document, an array or an object whose keys become the field `key`; `.` is the document itself.",
        ),
        key(
            "wide",
            Holds::Wide(&wide::WIDE),
            Nothing,
            "For tables with a column for each series: what the names of columns and the cells are, or what each header row names, e.g. `[\"field\", \"symbol\"]`.",
        ),
        key("skip", ANY_COUNT, Count(0), "Lines before the header."),
        key("ignore", Holds::Texts, Nothing, "Patterns of whole lines that are not records, e.g. `#*`."),
        key(
            "delimiter",
            Holds::Text,
            Nothing,
            "The character between CSV cells, `\\t`, or `blanks` for any number of blanks and tabs; default `,`, in .tsv files a tab.",
        ),
        key(
            "encoding",
            Holds::Text,
            Text("utf-8"),
            "How characters are written as bytes, e.g. `gbk`, `big5`, `shift_jis`, `windows-1252`, `utf-16`.",
        ),
        key("trim", Holds::Flag, Flag(false), "Whether blanks around names and cells are left out."),
        key("numbers", Holds::Table(&numbers::NUMBERS), Nothing, "How numbers are written that are text."),
        key("nulls", Holds::Texts, Texts(NULLS), "CSV cells with one of these texts, case and all, are NULL."),
        key(
            "filter",
            Holds::Filter,
            Nothing,
            "Source fields and what they must equal: a string, an integer, a boolean, or one of several strings. Other rows are not read.",
        ),
        key(
            "empty",
            Holds::Choice(&["error", "skip"]),
            Nothing,
            "What a file without any record is; default `skip` where other files have some.",
        ),
        key(
            "missing",
            Holds::Choice(&["error", "null"]),
            Text("error"),
            "What a column is that a file lacks and others have.",
        ),
        key(
            "writers",
            Holds::Choice(WRITERS),
            Text("any"),
            "`none` where nothing else writes to the files while rows are moved; needed where the file system cannot hold writers back.",
        ),
    ],
};

pub(super) fn read(mut section: SectionReader<'_>) -> (Option<FileSource>, Vec<Diagnostic>) {
    let job = &section.file().path;
    let written = section.texts("path");
    for path in &written {
        if let Some(elsewhere) = elsewhere(path.get_ref()) {
            let title = format!("{} is not read by this version", elsewhere.what);
            section.reject_at(path.span(), title, elsewhere.way_out);
        }
    }
    let paths: Vec<JobPath> = written.into_iter().map(|path| JobPath::new(job, path.into_inner())).collect();
    let format = section.choice("format").and_then(FileFormat::parse);
    let json = format
        .map_or_else(|| paths.iter().all(is_json), |format| matches!(format, FileFormat::Ndjson | FileFormat::Json));
    let layout = read_layout(&mut section, format, json);
    let records = read_records(&mut section, format);
    let wide = wide::read(&mut section, format.is_none_or(|format| format == FileFormat::Csv));
    let numbers = numbers::read(&mut section, &layout);
    let filter = read_filter(&mut section);
    let skip_empty = section.choice("empty") != Some("error");
    let missing_is_null = section.choice("missing") == Some("null");
    let writers = if section.choice("writers") == Some("none") { Writers::None } else { Writers::Any };
    let delimiter_is_given = section.has("delimiter");
    let files = FileSource {
        paths,
        format,
        layout,
        delimiter_is_given,
        records,
        wide,
        numbers,
        skip_empty,
        missing_is_null,
        filter,
        writers,
    };
    let mistakes = section.finish();
    (mistakes.is_empty().then_some(files), mistakes)
}

impl FileFormat {
    fn parse(word: &str) -> Option<Self> {
        [Self::Csv, Self::Ndjson, Self::Json, Self::Parquet, Self::Arrow]
            .into_iter()
            .find(|format| format.as_str() == word)
    }

    /// The word jobs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }
}

fn read_layout(section: &mut SectionReader<'_>, format: Option<FileFormat>, json: bool) -> TextLayout {
    if format.is_some_and(|format| format != FileFormat::Csv) {
        for name in ["header", "skip", "ignore", "delimiter", "trim"] {
            if section.has(name) {
                section.reject(name, format!("only CSV files have a `{name}`"), "leave it out");
            }
        }
    }
    let header = match section.choice("header") {
        Some("none") => Header::None,
        Some("auto") => Header::Auto,
        _ => Header::First,
    };
    let columns = read_columns(section, header, json);
    let encoding = read_encoding(section);
    TextLayout {
        header,
        columns,
        skip: section.count("skip").unwrap_or_default(),
        ignore: read_ignored(section),
        delimiter: read_delimiter(section, encoding).unwrap_or_default(),
        encoding,
        trim: section.flag("trim"),
        nulls: section.texts("nulls").into_iter().map(Spanned::into_inner).collect(),
    }
}

/// Whether a path is that of files whose records are JSON, as far as its name says.
fn is_json(path: &JobPath) -> bool {
    let name = path.written.to_ascii_lowercase();
    let bare = [".gz", ".zst", ".bz2", ".xz"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    [".json", ".jsonl", ".ndjson"].iter().any(|ending| bare.ends_with(ending))
}

fn read_records(section: &mut SectionReader<'_>, format: Option<FileFormat>) -> Option<String> {
    let records = section.text("records")?.into_inner();
    if format.is_some_and(|format| format != FileFormat::Json) {
        section.reject("records", "only a JSON document has `records`", "write `format = \"json\"`, or leave it out");
    }
    Some(records)
}

fn read_columns(section: &mut SectionReader<'_>, header: Header, json: bool) -> Vec<String> {
    let columns = section.texts("columns");
    let mut seen = BTreeSet::new();
    for name in &columns {
        if !seen.insert(name.get_ref()) {
            section.reject_at(name.span(), format!("the column `{}` is named twice", name.get_ref()), "rename one");
        }
    }
    if header == Header::First && !json && !columns.is_empty() {
        let help = "write `header = \"none\"`, or `\"auto\"` where some files have a header; else leave it out";
        section.reject("columns", "`columns` names what the header names already", help);
    }
    if header == Header::None && columns.is_empty() {
        let help = "write `columns = [...]`, in the order of the file";
        section.reject("header", "without a header the columns have no names", help);
    }
    columns.into_iter().map(Spanned::into_inner).collect()
}

fn read_ignored(section: &mut SectionReader<'_>) -> Vec<LinePattern> {
    let mut patterns = Vec::new();
    for text in section.texts("ignore") {
        match LinePattern::try_from(text.get_ref().clone()) {
            Ok(pattern) if pattern.matches_everything() => {
                let help = "begin it with what these lines begin with, e.g. `#*`";
                section.reject_at(text.span(), "this pattern matches every line", help);
            }
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let help = "`*` stands for any characters, `?` for one, `[...]` for one of several";
                section.reject_at(text.span(), format!("not a pattern: {}", error.msg), help);
            }
        }
    }
    patterns
}

fn read_encoding(section: &mut SectionReader<'_>) -> Encoding {
    let Some(label) = section.text("encoding") else { return Encoding::default() };
    Encoding::named(label.get_ref()).unwrap_or_else(|| {
        let help = "write for instance `utf-8`, `gbk`, `gb18030`, `big5`, `shift_jis`, `windows-1252` or `utf-16`";
        section.reject("encoding", format!("no encoding is called `{}`", label.get_ref()), help);
        Encoding::default()
    })
}

fn read_delimiter(section: &mut SectionReader<'_>, encoding: Encoding) -> Option<Delimiter> {
    let text = section.text("delimiter")?.into_inner();
    match text.as_bytes() {
        b"blanks" => Some(Delimiter::Blanks),
        [byte] if encoding.hides(*byte) => {
            let title = format!("in {} the byte of `{text}` can be a part of another character", encoding.name());
            section.reject("delimiter", title, "write the files as UTF-8, or with another delimiter");
            None
        }
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte) => {
            Some(Delimiter::Byte(*byte))
        }
        _ => {
            let help = "write for instance \";\" or \"\\t\"";
            section.reject(
                "delimiter",
                "a delimiter is one ASCII character, no letter, digit or quote, or `blanks`",
                help,
            );
            None
        }
    }
}

fn read_filter(section: &mut SectionReader<'_>) -> Vec<Filter> {
    let Some(mut table) = section.reader().table("filter") else { return Vec::new() };
    let mut filters = Vec::new();
    for (name, span) in table.keys() {
        if let Some(value) = read_filter_value(&mut table, name) {
            filters.push(Filter { field: Spanned::new(span, name.to_owned()), value });
        }
    }
    let mistakes = table.finish("`filter`");
    section.absorb(mistakes);
    filters
}

fn read_filter_value(table: &mut Reader<'_>, name: &str) -> Option<FilterValue> {
    let value = table.value(name)?;
    match value.get_ref() {
        DeValue::String(_) => table.string(name).map(|text| FilterValue::Text(text.into_inner())),
        DeValue::Integer(_) => table.integer(name).map(|number| FilterValue::Integer(number.into_inner())),
        DeValue::Boolean(flag) => Some(FilterValue::Boolean(*flag)),
        DeValue::Array(items) => {
            let texts = table.strings(name)?;
            if items.is_empty() {
                table.reject(name, "bad-value", "the list is empty, so that no row can match").help =
                    Some("name at least one".to_owned());
            }
            Some(FilterValue::AnyOf(texts.into_iter().map(Spanned::into_inner).collect()))
        }
        _ => {
            table.wrong_type(name, value, "a string, an integer, a boolean or an array of strings");
            None
        }
    }
}
