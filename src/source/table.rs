//! Records of text files -> the columns of a snapshot.
//!
//! A record that does not fit (ragged, not UTF-8, not a JSON object) becomes a broken row with its reason; none is
//! ever left out, so the rows of a table are the records it was given. Pure: chunks in, a record batch out.

mod wide;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

pub(super) use self::wide::WideRecords;
use super::csv::Cells;
use super::extended_json::{Value, compact};
use super::ndjson::Shape;
use super::snapshot::{STRING, Wanted, WantedKind};
use super::{Chunk, FilesSet, Format, json_nested, ndjson};

/// The longest piece of a broken record that is kept, in characters.
const RAW_CHARS: usize = 1024;
/// Room made for a cell, in bytes; most are shorter.
const CELL_BYTES: usize = 10;

/// The field that tells documents apart, and nothing of a bar.
const ID: &str = "_id";

/// A value of a JSON record, and its literal.
type Found<'a> = (Value<'a>, &'a str);

/// Where the wanted columns are in the records of one file.
#[derive(Debug)]
pub(super) struct Layout {
    /// What the place of the file says of a wanted column, in the order of the wanted columns.
    pub(super) given: Vec<Option<Given>>,
    /// What its records are.
    pub(super) records: Records,
}

/// A value that all records of a file have; `None` is NULL.
pub(super) type Given = Option<Arc<str>>;

/// What the records of a file are.
#[derive(Debug)]
pub(super) enum Records {
    /// CSV: the cells a record must have, and the cell of each wanted column.
    Csv { width: usize, positions: Vec<Option<usize>>, named_by: &'static str },
    /// JSON: fields have names, and there is what stands beside the records for each wanted column.
    Json { keyed: bool, beside: Vec<Option<Given>> },
    /// A wide table: several series in each.
    Wide(WideRecords),
}

/// The columns of a snapshot, being filled.
pub(super) struct Table<'w> {
    wanted: &'w [Wanted],
    set: &'w FilesSet,
    values: Vec<StringBuilder>,
    /// One for each wanted column where the records are JSON.
    others: Vec<StringBuilder>,
    /// The same for the types of values.
    types: Vec<StringBuilder>,
    /// Which wanted columns were in a record at all.
    present: Vec<bool>,
    /// Whether the name of a wanted column may be a path.
    nested: bool,
    files: Vec<i32>,
    rows: Vec<i64>,
    lines: Vec<i64>,
    /// Where in their lines records of JSON documents begin.
    columns: Vec<i64>,
    broken: StringBuilder,
    raw: StringBuilder,
    /// What JSON records have besides.
    rest: Option<StringBuilder>,
    broken_rows: usize,
    records: usize,
    cells: Cells,
}

impl<'w> Table<'w> {
    /// An empty table of records of `set`, for about `rows` rows.
    pub(super) fn new(wanted: &'w [Wanted], set: &'w FilesSet, rows: usize) -> Self {
        let json = set.format.is_json();
        let builders = |count, cell| (0..count).map(|_| StringBuilder::with_capacity(rows, rows * cell)).collect();
        Self {
            wanted,
            set,
            values: builders(wanted.len(), CELL_BYTES),
            others: builders(if json { wanted.len() } else { 0 }, 0),
            types: builders(if json { wanted.len() } else { 0 }, 0),
            present: vec![false; wanted.len()],
            nested: wanted.iter().any(|wanted| wanted.column.contains('.')),
            files: Vec::with_capacity(rows),
            rows: Vec::with_capacity(rows),
            lines: Vec::with_capacity(rows),
            columns: Vec::new(),
            broken: StringBuilder::with_capacity(rows, 0),
            raw: StringBuilder::with_capacity(rows, 0),
            rest: json.then(|| StringBuilder::with_capacity(rows, 0)),
            broken_rows: 0,
            records: 0,
            cells: Cells::default(),
        }
    }

