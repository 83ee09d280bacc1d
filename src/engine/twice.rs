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
    /// Those of which more rows had to be read than the window has, with all of their rows, by all fields.
    Longer(Arc<BTreeSet<String>>),
}

impl Pass {
    /// Whether the fields are there by which copies are compared.
    pub fn is_whole(&self) -> bool {
        *self != Self::First
    }

    /// Whether each series has all of its rows, whatever is reported on.
    pub fn has_all_rows(&self) -> bool {
        matches!(self, Self::Longer(_))
    }

    /// Whether the series `key` is evaluated.
    pub fn has(&self, key: &str) -> bool {
        match self {
            Self::Whole | Self::First => true,
            Self::Again(series) | Self::Longer(series) => series.contains(key),
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

/// The series of which more rows have to be read than were.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Longer {
    /// Their keys.
    pub(super) series: BTreeSet<String>,
    /// The first fields of these.
    pub(super) symbols: BTreeSet<String>,
}

impl Longer {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Adds the series `key`, whose first key field is `symbol`.
    pub fn add(&mut self, key: &str, symbol: Option<&str>) {
        self.series.insert(key.to_owned());
        self.symbols.extend(symbol.map(str::to_owned));
    }

    /// Their keys.
    pub fn series(&self) -> &BTreeSet<String> {
        &self.series
    }

    /// Their first key fields; none where series have no key.
    pub fn symbols(&self) -> &BTreeSet<String> {
        &self.symbols
    }

    /// Their keys are handed out.
    pub fn into_series(self) -> BTreeSet<String> {
        self.series
    }

    /// Takes those of one batch of the operator's output.
    pub fn take(&mut self, batch: &RecordBatch) {
        take_keys(batch, Record::Longer, &mut self.series, &mut self.symbols);
    }
}

/// Adds the keys of the series that rows of `kind` name, and the first fields of these.
fn take_keys(batch: &RecordBatch, kind: Record, series: &mut BTreeSet<String>, symbols: &mut BTreeSet<String>) {
    let column = |name: &str| batch.column_by_name(name);
    let Some(records) = column("record").map(AsArray::as_primitive::<Int8Type>) else { return };
    for row in (0..batch.num_rows()).filter(|row| records.value(*row) == kind as i8) {
        let text = |name: &str| {
            let texts = column(name)?.as_string::<i32>();
            (!texts.is_null(row)).then(|| texts.value(row).to_owned())
        };
        series.extend(text("series"));
        symbols.extend(text("symbol"));
    }
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
        take_keys(batch, Record::Again, &mut self.series, &mut self.symbols);
        let (records, files) = (records.as_primitive::<Int8Type>(), files.as_primitive::<Int32Type>());
        let again = (0..batch.num_rows()).filter(|row| records.value(*row) == Record::Again as i8);
        self.files.extend(again.map(|row| files.value(row)));
    }
}
