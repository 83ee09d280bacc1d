//! The cells of a CSV record, and the header row.
//!
//! A quoted cell loses its quotes and a doubled quote in it becomes one; text after the closing quote is kept as it
//! stands. Cells are not trimmed. Pure; where records begin and end is decided in `records.rs`.

use std::collections::HashSet;
use std::path::Path;

use memchr::{memchr, memchr_iter};

use super::SourceError;
use super::error::quoted;
use super::records::skip_quoted;
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
    /// Finds the cells of `record`.
    pub(super) fn read(&mut self, record: &[u8], delimiter: u8) {
        self.ranges.clear();
        if let Some(buffer) = self.unquoted.take() {
            self.spare = buffer;
        }
        if memchr(b'"', record).is_some() {
            self.unquote(record, delimiter);
            return;
        }
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

/// The column names in the header row of the file at `path`.
pub(super) fn header(path: &Path, record: &[u8], delimiter: u8) -> Result<Vec<String>, SourceError> {
    let refuse = |reason: String| SourceError::NotCsv { path: path.to_path_buf(), reason };
    let mut cells = Cells::default();
    cells.read(record, delimiter);
    let text = std::str::from_utf8(cells.text(record))
        .map_err(|_| refuse("its header row is not UTF-8; write the file as UTF-8".to_owned()))?;
    if memchr(b'\r', record).is_some() {
        return Err(refuse("its lines end in bare carriage returns; write line feeds".to_owned()));
    }
    let names: Vec<String> = (0..cells.len())
        .filter_map(|position| cells.range(position).and_then(|range| text.get(range)))
        .map(str::to_owned)
        .collect();
    if let Some(position) = names.iter().position(|name| is_data(name)) {
        let reason = format!(
            "the first row looks like data, not like column names (`{}` in column {}); add a header row",
            names[position],
            position + 1
        );
        return Err(refuse(reason));
    }
    let mut seen = HashSet::new();
    let twice: Vec<&str> = names.iter().map(String::as_str).filter(|name| !seen.insert(*name)).collect();
    if !twice.is_empty() {
        return Err(SourceError::DuplicateColumns { path: path.to_path_buf(), columns: quoted(twice) });
    }
    Ok(names)
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
        cells.read(b"\"left\",\"over\"", b',');
        cells.read(record.as_bytes(), b',');
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

    fn names(row: &str) -> Result<Vec<String>, String> {
        header(Path::new("a.csv"), row.as_bytes(), b',').map_err(|error| error.to_string())
    }

    #[test]
    fn a_header_names_the_columns_exactly() {
        assert_eq!(names("symbol, open,\"pre,close\",收盘").unwrap(), ["symbol", " open", "pre,close", "收盘"]);
        assert_eq!(names(",open").unwrap(), ["", "open"], "an index column without a name");
        assert_eq!(names("1d,5m,nan,2024").unwrap_err(), names("a,b,c,2024").unwrap_err());
    }

    #[test]
    fn a_first_row_of_data_is_no_header() {
        for (row, cell) in [("000001.SZ,9.99", "`9.99` in column 2"), ("A,2024-01-02", "`2024-01-02` in column 2")] {
            assert_eq!(
                names(row).unwrap_err(),
                format!(
                    "`a.csv` is not a CSV file with a header row: the first row looks like data, not like column names \
                     ({cell}); add a header row"
                )
            );
        }
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
