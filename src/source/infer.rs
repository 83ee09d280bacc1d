//! A look at a source before it is read: which columns it has, and what they seem to hold.
//!
//! Looks at the header of every CSV file, the footer of every Parquet file, and the first records of the first few
//! text files. What it says of text is a guess from a sample; nothing relies on it but defaults.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::column::SourceColumn;
use super::csv::Cells;
use super::extended_json::{Value, is_date};
use super::ndjson::Shape;
use super::opened::Opened;
use super::{Chunk, FilesSet, Format, SourceError, arrow_ipc, json_nested, ndjson, parquet};
use crate::bars::FieldKind;
use crate::bars::number::read_number;

/// Text files whose records are looked at.
const SAMPLED_FILES: usize = 8;
/// Records looked at in each.
const SAMPLED_RECORDS: usize = 1000;
/// Text read from each, in bytes.
const SAMPLED_BYTES: usize = 256 << 10;

/// The columns of a source: those of its first file, then those that other files add, then the fields that the places
/// of the files give. For NDJSON, in the order they are met in a sample.
///
/// # Errors
/// When a file cannot be read or is not of its format, and when a field of the path is a column of a file too.
pub fn infer(set: &FilesSet) -> Result<Vec<SourceColumn>, SourceError> {
    let mut columns = match set.format {
        Format::Csv if set.wide.is_some() => infer_wide(set)?,
        Format::Csv => infer_csv(set)?,
        Format::Ndjson | Format::Json => return infer_json(set),
        Format::Parquet => parquet::columns(&set.files)?,
        Format::Arrow => arrow_ipc::columns(&set.files)?,
    };
    add_places(set, &mut columns)?;
    Ok(columns)
}

/// Adds the fields that the places of the files give.
fn add_places(set: &FilesSet, columns: &mut Vec<SourceColumn>) -> Result<(), SourceError> {
    for name in &set.places.names {
        if columns.iter().any(|column| *column.name == **name) {
            return Err(SourceError::InBoth { path: set.files[0].clone(), field: name.to_string() });
        }
        columns.push(SourceColumn::untyped(name.to_string(), FieldKind::Text, false));
    }
    Ok(())
}

/// The columns of wide tables as if they were long. Their fields hold numbers as those of prices do.
fn infer_wide(set: &FilesSet) -> Result<Vec<SourceColumn>, SourceError> {
    let mut columns: Vec<SourceColumn> = Vec::new();
    for path in &set.files {
        let Some(wide) = Opened::open(path, set, SAMPLED_BYTES)?.and_then(|file| file.wide()).transpose()? else {
            continue;
        };
        for name in wide.columns() {
            if columns.iter().all(|column| column.name != name) {
                let number = wide.fields.iter().any(|field| field == name);
                let kind = if number { FieldKind::Number } else { FieldKind::Text };
                columns.push(SourceColumn::untyped(name.to_owned(), kind, false));
            }
        }
    }
    Ok(columns)
}

fn infer_csv(set: &FilesSet) -> Result<Vec<SourceColumn>, SourceError> {
    let mut columns: Vec<(String, Tally)> = Vec::new();
    let mut cells = Cells::default();
    for (index, path) in set.files.iter().enumerate() {
        let Some(mut file) = Opened::open(path, set, SAMPLED_BYTES)? else { continue };
        let mut targets = Vec::with_capacity(file.columns().len());
        for name in file.columns() {
            let known = columns.iter().position(|(column, _)| column == name);
            targets.push(known.unwrap_or_else(|| {
                columns.push((name.clone(), Tally::default()));
                columns.len() - 1
            }));
        }
        if index >= SAMPLED_FILES {
            continue;
        }
        let Some(chunk) = file.next_chunk()? else { continue };
        reject_title(path, file.columns(), &chunk, set)?;
        for (_, _, record) in chunk.rows().take(SAMPLED_RECORDS) {
            let Some(record) = set.layout.encoding_of_records().decode(record) else { continue };
            cells.read(record.as_bytes(), &set.layout);
            let text = cells.text(record.as_bytes());
            for (position, target) in targets.iter().enumerate() {
                let cell = cells.range(position).and_then(|range| std::str::from_utf8(&text[range]).ok());
                if let Some(cell) = cell.filter(|cell| !set.layout.nulls.iter().any(|null| null == cell)) {
                    columns[*target].1.count_cell(cell);
                }
            }
        }
    }
    Ok(columns.into_iter().map(|(name, tally)| tally.column(name)).collect())
}

