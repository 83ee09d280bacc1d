//! `barkeep sql`: questions to the report tables, and to the bars of a job.

mod grid;
mod tables;

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::json::LineDelimitedWriter;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use self::grid::{Grid, grid};
use self::tables::{NotRead, Tables};
use super::args::{Global, SqlArgs};
use super::events;
use super::output::{self, Output};
use crate::engine::session::session;
use crate::report::store;
use crate::report::views;
use crate::run::{Exit, Failure, Job, ResultFile, Stop};
use crate::text::numbers::counted;

/// Rows a text table shows; more would not fit a person.
const SHOWN: usize = 1_000;

const SHOW_TABLES: &str = "SELECT table_name, CASE table_type WHEN 'VIEW' THEN 'view' ELSE 'table' END AS kind \
                           FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name";

const HELP: &str =
    "`SHOW TABLES` names the tables, `DESCRIBE findings` the columns of one; docs/reports.md says what they mean";

/// Runs the query.
pub(crate) async fn sql(global: &Global, args: &SqlArgs, output: &mut Output) -> Result<Exit, Failure> {
    let of_process = events::context(global, Stop::never());
    let job = args.job.as_deref().map(|path| Job::open(&of_process, path)).transpose()?;
    let dir = job.as_ref().map_or(args.reports.dir.as_path(), Job::report_dir).to_path_buf();
    if args.duckdb {
        let text = views::for_duckdb(&dir).map_err(|error| Failure::Broken(error.into()))?;
        output.line(text.trim_end())?;
        return Ok(Exit::Ok);
    }
    let asked = asked(args)?;
    let scratch = of_process.scratch()?;
    let limits = of_process.limits_in(&scratch);
    let context = session(&limits)?;
    Tables::register(&context, session(&limits)?, &dir, job).await?;
    let stream = stream(&context, &dir, &asked).await?;
    match &args.output {
        None => show(stream, &dir, output).await,
        Some(file) => write(stream, (&dir, file), output).await,
    }
}

/// The query, of the command line or of a file.
fn asked(args: &SqlArgs) -> Result<Cow<'_, str>, Failure> {
    let Some(file) = &args.file else {
        return Ok(Cow::Borrowed(args.query.as_deref().unwrap_or_default()));
    };
    let read = if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let unread = |error: io::Error| {
        let problem = format!("cannot read the query in `{}`: {error}", file.display());
        Failure::Usage(problem, "name a file of UTF-8 text with one query, or `-` for standard input".to_owned())
    };
    read.map(Cow::Owned).map_err(unread)
}

/// Why a query over the reports below `dir` failed: a file that does not read is named.
pub(crate) fn failed(error: DataFusionError, dir: &Path) -> Failure {
    let error = match own(error) {
        Ok(failure) => return failure,
        Err(error) => error,
    };
    match store::damaged(dir) {
        Some(damage) => damage.into(),
        None => error.into(),
    }
}

/// What broke off in a table of ours; else the error as it is.
fn own(error: DataFusionError) -> Result<Failure, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<NotRead>() {
            Ok(not_read) => Ok(not_read.0),
            Err(inner) => Err(DataFusionError::External(inner)),
        },
        DataFusionError::Context(text, inner) => {
            own(*inner).map_err(|inner| DataFusionError::Context(text, inner.into()))
        }
        DataFusionError::Diagnostic(diagnostic, inner) => {
            own(*inner).map_err(|inner| DataFusionError::Diagnostic(diagnostic, inner.into()))
        }
        error => Err(error),
    }
}

/// Runs one reading query over the reports below `dir` and writes its rows.
pub(crate) async fn query(
    context: &SessionContext,
    dir: &Path,
    sql: &str,
    output: &mut Output,
) -> Result<Exit, Failure> {
    show(stream(context, dir, sql).await?, dir, output).await
}

/// The rows of one reading query.
async fn stream(context: &SessionContext, dir: &Path, sql: &str) -> Result<SendableRecordBatchStream, Failure> {
    let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let sql = if is_show_tables(sql) { SHOW_TABLES } else { sql };
    let frame = context
        .sql_with_options(sql, reading)
        .await
        .map_err(|error| own(error).unwrap_or_else(|error| wrong(&error)))?;
    frame.execute_stream().await.map_err(|error| failed(error, dir))
}

/// What is wrong with a query, in the words of the planner.
fn wrong(error: &DataFusionError) -> Failure {
    let text = error.strip_backtrace().replace("datafusion.public.", "");
    let kinds = ["Error during planning: ", "Execution error: ", "SQL error: ", "Schema error: "];
    let text = kinds.iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(&text);
    Failure::Usage(text.to_owned(), HELP.to_owned())
}

/// Whether a query asks for the tables; its answer would name those of the engine too.
fn is_show_tables(sql: &str) -> bool {
    let words = sql.trim().trim_end_matches(';').split_whitespace();
    words.map(str::to_lowercase).eq(["show", "tables"])
}

async fn show(mut stream: SendableRecordBatchStream, dir: &Path, output: &mut Output) -> Result<Exit, Failure> {
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
    let Grid { lines, left_out } = grid(&shown, output.terminal().then(output::width))?;
    output.line(&lines.join("\n"))?;
    let mut footer = counted(rows as u64, "row");
    if rows > kept {
        footer += &format!(", the first {kept} shown; `-o FILE.parquet` and --format ndjson have all");
    }
    output.line(&footer)?;
    if !left_out.is_empty() {
        let columns = counted(left_out.len() as u64, "column");
        output.line(&format!("{columns} did not fit: {}; `-o FILE.csv` has all", left_out.join(", ")))?;
    }
    Ok(Exit::Ok)
}

/// Writes the rows to a file, whose name says the format.
async fn write(
    mut stream: SendableRecordBatchStream,
    (dir, file): (&Path, &Path),
    output: &mut Output,
) -> Result<Exit, Failure> {
    let mut out = ResultFile::create(file, &stream.schema())?;
    let mut rows = 0;
    while let Some(batch) = stream.try_next().await.map_err(|error| failed(error, dir))? {
        out.write(&batch)?;
        rows += batch.num_rows() as u64;
    }
    out.finish()?;
    output.line(&match output.is_json() {
        true => serde_json::json!({ "type": "sql", "file": file.display().to_string(), "rows": rows }).to_string(),
        false => format!("{}   {}", file.display(), counted(rows, "row")),
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
