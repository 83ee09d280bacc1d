//! Bars through the engine, into the report or whatever else takes what the rules make of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use datafusion::prelude::SessionContext;

use super::collect::collect;
use super::context::Context;
use super::events::Stage;
use super::examine::AHEAD;
use super::failure::Failure;
use super::ingest::Ingested;
use super::open::Opened;
use super::other_bars;
use crate::checks::PeerTable;
use crate::config::Rule;
use crate::engine::across::Across;
use crate::engine::peers::{Peers, gathering};
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::twice::Twice;
use crate::market::zone;
use crate::report::collector::Collector;
use crate::report::error::ReportError;
use crate::report::tally::Tally;
use crate::text::numbers::counted;

/// Takes what the operator puts out, and counts it.
pub(super) trait Sink: Send {
    /// Takes one batch.
    fn take(&mut self, batch: &RecordBatch) -> Result<(), Failure>;

    /// Forgets what it took: the bars are evaluated again.
    fn begin_again(&mut self);

    /// What was counted so far.
    fn tally(&self) -> &Tally;
}

impl Sink for Collector {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        Ok(Self::take(self, batch)?)
    }

    fn begin_again(&mut self) {
        Self::begin_again(self);
    }

    fn tally(&self) -> &Tally {
        Self::tally(self)
    }
}

/// Evaluates the bars of `ingested`, those that are there twice by all fields of the source; then series by each other,
/// and the sources of each symbol together, by programs that `compile` makes. Where most series traded on a day that the
/// calendar calls closed, the bars are evaluated a second time by rules that know it: which bars a rule about the series sees
/// hangs on it.
pub(super) async fn evaluate(
    context: &Context,
    (opened, session): (&Opened, &SessionContext),
    program: &Arc<Program>,
    ingested: &Ingested,
    sink: &mut dyn Sink,
    compile: &(dyn Fn() -> Result<Program, Failure> + Sync),
) -> Result<(), Failure> {
    let progress = context.begin(&program.job, Stage::Evaluating, ingested.rows);
    let report = |read: u64| progress.report(read);
    let beside;
    let program = match program.looks_beside() {
        true => {
            let others = other_bars::read(context, session, program, ingested.input.window).await?;
            let peers = peers(context, (opened, session), ingested, compile).await?;
            beside = Arc::new(compile()?.beside(peers, others));
            &beside
        }
        false => program,
    };
    let mut across = pass(session, opened, program, ingested, sink, &report).await?;
    let open_days = across.open_days();
    let again;
    let program = match open_days.is_empty() {
        true => program,
        false => {
            let informed = compile()?.beside(program.peers.clone(), program.others.clone());
            again = Arc::new(informed.with_open_days(open_days));
            sink.begin_again();
            across = pass(session, opened, &again, ingested, sink, &report).await?;
            &again
        }
    };
    for (rule, series) in across.idle() {
        context.note(&nothing_to_compare(&program.rules.rules[rule], series));
    }
    if let Some(found) = across.conclude().map_err(ReportError::from)? {
        sink.take(&found)?;
    }
    for source in program.sources() {
        let together = Arc::new(compile()?.over_sources(source));
        let found = plan::run_over_sources(session, &together, &ingested.input).await?;
        collect(opened, found, &mut |batch| sink.take(batch)).await?;
    }
    for (index, rule) in program.rules.rules.iter().enumerate() {
        let none = match (rule.check.by(), rule.check.other_job()) {
            (Some(_), _) => "the sources of a symbol, and no symbol has bars of two",
            (_, Some(_)) => "with another job, and no bar has the symbol and the timestamp of one of its bars",
            (None, None) => continue,
        };
        if sink.tally().rules[index].counts.evaluated == 0 {
            let (id, place) = (&rule.id, place_of(rule));
            context.note(&format!("warning: rule `{id}` compares {none}: it has nothing to evaluate\n --> {place}"));
        }
    }
    if let Some(ends) = calendar_ends(program, sink.tally().series.span.map(|(_, newest)| newest)) {
        context.note(&ends);
    }
    Ok(())
}

