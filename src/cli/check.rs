//! `barkeep check`, `barkeep plan` and `barkeep run`, job after job.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::Instrument;

use super::args::{CheckArgs, FailOn, Global, IfLocked, LogFormat, PlanArgs, RunArgs, TriggerArg};
use super::events::{Held, context, quiet_context};
use super::log::{self, message};
use super::output::Output;
use super::show;
use super::signals;
use super::window::{as_of, asked};
use crate::run::{self, CheckOptions, Context, Exit, Failure, Job, PlanOptions, RunOptions, RunResult, Stop};
use crate::schema::moment::parse_duration;

/// `barkeep check`.
pub(crate) async fn check(global: &Global, args: &CheckArgs, output: &mut Output) -> Result<Exit, Failure> {
    let options = CheckOptions {
        window: asked(&args.window)?,
        series: args.series.clone(),
        fail_on: args.fail_on.map(Into::into),
        report: !args.no_report,
        // Among log lines for a program a table for a person has no place.
        preview: global.verbose > 0 && global.log_format == LogFormat::Text,
        as_of: as_of(&args.window)?,
    };
    let check = async |context: &Context, path: &Path| {
        let job = Job::open_rules(context, path, &args.rules)?;
        let result = job.check(options.clone()).await?;
        Ok(Shown { result, reports: options.report.then(|| job.report_dir().to_path_buf()) })
    };
    each(global, (&args.jobs, args.quiet), signals::listen()?, check, output).await
}

/// `barkeep plan`.
pub(crate) async fn plan(global: &Global, args: &PlanArgs, output: &mut Output) -> Result<Exit, Failure> {
    let wrong = |problem: String| Failure::Usage(format!("--holds: {problem}"), "e.g. `--holds 3d`".to_owned());
    let holds = args.holds.as_deref().map(parse_duration).transpose().map_err(wrong)?;
    let options =
        PlanOptions { window: asked(&args.window)?, file: args.output.clone(), holds, as_of: as_of(&args.window)? };
    let plan = async |context: &Context, path: &Path| {
        let result = Job::open(context, path)?.plan(options.clone()).await?;
        Ok(Shown { result, reports: None })
    };
    each(global, (std::slice::from_ref(&args.job), false), signals::listen()?, plan, output).await
}

/// `barkeep run`.
pub(crate) async fn run(global: &Global, args: &RunArgs, output: &mut Output) -> Result<Exit, Failure> {
    let (window, fail_on, dry_run) = (asked(&args.window)?, args.fail_on.map(Into::into), args.dry_run);
    let if_locked = args.if_locked.into();
    let (as_of, trigger) = (as_of(&args.window)?, args.trigger.into());
    let options = RunOptions { window, fail_on, dry_run, if_locked, as_of, trigger };
    let run = async |context: &Context, path: &Path| {
        let job = Job::open(context, path)?;
        let result = job.run(options.clone()).await?;
        Ok(Shown { result, reports: Some(job.report_dir().to_path_buf()) })
    };
    let stop = signals::listen_within(max_time(args.max_time.as_deref())?)?;
    each(global, (&args.jobs, args.quiet), stop, run, output).await
}

/// The longest that a call may take.
fn max_time(text: Option<&str>) -> Result<Option<Duration>, Failure> {
    let wrong = |problem: String| Failure::Usage(format!("--max-time: {problem}"), "e.g. `--max-time 2h`".to_owned());
    let Some(span) = text.map(parse_duration).transpose().map_err(wrong)? else { return Ok(None) };
    match span.to_std() {
        Ok(span) if !span.is_zero() => Ok(Some(span)),
        _ => Err(wrong("a run takes longer than nothing".to_owned())),
    }
}

/// How a job ended, and the folder of its reports where they have its findings.
struct Shown {
    result: RunResult,
    reports: Option<PathBuf>,
}

/// Does the same with the jobs one after the other; one that fails does not keep the next from running, a signal does.
async fn each(
    global: &Global,
    (jobs, quiet): (&[PathBuf], bool),
    stop: Stop,
    command: impl AsyncFn(&Context, &Path) -> Result<Shown, Failure>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let (context, held) = if quiet { quiet_context(global, stop) } else { (context(global, stop), Held::default()) };
    let mut exit = Exit::Ok;
    for path in jobs {
        let ended = async {
            let ended = command(&context, path).await;
            show(ended, (&context, path), (quiet, &held), output)
        };
        exit = exit.worst(ended.instrument(log::call()).await?);
        if context.stop.signal().is_some() {
            break;
        }
    }
    Ok(exit)
}

/// Shows how the job at `path` ended; the exit it gives.
fn show(
    ended: Result<Shown, Failure>,
    (context, path): (&Context, &Path),
    (quiet, held): (bool, &Held),
    output: &mut Output,
) -> Result<Exit, Failure> {
    let lines = output.lines();
    let silent = quiet && ended.as_ref().is_ok_and(|shown| nothing_wrong(&shown.result));
    // Where something is wrong, what was noticed on the way says more of it.
    held.take().iter().filter(|_| !silent).for_each(|text| message(text));
    let ended = match ended {
        Ok(Shown { result, .. }) if silent => Ok(result.exit),
        ended => ended.and_then(|Shown { result, reports }| show::result(result, reports.as_deref(), output)),
    };
    if let Err(failure) = &ended
        && output.lines() == lines
    {
        output.failed_line(failure, path)?;
    }
    // A signal that came while a report was written ends the command after that report.
    let ended = match (ended, context.stop.signal()) {
        (Ok(_), Some(number)) => Err(context.stop.stopped(number)),
        (ended, _) => ended,
    };
    match ended {
        Ok(exit) => Ok(exit),
        Err(failure) => {
            output.failure(&failure, Some(path))?;
            Ok(failure.exit())
        }
    }
}

fn nothing_wrong(result: &RunResult) -> bool {
    let delivered =
        result.summary.notification.as_ref().is_none_or(|notification| notification.undelivered().next().is_none());
    result.exit == Exit::Ok && result.failure.is_none() && delivered
}

impl From<IfLocked> for run::IfLocked {
    fn from(if_locked: IfLocked) -> Self {
        match if_locked {
            IfLocked::Fail => Self::Fail,
            IfLocked::Skip => Self::Skip,
            IfLocked::Wait => Self::Wait,
        }
    }
}

impl From<TriggerArg> for run::Trigger {
    fn from(trigger: TriggerArg) -> Self {
        match trigger {
            TriggerArg::Cli => Self::Cli,
            TriggerArg::Cron => Self::Cron,
            TriggerArg::Schedule => Self::Schedule,
        }
    }
}

impl From<FailOn> for run::FailOn {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::New => Self::New,
            FailOn::Error => Self::Error,
            FailOn::Warn => Self::Warn,
            FailOn::Never => Self::Never,
        }
    }
}
