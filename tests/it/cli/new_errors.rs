//! What a run ends with 1 for, night after night, with `fail_on = "new"` and with labels.

use std::fs;

use crate::cli_support::{JOB, Project, Told};

/// Closes over 100 are errors, and no row is moved.
const RULES: &str = "[[rule]]\nid = \"close-range\"\ncheck = \"range\"\nfield = \"close\"\nmax = 100.0\n";
const BARS: &str = "symbol,date,close\nA,2024-01-02,50\nA,2024-01-03,150\nA,2024-01-04,60\nB,2024-01-03,70\n";

fn project(more: &str) -> Project {
    let project = Project::empty();
    project.write("job.toml", format!("{more}{JOB}"));
    project.write("rules.toml", RULES);
    project.write("bars.csv", BARS);
    project
}

/// A night of a job that fails on new errors only.
fn night(project: &Project) -> Told {
    project.call(&["run", "job.toml", "--fail-on", "new"])
}

fn column(project: &Project, query: &str) -> Vec<String> {
    let rows = project.call(&["sql", "--format", "json", query]).exits(0).json();
    let text = |row: &serde_json::Value| row["it"].as_str().map_or_else(|| row["it"].to_string(), str::to_owned);
    rows.iter().map(text).collect()
}

#[test]
fn a_finding_is_red_in_the_night_it_comes_and_known_from_then_on() {
    let project = project("");
    assert_eq!(night(&project).exits(1).value("new_errors"), "1");
    let second = night(&project).exits(0);
    assert_eq!(
        ["verdict", "status", "errors", "new", "new_errors"].map(|key| second.value(key)),
        ["WARN", "ok", "1", "0", "0"]
    );
    project.edit("bars.csv", "B,2024-01-03,70", "B,2024-01-03,170");
    let third = night(&project).exits(1);
    assert_eq!(["verdict", "errors", "new", "new_errors"].map(|key| third.value(key)), ["FAIL", "2", "1", "1"]);
    assert_eq!(night(&project).exits(0).value("new_errors"), "0");
    project.call(&["run", "job.toml", "--fail-on", "error"]).exits(1);
}

#[test]
fn the_job_says_what_it_fails_on_and_the_flag_goes_before_it() {
    let project = project("fail_on = \"new\"\n");
    project.call(&["run", "job.toml"]).exits(1);
    project.call(&["run", "job.toml"]).exits(0);
    project.call(&["check", "job.toml"]).exits(0);
    project.call(&["check", "job.toml", "--fail-on", "error"]).exits(1);
    project.call(&["check", "job.toml", "--rule", "close-range"]).exits(1);
    project.edit("job.toml", "\"new\"", "\"news\"");
    let wrong = project.call(&["check", "job.toml"]).exits(2);
    wrong.says(&["job.toml:1:11", "did you mean `new`?"]);
}

#[test]
fn a_labelled_finding_keeps_a_nightly_job_green_whatever_it_fails_on() {
    for fail_on in ["new", "error", "warn"] {
        let project = project(&format!("fail_on = \"{fail_on}\"\n"));
        project.call(&["run", "job.toml"]).exits(1);
        let id = column(&project, "select finding_id as it from findings").remove(0);
        project.call(&["label", "job.toml", &id[..8], "known", "--why", "the vendor repairs it"]).exits(0);
        for _ in 0..5 {
            let output = project.call(&["run", "job.toml"]).exits(0);
            assert_eq!(
                ["verdict", "status", "errors", "labelled"].map(|key| output.value(key)),
                ["OK", "ok", "1", "1"],
                "{fail_on}: the finding is shown, and counted as labelled"
            );
            assert!(output.err.is_empty(), "{}", output.err);
        }
        let labels = "select label as it from findings order by run_id";
        assert_eq!(column(&project, labels), ["null", "known", "known", "known", "known", "known"]);
        let status = "select status as it from rule_results where rule_id = 'close-range' order by run_id limit 2";
        assert_eq!(column(&project, status), ["fail", "known"]);
        let json = project.call(&["run", "job.toml", "--format", "json"]).exits(0).json().remove(0);
        assert_eq!((&json["labelled"]["known"], &json["new_errors"]), (&1.into(), &0.into()));
        project.edit("bars.csv", "A,2024-01-04,60", "A,2024-01-04,160");
        assert_eq!(project.call(&["run", "job.toml"]).exits(1).value("labelled"), "1", "another finding is red");
    }
}

