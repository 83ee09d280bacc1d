//! What a person decided about findings: written down by `label`, kept in a file that people write too.

use std::fs;

use crate::cli_support::{JOB, Project};

const RULES: &str =
    "[[rule]]\nid = \"close-range\"\ncheck = \"range\"\nfield = \"close\"\nmax = 100.0\nseverity = \"warn\"\n";
const BARS: &str = "symbol,date,close\nA,2024-01-02,50\nA,2024-01-03,150\nA,2024-01-04,160\nBRK/B,2024-01-03,500\n";

/// A job that has reported three findings.
fn project() -> Project {
    let project = Project::empty();
    project.write("job.toml", JOB);
    project.write("rules.toml", RULES);
    project.write("bars.csv", BARS);
    project.call(&["check", "job.toml"]).exits(0);
    project
}

fn ids(project: &Project) -> Vec<String> {
    let query = "select finding_id from findings order by series, time";
    let rows = project.call(&["sql", "--format", "json", query]).exits(0).json();
    rows.iter().filter_map(|row| row["finding_id"].as_str().map(str::to_owned)).collect()
}

fn labels(project: &Project) -> String {
    fs::read_to_string(project.path("labels.toml")).unwrap()
}

#[test]
fn a_finding_is_labelled_by_the_beginning_of_its_id_and_the_rest_of_the_file_stays() {
    let project = project();
    let first = ids(&project).remove(0);
    let before = "# What the desk decided.\n[[label]] # by hand\nrule   =   'close-range'\nverdict='known'\nwhy='old'\nexpires=2020-01-01";
    project.write("labels.toml", before);
    let args =
        ["label", "job.toml", &first[..10], "fine", "--why", "a \"split\"", "--by", "anna", "--until", "2099-12-31"];
    let output = project.call(&args).exits(0);
    let entry = format!(
        "[[label]]\njob = \"demo\"\nfinding = \"{first}\"\nverdict = \"fine\"\nwhy = \"a \\\"split\\\"\"\nby = \"anna\"\nexpires = 2099-12-31\n"
    );
    assert_eq!(labels(&project), format!("{before}\n\n{entry}"));
    assert!(
        output.out.starts_with("labels.toml:8\n") && output.out.contains("covers 1 of 3 findings of run "),
        "{}",
        output.out
    );
    project.call(&["rules", "lint", "job.toml"]).exits(0);
}

#[test]
fn a_pattern_covers_what_it_matches_and_says_so_in_json() {
    let project = project();
    let covers = |pattern: &str| {
        let output = project.call(&["label", "job.toml", pattern, "bad", "--why", "x", "--format", "json"]).exits(0);
        output.json()[0]["covers"].as_u64().unwrap()
    };
    assert_eq!(covers("rule=close-range"), 3);
    assert_eq!(covers("rule=close-range,series=BRK/B"), 1);
    assert_eq!(covers("series=A,since=2024-01-04"), 1);
    assert_eq!(covers("time=2024-01-03"), 2);
    assert_eq!(covers("field=open"), 0);
    assert_eq!(labels(&project).matches("[[label]]").count(), 5);
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_written() {
    let project = project();
    let why = ["--why", "x"];
    let call = |args: &[&str]| {
        let args: Vec<&str> = ["label", "job.toml"].iter().chain(args).chain(&why).copied().collect();
        project.call(&args).exits(2)
    };
    call(&["rule=close-rang", "bad"]).says(&["the job has no rule `close-rang`", "did you mean `close-range`?"]);
    call(&["rul=close-range", "bad"]).says(&["`rul` is not a key of a pattern", "did you mean `rule`?"]);
    call(&["ffffffffffff", "bad"]).says(&["has an id that begins with `ffffffffffff`"]);
    call(&["rule=close-range", "bad", "--until", "soon"]).says(&["--until: `soon` is not a date"]);
    call(&["rule=close-range,since=2024-02-01,until=2024-01-01", "bad"]).says(&["`until` is not after `since`"]);
    project.call(&["label", "job.toml", "rule=close-range", "bad", "--why", " "]).exits(2).says(&["--why is empty"]);
    assert!(!project.path("labels.toml").exists());
    assert!(!project.path(".labels.toml.lock").exists());
}

#[test]
fn a_contradiction_is_refused_with_the_line_of_the_other_label() {
    let project = project();
    let label = |verdict: &str| project.call(&["label", "job.toml", "rule=close-range", verdict, "--why", "looked at"]);
    label("fine").exits(0);
    let before = labels(&project);
    label("bad").exits(2).says(&["labels.toml:1 says `fine` of the same findings: looked at"]);
    assert_eq!(labels(&project), before);
    project.write("labels.toml", format!("{before}\n{}", before.replace("fine", "bad")));
    let odd = project.call(&["check", "job.toml"]).exits(0);
    odd.says(&["warning: labels.toml:7:1: two labels of the same findings contradict each other"]);
    project.edit("labels.toml", "verdict = \"fine\"", "verdict = \"fine\"\nexpires = 2020-01-01");
    assert!(project.call(&["check", "job.toml"]).exits(0).err.is_empty());
}

#[test]
fn a_label_of_a_finding_that_is_gone_is_named_and_stays() {
    let project = project();
    let first = ids(&project).remove(0);
    project.call(&["label", "job.toml", &first, "bad", "--why", "x"]).exits(0);
    project.edit("bars.csv", "A,2024-01-03,150\n", "A,2024-01-03,51\n");
    project.call(&["check", "job.toml"]).exits(0);
    let output = project.call(&["label", "job.toml", "series=BRK/B", "bad", "--why", "x"]).exits(0);
    output.says(&[&format!("warning: labels.toml:1: the label is about finding {first}"), "does not have"]);
    assert!(labels(&project).contains(&first));
}

#[test]
fn the_job_says_where_its_labels_are_and_a_file_of_its_own_must_be_there() {
    let project = project();
    project.edit("job.toml", "name = \"demo\"\n", "name = \"demo\"\nlabels = \"decided/all.toml\"\n");
    let missing = project.call(&["check", "job.toml"]).exits(2);
    missing.says(&["there is no file `decided/all.toml`", "--> job.toml:2:10"]);
    project.write("decided/all.toml", "[[label]]\nrule = \"close-rang\"\nverdict = \"fine\"\nwhy = \"x\"\n");
    let warned = project.call(&["check", "job.toml"]).exits(0);
    warned.says(&[
        "warning: decided/all.toml:2:8",
        "the job `demo` has none of that id",
        "did you mean `close-range`?",
    ]);
    project.call(&["label", "job.toml", "series=A", "fine", "--why", "x"]).exits(0);
    assert!(fs::read_to_string(project.path("decided/all.toml")).unwrap().contains("series = \"A\""));
}

#[test]
fn the_words_of_a_person_are_no_variables() {
    let project = project();
    let why = "costs $5, see ${TICKET} and $$";
    project.call(&["label", "job.toml", "series=A", "fine", "--why", why, "--by", "${USER"]).exits(0);
    let contradicted = project.call(&["label", "job.toml", "series=A", "bad", "--why", "x"]).exits(2);
    contradicted.says(&[why]);
    project.call(&["check", "job.toml"]).exits(0);
}
