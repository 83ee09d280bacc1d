//! Rules tried over the bars of a job: `rules backtest` and `rules diff`. Bars are quiet, with spikes of known size.

use std::fs;

use chrono::{Datelike, NaiveDate, Weekday};
use serde_json::{Value, json};

use crate::cli_support::Project;
use crate::support::package;

const JOB: &str = r#"name = "demo"
rules = "rules.toml"
source.files.path = "bars.csv"
report.dir = "reports"

[bars]
series = "symbol"
interval = "1d"
time = { field = "date" }
"#;

const RULES: &str = r#"[[rule]]
id = "close-outlier"
check = "outlier"
field = "close"
limit = 8.0

[[rule]]
id = "cheap"
check = "range"
field = "close"
max = 1000.0
"#;

/// Closes near 100 on 80 weekdays of two series, but for some days. The scale of such bars is the floor, 0.005, so that a
/// price of 105 is ln(105/100)/0.005 = 9.8 scales away; 103 is 5.9, 107 13.5, 110 19.1 and 130 52.5.
fn bars() -> String {
    let series = [
        ("A", "2023-10-02", [(20, "103.00"), (40, "105.00"), (60, "107.00")].as_slice()),
        ("BRK/B", "2024-01-01", [(30, "110.00"), (51, "130.00")].as_slice()),
    ];
    let mut csv = "symbol,date,close\n".to_owned();
    for (symbol, first, spikes) in series {
        let days = first.parse::<NaiveDate>().unwrap().iter_days();
        let days = days.filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
        for (number, day) in days.take(80).enumerate() {
            let quiet = format!("100.0{}", number % 3);
            let close = spikes.iter().find(|(place, _)| *place == number).map_or(quiet.as_str(), |(_, close)| *close);
            csv.push_str(&format!("{symbol},{day},{close}\n"));
        }
    }
    csv
}

fn project() -> Project {
    let project = Project::empty();
    project.write("job.toml", JOB);
    project.write("rules.toml", RULES);
    project.write("bars.csv", bars());
    project
}

fn backtest(project: &Project, args: &[&str]) -> Value {
    let args: Vec<&str> = ["rules", "backtest"].iter().chain(args).chain(&["--format", "json"]).copied().collect();
    project.call(&args).exits(0).json().swap_remove(0)
}

/// Threshold and findings.
fn at_thresholds(tested: &Value) -> Vec<(f64, u64)> {
    let values = tested["thresholds"]["values"].as_array().unwrap();
    values.iter().map(|at| (at["value"].as_f64().unwrap(), at["findings"].as_u64().unwrap())).collect()
}

#[test]
fn a_rule_finds_what_is_there_at_every_threshold() {
    let tested = backtest(&project(), &["close-outlier", "job.toml"]);
    assert_eq!(
        (&tested["rows_read"], &tested["rows_evaluated"], &tested["findings"]),
        (&160.into(), &160.into(), &4.into())
    );
    let years = json!([
        { "series": "A", "year": 2023, "findings": 2 },
        { "series": "BRK/B", "year": 2024, "findings": 2 },
    ]);
    assert_eq!(tested["by_year"], years);
    let expected =
        [(4.0, 5), (4.8, 5), (5.6, 5), (6.4, 4), (7.2, 4), (8.0, 4), (8.8, 4), (10.0, 3), (12.0, 3), (16.0, 2)];
    assert_eq!(at_thresholds(&tested), expected);
    assert_eq!((&tested["thresholds"]["key"], &tested["thresholds"]["present"]), (&"limit".into(), &8.0.into()));
}

#[test]
fn every_threshold_finds_what_a_check_with_it_finds() {
    let project = project();
    let tested = backtest(&project, &["close-outlier", "job.toml"]);
    for (limit, findings) in at_thresholds(&tested) {
        project.write("rules.toml", RULES.replace("limit = 8.0", &format!("limit = {limit}")));
        project.call(&["check", "job.toml", "--no-report", "--format", "json"]);
        let checked = project.call(&["check", "job.toml", "--no-report", "--format", "json"]).json().swap_remove(0);
        assert_eq!(checked["rules"][0]["findings"].as_u64(), Some(findings), "limit {limit}");
    }
}

