//! Where the records of a text begin and end: the one grammar of records that reading, fetching and rewriting share.
//!
//! A record ends at a line feed; a carriage return right before it belongs to the line end. In CSV a cell that
//! begins with a quote runs to the next quote that is not doubled, over line ends too; a quote anywhere else in a
//! cell is an ordinary character. Blank lines are no records. Pure: bytes in, positions out.

use memchr::{memchr, memchr_iter, memchr2};

/// One record of a block of text, as byte positions in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one, the line end not included.
    pub end: usize,
    /// The byte after the line end.
    pub next: usize,
    /// Physical lines before the record in the block.
    pub line: u64,
}

/// How records are distinguished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// Cells between `delimiter`s, perhaps quoted.
    Csv {
        /// The byte between cells.
        delimiter: u8,
    },
    /// One record a line.
    Lines,
}

/// Whether a line, without its line feed, is not a record.
pub(super) type IsIgnored<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// Which stretches of a text are records.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// How records are distinguished.
    pub(super) grammar: Grammar,
    /// Lines that are no records though they stand where one begins, without their line feed.
    pub(super) ignored: Option<&'a IsIgnored<'a>>,
}

impl From<Grammar> for Rules<'_> {
    fn from(grammar: Grammar) -> Self {
        Self { grammar, ignored: None }
    }
}

/// What is left over after the last whole record of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// Where the first record that is not whole begins; the length of the block where there is none.
    pub(super) start: usize,
    /// Physical lines before `start`.
    pub(super) lines: u64,
    /// Whether the text breaks off inside a quoted cell.
    pub(super) quoted: bool,
}

/// The records of `block` from byte `start` on. At the end of the text (`last`) the last record needs no line end.
pub(super) fn split<'a>(block: &[u8], start: usize, last: bool, rules: impl Into<Rules<'a>>) -> (Vec<Record>, Rest) {
    let Rules { grammar, ignored } = rules.into();
    let mut records = Vec::with_capacity(block.len() / 64);
    let mut rest = Rest { start, lines: 0, quoted: false };
    while rest.start < block.len() {
        if let Some(ignored) = ignored {
            let line_feed = memchr(b'\n', &block[rest.start..]).map(|length| rest.start + length);
            let end = match line_feed {
                None if !last => break,
                end => end.unwrap_or(block.len()),
            };
            if ignored(&block[rest.start..end]) {
                rest.start = block.len().min(end + 1);
                rest.lines += 1;
                continue;
            }
        }
        let (stop, next, inner_lines) = match find_end(block, rest.start, grammar) {
            End::At { line_feed, inner_lines } => (line_feed, line_feed + 1, inner_lines),
            End::Missing { quoted, inner_lines } if last && !quoted => (block.len(), block.len(), inner_lines),
            End::Missing { quoted, .. } => {
                rest.quoted = quoted;
                break;
            }
        };
        let record = &block[rest.start..stop];
        let end = if record.ends_with(b"\r") { stop - 1 } else { stop };
        if !is_blank(&block[rest.start..end], grammar) {
            records.push(Record { start: rest.start, end, next, line: rest.lines });
        }
        rest.start = next;
        rest.lines += inner_lines + 1;
    }
    (records, rest)
}

enum End {
    At { line_feed: usize, inner_lines: u64 },
    Missing { quoted: bool, inner_lines: u64 },
}

fn find_end(block: &[u8], start: usize, grammar: Grammar) -> End {
    match grammar {
        Grammar::Csv { delimiter } => find_csv_end(block, start, delimiter),
        Grammar::Lines => match memchr(b'\n', &block[start..]) {
            Some(length) => End::At { line_feed: start + length, inner_lines: 0 },
            None => End::Missing { quoted: false, inner_lines: 0 },
        },
    }
}

fn find_csv_end(block: &[u8], start: usize, delimiter: u8) -> End {
    let mut at = start;
    let mut inner_lines = 0;
    while let Some(length) = memchr2(b'\n', b'"', &block[at..]) {
        let hit = at + length;
        if block[hit] == b'\n' {
            return End::At { line_feed: hit, inner_lines };
        }
        at = hit + 1;
        // What precedes `hit` is outside quotes, so a delimiter there is a real one.
        if hit > start && block[hit - 1] != delimiter {
            continue;
        }
        match skip_quoted(block, at) {
            Some(after) => {
                inner_lines += count_lines(&block[at..after]);
                at = after;
            }
            None => return End::Missing { quoted: true, inner_lines },
        }
    }
    End::Missing { quoted: false, inner_lines }
}

