//! A text file as chunks of whole records, in order, with row and line numbers.
//!
//! The data of all chunks put together is the unpacked text byte for byte, so that a file can be rewritten from
//! them. Memory is bounded by the size of a chunk and by the longest record. What is not text at all, or breaks off
//! inside a record, is refused; a bad record is the caller's to evaluate.

use std::path::{Path, PathBuf};

use memchr::memchr;

use super::chunk::Chunk;
use super::compression::Unpacked;
use super::ndjson::Shape;
use super::records::{Grammar, IsIgnored, Record, Rest, Rules, split};
use super::wide::Wide;
use super::{FileIdentity, FilesSet, Format, SourceError, csv, ndjson, unread};
use crate::bars::layout::{Delimiter, Encoding, Header, TextLayout};
use crate::bars::wide::WideTable;
use crate::durable::Reader;

/// Text read at a time, in bytes.
pub(super) const CHUNK: usize = 4 << 20;
/// The longest record that is read, in bytes.
const LONGEST: usize = 64 << 20;
/// Records looked at to tell an NDJSON file from something else.
pub(super) const FIRST_RECORDS: usize = 16;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A text file that is being read.
pub struct TextFile {
    path: PathBuf,
    format: Format,
    grammar: Grammar,
    layout: TextLayout,
    sizes: Sizes,
    unpacked: Unpacked,
    /// Text read but not yet handed out; begins at a record.
    buffer: Vec<u8>,
    ended: bool,
    rows: u64,
    lines: u64,
    columns: Vec<String>,
    /// What the header rows of a wide table say.
    wide: Option<WideTable>,
    /// The header rows of a wide table, and the line that the first is in.
    headers: (Vec<Vec<String>>, u64),
    ahead: Option<Chunk>,
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    chunk: usize,
    longest: usize,
}

impl TextFile {
    /// Opens the file at `path`, one of the text files `set` describes, and reads the first chunk ahead.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, or is plainly not of the set's format.
    pub fn open(path: &Path, set: &FilesSet) -> Result<Self, SourceError> {
        Self::open_in_chunks(path, set, CHUNK)
    }

    /// The same, with chunks of about `bytes`.
    pub(super) fn open_in_chunks(path: &Path, set: &FilesSet, bytes: usize) -> Result<Self, SourceError> {
        Self::open_sized(path, set, Sizes { chunk: bytes, longest: LONGEST })
    }

    /// Reads `file`, which is open already and was called `path`, as one of the text files `set` describes.
    ///
    /// # Errors
    /// As [`TextFile::open`].
    pub fn over(path: &Path, file: Reader, set: &FilesSet) -> Result<Self, SourceError> {
        let attributes = file.file().attributes().map_err(|error| SourceError::read(path, error))?;
        let identity = FileIdentity::from_attributes(path, &attributes);
        // A small file is read in one piece no larger than itself.
        let chunk = usize::try_from(attributes.length).map_or(CHUNK, |length| CHUNK.min(length + BOM.len() + 1));
        Self::unpack(Unpacked::over(identity, Box::new(file))?, path, set, Sizes { chunk, longest: LONGEST })
    }

    fn open_sized(path: &Path, set: &FilesSet, sizes: Sizes) -> Result<Self, SourceError> {
        Self::unpack(set.unpacked(path)?, path, set, sizes)
    }

    fn unpack(mut unpacked: Unpacked, path: &Path, set: &FilesSet, sizes: Sizes) -> Result<Self, SourceError> {
        let mut layout = set.layout.clone();
        if !layout.encoding.keeps_lines() {
            unpacked.decode_from(layout.encoding);
            layout.encoding = Encoding::default();
        }
        let grammar = match (set.format, set.layout.delimiter) {
            (Format::Csv, Delimiter::Byte(delimiter)) => Grammar::Csv { delimiter },
            _ => Grammar::Lines,
        };
        let mut file = Self {
            path: path.to_path_buf(),
            format: set.format,
            grammar,
            layout,
            sizes,
            unpacked,
            buffer: Vec::new(),
            ended: false,
            rows: 0,
            lines: 0,
            columns: Vec::new(),
            wide: set.wide.clone(),
            headers: (Vec::new(), 0),
            ahead: None,
        };
        file.read_ahead()?;
        for name in &mut file.columns {
            if set.canonical(name) != name {
                *name = set.canonical(name).to_owned();
            }
        }
        Ok(file)
    }