#[test]
fn values_series_and_windows_are_those_that_are_asked_for() {
    let project = project();
    let findings = |args: &[&str]| {
        let args: Vec<&str> = ["close-outlier", "job.toml"].iter().chain(args).copied().collect();
        backtest(&project, &args)["findings"].as_u64().unwrap()
    };
    assert_eq!(findings(&["--set", "limit=12"]), 3);
    assert_eq!(findings(&["--set", "limit=12", "--set", "where=symbol = 'A'"]), 1);
    assert_eq!(findings(&["--series", "BRK/B"]), 2);
    assert_eq!(findings(&["--until", "2024-01-01"]), 2);
    assert_eq!(findings(&["--since", "2024-01-01"]), 2);
    project.write(
        "job.toml",
        format!("{JOB}[tune.close-outlier]\nlimit = 20\n[tune.close-outlier.symbol.A]\nlimit = 5\n"),
    );
    let tested = backtest(&project, &["close-outlier", "job.toml"]);
    assert_eq!((&tested["thresholds"]["present"], &tested["findings"]), (&20.0.into(), &4.into()));
    assert_eq!(tested["thresholds"]["symbols_with_own_values"], json!(["A"]));
    assert_eq!(at_thresholds(&tested)[..2], [(10.0, 5), (12.0, 5)], "A keeps its own limit");
    assert_eq!(findings(&["--set", "limit=60"]), 3, "over the value of the job");
    assert!(!project.path("reports").exists(), "nothing is written");
}

#[test]
fn a_rule_file_outside_of_the_job_is_tried_as_it_is_written() {
    let project = project();
    project.write("new/more.toml", RULES.replace("limit = 8.0", "limit = 15.0"));
    assert_eq!(backtest(&project, &["new/more.toml#close-outlier", "job.toml"])["findings"], 2);
    let several = project.call(&["rules", "backtest", "new/more.toml", "job.toml"]).exits(2);
    several.says(&["`new/more.toml` has 2 rules: which is meant?", "write `new/more.toml#ID`"]);
    project.write("new/one.toml", RULES.split("[[rule]]\nid = \"cheap\"").next().unwrap());
    assert_eq!(backtest(&project, &["new/one.toml", "job.toml"])["findings"], 4);
}

#[test]
fn rows_that_the_job_rejects_are_not_seen_as_in_a_check() {
    let project = project();
    // The first price is absurd, and rejected by `cheap` before rules about series see it.
    project.write("bars.csv", bars().replacen("A,2023-10-16,100.0", "A,2023-10-16,9000.0", 1));
    let checked = project.call(&["check", "job.toml", "--no-report", "--format", "json"]).json().swap_remove(0);
    let of_check: Vec<_> = checked["rules"].as_array().unwrap().iter().map(|rule| rule["findings"].clone()).collect();
    assert_eq!((&of_check[0], &of_check[1]), (&4.into(), &1.into()), "{checked}");
    let tested = backtest(&project, &["close-outlier", "job.toml"]);
    assert_eq!((&tested["findings"], &tested["rows_evaluated"]), (&4.into(), &159.into()));
    project.edit("rules.toml", "max = 1000.0", "max = 1000.0\nseverity = \"warn\"");
    assert_eq!(backtest(&project, &["close-outlier", "job.toml"])["findings"], 5, "nothing rejects the row any more");
}

#[test]
fn labels_say_how_many_findings_are_right_and_which_are_missed() {
    let project = project();
    project.call(&["check", "job.toml"]).exits(1);
    let label =
        |pattern: &str, verdict: &str| project.call(&["label", "job.toml", pattern, verdict, "--why", "x"]).exits(0);
    label("rule=close-outlier,series=A", "fine");
    label("rule=close-outlier,series=BRK/B", "bad");
    label("rule=close-outlier,time=2023-11-27", "known");
    // Whatever has more keys is meant: of 2023-11-27 both say as much, and the one with a window says more.
    let tested = backtest(&project, &["close-outlier", "job.toml", "--set", "limit=8"]);
    let labels = &tested["labels"];
    assert_eq!(labels["findings"], json!({ "known": 1, "fine": 1, "bad": 2 }));
    assert_eq!((&labels["unlabelled"], &labels["bad_not_found"]), (&0.into(), &json!([])));
    let of = |at: &Value| at["labelled"].clone();
    let last = tested["thresholds"]["values"].as_array().unwrap().last().unwrap();
    assert_eq!(of(last), json!({ "known": 0, "fine": 0, "bad": 2 }));
    let tested = backtest(&project, &["close-outlier", "job.toml", "--set", "limit=30"]);
    let missed = &tested["labels"]["bad_not_found"];
    assert_eq!(
        (missed.as_array().unwrap().len(), &missed[0]["series"], &missed[0]["time"]),
        (1, &"BRK/B".into(), &"2024-02-12".into())
    );
    let outside = backtest(&project, &["close-outlier", "job.toml", "--set", "limit=30", "--until", "2024-01-01"]);
    assert_eq!(outside["labels"]["bad_not_found"], json!([]), "what lies outside of the window is not missed");
    project.edit("labels.toml", "verdict = \"bad\"", "verdict = \"bad\"\nexpires = 2020-01-01");
    let expired = backtest(&project, &["close-outlier", "job.toml"]);
    assert_eq!((&expired["labels"]["findings"]["bad"], &expired["labels"]["unlabelled"]), (&0.into(), &2.into()));
}

