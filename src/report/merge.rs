//! One file of a table from those of several runs, in the order of the runs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::destination::{VERSION, written_as};
use super::error::ReportError;
use super::keys::{SCHEMA_VERSION_KEY, VERSION_KEY};
use super::places::{self, Place, Rows};
use super::reading::{metadata, shaped, texts};
use super::run_id::RunId;
use super::runs;
use super::sweep;
use super::tables::{self, MONTH_FILE, RUN_DATE, SCHEMA_VERSION, Table};
use super::write::plain;
use crate::durable::{Disk, Growing, folder_of};

/// Permission bits of a file for its owner alone.
const OWNER: u32 = 0o600;

/// Writes the rows of the runs `kept` in the folder `month` of `table` as the file `target`, durably; no file where there are none.
/// Whether that was done: a file that a later barkeep wrote has columns that would be lost.
///
/// # Errors
/// A file cannot be read, or the disk does not take the new one.
pub(super) fn merge(
    disk: &Disk,
    table: Table,
    month: &Path,
    kept: &BTreeSet<RunId>,
    target: &Path,
) -> Result<bool, ReportError> {
    let files = files(month, kept)?;
    for file in &files {
        if !is_known(file, table, kept)? {
            tracing::debug!(file = %file.display(), "barkeep did not write it, or a later one: the month stays as it is");
            return Ok(false);
        }
    }
    let mut merged = None;
    for file in &files {
        let add = |rows: RecordBatch| -> Result<(), ReportError> {
            if rows.num_rows() == 0 {
                return Ok(());
            }
            let merged = match &mut merged {
                Some(merged) => merged,
                none => none.insert(Merged::begin(disk, table, target, &files)?),
            };
            merged.writer.write(&rows).map_err(|source| ReportError::encoding(target, source))
        };
        each(file, table, kept, add)?;
    }
    merged.map_or(Ok(()), |merged| merged.finish(target))?;
    Ok(true)
}

/// The files of a month with rows of the runs `kept`: that of the month, then those of single runs in their order.
fn files(month: &Path, kept: &BTreeSet<RunId>) -> Result<Vec<PathBuf>, ReportError> {
    let mut files = Vec::new();
    for (name, path) in runs::entries(month)? {
        if name == MONTH_FILE || kept.iter().any(|run| sweep::is_of(&name, run)) {
            files.push((name != MONTH_FILE, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Whether this barkeep knows what is in `file`: its columns, and in that of a run the rows of this run only.
fn is_known(file: &Path, table: Table, kept: &BTreeSet<RunId>) -> Result<bool, ReportError> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_another = |run: &RunId| name != MONTH_FILE && !(kept.contains(run) && sweep::is_of(name, run));
    if places::runs_in(file)?.iter().any(of_another) {
        return Ok(false);
    }
    has_known_columns(file, table).map_err(|source| ReportError::reading(file, source))
}

fn has_known_columns(file: &Path, table: Table) -> Result<bool, ArrowError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let version = metadata(&builder, SCHEMA_VERSION_KEY).and_then(|version| version.parse::<u32>().ok());
    let known = table.stored_schema();
    let columns = builder.schema().fields().iter().all(|field| known.index_of(field.name()).is_ok());
    Ok(columns && version.is_none_or(|version| version <= SCHEMA_VERSION))
}

/// Shows `add` the rows of `file` that are of the runs `kept`, as files have them now.
fn each(
    file: &Path,
    table: Table,
    kept: &BTreeSet<RunId>,
    mut add: impl FnMut(RecordBatch) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let wrong = |source: ArrowError| ReportError::reading(file, source);
    let place = Place::whole(file);
    let schema = table.stored_schema();
    if table == Table::Runs && !file.ends_with(MONTH_FILE) {
        // What a row of an earlier version lacks, the metadata of its file has.
        let row = place.row(None).map_err(wrong)?;
        return row.map_or(Ok(()), |row| add(of_runs(&row, &schema, kept).map_err(wrong)?));
    }
    for batch in place.open().and_then(Rows::all).map_err(wrong)? {
        add(batch.and_then(|batch| of_runs(&batch, &schema, kept)).map_err(wrong)?)?;
    }
    Ok(())
}

/// The rows that are of the runs `kept`, with the columns of `schema`.
fn of_runs(batch: &RecordBatch, schema: &SchemaRef, kept: &BTreeSet<RunId>) -> Result<RecordBatch, ArrowError> {
    let batch = shaped(batch, schema)?;
    let ids = texts(&batch, "run_id")?;
    let runs: Vec<Option<RunId>> = ids.iter().map(|id| RunId::parse(id?).ok()).collect();
    let is_kept = |run: &Option<RunId>| Some(run.as_ref().is_some_and(|run| kept.contains(run)));
    let mask: BooleanArray = runs.iter().map(is_kept).collect();
    let dates: Date32Array = runs.iter().map(|run| run.as_ref().map(tables::date_of)).collect();
    let dates: ArrayRef = Arc::new(dates);
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, column)| Arc::clone(if field.name() == RUN_DATE { &dates } else { column }));
    filter_record_batch(&RecordBatch::try_new(Arc::clone(schema), columns.collect())?, &mask)
}

/// The file that is being written.
struct Merged {
    writer: ArrowWriter<Growing>,
}

impl Merged {
    /// Begins `target`, for those who may read all of `files`.
    fn begin(disk: &Disk, table: Table, target: &Path, files: &[PathBuf]) -> Result<Self, ReportError> {
        let mode = files.iter().map(|file| fs::metadata(file).map_or(OWNER, |file| file.permissions().mode()));
        let mode = mode.fold(0o666, |all, mode| all & mode) | OWNER;
        let created = Growing::create(disk, &sweep::temporary_of(target), target);
        let mut file = created.map_err(|source| ReportError::writing(folder_of(target), source))?;
        if mode != OWNER {
            file.allow(mode);
        }
        let writer = ArrowWriter::try_new_with_options(file, table.stored_schema(), plain(properties(table)));
        Ok(Self { writer: writer.map_err(|source| ReportError::encoding(target, source))? })
    }

    fn finish(self, target: &Path) -> Result<(), ReportError> {
        let file = self.writer.into_inner().map_err(|source| ReportError::encoding(target, source))?;
        let published = file.complete().and_then(|file| file.publish().map_err(std::io::Error::from));
        published.map_err(|source| ReportError::writing(folder_of(target), source))
    }
}

/// How the file of a month is written: what is known of single runs, such as the job file, is in their rows.
fn properties(table: Table) -> WriterProperties {
    let pair = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let version = SCHEMA_VERSION.to_string();
    let properties = written_as(vec![pair(SCHEMA_VERSION_KEY, &version), pair(VERSION_KEY, VERSION)]);
    match table {
        // Of few rows, statistics of each page would be most of the file.
        Table::Runs | Table::RuleResults => properties.set_statistics_enabled(EnabledStatistics::Chunk),
        _ => properties,
    }
    .build()
}
