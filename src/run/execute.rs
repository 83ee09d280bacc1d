//! `check`, `plan` and `run`: bars are evaluated and reported, and what is to be moved is said, written down, or moved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;

use super::conclude::{Ending, RunMetaOf, RunResult, conclude};
use super::evaluate::evaluate;
use super::facts;
use super::failure::{Exit, Failure};
use super::ingest::Ingested;
use super::job::Job;
use super::mistaken::{self, FirstTexts};
use super::namesake;
use super::next::next;
use super::notify::Telling;
use super::open::Opened;
use super::options::{CheckOptions, FailOn, Goal, Order, PlanOptions, RunOptions};
use super::peak::Peak;
use super::plan::Plan;
use super::preview;
use super::program;
use super::removal::{self, Done, Planned};
use super::retention;
use super::window;
use crate::decide::Refusal;
use crate::durable::paths;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::quarantine::plan::Plan as Written;
use crate::report::collector::Collector;
use crate::report::history::{self, Previous};
use crate::report::margins::Margins;
use crate::report::moves::MoveRow;
use crate::report::run::{NextStep, Outcome, RunMeta, RunStatus, StageSeconds};
use crate::report::run_id::RunId;
use crate::report::tally::Tally;
use crate::text::utc::UtcMicros;

impl Job {
    /// Evaluates the bars and reports what is found; never changes the source.
    ///
    /// # Errors
    /// The rules do not fit the source, or it is missing or cannot be read, or the report cannot be written. A source that
    /// breaks off leaves a row in the table `runs` that says so.
    pub async fn check(&self, options: CheckOptions) -> Result<RunResult, Failure> {
        self.execute(options.into()).await
    }

    /// [`Job::check`], and writes down which rows are to be moved: [`RunResult::plan`].
    ///
    /// # Errors
    /// As [`Job::check`]; also where the plan cannot be written.
    pub async fn plan(&self, options: PlanOptions) -> Result<RunResult, Failure> {
        self.execute(options.into()).await
    }

    /// [`Job::check`], and moves what is to be moved to quarantine, inside the limits of the job. One that is over a
    /// limit moves nothing and leaves a plan.
    ///
    /// # Errors
    /// As [`Job::check`]. What fails after rows began to leave is part of the result.
    pub async fn run(&self, options: RunOptions) -> Result<RunResult, Failure> {
        let (run, dry) = (self.name_run(), options.dry_run);
        // A person who tries out a run sees how it ends.
        let telling = if dry { None } else { Telling::begin(self, run.clone()) };
        let ended = self.execute_as(run, options.into()).await;
        let ended = match telling {
            Some(telling) => telling.end(ended).await,
            None => ended,
        };
        if !dry {
            retention::apply(self, &ended);
        }
        ended
    }

    async fn execute(&self, order: Order) -> Result<RunResult, Failure> {
        self.execute_as(self.name_run(), order).await
    }

    fn name_run(&self) -> RunId {
        RunId::new(self.context.clock.naming(), std::process::id(), self.name())
    }

    async fn execute_as(&self, run_id: RunId, order: Order) -> Result<RunResult, Failure> {
        let started = Started { clock: Instant::now(), peak: Peak::begin() };
        let now = self.context.clock.now();
        let as_of = window::as_of(order.options.as_of, &self.loaded.job, now)?;
        let window = window::window(&order.options.window, &self.loaded.job, as_of)?;
        if order.options.report {
            namesake::reject(&self.loaded)?;
        }
        let meta = RunMetaOf { command: order.goal.command(), loaded: &self.loaded, window };
        // A window that ends before owes nothing after its end.
        let as_of = window::within(window, &self.loaded.job, as_of);
        let meta = RunMeta { run_id, as_of: UtcMicros::from(as_of), ..meta.meta(now, &self.context.clock) };
        let opened = open_reported(self, &order, &meta).await?;
        let ended = opened_job(self, &order, &opened, meta, started).await;
        // A run that broke off on its way still gives its connections back.
        opened.source.close().await;
        ended
    }
}

/// When a run began.
struct Started {
    clock: Instant,
    peak: Peak,
}

