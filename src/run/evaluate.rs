//! Bars through the engine, into the report or whatever else takes what the rules make of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use datafusion::prelude::SessionContext;

use super::collect::collect;
use super::context::Context;
use super::events::Stage;
use super::examine::AHEAD;
use super::failure::Failure;
use super::ingest::{Beyond, Ingested};
use super::open::Opened;
use super::other_bars;
use crate::checks::PeerTable;
use crate::config::Rule;
use crate::engine::across::Across;
use crate::engine::held::Held;
use crate::engine::peers::{Peers, gathering};
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::seen::Seen;
use crate::engine::twice::{Longer, Twice};
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

    /// About how much memory it holds, in bytes, as far as that grows with what is found.
    fn bytes(&self) -> usize {
        0
    }
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

    fn bytes(&self) -> usize {
        Self::bytes(self)
    }
}

/// What evaluating came to, besides what the sink took.
#[derive(Debug)]
pub(super) struct Evaluated {
    /// The series with a bar inside the window that was read; all that were read where a rule asks how new each is.
    pub(super) seen: Seen,
    /// The days that the calendar calls closed and on which most series traded, by index of the rule that found it.
    pub(super) open_days: BTreeMap<usize, Vec<i64>>,
    /// The series that were read from their first row on.
    pub(super) longer: Longer,
    /// Whether the source left out bars of these: they have to be asked for, and all is evaluated again.
    pub(super) is_short: bool,
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
) -> Result<Evaluated, Failure> {
    let progress = context.begin(&program.job, Stage::Evaluating, ingested.rows);
    let report = |read: u64| progress.report(read);
    let beside;
    // What rules compare with is held to the end.
    let mut held = Vec::new();
    let program = match program.looks_beside() {
        true => {
            let others = other_bars::read(context, session, program, ingested.input.window, &mut held).await?;
            let peers = peers(context, (opened, session), ingested, compile, &mut held).await?;
            beside = Arc::new(compile()?.beside(peers, others));
            &beside
        }
        false => program,
    };
    let mut passed = pass(session, opened, program, ingested, sink, &report).await?;
    if passed.evaluated.is_short {
        return Ok(passed.evaluated);
    }
    let open_days = with_known(passed.across.open_days(), &program.open_days);
    let again;
    let program = match open_days == program.open_days {
        true => program,
        false => {
            let informed = compile()?.beside(program.peers.clone(), program.others.clone());
            again = Arc::new(informed.with_open_days(open_days));
            sink.begin_again();
            passed = pass(session, opened, &again, ingested, sink, &report).await?;
            if passed.evaluated.is_short {
                return Ok(passed.evaluated);
            }
            &again
        }
    };
    let Passed { across, evaluated } = passed;
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
    for (index, rule) in program.running() {
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
    Ok(Evaluated { open_days: program.open_days.clone(), ..evaluated })
}

/// The days `found` with those that were known before.
fn with_known(mut found: BTreeMap<usize, Vec<i64>>, known: &BTreeMap<usize, Vec<i64>>) -> BTreeMap<usize, Vec<i64>> {
    for (rule, days) in known {
        let all = found.entry(*rule).or_default();
        all.extend(days);
        all.sort_unstable();
        all.dedup();
    }
    found
}

/// What one pass over the bars came to, besides what the sink took.
struct Passed {
    /// What rules across series noted.
    across: Across,
    evaluated: Evaluated,
}

/// Runs the rules of `program` over the bars, into `sink`; over those that are there twice by all fields of the source, and
/// over series of which the window has too few from their first row on.
async fn pass(
    session: &SessionContext,
    opened: &Opened,
    program: &Arc<Program>,
    ingested: &Ingested,
    sink: &mut dyn Sink,
    report: &(dyn Fn(u64) + Sync),
) -> Result<Passed, Failure> {
    let (mut twice, mut longer, mut across) = (Twice::default(), Longer::default(), Across::new(program));
    let (mut seen, from) = (Seen::default(), ingested.input.window.0);
    let mut memory = Held::new(session, "what was found so far", "look at a shorter window or at fewer series");
    let (mut known, known_from) = (Seen::default(), from.filter(|_| !program.asks_for_newest()));
    let mut take = |batch: &RecordBatch, longer: &mut Longer| {
        longer.take(batch);
        seen.take(batch, from);
        known.take(batch, known_from);
        across.take(batch);
        sink.take(batch)?;
        memory.resize(sink.bytes() + seen.bytes() + known.bytes() + across.bytes())?;
        report(sink.tally().series.rows.read);
        Ok(())
    };
    let first = plan::run(session, program, &ingested.input).await?;
    collect(opened, first, &mut |batch| {
        twice.take(batch);
        take(batch, &mut longer)
    })
    .await?;
    if !twice.is_empty() {
        let again = plan::run_again(session, program, &ingested.input, &twice).await?;
        collect(opened, again, &mut |batch| take(batch, &mut longer)).await?;
    }
    let Beyond { earliest, expected } = &ingested.beyond;
    for (key, symbol) in expected.iter().filter(|(key, _)| !seen.has(key)) {
        longer.add(key, symbol.as_deref());
    }
    let is_there = |whole: &BTreeSet<String>| !longer.symbols().is_empty() && longer.symbols().is_subset(whole);
    if !longer.is_empty() && ingested.whole_only.as_ref().is_some_and(|whole| !is_there(whole)) {
        return Ok(Passed {
            across,
            evaluated: Evaluated { seen: known, longer, is_short: true, open_days: BTreeMap::new() },
        });
    }
    if !longer.is_empty() {
        tracing::info!(series = longer.series().len(), "reading series from their first row on");
        let all = plan::run_longer(session, program, &ingested.input, (&longer, *earliest)).await?;
        collect(opened, all, &mut |batch| {
            known.take(batch, known_from);
            across.take(batch);
            sink.take(batch)?;
            memory.resize(sink.bytes() + seen.bytes() + known.bytes() + across.bytes())?;
            report(sink.tally().series.rows.read);
            Ok(())
        })
        .await?;
    }
    Ok(Passed { across, evaluated: Evaluated { seen: known, longer, is_short: false, open_days: BTreeMap::new() } })
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
pub(super) async fn peers(
    context: &Context,
    (opened, session): (&Opened, &SessionContext),
    ingested: &Ingested,
    compile: &(dyn Fn() -> Result<Program, Failure> + Sync),
    held: &mut Vec<Held>,
) -> Result<BTreeMap<usize, PeerTable>, Failure> {
    let gathering = Arc::new(gathering(compile()?));
    if !gathering.running().any(|(_, rule)| rule.check.peers().is_some()) {
        return Ok(BTreeMap::new());
    }
    let mut peers = Peers::default();
    let mut memory =
        Held::new(session, "what other series show at each timestamp", "leave out the rules that look at other series");
    let values = plan::run_to_gather(session, &gathering, &ingested.input).await?;
    collect(opened, values, &mut |batch| {
        peers.take(batch);
        Ok(memory.resize(peers.bytes())?)
    })
    .await?;
    let tables = peers.tables();
    memory.resize(tables.values().map(PeerTable::bytes).sum())?;
    held.push(memory);
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
