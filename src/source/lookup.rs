//! What a finished snapshot is asked: which of its columns hold anything, and what single rows were in the source.
//!
//! The hash of a document is as wide as half a bar, and only rows that are to be moved need it. So hashes stay in the
//! snapshot while bars are sorted, and are looked up, with the `_id`, by the place of the row. Snapshots of text have none:
//! see [`super::text_originals`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaDataReader;
use ::parquet::file::statistics::Statistics;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, Schema, SchemaRef};

use super::SourceError;
use super::snapshot::may_be_empty;
use crate::bars::BarColumn;

/// What a row was in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// SHA-256 of its raw bytes.
    pub hash: [u8; 32],
    /// Its `_id` where the source is a collection: element type and bytes.
    pub id: Option<Vec<u8>>,
    /// Where it stands, for people.
    pub position: Option<Position>,
}

/// Where in its file a record begins, as editors count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1; of a packed file that of its text.
    pub line: u64,
    /// The byte in the line, from 1, where a line may hold many records.
    pub column: Option<u64>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "{}:{column}", self.line),
            None => write!(f, "{}", self.line),
        }
    }
}

/// The columns of `schema`, those of the snapshot at `path`, that hold anything: most of those for what only some records
/// have hold nothing, and a column of nothing takes room wherever its rows are sorted.
///
/// # Errors
/// The snapshot cannot be read.
pub fn filled(path: &Path, schema: &Schema) -> Result<SchemaRef, SourceError> {
    let failed = |error| SourceError::read_back(path, error);
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(failed)?;
    let empty = |column: usize| {
        metadata.row_groups().iter().all(|group| {
            let nulls = group.column(column).statistics().and_then(Statistics::null_count_opt);
            nulls.is_some_and(|nulls| nulls.cast_signed() == group.num_rows())
        })
    };
    let fields = schema.fields().iter().enumerate().filter(|(at, field)| !(may_be_empty(field.name()) && empty(*at)));
    Ok(Arc::new(Schema::new(fields.map(|(_, field)| Arc::clone(field)).collect::<Vec<_>>())))
}

/// The columns that say where a row stands.
const OF_PLACE: [BarColumn<'static>; 4] = [BarColumn::File, BarColumn::Row, BarColumn::Line, BarColumn::Column];

/// Where the rows at `places` (`__file`, `__row`) of the snapshot at `path` stand, in the order of `places`; `None` for rows
/// of a source without lines.
///
/// # Errors
/// The snapshot cannot be read.
pub fn positions(path: &Path, places: &[(i32, i64)]) -> Result<Vec<Option<Position>>, SourceError> {
    let failed = |error| SourceError::read_back(path, error);
    let mut found = vec![None; places.len()];
    // Rows of a snapshot are in the order of their places, so each is met once, and no table of all is needed.
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_unstable_by_key(|at| places[*at]);
    let mut wanted = order.into_iter().peekable();
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    if builder.schema().column_with_name(&BarColumn::Line.name()).is_none() {
        return Ok(found);
    }
    let names = OF_PLACE.map(BarColumn::name);
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().map(AsRef::as_ref));
    for batch in builder.with_projection(mask).build().map_err(failed)? {
        if wanted.peek().is_none() {
            break;
        }
        let batch = batch.map_err(|error| failed(error.into()))?;
        let rows = Places::of(&batch).map_err(failed)?;
        for index in 0..batch.num_rows() {
            let place = rows.place(index);
            while let Some(at) = wanted.next_if(|at| places[*at] <= place) {
                if places[at] == place {
                    found[at] = rows.position(index);
                }
            }
        }
    }
    Ok(found)
}

/// Where the rows of a batch stand.
struct Places<'b> {
    files: &'b [i32],
    numbers: &'b [i64],
    lines: Option<&'b [i64]>,
    columns: Option<&'b [i64]>,
}

impl<'b> Places<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self, ParquetError> {
        let column = |column: BarColumn<'_>| batch.column_by_name(&column.name());
        let whole = |of: BarColumn<'_>| column(of).map(|column| &**column.as_primitive::<Int64Type>().values());
        let file = column(BarColumn::File).ok_or_else(|| lacks("`__file`"))?;
        Ok(Self {
            files: file.as_primitive::<Int32Type>().values(),
            numbers: whole(BarColumn::Row).ok_or_else(|| lacks("`__row`"))?,
            lines: whole(BarColumn::Line),
            columns: whole(BarColumn::Column),
        })
    }

    fn place(&self, index: usize) -> (i32, i64) {
        (self.files[index], self.numbers[index])
    }

    fn position(&self, index: usize) -> Option<Position> {
        let line = self.lines?[index].unsigned_abs();
        Some(Position { line, column: self.columns.map(|columns| columns[index].unsigned_abs()) })
    }
}

