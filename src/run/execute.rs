//! `check`, `plan` and `run`: bars are evaluated and reported, and what is to be moved is said, written down, or moved.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tracing::Instrument;

use super::conclude::{Ending, RunMetaOf, RunResult, conclude, log_end};
use super::evaluate::Evaluated;
use super::facts;
use super::failure::{Exit, Failure};
use super::job::Job;
use super::labels;
use super::lock::JobLock;
use super::log;
use super::namesake;
use super::notify::Notifying;
use super::of_job::OfJob;
use super::open::Opened;
use super::options::{CheckOptions, Goal, Order, PlanOptions, RunOptions};
use super::page;
use super::peak::Peak;
use super::program;
use super::removal::{self, Done};
use super::retention;
use super::state::StagedState;
use super::unfinished::{abandon, is_skipped, skipped};
use super::window;
use crate::decide::Labels;
use crate::durable::Disk;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::engine::twice::Longer;
use crate::report::collector::Collector;
use crate::report::history::{self, Previous};
use crate::report::margins::Coverage;
use crate::report::run::{RunMeta, RunStatus, StageSeconds, Trigger};
use crate::report::run_id::RunId;
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
        let order = Order::from(options);
        if order.goal == (Goal::Run { dry: true }) {
            return self.execute(order).await;
        }
        // What another run does meanwhile is not to be found by its end: a run begins when it has the lock.
        let locked = JobLock::take(self, order.goal.command(), order.if_locked).await;
        let run_id = self.name_run();
        let span = log::of_run(self.name(), &run_id);
        self.run_locked(run_id, order, locked).instrument(span).await
    }

    async fn run_locked(
        &self,
        run_id: RunId,
        order: Order,
        locked: Result<JobLock, Failure>,
    ) -> Result<RunResult, Failure> {
        if let Err(failure) = &locked
            && is_skipped(&order, failure)
        {
            return skipped(self, self.begin(run_id, &order)?.0, failure);
        }
        // Who runs over old windows sits before it; notifications are about the newest bars.
        let notifying = match order.trigger {
            Trigger::Backfill => None,
            _ => Notifying::begin(self, run_id.clone()),
        };
        let notified = async |ended| match notifying {
            Some(notifying) => notifying.end(ended).await,
            None => ended,
        };
        match locked {
            // A run that waits reads what was sent of this one, and may not look back at what goes.
            Ok(_lock) => {
                let ended = notified(self.execute_as(run_id, order).await).await;
                retention::apply(self, &ended);
                ended
            }
            Err(failure) => notified(Err(failure)).await,
        }
    }

    async fn execute(&self, order: Order) -> Result<RunResult, Failure> {
        let run_id = self.name_run();
        let span = log::of_run(self.name(), &run_id);
        self.execute_as(run_id, order).instrument(span).await
    }

    fn name_run(&self) -> RunId {
        RunId::new(self.context.clock.naming(), std::process::id(), self.name())
    }

    async fn execute_as(&self, run_id: RunId, order: Order) -> Result<RunResult, Failure> {
        if order.options.report {
            namesake::reject(&self.loaded)?;
        }
        let name = run_id.clone();
        let (meta, started) = self.begin(run_id, &order)?;
        log::start(&meta);
        let clock = started.clock;
        let ended = match open_reported(self, &order, &meta).await {
            Ok(opened) => {
                // It holds a good deal, which is not for the stack of whoever waits.
                let ended = Box::pin(opened_job(self, &order, &opened, meta, started)).await;
                // A run that broke off on its way still gives its connections back.
                opened.source.close().await;
                ended
            }
            Err(failure) => Err(failure),
        };
        page::write(self, &order, &name);
        log_end(&ended, clock.elapsed().as_secs_f64());
        ended
    }

    /// What a run that begins now is known by, and what counts for it.
    fn begin(&self, run_id: RunId, order: &Order) -> Result<(RunMeta, Started), Failure> {
        let (clock, peak) = (Instant::now(), Peak::begin());
        let now = self.context.clock.now();
        let as_of = window::as_of(order.options.as_of, &self.loaded.job, now)?;
        let started = Started { clock, peak, labels: labels::of_day(&self.loaded, as_of) };
        let window = window::window(&order.options.window, &self.loaded.job, as_of)?;
        let meta = RunMetaOf { command: order.goal.command(), loaded: &self.loaded, window };
        // A window that ends before owes nothing after its end.
        let as_of = window::within(window, &self.loaded.job, as_of);
        let (as_of, trigger) = (UtcMicros::from(as_of), order.trigger);
        Ok((RunMeta { run_id, trigger, as_of, ..meta.meta(now, &self.context.clock) }, started))
    }
}

/// Moves the watermark, where the run came to its end; only now, for its report is there.
fn remember(result: RunResult, state: Option<StagedState>) -> RunResult {
    let ended = matches!(result.exit, Exit::Ok | Exit::Findings);
    match state.filter(|_| ended).map_or(Ok(()), StagedState::publish) {
        Ok(()) => result,
        Err(failure) => RunResult { exit: failure.exit(), failure: Some(failure), ..result },
    }
}

