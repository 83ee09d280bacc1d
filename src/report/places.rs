//! Where the rows of a run lie in a table, and how they are read: in files of its own, or in the file of its month, together with
//! those of other runs. This is the only place that knows which.
//!
//! A month that is over may be compacted while a reader looks (see `compaction`): what was in a file of its own a moment ago
//! is in the file of the month then. Reading a whole table of a run looks again where a file went.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowFilter,
};

use super::error::ReportError;
use super::keys::{JOB_FILE_KEY, SCOPE_KEY, WHOLE};
use super::reading::{again_where_one_goes, metadata, only, texts};
use super::run_id::RunId;
use super::tables::{MONTH_FILE, Table, part_name};

/// Columns of `runs` that files of an earlier version have in their metadata.
const SAID: [(&str, &str); 2] = [("scope", SCOPE_KEY), ("job_file", JOB_FILE_KEY)];

/// Whether a run looked at all rules and series, by its row with the column `scope`.
pub(super) fn is_whole(row: &RecordBatch) -> Result<bool, ArrowError> {
    let scope = texts(row, "scope")?;
    Ok(scope.iter().next().flatten().is_none_or(|scope| scope == WHOLE))
}

/// A file with rows of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    path: PathBuf,
    /// The run, where the file has rows of others too.
    of: Option<RunId>,
}

/// Where `run` of `job` has rows in `table`, in order; none where it has none.
///
/// # Errors
/// A folder cannot be looked at.
pub(super) fn of(dir: &Path, table: Table, job: &str, run: &RunId) -> Result<Vec<Place>, ReportError> {
    for folder in table.folders(dir, job, run) {
        let own = match table {
            Table::Findings => parts(&folder, run)?,
            _ => there(folder.join(format!("{run}.parquet")))?.into_iter().collect(),
        };
        if !own.is_empty() {
            return Ok(own.into_iter().map(|path| Place { path, of: None }).collect());
        }
    }
    let month = there(table.folder(dir, job, run).join(MONTH_FILE))?;
    Ok(month.into_iter().map(|path| Place { path, of: Some(run.clone()) }).collect())
}

fn there(path: PathBuf) -> Result<Option<PathBuf>, ReportError> {
    match path.try_exists() {
        Ok(there) => Ok(there.then_some(path)),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(None),
        Err(source) => Err(ReportError::reading(&path, source)),
    }
}

fn parts(folder: &Path, run: &RunId) -> Result<Vec<PathBuf>, ReportError> {
    let mut parts = Vec::new();
    while let Some(part) = there(folder.join(part_name(run, parts.len())))? {
        parts.push(part);
    }
    Ok(parts)
}

/// The rows of `run` of `job` in `table`, with those of the columns `columns` that they have; none where it has none.
///
/// # Errors
/// A file cannot be read.
pub(super) fn read(
    dir: &Path,
    table: Table,
    job: &str,
    run: &RunId,
    columns: &[&str],
) -> Result<Vec<RecordBatch>, ReportError> {
    again_where_one_goes(|| {
        let mut rows = Vec::new();
        for place in of(dir, table, job, run)? {
            let read = || place.open()?.only(columns)?.collect::<Result<Vec<_>, _>>();
            rows.extend(read().map_err(|source| ReportError::reading(&place.path, source))?);
        }
        Ok(rows)
    })
}

/// The row of `run` of `job` in `runs`, with those of the columns `columns` that it has, or all; `None` where its file has no row.
///
/// # Errors
/// The row went meanwhile, or its file cannot be read.
pub(super) fn row(
    dir: &Path,
    job: &str,
    run: &RunId,
    columns: Option<&[&str]>,
) -> Result<Option<RecordBatch>, ReportError> {
    again_where_one_goes(|| {
        for place in of(dir, Table::Runs, job, run)? {
            let row = place.row(columns).map_err(|source| ReportError::reading(&place.path, source))?;
            if row.is_some() || place.of.is_none() {
                return Ok(row);
            }
        }
        let gone = Table::Runs.file(dir, job, run);
        Err(ReportError::reading(&gone, std::io::Error::from(ErrorKind::NotFound)))
    })
}

/// The runs with rows in the file of a month; none where it went.
pub(super) fn runs_in(month: &Path) -> Result<Vec<RunId>, ReportError> {
    let read = || -> Result<Vec<RunId>, ArrowError> {
        let file = match File::open(month) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let mut runs = Vec::new();
        for batch in only(ParquetRecordBatchReaderBuilder::try_new(file)?, &["run_id"])? {
            runs.extend(texts(&batch?, "run_id")?.iter().flatten().filter_map(|id| RunId::parse(id).ok()));
            runs.dedup();
        }
        Ok(runs)
    };
    read().map_err(|source| ReportError::reading(month, source))
}

