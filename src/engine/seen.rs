//! The series of which a run read a row inside its window.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int8Type, TimestampMicrosecondType};

use super::records::Record;

/// Series by key, each with its first key field.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Seen {
    series: BTreeMap<String, Option<String>>,
    /// Bytes of their names.
    names: usize,
}

/// About what a series takes besides its names.
const BYTES_OF_SERIES: usize = 96;

impl Seen {
    /// Takes the series of one batch of the operator's output that have a timestamp at or after `from`, µs UTC; all of them
    /// where there is no bound.
    pub fn take(&mut self, batch: &RecordBatch, from: Option<i64>) {
        let column = |name: &str| batch.column_by_name(name);
        let (Some(records), Some(last)) = (column("record"), column("time_until")) else { return };
        let (records, last) = (records.as_primitive::<Int8Type>(), last.as_primitive::<TimestampMicrosecondType>());
        let of_series = (0..batch.num_rows()).filter(|row| records.value(*row) == Record::Series as i8);
        for row in of_series.filter(|row| from.is_none_or(|from| last.is_valid(*row) && last.value(*row) >= from)) {
            let text = |name: &str| {
                let texts = column(name)?.as_string::<i32>();
                (!texts.is_null(row)).then(|| texts.value(row).to_owned())
            };
            if let Some(series) = text("series") {
                let (length, symbol) = (series.len(), text("symbol"));
                let of_symbol = symbol.as_ref().map_or(0, String::len);
                if self.series.insert(series, symbol).is_none() {
                    self.names += length + of_symbol;
                }
            }
        }
    }

    /// Whether the series `key` is one of them.
    pub fn has(&self, key: &str) -> bool {
        self.series.contains_key(key)
    }

    /// About how much memory they take, in bytes.
    pub fn bytes(&self) -> usize {
        self.names + self.series.len() * BYTES_OF_SERIES
    }

    /// They are handed out.
    pub fn into_series(self) -> BTreeMap<String, Option<String>> {
        self.series
    }
}
