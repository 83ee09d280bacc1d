//! A stretch of a file of records: whole records, and where each stands.

use memchr::memrchr;

use super::records::Record;

/// Whole records of a file, with the text between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// A stretch of the text: records, their line ends, blank lines; in the first chunk also a byte order mark and
    /// the header row.
    pub data: Vec<u8>,
    /// The records in `data`, the header row not among them.
    pub records: Vec<Record>,
    /// The number of the first record, from 1, the header row not counted.
    pub first_row: u64,
    /// The number of the physical line `data` begins in, from 1.
    pub first_line: u64,
    /// Where in that line `data` begins, in bytes from 1.
    pub first_column: u64,
    /// Bytes of the file, as it lies on disk, that were read up to here.
    pub bytes_read: u64,
}

impl Chunk {
    /// Row number, line number and bytes of every record, the line end not included.
    pub fn rows(&self) -> impl Iterator<Item = (u64, u64, &[u8])> {
        self.records.iter().zip(self.first_row..).map(|(record, row)| (row, self.line(record), self.bytes(record)))
    }

    /// The byte of its line at which every record begins, from 1.
    pub(super) fn columns(&self) -> impl Iterator<Item = u64> {
        let (mut looked_at, mut before, mut line_start) = (0, self.first_column, 0);
        self.records.iter().map(move |record| {
            if let Some(at) = memrchr(b'\n', &self.data[looked_at..record.start]) {
                (before, line_start) = (1, looked_at + at + 1);
            }
            looked_at = record.start;
            before + (record.start - line_start) as u64
        })
    }

    /// Line number and bytes of the record with this row number, if it is one of these.
    pub fn row(&self, row: u64) -> Option<(u64, &[u8])> {
        let index = usize::try_from(row.checked_sub(self.first_row)?).ok()?;
        self.records.get(index).map(|record| (self.line(record), self.bytes(record)))
    }

    /// The number of the physical line in which `record` begins.
    pub(super) fn line(&self, record: &Record) -> u64 {
        self.first_line + record.line
    }

    fn bytes(&self, record: &Record) -> &[u8] {
        &self.data[record.start..record.end]
    }
}
