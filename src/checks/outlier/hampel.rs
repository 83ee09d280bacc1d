//! The Hampel identifier: a value against the median of the window around it, the value included.
//!
//! Hampel 1974; Davies & Gather 1993; Pearson 2002. Near the ends the window shrinks. Evaluates one value; the deviation,
//! which costs most, is computed only for a value that it can reject.

use super::neighbours::{Neighbours, Verdict, Workspace};
use super::tolerance::Tolerance;
use crate::checks::robust::{count_near, deviation};

/// The verdict on `value`.
pub(super) fn evaluate(
    value: f64,
    neighbours: &Neighbours<'_>,
    tolerance: &Tolerance,
    space: &mut Workspace,
) -> Verdict {
    let window = neighbours.window();
    let centre = space.median.of(window, &mut space.scratch);
    let distance = (value - centre).abs();
    if distance <= tolerance.sure_reach(value) {
        return Verdict::Inside;
    }
    // Less than half of the window close to the median: the deviation is too large to flag anything.
    if 2 * count_near(window, centre, tolerance.largest_deviation(distance)) < window.len() {
        return Verdict::Inside;
    }
    tolerance.verdict(distance, centre, deviation(window, centre, &mut space.scratch), window.len())
}
