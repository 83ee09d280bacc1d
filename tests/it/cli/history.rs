//! `history`: a run is compared with those of the job before by what their reports say.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli_support::{Project, Told};

/// Forty bars of each of `symbols` symbols; of `bad` of them the high is below the low.
fn bars(symbols: u32, bad: u32) -> String {
    let mut text = "symbol,date,open,high,low,close,volume\n".to_owned();
    let first = chrono::NaiveDate::from_ymd_opt(2023, 1, 2).unwrap();
    for n in 0..symbols * 40 {
        let (day, high) = (first + chrono::TimeDelta::days(i64::from(n % 40)), if n < bad { 1 } else { 11 });
        writeln!(text, "S{},{day},10,{high},9.5,10.5,{}", n / 40, 1000 + n).unwrap();
    }
    text
}

fn project() -> Project {
    let project = Project::new(bars(5, 0));
    project.edit("job.toml", "calendar = \"XNYS\"\n", "");
    let rules = "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n\n\
                 [[rule]]\nid = \"usual\"\ncheck = \"history\"\nleast = 3\nseverity = \"warn\"\n";
    project.write("rules.toml", rules);
    project
}

/// What the rule evaluated of the run, and what not for want of runs.
fn evaluated(told: &Told) -> (Option<u64>, Option<u64>) {
    let summary = told.json().remove(0);
    let rule = summary["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "usual").unwrap().clone();
    (rule["evaluated"].as_u64(), rule["insufficient"].as_u64())
}

#[test]
fn a_run_far_from_those_before_is_found_once_there_are_enough() {
    let project = project();
    let check = |code: i32| project.call(&["check", "job.toml", "--format", "json"]).exits(code);
    for run in 0..3 {
        assert_eq!(evaluated(&check(0)).0, Some(0), "run {run}");
    }
    // Rows, series, NULL prices, NULL volumes, findings of two rules.
    assert_eq!(evaluated(&check(0)), (Some(6), Some(0)));
    assert_eq!(project.findings(), Vec::<String>::new());

    project.write("bars.csv", bars(2, 0));
    let told = project.call(&["check", "job.toml"]).exits(0);
    assert_eq!(told.value("verdict"), "WARN");
    let runs: Vec<String> = project.runs().into_iter().map(|(run, ..)| run).collect();
    assert_eq!(project.findings(), ["usual rows fewer"]);
    let sentence = format!(
        "rows 80, less than the usual 115 at least: the median of 4 runs from {} to {} is 200",
        runs[0], runs[3]
    );
    let shown = project.call(&["report", "show"]).exits(0).out;
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&shown).contains(&sentence), "{shown}");
    // Many findings of a rule, too; this run over 80 rows is one of those before now, and the median stays.
    project.write("bars.csv", bars(5, 30));
    check(1);
    assert!(project.findings().contains(&"usual findings of ohlc more".to_owned()), "{:?}", project.findings());
}

#[test]
fn runs_over_other_windows_or_some_series_are_not_compared() {
    let project = project();
    for _ in 0..4 {
        project.call(&["check", "job.toml"]).exits(0);
    }
    let json =
        |more: &[&str]| evaluated(&project.call(&[&["check", "job.toml", "--format", "json"], more].concat()).exits(0));
    assert_eq!(json(&["--since", "2023-02-01", "--until", "2023-02-10"]).0, Some(0));
    assert_eq!(json(&["--series", "S1"]), (Some(0), Some(0)));
    // Windows of one length are compared with each other.
    for (since, until) in [("2023-01-03", "2023-01-12"), ("2023-01-05", "2023-01-14")] {
        json(&["--since", since, "--until", until]);
    }
    assert_eq!(json(&["--since", "2023-01-10", "--until", "2023-01-19"]).0, Some(6));
}

#[test]
fn every_rule_says_how_long_it_took() {
    #[derive(serde::Deserialize)]
    struct Row {
        rule_id: String,
        seconds: Option<f64>,
    }
    let project = project();
    project.call(&["check", "job.toml"]).exits(0);
    let rows: Vec<Row> = crate::support::table(&project.path("reports"), "rule_results");
    let ohlc = rows.iter().find(|row| row.rule_id == "ohlc").unwrap().seconds.unwrap();
    assert!(ohlc > 0.0 && ohlc < 60.0, "{ohlc}");
    let totals: Vec<Value> = crate::support::table(&project.path("reports"), "runs");
    assert_eq!((totals[0]["null_prices"].as_i64(), totals[0]["null_volumes"].as_i64()), (Some(0), Some(0)));
    assert!(totals[0]["bytes_read"].as_i64() > Some(0) && totals[0]["seconds_check"].as_f64() > Some(0.0));
}
