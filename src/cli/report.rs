//! `barkeep report`: the runs there are, and one run with its findings.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::Utc;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::args::{FindingsArgs, Global};
use super::events;
use super::findings::{self, Mark};
use super::output::{self, Output};
use super::sql;
use crate::engine::session::session;
use crate::market::Interval;
use crate::report::error::ReportError;
use crate::report::heading::heading;
use crate::report::render::render_text;
use crate::report::store::{self, RunRef};
use crate::run::unresolved::unresolved;
use crate::run::{Exit, Failure, Stop};
use crate::schema::moment::Moment;
use crate::text::escape::visible;
use crate::text::utc::UtcMicros;

/// The runs there are, newest first.
pub(crate) async fn list(global: &Global, dir: &Path, limit: usize, output: &mut Output) -> Result<Exit, Failure> {
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let context = session(&of_process.limits_in(&scratch))?;
    let newest = store::newest_runs(dir, limit)?;
    if newest.is_empty() && limit > 0 && !output.is_json() {
        output.line(&ReportError::NoRuns { dir: dir.to_path_buf() }.to_string())?;
        return Ok(Exit::Ok);
    }
    let newest = MemTable::try_new(store::runs_schema(), vec![newest])?;
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
    let run = run_of(dir, which.job.as_deref(), asked)?;
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let context = session(&of_process.limits_in(&scratch))?;
    store::register(&context, dir)?;
    let of_run = of_run(&run);
    let mut summary = match run.load_summary() {
        Err(ReportError::NoSummary { .. }) => return broke_off(&context, dir, &of_run, output).await,
        summary => summary?,
    };
    if output.is_json() {
        output.line(&output::summary(&summary)?)?;
    } else {
        for line in heading(&summary, UtcMicros::from(Utc::now())) {
            output.line(&line)?;
        }
        output.line("")?;
        // What was to be typed next was for the folder and the moment of the run.
        summary.next.clear();
        output.line(&render_text(&summary, output.colour(), output::width()))?;
    }
    let chosen = chosen(&of_run, which, summary.daily)?;
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
        for line in findings::lines(batch, interval, if marks { Mark::New } else { Mark::None })? {
            output.line(&line)?;
        }
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

/// The run that a person means by `asked`: of all jobs, or of the job `job`.
pub(super) fn run_of(dir: &Path, job: Option<&str>, asked: &str) -> Result<RunRef, Failure> {
    let Some(job) = job else { return store::resolve_run(dir, asked).map_err(unresolved) };
    store::resolve_run_of(dir, job, asked).map_err(unresolved)
}

/// The rows of one run, as a condition.
pub(super) fn of_run(run: &RunRef) -> String {
    format!(
        "job = '{}' AND month = '{}' AND run_date = DATE '{}' AND run_id = '{}'",
        run.job.replace('\'', "''"),
        run.run_id.month(),
        run.run_id.run_date(),
        run.run_id
    )
}

/// The findings of a run that are asked for, as a condition.
fn chosen(of_run: &str, which: &FindingsArgs, daily: bool) -> Result<String, Failure> {
    let FindingsArgs { findings: _, job: _, rules, series, severities, new, since } = which;
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
    if let Some(since) = since {
        let wrong = |problem: String| {
            Failure::Usage(
                format!("--since: {problem}"),
                "e.g. `--since 2026-10-28` or `--since 2026-10-28T14:30:00Z`".into(),
            )
        };
        // A report does not know the zone of the job.
        let moment = Moment::parse(since).and_then(|moment| moment.resolve(chrono_tz::UTC, daily)).map_err(wrong)?;
        chosen += &format!(" AND coalesce(time_until, time) >= {}", instant(moment));
    }
    Ok(chosen)
}

/// A timestamp, µs UTC, in SQL.
pub(super) fn instant(micros: i64) -> String {
    format!("arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
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
