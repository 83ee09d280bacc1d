//! `[source.files]`: which files hold the bars, and how they are written.

use toml::Spanned;
use toml::de::DeValue;

use super::path::JobPath;
use crate::schema::diagnostic::Diagnostic;
use crate::schema::reader::Reader;
use crate::schema::section::Otherwise::{Mistake, Nothing, Text, Texts};
use crate::schema::section::{Holds, Section, SectionReader, key};

/// Files as a source.
#[derive(Debug, Clone)]
pub struct FileSource {
    /// Files, folders or globs; at least one.
    pub paths: Vec<JobPath>,
    /// The format; without one the file names tell.
    pub format: Option<FileFormat>,
    /// The byte between CSV cells: ASCII, and neither a quote, a letter, a digit nor a line end.
    pub delimiter: u8,
    /// CSV cells with one of these texts are NULL.
    pub nulls: Vec<String>,
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
    /// Apache Parquet.
    Parquet,
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

const FORMATS: &[&str] = &["csv", "ndjson", "parquet"];
const WRITERS: &[&str] = &["any", "none"];

/// `NA` is a ticker (National Bank of Canada), so it is not a NULL unless a job says so.
const NULLS: &[&str] = &["", "null", "NULL", "None", "N/A"];

pub(super) const FILES: Section = Section {
    name: "`[source.files]`",
    doc: "Files as a source.",
    keys: &[
        key("path", Holds::SomeTexts, Mistake, "A file, a folder or a glob, or several, relative to the job file."),
        key(
            "format",
            Holds::Choice(FORMATS),
            Nothing,
            "The format; without it the names tell: .csv, .ndjson, .jsonl, .json (each also .gz, .zst), .parquet.",
        ),
        key("delimiter", Holds::Text, Text(","), "The character between CSV cells."),
        key("nulls", Holds::Texts, Texts(NULLS), "CSV cells with one of these texts, case and all, are NULL."),
        key(
            "filter",
            Holds::Filter,
            Nothing,
            "Source fields and what they must equal: a string, an integer, a boolean, or one of several strings. Other rows are not read.",
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
    let paths = section.texts("path").into_iter().map(|path| JobPath::new(job, path.into_inner())).collect();
    let format = section.choice("format").and_then(FileFormat::parse);
    let delimiter = read_delimiter(&mut section, format);
    let nulls = section.texts("nulls").into_iter().map(Spanned::into_inner).collect();
    let filter = read_filter(&mut section);
    let writers = if section.choice("writers") == Some("none") { Writers::None } else { Writers::Any };
    let files = delimiter.map(|delimiter| FileSource { paths, format, delimiter, nulls, filter, writers });
    (files, section.finish())
}

impl FileFormat {
    fn parse(word: &str) -> Option<Self> {
        [Self::Csv, Self::Ndjson, Self::Parquet].into_iter().find(|format| format.as_str() == word)
    }

    /// The word jobs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

fn read_delimiter(section: &mut SectionReader<'_>, format: Option<FileFormat>) -> Option<u8> {
    let text = section.text("delimiter")?.into_inner();
    if section.has("delimiter") && format.is_some_and(|format| format != FileFormat::Csv) {
        section.reject("delimiter", "only CSV files have a delimiter", "leave it out");
    }
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte) => Some(*byte),
        _ => {
            let help = "write for instance \";\" or \"\\t\"";
            section.reject("delimiter", "a delimiter is one ASCII character, no letter, digit or quote", help);
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
                table.reject(name, "bad-value", "no value equals one of none").help =
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
