//! Single rows of a source as they lie in it, for the copies that quarantine keeps.
//!
//! Text files are read again from their beginning with the grammar they were read with, and a row is handed out only
//! if its bytes have the hash they had. Rows of Parquet files come with all their columns.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use arrow::array::RecordBatch;
use sha2::{Digest, Sha256};

use super::{Chunk, FilesSet, SourceError, TextFile, parquet};

/// A row of a text source, as a snapshot names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    /// Position of the file in the source.
    pub file: usize,
    /// Number of the record in the file, from 1.
    pub row: u64,
    /// SHA-256 of the record's bytes.
    pub hash: [u8; 32],
}

/// The bytes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRow {
    /// Where it stood.
    pub locator: Locator,
    /// The physical line it begins in, from 1.
    pub line: u64,
    /// Its bytes, without the line end.
    pub bytes: Vec<u8>,
}

/// The records at `locators`, which are sorted, in their order. Stops after the first error: a file that does not
/// read, a row that is not there ([`SourceError::RowMissing`]) or is another one ([`SourceError::RowChanged`]).
pub fn fetch_text<'a>(set: &'a FilesSet, locators: &'a [Locator]) -> TextRows<'a> {
    TextRows { set, locators: locators.iter(), open: None, failed: false }
}

/// See [`fetch_text`].
pub struct TextRows<'a> {
    set: &'a FilesSet,
    locators: std::slice::Iter<'a, Locator>,
    open: Option<Open>,
    failed: bool,
}

/// The file being read, and the chunk that was read last.
struct Open {
    number: usize,
    path: PathBuf,
    file: TextFile,
    chunk: Option<Chunk>,
}

impl TextRows<'_> {
    fn fetch(&mut self, locator: Locator) -> Result<RawRow, SourceError> {
        let open = match self.open.take() {
            Some(open) if open.number == locator.file => open,
            _ => Open::new(self.set, locator.file)?,
        };
        self.open.insert(open).fetch(locator)
    }
}

impl Iterator for TextRows<'_> {
    type Item = Result<RawRow, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let locator = *self.locators.next()?;
        let result = self.fetch(locator);
        self.failed = result.is_err();
        Some(result)
    }
}

impl Open {
    fn new(set: &FilesSet, number: usize) -> Result<Self, SourceError> {
        let path = set.files.get(number).ok_or_else(|| {
            let path = PathBuf::from(format!("file {} of {}", number + 1, set.files.len()));
            SourceError::NotFound { path, near: None }
        })?;
        Ok(Self { number, path: path.clone(), file: TextFile::open(path, set)?, chunk: None })
    }

    fn fetch(&mut self, locator: Locator) -> Result<RawRow, SourceError> {
        let row = locator.row;
        loop {
            if let Some(chunk) = &self.chunk
                && row < chunk.first_row + chunk.records.len() as u64
            {
                let (line, bytes) = chunk.row(row).ok_or_else(|| self.missing(row))?;
                if Sha256::digest(bytes).as_slice() != locator.hash {
                    return Err(SourceError::RowChanged { path: self.path.clone(), row });
                }
                return Ok(RawRow { locator, line, bytes: bytes.to_vec() });
            }
            self.chunk = self.file.next_chunk()?;
            if self.chunk.is_none() {
                return Err(self.missing(row));
            }
        }
    }

    fn missing(&self, row: u64) -> SourceError {
        SourceError::RowMissing { path: self.path.clone(), row }
    }
}

/// The `rows` of a Parquet file, with all columns: numbers from 1 (the reader's row number plus one), ascending
/// and distinct.
///
/// # Errors
/// When the file does not read, or a row is not there. Pages with checksums are verified as they are read.
pub fn fetch_parquet(path: &Path, rows: &[u64]) -> Result<ParquetRows, SourceError> {
    let failed = |error| SourceError::parquet(path, error);
    let (file, metadata) = parquet::open(path, ArrowReaderOptions::new())?;
    let total = metadata.metadata().file_metadata().num_rows();
    let total = usize::try_from(total).unwrap_or_default();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for &row in rows {
        let index = usize::try_from(row).ok().and_then(|row| row.checked_sub(1)).filter(|index| *index < total);
        let in_order = |index: &usize| ranges.last().is_none_or(|last| last.end <= *index);
        let index = index.filter(in_order).ok_or_else(|| SourceError::RowMissing { path: path.to_path_buf(), row })?;
        match ranges.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            _ => ranges.push(index..index + 1),
        }
    }
    let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), total);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_row_selection(selection)
        .build()
        .map_err(failed)?;
    Ok(ParquetRows { path: path.to_path_buf(), reader })
}

