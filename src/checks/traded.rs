//! Whether much more than usual was traded in a bar: then its price moved, and was not misprinted.

use std::ops::Range;

use super::Series;
use super::robust::median;
use super::usable::usable;

/// From so many times the usual volume on. On the day of wrong closes of 2008-09-30 GOOG had 1.4 times its median; in the
/// crashes of AAPL on 2000-09-29 and of Bitcoin on 2016-08-02 12.8 and 3.2 times as much was traded.
const BUSY: f64 = 3.0;

/// Bars on each side that say what is usual, and fewest of them together.
pub(super) const SIDE: usize = 10;
pub(super) const FEWEST: usize = 5;

/// The rows around `row` of so many, without it.
pub(super) fn around(row: usize, rows: usize) -> [Range<usize>; 2] {
    [row.saturating_sub(SIDE)..row, row + 1..rows.min(row + 1 + SIDE)]
}

/// Whether at least three times the median of the volumes around `row` was traded in it, by the column `volume`; not
/// where there are too few volumes to tell.
pub(super) fn busy(series: &Series<'_>, volume: usize, row: usize) -> bool {
    let volumes = &series.number(volume).values()[..series.dated()];
    let near = around(row, volumes.len()).into_iter().flat_map(|near| &volumes[near]);
    let mut usual: Vec<f64> = near.copied().filter(|volume| usable(*volume)).collect();
    usual.len() >= FEWEST && volumes[row] >= BUSY * median(&mut usual)
}