/// Runs the rules of `program` over the bars, into `sink`; gives what rules across series noted.
async fn pass(
    session: &SessionContext,
    opened: &Opened,
    program: &Arc<Program>,
    ingested: &Ingested,
    sink: &mut dyn Sink,
    report: &(dyn Fn(u64) + Sync),
) -> Result<Across, Failure> {
    let (mut twice, mut across) = (Twice::default(), Across::new(program));
    let first = plan::run(session, program, &ingested.input).await?;
    collect(opened, first, &mut |batch| {
        twice.take(batch);
        across.take(batch);
        sink.take(batch)?;
        report(sink.tally().series.rows.read);
        Ok(())
    })
    .await?;
    if !twice.is_empty() {
        let again = plan::run_again(session, program, &ingested.input, &twice).await?;
        collect(opened, again, &mut |batch| {
            across.take(batch);
            sink.take(batch)?;
            report(sink.tally().series.rows.read);
            Ok(())
        })
        .await?;
    }
    Ok(across)
}

/// That the calendar ends soon after the bar of `newest` (µs UTC), or before it.
fn calendar_ends(program: &Program, newest: Option<i64>) -> Option<String> {
    let calendar = program.bars.calendar.as_ref()?;
    let (last, newest) = (calendar.last()?, zone::day_of(newest?));
    if i64::from(newest) + i64::try_from(AHEAD).ok()? <= i64::from(last) {
        return None;
    }
    let date = |day: i32| NaiveDate::from_epoch_days(day).map_or_else(String::new, |date| date.to_string());
    let beyond = if newest > last { "; later bars are not evaluated by it" } else { "" };
    Some(format!(
        "warning: the calendar {} is known until {} only, and the newest bar is that of {}{beyond}\n  = help: write later days \
         in a file that `[bars] calendar_file` names",
        calendar.name(),
        date(last),
        date(newest)
    ))
}

/// What the rules have to know of other series, from a pass over the bars before they run.
async fn peers(
    context: &Context,
    (opened, session): (&Opened, &SessionContext),
    ingested: &Ingested,
    compile: &(dyn Fn() -> Result<Program, Failure> + Sync),
) -> Result<BTreeMap<usize, PeerTable>, Failure> {
    let gathering = Arc::new(gathering(compile()?));
    if !gathering.rules.rules.iter().any(|rule| rule.check.peers().is_some()) {
        return Ok(BTreeMap::new());
    }
    let mut peers = Peers::default();
    let values = plan::run_to_gather(session, &gathering, &ingested.input).await?;
    collect(opened, values, &mut |batch| {
        peers.take(batch);
        Ok(())
    })
    .await?;
    let tables = peers.tables();
    for (index, rule) in gathering.rules.rules.iter().enumerate().filter(|(_, rule)| rule.check.peers().is_some()) {
        let series = tables.get(&index).map_or(0, PeerTable::most_series);
        if series < 2 {
            context.note(&nothing_beside(rule, series));
        }
    }
    Ok(tables)
}

/// That a rule has to know of other series and there are none.
fn nothing_beside(rule: &Rule, series: usize) -> String {
    let (there, place) = (counted(series as u64, "series"), place_of(rule));
    format!(
        "warning: rule `{}` looks at what other series show at the timestamp of a bar, and no more than {there} can be compared\n --> {place}",
        rule.id
    )
}

/// That a rule compares series and there are too few, with its place.
fn nothing_to_compare(rule: &Rule, series: usize) -> String {
    let (there, place) = (counted(series as u64, "series"), place_of(rule));
    format!(
        "warning: rule `{}` compares series with each other, and there is {there}: it has nothing to evaluate\n --> {place}",
        rule.id
    )
}

/// The file and line in which a rule begins.
fn place_of(rule: &Rule) -> String {
    let before = rule.file.text.get(..rule.span.start).unwrap_or_default();
    format!("{}:{}", rule.file.path.display(), before.matches('\n').count() + 1)
}
