//! A file of facts as a table of texts, each with its place: CSV, NDJSON, Parquet.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::config::document;
use crate::schema::diagnostic::{Diagnostic, SourceText};

/// A text and where it stands; empty where there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// The records of one file.
#[derive(Debug)]
pub(super) struct Table {
    /// Its text; of a Parquet file the text that its rows are as CSV.
    pub(super) file: Arc<SourceText>,
    /// The names of the columns.
    pub(super) header: Vec<Cell>,
    /// The records, each with a cell a column.
    pub(super) rows: Vec<Vec<Cell>>,
    /// Whether it is shown as what it is not: then rows are named, not lines.
    pub(super) binary: bool,
}

/// Why a file cannot be read as a table: its mistakes.
pub(super) type Mistakes = Vec<Diagnostic>;

/// Reads the bytes of the file at `path`, whose format follows from its name. Where that says nothing, the mistake is one
/// sentence about it.
pub(super) fn read(path: &Path, bytes: Vec<u8>) -> Result<Result<Table, Mistakes>, String> {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    let text = |bytes: Vec<u8>| {
        let text = document::decode(bytes).map_err(|problem| problem.to_string())?;
        Ok::<_, String>(SourceText::new(path, text))
    };
    match end.as_str() {
        "csv" | "tsv" | "txt" => Ok(delimited(text(bytes)?, false)),
        "ndjson" | "jsonl" => Ok(ndjson(text(bytes)?)),
        "parquet" | "pq" | "parq" => Ok(delimited(SourceText::new(path, parquet(bytes)?), true)),
        _ => Err("a file of facts ends in .csv, .tsv, .txt, .ndjson, .jsonl or .parquet".to_owned()),
    }
}

/// Reads delimited text: the first line names the columns; empty lines and lines that begin with `#` are no records.
fn delimited(file: Arc<SourceText>, binary: bool) -> Result<Table, Mistakes> {
    let (mut header, mut rows, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    let first = file.text.lines().find(|line| is_record(line)).unwrap_or_default();
    let delimiter = [b',', b'\t', b';'].into_iter().find(|byte| first.as_bytes().contains(byte)).unwrap_or(b',');
    let mut at = 0;
    while at < file.text.len() {
        let line = file.text[at..].lines().next().unwrap_or_default();
        if !is_record(line) {
            at += line.len() + end_of_line(&file.text[at + line.len()..]);
            continue;
        }
        let start = at;
        let cells = record(&file.text, &mut at, delimiter);
        if header.is_empty() {
            header = cells;
        } else if cells.len() == header.len() {
            rows.push(cells);
        } else {
            let title = format!("{} cells where the header has {}", cells.len(), header.len());
            let span = start..start + line.len();
            mistakes.push(Diagnostic::new("bad-facts", title, &file, span).help("quote cells that hold the delimiter"));
        }
    }
    if header.is_empty() {
        let help = "name the columns in the first line";
        mistakes.push(Diagnostic::new("bad-facts", "the file is empty", &file, 0..0).help(help));
    }
    if mistakes.is_empty() { Ok(Table { file, header, rows, binary }) } else { Err(mistakes) }
}

fn is_record(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

fn end_of_line(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { usize::from(!text.is_empty()) }
}

/// The cells of the record that begins at `at`, which is moved behind it.
fn record(text: &str, at: &mut usize, delimiter: u8) -> Vec<Cell> {
    let bytes = text.as_bytes();
    let mut cells = Vec::new();
    loop {
        let start = *at;
        let blanks = bytes[start..].iter().take_while(|byte| **byte == b' ').count();
        let cell = if bytes.get(start + blanks) == Some(&b'"') {
            *at += blanks;
            quoted(text, at)
        } else {
            let ends = |byte: &u8| *byte == delimiter || *byte == b'\n';
            *at = bytes[start..].iter().position(ends).map_or(text.len(), |length| start + length);
            let span = trimmed(text, start..*at);
            Cell { text: text[span.clone()].to_owned(), span }
        };
        cells.push(cell);
        // What stands between a closing quote and the delimiter belongs to no cell.
        while bytes.get(*at).is_some_and(|byte| *byte != delimiter && *byte != b'\n') {
            *at += 1;
        }
        let goes_on = bytes.get(*at) == Some(&delimiter);
        *at = text.len().min(*at + 1);
        if !goes_on {
            return cells;
        }
    }
}

/// A cell in quotes, of which two stand for one.
fn quoted(text: &str, at: &mut usize) -> Cell {
    let start = *at + 1;
    let mut end = start;
    while let Some(length) = text[end..].find('"') {
        end += length;
        if !text[end + 1..].starts_with('"') {
            break;
        }
        end += 2;
    }
    let closed = text[end..].starts_with('"');
    let end = if closed { end } else { text.len() };
    *at = end + usize::from(closed);
    Cell { text: text[start..end].replace("\"\"", "\"").trim().to_owned(), span: start..end }
}

fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let cell = &text[span.clone()];
    let start = span.start + cell.len() - cell.trim_start().len();
    start..(start + cell.trim().len())
}

/// Reads one JSON object a line; the columns are all names that any of them has.
fn ndjson(file: Arc<SourceText>) -> Result<Table, Mistakes> {
    let (mut header, mut objects, mut mistakes): (Vec<Cell>, Vec<_>, Vec<_>) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0;
    for line in file.text.split_inclusive('\n') {
        let span = trimmed(&file.text, at..at + line.len());
        at += line.len();
        if span.is_empty() {
            continue;
        }
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&file.text[span.clone()]) {
            Ok(object) => {
                for name in object.keys() {
                    if !header.iter().any(|cell| cell.text == *name) {
                        header.push(Cell { text: name.clone(), span: span.clone() });
                    }
                }
                objects.push((object, span));
            }
            Err(error) => {
                let title = format!("not a JSON object: {error}");
                mistakes.push(Diagnostic::new("bad-facts", title, &file, span).help("write one object a line"));
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let cell = |value: Option<&serde_json::Value>, span: &Range<usize>| {
        let text = match value {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) => text.trim().to_owned(),
            Some(other) => other.to_string(),
        };
        Cell { text, span: span.clone() }
    };
    let rows = objects
        .iter()
        .map(|(object, span)| header.iter().map(|name| cell(object.get(&name.text), span)).collect())
        .collect();
    Ok(Table { file, header, rows, binary: false })
}

/// The rows of a Parquet file as CSV.
fn parquet(bytes: Vec<u8>) -> Result<String, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("not a Parquet file that can be read: {error}");
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).map_err(|error| unreadable(&error))?;
    let names: Vec<String> = reader.schema().fields().iter().map(|field| escaped(field.name())).collect();
    let mut csv = names.join(",") + "\n";
    let options = FormatOptions::default().with_null("");
    for batch in reader.build().map_err(|error| unreadable(&error))? {
        let batch = batch.map_err(|error| unreadable(&error))?;
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(&error))?;
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| escaped(&column.value(row).to_string())).collect();
            csv += &(cells.join(",") + "\n");
        }
    }
    Ok(csv)
}

