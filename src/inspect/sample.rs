//! Rows of some of the files, as texts, whatever the format.

use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use serde_json::Value;

use super::document;
use super::header::names_without_header;
use super::layout::{self, Layout};
use super::outcome::{InspectError, unfit};
use super::table::{Column, Table};
use crate::bars::time::Parsed;
use crate::market::DAY_US;
use crate::source::{self, Files, Format};

/// Files that are looked at.
const FILES: usize = 20;
/// Text that is read of each.
const BYTES: usize = 128 << 10;
/// The longest JSON document that is looked into, in bytes.
const DOCUMENT: usize = 64 << 20;
/// Rows that are kept of each.
const ROWS: usize = 600;

/// What was seen.
#[derive(Debug)]
pub(super) struct Sample {
    /// All files.
    pub(super) files: Vec<PathBuf>,
    /// How many of them were looked at.
    pub(super) looked_at: usize,
    pub(super) format: Format,
    /// Whether the names of the files tell the format.
    pub(super) named: bool,
    pub(super) table: Table,
    /// How records lie in text files.
    pub(super) layout: Layout,
    /// The dotted path to the records of JSON documents, where it is not the document itself.
    pub(super) records: Option<String>,
    /// Whether some files lack columns that others have.
    pub(super) drift: bool,
    /// Fields that folders called `key=value` give.
    pub(super) hive: Vec<String>,
}

/// Looks at the files that `patterns` name.
pub(super) fn take(patterns: &[PathBuf]) -> Result<Sample, InspectError> {
    let files = find(patterns)?;
    let format = content_format(&files[0])?;
    let named = files.iter().all(|path| Format::of(path) == Some(format));
    let step = files.len().div_ceil(FILES).max(1);
    let mut chosen: Vec<usize> = (0..files.len()).step_by(step).collect();
    if chosen.last() != Some(&(files.len() - 1)) {
        chosen.push(files.len() - 1);
    }
    for at in &chosen {
        if content_format(&files[*at])? != format {
            let (one, other) = (files[0].display(), files[*at].display());
            return unfit(format!("`{one}` and `{other}` have different formats"), "name the files of one format");
        }
    }
    let (mut table, mut layout) = (Table::default(), Layout::default());
    let mut records = None;
    match format {
        Format::Csv => {
            let texts =
                chosen.iter().map(|at| Ok((*at, files[*at].as_path(), source::first_bytes(&files[*at], BYTES)?)));
            let texts = texts.collect::<Result<Vec<_>, InspectError>>()?;
            let found = layout::find(&texts)?;
            layout = found.0;
            for (file, columns) in found.1 {
                table.append(file, columns.into_iter().map(|(name, cells)| text_column(name, cells)).collect());
            }
        }
        Format::Parquet => {
            for at in &chosen {
                table.append(*at, parquet_columns(&source::first_rows(&files[*at], ROWS)?));
            }
        }
        Format::Arrow => {
            for at in &chosen {
                table.append(*at, parquet_columns(&source::first_arrow_rows(&files[*at], ROWS)?));
            }
        }
        Format::Json => {
            for at in &chosen {
                let (path, lines) = records_of(&files[*at])?;
                table.append(*at, json_columns(&lines, &mut layout.columns));
                records.get_or_insert(path);
            }
        }
        Format::Ndjson => {
            for at in &chosen {
                table.append(*at, json_columns(&source::first_bytes(&files[*at], BYTES)?, &mut layout.columns));
            }
        }
    }
    if table.file.is_empty() {
        return unfit("the files have no rows", "name files that hold bars");
    }
    let drift = table.drift && format != Format::Ndjson;
    let hive = hive(&files[0], &mut table, &files);
    let records = records.filter(|path| !path.is_empty());
    Ok(Sample { looked_at: chosen.len(), files, format, named, table, layout, records, drift, hive })
}

fn text_column(name: String, mut cells: Vec<Option<String>>) -> Column {
    cells.truncate(ROWS);
    Column { name, cells, ..Column::default() }
}

