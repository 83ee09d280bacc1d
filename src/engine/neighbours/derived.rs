//! Values that an expression takes from the bars beside a bar.
//!
//! The bars of a series are taken in the order of time, of several copies of one timestamp the first; a row without a
//! timestamp has no neighbours, and nor have the first and the last bar on one side.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Float64Type;
use arrow::error::ArrowError;

use crate::checks::SlidingMedian;

/// A value of a bar that its own columns do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Derived {
    /// The value of `field` so many bars later; earlier where below zero. `field` may be `session`.
    Beside { field: Arc<str>, bars: i32 },
    /// How much `field` grew since the bar before, as a part of its value there.
    Return { field: Arc<str> },
    /// What is usual for `field` in so many bars before the bar.
    Over { usual: Usual, field: Arc<str>, bars: u32 },
    /// The trading date.
    Session,
}

/// What is worked out of the values of several bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usual {
    Median,
    Mean,
    Highest,
    Lowest,
}

impl Usual {
    /// Each with the name of its function.
    pub(super) const ALL: [(&'static str, Self); 4] =
        [("median", Self::Median), ("mean", Self::Mean), ("highest", Self::Highest), ("lowest", Self::Lowest)];

    /// Of `values`, at least one and none of them NaN, after those of the bar before; `scratch` may be overwritten.
    fn of(self, values: &[f64], median: &mut SlidingMedian, scratch: &mut Vec<f64>) -> f64 {
        match self {
            Self::Median => median.of(values, scratch),
            Self::Mean => values.iter().sum::<f64>() / values.len() as f64,
            Self::Highest => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Lowest => values.iter().copied().fold(f64::INFINITY, f64::min),
        }
    }
}

/// What trading date stands for, where an expression names it.
pub(super) const SESSION: &str = "session";

impl Derived {
    /// The name of its column.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Beside { field, bars } if *bars < 0 => format!("prev({field}, {})", -bars),
            Self::Beside { field, bars } => format!("next({field}, {bars})"),
            Self::Return { field } => format!("ret({field})"),
            Self::Over { usual, field, bars } => {
                let name = Usual::ALL.iter().find(|(_, other)| other == usual).map_or("", |(name, _)| name);
                format!("{name}({field}, {bars})")
            }
            Self::Session => SESSION.to_owned(),
        }
    }

    /// The field that it is worked out of; `None` for the trading date.
    pub(super) fn field(&self) -> Option<&Arc<str>> {
        match self {
            Self::Beside { field, .. } | Self::Return { field } | Self::Over { field, .. } => {
                Some(field).filter(|field| ***field != *SESSION)
            }
            Self::Session => None,
        }
    }

    /// Whether its field must hold numbers.
    pub(super) fn is_of_numbers(&self) -> bool {
        matches!(self, Self::Return { .. } | Self::Over { .. })
    }

    /// How many bars before and after a bar it depends on.
    pub(super) fn reach(&self) -> (usize, usize) {
        match self {
            Self::Beside { bars, .. } if *bars < 0 => (bars.unsigned_abs() as usize, 0),
            Self::Beside { bars, .. } => (0, bars.unsigned_abs() as usize),
            Self::Return { .. } => (1, 0),
            Self::Over { bars, .. } => (*bars as usize, 0),
            Self::Session => (0, 0),
        }
    }
}

/// The bars of one series, for values that are derived of them.
pub(super) struct Bars<'a> {
    batch: &'a RecordBatch,
    /// The first row of each timestamp.
    first: Vec<u32>,
    /// Which timestamp each dated row has.
    place: Vec<u32>,
    sessions: &'a dyn Fn() -> Date32Array,
}

impl<'a> Bars<'a> {
    /// The rows of `batch`, of which the first have the timestamps `time`, ascending; `sessions` gives the trading date of
    /// each row.
    pub(super) fn new(batch: &'a RecordBatch, time: &[i64], sessions: &'a dyn Fn() -> Date32Array) -> Self {
        let (mut first, mut place) = (Vec::with_capacity(time.len()), Vec::with_capacity(time.len()));
        for (row, timestamp) in (0..).zip(time) {
            if row == 0 || time[row as usize - 1] != *timestamp {
                first.push(row);
            }
            place.push(u32::try_from(first.len() - 1).unwrap_or(u32::MAX));
        }
        Self { batch, first, place, sessions }
    }

    /// One value a row.
    pub(super) fn values(&self, derived: &Derived) -> Result<ArrayRef, ArrowError> {
        match derived {
            Derived::Beside { field, bars } => self.beside(&self.column(field)?, *bars),
            Derived::Return { field } => self.returns(&self.column(field)?),
            Derived::Over { usual, field, bars } => Ok(self.over(*usual, &self.column(field)?, *bars as usize)),
            Derived::Session => Ok(Arc::new((self.sessions)())),
        }
    }

    fn column(&self, field: &str) -> Result<ArrayRef, ArrowError> {
        match self.batch.column_by_name(field) {
            Some(column) => Ok(Arc::clone(column)),
            None if field == SESSION => Ok(Arc::new((self.sessions)())),
            None => Err(ArrowError::SchemaError(format!("the bars have no column `{field}`"))),
        }
    }

    fn beside(&self, column: &ArrayRef, bars: i32) -> Result<ArrayRef, ArrowError> {
        let row = |place: &u32| self.first.get(place.checked_add_signed(bars)? as usize).copied();
        let undated = self.batch.num_rows() - self.place.len();
        let rows = self.place.iter().map(row).chain(std::iter::repeat_n(None, undated));
        take(column, &rows.collect::<UInt32Array>(), None)
    }

    fn returns(&self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let before = self.beside(column, -1)?;
        let (before, now) = (before.as_primitive::<Float64Type>(), column.as_primitive::<Float64Type>());
        let growth = now.iter().zip(before).map(|(now, before)| Some(now? / before? - 1.0));
        Ok(Arc::new(growth.collect::<Float64Array>()))
    }

    /// NULL where fewer than half of so many bars have a number.
    fn over(&self, usual: Usual, column: &ArrayRef, bars: usize) -> ArrayRef {
        let column = column.as_primitive::<Float64Type>();
        let value = |row: &u32| if column.is_null(*row as usize) { f64::NAN } else { column.value(*row as usize) };
        let values: Vec<f64> = self.first.iter().map(value).collect();
        let (mut missing, mut median) = (0_usize, SlidingMedian::default());
        let (mut numbers, mut scratch) = (Vec::new(), Vec::new());
        let usual_before = |place: usize| {
            missing += usize::from(place.checked_sub(1).is_some_and(|new| values[new].is_nan()));
            missing -= usize::from(place.checked_sub(bars + 1).is_some_and(|old| values[old].is_nan()));
            let mut window = &values[place.saturating_sub(bars)..place];
            if missing > 0 {
                numbers.clear();
                numbers.extend(window.iter().filter(|value| !value.is_nan()));
                window = &numbers;
            }
            let enough = window.len() * 2 >= bars && !window.is_empty();
            enough.then(|| usual.of(window, &mut median, &mut scratch))
        };
        let of_places: Vec<Option<f64>> = (0..self.first.len()).map(usual_before).collect();
        let undated = self.batch.num_rows() - self.place.len();
        let of_rows = self.place.iter().map(|place| of_places[*place as usize]);
        Arc::new(of_rows.chain(std::iter::repeat_n(None, undated)).collect::<Float64Array>())
    }
}
