//! What is read of the bars for one of them, and the rules over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int8Type, Int32Type};
use datafusion::prelude::SessionContext;

use super::found::Found;
use super::sums::{AtOnce, Sums};
use crate::bars::BarsSpec;
use crate::checks::{OtherBars, PeerTable, Stage};
use crate::config::{Rule, Trials, Tried};
use crate::engine::held::Held;
use crate::engine::key::{key_of, parts_of};
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::records::Record;
use crate::engine::scope::Scope;
use crate::engine::twice::Longer;
use crate::report::run::Window;
use crate::report::tally::Tally;
use crate::run::collect::collect;
use crate::run::context::Context;
use crate::run::evaluate::{self, Sink};
use crate::run::events::Event;
use crate::run::failure::Failure;
use crate::run::ingest::Ingested;
use crate::run::job::Job;
use crate::run::open::Opened;
use crate::run::other_bars;
use crate::run::program;

/// A job whose bars can be read.
pub(super) struct Desk<'a> {
    pub(super) job: &'a Job,
    pub(super) opened: &'a Opened,
    pub(super) session: &'a SessionContext,
    /// The moment the bars are evaluated for, µs UTC.
    pub(super) as_of: i64,
    /// The window of the job, half-open, µs UTC on the scale of the bars.
    pub(super) window: Window,
}

/// The bars, and what a run over them found.
pub(super) struct Read {
    pub(super) ingested: Ingested,
    /// The keys of the series, each with its first field.
    pub(super) keys: BTreeMap<String, Option<String>>,
    /// Findings that hold the timestamp, of all series that were read.
    pub(super) found: Vec<Found>,
    /// Rows read.
    pub(super) rows: u64,
    /// Whether a bar lies on a day that the calendar calls closed; whether most series traded on it, only all of them tell.
    pub(super) asks_for_open_days: bool,
    open_days: BTreeMap<usize, Vec<i64>>,
}

/// What rules know of other series and of other jobs, by index of the rule.
pub(super) struct Beside {
    peers: BTreeMap<usize, PeerTable>,
    others: BTreeMap<usize, OtherBars>,
    _held: Vec<Held>,
}

impl Desk<'_> {
    /// The rules of the job.
    pub(super) fn program(&self) -> Result<Program, Failure> {
        program::program_as_of(self.job, self.opened, self.session, self.as_of)
    }

    /// The rules of the job, and behind them `tried`; for each rule its place among these.
    pub(super) fn with_tried(&self, tried: &[Tried]) -> Result<(Program, Vec<Option<usize>>), Failure> {
        let bars = BarsSpec { as_of: Some(self.as_of), ..self.opened.bars.clone() };
        let all = |_: &Rule| true;
        let Trials { mut rules, tried: mut places } =
            self.opened.loaded.compile_trials(&bars, &all, tried).map_err(Failure::Mistakes)?;
        for id in program::without_fields(self.session, &bars, &rules) {
            let mut ids = rules.rules.iter().map(|rule| rule.id == id);
            places.retain(|_| !ids.next().unwrap_or(false));
            rules.leave_out(&id);
        }
        Ok((program::over(self.job, self.opened, self.session, bars, rules)?, places))
    }

    /// Reads the series whose first key field is one of `symbols`, all where there are none, and runs the rules over them as a
    /// check does.
    pub(super) async fn read(&self, symbols: &[String], time: i64) -> Result<Read, Failure> {
        let program = Arc::new(self.program()?);
        let quiet = quiet(&self.job.context);
        let mut ingested = self.opened.ingest(&program, &quiet, (symbols, None)).await?;
        ingested.input.window = self.window;
        let mut sink = Look::new(&program, time);
        let compile = || self.program();
        let evaluated =
            evaluate::evaluate(&quiet, (self.opened, self.session), &program, &ingested, &mut sink, &compile).await?;
        let Look { tally, keys, found, asks_for_open_days, .. } = sink;
        let (rows, open_days) = (tally.series.rows.read, evaluated.open_days);
        Ok(Read { ingested, keys, found, rows, asks_for_open_days, open_days })
    }

    /// What rules of `program` know of other series that were read, and of other jobs.
    pub(super) async fn beside(&self, program: &Program, read: &Read) -> Result<Beside, Failure> {
        let (mut held, quiet) = (Vec::new(), quiet(&self.job.context));
        if !program.looks_beside() {
            return Ok(Beside { peers: BTreeMap::new(), others: BTreeMap::new(), _held: held });
        }
        let others = other_bars::read(&quiet, self.session, program, self.window, &mut held).await?;
        let (of, compile) = ((self.opened, self.session), || self.program());
        let peers = evaluate::peers(&quiet, of, &read.ingested, &compile, &mut held).await?;
        Ok(Beside { peers, others, _held: held })
    }

    /// What the rules that `compile` makes count of the rows of `time` in the series `key`.
    pub(super) async fn at_once(
        &self,
        compile: &dyn Fn() -> Result<Program, Failure>,
        (read, beside): (&Read, &Beside),
        (key, time): (&str, i64),
    ) -> Result<AtOnce, Failure> {
        let from = self.sums(compile()?, (read, beside), (key, time), time).await?;
        let behind = self.sums(compile()?, (read, beside), (key, time), time.saturating_add(1)).await?;
        Ok(AtOnce::between(from, behind))
    }

    /// What the rules of `program` count of the rows of the series `key` from `since` on.
    async fn sums(
        &self,
        program: Program,
        (read, beside): (&Read, &Beside),
        (key, time): (&str, i64),
        since: i64,
    ) -> Result<Sums, Failure> {
        let program = informed(program, read, beside);
        let sha256 = format!("{} of a bar from {since}", program.sha256);
        // Whatever lies before is evaluated, for all rows of the series are read.
        let program = Arc::new(Program { scope: Some(Scope { since, changed: since }), sha256, ..program });
        let mut series = Longer::default();
        series.add(key, read.keys.get(key).and_then(Option::as_deref));
        let mut sums = Sums::default();
        let bars = plan::run_longer(self.session, &program, &read.ingested.input, (&series, self.window.0)).await?;
        collect(self.opened, bars, &mut |batch| Ok(sums.take(batch, time)?)).await?;
        Ok(sums)
    }

    /// Whether the rule at `rule`, which compares the sources of a symbol, compares the bar of `time` of the series `key`.
    pub(super) async fn is_compared(
        &self,
        rule: usize,
        read: &Read,
        (key, time): (&str, i64),
    ) -> Result<bool, Failure> {
        let program = self.program()?;
        let Some(by) = program.rules.rules.get(rule).and_then(|rule| rule.check.by().cloned()) else {
            return Ok(false);
        };
        let parts = parts_of(key);
        let of_all = program.bars.series.iter().zip(&parts).filter(|(name, _)| **name != by);
        let symbol = key_of(of_all.map(|(_, text)| text.as_deref()));
        let together = Arc::new(program.over_sources(by));
        let input = plan::Input {
            groups: read.ingested.input.groups.clone(),
            schema: Arc::clone(&read.ingested.input.schema),
            places: read.ingested.input.places.clone(),
            filter: read.ingested.input.filter.clone(),
            whole: None,
            window: (Some(time), Some(time.saturating_add(1))),
            ..read.ingested.input
        };
        let mut compared = false;
        let found = plan::run_over_sources(self.session, &together, &input).await?;
        collect(self.opened, found, &mut |batch| {
            let mut sums = Sums::default();
            sums.take_of(batch, &symbol)?;
            compared |= sums.evaluated(rule) > 0;
            Ok(())
        })
        .await?;
        Ok(compared)
    }
}

