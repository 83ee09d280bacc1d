//! The bars of a series with a price above zero. Mostly these are all of them, and then nothing is copied.

use std::borrow::Cow;

/// Whether a price or a volume is finite and above zero; a NULL is NaN here.
pub(super) fn usable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// The rows whose value is usable, in order.
#[derive(Debug, Default)]
pub(super) struct UsableRows {
    /// `None` where all rows are.
    rows: Option<Vec<usize>>,
    count: usize,
}

impl UsableRows {
    /// Those of a column.
    pub(super) fn of(values: &[f64]) -> Self {
        if values.iter().all(|value| usable(*value)) {
            return Self { rows: None, count: values.len() };
        }
        let rows: Vec<usize> = (0..values.len()).filter(|row| usable(values[*row])).collect();
        Self { count: rows.len(), rows: Some(rows) }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether these are all rows.
    pub(super) fn is_all(&self) -> bool {
        self.rows.is_none()
    }

    /// The row of the one at `at`.
    pub(super) fn row(&self, at: usize) -> usize {
        self.rows.as_ref().map_or(at, |rows| rows[at])
    }

    /// What a column has in these rows.
    pub(super) fn pick<'a>(&self, values: &'a [f64]) -> Cow<'a, [f64]> {
        match &self.rows {
            None => Cow::Borrowed(&values[..self.count]),
            Some(rows) => rows.iter().map(|row| values[*row]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usable_values_are_finite_and_above_zero() {
        let values = [1.0, f64::NAN, 0.0, -1.0, f64::INFINITY, 5e-324];
        let rows = UsableRows::of(&values);
        assert_eq!((rows.len(), rows.is_all(), rows.row(1)), (2, false, 5));
        assert_eq!(*rows.pick(&[10.0, 11.0, 12.0, 13.0, 14.0, 15.0]), [10.0, 15.0]);
    }

    #[test]
    fn a_column_of_usable_values_is_not_copied() {
        let rows = UsableRows::of(&[1.0, 2.0]);
        let picked = rows.pick(&[3.0, 4.0, 5.0]);
        assert!(rows.is_all() && matches!(picked, Cow::Borrowed(_)));
        assert_eq!((*picked).to_vec(), [3.0, 4.0], "rows without a timestamp come last and are none of them");
    }
}