    /// Adds the records of a chunk of the file at position `file`.
    pub(super) fn push(&mut self, file: i32, layout: &Layout, chunk: &Chunk) {
        if self.set.format == Format::Json {
            self.columns.extend(chunk.columns().map(u64::cast_signed));
        }
        for (row, line, record) in chunk.rows() {
            self.records += 1;
            let result = match &layout.records {
                Records::Csv { width, positions, named_by } => {
                    self.push_csv(record, (*width, named_by), positions, &layout.given)
                }
                Records::Json { keyed, beside } => self.push_json(record, *keyed, (&layout.given, beside)),
                Records::Wide(records) => match self.push_wide((file, row, line), record, records, &layout.given) {
                    Ok(()) => continue,
                    Err(reason) => Err(reason),
                },
            };
            self.files.push(file);
            self.rows.push(row.cast_signed());
            self.lines.push(line.cast_signed());
            match result {
                Ok(()) => {
                    self.broken.append_null();
                    self.raw.append_null();
                }
                Err(reason) => {
                    // Where the record belongs is known from its place, whatever is in it.
                    for (values, given) in self.values.iter_mut().zip(&layout.given) {
                        values.append_option(given.as_ref().and_then(Option::as_deref));
                    }
                    self.others.iter_mut().chain(&mut self.types).for_each(StringBuilder::append_null);
                    self.rest.iter_mut().for_each(StringBuilder::append_null);
                    self.broken.append_value(reason);
                    self.raw.append_value(excerpt(record));
                    self.broken_rows += 1;
                }
            }
        }
    }

