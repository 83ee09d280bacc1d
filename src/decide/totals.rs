//! Rows by verdict, and the equation that holds for every series and every run.

use std::ops::AddAssign;

use super::verdict::Verdict;

/// Rows by verdict; each row is counted once, under its strongest verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowTotals {
    /// Rows read.
    pub read: u64,
    /// Rows without a finding.
    pub clean: u64,
    /// Rows only reported.
    pub flagged: u64,
    /// Rows to be quarantined.
    pub to_quarantine: u64,
    /// Rows to be deleted.
    pub to_delete: u64,
    /// Rows reported for a value that does not decode.
    pub parse_errors: u64,
    /// Rows that rules would move and that stay because a person put them back.
    pub kept: u64,
}

impl RowTotals {
    /// Counts the rows of one series.
    pub fn count(verdicts: &[Verdict]) -> Self {
        let mut totals = Self { read: verdicts.len() as u64, ..Self::default() };
        for verdict in verdicts {
            *totals.of(*verdict) += 1;
        }
        totals
    }

    /// Rows of a series without any finding.
    pub fn clean(rows: u64) -> Self {
        Self { read: rows, clean: rows, ..Self::default() }
    }

    /// Counts `rows` rows as kept that were counted as `verdict`.
    pub fn keep(&mut self, verdict: Verdict, rows: u64) {
        let counted = self.of(verdict);
        let rows = rows.min(*counted);
        *counted -= rows;
        self.kept += rows;
    }

    fn of(&mut self, verdict: Verdict) -> &mut u64 {
        match verdict {
            Verdict::Clean => &mut self.clean,
            Verdict::Flagged => &mut self.flagged,
            Verdict::ParseError => &mut self.parse_errors,
            Verdict::Quarantine => &mut self.to_quarantine,
            Verdict::Delete => &mut self.to_delete,
        }
    }

    /// Whether every row read is accounted for exactly once.
    pub fn conserved(&self) -> bool {
        let left = self.to_quarantine + self.to_delete;
        self.read == self.clean + self.flagged + left + self.parse_errors + self.kept
    }

    /// Rows that are to leave the source.
    pub fn moved(&self) -> u64 {
        self.to_quarantine + self.to_delete
    }
}

impl AddAssign for RowTotals {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.clean += other.clean;
        self.flagged += other.flagged;
        self.to_quarantine += other.to_quarantine;
        self.to_delete += other.to_delete;
        self.parse_errors += other.parse_errors;
        self.kept += other.kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_counted_once() {
        use Verdict::{Clean, Delete, Flagged, ParseError, Quarantine};
        let mut totals = RowTotals::count(&[Clean, Flagged, ParseError, Quarantine, Delete, Delete, Clean]);
        let expected =
            RowTotals { read: 7, clean: 2, flagged: 1, to_quarantine: 1, to_delete: 2, parse_errors: 1, kept: 0 };
        assert_eq!(totals, expected);
        assert!(totals.conserved());
        assert!(!RowTotals { read: 8, ..totals }.conserved());
        totals.keep(Delete, 1);
        assert_eq!((totals.to_delete, totals.kept, totals.moved(), totals.conserved()), (1, 1, 2, true));
    }
}
