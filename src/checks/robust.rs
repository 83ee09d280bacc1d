//! Medians and median absolute deviations of a few dozen numbers, for checks that compare a bar with others.
//!
//! Relies on its callers for finite input: no NaN reaches this file. Keeps no state between calls; whoever calls
//! brings the scratch space, so that nothing is allocated per bar.

/// What a median absolute deviation is multiplied with to estimate a standard deviation: 1 / Φ⁻¹(3/4), rounded as
/// in the literature (Hampel 1974).
pub(super) const SIGMA_PER_MAD: f64 = 1.4826;

/// The median of `values`, which it reorders; the mean of the two middle ones where their count is even, NaN where
/// there are none.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let count = values.len();
    if count == 0 {
        return f64::NAN;
    }
    let (below, upper, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    if count % 2 == 1 {
        return *upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, *upper)
}

/// The median of `values`, copied to `scratch` first.
pub(super) fn median_of(values: &[f64], scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    scratch.extend_from_slice(values);
    median(scratch)
}

/// The median distance of `values` from `centre`.
pub(super) fn deviation(values: &[f64], centre: f64, scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    scratch.extend(values.iter().map(|value| (value - centre).abs()));
    median(scratch)
}

/// How many of `values` lie within `reach` of `centre`.
pub(super) fn count_near(values: &[f64], centre: f64, reach: f64) -> usize {
    values.iter().map(|value| usize::from((value - centre).abs() <= reach)).sum()
}

/// Medians of a window that slides along a series.
///
/// From one bar to the next a median moves by at most one place in the order of the values. So it starts at the
/// last median and counts, which a processor does for several values at once, and keeps nothing sorted.
#[derive(Debug, Default)]
pub struct SlidingMedian {
    last: f64,
}

impl SlidingMedian {
    /// Most places to walk before the values are reordered instead.
    const STEPS: usize = 4;

    /// The median of `values`, the mean of the two middle ones where their count is even, NaN where there are none; none
    /// of them is NaN. `scratch` may be overwritten.
    pub fn of(&mut self, values: &[f64], scratch: &mut Vec<f64>) -> f64 {
        let count = values.len();
        if count == 0 {
            return f64::NAN;
        }
        let place = (count - 1) / 2;
        for _ in 0..Self::STEPS {
            let (below, equal) = count_below(values, self.last);
            if below > place {
                self.last = next_below(values, self.last);
            } else if below + equal <= place {
                self.last = next_above(values, self.last);
            } else if count % 2 == 1 || below + equal > place + 1 {
                return self.last;
            } else {
                return f64::midpoint(self.last, next_above(values, self.last));
            }
        }
        let median = median_of(values, scratch);
        self.last = scratch[place];
        median
    }
}

/// How many of `values` are less than `bound`, and how many equal it.
fn count_below(values: &[f64], bound: f64) -> (usize, usize) {
    let (mut below, mut equal) = (0, 0);
    for value in values {
        below += usize::from(*value < bound);
        equal += usize::from(*value == bound);
    }
    (below, equal)
}

/// Lanes of the two loops below; comparisons of separate lanes do not wait for each other.
const LANES: usize = 4;

/// The largest of `values` below `bound`; minus infinity where there is none.
fn next_below(values: &[f64], bound: f64) -> f64 {
    let closer = |next: f64, value: f64| if value < bound && value > next { value } else { next };
    let mut lanes = [f64::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = closer(*lane, *value);
        }
    }
    lanes.iter().chain(rest).fold(f64::NEG_INFINITY, |next, value| closer(next, *value))
}

/// The smallest of `values` above `bound`; infinity where there is none.
fn next_above(values: &[f64], bound: f64) -> f64 {
    let closer = |next: f64, value: f64| if value > bound && value < next { value } else { next };
    let mut lanes = [f64::INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = closer(*lane, *value);
        }
    }
    lanes.iter().chain(rest).fold(f64::INFINITY, |next, value| closer(next, *value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted_median(values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
    }

    #[test]
    fn median_of_an_even_count_is_the_mean_of_the_two_middles() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 100.0]), 3.5);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [7.0]), 7.0);
        assert!(median(&mut []).is_nan());
    }

    #[test]
    fn middles_of_the_largest_numbers_do_not_overflow() {
        assert_eq!(median(&mut [f64::MAX, f64::MAX]), f64::MAX);
    }

    #[test]
    fn deviation_of_log_returns_matches_the_published_worked_example() {
        let returns = [0.001, -0.002, 0.0015, 0.0005, -0.001, 0.002, -0.0015, 0.0, 0.05, -0.0005];
        let mut scratch = Vec::new();
        let centre = median_of(&returns, &mut scratch);
        let deviation = deviation(&returns, centre, &mut scratch);
        assert!((centre - 0.00025).abs() < 1e-12 && (deviation - 0.00125).abs() < 1e-12);
        assert!(((0.05 - centre) / (SIGMA_PER_MAD * deviation) - 26.8447).abs() < 1e-4);
    }

    #[test]
    fn values_at_the_very_reach_are_near() {
        assert_eq!(count_near(&[1.0, 2.0, 3.0, 4.5], 2.0, 1.0), 3);
        assert_eq!(count_near(&[], 2.0, 1.0), 0);
    }

    proptest! {
        #[test]
        fn median_agrees_with_sorting(values in prop::collection::vec(prop_oneof![-1e9..1e9, -3.0..3.0_f64, Just(0.0)], 1..70)) {
            let wanted = sorted_median(&values);
            prop_assert_eq!(median_of(&values, &mut vec![1.0; 3]), wanted);
        }
    }
}
