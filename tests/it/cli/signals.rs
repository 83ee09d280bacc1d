//! Ctrl-C and polite kills: the exit code, a row in `runs` that says so, and nothing else left.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli_support::{BARS, Project, Told};

/// Bars of many series, mixed, so that reading and sorting them takes a while.
fn many_bars() -> String {
    let mut text = String::from("symbol,date,open,high,low,close,volume\n");
    for day in 0..1_000 {
        let date = chrono::NaiveDate::from_ymd_opt(2000, 1, 3).unwrap() + chrono::TimeDelta::days(day);
        for series in 0..600 {
            writeln!(text, "S{series},{date},10,11,9,10.5,1000").unwrap();
        }
    }
    text
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits until barkeep has begun to write into its temporary folder.
fn wait_until_busy(project: &Project) {
    let begun = Instant::now();
    while fs::read_dir(project.path("tmp")).unwrap().count() == 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "barkeep does not begin");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends `name` after `delay` to barkeep while it is busy with `args`.
fn stopped(project: &Project, args: &[&str], name: &str, delay: Duration) -> Told {
    let child = project.process(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until_busy(project);
    thread::sleep(delay);
    signal(&child, name);
    let output = project.output(child.wait_with_output().unwrap());
    assert!(output.err.contains("stopped by a signal"), "{output:?}");
    output
}

#[test]
fn a_signal_stops_a_run_and_leaves_nothing_half_done() {
    let project = Project::new(many_bars());
    let soon = Duration::from_millis(30);
    stopped(&project, &["run", "job.toml", "job.toml"], "INT", soon).exits(130);
    stopped(&project, &["check", "job.toml"], "TERM", soon).exits(143);
    let output =
        stopped(&project, &["check", "job.toml", "--format", "json"], "INT", Duration::from_millis(300)).exits(130);
    assert_eq!(output.json()[0]["name"], "signal");
    let runs: Vec<(String, i64)> = project.runs().into_iter().map(|(_, status, code)| (status, code)).collect();
    assert_eq!(
        runs,
        [130, 143, 130].map(|code| ("stopped".to_owned(), code)),
        "one row a run: the second job never began"
    );
    let left: Vec<_> =
        project.files("reports").into_iter().filter(|path| !path.starts_with(project.path("reports/runs"))).collect();
    assert!(left.is_empty() && project.files("quarantine").is_empty(), "{left:?}");
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("stopped, exit 130") && shown.contains("stopped by a signal"), "{shown}");
    project.write("bars.csv", BARS);
    project.call(&["check", "job.toml"]).exits(0);
}

#[test]
fn a_signal_stops_a_query() {
    let project = Project::new(many_bars());
    let query = "select count(*) from bars a join bars b on a.symbol = b.symbol";
    stopped(&project, &["sql", query, "--job", "job.toml"], "INT", Duration::from_millis(500)).exits(130);
}

#[test]
fn a_run_that_takes_longer_than_it_may_stops_as_after_a_signal() {
    let project = Project::new(BARS);
    fs::create_dir_all(project.path("reports")).unwrap();
    let lock = fs::File::create(project.path("reports/.demo.lock")).unwrap();
    lock.lock().unwrap();
    let args = ["run", "job.toml", "--if-locked", "wait", "--max-time"];
    let told = project.call(&[&args[..], &["1s"]].concat()).exits(143);
    told.says(&["waiting: another run of job `demo`", "longer than `--max-time` allows", "nothing was changed"]);
    drop(lock);
    project.call(&[&args[..], &["1h"]].concat()).exits(0);
    project.call(&[&args[..], &["0s"]].concat()).exits(2).says(&["--max-time: a run takes longer than nothing"]);
    project.call(&[&args[..], &["soon"]].concat()).exits(2).says(&["--max-time: `soon` is not a span"]);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let project = Project::new(many_bars());
    let mut child =
        project.process(&["check", "job.toml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until_busy(&project);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "signals are not heeded");
        signal(&child, "INT");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
