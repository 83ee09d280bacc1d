//! Rules that compare with another job: its bars, read only.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::context::Context;
use super::evaluate::collect;
use super::failure::Failure;
use super::job::Job;
use super::program::of_bars;
use crate::bars::BarsSpec;
use crate::checks::{OtherBars, OtherJob};
use crate::config::{self, RuleSet};
use crate::engine::peers::Others;
use crate::engine::plan;
use crate::engine::program::{Gathers, Program};
use crate::market::Interval;
use crate::schema::Diagnostic;

/// The jobs that `rules` compare with.
fn named(rules: &RuleSet) -> impl Iterator<Item = (usize, &OtherJob)> {
    rules.rules.iter().enumerate().filter_map(|(index, rule)| Some((index, rule.check.other_job()?)))
}

/// Fails where a job that a rule compares with cannot be loaded, or its bars do not fit beside `bars`.
pub(super) fn reject_unfit(rules: &RuleSet, bars: &BarsSpec) -> Result<(), Failure> {
    let mistakes: Vec<Diagnostic> = named(rules).filter_map(|(_, other)| unfit(other, bars)).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::Mistakes(mistakes)) }
}

fn unfit(other: &OtherJob, bars: &BarsSpec) -> Option<Diagnostic> {
    let mistake = |title: String, help: &str| {
        let at = Diagnostic::new("other-job", title, &other.file, other.span.clone());
        Some(at.help(help.to_owned()))
    };
    let path = other.path.display();
    let loaded = match config::load(&other.path) {
        Ok(loaded) => loaded,
        Err(error) => {
            let help =
                format!("`barkeep rules lint {path}` says more; the path is taken from the folder of the rule file");
            return mistake(format!("the job `{path}` cannot be loaded: {error}"), &help);
        }
    };
    let theirs = &loaded.job.bars;
    let finer = bars.interval == Interval::Day && !theirs.interval.is_daily_or_longer();
    if finer {
        return None;
    }
    if theirs.interval != bars.interval {
        let title = format!("bars of {} cannot be compared with bars of {}", theirs.interval, bars.interval);
        return mistake(title, "bars of the same interval can, and bars shorter than a day with those of a day");
    }
    let same_label = theirs.time.label == bars.time.label || bars.daily();
    if same_label {
        return None;
    }
    let title = "the bars of both jobs are not dated alike: by their start and by their end";
    mistake(title.to_owned(), "give both jobs the same `label` in `[bars] time`")
}

/// Whether rows of other jobs are put together by session.
fn by_session(program: &Program, other: &Program) -> bool {
    program.bars.daily() && !other.bars.daily()
}

/// The bars of the jobs that rules of `program` compare with, by index of the rule, inside the window of the run.
pub(super) async fn read(
    context: &Context,
    session: &SessionContext,
    program: &Program,
    window: (Option<i64>, Option<i64>),
) -> Result<BTreeMap<usize, OtherBars>, Failure> {
    let mut all = BTreeMap::new();
    for (index, other) in named(&program.rules) {
        let job = Job::open(context, &other.path)?;
        let opened = job.open_source().await?;
        let read = of_job(&opened, context, session, program, window).await;
        opened.source.close().await;
        all.insert(index, read?);
    }
    Ok(all)
}

async fn of_job(
    opened: &super::open::Opened,
    context: &Context,
    session: &SessionContext,
    program: &Program,
    window: (Option<i64>, Option<i64>),
) -> Result<OtherBars, Failure> {
    let whole = of_bars(opened, Gathers::Nothing);
    let gathers = Gathers::Bars { by_session: by_session(program, &whole) };
    let gathering = Arc::new(Program { gathers, ..whole });
    let mut ingested = opened.ingest(&gathering, context, &[]).await?;
    ingested.input.window = window;
    let mut others = Others::default();
    let bars = plan::run_to_gather(session, &gathering, &ingested.input).await?;
    collect(opened, bars, &mut |batch| {
        others.take(batch).map_err(|[one, other]| {
            let job = &gathering.job;
            Failure::Usage(
                format!("job `{job}` has several series of one symbol, `{one}` and `{other}`: which is compared?"),
                "choose one with a `filter` in the source of that job, or name another job".into(),
            )
        })
    })
    .await?;
    for identity in &ingested.identities {
        identity.verify_unchanged()?;
    }
    Ok(others.bars())
}
