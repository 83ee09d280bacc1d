//! Where output goes and in which form: JSON to its last line, one line a job, closed pipes, full disks, terminals.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::cli_support::{BARS, JOB, Project};

const FAULTY: &str =
    "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,1,9.5,10.5,1000\nA,2024-01-03,1,2,1,1,1\n";

#[test]
fn json_is_json_to_the_last_line_whatever_happens() {
    let project = Project::new(FAULTY);
    project.write("wrong.toml", "name = \"x\"\nrulez = 1\n");
    project.write("lost.toml", JOB.replace("\"demo\"", "\"lost\"").replace("bars.csv", "lost.csv"));
    let cases: &[(&[&str], i32)] = &[
        (&["check", "job.toml"], 1),
        (&["run", "job.toml"], 1),
        (&["report", "show"], 0),
        (&["check", "wrong.toml"], 2),
        (&["check", "nope.toml"], 2),
        (&["check", "lost.toml"], 3),
        (&["check", "wrong.toml", "lost.toml", "job.toml"], 3),
        (&["check", "job.toml", "--rule", "nope"], 2),
        (&["check", "job.toml", "--since", "nope"], 2),
        (&["check", "job.toml", "--since", "2031-01-01"], 3),
        (&["check", "job.toml", "--nope"], 2),
        (&["check"], 2),
        (&["report", "list"], 0),
        (&["report", "show"], 0),
        (&["report", "show", "nope"], 2),
        (&["report", "list", "--dir", "nowhere"], 0),
        (&["sql", "select 1 as one"], 0),
        (&["sql", "select"], 2),
        (&["sql", "select 1/0"], 3),
        (&["rules", "list"], 0),
        (&["rules", "list", "wrong.toml"], 2),
        (&["rules", "lint", "wrong.toml"], 2),
        (&["rules", "lint", "job.toml"], 0),
        (&["rules", "test", "rules.toml"], 0),
        (&["rules", "explain", "nope"], 2),
        (&["init", "new"], 0),
        (&["completions", "fish"], 0),
    ];
    for (number, (args, code)) in cases.iter().enumerate() {
        let format = ["json", "ndjson"][number % 2];
        let output = project.call(&[*args, &["--format", format]].concat()).exits(*code);
        let objects = output.json();
        let error = objects.iter().find(|object| object["type"] == "error");
        assert_eq!(error.is_some(), *code > 1, "{args:?}: {}", output.out);
    }
    assert!(project.call(&["check", "job.toml", "--nope", "--format=json"]).exits(2).json()[0]["message"].is_string());
}

#[test]
fn mistakes_are_objects_with_their_places() {
    let project = Project::new(BARS);
    project.edit("job.toml", "interval = \"1d\"", "interval = \"1x\"");
    project.edit("rules.toml", "check = \"gap\"", "check = \"gaps\"");
    let objects = project.call(&["check", "job.toml", "--format", "json"]).exits(2).json();
    let [error] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!(
        (error["job"].as_str(), error["message"].as_str()),
        (Some("job.toml"), Some("2 mistakes; nothing was read"))
    );
    let place = |number: usize| {
        let mistake = &error["mistakes"][number];
        format!("{}:{}:{} {}", mistake["file"].as_str().unwrap(), mistake["line"], mistake["column"], mistake["code"])
    };
    assert_eq!([place(0), place(1)], ["job.toml:9:12 \"bad-value\"", "rules.toml:9:9 \"unknown-check\""]);
}

#[test]
fn off_a_terminal_there_is_one_line_a_job() {
    let project = Project::new(FAULTY);
    let output = project.call(&["check", "job.toml", "job.toml"]).exits(1);
    assert_eq!(output.out.lines().count(), 2);
    for line in output.out.lines() {
        let pairs: Vec<&str> = line.split(' ').collect();
        assert!(pairs.iter().all(|pair| pair.contains('=')) && pairs[0] == "job=demo", "{line}");
    }
    assert!(!output.out.contains('\u{1b}') && output.err.is_empty());
}

