//! The findings of the run before: what a run compares itself with to know what is new and what is fixed.
//!
//! The run before is the newest one of the same job that reached its end and looked at all rules and series, and at all
//! of the window: at all data, where this run does, else from no later and to no earlier. Where runs after it looked at the
//! part of the bars that may have changed, what they found stands in the place of what was found there. Near an end of the window that
//! has moved since, what only one of the two found is neither new nor fixed for sure, and counts as neither. Only the
//! columns needed are read, and no more than [`MOST_KNOWN`] findings.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, TimeDelta, Utc};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::backfills::is_backfill;
use super::by_label;
use super::chain::{self, Chain, ChainedRun, Part};
use super::error::ReportError;
use super::margins::{Coverage, Moved};
use super::places::{self, Place};
use super::reading::{again_where_one_goes, texts};
use super::rules_before::RulesBefore;
use super::run::RunStatus;
use super::runs;
use super::tables::Table;
use crate::decide::Severity;

/// Findings beyond which a run is not compared with the one before: what is new or fixed is then NULL. Bounds the
/// memory of the comparison to about 100 MB.
pub const MOST_KNOWN: u64 = 2_000_000;

/// Runs that show what is usual.
pub(super) const USUAL_RUNS: usize = 20;

/// Nights after which rows that stay, for others write to their files, are no longer a loader that happens to be at work.
pub const BUSY_NIGHTS: usize = 3;

/// Days that are looked at for rows that stayed.
pub(super) const MOST_BUSY_DAYS: i64 = 31;

/// What a run compares its findings with.
#[derive(Debug, Default)]
pub enum Previous {
    /// No run came before: everything found is new.
    #[default]
    None,
    /// The findings of the run before.
    Known(Box<KnownFindings>),
    /// The run before found more than [`MOST_KNOWN`]: what is new or fixed is not reported.
    TooMany,
    /// Earlier runs looked at other windows only: what is new or fixed is not known.
    OtherWindows,
    /// This run looks at some rules or some series only: it is compared with nothing, and no later run with it.
    Unknown,
}

impl Previous {
    /// The run that tells what is new; `None` where there is none.
    pub fn run(&self) -> Option<&str> {
        match self {
            Self::Known(known) => Some(known.run()),
            Self::None | Self::TooMany | Self::OtherWindows | Self::Unknown => None,
        }
    }
}

/// The findings of one run by identity.
#[derive(Debug, Default)]
pub struct KnownFindings {
    run: String,
    findings: HashMap<u128, Known>,
    rules: Texts,
    runs: Texts,
    /// Where the verdicts of this run and of that one do not depend on bars that only one of them saw.
    coverage: Coverage,
    moved: Moved,
    rules_before: RulesBefore,
    series: Texts,
    /// Where they stand, those of the newest run last.
    files: Vec<Place>,
}

/// A finding that the run before had.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met<'a> {
    /// The run that saw it first, where that is known.
    pub(super) first_seen: Option<&'a str>,
    /// Whether it was an error that no label called known or fine.
    pub(super) counted: bool,
}

#[derive(Debug)]
struct Known {
    rule: usize,
    first_seen: usize,
    series: usize,
    /// The last timestamp that it is about, µs UTC; `None` where its row has none.
    ends: Option<i64>,
    /// It was an error that no label called known or fine.
    counted: bool,
    /// Whether this run would find it again by its rule, where it looks there.
    due: bool,
    found: bool,
}

/// Different texts, each once.
#[derive(Debug, Default)]
struct Texts {
    texts: Vec<String>,
    places: HashMap<String, usize>,
}

impl Texts {
    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), self.texts.len() - 1);
        self.texts.len() - 1
    }
}

impl KnownFindings {
    fn new(coverage: Coverage) -> Self {
        Self { coverage, ..Self::default() }
    }

