//! What differs between the findings of two runs: `report diff`, and the choice of a run by job and of findings by time.

use std::fs;

use serde_json::Value;

use crate::cli_support::{BARS, JOB, Project, RULES, filters};

const FAULTY: &str = "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,11,9.5,10.5,0\n\
                      A,2024-01-04,1,2,3,1.5,1\nB,2024-01-02,1,2,3,1.5,1\nB,2024-01-03,1,2,1,1.5,1\nB,2024-01-04,1,2,1,1.5,1\n";
/// The bar of A is right now, and another one of B is wrong.
const LATER: &str = "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,11,9.5,10.5,0\n\
                     A,2024-01-04,1,2,1,1.5,1\nB,2024-01-02,1,2,3,1.5,1\nB,2024-01-03,1,2,3,1.5,1\nB,2024-01-04,1,2,1,1.5,1\n";

fn two_runs() -> Project {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    project.write("bars.csv", LATER);
    project.call(&["check", "job.toml"]).exits(1);
    project
}

fn diff(project: &Project, args: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["report", "diff"].iter().chain(args).chain(&["--format", "json"]).copied().collect();
    project.call(&args).exits(0).json()
}

fn of_rule<'v>(objects: &'v [Value], id: &str) -> &'v Value {
    objects.iter().find(|object| object["type"] == "rule-diff" && object["rule"] == id).unwrap()
}

#[test]
fn findings_are_new_fixed_and_still_there() {
    let _filters = filters();
    let project = two_runs();
    let told = project.call(&["report", "diff"]).exits(0);
    insta::assert_snapshot!(told.out, @r"
    A  [run]   check demo   [age] ago
    B  [run]   check demo   [age] ago

      rule                           new     fixed     still  because
      gap                              0         0         1
      ohlc                             1         1         1  data
      zero-volume                      1         0         0  data

    + error ohlc B 2024-01-03: low 3 is above another price of its bar, 1; broken: high >= low, low <= open, low <= close (bars.csv:5)
    + info  zero-volume A 2024-01-02: volume is 0 although prices moved (bars.csv:2)

    - error ohlc A 2024-01-04: low 3 is above another price of its bar, 1; broken: high >= low, low <= open, low <= close (bars.csv:3)
    ");
    let shown = project.call(&["report", "show"]).exits(0).out;
    let heading: Vec<&str> = shown.lines().skip(1).take(2).collect();
    assert!(heading[0].starts_with("compared with ") && heading[0].ends_with(" before: 2 new, 1 fixed"), "{heading:?}");
    assert_eq!(heading[1], "4 findings in 3 bars; 1 bar is missing");
    let objects = diff(&project, &["latest~1", "latest"]);
    let ohlc = of_rule(&objects, "ohlc");
    assert_eq!((&ohlc["new"], &ohlc["fixed"], &ohlc["still"]), (&1.into(), &1.into(), &1.into()));
    let found: Vec<&Value> = objects.iter().filter(|object| object["type"] == "finding").collect();
    let said: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|found| ["change", "because", "series"].map(|key| found[key].as_str().unwrap()).into())
        .collect();
    assert_eq!(said, [("new", "data", "B"), ("new", "data", "A"), ("fixed", "data", "A")]);
    let back = diff(&project, &["latest", "latest~1"]);
    assert_eq!(of_rule(&back, "ohlc")["new"], 1, "the runs are those that are named, in their order");
}

