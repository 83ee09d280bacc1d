//! Rows in quarantine as a file: Parquet, CSV, NDJSON.

use std::path::Path;

use arrow::array::RecordBatch;

use crate::run::failure::Failure;
use crate::run::table_file::{FileFormat, ResultFile};

/// Writes `batch` to `file`, whose name gives the format.
pub(super) fn write(file: &Path, batch: &RecordBatch) -> Result<(), Failure> {
    let batch = if FileFormat::of(file)?.is_text() { without_raw(batch)? } else { batch.clone() };
    let mut out = ResultFile::create(file, &batch.schema())?;
    out.write(&batch)?;
    out.finish()
}

/// Text formats hold the row as text, not its bytes.
fn without_raw(batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let schema = batch.schema();
    let columns: Vec<usize> = (0..batch.num_columns()).filter(|index| schema.field(*index).name() != "raw").collect();
    Ok(batch.project(&columns)?)
}
