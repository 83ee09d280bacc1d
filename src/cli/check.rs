//! `barkeep check` and `barkeep run`: hold bars against rules, report, and (for `run`) keep quarantine copies.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{CheckArgs, FailOn, Global, RunArgs, WindowArgs};
use super::exit::{Exit, Failure};
use super::job::{self, Brought, Opened};
use super::output::{self, Output, message};
use super::progress::Progress;
use crate::config::moment::{Moment, parse_duration};
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::judge::{self, MoveLimits, Refusal};
use crate::report::collector::Collector;
use crate::report::history::{self, Previous, Window};
use crate::report::render::{render_line, render_text};
use crate::report::run::{NextStep, Outcome, RunMeta, RunStatus, StageSeconds, Trigger};
use crate::report::run_id::RunId;
use crate::report::summary::Summary;
use crate::report::tally::Tally;
use crate::report::utc::UtcMicros;
use crate::settle::copies;

/// What a run of one job is to do.
struct Order<'a> {
    command: &'static str,
    path: &'a Path,
    window: &'a WindowArgs,
    rules: &'a [String],
    series: &'a [String],
    fail_on: FailOn,
    report: bool,
    copies: bool,
}

/// `barkeep check`.
pub(crate) async fn check(global: &Global, args: &CheckArgs, output: &mut Output) -> Result<Exit, Failure> {
    let order = |path| Order {
        command: "check",
        path,
        window: &args.window,
        rules: &args.rules,
        series: &args.series,
        fail_on: args.fail_on,
        report: !args.no_report,
        copies: false,
    };
    each(global, args.jobs.iter().map(|path| order(path.as_path())), output).await
}

/// `barkeep run`.
pub(crate) async fn run(global: &Global, args: &RunArgs, output: &mut Output) -> Result<Exit, Failure> {
    let order = |path| Order {
        command: "run",
        path,
        window: &args.window,
        rules: &[],
        series: &[],
        fail_on: args.fail_on,
        report: true,
        copies: !args.dry_run,
    };
    each(global, args.jobs.iter().map(|path| order(path.as_path())), output).await
}

/// Runs the jobs one after the other; one that fails does not keep the next from running, a signal does.
async fn each<'a>(
    global: &Global,
    orders: impl Iterator<Item = Order<'a>>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Ok;
    for order in orders {
        let ended = tokio::select! {
            ended = one(global, &order, output) => ended,
            stopped = stopped() => Err(Failure::Stopped(stopped?)),
        };
        match ended {
            Ok(ended) => exit = exit.worst(ended),
            Err(failure @ Failure::Stopped(_)) => return Err(failure),
            Err(failure) => {
                message(&failure.render(output::colour_on_stderr()));
                exit = exit.worst(failure.exit());
            }
        }
    }
    Ok(exit)
}

/// Waits for Ctrl-C (2) or a polite kill (15).
async fn stopped() -> Result<u8, std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| 2),
        _ = terminate.recv() => Ok(15),
    }
}