    /// The columns the header row of a CSV file names; none for NDJSON.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Where the series of a wide table are; `None` for any other file.
    pub(super) fn wide(&self) -> Option<Result<Wide, SourceError>> {
        let (headers, line) = &self.headers;
        let table = self.wide.as_ref()?;
        let wide = Wide::read(table, headers, *line).and_then(|wide| wide.check_distinct().map(|()| wide));
        Some(wide.map_err(|reason| self.refuse(reason)))
    }

    /// The next whole records; `None` at the end of the file. A chunk has records, save perhaps the last one.
    ///
    /// # Errors
    /// When the file does not read or unpack, when a record is longer than 64 MiB, or when a quote is never closed.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        match self.ahead.take() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.read_chunk((0, 0), 0),
        }
    }

    /// The identity of the file, once every chunk was read.
    ///
    /// # Errors
    /// [`SourceError::Changed`] when the file was replaced or written to meanwhile.
    pub fn finish(self) -> Result<FileIdentity, SourceError> {
        self.unpacked.finish()
    }

    fn read_ahead(&mut self) -> Result<(), SourceError> {
        self.fill(self.sizes.chunk.max(BOM.len() + 1))?;
        if let Some(error) = unread::by_bytes(&self.path, &self.buffer) {
            return Err(error);
        }
        if let Some(reason) = not_text(&self.buffer) {
            return Err(self.refuse(reason.to_owned()));
        }
        let start = self.skip()?;
        let header = self.format == Format::Csv && self.layout.header != Header::None;
        let mut chunk = self
            .read_chunk(start, self.wide.as_ref().map_or(u64::from(header), |wide| wide.rows.len() as u64))?
            .filter(|chunk| !chunk.records.is_empty())
            .ok_or_else(|| SourceError::Empty { path: self.path.clone() })?;
        match self.format {
            Format::Csv if self.wide.is_some() => self.take_headers(&mut chunk)?,
            Format::Csv => self.name_columns(&mut chunk)?,
            _ => self.check_objects(&chunk)?,
        }
        self.ahead = Some(chunk);
        Ok(())
    }

    /// Where the first record may begin: behind a byte order mark and the lines that the layout skips, and how many
    /// those are.
    fn skip(&mut self) -> Result<(usize, u64), SourceError> {
        let mut start = if self.buffer.starts_with(BOM) { BOM.len() } else { 0 };
        let mut lines = 0;
        while lines < self.layout.skip {
            match memchr(b'\n', &self.buffer[start..]) {
                Some(length) => {
                    start += length + 1;
                    lines += 1;
                }
                None if self.ended => return Err(SourceError::Empty { path: self.path.clone() }),
                None if self.buffer.len() > self.sizes.longest => {
                    return Err(self.refuse(format!("line {} is longer than 64 MiB", lines + 1)));
                }
                None => self.fill(self.buffer.len() + self.sizes.chunk)?,
            }
        }
        Ok((start, lines))
    }

    /// Takes the names of the columns from the header, or from the layout.
    fn name_columns(&mut self, chunk: &mut Chunk) -> Result<(), SourceError> {
        let record = chunk.records[0];
        let (line, bytes) = (chunk.line(&record), &chunk.data[record.start..record.end]);
        match csv::first(&self.path, bytes, line, &self.layout)? {
            csv::First::Header(names) => {
                if let Some(reason) = other_names(&names, &self.layout.columns, line) {
                    return Err(self.refuse(reason));
                }
                chunk.records.remove(0);
                self.columns = names;
                self.rows -= 1;
            }
            csv::First::Record(cells) => {
                if self.layout.columns.is_empty() {
                    let reason = format!("its {cells} columns have no names; write `columns = [...]`, in order");
                    return Err(self.refuse(reason));
                }
                self.columns.clone_from(&self.layout.columns);
            }
        }
        Ok(())
    }

    /// Takes the header rows of a wide table.
    fn take_headers(&mut self, chunk: &mut Chunk) -> Result<(), SourceError> {
        let count = self.wide.as_ref().map_or(0, |wide| wide.rows.len());
        if chunk.records.len() < count {
            return Err(self.refuse(format!("it has fewer than the {count} header rows that `wide` names")));
        }
        let headers: Vec<Record> = chunk.records.drain(..count).collect();
        let mut cells = csv::Cells::default();
        for (number, record) in headers.iter().enumerate() {
            let bytes = &chunk.data[record.start..record.end];
            let Some(text) = self.layout.encoding_of_records().decode(bytes) else {
                let line = chunk.line(record);
                return Err(self.refuse(format!("line {line} is not {}; set `encoding`", self.layout.encoding.name())));
            };
            cells.read(text.as_bytes(), &self.layout);
            let unquoted = cells.text(text.as_bytes());
            let name = |at| cells.range(at).map(|range| String::from_utf8_lossy(&unquoted[range]).into_owned());
            let mut names: Vec<String> = (0..cells.len()).filter_map(name).collect();
            if names.len() > 1 && names.last().is_some_and(String::is_empty) {
                names.pop();
            }
            if number == 0 {
                self.headers.1 = chunk.line(record);
            }
            self.headers.0.push(names);
        }
        self.rows -= count as u64;
        Ok(())
    }

    /// Fails when none of the first records is a JSON object.
    fn check_objects(&self, chunk: &Chunk) -> Result<(), SourceError> {
        let shape = Shape { columns: &self.layout.columns, keyed: false };
        let fault = |record| ndjson::check(record, shape).err();
        let mut faults = chunk.rows().take(FIRST_RECORDS).map(|(_, _, record)| (record, fault(record)));
        let first = faults.next();
        if faults.any(|(_, fault)| fault.is_none()) {
            return Ok(());
        }
        match first {
            Some((record, Some(fault))) if record.trim_ascii_start().starts_with(b"[") => {
                let help = match self.layout.columns.is_empty() {
                    true => "it begins like one JSON array; write `format = \"json\"`, or, where each line is an array of its \
                             own, `columns = [...]`"
                        .to_owned(),
                    false => format!("the first record is {fault}; where the file is one array, write `format = \"json\"`"),
                };
                Err(self.refuse(help))
            }
            Some((_, Some(fault))) => Err(self.refuse(format!("the first record is {fault}"))),
            _ => Ok(()),
        }
    }

    fn split(&self, start: usize) -> (Vec<Record>, Rest) {
        let ignored = |line: &[u8]| self.layout.ignores(line);
        let ignored: Option<&IsIgnored<'_>> = (!self.layout.ignore.is_empty()).then_some(&ignored);
        split(&self.buffer, start, self.ended, Rules { grammar: self.grammar, ignored })
    }

    /// The chunk that begins with the buffer; records are looked for from byte `start` on, `skipped` lines into it, and
    /// the first `headers` of them have no row number.
    fn read_chunk(&mut self, (start, skipped): (usize, u64), headers: u64) -> Result<Option<Chunk>, SourceError> {
        self.fill(self.sizes.chunk)?;
        loop {
            let (mut records, mut rest) = self.split(start);
            for record in &mut records {
                record.line += skipped;
            }
            rest.lines += skipped;
            self.check(&records, rest, headers)?;
            let whole = !records.is_empty() || self.ended || self.buffer.len() > self.sizes.longest;
            if whole {
                return Ok(self.take(records, rest));
            }
            self.fill(self.buffer.len() + self.sizes.chunk)?;
        }
    }

    /// Reads until the buffer holds `goal` bytes or the text ends.
    fn fill(&mut self, goal: usize) -> Result<(), SourceError> {
        let missing = goal.saturating_sub(self.buffer.len());
        if missing > 0 && !self.ended {
            self.buffer.reserve(missing);
            self.ended = self.unpacked.fill(&mut self.buffer, missing, self.rows)? < missing;
        }
        Ok(())
    }

    fn check(&self, records: &[Record], rest: Rest, headers: u64) -> Result<(), SourceError> {
        let limit = self.sizes.longest;
        let place = |index: usize, line: u64| (self.rows + index as u64 + 1 - headers, self.lines + line + 1);
        let too_long =
            |(row, line), quoted| SourceError::RecordTooLong { path: self.path.clone(), row, line, limit, quoted };
        if let Some((index, record)) = records.iter().enumerate().find(|(_, record)| record.end - record.start > limit)
        {
            return Err(too_long(place(index, record.line), false));
        }
        if !self.ended && self.buffer.len() - rest.start > limit {
            return Err(too_long(place(records.len(), rest.lines), rest.quoted));
        }
        if self.ended && rest.quoted {
            let (row, line) = place(records.len(), rest.lines);
            return Err(SourceError::OpenQuote { path: self.path.clone(), row, line });
        }
        Ok(())
    }

    /// Hands out the text before `rest` and keeps what follows.
    fn take(&mut self, records: Vec<Record>, rest: Rest) -> Option<Chunk> {
        if self.buffer.is_empty() {
            return None;
        }
        let mut kept =
            Vec::with_capacity(if self.ended { 0 } else { self.sizes.chunk + self.buffer.len() - rest.start });
        kept.extend_from_slice(&self.buffer[rest.start..]);
        let mut data = std::mem::replace(&mut self.buffer, kept);
        data.truncate(rest.start);
        if self.ended {
            data.shrink_to_fit(); // many small files may wait for their turn
        }
        let (first_row, first_line) = (self.rows + 1, self.lines + 1);
        self.rows += records.len() as u64;
        self.lines += rest.lines;
        let bytes_read = self.unpacked.bytes_read();
        Some(Chunk { data, records, first_row, first_line, first_column: 1, bytes_read })
    }

    fn refuse(&self, reason: String) -> SourceError {
        let path = self.path.clone();
        match self.format {
            Format::Csv => SourceError::NotCsv { path, reason },
            _ => SourceError::NotNdjson { path, reason },
        }
    }
}

