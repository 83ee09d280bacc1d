//! Text files as people have them: every layout is read as the same bars, a bad row leaves it and comes back byte for
//! byte, and the rest of the file stays as it was.

use std::fs;

use crate::cli_support::Project;
use crate::support::{gzip, zstd};

/// A file, and the settings that it is read with.
struct Layout {
    name: &'static str,
    file: &'static str,
    /// Keys of `[source.files]`.
    source: &'static str,
    /// Keys of `[bars]`.
    bars: &'static str,
    bytes: Vec<u8>,
}

/// Two good bars of `A`, and one whose high lies below its low.
const PLAIN: &str = "\
symbol,date,open,high,low,close,volume
A,2024-01-02,10,11,9.5,10.5,1000
A,2024-01-03,10.5,9,10,10.8,1100
A,2024-01-04,10.8,11.2,10.5,11,900
";

fn layout(name: &'static str, file: &'static str, source: &'static str, bars: &'static str, text: &str) -> Layout {
    Layout { name, file, source, bars, bytes: text.as_bytes().to_vec() }
}

const DATE: &str = "time = { field = \"date\" }";
const NO_HEADER: &str =
    "header = \"none\"\ncolumns = [\"symbol\", \"date\", \"open\", \"high\", \"low\", \"close\", \"volume\"]";

/// Layouts in which a record is a stretch of the file.
fn line_preserving() -> Vec<Layout> {
    let body = PLAIN.split_once('\n').unwrap().1;
    let (gbk, _, _) = encoding_rs::GBK.encode("代码,日期,开盘,最高,最低,收盘,成交量\n");
    let mut chinese = gbk.to_vec();
    chinese.extend_from_slice(body.as_bytes());
    let of_symbol = body.replace("A,", "");
    vec![
        layout("without a header", "bars.csv", NO_HEADER, DATE, body),
        layout("a header that only some files have", "bars.csv", NO_HEADER_AUTO, DATE, PLAIN),
        layout(
            "titles and comments",
            "bars.csv",
            "skip = 2\nignore = [\"#*\"]",
            DATE,
            &format!("A title\n\"open\n# x\n{PLAIN}# \"end\n"),
        ),
        layout("CRLF and a byte order mark", "bars.csv", "", DATE, &format!("\u{feff}{}", PLAIN.replace('\n', "\r\n"))),
        layout(
            "semicolons and decimal commas",
            "bars.csv",
            "delimiter = \";\"\nnumbers = { decimal = \",\" }",
            DATE,
            &PLAIN.replace(',', ";").replace('.', ","),
        ),
        layout("tabs", "bars.tsv", "", DATE, &PLAIN.replace(',', "\t")),
        layout("columns of blanks", "bars.txt", "delimiter = \"blanks\"", DATE, &PLAIN.replace(',', "   ")),
        layout("blanks around cells", "bars.csv", "trim = true", DATE, &PLAIN.replace(',', " , ")),
        layout("a delimiter at the end of each line", "bars.csv", "", DATE, &PLAIN.replace('\n', ",\n")),
        layout(
            "other case",
            "bars.csv",
            "",
            "time = { field = \"DATE\" }",
            &format!("{}\n{body}", PLAIN.lines().next().unwrap().to_uppercase()),
        ),
        layout(
            "date and time apart",
            "bars.csv",
            "",
            "time = { fields = [\"date\", \"hour\"], formats = [\"%Y-%m-%d %H\"] }",
            &PLAIN
                .replace("date,", "date,hour,")
                .replace("-02,", "-02,16,")
                .replace("-03,", "-03,16,")
                .replace("-04,", "-04,16,"),
        ),
        layout("a symbol in the name", "A_1d_2024.csv", "", DATE, &PLAIN.replace("symbol,", "").replace("A,", "")),
        layout("a symbol in a folder", "symbol=A/bars.csv", "", DATE, &PLAIN.replace("symbol,", "").replace("A,", "")),
        layout(
            "a symbol of the job",
            "only.csv",
            "",
            "time = { field = \"date\" }\nfields = { symbol = { value = \"A\" } }",
            &format!("date,open,high,low,close,volume\n{of_symbol}"),
        ),
        layout(
            "prices in cents",
            "bars.csv",
            "",
            "time = { field = \"date\" }\nfields = { open = { scale = 0.01 }, high = { scale = 0.01 }, low = { scale = \"1e-2\" }, close = { scale = \"0.01\" } }",
            "symbol,date,open,high,low,close,volume\nA,2024-01-02,1000,1100,950,1050,1000\nA,2024-01-03,1050,900,1000,1080,1100\nA,2024-01-04,1080,1120,1050,1100,900\n",
        ),
        Layout {
            name: "GBK",
            file: "bars.csv",
            source: "encoding = \"gbk\"",
            bars: "time = { field = \"日期\" }\nfields = { symbol = \"代码\" }",
            bytes: chinese,
        },
        Layout { name: "gzip", file: "bars.csv.gz", source: "", bars: DATE, bytes: gzip(PLAIN.as_bytes()) },
        Layout { name: "zstd", file: "bars.csv.zst", source: "", bars: DATE, bytes: zstd(PLAIN.as_bytes()) },
    ]
}