    /// The run they are of.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes that `finding_id` was found again; what is known of it, where that run had it.
    pub(super) fn meet(&mut self, finding_id: &str) -> Option<Met<'_>> {
        let known = self.findings.get_mut(&identity(finding_id)?)?;
        known.found = true;
        let first_seen = self.runs.texts.get(known.first_seen).map(String::as_str);
        Some(Met { first_seen, counted: known.counted })
    }

    /// The rules of that run.
    pub(super) fn rules_before(&self) -> &RulesBefore {
        &self.rules_before
    }

    /// Forgets which of them were found again.
    pub(super) fn forget_met(&mut self) {
        self.findings.values_mut().for_each(|known| known.found = false);
    }

    /// Whether a finding that was not known is new: that run would have had it.
    pub(super) fn would_have_met(&self, rule: (usize, Option<&str>), time: Option<i64>) -> bool {
        self.coverage.margins.would_have_found(rule, time, self.moved)
    }

    /// Where they stand, those of the newest run last.
    pub(super) fn files(&self) -> &[Place] {
        &self.files
    }

    /// The findings that were looked for and not met by this run, which read all of the series `whole` beside its window, each
    /// with its rule.
    pub(super) fn fixed(&self, whole: &BTreeSet<String>) -> HashMap<u128, &str> {
        let (since, until) = self.coverage.window;
        let part = since.map(|since| Part::new(since, whole.clone()));
        let looked_at = |known: &&Known| {
            let begun = part.as_ref().is_none_or(|part| part.has(&self.series.texts[known.series], known.ends));
            begun && until.is_none_or(|until| known.ends.is_none_or(|ends| ends < until))
        };
        let missing =
            self.findings.iter().filter(|(_, known)| known.due && !known.found).filter(|(_, known)| looked_at(known));
        missing.map(|(id, known)| (*id, self.rules.texts[known.rule].as_str())).collect()
    }

    /// Forgets what a run that looked at `part` would have found again.
    fn replace(&mut self, part: &Part) {
        let Self { findings, series, rules, coverage, .. } = self;
        let in_part = |known: &Known| {
            !coverage.margins.needs_whole(&rules.texts[known.rule]) && part.has(&series.texts[known.series], known.ends)
        };
        findings.retain(|_, known| !in_part(known));
    }

    /// Adds findings of `run`.
    fn add(&mut self, batch: &RecordBatch, run: &str) -> Result<(), ArrowError> {
        let ids = texts(batch, "finding_id")?;
        let rules = texts(batch, "rule_id")?;
        let runs = texts(batch, "first_seen_run")?;
        let causes = texts(batch, "cause")?;
        let severities = texts(batch, "severity")?;
        // Runs of an older version have no labels.
        let labels = batch.column_by_name("label").is_some().then(|| texts(batch, "label")).transpose()?;
        let muted =
            |row| labels.as_ref().is_some_and(|labels| labels.is_valid(row) && by_label::mutes(labels.value(row)));
        let series = texts(batch, "series")?;
        let (times, until) = (instants(batch, "time")?, instants(batch, "time_until")?);
        for row in 0..batch.num_rows() {
            let id = identity(ids.value(row))
                .ok_or_else(|| ArrowError::ParseError(format!("`{}` is not a finding id", ids.value(row))))?;
            let first_seen = if runs.is_null(row) { run } else { runs.value(row) };
            let first_seen = self.runs.place(first_seen);
            let time = (!times.is_null(row)).then(|| times.value(row));
            let cause = (!causes.is_null(row)).then(|| causes.value(row));
            let ends = if until.is_null(row) { time } else { Some(until.value(row)) };
            let due = self.coverage.margins.would_find((rules.value(row), cause), time, self.moved);
            let counted = severities.value(row) == Severity::Error.as_str() && !muted(row);
            let rule = self.rules.place(rules.value(row));
            let series = self.series.place(series.value(row));
            let known = Known { rule, first_seen, series, ends, counted, due, found: false };
            self.findings.insert(id, known);
        }
        Ok(())
    }
}

fn instants<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b TimestampMicrosecondArray, ArrowError> {
    let times = batch.column_by_name(name).and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    times.ok_or_else(|| ArrowError::SchemaError(format!("`{name}` is not a column of instants")))
}

