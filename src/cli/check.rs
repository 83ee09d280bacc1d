//! `barkeep check` and `barkeep run`: hold bars against rules, report, and (for `run`) keep quarantine copies.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::args::{CheckArgs, FailOn, Global, RunArgs, WindowArgs};
use super::exit::{Exit, Failure};
use super::job::{self, Brought, Opened};
use super::output::{self, Output, message};
use super::progress::Progress;
use super::stop::Stop;
use super::window;
use crate::config::{Action, Loaded};
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::engine::{EngineError, plan};
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
use crate::source;

/// What a run of one job is to do.
struct Order<'a> {
    command: &'static str,
    path: &'a Path,
    window: &'a WindowArgs,
    rules: &'a [String],
    series: &'a [String],
    fail_on: FailOn,
    report: bool,
    /// Whether more rows than the job's limits refuse the run.
    limits: bool,
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
        limits: false,
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
        limits: true,
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
    let stop = Stop::listen()?;
    let mut exit = Exit::Ok;
    for order in orders {
        match one(global, &order, &stop, output).await {
            Ok(ended) => exit = exit.worst(ended),
            Err(failure @ Failure::Stopped(_)) => return Err(failure),
            Err(failure) => {
                output.failure(&failure, Some(order.path))?;
                exit = exit.worst(failure.exit());
            }
        }
        // A signal that came while a report was written ends the command after that report.
        if let Some(number) = stop.signal() {
            return Err(Failure::Stopped(number));
        }
    }
    Ok(exit)
}

