//! A value against the nearest of three medians: of the bars before it, of those after it, and of both.
//!
//! After the rule for trades of Barndorff-Nielsen, Hansen, Lunde & Shephard (2009) in its form that keeps real
//! jumps: the first bar of a new level is close to the bars that follow. The scale is not that of a day but the
//! median distance of the neighbours from the median of their own side, which a jump between the sides does not
//! inflate. The value itself is in none of the windows.

use super::neighbours::{Band, Neighbours, Verdict};
use super::tolerance::Tolerance;
use crate::checks::robust::{count_near, median, median_of};

/// How much further away the newest bar may be: what comes next may be at its level.
const ONE_SIDED: f64 = 3.0;

fn last_is_near(value: f64, left: &[f64], reach: f64) -> bool {
    left.last().is_some_and(|last| (value - last).abs() <= reach)
}

/// The verdict on `value`; `scratch` is overwritten. The newest bar has three times the limit, and the next run, which knows the
/// bar after it, decides anew. The first bars of a series are undecided: those before them may have been at their level.
pub(super) fn evaluate(
    value: f64,
    neighbours: &Neighbours<'_>,
    tolerance: &Tolerance,
    scratch: &mut Vec<f64>,
) -> Verdict {
    let (left, right) = (neighbours.left(), neighbours.right());
    let count = left.len() + right.len();
    let reach = tolerance.sure_reach(value);
    // More than half of one side, or of both, close to the value: so is that median. Counting is far cheaper.
    let near = [count_near(left, value, reach), count_near(right, value, reach)];
    if 2 * near[0] > left.len() || 2 * near[1] > right.len() || 2 * (near[0] + near[1]) > count {
        return Verdict::Inside;
    }
    // The median of an empty side is NaN: it is never nearer, and `min` passes it over.
    let (left_median, right_median) = (median_of(left, scratch), median_of(right, scratch));
    let nearer = (value - left_median).abs().min((value - right_median).abs());
    // Less than half of the neighbours close to the median of their side: the deviation is too large to flag anything,
    // and more so if the third median is nearer.
    let largest = tolerance.largest_deviation(nearer);
    if 2 * (count_near(left, left_median, largest) + count_near(right, right_median, largest)) < count {
        return Verdict::Inside;
    }
    scratch.clear();
    scratch.extend(left.iter().chain(right));
    let both = median(scratch);
    let nearest = [left_median, right_median]
        .into_iter()
        .fold(both, |nearest, side| if (value - side).abs() < (value - nearest).abs() { side } else { nearest });
    scratch.clear();
    scratch.extend(left.iter().map(|neighbour| (neighbour - left_median).abs()));
    scratch.extend(right.iter().map(|neighbour| (neighbour - right_median).abs()));
    let deviation = median(scratch);
    let distance = (value - nearest).abs();
    let verdict = tolerance.verdict(distance, nearest, deviation, count);
    match verdict {
        Verdict::Outside(_) if left.is_empty() => Verdict::Undecided,
        Verdict::Outside(band) if right.is_empty() && distance <= ONE_SIDED * band.reach => Verdict::Undecided,
        // The bar before it is at its level already.
        Verdict::Outside(band) if right.is_empty() && last_is_near(value, left, band.reach) => Verdict::Undecided,
        Verdict::Outside(band) if right.is_empty() => Verdict::Outside(Band { reach: ONE_SIDED * band.reach, ..band }),
        verdict => verdict,
    }
}
