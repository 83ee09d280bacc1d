//! Removes the reports that a job does not keep, after its own is there.

use super::conclude::RunResult;
use super::failure::Failure;
use super::job::Job;
use crate::report::error::ReportError;
use crate::report::retention::{self, Keep};
use crate::report::run::RunStatus;
use crate::text::numbers::counted;

/// Removes what `[report]` of the job does not keep, where it says so, behind a run that was reported. What fails is said
/// and tried again by the next run: it takes nothing from this one.
pub(super) fn apply(job: &Job, ended: &Result<RunResult, Failure>) {
    let Some((daily, monthly)) = job.loaded.job.keep_reports else { return };
    // A run that was skipped holds no lock: another one is looking back at what would go.
    if !ended.as_ref().is_ok_and(|result| result.summary.status != RunStatus::Skipped) {
        return;
    }
    match prune(job, Keep { daily, monthly }) {
        Ok(0) => {}
        Ok(removed) => tracing::info!(job = job.name(), "removed the reports of {}", counted(removed, "earlier run")),
        Err(error) => {
            let why = Failure::from(error).render(false);
            job.context.note(&format!("warning: reports that are not kept stay for now: {why}"));
        }
    }
}

fn prune(job: &Job, keep: Keep) -> Result<u64, ReportError> {
    let mut removed = 0;
    for found in retention::prunable(job.report_dir(), &[job.name().to_owned()], keep)? {
        for run in &found.go {
            removed += u64::from(retention::remove(job.report_dir(), &found.job, run)?);
        }
    }
    Ok(removed)
}
