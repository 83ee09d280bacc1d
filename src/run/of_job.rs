//! A job over a source that was opened: bars are evaluated, and what is to be moved is said, written down, or moved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;

use super::conclude::{Ending, found};
use super::evaluate::{Evaluated, evaluate};
use super::facts;
use super::failure::{Exit, Failure};
use super::ingest::{Beyond, Ingested};
use super::job::Job;
use super::labels;
use super::mistaken::{self, FirstTexts};
use super::next::next;
use super::open::Opened;
use super::options::{Goal, Order};
use super::plan::Plan;
use super::preview;
use super::program;
use super::removal::{self, Done, Planned};
use super::source::Within;
use super::unfinished::is_skipped;
use super::window;
use crate::decide::{FailOn, Refusal};
use crate::durable::paths;
use crate::engine::program::Program;
use crate::engine::twice::Longer;
use crate::quarantine::plan::Plan as Written;
use crate::report::collector::Collector;
use crate::report::history;
use crate::report::moves::MoveRow;
use crate::report::run::{NextStep, RunMeta, RunStatus, StageSeconds, Trigger};
use crate::text::utc::UtcMicros;

/// A job that was opened, and what is to be done.
pub(super) struct OfJob<'a> {
    pub(super) job: &'a Job,
    pub(super) order: &'a Order,
    pub(super) opened: &'a Arc<Opened>,
    pub(super) program: &'a Arc<Program>,
    pub(super) meta: &'a RunMeta,
}

