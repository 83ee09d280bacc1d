//! One pass over the bars of a job with rules that are tried.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;

use super::found::{Findings, Found};
use crate::bars::BarsSpec;
use crate::checks::Stage;
use crate::config::{Rule, Trials, Tried};
use crate::decide::{Action, Severity};
use crate::engine::program::Program;
use crate::report::run::Window;
use crate::report::tally::Tally;
use crate::run::evaluate::{Sink, evaluate};
use crate::run::failure::Failure;
use crate::run::job::Job;
use crate::run::open::Opened;
use crate::run::program;
use crate::run::window::{self, AskedWindow};
use crate::schema::moment::Moment;

/// Over which bars rules are tried.
#[derive(Debug, Clone, Default)]
pub struct TrialOptions {
    /// Which bars.
    pub window: AskedWindow,
    /// Only the series with these first key values; all where there are none.
    pub series: Vec<String>,
    /// The moment the bars are evaluated for; see [`crate::CheckOptions::as_of`].
    pub as_of: Option<Moment>,
}

/// The rules that a program tries.
#[derive(Debug)]
pub(super) struct Tries {
    pub(super) program: Arc<Program>,
    /// For each rule of the program its place among those that are tried; `None` for those of the job.
    pub(super) places: Vec<Option<usize>>,
}

impl Tries {
    /// The index in the program of what is tried at `place`; `None` where the bars lack a field that it needs.
    pub(super) fn index(&self, place: usize) -> Option<usize> {
        self.places.iter().position(|tried| *tried == Some(place))
    }

    /// The rule that is tried at `place`.
    pub(super) fn rule(&self, place: usize) -> Option<&Rule> {
        self.index(place).map(|index| &self.program.rules.rules[index])
    }
}

/// A job whose bars can be read, for rules to be tried over them.
pub(super) struct Bench<'a> {
    job: &'a Job,
    opened: &'a Opened,
    session: &'a SessionContext,
    as_of: i64,
    options: &'a TrialOptions,
    /// The window, half-open, µs UTC on the scale of the bars.
    pub(super) window: Window,
}

impl Job {
    /// Opens the source, lets `work` try rules over its bars, and closes it.
    pub(super) async fn try_rules<T>(
        &self,
        options: &TrialOptions,
        work: impl AsyncFnOnce(&Bench<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let now = self.context.clock.now();
        let as_of = window::as_of(options.as_of, &self.loaded.job, now)?;
        let window = window::window(&options.window, &self.loaded.job, as_of)?;
        let as_of = window::within(window, &self.loaded.job, as_of).timestamp_micros();
        self.look_at_bars(async |opened, session| {
            work(&Bench { job: self, opened, session, as_of, options, window }).await
        })
        .await
    }
}

impl Bench<'_> {
    /// Whether bars are days or longer, so that a timestamp is a date.
    pub(super) fn is_daily(&self) -> bool {
        self.opened.bars.daily()
    }

    /// Puts `tried` behind the rules of the job that reject rows.
    pub(super) fn compile(&self, tried: &[Tried]) -> Result<Tries, Failure> {
        let (program, places) = self.program(tried)?;
        Ok(Tries { program: Arc::new(program), places })
    }

    fn program(&self, tried: &[Tried]) -> Result<(Program, Vec<Option<usize>>), Failure> {
        let bars = BarsSpec { as_of: Some(self.as_of), ..self.opened.bars.clone() };
        let compiled = self.opened.loaded.compile_trials(&bars, &rejects, tried).map_err(Failure::Mistakes)?;
        let Trials { mut rules, tried: mut places } = compiled;
        for id in program::without_fields(self.session, &bars, &rules) {
            let mut ids = rules.rules.iter().map(|rule| rule.id == id);
            places.retain(|_| !ids.next().unwrap_or(false));
            rules.leave_out(&id);
        }
        Ok((program::over(self.job, self.opened, self.session, bars, rules)?, places))
    }

    /// Evaluates the bars by `tries`, which were compiled of `tried`; `visitor` is shown every finding. What was counted is
    /// returned.
    ///
    /// # Errors
    /// The source breaks off, or there is no bar although some are expected.
    pub(super) async fn evaluate<V: Visitor>(
        &self,
        tries: &Tries,
        tried: &[Tried],
        visitor: &mut V,
    ) -> Result<Tally, Failure> {
        let Self { job, opened, session, as_of, options, window } = *self;
        let (context, program) = (&job.context, &tries.program);
        let mut ingested = opened.ingest(program, context, (&options.series, None)).await?;
        ingested.input.window = window;
        let compile = || Ok(self.program(tried)?.0);
        let mut sink = Visiting { program, tally: Tally::new(program), fresh: visitor.clone(), visitor };
        evaluate(context, (opened, session), program, &ingested, &mut sink, &compile).await?;
        let now = window::on_scale(&program.bars, as_of);
        if sink.tally.series.rows.read == 0 && !window::is_closed(&program.bars, window, now) {
            let source = opened.loaded.job.source.label();
            let nothing = window::nothing_read(&source, ingested.rows, window, opened, &options.series);
            return Err(Failure::Broken(nothing.into()));
        }
        for identity in &ingested.identities {
            identity.verify_unchanged()?;
        }
        Ok(sink.tally)
    }
}

/// Is shown findings. What it is before any of them is cloned, and taken again where the bars are evaluated again.
pub(super) trait Visitor: Clone + Send {
    /// Takes one finding.
    fn add(&mut self, found: &Found<'_>);
}

/// Counts what the operator puts out, and shows its findings.
struct Visiting<'a, V> {
    program: &'a Program,
    tally: Tally,
    fresh: V,
    visitor: &'a mut V,
}

impl<V: Visitor> Sink for Visiting<'_, V> {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.tally.take(batch)?;
        Findings::of(batch)?.iter().for_each(|found| self.visitor.add(&found));
        Ok(())
    }

    fn begin_again(&mut self) {
        self.tally = Tally::new(self.program);
        self.visitor.clone_from(&self.fresh);
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

/// Whether a rule of the job decides which rows rules about series see.
fn rejects(rule: &Rule) -> bool {
    let of_rows = rule.kind.stage() == Stage::Row;
    of_rows && (rule.severity == Severity::Error || rule.action > Action::Report) || rule.check.keeps_last()
}