impl Place {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All rows of a file.
    pub(super) fn whole(path: &Path) -> Self {
        Self { path: path.to_path_buf(), of: None }
    }

    /// Whether other runs have rows there.
    pub(super) fn is_shared(&self) -> bool {
        self.of.is_some()
    }

    /// Reads those of the columns `columns` that it has; `None` where there is no such file any more.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, columns: &[&str]) -> Result<Option<ParquetRecordBatchReader>, ReportError> {
        match self.open().and_then(|rows| rows.only(columns)) {
            Err(_) if matches!(self.path.try_exists(), Ok(false)) => Ok(None),
            read => read.map(Some).map_err(|source| ReportError::reading(&self.path, source)),
        }
    }

    /// Opens it.
    pub(super) fn open(&self) -> Result<Rows, ArrowError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&self.path)?)?;
        Ok(Rows { builder, of: self.of.clone() })
    }

    /// How many rows of the run it has.
    pub(super) fn count(&self) -> Result<u64, ArrowError> {
        let rows = self.open()?;
        if rows.of.is_none() {
            return Ok(u64::try_from(rows.builder.metadata().file_metadata().num_rows()).unwrap_or(0));
        }
        let counts = rows.only(&["run_id"])?.map(|batch| Ok(batch?.num_rows() as u64));
        counts.sum()
    }

    /// Its first row, with all columns or some.
    pub(super) fn row(&self, columns: Option<&[&str]>) -> Result<Option<RecordBatch>, ArrowError> {
        let rows = self.open()?;
        let said = SAID.map(|(column, key)| (column, rows.said(key).map(str::to_owned)));
        let mut reader = match columns {
            Some(columns) => rows.only(columns)?,
            None => rows.all()?,
        };
        let Some(row) = reader.next().transpose()?.filter(|row| row.num_rows() > 0) else { return Ok(None) };
        let wanted = |column: &str| columns.is_none_or(|columns| columns.contains(&column));
        let said = said.into_iter().filter(|(column, _)| wanted(column) && row.column_by_name(column).is_none());
        said.collect::<Vec<_>>().into_iter().try_fold(row, |row, said| with_text(&row, said)).map(Some)
    }
}

/// A row with one more column of text.
fn with_text(row: &RecordBatch, (name, value): (&str, Option<String>)) -> Result<RecordBatch, ArrowError> {
    let field = Arc::new(Field::new(name, DataType::Utf8, true));
    let fields = row.schema().fields().iter().cloned().chain([field]).collect::<Vec<_>>();
    let values: ArrayRef = Arc::new(StringArray::from(vec![value; row.num_rows()]));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), row.columns().iter().cloned().chain([values]).collect())
}

/// An open file with rows of a run.
#[derive(Debug)]
pub(super) struct Rows {
    builder: ParquetRecordBatchReaderBuilder<File>,
    of: Option<RunId>,
}

impl Rows {
    /// What the metadata of the file says of `key`.
    pub(super) fn said(&self, key: &str) -> Option<&str> {
        metadata(&self.builder, key)
    }

    /// Reads some columns only.
    pub(super) fn only(self, columns: &[&str]) -> Result<ParquetRecordBatchReader, ArrowError> {
        let mask = ProjectionMask::columns(self.builder.parquet_schema(), columns.iter().copied());
        self.masked(mask)
    }

    /// Reads all columns.
    pub(super) fn all(self) -> Result<ParquetRecordBatchReader, ArrowError> {
        self.masked(ProjectionMask::all())
    }

    fn masked(self, mask: ProjectionMask) -> Result<ParquetRecordBatchReader, ArrowError> {
        let Self { builder, of } = self;
        let ids = ProjectionMask::columns(builder.parquet_schema(), ["run_id"]);
        let mut builder = builder.with_projection(mask);
        if let Some(run) = of {
            let run = StringArray::new_scalar(run.as_str());
            let is_of_run = ArrowPredicateFn::new(ids, move |batch| eq(batch.column(0), &run));
            builder = builder.with_row_filter(RowFilter::new(vec![Box::new(is_of_run)]));
        }
        Ok(builder.build()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn parts_of_a_run_are_in_order_and_of_no_other_run() {
        let dir = tempfile::tempdir().unwrap();
        let [run, other] = ["20261120T010000Z-bbbb", "20261120T020000Z-cccc"].map(|id| RunId::parse(id).unwrap());
        for part in [2, 0, 1] {
            touch(&Table::Findings.part(dir.path(), "a", &run, part));
        }
        touch(&Table::Findings.part(dir.path(), "a", &other, 0));
        let expected: Vec<PathBuf> = (0..3).map(|part| Table::Findings.part(dir.path(), "a", &run, part)).collect();
        let places = of(dir.path(), Table::Findings, "a", &run).unwrap();
        assert_eq!(places.iter().map(|place| place.path().to_owned()).collect::<Vec<_>>(), expected);
    }
}
