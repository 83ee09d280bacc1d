//! What a run adds up to: counts of each rule, of all series, and whether everything read is accounted for.
//!
//! Adding is in any order: batches of the operator come from several partitions. Nothing is printed or written here.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

use super::by_label::ByLabel;
use super::error::ReportError;
use super::incoming::{Records, check_schema, only};
use super::moves::MoveRow;
use super::rules_before::RuleChange;
use super::unmatched::Unmatched;
use crate::decide::{Action, RowTotals, SeriesShare, Severity, Verdict, share};
use crate::engine::counts::{RuleCounts, SeriesCounts};
use crate::engine::program::Program;
use crate::engine::records::Record;

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleStatus {
    /// It evaluated rows and found nothing.
    Ok,
    /// It had nothing to evaluate.
    Skipped,
    /// No row had enough history to be evaluated.
    Insufficient,
    /// It found something, and all of that is labelled known or fine, or of rows that a person put back.
    Known,
    /// It found something and its severity is not `error`.
    Warn,
    /// It found something and is an `error`.
    Fail,
}

impl RuleStatus {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Insufficient => "insufficient",
            Self::Known => "known",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What one fact excused of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Excused {
    /// What would have been findings.
    pub findings: u64,
    /// The bars they are about.
    pub bars: u64,
}

/// Counts of one rule over all series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleTally {
    /// The counts, summed.
    pub counts: RuleCounts,
    /// Findings that arrived as such; equal to `counts.findings` unless barkeep is wrong.
    pub arrived: i64,
    /// Findings the run before did not have; `None` where that is not known.
    pub new: Option<i64>,
    /// Findings of the run before that this run looked for and did not have; `None` where that is not known.
    pub fixed: Option<i64>,
    /// Least and greatest value observed among the findings.
    pub observed: Option<(f64, f64)>,
    /// The series with the earliest finding and its timestamp (µs UTC); findings without one come last.
    pub first: Option<(Option<i64>, String)>,
    /// The latest timestamp of a finding, µs UTC.
    pub last_time: Option<i64>,
    /// Series with a finding.
    pub series_hit: i64,
    /// Rows it flagged that are not moved because a person put them back.
    pub kept: i64,
    /// Its findings by what a person said of them.
    pub by_label: ByLabel,
    /// Errors that no label calls known or fine, and that the run before did not have so.
    pub new_errors: i64,
    /// What became of the rule since the run before; `None` where it is what it was, or that is not known.
    pub change: Option<RuleChange>,
    /// How long it took over all series, in ns, all threads together; `None` where it did not run.
    pub nanos: Option<u64>,
    /// What facts excused, by the word of the fact: what would have been findings, and the bars they are about.
    pub excuses: BTreeMap<String, (i64, i64)>,
}

impl RuleTally {
    fn add(&mut self, records: &Records<'_>, row: usize) {
        let more = records.rule_counts(row);
        let sum = &mut self.counts;
        sum.evaluated += more.evaluated;
        sum.insufficient += more.insufficient;
        sum.excused += more.excused;
        sum.stepped_over += more.stepped_over;
        sum.findings += more.findings;
        sum.bars += more.bars;
        sum.rows += more.rows;
        if let Some(nanos) = records.nanos(row) {
            self.nanos = Some(self.nanos.unwrap_or(0).saturating_add(nanos.unsigned_abs()));
        }
        if more.findings == 0 {
            return;
        }
        self.series_hit += 1;
        if let Some((lo, hi)) = records.observed(row) {
            self.observed = Some(self.observed.map_or((lo, hi), |(least, most)| (least.min(lo), most.max(hi))));
        }
        let key = |time: Option<i64>| (time.is_none(), time);
        let (time, series) = (records.time(row), records.series(row));
        let earlier = self.first.as_ref().is_none_or(|(known, of)| (key(time), series) < (key(*known), of.as_str()));
        if earlier {
            self.first = Some((time, series.to_owned()));
        }
        self.last_time = self.last_time.max(records.time_until(row));
    }

    /// What facts excused of it, by fact.
    pub fn excused_by(&self) -> BTreeMap<String, Excused> {
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let excused = |(findings, bars): &(i64, i64)| Excused { findings: count(*findings), bars: count(*bars) };
        self.excuses.iter().map(|(fact, counts)| (fact.clone(), excused(counts))).collect()
    }

    /// How the rule came out.
    pub fn status(&self, severity: Severity) -> RuleStatus {
        match self.counts {
            RuleCounts { findings: 1.., .. } if self.counted() == 0 => RuleStatus::Known,
            RuleCounts { findings: 1.., .. } if severity == Severity::Error => RuleStatus::Fail,
            RuleCounts { findings: 1.., .. } => RuleStatus::Warn,
            RuleCounts { evaluated: 1.., .. } => RuleStatus::Ok,
            RuleCounts { insufficient: 1.., .. } => RuleStatus::Insufficient,
            _ => RuleStatus::Skipped,
        }
    }

