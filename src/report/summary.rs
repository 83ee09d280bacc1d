//! The summary of a run: what the terminal, `summary.json` and `report show` all show, in one structure.
//!
//! It is built once, from the same counts the tables are written from. Nothing here formats anything.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::by_label::ByLabel;
use super::change::Change;
use super::destination::VERSION;
use super::rows::flags_rows;
use super::rules_before::RuleChange;
use super::run::{Connections, NextStep, Notification, Outcome, PlanNote, RunMeta, RunStatus, StageSeconds, Trigger};
use super::tables::SCHEMA_VERSION;
use super::tally::{BySeverity, Excused, RuleStatus, RuleTally, Tally};
use crate::bars::BarsSpec;
use crate::decide::{FailOn, RowTotals};
use crate::engine::program::Program;
use crate::market::DAY_US;
use crate::text::utc::UtcMicros;

/// A run in words and numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this structure; that of the tables.
    pub schema_version: u32,
    /// Version of barkeep.
    pub version: String,
    /// The run.
    pub run_id: String,
    /// Its job.
    pub job: String,
    /// The command.
    pub command: String,
    /// What began it.
    pub trigger: Trigger,
    /// The source as a person calls it.
    pub source: String,
    /// What the run says of the data.
    pub verdict: Verdict,
    /// How it ended.
    pub status: RunStatus,
    /// Its exit code.
    pub exit_code: u8,
    /// What failed, where something did.
    pub error: Option<String>,
    /// When it began.
    pub started_at: UtcMicros,
    /// When it ended.
    pub finished_at: UtcMicros,
    /// Wall time by stage.
    pub seconds: StageSeconds,
    /// Rows evaluated a second of the whole run; `None` where it took no time.
    pub rows_per_second: Option<f64>,
    /// The half-open window it looked at.
    pub window: Span,
    /// The first and last timestamp it read.
    pub data: Span,
    /// The moment the bars were evaluated for.
    #[serde(default)]
    pub as_of: Option<UtcMicros>,
    /// The step from bar to bar, as jobs write it.
    pub interval: String,
    /// Whether timestamps are trading dates.
    pub daily: bool,
    /// The calendar, where the job has one.
    pub calendar: Option<CalendarNote>,
    /// Series read.
    pub series: u64,
    /// Sessions of the series that has most of them.
    pub sessions: u64,
    /// Rows by what is to be done with them; the first is the sum of the others.
    pub rows: Rows,
    /// When the first and the last of the rows that stay were put back; `None` where none stays, or that is not known.
    #[serde(default)]
    pub restored: Option<Span>,
    /// Rows that stay because labels call what was found known or fine.
    #[serde(default)]
    pub kept_by_label: u64,
    /// Findings by severity.
    pub findings: BySeverity,
    /// Which findings make the exit code 1: `new`, `error`, `warn` or `never`; `None` in what earlier versions wrote.
    #[serde(default)]
    pub fail_on: Option<String>,
    /// Errors that no label calls known or fine, and that the run before did not have so.
    #[serde(default)]
    pub new_errors: u64,
    /// Findings by what a person said of them.
    #[serde(default)]
    pub labelled: ByLabel,
    /// Findings compared with those of the run before; `None` where there is nothing to compare with.
    pub change: Option<Change>,
    /// The rules, worst first, else in the order of the files.
    pub rules: Vec<RuleSummary>,
    /// Why nothing may be moved.
    pub refusals: Vec<String>,
    /// Rules that evaluated nothing: in this run, and, where it looked at a part of the data, in the last ones too.
    #[serde(default)]
    pub not_evaluated: Vec<String>,
    /// Rules that are left out, for the bars are said not to have a field that they need.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// Rules that did not run, for they depend on all of a series and a part of it was read.
    #[serde(default)]
    pub skipped: Vec<String>,
    /// Rows that were to be moved, by how far that is.
    pub actions: BTreeMap<String, u64>,
    /// The connections to a server; `None` where there is none.
    #[serde(default)]
    pub connections: Option<Connections>,
    /// The plan it wrote.
    #[serde(default)]
    pub plan: Option<PlanNote>,
    /// What to type next.
    pub next: Vec<NextStep>,
    /// Its notification; `None` where the job has none.
    #[serde(default)]
    pub notification: Option<Notification>,
}

/// What a run says of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Nothing above `info` was found.
    Ok,
    /// Warnings only.
    Warn,
    /// Errors were found, or the run did not reach its end.
    Fail,
}

/// A span of time; what is unknown or open is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its first instant.
    pub since: Option<UtcMicros>,
    /// Its last instant.
    pub until: Option<UtcMicros>,
}

