//! `check`, `plan` and `run`: bars are evaluated and reported, and what is to be moved is said, written down, or moved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;

use super::conclude::{Ended, Ending, RunMetaOf, conclude};
use super::context::Context;
use super::evaluate::collect;
use super::failure::{Exit, Failure};
use super::ingest::Ingested;
use super::job;
use super::load::load_only;
use super::mistaken::{self, FirstTexts};
use super::namesake;
use super::open::{self, Opened};
use super::order::{FailOn, Goal, Order};
use super::peak::Peak;
use super::preview;
use super::removal::{self, Done, Planned};
use super::shell::typed;
use super::source::{self, SourceKind};
use super::window;
use crate::config::Loaded;
use crate::durable::paths;
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::quarantine::plan::Plan;
use crate::report::collector::Collector;
use crate::report::history::{self, Previous};
use crate::report::moves::MoveRow;
use crate::report::run::{NextStep, Outcome, PlanNote, RunMeta, RunStatus, StageSeconds};
use crate::report::tally::Tally;
use crate::text::utc::UtcMicros;

/// Runs one job.
///
/// # Errors
/// The job, its rules or its source are wrong, or the report cannot be written. A source that breaks off leaves a row in
/// `runs` that says so. What fails after rows began to leave is part of the report and of [`Ended`].
pub async fn execute(context: &Context, order: &Order) -> Result<Ended, Failure> {
    let started = Started { at: Utc::now(), clock: Instant::now(), peak: Peak::begin() };
    let loaded = Arc::new(load_only(&order.job, &order.rules)?);
    execute_over(context, order, &loaded, &*source::of_job(&loaded), started).await
}

/// When a run began.
pub(super) struct Started {
    pub(super) at: DateTime<Utc>,
    pub(super) clock: Instant,
    pub(super) peak: Peak,
}

/// The same over a source of whatever kind.
pub(super) async fn execute_over(
    context: &Context,
    order: &Order,
    loaded: &Arc<Loaded>,
    source: &dyn SourceKind,
    started: Started,
) -> Result<Ended, Failure> {
    let window = window::window(&order.window, &loaded.job)?;
    if order.report {
        namesake::reject(loaded)?;
    }
    let meta = RunMetaOf { command: order.goal.command(), loaded, window }.meta(started.at);
    let opened = look(context, order, (loaded, source), &meta).await?;
    let ended = opened_job(context, order, &opened, meta, started).await;
    // A run that broke off on its way still gives its connections back.
    opened.source.close().await;
    ended
}

async fn opened_job(
    context: &Context,
    order: &Order,
    opened: &Arc<Opened>,
    mut meta: RunMeta,
    Started { clock: started, peak, .. }: Started,
) -> Result<Ended, Failure> {
    let scratch = context.scratch()?;
    let session = session(&context.limits_in(&scratch))?;
    let program = Arc::new(job::program(opened, &session, &order.rules)?);
    meta.rules_sha256.clone_from(&program.rules.sha256);
    let mut seconds = StageSeconds { load: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    tracing::info!(job = program.job, rules = program.rules.rules.len(), "loaded");
    let dir = if order.report { &opened.loaded.job.report_dir.resolved } else { scratch.path() };
    let mut collector = collector(order, dir, opened, &program, &meta)?;
    let of_job = OfJob { context, order, opened, program: &program, meta: &meta };

    // What earlier runs left open is finished first, and a signal waits for that.
    let Done { mut recovered, failure, pending, .. } = match order.goal {
        Goal::Run { dry: false } => removal::recover(opened, meta.run_id.as_str(), context).await,
        _ => Done::default(),
    };
    let evaluating = async {
        match failure {
            Some(failure) => Err(failure),
            None => of_job.evaluate(&session, &mut seconds, &mut collector).await,
        }
    };
    let evaluated = tokio::select! {
        evaluated = evaluating => evaluated,
        number = context.stop.wait() => Err(context.stop.stopped(number)),
    };
    // What was read is held until the report is written: it says in which lines rows stand.
    let (moved, _held) = match evaluated {
        Ok((ingested, first)) => {
            (of_job.move_rows((&ingested, &first), &mut collector, &mut seconds).await, Some(ingested))
        }
        Err(failure) => (Err(failure), None),
    };
    let stop = &context.stop;
    match moved {
        Ok((ending, done)) => {
            let ending = Ending { peak, ..ending };
            let mut done = done.unwrap_or_default();
            recovered.append(&mut done.recovered);
            let pending = done.pending.take().or(pending);
            conclude(opened, collector, ending, Done { recovered, pending, ..done }, seconds, stop).await
        }
        Err(failure) if recovered.is_empty() => {
            opened.source.close().await;
            abandon(context, order, collector, &failure);
            Err(failure)
        }
        // Rows of earlier runs left: that is reported, whatever became of this one.
        Err(failure) => {
            let collector = Collector::new(dir, program, meta, Vec::new(), Previous::Unknown);
            let ending = Ending { peak, ..Ending::new(RunStatus::Broken, failure.exit()) };
            let done = Done { recovered, failure: Some(failure), ..Done::default() };
            conclude(opened, collector, ending, done, seconds, stop).await
        }
    }
}

/// Looks at the source; where it cannot be looked at, the report says so.
async fn look(
    context: &Context,
    order: &Order,
    (loaded, source): (&Arc<Loaded>, &dyn SourceKind),
    meta: &RunMeta,
) -> Result<Arc<Opened>, Failure> {
    open::look_at(loaded, source).await.map(Arc::new).inspect_err(|failure| {
        if failure.exit() == Exit::Broken {
            let (dir, unseen) = (&loaded.job.report_dir.resolved, Arc::new(job::unseen(loaded)));
            let collector = Collector::new(dir, unseen, meta.clone(), Vec::new(), Previous::Unknown);
            abandon(context, order, collector, failure);
        }
    })
}

fn collector(
    order: &Order,
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
    Ok(Collector::new(dir, Arc::clone(program), meta.clone(), opened.source.file_names(), previous))
}

/// Leaves nothing of a run but a row that says why. The failure is what the caller tells; where even the row cannot be
/// written, that is reported too.
fn abandon(context: &Context, order: &Order, collector: Collector, failure: &Failure) {
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
        context.note(&Failure::from(error).render(false));
    }
}

