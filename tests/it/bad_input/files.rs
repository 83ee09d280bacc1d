//! Source files that are not there, empty, of another kind, broken off, or at odds with each other.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::cli_support::{BARS, Project};

/// Bytes that are no text, the same every time.
pub(super) fn garbage(length: u32) -> Vec<u8> {
    let byte = |n: u32| n.wrapping_mul(2_654_435_761).wrapping_add(n >> 3).to_be_bytes()[0];
    (0..length).map(byte).collect()
}

/// A project whose source is `path`.
pub(super) fn over(path: &str) -> Project {
    let project = Project::new(BARS);
    project.edit("job.toml", "\"bars.csv\"", path);
    project
}

/// Fails unless the source breaks the run, with these texts in the message, and no finding or copy is left.
#[track_caller]
pub(super) fn breaks(project: &Project, texts: &[&str]) {
    let output = project.call(&["run", "job.toml"]).exits(3);
    output.only_its_line("broken");
    output.says(texts).says(&["job: job.toml"]);
    let runs: Vec<(String, i64)> = project.runs().into_iter().map(|(_, status, code)| (status, code)).collect();
    assert_eq!(runs, [("broken".to_owned(), 3)], "the report says that it broke");
    assert_eq!(project.files("reports").len(), 1, "and nothing else");
    assert!(!project.path("quarantine").exists());
}

#[test]
fn a_missing_file_is_named_with_the_nearest_one() {
    breaks(&over("\"bar.csv\""), &["no such file or folder: `bar.csv`; did you mean `bars.csv`?"]);
    breaks(&over("\"data/2024.csv\""), &["no such file or folder: `data/2024.csv`"]);
}

#[test]
fn a_link_to_nothing_is_reported_as_one() {
    let project = over("\"link.csv\"");
    std::os::unix::fs::symlink("gone.csv", project.path("link.csv")).unwrap();
    breaks(&project, &["`link.csv` is a symbolic link to a file that is missing; repair or remove the link"]);
}

#[test]
fn a_folder_without_data_and_a_pattern_without_a_match() {
    let project = over("\"data\"");
    project.write("data/notes.md", "nothing here");
    breaks(&project, &["folder `data` has no data file", ".csv", ".parquet"]);
    breaks(&over("\"data/*.csv\""), &["no file matches `data/*.csv`; check the pattern"]);
    breaks(&over("[\"bars.csv\", \"b/**/*.csv\"]"), &["no file matches `b/**/*.csv`"]);
    breaks(&over("\"bars[.csv\""), &["`bars[.csv` is not a valid file pattern"]);
}

#[test]
fn empty_files_are_no_success() {
    let empty = "`bars.csv` is empty; fetch it again or take it out of the source";
    for text in ["", "\n\n\r\n", "\u{feff}"] {
        breaks(&Project::new(text), &[empty]);
    }
    breaks(
        &Project::new("symbol,date,open,high,low,close,volume\n"),
        &["`bars.csv` has no rows: nothing was evaluated; fetch it again"],
    );
    let project = over("\"bars.ndjson\"");
    project.write("bars.ndjson", "\n \n");
    breaks(&project, &["`bars.ndjson` is empty"]);
    let project = over("\"*.csv\"");
    project.write("late.csv", "");
    let output = project.call(&["check", "job.toml", "--no-report"]).exits(0);
    output.says(&["note: 1 empty file left out, the first is `late.csv`"]);
    project.edit("job.toml", "path = \"*.csv\"", "path = \"*.csv\"\nempty = \"error\"");
    breaks(&project, &["`late.csv` is empty"]);
}

#[test]
fn garbage_is_reported_from_data() {
    breaks(&Project::new(garbage(4_000)), &["`bars.csv` cannot be read as CSV:"]);
    for (name, what) in
        [("bars.ndjson", "is not an NDJSON file"), ("bars.parquet", "is not a whole Parquet file; fetch it again")]
    {
        let project = over(&format!("\"{name}\""));
        project.write(name, garbage(4_000));
        breaks(&project, &[&format!("`{name}` {what}")]);
    }
}

#[test]
fn a_file_of_another_kind_is_named_as_what_it_is() {
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(BARS.bytes().flat_map(|byte| [byte, 0])).collect();
    breaks(&Project::new(utf16), &["it is UTF-16; write `encoding = \"utf-16\"`"]);
    breaks(&Project::new(b"PAR1\x15\x04"), &["it is a Parquet file; set `format` to parquet"]);
    breaks(&Project::new("a\0b,c\n1,2\n"), &["it holds binary data"]);
    breaks(
        &Project::new("A,2024-01-02,1,2,0.5,1.5,10\n"),
        &["line 1 looks like data, not like column names", "`header = \"none\"`"],
    );
    breaks(&Project::new(BARS.replace('\n', "\r")), &["its lines end in bare carriage returns; write line feeds"]);
    let project = over("\"bars.ndjson\"");
    project.write("bars.ndjson", "[{\"symbol\":\"A\"},\n{\"symbol\":\"B\"}]\n");
    breaks(&project, &["one JSON array; write `format = \"json\"`"]);
    let project = over("\"bars.dat\"");
    project.write("bars.dat", BARS);
    breaks(&project, &["the name of `bars.dat` does not tell its format; set `format`"]);
}

