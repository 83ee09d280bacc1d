//! Small source files for tests, made as they are needed.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::{FilesSet, Format};
use crate::bars::TextLayout;

/// A folder of files that goes away with it, and the source they make.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) set: FilesSet,
}

impl Fixture {
    /// Files with these names and bytes, in this order; `""` and `NA` are NULL.
    pub(crate) fn new<B: AsRef<[u8]>>(format: Format, files: &[(&str, B)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = files
            .iter()
            .map(|(name, bytes)| {
                let path = dir.path().join(name);
                fs::write(&path, bytes).unwrap();
                path
            })
            .collect();
        let nulls = vec![String::new(), "NA".to_owned()];
        Self { dir, set: FilesSet::new(format, paths, TextLayout { nulls, ..TextLayout::default() }) }
    }

    /// One CSV file.
    pub(crate) fn csv(text: impl AsRef<[u8]>) -> Self {
        Self::new(Format::Csv, &[("a.csv", text)])
    }

    /// One NDJSON file.
    pub(crate) fn ndjson(text: impl AsRef<[u8]>) -> Self {
        Self::new(Format::Ndjson, &[("a.ndjson", text)])
    }
}

/// `text` packed with gzip.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// `text` packed with zstd, with a checksum.
pub(crate) fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A Parquet file of one batch.
pub(crate) fn parquet_bytes(batch: &arrow::array::RecordBatch) -> Vec<u8> {
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}