#[test]
fn a_reader_that_goes_away_ends_the_output_and_not_the_run() {
    let project = Project::new(BARS);
    project.call(&["check", "job.toml"]).exits(0);
    for args in [
        &["check", "job.toml"][..],
        &["check", "job.toml", "--format", "json"],
        &["rules", "explain", "gap"],
        &["rules", "schema", "job"],
        &["report", "list"],
        &["report", "show"],
        &["sql", "select * from runs", "--format", "ndjson"],
        &["completions", "bash"],
        &["--help"],
        &["check", "--help"],
    ] {
        let mut child = project.process(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = project.output(child.wait_with_output().unwrap()).exits(0);
        assert!(output.err.is_empty(), "{args:?}: {}", output.err);
    }
    assert_eq!(project.runs().len(), 3, "the runs were finished all the same");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_reported() {
    let project = Project::new(BARS);
    for args in [&["check", "job.toml"][..], &["check", "job.toml", "--format", "json"], &["rules", "list"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = project.process(args).stdout(full).output().unwrap();
        project.output(output).exits(3).says(&["cannot write the result to stdout", "No space left"]);
    }
}

#[test]
fn messages_that_nobody_reads_are_dropped() {
    let project = Project::new(BARS);
    let mut child = project
        .process(&["check", "job.toml", "nope.toml", "-vv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let output = project.output(child.wait_with_output().unwrap()).exits(2);
    assert!(output.out.starts_with("job=demo "), "{output:?}");
}

#[test]
fn logs_go_to_stderr_in_the_form_asked_for() {
    let project = Project::new(BARS);
    let output = project.call(&["check", "job.toml", "-v"]).exits(0);
    assert!(
        output.err.contains("loaded") && output.err.contains(" job=demo run=") && output.out.lines().count() == 1,
        "{output:?}"
    );
    let output = project.call(&["check", "job.toml", "-v", "--log-format", "json"]).exits(0);
    for line in output.err.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object(), "{line}");
    }
    let output = project.command(&["check", "job.toml"]).env("BARKEEP_LOG", "barkeep=info").output().unwrap();
    assert!(project.output(output).exits(0).err.contains("evaluating"));
}

/// What barkeep shows on a terminal where `typed` is typed, and how it ends; where `script` can make one.
fn on_a_terminal(
    project: &Project,
    args: &str,
    (term, no_color): (&str, &str),
    typed: &str,
) -> Option<(String, Option<i32>)> {
    let transcript = project.path("transcript");
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} {args}", env!("CARGO_BIN_EXE_barkeep"))]);
    script.arg(&transcript).current_dir(project.root());
    script.env("TMPDIR", project.path("tmp")).env("NO_COLOR", no_color).env("TERM", term);
    script.env("CI", "true");
    let mut running = script.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().ok()?;
    running.stdin.take()?.write_all(typed.as_bytes()).ok()?;
    let status = running.wait().ok()?;
    let mut text = String::new();
    fs::File::open(transcript).ok()?.read_to_string(&mut text).ok()?;
    Some((text, status.code()))
}

#[test]
fn a_terminal_shows_the_table_and_colours_it_unless_told_not_to() {
    let project = Project::new(FAULTY);
    let show = |no_color| on_a_terminal(&project, "check job.toml", ("xterm", no_color), "");
    let Some(plain) = show("1") else {
        eprintln!("left out: no `script` here to make a terminal with");
        return;
    };
    let coloured = show("").unwrap();
    for (text, code) in [&plain, &coloured] {
        assert_eq!(*code, Some(1), "{text}");
        assert!(text.contains("severity") && text.contains("would be quarantined, nothing was changed."), "{text}");
        assert!(text.contains("barkeep plan job.toml"), "{text}");
        let [finding, next] = ["error ohlc A 2024-01-0", "next: "].map(|part| text.find(part));
        assert!(finding.is_some() && finding < next, "few findings stand behind the table: {text}");
    }
    assert!(coloured.0.contains("\u{1b}[1;31mFAIL") && !plain.0.contains("\u{1b}[1;31m"), "{}", plain.0);
    // A terminal that only shows text gets nothing else.
    for args in ["check job.toml", "check wrong.toml", "--help", "-vv check job.toml"] {
        project.write("wrong.toml", "name = 1\nrulez = 2\n");
        let (dumb, _) = on_a_terminal(&project, args, ("dumb", ""), "").unwrap();
        assert!(!dumb.contains('\u{1b}'), "{args}: {dumb:?}");
    }
}

#[test]
fn a_terminal_is_asked_before_rows_leave() {
    let project = Project::new(FAULTY);
    project.call(&["plan", "job.toml", "-o", "the.plan"]).exits(1);
    let before = fs::read(project.path("bars.csv")).unwrap();
    let Some((text, code)) = on_a_terminal(&project, "apply the.plan", ("xterm", "1"), "yes\n") else {
        eprintln!("left out: no `script` here to make a terminal with");
        return;
    };
    assert!(text.contains("1 row of `demo` would leave it for the quarantine. Type 1 to go on:"), "{text}");
    assert!(text.contains("it was not confirmed; nothing was touched"), "{text}");
    assert_eq!((code, fs::read(project.path("bars.csv")).unwrap()), (Some(4), before.clone()));
    let (text, code) = on_a_terminal(&project, "apply the.plan", ("xterm", "1"), "1\n").unwrap();
    assert_eq!(code, Some(0), "{text}");
    assert!(fs::read(project.path("bars.csv")).unwrap().len() < before.len(), "{text}");
}
