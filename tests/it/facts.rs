//! Files of facts, from the job that names them to the report that counts what they excused; `docs/facts.md` executed.

use std::fs;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde_json::Value;

use crate::cli_support::Project;
use crate::support::{self, package};

const RULES: &str = "[[rule]]\nid = \"gap\"\ncheck = \"gap\"\n\n[[rule]]\nid = \"split\"\ncheck = \"split\"\n\n\
                     [[rule]]\nid = \"limit\"\ncheck = \"price-limit\"\n";

const JOB: &str = "name = \"demo\"\nrules = [\"rules.toml\"]\n[source.files]\npath = \"bars.csv\"\n[bars]\nseries = [\"symbol\"]\n\
                   interval = \"1d\"\ncalendar = \"weekdays\"\n[report]\ndir = \"reports\"\n[limits]\nfraction = 1.0\n\
                   series_fraction = 1.0\n";

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Quiet bars of `symbol` on the weekdays of four months around January 2024, but for `missing`; prices are divided by
/// `factor` from 2024-01-10 on.
fn bars(symbol: &str, missing: &[&str], factor: f64) -> String {
    let missing: Vec<NaiveDate> = missing.iter().map(|text| date(text)).collect();
    let mut text = String::new();
    let days = date("2023-11-01").iter_days().take_while(|day| *day < date("2024-03-01"));
    for (index, day) in days.filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)).enumerate() {
        let close = 10.0 + [0.0, 0.05, -0.03, 0.02][index % 4];
        let close = if day >= date("2024-01-10") { close / factor } else { close };
        if !missing.contains(&day) {
            text += &format!("{symbol},{day},{close},{close},{close},{close},100\n");
        }
    }
    text
}

fn weekdays(from: &str, until: &str) -> Vec<String> {
    let days = std::iter::successors(Some(date(from)), |day| day.checked_add_days(Days::new(1)));
    days.take_while(|day| *day < date(until)).map(|day| day.to_string()).collect()
}

/// The bars that the document is about, each symbol with what its fact explains.
fn of_document() -> String {
    let missing = |from: &str, until: &str| weekdays(from, until);
    let mut text = "symbol,time,open,high,low,close,volume\n".to_owned();
    for (symbol, gap, factor) in [
        ("SPLIT", vec![], 4.0),
        ("PAID", vec![], 2.0),
        ("HALTED", missing("2024-01-04", "2024-01-09"), 1.0),
        ("AGAIN", missing("2024-01-04", "2024-01-11"), 1.0),
        ("OUT", missing("2024-01-08", "2024-01-09"), 1.0),
        ("KNOWN", missing("2024-01-03", "2024-01-06"), 1.0),
    ] {
        let gap: Vec<&str> = gap.iter().map(String::as_str).collect();
        text += &bars(symbol, &gap, factor);
    }
    // The limit of this one is 5 %, and a bar is 6 % above the close before.
    text + &bars("LIMIT", &[], 1.0).replace("2024-01-17,10.02,10.02", "2024-01-17,10.02,10.60")
}

/// A section of the document: the key of `[facts]` and the file.
fn sections() -> Vec<(String, String)> {
    let text = fs::read_to_string(package().join("docs/facts.md")).unwrap();
    let sections = text.split("\n## `").skip(1).map(|section| {
        let key = section.split('`').next().unwrap().to_owned();
        let file = section.split("```csv\n").nth(1).unwrap_or_else(|| panic!("{key} has no file"));
        (key, file.split("```").next().unwrap().to_owned())
    });
    sections.collect()
}

/// What each rule found, and what facts excused of it.
fn outcome(project: &Project) -> (Vec<String>, Value) {
    let output = project.call(&["check", "job.toml", "--format", "json"]);
    let summary =
        output.json().into_iter().find(|line| line["rules"].is_array()).unwrap_or_else(|| panic!("{output:?}"));
    let mut excused = serde_json::Map::new();
    for rule in summary["rules"].as_array().unwrap().iter().filter(|rule| rule["excused_by"].is_object()) {
        excused.insert(rule["id"].as_str().unwrap().to_owned(), rule["excused_by"].clone());
    }
    let (run, ..) = project.runs().pop().unwrap();
    let found = support::findings(&project.path("reports"), &run);
    (found.iter().map(support::Finding::line).collect(), Value::Object(excused))
}

