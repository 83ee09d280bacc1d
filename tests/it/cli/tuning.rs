//! Rules of a set, tuned by a job: for all series, for one symbol, and where a field is missing.

use crate::cli_support::Project;

const JOB: &str = r#"name = "demo"
rules = "set.toml"
source.files.path = "bars.csv"
report.dir = "reports"

[bars]
series = "symbol"
interval = "1d"
"#;

const SET: &str = r#"[[rule]]
id = "close-range"
check = "range"
field = "close"
max = 100.0
severity = "error"
why = "no price is above 100"

  [[rule.test]]
  name = "above"
  rows = [{ close = 101.0 }, { close = 99.0 }]
  flag = [0]

[[rule]]
id = "cheap"
check = "sql"
assert = "close < 1000"
"#;

const BARS: &str = "symbol,time,close\nA,2024-01-02,50\nA,2024-01-03,150\nBRK/B,2024-01-02,500\nC,2024-01-02,150\n";

fn project(tune: &str) -> Project {
    let project = Project::empty();
    project.write("job.toml", format!("{JOB}{tune}"));
    project.write("set.toml", SET);
    project.write("bars.csv", BARS);
    project
}

/// Series and value of the findings of the rule `close-range`.
fn found(project: &Project) -> Vec<String> {
    project.call(&["check", "job.toml"]);
    let query = "select series, observed, severity from findings where rule_id = 'close-range' order by series";
    let output = project.call(&["sql", "--format", "json", query]).exits(0);
    let line = |row: serde_json::Value| {
        format!("{} {} {}", row["series"].as_str().unwrap(), row["observed"], row["severity"].as_str().unwrap())
    };
    output.json().into_iter().filter(|row| row["series"].is_string()).map(line).collect()
}

#[test]
fn a_job_sets_values_for_all_series_and_for_one_symbol() {
    assert_eq!(found(&project("")), ["A 150.0 error", "BRK/B 500.0 error", "C 150.0 error"]);
    let all = "[tune.close-range]\nmax = 200.0\nseverity = \"warn\"\n";
    assert_eq!(found(&project(all)), ["BRK/B 500.0 warn"]);
    let one =
        format!("{all}[tune.close-range.symbol.\"BRK/B\"]\nmax = 600.0\n[tune.close-range.symbol.C]\nmax = 120.0\n");
    assert_eq!(found(&project(&one)), ["C 150.0 warn"]);
}

#[test]
fn the_list_says_where_each_value_comes_from() {
    let tuned = project(
        "[tune.close-range]\nseverity = \"warn\"\nmax = 200.0\n[tune.close-range.symbol.\"BRK/B\"]\nmax = 600.0\n",
    );
    insta::assert_snapshot!(tuned.call(&["rules", "list", "job.toml"]).exits(0).out, @r#"
    close-range                  range        warn   report      no price is above 100
        field = "close"                          set.toml
        max = 200.0                              job.toml
        severity = "warn"                        job.toml
        max = 600.0                              job.toml, for BRK/B
    cheap                        sql          error  report
        assert = "close < 1000"                  set.toml
    "#);
    let rules = tuned.call(&["rules", "list", "job.toml", "--format", "ndjson"]).exits(0).json();
    let expected = serde_json::json!({ "key": "max", "value": 600.0, "from": "job", "symbol": "BRK/B" });
    assert_eq!(rules[0]["values"].as_array().and_then(|values| values.last()), Some(&expected));
    assert!(tuned.call(&["rules", "test", "job.toml"]).exits(0).out.ends_with("1 passed, 0 failed\n"));
}

#[test]
fn mistakes_in_values_of_the_job_are_named_at_their_place() {
    let wrong = "[tune.close-range]\nmax = \"high\"\nmaxx = 3\nid = \"x\"\n[tune.close-rang]\nmax = 3.0\n\
                 [tune.cheap]\nassert = \"clsoe < 3\"\n[tune.cheap.symbol.A]\nseverity = \"warn\"\n";
    let output = project(wrong).call(&["rules", "lint", "job.toml"]).exits(2);
    let output = output.says(&[
        "`max` must be a finite number",
        "--> job.toml:10:7",
        "--> job.toml:11:1",
        "did you mean `max`?",
        "`id` cannot be tuned",
        "--> job.toml:12:1",
        "`[tune]` names a rule `close-rang`",
        "did you mean `close-range`?",
        "`severity` is the same for all symbols",
        "--> job.toml:18:1",
    ]);
    assert!(!output.err.contains("set.toml"), "{}", output.err);
    let sql = project("[tune.cheap]\nassert = \"clsoe < 3\"\n").call(&["check", "job.toml"]).exits(2);
    sql.says(&["unknown field `clsoe`", "--> job.toml:10:10", "without = [\"clsoe\"]"]);
    project("tune = 3\n").call(&["rules", "lint", "job.toml"]).exits(2);
    project("[tune]\ncheap = 3\n")
        .call(&["rules", "lint", "job.toml"])
        .exits(2)
        .says(&["`tune.cheap` must be a table"]);
}

#[test]
fn a_rule_is_left_out_where_its_field_is_missing_and_that_is_said() {
    let project = project("");
    let turnover = "\n[[rule]]\nid = \"turnover\"\ncheck = \"range\"\nfield = \"turnover\"\nmax = 9.0\n\n\
                    [[rule]]\nid = \"rate\"\ncheck = \"sql\"\nassert = \"rate < 3\"\n";
    project.write("set.toml", format!("{SET}{turnover}"));
    project.call(&["check", "job.toml"]).exits(2).says(&["rule `turnover` uses a field these bars do not have"]);
    project.edit("set.toml", "max = 9.0", "max = 9.0\noptional = true");
    project.call(&["check", "job.toml"]).exits(2).says(&["unknown field `rate`", "without = [\"rate\"]"]);
    project.edit("set.toml", "\"rate < 3\"", "\"rate < 3\"\noptional = true");
    assert_eq!(project.call(&["check", "job.toml"]).exits(1).value("left_out"), "turnover,rate");
}
