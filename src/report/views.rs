//! Queries that people ask of the tables again and again, as views, and the tables and views as statements for DuckDB.
//!
//! The queries are written so that DataFusion and DuckDB read them the same.

use std::io;
use std::path::Path;

use super::earlier;
use super::runs;
use super::tables::{MONTH, RUN_DATE, Table};
use crate::durable::paths;

/// A view: its name, what its rows are, and its query.
#[derive(Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// What its rows are.
    pub meaning: &'static str,
    /// Its query, over tables and the views before it.
    pub query: &'static str,
}

/// The views, each behind those that it asks.
pub const VIEWS: &[View] = &[
    View {
        name: "latest_runs",
        meaning: "the newest run of each job that came to its end; one over an old window (`backfill`) does not count",
        query: "SELECT * FROM runs WHERE run_id IN (SELECT max(run_id) FROM runs \
                WHERE status IN ('ok', 'findings', 'refused') AND trigger <> 'backfill' GROUP BY job)",
    },
    View {
        name: "latest_rule_results",
        meaning: "the rules of these runs",
        query: "SELECT * FROM rule_results WHERE run_id IN (SELECT run_id FROM latest_runs)",
    },
    View {
        name: "latest_findings",
        meaning: "what these runs found; a run over a window found what is in it",
        query: "SELECT * FROM findings WHERE run_id IN (SELECT run_id FROM latest_runs)",
    },
    View {
        name: "new_findings",
        meaning: "those of them that the run before did not have",
        query: "SELECT * FROM latest_findings WHERE is_new",
    },
    View {
        name: "bad_bars",
        meaning: "bars with findings in these runs, each once with the rules that flagged it, worst severity first by `errors`",
        query: "SELECT job, series, time, session, locator, count(*) AS findings, \
                count(*) FILTER (WHERE severity = 'error') AS errors, \
                string_agg(rule_id, ', ' ORDER BY rule_id) AS rules, bool_or(is_new) AS is_new \
                FROM latest_findings WHERE locator IS NOT NULL GROUP BY job, series, time, session, locator",
    },
];

/// Statements that make the tables below `dir` and the views in DuckDB, wherever it is started.
///
/// # Errors
/// The path of `dir` is not known, or is not UTF-8.
pub fn for_duckdb(dir: &Path) -> io::Result<String> {
    let of = &paths::absolute(dir)?;
    let dir = of.to_str().ok_or_else(|| io::Error::other(format!("`{}` is not UTF-8", dir.display())))?;
    let mut text = String::from("-- The report tables of barkeep and their views, for DuckDB.\n");
    for table in Table::ALL {
        let files = format!("{}/{}", literally(dir), table.name()).replace('\'', "''");
        let read = |folder: &str, kind: &str| {
            format!(
                "read_parquet('{files}/*/{folder}=*/*.parquet', union_by_name = true, hive_partitioning = true, \
                 hive_types = {{'job': VARCHAR, '{folder}': {kind}}})"
            )
        };
        let now = format!("SELECT * FROM {}", read(MONTH, "VARCHAR"));
        let before = || format!("SELECT *, strftime({RUN_DATE}, '%Y-%m') AS {MONTH} FROM {}", read(RUN_DATE, "DATE"));
        let rows = match (earlier::has_files(of, table), has_months(of, table)) {
            (true, true) => format!("{now} UNION ALL BY NAME {}", before()),
            (true, false) => before(),
            (false, _) => now,
        };
        text += &format!("CREATE OR REPLACE VIEW {} AS {rows};\n", table.name());
    }
    for View { name, query, .. } in VIEWS {
        text += &format!("CREATE OR REPLACE VIEW {name} AS {query};\n");
    }
    Ok(text)
}

/// Whether there are files of `table` in folders of months.
fn has_months(dir: &Path, table: Table) -> bool {
    let jobs = runs::entries(&dir.join(table.name())).unwrap_or_default();
    let months = |job: &Path| runs::entries(job).unwrap_or_default();
    jobs.iter().any(|(_, job)| months(job).iter().any(|(month, _)| month.starts_with("month=")))
}

/// A path in which no character stands for others.
fn literally(path: &str) -> String {
    path.chars().fold(String::new(), |mut text, c| {
        match c {
            '*' | '?' | '[' => text.extend(['[', c, ']']),
            c => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_they_are() {
        let text = for_duckdb(Path::new("/it's [a] *")).unwrap();
        assert!(text.contains("read_parquet('/it''s [[]a] [*]/runs/*/month=*/*.parquet'"), "{text}");
        assert_eq!(text.matches("CREATE OR REPLACE VIEW").count(), Table::ALL.len() + VIEWS.len());
    }
}
