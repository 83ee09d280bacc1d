//! What a killed process leaves behind goes with the next one, and never what a living one needs; and who may read what
//! is written, and who wrote it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli_support::Project;
use crate::support::{self, Moments, kill_after};

/// Bars of many series, mixed, a few of which contradict themselves, so that all stages of a run take a while.
fn many_bars() -> String {
    let mut text = String::from("symbol,date,open,high,low,close,volume\n");
    for day in 0..500 {
        let date = chrono::NaiveDate::from_ymd_opt(2000, 1, 3).unwrap() + chrono::TimeDelta::days(day);
        for series in 0..200 {
            let high = if (day + series) % 40 == 0 { 2 } else { 11 };
            writeln!(text, "S{series},{date},10,{high},9,10.5,1000").unwrap();
        }
    }
    text
}

fn start(project: &Project) -> Child {
    project.process(&["check", "job.toml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Folders for temporary files.
fn folders(project: &Project) -> BTreeSet<PathBuf> {
    fs::read_dir(project.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Waits until the process has begun to copy its source.
fn wait_for_snapshot(project: &Project) -> PathBuf {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_mins(1), "no snapshot is made");
        let files = folders(project).into_iter().flat_map(|folder| support::files(&folder));
        let mut snapshots = files.filter(|path| path.to_string_lossy().contains("snapshot"));
        if let Some(snapshot) = snapshots.next() {
            return snapshot.parent().unwrap().to_path_buf();
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_folder_of_a_killed_run_goes_and_that_of_a_living_one_stays() {
    let project = Project::new(many_bars());
    let mut killed = start(&project);
    let left = wait_for_snapshot(&project);
    assert_eq!((mode(&left), mode(&left.join("owner"))), (0o700, 0o600));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = folders(&project);
    assert!(!left.is_empty());

    let mut living = start(&project);
    let begun = Instant::now();
    let its = loop {
        let new: BTreeSet<_> = folders(&project).difference(&left).cloned().collect();
        if new.iter().any(|folder| support::files(folder).iter().any(|file| !file.ends_with("owner"))) {
            break new;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "no snapshot is made");
        thread::sleep(Duration::from_millis(1));
    };
    signal(&living, "STOP");
    let third = project.process(&["check", "job.toml"]).output().unwrap();
    assert_eq!(third.status.code(), Some(1), "{third:?}");
    assert_eq!(folders(&project), its, "what is left of the killed run is gone, what the living one needs is there");
    signal(&living, "CONT");
    assert_eq!(living.wait().unwrap().code(), Some(1));
    assert!(folders(&project).is_empty());
}

#[test]
fn what_a_query_spills_goes_with_the_folder_of_its_command() {
    let project = Project::new(many_bars());
    let args = ["check", "job.toml", "--memory-limit", "16MiB", "--temp-dir", "tmp"];
    let mut killed = project.process(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let spills = |path: &PathBuf| path.to_string_lossy().contains("datafusion-");
    while !folders(&project)
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .any(|it| spills(&it.path()))
    {
        assert!(begun.elapsed() < Duration::from_mins(1), "the engine has no folder for what it spills");
        thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!folders(&project).is_empty() && !folders(&project).iter().any(spills), "{:?}", folders(&project));
    project.call(&["report", "list", "--temp-dir", "tmp"]).exits(0);
    assert!(folders(&project).is_empty());
}

#[test]
fn no_half_report_stays_behind_runs_that_were_killed() {
    let project = Project::new(many_bars());
    let began = Instant::now();
    project.call(&["check", "job.toml"]).exits(1);
    let whole = u64::try_from(began.elapsed().as_millis()).unwrap();
    let mut moments = Moments::of(0x9e37_79b9);
    for _ in 0..support::kills(12) {
        kill_after(&mut start(&project), moments.next(whole / 2, whole));
    }
    project.call(&["check", "job.toml"]).exits(1);
    let hidden = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
    let files = project.files("reports");
    assert_eq!(files.iter().filter(|path| hidden(path)).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    let runs: BTreeSet<String> = project.runs().into_iter().map(|(run, ..)| run).collect();
    for file in files.iter().filter(|path| path.extension().is_some_and(|it| it == "parquet")) {
        let name = file.file_name().unwrap().to_string_lossy();
        let of_a_run = name.get(..21).is_some_and(|run| runs.contains(run));
        assert!(of_a_run || name == "no-rows.parquet", "{name} is of no run");
    }
}

#[test]
fn a_report_is_for_those_who_may_read_the_source() {
    for (source, report) in [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644)] {
        let project = Project::new(crate::cli_support::BARS);
        fs::set_permissions(project.path("bars.csv"), Permissions::from_mode(source)).unwrap();
        let status = Command::new("sh")
            .args(["-c", "umask 022; exec \"$0\" check job.toml", env!("CARGO_BIN_EXE_barkeep")])
            .current_dir(project.root())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0));
        let files = project.files("reports");
        assert!(files.len() >= 4, "{files:?}");
        for file in files {
            assert_eq!((mode(&file), mode(file.parent().unwrap())), (report, 0o700), "{}", file.display());
        }
        assert_eq!(mode(&project.path("reports")), 0o700);
    }
}

#[test]
fn runs_and_actions_say_who_it_was() {
    let project = Project::new(
        "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,11,9.5,10.5,1\nA,2024-01-03,10,2,9,10,1\n",
    );
    project.call(&["run", "job.toml"]);
    let text = |command: &str, args: &[&str]| {
        let output = Command::new(command).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let (user, host) = (text("id", &["-un"]), text("uname", &["-n"]));
    for table in ["runs", "actions"] {
        let query = format!("select \"user\", host from {table}");
        let mut call = project.command(&["sql", &query, "--format", "json"]);
        // What the environment says of the user anybody can change.
        let output = project.output(call.env("USER", "mallory").env("LOGNAME", "mallory").output().unwrap()).exits(0);
        let rows = output.json();
        assert_eq!(rows.len(), 1, "{table}");
        assert_eq!((rows[0]["user"].as_str(), rows[0]["host"].as_str()), (Some(&*user), Some(&*host)), "{table}");
    }
}
