//! When a job was last started: by a person, by cron or by barkeep itself, but not over old windows.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;

use super::backfills::is_backfill;
use super::error::ReportError;
use super::reading::texts;
use super::runs;

/// When the newest `run` of `job` began, µs UTC, however it ended; `None` where there is none.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn last(dir: &Path, job: &str) -> Result<Option<i64>, ReportError> {
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let Some(row) = file.row(dir, &["command", "trigger", "started_at"])? else { continue };
        let began = began(&row).map_err(|source| ReportError::reading(&file.path, source))?;
        if began.is_some() {
            return Ok(began);
        }
    }
    Ok(None)
}

fn began(row: &RecordBatch) -> Result<Option<i64>, ArrowError> {
    if texts(row, "command")?.value(0) != "run" || is_backfill(row)? {
        return Ok(None);
    }
    let times = row.column_by_name("started_at").and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    Ok(times.filter(|times| !times.is_null(0)).map(|times| times.value(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Outcome, RunMeta, RunStatus, Trigger};
    use crate::report::testing::{meta, program};
    use crate::text::utc::UtcMicros;

    #[test]
    fn the_newest_run_counts_and_no_check_and_no_old_window() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last(dir.path(), "demo").unwrap(), None);
        let runs = [(1, "run", Trigger::Cron), (2, "run", Trigger::Schedule), (3, "run", Trigger::Backfill)];
        for (hour, command, trigger) in runs.into_iter().chain([(4, "check", Trigger::Cli)]) {
            let run = RunMeta { command: command.to_owned(), trigger, ..meta(hour) };
            let collector = Collector::new(dir.path(), program(), run, Vec::new(), Previous::Unknown);
            collector.abandon(&Outcome::new(RunStatus::Broken, 3, UtcMicros(0))).unwrap();
        }
        assert_eq!(last(dir.path(), "demo").unwrap(), Some(meta(2).started_at.0));
    }
}
