//! A JSON document as chunks of records, in order, with row and line numbers.
//!
//! A document is read whole, for nothing says where its records end before its last byte; one larger than a limit is
//! refused. Each record stays a slice of it, so hashes and texts are those of its bytes.

use std::path::Path;

use memchr::memchr_iter;

use super::json_place::{Found, locate};
use super::ndjson::Shape;
use super::text::{FIRST_RECORDS, not_text};
use super::{Chunk, FileIdentity, FilesSet, Record, SourceError, ndjson};

/// The longest document that is read, in bytes.
const LONGEST: usize = 1 << 30;
const BOM: &str = "\u{feff}";

/// A document that was read.
pub(super) struct Document {
    text: String,
    /// Begin and end of each record in `text`.
    records: Vec<(u32, u32)>,
    /// Whether each record begins with its key.
    pub(super) keyed: bool,
    /// Names and values that stand beside the records.
    pub(super) beside: Vec<(String, Option<String>)>,
    identity: FileIdentity,
    chunk: usize,
    next: usize,
    /// Where the next chunk begins at the earliest, and the line ends before that.
    at: usize,
    lines: u64,
}

impl Document {
    /// Reads the document at `path`, one of those `set` describes; chunks will have about `chunk` bytes.
    ///
    /// # Errors
    /// It cannot be read, is not a complete JSON document, or has no records where `set` says.
    pub(super) fn open(path: &Path, set: &FilesSet, chunk: usize) -> Result<Self, SourceError> {
        Self::open_sized(path, set, chunk, LONGEST)
    }

    fn open_sized(path: &Path, set: &FilesSet, chunk: usize, longest: usize) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::NotJson { path: path.to_path_buf(), reason };
        let (text, identity) = read(path, set, longest)?;
        let Found { records, keyed, beside } =
            locate(text.trim_start_matches(BOM), set.records.as_deref()).map_err(refuse)?;
        let shape = Shape { columns: &set.layout.columns, keyed };
        let mut faults = records.iter().take(FIRST_RECORDS).map(|record| ndjson::check(record.as_bytes(), shape).err());
        if let Some(Some(fault)) = faults.next()
            && faults.all(|fault| fault.is_some())
        {
            return Err(refuse(no_record(records.first().copied().unwrap_or_default(), &fault, shape)));
        }
        let offset = |of: usize| u32::try_from(of).unwrap_or(u32::MAX); // a text is shorter than that
        let place = |record: &&str| {
            let start = record.as_ptr().addr() - text.as_ptr().addr();
            (offset(start), offset(start + record.len()))
        };
        let records: Vec<(u32, u32)> = records.iter().map(place).collect();
        if records.is_empty() {
            return Err(SourceError::Empty { path: path.to_path_buf() });
        }
        Ok(Self { text, records, keyed, beside, identity, chunk, next: 0, at: 0, lines: 0 })
    }

    /// The next records; `None` at the end.
    pub(super) fn next_chunk(&mut self) -> Option<Chunk> {
        let &(first, _) = self.records.get(self.next)?;
        let (start, first_row) = (first as usize, self.next as u64 + 1);
        let mut lines = self.lines + count_lines(&self.text[self.at..start]);
        let first_line = lines + 1;
        let line_start = self.text[..start]
            .rfind('\n')
            .map_or(self.text.len() - self.text.trim_start_matches(BOM).len(), |at| at + 1);
        let first_column = (start - line_start) as u64 + 1;
        let (mut records, mut at) = (Vec::new(), start);
        while let Some(&(from, to)) = self.records.get(self.next).filter(|_| at < start + self.chunk) {
            let (from, to) = (from as usize, to as usize);
            lines += count_lines(&self.text[at..from]);
            let (own_start, end) = (from - start, to - start);
            records.push(Record { start: own_start, end, next: end, line: lines + 1 - first_line });
            lines += count_lines(&self.text[from..to]);
            at = to;
            self.next += 1;
        }
        (self.at, self.lines) = (at, lines);
        let data = self.text.as_bytes()[start..at].to_vec();
        Some(Chunk { data, records, first_row, first_line, first_column, bytes_read: self.identity.length })
    }

    /// The identity of the file.
    pub(super) fn finish(self) -> FileIdentity {
        self.identity
    }
}

