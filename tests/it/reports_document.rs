//! `docs/reports.md`: every table and column it names is there, with its type, and a report says of NULL what it says.

use std::collections::BTreeMap;
use std::fs;

use barkeep::report::Table;
use barkeep::report::column::Column;
use barkeep::report::views::VIEWS;

use serde_json::Value;

use crate::cli_support::{BARS, Project};
use crate::support::{package, table as rows_of};

const BEGIN: &str = "<!-- tables: generated -->\n";
const END: &str = "<!-- tables: end -->";

/// What a row of a table stands for.
fn of(table: Table) -> &'static str {
    match table {
        Table::Runs => "One row a run.",
        Table::RuleResults => "One row a run and rule; `parse-error` stands for values that do not decode.",
        Table::Findings => "One row a finding: a rule that a bar, a run of bars, or a gap between bars breaks.",
        Table::FixedFindings => {
            "One row a finding that the run `compared_with` had and the run `run_id` looked for and did not find. The columns of \
             `findings`, as the run `last_seen_run` wrote them, and two more:"
        }
        Table::FindingBars => {
            "One row a bar: those that a finding is about, at most 30, and 15 on each side, for the first 200 findings of a rule \
             and run. `barkeep explain JOB --series S --at T` shows those around any other."
        }
        Table::SeriesMetrics => "One row a series and month; of a run over a window, months that it saw as a whole.",
        Table::Actions => "One row a bar that was moved, or was to be.",
    }
}

fn reference() -> String {
    let mut text = String::from("## Views\n\n| view | rows |\n|---|---|\n");
    for view in VIEWS {
        text += &format!("| `{}` | {} |\n", view.name, view.meaning);
    }
    text += "| `open_findings` | all findings that are open: those of the newest run over all data, and of the runs over a window \
             since in the place of what was there; only in `barkeep sql` |\n";
    text += "| `bars`, `quarantine` | with `--job JOB`: the bars as they are read now, and the rows in quarantine |\n";
    for table in Table::ALL {
        text += &format!("\n## {table}\n\n{}\n\n", of(table));
        text += "| column | type | meaning | NULL where | example |\n|---|---|---|---|---|\n";
        let inherited = if table == Table::FixedFindings { Table::Findings.columns().count() } else { 0 };
        for Column { name, kind, meaning, null, example } in table.columns().skip(inherited) {
            text += &format!("| `{name}` | {} | {meaning} | {null} | `{example}` |\n", kind.sql());
        }
    }
    text
}

#[test]
fn the_document_has_every_table_and_column() {
    let path = package().join("docs/reports.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", reference());
    if std::env::var_os("BARKEEP_REWRITE").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(text == wanted, "run this test with BARKEEP_REWRITE=1 to write the tables of docs/reports.md anew");
}

#[test]
fn columns_that_are_never_null_are_not() {
    // Two runs, so that there is something fixed; bad rows of every kind, one of which is moved.
    let bad = "A,2024-01-05,10,1,9.5,10.5,1\nB,2024-01-08,20.8,21.2,20.5,21,0\nB,oops,1,1,1,1,1\n";
    let project = Project::new(format!("{BARS}{bad}"));
    project.call(&["run", "job.toml"]).exits(1);
    project.write("bars.csv", BARS);
    project.call(&["run", "job.toml"]).exits(0);
    let mut rows = BTreeMap::new();
    for table in Table::ALL {
        for row in rows_of::<Value>(&project.path("reports"), table.name()) {
            *rows.entry(table.name()).or_insert(0) += 1;
            for column in table.columns().filter(|column| column.null.is_empty()) {
                assert!(row.get(column.name).is_some_and(|value| !value.is_null()), "{table}.{}: {row}", column.name);
            }
        }
    }
    assert_eq!(rows.len(), Table::ALL.len(), "a table without a row shows nothing: {rows:?}");
}
