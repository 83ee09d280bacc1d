//! What is open: the findings of the newest run that looked at everything, with those of the runs after it, which looked at the
//! part of the bars that may have changed, in the place of what was found there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::chain::{self, Chain, ChainedRun, Part};
use super::error::ReportError;
use super::reading::{only, shaped, texts};
use super::runs;
use super::tables::Table;
use super::tally::RuleStatus;

/// A run after another one, and what it replaces of what that one found.
struct Later {
    part: Part,
    /// The rules that it did not run, for they need all of a series.
    skipped: BTreeSet<String>,
}

impl Later {
    fn replaces(&self, rule: &str, series: &str, ends: Option<i64>) -> bool {
        !self.skipped.contains(rule) && self.part.has(series, ends)
    }
}

/// The columns of `findings` and `job` behind them.
pub fn open_schema() -> SchemaRef {
    let columns = Table::Findings.schema();
    let job = Arc::new(Field::new("job", DataType::Utf8, true));
    Arc::new(Schema::new(columns.fields().iter().cloned().chain([job]).collect::<Vec<_>>()))
}

/// The findings of all jobs below `dir` that are open, in batches of [`open_schema`], each as the newest run that had it wrote it.
///
/// # Errors
/// A folder cannot be listed, or a file not read.
pub fn open_findings(dir: &Path) -> Result<Vec<RecordBatch>, ReportError> {
    runs::again_where_one_goes(|| {
        let jobs: BTreeSet<String> = runs::all(dir)?.into_iter().map(|file| file.job).collect();
        let mut open = Vec::new();
        for job in jobs {
            of_job(dir, &job, &mut open)?;
        }
        Ok(open)
    })
}

fn of_job(dir: &Path, job: &str, open: &mut Vec<RecordBatch>) -> Result<(), ReportError> {
    let links = match chain::open(dir, job)? {
        Chain::Runs(links, _) => links,
        Chain::None | Chain::OtherWindows => return Ok(()),
    };
    let mut later: Vec<Later> = Vec::new();
    for ChainedRun { file, part } in links.into_iter().rev() {
        for path in runs::parts(dir, &file)? {
            let batches = read(&path, job, &later).map_err(|source| ReportError::reading(&path, source))?;
            open.extend(batches);
        }
        if let Some(part) = part {
            let results = Table::RuleResults.file(dir, job, &file.run);
            let skipped = skipped(&results).map_err(|source| ReportError::reading(&results, source))?;
            later.push(Later { part, skipped });
        }
    }
    Ok(())
}

/// The findings in `path` that no later run replaced.
fn read(path: &Path, job: &str, later: &[Later]) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut kept = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = shaped(&batch?, &Table::Findings.schema())?;
        let (rules, series) = (texts(&batch, "rule_id")?, texts(&batch, "series")?);
        let times = |name: &str| batch.column_by_name(name).map(AsArray::as_primitive::<TimestampMicrosecondType>);
        let at = |name: &str, row: usize| times(name).filter(|times| times.is_valid(row)).map(|times| times.value(row));
        let is_open = |row: usize| {
            let ends = at("time_until", row).or_else(|| at("time", row));
            !later.iter().any(|run| run.replaces(rules.value(row), series.value(row), ends))
        };
        let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_open(row))).collect();
        let batch = filter_record_batch(&batch, &mask)?;
        let job: ArrayRef = Arc::new(StringArray::from(vec![job; batch.num_rows()]));
        kept.push(RecordBatch::try_new(open_schema(), batch.columns().iter().cloned().chain([job]).collect())?);
    }
    Ok(kept)
}

/// The rules that a run did not run: one that ran and evaluated nothing took some time all the same.
fn skipped(results: &Path) -> Result<BTreeSet<String>, ArrowError> {
    let file = match File::open(results) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        file => file?,
    };
    let mut skipped = BTreeSet::new();
    for batch in only(ParquetRecordBatchReaderBuilder::try_new(file)?, &["rule_id", "status", "seconds"])? {
        let batch = batch?;
        let (ids, states) = (texts(&batch, "rule_id")?, texts(&batch, "status")?);
        let ran = |row: usize| batch.column_by_name("seconds").is_some_and(|seconds| seconds.is_valid(row));
        let of = (0..batch.num_rows()).filter(|row| states.value(*row) == RuleStatus::Skipped.as_str() && !ran(*row));
        skipped.extend(of.map(|row| ids.value(row).to_owned()));
    }
    Ok(skipped)
}
