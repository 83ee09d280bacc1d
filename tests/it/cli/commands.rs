//! Commands that evaluate no bars: `init`, `rules`, `completions`, and help.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::cli_support::{BARS, JOB, Project, filters};

#[test]
fn every_command_explains_itself() {
    let project = Project::empty();
    let commands = [
        "",
        "check",
        "run",
        "backfill",
        "init",
        "rules",
        "rules list",
        "rules explain",
        "rules lint",
        "rules test",
        "rules backtest",
        "rules diff",
        "rules schema",
        "rules suggest",
        "report",
        "report list",
        "report show",
        "report html",
        "report open",
        "report prune",
        "schedule",
        "schedule list",
        "schedule next",
        "schedule export",
        "schedule start",
        "sql",
        "completions",
        "label",
    ];
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let output = project.call(&words).exits(0);
        assert!(output.out.contains("Usage:") && output.err.is_empty(), "{command}: {output:?}");
    }
    let output = project.call(&["check", "--help"]).exits(0);
    for flag in ["--since", "--until", "--last", "--full", "--rule", "--series", "--fail-on", "--no-report", "--format"]
    {
        assert!(output.out.contains(flag), "{flag}: {}", output.out);
    }
}

/// The flags below each heading of a help text.
fn headings(help: &str) -> BTreeMap<String, Vec<String>> {
    let mut headings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut heading = String::new();
    for line in help.lines() {
        if line.ends_with(':') && !line.starts_with(' ') {
            line.trim_end_matches(':').clone_into(&mut heading);
        }
        if let Some((_, flag)) = line.split_once("--").filter(|(before, _)| before.trim().len() <= 3) {
            let flag = flag.split([' ', '.', '=']).next().unwrap_or_default().to_owned();
            headings.entry(heading.clone()).or_default().push(flag);
        }
    }
    headings
}

#[test]
fn flags_are_below_their_own_heading() {
    let project = Project::empty();
    let everywhere = ["format", "verbose", "log-format", "threads", "memory-limit", "temp-dir"];
    for command in [
        "check",
        "plan",
        "apply",
        "run",
        "backfill",
        "demo",
        "doctor",
        "explain",
        "init",
        "schedule",
        "schedule list",
        "schedule next",
        "schedule export",
        "schedule start",
        "sql",
        "rules lint",
        "report show",
        "quarantine list",
        "quarantine restore",
        "quarantine export",
        "quarantine purge",
    ] {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let mut headings = headings(&project.call(&words).exits(0).out);
        assert_eq!(headings.remove("Everywhere").unwrap(), everywhere, "{command}");
        let window = headings.remove("Window");
        let windowed = ["check", "plan", "run"].contains(&command);
        assert_eq!(
            window.unwrap_or_default().join(" "),
            if windowed { "since until last full as-of" } else { "" },
            "{command}"
        );
        assert_eq!(headings.into_keys().collect::<Vec<_>>(), ["Options"], "{command}");
    }
}

#[test]
fn help_is_a_command_too() {
    let project = Project::empty();
    for words in ["help", "help check", "help quarantine restore", "quarantine help", "rules help lint"] {
        let output = project.call(&words.split_whitespace().collect::<Vec<_>>()).exits(0);
        assert!(output.out.contains("Usage:") && output.err.is_empty(), "{words}: {output:?}");
    }
}

#[test]
fn version_is_reported() {
    let _filters = filters();
    insta::assert_snapshot!(Project::empty().call(&["--version"]).exits(0).out, @r"barkeep [version]");
}

#[test]
fn wrong_flags_exit_with_2_and_say_so_on_stderr() {
    let project = Project::new(BARS);
    for args in [
        &[][..],
        &["chek", "job.toml"],
        &["check"],
        &["check", "job.toml", "--formt", "json"],
        &["check", "job.toml", "--format", "yaml"],
        &["check", "job.toml", "--fail-on", "info"],
        &["check", "job.toml", "--last", "3d", "--full"],
        &["check", "job.toml", "--since", "2024-01-02", "--full"],
        &["check", "job.toml", "--since", "2024-01-02", "--last", "3d"],
        &["check", "job.toml", "--threads", "0"],
        &["check", "job.toml", "--memory-limit", "lots"],
        &["rules", "schema", "jobs"],
        &["completions", "tcsh"],
    ] {
        let output = project.call(args).exits(2);
        assert!(
            output.out.is_empty() && output.err.contains("Usage:") || output.err.contains("error:"),
            "{args:?}: {output:?}"
        );
    }
    assert!(project.files("reports").is_empty());
}

