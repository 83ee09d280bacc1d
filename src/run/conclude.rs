//! How a run begins and ends in its report: what it is known by, and what it came to.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::after_moving::Moved;
use super::clock::Clock;
use super::context::Context;
use super::failure::{Exit, Failure};
use super::log;
use super::moving::Mark;
use super::open::Opened;
use super::peak::Peak;
use super::plan::Plan;
use super::removal::{self, Done, EARLIER_OPEN};
use crate::config::Loaded;
use crate::decide::{FailOn, Refusal};
use crate::durable::process;
use crate::engine::program::Program;
use crate::quarantine::crash::point;
use crate::quarantine::item::RemovalCounts;
use crate::report::collector::Collector;
use crate::report::history::{self, BUSY_NIGHTS};
use crate::report::run::Window;
use crate::report::run::{ActionRow, NextStep, Outcome, PlanNote, RunMeta, RunStatus, StageSeconds, Trigger};
use crate::report::run_id::RunId;
use crate::report::summary::Summary;
use crate::report::tally::Tally;
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// What a run is known by before it begins.
pub(crate) struct RunMetaOf<'a> {
    pub(crate) command: &'static str,
    pub(crate) loaded: &'a Loaded,
    pub(crate) window: Window,
}

impl RunMetaOf<'_> {
    pub(crate) fn meta(&self, started_at: DateTime<Utc>, clock: &Clock) -> RunMeta {
        RunMeta {
            run_id: RunId::new(clock.naming(), std::process::id(), &self.loaded.job.name),
            command: self.command.to_owned(),
            trigger: Trigger::Cli,
            started_at: UtcMicros::from(started_at),
            as_of: UtcMicros::from(started_at),
            source: self.loaded.job.source.label(),
            window: self.window,
            changed_since: None,
            watermark_before: None,
            job_file: self.loaded.job_file.display().to_string(),
            job_sha256: self.loaded.job_sha256.clone(),
            rules_sha256: String::new(),
            host: process::host(),
            user: process::user(),
        }
    }
}

/// How a run ends as far as its findings say.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: RunStatus,
    pub(crate) exit: Exit,
    /// Which findings make it fail.
    pub(crate) fail_on: FailOn,
    pub(crate) refusals: Vec<Refusal>,
    /// Rules that evaluated nothing, by index.
    pub(crate) not_evaluated: Vec<usize>,
    pub(crate) next: Vec<NextStep>,
    /// Bytes read from the source.
    pub(crate) bytes: Option<u64>,
    /// Its memory, from its beginning on.
    pub(crate) peak: Peak,
    /// The plan it wrote.
    pub(crate) plan: Option<Plan>,
    /// The watermark that it leaves, µs UTC on the scale of the timestamps.
    pub(crate) watermark_after: Option<i64>,
    /// Series that were read from their first row on.
    pub(crate) read_whole: BTreeSet<String>,
}

impl Ending {
    /// An end of which nothing else is known.
    pub(crate) fn new(status: RunStatus, exit: Exit) -> Self {
        Self {
            status,
            exit,
            fail_on: FailOn::default(),
            refusals: Vec::new(),
            not_evaluated: Vec::new(),
            next: Vec::new(),
            bytes: None,
            peak: Peak::UNKNOWN,
            plan: None,
            watermark_after: None,
            read_whole: BTreeSet::new(),
        }
    }
}

/// Whether there are findings that make the exit code 1.
pub(super) fn found(program: &Program, tally: &Tally, fail_on: FailOn) -> bool {
    let found = tally.counted(program);
    match fail_on {
        FailOn::New => tally.new_errors() > 0,
        FailOn::Error => found.error > 0,
        FailOn::Warn => found.error + found.warn > 0,
        FailOn::Never => false,
    }
}

/// A run that came to its end and was reported.
#[derive(Debug)]
pub struct RunResult {
    /// What it found and did.
    pub summary: Summary,
    /// The plan that was written down: that of a plan, or of a run that was refused.
    pub plan: Option<Plan>,
    /// How it ended.
    pub exit: Exit,
    /// What broke it off, or kept a part of it from being done.
    pub failure: Option<Failure>,
}

/// Logs how a run ended that took so many seconds.
pub(super) fn log_end(ended: &Result<RunResult, Failure>, seconds: f64) {
    let exit = match ended {
        Ok(RunResult { failure: Some(failure), .. }) | Err(failure) => failure.exit(),
        Ok(result) => result.exit,
    };
    log::end(exit, ended.as_ref().ok().map(|result| &result.summary), seconds);
}

