//! Jobs and rule files with every kind of mistake: all told at once, each with file, line and column, and nothing read.

use std::fs;

use super::files::garbage;
use crate::cli_support::{BARS, JOB, Project, RULES};

#[test]
fn every_mistake_of_job_and_rules_is_told_at_once() {
    let project = Project::new(BARS);
    project.write(
        "job.toml",
        r#"name = "Bad Name"
rules = ["a.toml", "b.toml", "rulez.toml", "a.toml"]
colour = "blue"

[source.files]
path = []
format = "xml"
delimiter = ";;"

[bars]
series = ["symbol", "symbol"]
interval = "7x"
calendar = "XNYZ"
time = { field = "date", formats = ["%Q"], zone = "Mars/Olympus", stamp = "middle" }

[window]
since = 2024-02-01
until = 2024-01-01
settle = "soon"

[limits]
rows = -1
fraction = 1.5

[quarantine]
keep = "0d"

[report]
dir = "${BARKEEP_TEST_UNSET}"

[schedule]
cron = "* * * * *"
"#,
    );
    project.write(
        "a.toml",
        r#"[[rule]]
id = "Ohlc!"
check = "ohcl"

[[rule]]
check = "range"
field = "close"
min = 2
max = 1

[[rule]]
id = "twice"
check = "ohlc"
severty = "warn"
severity = "fatal"
"#,
    );
    project.write("b.toml", "[[rule]]\nid = \"twice\"\ncheck = \"gap\"\naction = \"quarantine\"\nfrom = 2024-02-01\nuntil = 2024-01-01\n");
    project.write("rules.toml", RULES);
    let told = project.call(&["check", "job.toml"]).exits(2);
    assert!(told.out.is_empty() && !project.path("reports").exists());
    insta::assert_snapshot!(places(&told.err), @"");
}

/// Titles and places of rendered mistakes, one a line.
fn places(text: &str) -> String {
    let line = |line: &&str| line.starts_with("error") || line.trim_start().starts_with("-->");
    let lines: Vec<&str> = text.lines().filter(line).map(str::trim).collect();
    lines.join("\n").replace("\n-->", "  -->")
}

#[test]
fn syntax_errors_are_placed_in_each_file() {
    let project = Project::new(BARS);
    project.edit("job.toml", "\"rules.toml\"", "\"rules.toml\", \"b.toml\"");
    project.edit("job.toml", "interval = \"1d\"", "interval = 1d");
    project.write("b.toml", "[[rule]\nid = \"x\"\n");
    project.edit("rules.toml", "severity = \"warn\"", "severity = \"warn");
    let told = project.call(&["check", "job.toml"]).exits(2);
    insta::assert_snapshot!(places(&told.err), @"");
}

#[test]
fn expressions_are_checked_before_anything_is_read() {
    let project = Project::new(BARS);
    let rule = |id: &str, sql: &str| format!("[[rule]]\nid = \"{id}\"\ncheck = \"sql\"\nassert = \"{sql}\"\n");
    let rules = rule("syntax", "close >") + &rule("field", "clse > 0") + &rule("type", "close + 1") + &rule("aggregate", "max(close) > 0")
        + &rule("clock", "time < now()") + &rule("subquery", "close > (select 1)") + &rule("fine", "close > 0")
        + &rule("function", "lenght(symbol) = 1") + &rule("several", "true; drop table x");
    project.write("rules.toml", rules);
    let told = project.call(&["check", "job.toml"]).exits(2);
    insta::assert_snapshot!(told.err, @"");
}

#[test]
fn files_that_are_no_configuration_are_told_as_what_they_are() {
    let project = Project::new(BARS);
    project.call(&["check", "."]).exits(2).says(&["cannot read `.`: Is a directory", "give the path of a job file"]);
    project.call(&["check", "nope.toml"]).exits(2).says(&["cannot read `nope.toml`: No such file", "`barkeep init` makes one"]);
    project.call(&["check", "bars.csv"]).exits(2).says(&["--> bars.csv:1:"]);
    project.call(&["check", "rules.toml"]).exits(2).says(&["the job lacks `name`"]);
    project.write("job.toml", garbage(600));
    project.call(&["check", "job.toml"]).exits(2).says(&["`job.toml` is no job file", "not UTF-8 text", "save the file as UTF-8"]);
    project.write("job.toml", "");
    project.call(&["check", "job.toml"]).exits(2).says(&["lacks `name`", "lacks `rules`", "lacks `source`", "lacks `bars`", "4 mistakes"]);
}

#[test]
fn rule_files_that_cannot_be_read_are_mistakes_of_the_job() {
    let project = Project::new(BARS);
    let wrong = |texts: &[&str]| {
        project.call(&["check", "job.toml"]).exits(2).says(&["--> job.toml:2:10"]).says(texts);
    };
    project.write("rules.toml", garbage(600));
    wrong(&["`rules.toml` is not UTF-8 text"]);
    fs::remove_file(project.path("rules.toml")).unwrap();
    wrong(&["there is no file `rules.toml`", "paths start at the folder of the job file"]);
    fs::create_dir(project.path("rules.toml")).unwrap();
    wrong(&["`rules.toml` is a folder", "name the files in it"]);
    project.edit("job.toml", "\"rules.toml\"", "\"rulse.toml\"");
    project.write("rules2.toml", RULES);
    project.edit("job.toml", "rulse.toml", "rules3.toml");
    wrong(&["there is no file `rules3.toml`", "did you mean `rules"]);
    project.edit("job.toml", "rules3.toml", "empty.toml");
    project.write("empty.toml", "# nothing\n");
    project.call(&["check", "job.toml"]).exits(2).says(&["the rule file lacks `[[rule]]`", "--> empty.toml:1:1"]);
}

#[test]
fn calendars_of_ones_own_are_checked_line_by_line() {
    let project = Project::new(BARS);
    project.edit("job.toml", "calendar = \"XNYS\"", "calendar = \"XNYS\"\ncalendar_file = \"days.csv\"");
    project.call(&["check", "job.toml"]).exits(2).says(&["there is no file `days.csv`", "--> job.toml:11:17"]);
    project.write("days.csv", "what,ever\n2024-01-05,noon\n");
    project.call(&["check", "job.toml"]).exits(2).says(&["--> days.csv:"]);
    project.write("days.csv", garbage(300));
    project.call(&["check", "job.toml"]).exits(2).says(&["`days.csv` is not UTF-8 text"]);
}

#[test]
fn a_wrong_job_beats_a_missing_source() {
    let project = Project::new(BARS);
    project.write("job.toml", JOB.replace("bars.csv", "lost.csv").replace("\"1d\"", "\"1x\""));
    let told = project.call(&["check", "job.toml"]).exits(2);
    assert!(!told.err.contains("lost.csv"), "{}", told.err);
}
