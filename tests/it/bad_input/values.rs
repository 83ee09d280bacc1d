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
    let told = project.call(&["check", "job.toml"]).exits(code);
    let count = |key: &str| told.value(key).parse::<u64>().unwrap();
    let parts = ["clean", "flagged", "undecodable", "quarantined", "deleted"].map(count);
    assert_eq!(count("rows"), parts.iter().sum::<u64>(), "{}", told.out);
    told
}

#[test]
fn ragged_rows_are_findings_with_their_place() {
    let _filters = filters();
    let project = with(
        "A,2024-01-02,1,2,0.5,1.5,10\nA,2024-01-03,1,2\nA,2024-01-03,1,2,0.5,1.5,10\n,\nA,2024-01-04,1,2,0.5,1.5,10,11,12\n",
    );
    let told = checked(&project, 1);
    assert_eq!((told.value("rows"), told.value("clean"), told.value("undecodable")), ("5", "2", "3"));
    let shown = project.call(&["report", "show"]).exits(0).out;
    let findings: Vec<&str> = shown.lines().filter(|line| line.starts_with("error")).collect();
    insta::assert_snapshot!(findings.join("\n"), @r"
error undecodable (null) no stamp: the row cannot be read: ragged row: 4 cells, header has 7 (bars.csv:2)
error undecodable (null) no stamp: the row cannot be read: ragged row: 2 cells, header has 7 (bars.csv:4)
error undecodable (null) no stamp: the row cannot be read: ragged row: 9 cells, header has 7 (bars.csv:5)
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
        let told = checked(&Project::new(&text), 0);
        assert_eq!((told.value("rows"), told.value("clean")), ("6", "6"), "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_spoil_their_row_only() {
    let mut text = BARS.as_bytes().to_vec();
    text.extend(b"C\xff,2024-01-02,1,2,0.5,1.5,10\nC,2024-01-02,1,2,0.5,1.\xc3(,10\n");
    let project = Project::new(text);
    let told = checked(&project, 1);
    assert_eq!((told.value("rows"), told.value("clean"), told.value("undecodable")), ("8", "6", "2"));
    assert!(project.findings().iter().all(|finding| finding == "undecodable - broken-row"), "{:?}", project.findings());
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("invalid UTF-8 in column 1 (`symbol`) (bars.csv:7)"), "{shown}");
}

#[test]
fn cells_of_a_megabyte_are_read_and_reports_stay_small() {
    let long = "9".repeat(1 << 20);
    let project = with(&format!(
        "A,2024-01-02,1,2,0.5,1.5,10\n{long},2024-01-02,1,2,0.5,1.5,10\nA,2024-01-03,1,2,0.5,{long},10\n"
    ));
    let told = checked(&project, 1);
    assert_eq!((told.value("rows"), told.value("undecodable")), ("3", "1"));
    assert_eq!(project.findings(), ["undecodable close out-of-range"]);
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
    let mut expected = vec!["undecodable close not-a-number"; 6];
    expected.extend(["undecodable close out-of-range"; 2]);
    let undecodable: Vec<String> =
        project.findings().into_iter().filter(|finding| finding.starts_with("undecodable")).collect();
    assert_eq!(undecodable, expected, "{:?}", project.findings());
    let ohlc = project.findings().into_iter().filter(|finding| finding.starts_with("ohlc")).count();
    assert_eq!(ohlc, 2, "NaN and infinity are numbers, and no prices");
}

#[test]
fn stamps_that_are_none_are_findings() {
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
    let told = checked(&project, 1);
    assert_eq!(told.value("rows"), "16");
    let causes = |cause: &str| {
        project.findings().iter().filter(|finding| *finding == &format!("undecodable time {cause}")).count()
    };
    assert_eq!((causes("out-of-range"), causes("impossible-date")), (3, 3), "{:?}", project.findings());
    assert_eq!(
        project.findings().iter().filter(|finding| finding.starts_with("undecodable time")).count(),
        15,
        "an empty stamp is missing, not wrong"
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
    assert_eq!(project.findings(), ["undecodable time repeated-by-zone", "undecodable time skipped-by-zone"]);
    project.edit("job.toml", "zone =", "fold = \"later\", zone =");
    checked(&project, 1);
    assert_eq!(project.findings(), ["undecodable time skipped-by-zone"]);
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
    let told = checked(&project, 1);
    assert_eq!(
        (told.value("rows"), told.value("clean"), told.value("undecodable")),
        ("11", "1", "10"),
        "{:?}",
        project.findings()
    );
    let findings = project.findings();
    assert_eq!(findings.iter().filter(|finding| *finding == "undecodable - broken-row").count(), 9, "{findings:?}");
    assert!(
        findings.contains(&"undecodable close wrong-type".to_owned())
            && findings.contains(&"undecodable volume wrong-type".to_owned())
    );
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("the record is not a JSON object (bars.ndjson:2)"), "{shown}");
}

#[test]
fn undecodable_rows_move_only_where_the_job_says_so() {
    let project =
        with("A,2024-01-02,1,2,0.5,1.5,10\nA,2024-01-03,1,2\nA,2024-01-03,1,2,0.5,x,10\nA,2024-01-03,1,2,0.5,1.5,10\n");
    let told = project.call(&["run", "job.toml"]).exits(1);
    assert_eq!((told.value("undecodable"), told.value("quarantined")), ("2", "0"));
    assert!(!project.path("quarantine").exists());
    project.edit("job.toml", "[report]", "[undecodable]\naction = \"quarantine\"\nseverity = \"warn\"\n\n[report]");
    let told = project.call(&["run", "job.toml"]).exits(0);
    assert_eq!((told.value("undecodable"), told.value("quarantined"), told.value("removed")), ("0", "2", "2"));
}

#[test]
fn what_is_printed_cannot_control_the_terminal() {
    let evil = "\u{1b}]0;x\u{7}\u{1b}[2J\u{202e}";
    let project = with(&format!("{evil},2024-01-02,1,2,3,{evil},10\nA,2024-01-02,1,2,3,1.5,10\n"));
    project.call(&["check", "job.toml"]).exits(1);
    let told = project.call(&["report", "show"]).exits(0);
    assert!(!told.out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{}", told.out);
    project.write("bars.csv", BARS.replace("volume", &format!("close{evil},close{evil}")));
    let told = project.call(&["check", "job.toml"]).exits(3);
    assert!(!told.err.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{}", told.err);
}