/// A finding id is 32 hexadecimal digits.
pub(super) fn identity(finding_id: &str) -> Option<u128> {
    u128::from_str_radix(finding_id, 16).ok()
}

/// The findings that a run of `job` of this coverage compares its own with.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn previous_findings(dir: &Path, job: &str, coverage: &Coverage) -> Result<Previous, ReportError> {
    again_where_one_goes(|| load(dir, job, coverage, MOST_KNOWN))
}

/// The median of the rows that the last runs of `job` were to remove, of those that reached their end and were free to;
/// `None` where there are none. Runs over old windows are compared with such only, as `backfill` says, and others with others. Rows that stayed in the end count too, as where others wrote to the file: a run is
/// unusual for what it wants, and the one before wanted the same.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn usual_moves(dir: &Path, job: &str, backfill: bool) -> Result<Option<u64>, ReportError> {
    again_where_one_goes(|| median_of_moves(dir, job, backfill))
}

fn median_of_moves(dir: &Path, job: &str, backfill: bool) -> Result<Option<u64>, ReportError> {
    let mut wanted = Vec::new();
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let Some(row) = file.row(dir, &["command", "trigger", "status", "rows_removed"])? else { continue };
        let removed = removed(&row, backfill).map_err(|source| ReportError::reading(&file.path, source))?;
        let Some(removed) = removed else { continue };
        let actions = places::read(dir, Table::Actions, job, &file.run, &["state"])?;
        let planned = planned(&actions).map_err(|source| ReportError::reading(&file.path, source))?;
        wanted.push(planned.max(removed));
        if wanted.len() == USUAL_RUNS {
            break;
        }
    }
    wanted.sort_unstable();
    Ok(wanted.get(wanted.len() / 2).copied())
}

/// The rows that the run of this row removed; `None` where it removed none for it was not to, or did not reach its end, or is
/// not of the kind that `backfill` says.
fn removed(run: &RecordBatch, backfill: bool) -> Result<Option<u64>, ArrowError> {
    let ended = matches!(RunStatus::parse(texts(run, "status")?.value(0)), Some(RunStatus::Ok | RunStatus::Findings));
    let moves = texts(run, "command")?.value(0) == "run" && is_backfill(run)? == backfill;
    // Runs of an older version have no such column.
    let rows = run.column_by_name("rows_removed").and_then(|rows| rows.as_primitive_opt::<Int64Type>());
    Ok(rows.filter(|rows| ended && moves && !rows.is_null(0)).and_then(|rows| u64::try_from(rows.value(0)).ok()))
}

/// On how many days before that of `now` (UTC) the last runs of `job` left rows where they were, for others wrote to their
/// files; a run that moved rows ends the count, and so do runs of more than a month ago.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn busy_days(dir: &Path, job: &str, now: DateTime<Utc>) -> Result<usize, ReportError> {
    again_where_one_goes(|| count_busy_days(dir, job, now))
}

fn count_busy_days(dir: &Path, job: &str, now: DateTime<Utc>) -> Result<usize, ReportError> {
    let mut days = BTreeSet::new();
    let oldest = now.date_naive() - TimeDelta::days(MOST_BUSY_DAYS);
    for file in runs::of_job(dir, job)? {
        let file = file?;
        if file.run.run_date() < oldest {
            break;
        }
        let Some(row) = file.row(dir, &["rows_removed", "rows_busy"])? else { continue };
        match busy(&row) {
            Some(false) => break,
            Some(true) => days.insert(file.run.run_date().to_string()),
            None => continue,
        };
    }
    days.remove(&now.date_naive().to_string());
    Ok(days.len())
}

/// Whether the run of this row left rows for others wrote to their files; `None` where it neither did nor moved any.
fn busy(run: &RecordBatch) -> Option<bool> {
    // Runs of an older version have no such columns.
    let any = |name: &str| {
        let rows = run.column_by_name(name).and_then(|rows| rows.as_primitive_opt::<Int64Type>());
        rows.is_some_and(|rows| !rows.is_null(0) && rows.value(0) > 0)
    };
    if any("rows_busy") { Some(true) } else { any("rows_removed").then_some(false) }
}

