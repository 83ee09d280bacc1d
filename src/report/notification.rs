//! Notifications of a run: written into its row in `runs` and its summary, and read from those of the runs before.
//!
//! Notifications are sent after the report is there, so the row of the run is written again: whole, under a hidden name, and exchanged by a
//! rename.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::backfills::is_backfill;
use super::destination::{as_few_rows, written_as};
use super::error::ReportError;
use super::places;
use super::reading::{shaped, texts};
use super::run::{Notification, RunStatus};
use super::run_id::RunId;
use super::runs;
use super::summary::Summary;
use super::sweep::{claim_of, temporary_of};
use super::tables::{self, Table};
use super::write::plain;
use crate::durable::{Claim, Disk, Growing, folder_of};

/// The word in `notify_event` for a run that had no event.
pub(super) const NOTHING: &str = "none";

/// A run of the command `run`, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRun {
    /// The run.
    pub run: String,
    /// Its exit code.
    pub exit_code: u8,
    /// When it ended, µs UTC.
    pub finished_at: i64,
    /// Most memory it held, in bytes, where known.
    pub peak_rss: Option<u64>,
    /// `None` where the job has no notifications, which is not the same as a run without an event.
    pub notification: Option<EarlierNotification>,
}

/// The notification of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierNotification {
    /// The event; `None` where there was none.
    pub event: Option<String>,
    /// Whether one channel at least took it.
    pub delivered: bool,
}

/// Shows `visit` the runs of `job` below `dir` that were of the command `run`, newest first, until it has seen enough. Those that
/// were skipped, and those over old windows, are passed over: they have no notifications.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn each_run(dir: &Path, job: &str, visit: &mut dyn FnMut(EarlierRun) -> bool) -> Result<(), ReportError> {
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let row = match file.row(dir, COLUMNS) {
            Err(error) if error.is_of_a_file_that_went() => continue,
            row => row?,
        };
        let run = row.as_ref().map(read).transpose().map_err(|source| ReportError::reading(&file.path, source))?;
        if run.flatten().is_some_and(|run| !visit(run)) {
            break;
        }
    }
    Ok(())
}

const COLUMNS: &[&str] = &[
    "run_id",
    "command",
    "trigger",
    "status",
    "exit_code",
    "finished_at",
    "peak_rss",
    "notify_event",
    "notify_delivered",
];

fn read(row: &RecordBatch) -> Result<Option<EarlierRun>, ArrowError> {
    let skipped = RunStatus::parse(texts(row, "status")?.value(0)) == Some(RunStatus::Skipped);
    if texts(row, "command")?.value(0) != "run" || skipped || is_backfill(row)? {
        return Ok(None);
    }
    let column = |name: &str| row.column_by_name(name).filter(|column| !column.is_null(0));
    let number = |name: &str| column(name)?.as_primitive_opt::<Int64Type>().map(|column| column.value(0));
    let ended = column("finished_at").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    // Runs of an older version have no such columns.
    let notification = match column("notify_event") {
        None => None,
        Some(_) => {
            let event = Some(texts(row, "notify_event")?.value(0).to_owned()).filter(|event| event != NOTHING);
            let flag = column("notify_delivered").and_then(|column| column.as_boolean_opt());
            let delivered = flag.is_some_and(|flag| flag.value(0));
            Some(EarlierNotification { event, delivered })
        }
    };
    Ok(Some(EarlierRun {
        run: texts(row, "run_id")?.value(0).to_owned(),
        exit_code: number("exit_code").and_then(|code| u8::try_from(code).ok()).unwrap_or_default(),
        finished_at: ended.map(|ended| ended.value(0)).unwrap_or_default(),
        peak_rss: number("peak_rss").and_then(|bytes| u64::try_from(bytes).ok()),
        notification,
    }))
}

/// Whether `run` of `job` had findings, of rules that were what they were, that the run before did not have.
///
/// # Errors
/// Its results cannot be read.
pub fn found_new(dir: &Path, job: &str, run: &str) -> Result<bool, ReportError> {
    let Ok(run) = RunId::parse(run) else { return Ok(false) };
    // Runs that broke off have no results.
    let results = places::read(dir, Table::RuleResults, job, &run, &["findings_new", "rule_change"])?;
    Ok(any_new(&results))
}

fn any_new(results: &[RecordBatch]) -> bool {
    for batch in results {
        let new = batch.column_by_name("findings_new").and_then(|new| new.as_primitive_opt::<Int64Type>());
        // Runs of an older version have no such column.
        let changed = batch.column_by_name("rule_change");
        let counts = |row: usize| changed.is_none_or(|changed| changed.is_null(row));
        if new.is_some_and(|new| new.iter().enumerate().any(|(row, new)| new > Some(0) && counts(row))) {
            return true;
        }
    }
    false
}