#[test]
fn the_facts_of_the_document_excuse_what_it_says() {
    let project = Project::empty();
    project.write("bars.csv", of_document());
    project.write("rules.toml", RULES);
    project.write("job.toml", JOB);
    let before = outcome(&project);
    assert_eq!(before.1, serde_json::json!({}));
    assert_eq!(before.0.len(), 6, "four gaps, two splits: {:?}", before.0);

    let document = fs::read_to_string(package().join("docs/facts.md")).unwrap();
    let section = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    project.write("job.toml", format!("{JOB}{section}"));
    let sections = sections();
    assert_eq!(sections.len(), 6);
    for (key, text) in sections {
        let line = section.lines().find(|line| line.starts_with(&key)).unwrap();
        project.write(line.split('"').nth(1).unwrap(), text);
    }
    let (found, excused) = outcome(&project);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("limit LIMIT") && found[0].contains("10.6"), "{found:?}");
    let expected = serde_json::json!({
        "gap": {
            "delisted": { "findings": 1, "bars": 5 },
            "exception": { "findings": 1, "bars": 3 },
            "outage": { "findings": 1, "bars": 1 },
            "suspended": { "findings": 1, "bars": 3 },
        },
        "split": { "corporate-action": { "findings": 2, "bars": 2 } },
    });
    assert_eq!(excused, expected);
    let table = "select excused_by from rule_results where rule_id = 'split' order by run_id desc limit 1";
    let rows = project.call(&["sql", "--job", "job.toml", "--format", "json", table]).exits(0).out;
    assert!(rows.contains("corporate-action") && rows.contains("findings"), "{rows}");
}

/// The day on which the circuit breaker stopped trading in Shanghai, as the document writes it.
#[test]
fn a_halt_of_all_trading_explains_what_is_missing_inside_of_a_day() {
    let project = Project::empty();
    // Minutes that end from 09:31 to 11:30 and from 13:01 to 15:00; on 2016-01-07 but to 09:42 and from 09:58 to 10:00.
    let mut csv = "symbol,time,open,high,low,close,volume\n".to_owned();
    for symbol in ["600000", "600519"] {
        for day in ["2016-01-06", "2016-01-07", "2016-01-08"] {
            for minute in (571..=690).chain(781..=900) {
                let traded = day != "2016-01-07" || minute <= 582 || (598..=600).contains(&minute);
                if traded {
                    let close = 10.0 + f64::from(minute * 7 % 11) / 100.0;
                    csv += &format!(
                        "{symbol},{day} {:02}:{:02}:00,{close},{close},{close},{close},100\n",
                        minute / 60,
                        minute % 60
                    );
                }
            }
        }
    }
    project.write("bars.csv", csv);
    project.write("rules.toml", "[[rule]]\nid = \"gap\"\ncheck = \"gap\"\n");
    let job = JOB.replace("\"1d\"", "\"1m\"").replace(
        "calendar = \"weekdays\"",
        "calendar = \"XSHG\"\ntime = { field = \"time\", formats = [\"%Y-%m-%d %H:%M:%S\"], label = \"end\" }",
    );
    project.write("job.toml", &job);
    let (found, _) = outcome(&project);
    assert_eq!(found.len(), 4, "two gaps of each: {found:?}");
    let document = fs::read_to_string(package().join("docs/facts.md")).unwrap();
    let (_, section) = document.split_once("## `suspensions`").unwrap();
    let halts = section.split("```csv\n").nth(2).unwrap().split("```").next().unwrap();
    project.write("halts.csv", halts);
    project.write("job.toml", format!("{job}[facts]\nsuspensions = \"halts.csv\"\n"));
    let (found, excused) = outcome(&project);
    assert_eq!(found, Vec::<String>::new());
    let bars = 2 * (15 + 210);
    assert_eq!(excused, serde_json::json!({ "gap": { "suspended": { "findings": 4, "bars": bars } } }));
}