#[test]
fn a_label_that_expired_makes_its_finding_news_once() {
    let project = project("fail_on = \"new\"\n");
    project.call(&["run", "job.toml"]).exits(1);
    let label = |until: &str| {
        format!("[[label]]\nrule = \"close-range\"\nverdict = \"fine\"\nwhy = \"a split\"\nexpires = {until}\n")
    };
    project.write("labels.toml", label("2024-06-30"));
    let on = |day: &str| project.call(&["run", "job.toml", "--as-of", day]);
    assert_eq!(on("2024-06-29").exits(0).value("labelled"), "1");
    assert_eq!(on("2024-06-30").exits(0).value("labelled"), "1");
    let expired = on("2024-07-01").exits(1);
    assert_eq!(["verdict", "new", "new_errors"].map(|key| expired.value(key)), ["FAIL", "0", "1"]);
    assert_eq!(on("2024-07-02").exits(0).value("new_errors"), "0");
    project.call(&["run", "job.toml", "--as-of", "2024-07-02", "--fail-on", "error"]).exits(1);
}

#[test]
fn a_label_counts_for_findings_before_the_part_that_a_night_looks_at() {
    let project = project("fail_on = \"new\"\n");
    project.edit("job.toml", "[bars]", "[window]\nlookback = \"1d\"\n[bars]");
    let on = |day: &str| project.call(&["run", "job.toml", "--as-of", day]);
    on("2024-01-05").exits(1);
    assert_eq!(on("2024-01-06").exits(0).value("rows"), "1", "the bad bar is before the window");
    let label = "[[label]]\nrule = \"close-range\"\nverdict = \"fine\"\nwhy = \"a split\"\nexpires = 2024-01-07\n";
    project.write("labels.toml", label);
    let labelled = on("2024-01-07").exits(0).says(&["the labels changed, or one expired since run", "all bars"]);
    assert_eq!(labelled.value("labelled"), "1");
    assert_eq!(on("2024-01-08").exits(1).says(&["the labels changed, or one expired"]).value("new_errors"), "1");
}

#[test]
fn patterns_mute_what_they_are_about_and_bad_mutes_nothing() {
    let project = project("");
    project.edit("bars.csv", "B,2024-01-03,70", "B,2024-01-03,170");
    let label = |pattern: &str, verdict: &str| {
        project.write("labels.toml", format!("[[label]]\n{pattern}\nverdict = \"{verdict}\"\nwhy = \"x\"\n"));
        project.call(&["check", "job.toml"])
    };
    assert_eq!(label("rule = \"close-range\"", "fine").exits(0).value("labelled"), "2");
    assert_eq!(label("series = \"A\"", "fine").exits(1).value("labelled"), "1");
    assert_eq!(label("time = 2024-01-03\nfield = \"close\"", "known").exits(0).value("labelled"), "2");
    let bad = label("rule = \"close-range\"", "bad").exits(1);
    assert!(!bad.out.contains("labelled="), "{}", bad.out);
    assert_eq!(column(&project, "select distinct label as it from findings where label = 'bad'"), ["bad"]);
}

#[test]
fn labels_that_contradict_each_other_are_named_and_the_later_counts() {
    let project = project("");
    let label = |verdict: &str| format!("[[label]]\nrule = \"close-range\"\nverdict = \"{verdict}\"\nwhy = \"x\"\n");
    project.write("labels.toml", label("fine") + &label("bad"));
    let output = project.call(&["check", "job.toml"]).exits(1);
    output.says(&["warning: labels.toml:5:1", "`fine` in line 1 and `bad` in line 5", "that in line 5 counts"]);
    project.write("labels.toml", label("bad") + &label("fine"));
    project.call(&["check", "job.toml"]).exits(0).says(&["that in line 5 counts"]);
    project.call(&["rules", "lint", "job.toml"]).exits(2).says(&["labels.toml:5:1"]);
}

#[test]
fn a_label_of_a_finding_that_is_gone_is_named_by_a_run_over_all_data() {
    let project = project("");
    project.call(&["check", "job.toml"]).exits(1);
    let id = column(&project, "select finding_id as it from findings").remove(0);
    project.call(&["label", "job.toml", &id, "fine", "--why", "x"]).exits(0);
    project.edit("bars.csv", "150", "50");
    let output = project.call(&["check", "job.toml"]).exits(0);
    output.says(&[&format!("warning: labels.toml:1: the label is about finding {id}, which is not there any more")]);
    assert!(project.call(&["check", "job.toml", "--since", "2024-01-04"]).exits(0).err.is_empty());
    project.edit("labels.toml", "fine", "bad");
    assert!(project.call(&["check", "job.toml"]).exits(0).err.is_empty(), "what was right about a bad bar may be gone");
}

