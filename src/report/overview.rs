//! The jobs that have reports, each with how its newest run ended and how the runs before it did.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use serde::Serialize;

use super::error::ReportError;
use super::lateness::sessions_late;
use super::reading::{again_where_one_goes, texts};
use super::run::{RunStatus, Trigger};
use super::runs::{self, RunFile};
use super::store::RunRef;
use super::summary::Verdict;
use crate::text::utc::UtcMicros;

/// So many runs of a job are looked at.
pub const MOST_RUNS: usize = 24;
/// With fewer runs it is not known how often a job runs.
const LEAST_RUNS: usize = 3;

/// A job by its newest run; one that was skipped, or was over an old window, does not count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobLine {
    /// The job.
    pub job: String,
    /// The run.
    pub run_id: String,
    /// The command.
    pub command: String,
    /// What it says of the data; one that broke off failed.
    pub verdict: Verdict,
    /// How it ended.
    pub status: String,
    /// Its exit code.
    pub exit_code: i64,
    /// What failed, where something did.
    pub error: Option<String>,
    /// When it began.
    pub started_at: UtcMicros,
    /// Findings that the run before did not have, and that only that one had; `None` where there is nothing to compare with.
    pub new: Option<u64>,
    /// See `new`.
    pub fixed: Option<u64>,
    /// Rows read.
    pub rows_read: i64,
    /// Rows that it moved to quarantine.
    pub rows_quarantined: i64,
    /// The newest timestamp that it read, as a date where these are trading dates; `None` where it read none.
    pub last_bar: Option<String>,
    /// Sessions of the calendar of the job that closed since the newest bar and have none; `None` where that is not known.
    pub sessions_late: Option<u64>,
    /// Errors and warnings of the last runs, oldest first; `None` for a run that did not come to its end.
    pub findings: Vec<Option<i64>>,
    /// The longest time between two of these runs, in µs; `None` where there are too few.
    #[serde(skip)]
    pub longest_pause: Option<i64>,
}

/// A run within this time is a new one, µs.
const SOON: i64 = 3_600_000_000;

impl JobLine {
    /// Its newest run.
    pub fn run_ref(&self, dir: &Path) -> Option<RunRef> {
        RunRef::named(dir, &self.job, &self.run_id)
    }

    /// Whether the job has not run for much longer than it ever paused, at `now`; within the hour no job is overdue, for a person
    /// who tries one runs it every few seconds.
    pub fn is_overdue(&self, now: UtcMicros) -> bool {
        let age = now.0.saturating_sub(self.started_at.0);
        self.longest_pause.is_some_and(|pause| age > pause.saturating_add(pause / 2).max(SOON))
    }
}

/// The jobs below `dir`, worst first, as they stand at `now`.
///
/// # Errors
/// A folder cannot be listed, or a file not read.
pub fn overview(dir: &Path, now: UtcMicros) -> Result<Vec<JobLine>, ReportError> {
    again_where_one_goes(|| {
        let jobs = runs::jobs(dir)?;
        let mut lines = Vec::new();
        for found in read_all(dir, &jobs, now) {
            lines.extend(found?);
        }
        lines.sort_by(|one, other| {
            let gravity = |line: &JobLine| (line.verdict as u8, line.new.unwrap_or(0));
            gravity(other).cmp(&gravity(one)).then_with(|| one.job.cmp(&other.job))
        });
        Ok(lines)
    })
}

/// The lines of the jobs, which are read by as many threads as there are cores.
fn read_all(dir: &Path, jobs: &[String], now: UtcMicros) -> Vec<Result<Option<JobLine>, ReportError>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = jobs.len().div_ceil(threads).max(1);
    let read = |jobs: &[String]| -> Vec<Result<Option<JobLine>, ReportError>> {
        jobs.iter().map(|job| of_job(dir, job, now)).collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = jobs.chunks(part).map(|jobs| (jobs, scope.spawn(move || read(jobs)))).collect();
        // What a thread did not come to is read here.
        parts.into_iter().flat_map(|(jobs, thread)| thread.join().unwrap_or_else(|_| read(jobs))).collect()
    })
}

