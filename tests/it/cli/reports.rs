//! `report list`, `report show` and `sql`: what is written is found again, and only read.

use std::fs;

use crate::cli_support::{BARS, JOB, Project, filters};
use crate::support::{typed_batch, write_parquet};

const FAULTY: &str = "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,11,9.5,10.5,0\n\
                      A,2024-01-04,1,2,3,1.5,1\nB,2024-01-02,1,2,3,1.5,1\n";

#[test]
fn runs_are_listed_newest_first() {
    let _filters = filters();
    let project = Project::new(BARS);
    insta::assert_snapshot!(project.call(&["report", "list"]).exits(0).out, @r"no run in `reports` yet; `barkeep check JOB` or `barkeep run JOB` makes one");
    project.call(&["check", "job.toml"]).exits(0);
    project.write("bars.csv", FAULTY);
    project.call(&["run", "job.toml"]).exits(1);
    fs::remove_file(project.path("bars.csv")).unwrap();
    project.call(&["check", "job.toml"]).exits(3);
    insta::assert_snapshot!(project.call(&["report", "list"]).exits(0).out, @r"
+-----------------------+------+---------+----------+-----------+-----------+----------------+---------------+---------------+
| run_id                | job  | command | status   | exit_code | rows_read | findings_error | findings_warn | findings_info |
+-----------------------+------+---------+----------+-----------+-----------+----------------+---------------+---------------+
| [run] | demo | check   | broken   |         3 |         0 |              0 |             0 |             0 |
| [run] | demo | run     | findings |         1 |         3 |              2 |             1 |             0 |
| [run] | demo | check   | ok       |         0 |         6 |              0 |             0 |             0 |
+-----------------------+------+---------+----------+-----------+-----------+----------------+---------------+---------------+
3 rows
");
    let runs = project.call(&["report", "list", "--limit", "1", "--format", "json"]).exits(0).json();
    assert_eq!((runs.len(), runs[0]["status"].as_str()), (1, Some("broken")));
    let output = project.command(&["report", "list", "--format", "json"]).env("BARKEEP_REPORTS", "elsewhere").output();
    assert_eq!(project.output(output.unwrap()).exits(0).json().len(), 0);
}

#[test]
fn a_run_is_shown_with_its_findings_the_gravest_first() {
    let _filters = filters();
    let project = Project::new(FAULTY);
    project.call(&["run", "job.toml"]).exits(1);
    insta::assert_snapshot!(project.call(&["report", "show"]).exits(0).out, @r"
    run [run]   run   [age] ago
    the first run of the job: all is new
    3 findings in 2 bars; 1 bar is missing

    demo   bars.csv   2024-01-02 .. 2024-01-04   2 series   3 rows

      rule              severity       findings   rate        first
      ohlc              error   FAIL          2   67 %        B 2024-01-02
      gap               warn    warn          1   1 bar       A 2024-01-03
      zero-volume       info    -             0   -           too little history: 1 row

      3 rows = 1 clean + 2 to quarantine
      3 findings, all new: this is the first run
      stepped over: zero-volume 2 rows
      evaluated nothing: zero-volume
      the newest bar is that of 2024-01-04, [n] days before [date]
      calendar XNYS, known until 2027-12-31

    FAIL  2 rows removed; what was removed is in quarantine.  [s], [pace]

    error ohlc A 2024-01-04: low 3 is above another price of its bar, 1; broken: high >= low, low <= open, low <= close (bars.csv:3)
    error ohlc B 2024-01-02: low 3 is above another price of its bar, 1; broken: high >= low, low <= open, low <= close (bars.csv:4)
    warn  gap A 2024-01-03: 1 session missing on 2024-01-03
    ");
    let output = project.call(&["report", "show", "--findings", "1"]).exits(0);
    assert!(
        output.out.trim_end().ends_with("2 more; --findings N shows them, `barkeep sql` queries them"),
        "{}",
        output.out
    );
    let objects = project.call(&["report", "show", "latest", "--format", "ndjson"]).exits(0).json();
    assert_eq!(
        (objects.len(), objects[0]["type"].as_str(), objects[1]["rule_id"].as_str()),
        (4, Some("summary"), Some("ohlc"))
    );
}

#[test]
fn runs_are_named_by_place_beginning_or_whole() {
    let project = Project::new(BARS);
    let show = |run: &str| project.call(&["report", "show", run, "--format", "json"]);
    for _ in 0..3 {
        project.call(&["check", "job.toml"]).exits(0);
    }
    let runs: Vec<String> = project.runs().into_iter().map(|(run, ..)| run).collect();
    let shown = |run: &str| show(run).exits(0).json()[0]["run_id"].as_str().unwrap().to_owned();
    assert_eq!([shown("latest"), shown("latest~1"), shown("latest~2")], [&*runs[2], &*runs[1], &*runs[0]]);
    assert_eq!([shown(&runs[1]), shown(&runs[1][..runs[1].len() - 1])], [&*runs[1], &*runs[1]]);
}

#[test]
fn runs_that_are_not_there_or_broke_off_are_reported() {
    let _filters = filters();
    let project = Project::new(BARS);
    let wrong = |run: &str| project.call(&["report", "show", run]).exits(2).err;
    insta::assert_snapshot!(wrong("latest"), @r"
error: no run in `reports` yet; `barkeep check JOB` or `barkeep run JOB` makes one
  = help: `barkeep report list` names the runs
");
    project.call(&["check", "job.toml"]).exits(0);
    project.call(&["check", "job.toml"]).exits(0);
    insta::assert_snapshot!(wrong("latest~2"), @r"
error: `latest~2` reaches back too far: there are 2 runs
  = help: `barkeep report list` names the runs
");
    insta::assert_snapshot!(wrong("20"), @r"
error: `20` is the beginning of 2 runs; write more of one of them: [run], [run]
  = help: `barkeep report list` names the runs
");
    insta::assert_snapshot!(wrong("yesterday"), @r"
error: there is no run `yesterday`; write `latest`, `latest~1`, or a run id; `barkeep report list` shows them
  = help: `barkeep report list` names the runs
");
    project.write("bars.csv", "");
    project.call(&["check", "job.toml"]).exits(3);
    insta::assert_snapshot!(project.call(&["report", "show"]).exits(0).out, @r"
[run]   check demo   broken, exit 3
`bars.csv` is empty; fetch it again or take it out of the source
");
    let row = &project.call(&["report", "show", "--format", "json"]).exits(0).json()[0];
    assert_eq!((row["status"].as_str(), row["exit_code"].as_i64()), (Some("broken"), Some(3)));
}

/// Runs a command that barkeep printed, as a person types it in the folder `at`.
fn type_in(project: &Project, at: &str, command: &str) -> crate::cli_support::Told {
    let rest = command.strip_prefix("barkeep ").unwrap();
    let shell = format!("\"$0\" {rest}");
    let mut process = std::process::Command::new("sh");
    process.args(["-c", &shell, env!("CARGO_BIN_EXE_barkeep")]).current_dir(project.path(at));
    project.output(process.env("TMPDIR", project.path("tmp")).output().unwrap())
}

#[test]
fn commands_to_type_next_work_whatever_the_paths_are() {
    // Where the caller is, the job as the caller names it, its source, its reports.
    for (at, job, source, reports) in [
        ("", "jobs/the job.toml", "../data/bars.parquet", "../reports"),
        ("jobs", "the job.toml", "../data/bars.parquet", "../reports/"),
        ("jobs", "../jobs/the job.toml", "./../data/", "out/../../reports"),
        ("data", "../jobs//./the job.toml", "../jobs/../data/*.parquet", "../it's out/$HOME"),
        ("linked", "../the job.toml", "../data/../data/bars.parquet", "../-reports"),
        ("", "linked/../the job.toml", "../data", "../linked/../reports"),
        ("", "./--jobs/the job.toml", "../data", "../-r`eports`"),
    ] {
        let project = Project::empty();
        for folder in ["jobs", "--jobs"] {
            let text =
                JOB.replace("\"bars.csv\"", &format!("{source:?}")).replace("\"reports\"", &format!("{reports:?}"));
            project.write(&format!("{folder}/the job.toml"), text);
            project.write(&format!("{folder}/rules.toml"), crate::cli_support::RULES);
        }
        let bars = "symbol:text,date:date,open:number,high:number,low:number,close:number,volume:number\n\
                    A,2024-01-02,10,11,9.5,10.5,1\nA,2024-01-03,10.5,2,10,10.8,1\n";
        std::fs::create_dir_all(project.path("data")).unwrap();
        std::fs::create_dir_all(project.path("jobs/deep")).unwrap();
        std::os::unix::fs::symlink("jobs/deep", project.path("linked")).unwrap();
        write_parquet(&project.path("data/bars.parquet"), &typed_batch(bars), 2);
        let call =
            |args: &[&str]| project.output(project.command(args).current_dir(project.path(at)).output().unwrap());
        for command in ["check", "plan"] {
            let summary = &call(&[command, job, "--format", "json"]).exits(1).json()[0];
            assert_eq!(summary["rows"]["read"].as_u64(), Some(2), "{job}: {summary}");
            for step in summary["next"].as_array().unwrap() {
                let command = step["command"].as_str().unwrap();
                let dir = command.split_once("--dir ").map_or("", |(_, dir)| dir.trim_matches('\''));
                assert!(!dir.trim_start_matches("../").contains("/.."), "{command}");
                let output = type_in(&project, at, command);
                assert!(output.code.is_some_and(|code| code < 2), "{command}: {output:?}");
            }
        }
        let bars = call(&["sql", "SELECT count(*) AS n FROM bars", "--job", job, "--format", "ndjson"]).exits(0).json();
        assert_eq!(bars[0]["n"].as_u64(), Some(1), "one row left: {job}");
    }
}

#[test]
fn sql_answers_as_text_and_as_json() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    let query = "select rule_id, count(*) as n from findings group by rule_id order by rule_id";
    insta::assert_snapshot!(project.call(&["sql", query]).exits(0).out, @r"
+---------+---+
| rule_id | n |
+---------+---+
| gap     | 1 |
| ohlc    | 2 |
+---------+---+
2 rows
");
    for format in ["json", "ndjson"] {
        let rows = project.call(&["sql", query, "--format", format]).exits(0).json();
        assert_eq!((rows.len(), rows[1].to_string().as_str()), (2, r#"{"rule_id":"ohlc","n":2}"#));
    }
    let joined = "select count(*) as n from runs r join rule_results q on r.run_id = q.run_id join series_metrics m on m.run_id = r.run_id";
    assert_eq!(project.call(&["sql", joined, "--format", "json"]).exits(0).json()[0]["n"], 8);
    assert_eq!(project.call(&["sql", "select * from actions", "--format", "json"]).exits(0).json().len(), 0);
}

#[test]
fn sql_sees_the_bars_of_a_job() {
    let project = Project::new(BARS);
    let query = "select symbol, count(*) as n, max(close) as most from bars where time >= '2024-01-03' group by symbol order by symbol";
    insta::assert_snapshot!(project.call(&["sql", query, "--job", "job.toml"]).exits(0).out, @r"
+--------+---+------+
| symbol | n | most |
+--------+---+------+
| A      | 2 | 11.0 |
| B      | 2 | 21.0 |
+--------+---+------+
2 rows
");
    project.call(&["sql", "select 1 from bars"]).exits(2).says(&["`bars` is a table of a job: add --job JOB"]);
    project.call(&["sql", "select 1 from bars", "--job", "nope.toml"]).exits(2).says(&["cannot read `nope.toml`"]);
    fs::remove_file(project.path("bars.csv")).unwrap();
    project
        .call(&["sql", "select 1 from bars", "--job", "job.toml"])
        .exits(3)
        .says(&["no such file or folder: `bars.csv`"]);
}

#[test]
fn sql_reads_and_does_nothing_else() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    let before: Vec<_> = project.files("").iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    for query in [
        "insert into runs select * from runs",
        "delete from runs",
        "update runs set status = 'ok'",
        "create table x as select 1",
        "create external table x stored as csv location 'bars.csv'",
        "drop table runs",
        "copy (select 1) to 'out.csv'",
        "set datafusion.execution.batch_size = 1",
        "select * from 'bars.csv'",
        "select 1; drop table runs",
        "begin",
    ] {
        let output = project.call(&["sql", query]).exits(2);
        assert!(output.out.is_empty() && output.err.contains("`SHOW TABLES` names the tables"), "{query}: {output:?}");
    }
    let after: Vec<_> = project.files("").iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(before == after, "a query changed a file");
}

#[test]
fn wrong_queries_are_reported() {
    let project = Project::new(BARS);
    let wrong = |query: &str| project.call(&["sql", query]).exits(2).err;
    insta::assert_snapshot!(wrong("select * from finding"), @r"
error: table 'finding' not found
  = help: `SHOW TABLES` names the tables, `DESCRIBE findings` the columns of one; docs/reports.md says what they mean
");
    insta::assert_snapshot!(wrong("select sverity from findings"), @r"
error: No field named sverity. Did you mean 'findings.severity'?
Valid fields are findings.run_id, findings.finding_id, findings.rule_id, findings.check, findings.severity, findings.action, findings.series, findings.symbol, findings.time, findings.time_until, findings.session, findings.row_key, findings.locator, findings.field, findings.observed, findings.observed_text, findings.expected_lo, findings.expected_hi, findings.expected_text, findings.score, findings.bars_affected, findings.cause, findings.evidence, findings.is_new, findings.first_seen_run, findings.label, findings.session_until, findings.message, findings.why, findings.open, findings.high, findings.low, findings.close, findings.volume, findings.proposed, findings.provisional, findings.compared_with, findings.run_date, findings.job, findings.month.
  = help: `SHOW TABLES` names the tables, `DESCRIBE findings` the columns of one; docs/reports.md says what they mean
");
    insta::assert_snapshot!(wrong("selec 1"), @r#"
error: ParserError("Expected: an SQL statement, found: selec at Line: 1, Column: 1")
  = help: `SHOW TABLES` names the tables, `DESCRIBE findings` the columns of one; docs/reports.md says what they mean
"#);
    insta::assert_snapshot!(project.call(&["sql", "select 1/0"]).exits(3).err, @r"error: Arrow error: Divide by zero error");
}

#[test]
fn gaps_are_counted_in_the_unit_of_the_bars() {
    let project = Project::new(BARS);
    for (interval, bars, missing) in [
        ("1w", "A,2024-01-05,1\nA,2024-01-12,1\nA,2024-02-02,1\n", "2 weeks missing from 2024-01-15 to 2024-01-22"),
        ("1M", "A,2024-01-31,1\nA,2024-03-28,1\n", "1 month missing on 2024-02-01"),
        ("1d", "A,2024-01-02,1\nA,2024-01-05,1\n", "2 sessions missing from 2024-01-03 to 2024-01-04"),
    ] {
        project.write("job.toml", JOB.replace("\"1d\"", &format!("{interval:?}")));
        project.write("rules.toml", "[[rule]]\nid = \"gap\"\ncheck = \"gap\"\n");
        project.write("bars.csv", format!("symbol,date,close\n{bars}"));
        project.call(&["check", "job.toml"]).exits(1);
        let shown = project.call(&["report", "show"]).exits(0).out;
        assert!(shown.contains(missing), "{interval}: {shown}");
    }
}

#[test]
fn one_is_no_plural() {
    let project = Project::new(FAULTY);
    let last = |args: &[&str]| project.call(args).exits(0).out.lines().last().unwrap().to_owned();
    assert_eq!(last(&["sql", "select 1"]), "1 row");
    project.write("bars.csv", BARS.replace("20.5,21,20,20.8", "20.5,2,20,20.8"));
    project.call(&["run", "job.toml"]).exits(1);
    assert_eq!(last(&["quarantine", "list", "job.toml"]), "1 row");
    assert_eq!(last(&["quarantine", "export", "job.toml", "-o", "x.csv"]), "1 row in x.csv");
    let back = last(&["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "1"]);
    assert_eq!(back, "1 row is back, 0 were there already, 0 conflicts");
    project.write("one.csv", BARS.lines().take(2).collect::<Vec<_>>().join("\n"));
    project.edit("job.toml", "bars.csv", "one.csv");
    let nothing = project.call(&["check", "job.toml", "--series", "C"]).exits(3);
    nothing.says(&["none of 1 row in `one.csv` is of series `C`"]);
    let doctor = project.call(&["doctor", "job.toml"]);
    assert!(doctor.out.contains("1 file, 0 MiB"), "{doctor:?}");
}
