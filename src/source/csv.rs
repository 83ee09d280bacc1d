//! The cells of a CSV record, and the header row.
//!
//! A quoted cell loses its quotes and a doubled quote in it becomes one; text after the closing quote is kept as it
//! stands. Cells are trimmed where the layout says so. Pure; where records begin and end is decided in `records.rs`.

use std::collections::HashSet;
use std::path::Path;

use memchr::{memchr, memchr_iter};

use super::SourceError;
use super::error::quoted;
use super::records::skip_quoted;
use crate::bars::layout::{Delimiter, Header, TextLayout};
use crate::bars::number::read_number;

/// The cells of one record at a time; the buffers are used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// The cells without quotes, one after the other, where the record has quotes.
    unquoted: Option<Vec<u8>>,
    spare: Vec<u8>,
    /// Begin and end of each cell in `unquoted`, or in the record.
    ranges: Vec<(usize, usize)>,
}

impl Cells {
    /// Finds the cells of `record`, which is UTF-8 or any other text whose delimiters and quotes are those of ASCII.
    pub(super) fn read(&mut self, record: &[u8], layout: &TextLayout) {
        self.ranges.clear();
        if let Some(buffer) = self.unquoted.take() {
            self.spare = buffer;
        }
        match layout.delimiter {
            Delimiter::Byte(delimiter) if memchr(b'"', record).is_some() => self.unquote(record, delimiter),
            Delimiter::Byte(delimiter) => self.split(record, delimiter),
            Delimiter::Blanks => self.split_at_blanks(record),
        }
        if layout.trim {
            let text = self.unquoted.as_deref().unwrap_or(record);
            for (start, end) in &mut self.ranges {
                let cell = &text[*start..*end];
                *start += cell.len() - cell.trim_ascii_start().len();
                *end = *start + cell.trim_ascii().len();
            }
        }
    }

    fn split_at_blanks(&mut self, record: &[u8]) {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let mut at = 0;
        while let Some(skipped) = record[at..].iter().position(|byte| !blank(byte)) {
            let start = at + skipped;
            at = record[start..].iter().position(blank).map_or(record.len(), |length| start + length);
            self.ranges.push((start, at));
        }
    }

    fn split(&mut self, record: &[u8], delimiter: u8) {
        let mut start = 0;
        for at in memchr_iter(delimiter, record) {
            self.ranges.push((start, at));
            start = at + 1;
        }
        self.ranges.push((start, record.len()));
    }

    /// How many cells there are.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Leaves out one empty cell behind `width` cells: some programs end every line with a delimiter.
    pub(super) fn drop_empty_end(&mut self, width: usize) {
        if self.ranges.len() == width + 1 && self.ranges.last().is_some_and(|(start, end)| start == end) {
            self.ranges.pop();
        }
    }

    /// The text the ranges of the cells are of: `record` itself where it has no quotes.
    pub(super) fn text<'a>(&'a self, record: &'a [u8]) -> &'a [u8] {
        self.unquoted.as_deref().unwrap_or(record)
    }

    /// Where the cell at `position` lies in [`Cells::text`].
    pub(super) fn range(&self, position: usize) -> Option<std::ops::Range<usize>> {
        self.ranges.get(position).map(|&(start, end)| start..end)
    }

    fn unquote(&mut self, record: &[u8], delimiter: u8) {
        let mut text = std::mem::take(&mut self.spare);
        text.clear();
        let mut at = 0;
        loop {
            let start = text.len();
            if record.get(at) == Some(&b'"')
                && let Some(after) = skip_quoted(record, at + 1)
            {
                undouble(&record[at + 1..after - 1], &mut text);
                at = after;
            }
            let stop = memchr(delimiter, &record[at..]).map_or(record.len(), |length| at + length);
            text.extend_from_slice(&record[at..stop]);
            self.ranges.push((start, text.len()));
            if stop == record.len() {
                break;
            }
            at = stop + 1;
        }
        self.unquoted = Some(text);
    }
}

fn undouble(mut quoted: &[u8], text: &mut Vec<u8>) {
    while let Some(at) = memchr(b'"', quoted) {
        text.extend_from_slice(&quoted[..=at]);
        quoted = quoted.get(at + 2..).unwrap_or_default();
    }
    text.extend_from_slice(quoted);
}

