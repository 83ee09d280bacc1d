//! Reading reports back: the tables for SQL, and which run a person means.
//!
//! Tables are read where they lie, with the parts of their paths as columns `job` and `month`. A table without a
//! file has its columns and no rows.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::datasource::TableProvider;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use object_store::path::Path as StorePath;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use serde::Serialize;

use super::earlier;
use super::error::ReportError;
use super::places;
use super::reading::{again_where_one_goes, shaped, texts};
use super::run_id::RunId;
use super::runs::{self, RunFile, Runs};
use super::summary::Summary;
use super::tables::{self, Table};
use crate::durable::paths;
use crate::schema::diagnostic::nearest;

/// Runs that a message about an ambiguous prefix names.
const CANDIDATES: usize = 5;

/// A run that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRef {
    /// The run.
    pub run_id: RunId,
    /// Its job.
    pub job: String,
    /// Where its summary is; a run that broke off has none.
    pub summary: PathBuf,
}

impl RunRef {
    /// The run that `file` below `dir` is of.
    pub(super) fn of(dir: &Path, file: &RunFile) -> Self {
        let summary = tables::summary(dir, file.run.as_str());
        Self { run_id: file.run.clone(), job: file.job.clone(), summary }
    }

    /// The run `run` of `job`; `None` where that is not the name of a run.
    pub fn named(dir: &Path, job: &str, run: &str) -> Option<Self> {
        let run_id = RunId::parse(run).ok()?;
        Some(Self { run_id, job: job.to_owned(), summary: tables::summary(dir, run) })
    }

    /// Reads the summary.
    ///
    /// # Errors
    /// The run broke off and has none, or it cannot be read.
    pub fn load_summary(&self) -> Result<Summary, ReportError> {
        match fs::read(&self.summary) {
            Ok(json) => self.read(&json),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(ReportError::NoSummary { run: self.run_id.to_string() })
            }
            Err(error) => Err(ReportError::reading(&self.summary, error)),
        }
    }

    fn read(&self, json: &[u8]) -> Result<Summary, ReportError> {
        /// What every version says of itself.
        #[derive(serde::Deserialize)]
        struct Versions {
            schema_version: u32,
            version: String,
        }
        if let Ok(Versions { schema_version, version }) = serde_json::from_slice(json)
            && schema_version > tables::SCHEMA_VERSION
        {
            return Err(ReportError::Newer { run: self.run_id.to_string(), version, schema: schema_version });
        }
        serde_json::from_slice(json).map_err(|source| ReportError::reading(&self.summary, source))
    }
}

/// Makes the tables below `dir` known to `context`, by their names. Files are listed when a query runs.
///
/// # Errors
/// `dir` is no path a table can lie in, or `context` has tables of these names.
pub fn register(context: &SessionContext, dir: &Path) -> Result<()> {
    for table in Table::ALL {
        let now = listed(dir, table, table.stored_schema(), (tables::MONTH, DataType::Utf8))?;
        if !earlier::has_files(dir, table) {
            context.register_table(table.name(), now)?;
            continue;
        }
        let before = listed(dir, table, table.schema(), (tables::RUN_DATE, DataType::Date32))?;
        let both = earlier::with_month(context.read_table(before)?, table)?.union(context.read_table(now)?)?;
        context.register_table(table.name(), both.into_view())?;
    }
    Ok(())
}

/// The files of `table` in folders of `job` and, below them, of another column.
fn listed(
    dir: &Path,
    table: Table,
    schema: SchemaRef,
    (folder, kind): (&str, DataType),
) -> Result<Arc<dyn TableProvider>> {
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension(".parquet")
        .with_table_partition_cols(vec![("job".to_owned(), DataType::Utf8), (folder.to_owned(), kind)]);
    let config = ListingTableConfig::new(url(&dir.join(table.name()))?);
    Ok(Arc::new(ListingTable::try_new(config.with_listing_options(options).with_schema(schema))?))
}

/// The newest `most` runs below `dir` as the table `runs` has them, with their jobs, newest first: read from their own files,
/// so that what it takes does not grow with the number of runs.
///
/// # Errors
/// A folder cannot be listed, or a file not read.
pub fn newest_runs(dir: &Path, most: usize) -> Result<Vec<RecordBatch>, ReportError> {
    let mut rows = Vec::new();
    for file in runs::all(dir)?.take(most) {
        rows.push(row_of(dir, &file?)?);
    }
    Ok(rows)
}

