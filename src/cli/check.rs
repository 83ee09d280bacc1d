//! `barkeep check`, `barkeep plan` and `barkeep run`: hold bars against rules, report, and say or do what is to be moved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{TimeDelta, Utc};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::args::{CheckArgs, FailOn, Global, PlanArgs, RunArgs, WindowArgs};
use super::conclude::{Ending, RunMetaOf, conclude};
use super::exit::{Exit, Failure};
use super::ingest::{self, Ingested};
use super::job;
use super::open::{self, At, Opened};
use super::output::{self, Output, message};
use super::progress::Progress;
use super::removal::{self, Done, Planned};
use super::stop::Stop;
use super::window;
use crate::config::Loaded;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::engine::{EngineError, plan};
use crate::quarantine::plan::Plan;
use crate::report::collector::Collector;
use crate::report::history::{self, Previous};
use crate::report::run::{NextStep, Outcome, RunMeta, RunStatus, StageSeconds};
use crate::report::tally::Tally;
use crate::report::utc::UtcMicros;
use crate::source;

/// What a run of one job is to do.
struct Order<'a> {
    goal: Goal<'a>,
    path: &'a Path,
    window: &'a WindowArgs,
    rules: &'a [String],
    series: &'a [String],
    fail_on: FailOn,
    report: bool,
}

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal<'a> {
    /// It reports.
    Check,
    /// It writes down what is to be moved; to this file, where one is named.
    Plan { file: Option<&'a Path>, holds: TimeDelta },
    /// It moves what is to be moved, inside the limits.
    Run { dry: bool },
}

impl Goal<'_> {
    fn command(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Plan { .. } => "plan",
            Self::Run { .. } => "run",
        }
    }
}

/// `barkeep check`.
pub(crate) async fn check(global: &Global, args: &CheckArgs, output: &mut Output) -> Result<Exit, Failure> {
    let order = |path| Order {
        goal: Goal::Check,
        path,
        window: &args.window,
        rules: &args.rules,
        series: &args.series,
        fail_on: args.fail_on,
        report: !args.no_report,
    };
    each(global, args.jobs.iter().map(|path| order(path.as_path())), output).await
}

/// `barkeep plan`.
pub(crate) async fn plan(global: &Global, args: &PlanArgs, output: &mut Output) -> Result<Exit, Failure> {
    let wrong = |problem: String| Failure::Usage(format!("--holds: {problem}"), "e.g. `--holds 3d`".to_owned());
    let holds = args.holds.as_deref().map(crate::schema::moment::parse_duration).transpose().map_err(wrong)?;
    let order = Order {
        goal: Goal::Plan { file: args.output.as_deref(), holds: holds.unwrap_or(removal::PLAN_HOLDS) },
        path: &args.job,
        window: &args.window,
        rules: &[],
        series: &[],
        fail_on: FailOn::Error,
        report: true,
    };
    each(global, std::iter::once(order), output).await
}

/// `barkeep run`.
pub(crate) async fn run(global: &Global, args: &RunArgs, output: &mut Output) -> Result<Exit, Failure> {
    let order = |path| Order {
        goal: Goal::Run { dry: args.dry_run },
        path,
        window: &args.window,
        rules: &[],
        series: &[],
        fail_on: args.fail_on,
        report: true,
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
            Err(failure @ Failure::Stopped { .. }) => return Err(failure),
            Err(failure) => {
                output.failure(&failure, Some(order.path))?;
                exit = exit.worst(failure.exit());
            }
        }
        // A signal that came while a report was written ends the command after that report.
        if let Some(number) = stop.signal() {
            return Err(stop.stopped(number));
        }
    }
    Ok(exit)
}

async fn one(global: &Global, order: &Order<'_>, stop: &Stop, output: &mut Output) -> Result<Exit, Failure> {
    let started = Instant::now();
    let started_at = Utc::now();
    let loaded = Arc::new(job::load(order.path)?);
    let window = window::window(order.window, &loaded.job)?;
    let meta = RunMetaOf { command: order.goal.command(), loaded: &loaded, window }.meta(started_at);
    let opened = look(order, &loaded, &meta).await?;
    let ended = one_opened(global, order, &opened, meta, started, stop, output).await;
    // A run that broke off on its way still gives its connections back.
    opened.close().await;
    ended
}