fn find(patterns: &[PathBuf]) -> Result<Vec<PathBuf>, InspectError> {
    let mut found = Vec::new();
    for pattern in patterns {
        // The format is found from what is in the files; where names do not say it, any format lists them.
        let files = |format| source::discover(&Files { format, ..Files::all(vec![pattern.clone()]) });
        let set = files(None).or_else(|error| match error {
            source::SourceError::UnknownFormat { .. } => files(Some(Format::Csv)),
            error => Err(error),
        });
        let set = match set {
            Err(source::SourceError::MixedFormats { first, first_format, other, other_format }) => {
                let (one, other) = (first.display(), other.display());
                let message = format!("`{one}` is {first_format} and `{other}` is {other_format}");
                let ending = first.extension().map_or_else(String::new, |ending| format!(".{}", ending.display()));
                return unfit(message, format!("name the files of one format, for instance `--from '…/*{ending}'`"));
            }
            set => set?,
        };
        // An archive stands for its members: its name is what tells one from another.
        found.extend(set.on_disk().into_iter().map(Path::to_path_buf));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What a file holds, by its first bytes.
fn content_format(path: &Path) -> Result<Format, InspectError> {
    let mut start = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| std::io::Read::read_to_end(&mut std::io::Read::take(file, 8), &mut start));
    if read.is_ok() && start.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if read.is_ok() && start.starts_with(b"ARROW1") {
        return Ok(Format::Arrow);
    }
    for (magic, what) in
        [(&b"\x89HDF"[..], "an HDF5 file"), (&b"\x80\x04"[..], "a pickle"), (&b"\x80\x05"[..], "a pickle")]
    {
        if start.starts_with(magic) {
            let help = "write it as CSV or Parquet, or write the job by hand";
            return unfit(format!("`{}` is {what}, which `init` does not look into", path.display()), help);
        }
    }
    let text = source::first_bytes(path, 4096)?;
    if text.contains(&0) && !text.starts_with(b"\xff\xfe") && !text.starts_with(b"\xfe\xff") {
        let help = "take the files out of the archive first, or write them as CSV or Parquet";
        return unfit(format!("`{}` holds no text", path.display()), help);
    }
    let trimmed = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text).trim_ascii_start();
    let first = trimmed.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match trimmed.first() {
        Some(b'{') if serde_json::from_slice::<Value>(first).is_ok_and(|value| is_record(&value)) => Ok(Format::Ndjson),
        Some(b'[')
            if serde_json::from_slice::<Value>(first).is_ok_and(|value| document::is_array_of_values(&value)) =>
        {
            Ok(Format::Ndjson)
        }
        Some(b'{' | b'[') => Ok(Format::Json),
        _ => Ok(Format::Csv),
    }
}

/// Where the records of a JSON document are, and the records, one a line.
fn records_of(path: &Path) -> Result<(String, Vec<u8>), InspectError> {
    let text = source::first_bytes(path, DOCUMENT)?;
    let help = "name them with `records` in a job of your own, and arrays by `columns`";
    match document::records(&text) {
        Some(found) => Ok(found),
        None => unfit(format!("`{}` holds no records, or those of more than one place", path.display()), help),
    }
}

/// Whether an object is a bar: no value of it is an array of others.
fn is_record(value: &Value) -> bool {
    let is_part = |value: &Value| value.is_array() || document::by_date(value);
    value.as_object().is_some_and(|object| !object.values().any(is_part)) && !document::by_date(value)
}

