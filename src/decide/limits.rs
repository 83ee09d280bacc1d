//! What a job allows a run to move, and why a run is refused.

use super::totals::RowTotals;
use crate::text::numbers::counted;

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
    #[error("{} would be moved, and `[limits] rows` allows {allowed}", counted(*wanted, "row"))]
    Rows {
        /// Rows to be moved.
        wanted: u64,
        /// The limit.
        allowed: u64,
    },
    /// More than `[limits] fraction` of the rows read.
    #[error("{wanted} of {} would be moved, and `[limits] fraction` allows a share of {allowed}", counted(*read, "row"))]
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
        "{wanted} of {} of series `{series}` would be moved, and `[limits] series_fraction` allows a share of {allowed}",
        counted(*read, "row")
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
        "rule `{rule}` flags {flagged} of {}, and its `budget` is a share of {budget}: a rule that hits more is a broken rule",
        counted(*evaluated, "row")
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
    /// Rows are wrong in such a way that the job is probably wrong, and not the rows.
    #[error("{what}: the job is probably wrong, not the rows; {remedy}")]
    Mistaken {
        /// What is seen of the rows.
        what: String,
        /// What to write in the job.
        remedy: String,
    },
    /// A rule that moves rows is about values that do not decode, all rows have one, and the job could say how to read them.
    #[error("{what}; {remedy}")]
    Readable {
        /// What is seen of the rows.
        what: String,
        /// What to write in the job.
        remedy: String,
    },
    /// A rule that moves rows flagged every row it evaluated.
    #[error(
        "rule `{rule}` flags all {} it evaluated: a rule that matches everything moves nothing",
        counted(*evaluated, "row")
    )]
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
    /// Why this rule holds the run, if it does. A rule that matches everything is broken, but one row is not everything.
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
    fn a_limit_that_is_met_is_not_broken() {
        let totals = RowTotals { read: 4, clean: 2, to_quarantine: 2, ..RowTotals::default() };
        assert_eq!(over_limits(&LIMITS, &totals, None, []), []);
    }

    #[test]
    fn all_broken_limits_are_reported_at_once() {
        let totals = RowTotals { read: 4, clean: 1, to_quarantine: 3, ..RowTotals::default() };
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