/// How `header`, which stands in `line`, differs from the names that the layout gives, if it does.
fn other_names(header: &[String], columns: &[String], line: u64) -> Option<String> {
    let other = |name: &&String| !columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    let found = header.iter().find(other).filter(|_| !columns.is_empty())?;
    Some(format!(
        "its header in line {line} names the column `{found}`, and `columns` does not; leave `columns` out where all files \
         have a header, or give it the names of the header"
    ))
}

/// What the text is, when its first line shows that it is none.
pub(super) fn not_text(text: &[u8]) -> Option<&'static str> {
    let line = &text[..memchr(b'\n', text).unwrap_or(text.len())];
    if text.starts_with(b"PAR1") {
        Some("it is a Parquet file; set `format` to parquet")
    } else if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        Some("it is UTF-16; write `encoding = \"utf-16\"`")
    } else if memchr(0, line).is_some() || line.iter().copied().any(is_control) && std::str::from_utf8(line).is_err() {
        Some("it holds binary data")
    } else {
        None
    }
}

/// Whether texts hardly have this byte. Tabs, line ends, the end of a DOS file and the escapes of ISO-2022-JP they have.
fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0x0e | 0x0f | 0x1a | 0x1b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::records::tests::csv_text;
    use super::super::testing::{Fixture, gzip, zstd};
    use super::*;
    use crate::bars::layout::LinePattern;

    type Row = (u64, u64, Vec<u8>);

    fn read_sized(set: &FilesSet, sizes: Sizes) -> Result<(Vec<Row>, Vec<u8>), SourceError> {
        let mut file = TextFile::open_sized(&set.files[0], set, sizes)?;
        let (mut rows, mut text) = (Vec::new(), Vec::new());
        while let Some(chunk) = file.next_chunk()? {
            rows.extend(chunk.rows().map(|(row, line, bytes)| (row, line, bytes.to_vec())));
            text.extend(chunk.data);
        }
        file.finish()?;
        Ok((rows, text))
    }

    fn read(fixture: &Fixture) -> Result<(Vec<Row>, Vec<u8>), SourceError> {
        read_sized(&fixture.set, Sizes { chunk: 16, longest: 1000 })
    }

    fn error(fixture: &Fixture) -> String {
        let error = read(fixture).unwrap_err().to_string();
        error.replace(&format!("{}/", fixture.dir.path().display()), "")
    }

    #[test]
    fn rows_and_lines_are_numbered_past_header_blank_lines_and_quoted_line_ends() {
        let text = "\u{feff}a,b\r\n1,2\r\n\r\n\"x\ny\",3\n\n4,5";
        let (rows, copy) = read(&Fixture::csv(text)).unwrap();
        assert_eq!(rows, [(1, 2, b"1,2".to_vec()), (2, 4, b"\"x\ny\",3".to_vec()), (3, 7, b"4,5".to_vec()),]);
        assert_eq!(copy, text.as_bytes());
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_header() {
        let fixture = Fixture::csv("\u{feff}\"a\",b\n");
        let file = TextFile::open(&fixture.set.files[0], &fixture.set).unwrap();
        assert_eq!(file.columns(), ["a", "b"]);
        let (rows, _) = read(&Fixture::ndjson("\u{feff}{\"a\":1}\n")).unwrap();
        assert_eq!(rows, [(1, 1, b"{\"a\":1}".to_vec())]);
    }

    #[test]
    fn a_header_alone_has_no_rows() {
        assert_eq!(read(&Fixture::csv("a,b")).unwrap().0, []);
        assert_eq!(read(&Fixture::csv("a,b\r\n")).unwrap().0, []);
    }

    fn laid_out(text: impl AsRef<[u8]>, layout: TextLayout) -> Fixture {
        let mut fixture = Fixture::csv(text);
        fixture.set.layout = layout;
        fixture
    }

    #[test]
    fn lines_before_the_header_and_ignored_ones_are_lines_and_no_rows() {
        let ignore = vec![LinePattern::try_from("#*".to_owned()).unwrap()];
        let layout = TextLayout { skip: 2, ignore, ..TextLayout::default() };
        let text = "a title, \"open\nsecond\n# note\na,b\n1,2\n# x\n3,4\n";
        let fixture = laid_out(text, layout);
        let (rows, copy) = read(&fixture).unwrap();
        assert_eq!(rows, [(1, 5, b"1,2".to_vec()), (2, 7, b"3,4".to_vec())]);
        assert_eq!(copy, text.as_bytes());
        let short = laid_out("one line\n", TextLayout { skip: 2, ..TextLayout::default() });
        assert!(matches!(read(&short), Err(SourceError::Empty { .. })));
    }

    #[test]
    fn files_without_a_header_have_the_columns_of_the_layout() {
        let columns = vec!["a".to_owned(), "b".to_owned()];
        let none = TextLayout { header: Header::None, columns: columns.clone(), ..TextLayout::default() };
        let auto = TextLayout { header: Header::Auto, ..none.clone() };
        let opened =
            |fixture: &Fixture| TextFile::open(&fixture.set.files[0], &fixture.set).unwrap().columns().to_vec();
        for (text, layout, rows) in
            [("1,2\n", &none, 1), ("1,2\n", &auto, 1), ("b,a\n1,2\n", &auto, 1), ("b,a\n", &none, 1)]
        {
            let fixture = laid_out(text, layout.clone());
            assert_eq!(read(&fixture).unwrap().0.len(), rows, "{text}");
            let expected =
                if text.starts_with("b,a\n1") { vec!["b".to_owned(), "a".to_owned()] } else { columns.clone() };
            assert_eq!(opened(&fixture), expected, "{text}");
        }
        assert!(error(&laid_out("a,c\n1,2\n", auto)).contains("names the column `c`, and `columns` does not"));
    }

    #[test]
    fn utf_16_is_read_as_text() {
        let bytes: Vec<u8> = "\u{feff}a,b\n1,\u{6570}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let layout = TextLayout { encoding: Encoding::named("utf-16").unwrap(), ..TextLayout::default() };
        let fixture = laid_out(&bytes, layout.clone());
        assert_eq!(read(&fixture).unwrap().0, [(1, 2, "1,\u{6570}".as_bytes().to_vec())]);
        assert!(fixture.set.check_only().unwrap().contains("UTF-16"));
        let cut = laid_out(&bytes[..bytes.len() - 1], layout);
        assert!(error(&cut).contains("is not UTF-16"), "{}", error(&cut));
    }

    #[test]
    fn what_is_no_csv_is_refused_with_what_it_is() {
        for (bytes, reason) in [
            (&b"\0\x01\x02\x03,\n"[..], "it holds binary data"),
            (&b"\x8f\x02\r\x13,\n"[..], "it holds binary data"),
            (b"PAR1\x15\x04", "it is a Parquet file; set `format` to parquet"),
            (b"\xff\xfea\0,\0", "it is UTF-16; write `encoding = \"utf-16\"`"),
            (
                b"na\xefve,b\n1,2\n",
                "line 1, its first record, is not UTF-8; set `encoding`, for instance to `gbk` or `windows-1252`",
            ),
        ] {
            assert_eq!(error(&Fixture::csv(bytes)), format!("`a.csv` cannot be read as CSV: {reason}"));
        }
    }

    #[test]
    fn what_is_no_ndjson_is_refused_with_the_fault_of_its_first_record() {
        for (text, reason) in [
            (
                "[\n{\"a\": 1},\n",
                "it begins like one JSON array; write `format = \"json\"`, or, where each line is an array of its own, `columns = [...]`",
            ),
            ("a,b\n1,2\n", "the first record is not valid JSON: expected value at column 1"),
            ("1\n2", "the first record is not a JSON object"),
            ("{\n\"a\": 1\n}\n", "the first record is not valid JSON: EOF while parsing an object at column 1"),
        ] {
            let expected = format!("`a.ndjson` is not an NDJSON file (one JSON object a line): {reason}");
            assert_eq!(error(&Fixture::ndjson(text)), expected);
        }
        assert_eq!(read(&Fixture::ndjson("[1]\n{\"a\":1}\n")).unwrap().0.len(), 2, "one bad record is no reason");
    }

    #[test]
    fn a_file_without_a_record_is_empty() {
        for text in ["\n\r\n", "\u{feff}", "\u{feff}\n"] {
            assert_eq!(error(&Fixture::csv(text)), "`a.csv` is empty; fetch it again or take it out of the source");
            assert!(matches!(read(&Fixture::ndjson(text)), Err(SourceError::Empty { .. })), "{text:?}");
        }
        assert!(matches!(read(&Fixture::ndjson(" \n")), Err(SourceError::Empty { .. })));
        assert!(matches!(read(&Fixture::csv(gzip(b""))), Err(SourceError::Empty { .. })));
    }

    #[test]
    fn a_quote_that_never_closes_is_an_error_with_the_row_where_it_opens() {
        let text = "a,b\n1,2\n\n3,\"4\n5,6\n";
        assert_eq!(
            error(&Fixture::csv(text)),
            "`a.csv` row 2 (line 4): a quote opens in this row and never closes; close it or double it"
        );
        assert!(matches!(read(&Fixture::csv("\"a,b\n1,2\n")), Err(SourceError::OpenQuote { row: 0, line: 1, .. })));
    }

    #[test]
    fn a_record_over_the_limit_is_an_error_with_its_row() {
        let text = format!("a,b\n1,2\n{},4\n5,6\n", "x".repeat(1001));
        assert_eq!(
            error(&Fixture::csv(&text)),
            "`a.csv` row 2 (line 3) is longer than 1000 bytes: the file may not be what its name says"
        );
        let text = format!("a,b\n1,\"{}\"\n5,6\n", "x\n".repeat(600));
        assert_eq!(
            error(&Fixture::csv(&text)),
            "`a.csv` row 1 (line 2) is longer than 1000 bytes: a quote in it may never close"
        );
        let large = Sizes { chunk: 1 << 20, longest: 1000 };
        assert!(matches!(read_sized(&Fixture::csv(&text).set, large), Err(SourceError::RecordTooLong { row: 1, .. })));
        let (rows, _) = read(&Fixture::csv(format!("a\n{}\n", "x".repeat(1000)))).unwrap();
        assert_eq!(rows[0].2.len(), 1000, "the limit itself is read");
    }

    #[test]
    fn a_packed_file_that_breaks_off_is_an_error_after_the_rows_that_were_read() {
        let text = (0..5000).map(|n| format!("{n},{}\n", n * 7919 % 1000)).collect::<Vec<_>>().concat();
        for (packing, whole) in
            [("gzip", gzip(format!("a,b\n{text}").as_bytes())), ("zstd", zstd(format!("a,b\n{text}").as_bytes()))]
        {
            let fixture = Fixture::csv(&whole[..whole.len() - 20]);
            let error = read(&fixture).unwrap_err();
            assert!(matches!(&error, SourceError::Packed { packing: named, .. } if *named == packing), "{error}");
            assert_eq!(read(&Fixture::csv(&whole)).unwrap().0.len(), 5000, "{packing}");
        }
    }

    proptest! {
        #[test]
        fn chunks_of_any_size_give_the_same_rows_and_the_same_text(body in csv_text(), bom: bool, chunk in 1_usize..80) {
            let text = format!("{}h\n{body}", if bom { "\u{feff}" } else { "" });
            let fixture = Fixture::csv(&text);
            let one = read_sized(&fixture.set, Sizes { chunk: 1 << 20, longest: 1 << 20 });
            let many = read_sized(&fixture.set, Sizes { chunk, longest: 1 << 20 });
            match (one, many) {
                (Ok(one), Ok(many)) => {
                    prop_assert_eq!(&one.1, text.as_bytes());
                    prop_assert_eq!(one, many);
                }
                (Err(one), Err(many)) => prop_assert_eq!(one.to_string(), many.to_string()),
                (one, many) => prop_assert!(false, "{one:?} is not {many:?}"),
            }
        }

        #[test]
        fn packing_changes_no_row(body in csv_text(), chunk in 1_usize..80) {
            let text = format!("h\n{body}");
            let sizes = Sizes { chunk, longest: 1 << 20 };
            let Ok(plain) = read_sized(&Fixture::csv(&text).set, sizes) else { return Ok(()) };
            prop_assert_eq!(&read_sized(&Fixture::csv(gzip(text.as_bytes())).set, sizes).unwrap(), &plain);
            prop_assert_eq!(&read_sized(&Fixture::csv(zstd(text.as_bytes())).set, sizes).unwrap(), &plain);
        }
    }
}