/// The text of the document, and the file that it is.
fn read(path: &Path, set: &FilesSet, longest: usize) -> Result<(String, FileIdentity), SourceError> {
    let refuse = |reason: String| SourceError::NotJson { path: path.to_path_buf(), reason };
    let mut unpacked = set.unpacked(path)?;
    if !set.layout.encoding.is_utf8() {
        unpacked.decode_from(set.layout.encoding);
    }
    let mut bytes = Vec::new();
    while unpacked.fill(&mut bytes, super::text::CHUNK, 0)? > 0 {
        if bytes.len() > longest {
            return Err(refuse(format!(
                "it is longer than {} MiB, and a document is read whole; split it, or write one record a line (NDJSON)",
                longest >> 20
            )));
        }
    }
    if let Some(reason) = not_text(&bytes) {
        return Err(refuse(reason.to_owned()));
    }
    let identity = unpacked.finish()?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        refuse(format!("byte {at} is not UTF-8; set `encoding`"))
    })?;
    if text.trim_start_matches(BOM).trim_ascii().is_empty() {
        return Err(SourceError::Empty { path: path.to_path_buf() });
    }
    Ok((text, identity))
}

/// Why none of the first records can be read, with the setting that helps.
fn no_record(first: &str, fault: &str, shape: Shape<'_>) -> String {
    let value =
        if shape.keyed { first.find(':').map_or(first, |colon| first[colon + 1..].trim_start()) } else { first };
    let width = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(value).map(|values| values.len());
    match width {
        Ok(width) if shape.columns.is_empty() => {
            format!("its records are arrays; write `columns = [...]` with the names of their {width} values, in order")
        }
        _ => format!("the first record is {fault}"),
    }
}

fn count_lines(text: &str) -> u64 {
    memchr_iter(b'\n', text.as_bytes()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::testing::{Fixture, gzip};
    use super::*;

    fn fixture(text: impl AsRef<[u8]>, records: Option<&str>, columns: &[&str]) -> Fixture {
        let mut fixture = Fixture::new(Format::Json, &[("a.json", text)]);
        fixture.set.records = records.map(str::to_owned);
        fixture.set.layout.columns = columns.iter().map(|name| (*name).to_owned()).collect();
        fixture
    }

    fn rows(fixture: &Fixture, chunk: usize) -> Vec<(u64, u64, String)> {
        let mut document = Document::open(&fixture.set.files[0], &fixture.set, chunk).unwrap();
        let mut rows = Vec::new();
        while let Some(chunk) = document.next_chunk() {
            rows.extend(chunk.rows().map(|(row, line, text)| (row, line, String::from_utf8_lossy(text).into_owned())));
        }
        rows
    }

    fn error(fixture: &Fixture) -> String {
        let error = Document::open_sized(&fixture.set.files[0], &fixture.set, 1, 1 << 20).err().unwrap().to_string();
        error.replace(&format!("{}/", fixture.dir.path().display()), "")
    }

    #[test]
    fn records_keep_their_bytes_and_say_their_line() {
        let text = "\u{feff}{\"t\":\"X\",\n \"rows\": [\n  {\"a\": 1},\n\n  {\"a\":\n  2}, {\"a\": 3}\n ]\n}\n";
        let expected = [(1, 3, "{\"a\": 1}"), (2, 5, "{\"a\":\n  2}"), (3, 6, "{\"a\": 3}")]
            .map(|(row, line, text)| (row, line, text.to_owned()));
        for chunk in [1, 20, 1 << 20] {
            assert_eq!(rows(&fixture(text, Some("rows"), &[]), chunk), expected, "{chunk}");
        }
        assert_eq!(rows(&fixture(gzip(text.as_bytes()), Some("rows"), &[]), 1 << 20), expected);
    }

    #[test]
    fn members_keep_their_keys() {
        let found = rows(&fixture("{\"k\": {\"a\":1},\n\"l\": {\"a\":2}}", Some("."), &[]), 1);
        assert_eq!(found, [(1, 1, "\"k\": {\"a\":1}".to_owned()), (2, 2, "\"l\": {\"a\":2}".to_owned())]);
    }

    #[test]
    fn what_cannot_be_read_says_which_setting_helps() {
        let arrays = error(&fixture("[[1,2,3],[4,5,6]]", None, &[]));
        assert_eq!(
            arrays,
            "`a.json` cannot be read as a JSON document: its records are arrays; write `columns = [...]` with the names of \
             their 3 values, in order"
        );
        assert!(error(&fixture("[[1,2,3]]", None, &["a"])).ends_with("ragged: 3 values, `columns` has 1"));
        assert!(error(&fixture("[1,2]", None, &[])).ends_with("the first record is not a JSON object"));
        assert!(error(&fixture("[\"\u{e9}\"", None, &[])).contains("breaks off in line 1"));
        assert!(error(&fixture(b"[\"\xe9\"]", None, &[])).ends_with("byte 3 is not UTF-8; set `encoding`"));
        assert!(error(&fixture(" \n", None, &[])).contains("is empty"));
        assert!(error(&fixture("[]", None, &[])).contains("is empty"));
        assert!(error(&fixture(vec![b' '; (1 << 20) + 1], None, &[])).contains("longer than 1 MiB"));
    }
}