/// The rows of the plan of a run, from its actions. Those of earlier runs that it
/// finished are not among them.
fn planned(actions: &[RecordBatch]) -> Result<u64, ArrowError> {
    let mut rows = 0;
    for batch in actions {
        let states = texts(batch, "state")?;
        rows += states.iter().flatten().filter(|state| !state.starts_with("earlier_")).count() as u64;
    }
    Ok(rows)
}

/// The rules that evaluated a row in one of the last runs of `job` that reached their end.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn evaluated_before(dir: &Path, job: &str) -> Result<BTreeSet<String>, ReportError> {
    let mut rules = BTreeSet::new();
    for file in runs::of_job(dir, job)?.take(USUAL_RUNS) {
        let file = file?;
        // Runs that broke off have no results.
        for batch in places::read(dir, Table::RuleResults, job, &file.run, &["rule_id", "rows_evaluated"])? {
            evaluated(&batch, &mut rules).map_err(|source| ReportError::reading(&file.path, source))?;
        }
    }
    Ok(rules)
}

/// Adds the rules that evaluated a row.
fn evaluated(results: &RecordBatch, rules: &mut BTreeSet<String>) -> Result<(), ArrowError> {
    let ids = texts(results, "rule_id")?;
    // Runs of an older version have no such column: what they evaluated is not known.
    let rows = results.column_by_name("rows_evaluated").and_then(|rows| rows.as_primitive_opt::<Int64Type>());
    for (id, rows) in ids.iter().zip(rows.into_iter().flatten()) {
        rules.extend(id.filter(|_| rows.is_some_and(|rows| rows > 0)).map(str::to_owned));
    }
    Ok(())
}

fn load(dir: &Path, job: &str, coverage: &Coverage, most: u64) -> Result<Previous, ReportError> {
    let (links, moved) = match chain::chain(dir, job, coverage.window, coverage.in_part)? {
        Chain::None => return Ok(Previous::None),
        Chain::OtherWindows => return Ok(Previous::OtherWindows),
        Chain::Runs(links, moved) => (links, moved),
    };
    let Some(newest) = links.last() else { return Ok(Previous::None) };
    let rules_before = RulesBefore::of(dir, &newest.file)?;
    let run = newest.file.run.to_string();
    let mut known = KnownFindings { run, moved, rules_before, ..KnownFindings::new(coverage.clone()) };
    for ChainedRun { file, part } in links {
        if let Some(part) = part {
            known.replace(&part);
        }
        for place in places::of(dir, Table::Findings, job, &file.run)? {
            let (reader, more) = open(&place).map_err(|source| ReportError::reading(place.path(), source))?;
            // What a later run replaced does not count.
            if known.findings.len() as u64 + more > most {
                return Ok(Previous::TooMany);
            }
            for batch in reader {
                let added = batch.and_then(|batch| known.add(&batch, file.run.as_str()));
                added.map_err(|source| ReportError::reading(place.path(), source))?;
            }
            known.files.push(place);
        }
        // A run that goes meanwhile loses its row first: not all parts of it may have been there.
        file.row(dir, &["run_id"])?;
    }
    Ok(Previous::Known(Box::new(known)))
}