/// What the first record of a file is.
pub(super) enum First {
    /// A header, with these names.
    Header(Vec<String>),
    /// A record like all others, with so many cells.
    Record(usize),
}

/// What the first record of the file at `path` is, as far as `layout` says. `line` is where it stands, from 1.
pub(super) fn first(path: &Path, record: &[u8], line: u64, layout: &TextLayout) -> Result<First, SourceError> {
    let refuse = |reason: String| SourceError::NotCsv { path: path.to_path_buf(), reason };
    if memchr(b'\r', record).is_some() {
        return Err(refuse("its lines end in bare carriage returns; write line feeds".to_owned()));
    }
    let text = layout.encoding.decode(record).ok_or_else(|| {
        let name = layout.encoding.name();
        refuse(format!(
            "line {line}, its first record, is not {name}; set `encoding`, for instance to `gbk` or `windows-1252`"
        ))
    })?;
    let mut cells = Cells::default();
    cells.read(text.as_bytes(), layout);
    let unquoted = cells.text(text.as_bytes());
    let mut names: Vec<String> = (0..cells.len())
        .filter_map(|position| {
            cells.range(position).map(|range| String::from_utf8_lossy(&unquoted[range]).into_owned())
        })
        .collect();
    let data = names.iter().position(|name| is_data(name));
    match (layout.header, data) {
        (Header::None, _) | (Header::Auto, Some(_)) => return Ok(First::Record(names.len())),
        (Header::First, Some(position)) => return Err(refuse(no_header(&names, position, line))),
        (Header::First | Header::Auto, None) => {}
    }
    if names.len() > 1 && names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    if let [only] = names.as_slice()
        && let Some(hint) = other_delimiter(only)
    {
        return Err(refuse(hint));
    }
    Ok(First::Header(names))
}

/// That there is no header, and the setting that says so.
fn no_header(names: &[String], position: usize, line: u64) -> String {
    let columns = match names.len() {
        6 => "\"time\", \"open\", \"high\", \"low\", \"close\", \"volume\"".to_owned(),
        count => format!("{count} names"),
    };
    format!(
        "line {line} looks like data, not like column names (`{}` in column {}); where the files have no header, write \
         `header = \"none\"` and `columns = [{columns}]`; where lines stand before it, `skip`",
        names[position],
        position + 1
    )
}

/// The hint for a header of one cell that has another delimiter in it.
fn other_delimiter(name: &str) -> Option<String> {
    let written = |byte| match byte {
        '\t' => "\\t".to_owned(),
        other => other.to_string(),
    };
    let found = [';', '\t', '|', ','].into_iter().find(|byte| name.matches(*byte).count() >= 2)?;
    Some(format!("its header is one cell, `{name}`; write `delimiter = \"{}\"`", written(found)))
}

/// Fails where two of `names`, the columns of the file at `path` that are wanted, are the same.
pub(super) fn check_distinct<'a>(
    path: &Path,
    names: &'a [String],
    wanted: impl Fn(&str) -> bool,
) -> Result<(), SourceError> {
    let mut seen = HashSet::new();
    let names = names.iter().map(String::as_str).filter(|name| wanted(name));
    let twice: Vec<&'a str> = names.filter(|name| !seen.insert(*name)).collect();
    match twice.is_empty() {
        true => Ok(()),
        false => Err(SourceError::DuplicateColumns { path: path.to_path_buf(), columns: quoted(twice) }),
    }
}