/// The columns of records, one a line. Where those are arrays, `names` are those of their values, and are found where they
/// are not known yet.
fn json_columns(text: &[u8], names: &mut Vec<String>) -> Vec<Column> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(ROWS);
    let records: Vec<Value> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    if names.is_empty() && records.iter().all(document::is_array_of_values) {
        let texts = |record: &Value| {
            record
                .as_array()
                .into_iter()
                .flatten()
                .map(|value| cell(value).unwrap_or_default())
                .collect::<Vec<String>>()
        };
        *names = names_without_header(&records.iter().map(texts).collect::<Vec<_>>());
    }
    let mut columns: Vec<Column> = Vec::new();
    let mut rows = 0;
    for record in &records {
        let mut add = |name: &str, value: &Value, nested: bool| {
            let at = columns.iter().position(|column| column.name == name).unwrap_or_else(|| {
                columns.push(Column { name: name.to_owned(), cells: vec![None; rows], nested, ..Column::default() });
                columns.len() - 1
            });
            columns[at].cells.push(cell(value));
        };
        match record {
            Value::Array(values) => names.iter().zip(values).for_each(|(name, value)| add(name, value, false)),
            Value::Object(object) => {
                for (name, value) in object {
                    match value {
                        Value::Object(inner) if !inner.keys().any(|key| key.starts_with('$')) => {
                            inner.iter().for_each(|(key, value)| add(&format!("{name}.{key}"), value, true));
                        }
                        value => add(name, value, false),
                    }
                }
            }
            _ => continue,
        }
        rows += 1;
        for column in &mut columns {
            column.cells.resize(rows, None);
        }
    }
    columns
}

/// A value as text.
fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The columns of a batch, and the fields of structs by their dotted paths.
fn parquet_columns(batch: &RecordBatch) -> Vec<Column> {
    let schema = batch.schema();
    let mut columns = Vec::new();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        match array.as_struct_opt() {
            Some(inner) => {
                let fields =
                    inner.fields().iter().zip(inner.columns()).filter(|(_, array)| !array.data_type().is_nested());
                columns.extend(fields.map(|(inner, array)| {
                    let name = format!("{}.{}", field.name(), inner.name());
                    Column { nested: true, ..typed_column(name, array) }
                }));
            }
            None if array.data_type().is_nested() => {}
            None => columns.push(typed_column(field.name().clone(), array)),
        }
    }
    columns
}

fn typed_column(name: String, array: &ArrayRef) -> Column {
    let text = match array.data_type() {
        data_type if data_type.is_temporal() => None,
        _ => cast(array, &DataType::Utf8).ok(),
    };
    let shown = text.as_ref().unwrap_or(array);
    let cell = |row: usize| (!shown.is_null(row)).then(|| array_value_to_string(shown, row).ok()).flatten();
    let clock = matches!(array.data_type(), DataType::Time32(_) | DataType::Time64(_));
    Column { name, cells: (0..array.len()).map(cell).collect(), typed: typed(array), clock, nested: false }
}

fn typed(array: &ArrayRef) -> Option<Vec<Option<Parsed>>> {
    let local = |micros: i64| {
        let day = i32::try_from(micros.div_euclid(DAY_US)).unwrap_or_default();
        Parsed::Local { day, micros: micros.rem_euclid(DAY_US) }
    };
    match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            Some(days.iter().map(|day| day.map(|day| Parsed::Local { day, micros: 0 })).collect())
        }
        DataType::Timestamp(_, zone) => {
            let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).ok()?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>().clone();
            let read = |value: i64| if zone.is_some() { Parsed::Instant(value) } else { local(value) };
            Some(micros.iter().map(|value| value.map(read)).collect())
        }
        _ => None,
    }
}

/// Adds the fields of folders called `key=value` that all files have.
fn hive(first: &Path, table: &mut Table, files: &[PathBuf]) -> Vec<String> {
    let pairs = |path: &Path| -> Vec<(String, String)> {
        let folders = path.parent().into_iter().flat_map(Path::iter).filter_map(|folder| folder.to_str());
        folders
            .filter_map(|folder| folder.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    };
    let names: Vec<String> = pairs(first).into_iter().map(|(key, _)| key).collect();
    for name in &names {
        let value =
            |file: &usize| pairs(&files[*file]).into_iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let cells = table.file.iter().map(value).collect();
        table.columns.push(Column { name: name.clone(), cells, ..Column::default() });
    }
    names
}
