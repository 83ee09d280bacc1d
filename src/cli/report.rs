//! `barkeep report`: the runs there are, and one run with its findings.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::args::{FindingsArgs, Global};
use super::events;
use super::output::{self, Output};
use super::sql;
use crate::checks::{self, Facts};
use crate::engine::session::session;
use crate::market::Interval;
use crate::report::error::ReportError;
use crate::report::render::render_text;
use crate::report::store;
use crate::run::unresolved::unresolved;
use crate::run::{Exit, Failure, Stop};
use crate::text::escape::visible;
use crate::text::utc::UtcMicros;

/// The runs there are, newest first.
pub(crate) async fn list(global: &Global, dir: &Path, limit: usize, output: &mut Output) -> Result<Exit, Failure> {
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let context = session(&of_process.limits_in(&scratch))?;
    if let (Err(error @ ReportError::NoRuns { .. }), false) = (store::resolve_run(dir, "latest"), output.is_json()) {
        output.line(&error.to_string())?;
        return Ok(Exit::Ok);
    }
    let newest = MemTable::try_new(store::runs_schema(), vec![store::newest_runs(dir, limit)?])?;
    context.register_table("runs", Arc::new(newest))?;
    let query = format!(
        "SELECT run_id, job, command, status, exit_code, rows_read, findings_error, findings_warn, findings_info \
         FROM runs ORDER BY started_at DESC, run_id DESC LIMIT {limit}"
    );
    sql::query(&context, dir, &query, output).await
}

/// The summary and the findings of one run.
pub(crate) async fn show(
    global: &Global,
    dir: &Path,
    asked: &str,
    which: &FindingsArgs,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let run = store::resolve_run(dir, asked).map_err(unresolved)?;
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let context = session(&of_process.limits_in(&scratch))?;
    store::register(&context, dir)?;
    let of_run = format!(
        "job = '{}' AND run_date = DATE '{}' AND run_id = '{}'",
        run.job.replace('\'', "''"),
        run.run_id.run_date(),
        run.run_id
    );
    let mut summary = match run.load_summary() {
        Err(ReportError::NoSummary { .. }) => return broke_off(&context, dir, &of_run, output).await,
        summary => summary?,
    };
    if output.is_json() {
        output.line(&output::summary(&summary)?)?;
    } else {
        // What was to be typed next was for the folder and the moment of the run.
        summary.next.clear();
        output.line(&render_text(&summary, output.colour(), output::width()))?;
    }
    let chosen = chosen(&of_run, which);
    let query = format!(
        "SELECT * FROM findings WHERE {chosen} \
         ORDER BY CASE WHEN is_new THEN 0 ELSE 1 END, \
         CASE severity WHEN 'error' THEN 0 WHEN 'warn' THEN 1 ELSE 2 END, rule_id, series, time, \
         character_length(locator), locator LIMIT {}",
        which.findings
    );
    if output.is_json() {
        return sql::query(&context, dir, &query, output).await;
    }
    let found = async { context.sql(&query).await?.execute_stream().await?.try_collect::<Vec<RecordBatch>>().await };
    let batches = found.await.map_err(|error| sql::failed(error, dir))?;
    let interval = Interval::parse(&summary.interval).unwrap_or(Interval::Day);
    // Where all are new, or that is not known, there is nothing to mark.
    let marks = summary.change.as_ref().is_some_and(|change| change.since_run.is_some());
    for batch in &batches {
        lines(batch, (interval, marks), output)?;
    }
    let shown: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let all = match chosen == of_run {
        true => summary.findings.error + summary.findings.warn + summary.findings.info,
        false => count(&context, dir, &chosen).await?,
    };
    if all == 0 && chosen != of_run {
        output.line("no finding of the run is one of these")?;
    }
    if all > shown as u64 {
        output.line(&format!("{} more; --findings N shows them, `barkeep sql` queries them", all - shown as u64))?;
    }
    Ok(Exit::Ok)
}