/// A job that was opened, and what is to be done.
struct OfJob<'a> {
    context: &'a Context,
    order: &'a Order,
    opened: &'a Arc<Opened>,
    program: &'a Arc<Program>,
    meta: &'a RunMeta,
}

impl OfJob<'_> {
    async fn evaluate(
        &self,
        session: &SessionContext,
        seconds: &mut StageSeconds,
        collector: &mut Collector,
    ) -> Result<(Ingested, FirstTexts), Failure> {
        let Self { context, order, opened, program, meta } = *self;
        let window = meta.window;
        let mut ingested = opened.ingest(program, context, &order.series).await?;
        seconds.extract = ingested.extract_seconds;
        ingested.input.window = window;
        if order.preview {
            preview::of(session, program, &ingested.input).await?.lines().iter().for_each(|line| context.note(line));
        }
        collector.look_up_in(ingested.snapshot());
        let started = Instant::now();
        tracing::info!(arrangement = ?ingested.input.arrangement, rows = ingested.rows, "evaluating");
        let stream = plan::run(session, program, &ingested.input).await?;
        collect(context, opened, program, ingested.rows, (stream, &mut *collector)).await?;
        let read = collector.tally().series.rows.read;
        if read == 0 && !window::is_closed(&program.bars, window, window::now(&program.bars)) {
            let source = opened.loaded.job.source.label();
            let nothing = window::nothing_read(&source, ingested.rows, window, opened, &order.series);
            return Err(Failure::Broken(nothing.into()));
        }
        // Not before all was read to its end: that knows better what is damaged.
        let first = FirstTexts::read(session, program, &ingested.input).await?;
        for identity in &ingested.identities {
            identity.verify_unchanged()?;
        }
        seconds.check = started.elapsed().as_secs_f64();
        Ok((ingested, first))
    }

    /// Limits, the plan, and what it moves.
    async fn move_rows(
        &self,
        (ingested, first): (&Ingested, &FirstTexts),
        collector: &mut Collector,
        seconds: &mut StageSeconds,
    ) -> Result<(Ending, Option<Done>), Failure> {
        let Self { context, order, opened, program, meta } = *self;
        let started = Instant::now();
        let holds = match order.goal {
            Goal::Plan { holds: Some(holds), .. } => holds,
            _ => removal::PLAN_HOLDS,
        };
        let read = collector.tally().series.rows.read;
        let planned = Planned { opened, program, meta, job_file: &opened.loaded.job_file, ingested, read, holds };
        let moves = self.without_kept(&planned, collector).await?;
        let not_evaluated = collector.not_evaluated()?;
        let tally = collector.tally();
        let found = found(program, tally, order.fail_on) || order.fail_on == FailOn::Warn && !not_evaluated.is_empty();
        let (status, exit) = if found { (RunStatus::Findings, Exit::Findings) } else { (RunStatus::Ok, Exit::Ok) };
        let dir = &opened.loaded.job.report_dir.resolved;
        let usual = history::usual_moves(dir, &program.job)?;
        let mut refusals = removal::refusals(opened, program, tally, usual);
        let mistakes = mistaken::refusals(opened, program, collector, first);
        if mistakes.is_empty() {
            for doubt in mistaken::doubts(program, first) {
                context.note(&format!("note: {doubt}"));
            }
        }
        refusals.extend(mistakes);
        let refused = !refusals.is_empty();
        let (next, bytes) = (next(order, opened, tally, refused), Some(ingested.bytes));
        let mut ending = Ending { refusals, not_evaluated, next, bytes, ..Ending::new(status, exit) };
        if order.goal == Goal::Check {
            return Ok((ending, None));
        }
        let plan = planned.plan(&moves, &ending.refusals).await?;
        drop(moves);
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
                done = Some(removal::carry_out(opened, &plan, meta.run_id.as_str(), context).await?);
            }
            _ => self.keep_plan(dir, &plan, &mut ending)?,
        }
        seconds.apply = started.elapsed().as_secs_f64();
        Ok((ending, done))
    }

    /// The rows that are to be moved. Those that a person put back are counted as kept; a check whose user may not look
    /// into the quarantine says that it cannot tell.
    async fn without_kept(&self, planned: &Planned<'_>, collector: &mut Collector) -> Result<Vec<MoveRow>, Failure> {
        let moves = collector.take_moves();
        let kept = match planned.kept(&moves).await {
            Err(failure) if self.order.goal == Goal::Check => {
                let reason = failure.render(false);
                self.context.note(&format!("warning: rows that were put back are not counted apart: {reason}"));
                Vec::new()
            }
            kept => kept?,
        };
        collector.keep(kept.iter().map(|index| &moves[*index]));
        let stays = |index: usize| kept.binary_search(&index).is_ok();
        Ok(moves.into_iter().enumerate().filter(|(index, _)| !stays(*index)).map(|(_, row)| row).collect())
    }

    /// Writes the plan, for a person to look at and to apply.
    fn keep_plan(&self, dir: &Path, plan: &Plan, ending: &mut Ending) -> Result<(), Failure> {
        let path: PathBuf = match &self.order.goal {
            Goal::Plan { file: Some(file), .. } => file.clone(),
            _ => removal::plan_path(dir, self.meta.run_id.as_str()),
        };
        let note = self.opened.source.removal()?.what_moves(plan);
        plan.write(&path)?;
        let path = paths::tidy(&path);
        let command = format!("barkeep apply {} --confirm {}", typed(&path), plan.confirmation());
        match self.opened.source.check_only() {
            None => ending.next.push(NextStep { command, note: Some(note) }),
            Some((reason, remedy)) => self.context.note(&format!("the plan is a list: {reason}; {remedy}")),
        }
        ending.plan = Some(PlanNote { path: path.display().to_string(), confirmation: plan.confirmation() });
        (ending.status, ending.exit) = match (ending.refusals.is_empty(), plan.rows.is_empty()) {
            (false, _) => (RunStatus::Refused, Exit::Refused),
            (true, false) => (RunStatus::Findings, Exit::Findings),
            (true, true) => (RunStatus::Ok, Exit::Ok),
        };
        Ok(())
    }
}

