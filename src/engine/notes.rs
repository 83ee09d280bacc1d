//! What rules noted of series, out of the operator's output.

use arrow::array::{Array, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{Int8Type, Int32Type, Int64Type};

use super::records::Record;
use crate::checks::Note;

/// The notes of one batch, each with the index of its rule.
pub(super) fn notes(batch: &RecordBatch) -> Vec<(usize, Note)> {
    let column = |name: &str| batch.column_by_name(name);
    let Some(records) = column("record").map(arrow::array::AsArray::as_primitive::<Int8Type>) else {
        return Vec::new();
    };
    let whole = |name: &str| column(name).map(arrow::array::AsArray::as_primitive::<Int32Type>);
    let texts = |name: &str| column(name).map(arrow::array::AsArray::as_string::<i32>);
    let text = |texts: Option<&StringArray>, row: usize| {
        texts.filter(|texts| !texts.is_null(row)).map(|texts| texts.value(row).to_owned())
    };
    let binary = |name: &str| column(name).map(arrow::array::AsArray::as_binary::<i32>);
    let bytes = |values: Option<&BinaryArray>, row: usize| {
        values.filter(|values| !values.is_null(row)).map(|values| values.value(row).to_vec())
    };
    let (rules, files, ids, written) = (whole("rule"), whole("file"), binary("id"), binary("note"));
    let (series, symbols) = (texts("series"), texts("symbol"));
    let rows = column("row").map(arrow::array::AsArray::as_primitive::<Int64Type>);
    let note = |row: usize| {
        let file = files.filter(|files| !files.is_null(row)).map(|files| files.value(row));
        let note = Note {
            series: text(series, row).unwrap_or_default(),
            symbol: text(symbols, row),
            bytes: bytes(written, row).unwrap_or_default(),
            locator: file.zip(rows.map(|rows| rows.value(row))),
            id: bytes(ids, row),
        };
        Some((usize::try_from(rules?.value(row)).ok()?, note))
    };
    (0..batch.num_rows()).filter(|row| records.value(*row) == Record::Note as i8).filter_map(note).collect()
}