#[test]
fn ndjson_and_parquet_say_the_same() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray};

    let project = Project::empty();
    project.write("bars.csv", of_document());
    project.write("rules.toml", RULES);
    let excused = |project: &Project, file: &str| {
        project.write("job.toml", format!("{JOB}[facts]\nsuspensions = \"{file}\"\n"));
        outcome(project).1
    };
    project.write("a.ndjson", "{\"symbol\":\"HALTED\",\"from\":\"2024-01-04\",\"until\":\"2024-01-09\"}\n");
    let day = |text: &str| Some(date(text).to_epoch_days());
    let columns: [(&str, ArrayRef); 3] = [
        ("symbol", Arc::new(StringArray::from(vec!["HALTED"]))),
        ("from", Arc::new(Date32Array::from(vec![day("2024-01-04")]))),
        ("until", Arc::new(Date32Array::from(vec![day("2024-01-09")]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    support::write_parquet(&project.path("a.parquet"), &batch, 1);
    let expected = serde_json::json!({ "gap": { "suspended": { "findings": 1, "bars": 3 } } });
    assert_eq!((excused(&project, "a.ndjson"), excused(&project, "a.parquet")), (expected.clone(), expected));
}

#[test]
fn mistakes_of_all_files_are_reported_before_a_bar_is_read() {
    let project = Project::empty();
    project.write("rules.toml", RULES);
    let facts = "[facts]\nsuspensions = [\"s.csv\", \"none.csv\"]\nlistings = \"l.ndjson\"\nexceptions = \"e.csv\"\noutages = \"o.xlsx\"\n";
    project.write("job.toml", format!("{JOB}{facts}"));
    project.write("s.csv", "symbol,from,until\nA,2024-01-08,2024-01-04\n");
    project.write("l.ndjson", "{\"symbol\":\"A\",\"from\":\"yesterday\",\"until\":null}\n");
    project.write("e.csv", "symbol,rule,from,until,why\nA,gaps,,,x\n");
    project.write("o.xlsx", "");
    project.call(&["check", "job.toml"]).exits(2).says(&[
        "there is no file `none.csv`",
        "s.csv:2:14",
        "`until` is not after `from`",
        "l.ndjson:1:1",
        "`yesterday` is not a date or time",
        "`o.xlsx` cannot be read: a file of facts ends in .csv",
    ]);
    project.write("job.toml", format!("{JOB}[facts]\nexceptions = \"e.csv\"\n"));
    project.call(&["check", "job.toml"]).exits(2).says(&["e.csv:2:3", "did you mean `gap`?"]);
}

#[test]
fn what_is_odd_is_a_warning_and_the_run_goes_on() {
    let project = Project::empty();
    project.write("bars.csv", of_document());
    project.write("rules.toml", RULES);
    project.write("job.toml", format!("{JOB}[facts]\nsuspensions = \"s.csv\"\n"));
    let rows = (0..7).map(|number| format!("X{number},2024-01-04,2024-01-05,a\n")).collect::<String>();
    project.write("s.csv", format!("symbol,from,until,name\nHALTED,2024-01-04,2024-01-09,a\n{rows}"));
    project.call(&["check", "job.toml"]).exits(1).says(&[
        "warning: s.csv:1:19: columns that `suspensions` does not use: `name`",
        "warning: no series has 7 of the 8 symbols that facts name: `X0`, `X1`, `X2`, `X3`, `X4`, …",
    ]);
}

#[test]
fn a_rule_that_exempts_nothing_reports_every_cause() {
    let project = Project::empty();
    project.write("bars.csv", of_document());
    project.write("rules.toml", "[[rule]]\nid = \"gap\"\ncheck = \"gap\"\nexempt = []\n");
    project.write("job.toml", format!("{JOB}[facts]\nsuspensions = \"s.csv\"\n"));
    project.write("s.csv", "symbol,from,until\nHALTED,2024-01-04,2024-01-08\n");
    let (found, excused) = outcome(&project);
    assert_eq!(excused, serde_json::json!({}));
    assert!(found.iter().any(|line| line.contains("HALTED") && line.contains("suspended")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("HALTED") && line.contains("unexplained")), "{found:?}");
    project.write("rules.toml", "[[rule]]\nid = \"gap\"\ncheck = \"gap\"\nexempt = [\"halts\", \"limit-move\"]\n");
    project.call(&["check", "job.toml"]).exits(2).says(&["`exempt` names an unknown fact `halts`", "facts: halted, "]);
}

#[test]
fn bars_that_barkeep_moved_are_no_gap() {
    let project = Project::empty();
    let text = bars("A", &[], 1.0);
    let bad = text.replace("2024-01-17,10.02,10.02,10.02,10.02", "2024-01-17,10.02,10.02,10.02,-1");
    assert_ne!(text, bad);
    project.write("bars.csv", format!("symbol,time,open,high,low,close,volume\n{bad}"));
    project.write("job.toml", JOB);
    let range =
        "\n[[rule]]\nid = \"positive\"\ncheck = \"range\"\nfield = \"close\"\nmin = 0\naction = \"quarantine\"\n";
    project.write("rules.toml", format!("[[rule]]\nid = \"gap\"\ncheck = \"gap\"\n{range}"));
    project.call(&["run", "job.toml"]);
    let (found, excused) = outcome(&project);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(excused, serde_json::json!({ "gap": { "quarantined": { "findings": 1, "bars": 1 } } }));
}
