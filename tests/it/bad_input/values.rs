//! Rows and values that do not decode: each one a finding with its place, none of them dropped, none of them fatal.

use std::fmt::Write as _;

use crate::cli_support::{BARS, Project, Told, filters};

/// The header row, and rows without a fault.
fn with(rows: &str) -> Project {
    Project::new(format!("symbol,date,open,high,low,close,volume\n{rows}"))
}

/// Runs the job and fails unless every row is accounted for.
#[track_caller]
fn checked(project: &Project, code: i32) -> Told {
    let output = project.call(&["check", "job.toml"]).exits(code);
    let count = |key: &str| output.value(key).parse::<u64>().unwrap();
    let parts = ["clean", "flagged", "parse_errors", "to_quarantine", "to_delete"].map(count);
    assert_eq!(count("rows"), parts.iter().sum::<u64>(), "{}", output.out);
    output
}

#[test]
fn ragged_rows_are_findings_with_their_place() {
    let _filters = filters();
    let project = with(
        "A,2024-01-02,1,2,0.5,1.5,10\nA,2024-01-03,1,2\nA,2024-01-03,1,2,0.5,1.5,10\n,\nA,2024-01-04,1,2,0.5,1.5,10,11,12\n",
    );
    let output = checked(&project, 1);
    assert_eq!((output.value("rows"), output.value("clean"), output.value("parse_errors")), ("5", "2", "3"));
    let shown = project.call(&["report", "show"]).exits(0).out;
    let findings: Vec<&str> = shown.lines().filter(|line| line.starts_with("error")).collect();
    insta::assert_snapshot!(findings.join("\n"), @r"
error parse-error (null) no timestamp: the row cannot be read: ragged row: 4 cells, header has 7 (bars.csv:3)
error parse-error (null) no timestamp: the row cannot be read: ragged row: 2 cells, header has 7 (bars.csv:5)
error parse-error (null) no timestamp: the row cannot be read: ragged row: 9 cells, header has 7 (bars.csv:6)
");
}

#[test]
fn quotes_line_breaks_and_byte_order_marks_are_fine() {
    for text in [
        BARS.replace("A,", "\"A\nline 2\",").replace("10.5", "\"10.5\""),
        format!("\u{feff}{}", BARS.replace('\n', "\r\n")),
        BARS.trim_end().to_owned(),
        BARS.replace("A,2024-01-03", "\n\n\r\nA,2024-01-03"),
        BARS.replace("symbol,", "\"symbol\","),
    ] {
        let output = checked(&Project::new(&text), 0);
        assert_eq!((output.value("rows"), output.value("clean")), ("6", "6"), "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_spoil_their_row_only() {
    let mut text = BARS.as_bytes().to_vec();
    text.extend(b"C\xff,2024-01-02,1,2,0.5,1.5,10\nC,2024-01-02,1,2,0.5,1.\xc3(,10\n");
    let project = Project::new(text);
    let output = checked(&project, 1);
    assert_eq!((output.value("rows"), output.value("clean"), output.value("parse_errors")), ("8", "6", "2"));
    assert!(project.findings().iter().all(|finding| finding == "parse-error - broken-row"), "{:?}", project.findings());
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("invalid UTF-8 in column 1 (`symbol`) (bars.csv:8)"), "{shown}");
}

#[test]
fn cells_of_a_megabyte_are_read_and_reports_stay_small() {
    let long = "9".repeat(1 << 20);
    let project = with(&format!(
        "A,2024-01-02,1,2,0.5,1.5,10\n{long},2024-01-02,1,2,0.5,1.5,10\nA,2024-01-03,1,2,0.5,{long},10\n"
    ));
    let output = checked(&project, 1);
    assert_eq!((output.value("rows"), output.value("parse_errors")), ("3", "1"));
    assert_eq!(project.findings(), ["parse-error close out-of-range"]);
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.len() < 4_000 && shown.contains("is too large for a number"), "{} bytes", shown.len());
}

#[test]
fn numbers_that_are_none_are_findings() {
    let mut rows = String::new();
    for (number, value) in
        ["1e999", "-1e999", "x", "1,5", "0x10", "1_000", "--1", "1e", "NaN", "inf", "", " 1.5 ", "1.5e0", "+1.5"]
            .iter()
            .enumerate()
    {
        writeln!(rows, "S{number},2024-01-02,1,2,0.5,\"{value}\",10").unwrap();
    }
    let project = with(&rows);
    checked(&project, 1);
    let mut expected = vec!["parse-error close not-a-number"; 6];
    expected.extend(["parse-error close out-of-range"; 2]);
    let parse_errors: Vec<String> =
        project.findings().into_iter().filter(|finding| finding.starts_with("parse-error")).collect();
    assert_eq!(parse_errors, expected, "{:?}", project.findings());
    let ohlc = project.findings().into_iter().filter(|finding| finding.starts_with("ohlc")).count();
    assert_eq!(ohlc, 2, "NaN and infinity are numbers, and no prices");
}

#[test]
fn timestamps_that_are_none_are_findings() {
    let dates = [
        "-0001-01-01",
        "0000-01-01",
        "1677-12-31",
        "2262-01-01",
        "99999-01-01",
        "2024-02-30",
        "2024-13-01",
        "2023-02-29",
        "20240102",
        "2024-1-2",
        "02.01.2024",
        "2024-01-02T00:00:00Z",
        " 2024-01-02",
        "yesterday",
        "🙂",
        "",
    ];
    let mut rows = String::new();
    for (number, date) in dates.iter().enumerate() {
        writeln!(rows, "S{number},{date},1,2,0.5,1.5,10").unwrap();
    }
    let project = with(&rows);
    let output = checked(&project, 1);
    assert_eq!(output.value("rows"), "16");
    let causes = |cause: &str| {
        project.findings().iter().filter(|finding| *finding == &format!("parse-error time {cause}")).count()
    };
    assert_eq!((causes("out-of-range"), causes("impossible-date")), (3, 3), "{:?}", project.findings());
    assert_eq!(
        project.findings().iter().filter(|finding| finding.starts_with("parse-error time")).count(),
        15,
        "an empty timestamp is missing, not wrong"
    );
}

#[test]
fn local_times_that_the_clocks_skip_or_repeat_are_findings() {
    let project = with(
        "A,2024-03-10 01:30:00,1,2,0.5,1.5,10\nA,2024-03-10 02:30:00,1,2,0.5,1.5,10\n\
                        A,2024-11-03 01:30:00,1,2,0.5,1.5,10\nA,2024-11-03 02:30:00,1,2,0.5,1.5,10\n",
    );
    project.edit("job.toml", "interval = \"1d\"\ncalendar = \"XNYS\"", "interval = \"30m\"");
    project.edit(
        "job.toml",
        "{ field = \"date\" }",
        "{ field = \"date\", formats = [\"%Y-%m-%d %H:%M:%S\"], zone = \"America/New_York\" }",
    );
    project.write("rules.toml", "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n");
    checked(&project, 1);
    assert_eq!(project.findings(), ["parse-error time repeated-by-zone", "parse-error time skipped-by-zone"]);
    project.edit("job.toml", "zone =", "fold = \"later\", zone =");
    checked(&project, 1);
    assert_eq!(project.findings(), ["parse-error time skipped-by-zone"]);
}

#[test]
fn lines_that_are_no_object_are_findings() {
    let good = r#"{"symbol":"A","date":"2024-01-02","open":1,"high":2,"low":0.5,"close":1.5,"volume":10}"#;
    let twice = good.replace("\"volume\":10", "\"close\":1");
    let typed = good
        .replace("\"close\":1.5", "\"close\":[1.5]")
        .replace("\"volume\":10", "\"volume\":{\"a\":1}")
        .replace("\"A\"", "\"T\"");
    let lines = [
        good,
        "[1,2]",
        "\"x\"",
        "null",
        "not json",
        "{\"symbol\":\"A\"",
        "{} {}",
        &twice,
        &typed,
        "{\"symbol\":\"\\ud800\"}",
    ];
    let mut bytes = lines.join("\n").into_bytes();
    bytes.extend(b"\n{\"symbol\":\"\xff\"}\n\n");
    let project = Project::new("");
    project.edit("job.toml", "bars.csv", "bars.ndjson");
    project.write("bars.ndjson", bytes);
    let output = checked(&project, 1);
    assert_eq!(
        (output.value("rows"), output.value("clean"), output.value("parse_errors")),
        ("11", "1", "10"),
        "{:?}",
        project.findings()
    );
    let findings = project.findings();
    assert_eq!(findings.iter().filter(|finding| *finding == "parse-error - broken-row").count(), 9, "{findings:?}");
    assert!(
        findings.contains(&"parse-error close wrong-type".to_owned())
            && findings.contains(&"parse-error volume wrong-type".to_owned())
    );
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("the record is not a JSON object (bars.ndjson:2)"), "{shown}");
}

