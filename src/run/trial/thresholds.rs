//! The thresholds at which a rule is tried: the present one, and some below and above it.

use crate::schema::{Holds, Key};

/// Shares of the present threshold.
const FACTORS: [f64; 10] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0];
/// What is tried where the present threshold is 0, of which there are no shares.
const AROUND_ZERO: [f64; 9] = [0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
/// Steps around a small count.
const STEPS: [f64; 10] = [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0, 8.0];
/// Counts up to here are tried one by one.
const SMALL: f64 = 20.0;
/// Digits that a threshold is rounded to.
const DIGITS: i32 = 3;

/// Thresholds around `present` that `key` may have, ascending, `present` among them.
pub(super) fn around(present: f64, key: &Key) -> Vec<f64> {
    let shares = || FACTORS.iter().map(|factor| rounded(present * factor));
    let (mut all, min, max): (Vec<f64>, f64, f64) = match key.holds {
        Holds::Count { min, max } => {
            let counts: Vec<f64> = match present.abs() <= SMALL {
                true => STEPS.iter().map(|step| present + step).collect(),
                false => shares().map(f64::round).collect(),
            };
            (counts, min as f64, max as f64)
        }
        Holds::Number { min, max } => (numbers(present), min, max),
        // A share is above 0.
        Holds::Share => (numbers(present), f64::MIN_POSITIVE, 1.0),
        _ => return vec![present],
    };
    all.push(present);
    all.retain(|value| (min..=max).contains(value));
    all.sort_by(f64::total_cmp);
    // The present threshold as it is written is not rounded, and stands for its own share.
    all.dedup_by(|one, other| (*one - *other).abs() <= 1e-9 * present.abs());
    all
}

fn numbers(present: f64) -> Vec<f64> {
    if present == 0.0 {
        return AROUND_ZERO.to_vec();
    }
    let others = FACTORS.iter().filter(|factor| (**factor - 1.0).abs() > f64::EPSILON);
    others.map(|factor| rounded(present * factor)).filter(|value| *value != present).collect()
}

/// To three digits.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.*e}", usize::try_from(DIGITS - 1).unwrap_or(0)).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Otherwise, key};

    fn of(present: f64, holds: Holds) -> Vec<f64> {
        around(present, &key("limit", holds, Otherwise::Nothing, "x"))
    }

    #[test]
    fn thresholds_lie_around_the_present_one_inside_what_is_allowed() {
        let number = Holds::Number { min: 0.5, max: 12.5 };
        assert_eq!(of(8.0, number), [4.0, 4.8, 5.6, 6.4, 7.2, 8.0, 8.8, 10.0, 12.0]);
        assert_eq!(of(0.8, Holds::Share), [0.4, 0.48, 0.56, 0.64, 0.72, 0.8, 0.88, 1.0]);
        assert_eq!(of(-100.0, Holds::Number { min: f64::MIN, max: f64::MAX }).len(), 10);
    }

    #[test]
    fn a_threshold_with_many_digits_stays_as_it_is() {
        let all = of(8.123_456, Holds::Number { min: 0.0, max: 1e9 });
        assert!(all.contains(&8.123_456) && all.len() == 10, "{all:?}");
    }

    #[test]
    fn counts_are_whole_and_zero_has_neighbours() {
        assert_eq!(of(5.0, Holds::Count { min: 2, max: 1_000 }), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 13.0]);
        assert_eq!(of(30.0, Holds::Count { min: 2, max: 1_000 })[..3], [15.0, 18.0, 21.0]);
        assert_eq!(of(0.0, Holds::Number { min: 0.0, max: 0.01 }), [0.0, 0.001, 0.002, 0.005, 0.01]);
    }
}