    /// Adds the wanted cells of a record, or nothing and the reason.
    fn push_csv(
        &mut self,
        record: &[u8],
        (width, named_by): (usize, &str),
        positions: &[Option<usize>],
        given: &[Option<Given>],
    ) -> Result<(), String> {
        let layout = &self.set.layout;
        let encoding = layout.encoding_of_records();
        let decoded = match encoding.is_utf8() {
            true => Cow::Borrowed(record),
            false => match encoding.decode(record) {
                Some(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
                Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
                None => return Err(format!("the record is not {}", encoding.name())),
            },
        };
        let record = decoded.as_ref();
        self.cells.read(record, layout);
        self.cells.drop_empty_end(width);
        if self.cells.len() != width {
            return Err(format!("ragged row: {} cells, {named_by} {width}", self.cells.len()));
        }
        let bytes = self.cells.text(record);
        let wanted = || positions.iter().map(|position| self.cells.range((*position)?));
        let text = std::str::from_utf8(bytes);
        if text.is_err() {
            for (range, (position, wanted)) in wanted().zip(positions.iter().zip(self.wanted)) {
                if range.is_some_and(|range| std::str::from_utf8(&bytes[range]).is_err()) {
                    let number = position.map_or(0, |position| position + 1);
                    return Err(format!("invalid UTF-8 in column {number} (`{}`)", wanted.column));
                }
            }
        }
        for ((range, column), given) in wanted().zip(&mut self.values).zip(given) {
            if let Some(given) = given {
                column.append_option(given.as_deref());
                continue;
            }
            let cell = range.and_then(|range| match text {
                Ok(text) => text.get(range),
                Err(_) => std::str::from_utf8(&bytes[range]).ok(),
            });
            column.append_option(cell.filter(|cell| !layout.nulls.iter().any(|null| null == cell)));
        }
        Ok(())
    }

    /// Adds the wanted fields of a record, or nothing and the reason.
    fn push_json(
        &mut self,
        record: &[u8],
        keyed: bool,
        (given, beside): (&[Option<Given>], &[Option<Given>]),
    ) -> Result<(), String> {
        let text = ndjson::utf8(record).map_err(|reason| format!("the record is {reason}"))?;
        let mut found: Vec<Option<Found<'_>>> = self.wanted.iter().map(|_| None).collect();
        let mut rest = Vec::new();
        let mut below: Vec<Option<&str>> = vec![None; if self.nested { self.wanted.len() } else { 0 }];
        let mut next = 0;
        let shape = Shape { columns: &self.set.layout.columns, keyed };
        ndjson::fields(text, shape, |key, literal| {
            for (below, wanted) in below.iter_mut().zip(self.wanted) {
                if let Some(path) = json_nested::rest(&wanted.column, key) {
                    *below = below.or_else(|| json_nested::dig(literal, path));
                }
            }
            // Records of a file mostly have their fields in one order: look after the last one found.
            let count = self.wanted.len();
            let key = self.set.canonical(key);
            let Some(at) = (next..count).chain(0..next).find(|&at| self.wanted[at].column == key) else {
                if self.set.whole && key != ID {
                    rest.push((key.to_owned(), literal));
                }
                return Ok(());
            };
            next = at + 1;
            if given[at].is_some() {
                return Err(format!("ambiguous: field `{key}` is a part of the file's path too"));
            }
            if found[at].is_some() {
                return Err(format!("ambiguous: field `{key}` appears twice"));
            }
            let value = Value::read(literal).ok_or_else(|| format!("not Unicode in field `{key}`"))?;
            found[at] = Some((value, literal));
            Ok(())
        })
        .map_err(|reason| format!("the record is {reason}"))?;
        for (at, value) in below.into_iter().enumerate() {
            if let Some(literal) = value.filter(|_| found[at].is_none()) {
                let column = &self.wanted[at].column;
                let value = Value::read(literal);
                let value = value.ok_or_else(|| format!("the record is not Unicode in field `{column}`"))?;
                found[at] = Some((value, literal));
            }
        }
        for (at, value) in found.into_iter().enumerate() {
            let beside = beside[at].as_ref().filter(|_| value.is_none());
            if let Some(given) = given[at].as_ref().or(beside) {
                self.values[at].append_option(given.as_deref());
                self.others[at].append_null();
                self.types[at].append_null();
                continue;
            }
            self.present[at] |= value.is_some();
            let (value, literal) = value.unwrap_or((Value::Null, "null"));
            self.types[at].append_option(unusual_type(literal, self.wanted[at].kind));
            let (text, other) = place(value, self.wanted[at].kind);
            self.values[at].append_option(text);
            self.others[at].append_option(other);
        }
        self.rest.iter_mut().for_each(|column| column.append_option(as_object(&mut rest)));
        Ok(())
    }

    /// How many rows were added.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many records they are of: one for each row, but for wide tables.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// How many of them are broken.
    pub(super) fn broken(&self) -> usize {
        self.broken_rows
    }

    /// Which wanted columns a JSON record had; all `false` for CSV.
    pub(super) fn present(&self) -> &[bool] {
        &self.present
    }

    /// The rows, with the columns of `schema`.
    pub(super) fn finish(mut self, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        let mut beside = self.others.iter_mut().zip(&mut self.types);
        for values in &mut self.values {
            columns.push(Arc::new(values.finish()));
            if let Some((others, types)) = beside.next() {
                columns.push(Arc::new(others.finish()));
                columns.push(Arc::new(types.finish()));
            }
        }
        columns.push(Arc::new(Int32Array::from(self.files)));
        columns.push(Arc::new(Int64Array::from(self.rows)));
        columns.push(Arc::new(Int64Array::from(self.lines)));
        if self.set.format == Format::Json {
            columns.push(Arc::new(Int64Array::from(self.columns)));
        }
        columns.push(Arc::new(self.broken.finish()));
        columns.push(Arc::new(self.raw.finish()));
        columns.extend(self.rest.map(|mut rest| Arc::new(rest.finish()) as ArrayRef));
        RecordBatch::try_new(schema, columns)
    }
}

/// The text of a value that is what was wanted, or the literal of one that is not.
fn place(value: Value<'_>, kind: WantedKind) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    match (value, kind) {
        (Value::Null, _) => (None, None),
        (Value::Text(text), _) | (Value::Number(text), WantedKind::Number) => (Some(text), None),
        (Value::Number(literal) | Value::Other(literal), _) => (None, Some(literal)),
    }
}

