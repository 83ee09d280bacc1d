//! Rows in quarantine as a file: Parquet, CSV, NDJSON. Written under another name first, whole or not at all.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;

use crate::durable::{Disk, folder_of};
use crate::run::failure::Failure;

/// Writes `batch` to `file`, whose name gives the format.
pub(super) fn write(file: &Path, batch: &RecordBatch) -> Result<(), Failure> {
    let encode: fn(&RecordBatch, &mut Vec<u8>) -> Result<(), Failure> = match file.extension().and_then(|e| e.to_str())
    {
        Some("parquet") => parquet,
        Some("csv") => csv,
        Some("ndjson" | "jsonl") => ndjson,
        _ => {
            let problem = format!("the name of `{}` ends in no known format", file.display());
            return Err(Failure::Usage(problem, "end it in .parquet, .csv or .ndjson".to_owned()));
        }
    };
    let mut bytes = Vec::new();
    encode(batch, &mut bytes)?;
    Disk::system()
        .write_with(file, |out| out.write_all(&bytes))
        .map_err(|error| Failure::Broken(format!("cannot write in `{}`: {error}", folder_of(file).display()).into()))
}

fn parquet(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut writer = ArrowWriter::try_new(out, batch.schema(), None)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(())
}

fn ndjson(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Failure> {
    LineDelimitedWriter::new(out).write(&without_raw(batch)?)?;
    Ok(())
}

/// Cells that a spreadsheet would take for formulas get an apostrophe in front.
fn csv(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Failure> {
    let batch = without_raw(batch)?;
    let options = FormatOptions::default();
    let columns: Vec<ArrayFormatter<'_>> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<_, _>>()?;
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(batch.schema().fields().iter().map(|field| field.name()))?;
    for row in 0..batch.num_rows() {
        writer.write_record(columns.iter().map(|column| guarded(column.value(row).to_string())))?;
    }
    writer.flush()?;
    Ok(())
}

fn guarded(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

/// Text formats hold the row as text, not its bytes.
fn without_raw(batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let schema = batch.schema();
    let columns: Vec<usize> = (0..batch.num_columns()).filter(|index| schema.field(*index).name() != "raw").collect();
    Ok(batch.project(&columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_would_be_a_formula_is_guarded() {
        for cell in ["=1+1", "+1", "-1", "@x", "\tx"] {
            assert_eq!(guarded(cell.to_owned()), format!("'{cell}"));
        }
        assert_eq!(guarded("000001".to_owned()), "000001");
    }
}
