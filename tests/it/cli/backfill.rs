//! `barkeep backfill`: old windows, one after the other; what is done is not done again, and the watermark stays.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::cli_support::{Project, Told};
use crate::support;

/// Bars of one series on each day of ten weeks from 2024-01-01 on, of which one contradicts itself.
fn bars() -> String {
    let mut text = String::from("symbol,date,open,high,low,close,volume\n");
    for day in 0..70 {
        let date = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::TimeDelta::days(day);
        let high = if day == 30 { 2 } else { 11 };
        text.push_str(&format!("A,{date},10,{high},9,10.5,1000\n"));
    }
    text
}

fn project() -> Project {
    let project = Project::new(bars());
    project.edit("job.toml", "calendar = \"XNYS\"\n", "calendar = \"24/7\"\n");
    project
}

fn backfill(project: &Project, more: &[&str]) -> Told {
    let args = ["backfill", "job.toml", "--since", "2024-01-01", "--until", "2024-03-11", "--step", "2w"];
    project.call(&[&args, more].concat())
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Row {
    run_id: String,
    command: String,
    trigger: String,
    status: String,
    window_since: Option<String>,
    window_until: Option<String>,
    watermark_after: Option<String>,
}

fn runs(project: &Project) -> Vec<Row> {
    let mut runs: Vec<Row> = support::table(&project.path("reports"), "runs");
    runs.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    runs
}

/// What the summary says of the windows.
fn windows(told: &Told) -> Vec<&str> {
    ["windows", "done_before", "ok", "findings", "failed", "skipped", "left"].map(|key| told.value(key)).to_vec()
}

#[test]
fn every_window_is_a_run_of_its_own_and_the_watermark_stays() {
    let project = project();
    project.edit("job.toml", "[bars]", "[window]\nlookback = \"10d\"\n[bars]");
    project.edit("bars.csv", "A,2024-01-31,10,2,", "A,2024-01-31,10,11,");
    project.call(&["run", "job.toml", "--as-of", "2024-01-20"]).exits(0);
    project.edit("bars.csv", "A,2024-01-31,10,11,", "A,2024-01-31,10,2,");
    let state = fs::read(project.path("state/demo.json")).unwrap();
    let told = backfill(&project, &[]).exits(1);
    assert_eq!(windows(&told), ["5", "0", "4", "1", "0", "0", "0"]);
    let lines: Vec<&str> = told.err.lines().map(|line| line.rsplit_once("   ").unwrap().0).collect();
    assert_eq!(
        lines,
        [
            "1 of 5   2024-01-01 .. 2024-01-15   ok   14 rows   0 findings   0 moved",
            "2 of 5   2024-01-15 .. 2024-01-29   ok   14 rows   0 findings   0 moved",
            "3 of 5   2024-01-29 .. 2024-02-12   findings   14 rows   1 finding   1 moved",
            "4 of 5   2024-02-12 .. 2024-02-26   ok   14 rows   0 findings   0 moved",
            "5 of 5   2024-02-26 .. 2024-03-11   ok   14 rows   0 findings   0 moved",
        ]
    );
    let of_backfill: Vec<Row> = runs(&project).into_iter().filter(|run| run.trigger == "backfill").collect();
    assert_eq!(of_backfill.len(), 5);
    assert!(of_backfill.iter().all(|run| run.command == "run" && run.watermark_after.is_none()), "{of_backfill:?}");
    let ends: Vec<_> = of_backfill.iter().filter_map(|run| Some((run.window_since.as_ref()?, &run.status))).collect();
    assert!(ends[2].0.starts_with("2024-01-29") && ends[2].1 == "findings", "{ends:?}");
    assert_eq!(fs::read(project.path("state/demo.json")).unwrap(), state, "the watermark is where it was");
    assert!(!fs::read_to_string(project.path("bars.csv")).unwrap().contains("2024-01-31"), "the row has left");
}

#[test]
fn what_is_done_is_done_until_the_job_or_its_rules_change() {
    let project = project();
    backfill(&project, &[]).exits(1);
    assert_eq!(windows(&backfill(&project, &[]).exits(0)), ["5", "5", "0", "0", "0", "0", "0"]);
    assert_eq!(windows(&backfill(&project, &["--reprocess", "failed"]).exits(0))[1], "5");
    assert_eq!(windows(&backfill(&project, &["--reprocess", "all"]).exits(0))[2], "5");
    assert_eq!(runs(&project).len(), 10);
    // A further end is a further window; the ones before are the same.
    let args = ["backfill", "job.toml", "--since", "2024-01-15", "--until", "2024-03-10", "--step", "2w"];
    assert_eq!(windows(&project.call(&args).exits(0))[1..3], ["3", "1"]);
    project.edit("rules.toml", "why = \"a bar", "why = \"every bar");
    assert_eq!(windows(&backfill(&project, &[]).exits(0))[1], "5", "what does not decide verdicts changes nothing");
    project.edit("rules.toml", "id = \"gap\"", "id = \"hole\"");
    assert_eq!(windows(&backfill(&project, &[]).exits(0))[1], "0");
    project.edit("job.toml", "fraction = 1.0", "fraction = 0.9");
    assert_eq!(windows(&backfill(&project, &[]).exits(0))[1], "0");
    // What a run by hand or a check saw is none of it.
    fs::remove_dir_all(project.path("reports")).unwrap();
    project.call(&["run", "job.toml", "--since", "2024-01-01", "--until", "2024-01-15", "--dry-run"]).exits(0);
    assert_eq!(windows(&backfill(&project, &[]).exits(0))[1], "0");
}

#[test]
fn one_window_that_fails_keeps_no_other_from_running_and_is_repeated() {
    let project = project();
    project.edit("job.toml", "[limits]", "[limits]\nrows = 0");
    let told = backfill(&project, &[]).exits(4);
    assert_eq!(windows(&told), ["5", "0", "4", "0", "1", "0", "0"]);
    told.says(&["3 of 5   2024-01-29 .. 2024-02-12   refused", "next: barkeep backfill job.toml --since 2024-01-01"]);
    let again = backfill(&project, &["--reprocess", "failed"]).exits(4);
    assert_eq!(windows(&again), ["5", "4", "0", "0", "1", "0", "0"]);
    project.edit("job.toml", "rows = 0", "rows = 5");
    let repaired = backfill(&project, &["--reprocess", "failed"]).exits(1);
    assert_eq!(windows(&repaired), ["5", "4", "0", "1", "0", "0", "0"], "whatever the job was when it failed");
    // Nothing is there before the bars begin: that is not success.
    let args = ["backfill", "job.toml", "--since", "2023-12-18", "--until", "2024-01-15", "--step", "2w"];
    let told = project.call(&args).exits(3).says(&["nothing was evaluated"]);
    assert_eq!(windows(&told), ["2", "0", "1", "0", "1", "0", "0"]);
}

#[test]
fn json_has_every_window_and_the_count() {
    let project = project();
    let objects = backfill(&project, &["--format", "json"]).exits(1).json();
    let kinds: Vec<&str> = objects.iter().map(|object| object["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["summary", "summary", "summary", "summary", "summary", "backfill"]);
    assert_eq!(objects[2]["trigger"], "backfill");
    assert_eq!(
        objects[5],
        serde_json::json!({ "type": "backfill", "windows": 5, "done_before": 0, "ok": 4, "findings": 1, "failed": 0, "skipped": 0, "left": 0 })
    );
    let quiet = backfill(&project, &["--quiet"]).exits(0);
    assert!(quiet.out.is_empty() && quiet.err.is_empty(), "{quiet:?}");
}

#[test]
fn a_backfill_that_was_interrupted_goes_on() {
    let project = project();
    let mut text = String::from("symbol,date,open,high,low,close,volume\n");
    for day in 0..70 {
        let date = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::TimeDelta::days(day);
        (0..300).for_each(|series| text.push_str(&format!("S{series},{date},10,11,9,10.5,1000\n")));
    }
    project.write("bars.csv", text);
    let args = ["backfill", "job.toml", "--since", "2024-01-01", "--until", "2024-03-11", "--step", "2d"];
    let mut done = 0;
    for name in ["INT", "TERM", "KILL"] {
        let child = project.process(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while runs(&project).iter().filter(|run| run.status == "ok").count() < done + 2 {
            assert!(begun.elapsed() < Duration::from_mins(1), "no window is done");
            thread::sleep(Duration::from_millis(20));
        }
        let pid = child.id().to_string();
        let status = std::process::Command::new("kill").args([format!("-{name}"), pid]).status().unwrap();
        assert!(status.success());
        let output = child.wait_with_output().unwrap();
        if name == "KILL" {
            project.tidy();
        } else {
            let told = project.output(output).exits(if name == "INT" { 130 } else { 143 });
            assert_ne!(told.value("left"), "0");
            assert_eq!(told.value("done_before"), done.to_string());
        }
        let finished = runs(&project).iter().filter(|run| run.status == "ok").count();
        assert!(finished > done, "{name}");
        done = finished;
    }
    let rest = project.call(&args).exits(0);
    assert_eq!((rest.value("done_before"), rest.value("left")), (done.to_string().as_str(), "0"));
    assert_eq!(runs(&project).iter().filter(|run| run.status == "ok").count(), 35, "each window once");
}

#[test]
fn a_lock_fails_or_skips_and_the_windows_stay_missing() {
    let project = project();
    fs::create_dir_all(project.path("reports")).unwrap();
    let held = fs::File::create(project.path("reports/.demo.lock")).unwrap();
    held.lock().unwrap();
    let told = backfill(&project, &[]).exits(5).says(&["another run of job `demo` is alive"]);
    assert_eq!(windows(&told), ["5", "0", "0", "0", "1", "0", "4"], "the others would not get it either");
    let told = backfill(&project, &["--if-locked", "skip"]).exits(0);
    assert_eq!(windows(&told), ["5", "0", "0", "0", "0", "5", "0"]);
    drop(held);
    assert_eq!(windows(&backfill(&project, &[]).exits(1)), ["5", "0", "4", "1", "0", "0", "0"]);
}

#[test]
fn reports_that_are_not_kept_forget_no_window() {
    let project = project();
    project.edit("job.toml", "[report]", "[report]\nkeep_daily = 1\nkeep_monthly = 1");
    backfill(&project, &[]).exits(1);
    // Two days later.
    for folder in ["runs", "findings", "rule_results", "series_metrics", "actions"] {
        let of_job = project.path("reports").join(folder).join("job=demo");
        for month in fs::read_dir(of_job).into_iter().flatten() {
            let month = month.unwrap().path();
            for file in fs::read_dir(&month).unwrap() {
                let file = file.unwrap().path();
                let name = file.file_name().unwrap().to_str().unwrap();
                let earlier = month.with_file_name("month=2026-01");
                fs::create_dir_all(&earlier).unwrap();
                fs::rename(&file, earlier.join(format!("20260105{}", &name[8..]))).unwrap();
            }
        }
    }
    project.call(&["run", "job.toml"]).exits(0);
    assert_eq!(windows(&backfill(&project, &[]).exits(0))[1], "5");
}

#[test]
fn wrong_windows_and_steps_say_so_before_anything_is_read() {
    let project = project();
    let wrong = |args: &[&str], says: &[&str]| {
        project.call(&[&["backfill", "job.toml"], args].concat()).exits(2).says(says);
    };
    wrong(&["--since", "2024-03-01", "--until", "2024-01-01"], &["the window is empty", "half-open"]);
    wrong(&["--since", "2024-01-01"], &["--until"]);
    wrong(
        &["--since", "2024-01-01", "--until", "2100-01-01"],
        &["--until: 2100-01-01 is in the future", "barkeep run"],
    );
    wrong(
        &["--since", "2024-01-01", "--until", "2024-03-01", "--as-of", "2024-02-10"],
        &["--until: 2024-03-01 is in the future"],
    );
    let years = ["--since", "2024-01-01", "--until", "2024-03-01", "--step"];
    for (step, says) in [
        ("0d", "--step: a window has a length"),
        ("61d", "--step: it is longer than 2024-01-01 .. 2024-03-01"),
        ("12h", "--step: a bar is a day or longer"),
        ("a month", "--step: `a month` is not a span of time"),
    ] {
        wrong(&[&years[..], &[step]].concat(), &[says]);
    }
    wrong(&["--since", "soon", "--until", "2024-03-01"], &["--since: `soon` is not a date or time"]);
    assert!(!project.path("reports").exists());
    project.edit("job.toml", "interval = \"1d\"", "interval = \"1h\"");
    project.edit("job.toml", "{ field = \"date\" }", "{ field = \"date\", formats = [\"%Y-%m-%d %H:%M\"] }");
    wrong(&["--since", "2010-01-01", "--until", "2024-01-01", "--step", "1h"], &["more than 10,000 windows"]);
    project.edit("job.toml", "time = ", "timed = ");
    wrong(&["--since", "2024-01-01", "--until", "2024-03-01"], &["time"]);
    // 30 days where nobody says how long; a shorter time is one window.
    let project = self::project();
    let one = project.call(&["backfill", "job.toml", "--since", "2024-01-01", "--until", "2024-01-08"]).exits(0);
    assert_eq!(windows(&one)[..3], ["1", "0", "1"]);
}

#[test]
fn nobody_is_told_of_old_windows() {
    let project = project();
    fs::create_dir(project.path("metrics")).unwrap();
    let job = fs::read_to_string(project.path("job.toml")).unwrap();
    project.write("job.toml", format!("{job}\n[notify]\nprometheus = \"metrics\"\n"));
    backfill(&project, &[]).exits(1);
    assert_eq!(fs::read_dir(project.path("metrics")).unwrap().count(), 0);
    project.call(&["run", "job.toml"]).exits(0);
    assert_eq!(fs::read_dir(project.path("metrics")).unwrap().count(), 1);
}