/// What the end of a run became because a required notification was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The exit code it has now.
    pub exit_code: u8,
    /// What failed, with what had failed before.
    pub error: String,
}

/// Writes the notification of `run` into its row, and `summary` in place of its summary where it has one; whether it has a row.
/// A run without one, which failed before it had a report, stays so.
///
/// # Errors
/// The row cannot be read, or the disk does not take the new one; the old one is there then.
pub fn record(
    dir: &Path,
    job: &str,
    run: &RunId,
    notification: &Notification,
    undelivered: Option<&Undelivered>,
    summary: Option<&Summary>,
) -> Result<bool, ReportError> {
    let (disk, row) = (Disk::system(), Table::Runs.file(dir, job, run));
    if !disk.exists(&row).map_err(|source| ReportError::reading(&row, source))? {
        return Ok(false);
    }
    let writing = |source| ReportError::writing(folder_of(&row), source);
    let other = || io::Error::other("another process writes this run");
    let claim = Claim::take(&disk, &claim_of(dir, run)).and_then(|claim| claim.ok_or_else(other)).map_err(writing)?;
    let bytes = with(&row, notification, undelivered).map_err(|source| ReportError::reading(&row, source))?;
    replace(&disk, &row, &bytes).map_err(writing)?;
    if let Some(summary) = summary {
        let path = tables::summary(dir, run.as_str());
        let mut json = serde_json::to_vec_pretty(summary).map_err(|source| ReportError::json(&path, source))?;
        json.push(b'\n');
        replace(&disk, &path, &json).map_err(|source| ReportError::writing(folder_of(&path), source))?;
    }
    if let Err(error) = claim.release() {
        // The next run takes it away.
        tracing::debug!(%run, "the lock of the run stays behind: {error}");
    }
    Ok(true)
}

/// The row in `path` with these values, as a file.
fn with(path: &Path, notification: &Notification, undelivered: Option<&Undelivered>) -> Result<Vec<u8>, ArrowError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let metadata = metadata.into_iter().filter(|pair| pair.key.starts_with("barkeep.")).collect();
    let batches = builder.build()?.collect::<Result<Vec<RecordBatch>, _>>()?;
    let [row] = batches.as_slice() else {
        return Err(ArrowError::ParseError("this is not the row of one run".to_owned()));
    };
    let name = |text: &str| Arc::new([Some(text)].into_iter().collect::<DictionaryArray<Int32Type>>()) as ArrayRef;
    let deliveries = serde_json::to_string(&notification.deliveries)
        .map_err(|source| ArrowError::from_external_error(Box::new(source)))?;
    let mut values = vec![
        ("notify_event", name(notification.event.as_deref().unwrap_or(NOTHING))),
        ("notify_delivered", Arc::new(BooleanArray::from(vec![notification.delivered])) as ArrayRef),
        ("deliveries", Arc::new(StringArray::from(vec![deliveries])) as ArrayRef),
    ];
    if let Some(Undelivered { exit_code, error }) = undelivered {
        values.push(("status", name(RunStatus::Broken.as_str())));
        values.push(("exit_code", Arc::new(Int64Array::from(vec![i64::from(*exit_code)]))));
        values.push(("error", Arc::new(StringArray::from(vec![error.as_str()]))));
    }
    let schema = Table::Runs.stored_schema();
    let row = shaped(row, &schema)?;
    let columns = schema.fields().iter().zip(row.columns()).map(|(field, column)| {
        let value = values.iter().find(|(name, _)| name == field.name()).map(|(_, value)| value);
        Arc::clone(value.unwrap_or(column))
    });
    let row = RecordBatch::try_new(Arc::clone(&schema), columns.collect())?;
    let options = plain(as_few_rows(written_as(metadata)).build());
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    writer.write(&row)?;
    Ok(writer.into_inner()?)
}

