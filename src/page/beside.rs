//! What a page shows beside findings: the bars around them, what became of their rows, how much of the data is there, and
//! what the rules found in the runs before.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::error::ArrowError;

use super::columns::{Columns, count, flag, number, text};
use super::found::Found;
use super::names::Names;
use super::spark::RUNS;
use crate::report::error::ReportError;
use crate::report::run::{RunStatus, Trigger};
use crate::report::store::RunRef;
use crate::report::{Table, files};

/// Months of series that are held one by one; beyond that they are summed up by series.
const MONTHS: usize = 100_000;
/// Runs that are looked at for those that count.
const LOOKED_AT: usize = 3 * RUNS;

/// A bar around a finding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    /// The finding, by its place among those of the page.
    pub(super) finding: u32,
    pub(super) offset: i64,
    pub(super) flagged: bool,
    pub(super) time: Option<i64>,
    /// Open, high, low, close, volume.
    pub(super) values: [Option<f64>; 5],
}

/// A month of a series, or all of them. Days since 1970-01-01, times in µs UTC.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Covered {
    pub(super) series: u32,
    /// First day of the month.
    pub(super) bucket: Option<i64>,
    pub(super) bars: i64,
    pub(super) expected: Option<i64>,
    pub(super) missing: Option<i64>,
    pub(super) duplicates: i64,
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
}

/// The bars around findings of the page, by finding and offset.
pub(super) fn bars(dir: &Path, run: &RunRef, found: &Found) -> Result<Vec<Bar>, ReportError> {
    const COLUMNS: &[&str] = &["finding_id", "time", "offset", "flagged", "open", "high", "low", "close", "volume"];
    let places: HashMap<&str, u32> =
        found.held.iter().enumerate().filter_map(|(at, it)| Some((it.id.as_str(), u32::try_from(at).ok()?))).collect();
    let mut bars = Vec::new();
    for batch in files::rows(dir, Table::FindingBars, run, COLUMNS)? {
        of_batch(Columns(&batch), &places, &mut bars).map_err(|source| ReportError::reading(dir, source))?;
    }
    bars.sort_by_key(|bar: &Bar| (bar.finding, bar.offset, bar.time));
    Ok(bars)
}

fn of_batch(columns: Columns<'_>, places: &HashMap<&str, u32>, bars: &mut Vec<Bar>) -> Result<(), ArrowError> {
    let (ids, times, offsets) = (columns.texts("finding_id")?, columns.counts("time")?, columns.counts("offset")?);
    let flagged = columns.flags("flagged")?;
    let values = ["open", "high", "low", "close", "volume"].map(|name| columns.numbers(name));
    let [open, high, low, close, volume] = values;
    let values = [open?, high?, low?, close?, volume?];
    for row in 0..columns.rows() {
        let Some(finding) = text(&ids, row).and_then(|id| places.get(id)) else { continue };
        bars.push(Bar {
            finding: *finding,
            offset: count(&offsets, row).unwrap_or(0),
            flagged: flag(&flagged, row).unwrap_or(false),
            time: count(&times, row),
            values: values.each_ref().map(|column| number(column, row)),
        });
    }
    Ok(())
}

/// Names in quarantine by the findings of the page whose rows are there.
pub(super) fn moved(dir: &Path, run: &RunRef, found: &Found) -> Result<BTreeMap<String, String>, ReportError> {
    let held: std::collections::HashSet<&str> = found.held.iter().map(|finding| finding.id.as_str()).collect();
    let mut moved = BTreeMap::new();
    for batch in files::rows(dir, Table::Actions, run, &["finding_ids", "quarantine_id", "state"])? {
        let columns = Columns(&batch);
        let read = || Ok((columns.texts("finding_ids")?, columns.texts("quarantine_id")?, columns.texts("state")?));
        let (ids, names, states) = read().map_err(|source: ArrowError| ReportError::reading(dir, source))?;
        for row in 0..columns.rows() {
            let is_there = text(&states, row).is_some_and(|state| state.ends_with("removed"));
            let (Some(ids), Some(name), true) = (text(&ids, row), text(&names, row), is_there) else { continue };
            let ids: Vec<String> = serde_json::from_str(ids).unwrap_or_default();
            moved.extend(ids.into_iter().filter(|id| held.contains(id.as_str())).map(|id| (id, name.to_owned())));
        }
    }
    Ok(moved)
}

