//! Runs of which nothing is left but a row that says why: they broke off, were stopped, or skipped.

use std::sync::Arc;

use super::conclude::RunResult;
use super::failure::{Exit, Failure};
use super::job::Job;
use super::options::{CheckOptions, IfLocked, Order};
use super::program;
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::run::{Outcome, RunMeta, RunStatus};
use crate::text::utc::UtcMicros;

/// Whether a run that failed so is skipped.
pub(super) fn is_skipped(order: &Order, failure: &Failure) -> bool {
    order.if_locked == IfLocked::Skip && matches!(failure, Failure::Locked(_))
}

/// Leaves a row that says why the run was skipped: another one was under way.
pub(super) fn skipped(job: &Job, meta: RunMeta, why: &Failure) -> Result<RunResult, Failure> {
    let unseen = Arc::new(program::unseen(&job.loaded));
    let collector = Collector::new(job.report_dir(), unseen, meta, Vec::new(), Previous::Unknown);
    let mut outcome = Outcome::new(RunStatus::Skipped, Exit::Ok.code(), UtcMicros::from(job.context.clock.now()));
    outcome.error = Some(why.render(false).trim_start_matches("locked: ").to_owned());
    let summary = collector.abandon(&outcome)?;
    Ok(RunResult { summary, plan: None, exit: Exit::Ok, failure: None })
}

/// Leaves nothing of a run but a row that says why. The failure is what the caller reports; where even the row cannot be
/// written, that is reported too.
pub(super) fn abandon(job: &Job, options: &CheckOptions, collector: Collector, failure: &Failure) {
    if !options.report {
        return;
    }
    let now = UtcMicros::from(job.context.clock.now());
    let text = failure.render(false);
    let broken = Outcome::broken(text.trim_start_matches("error: "), failure.exit().code(), now);
    let outcome = match failure {
        Failure::Stopped { .. } => Outcome { status: RunStatus::Stopped, ..broken },
        _ => broken,
    };
    if let Err(error) = collector.abandon(&outcome) {
        job.context.note(&Failure::from(error).render(false));
    }
}