impl Span {
    fn new(since: Option<i64>, until: Option<i64>) -> Self {
        Self { since: since.map(UtcMicros), until: until.map(UtcMicros) }
    }
}

/// Which calendar evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarNote {
    /// Its name.
    pub name: String,
    /// Where its sessions come from.
    pub version: String,
    /// The last day it knows, `YYYY-MM-DD`; `None` where it is a formula.
    pub known_until: Option<String>,
}

/// Rows by what is to be done with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
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
    /// Rows that rules would move and that stay because a person put them back, or labelled what was found.
    #[serde(default)]
    pub kept: u64,
    /// Rows before those, which were read because verdicts depend on them; they are counted in none of the others.
    #[serde(default)]
    pub context: u64,
}

impl Rows {
    fn new(totals: RowTotals, context: u64) -> Self {
        let RowTotals { read, clean, flagged, to_quarantine, to_delete, parse_errors, kept } = totals;
        Self { read, clean, flagged, to_quarantine, to_delete, parse_errors, kept, context }
    }
}

/// How one rule came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleSummary {
    /// Its identifier.
    pub id: String,
    /// The check behind it.
    pub check: String,
    /// Severity of its findings.
    pub severity: String,
    /// What is done with flagged rows.
    pub action: String,
    /// How it came out.
    pub status: RuleStatus,
    /// Rows it evaluated.
    pub evaluated: u64,
    /// Rows without enough history for a verdict.
    pub insufficient: u64,
    /// Rows that were excused.
    pub excused: u64,
    /// What facts excused, by fact.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excused_by: BTreeMap<String, Excused>,
    /// Rows it did not look at; with the three above, the rows read.
    #[serde(default)]
    pub stepped_over: u64,
    /// Its findings.
    pub findings: u64,
    /// Bars they concern.
    pub bars: u64,
    /// Rows flagged.
    pub rows: u64,
    /// Rows flagged as a share of rows evaluated; `None` where its findings are gaps between rows.
    pub rate: Option<f64>,
    /// Findings the run before did not have.
    pub new: Option<u64>,
    /// Findings of the run before that are gone.
    pub fixed: Option<u64>,
    /// Its findings by what a person said of them.
    #[serde(default, skip_serializing_if = "ByLabel::is_empty")]
    pub labelled: ByLabel,
    /// What became of it since the run before; `None` where it is what it was, or that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<RuleChange>,
    /// Series with a finding.
    pub series_hit: u64,
    /// Its earliest finding.
    pub first: Option<Place>,
    /// Why the rule exists, in its author's words.
    pub why: Option<String>,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The series key.
    pub series: String,
    /// Its timestamp; `None` where it has none that can be read.
    pub time: Option<UtcMicros>,
}

impl Summary {
    /// The summary of a run; `since_run` is the run it was compared with.
    pub(super) fn new(
        meta: &RunMeta,
        program: &Program,
        tally: &Tally,
        outcome: &Outcome,
        since_run: Option<&str>,
    ) -> Self {
        let rules = rules(program, &tally.rules);
        let findings = tally.by_severity(program);
        let series = &tally.series;
        let elapsed = (outcome.finished_at.0 - meta.started_at.0) as f64 / 1e6;
        Self {
            schema_version: SCHEMA_VERSION,
            version: VERSION.to_owned(),
            run_id: meta.run_id.to_string(),
            job: program.job.clone(),
            command: meta.command.clone(),
            trigger: meta.trigger,
            source: meta.source.clone(),
            verdict: verdict(program, tally, outcome),
            status: outcome.status,
            exit_code: outcome.exit_code,
            error: outcome.error.clone(),
            started_at: meta.started_at,
            finished_at: outcome.finished_at,
            seconds: outcome.seconds,
            rows_per_second: (elapsed > 0.0).then(|| series.rows.read as f64 / elapsed),
            window: Span::new(meta.window.0, meta.window.1),
            data: Span::new(series.span.map(|span| span.0), series.span.map(|span| span.1)),
            as_of: Some(meta.as_of),
            interval: program.bars.interval.to_string(),
            daily: program.bars.daily(),
            calendar: calendar(&program.bars),
            series: series.series,
            sessions: count(series.sessions),
            rows: Rows::new(series.rows, series.context),
            restored: tally.restored.map(|(first, last)| Span::new(Some(first), Some(last))),
            fail_on: Some(FailOn::WORDS[outcome.fail_on as usize].to_owned()),
            new_errors: tally.new_errors(),
            labelled: tally.by_label(),
            kept_by_label: tally.kept_by_label,
            findings,
            change: Change::of(program, tally, since_run),
            rules,
            refusals: outcome.refusals.iter().map(ToString::to_string).collect(),
            not_evaluated: outcome.not_evaluated.iter().map(|rule| program.rule_id(*rule).to_owned()).collect(),
            left_out: program.rules.left_out.iter().map(ToString::to_string).collect(),
            skipped: program.skipped.iter().map(|rule| program.rule_id(*rule).to_owned()).collect(),
            actions: states(outcome),
            connections: outcome.connections.clone(),
            plan: outcome.plan.clone(),
            next: outcome.next.clone(),
            notification: None,
        }
    }

