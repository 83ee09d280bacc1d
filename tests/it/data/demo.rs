//! The demo: it finds the faults that were put in and nothing else, twice the same, and its report holds together.

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;

use super::Project;
use crate::support::{self, Finding, Run, files, package};

const JOB: &str = "jobs/demo.toml";

#[expect(clippy::struct_field_names, reason = "these are the names of the columns")]
#[derive(Debug, Deserialize)]
struct RunRow {
    rows_read: u64,
    rows_clean: u64,
    rows_flagged: u64,
    rows_parse_error: u64,
    rows_to_quarantine: u64,
    rows_to_delete: u64,
}

#[derive(Debug, Deserialize)]
struct OfRun {
    run_id: String,
}

/// Rule, symbol, and timestamp or the text in its place, as `demo/faults.csv` has them.
fn faults() -> Vec<String> {
    let text = fs::read_to_string(package().join("jobs/demo/faults.csv")).unwrap();
    let mut faults: Vec<String> =
        text.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect();
    faults.sort();
    faults
}

fn as_faults(findings: &[Finding]) -> Vec<String> {
    let fault = |finding: &Finding| format!("{},{},{}", finding.rule_id, finding.series, finding.key());
    let mut faults: Vec<String> = findings.iter().map(fault).collect();
    faults.sort();
    // Copies that conflict are both reported, under the timestamp they share.
    faults.dedup();
    faults
}

fn ids(findings: &[Finding]) -> BTreeSet<&str> {
    findings.iter().map(|finding| finding.finding_id.as_str()).collect()
}

#[test]
fn the_demo_finds_its_faults_and_nothing_else() {
    let (run, findings) = Project::new(None).check(JOB);
    assert_eq!(as_faults(&findings), faults());
    assert_eq!(run.exit, 1);
    assert_eq!(ids(&findings).len(), findings.len(), "no two findings have one id");
}

#[test]
fn a_second_run_finds_the_same_and_nothing_new() {
    let project = Project::new(None);
    let (first, before) = project.check(JOB);
    let (second, after) = project.check(JOB);
    assert_eq!(ids(&before), ids(&after));
    assert_eq!((first.count("/change/new"), first.count("/change/fixed")), (before.len() as u64, 0));
    assert_eq!((second.count("/change/new"), second.count("/change/fixed")), (0, 0));
    assert_eq!(second.summary["change"]["since_run"], first.id());
    assert!(before.iter().all(|finding| finding.is_new == Some(true)));
    assert!(after.iter().all(|finding| finding.is_new == Some(false)));
    // One timestamp becomes readable: its finding is fixed, it is a Saturday now, and the others keep their ids.
    let bars = project.path().join("jobs/demo/bars.csv");
    let text = fs::read_to_string(&bars).unwrap();
    assert_eq!(text.matches(",417,").count(), 1);
    fs::write(&bars, text.replace(",417,", ",2022-01-01,")).unwrap();
    let (third, changed) = project.check(JOB);
    assert_eq!((third.count("/change/new"), third.count("/change/fixed")), (1, 1));
    let new: Vec<String> = changed.iter().filter(|f| f.is_new == Some(true)).map(|f| f.rule_id.clone()).collect();
    assert_eq!(new, ["off-calendar"], "a row that is rejected is out of no order");
    assert_eq!(ids(&changed).intersection(&ids(&before)).count(), before.len() - 1);
}

#[test]
fn every_row_is_counted_once() {
    let project = Project::new(None);
    let (run, findings) = project.run(&["run", JOB]);
    let file = project.reports().join("pages").join(run.id()).join("summary.json");
    let summary = super::json(&file);
    let count = |name: &str| summary["rows"][name].as_u64().unwrap();
    let parts = ["clean", "flagged", "to_quarantine", "to_delete", "parse_errors"].map(count);
    assert_eq!(count("read"), parts.iter().sum::<u64>());
    let bars = fs::read_to_string(package().join("jobs/demo/bars.csv")).unwrap();
    assert_eq!(count("read"), bars.lines().count() as u64 - 1);
    let rows: BTreeSet<&str> = findings.iter().filter_map(|finding| finding.locator.as_deref()).collect();
    // Six of the rows that stand still are part of a run, which has one finding; those of a slip have one each besides.
    let in_runs: u64 = findings.iter().filter(|f| f.rule_id == "stale").map(|f| f.bars_affected - 1).sum();
    assert_eq!(count("read") - count("clean"), rows.len() as u64 + in_runs);
    let moved: BTreeSet<&str> =
        findings.iter().filter(|f| f.action == "quarantine").filter_map(|f| f.locator.as_deref()).collect();
    assert_eq!(count("to_quarantine"), moved.len() as u64);
    assert_eq!(run.count("/actions/removed"), moved.len() as u64);
    let left = fs::read_to_string(project.path().join("jobs/demo/bars.csv")).unwrap();
    assert_eq!(left.lines().count() as u64 - 1, count("read") - count("to_quarantine"));
    let table: Vec<RunRow> = support::table(&project.reports(), "runs");
    let [row] = table.as_slice() else { panic!("one run") };
    let of_row = [row.rows_clean, row.rows_flagged, row.rows_to_quarantine, row.rows_to_delete, row.rows_parse_error];
    assert_eq!((row.rows_read, of_row), (count("read"), parts));
}

#[test]
fn every_file_of_a_report_belongs_to_a_run() {
    let project = Project::new(None);
    let runs: Vec<Run> = ["check", "run"].map(|command| project.run(&[command, JOB]).0).into();
    let wanted: BTreeSet<&str> = runs.iter().map(Run::id).collect();
    let of = |table: &str| -> BTreeSet<String> {
        support::table::<OfRun>(&project.reports(), table).into_iter().map(|row| row.run_id).collect()
    };
    for table in ["runs", "rule_results", "findings", "series_metrics"] {
        assert_eq!(of(table).iter().map(String::as_str).collect::<BTreeSet<_>>(), wanted, "{table}");
    }
    assert_eq!(of("actions").iter().collect::<Vec<_>>(), [runs[1].id()], "a check moves nothing");
    for path in files(&project.reports()) {
        let path = path.strip_prefix(project.reports()).unwrap().to_str().unwrap().to_owned();
        let name = path.rsplit('/').next().unwrap();
        let of_the_job = name == "no-rows.parquet";
        assert!(of_the_job || wanted.iter().any(|run| path.contains(run)), "{path} belongs to no run");
        assert!(name == "summary.json" || name.ends_with(".parquet"), "{path} is half-written");
    }
}