#[test]
fn packed_files_that_break_off_are_rejected_whole() {
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    for (name, packing, packed) in [
        ("bars.csv.gz", "gzip", gzip(BARS.as_bytes())),
        ("bars.csv.zst", "zstd", zstd::encode_all(BARS.as_bytes(), 3).unwrap()),
    ] {
        let project = over(&format!("\"{name}\""));
        for cut in [packed.len() / 2, packed.len() - 1] {
            project.write(name, &packed[..cut]);
            let output = project.call(&["check", "job.toml"]).exits(3);
            output.says(&[
                &format!("`{name}` does not unpack as {packing} after row 0"),
                "breaks off or is corrupt; fetch it again",
            ]);
        }
        let mut flipped = packed.clone();
        let middle = packed.len() / 2;
        flipped[middle] ^= 0x55;
        project.write(name, flipped);
        project.call(&["check", "job.toml"]).exits(3).says(&["fetch it again"]);
        project.write(name, BARS);
        project.call(&["check", "job.toml"]).exits(3).says(&["the first bytes are not those of a packed file"]);
        project.write(name, &packed);
        project.call(&["check", "job.toml"]).exits(0);
    }
}

#[test]
fn a_quote_that_never_closes_is_placed() {
    let text = BARS.replace("A,2024-01-04,10.8", "A,2024-01-04,\"10.8");
    breaks(
        &Project::new(text),
        &["`bars.csv` row 3 (line 4): a quote opens in this row and never closes; close it or double it"],
    );
    let header = BARS.replace("symbol,", "\"symbol,");
    breaks(&Project::new(header), &["`bars.csv` row 0 (line 1): a quote opens"]);
}

#[test]
fn columns_must_be_named_once_and_alike() {
    breaks(
        &Project::new(BARS.replace("volume\n", "volume,close\n").replace("00\n", "00,1\n")),
        &["`bars.csv` has more than one column called `close`; rename all but one"],
    );
    let project = over("\"data\"");
    project.write("data/a.csv", BARS);
    project.write("data/b.csv", BARS.replace("volume", "vol"));
    breaks(
        &project,
        &["`data/b.csv` has no column `volume`; it has `symbol`, `date`, `open`, `high`, `low`, `close`, `vol`"],
    );
    let project = over("\"data\"");
    project.write("data/a.csv", BARS);
    project.write("data/b.ndjson", "{}\n");
    breaks(
        &project,
        &[
            "`data/a.csv` is csv and `data/b.ndjson` is ndjson: a source has one format; set `format` or narrow the path",
        ],
    );
}

#[test]
fn a_column_that_is_not_there_is_a_mistake_of_the_job() {
    let project = Project::new(BARS.replace("date", "trade_date"));
    project.edit("job.toml", "[\"symbol\"]", "[\"symbl\"]");
    project.edit("job.toml", "field = \"date\" }", "field = \"tradedate\" }\nfields = { close = \"clsoe\" }");
    let output = project.call(&["check", "job.toml"]).exits(2);
    insta::assert_snapshot!(output.err, @r#"
error[unknown-field]: the series key needs the field `symbl`, which these bars do not have
 --> job.toml:8:11
  |
8 | series = ["symbl"]
  |           ^^^^^^^ unknown field
  |
  = help: did you mean `symbol`? fields: symbol, trade_date, open, high, low, volume

error[unknown-field]: the source has no field `tradedate`
  --> job.toml:11:18
   |
11 | time = { field = "tradedate" }
   |                  ^^^^^^^^^^^ unknown field
   |
   = help: did you mean `trade_date`? fields of the source: symbol, trade_date, open, high, low, close, volume

error[unknown-field]: the source has no field `clsoe`
  --> job.toml:12:20
   |
12 | fields = { close = "clsoe" }
   |                    ^^^^^^^ unknown field
   |
   = help: did you mean `close`? fields of the source: symbol, trade_date, open, high, low, close, volume

error: 3 mistakes; nothing was read
"#);
    project.write("job.toml", crate::cli_support::JOB);
    project.write("bars.csv", BARS.replace("low", "lw"));
    let output = project.call(&["check", "job.toml"]).exits(2);
    insta::assert_snapshot!(output.err, @r#"
error[unknown-field]: 1 rule needs `low`, which these bars do not have
 --> job.toml:7:1
  |
7 | [bars]
  | ^^^^^^ unknown fields
  |
  = help: say in `[bars]` which columns they are, `fields = { low = "lw" }`, or that these bars have none, `without = ["low"]`; columns: symbol, open, high, lw, close, volume

error: 1 mistake; nothing was read
"#);
    assert!(!project.path("reports").exists());
}

#[test]
fn names_that_are_barkeeps_own_are_refused_where_they_are_read() {
    for name in ["__row", "close~", "volume!"] {
        let project = Project::new(BARS.replace("volume\n", &format!("volume,{name}\n")).replace("0\n", "0,7\n"));
        project.call(&["check", "job.toml"]).exits(0);
        let rule = format!("\n[[rule]]\nid = \"r\"\ncheck = \"required\"\nfields = [\"{name}\"]\n");
        project.write("rules.toml", crate::cli_support::RULES.to_owned() + &rule);
        project
            .call(&["check", "job.toml"])
            .exits(3)
            .says(&[&format!("column `{name}` cannot be read"), "barkeep's own; rename it"]);
    }
}

#[test]
fn what_is_neither_file_nor_folder_is_not_waited_for() {
    let project = over("\"/dev/null\"");
    breaks(&project, &["`/dev/null` is neither a file nor a folder; copy the data into a file first"]);
}

#[test]
fn one_bad_file_among_good_ones_rejects_the_source() {
    let project = over("\"data\"");
    for name in ["a.csv", "c.csv"] {
        project.write(&format!("data/{name}"), BARS);
    }
    project.write("data/b.csv", BARS.replace("B,2024-01-02,20", "B,2024-01-02,\"20"));
    breaks(&project, &["`data/b.csv` row 4 (line 5): a quote opens"]);
    fs::remove_file(project.path("data/b.csv")).unwrap();
    project.call(&["check", "job.toml", "--rule", "gap"]).exits(0);
}
