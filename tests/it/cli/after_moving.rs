//! A run that broke off after it had moved rows: its message, its JSON and the report of the next run name the rows in
//! quarantine.

use std::collections::BTreeSet;
use std::fs;

use crate::cli_support::{BARS, Project};
use crate::support;

const BAD: &str = "A,2024-01-05,10,1,9.5,10.5,1000\nB,2024-01-05,20,1,19.5,20.5,500\n";

#[derive(serde::Deserialize)]
struct Action {
    run_id: String,
    quarantine_id: String,
    state: String,
    moved_by: Option<String>,
}

fn actions(project: &Project) -> Vec<Action> {
    support::table(&project.path("reports"), "actions")
}

fn project() -> Project {
    Project::new(format!("{BARS}{BAD}"))
}

/// The marks of runs that left no report.
fn marks(project: &Project) -> usize {
    let names = fs::read_dir(project.path("reports")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".moving")).count()
}

/// The next run names the two rows that `run` moved, once, and the one after it says nothing of them.
#[track_caller]
fn the_next_run_reports(project: &Project, run: &str) {
    let next = project.call(&["run", "job.toml"]).exits(0).says(&[
        &format!("warning: run {run} moved 2 rows to quarantine and ended before its report"),
        &format!("--run {run}` shows them"),
    ]);
    assert_eq!(next.value("earlier_moved"), "2");
    let rows: Vec<Action> = actions(project).into_iter().filter(|row| row.state == "earlier_moved").collect();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.moved_by.as_deref() == Some(run) && row.run_id != run));
    let ids: BTreeSet<String> = rows.into_iter().map(|row| row.quarantine_id).collect();
    let listed = project.call(&["quarantine", "list", "job.toml", "--format", "json", "--run", run]).exits(0).json();
    let of_item = |item: &serde_json::Value| item["quarantine_id"].as_str().or(item["id"].as_str()).unwrap().to_owned();
    assert_eq!(listed.iter().map(of_item).collect::<BTreeSet<_>>(), ids);
    assert_eq!(marks(project), 0);
    let quiet = project.call(&["run", "job.toml"]).exits(0);
    assert_eq!((quiet.err.as_str(), quiet.out.contains("earlier_moved")), ("", false), "{quiet:?}");
}

#[test]
fn a_report_that_cannot_be_written_leaves_the_rows_named() {
    for json in [false, true] {
        let project = project();
        // The folder takes files, and the table of what was moved does not.
        project.write("reports/actions", "in the way");
        let format: &[&str] = if json { &["--format", "json", "--log-format", "json"] } else { &[] };
        let broken = project.call(&[&["run", "job.toml"], format].concat()).exits(3);
        assert!(!fs::read_to_string(project.path("bars.csv")).unwrap().contains(",10,1,"), "the rows have left");
        let run = if json {
            let error = broken.json().pop().unwrap();
            assert_eq!((&error["rows_removed"], &error["rows_open"]), (&2.into(), &0.into()), "{error}");
            assert_eq!(
                error["message"],
                "2 rows had left the source for the quarantine; then writing the report failed"
            );
            let logged: Vec<serde_json::Value> =
                broken.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(logged.iter().any(|line| line["rows_removed"] == 2 && line["level"] == "error"), "{broken:?}");
            error["run_id"].as_str().unwrap().to_owned()
        } else {
            let broken =
                broken.says(&["error: 2 rows had left the source for the quarantine; then writing the report failed"]);
            let (_, command) = broken.err.split_once("help: `barkeep quarantine list job.toml --run ").unwrap();
            command.split_once('`').unwrap().0.to_owned()
        };
        let listed = project.call(&["quarantine", "list", "job.toml", "--run", &run]).exits(0);
        assert!(listed.out.ends_with("2 rows\n"), "{listed:?}");
        fs::remove_file(project.path("reports/actions")).unwrap();
        the_next_run_reports(&project, &run);
    }
}

#[test]
fn a_plan_that_was_carried_out_without_a_report_is_the_same() {
    let project = project();
    let plan = project.call(&["plan", "job.toml", "-o", "a.plan", "--format", "json"]).exits(1).json();
    let confirmation = plan[0]["plan"]["confirmation"].as_str().unwrap().to_owned();
    fs::remove_dir_all(project.path("reports/actions")).unwrap();
    project.write("reports/actions", "in the way");
    let broken = project.call(&["apply", "a.plan", "--confirm", &confirmation, "--format", "json"]).exits(3).json();
    assert_eq!(broken[0]["rows_removed"], 2, "{broken:?}");
    let run = broken[0]["run_id"].as_str().unwrap().to_owned();
    fs::remove_file(project.path("reports/actions")).unwrap();
    the_next_run_reports(&project, &run);
}

#[test]
fn a_run_that_is_killed_before_its_report_is_reported_by_the_next() {
    let project = project();
    let killed = project.command(&["run", "job.toml"]).env("BARKEEP_CRASH_AT", "report.before").output().unwrap();
    assert_eq!(killed.status.code(), None, "{killed:?}");
    project.tidy();
    assert_eq!((marks(&project), project.runs().len()), (1, 0));
    let listed = project.call(&["quarantine", "list", "job.toml", "--format", "json"]).exits(0).json();
    let run = listed[0]["run_id"].as_str().unwrap().to_owned();
    // Looking changes nothing.
    project.call(&["check", "job.toml"]).exits(0);
    assert_eq!(marks(&project), 1);
    the_next_run_reports(&project, &run);
}

#[test]
fn a_run_that_was_reported_leaves_no_mark() {
    let project = project();
    project.call(&["run", "job.toml"]).exits(1);
    assert_eq!(marks(&project), 0);
    assert!(actions(&project).iter().all(|row| row.state == "removed" && row.moved_by.is_none()));
}