    /// Rows that are to leave the source.
    pub fn moved(&self) -> u64 {
        self.rows.to_quarantine + self.rows.to_delete
    }

    /// Whether every row is still where it was in the source, as far as is known.
    pub fn source_unchanged(&self) -> bool {
        !self
            .actions
            .keys()
            .any(|state| matches!(state.as_str(), "removed" | "open" | "earlier_removed" | "earlier_open"))
    }

    /// The newest timestamp, and how many whole days it is older than the moment the bars were evaluated for; `None`
    /// where nothing was read, or it is less than a day.
    pub fn age(&self) -> Option<(UtcMicros, u64)> {
        let (newest, as_of) = (self.data.until?, self.as_of?);
        let days = as_of.0.saturating_sub(newest.0).div_euclid(DAY_US);
        u64::try_from(days).ok().filter(|days| *days > 0).map(|days| (newest, days))
    }

    /// Seconds from the beginning to the end.
    pub fn elapsed(&self) -> f64 {
        (self.finished_at.0 - self.started_at.0) as f64 / 1e6
    }
}

/// What a person knows of does not count, and where only what is new fails a run, errors that it had before are warnings.
fn verdict(program: &Program, tally: &Tally, outcome: &Outcome) -> Verdict {
    let went_well = matches!(outcome.status, RunStatus::Ok | RunStatus::Findings);
    match tally.counted(program) {
        _ if outcome.status == RunStatus::Skipped => Verdict::Warn,
        BySeverity { error: 1.., .. } if went_well && outcome.fail_on == FailOn::New && tally.new_errors() == 0 => {
            Verdict::Warn
        }
        BySeverity { error: 0, warn: 0, .. } if went_well && outcome.not_evaluated.is_empty() && outcome.busy == 0 => {
            Verdict::Ok
        }
        BySeverity { error: 0, .. } if went_well => Verdict::Warn,
        _ => Verdict::Fail,
    }
}

fn states(outcome: &Outcome) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    for row in &outcome.actions {
        *states.entry(row.state.clone()).or_default() += 1;
    }
    states
}

fn calendar(bars: &BarsSpec) -> Option<CalendarNote> {
    let calendar = bars.calendar.as_ref()?;
    let date = |day: i32| NaiveDate::from_epoch_days(day).map(|date| date.to_string());
    Some(CalendarNote {
        name: calendar.name().to_owned(),
        version: calendar.version().to_owned(),
        known_until: calendar.last().and_then(date),
    })
}

fn rules(program: &Program, tallies: &[RuleTally]) -> Vec<RuleSummary> {
    let each = tallies.iter().enumerate().map(|(index, tally)| {
        let (severity, action) = program.levels(index);
        let counts = tally.counts;
        let place =
            |(time, series): &(Option<i64>, String)| Place { series: series.clone(), time: time.map(UtcMicros) };
        RuleSummary {
            id: program.rule_id(index).to_owned(),
            check: program.check_name(index).to_owned(),
            severity: severity.as_str().to_owned(),
            action: action.as_str().to_owned(),
            status: tally.status(severity),
            evaluated: count(counts.evaluated),
            insufficient: count(counts.insufficient),
            excused: count(counts.excused),
            excused_by: tally.excused_by(),
            stepped_over: count(counts.stepped_over),
            findings: count(counts.findings),
            bars: count(counts.bars),
            rows: count(counts.rows),
            rate: tally.share().filter(|_| flags_rows(program, index)),
            labelled: tally.by_label,
            change: tally.change,
            new: tally.new.map(count),
            fixed: tally.fixed.map(count),
            series_hit: count(tally.series_hit),
            first: tally.first.as_ref().map(place),
            why: program.rules.rules.get(index).and_then(|rule| rule.why.clone()),
        }
    });
    let mut rules: Vec<RuleSummary> = each.collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.status));
    rules
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