const NO_HEADER_AUTO: &str =
    "header = \"auto\"\ncolumns = [\"symbol\", \"date\", \"open\", \"high\", \"low\", \"close\", \"volume\"]";

fn project(layout: &Layout) -> Project {
    let project = Project::new("");
    fs::remove_file(project.path("bars.csv")).unwrap();
    let path = match layout.name {
        "a symbol in the name" => "data/{symbol}_1d_*.csv".to_owned(),
        "a symbol in a folder" => "data".to_owned(),
        _ => format!("data/{}", layout.file),
    };
    project.write(&format!("data/{}", layout.file), &layout.bytes);
    project.edit("job.toml", "path = \"bars.csv\"", &format!("path = \"{path}\"\n{}", layout.source));
    project.edit("job.toml", "time = { field = \"date\" }", layout.bars);
    project
}

fn bars(project: &Project, name: &str) -> String {
    let query = "select symbol, time, open, high, low, close, volume from bars order by time";
    let output = project.call(&["sql", "--job", "job.toml", "--format", "json", query]);
    assert_eq!(output.code, Some(0), "{name}: {output:?}");
    output.out
}

#[test]
fn every_layout_is_read_as_the_same_bars() {
    let plain = project(&layout("plain", "bars.csv", "", DATE, PLAIN));
    let expected = bars(&plain, "plain");
    assert_eq!(expected.lines().count(), 4, "three bars and the exit: {expected}");
    for layout in line_preserving() {
        assert_eq!(bars(&project(&layout), layout.name), expected, "{}", layout.name);
    }
}

#[test]
fn a_row_leaves_every_layout_and_comes_back_byte_for_byte() {
    for layout in line_preserving() {
        let project = project(&layout);
        let file = format!("data/{}", layout.file);
        let output = project.call(&["run", "job.toml"]);
        assert!(output.out.contains(" removed=1 "), "{}: {output:?}", layout.name);
        let without = fs::read(project.path(&file)).unwrap();
        assert_ne!(without, layout.bytes, "{}", layout.name);
        if !layout.file.ends_with("gz") && !layout.file.ends_with("zst") {
            let line =
                |bytes: &[u8]| bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
            let rest: Vec<_> = line(&layout.bytes).into_iter().filter(|line| !is_bad(line)).collect();
            assert_eq!(line(&without), rest, "{}: the rest stays byte for byte", layout.name);
        }
        let again = project.call(&["run", "job.toml"]);
        assert_eq!(again.code, Some(0), "{}: {again:?}", layout.name);
        project.call(&["quarantine", "restore", "job.toml", "--run", "latest~1", "--confirm", "1"]).exits(0);
        let back = fs::read(project.path(&file)).unwrap();
        match layout.file.rsplit('.').next() {
            Some("gz" | "zst") => assert!(back != without, "{}", layout.name),
            _ => assert_eq!(back, layout.bytes, "{}", layout.name),
        }
    }
}

/// Whether a line is the bad bar, in any of the layouts.
fn is_bad(line: &[u8]) -> bool {
    String::from_utf8_lossy(line).contains("2024-01-03")
}