/// How much of each series is there; series that are new are added to `names`.
pub(super) fn coverage(dir: &Path, run: &RunRef, names: &mut Names) -> Result<Vec<Covered>, ReportError> {
    const COLUMNS: &[&str] =
        &["series", "bucket", "bars", "expected_bars", "missing", "duplicates", "first_time", "last_time"];
    let mut all = Vec::new();
    for batch in files::rows(dir, Table::SeriesMetrics, run, COLUMNS)? {
        months(Columns(&batch), names, &mut all).map_err(|source| ReportError::reading(dir, source))?;
    }
    Ok(if all.len() > MONTHS { summed(all) } else { all })
}

fn months(columns: Columns<'_>, names: &mut Names, all: &mut Vec<Covered>) -> Result<(), ArrowError> {
    let series = columns.names("series", names)?;
    let counts = ["bucket", "bars", "expected_bars", "missing", "duplicates", "first_time", "last_time"];
    let counts = counts.iter().map(|name| columns.counts(name)).collect::<Result<Vec<_>, _>>()?;
    for (row, series) in series.into_iter().enumerate() {
        let of = |column: usize| count(&counts[column], row);
        all.push(Covered {
            series: series.unwrap_or_else(|| names.place("")),
            bucket: of(0),
            bars: of(1).unwrap_or(0),
            expected: of(2),
            missing: of(3),
            duplicates: of(4).unwrap_or(0),
            first: of(5),
            last: of(6),
        });
    }
    Ok(())
}

fn summed(months: Vec<Covered>) -> Vec<Covered> {
    let add = |one: Option<i64>, other: Option<i64>| Some(one? + other?).or(one).or(other);
    let mut all: BTreeMap<u32, Covered> = BTreeMap::new();
    for month in months {
        let of = all.entry(month.series).or_insert_with(|| Covered { series: month.series, ..Covered::default() });
        of.bars += month.bars;
        of.expected = add(of.expected, month.expected);
        of.missing = add(of.missing, month.missing);
        of.duplicates += month.duplicates;
        of.first = [of.first, month.first].into_iter().flatten().min();
        of.last = [of.last, month.last].into_iter().flatten().max();
    }
    all.into_values().collect()
}

/// Findings of rules in the last runs of the job up to `run`, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    runs: Vec<BTreeMap<String, u64>>,
}

impl History {
    /// Those of a rule, a run each; `None` for a run without the rule.
    pub(super) fn of_rule(&self, rule: &str) -> Vec<Option<u64>> {
        let first = self.runs.iter().position(|run| run.contains_key(rule)).unwrap_or(self.runs.len());
        self.runs[first..].iter().map(|run| run.get(rule).copied()).collect()
    }

    /// Runs.
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }
}

/// Reads them; runs that were skipped, or were over an old window, do not count.
pub(super) fn history(dir: &Path, run: &RunRef) -> Result<History, ReportError> {
    let mut runs = Vec::new();
    for before in files::until(dir, run, LOOKED_AT)? {
        if before.run_id != run.run_id && !counts(dir, &before)? {
            continue;
        }
        let mut rules = BTreeMap::new();
        for batch in files::rows(dir, Table::RuleResults, &before, &["rule_id", "findings"])? {
            let columns = Columns(&batch);
            let read = || Ok((columns.texts("rule_id")?, columns.counts("findings")?));
            let (ids, findings) = read().map_err(|source: ArrowError| ReportError::reading(dir, source))?;
            let rows = (0..columns.rows())
                .filter_map(|row| Some((text(&ids, row)?.to_owned(), u64::try_from(count(&findings, row)?).ok()?)));
            rules.extend(rows);
        }
        runs.push(rules);
        if runs.len() == RUNS {
            break;
        }
    }
    runs.reverse();
    Ok(History { runs })
}

fn counts(dir: &Path, run: &RunRef) -> Result<bool, ReportError> {
    let rows = files::rows(dir, Table::Runs, run, &["status", "trigger", "command"])?;
    let is = |name: &str, word: &str| -> Result<bool, ArrowError> {
        let Some(row) = rows.first() else { return Ok(false) };
        Ok(row.num_rows() > 0 && text(&Columns(row).texts(name)?, 0) == Some(word))
    };
    let counts = || {
        let skipped = is("status", RunStatus::Skipped.as_str())?;
        Ok(!skipped && !is("trigger", Trigger::Backfill.as_str())? && !is("command", "apply")?)
    };
    counts().map_err(|source: ArrowError| ReportError::reading(dir, source))
}
