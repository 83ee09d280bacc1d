//! `barkeep sql`: questions to the report tables, and to the bars of a job.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::json::LineDelimitedWriter;
use arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::args::{Global, SqlArgs};
use super::events;
use super::output::Output;
use crate::engine::session::session;
use crate::quarantine::item::Which;
use crate::report::store;
use crate::run::{Exit, Failure, Job, Stop};
use crate::text::numbers::counted;

/// Rows a text table shows; more would not fit a person.
const SHOWN: usize = 1_000;

/// Runs the query.
pub(crate) async fn sql(global: &Global, args: &SqlArgs, output: &mut Output) -> Result<Exit, Failure> {
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let context = session(&of_process.limits_in(&scratch))?;
    let Some(path) = &args.job else {
        store::register(&context, &args.reports.dir)?;
        return query(&context, &args.reports.dir, &args.query, output).await;
    };
    let job = Job::open(&of_process, path)?;
    if args.query.to_lowercase().contains("quarantine") {
        let quarantine = job.quarantine().await?;
        let table = quarantine.table(&Which::default()).await;
        quarantine.close().await;
        context.register_batch("quarantine", table?)?;
    }
    // The table has to live as long as the query.
    let bars = job.register_bars(&context).await?;
    store::register(&context, job.report_dir())?;
    let ended = query(&context, job.report_dir(), &args.query, output).await;
    drop(bars);
    ended
}

/// Why a query over the reports below `dir` failed: a file that does not read is named.
pub(crate) fn failed(error: DataFusionError, dir: &Path) -> Failure {
    match store::damaged(dir) {
        Some(damage) => damage.into(),
        None => error.into(),
    }
}

/// Runs one reading query over the reports below `dir` and writes its rows.
pub(crate) async fn query(
    context: &SessionContext,
    dir: &Path,
    sql: &str,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let frame = context.sql_with_options(sql, reading).await.map_err(|error| {
        let help = "tables: runs, rule_results, findings, series_metrics, actions; bars and quarantine with --job JOB";
        Failure::Usage(error.strip_backtrace().replace("datafusion.public.", ""), help.to_owned())
    })?;
    let mut stream = frame.execute_stream().await.map_err(|error| failed(error, dir))?;
    if output.is_json() {
        while let Some(batch) = stream.try_next().await.map_err(|error| failed(error, dir))? {
            json_lines(&batch, output)?;
        }
        return Ok(Exit::Ok);
    }
    let schema = stream.schema();
    let mut shown = vec![RecordBatch::new_empty(schema)];
    let (mut rows, mut kept) = (0, 0);
    while let Some(batch) = stream.try_next().await.map_err(|error| failed(error, dir))? {
        rows += batch.num_rows();
        let part = batch.slice(0, batch.num_rows().min(SHOWN - kept));
        kept += part.num_rows();
        shown.push(part);
    }
    output.line(&pretty_format_batches(&shown)?.to_string())?;
    let all = counted(rows as u64, "row");
    output.line(&match rows {
        rows if rows > kept => format!("{all}, the first {kept} shown; --format ndjson writes all"),
        _ => all,
    })?;
    Ok(Exit::Ok)
}

fn json_lines(batch: &RecordBatch, output: &mut Output) -> Result<(), Failure> {
    let mut text = Vec::new();
    LineDelimitedWriter::new(&mut text).write(batch)?;
    for line in String::from_utf8_lossy(&text).lines() {
        output.line(line)?;
    }
    Ok(())
}