/// Whether there are findings at or above the severity that makes the exit code 1.
fn found(program: &Program, tally: &Tally, fail_on: FailOn) -> bool {
    let found = tally.by_severity(program);
    match fail_on {
        FailOn::Error => found.error > 0,
        FailOn::Warn => found.error + found.warn > 0,
        FailOn::Never => false,
    }
}

fn next(order: &Order, opened: &Opened, tally: &Tally, refused: bool) -> Vec<NextStep> {
    let step = |command: String, note: &str| NextStep { command, note: (!note.is_empty()).then(|| note.to_owned()) };
    let mut next = Vec::new();
    let dir = &opened.loaded.job.report_dir.resolved;
    if order.report {
        next.push(step(format!("barkeep report show --dir {}", typed(dir)), "the findings, one by one"));
    }
    let path = typed(&order.job);
    if tally.series.rows.moved() > 0 {
        match order.goal {
            Goal::Check if refused => {
                let note = "what would be moved, for review; a run is refused, for that is over a limit";
                next.push(step(format!("barkeep plan {path}"), note));
            }
            Goal::Check => next.push(step(format!("barkeep plan {path}"), "what would be moved, for review")),
            Goal::Run { dry: true } if refused || opened.source.check_only().is_some() => {}
            Goal::Run { dry: true } => next.push(step(format!("barkeep run {path}"), "move bad rows to quarantine")),
            Goal::Run { dry: false } => next.push(step(format!("barkeep quarantine list {path}"), "what was moved")),
            Goal::Plan { .. } => {}
        }
    }
    next
}
