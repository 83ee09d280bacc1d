//! What is found of values in another unit.

use crate::checks::usable::UsableRows;

/// Values in another unit: from one bar to before another, or to the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slip {
    /// First bar, by its place among the bars that have a value.
    pub(super) from: usize,
    /// First bar in the unit of before, if there is one.
    pub(super) until: Option<usize>,
    /// Power of ten.
    pub(super) power: i32,
}

/// What was found in a series.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Rows that have a value.
    pub(super) rows: UsableRows,
    pub(super) slips: Vec<Slip>,
    /// Those of them with too few others around them, by their places.
    pub(super) insufficient: Vec<usize>,
}
