//! A look at the beginning of a file, for whoever does not know yet how it is to be read.

use std::path::Path;

use ::parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use arrow::array::RecordBatch;

use super::compression::Unpacked;
use super::{SourceError, parquet};

/// The first `bytes` of a text file, unpacked; fewer where it is shorter.
///
/// # Errors
/// When the file cannot be read or unpacked.
pub fn first_bytes(path: &Path, bytes: usize) -> Result<Vec<u8>, SourceError> {
    let mut text = Vec::new();
    Unpacked::open(path)?.fill(&mut text, bytes, 0)?;
    Ok(text)
}

/// The first `rows` of a Parquet file.
///
/// # Errors
/// When the file cannot be read, or is damaged.
pub fn first_rows(path: &Path, rows: usize) -> Result<RecordBatch, SourceError> {
    let (file, metadata) = parquet::open(path, ArrowReaderOptions::new())?;
    let schema = metadata.schema().clone();
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_limit(rows)
        .with_batch_size(rows)
        .build()
        .map_err(|error| SourceError::parquet(path, error))?;
    let first = reader.into_iter().next().transpose();
    Ok(first
        .map_err(|error| SourceError::parquet(path, error.into()))?
        .unwrap_or_else(|| RecordBatch::new_empty(schema)))
}
