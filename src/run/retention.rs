//! Removes reports that are not kept: those of a job after its own is there, or when a person asks; one job at a time, and none
//! beside a run of it.

use std::path::Path;

use super::conclude::RunResult;
use super::failure::Failure;
use super::job::Job;
use super::lock::JobLock;
use crate::report::RunId;
use crate::report::compaction;
use crate::report::error::ReportError;
use crate::report::retention::{self, Keep, Prunable};
use crate::report::run::RunStatus;
use crate::text::numbers::counted;

/// Removes what `[report]` of the job does not keep and compacts its months that are over, where it says so, behind a run that
/// was reported. What fails is said and tried again by the next run: it takes nothing from this one.
pub(super) fn apply(job: &Job, ended: &Result<RunResult, Failure>) {
    // A run that was skipped holds no lock: another one is looking back at what would go.
    if !ended.as_ref().is_ok_and(|result| result.summary.status != RunStatus::Skipped) {
        return;
    }
    let (dir, name) = (job.report_dir(), job.name());
    let done = match job.loaded.job.keep_reports {
        Some((daily, monthly)) => shrink(job, Keep { daily, monthly }),
        // A person may have been interrupted who did it by hand.
        None => compaction::finish(dir, name),
    };
    if let Err(error) = done {
        let why = Failure::from(error).render(false);
        job.context.note(&format!("warning: reports that are not kept stay for now: {why}"));
    }
}

fn shrink(job: &Job, keep: Keep) -> Result<(), ReportError> {
    let removed = prune(job, keep)?;
    if removed > 0 {
        tracing::info!(job = job.name(), "removed the reports of {}", counted(removed, "earlier run"));
    }
    let months = compaction::compact(job.report_dir(), job.name())?;
    if months > 0 {
        tracing::info!(job = job.name(), "put the reports of {} into one file a table", counted(months, "month"));
    }
    Ok(())
}

fn prune(job: &Job, keep: Keep) -> Result<u64, ReportError> {
    let mut removed = 0;
    for found in retention::prunable(job.report_dir(), &[job.name().to_owned()], keep)? {
        removed += retention::remove(job.report_dir(), &found.job, &found.go)?;
    }
    Ok(removed)
}

/// What became of reports that were to go.
#[derive(Debug, Default)]
pub(crate) struct Pruned {
    /// Runs that went.
    pub(crate) removed: u64,
    /// Months that were put into one file a table.
    pub(crate) compacted: u64,
    /// Of which jobs all stay, for a run of theirs is alive: whose.
    pub(crate) locked: Vec<String>,
}

/// Removes the runs `found` below `dir` that `keep` does not keep now either: a run may have come meanwhile that looks back at
/// others. Months that are over are compacted then. Those of a job with a run that is alive stay, for it may look back at them.
///
/// # Errors
/// A lock file cannot be locked, a file of a run cannot be read, or the disk does not let a run go.
pub(crate) fn remove_found(dir: &Path, found: &[Prunable], keep: Keep) -> Result<Pruned, Failure> {
    let mut pruned = Pruned::default();
    for Prunable { job, go, .. } in found.iter().filter(|found| !found.go.is_empty() || !found.compact.is_empty()) {
        let _lock = match JobLock::take_at_once(dir, job, "barkeep report prune")? {
            Ok(lock) => lock,
            Err(message) => {
                pruned.locked.push(message);
                continue;
            }
        };
        let now = retention::prunable(dir, std::slice::from_ref(job), keep)?;
        let still = |run: &&RunId| now.iter().any(|found| found.go.contains(run));
        let go: Vec<RunId> = go.iter().filter(still).cloned().collect();
        pruned.removed += retention::remove(dir, job, &go)?;
        pruned.compacted += compaction::compact(dir, job)?;
    }
    Ok(pruned)
}
