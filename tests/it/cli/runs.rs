//! `check` and `run`: exit codes, what decides them, windows, several jobs, limits and quarantine copies.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use arrow::array::AsArray;
use data_encoding::HEXLOWER;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use crate::cli_support::{BARS, JOB, Project, RULES, filters};
use crate::support::{self, typed_batch, write_parquet};

/// One row that contradicts itself (quoted, so that its bytes are not its cells), one session missing, one bar
/// without volume.
const FAULTY: &str = "\
symbol,date,open,high,low,close,volume
A,2024-01-02,10,11,9.5,10.5,1000
A,2024-01-03,10.5,11,10,10.8,1100
A,2024-01-05,10.8,11.2,10.5,11,900
B,2024-01-02,20,21,19.5,20.5,500
B,2024-01-03,\"20.5\",2,20,20.8,600
B,2024-01-04,20.8,21.2,20.5,21,0
";

#[test]
fn clean_bars_exit_with_0() {
    let _filters = filters();
    let project = Project::new(BARS);
    let output = project.call(&["check", "job.toml"]).exits(0);
    insta::assert_snapshot!(output.out, @r"job=demo verdict=OK status=ok exit=0 rows=6 clean=6 flagged=0 parse_errors=0 to_quarantine=0 to_delete=0 kept=0 errors=0 warnings=0 notes=0 new=0 fixed=0 seconds=[s] run=[run]");
    assert!(output.err.is_empty(), "{}", output.err);
    let output = project.call(&["run", "job.toml"]).exits(0);
    assert_eq!(output.value("source"), "unchanged");
    assert!(project.files("quarantine").is_empty());
}

#[test]
fn findings_exit_with_1_from_the_severity_asked_for() {
    let project = Project::new(FAULTY);
    let output = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!((output.value("errors"), output.value("warnings"), output.value("notes")), ("1", "1", "1"));
    project.call(&["check", "job.toml", "--fail-on", "never"]).exits(0);
    project.edit("rules.toml", "check = \"ohlc\"", "check = \"ohlc\"\nseverity = \"warn\"");
    project.call(&["check", "job.toml"]).exits(0);
    project.call(&["check", "job.toml", "--fail-on", "warn"]).exits(1);
    project.edit("rules.toml", "severity = \"warn\"", "severity = \"info\"");
    project.call(&["check", "job.toml", "--fail-on", "warn"]).exits(0);
    project.call(&["run", "job.toml", "--fail-on", "warn"]).exits(0);
    let codes: Vec<i64> = project.runs().into_iter().map(|(_, _, code)| code).collect();
    assert_eq!(codes, [1, 0, 0, 1, 0, 0], "the reports have the same codes, in order");
}

#[test]
fn check_changes_nothing_and_writes_a_report() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), FAULTY);
    assert!(project.files("quarantine").is_empty());
    let tables = fs::read_dir(project.path("reports")).unwrap();
    let mut tables: Vec<String> = tables.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    tables.sort();
    let with_rows = |table: &str| !support::table::<serde_json::Value>(&project.path("reports"), table).is_empty();
    tables.retain(|table| with_rows(table) || table == "pages");
    assert_eq!(tables, ["finding_bars", "findings", "pages", "rule_results", "runs", "series_metrics"]);
}

#[test]
fn no_report_writes_nothing() {
    let project = Project::new(FAULTY);
    let output = project.call(&["check", "job.toml", "--no-report"]).exits(1);
    assert_eq!(output.value("errors"), "1");
    project.write("bars.csv", "");
    project.call(&["check", "job.toml", "--no-report"]).exits(3);
    assert!(!project.path("reports").exists());
}

