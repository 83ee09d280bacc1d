//! Findings of a row -> its verdict; verdicts of a run -> totals, the conservation equation, limits.
//!
//! Pure: values in, values out. A row is counted once, under the strongest thing that befalls it, so that
//! `read = clean + flagged + parse_errors + quarantined + deleted` holds for every series and every run.

use std::ops::AddAssign;

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
    Quarantined,
    /// The row is to be deleted.
    Deleted,
}

impl Verdict {
    /// What one finding does to a row.
    pub fn of(action: Action, parse_errors: bool) -> Self {
        match action {
            Action::Delete => Self::Deleted,
            Action::Quarantine => Self::Quarantined,
            Action::Report if parse_errors => Self::ParseError,
            Action::Report => Self::Flagged,
        }
    }

    /// Whether the row is to leave its source.
    pub fn moves(self) -> bool {
        self >= Self::Quarantined
    }
}

/// Rows by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowTotals {
    /// Rows read.
    pub read: u64,
    /// Rows without a finding.
    pub clean: u64,
    /// Rows only reported.
    pub flagged: u64,
    /// Rows to be quarantined.
    pub quarantined: u64,
    /// Rows to be deleted.
    pub deleted: u64,
    /// Rows reported for a value that does not decode.
    pub parse_errors: u64,
}

impl RowTotals {
    /// Counts the rows of one series.
    pub fn count(verdicts: &[Verdict]) -> Self {
        let mut totals = Self { read: verdicts.len() as u64, ..Self::default() };
        for verdict in verdicts {
            *match verdict {
                Verdict::Clean => &mut totals.clean,
                Verdict::Flagged => &mut totals.flagged,
                Verdict::ParseError => &mut totals.parse_errors,
                Verdict::Quarantined => &mut totals.quarantined,
                Verdict::Deleted => &mut totals.deleted,
            } += 1;
        }
        totals
    }

    /// Rows of a series without any finding.
    pub fn clean(rows: u64) -> Self {
        Self { read: rows, clean: rows, ..Self::default() }
    }

    /// Whether every row read is accounted for exactly once.
    pub fn conserved(&self) -> bool {
        self.read == self.clean + self.flagged + self.quarantined + self.deleted + self.parse_errors
    }

    /// Rows that are to leave the source.
    pub fn moved(&self) -> u64 {
        self.quarantined + self.deleted
    }
}

impl AddAssign for RowTotals {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.clean += other.clean;
        self.flagged += other.flagged;
        self.quarantined += other.quarantined;
        self.deleted += other.deleted;
        self.parse_errors += other.parse_errors;
    }
}

/// What a job allows a run to move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MoveLimits {
    /// Rows.
    pub rows: Option<u64>,
    /// Share of the rows read.
    pub fraction: Option<f64>,
    /// Share of the rows of any one series.
    pub series_fraction: Option<f64>,
    /// The median of what runs before had to move, where there were such runs.
    pub usual: Option<u64>,
}

/// A run may move this many times what is usual.
const UNUSUAL: u64 = 5;
/// Up to so many rows nothing is unusual.
const FEW: u64 = 100;

/// Why a run must not move anything.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// More rows than `[limits] rows`.
    #[error("{wanted} rows would be moved, and `[limits] rows` allows {allowed}")]
    Rows {
        /// Rows to be moved.
        wanted: u64,
        /// The limit.
        allowed: u64,
    },
    /// More than `[limits] fraction` of the rows read.
    #[error("{wanted} of {read} rows would be moved, and `[limits] fraction` allows a share of {allowed}")]
    Fraction {
        /// Rows to be moved.
        wanted: u64,
        /// Rows read.
        read: u64,
        /// The limit.
        allowed: f64,
    },
    /// More than `[limits] series_fraction` of one series.
    #[error(
        "{wanted} of {read} rows of series `{series}` would be moved, and `[limits] series_fraction` allows a share of {allowed}"
    )]
    SeriesFraction {
        /// The series with the largest share.
        series: String,
        /// Rows to be moved.
        wanted: u64,
        /// Rows read.
        read: u64,
        /// The limit.
        allowed: f64,
    },
    /// Far more than runs of this job usually move.
    #[error(
        "{wanted} rows would be moved, and half of the last runs had {usual} or fewer to move: more than 5 times that is unusual"
    )]
    Unusual {
        /// Rows to be moved.
        wanted: u64,
        /// The median of the last runs.
        usual: u64,
    },
    /// A rule flagged more than its `budget`.
    #[error(
        "rule `{rule}` flags {flagged} of {evaluated} rows, and its `budget` is a share of {budget}: a rule that hits more is a broken rule"
    )]
    Budget {
        /// The rule.
        rule: String,
        /// Rows it flagged.
        flagged: u64,
        /// Rows it evaluated.
        evaluated: u64,
        /// Its budget.
        budget: f64,
    },
    /// A rule that moves rows flagged every row it evaluated.
    #[error("rule `{rule}` flags all {evaluated} rows it evaluated: a rule that matches everything moves nothing")]
    Everything {
        /// The rule.
        rule: String,
        /// Rows it evaluated.
        evaluated: u64,
    },
}

/// What a series has to do with the limits: its key, rows to be moved and rows read.
pub type SeriesShare = (String, u64, u64);