/// A run, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunLine {
    /// The run.
    pub run_id: String,
    /// Its job.
    pub job: String,
    /// The command.
    pub command: String,
    /// How it ended.
    pub status: String,
    /// Findings of severity `error`.
    pub errors: i64,
    /// Findings of severity `warn`.
    pub warnings: i64,
}

/// The newest `most` runs below `dir`, newest first; see [`newest_runs`].
///
/// # Errors
/// A folder cannot be listed, or a file not read.
pub fn newest_lines(dir: &Path, most: usize) -> Result<Vec<RunLine>, ReportError> {
    let line = |run: &RecordBatch| {
        let text = |name: &str| Ok::<_, ArrowError>(texts(run, name)?.value(0).to_owned());
        let count = |name: &str| {
            let counts = run.column_by_name(name).and_then(|counts| counts.as_primitive_opt::<Int64Type>());
            counts.map_or(0, |counts| counts.value(0))
        };
        Ok(RunLine {
            run_id: text("run_id")?,
            job: text("job")?,
            command: text("command")?,
            status: text("status")?,
            errors: count("findings_error"),
            warnings: count("findings_warn"),
        })
    };
    let lines: std::result::Result<Vec<RunLine>, ArrowError> = newest_runs(dir, most)?.iter().map(line).collect();
    lines.map_err(|source| ReportError::reading(dir, source))
}

/// The columns of `runs` and `job` behind them.
pub fn runs_schema() -> SchemaRef {
    let columns = Table::Runs.schema();
    let job = Arc::new(Field::new("job", DataType::Utf8, true));
    Arc::new(Schema::new(columns.fields().iter().cloned().chain([job]).collect::<Vec<_>>()))
}

fn row_of(dir: &Path, file: &RunFile) -> std::result::Result<RecordBatch, ReportError> {
    let row = places::row(dir, &file.job, &file.run, None)?;
    let with_job = || {
        let row = row.ok_or_else(|| ArrowError::ParseError("there is no row in it".to_owned()))?;
        let job: ArrayRef = Arc::new(StringArray::from(vec![file.job.as_str(); row.num_rows()]));
        let row = shaped(&row, &Table::Runs.schema())?;
        RecordBatch::try_new(runs_schema(), row.columns().iter().cloned().chain([job]).collect())
    };
    with_job().map_err(|source| ReportError::reading(&file.path, source))
}

/// The first file of the tables below `dir` whose footer does not read, if there is one: a query that fails over it
/// does not say which it was.
pub fn damaged(dir: &Path) -> Option<ReportError> {
    Table::ALL.iter().find_map(|table| damaged_below(&dir.join(table.name())))
}

fn damaged_below(folder: &Path) -> Option<ReportError> {
    let entries = match runs::entries(folder) {
        Ok(entries) => entries,
        Err(error) => return Some(error),
    };
    entries.into_iter().find_map(|(name, path)| match path.is_dir() {
        true => damaged_below(&path),
        false if !name.ends_with(".parquet") => None,
        false => {
            let read =
                fs::File::open(&path).map_err(ParquetError::from).and_then(ParquetRecordBatchReaderBuilder::try_new);
            read.err().map(|error| ReportError::reading(&path, error))
        }
    })
}

/// The job file that the newest run of `job` was of; `None` where there is no run, or it is of an earlier version.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub fn job_file(dir: &Path, job: &str) -> Result<Option<PathBuf>, ReportError> {
    again_where_one_goes(|| newest_job_file(dir, job))
}

fn newest_job_file(dir: &Path, job: &str) -> Result<Option<PathBuf>, ReportError> {
    let Some(newest) = runs::of_job(dir, job)?.next().transpose()? else { return Ok(None) };
    let Some(row) = newest.row(dir, &["job_file"])? else { return Ok(None) };
    let files = texts(&row, "job_file").map_err(|source| ReportError::reading(&newest.path, source))?;
    Ok(files.iter().next().flatten().map(PathBuf::from))
}