#[test]
fn only_some_rules_and_series() {
    let project = Project::new(FAULTY);
    let output = project.call(&["check", "job.toml", "--rule", "gap"]).exits(0);
    assert_eq!((output.value("errors"), output.value("warnings"), output.value("notes")), ("0", "1", "0"));
    let output = project.call(&["check", "job.toml", "--rule", "gap", "--rule", "ohlc"]).exits(1);
    assert_eq!((output.value("errors"), output.value("warnings")), ("1", "1"));
    let output = project.call(&["check", "job.toml", "--series", "A"]).exits(0);
    assert_eq!((output.value("rows"), output.value("warnings")), ("3", "1"));
    let output = project.call(&["check", "job.toml", "--series", "A", "--series", "B"]).exits(1);
    assert_eq!(output.value("rows"), "6");
    let output = project.call(&["check", "job.toml", "--rule", "gapp"]).exits(2);
    insta::assert_snapshot!(output.err, @r"
error: the job has no rule `gapp`
  = help: did you mean `gap`? rules: gap, ohlc, zero-volume
  = job: job.toml
");
    let output = project.call(&["check", "job.toml", "--series", "C"]).exits(3);
    insta::assert_snapshot!(output.err, @r"
error: none of 6 rows in `bars.csv` is of series `C`: nothing was evaluated; look at `--series`
  = job: job.toml
");
}

#[test]
fn windows_are_half_open() {
    let project = Project::new(BARS);
    let rows = |args: &[&str]| {
        let output = project.call(&[&["check", "job.toml", "--no-report"], args].concat()).exits(0);
        output.value("rows").to_owned()
    };
    assert_eq!(rows(&["--since", "2024-01-03"]), "4");
    assert_eq!(rows(&["--until", "2024-01-03"]), "2");
    assert_eq!(rows(&["--since", "2024-01-03", "--until", "2024-01-04"]), "2");
    assert_eq!(rows(&["--last", "36525d"]), "6");
    project.write("job.toml", format!("{JOB}[window]\nsince = 2024-01-04\n"));
    assert_eq!(rows(&[]), "2");
    assert_eq!(rows(&["--since", "2024-01-02"]), "6", "the flag counts, not the job");
    assert_eq!(rows(&["--full"]), "6");
}

#[test]
fn windows_that_cannot_be_are_refused_before_the_source_is_touched() {
    let project = Project::new("");
    let refused = |args: &[&str]| project.call(&[&["check", "job.toml"], args].concat()).exits(2).err;
    insta::assert_snapshot!(refused(&["--since", "2024-01-03", "--until", "2024-01-03"]), @r"
error: the window is empty
  = help: the window is half-open: --until is the first moment that is no longer part of it
  = job: job.toml
");
    insta::assert_snapshot!(refused(&["--since", "last week"]), @r"
error: --since: `last week` is not a date or time; write `2024-03-08` or `2024-03-08T14:30:00Z`
  = help: see `barkeep check --help`
");
    insta::assert_snapshot!(refused(&["--last", "7 days"]), @r"
error: --last: `7 days` is not a span of time; write for instance `90m`, `24h`, `10d` or `2w`
  = help: see `barkeep check --help`
");
    assert!(!project.path("reports").exists());
}

#[test]
fn nothing_in_the_window_is_no_success_unless_the_market_was_closed() {
    let project = Project::new(BARS);
    let broken = |args: &[&str]| project.call(&[&["check", "job.toml"], args].concat()).exits(3).err;
    insta::assert_snapshot!(broken(&["--since", "2024-01-05", "--until", "2024-01-09"]), @r"
error: none of 6 rows in `bars.csv` is at or after 2024-01-05 and before 2024-01-09: nothing was evaluated; `--full` looks at everything
  = job: job.toml
");
    insta::assert_snapshot!(broken(&["--until", "2020-01-01", "--series", "A"]), @r"
error: none of 6 rows in `bars.csv` is before 2020-01-01 and of series `A`: nothing was evaluated; `--full` looks at everything, or look at `--series`
  = job: job.toml
");
    assert!(broken(&["--last", "30d"]).contains("none of 6 rows in `bars.csv` is at or after 20"));
    let output = project.call(&["check", "job.toml", "--since", "2024-01-06", "--until", "2024-01-08"]).exits(0);
    assert_eq!((output.value("rows"), output.value("verdict")), ("0", "OK"));
    let statuses: Vec<String> = project.runs().into_iter().map(|(_, status, _)| status).collect();
    assert_eq!(statuses, ["broken", "broken", "broken", "ok"]);
}

#[test]
fn jobs_run_one_after_the_other_and_the_worst_exit_counts() {
    let project = Project::new(BARS);
    project.write("faulty.csv", FAULTY);
    project.write("faulty.toml", JOB.replace("\"demo\"", "\"faulty\"").replace("bars.csv", "faulty.csv"));
    project.write("lost.toml", JOB.replace("\"demo\"", "\"lost\"").replace("bars.csv", "lost.csv"));
    project.write("wrong.toml", "name = 1\n");
    let check = |jobs: &[&str], code| project.call(&[&["check"], jobs].concat()).exits(code);
    let output = check(&["faulty.toml", "job.toml"], 1);
    assert_eq!(output.out.lines().count(), 2, "{}", output.out);
    let output = check(&["lost.toml", "wrong.toml", "job.toml"], 3);
    let lines: Vec<&str> = output.out.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "job=lost.toml verdict=FAIL status=broken exit=3 error=\"no such file or folder: `lost.csv`\"",
            "job=wrong.toml verdict=FAIL status=usage exit=2 error=\"4 mistakes; nothing was read\"",
        ],
        "every job has its line"
    );
    assert!(lines[2].starts_with("job=demo verdict=OK"), "a later job still runs: {}", output.out);
    output.says(&["`lost.csv`", "job: lost.toml", "wrong.toml:1:8"]);
    check(&["wrong.toml", "faulty.toml"], 2);
    let runs: Vec<(String, i64)> = project.runs().into_iter().map(|(_, status, code)| (status, code)).collect();
    let expected = [("findings", 1), ("ok", 0), ("broken", 3), ("ok", 0), ("findings", 1)];
    assert_eq!(runs, expected.map(|(status, code)| (status.to_owned(), code)));
}

#[test]
fn run_moves_rejected_rows_to_quarantine_and_they_come_back() {
    let _filters = filters();
    let project = Project::new(FAULTY.replace('\n', "\r\n"));
    let output = project.call(&["run", "job.toml"]).exits(1);
    insta::assert_snapshot!(output.out, @r"job=demo verdict=FAIL status=findings exit=1 rows=6 clean=4 flagged=1 parse_errors=0 to_quarantine=1 to_delete=0 kept=0 errors=1 warnings=1 notes=1 removed=1 new=3 fixed=0 failed=ohlc:1 seconds=[s] run=[run]");
    let before = FAULTY.replace('\n', "\r\n");
    let record = "B,2024-01-03,\"20.5\",2,20,20.8,600";
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), before.replace(&format!("{record}\r\n"), ""));

    let copies = support::parquet_files(&project.path("quarantine"));
    let [copy] = copies.as_slice() else { panic!("{copies:?}") };
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(project.path("quarantine")), mode(copy.parent().unwrap().into()), mode(copy.clone())),
        (0o700, 0o700, 0o600)
    );
    let batch = ParquetRecordBatchReaderBuilder::try_new(File::open(copy).unwrap()).unwrap().build().unwrap();
    let batches: Vec<_> = batch.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 1);
    let text = |name: &str| batches[0].column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
    let raw = batches[0].column_by_name("raw").unwrap().as_binary::<i32>().value(0);
    assert_eq!(String::from_utf8_lossy(raw), record, "the bytes as they stood in the file");
    assert_eq!(text("quarantine_sha256"), HEXLOWER.encode(&Sha256::digest(record)));
    assert_eq!(text("quarantine_series"), "B");

    let actions = project.call(&["sql", "select state, locator, action from actions", "--format", "ndjson"]).exits(0);
    assert_eq!(actions.json()[0].to_string(), r#"{"state":"removed","locator":"bars.csv:6","action":"quarantine"}"#);
    let shown = project.call(&["report", "show"]).exits(0);
    assert!(shown.out.contains("1 row removed; what was removed is in quarantine."), "{}", shown.out);
    let list = project.call(&["quarantine", "list", "job.toml", "--format", "ndjson"]).exits(0).json();
    assert_eq!((list.len(), list[0]["rules"][0]["id"].as_str()), (1, Some("ohlc")));
    let item = project.call(&["quarantine", "show", "job.toml", list[0]["id"].as_str().unwrap()]).exits(0).out;
    assert!(item.contains("a bar that contradicts itself is wrong") && item.contains(record), "{item}");
    project.call(&["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "1"]).exits(0);
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), before, "byte for byte");
    let again = project.call(&["run", "job.toml"]).exits(0);
    assert!(!again.out.contains("removed="), "what a person put back stays: {again:?}");
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), before);
}