impl OfJob<'_> {
    /// Brings the bars within reach, with what lies before their window, and evaluates them.
    pub(super) async fn ingest_and_evaluate(
        &self,
        session: &SessionContext,
        beyond: Beyond,
        seconds: &mut StageSeconds,
        collector: &mut Collector,
    ) -> Result<(Ingested, FirstTexts, Evaluated), Failure> {
        let Self { job, order, opened, program, meta } = *self;
        let (context, series) = (&job.context, &order.options.series);
        let window = (program.read_from().max(beyond.earliest), meta.window.1);
        let mut besides = Some(BTreeSet::new());
        loop {
            let whole: Vec<String> = besides.iter().flatten().cloned().collect();
            let within = besides.is_some().then_some(Within { window, besides: &whole });
            let mut ingested = opened.ingest(program, context, (series, within)).await?;
            seconds.extract += ingested.extract_seconds;
            ingested.input.window = window;
            ingested.beyond = beyond.clone();
            if order.options.preview {
                let first = preview::first_bars(session, program, &ingested.input).await?;
                first.lines().iter().for_each(|line| context.note(line));
            }
            collector.look_up_in(ingested.snapshot());
            let started = Instant::now();
            let evaluated = self.evaluate_once(session, &ingested, collector).await?;
            if evaluated.is_short {
                // The source is asked again, for all bars of these series too.
                besides = whole_series(besides.take(), &evaluated.longer);
                collector.begin_again();
                seconds.check += started.elapsed().as_secs_f64();
                continue;
            }
            let first = self.conclude_evaluation(session, &ingested, collector).await?;
            seconds.check += started.elapsed().as_secs_f64();
            return Ok((ingested, first, evaluated));
        }
    }

    /// Evaluates the bars, and gives the first texts of each field. Where no bar was read although some are expected, or the
    /// files were written to meanwhile, the run is broken.
    pub(super) async fn evaluate(
        &self,
        session: &SessionContext,
        ingested: &Ingested,
        collector: &mut Collector,
    ) -> Result<(FirstTexts, Evaluated), Failure> {
        let evaluated = self.evaluate_once(session, ingested, collector).await?;
        Ok((self.conclude_evaluation(session, ingested, collector).await?, evaluated))
    }

    async fn evaluate_once(
        &self,
        session: &SessionContext,
        ingested: &Ingested,
        collector: &mut Collector,
    ) -> Result<Evaluated, Failure> {
        let Self { job, opened, program, meta, .. } = *self;
        tracing::info!(arrangement = ?ingested.input.arrangement, rows = ingested.rows, "evaluating");
        let compile = || Ok(program::program_as_of(job, opened, session, meta.as_of.0)?.within(program.scope));
        evaluate(&job.context, (opened, session), program, ingested, collector, &compile).await
    }

    /// Notes what the bars show besides findings, and gives the first texts of each field; see [`OfJob::evaluate`] for errors.
    async fn conclude_evaluation(
        &self,
        session: &SessionContext,
        ingested: &Ingested,
        collector: &Collector,
    ) -> Result<FirstTexts, Failure> {
        let Self { job, order, opened, program, meta } = *self;
        let (context, window) = (&job.context, meta.window);
        if order.options.series.is_empty() {
            let whole = window == (None, None);
            facts::note_unmatched(context, collector.tally(), whole);
            if whole && job.only.is_empty() {
                labels::note_gone(context, &opened.loaded.labels, collector);
            }
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
    pub(super) async fn move_rows(
        &self,
        (ingested, first): (&Ingested, &FirstTexts),
        collector: &mut Collector,
        seconds: &mut StageSeconds,
    ) -> Result<(Ending, Option<Done>), Failure> {
        let Self { job, order, opened, program, meta } = *self;
        let started = Instant::now();
        let fail_on = order.options.fail_on.unwrap_or(opened.loaded.job.fail_on);
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
        let mut ending = Ending { fail_on, refusals, not_evaluated, next, bytes, ..Ending::new(status, exit) };
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
                let how = (&job.context, order.if_locked);
                let mut carried = removal::carry_out(opened, &plan, meta.run_id.as_str(), how).await?;
                if carried.touched_nothing()
                    && carried.pending.is_none()
                    && let Some(locked) = carried.failure.take_if(|failure| is_skipped(order, failure))
                {
                    return Err(locked);
                }
                done = Some(carried);
            }
            _ => self.keep_plan(dir, plan, &mut ending)?,
        }
        seconds.apply = started.elapsed().as_secs_f64();
        Ok((ending, done))
    }

    /// Why the rows that are to be moved are too many, or probably good.
    pub(super) fn refusals(&self, collector: &Collector, mistakes: Vec<Refusal>) -> Result<Vec<Refusal>, Failure> {
        let Self { opened, program, .. } = *self;
        let backfill = self.meta.trigger == Trigger::Backfill;
        let usual = history::usual_moves(&opened.loaded.job.report_dir.resolved, &program.job, backfill)?;
        let mut refusals = removal::refusals(opened, program, collector.tally(), usual);
        refusals.extend(mistakes);
        Ok(refusals)
    }

    /// The rows that are to be moved. Those that a person put back, and those of which labels call all that was found known
    /// or fine, are counted as kept; a check whose user may not look
    /// into the quarantine says that it does not know.
    pub(super) async fn without_kept(
        &self,
        planned: &Planned<'_>,
        collector: &mut Collector,
    ) -> Result<Vec<MoveRow>, Failure> {
        let (labelled, moves): (Vec<MoveRow>, Vec<MoveRow>) =
            collector.take_moves().into_iter().partition(|row| collector.is_muted(row));
        collector.keep_labelled(&labelled);
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

/// Texts of series that are asked for by name, in bytes: of more, a source is read whole.
const MOST_BYTES: usize = 1 << 20;

/// The series that are asked for whole, with those of `longer`; `None` where all bars are to be read.
fn whole_series(known: Option<BTreeSet<String>>, longer: &Longer) -> Option<BTreeSet<String>> {
    let mut all = known?;
    all.extend(longer.symbols().iter().cloned());
    let bytes: usize = all.iter().map(String::len).sum();
    (!longer.symbols().is_empty() && bytes <= MOST_BYTES).then_some(all)
}