/// When a run began.
struct Started {
    clock: Instant,
    peak: Peak,
    /// What a person decided about findings, and counts on the day that the bars are evaluated for.
    labels: Labels,
}

async fn opened_job(
    job: &Job,
    order: &Order,
    opened: &Arc<Opened>,
    mut meta: RunMeta,
    Started { clock: started, peak, labels }: Started,
) -> Result<RunResult, Failure> {
    let (context, options) = (&job.context, &order.options);
    let scratch = context.scratch()?;
    let session = session(&context.limits_in(&scratch))?;
    let program = program::program_as_of(job, opened, &session, meta.as_of.0)?;
    meta.rules_sha256.clone_from(&program.rules.sha256);
    let whole = Arc::new(program);
    let part = OfJob { job, order, opened, program: &whole, meta: &meta }.part(&labels)?;
    meta.window = part.window(meta.window);
    (meta.watermark_before, meta.changed_since) = (part.watermark, part.scope.map(|scope| scope.changed));
    let program = match part.scope {
        Some(scope) => {
            let program = program::program_as_of(job, opened, &session, meta.as_of.0)?.within(Some(scope));
            Arc::new(part.with_open_days(program))
        }
        None => whole,
    };
    let mut seconds = StageSeconds { load: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    log::stage("load", seconds.load);
    tracing::info!(rules = program.rules.rules.len(), "loaded");
    // A run that reads nothing, for its rules do not fit, leaves nothing either.
    let watched = options.report.then(|| job.watched(&meta));
    let job = watched.as_ref().map_or(job, |watched| &watched.job);
    let context = &job.context;
    let dir = if options.report { &opened.loaded.job.report_dir.resolved } else { scratch.path() };
    let mut collector = collector(job, options, (dir, opened), &program, &meta)?;
    collector.set_labels(labels.clone());
    let of_job = OfJob { job, order, opened, program: &program, meta: &meta };

    // What earlier runs left open is finished first, and a signal waits for that.
    let Done { mut recovered, failure, pending, mut marks, .. } = match order.goal {
        Goal::Run { dry: false } => removal::recover(opened, meta.run_id.as_str(), (context, order.if_locked)).await,
        _ => Done::default(),
    };
    let evaluating = async {
        match failure {
            Some(failure) => Err(failure),
            None => of_job.ingest_and_evaluate(&session, part.beyond, &mut seconds, &mut collector).await,
        }
    };
    let evaluated = tokio::select! {
        evaluated = evaluating => evaluated,
        number = context.stop.wait() => Err(context.stop.stopped(number)),
    };
    // What was read is held until the report is written: it says in which lines rows stand.
    let (moved, _held, longer, state) = match evaluated {
        Ok((ingested, first, Evaluated { seen, longer, open_days, .. })) => {
            let moved = of_job.move_rows((&ingested, &first), &mut collector, &mut seconds).await;
            (moved, Some(ingested), longer, of_job.state((seen.into_series(), open_days), &labels))
        }
        Err(failure) => (Err(failure), None, Longer::default(), None),
    };
    match moved {
        Ok((ending, done)) => {
            let mut done = done.unwrap_or_default();
            // A row that was to leave and stayed is looked at again.
            let state = state.filter(|_| matches!(ending.exit, Exit::Ok | Exit::Findings) && done.counts.all_left());
            let watermark_after = state.as_ref().map(|state| state.watermark.0);
            let state = match state.map(|state| state.stage(&Disk::system(), &opened.loaded.job)).transpose() {
                Ok(staged) => staged,
                Err(failure) => {
                    done.fail(failure);
                    None
                }
            };
            // Where a person asks for a window, only that is reported of any series.
            let beside = if of_job.program.scope.is_some_and(|scope| scope.changed > scope.since) {
                longer.into_series()
            } else {
                BTreeSet::new()
            };
            let ending = Ending { peak, watermark_after, read_whole: beside, ..ending };
            recovered.append(&mut done.recovered);
            let pending = done.pending.take().or(pending);
            marks.append(&mut done.marks);
            let done = Done { recovered, pending, marks, ..done };
            let result = conclude(context, opened, collector, ending, done, seconds).await?;
            Ok(remember(result, state))
        }
        Err(failure) if recovered.is_empty() && pending.is_none() && is_skipped(order, &failure) => {
            opened.source.close().await;
            // It holds the name of the run, which is that of the row that says why it was skipped.
            drop(collector);
            skipped(job, meta, &failure)
        }
        Err(failure) if recovered.is_empty() => {
            opened.source.close().await;
            abandon(job, options, collector, &failure);
            Err(failure)
        }
        // Rows of earlier runs left: that is reported, whatever became of this one.
        Err(failure) => {
            drop(collector);
            let collector = Collector::new(dir, program, meta, Vec::new(), Previous::Unknown);
            let ending = Ending { peak, ..Ending::new(RunStatus::Broken, failure.exit()) };
            let done = Done { recovered, failure: Some(failure), marks, ..Done::default() };
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
        true => history::previous_findings(dir, &program.job, &Coverage::of(program, meta))?,
        false => Previous::Unknown,
    };
    Ok(Collector::new(dir, Arc::clone(program), meta.clone(), opened.source.file_names(), previous))
}