/// What a rule has to do with the limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RuleShare<'a> {
    /// Its identifier.
    pub rule: &'a str,
    /// Whether its action moves rows.
    pub moves: bool,
    /// The share of evaluated rows it may flag, where it has a budget.
    pub budget: Option<f64>,
    /// Rows it flagged.
    pub flagged: u64,
    /// Rows it evaluated.
    pub evaluated: u64,
}

/// Every limit that a run breaks; `worst` is the series with the largest share to be moved.
pub fn over_limits<'a>(
    limits: &MoveLimits,
    totals: &RowTotals,
    worst: Option<&SeriesShare>,
    rules: impl IntoIterator<Item = RuleShare<'a>>,
) -> Vec<Refusal> {
    let (wanted, read) = (totals.moved(), totals.read);
    let mut refusals = Vec::new();
    if let Some(allowed) = limits.rows.filter(|allowed| wanted > *allowed) {
        refusals.push(Refusal::Rows { wanted, allowed });
    }
    if let Some(allowed) = limits.fraction.filter(|allowed| share(wanted, read) > *allowed) {
        refusals.push(Refusal::Fraction { wanted, read, allowed });
    }
    if let (Some(allowed), Some((series, wanted, read))) = (limits.series_fraction, worst)
        && share(*wanted, *read) > allowed
    {
        refusals.push(Refusal::SeriesFraction { series: series.clone(), wanted: *wanted, read: *read, allowed });
    }
    if let Some(usual) = limits.usual.filter(|usual| wanted > FEW && wanted > usual.saturating_mul(UNUSUAL)) {
        refusals.push(Refusal::Unusual { wanted, usual });
    }
    refusals.extend(rules.into_iter().filter_map(|share| share.refusal()));
    refusals
}

impl RuleShare<'_> {
    /// Why this rule holds the run, if it does. A rule that matches everything is broken, but one row is no everything.
    fn refusal(&self) -> Option<Refusal> {
        let Self { flagged, evaluated, .. } = *self;
        let rule = self.rule.to_owned();
        if let Some(budget) = self.budget.filter(|budget| share(flagged, evaluated) > *budget) {
            return Some(Refusal::Budget { rule, flagged, evaluated, budget });
        }
        (self.moves && evaluated > 1 && flagged >= evaluated).then_some(Refusal::Everything { rule, evaluated })
    }
}

/// `part` of `whole` as a share; 0 of nothing.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MoveLimits =
        MoveLimits { rows: Some(2), fraction: Some(0.5), series_fraction: Some(0.25), usual: None };

    #[test]
    fn every_row_is_counted_once() {
        use Verdict::{Clean, Deleted, Flagged, ParseError, Quarantined};
        let totals = RowTotals::count(&[Clean, Flagged, ParseError, Quarantined, Deleted, Deleted, Clean]);
        assert_eq!(totals, RowTotals { read: 7, clean: 2, flagged: 1, quarantined: 1, deleted: 2, parse_errors: 1 });
        assert!(totals.conserved());
        assert!(!RowTotals { read: 8, ..totals }.conserved());
    }

    #[test]
    fn the_strongest_verdict_wins() {
        let of = |action, parse_errors| Verdict::of(action, parse_errors);
        assert!(of(Action::Delete, false) > of(Action::Quarantine, true));
        assert!(of(Action::Quarantine, false) > of(Action::Report, true));
        assert!(of(Action::Report, true) > of(Action::Report, false));
        assert!(of(Action::Report, false) > Verdict::Clean);
    }

    #[test]
    fn a_limit_that_is_met_is_not_broken() {
        let totals = RowTotals { read: 4, clean: 2, quarantined: 2, ..RowTotals::default() };
        assert_eq!(over_limits(&LIMITS, &totals, None, []), []);
    }

    #[test]
    fn all_broken_limits_are_reported_at_once() {
        let totals = RowTotals { read: 4, clean: 1, quarantined: 3, ..RowTotals::default() };
        let worst = ("A".to_owned(), 3, 4);
        assert_eq!(over_limits(&LIMITS, &totals, Some(&worst), []).len(), 3);
    }

    #[test]
    fn nothing_read_breaks_no_share() {
        assert_eq!(over_limits(&LIMITS, &RowTotals::default(), None, []), []);
    }

    #[test]
    fn a_rule_over_its_budget_holds_the_run() {
        let rule = RuleShare { rule: "r", moves: false, budget: Some(0.1), flagged: 11, evaluated: 100 };
        assert!(matches!(rule.refusal(), Some(Refusal::Budget { flagged: 11, .. })));
        assert_eq!(RuleShare { flagged: 10, ..rule }.refusal(), None);
    }

    #[test]
    fn a_rule_that_moves_everything_it_evaluated_holds_the_run() {
        let rule = RuleShare { rule: "r", moves: true, budget: None, flagged: 100, evaluated: 100 };
        assert!(matches!(rule.refusal(), Some(Refusal::Everything { evaluated: 100, .. })));
        assert_eq!(RuleShare { moves: false, ..rule }.refusal(), None);
        assert_eq!(RuleShare { flagged: 1, evaluated: 1, ..rule }.refusal(), None);
    }
}
