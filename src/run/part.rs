//! Which part of the bars a run looks at: that which a person asks for, or what may have changed since the run before.
//!
//! Where a job has `[window] lookback`, a run begins so far before its watermark, and before that as far as its rules
//! look at bars after a bar: their verdicts may depend on what changed. Where the job, its rules, its facts, its calendar or
//! barkeep are not those of the run before, or that is not known, it looks at everything.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::Failure;
use super::ingest::Beyond;
use super::of_job::OfJob;
use super::options::{CheckOptions, Goal};
use super::state::{self, Known, State};
use super::window;
use crate::decide::Labels;
use crate::durable::{Disk, hex, sha256};
use crate::engine::program::Program;
use crate::engine::scope::{Need, Scope, with_room};
use crate::market::DAY_US;
use crate::report::run::{RunMeta, Window};
use crate::report::runs;
use crate::text::utc::UtcMicros;

/// The part of the bars that a run looks at.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// What is reported on; `None` for all that is read.
    pub(super) scope: Option<Scope>,
    /// What lies before it.
    pub(super) beyond: Beyond,
    /// The watermark of the run before, µs UTC on the scale of the timestamps.
    pub(super) watermark: Option<i64>,
    /// Days before it that the calendar calls closed and on which most series traded, by id of the rule that found it.
    open_days: BTreeMap<String, Vec<i64>>,
}

impl Part {
    /// `program` with what runs over all bars found of the days before the part: which of its bars a rule about a series sees
    /// hangs on it, and only all series together show it.
    pub(super) fn with_open_days(&self, program: Program) -> Program {
        let rules = program.rules.rules.iter().enumerate();
        let known = rules.filter_map(|(index, rule)| Some((index, self.open_days.get(&*rule.id)?.clone())));
        let known: BTreeMap<usize, Vec<i64>> = known.filter(|(_, days)| !days.is_empty()).collect();
        if known.is_empty() { program } else { program.with_open_days(known) }
    }

    /// The window of a run that looks at `window` where nothing else is known.
    pub(super) fn window(&self, window: Window) -> Window {
        (self.scope.map(|scope| scope.since).or(window.0), window.1)
    }
}

/// Whether a run goes by the watermark: the job has one, and nobody asks for a window.
pub(super) fn goes_by_watermark(lookback: bool, options: &CheckOptions) -> bool {
    let asked = &options.window;
    lookback && !asked.full && asked.since.is_none() && asked.until.is_none() && asked.last.is_none()
}

