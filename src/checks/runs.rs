//! Rows in a row with the same fault: one finding over all of them says more than one for each.

use std::ops::Range;

/// Collects rows with the same fault, as they are met in order.
#[derive(Debug)]
pub(super) struct Runs<T> {
    open: Option<(T, Range<usize>)>,
}

impl<T: Copy + PartialEq> Runs<T> {
    pub(super) fn new() -> Self {
        Self { open: None }
    }

    /// Takes the fault of `row`, or that it has none; returns the run that ended before it.
    pub(super) fn take(&mut self, row: usize, fault: Option<T>) -> Option<(T, Range<usize>)> {
        if let (Some((open, rows)), Some(fault)) = (&mut self.open, fault)
            && *open == fault
            && rows.end == row
        {
            rows.end = row + 1;
            return None;
        }
        std::mem::replace(&mut self.open, fault.map(|fault| (fault, row..row + 1)))
    }

    /// The run that is open at the end.
    pub(super) fn end(self) -> Option<(T, Range<usize>)> {
        self.open
    }
}

/// The rows of a run as findings are made of them: all together from `least` rows on, else one by one, so that each row of
/// a short run is named.
pub(super) fn parts(rows: Range<usize>, least: usize) -> Vec<Range<usize>> {
    if rows.len() >= least { vec![rows] } else { rows.map(|row| row..row + 1).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_fault_changes_or_a_row_has_none() {
        let faults = [None, Some('a'), Some('a'), Some('b'), None, Some('b')];
        let mut runs = Runs::new();
        let mut ended: Vec<_> = faults.iter().enumerate().filter_map(|(row, fault)| runs.take(row, *fault)).collect();
        ended.extend(runs.end());
        assert_eq!(ended, [('a', 1..3), ('b', 3..4), ('b', 5..6)]);
    }

    #[test]
    fn short_runs_are_named_row_by_row() {
        assert_eq!(parts(3..6, 3), vec![Range { start: 3, end: 6 }]);
        assert_eq!(parts(3..5, 3), [3..4, 4..5]);
    }
}
