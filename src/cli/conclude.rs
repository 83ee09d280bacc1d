//! How a run begins and ends in its report: what it is known by, and what it came to.

use chrono::{DateTime, Utc};

use super::exit::{Exit, Failure};
use super::open::Opened;
use super::output::{self, Output};
use super::settling::Done;
use super::stop::Stop;
use crate::config::Loaded;
use crate::durable::process;
use crate::judge::Refusal;
use crate::report::collector::Collector;
use crate::report::history::Window;
use crate::report::render::{render_line, render_text};
use crate::report::run::{NextStep, Outcome, RunMeta, RunStatus, StageSeconds, Trigger};
use crate::report::run_id::RunId;
use crate::report::summary::Summary;
use crate::report::utc::UtcMicros;

/// What a run is known by before it begins.
pub(super) struct RunMetaOf<'a> {
    pub(super) command: &'static str,
    pub(super) loaded: &'a Loaded,
    pub(super) window: Window,
}

impl RunMetaOf<'_> {
    pub(super) fn meta(&self, started_at: DateTime<Utc>) -> RunMeta {
        RunMeta {
            run_id: RunId::new(started_at, std::process::id(), &self.loaded.job.name),
            command: self.command.to_owned(),
            trigger: Trigger::Cli,
            started_at: UtcMicros::from(started_at),
            source: self.loaded.job.source.label(),
            window: self.window,
            watermark_before: None,
            job_sha256: self.loaded.job_sha256.clone(),
            rules_sha256: String::new(),
            host: process::host(),
            user: process::user(),
        }
    }
}

/// How a run ends as far as its findings say.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: RunStatus,
    pub(super) exit: Exit,
    pub(super) refusals: Vec<Refusal>,
    pub(super) next: Vec<NextStep>,
    /// Bytes read from the source.
    pub(super) bytes: Option<u64>,
}

/// Publishes the report of a run, and tells its end: the strongest of what it found, what it moved, and what it could not.
pub(super) async fn conclude(
    opened: &Opened,
    collector: Collector,
    ending: Ending,
    done: Option<Done>,
    seconds: StageSeconds,
    stop: &Stop,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let Done { actions, settled, failure } = done.unwrap_or_default();
    let (status, exit) = match &failure {
        Some(failure) => (RunStatus::Broken, failure.exit()),
        None if settled.kept_error > 0 || settled.open > 0 => (RunStatus::Broken, Exit::Broken),
        None if settled.untried > 0 => match stop.signal() {
            Some(number) => (RunStatus::Stopped, Exit::Signal(number)),
            None => (RunStatus::Broken, Exit::Broken),
        },
        None => (ending.status, ending.exit),
    };
    let mut outcome = Outcome::new(status, exit.code(), UtcMicros::from(Utc::now()));
    outcome.error = failure.as_ref().map(|failure| failure.render(false).trim_start_matches("error: ").to_owned());
    if settled.kept_error > 0 && outcome.error.is_none() {
        outcome.error = Some(format!("{} rows could not be removed; the log says why", settled.kept_error));
    }
    outcome.connections = opened.close().await;
    outcome.actions = actions;
    outcome.seconds = seconds;
    outcome.bytes_read = ending.bytes;
    outcome.peak_rss = peak_rss();
    outcome.next = ending.next;
    outcome.refusals = ending.refusals;
    let summary = collector.finish(outcome)?;
    show(&summary, output)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(exit),
    }
}

fn show(summary: &Summary, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        output.line(&output::summary(summary)?)?;
    } else if output.terminal() {
        output.line(render_text(summary, output.colour(), output::width()).trim_end())?;
    } else {
        output.line(&render_line(summary))?;
    }
    Ok(())
}

/// Most memory this process held so far, in bytes, where the system tells.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
