//! What the bars of a job are like, taken batch by batch from bars in the order of series and time.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::partition;
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use super::magnitudes::Magnitudes;
use super::of_series::OfSeries;
use super::steps::Steps;
use crate::bars::{BarsSpec, FieldKind, TIME};

/// The numeric fields that are looked at as such, in the order of [`OfSeries::numbers`].
pub(super) const MEASURED: [&str; 8] = ["open", "high", "low", "close", "volume", "amount", "pre_close", "pct_chg"];

/// What bars are like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    /// Bars, those without a readable timestamp included.
    pub(super) bars: u64,
    pub(super) series: u64,
    pub(super) symbols: BTreeSet<String>,
    /// Bars without a timestamp that could be read.
    pub(super) timeless: u64,
    /// Bars with the series and the timestamp of another.
    pub(super) repeated: u64,
    /// First and last timestamp, µs UTC on the scale of the bars.
    pub(super) span: Option<(i64, i64)>,
    /// Bars that the calendar expects between the first and the last of each series, and how many of them are there;
    /// nothing without a calendar.
    pub(super) coverage: Option<Coverage>,
    pub(super) fields: Vec<FieldProfile>,
    pub(super) closes: Numbers,
    pub(super) volumes: Numbers,
    /// Bars with a volume of 0.
    pub(super) zero_volume: u64,
    /// Bars with a close of 0 or below.
    pub(super) not_positive: u64,
    pub(super) returns: Returns,
    pub(super) steps: Steps,
    pub(super) turnover: Turnover,
    /// Bars whose `pct_chg` follows from `close` and `pre_close`, of those that have all three.
    pub(super) changes: (u64, u64),
}

/// How many of the expected bars are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) expected: u64,
    pub(super) there: u64,
    /// Bars on no expected timestamp.
    pub(super) elsewhere: u64,
}

/// How a field is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldProfile {
    pub(super) name: Arc<str>,
    pub(super) kind: FieldKind,
    /// Bars in which it is NULL or not a number.
    pub(super) nulls: u64,
}

/// How large a field is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) count: u64,
    /// The smallest and the largest value.
    pub(super) all: Option<(f64, f64)>,
    /// The smallest 1 % quantile and the largest 99 % quantile of a series; of a short series its median.
    pub(super) usual: Option<(f64, f64)>,
}

impl Numbers {
    pub(super) fn widen(known: &mut Option<(f64, f64)>, (least, most): (f64, f64)) {
        *known = Some(known.map_or((least, most), |(lo, hi)| (lo.min(least), hi.max(most))));
    }
}

/// The sizes of returns from close to close.
#[derive(Debug, Clone, Default)]
pub(super) struct Returns {
    pub(super) sizes: Magnitudes,
    /// The largest one, with its series and timestamp.
    pub(super) largest: Option<(f64, String, i64)>,
}

/// Bars whose amount over volume lies between low and high, and how many would by a power of ten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Turnover {
    pub(super) evaluated: u64,
    pub(super) inside: u64,
    /// By powers of ten from -4 to 4.
    pub(super) by_power: [u64; 9],
}

/// A profile that is being taken.
#[derive(Debug)]
pub(crate) struct Profiling {
    bars: BarsSpec,
    profile: Profile,
    series: OfSeries,
}

impl Profiling {
    /// A profile of `bars`, of which the fields at the indices `read` are read.
    pub(crate) fn new(bars: &BarsSpec, read: &[usize]) -> Self {
        let fields = read.iter().map(|index| &bars.fields[*index]).filter(|field| field.constant.is_none());
        let fields = fields.map(|field| FieldProfile { name: Arc::clone(&field.name), kind: field.kind, nulls: 0 });
        let profile = Profile {
            fields: fields.collect(),
            coverage: bars.grid.is_some().then(Coverage::default),
            ..Profile::default()
        };
        Self { bars: bars.clone(), profile, series: OfSeries::default() }
    }

    /// Takes bars, which lie in the order of the series key and then of time.
    ///
    /// # Errors
    /// A key that cannot be compared.
    pub(crate) fn take(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        for field in &mut self.profile.fields {
            let Some(column) = batch.column_by_name(&field.name) else { continue };
            let nans = column
                .as_primitive_opt::<Float64Type>()
                .map_or(0, |numbers| numbers.iter().flatten().filter(|number| number.is_nan()).count());
            field.nulls += (column.null_count() + nans) as u64;
        }
        let keys: Vec<_> = self.bars.series.iter().filter_map(|name| batch.column_by_name(name)).cloned().collect();
        let ranges = match keys.is_empty() {
            true => std::iter::once(0..batch.num_rows()).collect(),
            false => partition(&keys)?.ranges(),
        };
        for range in ranges {
            let texts = keys.iter().map(|key| match key.is_null(range.start) {
                true => Ok(String::new()),
                false => array_value_to_string(key, range.start),
            });
            let key = texts.collect::<Result<Vec<String>, ArrowError>>()?;
            if self.series.key.as_ref() != Some(&key) {
                self.end_series();
                self.series.key = Some(key);
            }
            self.series.take(&batch.slice(range.start, range.len()));
        }
        Ok(())
    }

    /// The profile of all that was taken.
    pub(crate) fn finish(mut self) -> Profile {
        self.end_series();
        self.profile
    }

    fn end_series(&mut self) {
        std::mem::take(&mut self.series).add_to(&mut self.profile, &self.bars);
    }
}

/// The timestamps of a batch.
pub(super) fn times(batch: &RecordBatch) -> Vec<Option<i64>> {
    let column = batch.column_by_name(TIME).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    column.map_or_else(|| vec![None; batch.num_rows()], |times| times.iter().collect())
}

/// The numbers of a batch; a NULL is NaN, and a field that there is not is empty.
pub(super) fn numbers(batch: &RecordBatch, name: &str) -> Vec<f64> {
    let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
    column.map_or_else(Vec::new, |numbers| numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}
