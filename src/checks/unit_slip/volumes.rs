//! Volumes in another unit: hands of a hundred shares, thousands of a currency.
//!
//! A volume alone can be ten times the one before. Ten of them on each side of a change of the unit are not: all those
//! after it lie on one side of all those before it, their medians are a power of ten apart, and the price did not move.

use super::slip::{Found, Slip};
use crate::checks::Series;
use crate::checks::jump::power_of_ten;
use crate::checks::robust::{deviation, median_of};
use crate::checks::usable::UsableRows;

/// Bars on each side.
const SIDE: usize = 10;

/// By how much the logarithm of the ratio of the medians may miss that of a power of ten.
const TOLERANCE: f64 = 0.35;

/// The smallest volume of one side over the largest of the other, at least.
const APART: f64 = 1.5;

/// Largest spread of the logarithms on a side, as a median distance from their median: where volumes differ by more than
/// that among themselves, a power of ten is nothing.
const SPREAD: f64 = 0.5;

/// Largest log return of the price: more is a split, which changes volumes too.
const STILL: f64 = 0.3;

pub(super) fn slips(series: &Series<'_>, index: usize, close: Option<usize>) -> Found {
    let values = &series.number(index).values()[..series.dated()];
    let rows = UsableRows::of(values);
    let volumes = rows.pick(values);
    if volumes.len() < 2 * SIDE {
        let insufficient = (0..volumes.len()).collect();
        return Found { rows, slips: Vec::new(), insufficient };
    }
    let still = |at: usize| {
        let Some(close) = close.map(|close| series.number(close).values()) else { return true };
        let step = (close[rows.row(at)] / close[rows.row(at - 1)]).ln();
        !step.is_finite() || step.abs() <= STILL
    };
    let steps: Vec<(usize, i32)> = (SIDE..=volumes.len() - SIDE)
        .filter_map(|at| Some((at, step(&volumes[at - SIDE..at], &volumes[at..at + SIDE])?)).filter(|_| still(at)))
        .collect();
    let mut slips = Vec::new();
    let mut next = 0;
    while let Some((at, power)) = steps.get(next).copied() {
        next += 1;
        let back = steps.get(next).filter(|(_, back)| *back == -power).map(|(back, _)| *back);
        next += usize::from(back.is_some());
        slips.push(Slip { from: at, until: back, power });
    }
    let ends = (0..SIDE).chain(volumes.len() - SIDE + 1..volumes.len()).collect();
    Found { rows, slips, insufficient: ends }
}

/// The power of ten between the volumes before and after a bar, where there is one.
fn step(before: &[f64], after: &[f64]) -> Option<i32> {
    // The nearest two decide most bars.
    let (last, first) = (before[before.len() - 1], after[0]);
    if first < APART * last && last < APART * first {
        return None;
    }
    let (low, high) = if first > last { (before, after) } else { (after, before) };
    let largest = low.iter().copied().fold(0.0, f64::max);
    let smallest = high.iter().copied().fold(f64::INFINITY, f64::min);
    if smallest < APART * largest {
        return None;
    }
    let ([before, spread_before], [after, spread_after]) = (level(before), level(after));
    let steady = spread_before.max(spread_after) <= SPREAD;
    power_of_ten(after - before, TOLERANCE).filter(|_| steady)
}

/// The median of the logarithms, and the median distance from it.
fn level(volumes: &[f64]) -> [f64; 2] {
    let mut scratch = Vec::with_capacity(volumes.len());
    let logs: Vec<f64> = volumes.iter().map(|volume| volume.ln()).collect();
    let centre = median_of(&logs, &mut scratch);
    [centre, deviation(&logs, centre, &mut scratch)]
}
