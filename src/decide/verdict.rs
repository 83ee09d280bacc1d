//! The verdict of every row of a series, out of all findings of the series.

use std::ops::Range;

use crate::config::Action;

/// Where a row goes; the stronger one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verdict {
    /// Nothing was found.
    #[default]
    Clean,
    /// Findings that are only reported.
    Flagged,
    /// Reported, and a value does not decode.
    ParseError,
    /// The row is to be quarantined.
    Quarantine,
    /// The row is to be deleted.
    Delete,
}

impl Verdict {
    /// What one finding does to a row.
    pub fn of(action: Action, parse_error: bool) -> Self {
        match action {
            Action::Delete => Self::Delete,
            Action::Quarantine => Self::Quarantine,
            Action::Report if parse_error => Self::ParseError,
            Action::Report => Self::Flagged,
        }
    }

    /// Whether the row is to leave its source.
    pub fn moves(self) -> bool {
        self >= Self::Quarantine
    }

    /// What is left of it where the row must stay.
    fn staying(self, parse_error: bool) -> Self {
        if self.moves() { Self::of(Action::Report, parse_error) } else { self }
    }
}

/// Rows of a series, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Consecutive ones; none for a gap.
    Span(Range<usize>),
    /// Those that a condition left of a span.
    List(Vec<usize>),
}

impl Rows {
    /// The rows in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (span, list): (Range<usize>, &[usize]) = match self {
            Self::Span(span) => (span.clone(), &[]),
            Self::List(list) => (0..0, list),
        };
        span.chain(list.iter().copied())
    }

    /// The first row; `None` for a gap.
    pub fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// Leaves out the rows for which `stays` does not hold; returns whether any are left.
    pub fn retain(&mut self, stays: impl Fn(usize) -> bool) -> bool {
        if !self.iter().all(&stays) {
            *self = Self::List(self.iter().filter(|row| stays(*row)).collect());
        }
        self.first().is_some()
    }
}

/// A finding as far as the decision is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The rows it stands for; each gets the action by itself.
    pub rows: &'a Rows,
    /// What its rule does with them.
    pub action: Action,
    /// Whether it is a value that does not decode.
    pub parse_error: bool,
}

/// The verdict of each of `rows` rows: the strongest action of its findings, whatever their order. A row for which
/// `movable` does not hold is only reported.
pub fn verdicts<'a>(
    rows: usize,
    found: impl IntoIterator<Item = Found<'a>>,
    movable: impl Fn(usize) -> bool,
) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Clean; rows];
    for finding in found {
        let verdict = Verdict::of(finding.action, finding.parse_error);
        for row in finding.rows.iter() {
            let of_row = if movable(row) { verdict } else { verdict.staying(finding.parse_error) };
            verdicts[row] = verdicts[row].max(of_row);
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_action_of_a_row_wins_in_any_order() {
        let (run, row) = (Rows::Span(0..3), Rows::List(vec![1]));
        let reported = Found { rows: &run, action: Action::Report, parse_error: false };
        let deleted = Found { rows: &row, action: Action::Delete, parse_error: false };
        let expected = [Verdict::Flagged, Verdict::Delete, Verdict::Flagged, Verdict::Clean];
        assert_eq!(verdicts(4, [reported, deleted], |_| true), expected);
        assert_eq!(verdicts(4, [deleted, reported], |_| true), expected);
    }

    #[test]
    fn each_row_of_a_finding_is_decided_by_itself() {
        let run = Rows::Span(0..3);
        let moved = Found { rows: &run, action: Action::Quarantine, parse_error: false };
        let of_young = verdicts(3, [moved], |row| row < 2);
        assert_eq!(of_young, [Verdict::Quarantine, Verdict::Quarantine, Verdict::Flagged]);
        let unreadable = Found { parse_error: true, ..moved };
        assert_eq!(verdicts(3, [unreadable], |row| row < 2)[2], Verdict::ParseError, "what it is stays true");
    }

    #[test]
    fn the_strongest_verdict_is_the_greatest() {
        let of = |action, parse_error| Verdict::of(action, parse_error);
        assert!(of(Action::Delete, false) > of(Action::Quarantine, true));
        assert!(of(Action::Quarantine, false) > of(Action::Report, true));
        assert!(of(Action::Report, true) > of(Action::Report, false));
        assert!(of(Action::Report, false) > Verdict::Clean);
    }

    #[test]
    fn rows_keep_their_order_when_some_are_left_out() {
        let mut rows = Rows::Span(2..6);
        assert!(rows.retain(|_| true) && rows == Rows::Span(2..6));
        assert!(rows.retain(|row| row % 2 == 1) && rows == Rows::List(vec![3, 5]));
        assert!(!rows.retain(|_| false));
    }
}