async fn one(global: &Global, order: &Order<'_>, output: &mut Output) -> Result<Exit, Failure> {
    let started = Instant::now();
    let started_at = Utc::now();
    let opened = Arc::new(job::open(order.path)?);
    let context = session(&job::engine_limits(global))?;
    let program = Arc::new(job::program(&opened, &context, order.rules)?);
    let window = window(order.window, &opened)?;
    let mut seconds = StageSeconds { load: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    tracing::info!(job = program.job, rules = program.rules.rules.len(), "loaded");

    let meta = RunMeta {
        run_id: RunId::new(started_at, std::process::id(), &program.job),
        command: order.command.to_owned(),
        trigger: Trigger::Cli,
        started_at: UtcMicros(started_at.timestamp_micros()),
        source: label(&opened),
        window,
        watermark_before: None,
        job_sha256: opened.loaded.job_sha256.clone(),
        rules_sha256: program.rules.sha256.clone(),
        host: host(),
    };
    let scratch = tempfile::tempdir()?;
    let dir = if order.report { &opened.loaded.job.report_dir.resolved } else { scratch.path() };
    // A run over a part of the rules or series cannot tell what was fixed.
    let previous = match order.rules.is_empty() && order.series.is_empty() {
        true => history::previous_findings(dir, &program.job, window)?,
        false => Previous::Unknown,
    };
    let files = opened.set.files.iter().map(|path| path.display().to_string()).collect();
    let mut collector = Collector::new(dir, Arc::clone(&program), meta.clone(), files, previous);

    let judged = judge(global, order, &opened, &program, window, &mut seconds, &context, &mut collector).await;
    let brought = match judged {
        Ok(brought) => brought,
        Err(failure) => {
            let error = failure.render(false);
            collector.abandon(&Outcome::broken(
                error,
                failure.exit().code(),
                UtcMicros(Utc::now().timestamp_micros()),
            ))?;
            return Err(failure);
        }
    };
    let summary = conclude(order, &opened, &program, &meta, &brought, seconds, collector)?;
    show(&summary, output)?;
    Ok(match summary.exit_code {
        0 => Exit::Ok,
        4 => Exit::Refused,
        _ => Exit::Findings,
    })
}

#[expect(clippy::too_many_arguments, reason = "the parts of a run, each made by its own step")]
async fn judge(
    global: &Global,
    order: &Order<'_>,
    opened: &Arc<Opened>,
    program: &Arc<Program>,
    window: Window,
    seconds: &mut StageSeconds,
    context: &datafusion::prelude::SessionContext,
    collector: &mut Collector,
) -> Result<Brought, Failure> {
    let mut brought = job::bring(opened, program, global, order.series).await?;
    seconds.extract = brought.extract_seconds;
    brought.input.window = window;
    let started = Instant::now();
    tracing::info!(arrangement = ?brought.input.arrangement, rows = brought.rows, "judging");
    let stream = plan::run(context, program, &brought.input).await?;
    collect(stream, program, brought.rows, collector).await?;
    for identity in &brought.identities {
        identity.verify_unchanged()?;
    }
    seconds.check = started.elapsed().as_secs_f64();
    Ok(brought)
}

async fn collect(
    mut stream: SendableRecordBatchStream,
    program: &Program,
    rows: Option<u64>,
    collector: &mut Collector,
) -> Result<(), Failure> {
    let mut progress = Progress::new(&format!("{}: judging", program.job), rows);
    while let Some(batch) = stream.try_next().await? {
        collector.take(&batch)?;
        progress.at(collector.tally().series.rows.read);
    }
    Ok(())
}

/// Limits, copies, report.
fn conclude(
    order: &Order<'_>,
    opened: &Opened,
    program: &Program,
    meta: &RunMeta,
    brought: &Brought,
    seconds: StageSeconds,
    mut collector: Collector,
) -> Result<Summary, Failure> {
    let moves = collector.take_moves();
    let refusals = if order.copies { refusals(opened, program, collector.tally()) } else { Vec::new() };
    let mut actions = Vec::new();
    if order.copies && refusals.is_empty() && !moves.is_empty() {
        let target = copies::Target {
            dir: &opened.loaded.job.quarantine.dir.resolved,
            job: &program.job,
            run_id: meta.run_id.as_str(),
            at: meta.started_at.0,
        };
        match copies::keep(&target, program, &opened.set, &brought.identities, &moves) {
            Ok(kept) => actions = kept,
            Err(error) => {
                let failure = Failure::from(error);
                let now = UtcMicros(Utc::now().timestamp_micros());
                collector.abandon(&Outcome::broken(failure.render(false), failure.exit().code(), now))?;
                return Err(failure);
            }
        }
    }
    let counted = counted(program, collector.tally(), order.fail_on);
    let (status, exit) = match (refusals.is_empty(), counted) {
        (false, _) => (RunStatus::Refused, Exit::Refused),
        (true, true) => (RunStatus::Findings, Exit::Findings),
        (true, false) => (RunStatus::Ok, Exit::Ok),
    };
    let mut outcome = Outcome::new(status, exit.code(), UtcMicros(Utc::now().timestamp_micros()));
    outcome.copies = actions.len() as u64;
    outcome.actions = actions;
    outcome.seconds = seconds;
    outcome.bytes_read = Some(brought.bytes);
    outcome.peak_rss = peak_rss();
    outcome.next = next(order, opened, collector.tally(), refusals.is_empty());
    outcome.refusals = refusals;
    Ok(collector.finish(outcome)?)
}

/// Whether there are findings at or above the severity that makes the exit code 1.
fn counted(program: &Program, tally: &Tally, fail_on: FailOn) -> bool {
    let found = tally.by_severity(program);
    match fail_on {
        FailOn::Error => found.error > 0,
        FailOn::Warn => found.error + found.warn > 0,
        FailOn::Never => false,
    }
}

fn refusals(opened: &Opened, program: &Program, tally: &Tally) -> Vec<Refusal> {
    let limits = opened.loaded.job.limits;
    let limits = MoveLimits {
        rows: Some(limits.rows),
        fraction: Some(limits.fraction),
        series_fraction: Some(limits.series_fraction),
    };
    let rules = program.rules.rules.iter().zip(&tally.rules);
    let rules = rules.map(|(rule, tally)| judge::RuleShare {
        rule: &rule.id,
        moves: rule.action > crate::config::Action::Report,
        budget: rule.budget,
        flagged: tally.counts.rows.unsigned_abs(),
        judged: tally.counts.judged.unsigned_abs(),
    });
    judge::over_limits(&limits, &tally.series.rows, tally.series.worst.as_ref(), rules)
}

fn next(order: &Order<'_>, opened: &Opened, tally: &Tally, within: bool) -> Vec<NextStep> {
    let step = |command: String, note: &str| NextStep { command, note: (!note.is_empty()).then(|| note.to_owned()) };
    let mut next = Vec::new();
    let dir = &opened.loaded.job.report_dir.resolved;
    if order.report {
        next.push(step(format!("barkeep report show --dir {}", dir.display()), "the findings, one by one"));
    }
    if !within {
        next.push(step(format!("barkeep check {}", order.path.display()), "look before you raise `[limits]`"));
    } else if order.command == "check" && tally.series.rows.moved() > 0 {
        next.push(step(format!("barkeep run {}", order.path.display()), "keep copies of the bad rows"));
    }
    next
}

fn show(summary: &Summary, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        let mut value = serde_json::to_value(summary)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("type".to_owned(), "summary".into());
        }
        output.line(&value.to_string())?;
    } else if output.terminal() {
        output.line(&render_text(summary, output.colour(), output::width()))?;
    } else {
        output.line(&render_line(summary))?;
    }
    Ok(())
}