    /// Findings that nothing a person said keeps from counting.
    pub fn counted(&self) -> u64 {
        u64::try_from(self.counts.findings).unwrap_or(0).saturating_sub(self.by_label.muted())
    }

    /// Rows flagged as a share of rows evaluated; `None` where nothing was evaluated.
    pub fn share(&self) -> Option<f64> {
        (self.counts.evaluated > 0).then(|| self.counts.rows as f64 / self.counts.evaluated as f64)
    }
}

/// Counts of all series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeriesTally {
    /// Series.
    pub series: u64,
    /// Rows by verdict.
    pub rows: RowTotals,
    /// Rows before those, which were read because verdicts depend on them.
    pub context: u64,
    /// Sessions of the series that has most of them; those of several series are largely the same days.
    pub sessions: i64,
    /// Rows to be moved and rows read, of the series of which any row is to be moved.
    moving: BTreeMap<String, (u64, u64)>,
    /// First and last timestamp, µs UTC.
    pub span: Option<(i64, i64)>,
}

impl SeriesTally {
    fn add(&mut self, records: &Records<'_>, row: usize) -> Result<(), ReportError> {
        let series = records.series(row);
        let counts = records.series_counts(row);
        let rows = totals(counts)
            .filter(RowTotals::conserved)
            .ok_or_else(|| ReportError::Conservation(format!("rows of series `{series}` do not add up: {counts:?}")))?;
        let context = u64::try_from(counts.context).unwrap_or(0);
        // A series that ended before the rows that are reported on is none of them.
        self.series += u64::from(rows.read > 0 || context == 0);
        self.rows += rows;
        self.context += context;
        self.sessions = self.sessions.max(counts.sessions);
        if let Some((first, last)) = records.time(row).zip(records.time_until(row)) {
            self.span = Some(self.span.map_or((first, last), |(since, until)| (since.min(first), until.max(last))));
        }
        if rows.moved() > 0 {
            self.moving.insert(series.to_owned(), (rows.moved(), rows.read));
        }
        Ok(())
    }

    /// The series of which the largest share is to be moved, where any row is; the first by name among equals.
    pub fn worst(&self) -> Option<SeriesShare> {
        let shares = self.moving.iter().filter(|(_, (moved, _))| *moved > 0);
        let shares = shares.map(|(series, (moved, read))| (series.clone(), *moved, *read));
        shares.reduce(|worst, other| if share(other.1, other.2) > share(worst.1, worst.2) { other } else { worst })
    }
}

fn totals(counts: SeriesCounts) -> Option<RowTotals> {
    let count = |count: i64| u64::try_from(count).ok();
    Some(RowTotals {
        read: count(counts.read)?,
        clean: count(counts.clean)?,
        flagged: count(counts.flagged)?,
        to_quarantine: count(counts.to_quarantine)?,
        to_delete: count(counts.to_delete)?,
        parse_errors: count(counts.parse_errors)?,
        kept: 0,
    })
}

/// Findings by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BySeverity {
    /// Findings of rules that are errors.
    pub error: u64,
    /// Findings of rules that warn.
    pub warn: u64,
    /// Findings of rules that inform.
    pub info: u64,
}

/// All counts of a run.
#[derive(Debug)]
pub struct Tally {
    /// By rule, [`Program::parse_error`] last.
    pub rules: Vec<RuleTally>,
    /// Of all series.
    pub series: SeriesTally,
    /// Prices and volumes that are NULL.
    pub nulls: (i64, i64),
    /// Rows to be moved that arrived as such.
    pub moves: u64,
    /// When the first and the last of the rows that stay were put back, µs UTC, where that is known.
    pub restored: Option<(i64, i64)>,
    /// Rows that rules would move and that stay, for labels call all of their findings known or fine.
    pub kept_by_label: u64,
    /// Rules that only the run before had, and how many findings of theirs are gone.
    pub removed_rules: Vec<(String, i64)>,
    /// Symbols that facts name and no series has.
    pub unmatched: Unmatched,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(program: &Program) -> Self {
        let rules = vec![RuleTally::default(); program.parse_error() + 1];
        let unmatched = Unmatched::new(program);
        let (series, removed_rules) = (SeriesTally::default(), Vec::new());
        Self { rules, series, nulls: (0, 0), moves: 0, restored: None, kept_by_label: 0, removed_rules, unmatched }
    }

