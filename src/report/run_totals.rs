//! What earlier runs came to, as far as runs are compared by their totals.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::error::ReportError;
use super::places;
use super::reading::texts;
use super::run::{RunStatus, Window};
use super::runs;
use super::tables::Table;
use crate::checks::{Measure, RunTotals};

/// Windows are alike where the length of one is within this share of that of the other.
const ALIKE: f64 = 0.25;

/// The newest `most` runs of `job` that reached their end, evaluated all rules and series, and looked at a window like `window`
/// (µs UTC), which a run looks at that is evaluated for `as_of`; oldest first. Of their findings those of the rules of
/// `rules`: identifiers, each with the SHA-256 of what decides the verdicts of the rule.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn earlier_totals(
    dir: &Path,
    job: &str,
    (window, as_of): (Window, i64),
    rules: &BTreeMap<&str, Option<&str>>,
    most: usize,
) -> Result<Vec<RunTotals>, ReportError> {
    let mut earlier = Vec::new();
    for file in runs::of_job(dir, job)? {
        if earlier.len() == most {
            break;
        }
        let file = file?;
        let Some(row) = file.row(dir, COLUMNS)? else { continue };
        let read = totals(&row, length(window, as_of)).map_err(|source| ReportError::reading(&file.path, source))?;
        let Some(mut totals) = read else { continue };
        totals.run = file.run.to_string();
        let columns = ["rule_id", "rule_sha256", "findings"];
        let results = places::read(dir, Table::RuleResults, job, &file.run, &columns)?;
        for batch in &results {
            add_findings(batch, rules, &mut totals).map_err(|source| ReportError::reading(&file.path, source))?;
        }
        earlier.push(totals);
    }
    earlier.reverse();
    Ok(earlier)
}

/// How much of time a window takes that is looked at for the moment `at`, both µs UTC; `None` where it has no beginning.
fn length(window: Window, at: i64) -> Option<i64> {
    Some(window.1.unwrap_or(at).saturating_sub(window.0?))
}

fn alike(one: Option<i64>, other: Option<i64>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => (one - other).abs() as f64 <= ALIKE * one.max(other) as f64,
        _ => false,
    }
}

const COLUMNS: &[&str] = &[
    "status",
    "started_at",
    "window_since",
    "window_until",
    "rows_read",
    "series",
    "null_prices",
    "null_volumes",
    "scope",
];

fn totals(run: &RecordBatch, wanted: Option<i64>) -> Result<Option<RunTotals>, ArrowError> {
    if !places::is_whole(run)? {
        return Ok(None);
    }
    let ended = RunStatus::parse(texts(run, "status")?.value(0)).is_some_and(RunStatus::reached_its_end);
    let window = (instant(run, "window_since"), instant(run, "window_until"));
    let looked = length(window, instant(run, "started_at").unwrap_or_default());
    if !ended || !alike(looked, wanted) {
        return Ok(None);
    }
    let nulls = count(run, "null_prices").zip(count(run, "null_volumes"));
    let (rows, series) = (count(run, "rows_read").unwrap_or(0), count(run, "series").unwrap_or(0));
    Ok(Some(RunTotals::new("", rows, series, nulls)))
}

fn add_findings(
    results: &RecordBatch,
    rules: &BTreeMap<&str, Option<&str>>,
    totals: &mut RunTotals,
) -> Result<(), ArrowError> {
    let (ids, hashes) = (texts(results, "rule_id")?, texts(results, "rule_sha256")?);
    let findings = results.column_by_name("findings").and_then(|findings| findings.as_primitive_opt::<Int64Type>());
    let Some(findings) = findings else { return Ok(()) };
    for (row, id) in ids.iter().enumerate() {
        let hash = hashes.is_valid(row).then(|| hashes.value(row));
        let same = |id: &&str| rules.get(id).is_some_and(|known| *known == hash);
        if let Some(id) = id.filter(same).filter(|_| findings.is_valid(row)) {
            totals.values.insert(Measure::Findings(id.to_owned()), findings.value(row) as f64);
        }
    }
    Ok(())
}

fn instant(run: &RecordBatch, name: &str) -> Option<i64> {
    let times = run.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    times.is_valid(0).then(|| times.value(0))
}

/// A count of the run; `None` where a run of an older version has no such column.
fn count(run: &RecordBatch, name: &str) -> Option<u64> {
    let counts = run.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
    counts.is_valid(0).then(|| counts.value(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn windows_are_alike_that_are_about_as_long() {
        let open = |days: i64| length((Some(-days * DAY), None), 0);
        assert!(alike(open(10), open(12)) && alike(None, None));
        assert!(!alike(open(10), open(14)) && !alike(open(10), None));
        assert_eq!(length((Some(DAY), Some(3 * DAY)), 100 * DAY), Some(2 * DAY));
    }
}