/// The findings of a run that are asked for, as a condition.
fn chosen(of_run: &str, which: &FindingsArgs) -> String {
    let FindingsArgs { findings: _, rules, series, severities, new } = which;
    let texts = |texts: &[&str]| {
        texts.iter().map(|text| format!("'{}'", text.replace('\'', "''"))).collect::<Vec<_>>().join(", ")
    };
    let of = |all: &[String]| texts(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let mut chosen = of_run.to_owned();
    if !rules.is_empty() {
        chosen += &format!(" AND rule_id IN ({})", of(rules));
    }
    if !series.is_empty() {
        chosen += &format!(" AND (series IN ({0}) OR symbol IN ({0}))", of(series));
    }
    if !severities.is_empty() {
        let words: Vec<&str> = severities.iter().map(|severity| severity.as_str()).collect();
        chosen += &format!(" AND severity IN ({})", texts(&words));
    }
    if *new {
        chosen += " AND is_new";
    }
    chosen
}

/// How many findings meet `chosen`.
async fn count(context: &SessionContext, dir: &Path, chosen: &str) -> Result<u64, Failure> {
    let query = format!("SELECT count(*) FROM findings WHERE {chosen}");
    let counted = async { context.sql(&query).await?.collect().await };
    let batches = counted.await.map_err(|error| sql::failed(error, dir))?;
    let counts = batches
        .iter()
        .filter(|batch| batch.num_rows() > 0)
        .map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    Ok(counts.sum::<i64>().unsigned_abs())
}

/// What is known of a run that broke off or was stopped: how it ended and why.
async fn broke_off(context: &SessionContext, dir: &Path, of_run: &str, output: &mut Output) -> Result<Exit, Failure> {
    let columns = "run_id, job, command, status, exit_code, started_at, error";
    let query = format!("SELECT {columns} FROM runs WHERE {of_run}");
    if output.is_json() {
        return sql::query(context, dir, &query, output).await;
    }
    let found = async { context.sql(&query).await?.collect().await };
    for batch in found.await.map_err(|error| sql::failed(error, dir))? {
        let texts =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let texts: Vec<_> = texts.iter().map(|column| visible(column.as_string::<i32>().value(row))).collect();
            let [run, job, command, status, code, _, error] = texts.as_slice() else { continue };
            output.line(&format!("{run}   {command} {job}   {status}, exit {code}"))?;
            output.line(&error.replace("\\n", "\n"))?;
        }
    }
    Ok(Exit::Ok)
}

/// One line a finding, behind a `+` where it is new: severity, rule, series, time, why, and where in the source.
fn lines(batch: &RecordBatch, (interval, marks): (Interval, bool), output: &mut Output) -> Result<(), Failure> {
    let text = |name: &str| -> Result<ArrayRef, Failure> {
        let column = batch.column(batch.schema().index_of(name)?);
        Ok(cast(column, &DataType::Utf8)?)
    };
    let names = [
        "severity",
        "rule_id",
        "series",
        "check",
        "field",
        "observed_text",
        "expected_text",
        "cause",
        "evidence",
        "locator",
    ];
    let columns = names.iter().map(|name| text(name)).collect::<Result<Vec<_>, _>>()?;
    let numbers = ["observed", "expected_lo", "expected_hi", "score"];
    let numbers = numbers.iter().map(|name| batch.schema().index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let times = [batch.schema().index_of("time")?, batch.schema().index_of("time_until")?];
    let bars = batch.column(batch.schema().index_of("bars_affected")?).as_primitive::<Int64Type>();
    let new = batch.column(batch.schema().index_of("is_new")?).as_boolean();
    for row in 0..batch.num_rows() {
        let text = |column: usize| {
            let column = columns[column].as_string::<i32>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        let number = |column: usize| {
            let column = batch.column(numbers[column]).as_primitive::<Float64Type>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        let time = |column: usize| {
            let column = batch.column(times[column]).as_primitive::<TimestampMicrosecondType>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        let evidence = text(8).and_then(|evidence| serde_json::from_str(evidence).ok()).unwrap_or_default();
        let facts = Facts {
            check: text(3).unwrap_or_default(),
            interval,
            field: text(4),
            observed: number(0),
            observed_text: text(5),
            expected_lo: number(1),
            expected_hi: number(2),
            expected_text: text(6),
            score: number(3),
            bars: bars.value(row).unsigned_abs(),
            cause: text(7),
            evidence: &evidence,
            time: time(0),
            time_until: time(1),
        };
        let timestamp = time(0)
            .map_or_else(|| "no timestamp".to_owned(), |t| UtcMicros(t).timestamp(interval.is_daily_or_longer()));
        let place = text(9).map(|place| format!(" ({})", visible(place))).unwrap_or_default();
        output.line(&format!(
            "{}{:<5} {} {} {timestamp}: {}{place}",
            match (marks, new.is_valid(row) && new.value(row)) {
                (false, _) => "",
                (true, true) => "+ ",
                (true, false) => "  ",
            },
            text(0).unwrap_or_default(),
            visible(text(1).unwrap_or_default()),
            visible(text(2).unwrap_or_default()),
            checks::message(&facts)
        ))?;
    }
    Ok(())
}
