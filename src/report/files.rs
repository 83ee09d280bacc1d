//! The Parquet files of one run, read directly and not by SQL.

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

#[cfg(test)]
mod tests {
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;

    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Outcome, RunStatus};
    use crate::report::store::resolve_run;
    use crate::report::testing::{meta, one_series, program, texts};
    use crate::text::utc::UtcMicros;

    fn report(dir: &Path, hour: u32) {
        let mut collector = Collector::new(dir, program(), meta(hour), vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        collector.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(0))).unwrap();
    }

    #[test]
    fn a_run_is_read_with_its_job_file_and_its_findings() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), 1);
        let run = resolve_run(dir.path(), "latest").unwrap();
        let row = row(dir.path(), &run).unwrap();
        assert_eq!(texts(&row.row, "run_id"), [run.run_id.as_str()]);
        assert_eq!(row.job_file.as_deref(), Some("/jobs/demo.toml"));
        let parts = findings(dir.path(), &run).unwrap();
        let rules = read(&parts[0], &["rule_id", "not there"]).unwrap().unwrap();
        assert_eq!(rules.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
        assert!(read(&dir.path().join("nowhere"), &["rule_id"]).unwrap().is_none());
    }

    #[test]
    fn a_run_of_a_later_version_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), 1);
        let run = resolve_run(dir.path(), "latest").unwrap();
        let path = Table::Runs.file(dir.path(), &run.job, &run.run_id);
        let batch = row(dir.path(), &run).unwrap().row;
        let write = |schema: u32| {
            let pair = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
            let metadata = vec![pair(SCHEMA_VERSION_KEY, schema.to_string()), pair(VERSION_KEY, "7.0.0".to_owned())];
            let properties = WriterProperties::builder().set_key_value_metadata(Some(metadata)).build();
            let file = File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        };
        write(SCHEMA_VERSION);
        assert!(row(dir.path(), &run).is_ok());
        write(SCHEMA_VERSION + 1);
        let error = row(dir.path(), &run).unwrap_err().to_string();
        let run = &run.run_id;
        let next = SCHEMA_VERSION + 1;
        let expected = format!(
            "run `{run}` was written by barkeep 7.0.0, with tables of version {next}; this barkeep reads version {SCHEMA_VERSION}: \
             take barkeep 7.0.0 or a later one"
        );
        assert_eq!(error, expected);
    }

    #[test]
    fn runs_before_one_are_those_of_its_job_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        (1..=4).for_each(|hour| report(dir.path(), hour));
        let run = resolve_run(dir.path(), "latest~1").unwrap();
        let ids = |most| until(dir.path(), &run, most).unwrap().into_iter().map(|run| run.run_id.to_string());
        let expected = ["20261120T030000Z-aaaa", "20261120T020000Z-aaaa", "20261120T010000Z-aaaa"];
        assert_eq!(ids(9).collect::<Vec<_>>(), expected);
        assert_eq!(ids(2).collect::<Vec<_>>(), expected[..2]);
    }
}
