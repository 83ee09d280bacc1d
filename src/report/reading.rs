//! Columns of tables that are read back, while runs may come and go.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::KeyValue;

use super::error::ReportError;

/// How often runs are listed and read again where one went meanwhile.
const TRIES: usize = 5;

/// Reads runs: again where a file that was listed is not there any more, for the run it is of was removed meanwhile.
pub(super) fn again_where_one_goes<T>(read: impl Fn() -> Result<T, ReportError>) -> Result<T, ReportError> {
    for _ in 1..TRIES {
        match read() {
            Err(error) if error.is_of_a_file_that_went() => {}
            read => return read,
        }
    }
    read()
}

/// Reads some columns only.
pub(super) fn only(
    builder: ParquetRecordBatchReaderBuilder<File>,
    columns: &[&str],
) -> Result<ParquetRecordBatchReader, ArrowError> {
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    Ok(builder.with_projection(mask).build()?)
}

/// A column of text, plain or dictionary-encoded.
pub(super) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray, ArrowError> {
    let column = batch.column_by_name(name);
    let column = column.ok_or_else(|| ArrowError::SchemaError(format!("there is no column `{name}`")))?;
    Ok(cast(column, &DataType::Utf8)?.as_string().clone())
}

/// Rows with the columns of `schema`: those of an older version lack some, which are NULL.
pub(super) fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

/// What the metadata of a table says of `key`.
pub(super) fn metadata<'a>(builder: &'a ParquetRecordBatchReaderBuilder<File>, key: &str) -> Option<&'a str> {
    let pairs: &[KeyValue] = builder.metadata().file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_again_where_one_goes_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gone.parquet");
        let tries = std::cell::Cell::new(0);
        let read = |goes: usize| {
            tries.set(0);
            again_where_one_goes(|| {
                tries.set(tries.get() + 1);
                if tries.get() > goes { Ok(tries.get()) } else { Err(ReportError::reading(&path, "it went")) }
            })
        };
        assert_eq!((read(0).unwrap(), read(2).unwrap()), (1, 3));
        assert!(read(99).is_err());
        // What is there and cannot be read stays so.
        std::fs::write(&path, "").unwrap();
        assert!(read(2).is_err());
        assert_eq!(tries.get(), 1);
    }
}