/// The byte after the quote that closes the cell whose text begins at `at`.
pub(super) fn skip_quoted(block: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let close = at + memchr(b'"', &block[at..])?;
        at = close + 1;
        if block.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

fn count_lines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

fn is_blank(record: &[u8], grammar: Grammar) -> bool {
    match grammar {
        Grammar::Csv { .. } => record.is_empty(),
        Grammar::Lines => record.trim_ascii().is_empty(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    const CSV: Grammar = Grammar::Csv { delimiter: b',' };

    fn texts(block: &str, grammar: Grammar) -> Vec<&str> {
        let (records, rest) = split(block.as_bytes(), 0, true, grammar);
        assert_eq!(rest.start, block.len());
        records.iter().map(|record| &block[record.start..record.end]).collect()
    }

    fn lines(block: &str) -> Vec<u64> {
        split(block.as_bytes(), 0, true, CSV).0.iter().map(|record| record.line).collect()
    }

    #[test]
    fn line_ends_of_both_kinds_and_none_end_a_record() {
        assert_eq!(texts("a,b\r\nc,d\ne,f", CSV), ["a,b", "c,d", "e,f"]);
        assert_eq!(texts("a\rb\nc\r", CSV), ["a\rb", "c"]);
    }

    #[test]
    fn blank_lines_are_no_records_but_lines() {
        assert_eq!(texts("a\n\n\r\nb\n \n", CSV), ["a", "b", " "]);
        assert_eq!(lines("a\n\n\r\nb\n"), [0, 3]);
        assert_eq!(texts("{}\n  \n\t\r\n[]", Grammar::Lines), ["{}", "[]"]);
    }

    #[test]
    fn a_quoted_cell_runs_over_lines_and_doubled_quotes() {
        assert_eq!(texts("a,\"x\ny\"\"\n\"\nb\n", CSV), ["a,\"x\ny\"\"\n\"", "b"]);
        assert_eq!(lines("a,\"x\ny\"\"\n\"\nb\n"), [0, 3]);
        assert_eq!(texts("\"\"\n\"\"\"\"\nb", CSV), ["\"\"", "\"\"\"\"", "b"]);
    }

    #[test]
    fn a_quote_inside_a_cell_is_a_character() {
        assert_eq!(texts("5\" pipe,1\nb\n", CSV), ["5\" pipe,1", "b"]);
        assert_eq!(texts("\"a\"b\",c\nd\n", CSV), ["\"a\"b\",c", "d"]);
        assert_eq!(texts("\"a\n", Grammar::Lines), ["\"a"]);
    }

    #[test]
    fn ignored_lines_are_no_records_but_lines_and_open_no_quote() {
        let comment = |line: &[u8]| line.starts_with(b"#");
        let rules = Rules { grammar: CSV, ignored: Some(&comment) };
        let (records, rest) = split(b"#a \"\n1,2\n#b\n\"x\n#y\",3\n#", 0, true, rules);
        assert_eq!(records.iter().map(|record| (record.start, record.line)).collect::<Vec<_>>(), [(5, 1), (12, 3)]);
        assert_eq!(rest, Rest { start: 22, lines: 6, quoted: false });
        let (records, rest) = split(b"1\n#not wh", 0, false, rules);
        assert_eq!((records.len(), rest), (1, Rest { start: 2, lines: 1, quoted: false }));
    }

    #[test]
    fn a_record_that_is_not_whole_is_left_over() {
        let (records, rest) = split(b"a\nb,c", 0, false, CSV);
        assert_eq!(records.len(), 1);
        assert_eq!(rest, Rest { start: 2, lines: 1, quoted: false });
        let (_, rest) = split(b"a\nb,\"c\n", 0, true, CSV);
        assert_eq!(rest, Rest { start: 2, lines: 1, quoted: true });
    }

    /// Texts of the characters that matter, line ends of both kinds among them.
    pub(in super::super) fn csv_text() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop::sample::select(vec!["a", "\"", ",", "\n", "\r\n"]), 0..60)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_cut_anywhere_gives_the_same_records(text in csv_text(), cut in 0_usize..60) {
            let whole = split(text.as_bytes(), 0, true, CSV);
            let cut = cut.min(text.len());
            let (mut records, rest) = split(&text.as_bytes()[..cut], 0, false, CSV);
            let (more, end) = split(text.as_bytes(), rest.start, true, CSV);
            records.extend(more.iter().map(|record| Record { line: record.line + rest.lines, ..*record }));
            prop_assert_eq!(records, whole.0);
            prop_assert_eq!(end.start, whole.1.start);
            prop_assert_eq!(end.quoted, whole.1.quoted);
            prop_assert_eq!(end.lines + rest.lines, whole.1.lines);
        }
    }
}