/// The address of a folder. Paths are taken literally, whatever characters they have: DataFusion would read `[`,
/// `*` and `?` in a plain path as a pattern.
fn url(folder: &Path) -> Result<ListingTableUrl> {
    let absolute = paths::absolute(folder).map_err(DataFusionError::from)?;
    let path = StorePath::from_absolute_path(absolute).map_err(|source| DataFusionError::External(Box::new(source)))?;
    let mut url = "file:///".to_owned();
    for part in path.parts() {
        for byte in part.as_ref().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
                other => write!(url, "%{other:02X}").map_err(io::Error::other)?,
            }
        }
        url.push('/');
    }
    ListingTableUrl::parse(url)
}

/// The run a person means by `asked`, of all runs below `dir`: by the same rules everywhere.
///
/// # Errors
/// There are no runs, none is meant, or more than one is.
pub fn resolve_run(dir: &Path, asked: &str) -> Result<RunRef, ReportError> {
    let runs = sought(runs::all(dir)?, asked)?;
    let ids: Vec<&str> = runs.iter().map(|file| file.run.as_str()).collect();
    let place = named_run(dir, &ids, asked)?;
    Ok(RunRef::of(dir, &runs[place]))
}

/// The run of `job` a person means by `asked`, of those that reported below `dir`.
///
/// # Errors
/// As [`resolve_run`]; there is no such job.
pub fn resolve_run_of(dir: &Path, job: &str, asked: &str) -> Result<RunRef, ReportError> {
    let runs = sought(runs::of_job(dir, job)?, asked)?;
    if runs.is_empty() {
        let mut jobs = Vec::new();
        for job in runs::jobs(dir)? {
            if runs::of_job(dir, &job)?.next().transpose()?.is_some() {
                jobs.push(job);
            }
        }
        return Err(match jobs.is_empty() {
            true => ReportError::NoRuns { dir: dir.to_path_buf() },
            false => ReportError::NoRunsOf { job: job.to_owned(), jobs },
        });
    }
    let ids: Vec<&str> = runs.iter().map(|file| file.run.as_str()).collect();
    let place = named_run(dir, &ids, asked)?;
    Ok(RunRef::of(dir, &runs[place]))
}

/// The run of the same job before `run`; `None` where it is the first one.
///
/// # Errors
/// A folder cannot be listed.
pub fn run_before(dir: &Path, run: &RunRef) -> Result<Option<RunRef>, ReportError> {
    for file in runs::of_job(dir, &run.job)? {
        let file = file?;
        if file.run < run.run_id {
            return Ok(Some(RunRef::of(dir, &file)));
        }
    }
    Ok(None)
}

/// The run of `job` a person means by `asked`: one that reported below `dir`, or one of `others`, e.g. those whose rows
/// are in quarantine, whatever became of their reports.
///
/// # Errors
/// There are no runs, none is meant, or more than one is.
pub fn resolve_run_of_job<'a>(
    dir: &Path,
    job: &str,
    others: impl IntoIterator<Item = &'a str>,
    asked: &str,
) -> Result<String, ReportError> {
    let reported = runs::of_job(dir, job)?.collect::<std::result::Result<Vec<_>, _>>()?;
    let others = others.into_iter().map(str::to_owned);
    let ids: BTreeSet<String> = reported.iter().map(|file| file.run.to_string()).chain(others).collect();
    let newest_first: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    let place = named_run(dir, &newest_first, asked)?;
    Ok(newest_first[place].to_owned())
}

/// The runs among which the one is that a person means by `asked`: one that is counted from the latest needs no older ones.
fn sought(runs: Runs, asked: &str) -> std::result::Result<Vec<RunFile>, ReportError> {
    match steps_back(asked) {
        Some(back) => runs.take(back.saturating_add(1)).collect(),
        None => runs.collect(),
    }
}