#[test]
fn mistakes_in_a_file_of_labels_are_named_with_line_and_column() {
    let project = project("");
    let wrong = |text: &str, says: &[&str]| {
        project.write("labels.toml", text);
        project.call(&["run", "job.toml"]).exits(2).says(says);
    };
    wrong("[[label]]\nrule = \"close-range\"\nverdict = \"good\"\nwhy = \"x\"\n", &["labels.toml:3:11", "known"]);
    wrong("[[label]]\nfinding = \"xyz\"\nverdict = \"fine\"\nwhy = \"x\"\n", &["labels.toml:2:11", "not the id"]);
    wrong("[[label]\n", &["labels.toml:1:"]);
}

/// Bars with a row that `ohlc` moves.
const MOVED: &str = "symbol,date,open,high,low,close,volume\n\
A,2024-01-02,10,11,9.5,10.5,1000\nA,2024-01-03,10.5,2,10,10.8,1100\nA,2024-01-04,10.8,11.2,10.5,11,900\n";

#[test]
fn a_row_whose_findings_are_called_fine_is_not_moved() {
    let project = Project::new(MOVED);
    project.write("labels.toml", "[[label]]\nrule = \"ohlc\"\nverdict = \"fine\"\nwhy = \"an auction\"\n");
    let output = project.call(&["run", "job.toml"]).exits(0);
    assert_eq!(
        ["verdict", "kept", "to_quarantine", "source"].map(|key| output.value(key)),
        ["OK", "1", "0", "unchanged"]
    );
    assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap(), MOVED);
    project.call(&["plan", "job.toml"]).exits(0);
    project.write("labels.toml", "");
    assert_eq!(project.call(&["run", "job.toml"]).exits(1).value("removed"), "1");
}

#[test]
fn a_row_that_a_person_put_back_is_accepted() {
    let project = Project::new(MOVED);
    project.write("job.toml", format!("fail_on = \"new\"\n{JOB}"));
    assert_eq!(project.call(&["run", "job.toml"]).exits(1).value("removed"), "1");
    project.call(&["quarantine", "restore", "job.toml", "--run", "latest", "--confirm", "1"]).exits(0);
    for fail_on in ["new", "error"] {
        let output = project.call(&["run", "job.toml", "--fail-on", fail_on]).exits(0);
        assert_eq!(["kept", "errors", "labelled"].map(|key| output.value(key)), ["1", "1", "1"]);
    }
    let labels = column(&project, "select label as it from findings where rule_id = 'ohlc' order by run_id");
    assert_eq!(labels, ["null", "accepted", "accepted"]);
}

#[test]
fn what_barkeep_moved_is_not_new_in_the_night_after() {
    let project = Project::new(MOVED);
    project.write("job.toml", format!("fail_on = \"new\"\n{JOB}"));
    project.edit("rules.toml", "severity = \"warn\"", "severity = \"error\"");
    project.call(&["run", "job.toml"]).exits(1);
    let second = project.call(&["run", "job.toml"]).exits(0);
    assert_eq!(second.value("new_errors"), "0", "the hole that it made is a quarantined bar: {}", second.out);
}

#[test]
fn a_changed_rule_is_named_and_what_is_new_of_it_does_not_look_like_changed_bars() {
    let project = project("");
    project.call(&["check", "job.toml"]).exits(1);
    project.edit("rules.toml", "max = 100.0", "max = 55.0");
    let changed = project.call(&["check", "job.toml", "--fail-on", "new"]).exits(1);
    assert_eq!(
        ["new", "fixed", "changed_rules", "new_errors"].map(|key| changed.value(key)),
        ["0", "0", "close-range:+2-0", "2"]
    );
    let query = "select rule_change as it from rule_results where rule_id = 'close-range' order by run_id";
    assert_eq!(column(&project, query), ["null", "changed"]);
    let shown = project.call(&["report", "show"]).exits(0);
    assert!(shown.out.contains("of a changed rule: close-range 2 new and 0 fixed\n"), "{}", shown.out);
    let same = project.call(&["check", "job.toml"]).exits(1);
    assert!(same.value("new") == "0" && !same.out.contains("changed_rules"), "{}", same.out);

    project.write("job.toml", format!("{JOB}\n[tune.close-range]\nmax = 65.0\n"));
    assert_eq!(project.call(&["check", "job.toml"]).exits(1).value("changed_rules"), "close-range:+0-1");
    project.edit("job.toml", "tune.close-range", "tune.top");
    project.edit("rules.toml", "close-range", "top");
    let renamed = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!(
        ["new", "fixed", "changed_rules"].map(|key| renamed.value(key)),
        ["0", "0", "top:+2-0,close-range:+0-2"]
    );
}
