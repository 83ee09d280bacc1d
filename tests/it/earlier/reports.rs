//! Reports of an earlier version: every table is read, shown, compared with, and put on a page.

use crate::cli_support::Project;
use crate::duckdb;
use crate::earlier::copy;
use crate::support::{files, parquet_files};

use barkeep::report::Table;
use serde_json::Value;

/// The rows that the fixture has of each table.
const ROWS: [(Table, i64); 7] = [
    (Table::Runs, 3),
    (Table::RuleResults, 12),
    (Table::Findings, 6),
    (Table::FixedFindings, 3),
    (Table::FindingBars, 29),
    (Table::SeriesMetrics, 6),
    (Table::Actions, 1),
];

fn first(project: &Project, query: &str) -> Value {
    project.call(&["--format", "json", "sql", query]).exits(0).json().remove(0)
}

#[test]
fn every_table_is_read() {
    let project = copy("reports", "schema-1");
    for (table, rows) in ROWS {
        assert_eq!(first(&project, &format!("SELECT count(*) AS n FROM {table}"))["n"], rows, "{table}");
        assert!(!parquet_files(&project.path(&format!("reports/{table}"))).is_empty(), "{table}");
    }
    let found = "SELECT message, close, session, why, compared_with FROM latest_findings WHERE rule_id = 'ohlc' ORDER BY session";
    let found = first(&project, found);
    assert_eq!((found["close"].as_f64(), found["session"].as_str()), (Some(20.0), Some("2024-01-05")));
    assert_eq!(found["why"], "a bar that contradicts itself is wrong");
    assert!(found["message"].as_str().unwrap().starts_with("high 1 "), "{found}");
    assert_eq!(first(&project, "SELECT because FROM fixed_findings WHERE rule_id = 'gap'")["because"], "data");
    let around = "SELECT b.close FROM finding_bars b WHERE b.\"offset\" = -1 AND b.rule_id = 'ohlc' AND b.series = 'A'";
    assert_eq!(first(&project, around)["close"], 11.0);
    assert_eq!(first(&project, "SELECT count(*) AS n FROM open_findings")["n"], 3);
}

#[test]
fn it_is_shown_and_compared_with() {
    let project = copy("reports", "schema-1");
    assert!(project.call(&["report", "show"]).exits(0).out.contains("+ error ohlc B 2024-01-05"));
    assert!(project.call(&["report"]).exits(0).out.contains("FAIL  demo"));
    project.call(&["report", "html", "latest", "-o", "page.html"]).exits(0);
    assert!(std::fs::metadata(project.path("page.html")).unwrap().len() > 20_000);
    // The same bars again, by this version: nothing is new, and nothing of the old reports is touched.
    let before = files(&project.path("reports"));
    let again = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!((again.value("new"), again.value("fixed")), ("0", "0"));
    assert!(before.iter().all(|file| file.exists()));
}

#[test]
fn they_are_one_table_with_those_of_this_version() {
    let project = copy("reports", "schema-1");
    project.call(&["check", "job.toml"]).exits(1);
    let month = "SELECT count(*) AS n FROM runs WHERE month = '2026-11' AND run_date = DATE '2026-11-28' AND job = 'demo' \
                 AND run_id < '20261128T163'";
    for (table, rows) in ROWS {
        let earlier = format!("SELECT count(*) AS n FROM {table} WHERE run_id < '20261128T163' AND month = '2026-11'");
        assert_eq!(first(&project, &earlier)["n"], rows, "{table}");
    }
    assert_eq!(first(&project, month)["n"], 3);
    assert_eq!(first(&project, "SELECT count(*) AS n FROM runs WHERE run_date IS NOT NULL")["n"], 4);
    // They go as others do, and are not compacted.
    let prune = ["report", "prune", "--keep-daily", "1", "--keep-monthly", "1", "--format", "json", "--dry-run"];
    assert_eq!(project.call(&prune).exits(0).json()[0]["compact"], serde_json::json!([]));
    let Some(duckdb) = duckdb::folder() else { return };
    project.write("reports.sql", project.command(&["sql", "--duckdb"]).output().unwrap().stdout);
    assert_eq!(duckdb::rows(&project, &duckdb, month)[0]["n"], 3);
    assert_eq!(duckdb::rows(&project, &duckdb, "SELECT count(*) AS n FROM runs")[0]["n"], 4);
}