#[test]
fn mistakes_are_named_and_what_evaluates_nothing_says_so() {
    let project = project();
    let wrong = |args: &[&str], texts: &[&str]| {
        let args: Vec<&str> = ["rules", "backtest"].iter().chain(args).copied().collect();
        project.call(&args).exits(2).says(texts);
    };
    wrong(&["close-outler", "job.toml"], &["the job has no rule `close-outler`", "did you mean `close-outlier`?"]);
    wrong(&["rules.toml#cheep", "job.toml"], &["`rules.toml` has no rule `cheep`", "did you mean `cheap`?"]);
    wrong(&["none.toml", "job.toml"], &["cannot read `none.toml`"]);
    wrong(&["close-outlier", "job.toml", "--set", "limi=3"], &["--> --set:2:1", "did you mean `limit`?"]);
    wrong(&["close-outlier", "job.toml", "--set", "limit=high"], &["--> --set:2:9"]);
    wrong(&["close-outlier", "job.toml", "--set", "id=x"], &["`id` cannot be tuned"]);
    wrong(&["close-outlier", "job.toml", "--set", "limit"], &["--set limit: there is no `=`"]);
    let idle = project.call(&["rules", "backtest", "close-outlier", "job.toml", "--set", "where=close > 500"]).exits(0);
    assert!(idle.out.contains("nothing was evaluated"), "{}", idle.out);
    project
        .call(&["rules", "backtest", "close-outlier", "job.toml", "--series", "Z"])
        .exits(3)
        .says(&["look at `--series`"]);
    project.call(&["rules", "diff", "job", "none", "job.toml"]).exits(2).says(&["the job has no rule `none`"]);
    project.call(&["rules", "diff", "job", "tmp", "job.toml"]).exits(2).says(&["`tmp` has no rules"]);
}

#[test]
fn two_limits_differ_by_the_bars_that_only_one_of_them_flags() {
    let project = project();
    project.write("new/rules.toml", RULES.replace("limit = 8.0", "limit = 12.0\nwhere = \"close > 1\""));
    project.write("new/more.toml", "[[rule]]\nid = \"above\"\ncheck = \"range\"\nfield = \"close\"\nmax = 120.0\n");
    insta::assert_snapshot!(project.call(&["rules", "diff", "job", "new", "job.toml"]).exits(0).out, @r"
    A job, B new over demo: 160 rows of 2 series

      rule                                only A    only B      both
      cheap                                    0         0         0
      close-outlier                            1         0         3
          limit 8.0 → 12.0
          where (not written) → close > 1
          only A: A 2023-11-27 close
      above                                    0         1         0
          only B: BRK/B 2024-03-12 close
          A has no such rule
    ");
    let args = ["rules", "diff", "close-outlier", "new/more.toml", "job.toml", "--format", "json"];
    let pair = project.call(&args).exits(0).json().swap_remove(0);
    assert_eq!(
        (&pair["rule"], &pair["only_a"], &pair["only_b"], &pair["both"]),
        (&"close-outlier / above".into(), &3.into(), &0.into(), &1.into())
    );
    assert_eq!(pair["changed"][0], json!({ "key": "check", "a": "outlier", "b": "range" }));
    let same = project.call(&["rules", "diff", "rules", "job", "job.toml", "--format", "json"]).exits(0).json();
    assert!(
        same[..2].iter().all(|rule| rule["only_a"] == 0 && rule["only_b"] == 0 && rule["changed"] == json!([])),
        "{same:?}"
    );
}

/// The commands of the document and what they print, run ids left out.
#[test]
fn the_document_shows_what_is_printed() {
    let text = fs::read_to_string(package().join("docs/trying-rules.md")).unwrap();
    let project = project();
    project.write("new.toml", RULES.replace("limit = 8.0", "limit = 12.0"));
    project.call(&["check", "job.toml"]).exits(1);
    let run = regex::Regex::new(r"\d{8}T\d{6}Z-[0-9a-z]{4}").unwrap();
    let blocks: Vec<&str> = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 4, "{}", blocks.len());
    for block in blocks {
        let (command, wanted) = block.split_once('\n').unwrap();
        let words = command.strip_prefix("$ barkeep ").unwrap();
        let args: Vec<String> = shell_words(words);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let printed = run.replace_all(&project.call(&args).exits(0).out, "RUN").into_owned();
        assert_eq!(printed, wanted, "{command}");
    }
}

/// Words between blanks, with quotes around those that hold some.
fn shell_words(text: &str) -> Vec<String> {
    let parts = text.split('"').enumerate();
    parts
        .flat_map(|(place, part)| match place % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        })
        .collect()
}