/// Puts `bytes` in the place of the file `target`, for whoever could read it before.
fn replace(disk: &Disk, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mode = std::fs::metadata(target)?.permissions().mode() & 0o777;
    let temporary = temporary_of(target);
    disk.remove(&temporary)?;
    let mut file = Growing::create(disk, &temporary, target)?;
    file.allow(mode);
    file.write_all(bytes)?;
    file.complete()?.publish().map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Delivery, Outcome, RunMeta};
    use crate::report::store::resolve_run;
    use crate::report::testing::{meta, one_series, program, read as read_table};
    use crate::text::utc::UtcMicros;

    fn report(dir: &Path, hour: u32, command: &str) -> (RunId, Summary) {
        let run = RunMeta { command: command.to_owned(), ..meta(hour) };
        let id = run.run_id.clone();
        let mut collector = Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        (id, collector.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(7))).unwrap())
    }

    fn notification() -> Notification {
        let failed =
            Delivery { channel: "slack".to_owned(), tries: 3, error: Some("hooks: it answers 500".to_owned()) };
        Notification { event: Some("fail".to_owned()), held_back: false, delivered: false, deliveries: vec![failed] }
    }

    fn runs(dir: &Path) -> Vec<EarlierRun> {
        let mut runs = Vec::new();
        each_run(dir, "demo", &mut |run| {
            runs.push(run);
            true
        })
        .unwrap();
        runs
    }

    #[test]
    fn the_row_of_a_run_takes_its_notification_and_nothing_else_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (id, mut summary) = report(dir.path(), 2, "run");
        let before = read_table(dir.path(), Table::Runs);
        assert_eq!(runs(dir.path())[0].notification, None);
        summary.notification = Some(notification());
        record(dir.path(), "demo", &id, &notification(), None, Some(&summary)).unwrap();
        let after = read_table(dir.path(), Table::Runs);
        for (field, column) in before.schema().fields().iter().zip(before.columns()) {
            let same = after.column_by_name(field.name()).unwrap() == column;
            assert_eq!(
                same,
                !["notify_event", "notify_delivered", "deliveries"].contains(&field.name().as_str()),
                "{field}"
            );
        }
        let read = EarlierNotification { event: Some("fail".to_owned()), delivered: false };
        assert_eq!(runs(dir.path())[0].notification, Some(read));
        assert_eq!(resolve_run(dir.path(), "latest").unwrap().load_summary().unwrap(), summary);
        let leftovers = crate::durable::Disk::system().names(dir.path()).unwrap();
        assert!(leftovers.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{leftovers:?}");
    }

    #[test]
    fn a_delivery_that_was_required_changes_how_the_run_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (id, _) = report(dir.path(), 2, "run");
        let nothing = Notification { event: None, ..notification() };
        let undelivered = Undelivered { exit_code: 3, error: "slack: it answers 500".to_owned() };
        record(dir.path(), "demo", &id, &nothing, Some(&undelivered), None).unwrap();
        let run = &runs(dir.path())[0];
        assert_eq!((run.exit_code, run.finished_at), (3, 7));
        assert_eq!(run.notification, Some(EarlierNotification { event: None, delivered: false }));
        let row = read_table(dir.path(), Table::Runs);
        assert_eq!(texts(&row, "status").unwrap().value(0), "broken");
        assert_eq!(texts(&row, "error").unwrap().value(0), "slack: it answers 500");
    }

    #[test]
    fn whether_a_run_had_new_findings_is_known_from_its_results() {
        let dir = tempfile::tempdir().unwrap();
        let (id, _) = report(dir.path(), 2, "run");
        assert!(found_new(dir.path(), "demo", id.as_str()).unwrap());
        // One that is compared with it finds the same.
        let coverage = crate::report::margins::Coverage::default();
        let previous = crate::report::history::previous_findings(dir.path(), "demo", &coverage).unwrap();
        let run = RunMeta { command: "run".to_owned(), ..meta(3) };
        let id = run.run_id.clone();
        let mut collector = Collector::new(dir.path(), program(), run, vec!["bars.csv".to_owned()], previous);
        collector.take(&one_series().batch()).unwrap();
        collector.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(7))).unwrap();
        assert!(!found_new(dir.path(), "demo", id.as_str()).unwrap());
        assert!(!found_new(dir.path(), "demo", "20261120T090000Z-aaaa").unwrap(), "one that broke off");
    }

    #[test]
    fn only_runs_are_read_newest_first_and_no_more_than_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        for (hour, command) in [(1, "run"), (2, "check"), (3, "run"), (4, "run")] {
            report(dir.path(), hour, command);
        }
        let hours: Vec<String> = runs(dir.path()).iter().map(|run| run.run[9..11].to_owned()).collect();
        assert_eq!(hours, ["04", "03", "01"]);
        let mut seen = 0;
        each_run(dir.path(), "demo", &mut |_| {
            seen += 1;
            seen < 2
        })
        .unwrap();
        assert_eq!(seen, 2);
        let never = RunId::parse("20261120T090000Z-aaaa").unwrap();
        record(dir.path(), "demo", &never, &notification(), None, None).unwrap();
        assert_eq!(runs(dir.path()).len(), 3);
    }
}