fn escaped(text: &str) -> String {
    let plain = !text.contains(['"', ',', ';', '\t', '\n', '\r', '#']) && !text.is_empty();
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Float64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn table(name: &str, bytes: impl Into<Vec<u8>>) -> Table {
        read(Path::new(name), bytes.into()).unwrap().unwrap()
    }

    fn texts(table: &Table) -> Vec<Vec<&str>> {
        let lines = std::iter::once(&table.header).chain(&table.rows);
        lines.map(|cells| cells.iter().map(|cell| cell.text.as_str()).collect()).collect()
    }

    #[test]
    fn delimited_text_has_quotes_comments_and_other_delimiters() {
        let csv = "# from the exchange\r\nsymbol,why\r\n\r\n600000, \"a, \"\"b\"\" \"\n600001 ,\"two\nlines\"\n";
        let table = table("a.csv", csv);
        assert_eq!(texts(&table), [vec!["symbol", "why"], vec!["600000", "a, \"b\""], vec!["600001", "two\nlines"]]);
        assert_eq!(&csv[table.rows[0][0].span.clone()], "600000");
        assert_eq!(texts(&self::table("a.tsv", "a\tb\n1\t\n")), [["a", "b"], ["1", ""]]);
        assert_eq!(texts(&self::table("a.csv", "a;b\n1;2,5")), [["a", "b"], ["1", "2,5"]]);
    }

    #[test]
    fn a_record_with_too_few_cells_is_a_mistake_with_its_line() {
        let mistakes = read(Path::new("a.csv"), b"a,b\n1\n1,2\n1,2,3\n".to_vec()).unwrap().unwrap_err();
        assert_eq!(mistakes.iter().map(|mistake| mistake.position().0).collect::<Vec<_>>(), [2, 4]);
        assert!(read(Path::new("a.csv"), Vec::new()).unwrap().is_err());
        assert!(read(Path::new("a.xlsx"), Vec::new()).unwrap_err().contains(".parquet"));
    }

    #[test]
    fn objects_of_one_line_each_are_records() {
        let table =
            table("a.ndjson", "{\"symbol\":\"A\",\"ratio\":2}\n\n{\"symbol\":\"B\",\"cash\":0.5,\"ratio\":null}\n");
        assert_eq!(texts(&table), [["symbol", "ratio", "cash"], ["A", "2", ""], ["B", "", "0.5"]]);
        let mistakes = read(Path::new("a.jsonl"), b"{}\n[1]\n".to_vec()).unwrap().unwrap_err();
        assert_eq!(mistakes[0].position(), (2, 1));
    }

    #[test]
    fn rows_of_parquet_are_shown_as_text() {
        let symbols = Arc::new(StringArray::from(vec![Some("a,b"), None, Some("#c")]));
        let dates = Arc::new(Date32Array::from(vec![Some(19_724), None, Some(0)]));
        let ratios = Arc::new(Float64Array::from(vec![Some(0.1), Some(2.0), None]));
        let batch = RecordBatch::try_from_iter([
            ("symbol", symbols as arrow::array::ArrayRef),
            ("date", dates),
            ("ratio", ratios),
        ])
        .unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let table = table("a.parquet", writer.into_inner().unwrap());
        assert_eq!(
            texts(&table),
            [["symbol", "date", "ratio"], ["a,b", "2024-01-02", "0.1"], ["", "", "2.0"], ["#c", "1970-01-01", ""]]
        );
        assert!(read(Path::new("a.parquet"), b"PAR1".to_vec()).unwrap_err().contains("not a Parquet file"));
    }
}