/// Publishes the report of a run, and returns its end: the strongest of what it found, what it moved, and what it could not.
pub(super) async fn conclude(
    context: &Context,
    opened: &Opened,
    collector: Collector,
    ending: Ending,
    mut done: Done,
    seconds: StageSeconds,
) -> Result<RunResult, Failure> {
    if let Some(pending) = done.pending.take() {
        done.fail(pending);
    }
    let (left, open) = (done.left(), done.open());
    let moved = Moved::new((left, open), collector.run_id(), &opened.loaded.job_file);
    done.failure = done.failure.take().map(|failure| moved.clone().before(failure));
    // A loader that is at work in one night is not in the next; one that never ends is a fault.
    let waits = ending.fail_on == FailOn::New
        && done.busy > 0
        && busy_days(context, opened).is_some_and(|days| days < BUSY_NIGHTS);
    let busy = done.busy;
    let Done { mut actions, recovered, counts, why, failure, marks, .. } = done;
    let kept = counts.kept_error - if waits { busy } else { 0 };
    let unfinished = |row: &ActionRow| [EARLIER_OPEN, "earlier_kept_error"].contains(&row.state.as_str());
    let (status, exit) = match &failure {
        Some(failure @ Failure::Stopped { .. }) => (RunStatus::Stopped, failure.exit()),
        Some(failure) => (RunStatus::Broken, failure.exit()),
        None if kept > 0 || counts.open > 0 => (RunStatus::Broken, Exit::Broken),
        None if recovered.iter().any(unfinished) => (RunStatus::Broken, Exit::Broken),
        None if counts.untried > 0 => match context.stop.signal() {
            Some(number) => (RunStatus::Stopped, Exit::Signal(number)),
            None => (RunStatus::Broken, Exit::Broken),
        },
        None => (ending.status, ending.exit),
    };
    let mut outcome = Outcome::new(status, exit.code(), UtcMicros::from(context.clock.now()));
    outcome.error = failure.as_ref().map(|failure| failure.render(false).trim_start_matches("error: ").to_owned());
    if outcome.error.is_none() {
        outcome.error = stayed(&counts, why);
    }
    actions.extend(recovered);
    (outcome.fail_on, outcome.busy) = (ending.fail_on, busy);
    outcome.connections = opened.source.close().await;
    outcome.actions = actions;
    outcome.seconds = seconds;
    outcome.bytes_read = ending.bytes;
    outcome.peak_rss = ending.peak.bytes();
    outcome.plan = ending
        .plan
        .as_ref()
        .map(|plan| PlanNote { path: plan.path().display().to_string(), confirmation: plan.confirmation() });
    outcome.next = ending.next;
    outcome.refusals = ending.refusals;
    outcome.not_evaluated = ending.not_evaluated;
    outcome.watermark_after = ending.watermark_after.filter(|_| matches!(exit, Exit::Ok | Exit::Findings));
    outcome.read_whole = ending.read_whole;
    point("report.before");
    match collector.finish(outcome) {
        Ok(summary) => {
            log::stage("report", summary.seconds.report);
            marks.into_iter().for_each(Mark::take_away);
            Ok(RunResult { summary, plan: ending.plan, exit, failure })
        }
        Err(error) if (left, open) == (0, 0) => Err(removal::more_severe(failure, error.into())),
        // What nothing else says comes first; what broke the run off is logged.
        Err(error) => {
            let unreported = moved.unreported(error);
            Err(match failure {
                Some(failure) => removal::more_severe(Some(unreported), failure),
                None => unreported,
            })
        }
    }
}

/// On how many days before today runs left rows for others wrote to their files; `None` where that is not known, which is
/// no reason to leave out of the report what left.
fn busy_days(context: &Context, opened: &Opened) -> Option<usize> {
    let job = &opened.loaded.job;
    let days = history::busy_days(&job.report_dir.resolved, &job.name, context.clock.now());
    days.inspect_err(|error| tracing::warn!("earlier runs cannot be read: {error}")).ok()
}

/// Why rows of the plan did not leave, or may not have.
fn stayed(counts: &RemovalCounts, why: Option<String>) -> Option<String> {
    let rows = match (counts.open, counts.kept_error) {
        (0, 0) => return None,
        (0, kept) => format!("{} could not be removed", counted(kept, "row")),
        (open, _) => {
            format!(
                "whether {} left is not known: the server did not say; run again, that is looked at first",
                counted(open, "row")
            )
        }
    };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Some(format!("{rows}{why}; the log says more"))
}
