//! One rule broken, and the counts a check leaves behind.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::reason::{Excused, ExcusedBy, Reason};

/// One rule broken by one row, by a run of rows, or by a gap between rows.
///
/// Build it with [`Finding::row`], [`Finding::run`] or [`Finding::gap`] and the setters below; what is not
/// set is NULL in the report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Finding {
    /// Rows of the series this finding stands for; `None` for a gap. An action falls on all of them.
    pub rows: Option<Range<usize>>,
    /// Further rows it stands for, ascending, all behind `rows`: those that do not follow on each other.
    pub more: Vec<usize>,
    /// First missing timestamp of a gap, µs UTC; rows bring their own time.
    pub time: Option<i64>,
    /// Last timestamp the finding covers, µs UTC, where it covers more than one.
    pub time_until: Option<i64>,
    /// The field that is wrong.
    pub field: Option<Arc<str>>,
    /// The value that broke the rule.
    pub observed: Option<f64>,
    /// The value as text, where it is not a number or the source has an exact text.
    pub observed_text: Option<String>,
    /// Smallest value that would have passed.
    pub expected_lo: Option<f64>,
    /// Largest value that would have passed.
    pub expected_hi: Option<f64>,
    /// What would have passed, where it is not an interval.
    pub expected_text: Option<Cow<'static, str>>,
    /// How far outside, in the check's own unit.
    pub score: Option<f64>,
    /// Bars concerned: missing ones for a gap, rows of a run; 1 for one row.
    pub bars_affected: u64,
    /// Kebab-case class of the cause, from a closed set of the check.
    pub cause: Option<&'static str>,
    /// A row to look at, of a finding that stands for none.
    pub at: Option<usize>,
    /// Whether its rows stay, whatever action the rule has.
    pub report_only: bool,
    /// Free structure: what a person needs to follow the verdict.
    pub evidence: Option<serde_json::Value>,
}

impl Finding {
    /// A finding about one row.
    pub fn row(row: usize) -> Self {
        Self { rows: Some(row..row + 1), bars_affected: 1, ..Self::default() }
    }

    /// A finding about a run of rows.
    pub fn run(rows: Range<usize>) -> Self {
        let bars_affected = rows.len() as u64;
        Self { rows: Some(rows), bars_affected, ..Self::default() }
    }

    /// A finding about `rows`, ascending, that need not follow on each other; `None` where there are none.
    pub fn scattered(rows: &[usize]) -> Option<Self> {
        let (first, more) = rows.split_first()?;
        Some(Self { more: more.to_vec(), bars_affected: rows.len() as u64, ..Self::row(*first) })
    }

    /// A finding about `bars` missing timestamps from `first` to `last`, both µs UTC and both missing.
    pub fn gap(first: i64, last: i64, bars: u64) -> Self {
        Self { time: Some(first), time_until: Some(last), bars_affected: bars, ..Self::default() }
    }

    /// Sets the field that is wrong.
    #[must_use]
    pub fn field(mut self, field: &Arc<str>) -> Self {
        self.field = Some(Arc::clone(field));
        self
    }

    /// Sets the numeric value that broke the rule.
    #[must_use]
    pub fn observed(mut self, value: f64) -> Self {
        self.observed = Some(value);
        self
    }

    /// Sets the value as text.
    #[must_use]
    pub fn observed_text(mut self, text: impl Into<String>) -> Self {
        self.observed_text = Some(text.into());
        self
    }

    /// Sets the interval that would have passed; an infinite end is open.
    #[must_use]
    pub fn expected(mut self, lo: f64, hi: f64) -> Self {
        self.expected_lo = lo.is_finite().then_some(lo);
        self.expected_hi = hi.is_finite().then_some(hi);
        self
    }

    /// Sets what would have passed, in words.
    #[must_use]
    pub fn expected_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.expected_text = Some(text.into());
        self
    }

    /// Sets the distance from what is allowed.
    #[must_use]
    pub fn score(mut self, score: f64) -> Self {
        self.score = Some(score);
        self
    }

    /// Sets the class of the cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<&'static str>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Sets the last timestamp covered, µs UTC.
    #[must_use]
    pub fn until(mut self, time: i64) -> Self {
        self.time_until = Some(time);
        self
    }

    /// Lets its rows stay, whatever action the rule has.
    #[must_use]
    pub fn report_only(mut self, stays: bool) -> Self {
        self.report_only = stays;
        self
    }

    /// Sets the evidence.
    #[must_use]
    pub fn evidence(mut self, evidence: impl Serialize) -> Self {
        self.evidence = serde_json::to_value(evidence).ok();
        self
    }
}

/// Counts of one rule over one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Rows the rule gave a verdict on.
    pub evaluated: u64,
    /// Rows without enough history for a verdict.
    pub insufficient: u64,
    /// Rows an explanation excused (a suspension, a bar outside the calendar's range).
    pub excused: u64,
    /// What facts excused, by [`Reason`](super::Reason).
    pub excused_by: ExcusedBy,
    /// Whether what was evaluated depends on all of the series.
    pub on_all: bool,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.evaluated += other.evaluated;
        self.insufficient += other.insufficient;
        self.excused += other.excused;
        self.on_all |= other.on_all;
        for (sum, more) in self.excused_by.iter_mut().zip(other.excused_by) {
            sum.findings += more.findings;
            sum.bars += more.bars;
        }
    }
}

/// Takes what a check finds in one series.
#[derive(Debug, Default)]
pub struct FindingSink {
    /// The findings, in the order they were made.
    pub findings: Vec<Finding>,
    /// The counts.
    pub totals: Totals,
}

impl FindingSink {
    /// Takes one finding.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Counts rows that got a verdict.
    pub fn evaluated(&mut self, rows: usize) {
        self.totals.evaluated += rows as u64;
    }

    /// Counts rows without enough history.
    pub fn insufficient(&mut self, rows: usize) {
        self.totals.insufficient += rows as u64;
    }

    /// Counts rows that were excused.
    pub fn excused(&mut self, rows: usize) {
        self.totals.excused += rows as u64;
    }

    /// Says that what was evaluated depends on all of the series, and not on the bars of the context alone.
    pub fn depends_on_all(&mut self) {
        self.totals.on_all = true;
    }

    /// Counts what a fact excused.
    pub fn excuse(&mut self, reason: Reason, more: Excused) {
        let sum = &mut self.totals.excused_by[reason as usize];
        sum.findings += more.findings;
        sum.bars += more.bars;
    }

    /// Counts rows as excused that were counted as evaluated.
    pub(super) fn move_to_excused(&mut self, rows: u64) {
        let rows = rows.min(self.totals.evaluated);
        self.totals.evaluated -= rows;
        self.totals.excused += rows;
    }
}
