//! The files of one run, for those who read them as they lie.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::destination::{JOB_FILE_KEY, SCHEMA_VERSION_KEY, VERSION_KEY};
use super::error::ReportError;
use super::reading::{metadata, only};
use super::run_id::RunId;
use super::runs::{self, RunFile};
use super::store::RunRef;
use super::summary::Summary;
use super::tables::{SCHEMA_VERSION, Table};

/// The row of a run in `runs`, and what its file says of who wrote it.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// The row, one, with the columns that the file has.
    pub row: RecordBatch,
    /// The job file of the run, as an absolute path.
    pub job_file: Option<String>,
}

/// Reads the row of `run`.
///
/// # Errors
/// The file cannot be read, has no row, or was written by a later barkeep whose columns mean something else.
pub fn row(dir: &Path, run: &RunRef) -> Result<RunRow, ReportError> {
    let path = Table::Runs.file(dir, &run.job, &run.run_id);
    let wrong = |source: ArrowError| ReportError::reading(&path, source);
    let file = File::open(&path).map_err(|source| ReportError::reading(&path, source))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(error.into()))?;
    let said = |key: &str| metadata(&builder, key).map(str::to_owned);
    let (schema, version, job_file) = (said(SCHEMA_VERSION_KEY), said(VERSION_KEY), said(JOB_FILE_KEY));
    if let Some(schema) = schema.and_then(|schema| schema.parse::<u32>().ok()).filter(|it| *it > SCHEMA_VERSION) {
        let version = version.unwrap_or_else(|| "a later version".to_owned());
        return Err(ReportError::Newer { run: run.run_id.to_string(), version, schema });
    }
    let mut reader = builder.build().map_err(|error| wrong(error.into()))?;
    let row = reader.next().transpose().map_err(wrong)?.filter(|row| row.num_rows() > 0);
    let none = || wrong(ArrowError::ParseError("there is no row in it".to_owned()));
    Ok(RunRow { row: row.ok_or_else(none)?, job_file })
}

/// The files of the findings of `run`, in order; none where it has none.
///
/// # Errors
/// The folder cannot be listed.
pub fn findings(dir: &Path, run: &RunRef) -> Result<Vec<PathBuf>, ReportError> {
    runs::parts(dir, &RunFile { run: run.run_id.clone(), job: run.job.clone(), path: PathBuf::new() })
}

/// At most `most` runs of the job of `run`, from it backwards, the newest first: whatever became of them.
///
/// # Errors
/// A folder cannot be listed.
pub fn until(dir: &Path, run: &RunRef, most: usize) -> Result<Vec<RunRef>, ReportError> {
    let files = runs::of_job(dir, &run.job)?.into_iter().filter(|file| file.run <= run.run_id);
    Ok(files.take(most).map(|file| RunRef::of(dir, &file)).collect())
}

/// The findings of the run of `summary` below `dir`, as the table `findings` has them, by series and time.
///
/// # Errors
/// A file cannot be read.
pub fn found(dir: &Path, summary: &Summary) -> Result<Vec<RecordBatch>, ReportError> {
    let Ok(run) = RunId::parse(&summary.run_id) else { return Ok(Vec::new()) };
    let run = RunFile { run, job: summary.job.clone(), path: PathBuf::new() };
    let mut all = Vec::new();
    for part in runs::parts(dir, &run)? {
        let read = || -> Result<Vec<RecordBatch>, ArrowError> {
            ParquetRecordBatchReaderBuilder::try_new(File::open(&part)?)?.build()?.collect()
        };
        all.extend(read().map_err(|source| ReportError::reading(&part, source))?);
    }
    Ok(all)
}

/// Reads the columns `columns` of a table's file, those that it has; `None` where there is no such file.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, columns: &[&str]) -> Result<Option<ParquetRecordBatchReader>, ReportError> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|source| ReportError::reading(path, source))?,
    };
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|source| ReportError::reading(path, source))?;
    only(builder, columns).map(Some).map_err(|source| ReportError::reading(path, source))
}