#[test]
fn init_makes_a_project_that_has_no_mistakes() {
    let project = Project::empty();
    insta::assert_snapshot!(project.call(&["init", "new"]).exits(0).out, @r"
wrote new/rules/ohlcv.toml
wrote new/rules/across-series.toml
wrote new/rules/crypto.toml
wrote new/rules/cn-equities.toml
wrote new/rules/us-equities.toml
wrote new/rules/eu-equities.toml
wrote new/rules/futures.toml
wrote new/rules/fx.toml
wrote new/rules/hk-equities.toml
wrote new/rules/in-equities.toml
wrote new/rules/jp-equities.toml
wrote new/rules/uk-equities.toml
wrote new/schema/job.schema.json
wrote new/schema/rules.schema.json
wrote new/.taplo.toml
wrote new/jobs/daily.toml
next: barkeep check new/jobs/daily.toml
");
    project.write("new/data/bars.csv", BARS);
    project.call(&["rules", "lint", "new/jobs/daily.toml"]).exits(0);
    project.call(&["rules", "test", "new/jobs/daily.toml"]).exits(0);
    project.call(&["check", "new/jobs/daily.toml"]).exits(0);
    let output = project.call(&["init", "new"]).exits(2).says(&["are there already", "`new/jobs/daily.toml`"]);
    assert!(output.out.is_empty());
}

#[test]
fn a_demo_finds_its_faults_and_says_what_to_look_at() {
    let _filters = filters();
    let project = Project::empty();
    let output = project.call(&["demo"]).exits(0);
    assert!(output.err.is_empty(), "{}", output.err);
    let lines: Vec<&str> = output.out.lines().collect();
    assert_eq!(lines[0], "18 files written into barkeep-demo");
    assert_eq!(lines[1], "barkeep-demo/jobs/demo/faults.csv lists what is wrong with the bars");
    assert!(output.out.contains("61 findings, all new: this is the first run"), "{}", output.out);
    let next = lines.iter().position(|line| line.starts_with("next: ")).unwrap();
    assert!(lines[next].starts_with("next: barkeep report "), "{}", output.out);
    let page = lines.iter().find_map(|line| line.strip_suffix("   61 findings")).unwrap();
    assert!(fs::read_to_string(project.path(page)).unwrap().contains("<html"), "{page}");
    let explain = lines.last().unwrap().trim().strip_prefix("barkeep ").unwrap();
    let words: Vec<&str> = explain.split(' ').collect();
    let told = project.call(&words).exits(0).out;
    assert!(told.contains("FLAGGED     price-spike"), "{explain}: {told}");
    let again = project.call(&["demo"]).exits(0).out;
    assert!(again.starts_with("the demo in barkeep-demo is checked again\n"), "{again}");
    assert!(again.contains("61 findings, 0 new and 0 fixed since "), "{again}");
    let output = project.call(&["check", "barkeep-demo/jobs/demo.toml"]).exits(1);
    insta::assert_snapshot!(output.out, @r"
    job=demo verdict=FAIL status=findings exit=1 rows=24079 clean=24019 flagged=44 parse_errors=0 to_quarantine=16 to_delete=0 kept=0 errors=36 warnings=25 notes=0 new=0 fixed=0 failed=date-format:4,off-calendar:3,required:2,ohlc:7,volume-overflow:2,duplicate:7,duplicate-copy:3,price-spike:3,unit-slip:2,us-symbol:2,us-price-range:1 seconds=[s] run=[run]
    ");
    let sets = ["rules/ohlcv.toml", "rules/crypto.toml", "jobs/demo.toml"].map(|name| format!("barkeep-demo/{name}"));
    project.call(&[&["rules", "test"][..], &sets.each_ref().map(String::as_str)].concat()).exits(0);
}

#[test]
fn a_demo_leaves_alone_what_is_there() {
    let project = Project::empty();
    project.write("mine/jobs/demo.toml", "name = \"mine\"\n");
    let output = project.call(&["demo", "mine"]).exits(2).says(&["are there already: `mine/jobs/demo.toml`"]);
    assert!(output.out.is_empty());
    assert_eq!(project.files("mine"), [project.path("mine/jobs/demo.toml")]);
    project.write("file", "");
    project.call(&["demo", "file"]).exits(3).says(&["cannot write `file/rules/ohlcv.toml`"]);
    let objects = project.call(&["demo", "数据 demo", "--format", "json"]).exits(0).json();
    assert_eq!((&objects[0]["type"], &objects[0]["job"]), (&"demo".into(), &"数据 demo/jobs/demo.toml".into()));
    assert_eq!((&objects[1]["type"], &objects[1]["findings"]["error"]), (&"summary".into(), &36.into()));
}

#[test]
fn init_that_cannot_write_everything_writes_nothing() {
    let project = Project::empty();
    project.write("new/schema", "a file where a folder is needed");
    let output = project.call(&["init", "new"]).exits(3).says(&["cannot write `new/schema/job.schema.json`"]);
    assert!(output.out.is_empty());
    assert_eq!(project.files("new"), [project.path("new/schema")]);
}

#[test]
fn init_tells_its_files_as_json() {
    let output = Project::empty().call(&["init", "new", "--format", "json"]).exits(0);
    let objects = output.json();
    assert_eq!(objects[0]["dir"], "new");
    assert!(objects[0]["files"].as_array().unwrap().contains(&Value::from("jobs/daily.toml")));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_names_too() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let project = Project::new(BARS);
    let odd = OsStr::from_bytes(b"odd\xff.toml");
    fs::rename(project.path("job.toml"), project.path("").join(odd)).unwrap();
    for (args, code) in [(&["check"][..], 0), (&["rules", "list"], 0), (&["rules", "lint"], 0), (&["init"], 3)] {
        let output = project.command(args).arg(odd).args(["--format", "json"]).output().unwrap();
        project.output(output).exits(code).json();
    }
}

#[test]
fn checks_are_listed_and_explained() {
    let project = Project::empty();
    insta::assert_snapshot!(project.call(&["rules", "list"]).exits(0).out, @r"
date-format    A date that is not written as the job says, does not exist, or is one on which no bar can stand: the timestamp of the bars, or the date in another text field
required       A field without a value: NULL, or a number that is NaN
range          A number below `min` or above `max`; both ends pass
matches        A text that does not match a regular expression from its first character to its last, cause `no-match`
ohlc           A bar whose numbers contradict each other
pct-change     A change that does not follow from the close of the bar and the previous close that it names
turnover       A bar whose amount over volume, the mean price of its trades, does not lie between its low and its high
tick-size      A price between two steps of the market: one of open, high, low and close, as many of them as the bars have, is not a multiple of `tick`, cause `off-tick`
price-limit    A price beyond the limit that the exchange sets for the day: a high above the reference price plus the limit (`above-limit`), a low below the reference price less the limit (`below-limit`)
duplicate      A bar that is there more than once: the same series and the same timestamp
order          A row whose timestamp is earlier than that of the row before it in the source's own order, cause `earlier-than-previous`; where timestamps should descend, one that is later, cause `later-than-previous`
gap            Bars that the calendar of the job expects between the first and the last bar of a series and that are not there
zero-volume    A bar whose volume is 0, each with its cause
outlier        A value far from the values on both sides of it
price-spike    A close that goes out and comes back with the next bar, cause `reversal`
bar-excess     A high, low, open or close that sticks out of its own bar, by more than `limit` times what is usual there
split          A change of the level of the prices from one close to the next open that no trading explains, with what it looks like
unit-slip      Prices that are 10, 100, 1,000 or 10,000 times those before, or a part of them: pence among pounds, cents among dollars, thousands of yuan, prices that were never divided by 10,000
stale          The same bar again and again while something was traded: open, high, low and close, as many of them as the bars have, equal those of the bar before
filled-forward Bars that repeat the close before them in all their prices, without volume, at timestamps at which more than half of the other series of the job traded
shifted        Stretches of bars that show what the market did some bars before (`late`) or will do some bars after (`early`): it is likelier by `limit` that their returns follow the median return of the other series with the shift than as they stand
alignment      A series that misses bars that most others have, and timestamps that most series miss
copied-series  Two names with one set of bars: of the bars that two series have at the same timestamps at least `bars`, and of these at least the share `share` is equal in all prices and in volume
freshness      Series whose newest bar is older than the job allows, and bars that have not begun
reconcile      Bars of one symbol that differ between its sources, or from those of another job
history        A run whose totals are far from those of the runs of the job before
sql            A row for which a boolean SQL expression is not true: cause `false`, or `null` where it is NULL
");
    for check in barkeep::checks::CHECKS {
        let output = project.call(&["rules", "explain", check.name()]).exits(0);
        assert_eq!(output.out.trim_end(), check.explain().trim_end());
    }
    let output = project.call(&["rules", "explain", "price-spkie"]).exits(2);
    insta::assert_snapshot!(output.err, @r"
error: there is no check `price-spkie`
  = help: did you mean `price-spike`? checks: date-format, required, range, matches, ohlc, pct-change, turnover, tick-size, price-limit, duplicate, order, gap, zero-volume, outlier, price-spike, bar-excess, split, unit-slip, stale, filled-forward, shifted, alignment, copied-series, freshness, reconcile, history, sql
");
}

#[test]
fn rules_of_a_job_are_listed() {
    let project = Project::new(BARS);
    insta::assert_snapshot!(project.call(&["rules", "list", "job.toml"]).exits(0).out, @r"
ohlc                         ohlc         error  quarantine  a bar that contradicts itself is wrong
gap                          gap          warn   report
zero-volume                  zero-volume  info   report
");
    let objects = project.call(&["rules", "list", "rules.toml", "--format", "ndjson"]).exits(0).json();
    let ids: Vec<&str> = objects.iter().filter_map(|rule| rule["id"].as_str()).collect();
    assert_eq!(ids, ["ohlc", "gap", "zero-volume"]);
}

#[test]
fn lint_tells_the_mistakes_of_all_files() {
    let project = Project::new(BARS);
    insta::assert_snapshot!(project.call(&["rules", "lint", "job.toml"]).exits(0).out, @r"job.toml: no mistakes");
    insta::assert_snapshot!(project.call(&["rules", "lint", "job.toml", "rules.toml"]).exits(0).out, @r"2 files: no mistakes");
    project.write("a.toml", "[[rule]]\nid = \"a\"\ncheck = \"ohcl\"\n");
    project.write("b.toml", "[[rule]]\nid = \"b\"\ncheck = \"sql\"\nassert = \"close >\"\n");
    project.edit("job.toml", "\"rules.toml\"", "\"rules.toml\", \"a.toml\"");
    let output = project.call(&["rules", "lint", "job.toml", "nope.toml", "a.toml", "b.toml"]).exits(2);
    output.says(&[
        "cannot read `nope.toml`",
        "--> a.toml:3:9",
        "did you mean `ohlc`?",
        "--> b.toml:4:10",
        "error: 2 mistakes",
    ]);
}

#[test]
fn rules_of_a_job_are_linted_and_tested_without_its_source() {
    let project = Project::new(BARS);
    let rules = "[[rule]]\nid = \"turnover\"\ncheck = \"range\"\nfield = \"turnover\"\nmin = 0\n\n\
                 [[rule.test]]\nname = \"below 0\"\nrows = [{ turnover = -1.0 }, { turnover = 1.0 }]\nflag = [0]\n\n\
                 [[rule]]\nid = \"board\"\ncheck = \"sql\"\nassert = \"board = 'main' and abs(free_float) > 1\"\n\n\
                 [[rule.test]]\nname = \"other\"\nflag = [1]\n\
                 rows = [{ board = \"main\", free_float = 2.0 }, { board = \"x\", free_float = 2.0 }]\n";
    project.write("rules.toml", rules);
    fs::remove_file(project.path("bars.csv")).unwrap();
    let server = "[source.mongodb]\nuri = \"mongodb://127.0.0.1:1\"\ndatabase = \"d\"\ncollection = \"c\"\nallow_plaintext = true";
    project.write("server.toml", JOB.replace("[source.files]\npath = \"bars.csv\"", server));
    for job in ["job.toml", "server.toml", "rules.toml"] {
        assert_eq!(project.call(&["rules", "lint", job]).exits(0).out, format!("{job}: no mistakes\n"));
        let tested = project.call(&["rules", "test", job]).exits(0);
        assert!(tested.out.ends_with("2 passed, 0 failed\n"), "{job}: {}", tested.out);
        let listed = project.call(&["rules", "list", job]).exits(0).out;
        assert_eq!(listed.lines().filter(|line| !line.starts_with(' ')).count(), 2, "{job}");
    }
    // What is wrong whatever the source has is still said.
    project.edit("rules.toml", "min = 0", "min = 0\nlimt = 1");
    project.edit("rules.toml", "abs(free_float) > 1", "abs(free_float >");
    for job in ["job.toml", "server.toml", "rules.toml"] {
        project.call(&["rules", "lint", job]).exits(2).says(&["limt"]);
    }
    project.edit("rules.toml", "\nlimt = 1", "");
    for job in ["job.toml", "server.toml", "rules.toml"] {
        project.call(&["rules", "lint", job]).exits(2).says(&["rule `board` has an expression that cannot be used"]);
    }
}

#[test]
fn a_file_that_is_no_job_is_named_in_one_sentence() {
    let _filters = filters();
    let project = Project::new(BARS);
    project.write("bars.ndjson", "{\"symbol\": \"A\"}\n".repeat(5_000));
    project.write("bars.csv.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0xff, 0xfe]);
    project.write("bars.parquet", b"PAR1\x00\xff\xfePAR1");
    project.write("bars.txt", BARS.repeat(1_000));
    project.write("bars.toml", BARS.repeat(1_000));
    project.write("blob", [0xff, 0xfe, 0, 1]);
    project.write("folder/x", "");
    let help = "  = help: give the path of a job file, which names the data in `[source.files] path`; `barkeep init` makes one\n";
    for (file, problem) in [
        ("bars.csv", "`bars.csv` is a data file, not a job file"),
        ("bars.ndjson", "`bars.ndjson` is a data file, not a job file"),
        ("bars.csv.gz", "`bars.csv.gz` is a data file, not a job file"),
        ("bars.parquet", "`bars.parquet` is a data file, not a job file"),
        ("bars.txt", "`bars.txt` is a data file, not a job file"),
        (
            "bars.toml",
            "`bars.toml` is not a job file: its first line is `symbol,date,open,high,low,close,volume`, which is not TOML",
        ),
        ("folder", "`folder` is a folder, not a job file"),
    ] {
        for command in [&["check"][..], &["plan"], &["run"], &["doctor"], &["quarantine", "list"]] {
            let output = project.call(&[command, &[file]].concat()).exits(2);
            let error = output.err.replace(&format!("  = job: {file}\n"), "");
            assert_eq!(error, format!("error: {problem}\n{help}"), "{command:?}");
        }
    }
    project.call(&["check", "blob"]).exits(2).says(&["`blob` is not a job file: ", help]);
    let lint = project.call(&["rules", "lint", "bars.csv"]).exits(2);
    assert!(lint.err.starts_with("error: `bars.csv` is a data file, not a job file\n"), "{lint:?}");
    // A job with a mistake in its syntax is still one.
    project.edit("job.toml", "interval = \"1d\"", "interval = 1d");
    project.call(&["check", "job.toml"]).exits(2).says(&["--> job.toml:9:12"]);
}

#[test]
fn cases_of_rules_pass_or_fail() {
    let project = Project::new(BARS);
    let rule = "[[rule]]\nid = \"close-positive\"\ncheck = \"sql\"\nassert = \"close > 0\"\n\n\
                [[rule.test]]\nname = \"zero\"\nrows = [{ close = 1.0 }, { close = 0.0 }]\nflag = [1]\n";
    project.write("rules.toml", rule);
    insta::assert_snapshot!(project.call(&["rules", "test", "rules.toml"]).exits(0).out, @r"
ok    close-positive / zero
1 passed, 0 failed
");
    project.edit("rules.toml", "flag = [1]", "flag = [0, 1]");
    insta::assert_snapshot!(project.call(&["rules", "test", "job.toml"]).exits(1).out, @r"
FAIL  close-positive / zero: flags rows [1], should flag [0, 1]
0 passed, 1 failed
");
    let objects = project.call(&["rules", "test", "rules.toml", "--format", "json"]).exits(1).json();
    assert_eq!((objects[0]["passed"].as_bool(), objects[0]["flagged"].to_string().as_str()), (Some(false), "[1]"));
}

#[test]
fn schemas_are_json_schemas() {
    let project = Project::empty();
    for of in ["rules", "job"] {
        let output = project.call(&["rules", "schema", of]).exits(0);
        let schema: Value = serde_json::from_str(&output.out).unwrap();
        assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"), "{of}");
        assert_eq!(project.call(&["rules", "schema", of, "--format", "json"]).exits(0).json(), [schema]);
    }
}

#[test]
fn shells_are_given_completions() {
    let project = Project::empty();
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef barkeep"), ("fish", "complete -c barkeep")] {
        let output = project.call(&["completions", shell]).exits(0);
        assert!(output.out.contains(word) && output.out.contains("fail-on"), "{shell}");
        let objects = project.call(&["completions", shell, "--format", "json"]).exits(0).json();
        assert_eq!(objects[0]["script"].as_str().map(str::trim_end), Some(output.out.trim_end()), "{shell}");
    }
}