/// The type of a value that is not a number where a number was wanted, or not a string elsewhere, and that is read as one.
fn unusual_type(literal: &str, kind: WantedKind) -> Option<&str> {
    match (literal.as_bytes().first()?, kind) {
        (b'"', WantedKind::Number) => Some(STRING),
        // The value of MongoDB's extended JSON, e.g. `{"$numberLong": "5"}`.
        (b'{', _) => literal.split('"').nth(1).filter(|name| name.starts_with('$')),
        _ => None,
    }
}

/// The fields of a record as a JSON object in the order of their names; `None` where there are none.
fn as_object(fields: &mut [(String, &str)]) -> Option<String> {
    if fields.is_empty() {
        return None;
    }
    fields.sort_unstable();
    let member =
        |(name, literal): &(String, &str)| format!("{}:{}", serde_json::Value::from(name.as_str()), compact(literal));
    Some(format!("{{{}}}", fields.iter().map(member).collect::<Vec<_>>().join(",")))
}

fn excerpt(record: &[u8]) -> String {
    let bytes = record.get(..RAW_CHARS * 4).unwrap_or(record);
    String::from_utf8_lossy(bytes).chars().take(RAW_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::super::records::{Grammar, split};
    use super::super::snapshot::snapshot_schema;
    use super::*;
    use crate::bars::TextLayout;

    fn wanted(columns: &[(&str, WantedKind)]) -> Vec<Wanted> {
        columns.iter().map(|(column, kind)| Wanted { column: (*column).to_owned(), kind: *kind }).collect()
    }

    fn chunk(text: &[u8], grammar: Grammar) -> Chunk {
        let (records, _) = split(text, 0, true, grammar);
        Chunk { data: text.to_vec(), records, first_row: 7, first_line: 9, first_column: 1, bytes_read: 0 }
    }

    /// The rows of a CSV body under the header `symbol,name,close`, of which `symbol` and `close` are wanted.
    fn csv(text: &[u8]) -> RecordBatch {
        let wanted = wanted(&[("symbol", WantedKind::Text), ("gone", WantedKind::Text), ("close", WantedKind::Number)]);
        let nulls = vec![String::new(), "NA".to_owned()];
        let set = FilesSet::new(Format::Csv, Vec::new(), TextLayout { nulls, ..TextLayout::default() });
        let mut table = Table::new(&wanted, &set, 0);
        let records = Records::Csv { width: 3, positions: vec![Some(0), None, Some(2)], named_by: "header has" };
        let layout = Layout { given: vec![None; 3], records };
        table.push(4, &layout, &chunk(text, Grammar::Csv { delimiter: b',' }));
        table.finish(snapshot_schema(Format::Csv, &wanted)).unwrap()
    }

    fn json(text: &[u8]) -> (RecordBatch, Vec<bool>) {
        let wanted = wanted(&[("s", WantedKind::Text), ("t", WantedKind::Time), ("n", WantedKind::Number)]);
        let set = FilesSet::new(Format::Ndjson, Vec::new(), TextLayout::default());
        let mut table = Table::new(&wanted, &set, 0);
        table.push(
            0,
            &Layout { given: vec![None; 3], records: Records::Json { keyed: false, beside: vec![None; 3] } },
            &chunk(text, Grammar::Lines),
        );
        let present = table.present().to_vec();
        (table.finish(snapshot_schema(Format::Ndjson, &wanted)).unwrap(), present)
    }

    fn column<'a>(batch: &'a RecordBatch, name: &str) -> Vec<Option<&'a str>> {
        batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect()
    }

    #[test]
    fn cells_are_exact_and_texts_of_null_are_null_quoted_or_not() {
        let batch = csv(b"000001,a,1.50\n\"x,y\",a,\nNA,a,\"NA\"\n na,a,\"\"\n");
        assert_eq!(column(&batch, "symbol"), [Some("000001"), Some("x,y"), None, Some(" na")]);
        assert_eq!(column(&batch, "close"), [Some("1.50"), None, None, None]);
        assert_eq!(column(&batch, "gone"), [None; 4]);
        assert_eq!(column(&batch, "__broken"), [None; 4]);
        assert_eq!(column(&batch, "__raw"), [None; 4]);
    }

    #[test]
    fn every_row_says_where_it_stood() {
        let batch = csv(b"a,b,1\r\n\r\n\"c\nd\",e,2");
        let integers = |name: &str| {
            batch.column_by_name(name).unwrap().as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
        };
        assert_eq!(
            batch.column_by_name("__file").unwrap().as_primitive::<arrow::datatypes::Int32Type>().values(),
            &[4, 4]
        );
        assert_eq!(integers("__row"), [7, 8]);
        assert_eq!(integers("__line"), [9, 11]);
    }

    #[test]
    fn a_broken_record_is_a_row_with_its_reason_and_its_text() {
        let long = [b"x".repeat(5000), b",1".to_vec()].concat();
        let text = [&b"a,b,1,2\na\xff,b,1\na,\xff,1\n"[..], &long].concat();
        let batch = csv(&text);
        assert_eq!(
            column(&batch, "__broken"),
            [
                Some("ragged row: 4 cells, header has 3"),
                Some("invalid UTF-8 in column 1 (`symbol`)"),
                None,
                Some("ragged row: 2 cells, header has 3"),
            ]
        );
        assert_eq!(column(&batch, "symbol"), [None, None, Some("a"), None], "cells nobody wants may be anything");
        assert_eq!(column(&batch, "close"), [None, None, Some("1"), None]);
        let raw = column(&batch, "__raw");
        assert_eq!(raw[..3], [Some("a,b,1,2"), Some("a\u{fffd},b,1"), None]);
        assert_eq!(raw[3], Some("x".repeat(1024).as_str()));
    }

    #[test]
    fn json_values_go_to_their_column_or_beside_it() {
        let (batch, present) = json(
            br#"{"s": "600000", "t": "2024-01-02", "n": 1.50, "x": [1]}
{"n": "239390.74", "s": 600000, "t": {"$date": "2024-01-02T00:00:00Z"}}
{"n": {"$numberDecimal": "1.10"}, "s": {"$oid": "1c3d"}, "t": {"$numberLong": "1700000000000"}}
{"n": [1, 2], "s": true, "t": 20240102}
{"n": null, "t": ""}
"#,
        );
        assert_eq!(column(&batch, "s"), [Some("600000"), None, Some("1c3d"), None, None]);
        assert_eq!(column(&batch, "s!"), [None, Some("600000"), None, Some("true"), None]);
        assert_eq!(column(&batch, "n"), [Some("1.50"), Some("239390.74"), Some("1.10"), None, None]);
        assert_eq!(column(&batch, "n!"), [None, None, None, Some("[1,2]"), None]);
        assert_eq!(column(&batch, "t"), [Some("2024-01-02"), None, None, None, Some("")]);
        let date = Some("{\"$date\":\"2024-01-02T00:00:00Z\"}");
        assert_eq!(column(&batch, "t!"), [None, date, Some("1700000000000"), Some("20240102"), None]);
        assert_eq!(present, [true; 3]);
    }

    #[test]
    fn a_broken_json_record_is_a_row_with_its_reason() {
        let (batch, present) = json(
            b"[1]\n{\"s\":1,\n{\"s\":\"a\",\"s\":\"b\"}\n{\"x\":1,\"x\":2}\n{\"s\":\"\\ud800\"}\n{\"x\":\"\xff\"}\n{\"n\":NaN}\n",
        );
        assert_eq!(
            column(&batch, "__broken"),
            [
                Some("the record is not a JSON object"),
                Some("the record is not valid JSON: EOF while parsing a value at column 7"),
                Some("the record is ambiguous: field `s` appears twice"),
                None,
                Some("the record is not Unicode in field `s`"),
                Some("the record is not UTF-8 at byte 7"),
                Some("the record is not valid JSON: expected value at column 6"),
            ]
        );
        assert_eq!(column(&batch, "s"), [None; 7]);
        assert_eq!(column(&batch, "__raw")[0], Some("[1]"));
        assert_eq!(batch.column_by_name("s!").unwrap().null_count(), 7);
        assert_eq!(present, [false; 3]);
    }
}
