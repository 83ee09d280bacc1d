//! Series with several rows of one time: whether these are the same is decided by every field of the source, so they are
//! read again with all of them. Where no bar is there twice, nothing is read that no rule looks at.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int8Type, Int32Type};

use super::records::Record;

/// Which series the operator evaluates, and by what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pass {
    /// All of them, each by all fields of its source.
    Whole,
    /// All of them by the fields that rules look at; those with several rows of one time are put off.
    First,
    /// Those that were put off, by all fields.
    Again(Arc<BTreeSet<String>>),
}

impl Pass {
    /// Whether the fields are there by which copies are compared.
    pub fn is_whole(&self) -> bool {
        *self != Self::First
    }

    /// Whether the series `key` is evaluated.
    pub fn has(&self, key: &str) -> bool {
        match self {
            Self::Whole | Self::First => true,
            Self::Again(series) => series.contains(key),
        }
    }
}

/// The series that were put off.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Twice {
    /// Their keys.
    pub(super) series: BTreeSet<String>,
    /// The first fields of these.
    pub(super) symbols: BTreeSet<String>,
    /// The files they are in.
    pub(super) files: BTreeSet<i32>,
}

impl Twice {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Takes those of one batch of the operator's output.
    pub fn take(&mut self, batch: &RecordBatch) {
        let column = |name: &str| batch.column_by_name(name);
        let (Some(records), Some(files)) = (column("record"), column("file")) else { return };
        let (records, files) = (records.as_primitive::<Int8Type>(), files.as_primitive::<Int32Type>());
        for row in (0..batch.num_rows()).filter(|row| records.value(*row) == Record::Again as i8) {
            let text = |name: &str| column(name).map(AsArray::as_string::<i32>).filter(|texts| !texts.is_null(row));
            self.series.extend(text("series").map(|texts| texts.value(row).to_owned()));
            self.symbols.extend(text("symbol").map(|texts| texts.value(row).to_owned()));
            self.files.insert(files.value(row));
        }
    }
}
