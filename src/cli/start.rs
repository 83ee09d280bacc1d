//! `barkeep schedule start`: the loop that starts jobs when they are due.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use serde_json::json;

use super::args::{Global, LogFormat, StartArgs};
use super::events::context;
use super::output::{Format, Output, message};
use super::schedule::named;
use super::signals;
use crate::run::scheduler::{self, Happened, Log, SchedulerOptions};
use crate::run::{Context, Exit, Failure, Job, Stop};

/// Runs the command.
pub(crate) async fn start(global: &Global, args: &StartArgs, output: &mut Output) -> Result<Exit, Failure> {
    let context = context(global, Stop::never());
    let options = SchedulerOptions {
        jobs: jobs(&context, args)?,
        at_once: usize::from(args.at_once),
        program: std::env::current_exe()?,
        before: passed_on(global, output.format),
        quiet: args.quiet,
        signals: signals::each()?,
    };
    let log: Log = match global.log_format {
        LogFormat::Text => Arc::new(|happened| message(&happened.to_string())),
        LogFormat::Json => Arc::new(|happened| message(&as_json(happened).to_string())),
    };
    scheduler::start(&context, options, log).await
}

/// The jobs that are named; of those that are only found, those that have a schedule or cannot be read yet.
fn jobs(context: &Context, args: &StartArgs) -> Result<Vec<PathBuf>, Failure> {
    let mut jobs = named(&args.jobs)?;
    if args.jobs.is_empty() {
        jobs.retain(|path| Job::open(context, path).map_or(true, |job| job.schedule().is_some()));
        if jobs.is_empty() {
            let help = "write `[schedule]` in a job, e.g. cron = \"30 18 * * MON-FRI\"";
            return Err(Failure::Usage("no job has a schedule".to_owned(), help.to_owned()));
        }
    }
    Ok(jobs)
}

/// The flags of this call that hold for the runs, too.
fn passed_on(global: &Global, format: Format) -> Vec<OsString> {
    let Global { verbose, log_format, threads, memory_limit, temp_dir, .. } = global;
    let mut flags: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: OsString| flags.extend([OsString::from(name), value]);
    if format != Format::Text {
        flag("--format", "json".into());
    }
    if *log_format == LogFormat::Json {
        flag("--log-format", "json".into());
    }
    if let Some(threads) = threads {
        flag("--threads", threads.to_string().into());
    }
    if let Some(bytes) = memory_limit {
        flag("--memory-limit", bytes.to_string().into());
    }
    if let Some(dir) = temp_dir {
        flag("--temp-dir", dir.into());
    }
    flags.extend((0..*verbose).map(|_| "-v".into()));
    flags
}

fn as_json(happened: &Happened) -> serde_json::Value {
    let Happened { at, job, event, exit, seconds, text } = happened;
    let at = DateTime::from_timestamp_micros(*at).unwrap_or_default();
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let level = if matches!(*event, "warning" | "passed-over") { "WARN" } else { "INFO" };
    json!({
        "timestamp": at, "level": level, "target": "barkeep::schedule", "event": event, "job": job, "exit": exit,
        "seconds": seconds, "message": text,
    })
}