/// `program` with what its rules know of other bars. Rules that are tried know what those of the job with their ids do.
fn informed(program: Program, read: &Read, beside: &Beside) -> Program {
    let ids: Vec<_> = program.rules.rules.iter().map(|rule| Arc::clone(&rule.id)).collect();
    let of_job = |index: usize| ids.iter().position(|id| *id == ids[index]).unwrap_or(index);
    let each = || (0..ids.len()).map(|index| (index, of_job(index)));
    let peers = each().filter_map(|(index, own)| Some((index, beside.peers.get(&own)?.clone()))).collect();
    let others = each().filter_map(|(index, own)| Some((index, beside.others.get(&own)?.clone()))).collect();
    let days = each().filter_map(|(index, own)| Some((index, read.open_days.get(&own)?.clone()))).collect();
    program.beside(peers, others).with_open_days(days)
}

/// The same without what a run over all bars would note.
fn quiet(context: &Context) -> Context {
    let events = Arc::clone(&context.events);
    let passes = move |event: Event<'_>| {
        if !matches!(event, Event::Note(_)) {
            events(event);
        }
    };
    Context { events: Arc::new(passes), ..context.clone() }
}

/// Takes the findings that hold a timestamp, and which series there are.
struct Look<'a> {
    program: &'a Program,
    time: i64,
    tally: Tally,
    keys: BTreeMap<String, Option<String>>,
    found: Vec<Found>,
    asks_for_open_days: bool,
}

impl<'a> Look<'a> {
    fn new(program: &'a Program, time: i64) -> Self {
        let (tally, keys, found) = (Tally::new(program), BTreeMap::new(), Vec::new());
        Self { program, time, tally, keys, found, asks_for_open_days: false }
    }

    /// Whether the rule at `rule` evaluates each series, and asks of all of them on which closed days they traded.
    fn asks(&self, rule: usize) -> bool {
        let rule = self.program.rules.rules.get(rule);
        rule.is_some_and(|rule| rule.kind.stage() != Stage::Across && rule.check.across().is_some())
    }
}

impl Sink for Look<'_> {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.tally.take(batch)?;
        self.found.extend(Found::all_at(batch, self.time)?);
        let column = |name: &str| batch.column_by_name(name);
        let (Some(record), Some(rule)) = (column("record"), column("rule")) else { return Ok(()) };
        let (Some(series), Some(symbol)) = (column("series"), column("symbol")) else { return Ok(()) };
        let record = record.as_primitive::<Int8Type>();
        let rule = rule.as_primitive::<Int32Type>();
        let (series, symbol) = (series.as_string::<i32>(), symbol.as_string::<i32>());
        for row in 0..batch.num_rows() {
            if record.value(row) == Record::Series as i8 {
                let symbol = (!symbol.is_null(row)).then(|| symbol.value(row).to_owned());
                self.keys.insert(series.value(row).to_owned(), symbol);
            } else if record.value(row) == Record::Finding as i8 {
                self.asks_for_open_days |= usize::try_from(rule.value(row)).is_ok_and(|rule| self.asks(rule));
            }
        }
        Ok(())
    }

    fn begin_again(&mut self) {
        *self = Self::new(self.program, self.time);
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}
