//! Columns of tables that are read back.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::KeyValue;

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