/// The line of a job with the runs `files`, newest first.
fn of_job(dir: &Path, job: &str, now: UtcMicros) -> Result<Option<JobLine>, ReportError> {
    let mut ended: Vec<(RunFile, RecordBatch)> = Vec::new();
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let Some(row) = file.row(dir, COLUMNS)? else { continue };
        if counts(&row).map_err(|source| ReportError::reading(&file.path, source))? {
            ended.push((file, row));
        }
        if ended.len() == MOST_RUNS {
            break;
        }
    }
    let Some((newest, row)) = ended.first() else { return Ok(None) };
    let summary = RunRef::of(dir, newest).load_summary();
    // One that does not read is no reason to leave out the other jobs; of one that went, all is read again.
    let (summary, unread) = match summary {
        Ok(summary) => (Some(summary), None),
        Err(ReportError::NoSummary { .. }) => (None, None),
        Err(error) if error.is_of_a_file_that_went() => return Err(error),
        Err(error) => (None, Some(error.to_string())),
    };
    let text = |name: &str| {
        let texts = texts(row, name).map_err(|source| ReportError::reading(&newest.path, source))?;
        Ok::<_, ReportError>((!texts.is_null(0)).then(|| texts.value(0).to_owned()))
    };
    let began: Vec<i64> = ended.iter().map(|(file, _)| file.run.started().0).collect();
    let longest = began.windows(2).map(|pair| pair[0] - pair[1]).max();
    let change = summary.as_ref().and_then(|summary| summary.change.as_ref());
    let last_bar = |summary: &super::summary::Summary| Some(summary.data.until?.timestamp(summary.daily));
    Ok(Some(JobLine {
        job: job.to_owned(),
        run_id: newest.run.to_string(),
        command: text("command")?.unwrap_or_default(),
        verdict: summary.as_ref().map_or(Verdict::Fail, |summary| summary.verdict),
        status: text("status")?.unwrap_or_default(),
        exit_code: count(row, "exit_code").unwrap_or_default(),
        error: unread.or(text("error")?),
        started_at: newest.run.started(),
        new: change.map(|change| change.new),
        fixed: change.map(|change| change.fixed),
        rows_read: count(row, "rows_read").unwrap_or_default(),
        rows_quarantined: count(row, "rows_quarantined").unwrap_or_default(),
        last_bar: summary.as_ref().and_then(last_bar),
        sessions_late: summary.as_ref().and_then(|summary| sessions_late(summary, now)),
        findings: ended.iter().rev().map(|(_, row)| findings(row)).collect(),
        longest_pause: longest.filter(|_| began.len() >= LEAST_RUNS),
    }))
}

const COLUMNS: &[&str] = &[
    "command",
    "trigger",
    "status",
    "exit_code",
    "rows_read",
    "rows_quarantined",
    "findings_error",
    "findings_warn",
    "error",
];

/// Whether the run of this row counts: not one that was skipped, or over an old window.
fn counts(row: &RecordBatch) -> Result<bool, ArrowError> {
    let is = |name: &str, word: &str| Ok::<_, ArrowError>(texts(row, name)?.value(0) == word);
    Ok(!is("status", RunStatus::Skipped.as_str())? && !is("trigger", Trigger::Backfill.as_str())?)
}

/// Errors and warnings of a run that came to its end.
fn findings(row: &RecordBatch) -> Option<i64> {
    let status = texts(row, "status").ok()?;
    let ended = RunStatus::parse(status.value(0)).is_some_and(RunStatus::reached_its_end);
    ended.then(|| Some(count(row, "findings_error")? + count(row, "findings_warn")?)).flatten()
}

fn count(row: &RecordBatch, name: &str) -> Option<i64> {
    let counts = row.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
    (!counts.is_null(0)).then(|| counts.value(0))
}
