//! Rules that follow from the bars of a job: the bars are read once, described, and evaluated by what is suggested. Nothing
//! is changed and no report is written.

mod evaluating;
mod tuning;

use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use serde_json::{Map, Value};

use self::evaluating::{Evaluating, with_files};
use self::tuning::tunings;
use super::conclude::RunMetaOf;
use super::failure::Failure;
use super::ingest::Ingested;
use super::job::Job;
use super::open::Opened;
use super::options::{CheckOptions, Order};
use super::source::Reading;
use super::window;
use crate::config::{Rule, RuleFile};
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::report::run::RunMeta;
use crate::suggest::{self, Counted, Draft, Known, Profile, Profiling, Suggested};
use crate::text::UtcMicros;

/// The name under which mistakes would name the text of suggested rules.
const NAME: &str = "suggested.toml";

/// Rules that are suggested for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestions {
    /// A rule file with the rules and their reasons; without rules only comments.
    pub text: String,
    /// The rules.
    pub rules: Vec<SuggestedRule>,
    /// Rules of the job for which a larger limit is proposed, in comments.
    pub tuned: Vec<String>,
}

/// A rule that is suggested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedRule {
    /// Its identifier.
    pub id: String,
    /// Its findings in the bars that were read.
    pub findings: u64,
    /// The bars it evaluated.
    pub evaluated: u64,
}

impl Job {
    /// Describes the bars, and writes rules whose limits follow from them; `command` is what is written down as having
    /// made them. Of `options` the window, the series and the moment count.
    ///
    /// # Errors
    /// As [`Job::check`]; a source without bars is one.
    pub async fn suggest(&self, options: CheckOptions, command: &str) -> Result<Suggestions, Failure> {
        let now = self.context.clock.now();
        let as_of = window::as_of(options.as_of, &self.loaded.job, now)?;
        let window = window::window(&options.window, &self.loaded.job, as_of)?;
        let as_of = window::within(window, &self.loaded.job, as_of);
        let meta = RunMetaOf { command: "suggest", loaded: &self.loaded, window };
        let meta = RunMeta { as_of: UtcMicros::from(as_of), ..meta.meta(now, &self.context.clock) };
        let opened = self.open_source().await?;
        let order = Order::from(CheckOptions { report: false, ..options });
        let ended = suggestions(self, &opened, order, meta, command).await;
        opened.source.close().await;
        ended
    }
}

async fn suggestions(
    job: &Job,
    opened: &Opened,
    order: Order,
    meta: RunMeta,
    command: &str,
) -> Result<Suggestions, Failure> {
    let scratch = job.context.scratch()?;
    let session = session(&job.context.limits_in(&scratch))?;
    let evaluating = Evaluating { job, session: &session, order, meta, dir: scratch.path() };
    let of_job = evaluating.program(opened)?;
    // A rule may be about any field, and bars that are there twice are compared by all of them.
    let whole = Program { compared: of_job.compared.clone(), ..evaluating.program(opened)?.with_every_field() };
    let reading = Reading {
        program: &whole,
        series: &evaluating.order.options.series,
        within: None,
        missing_is_null: false,
        context: &job.context,
    };
    let mut ingested = opened.source.ingest(&reading).await?;
    ingested.input.window = evaluating.meta.window;
    let profile = profile(&session, &whole, &ingested).await?;
    let known = known(&of_job.rules.rules);
    let (drafts, notes) = suggest::drafts(&of_job.job, &profile, &opened.bars, &known);
    let counted = evaluating.counts(&with_drafts(opened, &drafts)?, &ingested).await?;
    let count = |id: &str| counted.iter().find(|(rule, _)| **rule == *id).map(|(_, counted)| *counted);
    let drafts: Vec<(Draft, Counted)> =
        drafts.into_iter().filter_map(|draft| Some((draft.clone(), count(&draft.id)?))).collect();
    let tunings = tunings(&evaluating, opened, &ingested, &of_job.rules.rules, &counted).await?;
    let text = suggest::write(&Suggested {
        profile: &profile,
        bars: &opened.bars,
        known: &known,
        drafts: &drafts,
        tunings: &tunings,
        notes: &notes,
        command,
    });
    let rules = drafts.into_iter().map(|(draft, Counted { findings, evaluated })| SuggestedRule {
        id: draft.id,
        findings,
        evaluated,
    });
    Ok(Suggestions { text, rules: rules.collect(), tuned: tunings.into_iter().map(|tuning| tuning.rule).collect() })
}

/// What the bars are like.
async fn profile(session: &SessionContext, program: &Program, ingested: &Ingested) -> Result<Profile, Failure> {
    let plan = plan::bars_in_order(program, &ingested.input)?;
    let mut bars = session.execute_logical_plan(plan).await?.execute_stream().await?;
    let mut profiling = Profiling::new(&program.bars, &program.read);
    while let Some(batch) = bars.try_next().await? {
        profiling.take(&batch)?;
    }
    Ok(profiling.finish())
}

fn known(rules: &[Rule]) -> Known {
    let mut known = Known::default();
    for rule in rules {
        let params = serde_json::from_str::<Map<String, Value>>(&rule.params).unwrap_or_default();
        known.take(&rule.id, rule.kind.name(), params);
    }
    known
}

/// The job as it would be with these rules.
fn with_drafts(opened: &Opened, drafts: &[Draft]) -> Result<Opened, Failure> {
    let text: String = drafts.iter().map(suggest::draft_text).collect();
    let mut files = opened.loaded.rule_files.clone();
    if !text.is_empty() {
        files.push(RuleFile::from_text(NAME, &text).map_err(Failure::Mistakes)?);
    }
    Ok(with_files(opened, files))
}
