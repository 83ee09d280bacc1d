//! What a finished snapshot is asked: which of its columns hold anything, and what single rows were in the source.
//!
//! The hash of a row is as wide as half a bar, and only rows that are to be moved need it. So hashes stay in the snapshot
//! while bars are sorted, and are looked up, with the `_id`, by the place of the row.

use std::collections::HashMap;
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

/// What the rows at `places` (`__file`, `__row`) of the snapshot at `path` were, in the order of `places`.
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
    let names = [BarColumn::File, BarColumn::Row, BarColumn::Hash, BarColumn::Id].map(BarColumn::name);
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
    let files = column(BarColumn::File)?.as_primitive::<Int32Type>().values();
    let rows = column(BarColumn::Row)?.as_primitive::<Int64Type>().values();
    let hashes = column(BarColumn::Hash)?.as_fixed_size_binary();
    let ids = batch.column_by_name(&BarColumn::Id.name()).map(AsArray::as_binary::<i32>);
    for (index, place) in files.iter().copied().zip(rows.iter().copied()).enumerate() {
        let Some(&slot) = at.get(&place) else { continue };
        let hash = hashes.value(index).try_into().map_err(|_| lacks("a whole hash"))?;
        found[slot] = Some(Original { hash, id: ids.map(|ids| ids.value(index).to_vec()) });
    }
    Ok(())
}

fn lacks(what: &str) -> ParquetError {
    ParquetError::General(format!("it lacks {what}"))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use sha2::{Digest, Sha256};

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
        let own = ["__file", "__row", "__line", "__hash"];
        assert_eq!(names(&Fixture::csv("s,n\nA,\nB,\n")), [&["s", "n"][..], &own].concat(), "a wanted column stays");
        assert_eq!(names(&Fixture::csv("s,n\nA,1\nB\n")), [&["s", "n"][..], &own, &["__broken", "__raw"]].concat());
        let typed = Fixture::ndjson("{\"s\":\"1\",\"n\":\"1\"}\n{\"s\":true,\"n\":\"2\"}\n");
        assert_eq!(names(&typed), [&["s", "s!", "s^", "n", "n^"][..], &own].concat());
    }

    #[test]
    fn rows_are_found_by_their_places_in_any_order() {
        let fixture = Fixture::csv("s,n\nA,1\nB,2\nC,3\n");
        let snapshot = copy(&fixture);
        let original = |bytes: &[u8]| Original { hash: Sha256::digest(bytes).into(), id: None };
        let found = originals(&snapshot.path, &[(0, 3), (0, 1)]).unwrap();
        assert_eq!(found, [original(b"C,3"), original(b"A,1")]);
        let error = originals(&snapshot.path, &[(0, 3), (0, 4)]).unwrap_err();
        assert!(matches!(&error, SourceError::ReadBack { .. }), "{error}");
        assert_eq!(originals(Path::new("no such file"), &[]).unwrap(), []);
    }
}
