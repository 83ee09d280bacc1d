//! Queries that DuckDB answers, where it is there.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use serde_json::Value;

use crate::cli_support::Project;

/// What DuckDB answers to a query over the tables and views of `reports.sql`.
pub(crate) fn rows(project: &Project, duckdb: &OsStr, query: &str) -> Vec<Value> {
    let script = "import duckdb, json, sys\n\
                  con = duckdb.connect()\ncon.execute(\"SET TimeZone = 'UTC'\")\ncon.execute(open('reports.sql').read())\n\
                  rel = con.sql(sys.argv[1])\n\
                  for row in rel.fetchall():\n    \
                  print(json.dumps({c: v for c, v in zip(rel.columns, row) if v is not None}, default=str))";
    let mut python = Command::new("python3");
    python.args(["-c", script, query]).current_dir(project.path(".")).env("PYTHONPATH", duckdb);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The folder from which Python imports DuckDB; `None` where there is none, which CI always has.
pub(crate) fn folder() -> Option<OsString> {
    let duckdb = std::env::var_os("BARKEEP_DUCKDB");
    assert!(duckdb.is_some() || std::env::var_os("CI").is_none(), "in CI, scripts/test brings DuckDB");
    if duckdb.is_none() {
        eprintln!("left out: no DuckDB; scripts/test brings it");
    }
    duckdb
}
