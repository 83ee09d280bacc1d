//! `barkeep sql`: the tables and views, where results go, and that DuckDB answers the queries of the documents the same.

use std::fs;

use serde_json::Value;

use crate::cli_support::{BARS, Project};
use crate::duckdb;
use crate::support::package;

const FAULTY: &str = "A,2024-01-05,10,1,9.5,10.5,1\nA,2024-01-09,10,10.5,9.5,10,1\nB,2024-01-05,20,21,19,20,0\n";

/// A project whose job has found something, then found it fixed, then found something else.
fn three_runs() -> Project {
    let project = Project::new(format!("{BARS}{FAULTY}"));
    project.call(&["run", "job.toml"]).exits(1);
    project.write("bars.csv", format!("{BARS}B,2024-01-05,20,21,19,20,9\n"));
    project.call(&["run", "job.toml"]).exits(0);
    project.write("bars.csv", format!("{BARS}B,2024-01-05,20,1,19,20,0\nB,2024-01-09,20,1,19,20,0\n"));
    project.call(&["check", "job.toml"]).exits(1);
    project
}

fn rows(project: &Project, args: &[&str]) -> Vec<Value> {
    project.call(&[&["--format", "json", "sql"], args].concat()).exits(0).json()
}

#[test]
fn tables_and_views_are_named_and_described() {
    let project = three_runs();
    insta::assert_snapshot!(project.call(&["sql", "show tables;"]).exits(0).out, @r"
    +---------------------+-------+
    | table_name          | kind  |
    +---------------------+-------+
    | actions             | table |
    | bad_bars            | view  |
    | finding_bars        | table |
    | findings            | table |
    | fixed_findings      | table |
    | latest_findings     | view  |
    | latest_rule_results | view  |
    | latest_runs         | view  |
    | new_findings        | view  |
    | open_findings       | view  |
    | rule_results        | table |
    | runs                | table |
    | series_metrics      | table |
    +---------------------+-------+
    13 rows
    ");
    let of_job = project.call(&["sql", "--job", "job.toml", "SHOW TABLES"]).exits(0).out;
    assert!(of_job.contains("| bars ") && of_job.contains("| quarantine "), "{of_job}");
    assert!(project.call(&["sql", "DESCRIBE finding_bars"]).exits(0).out.contains("| flagged "));
    assert!(project.call(&["sql", "DESCRIBE open_findings"]).exits(0).out.contains("| message "));
}

#[test]
fn views_are_about_the_newest_run_of_each_job() {
    let project = three_runs();
    let at = |query: &str| -> Vec<String> {
        let rows = rows(&project, &[query]);
        let text = |row: &Value| {
            let values = row.as_object().unwrap().values();
            values.map(|value| value.as_str().map_or(value.to_string(), str::to_owned)).collect::<Vec<_>>().join(" ")
        };
        rows.iter().map(text).collect()
    };
    assert_eq!(at("SELECT rows_read FROM latest_runs"), ["8"]);
    let order = "ORDER BY rule_id, session";
    let found = ["gap 2024-01-08", "ohlc 2024-01-05", "ohlc 2024-01-09"];
    assert_eq!(at(&format!("SELECT rule_id, session FROM latest_findings {order}")), found);
    assert_eq!(at(&format!("SELECT rule_id, session FROM new_findings {order}")), found);
    assert_eq!(at(&format!("SELECT rule_id, session FROM open_findings {order}")), found);
    assert_eq!(at("SELECT session, rules FROM bad_bars ORDER BY session"), ["2024-01-05 ohlc", "2024-01-09 ohlc"]);
    // Of the first run, the bad bar is in quarantine, and the others were corrected.
    assert_eq!(
        at("SELECT rule_id, because FROM fixed_findings ORDER BY rule_id"),
        ["gap data", "ohlc data", "zero-volume data"]
    );
    let around = "SELECT f.rule_id, count(*) FROM finding_bars b JOIN latest_findings f ON f.finding_id = b.finding_id \
                  AND f.run_id = b.run_id WHERE b.flagged GROUP BY f.rule_id";
    assert_eq!(at(around), ["ohlc 2"]);
}

#[test]
fn the_quarantine_is_opened_by_its_name_in_the_query_only() {
    let project = three_runs();
    let job = ["--job", "job.toml"];
    assert_eq!(rows(&project, &[&job[..], &["SELECT count(*) AS n FROM quarantine"]].concat())[0]["n"], 1);
    // What cannot be read is not read where nobody asks for it.
    fs::remove_dir_all(project.path("quarantine")).ok();
    fs::remove_file(project.path("bars.csv")).unwrap();
    let query = "SELECT 'bars in quarantine' AS words, count(*) AS n FROM runs";
    assert_eq!(rows(&project, &[&job[..], &[query]].concat())[0]["n"], 3);
    let ours = project.call(&["sql", "--job", "job.toml", "SELECT * FROM bars"]).exits(3);
    assert!(ours.err.contains("bars.csv"), "{}", ours.err);
    let ours = project.call(&["sql", "SELECT * FROM quarantine"]).exits(2);
    assert!(ours.err.contains("`quarantine` is a table of a job: add --job JOB"), "{}", ours.err);
}

#[test]
fn rows_go_to_a_file_of_the_kind_that_its_name_says() {
    let project = three_runs();
    project.write("q.sql", "SELECT rule_id, message, close\nFROM new_findings ORDER BY rule_id, session;\n");
    let ours = project.call(&["sql", "-f", "q.sql", "-o", "new.csv"]).exits(0);
    assert_eq!(ours.out, "new.csv   3 rows\n");
    let csv = fs::read_to_string(project.path("new.csv")).unwrap();
    assert!(csv.starts_with("rule_id,message,close\ngap,") && csv.contains("high 1 "), "{csv}");
    for file in ["new.parquet", "new.ndjson"] {
        project.call(&["sql", "-f", "q.sql", "-o", file]).exits(0);
        assert!(fs::metadata(project.path(file)).unwrap().len() > 100);
    }
    let ours = project.output(project.command(&["sql", "-f", "-"]).write_stdin("SELECT 1 AS one").output().unwrap());
    assert!(ours.exits(0).out.contains("| one |"));
    let ours = project.call(&["sql", "-o", "new.xlsx", "SELECT 1"]).exits(2);
    assert!(ours.err.contains("end it in .parquet, .csv or .ndjson"), "{}", ours.err);
    let ours = project.call(&["sql", "-o", "no/such/folder.csv", "SELECT 1"]).exits(3);
    assert!(ours.err.contains("no/such/folder.csv"), "{}", ours.err);
    let ours = project.call(&["sql", "-f", "no.sql"]).exits(2);
    assert!(ours.err.contains("cannot read the query in `no.sql`"), "{}", ours.err);
}

#[test]
fn a_query_that_is_wrong_says_where_tables_are_named() {
    let project = three_runs();
    for (query, problem) in [
        ("SELECT * FROM finding", "table 'finding' not found"),
        ("SELECT nothing FROM findings", "No field named nothing"),
        ("SELEC 1", "Expected"),
        ("SELECT 1; SELECT 2", "single SQL statement"),
        ("DROP TABLE findings", "not supported"),
        ("COPY findings TO 'x.csv'", "not supported"),
        ("SET datafusion.execution.batch_size = 1", "not supported"),
    ] {
        let ours = project.call(&["sql", query]).exits(2);
        assert!(ours.err.contains(problem) && ours.err.contains("SHOW TABLES"), "{query}: {}", ours.err);
    }
    project.call(&["sql"]).exits(2);
}

/// The queries of a document: behind `barkeep sql`, and behind `duckdb`.
fn queries(text: &str) -> (Vec<String>, Vec<String>) {
    let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let of = |command: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(&format!("$ {command} ")));
        lines.filter(|line| !line.contains("--job")).filter_map(quoted).collect()
    };
    (of("barkeep sql"), of("duckdb"))
}

#[test]
fn queries_of_the_documents_run_in_both_programs_and_agree() {
    let Some(duckdb) = duckdb::folder() else { return };
    let project = three_runs();
    let documents = ["README.md", "docs/reports.md"].map(|name| fs::read_to_string(package().join(name)).unwrap());
    let (ours, theirs): (Vec<_>, Vec<_>) = documents.iter().map(|text| queries(text)).unzip();
    let queries: Vec<String> = ours.concat().into_iter().chain(theirs.concat()).collect();
    let queries: Vec<&String> = queries.iter().filter(|query| query.starts_with("SELECT")).collect();
    assert!(queries.len() >= 6, "{queries:?}");
    project.write("reports.sql", project.command(&["sql", "--duckdb"]).output().unwrap().stdout);
    for query in queries {
        let ours = rows(&project, &[query]);
        assert_eq!(ours, duckdb::rows(&project, &duckdb, query), "{query}");
    }
    // Every table and view can be read, whether a run has written a row of it or not.
    let names = rows(&project, &["SHOW TABLES"]);
    assert!(names.len() > 10);
}