#[test]
fn a_run_is_named_to_the_quarantine_as_to_the_reports() {
    let _filters = filters();
    let project = Project::new(FAULTY);
    let wrong = |run: &str| project.call(&["quarantine", "restore", "job.toml", "--run", run]).exits(2).err;
    insta::assert_snapshot!(wrong("latest"), @r"
error: no run in `reports` yet; `barkeep check JOB` or `barkeep run JOB` makes one
  = help: `barkeep report list` names the runs
");
    project.call(&["run", "job.toml"]).exits(1);
    let run = project.runs()[0].0.clone();
    project.call(&["check", "job.toml"]).exits(0);
    insta::assert_snapshot!(wrong("latest").replace(&run, "[the first]"), @r"
error: run `[run]` moved no row to the quarantine
  = help: the newest run that did is `[the first]`; `barkeep quarantine list job.toml` shows all
");
    for (name, problem) in [
        ("20", "`20` is the beginning of 2 runs; write more of one of them"),
        ("latest~2", "`latest~2` reaches back too far: there are 2 runs"),
        ("", "there is no run ``"),
        ("yesterday", "there is no run `yesterday`"),
    ] {
        for command in
            [vec!["list", "job.toml"], vec!["restore", "job.toml"], vec!["export", "job.toml", "-o", "x.csv"]]
        {
            let args = [&["quarantine"], command.as_slice(), &["--run", name]].concat();
            project.call(&args).exits(2).says(&[problem, "`barkeep report list` names the runs"]);
        }
    }
    for name in ["latest~1", &run, &run[..run.len() - 1]] {
        let listed = project.call(&["quarantine", "list", "job.toml", "--run", name]).exits(0);
        assert!(listed.out.ends_with("1 row\n"), "{name}: {listed:?}");
        // What is to be typed next names the run itself: by then `latest` may be another one.
        let refused = project.call(&["quarantine", "restore", "job.toml", "--run", name]).exits(4);
        refused.says(&[&format!("barkeep quarantine restore job.toml --run {run} --confirm 1")]);
    }
    // Rows in the quarantine outlive the reports.
    fs::remove_dir_all(project.path("reports")).unwrap();
    project.call(&["quarantine", "restore", "job.toml", "--run", "latest", "--confirm", "1"]).exits(0);
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), FAULTY);
}