/// Fails where the header is a title: one cell, and records of several below it.
fn reject_title(path: &Path, columns: &[String], chunk: &Chunk, set: &FilesSet) -> Result<(), SourceError> {
    let ([title], Some((_, line, below))) = (columns, chunk.rows().next()) else { return Ok(()) };
    let mut cells = Cells::default();
    cells.read(below, &set.layout);
    match cells.len() {
        0..=2 => Ok(()),
        several => Err(SourceError::NotCsv {
            path: path.to_path_buf(),
            reason: format!(
                "its header is one cell, `{title}`, and line {line} has {several}; where titles stand above the header, \
                 write `skip = {}`",
                line - 1
            ),
        }),
    }
}

fn infer_json(set: &FilesSet) -> Result<Vec<SourceColumn>, SourceError> {
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut tallies: Vec<(String, Tally)> = Vec::new();
    let mut beside: Vec<(String, Tally)> = Vec::new();
    for (number, path) in set.files.iter().enumerate().take(SAMPLED_FILES) {
        let Some(mut file) = Opened::open(path, set, SAMPLED_BYTES)? else { continue };
        check_place(set, number, file.beside())?;
        count_beside(file.beside(), &mut beside);
        let shape = Shape { columns: &set.layout.columns, keyed: file.is_keyed() };
        let Some(chunk) = file.next_chunk()? else { continue };
        for (_, _, record) in chunk.rows().take(SAMPLED_RECORDS) {
            let Ok(text) = ndjson::utf8(record) else { continue };
            let mut values = Vec::new();
            let whole = ndjson::fields(text, shape, |key, value| {
                values.push((set.canonical(key).to_owned(), value));
                json_nested::inside(key, value, &mut |path, value| {
                    values.push((set.canonical(&path).to_owned(), value));
                });
                Ok(())
            });
            if whole.is_err() {
                continue; // a broken row of the snapshot
            }
            for (key, value) in values {
                let position = match positions.entry(key) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(entry) => {
                        tallies.push((entry.key().clone(), Tally::default()));
                        *entry.insert(tallies.len() - 1)
                    }
                };
                tallies[position].1.count_json(value);
            }
        }
    }
    let mut columns: Vec<SourceColumn> = tallies.into_iter().map(|(name, tally)| tally.column(name)).collect();
    add_places(set, &mut columns)?;
    for (name, tally) in beside {
        let name = set.canonical(&name).to_owned();
        if columns.iter().all(|column| column.name != name) {
            columns.push(tally.column(name));
        }
    }
    Ok(columns)
}

/// Fails where the path of the file at position `number` says otherwise than what stands beside its records.
fn check_place(set: &FilesSet, number: usize, beside: &[(String, Option<String>)]) -> Result<(), SourceError> {
    for (name, value) in beside {
        if let (Some(Some(place)), Some(value)) = (set.places.value(name, number), value)
            && **place != **value
        {
            let (path, field) = (set.files[number].clone(), name.clone());
            return Err(SourceError::PlaceDisagrees { path, field, place: place.to_string(), document: value.clone() });
        }
    }
    Ok(())
}

/// Counts what stands beside the records of a file.
fn count_beside(beside: &[(String, Option<String>)], tallies: &mut Vec<(String, Tally)>) {
    for (name, value) in beside {
        let at = tallies.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            tallies.push((name.clone(), Tally::default()));
            tallies.len() - 1
        });
        if let Some(value) = value {
            tallies[at].1.count_cell(value);
        }
    }
}

/// What was seen in one column, NULL left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    numbers: usize,
    /// JSON strings that read as numbers.
    numeric_texts: usize,
    dates: usize,
    others: usize,
}

impl Tally {
    fn count_cell(&mut self, cell: &str) {
        if is_number(cell) { self.numbers += 1 } else { self.others += 1 }
    }

    fn count_json(&mut self, literal: &str) {
        match Value::read(literal) {
            Some(Value::Null) => {}
            Some(Value::Number(_)) => self.count_number(),
            Some(Value::Text(text)) => self.count_text(&text),
            Some(Value::Other(literal)) if is_date(&literal) => self.count_date(),
            _ => self.count_other(),
        }
    }

    /// Counts a value that is a number by its type.
    pub(super) fn count_number(&mut self) {
        self.numbers += 1;
    }

    /// Counts a string, which may be a number as text.
    pub(super) fn count_text(&mut self, text: &str) {
        if is_number(text) { self.numeric_texts += 1 } else { self.others += 1 }
    }