#[test]
fn rows_with_parse_errors_move_only_where_the_job_says_so() {
    let project =
        with("A,2024-01-02,1,2,0.5,1.5,10\nA,2024-01-03,1,2\nA,2024-01-03,1,2,0.5,x,10\nA,2024-01-03,1,2,0.5,1.5,10\n");
    let output = project.call(&["run", "job.toml"]).exits(1);
    assert_eq!((output.value("parse_errors"), output.value("to_quarantine")), ("2", "0"));
    assert!(!project.path("quarantine").exists());
    project.edit("job.toml", "[report]", "[parse_error]\naction = \"quarantine\"\nseverity = \"warn\"\n\n[report]");
    let output = project.call(&["run", "job.toml"]).exits(0);
    assert_eq!((output.value("parse_errors"), output.value("to_quarantine"), output.value("removed")), ("0", "2", "2"));
}

#[test]
fn what_is_printed_cannot_control_the_terminal() {
    let evil = "\u{1b}]0;x\u{7}\u{1b}[2J\u{202e}";
    let project = with(&format!("{evil},2024-01-02,1,2,3,{evil},10\nA,2024-01-02,1,2,3,1.5,10\n"));
    project.call(&["check", "job.toml"]).exits(1);
    let output = project.call(&["report", "show"]).exits(0);
    assert!(!output.out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{}", output.out);
    project.write("bars.csv", BARS.replace("volume", &format!("close{evil},close{evil}")));
    let output = project.call(&["check", "job.toml"]).exits(2);
    assert!(!output.err.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{}", output.err);
}