#[test]
fn rows_of_parquet_are_moved_with_all_their_columns() {
    let project = Project::new("");
    project.edit("job.toml", "bars.csv", "bars.parquet");
    project.edit(
        "rules.toml",
        "id = \"zero-volume\"\ncheck = \"zero-volume\"",
        "id = \"r\"\ncheck = \"required\"\nfields = [\"close\"]",
    );
    let bars = "symbol:text,date:date,open:number,high:number,low:number,close:number,note:text\n\
                A,2024-01-02,10,11,9.5,10.5,x\nA,2024-01-03,10.5,2,10,10.8,the wrong one\nA,2024-01-04,1,2,1,1.5,\n";
    write_parquet(&project.path("bars.parquet"), &typed_batch(bars), 2);
    let output = project.call(&["run", "job.toml"]).exits(1);
    assert_eq!(output.value("removed"), "1");
    let copies = support::parquet_files(&project.path("quarantine"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&copies[0]).unwrap()).unwrap().build().unwrap();
    let batch = reader.map(Result::unwrap).next().unwrap();
    assert_eq!(batch.column_by_name("note").unwrap().as_string::<i32>().value(0), "the wrong one");
    let high = batch.column_by_name("high").unwrap().as_primitive::<arrow::datatypes::Float64Type>().value(0);
    assert_eq!((batch.num_rows(), high), (1, 2.0));
}