impl OfJob<'_> {
    /// The part of the bars that the run looks at; says why it looks at everything where it does not go by the watermark
    /// although the job has one.
    pub(super) fn part(&self, labels: &Labels) -> Result<Part, Failure> {
        let Self { job, order, opened, program, meta } = *self;
        let (own, asked) = (&opened.loaded.job.window, &order.options.window);
        let earliest = if asked.full { None } else { own.since };
        if asked.since.is_some() || asked.last.is_some() {
            // Whoever asks for more than the job looks at gets it.
            let scope = meta.window.0.map(|since| Scope { since, changed: since });
            let earliest = earliest.filter(|earliest| meta.window.0.is_none_or(|since| *earliest <= since));
            return Ok(Part { scope, beyond: Beyond::from(earliest), ..Part::default() });
        }
        let by_watermark = own.lookback.filter(|lookback| goes_by_watermark(!lookback.is_zero(), &order.options));
        let Some(lookback) = by_watermark else {
            return Ok(Part { beyond: Beyond::from(earliest), ..Part::default() });
        };
        let state = match state::read(&Disk::system(), &opened.loaded.job) {
            Known::Nothing => return Ok(Part { beyond: Beyond::from(earliest), ..Part::default() }),
            Known::Unusable(why) => {
                let anew = if order.goal == (Goal::Run { dry: false }) { ", and writes it anew" } else { "" };
                job.context.note(&format!("warning: {why}: this run looks at all bars{anew}"));
                return Ok(Part { beyond: Beyond::from(earliest), ..Part::default() });
            }
            Known::State(state) => state,
        };
        let watermark = Some(state.watermark.0);
        if let Some(why) = self.changed_since(&state, labels)? {
            job.context.note(&format!("note: {why} since run {}: this run looks at all bars", state.run));
            return Ok(Part { beyond: Beyond::from(earliest), watermark, ..Part::default() });
        }
        let reached = watermark_of(program, meta, own.grace.num_microseconds().unwrap_or(i64::MAX));
        if state.watermark.0 > reached {
            let at = |micros| UtcMicros(micros).timestamp(program.bars.daily());
            job.context.note(&format!(
                "warning: the watermark of run {} is {}, after {}: was the clock set back? This run begins before the earlier of \
                 the two",
                state.run,
                at(state.watermark.0),
                at(reached)
            ));
        }
        let lookback = lookback.num_microseconds().unwrap_or(i64::MAX);
        let changed = state.watermark.0.min(reached).saturating_sub(lookback);
        // Daily bars have the midnight of their date: the one of the day on which the window begins is part of it.
        let changed = if program.bars.daily() { changed.div_euclid(DAY_US) * DAY_US } else { changed };
        let since = with_room(&program.bars, changed, Need::of_all(&program.rules, &program.bars).after);
        let since = if program.bars.daily() { next_midnight(since) } else { since };
        // Where the job begins later, all of it is looked at.
        if earliest.is_some_and(|earliest| earliest >= since) {
            return Ok(Part { beyond: Beyond::from(earliest), watermark, ..Part::default() });
        }
        let beyond = Beyond { earliest, expected: state.series };
        let mut open_days = state.open_days;
        for days in open_days.values_mut() {
            days.retain(|day| day.saturating_mul(DAY_US) < since);
        }
        Ok(Part { scope: Some(Scope { since, changed }), beyond, watermark, open_days })
    }

    /// What is not as it was in the run that left `state`, where anything is.
    fn changed_since(&self, state: &State, labels: &Labels) -> Result<Option<String>, Failure> {
        let Self { job, opened, program, meta, .. } = *self;
        let dir = &opened.loaded.job.report_dir.resolved;
        let whole = job.only.is_empty();
        let facts = &opened.loaded.facts.sha256;
        let calendar = program.bars.calendar.as_ref().map(|calendar| calendar.version().to_owned());
        Ok(if state.barkeep != env!("CARGO_PKG_VERSION") {
            Some(format!("barkeep is another version ({} before)", state.barkeep))
        } else if state.source_sha256 != self.source_sha256() {
            Some("the source is another".to_owned())
        } else if state.job_sha256 != meta.job_sha256 {
            Some("the job file changed".to_owned())
        } else if whole && state.rules_sha256 != program.rules.sha256 {
            Some("the rules changed".to_owned())
        } else if state.facts_sha256 != *facts {
            Some("the facts changed".to_owned())
        } else if state.calendar != calendar {
            Some("the calendar changed".to_owned())
        } else if state.labels != muting(labels) {
            Some("the labels changed, or one expired".to_owned())
        } else if !runs::has_run(dir, &program.job, &state.run)? {
            Some("the reports are gone".to_owned())
        } else {
            None
        })
    }

    fn source_sha256(&self) -> String {
        hex(&sha256(self.opened.source.origin().as_bytes()))
    }

    /// What a run leaves for the next one that saw `series` and `open_days`, by index of the rule that found these; `None` where it is not one that goes on: it is a check or a
    /// plan, or looked at some rules or series, or at a window that a person asked for.
    pub(super) fn state(
        &self,
        (series, open_days): (BTreeMap<String, Option<String>>, BTreeMap<usize, Vec<i64>>),
        labels: &Labels,
    ) -> Option<State> {
        let Self { job, order, opened, program, meta } = *self;
        let (of_job, options) = (&opened.loaded.job, &order.options);
        let goes_on = order.goal == (Goal::Run { dry: false }) && options.report;
        let whole = job.only.is_empty() && options.series.is_empty();
        let asked = &options.window;
        let by_job = asked.since.is_none() && asked.until.is_none() && asked.last.is_none();
        of_job.window.lookback.filter(|_| goes_on && whole && by_job)?;
        let watermark = watermark_of(program, meta, of_job.window.grace.num_microseconds().unwrap_or(i64::MAX));
        Some(State {
            source_sha256: self.source_sha256(),
            job_sha256: meta.job_sha256.clone(),
            rules_sha256: program.rules.sha256.clone(),
            facts_sha256: opened.loaded.facts.sha256.clone(),
            calendar: program.bars.calendar.as_ref().map(|calendar| calendar.version().to_owned()),
            labels: muting(labels),
            open_days: open_days.into_iter().map(|(rule, days)| (program.rule_id(rule).to_owned(), days)).collect(),
            series,
            ..State::new(of_job, meta.run_id.as_str(), watermark, meta.as_of.0)
        })
    }
}

/// The midnight at or after `time`, µs UTC: for a person a window of daily bars begins on a date.
fn next_midnight(time: i64) -> i64 {
    -(-time).div_euclid(DAY_US) * DAY_US
}

/// Bars before it are old enough to be settled, on the scale of the timestamps, where rows have `grace`, µs.
fn watermark_of(program: &Program, meta: &RunMeta, grace: i64) -> i64 {
    window::on_scale(&program.bars, meta.as_of.0.saturating_sub(grace))
}

/// The labels that keep findings from counting, each by its SHA-256.
fn muting(labels: &Labels) -> BTreeSet<String> {
    let muting = labels.all().iter().filter(|label| label.judgement.mutes());
    muting.map(|label| hex(&sha256(format!("{label:?}").as_bytes()))).collect()
}