/// What the rows at `places` (`__file`, `__row`) of the snapshot of a collection at `path` were, in the order of `places`.
///
/// # Errors
/// The snapshot cannot be read, or lacks one of the rows.
pub fn originals(path: &Path, places: &[(i32, i64)]) -> Result<Vec<Original>, SourceError> {
    let failed = |error| SourceError::read_back(path, error);
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let at: HashMap<(i32, i64), usize> = places.iter().copied().zip(0..).collect();
    let mut found: Vec<Option<Original>> = vec![None; places.len()];
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    let names = [BarColumn::Hash, BarColumn::Id].into_iter().chain(OF_PLACE).map(BarColumn::name);
    let names: Vec<Cow<'_, str>> = names.collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().map(AsRef::as_ref));
    for batch in builder.with_projection(mask).build().map_err(failed)? {
        take(&batch.map_err(|error| failed(error.into()))?, &at, &mut found).map_err(failed)?;
    }
    found.into_iter().collect::<Option<_>>().ok_or_else(|| failed(lacks("one of its rows")))
}

/// Fills in what `batch` has of the rows that are looked for.
fn take(
    batch: &RecordBatch,
    at: &HashMap<(i32, i64), usize>,
    found: &mut [Option<Original>],
) -> Result<(), ParquetError> {
    let column = |column: BarColumn<'_>| batch.column_by_name(&column.name()).ok_or_else(|| lacks(&column.name()));
    let rows = Places::of(batch)?;
    let hashes = column(BarColumn::Hash)?.as_fixed_size_binary();
    let ids = batch.column_by_name(&BarColumn::Id.name()).map(AsArray::as_binary::<i32>);
    for index in 0..batch.num_rows() {
        let Some(&slot) = at.get(&rows.place(index)) else { continue };
        let hash = hashes.value(index).try_into().map_err(|_| lacks("a whole hash"))?;
        let (id, position) = (ids.map(|ids| ids.value(index).to_vec()), rows.position(index));
        found[slot] = Some(Original { hash, id, position });
    }
    Ok(())
}

fn lacks(what: &str) -> ParquetError {
    ParquetError::General(format!("it lacks {what}"))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::super::testing::Fixture;
    use super::super::{Snapshot, Wanted, WantedKind, extract};
    use super::*;

    fn copy(fixture: &Fixture) -> Snapshot {
        let wanted: Vec<Wanted> =
            ["s", "n"].map(|column| Wanted { column: column.to_owned(), kind: WantedKind::Number }).to_vec();
        extract(&fixture.set, &wanted, fixture.dir.path(), NonZeroUsize::MIN, &mut |_, _| ()).unwrap()
    }

    fn names(fixture: &Fixture) -> Vec<String> {
        let snapshot = copy(fixture);
        let filled = filled(&snapshot.path, &snapshot.schema).unwrap();
        filled.fields().iter().map(|field| field.name().clone()).collect()
    }

    #[test]
    fn columns_for_what_no_record_has_are_left_out() {
        let own = ["__file", "__row", "__line"];
        assert_eq!(names(&Fixture::csv("s,n\nA,\nB,\n")), [&["s", "n"][..], &own].concat(), "a wanted column stays");
        assert_eq!(names(&Fixture::csv("s,n\nA,1\nB\n")), [&["s", "n"][..], &own, &["__broken", "__raw"]].concat());
        let typed = Fixture::ndjson("{\"s\":\"1\",\"n\":\"1\"}\n{\"s\":true,\"n\":\"2\"}\n");
        assert_eq!(names(&typed), [&["s", "s!", "s^", "n", "n^"][..], &own].concat());
    }

    #[test]
    fn rows_are_found_by_their_places_in_any_order() {
        let fixture = Fixture::csv("s,n\nA,1\nB,2\nC,3\n");
        let snapshot = copy(&fixture);
        let at = |line| Some(Position { line, column: None });
        let stand = positions(&snapshot.path, &[(0, 3), (0, 1), (0, 3), (1, 1)]).unwrap();
        assert_eq!(stand, [at(4), at(2), at(4), None]);
        let error = originals(&snapshot.path, &[(0, 3)]).unwrap_err();
        assert!(matches!(&error, SourceError::ReadBack { .. }), "text has no hashes there: {error}");
        assert_eq!(originals(Path::new("no such file"), &[]).unwrap(), []);
    }
}
