//! Whether a move is no more than the smallest step that prices make: a coin that costs twelve units of its last decimal
//! moves by eight per cent or not at all.

/// Part of a step by which two equal steps may differ, for they are differences of rounded numbers.
const ROUNDING: f64 = 1e-6;

/// So many other moves must be of that size: a single one may be the other half of the same fault.
const FEWEST: usize = 3;

/// Whether a move by `size`, in units of the price, is the smallest of the moves there are, and one that is made again and
/// again among the `others`.
pub(super) fn is_smallest(size: f64, others: impl IntoIterator<Item = f64>) -> bool {
    let mut equal = 0;
    for other in others {
        let other = other.abs();
        if other > 0.0 && other < size * (1.0 - ROUNDING) {
            return false;
        }
        equal += usize::from((other - size).abs() <= size * ROUNDING);
    }
    equal >= FEWEST
}

#[cfg(test)]
mod tests {
    use super::is_smallest;

    #[test]
    fn a_move_is_one_step_where_it_is_made_again_and_no_other_is_smaller() {
        assert!(is_smallest(1e-8, [0.0, 2e-8, -1.000_000_1e-8, 1e-8, 0.999_999_9e-8]));
        assert!(!is_smallest(2e-8, [0.0, 1e-8, 2e-8, 2e-8, 2e-8]));
        assert!(!is_smallest(400.0, [0.0, 400.0, 0.0]), "there and back again is one fault");
        assert!(!is_smallest(1e-8, [0.0, 0.0, f64::NAN]), "nothing is known of the steps");
        assert!(!is_smallest(1e-8, []));
    }
}