/// Opens a part of `findings`; also returns how many rows it has.
fn open(part: &Place) -> Result<(ParquetRecordBatchReader, u64), ArrowError> {
    const COLUMNS: &[&str] =
        &["finding_id", "rule_id", "first_seen_run", "series", "time", "time_until", "cause", "severity", "label"];
    Ok((part.open()?.only(COLUMNS)?, part.count()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Action;
    use crate::report::collector::Collector;
    use crate::report::run::{ActionRow, Outcome, RunMeta, Window};
    use crate::report::testing::{DAY, GAP, OHLC, finding_id, meta, one_series, program};
    use crate::text::utc::UtcMicros;

    fn coverage(window: Window) -> Coverage {
        Coverage { window, ..Coverage::default() }
    }

    #[test]
    fn the_rules_that_the_last_runs_evaluated_are_known() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(evaluated_before(dir.path(), "demo").unwrap(), BTreeSet::new());
        let run = |hour, status| report(dir.path(), over(hour, (None, None)), status);
        run(1, RunStatus::Broken);
        assert_eq!(evaluated_before(dir.path(), "demo").unwrap(), BTreeSet::new());
        run(2, RunStatus::Findings);
        let rules = evaluated_before(dir.path(), "demo").unwrap();
        assert!(rules.contains("ohlc") && rules.contains("gap"), "{rules:?}");
        assert_eq!(evaluated_before(dir.path(), "other").unwrap(), BTreeSet::new());
    }

    fn over(hour: u32, window: Window) -> RunMeta {
        RunMeta { window, ..meta(hour) }
    }

    /// Reports a run that found four things on the days 103, 105, 107 and 150.
    fn report(dir: &Path, run: RunMeta, status: RunStatus) {
        let mut collector = Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        let outcome = Outcome::new(status, 1, UtcMicros(0));
        if status.reached_its_end() {
            collector.finish(outcome).unwrap()
        } else {
            collector.abandon(&outcome).unwrap()
        };
    }

    fn first_seen(met: Option<Met<'_>>) -> Option<&str> {
        met?.first_seen
    }

    fn known(dir: &Path, window: Window) -> Box<KnownFindings> {
        match previous_findings(dir, "demo", &coverage(window)).unwrap() {
            Previous::Known(known) => known,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_run_has_nothing_before_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(previous_findings(dir.path(), "demo", &Coverage::default()).unwrap(), Previous::None));
        report(dir.path(), meta(1), RunStatus::Findings);
        assert!(matches!(previous_findings(dir.path(), "other", &Coverage::default()).unwrap(), Previous::None));
    }

    #[test]
    fn the_newest_run_that_reached_its_end_is_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(1), RunStatus::Findings);
        report(dir.path(), meta(2), RunStatus::Refused);
        report(dir.path(), meta(3), RunStatus::Broken);
        let known = known(dir.path(), (None, None));
        assert_eq!((known.run(), known.len()), ("20261120T020000Z-aaaa", 4));
    }

    #[test]
    fn a_run_over_all_data_is_not_compared_with_one_over_its_end() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(1), RunStatus::Findings);
        report(dir.path(), over(2, (Some(100 * DAY), None)), RunStatus::Findings);
        assert_eq!(known(dir.path(), (None, None)).run(), "20261120T010000Z-aaaa");
        assert_eq!(known(dir.path(), (Some(100 * DAY), None)).run(), "20261120T020000Z-aaaa");
    }

    #[test]
    fn a_run_is_compared_with_one_that_looked_at_all_of_its_window() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), over(1, (Some(100 * DAY), Some(150 * DAY))), RunStatus::Findings);
        for window in [(Some(100), Some(150)), (Some(104), Some(150)), (Some(100), Some(120))] {
            let window = (window.0.map(|day| day * DAY), window.1.map(|day: i64| day * DAY));
            assert_eq!(known(dir.path(), window).run(), "20261120T010000Z-aaaa", "{window:?}");
        }
        for window in
            [(Some(99), Some(150)), (Some(100), Some(151)), (Some(104), None), (None, Some(150)), (None, None)]
        {
            let window = (window.0.map(|day| day * DAY), window.1.map(|day: i64| day * DAY));
            let previous = previous_findings(dir.path(), "demo", &coverage(window)).unwrap();
            assert!(matches!(previous, Previous::OtherWindows), "{window:?}: {previous:?}");
        }
        // An older run that looked at more is the one before.
        report(dir.path(), over(2, (Some(90 * DAY), None)), RunStatus::Findings);
        report(dir.path(), over(3, (Some(140 * DAY), None)), RunStatus::Findings);
        assert_eq!(known(dir.path(), (Some(104 * DAY), None)).run(), "20261120T020000Z-aaaa");
    }

    #[test]
    fn a_run_over_some_rules_or_series_is_compared_with_nothing() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(1), RunStatus::Findings);
        let mut part = Collector::new(dir.path(), program(), meta(2), vec!["bars.csv".to_owned()], Previous::Unknown);
        part.take(&one_series().batch()).unwrap();
        part.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(0))).unwrap();
        assert_eq!(known(dir.path(), (None, None)).run(), "20261120T010000Z-aaaa");
    }

    #[test]
    fn only_what_was_looked_for_and_not_found_is_fixed() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), over(1, (Some(100 * DAY), None)), RunStatus::Findings);
        let mut known = known(dir.path(), (Some(104 * DAY), Some(150 * DAY)));
        assert_eq!(first_seen(known.meet(&finding_id(OHLC, "A", 5))), Some("20261120T010000Z-aaaa"));
        assert!(known.meet(&finding_id(OHLC, "A", 6)).is_none());
        let fixed: Vec<&str> = known.fixed(&BTreeSet::new()).into_values().collect();
        assert_eq!(fixed, ["close-outlier"], "day 103 is before the window, the gap of day 150 after it");
        assert_eq!(first_seen(known.meet(&finding_id(GAP, "A", 150))), Some("20261120T010000Z-aaaa"));
    }

    /// Reports a run that removed rows, or wanted to, with what became of them.
    fn moved(dir: &Path, hour: u32, command: &str, states: &[(&str, usize)]) {
        let run = RunMeta { command: command.to_owned(), ..meta(hour) };
        let collector = Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], Previous::None);
        let mut outcome = Outcome::new(RunStatus::Ok, 0, UtcMicros(0));
        let row = |state: &str| ActionRow {
            finding_ids: Vec::new(),
            quarantine_id: String::new(),
            locator: "bars.csv:1".to_owned(),
            action: Action::Quarantine,
            state: state.to_owned(),
            sha256: String::new(),
            at: UtcMicros(0),
            moved_by: None,
        };
        outcome.actions = states.iter().flat_map(|(state, rows)| std::iter::repeat_n(row(state), *rows)).collect();
        collector.finish(outcome).unwrap();
    }

    #[test]
    fn what_is_usual_is_what_runs_wanted_to_move() {
        let dir = tempfile::tempdir().unwrap();
        let usual = || usual_moves(dir.path(), "demo", false).unwrap();
        moved(dir.path(), 1, "apply", &[("removed", 90)]);
        assert_eq!(usual(), None, "a plan that a person applies says nothing of what is usual");
        moved(dir.path(), 2, "run", &[("removed", 30)]);
        assert_eq!(usual(), Some(30));
        // Others wrote to the file all the time: its rows are wanted again next time.
        moved(dir.path(), 3, "run", &[("kept_changed", 120)]);
        moved(dir.path(), 4, "run", &[("kept_changed", 120), ("earlier_kept_changed", 50)]);
        assert_eq!(usual(), Some(120));
        moved(dir.path(), 5, "run", &[]);
        moved(dir.path(), 6, "run", &[]);
        assert_eq!(usual(), Some(30), "of 0, 0, 30, 120, 120");
    }

    #[test]
    fn more_findings_than_memory_should_hold_are_not_compared() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(1), RunStatus::Findings);
        assert!(matches!(load(dir.path(), "demo", &Coverage::default(), 3).unwrap(), Previous::TooMany));
        assert!(matches!(load(dir.path(), "demo", &Coverage::default(), 4).unwrap(), Previous::Known(_)));
    }

    #[test]
    fn a_damaged_report_is_named() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(1), RunStatus::Findings);
        let part = dir.path().join("findings/job=demo/month=2026-11/20261120T010000Z-aaaa-000.parquet");
        std::fs::write(&part, "not Parquet").unwrap();
        let error = previous_findings(dir.path(), "demo", &Coverage::default()).unwrap_err();
        assert!(matches!(&error, ReportError::Read { path, .. } if *path == part), "{error}");
    }
}