async fn one_opened(
    global: &Global,
    order: &Order<'_>,
    opened: &Arc<Opened>,
    mut meta: RunMeta,
    started: Instant,
    stop: &Stop,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let scratch = job::temp_dir(global)?;
    let context = session(&job::limits_in(global, &scratch))?;
    let program = Arc::new(job::program(opened, &context, order.rules)?);
    meta.rules_sha256.clone_from(&program.rules.sha256);
    let mut seconds = StageSeconds { load: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    tracing::info!(job = program.job, rules = program.rules.rules.len(), "loaded");

    let dir = if order.report { &opened.loaded.job.report_dir.resolved } else { scratch.path() };
    let mut collector = collector(order, dir, opened, &program, &meta)?;

    // What earlier runs left open is finished first, and a signal waits for that.
    let Done { mut recovered, failure, pending, .. } = match order.goal {
        Goal::Run { dry: false } => removal::recover(opened, meta.run_id.as_str(), stop).await,
        _ => Done::default(),
    };
    let evaluating = async {
        match failure {
            Some(failure) => Err(failure),
            None => evaluate(global, order, opened, &program, &meta, &mut seconds, &context, &mut collector).await,
        }
    };
    let evaluated = tokio::select! {
        evaluated = evaluating => evaluated,
        number = stop.wait() => Err(stop.stopped(number)),
    };
    let counts = match evaluated {
        Ok(ingested) => move_rows(order, opened, &program, &meta, &ingested, &mut collector, stop, &mut seconds).await,
        Err(failure) => Err(failure),
    };
    match counts {
        Ok((ending, done)) => {
            let mut done = done.unwrap_or_default();
            recovered.append(&mut done.recovered);
            let pending = done.pending.take().or(pending);
            conclude(opened, collector, ending, Done { recovered, pending, ..done }, seconds, stop, output).await
        }
        Err(failure) if recovered.is_empty() => {
            opened.close().await;
            abandon(order, collector, &failure);
            Err(failure)
        }
        // Rows of earlier runs left: that is reported, whatever became of this one.
        Err(failure) => {
            let collector = Collector::new(dir, program, meta, Vec::new(), Previous::Unknown);
            let ending = Ending::broken(failure.exit());
            let done = Done { recovered, failure: Some(failure), ..Done::default() };
            conclude(opened, collector, ending, done, seconds, stop, output).await
        }
    }
}

/// Looks at the source; where it cannot be looked at, the report says so.
async fn look(order: &Order<'_>, loaded: &Arc<Loaded>, meta: &RunMeta) -> Result<Arc<Opened>, Failure> {
    open::look(loaded).await.map(Arc::new).inspect_err(|failure| {
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
    Ok(Collector::new(dir, Arc::clone(program), meta.clone(), opened.file_names(), previous))
}

/// Leaves nothing of a run but a row that says why. The failure is what the caller tells; where even the row cannot be
/// written, that is reported beside it.
fn abandon(order: &Order<'_>, collector: Collector, failure: &Failure) {
    if !order.report {
        return;
    }
    let now = UtcMicros::from(Utc::now());
    let text = failure.render(false);
    let broken = Outcome::broken(text.trim_start_matches("error: "), failure.exit().code(), now);
    let outcome = match failure {
        Failure::Stopped { .. } => Outcome { status: RunStatus::Stopped, ..broken },
        _ => broken,
    };
    if let Err(error) = collector.abandon(&outcome) {
        message(&Failure::from(error).render(output::colour_on_stderr()));
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a run, each made by its own step")]
async fn evaluate(
    global: &Global,
    order: &Order<'_>,
    opened: &Arc<Opened>,
    program: &Arc<Program>,
    meta: &RunMeta,
    seconds: &mut StageSeconds,
    context: &datafusion::prelude::SessionContext,
    collector: &mut Collector,
) -> Result<Ingested, Failure> {
    let window = meta.window;
    let mut ingested = ingest::ingest(opened, program, global, order.series).await?;
    seconds.extract = ingested.extract_seconds;
    ingested.input.window = window;
    let started = Instant::now();
    tracing::info!(arrangement = ?ingested.input.arrangement, rows = ingested.rows, "evaluating");
    let stream = plan::run(context, program, &ingested.input).await?;
    collect(stream, opened, program, ingested.rows, collector).await?;
    let read = collector.tally().series.rows.read;
    if read == 0 && !window::is_closed(&program.bars, window, window::now(&program.bars)) {
        let source = opened.loaded.job.source.label();
        return Err(Failure::Broken(window::nothing_read(&source, ingested.rows, window, opened, order.series).into()));
    }
    for identity in &ingested.identities {
        identity.verify_unchanged()?;
    }
    seconds.check = started.elapsed().as_secs_f64();
    Ok(ingested)
}

async fn collect(
    mut stream: SendableRecordBatchStream,
    opened: &Arc<Opened>,
    program: &Program,
    rows: Option<u64>,
    collector: &mut Collector,
) -> Result<(), Failure> {
    let mut progress = Progress::new(&format!("{}: evaluating", program.job), rows);
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
    if in_file
        && let At::Files(set) = &opened.at
        && !set.format.is_text()
    {
        let files = set.files.clone();
        let damaged = tokio::task::spawn_blocking(move || source::damaged_parquet(&files)).await;
        if let Ok(Some(damage)) = damaged {
            return damage.into();
        }
    }
    EngineError::Query { doing: "cannot read and evaluate the bars to their end", source }.into()
}

/// Limits, the plan, and what it moves.
#[expect(clippy::too_many_arguments, reason = "the parts of a run, each made by its own step")]
async fn move_rows(
    order: &Order<'_>,
    opened: &Arc<Opened>,
    program: &Program,
    meta: &RunMeta,
    ingested: &Ingested,
    collector: &mut Collector,
    stop: &Stop,
    seconds: &mut StageSeconds,
) -> Result<(Ending, Option<Done>), Failure> {
    let started = Instant::now();
    let moves = collector.take_moves();
    let tally = collector.tally();
    let not_evaluated = collector.not_evaluated()?;
    let counted = counted(program, tally, order.fail_on) || order.fail_on == FailOn::Warn && !not_evaluated.is_empty();
    let (status, exit) = if counted { (RunStatus::Findings, Exit::Findings) } else { (RunStatus::Ok, Exit::Ok) };
    let next = next(order, opened, tally);
    let mut ending = Ending { status, exit, refusals: Vec::new(), not_evaluated, next, bytes: Some(ingested.bytes) };
    if order.goal == Goal::Check {
        return Ok((ending, None));
    }
    let dir = &opened.loaded.job.report_dir.resolved;
    let usual = history::usual_moves(dir, &program.job)?;
    let holds = if let Goal::Plan { holds, .. } = order.goal { holds } else { removal::PLAN_HOLDS };
    let job_file = std::path::absolute(order.path)?;
    let read = tally.series.rows.read;
    let planned = Planned { opened, program, meta, job_file: &job_file, ingested, read, holds };
    let over = |rows| removal::refusals(opened, program, tally, usual, rows);
    let (plan, refusals) = planned.plan(&moves, over).await?;
    drop(moves);
    let refused = !refusals.is_empty();
    ending.refusals = refusals;
    if order.goal == (Goal::Run { dry: true }) {
        if refused {
            (ending.status, ending.exit) = (RunStatus::Refused, Exit::Refused);
        }
        return Ok((ending, None));
    }
    let mut done = None;
    match order.goal {
        Goal::Run { .. } if plan.rows.is_empty() && !refused => {}
        Goal::Run { .. } if !refused => {
            crate::report::check_writable(dir)?;
            done = Some(removal::carry_out(opened, &plan, meta.run_id.as_str(), stop).await?);
        }
        _ => keep_plan(order, dir, meta, &plan, &mut ending)?,
    }
    seconds.apply = started.elapsed().as_secs_f64();
    Ok((ending, done))
}

/// Writes the plan, for a person to look at and to apply.
fn keep_plan(order: &Order<'_>, dir: &Path, meta: &RunMeta, plan: &Plan, ending: &mut Ending) -> Result<(), Failure> {
    let path: PathBuf = match order.goal {
        Goal::Plan { file: Some(file), .. } => file.to_path_buf(),
        _ => removal::plan_path(dir, meta.run_id.as_str()),
    };
    plan.write(&path)?;
    let shown = crate::config::load::shown(&path);
    let command = format!("barkeep apply {} --confirm {}", output::typed(&shown), plan.confirmation());
    let note = removal::files::what_moves(plan);
    ending.next.push(NextStep { command, note: Some(note) });
    (ending.status, ending.exit) = match (ending.refusals.is_empty(), plan.rows.is_empty()) {
        (false, _) => (RunStatus::Refused, Exit::Refused),
        (true, false) => (RunStatus::Findings, Exit::Findings),
        (true, true) => (RunStatus::Ok, Exit::Ok),
    };
    Ok(())
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

fn next(order: &Order<'_>, opened: &Opened, tally: &Tally) -> Vec<NextStep> {
    let step = |command: String, note: &str| NextStep { command, note: (!note.is_empty()).then(|| note.to_owned()) };
    let mut next = Vec::new();
    let dir = &opened.loaded.job.report_dir.resolved;
    if order.report {
        next.push(step(
            format!("barkeep report show --dir {}", output::typed(&crate::config::load::shown(dir))),
            "the findings, one by one",
        ));
    }
    let path = output::typed(order.path);
    if tally.series.rows.moved() > 0 {
        match order.goal {
            Goal::Check => next.push(step(format!("barkeep plan {path}"), "what would be moved, for review")),
            Goal::Run { dry: true } => next.push(step(format!("barkeep run {path}"), "move bad rows to quarantine")),
            Goal::Run { dry: false } => next.push(step(format!("barkeep quarantine list {path}"), "what was moved")),
            Goal::Plan { .. } => {}
        }
    }
    next
}