/// Whether a cell is a number or begins with a date, as no column name does.
fn is_data(cell: &str) -> bool {
    let date = |text: &[u8]| {
        text.iter().enumerate().all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
    };
    read_number(cell).is_ok_and(f64::is_finite) || cell.as_bytes().get(..10).is_some_and(date)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::records::tests::csv_text;
    use super::super::records::{Grammar, split};
    use super::*;

    fn cells(record: &str) -> Vec<String> {
        let mut cells = Cells::default();
        cells.read(b"\"left\",\"over\"", &TextLayout::default());
        cells.read(record.as_bytes(), &TextLayout::default());
        let text = std::str::from_utf8(cells.text(record.as_bytes())).unwrap();
        (0..cells.len()).map(|position| text[cells.range(position).unwrap()].to_owned()).collect()
    }

    #[test]
    fn cells_lose_their_quotes_and_nothing_else() {
        assert_eq!(cells("a, b ,,c"), ["a", " b ", "", "c"]);
        assert_eq!(cells("\"a,b\",\"c\"\"d\"\"\",\"\""), ["a,b", "c\"d\"", ""]);
        assert_eq!(cells("\"x\ny\"z,5\" pipe,"), ["x\nyz", "5\" pipe", ""]);
        assert_eq!(cells(""), [""]);
        assert_eq!(cells("\"\"\"\""), ["\""]);
    }

    fn names_by(row: &str, layout: &TextLayout) -> Result<Vec<String>, String> {
        match first(Path::new("a.csv"), row.as_bytes(), 1, layout).map_err(|error| error.to_string())? {
            First::Header(names) => {
                check_distinct(Path::new("a.csv"), &names, |_| true).map(|()| names).map_err(|error| error.to_string())
            }
            First::Record(cells) => Err(format!("{cells} cells")),
        }
    }

    fn names(row: &str) -> Result<Vec<String>, String> {
        names_by(row, &TextLayout::default())
    }

    #[test]
    fn a_header_names_the_columns_exactly() {
        assert_eq!(names("symbol, open,\"pre,close\",收盘").unwrap(), ["symbol", " open", "pre,close", "收盘"]);
        assert_eq!(names(",open").unwrap(), ["", "open"], "an index column without a name");
        assert_eq!(names("date,open,").unwrap(), ["date", "open"], "a delimiter at the end of every line");
        let trimmed = TextLayout { trim: true, ..TextLayout::default() };
        assert_eq!(names_by("symbol , open", &trimmed).unwrap(), ["symbol", "open"]);
        let blanks = TextLayout { delimiter: Delimiter::Blanks, ..TextLayout::default() };
        assert_eq!(names_by("  date \t open\"  close ", &blanks).unwrap(), ["date", "open\"", "close"]);
    }

    #[test]
    fn a_first_row_of_data_is_no_header() {
        for (row, cell) in [("000001.SZ,9.99", "`9.99` in column 2"), ("A,2024-01-02", "`2024-01-02` in column 2")] {
            assert_eq!(
                names(row).unwrap_err(),
                format!(
                    "`a.csv` cannot be read as CSV: line 1 looks like data, not like column names ({cell}); \
                     where the files have no header, write `header = \"none\"` and `columns = [2 names]`; where lines \
                     stand before it, `skip`"
                )
            );
        }
        let by = |header| TextLayout { header, ..TextLayout::default() };
        assert_eq!(names_by("A,2024-01-02", &by(Header::Auto)).unwrap_err(), "2 cells");
        assert_eq!(names_by("symbol,date", &by(Header::Auto)).unwrap(), ["symbol", "date"]);
        assert_eq!(names_by("symbol,date", &by(Header::None)).unwrap_err(), "2 cells");
    }

    #[test]
    fn a_header_of_one_cell_with_another_delimiter_in_it_says_which() {
        for (row, written) in [("date;open;close", ";"), ("date\topen\tclose", "\\t"), ("date|open|close", "|")] {
            let error = names(row).unwrap_err();
            assert!(error.ends_with(&format!("write `delimiter = \"{written}\"`")), "{error}");
        }
        assert_eq!(names("price").unwrap(), ["price"]);
    }

    #[test]
    fn columns_of_one_name_are_an_error_that_names_them() {
        assert_eq!(
            names("open,close,open,close,low").unwrap_err(),
            "`a.csv` has more than one column called `open`, `close`; rename all but one"
        );
    }

    #[test]
    fn bare_carriage_returns_are_reported() {
        assert!(names("a,b\r1,2\r3,4").unwrap_err().contains("bare carriage returns"));
    }

    proptest! {
        #[test]
        fn records_and_cells_are_those_of_the_csv_crate(text in csv_text()) {
            let (records, rest) = split(text.as_bytes(), 0, true, Grammar::Csv { delimiter: b',' });
            prop_assume!(!rest.quoted);
            let ours: Vec<Vec<String>> = records.iter().map(|record| cells(&text[record.start..record.end])).collect();
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let theirs: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
