//! Where a finding says that its row stands: the physical line of a text file, so that an editor opens there; the line and
//! the byte in it of a JSON document.

use std::io::Write;

use serde::Deserialize;

use crate::cli_support::Project;
use crate::support::{gzip, table, zstd};

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    rule_id: String,
    locator: Option<String>,
}

/// The bad row: its high is below its low.
const BAD: &str = "A,2024-01-03,10.5,9,10,10.8,1100";
const HEADER: &str = "symbol,date,open,high,low,close,volume";
const GOOD: &str = "A,2024-01-02,10,11,9.5,10.5,1000";
const LATER: &str = "A,2024-01-04,10.8,11.2,10.5,11,900";

/// The line, from 1, in which the bad row begins.
fn line_of(text: &str, bad: &str) -> usize {
    let at = text.find(bad).unwrap();
    text[..at].matches('\n').count() + 1
}

fn packed_by_bzip2(text: &[u8]) -> Vec<u8> {
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

/// The text of `findings_name_the_line_of_the_text_in_a_packed_file`, as `xz --check=crc32` packs it.
const XZ: &[u8] = b"\
    \xfd\x37\x7a\x58\x5a\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\xe0\
    \x00\x8c\x00\x5c\x5d\x00\x39\x9e\x49\xdd\x94\x71\x45\xaf\x45\x61\x92\x48\xa0\x68\xa2\xff\xac\x8a\xb3\
    \x88\x54\x5b\x68\xe3\xdc\xb0\x5e\xf5\xd8\xd4\x9c\x4e\x91\x4b\xd4\x56\x74\x77\x54\xb0\xfb\x74\x80\xc6\
    \xbc\xc6\xeb\xa6\x40\xad\x26\x63\x38\xa2\x72\xa9\xcb\x76\xdd\x9a\xdf\x13\x65\xa8\x7b\x21\xce\xfa\x50\
    \xa1\x87\xa2\x7d\x7b\xbf\x0a\x87\x17\xe6\x71\x55\xaf\xa6\xef\xfe\x7f\x70\xb0\xbc\xd6\x72\x00\x00\xb0\
    \xe2\x46\xc9\x00\x01\x74\x8d\x01\x00\x00\x00\x4c\x88\x2c\xa2\x3e\x30\x0d\x8b\x02\x00\x00\x00\x00\x01\
    \x59\x5a";

fn zipped(member: &str, text: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(text).unwrap();
    archive.finish().unwrap().into_inner()
}

/// A job over one file.
fn project(file: &str, bytes: &[u8], source: &str, time: &str) -> Project {
    let project = Project::new("");
    std::fs::remove_file(project.path("bars.csv")).unwrap();
    project.write(file, bytes);
    project.edit("job.toml", "path = \"bars.csv\"", &format!("path = \"{file}\"\n{source}"));
    project.edit("job.toml", "time = { field = \"date\" }", time);
    project
}

const DATE: &str = "time = { field = \"date\" }";

/// The locator of the one finding of `ohlc`.
#[track_caller]
fn located(project: &Project) -> String {
    let output = project.call(&["check", "job.toml"]).exits(1);
    let query = "SELECT locator FROM findings WHERE rule_id = 'ohlc'";
    let mut rows: Vec<Row> = table(&project.path("reports"), "findings");
    rows.retain(|row| row.rule_id == "ohlc");
    assert_eq!(rows.len(), 1, "{output:?}");
    let locator = rows.remove(0).locator.unwrap();
    let asked = project.call(&["--format", "ndjson", "sql", "--dir", "reports", query]).exits(0);
    assert!(asked.out.contains(&locator), "{asked:?}");
    let shown = project.call(&["report", "show", "--dir", "reports"]).exits(0);
    assert!(shown.out.contains(&format!("({locator})")), "{shown:?}");
    locator
}

#[test]
fn findings_name_the_line_of_a_csv_file() {
    let plain = format!("{HEADER}\n{GOOD}\n{BAD}\n{LATER}\n");
    let note = format!("note,{HEADER}\n\"two\nlines\",{GOOD}\n\n,{BAD}\n\"and \"\"four\n\n\n\",{LATER}\n");
    for (what, text, source) in [
        ("plain", plain.clone(), ""),
        ("blank lines", format!("{HEADER}\n\n{GOOD}\n\n\n{BAD}\n{LATER}\n"), ""),
        ("a byte order mark and CRLF", format!("\u{feff}{}", plain.replace('\n', "\r\n")), ""),
        (
            "titles and comments",
            format!("a title\n\"open\n# x\n{HEADER}\n# y\n{GOOD}\n#z\n{BAD}\n{LATER}\n# end\n"),
            "skip = 2\nignore = [\"#*\"]",
        ),
        ("quoted line ends", note, ""),
        (
            "no header",
            format!("{GOOD}\n{BAD}\n{LATER}\n"),
            "header = \"none\"\ncolumns = [\"symbol\", \"date\", \"open\", \"high\", \"low\", \"close\", \"volume\"]",
        ),
    ] {
        let project = project("bars.csv", text.as_bytes(), source, DATE);
        let line = line_of(&text, if what.contains("CRLF") { BAD.trim_end() } else { BAD });
        assert_eq!(located(&project), format!("bars.csv:{line}"), "{what}");
    }
}

#[test]
fn findings_name_the_line_of_the_text_in_a_packed_file() {
    let text = format!("{HEADER}\n\n{GOOD}\n{BAD}\n{LATER}\n");
    let bytes = text.as_bytes();
    for (file, packed) in [
        ("bars.csv.gz", gzip(bytes)),
        ("bars.csv.zst", zstd(bytes)),
        ("bars.csv.bz2", packed_by_bzip2(bytes)),
        ("bars.csv.xz", XZ.to_vec()),
    ] {
        assert_eq!(located(&project(file, &packed, "", DATE)), format!("{file}:4"));
    }
    assert_eq!(located(&project("bars.zip", &zipped("in/a.csv", bytes), "", DATE)), "bars.zip/in/a.csv:4");
    let (utf16, _, _) = encoding_rs::UTF_8.encode(&text);
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(String::from_utf8_lossy(&utf16).encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    assert_eq!(located(&project("bars.csv", &wide, "encoding = \"utf-16\"", DATE)), "bars.csv:4");
}

fn record(line: &str) -> String {
    let cells: Vec<&str> = line.split(',').collect();
    let names = HEADER.split(',').zip(cells);
    let fields = names.map(|(name, cell)| match cell.parse::<f64>() {
        Ok(_) => format!("\"{name}\": {cell}"),
        Err(_) => format!("\"{name}\": \"{cell}\""),
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

#[test]
fn findings_name_the_line_of_json() {
    let [good, bad, later] = [GOOD, BAD, LATER].map(record);
    let lines = format!("{good}\n\n\n{bad}\n\n{later}\n");
    assert_eq!(located(&project("bars.ndjson", lines.as_bytes(), "", DATE)), "bars.ndjson:4");
    let pretty = format!("{{\n  \"rows\": [\n    {good},\n    {bad},\n    {later}\n  ]\n}}\n");
    let source = "format = \"json\"\nrecords = \"rows\"";
    assert_eq!(located(&project("bars.json", pretty.as_bytes(), source, DATE)), "bars.json:4:5");
    let single = format!("[{good},{bad},{later}]");
    let column = single.find(&bad).unwrap() + 1;
    let document = |text: &str| project("bars.json", text.as_bytes(), "format = \"json\"", DATE);
    assert_eq!(located(&document(&single)), format!("bars.json:1:{column}"));
    assert_eq!(located(&document(&format!("\u{feff}{single}"))), format!("bars.json:1:{column}"));
    assert_eq!(located(&document(&single.replace("},{", "},\n\n{"))), "bars.json:3:1");
}

/// Several files, and more findings than one look at a time takes: each has the line of its own file.
#[test]
fn findings_of_several_files_name_their_own() {
    let project = project("data/a.csv", format!("{HEADER}\n{GOOD}\n{LATER}\n").as_bytes(), "", DATE);
    project.edit("job.toml", "data/a.csv", "data");
    let of_b = |line: &str| line.replace("A,", "B,");
    project.write("data/b.csv", format!("{HEADER}\n\n\n{}\n{}\n", of_b(BAD), of_b(LATER)));
    assert_eq!(located(&project), "data/b.csv:4");
}

/// What is moved, and what lies in quarantine, says the line it had.
#[test]
fn rows_that_leave_name_the_line_they_had() {
    let text = format!("{HEADER}\n\n{GOOD}\n{BAD}\n{LATER}\n");
    let project = project("bars.csv", text.as_bytes(), "", DATE);
    project.call(&["run", "job.toml"]).exits(1);
    let actions: Vec<Row> = table(&project.path("reports"), "actions");
    assert_eq!(actions[0].locator.as_deref(), Some("bars.csv:4"));
    let listed = project.call(&["--format", "ndjson", "quarantine", "list", "job.toml"]).exits(0);
    assert!(listed.out.contains("\"locator\":\"4\""), "{listed:?}");
    project.call(&["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "1"]).exits(0);
    assert_eq!(std::fs::read_to_string(project.path("bars.csv")).unwrap(), text);
}
