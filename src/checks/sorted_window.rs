//! A window that slides along a series and keeps its values in order: where every bar needs the median of those around it.

/// The values of a window, smallest first; none of them is NaN.
#[derive(Debug, Default, Clone)]
pub(super) struct SortedWindow(Vec<f64>);

impl SortedWindow {
    /// A window of these values.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Self(sorted)
    }

    /// Takes `leaves`, which is in it, out of the window, and `enters` into it.
    pub(super) fn slide(&mut self, leaves: Option<f64>, enters: Option<f64>) {
        match (leaves.map(|value| self.place(value)), enters.map(|value| (self.place(value), value))) {
            (Some(from), Some((to, value))) if to > from => {
                self.0.copy_within(from + 1..to, from);
                self.0[to - 1] = value;
            }
            (Some(from), Some((to, value))) => {
                self.0.copy_within(to..from, to + 1);
                self.0[to] = value;
            }
            (Some(from), None) => {
                self.0.remove(from);
            }
            (None, Some((to, value))) => self.0.insert(to, value),
            (None, None) => {}
        }
    }

    /// The median of all values but one that is equal to `value` and is in it; the mean of the two middle ones where their
    /// count is even, NaN where there is no other.
    pub(super) fn median_without(&self, value: f64) -> f64 {
        let Some(others) = self.0.len().checked_sub(1).filter(|others| *others > 0) else { return f64::NAN };
        let without = self.place(value);
        let other = |at: usize| self.0[if at < without { at } else { at + 1 }];
        match others.is_multiple_of(2) {
            true => f64::midpoint(other(others / 2 - 1), other(others / 2)),
            false => other(others / 2),
        }
    }

    /// How many values are less than `value`.
    fn place(&self, value: f64) -> usize {
        self.0.partition_point(|other| *other < value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checks::robust::median;

    /// The medians of the bars around each bar, without its own, through a window.
    fn around(values: &[f64], side: usize) -> Vec<f64> {
        let mut window = SortedWindow::of(&values[..values.len().min(side)]);
        let slide = |at: usize| {
            window.slide(at.checked_sub(side + 1).map(|gone| values[gone]), values.get(at + side).copied());
            window.median_without(values[at])
        };
        (0..values.len()).map(slide).collect()
    }

    #[test]
    fn the_bar_itself_is_left_out() {
        assert_eq!(around(&[1.0, 9.0, 2.0, 3.0], 1), [9.0, 1.5, 6.0, 2.0]);
        assert!(around(&[5.0], 2)[0].is_nan());
    }

    proptest! {
        /// The naive way: the values around each bar, sorted anew; the same to the last bit.
        #[test]
        fn medians_agree_with_sorting(
            values in prop::collection::vec(prop_oneof![0.0..1.0_f64, (0..4_u8).prop_map(f64::from), Just(f64::INFINITY)], 0..60),
            side in 1..9_usize,
        ) {
            let naive = |at: usize| {
                let near = at.saturating_sub(side)..values.len().min(at + side + 1);
                let mut others: Vec<f64> = near.filter(|other| *other != at).map(|other| values[other]).collect();
                median(&mut others).to_bits()
            };
            let naive: Vec<u64> = (0..values.len()).map(naive).collect();
            prop_assert_eq!(around(&values, side).into_iter().map(f64::to_bits).collect::<Vec<_>>(), naive);
        }
    }
}