#[test]
fn dry_run_keeps_no_copies() {
    let project = Project::new(FAULTY);
    let output = project.call(&["run", "job.toml", "--dry-run"]).exits(1);
    assert_eq!((output.value("to_quarantine"), output.value("source")), ("1", "unchanged"));
    assert!(!project.path("quarantine").exists() && project.path("reports/runs").exists());
}

#[test]
fn over_a_limit_is_refused_and_a_person_may_apply_the_plan() {
    let _filters = filters();
    let project = Project::new(FAULTY);
    project.edit(
        "job.toml",
        "fraction = 1.0\nseries_fraction = 1.0",
        "rows = 0\nfraction = 0.1\nseries_fraction = 0.3",
    );
    let output = project.call(&["run", "job.toml"]).exits(4);
    insta::assert_snapshot!(output.out, @r#"job=demo verdict=FAIL status=refused exit=4 rows=6 clean=4 flagged=1 parse_errors=0 to_quarantine=1 to_delete=0 kept=0 errors=1 warnings=1 notes=1 source=unchanged new=3 fixed=0 failed=ohlc:1 seconds=[s] run=[run] plan=reports/plans/[run].plan confirm=[hash]:1 refused="1 row would be moved, and `[limits] rows` allows 0" refused="1 of 6 rows would be moved, and `[limits] fraction` allows a share of 0.1" refused="1 of 3 rows of series `B` would be moved, and `[limits] series_fraction` allows a share of 0.3""#);
    project.call(&["run", "job.toml", "--dry-run"]).exits(4);
    project.call(&["check", "job.toml"]).exits(1);
    assert!(!project.path("quarantine").exists());
    let statuses: Vec<String> = project.runs().into_iter().map(|(_, status, _)| status).collect();
    assert_eq!(statuses, ["refused", "refused", "findings"]);
    let plan = project.files("reports/plans").pop().unwrap();
    let plan = plan.strip_prefix(project.root()).unwrap().display().to_string();
    let refused = project.call(&["apply", &plan]).exits(4);
    let confirmation = refused.err.trim_end().rsplit(' ').next().unwrap().to_owned();
    let output = project.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
    assert_eq!(output.value("removed"), "1");
    let output = project.call(&["apply", &plan, "--confirm", &confirmation]).exits(0);
    assert_eq!(output.value("kept_changed"), "1", "the file is another one now");
}

#[test]
fn a_rule_over_its_budget_is_refused() {
    let project = Project::new(FAULTY);
    project.edit("rules.toml", "action = \"quarantine\"", "action = \"quarantine\"\nbudget = 0.1");
    let output = project.call(&["run", "job.toml"]).exits(4);
    assert!(
        output.out.contains("rule `ohlc` flags 1 of 6 rows") && !project.path("quarantine").exists(),
        "{}",
        output.out
    );
}

#[test]
fn what_is_new_and_fixed_is_reported_from_run_to_run() {
    let project = Project::new(FAULTY);
    let output = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!((output.value("new"), output.value("fixed")), ("3", "0"));
    project.call(&["check", "job.toml", "--rule", "gap"]).exits(0);
    project.write("bars.csv", BARS);
    let output = project.call(&["check", "job.toml"]).exits(0);
    assert_eq!((output.value("new"), output.value("fixed")), ("0", "3"), "a run over some rules is not compared with");
}

#[test]
fn rows_that_a_person_put_back_stay_are_counted_apart_and_break_no_limit() {
    let project = Project::new(FAULTY);
    project.call(&["run", "job.toml"]).exits(1);
    project.call(&["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "1"]).exits(0);
    project.edit(
        "job.toml",
        "fraction = 1.0\nseries_fraction = 1.0",
        "rows = 0\nfraction = 0.1\nseries_fraction = 0.1",
    );
    for command in [&["run", "job.toml"][..], &["check", "job.toml"], &["run", "job.toml", "--dry-run"]] {
        let output = project.call(command).exits(0);
        assert_eq!((output.value("kept"), output.value("to_quarantine")), ("1", "0"), "{command:?}");
        assert!(!output.out.contains("over_limits") && !output.out.contains("refused"), "{}", output.out);
    }
    let shown = project.call(&["report", "show"]).exits(0).out;
    let item = project.call(&["quarantine", "list", "job.toml", "--format", "json"]).exits(0).out;
    let item: serde_json::Value = serde_json::from_str(item.lines().next().unwrap()).unwrap();
    let day = item["restored_at"].as_str().unwrap().split('T').next().unwrap();
    let stays = format!("  1 row stays: restored on {day}\n");
    assert!(shown.contains("+ 1 kept") && shown.contains(&stays), "{shown}");
    let json = project.call(&["report", "show", "--format", "json"]).exits(0).out;
    let summary: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(summary["restored"], serde_json::json!({ "since": item["restored_at"], "until": item["restored_at"] }));
    assert!(!shown.contains("would be quarantined"), "{shown}");
    let runs = project.call(&[
        "sql",
        "SELECT rows_restored_kept, rows_to_quarantine, rows_quarantined FROM runs ORDER BY run_id",
        "--format",
        "ndjson",
    ]);
    let first: Vec<String> = runs.exits(0).out.lines().take(2).map(str::to_owned).collect();
    let counts = |kept, planned, left| {
        format!(r#"{{"rows_restored_kept":{kept},"rows_to_quarantine":{planned},"rows_quarantined":{left}}}"#)
    };
    assert_eq!(first, [counts(0, 1, 1), counts(1, 0, 0)]);
}

#[test]
fn a_check_says_that_a_run_would_be_refused() {
    let project = Project::new(FAULTY);
    project.edit("job.toml", "fraction = 1.0\nseries_fraction = 1.0", "rows = 0");
    let output = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!(output.value("status"), "findings");
    assert!(
        output.out.contains("over_limits=\"1 row would be moved, and `[limits] rows` allows 0\""),
        "{}",
        output.out
    );
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("a run would be refused: 1 row would be moved"), "{shown}");
    let output = project.call(&["check", "job.toml", "--format", "json"]).exits(1);
    assert!(output.out.contains("a run is refused, for that is over a limit"), "{output:?}");
}

/// A rule whose condition fits no row.
const NO_ROW: &str = "\n[[rule]]\nid = \"other-source\"\ncheck = \"ohlc\"\nwhere = \"volume < 0\"\n";

#[test]
fn a_rule_that_evaluated_nothing_is_a_warning_that_names_it() {
    let project = Project::new(BARS);
    let rules = fs::read_to_string(project.path("rules.toml")).unwrap();
    fs::write(project.path("rules.toml"), format!("{rules}{NO_ROW}")).unwrap();
    let output = project.call(&["check", "job.toml"]).exits(0);
    assert_eq!((output.value("verdict"), output.value("not_evaluated")), ("WARN", "other-source"));
    project.call(&["check", "job.toml", "--fail-on", "warn"]).exits(1);
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("evaluated nothing: other-source"), "{shown}");
    assert!(shown.contains("WARN  nothing was found, and 1 rule evaluated nothing."), "{shown}");
    let json = project.call(&["check", "job.toml", "--format", "json"]).exits(0).json();
    assert_eq!(json[0]["not_evaluated"], serde_json::json!(["other-source"]));
}

#[test]
fn a_rule_that_evaluated_nothing_in_a_window_is_named_unless_an_earlier_run_evaluated_it() {
    let project = Project::new(BARS);
    let rules = fs::read_to_string(project.path("rules.toml")).unwrap();
    let late = NO_ROW.replace("volume < 0", "time < '2024-01-03'");
    fs::write(project.path("rules.toml"), format!("{rules}{late}")).unwrap();
    let windowed = || project.call(&["check", "job.toml", "--since", "2024-01-03"]).exits(0);
    assert_eq!((windowed().value("verdict"), windowed().value("not_evaluated")), ("WARN", "other-source"));
    assert_eq!(project.call(&["check", "job.toml"]).exits(0).value("verdict"), "OK");
    assert_eq!(windowed().value("verdict"), "OK", "a run before evaluated it");
}

#[test]
fn runs_over_other_windows_are_not_compared() {
    let project = Project::new(FAULTY);
    let change = |args: &[&str]| {
        let summary =
            project.call(&[&["check", "job.toml", "--format", "json"], args].concat()).exits(1).json().remove(0);
        summary["change"].as_object().map(|change| (change["new"].as_u64().unwrap(), change["fixed"].as_u64().unwrap()))
    };
    assert_eq!(change(&["--since", "2024-01-03", "--until", "2024-01-04"]), Some((1, 0)), "the first run");
    assert_eq!(change(&["--since", "2024-01-03", "--until", "2024-01-04"]), Some((0, 0)));
    for wider in [&["--since", "2024-01-03", "--until", "2024-01-05"][..], &["--since", "2024-01-02"], &[]] {
        assert_eq!(change(wider), None, "{wider:?}: what lies outside of the window before was not looked at");
    }
    assert_eq!(change(&[]), Some((0, 0)));
}

#[test]
fn two_jobs_of_one_name_do_not_share_reports() {
    let project = Project::new(BARS);
    for folder in ["a", "b"] {
        project.write(&format!("{folder}/job.toml"), JOB.replace("\"reports\"", "\"../reports\""));
        project.write(&format!("{folder}/rules.toml"), RULES);
        project.write(&format!("{folder}/bars.csv"), BARS);
    }
    let runs = || project.runs().len();
    project.call(&["check", "a/job.toml"]).exits(0);
    for command in ["check", "plan", "run"] {
        project.call(&[command, "b/job.toml"]).exits(2).says(&[
            "another job is called `demo` and writes into `reports`: `a/job.toml`",
            "give one of them another `name`, or another folder in `[report] dir`",
        ]);
    }
    assert_eq!(runs(), 1, "nothing was written");
    project.call(&["check", "b/job.toml", "--no-report"]).exits(0);
    // The same file by other names is the same job.
    std::os::unix::fs::symlink("job.toml", project.path("a/link.toml")).unwrap();
    project.call(&["check", "a/link.toml", "b/../a/job.toml"]).exits(0);
    // One that got another name, writes elsewhere or was moved is no other job of this name any more.
    project.edit("a/job.toml", "\"demo\"", "\"other\"");
    project.call(&["check", "b/job.toml"]).exits(0);
    project.edit("b/job.toml", "../reports", "elsewhere");
    project.edit("a/job.toml", "\"other\"", "\"demo\"");
    project.call(&["check", "a/job.toml", "b/job.toml"]).exits(0);
    project.edit("b/job.toml", "elsewhere", "../reports");
    fs::remove_file(project.path("a/job.toml")).unwrap();
    fs::remove_file(project.path("a/link.toml")).unwrap();
    project.call(&["check", "b/job.toml"]).exits(0);
}

#[test]
fn mistakes_of_other_rules_do_not_keep_a_rule_from_running() {
    let project = Project::new(FAULTY);
    for other in [
        "id = \"x\"\ncheck = \"range\"\nfield = \"turnover\"\nmin = 0",
        "id = \"x\"\ncheck = \"sql\"\nassert = \"turnover > 0\"",
        "id = \"x\"\ncheck = \"sql\"\nassert = \"close >\"",
        "id = \"x\"\ncheck = \"outlier\"\nfield = \"close\"\nwindow = -1",
        "id = \"x\"\ncheck = \"outliers\"",
    ] {
        project.write("rules.toml", format!("{RULES}\n[[rule]]\n{other}\n"));
        project.call(&["check", "job.toml"]).exits(2);
        let output = project.call(&["check", "job.toml", "--rule", "ohlc"]).exits(1);
        assert_eq!((output.value("errors"), output.value("warnings")), ("1", "0"), "{other}");
        project.call(&["check", "job.toml", "--rule", "x"]).exits(2);
    }
}

#[test]
fn a_plan_says_its_file_and_its_confirmation_off_a_terminal() {
    let project = Project::new(FAULTY);
    let planned = project.call(&["plan", "job.toml", "-o", "the.plan"]).exits(1);
    let (plan, confirm) = (planned.value("plan"), planned.value("confirm"));
    assert_eq!(plan, "the.plan");
    assert!(confirm.ends_with(":1"), "{confirm}");
    project.call(&["apply", plan, "--confirm", confirm]).exits(0);
    let usual = project.call(&["plan", "job.toml"]).exits(0);
    assert!(project.path(usual.value("plan")).exists(), "{usual:?}");
    let json = project.call(&["plan", "job.toml", "-o", "other.plan", "--format", "json"]).exits(0).json();
    assert_eq!(json[0]["plan"]["path"].as_str(), Some("other.plan"));
    assert!(!project.call(&["check", "job.toml"]).out.contains("confirm="));
}

#[test]
fn the_memory_of_a_run_is_its_own() {
    let project = Project::new(BARS);
    // One long series lies in memory at once.
    let minutes = (0..200_000).map(|n| chrono::DateTime::from_timestamp(1_704_153_600 + n * 60, 0).unwrap());
    let rows = minutes.map(|at| format!("A,{},10,11,9.5,10.5,1000\n", at.format("%Y-%m-%dT%H:%M:%SZ")));
    project.write("big.csv", format!("symbol,date,open,high,low,close,volume\n{}", rows.collect::<String>()));
    let big = JOB.replace("\"demo\"", "\"big\"").replace("bars.csv", "big.csv").replace("\"1d\"", "\"1m\"");
    project.write("big.toml", big);
    // The allocator returns memory at once: what it would keep for later use counts for the next run too.
    let mut command = project.command(&["check", "big.toml", "job.toml"]);
    project.output(command.env("MIMALLOC_PURGE_DELAY", "0").output().unwrap()).exits(0);
    let peak = |job: &str| {
        let query = format!("select peak_rss from runs where job = '{job}'");
        project.call(&["sql", &query, "--format", "ndjson"]).exits(0).json()[0]["peak_rss"].as_u64()
    };
    // A system that does not forget says nothing rather than the memory of another run.
    if let (Some(big), Some(small)) = (peak("big"), peak("demo")) {
        assert!(small + (16 << 20) < big, "{small} of a run after one with {big}");
    }
}

#[test]
fn the_share_of_rows_that_a_rule_flags_is_at_most_all_of_them() {
    let head = "symbol,date,open,high,low,close,volume\n";
    let project = Project::new(format!("{head}A,2024-01-02,a,b,c,d,e\nA,2024-01-03,a,b,c,d,e\nB,2024-01-02,1,,,1,1\n"));
    let rules = "[[rule]]\nid = \"r\"\ncheck = \"required\"\nfields = [\"high\", \"low\"]\n";
    project.write("rules.toml", format!("{rules}where = \"symbol = 'B'\"\n"));
    let summary = project.call(&["check", "job.toml", "--format", "json"]).exits(1).json().remove(0);
    let mut several = 0;
    for rule in summary["rules"].as_array().unwrap() {
        let [rows, evaluated, findings] = ["rows", "evaluated", "findings"].map(|count| rule[count].as_u64().unwrap());
        assert!(0 < rows && rows <= evaluated && rule["rate"].as_f64() <= Some(1.0), "{rule}");
        several += u64::from(findings > rows);
    }
    assert_eq!(several, 2, "several findings a row: {summary}");
    let shares = project.call(&["sql", "select max(share) as most from rule_results", "--format", "ndjson"]).exits(0);
    assert_eq!(shares.json()[0]["most"].as_f64(), Some(1.0));
}
