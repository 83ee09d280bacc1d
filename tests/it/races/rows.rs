//! Rows that tell themselves apart: each has a number between two `#`, in whatever format it is written, so that a row
//! that is lost, or there twice, is seen.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array, StringArray};
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

const HEADER: &str = "symbol,date,open,high,low,close,volume,note";

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    Csv,
    Ndjson,
    Gz,
    Parquet,
}

impl Format {
    /// The name of the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "data.csv",
            Self::Ndjson => "data.ndjson",
            Self::Gz => "data.csv.gz",
            Self::Parquet => "data.parquet",
        }
    }

    /// A whole file of these rows.
    pub(crate) fn file(self, rows: &[String]) -> Vec<u8> {
        match self {
            Self::Parquet => parquet(rows),
            Self::Ndjson => lines(rows),
            Self::Csv => [format!("{HEADER}\n").as_bytes(), &lines(rows)].concat(),
            Self::Gz => gz(&[format!("{HEADER}\n").as_bytes(), &lines(rows)].concat()),
        }
    }

    /// What is put behind a file to add these rows; Parquet cannot be added to.
    pub(crate) fn tail(self, rows: &[String]) -> Vec<u8> {
        match self {
            Self::Gz => gz(&lines(rows)),
            Self::Csv | Self::Ndjson => lines(rows),
            Self::Parquet => panic!("nothing is appended to Parquet"),
        }
    }

    /// The rows of a file; what follows its last end of line, or cannot be read, is a row that nobody wrote.
    pub(crate) fn rows(self, bytes: &[u8]) -> Vec<String> {
        match self {
            Self::Parquet => parquet_rows(bytes).unwrap_or_else(|| vec!["(not Parquet)".to_owned()]),
            Self::Gz => {
                let mut text = Vec::new();
                let whole = MultiGzDecoder::new(bytes).read_to_end(&mut text).is_ok();
                let mut rows = Self::Csv.rows(&text);
                rows.extend((!whole).then(|| "(not gzip)".to_owned()));
                rows
            }
            Self::Csv | Self::Ndjson => {
                let text = String::from_utf8_lossy(bytes);
                let rows = text.split_inclusive('\n').filter(|line| line.trim_end() != HEADER);
                rows.map(|row| row.strip_suffix('\n').map_or_else(|| format!("{row}(cut)"), str::to_owned)).collect()
            }
        }
    }

    /// The row with the number `id`, of at least `width` bytes. One that is bad has a price below zero.
    pub(crate) fn row(self, id: u64, bad: Bad, width: usize) -> String {
        let day =
            chrono::NaiveDate::from_ymd_opt(2000, 1, 1).unwrap() + chrono::TimeDelta::days((id % 9000).cast_signed());
        let open = if matches!(bad, Bad::Open | Bad::Both) { "-1" } else { "1" };
        let close = if matches!(bad, Bad::Close | Bad::Both) { "-1" } else { "1" };
        let note = format!("#{id}#{}", "x".repeat(width.saturating_sub(45)));
        match self {
            Self::Ndjson => format!(
                r#"{{"symbol":"A","date":"{day}","open":{open},"high":2,"low":0.5,"close":{close},"volume":100,"note":"{note}"}}"#
            ),
            _ => format!("A,{day},{open},2,0.5,{close},100,{note}"),
        }
    }
}

/// Which rule takes a row: the one on `close`, the one of a second job on `open`, both, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    No,
    Close,
    Open,
    Both,
}

/// The number of a row.
pub(crate) fn id(row: &str) -> Option<u64> {
    row.split('#').nth(1)?.parse().ok()
}

fn lines(rows: &[String]) -> Vec<u8> {
    rows.iter().flat_map(|row| [row.as_bytes(), b"\n"].concat()).collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn parquet(rows: &[String]) -> Vec<u8> {
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.split(',').collect()).collect();
    let column = |at: usize, name: &'static str| {
        let array: ArrayRef = match name {
            "symbol" | "date" | "note" => Arc::new(cells.iter().map(|row| Some(row[at])).collect::<StringArray>()),
            _ => Arc::new(cells.iter().map(|row| row[at].parse::<f64>().ok()).collect::<Float64Array>()),
        };
        (name, array)
    };
    let batch = RecordBatch::try_from_iter(HEADER.split(',').enumerate().map(|(at, name)| column(at, name))).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn parquet_rows(bytes: &[u8]) -> Option<Vec<String>> {
    let mut rows = Vec::new();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).ok()?.build().ok()? {
        let batch = batch.ok()?;
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| match column.as_string_opt::<i32>() {
                Some(text) => Some(text.value(row).to_owned()),
                None => Some(column.as_primitive_opt::<Float64Type>()?.value(row).to_string()),
            });
            rows.push(cells.collect::<Option<Vec<String>>>()?.join(","));
        }
    }
    Some(rows)
}