async fn opened_job(
    job: &Job,
    order: &Order,
    opened: &Arc<Opened>,
    mut meta: RunMeta,
    Started { clock: started, peak }: Started,
) -> Result<RunResult, Failure> {
    let (context, options) = (&job.context, &order.options);
    let scratch = context.scratch()?;
    let session = session(&context.limits_in(&scratch))?;
    let program = Arc::new(program::program_as_of(job, opened, &session, meta.as_of.0)?);
    meta.rules_sha256.clone_from(&program.rules.sha256);
    let mut seconds = StageSeconds { load: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    tracing::info!(job = program.job, rules = program.rules.rules.len(), "loaded");
    let dir = if options.report { &opened.loaded.job.report_dir.resolved } else { scratch.path() };
    let mut collector = collector(job, options, (dir, opened), &program, &meta)?;
    let of_job = OfJob { job, order, opened, program: &program, meta: &meta };

    // What earlier runs left open is finished first, and a signal waits for that.
    let Done { mut recovered, failure, pending, .. } = match order.goal {
        Goal::Run { dry: false } => removal::recover(opened, meta.run_id.as_str(), context).await,
        _ => Done::default(),
    };
    let evaluating = async {
        match failure {
            Some(failure) => Err(failure),
            None => of_job.ingest_and_evaluate(&session, &mut seconds, &mut collector).await,
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
    match moved {
        Ok((ending, done)) => {
            let ending = Ending { peak, ..ending };
            let mut done = done.unwrap_or_default();
            recovered.append(&mut done.recovered);
            let pending = done.pending.take().or(pending);
            conclude(context, opened, collector, ending, Done { recovered, pending, ..done }, seconds).await
        }
        Err(failure) if recovered.is_empty() => {
            opened.source.close().await;
            abandon(job, options, collector, &failure);
            Err(failure)
        }
        // Rows of earlier runs left: that is reported, whatever became of this one.
        Err(failure) => {
            let collector = Collector::new(dir, program, meta, Vec::new(), Previous::Unknown);
            let ending = Ending { peak, ..Ending::new(RunStatus::Broken, failure.exit()) };
            let done = Done { recovered, failure: Some(failure), ..Done::default() };
            conclude(context, opened, collector, ending, done, seconds).await
        }
    }
}

/// Looks at the source; where it cannot be looked at, the report says so.
async fn open_reported(job: &Job, order: &Order, meta: &RunMeta) -> Result<Arc<Opened>, Failure> {
    facts::note_oddities(&job.context, &job.loaded);
    let opened = job.open_source().await.inspect_err(|failure| {
        if failure.exit() == Exit::Broken {
            let unseen = Arc::new(program::unseen(&job.loaded));
            let collector = Collector::new(job.report_dir(), unseen, meta.clone(), Vec::new(), Previous::Unknown);
            abandon(job, &order.options, collector, failure);
        }
    })?;
    let facts = facts::with_moved(&job.context, &opened).await;
    Ok(Arc::new(Opened { facts, ..opened }))
}

fn collector(
    job: &Job,
    options: &CheckOptions,
    (dir, opened): (&Path, &Opened),
    program: &Arc<Program>,
    meta: &RunMeta,
) -> Result<Collector, Failure> {
    // A run over a part of the rules or series does not know what was fixed.
    let previous = match options.report && job.only.is_empty() && options.series.is_empty() {
        true => history::previous_findings(dir, &program.job, meta.window, Margins::of(program, meta.window))?,
        false => Previous::Unknown,
    };
    Ok(Collector::new(dir, Arc::clone(program), meta.clone(), opened.source.file_names(), previous))
}

/// Leaves nothing of a run but a row that says why. The failure is what the caller reports; where even the row cannot be
/// written, that is reported too.
fn abandon(job: &Job, options: &CheckOptions, collector: Collector, failure: &Failure) {
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

/// A job that was opened, and what is to be done.
pub(super) struct OfJob<'a> {
    pub(super) job: &'a Job,
    pub(super) order: &'a Order,
    pub(super) opened: &'a Arc<Opened>,
    pub(super) program: &'a Arc<Program>,
    pub(super) meta: &'a RunMeta,
}

impl OfJob<'_> {
    async fn ingest_and_evaluate(
        &self,
        session: &SessionContext,
        seconds: &mut StageSeconds,
        collector: &mut Collector,
    ) -> Result<(Ingested, FirstTexts), Failure> {
        let Self { job, order, opened, program, meta } = *self;
        let (context, series, window) = (&job.context, &order.options.series, meta.window);
        let mut ingested = opened.ingest(program, context, series).await?;
        seconds.extract = ingested.extract_seconds;
        ingested.input.window = window;
        if order.options.preview {
            preview::first_bars(session, program, &ingested.input)
                .await?
                .lines()
                .iter()
                .for_each(|line| context.note(line));
        }
        collector.look_up_in(ingested.snapshot());
        let started = Instant::now();
        let first = self.evaluate(session, &ingested, collector).await?;
        seconds.check = started.elapsed().as_secs_f64();
        Ok((ingested, first))
    }

    /// Evaluates the bars, and gives the first texts of each field. Where no bar was read although some are expected, or the
    /// files were written to meanwhile, the run is broken.
    pub(super) async fn evaluate(
        &self,
        session: &SessionContext,
        ingested: &Ingested,
        collector: &mut Collector,
    ) -> Result<FirstTexts, Failure> {
        let Self { job, order, opened, program, meta } = *self;
        let (context, window) = (&job.context, meta.window);
        tracing::info!(arrangement = ?ingested.input.arrangement, rows = ingested.rows, "evaluating");
        let compile = || program::program_as_of(job, opened, session, meta.as_of.0);
        evaluate(context, (opened, session), program, ingested, collector, &compile).await?;
        if order.options.series.is_empty() {
            facts::note_unmatched(context, collector.tally(), window == (None, None));
        }
        let read = collector.tally().series.rows.read;
        let now = window::on_scale(&program.bars, meta.as_of.0);
        if read == 0 && !window::is_closed(&program.bars, window, now) {
            let source = opened.loaded.job.source.label();
            let nothing = window::nothing_read(&source, ingested.rows, window, opened, &order.options.series);
            return Err(Failure::Broken(nothing.into()));
        }
        // Not before all was read to its end: that knows better what is damaged.
        let first = FirstTexts::read(session, program, &ingested.input).await?;
        for identity in &ingested.identities {
            identity.verify_unchanged()?;
        }
        Ok(first)
    }

    /// Limits, the plan, and what it moves.
    async fn move_rows(
        &self,
        (ingested, first): (&Ingested, &FirstTexts),
        collector: &mut Collector,
        seconds: &mut StageSeconds,
    ) -> Result<(Ending, Option<Done>), Failure> {
        let Self { job, order, opened, program, meta } = *self;
        let started = Instant::now();
        let fail_on = order.options.fail_on;
        let holds = match order.goal {
            Goal::Plan { holds: Some(holds), .. } => holds,
            _ => removal::PLAN_HOLDS,
        };
        let read = collector.tally().series.rows.read;
        let now = job.context.clock.now();
        let expires_at = UtcMicros::from(now.checked_add_signed(holds).unwrap_or(DateTime::<Utc>::MAX_UTC));
        let planned = Planned { opened, program, meta, ingested, read, expires_at };
        let moves = self.without_kept(&planned, collector).await?;
        let not_evaluated = collector.not_evaluated()?;
        let tally = collector.tally();
        let found = found(program, tally, fail_on) || fail_on == FailOn::Warn && !not_evaluated.is_empty();
        let (status, exit) = if found { (RunStatus::Findings, Exit::Findings) } else { (RunStatus::Ok, Exit::Ok) };
        let dir = &opened.loaded.job.report_dir.resolved;
        let mistakes = mistaken::refusals(opened, program, collector, first);
        if mistakes.is_empty() {
            for doubt in mistaken::doubts(program, first) {
                job.context.note(&format!("note: {doubt}"));
            }
        }
        let refusals = self.refusals(collector, mistakes)?;
        let refused = !refusals.is_empty();
        let (next, bytes) = (next(job, order, opened, tally, refused), Some(ingested.bytes));
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
                done = Some(removal::carry_out(opened, &plan, meta.run_id.as_str(), &job.context).await?);
            }
            _ => self.keep_plan(dir, plan, &mut ending)?,
        }
        seconds.apply = started.elapsed().as_secs_f64();
        Ok((ending, done))
    }

    /// Why the rows that are to be moved are too many, or probably good.
    pub(super) fn refusals(&self, collector: &Collector, mistakes: Vec<Refusal>) -> Result<Vec<Refusal>, Failure> {
        let Self { opened, program, .. } = *self;
        let usual = history::usual_moves(&opened.loaded.job.report_dir.resolved, &program.job)?;
        let mut refusals = removal::refusals(opened, program, collector.tally(), usual);
        refusals.extend(mistakes);
        Ok(refusals)
    }

    /// The rows that are to be moved. Those that a person put back are counted as kept; a check whose user may not look
    /// into the quarantine says that it does not know.
    pub(super) async fn without_kept(
        &self,
        planned: &Planned<'_>,
        collector: &mut Collector,
    ) -> Result<Vec<MoveRow>, Failure> {
        let moves = collector.take_moves();
        let kept = match planned.kept(&moves).await {
            Err(failure) if self.order.goal == Goal::Check => {
                let reason = failure.render(false);
                self.job.context.note(&format!("warning: rows that were put back are not counted apart: {reason}"));
                Vec::new()
            }
            kept => kept?,
        };
        collector.keep(kept.iter().map(|exempt| (&moves[exempt.row], exempt.restored_at)));
        let stays = |index: usize| kept.binary_search_by_key(&index, |exempt| exempt.row).is_ok();
        Ok(moves.into_iter().enumerate().filter(|(index, _)| !stays(*index)).map(|(_, row)| row).collect())
    }

    /// Writes the plan, for a person to look at and to apply.
    fn keep_plan(&self, dir: &Path, written: Written, ending: &mut Ending) -> Result<(), Failure> {
        let path: PathBuf = match &self.order.goal {
            Goal::Plan { file: Some(file), .. } => file.clone(),
            _ => removal::plan_path(dir, self.meta.run_id.as_str()),
        };
        let note = self.opened.source.removal()?.what_moves(&written);
        written.write(&path)?;
        let (context, made_by) = (self.job.context.clone(), Some(self.job.clone()));
        let plan = Plan { context, written, path: paths::tidy(&path), made_by };
        match self.opened.source.check_only() {
            None => ending.next.push(NextStep { command: plan.command(), note: Some(note) }),
            Some((reason, remedy)) => self.job.context.note(&format!("the plan is a list: {reason}; {remedy}")),
        }
        (ending.status, ending.exit) = match (ending.refusals.is_empty(), plan.rows().is_empty()) {
            (false, _) => (RunStatus::Refused, Exit::Refused),
            (true, false) => (RunStatus::Findings, Exit::Findings),
            (true, true) => (RunStatus::Ok, Exit::Ok),
        };
        ending.plan = Some(plan);
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
