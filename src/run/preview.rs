//! The first bars of a job as a run reads them, so that a person sees what the settings do.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, NaiveDate, TimeDelta};
use datafusion::prelude::SessionContext;

use super::failure::Failure;
use super::job::Job;
use super::program;
use crate::bars::{BarsSpec, TIME};
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::market::{Lookup, zone};

/// How many bars are shown.
const SHOWN: usize = 3;
/// What stands for a value that is missing or was not read.
const NONE: &str = "-";

/// The first bars of a job.
#[derive(Debug)]
pub struct Preview {
    /// What the bars are.
    pub heading: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The bars, one text a column.
    pub bars: Vec<Vec<String>>,
}

impl Job {
    /// Reads the first bars.
    ///
    /// # Errors
    /// The source cannot be read, or lacks a field that the job names.
    pub async fn preview(&self) -> Result<Preview, Failure> {
        let opened = self.open_source().await?;
        let read = async {
            let scratch = self.context.scratch()?;
            let session = session(&self.context.limits_in(&scratch))?;
            let program = program::program(self, &opened, &session)?;
            let ingested = opened.ingest(&program, &self.context, (&[], None)).await?;
            first_bars(&session, &program, &ingested.input).await
        };
        let preview = read.await;
        opened.source.close().await;
        preview
    }
}

/// The first bars of `input`.
pub(super) async fn first_bars(session: &SessionContext, program: &Program, input: &Input) -> Result<Preview, Failure> {
    let plan = plan::first_bars(program, input, SHOWN)?;
    let batches = session.execute_logical_plan(plan).await?.collect().await?;
    let bars = &program.bars;
    let numbers = ["open", "high", "low", "close", "volume"].into_iter().filter(|name| bars.field(name).is_some());
    let fields: Vec<&str> = bars.series.iter().map(|name| &**name).chain(numbers).collect();
    let (keys, numbers) = fields.split_at(bars.series.len());
    let columns = keys.iter().copied().chain(["time", "session"]).chain(numbers.iter().copied()).map(str::to_owned);
    let mut shown = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let mut cells: Vec<String> = keys.iter().map(|name| cell(batch, name, row)).collect();
            cells.extend(time(bars, batch, row));
            cells.extend(numbers.iter().map(|name| cell(batch, name, row)));
            shown.push(cells);
        }
    }
    let calendar = bars.calendar.as_ref().map_or(NONE, |calendar| calendar.name());
    let heading = format!("{}: bars of {}, calendar {calendar}, zone {}", program.job, bars.interval, bars.time.zone);
    Ok(Preview { heading, columns: columns.collect(), bars: shown })
}

impl Preview {
    /// As text, in columns.
    pub fn lines(&self) -> Vec<String> {
        let rows: Vec<&Vec<String>> = std::iter::once(&self.columns).chain(&self.bars).collect();
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &&Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
        };
        std::iter::once(self.heading.clone()).chain(rows.iter().map(line)).collect()
    }
}

fn cell(batch: &RecordBatch, name: &str, row: usize) -> String {
    let Some(column) = batch.column_by_name(name).filter(|column| !column.is_null(row)) else { return NONE.to_owned() };
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        _ => array_value_to_string(column, row).unwrap_or_else(|_| NONE.to_owned()),
    }
}

/// The timestamp of a bar in the zone of the job, and its session.
fn time(bars: &BarsSpec, batch: &RecordBatch, row: usize) -> [String; 2] {
    let column = batch.column_by_name(TIME).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let Some(column) = column.filter(|column| !column.is_null(row)) else { return [NONE.to_owned(), NONE.to_owned()] };
    let micros = column.value(row);
    let Some(utc) = DateTime::from_timestamp_micros(micros) else { return [NONE.to_owned(), NONE.to_owned()] };
    if bars.daily() {
        let day = zone::day_of(micros);
        let trades = bars.calendar.as_ref().map(|calendar| matches!(calendar.session_on(day), Lookup::Session(_)));
        let session = if trades == Some(false) { "none".to_owned() } else { date(day) };
        return [date(day), session];
    }
    let local = utc.with_timezone(&bars.time.zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string();
    [local.replace("+00:00", "Z"), session_of(bars, micros)]
}

/// The trading date of the session that an instant is in.
fn session_of(bars: &BarsSpec, micros: i64) -> String {
    let Some(calendar) = &bars.calendar else { return NONE.to_owned() };
    let today = zone::local_day(calendar.zone(), micros);
    // The session of futures may have opened the evening before.
    let sessions = [today, today + 1].into_iter().filter_map(|day| match calendar.session_on(day) {
        Lookup::Session(ordinal) => Some(calendar.session(ordinal)),
        Lookup::Closed | Lookup::OutOfRange => None,
    });
    let mut inside = sessions.filter(|session| session.open <= micros && micros <= session.close);
    inside.next().map_or_else(|| "none".to_owned(), |session| date(session.day))
}

fn date(day: i32) -> String {
    let first = NaiveDate::default().checked_add_signed(TimeDelta::days(i64::from(day)));
    first.map_or_else(|| NONE.to_owned(), |date| date.to_string())
}
