//! Runs over old windows: how the newest one over each window ended, by the reports alone.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;

use super::error::ReportError;
use super::reading::texts;
use super::run::{RunStatus, Trigger};
use super::runs;

/// A half-open window whose ends are both known, µs UTC on the scale of the timestamps.
pub type Closed = (i64, i64);

/// How the newest run over a window ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowEnd {
    /// The run.
    pub run: String,
    /// Whether every row was evaluated, and what was to leave left.
    pub finished: bool,
    /// SHA-256 of the job file.
    pub job_sha256: String,
    /// SHA-256 of the rules; empty where the run broke off before they were compiled.
    pub rules_sha256: String,
}

/// The windows over which backfills of `job` ran, each with the end of its newest run. One that was skipped, for another
/// run was alive, did nothing and is none.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn windows(dir: &Path, job: &str) -> Result<BTreeMap<Closed, WindowEnd>, ReportError> {
    let mut windows = BTreeMap::new();
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let Some(row) = file.row(dir, COLUMNS)? else { continue };
        let read = read(&row).map_err(|source| ReportError::reading(&file.path, source))?;
        if let Some((window, end)) = read {
            // Newest first.
            windows.entry(window).or_insert(end);
        }
    }
    Ok(windows)
}

const COLUMNS: &[&str] = &["run_id", "trigger", "status", "window_since", "window_until", "job_sha256", "rules_sha256"];

fn read(row: &RecordBatch) -> Result<Option<(Closed, WindowEnd)>, ArrowError> {
    if !is_backfill(row)? {
        return Ok(None);
    }
    let (Some(since), Some(until)) = (instant(row, "window_since"), instant(row, "window_until")) else {
        return Ok(None);
    };
    let text = |name: &str| texts(row, name).map(|column| column.value(0).to_owned());
    let status = RunStatus::parse(&text("status")?);
    if status == Some(RunStatus::Skipped) {
        return Ok(None);
    }
    let end = WindowEnd {
        run: text("run_id")?,
        finished: matches!(status, Some(RunStatus::Ok | RunStatus::Findings)),
        job_sha256: text("job_sha256")?,
        rules_sha256: text("rules_sha256")?,
    };
    Ok(Some(((since, until), end)))
}

/// Whether the run of this row of `runs` was one over an old window.
pub(super) fn is_backfill(row: &RecordBatch) -> Result<bool, ArrowError> {
    Ok(texts(row, "trigger")?.value(0) == Trigger::Backfill.as_str())
}

fn instant(row: &RecordBatch, name: &str) -> Option<i64> {
    let times = row.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    (!times.is_null(0)).then(|| times.value(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Outcome, RunMeta};
    use crate::report::testing::{DAY, meta, one_series, program};
    use crate::text::utc::UtcMicros;

    fn report(dir: &Path, hour: u32, (trigger, status): (Trigger, RunStatus), window: (Option<i64>, Option<i64>)) {
        let run = RunMeta { command: "run".to_owned(), trigger, window, ..meta(hour) };
        let mut collector = Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        let outcome = Outcome::new(status, 0, UtcMicros(0));
        match status {
            RunStatus::Ok | RunStatus::Findings | RunStatus::Refused => collector.finish(outcome).unwrap(),
            _ => collector.abandon(&outcome).unwrap(),
        };
    }

    #[test]
    fn of_each_window_the_newest_run_that_did_something_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = ((Some(0), Some(DAY)), (Some(DAY), Some(2 * DAY)));
        report(dir.path(), 1, (Trigger::Backfill, RunStatus::Broken), first);
        report(dir.path(), 2, (Trigger::Backfill, RunStatus::Findings), first);
        report(dir.path(), 3, (Trigger::Backfill, RunStatus::Skipped), first);
        report(dir.path(), 4, (Trigger::Backfill, RunStatus::Ok), second);
        report(dir.path(), 5, (Trigger::Backfill, RunStatus::Stopped), second);
        report(dir.path(), 6, (Trigger::Cli, RunStatus::Ok), second);
        report(dir.path(), 7, (Trigger::Backfill, RunStatus::Ok), (None, Some(DAY)));
        let found = windows(dir.path(), "demo").unwrap();
        let ends: Vec<_> = found.iter().map(|(window, end)| (*window, &end.run[9..11], end.finished)).collect();
        assert_eq!(ends, [((0, DAY), "02", true), ((DAY, 2 * DAY), "05", false)]);
        assert_eq!(found[&(0, DAY)].job_sha256, "j".repeat(64));
        assert_eq!(windows(dir.path(), "other").unwrap(), BTreeMap::new());
    }
}