/// Which of `runs`, newest first, a person means: `latest`, `latest~2` (the second before the latest), an id, or the
/// beginning of exactly one. The only place that decides this.
fn named_run(dir: &Path, runs: &[&str], asked: &str) -> Result<usize, ReportError> {
    if runs.is_empty() {
        return Err(ReportError::NoRuns { dir: dir.to_path_buf() });
    }
    if let Some(back) = steps_back(asked) {
        let too_few = ReportError::TooFewRuns { asked: asked.to_owned(), runs: runs.len() };
        return if back < runs.len() { Ok(back) } else { Err(too_few) };
    }
    let meant: Vec<usize> =
        (0..runs.len()).filter(|place| !asked.is_empty() && runs[*place].starts_with(asked)).collect();
    match meant.as_slice() {
        [place] => Ok(*place),
        [] => Err(unknown(asked, runs)),
        several => Err(ReportError::AmbiguousRun {
            asked: asked.to_owned(),
            count: several.len(),
            candidates: several.iter().take(CANDIDATES).map(|place| runs[*place].to_owned()).collect(),
        }),
    }
}

/// How far before the latest run; `None` where `asked` is not about the latest.
fn steps_back(asked: &str) -> Option<usize> {
    match asked.strip_prefix("latest")? {
        "" => Some(0),
        back => back.strip_prefix('~')?.parse().ok(),
    }
}