/// The half-open window of the flags, else of the job; µs UTC on the scale of the bars' stamps.
fn window(args: &WindowArgs, opened: &Opened) -> Result<Window, Failure> {
    let (zone, daily) = (opened.bars.time.zone, opened.bars.daily());
    let moment = |flag: &str, text: &str| {
        let resolved = Moment::parse(text).and_then(|moment| moment.resolve(zone, daily));
        resolved.map_err(|problem| Failure::Usage(format!("{flag}: {problem}"), "see `barkeep check --help`".into()))
    };
    if args.full {
        return Ok((None, None));
    }
    let mut window = (opened.loaded.job.window.since, opened.loaded.job.window.until);
    if let Some(span) = &args.last {
        let span = parse_duration(span)
            .map_err(|problem| Failure::Usage(format!("--last: {problem}"), "see `barkeep check --help`".into()))?;
        let from = Moment::Instant((Utc::now() - span).timestamp_micros());
        window = (from.resolve(zone, daily).ok(), None);
    }
    if let Some(since) = &args.since {
        window.0 = Some(moment("--since", since)?);
    }
    if let Some(until) = &args.until {
        window.1 = Some(moment("--until", until)?);
    }
    match window {
        (Some(since), Some(until)) if since >= until => {
            let help = "the window is half-open: --until is the first moment that is no longer part of it";
            Err(Failure::Usage("the window is empty".to_owned(), help.to_owned()))
        }
        window => Ok(window),
    }
}

/// The source as the job writes it.
fn label(opened: &Opened) -> String {
    let paths = opened.loaded.job.source.paths.iter().map(|path| path.written.as_str());
    paths.collect::<Vec<_>>().join(", ")
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Most memory this process held so far, in bytes, where the system tells.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
