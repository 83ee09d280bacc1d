//! The bars of the jobs that rules compare with, read only.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::collect::collect;
use super::context::Context;
use super::failure::Failure;
use super::job::Job;
use super::open::Opened;
use super::other_job::named;
use super::program::of_bars;
use crate::checks::OtherBars;
use crate::engine::held::Held;
use crate::engine::peers::Others;
use crate::engine::plan;
use crate::engine::program::{Gathers, Program};

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
    held: &mut Vec<Held>,
) -> Result<BTreeMap<usize, OtherBars>, Failure> {
    let mut all = BTreeMap::new();
    for (index, other) in named(&program.rules) {
        let job = Job::open(context, &other.path)?;
        let opened = job.open_source().await?;
        let mut memory = Held::new(
            session,
            "the bars of another job",
            "compare fewer bars at once: give the job a `[window]`, or the other one a `filter`",
        );
        let read = of_job(&opened, context, (session, &mut memory), program, window).await;
        opened.source.close().await;
        held.push(memory);
        all.insert(index, read?);
    }
    Ok(all)
}

async fn of_job(
    opened: &Opened,
    context: &Context,
    (session, memory): (&SessionContext, &mut Held),
    program: &Program,
    window: (Option<i64>, Option<i64>),
) -> Result<OtherBars, Failure> {
    let whole = of_bars(opened, Gathers::Nothing);
    let gathers = Gathers::Bars { by_session: by_session(program, &whole) };
    let gathering = Arc::new(Program { gathers, ..whole });
    let mut ingested = opened.ingest(&gathering, context, (&[], None)).await?;
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
        })?;
        Ok(memory.resize(others.bytes())?)
    })
    .await?;
    for identity in &ingested.identities {
        identity.verify_unchanged()?;
    }
    Ok(others.bars())
}
