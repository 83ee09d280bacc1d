//! A look at the beginning of a file, for whoever does not know yet how it is to be read.

use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use arrow::array::RecordBatch;

use super::compression::Unpacked;
use super::{SourceError, arrow_ipc, parquet, zip_archive};

/// The first `bytes` of a text file, unpacked, or of the first file of records in a zip archive; fewer where it is
/// shorter.
///
/// # Errors
/// When the file cannot be read or unpacked.
pub fn first_bytes(path: &Path, bytes: usize) -> Result<Vec<u8>, SourceError> {
    let mut text = Vec::new();
    let mut unpacked = match zip_archive::is_archive(path)? {
        true => match zip_archive::members(path, None, |_| true)?.first() {
            Some((name, member)) => Unpacked::member(&path.join(name), member)?,
            None => return Ok(text),
        },
        false => Unpacked::open(path)?,
    };
    unpacked.fill(&mut text, bytes, 0)?;
    Ok(text)
}

/// The first `rows` of an Arrow IPC file.
///
/// # Errors
/// When the file cannot be read, or is damaged.
pub fn first_arrow_rows(path: &Path, rows: usize) -> Result<RecordBatch, SourceError> {
    let columns = arrow_ipc::columns(&[path.to_path_buf()])?;
    let names: Vec<Arc<str>> = columns.iter().map(|column| Arc::from(column.name.as_str())).collect();
    let folder = tempfile::tempdir().map_err(|error| SourceError::read(path, error))?;
    let copy = folder.path().join("first.parquet");
    arrow_ipc::arrow_as_parquet(path, &names, &copy)?;
    first_rows(&copy, rows)
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