/// See [`fetch_parquet`].
pub struct ParquetRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
}

impl Iterator for ParquetRows {
    type Item = Result<RecordBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|error| SourceError::parquet(&self.path, error.into())))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::super::Format;
    use super::super::testing::{Fixture, gzip, parquet_bytes};
    use super::*;

    fn locator(file: usize, row: u64, bytes: &str) -> Locator {
        Locator { file, row, hash: Sha256::digest(bytes).into() }
    }

    fn bytes(fixture: &Fixture, locators: &[Locator]) -> Result<Vec<(u64, String)>, SourceError> {
        fetch_text(&fixture.set, locators)
            .map(|row| row.map(|row| (row.line, String::from_utf8(row.bytes).unwrap())))
            .collect()
    }

    #[test]
    fn rows_come_back_byte_for_byte_from_every_file() {
        let fixture = Fixture::new(
            Format::Csv,
            &[("a.csv", b"a,b\r\n1,2\r\n\"x\ny\",\"\"\n3,4".to_vec()), ("b.csv.gz", gzip(b"a,b\n5,6\n\n7,8\n"))],
        );
        let wanted = [locator(0, 2, "\"x\ny\",\"\""), locator(0, 3, "3,4"), locator(1, 2, "7,8")];
        let expected = [(3, "\"x\ny\",\"\""), (5, "3,4"), (4, "7,8")].map(|(line, text)| (line, text.to_owned()));
        assert_eq!(bytes(&fixture, &wanted).unwrap(), expected);
        assert_eq!(bytes(&fixture, &[]).unwrap(), []);
    }

    #[test]
    fn a_row_that_changed_or_is_gone_ends_the_search() {
        let fixture = Fixture::ndjson("{\"a\":1}\n{\"a\":2}\n");
        let changed = bytes(&fixture, &[locator(0, 1, "{\"a\":1}"), locator(0, 2, "{\"a\":3}")]);
        assert!(matches!(changed, Err(SourceError::RowChanged { row: 2, .. })));
        let gone = [locator(0, 3, "{\"a\":1}"), locator(0, 1, "{\"a\":1}")];
        let mut rows = fetch_text(&fixture.set, &gone);
        assert!(matches!(rows.next(), Some(Err(SourceError::RowMissing { row: 3, .. }))));
        assert!(rows.next().is_none(), "nothing follows an error");
        assert!(matches!(bytes(&fixture, &[locator(0, 0, "")]), Err(SourceError::RowMissing { row: 0, .. })));
        assert!(matches!(bytes(&fixture, &[locator(1, 1, "")]), Err(SourceError::NotFound { .. })));
    }

    #[test]
    fn parquet_rows_come_with_all_columns() {
        let number: ArrayRef = Arc::new((1_i64..=3000).collect::<Int64Array>());
        let text: ArrayRef = Arc::new((1..=3000).map(|n| Some(format!("t{n}"))).collect::<StringArray>());
        let batch = RecordBatch::try_from_iter([("n", number), ("t", text)]).unwrap();
        let fixture = Fixture::new(Format::Parquet, &[("a.parquet", parquet_bytes(&batch))]);
        let path = &fixture.set.files[0];
        let wanted = [1, 2, 1500, 3000];
        let batches: Vec<RecordBatch> = fetch_parquet(path, &wanted).unwrap().map(Result::unwrap).collect();
        let numbers: Vec<i64> =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        assert_eq!(numbers, [1, 2, 1500, 3000]);
        assert!(batches.iter().all(|batch| batch.num_columns() == 2));
        for rows in [&[0][..], &[3001], &[2, 2], &[3, 2]] {
            assert!(matches!(fetch_parquet(path, rows), Err(SourceError::RowMissing { .. })), "{rows:?}");
        }
        assert_eq!(fetch_parquet(path, &[]).unwrap().count(), 0);
    }

    #[test]
    fn a_parquet_page_that_does_not_read_is_an_error() {
        let text: ArrayRef = Arc::new((1..=3000).map(|n| Some(format!("t{n}"))).collect::<StringArray>());
        let mut bytes = parquet_bytes(&RecordBatch::try_from_iter([("t", text)]).unwrap());
        bytes[4..400].fill(0xff);
        let fixture = Fixture::new(Format::Parquet, &[("a.parquet", bytes)]);
        let path = &fixture.set.files[0];
        let result: Result<Vec<RecordBatch>, SourceError> = fetch_parquet(path, &[1]).and_then(Iterator::collect);
        assert!(matches!(result, Err(SourceError::NotParquet { .. })));
        fs::remove_file(path).unwrap();
        assert!(matches!(fetch_parquet(path, &[1]), Err(SourceError::NotFound { .. })));
    }
}
