//! The findings of one run, read from its own files.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::ReportError;
use super::run_id::RunId;
use super::runs::{self, RunFile};
use super::summary::Summary;
use super::tables::Table;

/// The findings of the run of `summary` below `dir`, as the table `findings` has them, by series and time.
///
/// # Errors
/// A file cannot be read.
pub fn findings(dir: &Path, summary: &Summary) -> Result<Vec<RecordBatch>, ReportError> {
    let Ok(run) = RunId::parse(&summary.run_id) else { return Ok(Vec::new()) };
    let path = Table::Runs.file(dir, &summary.job, &run);
    let file = RunFile { run, job: summary.job.clone(), path };
    let mut all = Vec::new();
    for part in runs::parts(dir, &file)? {
        let read = || -> Result<Vec<RecordBatch>, ArrowError> {
            ParquetRecordBatchReaderBuilder::try_new(File::open(&part)?)?.build()?.collect()
        };
        all.extend(read().map_err(|source| ReportError::reading(&part, source))?);
    }
    Ok(all)
}