#[test]
fn rows_do_not_leave_what_has_no_lines_of_its_own() {
    let utf16: Vec<u8> = format!("\u{feff}{PLAIN}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let layout = Layout { name: "UTF-16", file: "bars.csv", source: "encoding = \"utf-16\"", bars: DATE, bytes: utf16 };
    let project = project(&layout);
    let plain = self::project(&self::layout("plain", "bars.csv", "", DATE, PLAIN));
    assert_eq!(bars(&project, layout.name), bars(&plain, "plain"));
    project.call(&["check", "job.toml"]).exits(1);
    let output = project.call(&["run", "job.toml"]).exits(4);
    output.says(&["no row can leave this source: in UTF-16LE a record is not a stretch of the file's bytes"]);
    let planned = project.call(&["plan", "job.toml", "-o", "the.plan"]);
    assert_eq!(planned.code, Some(1), "{planned:?}");
    let confirm = planned.value("confirm").to_owned();
    project.call(&["apply", "the.plan", "--confirm", &confirm]).exits(4).says(&["no row can leave this source"]);
    assert_eq!(fs::read(project.path("data/bars.csv")).unwrap(), layout.bytes);
}

#[test]
fn a_row_without_a_series_key_is_a_finding_and_no_series() {
    let head = "symbol,date,open,high,low,close,volume\n";
    let row = |symbol: &str, day: u32| format!("{symbol},2024-01-0{day},10,11,9.5,10.5,1000\n");
    let project = Project::new(format!("{head}{}{}{}{}", row("A", 2), row("", 2), row("", 2), row("(null)", 2)));
    project.write("rules.toml", "[[rule]]\nid = \"one-bar\"\ncheck = \"duplicate\"\n");
    let output = project.call(&["check", "job.toml", "--format", "json"]).exits(1);
    assert!(output.out.contains("\"parse_errors\":2"), "{}", output.out);
    let found = project.call(&[
        "sql",
        "--dir",
        "reports",
        "select rule_id, cause, field, series, count(*) n from findings group by all",
    ]);
    found.exits(0);
    let found = project.call(&[
        "sql",
        "--dir",
        "reports",
        "--format",
        "json",
        "select cause, field, series, count(*) n from findings group by cause, field, series",
    ]);
    assert!(
        found.out.contains("{\"cause\":\"no-series-key\",\"field\":\"symbol\",\"series\":\"(null)\",\"n\":2}"),
        "{found:?}"
    );
    assert_eq!(found.out.lines().count(), 2, "copies of nothing are no copies: {found:?}");
}

#[test]
fn a_symbol_of_whole_numbers_is_their_digits_and_a_number_among_texts_a_finding() {
    let row = |symbol: &str| {
        format!(
            "{{\"symbol\":{symbol},\"date\":\"2024-01-02\",\"open\":10,\"high\":11,\"low\":9,\"close\":10,\"volume\":5}}\n"
        )
    };
    let project = Project::new("");
    project.write("bars.ndjson", [row("600000"), row("1")].concat());
    project.edit("job.toml", "bars.csv", "bars.ndjson");
    project.call(&["check", "job.toml"]).exits(0);
    let series = |project: &Project| {
        project.call(&["sql", "--job", "job.toml", "--format", "json", "select symbol from bars order by symbol"]).out
    };
    assert!(series(&project).starts_with("{\"symbol\":\"1\"}\n{\"symbol\":\"600000\"}\n"), "{}", series(&project));
    project.write("bars.ndjson", [row("\"A\""), row("7")].concat());
    project.call(&["check", "job.toml"]).exits(1);
    let shown = project.call(&["report", "show"]);
    assert!(shown.out.contains("no series key: symbol `7` is not text"), "{shown:?}");
}

#[test]
fn nothing_is_lost_with_a_copy() {
    let head = "symbol,date,open,high,low,close,volume,adj_close,updated_at\n";
    let row = |adjusted: &str, at: &str| format!("A,2024-01-02,10,11,9.5,10.5,1000,{adjusted},{at}\n");
    let rule = "[[rule]]\nid = \"one-bar\"\ncheck = \"duplicate\"\naction = \"quarantine\"\n";
    for (rows, more, removed) in [
        ([row("10.1", "x"), row("10.1", "x")], "", Some(1)),
        ([row("10.1", "x"), row("9.9", "x")], "", None),
        ([row("10.1", "x"), row("10.1", "y")], "", None),
        ([row("10.1", "x"), row("10.1", "y")], "ignore = [\"updated_at\"]\n", Some(1)),
    ] {
        let project = Project::new(format!("{head}{}", rows.concat()));
        project.write("rules.toml", format!("{rule}{more}"));
        project.edit("job.toml", "series_fraction = 1.0", "series_fraction = 1.0\nrows = 10");
        let output = project.call(&["run", "job.toml"]);
        assert_eq!(output.out.contains("removed=1"), removed.is_some(), "{rows:?} {more}: {output:?}");
    }
}