async fn one(global: &Global, order: &Order<'_>, stop: &Stop, output: &mut Output) -> Result<Exit, Failure> {
    let started = Instant::now();
    let started_at = Utc::now();
    let loaded = Arc::new(job::load(order.path)?);
    let window = window::window(order.window, &loaded.job)?;
    let mut meta = meta(order, &loaded, window, started_at);
    let opened = look(order, &loaded, &meta)?;
    let context = session(&job::engine_limits(global))?;
    let program = Arc::new(job::program(&opened, &context, order.rules)?);
    meta.rules_sha256.clone_from(&program.rules.sha256);
    let mut seconds = StageSeconds { load: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    tracing::info!(job = program.job, rules = program.rules.rules.len(), "loaded");

    let scratch = job::temp_dir(global)?;
    let dir = if order.report { &loaded.job.report_dir.resolved } else { scratch.path() };
    let mut collector = collector(order, dir, &opened, &program, &meta)?;

    let judged = tokio::select! {
        judged = judge(global, order, &opened, &program, window, &mut seconds, &context, &mut collector) => judged,
        number = stop.wait() => Err(Failure::Stopped(number)),
    };
    let brought = match judged {
        Ok(brought) => brought,
        Err(failure) => {
            abandon(order, collector, &failure);
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

/// Looks at the source; where it cannot be looked at, the report says so.
fn look(order: &Order<'_>, loaded: &Arc<Loaded>, meta: &RunMeta) -> Result<Arc<Opened>, Failure> {
    job::look(loaded).map(Arc::new).inspect_err(|failure| {
        if failure.exit() == Exit::Broken {
            let (dir, unseen) = (&loaded.job.report_dir.resolved, Arc::new(job::unseen(loaded)));
            abandon(order, Collector::new(dir, unseen, meta.clone(), Vec::new(), Previous::Unknown), failure);
        }
    })
}

fn collector(
    order: &Order<'_>,
    dir: &Path,
    opened: &Opened,
    program: &Arc<Program>,
    meta: &RunMeta,
) -> Result<Collector, Failure> {
    // A run over a part of the rules or series cannot tell what was fixed.
    let previous = match order.report && order.rules.is_empty() && order.series.is_empty() {
        true => history::previous_findings(dir, &program.job, meta.window)?,
        false => Previous::Unknown,
    };
    let files = opened.set.files.iter().map(|path| path.display().to_string()).collect();
    Ok(Collector::new(dir, Arc::clone(program), meta.clone(), files, previous))
}

fn meta(order: &Order<'_>, loaded: &Loaded, window: Window, started_at: DateTime<Utc>) -> RunMeta {
    RunMeta {
        run_id: RunId::new(started_at, std::process::id(), &loaded.job.name),
        command: order.command.to_owned(),
        trigger: Trigger::Cli,
        started_at: UtcMicros::from(started_at),
        source: label(loaded),
        window,
        watermark_before: None,
        job_sha256: loaded.job_sha256.clone(),
        rules_sha256: String::new(),
        host: host(),
    }
}

/// Leaves nothing of a run but a row that says why. The failure is what the caller tells; where even the row cannot be
/// written, that is told beside it.
fn abandon(order: &Order<'_>, collector: Collector, failure: &Failure) {
    if !order.report {
        return;
    }
    let now = UtcMicros::from(Utc::now());
    let text = failure.render(false);
    let broken = Outcome::broken(text.trim_start_matches("error: "), failure.exit().code(), now);
    let outcome = match failure {
        Failure::Stopped(_) => Outcome { status: RunStatus::Stopped, ..broken },
        _ => broken,
    };
    if let Err(error) = collector.abandon(&outcome) {
        message(&Failure::from(error).render(output::colour_on_stderr()));
    }
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
    collect(stream, opened, program, brought.rows, collector).await?;
    let read = collector.tally().series.rows.read;
    if read == 0 && !window::is_closed(&program.bars, window, window::now(&program.bars)) {
        let source = label(&opened.loaded);
        return Err(Failure::Broken(window::nothing_read(&source, brought.rows, window, opened, order.series).into()));
    }
    for identity in &brought.identities {
        identity.verify_unchanged()?;
    }
    seconds.check = started.elapsed().as_secs_f64();
    Ok(brought)
}

async fn collect(
    mut stream: SendableRecordBatchStream,
    opened: &Arc<Opened>,
    program: &Program,
    rows: Option<u64>,
    collector: &mut Collector,
) -> Result<(), Failure> {
    let mut progress = Progress::new(&format!("{}: judging", program.job), rows);
    loop {
        match stream.try_next().await {
            Ok(Some(batch)) => collector.take(&batch)?,
            Ok(None) => return Ok(()),
            Err(error) => return Err(broke_off(opened, error).await),
        }
        progress.at(collector.tally().series.rows.read);
    }
}

/// Why the bars were not read to their end. A query does not say which Parquet file is damaged: it is looked for.
async fn broke_off(opened: &Arc<Opened>, source: DataFusionError) -> Failure {
    let in_file = matches!(source.find_root(), DataFusionError::ParquetError(_) | DataFusionError::ArrowError(..));
    if in_file && !opened.set.format.is_text() {
        let opened = Arc::clone(opened);
        let damaged = tokio::task::spawn_blocking(move || source::damaged_parquet(&opened.set.files)).await;
        if let Ok(Some(damage)) = damaged {
            return damage.into();
        }
    }
    EngineError::Query { doing: "cannot read and judge the bars to their end", source }.into()
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
    let refusals = if order.limits { refusals(opened, program, collector.tally()) } else { Vec::new() };
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
                abandon(order, collector, &failure);
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
    let mut outcome = Outcome::new(status, exit.code(), UtcMicros::from(Utc::now()));
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
        moves: rule.action > Action::Report,
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
        next.push(step(
            format!("barkeep report show --dir {}", output::typed(&crate::config::load::shown(dir))),
            "the findings, one by one",
        ));
    }
    if !within {
        next.push(step(format!("barkeep check {}", output::typed(order.path)), "look before you raise `[limits]`"));
    } else if order.command == "check" && tally.series.rows.moved() > 0 {
        next.push(step(format!("barkeep run {}", output::typed(order.path)), "keep copies of the bad rows"));
    }
    next
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

/// The source as the job writes it.
fn label(loaded: &Loaded) -> String {
    let paths = loaded.job.source.paths.iter().map(|path| path.written.as_str());
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