#[test]
fn what_a_changed_an_added_and_a_removed_rule_found_is_said_to_be_of_the_rule() {
    let project = two_runs();
    let rules =
        RULES.replace("check = \"zero-volume\"\nseverity = \"info\"", "check = \"range\"\nfield = \"close\"\nmax = 10");
    project.write("rules.toml", rules.replace("id = \"gap\"\ncheck = \"gap\"", "id = \"hole\"\ncheck = \"gap\""));
    project.call(&["check", "job.toml"]).exits(1);
    let objects = diff(&project, &[]);
    let said = |id: &str| {
        let rule = of_rule(&objects, id);
        (rule["because"].as_str().unwrap().to_owned(), rule["rule_change"].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(said("zero-volume"), ("rule".into(), "changed".into()));
    assert_eq!(said("hole"), ("rule".into(), "added".into()));
    assert_eq!(said("gap"), ("rule".into(), "removed".into()));
    assert_eq!(said("ohlc"), ("data".into(), "-".into()));
    let shown = project.call(&["report", "diff"]).exits(0).out;
    for line in ["rule added", "rule removed", "rule changed"] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[test]
fn where_a_run_did_not_look_nothing_is_fixed() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    project.call(&["check", "job.toml", "--series", "A"]).exits(1);
    let ohlc = |objects: &[Value]| {
        let rule = of_rule(objects, "ohlc");
        ["new", "fixed", "still", "not_compared"].map(|key| rule[key].as_u64().unwrap())
    };
    assert_eq!(ohlc(&diff(&project, &[])), [0, 0, 1, 1]);
    project.call(&["check", "job.toml", "--since", "2024-01-03", "--until", "2024-01-05"]).exits(1);
    assert_eq!(ohlc(&diff(&project, &["latest~2", "latest"])), [0, 0, 1, 1]);
    let text = project.call(&["report", "diff", "latest~2"]).exits(0).out;
    assert!(text.contains("1 more lie where the other run did not look"), "{text}");
}

#[test]
fn runs_that_cannot_be_compared_say_why() {
    let project = Project::new(BARS);
    project.call(&["report", "diff"]).exits(2).says(&["no run in `reports` yet"]);
    project.call(&["check", "job.toml"]).exits(0);
    project.call(&["report", "diff"]).exits(2).says(&["is the first of job `demo`"]);
    project.call(&["report", "diff", "2099"]).exits(2).says(&["there is no run `2099`"]);
    project.write("other.toml", JOB.replace("\"demo\"", "\"other\""));
    project.call(&["check", "other.toml"]).exits(0);
    project.call(&["report", "diff", "latest~1", "latest"]).exits(2).says(&[
        "of job `demo`",
        "of job `other`",
        "compare runs of one job",
    ]);
    fs::remove_file(project.path("bars.csv")).unwrap();
    project.call(&["check", "job.toml"]).exits(3);
    project.call(&["report", "diff", "--job", "demo"]).exits(2).says(&["broke off before it had all of its findings"]);
    project.call(&["report", "diff", "--job", "nope"]).exits(2).says(&["no run of job `nope`", "demo, other"]);
}

#[test]
fn a_run_is_chosen_by_its_job_and_findings_by_their_time() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    project.write("other.toml", JOB.replace("\"demo\"", "\"other\""));
    project.call(&["check", "other.toml"]).exits(1);
    let job = |args: &[&str]| project.call(args).exits(0).json().swap_remove(0)["job"].clone();
    assert_eq!(job(&["report", "show", "--format", "json"]), "other");
    assert_eq!(job(&["report", "show", "--job", "demo", "--format", "json"]), "demo");
    project
        .call(&["report", "show", "--job", "demo", "latest~1"])
        .exits(2)
        .says(&["reaches back too far: there is 1 run"]);
    let times = |since: &str| -> Vec<String> {
        let objects = project.call(&["report", "show", "--since", since, "--format", "json"]).exits(0).json();
        let times = objects.iter().filter_map(|object| Some(object.get("time")?.as_str()?[..10].to_owned()));
        times.collect()
    };
    assert_eq!(times("2024-01-03"), ["2024-01-04", "2024-01-03"]);
    assert_eq!(times("2024-01-02T00:00:00Z").len(), 3);
    project.call(&["report", "show", "--since", "soon"]).exits(2).says(&["--since: `soon` is not a date or time"]);
}

#[test]
fn reports_of_a_newer_barkeep_are_named_so() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    let summary = project.files("reports").into_iter().find(|path| path.ends_with("summary.json")).unwrap();
    let text = fs::read_to_string(&summary).unwrap();
    let text = text.replacen("\"schema_version\": 1", "\"schema_version\": 99", 1).replacen(
        "\"schema_version\":1",
        "\"schema_version\":99",
        1,
    );
    fs::write(&summary, text.replace("\"verdict\"", "\"judgement\"")).unwrap();
    for args in [&["report", "show"][..], &["report", "diff", "latest", "latest"]] {
        project.call(args).exits(3).says(&["was written by barkeep", "with tables of version 99"]);
    }
    let overview = project.call(&["report"]).exits(0);
    assert!(overview.out.contains("with tables of version 99"), "{}", overview.out);
    fs::write(&summary, "{ \"schema_version\": 1, ").unwrap();
    let overview = project.call(&["report"]).exits(0);
    assert!(overview.out.contains("cannot read `reports/pages/"), "{}", overview.out);
}