#[test]
fn one_fault_has_one_verdict_in_text_and_in_typed_columns() {
    // Local times that the clocks of New York skipped or showed twice, and a date that no job reads.
    let times = ["2024-03-10T02:30:00", "2024-11-03T01:30:00", "2900-01-01T00:00:00"];
    let causes = ["skipped-by-zone", "repeated-by-zone", "out-of-range"];
    let job = |project: &Project, path: &str| {
        project.edit("job.toml", "bars.csv", path);
        project.edit("job.toml", "interval = \"1d\"", "interval = \"1m\"");
        project.edit("job.toml", "calendar = \"XNYS\"\n", "");
        let time = "time = { field = \"date\", formats = [\"%Y-%m-%dT%H:%M:%S\"], zone = \"America/New_York\" }";
        project.edit("job.toml", "time = { field = \"date\" }", time);
        project.write("rules.toml", "[[rule]]\nid = \"r\"\ncheck = \"ohlc\"\n");
    };
    let query = "select cause, observed_text from findings order by observed_text";
    let found = |project: &Project| {
        project.call(&["check", "job.toml"]).exits(1);
        project.call(&["sql", "--dir", "reports", "--format", "json", query]).out
    };
    let rows = |quote: &str| times.map(|time| format!("{quote}{time}{quote}"));
    let csv = Project::new(format!(
        "symbol,date,open,high,low,close,volume\n{}",
        rows("").map(|time| format!("A,{time},10,11,9,10,5\n")).concat()
    ));
    job(&csv, "bars.csv");
    let ndjson = Project::new("");
    let record = |time: String| {
        format!("{{\"symbol\":\"A\",\"date\":{time},\"open\":10,\"high\":11,\"low\":9,\"close\":10,\"volume\":5}}\n")
    };
    ndjson.write("bars.ndjson", rows("\"").map(record).concat());
    job(&ndjson, "bars.ndjson");
    let parquet = Project::new("");
    crate::support::write_local_bars(&parquet.path("bars.parquet"), &times);
    job(&parquet, "bars.parquet");
    let expected = found(&csv);
    for cause in causes {
        assert!(expected.contains(cause), "{cause}: {expected}");
    }
    assert_eq!(found(&ndjson), expected);
    assert_eq!(found(&parquet), expected);
}

#[test]
fn a_job_whose_every_timestamp_fails_is_probably_wrong_and_moves_nothing() {
    let row = |day: u32| format!("A,{day:02}/01/2024,10,11,9.5,10.5,1000\n");
    let text = format!("symbol,date,open,high,low,close,volume\n{}", (2..12).map(row).collect::<String>());
    let project = Project::new(&text);
    project.edit("job.toml", "[report]", "[parse_error]\naction = \"quarantine\"\n\n[report]");
    let reason =
        "every one of 10 rows has `02/01/2024` or the like in `time` (not-a-format): the job is probably wrong";
    let output = project.call(&["check", "job.toml"]).exits(1);
    assert!(output.out.contains(reason), "{output:?}");
    let output = project.call(&["run", "job.toml"]).exits(4);
    assert!(output.out.contains(reason), "{output:?}");
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), text);
    // A rule that aims at the field means it, and a few rows say nothing of the job.
    let aimed = "\n[[rule]]\nid = \"dates\"\ncheck = \"date-format\"\naction = \"quarantine\"\n";
    project.write("rules.toml", crate::cli_support::RULES.to_owned() + aimed);
    assert!(!project.call(&["check", "job.toml"]).out.contains("probably wrong"));
    let few = Project::new(text.lines().take(4).collect::<Vec<_>>().join("\n"));
    assert!(!few.call(&["check", "job.toml"]).out.contains("probably wrong"));
}
