//! The Parquet files of one run, read directly and not by SQL.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::error::ReportError;
use super::keys::{SCHEMA_VERSION_KEY, VERSION_KEY};
use super::places;
pub use super::places::Place;
use super::reading::{again_where_one_goes, texts};
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
    again_where_one_goes(|| {
        for place in places::of(dir, Table::Runs, &run.job, &run.run_id)? {
            let wrong = |source: ArrowError| ReportError::reading(place.path(), source);
            refuse_later(&place, run).map_err(wrong)??;
            let Some(row) = place.row(None).map_err(wrong)? else { continue };
            let files = texts(&row, "job_file").map_err(wrong)?;
            let job_file = files.iter().next().flatten().map(str::to_owned);
            return Ok(RunRow { row, job_file });
        }
        let none = ArrowError::ParseError("there is no row in it".to_owned());
        Err(ReportError::reading(&Table::Runs.file(dir, &run.job, &run.run_id), none))
    })
}

/// Refuses what a later barkeep wrote, whose columns mean something else.
fn refuse_later(place: &Place, run: &RunRef) -> Result<Result<(), ReportError>, ArrowError> {
    let rows = place.open()?;
    let schema = rows.said(SCHEMA_VERSION_KEY).and_then(|schema| schema.parse::<u32>().ok());
    let Some(schema) = schema.filter(|schema| *schema > SCHEMA_VERSION) else { return Ok(Ok(())) };
    let version = rows.said(VERSION_KEY).unwrap_or("a later version").to_owned();
    Ok(Err(ReportError::Newer { run: run.run_id.to_string(), version, schema }))
}

/// The files with the findings of `run`, in order; none where it has none.
///
/// # Errors
/// The folder cannot be looked at.
pub fn findings(dir: &Path, run: &RunRef) -> Result<Vec<Place>, ReportError> {
    places::of(dir, Table::Findings, &run.job, &run.run_id)
}

/// The rows of `run` in `table`, with those of the columns `columns` that they have; none where it has none.
///
/// # Errors
/// A file cannot be read.
pub fn rows(dir: &Path, table: Table, run: &RunRef, columns: &[&str]) -> Result<Vec<RecordBatch>, ReportError> {
    places::read(dir, table, &run.job, &run.run_id, columns)
}

/// The file with the row of `run`, whose rights what is made of its report gets; `None` where there is none.
pub fn of_row(dir: &Path, run: &RunRef) -> Option<PathBuf> {
    let places = places::of(dir, Table::Runs, &run.job, &run.run_id).ok()?;
    places.first().map(|place| place.path().to_path_buf())
}

/// At most `most` runs of the job of `run`, from it backwards, the newest first: whatever became of them.
///
/// # Errors
/// A folder cannot be listed.
pub fn until(dir: &Path, run: &RunRef, most: usize) -> Result<Vec<RunRef>, ReportError> {
    let is_later = |file: &Result<RunFile, ReportError>| file.as_ref().is_ok_and(|file| file.run > run.run_id);
    let files = runs::of_job(dir, &run.job)?.skip_while(is_later);
    files.take(most).map(|file| Ok(RunRef::of(dir, &file?))).collect()
}

/// The findings of the run of `summary` below `dir`, as the table `findings` has them, by series and time.
///
/// # Errors
/// A file cannot be read.
pub fn found(dir: &Path, summary: &Summary) -> Result<Vec<RecordBatch>, ReportError> {
    let Ok(run) = RunId::parse(&summary.run_id) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for place in places::of(dir, Table::Findings, &summary.job, &run)? {
        let read = || place.open()?.all()?.collect::<Result<Vec<_>, _>>();
        all.extend(read().map_err(|source| ReportError::reading(place.path(), source))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

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
        let rules = parts[0].read(&["rule_id", "not there"]).unwrap().unwrap();
        assert_eq!(rules.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
        std::fs::remove_file(parts[0].path()).unwrap();
        assert!(parts[0].read(&["rule_id"]).unwrap().is_none());
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
