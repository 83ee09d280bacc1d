//! Jobs and rule files with every kind of mistake: all reported at once, each with file, line and column, and nothing read.

use std::fs;

use super::files::garbage;
use crate::cli_support::{BARS, JOB, Project, RULES};

#[test]
fn every_mistake_of_job_and_rules_is_reported_at_once() {
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
time = { field = "date", formats = ["%Q"], zone = "Mars/Olympus", label = "middle" }

[window]
since = 2024-02-01
until = 2024-01-01
grace = "soon"

[limits]
rows = -1
fraction = 1.5

[quarantine]
keep = "0d"

[report]
dir = "${BARKEEP_TEST_UNSET}"

[schedule]
cron = "0 0 31 2 *"
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
    project.write(
        "b.toml",
        "[[rule]]\nid = \"twice\"\ncheck = \"gap\"\naction = \"quarantine\"\nfrom = 2024-02-01\nuntil = 2024-01-01\n",
    );
    project.write("rules.toml", RULES);
    let output = project.call(&["check", "job.toml"]).exits(2);
    output.only_its_line("usage");
    assert!(!project.path("reports").exists());
    insta::assert_snapshot!(places(&output.err), @r"
error[bad-value]: a name is made of a-z, 0-9, `-` and `_`  --> job.toml:1:8
error[unreadable-file]: there is no file `rulez.toml`  --> job.toml:2:30
error[duplicate-file]: `a.toml` is named twice  --> job.toml:2:44
error[unknown-key]: unknown key `colour` in the job  --> job.toml:3:1
error[bad-value]: `path` is empty  --> job.toml:6:8
error[unknown-value]: `xml` is not a value of `format`  --> job.toml:7:10
error[bad-value]: a delimiter is one ASCII character, no letter, digit or quote, or `blanks`  --> job.toml:8:13
error[bad-value]: `symbol` is in the series key twice  --> job.toml:11:21
error[bad-value]: `7x` is not an interval; write for instance `1s`, `1m`, `15m`, `1h`, `1d`, `1w` or `1M`  --> job.toml:12:12
error[bad-value]: unknown calendar `XNYZ`  --> job.toml:13:12
error[bad-value]: `%Q` is not a time format: `%Q` is not known; there are %Y %y %m %-m %b %d %-d %e %j %H %-H %I %-I %p %M %S %f %3f %6f %9f %.f %z %:z %F %D %T %R %%  --> job.toml:14:37
error[bad-value]: unknown time zone `Mars/Olympus`  --> job.toml:14:51
error[unknown-value]: `middle` is not a value of `label`  --> job.toml:14:75
error[bad-value]: `soon` is not a span of time; write for instance `90m`, `24h`, `10d` or `2w`  --> job.toml:19:9
error[bad-value]: `rows` must not be negative  --> job.toml:22:8
error[bad-value]: `fraction` must be above 0 and at most 1  --> job.toml:23:12
error[bad-value]: a row that is not kept cannot be put back  --> job.toml:26:8
error[unset-variable]: environment variable `BARKEEP_TEST_UNSET` is not set  --> job.toml:29:7
error[bad-value]: `0 0 31 2 *` is not a cron pattern that can be used: no date matches it, so the job would never run  --> job.toml:32:8
error[bad-value]: `Ohlc!` cannot be the id of a rule  --> a.toml:2:6
error[unknown-check]: rule `Ohlc!` names a check that does not exist  --> a.toml:3:9
error[missing-key]: the rule lacks `id`  --> a.toml:5:1
error[unknown-key]: unknown key `severty` in rule `twice`  --> a.toml:14:1
error[unknown-value]: `fatal` is not a value of `severity`  --> a.toml:15:12
error[duplicate-id]: two rules have the id `twice`  --> b.toml:2:6
error[bad-value]: rule `twice`: a finding of `gap` is about missing bars, and moves no row  --> b.toml:4:10
error: 26 mistakes; nothing was read
");
}

/// Titles and places of rendered mistakes, one a line.
fn places(text: &str) -> String {
    let line = |line: &&str| line.starts_with("error") || line.trim_start().starts_with("-->");
    let lines: Vec<&str> = text.lines().filter(line).map(str::trim).collect();
    lines.join("\n").replace("\n-->", "  -->")
}

#[test]
fn what_depends_on_the_bars_is_checked_where_they_are_known() {
    let project = Project::new(BARS);
    project.write("job.toml", format!("{JOB}[window]\nsince = 2024-02-01\nuntil = 2024-01-01\n"));
    project.write(
        "rules.toml",
        "[[rule]]\nid = \"a\"\ncheck = \"range\"\nfield = \"close\"\nmin = 2\nmax = 1\n\
         [[rule]]\nid = \"b\"\ncheck = \"ohlc\"\nfrom = 2024-02-01\nuntil = 2024-01-01\n\
         [[rule]]\nid = \"c\"\ncheck = \"outlier\"\nfield = \"close\"\nwindow = 20\nlimit = -1\n\
         [[rule]]\nid = \"d\"\ncheck = \"matches\"\nfield = \"symbol\"\npattern = \"[A-\"\n",
    );
    insta::assert_snapshot!(places(&project.call(&["check", "job.toml"]).exits(2).err), @r"
error[bad-value]: the window is empty: `until` is not after `since`  --> job.toml:21:9
error[bad-value]: rule `a`: `min` and `max` are contradictory: no number is at least 2 and at most 1  --> rules.toml:5:7
error[bad-value]: rule `b` applies to no bar: `until` is not after `from`  --> rules.toml:11:9
error[bad-value]: rule `c`: `window` is 20, and must be an odd number  --> rules.toml:16:10
error[bad-value]: `limit` is out of range  --> rules.toml:17:9
error[bad-value]: rule `d`: `pattern` is not a regular expression  --> rules.toml:22:11
error: 6 mistakes; nothing was read
");
}

#[test]
fn syntax_errors_are_placed_in_each_file() {
    let project = Project::new(BARS);
    project.edit("job.toml", "\"rules.toml\"", "\"rules.toml\", \"b.toml\"");
    project.edit("job.toml", "interval = \"1d\"", "interval = 1d");
    project.write("b.toml", "[[rule]\nid = \"x\"\n");
    project.edit("rules.toml", "severity = \"warn\"", "severity = \"warn");
    let output = project.call(&["check", "job.toml"]).exits(2);
    insta::assert_snapshot!(places(&output.err), @r#"
error[toml-syntax]: not valid TOML: string values must be quoted, expected literal string  --> job.toml:9:12
error[toml-syntax]: not valid TOML: invalid basic string, expected `"`  --> rules.toml:10:17
error[toml-syntax]: not valid TOML: unclosed array table, expected `]`  --> b.toml:1:8
error: 3 mistakes; nothing was read
"#);
}

#[test]
fn expressions_are_checked_before_anything_is_read() {
    let project = Project::new(BARS);
    let rule = |id: &str, sql: &str| format!("[[rule]]\nid = \"{id}\"\ncheck = \"sql\"\nassert = \"{sql}\"\n");
    let rules = rule("syntax", "close >")
        + &rule("field", "clse > 0")
        + &rule("type", "close + 1")
        + &rule("aggregate", "max(close) > 0")
        + &rule("clock", "time < now()")
        + &rule("subquery", "close > (select 1)")
        + &rule("fine", "close > 0")
        + &rule("function", "lenght(symbol) = 1")
        + &rule("several", "true; drop table x");
    project.write("rules.toml", rules);
    let output = project.call(&["check", "job.toml"]).exits(2);
    insta::assert_snapshot!(output.err, @r#"
error[sql-syntax]: rule `syntax` has an expression that cannot be used
 --> rules.toml:4:10
  |
4 | assert = "close >"
  |          ^^^^^^^^^ SQL error: ParserError("Expected: an expression, found: EOF")

error[unknown-field]: rule `field` uses a field these bars do not have
 --> rules.toml:8:10
  |
8 | assert = "clse > 0"
  |          ^^^^^^^^^^ unknown field `clse`
  |
  = help: did you mean `close`? fields: time, symbol, open, high, low, close, volume; where these bars have none, `without = ["clse"]` in `[bars]` leaves the rule out

error[bad-expression]: rule `type` has an expression that cannot be used
  --> rules.toml:12:10
   |
12 | assert = "close + 1"
   |          ^^^^^^^^^^^ Error during planning: this is of type Float64, and must be true or false

error[bad-expression]: rule `aggregate` has an expression that cannot be used
  --> rules.toml:16:10
   |
16 | assert = "max(close) > 0"
   |          ^^^^^^^^^^^^^^^^ Error during planning: an aggregate (of the bars before a bar: median, mean, highest, lowest) cannot stand here: a rule evaluates one bar by itself

error[bad-expression]: rule `clock` has an expression that cannot be used
  --> rules.toml:20:10
   |
20 | assert = "time < now()"
   |          ^^^^^^^^^^^^^^ Error during planning: a function whose result depends on more than its arguments cannot stand here: a rule evaluates one bar by itself

error[bad-expression]: rule `subquery` has an expression that cannot be used
  --> rules.toml:24:10
   |
24 | assert = "close > (select 1)"
   |          ^^^^^^^^^^^^^^^^^^^^ Error during planning: a subquery cannot stand here: a rule evaluates one bar by itself

error[bad-expression]: rule `function` has an expression that cannot be used
  --> rules.toml:32:10
   |
32 | assert = "lenght(symbol) = 1"
   |          ^^^^^^^^^^^^^^^^^^^^ Error during planning: Invalid function 'lenght'.

error[sql-syntax]: rule `several` has an expression that cannot be used
  --> rules.toml:36:10
   |
36 | assert = "true; drop table x"
   |          ^^^^^^^^^^^^^^^^^^^^ SQL error: ParserError("Expected: end of expression, found: ; at Line: 1, Column: 5")

error: 8 mistakes; nothing was read
"#);
}

#[test]
fn files_that_are_no_configuration_are_reported_as_what_they_are() {
    let project = Project::new(BARS);
    project.call(&["check", "."]).exits(2).says(&["`.` is a folder, not a job file", "give the path of a job file"]);
    project
        .call(&["check", "nope.toml"])
        .exits(2)
        .says(&["cannot read `nope.toml`: No such file", "`barkeep init` makes one"]);
    project.call(&["check", "bars.csv"]).exits(2).says(&["`bars.csv` is a data file, not a job file"]);
    project.call(&["check", "rules.toml"]).exits(2).says(&["the job lacks `name`"]);
    project.write("job.toml", garbage(600));
    project.call(&["check", "job.toml"]).exits(2).says(&[
        "`job.toml` is not a job file",
        "not UTF-8 text",
        "save the file as UTF-8",
    ]);
    project.write("job.toml", "");
    project.call(&["check", "job.toml"]).exits(2).says(&[
        "lacks `name`",
        "lacks `rules`",
        "lacks `source`",
        "lacks `bars`",
        "4 mistakes",
    ]);
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
    let output = project.call(&["check", "job.toml"]).exits(2);
    assert!(!output.err.contains("lost.csv"), "{}", output.err);
}