    /// Adds the counts in a batch of the operator's output.
    ///
    /// # Errors
    /// barkeep is wrong: a record is not readable, or the rows of a series do not add up.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<(), ReportError> {
        check_schema(batch)?;
        if let Some(rules) = only(batch, Record::Rule)? {
            self.add_rules(&Records::of(&rules))?;
        }
        if let Some(excuses) = only(batch, Record::Excuse)? {
            self.add_excuses(&Records::of(&excuses))?;
        }
        if let Some(series) = only(batch, Record::Series)? {
            self.add_series(&Records::of(&series))?;
        }
        Ok(())
    }

    /// Adds how many prices and volumes are NULL.
    pub(super) fn add_nulls(&mut self, (prices, volumes): (i64, i64)) {
        self.nulls.0 += prices;
        self.nulls.1 += volumes;
    }

    /// Adds counts of rules over series.
    fn add_rules(&mut self, records: &Records<'_>) -> Result<(), ReportError> {
        for row in records.rows() {
            let rule = records.rule(row, self.rules.len())?;
            self.rules[rule].add(records, row);
        }
        Ok(())
    }

    /// Adds what facts excused.
    fn add_excuses(&mut self, records: &Records<'_>) -> Result<(), ReportError> {
        for row in records.rows() {
            let rule = records.rule(row, self.rules.len())?;
            let more = records.rule_counts(row);
            let fact = records.cause(row).unwrap_or_default().to_owned();
            let (findings, bars) = self.rules[rule].excuses.entry(fact).or_default();
            *findings += more.findings;
            *bars += more.bars;
        }
        Ok(())
    }

    /// Adds counts of series.
    fn add_series(&mut self, records: &Records<'_>) -> Result<(), ReportError> {
        records.rows().try_for_each(|row| {
            self.unmatched.see(records.series(row));
            self.series.add(records, row)
        })
    }

    /// Counts a row as kept that was to be moved: a person put it back, and when that was, µs UTC, or accepted it.
    pub fn keep(&mut self, row: &MoveRow, restored_at: Option<i64>) {
        if let Some(at) = restored_at {
            let (first, last) = self.restored.unwrap_or((at, at));
            self.restored = Some((first.min(at), last.max(at)));
        }
        let verdict = if row.action() == Action::Delete { Verdict::Delete } else { Verdict::Quarantine };
        self.series.rows.keep(verdict, 1);
        if let Some((moved, _)) = self.series.moving.get_mut(&*row.series) {
            *moved = moved.saturating_sub(1);
        }
        for found in &row.found {
            self.rules[found.rule].kept += 1;
        }
    }

    /// Rules that gave no verdict on any row, by index.
    pub fn not_evaluated(&self) -> Vec<usize> {
        (0..self.rules.len()).filter(|rule| self.rules[*rule].counts.evaluated == 0).collect()
    }

    /// Findings by severity.
    pub fn by_severity(&self, program: &Program) -> BySeverity {
        self.sum(program, |tally| u64::try_from(tally.counts.findings).unwrap_or(0))
    }

    /// The same without those that are labelled known or fine, or of rows that a person put back.
    pub fn counted(&self, program: &Program) -> BySeverity {
        self.sum(program, RuleTally::counted)
    }

    /// Findings by what a person said of them.
    pub fn by_label(&self) -> ByLabel {
        self.rules.iter().fold(ByLabel::default(), |mut sum, tally| {
            sum += tally.by_label;
            sum
        })
    }

    /// Errors that no label calls known or fine, and that the run before did not have so.
    pub fn new_errors(&self) -> u64 {
        self.rules.iter().map(|tally| tally.new_errors.unsigned_abs()).sum()
    }

    fn sum(&self, program: &Program, count: impl Fn(&RuleTally) -> u64) -> BySeverity {
        let mut by = BySeverity::default();
        for (rule, tally) in self.rules.iter().enumerate() {
            let sum = match program.levels(rule).0 {
                Severity::Error => &mut by.error,
                Severity::Warn => &mut by.warn,
                Severity::Info => &mut by.info,
            };
            *sum += count(tally);
        }
        by
    }

    /// Whether all that was counted also arrived, and nothing else.
    pub(super) fn conserved(&self, program: &Program) -> Result<(), ReportError> {
        let broken = |message: String| Err(ReportError::Conservation(message));
        let rows = self.series.rows;
        if !rows.conserved() {
            return broken(format!("rows of the run do not add up: {rows:?}"));
        }
        if rows.moved() + rows.kept != self.moves {
            let counted = rows.moved() + rows.kept;
            return broken(format!("{counted} rows are to be moved by count, and {} by name", self.moves));
        }
        for (rule, tally) in self.rules.iter().enumerate() {
            if tally.counts.findings != tally.arrived {
                let (id, counted) = (program.rule_id(rule), tally.counts.findings);
                return broken(format!("rule `{id}` counted {counted} findings, and {} arrived", tally.arrived));
            }
        }
        Ok(())
    }
}
