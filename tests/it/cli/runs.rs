//! `check` and `run`: exit codes, what decides them, windows, several jobs, limits and quarantine copies.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use crate::cli_support::{BARS, JOB, Project, filters};
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
    assert_eq!(codes, [1, 0, 0, 1, 0, 0], "the reports tell the same codes, in order");
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
    assert_eq!(tables, ["findings", "pages", "rule_results", "runs", "series_metrics"]);
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
  = help: did you mean `gap`? rules: ohlc, gap, zero-volume
  = job: job.toml
");
    let output = project.call(&["check", "job.toml", "--series", "C"]).exits(3);
    insta::assert_snapshot!(output.err, @r"
error: none of the 6 rows in `bars.csv` is of series `C`: nothing was evaluated; look at `--series`
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
error: --since: `last week` is no date or time; write `2024-03-08` or `2024-03-08T14:30:00Z`
  = help: see `barkeep check --help`
  = job: job.toml
");
    insta::assert_snapshot!(refused(&["--last", "7 days"]), @r"
error: --last: `7 days` is no span of time; write for instance `90m`, `24h`, `10d` or `2w`
  = help: see `barkeep check --help`
  = job: job.toml
");
    assert!(!project.path("reports").exists());
}

#[test]
fn nothing_in_the_window_is_no_success_unless_the_market_was_closed() {
    let project = Project::new(BARS);
    let broken = |args: &[&str]| project.call(&[&["check", "job.toml"], args].concat()).exits(3).err;
    insta::assert_snapshot!(broken(&["--since", "2024-01-05", "--until", "2024-01-09"]), @r"
error: none of the 6 rows in `bars.csv` is at or after 2024-01-05 and before 2024-01-09: nothing was evaluated; `--full` looks at everything
  = job: job.toml
");
    insta::assert_snapshot!(broken(&["--until", "2020-01-01", "--series", "A"]), @r"
error: none of the 6 rows in `bars.csv` is before 2020-01-01 and of series `A`: nothing was evaluated; `--full` looks at everything, or look at `--series`
  = job: job.toml
");
    assert!(broken(&["--last", "30d"]).contains("none of the 6 rows in `bars.csv` is at or after 20"));
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
    assert!(output.out.starts_with("job=demo verdict=OK"), "a later job still runs: {}", output.out);
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
    assert_eq!(text("quarantine_sha256"), format!("{:x}", Sha256::digest(record)));
    assert_eq!(text("quarantine_series"), "B");

    let actions = project.call(&["sql", "select state, locator, action from actions", "--format", "ndjson"]).exits(0);
    assert_eq!(actions.json()[0].to_string(), r#"{"state":"removed","locator":"bars.csv:5","action":"quarantine"}"#);
    let shown = project.call(&["report", "show"]).exits(0);
    assert!(shown.out.contains("1 row removed; what was removed is in quarantine."), "{}", shown.out);
    let list = project.call(&["quarantine", "list", "job.toml", "--format", "ndjson"]).exits(0).json();
    assert_eq!((list.len(), list[0]["rules"][0]["id"].as_str()), (1, Some("ohlc")));
    let item = project.call(&["quarantine", "show", "job.toml", list[0]["id"].as_str().unwrap()]).exits(0).out;
    assert!(item.contains("a bar that contradicts itself is wrong") && item.contains(record), "{item}");
    project.call(&["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "1"]).exits(0);
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), before, "byte for byte");
    let again = project.call(&["run", "job.toml"]).exits(1);
    assert!(!again.out.contains("removed="), "what a person put back stays: {again:?}");
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), before);
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
    insta::assert_snapshot!(output.out, @r#"job=demo verdict=FAIL status=refused exit=4 rows=6 clean=4 flagged=1 parse_errors=0 to_quarantine=1 to_delete=0 kept=0 errors=1 warnings=1 notes=1 source=unchanged new=3 fixed=0 failed=ohlc:1 seconds=[s] run=[run] refused="1 rows would be moved, and `[limits] rows` allows 0" refused="1 of 6 rows would be moved, and `[limits] fraction` allows a share of 0.1" refused="1 of 3 rows of series `B` would be moved, and `[limits] series_fraction` allows a share of 0.3""#);
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