    /// Counts a value that is a date by its type.
    pub(super) fn count_date(&mut self) {
        self.dates += 1;
    }

    /// Counts a value of any other type.
    pub(super) fn count_other(&mut self) {
        self.others += 1;
    }

    /// What the column seems to hold.
    pub(super) fn column(self, name: String) -> SourceColumn {
        let number = self.numbers > 0 && self.dates + self.others == 0;
        let typed_time = self.dates > 0 && self.numbers + self.numeric_texts + self.others == 0;
        let kind = if number { FieldKind::Number } else { FieldKind::Text };
        SourceColumn::untyped(name, kind, typed_time)
    }
}

/// Whether a text is a number and no code like `000001`.
fn is_number(text: &str) -> bool {
    let digits = text.trim_ascii().trim_start_matches(['+', '-']).as_bytes();
    let code = digits.first() == Some(&b'0') && digits.get(1).is_some_and(u8::is_ascii_digit);
    !code && read_number(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::PlaceFields;
    use super::super::testing::Fixture;
    use super::*;

    fn kinds(fixture: &Fixture) -> Vec<(String, bool, bool)> {
        let columns = infer(&fixture.set).unwrap();
        columns.into_iter().map(|column| (column.name, column.kind == FieldKind::Number, column.typed_time)).collect()
    }

    fn plain(names: &[(&str, bool)]) -> Vec<(String, bool, bool)> {
        names.iter().map(|(name, number)| ((*name).to_owned(), *number, false)).collect()
    }

    #[test]
    fn csv_columns_are_numbers_when_every_cell_is_one() {
        let fixture = Fixture::csv(
            "symbol,code,close,volume,mixed,empty\n\
             A,000001,1.5,NA,1,\n\
             \"B\",600000,\"-0.5\",1e6,x,\n\
             ragged\n\
             C,300750,0,,2,\n",
        );
        let expected =
            [("symbol", false), ("code", false), ("close", true), ("volume", true), ("mixed", false), ("empty", false)];
        assert_eq!(kinds(&fixture), plain(&expected));
    }

    #[test]
    fn a_header_alone_gives_text_columns() {
        assert_eq!(kinds(&Fixture::csv("a,b\n")), plain(&[("a", false), ("b", false)]));
    }

    #[test]
    fn ndjson_columns_are_the_union_of_the_keys() {
        let fixture = Fixture::ndjson(
            r#"{"_id":{"$oid":"1c"},"volume":1.5,"code":"600000","at":{"$date":"2024-01-02T00:00:00Z"}}
not json
{"volume":"239390.74","code":"7","close":{"$numberDouble":"1.0"},"flag":true,"gone":null}
"#,
        );
        let mut expected = plain(&[
            ("_id", false),
            ("volume", true),
            ("code", false),
            ("at", false),
            ("close", true),
            ("flag", false),
            ("gone", false),
        ]);
        expected[3].2 = true;
        assert_eq!(kinds(&fixture), expected);
    }

    #[test]
    fn files_may_have_their_columns_in_any_order() {
        let fixture = Fixture::new(Format::Csv, &[("a.csv", "s,n\nx,1\n"), ("b.csv", "n,s\n2,y\n")]);
        assert_eq!(kinds(&fixture), plain(&[("s", false), ("n", true)]));
    }

    #[test]
    fn columns_are_those_of_all_files_and_of_their_places() {
        let mut fixture = Fixture::new(Format::Csv, &[("a.csv", "s,n\nx,1\n"), ("b.csv", "s,m\nx,y\n")]);
        assert_eq!(kinds(&fixture), plain(&[("s", false), ("n", true), ("m", false)]));
        let values = vec![vec![None], vec![None]];
        fixture.set.places = PlaceFields { names: vec!["year".into()], values };
        assert_eq!(kinds(&fixture).last().unwrap().0, "year");
        fixture.set.places.names = vec!["m".into()];
        let error = infer(&fixture.set).unwrap_err();
        assert!(matches!(error, SourceError::InBoth { ref field, .. } if field == "m"), "{error}");
    }

    #[test]
    fn a_title_above_the_header_is_reported() {
        let error = infer(&Fixture::csv("Bars of Binance\nsymbol,date,close\nA,2024-01-02,1\n").set).unwrap_err();
        assert!(error.to_string().ends_with("where titles stand above the header, write `skip = 1`"), "{error}");
        assert_eq!(kinds(&Fixture::csv("close\n1\n")), plain(&[("close", true)]));
    }
}
