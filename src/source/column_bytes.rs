//! How much of Parquet files each of their columns takes, by their footers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ::parquet::arrow::arrow_reader::ArrowReaderOptions;
use ::parquet::file::metadata::RowGroupMetaData;

use super::SourceError;
use super::parquet::open;

/// Footers that say it of all files.
const FILES: usize = 16;

/// Compressed bytes by the dotted name of a column, in the first of `files`.
///
/// # Errors
/// One of them is no Parquet file.
pub fn column_bytes(files: &[PathBuf]) -> Result<BTreeMap<String, u64>, SourceError> {
    let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
    for path in files.iter().take(FILES) {
        let (_, footer) = open(path, ArrowReaderOptions::new())?;
        for column in footer.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns) {
            *bytes.entry(column.column_path().string()).or_default() += column.compressed_size().unsigned_abs();
        }
    }
    Ok(bytes)
}