fn unknown(asked: &str, runs: &[&str]) -> ReportError {
    let hint = match nearest(asked, runs.iter().copied().chain(["latest"])) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write `latest`, `latest~1`, or a run id; `barkeep report list` shows them".to_owned(),
    };
    ReportError::UnknownRun { asked: asked.to_owned(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Outcome, RunMeta, RunStatus};
    use crate::report::testing::{meta, one_series, program, texts};
    use crate::text::utc::UtcMicros;

    fn report(dir: &Path, hour: u32) -> Summary {
        let mut collector = Collector::new(dir, program(), meta(hour), vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        collector.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(0))).unwrap()
    }

    /// The first column of the result of `sql`, as text.
    async fn query(dir: &Path, sql: &str) -> Vec<String> {
        let context = SessionContext::new();
        register(&context, dir).unwrap();
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        batches.iter().flat_map(|batch| texts(batch, batch.schema().field(0).name())).collect()
    }

    #[tokio::test]
    async fn tables_without_a_file_have_columns_and_no_rows() {
        let dir = tempfile::tempdir().unwrap();
        for table in Table::ALL {
            let sql = format!("SELECT count(*) FROM {table} WHERE job = 'demo' AND run_date > '2020-01-01'");
            assert_eq!(query(&dir.path().join("nowhere"), &sql).await, ["0"], "{table}");
        }
        assert_eq!(query(dir.path(), "SELECT rule_id FROM findings").await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn paths_become_columns_and_tables_join() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), 1);
        report(dir.path(), 2);
        let count = "SELECT count(*) FROM findings WHERE job = 'demo' AND run_date = '2026-11-20'";
        assert_eq!(query(dir.path(), count).await, ["8"]);
        assert_eq!(query(dir.path(), "SELECT count(*) FROM findings WHERE job = 'other'").await, ["0"]);
        let join = "SELECT f.rule_id, count(*) FROM findings f JOIN runs r ON f.run_id = r.run_id \
                    WHERE r.run_id LIKE '20261120T02%' AND f.severity = 'error' GROUP BY f.rule_id ORDER BY f.rule_id";
        assert_eq!(query(dir.path(), join).await, ["close-outlier", "ohlc"]);
        assert_eq!(query(dir.path(), "SELECT sum(bars) FROM series_metrics").await, ["62"]);
        assert_eq!(query(dir.path(), "SELECT count(*) FROM actions").await, ["0"]);
    }

    #[tokio::test]
    async fn folders_may_have_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("my [reports] 100% ?*#ü");
        report(&odd, 1);
        assert_eq!(query(&odd, "SELECT count(*) FROM findings").await, ["4"]);
    }

    #[test]
    fn the_job_file_of_the_newest_run_is_known() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(job_file(dir.path(), "demo").unwrap(), None);
        let run = |hour: u32, file: &str| RunMeta { job_file: file.to_owned(), ..meta(hour) };
        let collector = |run: RunMeta| Collector::new(dir.path(), program(), run, Vec::new(), Previous::None);
        collector(run(1, "/a/job.toml")).finish(Outcome::new(RunStatus::Ok, 0, UtcMicros(0))).unwrap();
        collector(run(2, "/b/job.toml")).abandon(&Outcome::new(RunStatus::Broken, 3, UtcMicros(0))).unwrap();
        assert_eq!(job_file(dir.path(), "demo").unwrap().unwrap(), Path::new("/b/job.toml"));
    }

    #[test]
    fn runs_are_found_by_place_id_and_beginning() {
        let dir = tempfile::tempdir().unwrap();
        for hour in [1, 2, 12] {
            report(dir.path(), hour);
        }
        for (asked, found) in [
            ("latest", "20261120T120000Z-aaaa"),
            ("latest~0", "20261120T120000Z-aaaa"),
            ("latest~2", "20261120T010000Z-aaaa"),
            ("20261120T020000Z-aaaa", "20261120T020000Z-aaaa"),
            ("20261120T1", "20261120T120000Z-aaaa"),
        ] {
            let run = resolve_run(dir.path(), asked).unwrap();
            assert_eq!((run.run_id.as_str(), run.job.as_str()), (found, "demo"), "{asked}");
            assert_eq!(run.load_summary().unwrap().run_id, found);
        }
    }

    #[test]
    fn runs_of_a_job_are_those_that_reported_and_those_named_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), 2);
        let others = ["20261120T030000Z-bbbb", "20261120T010000Z-cccc"];
        let found = |asked: &str| resolve_run_of_job(dir.path(), "demo", others, asked);
        for (asked, run) in [
            ("latest", others[0]),
            ("latest~1", "20261120T020000Z-aaaa"),
            ("latest~2", others[1]),
            ("20261120T02", "20261120T020000Z-aaaa"),
            (others[1], others[1]),
        ] {
            assert_eq!(found(asked).unwrap(), run, "{asked}");
        }
        assert!(matches!(found("latest~3"), Err(ReportError::TooFewRuns { runs: 3, .. })));
        assert!(matches!(found("2026"), Err(ReportError::AmbiguousRun { count: 3, .. })));
        assert!(matches!(found("20271120"), Err(ReportError::UnknownRun { .. })));
        let of_other = resolve_run_of_job(dir.path(), "other", [], "latest");
        assert!(matches!(of_other, Err(ReportError::NoRuns { .. })), "{of_other:?}");
    }

    #[test]
    fn runs_that_are_not_there_are_reported_with_a_way_on() {
        let dir = tempfile::tempdir().unwrap();
        let reported = |asked: &str| resolve_run(dir.path(), asked).unwrap_err().to_string();
        assert!(reported("latest").contains("no run in"), "{}", reported("latest"));
        report(dir.path(), 1);
        report(dir.path(), 2);
        for (asked, hint) in [
            ("latest~2", "there are 2 runs"),
            ("latst", "did you mean `latest`?"),
            ("", "`barkeep report list`"),
            ("20261120T010000Z-aaab", "did you mean `20261120T010000Z-aaaa`?"),
            ("2026", "2 runs; write more of one of them: 20261120T020000Z-aaaa, 20261120T010000Z-aaaa"),
            ("latest~x", "no run `latest~x`"),
        ] {
            assert!(reported(asked).contains(hint), "{asked}: {}", reported(asked));
        }
    }

    #[test]
    fn a_damaged_file_is_found() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), 1);
        assert!(damaged(dir.path()).is_none() && damaged(&dir.path().join("nowhere")).is_none());
        let path = dir.path().join("rule_results/job=demo/month=2026-11/20261120T010000Z-aaaa.parquet");
        assert!(path.exists());
        fs::write(&path, "not Parquet").unwrap();
        assert!(matches!(damaged(dir.path()), Some(ReportError::Read { path: named, .. }) if named == path));
    }

    #[test]
    fn a_run_that_broke_off_has_no_summary() {
        let dir = tempfile::tempdir().unwrap();
        let collector = Collector::new(dir.path(), program(), meta(1), Vec::new(), Previous::None);
        collector.abandon(&Outcome::broken("the disk is gone", 3, UtcMicros(0))).unwrap();
        let error = resolve_run(dir.path(), "latest").unwrap().load_summary().unwrap_err();
        assert!(matches!(error, ReportError::NoSummary { .. }) && error.to_string().contains("says why"), "{error}");
    }
}
