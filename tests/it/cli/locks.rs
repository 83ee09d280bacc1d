//! One run of a job at a time: who holds it is named, a stopped holder harms nothing, and a dead one blocks nobody.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli_support::{Project, Told};
use crate::support;

/// Bars of which one contradicts itself; so many that a run takes a moment.
fn bars(days: i64) -> String {
    let mut text = String::from("symbol,date,open,high,low,close,volume\n");
    for day in 0..days {
        let date = chrono::NaiveDate::from_ymd_opt(2000, 1, 3).unwrap() + chrono::TimeDelta::days(day);
        for series in 0..20 {
            let high = if (day, series) == (7, 3) { 2 } else { 11 };
            writeln!(text, "S{series},{date},10,{high},9,10.5,1000").unwrap();
        }
    }
    text
}

fn project(days: i64) -> Project {
    let project = Project::new(bars(days));
    // Bars of all days: which of them have no session is not asked here.
    project.edit("job.toml", "calendar = \"XNYS\"\n", "calendar = \"24/7\"\n");
    project
}

fn start(project: &Project, args: &[&str]) -> Child {
    project.process(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(project: &Project, child: Child) -> Told {
    project.output(child.wait_with_output().unwrap())
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A run that holds the job and was stopped on its way.
fn stopped_holder(project: &Project) -> Child {
    let holder = start(project, &["run", "job.toml"]);
    let begun = Instant::now();
    while fs::read(project.path("reports/.demo.lock")).map_or(true, |text| text.is_empty()) {
        assert!(begun.elapsed() < Duration::from_mins(1), "the run takes no lock");
        thread::sleep(Duration::from_millis(1));
    }
    signal(&holder, "STOP");
    holder
}

/// A run that waits for another one; what it says is in the file `name`.
fn waiting(project: &Project, name: &str) -> Child {
    let said = fs::File::create(project.path(name)).unwrap();
    let mut process = project.process(&["run", "job.toml", "--if-locked", "wait"]);
    let run = process.stdout(Stdio::piped()).stderr(said).spawn().unwrap();
    let begun = Instant::now();
    while !fs::read_to_string(project.path(name)).unwrap().contains("waiting: another run of job `demo` is alive") {
        assert!(begun.elapsed() < Duration::from_mins(1), "the run does not wait");
        thread::sleep(Duration::from_millis(5));
    }
    run
}

/// What a call says while another run is alive, whose temporary files are not left by the call.
fn beside(project: &Project, args: &[&str]) -> Told {
    let output = project.process(args).env("TMPDIR", "/tmp").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Told { code: output.status.code(), signal: None, out: text(&output.stdout), err: text(&output.stderr) }
}

#[test]
fn a_stopped_holder_is_named_and_others_fail_skip_or_wait() {
    let project = project(500);
    let holder = stopped_holder(&project);
    let who = format!("another run of job `demo` is alive: process {} on ", holder.id());
    let failed = beside(&project, &["run", "job.toml"]).exits(5).says(&[&who, " since 20", "`barkeep run job.toml`"]);
    failed.only_its_line("locked");
    let json = beside(&project, &["run", "job.toml", "--format", "json"]).exits(5).json();
    assert!(json[0]["message"].as_str().unwrap().starts_with(&who), "{json:?}");

    let skipped = beside(&project, &["run", "job.toml", "--if-locked", "skip"]).exits(0);
    assert_eq!(
        ["verdict", "status", "exit", "source"].map(|key| skipped.value(key)),
        ["WARN", "skipped", "0", "unchanged"]
    );
    assert!(skipped.out.contains(&who), "{}", skipped.out);
    let statuses: Vec<(String, i64)> = project.runs().into_iter().map(|(_, status, code)| (status, code)).collect();
    assert_eq!(statuses, [("skipped".to_owned(), 0)]);
    beside(&project, &["check", "job.toml", "--no-report"]).exits(1);

    let (impatient, patient) = (waiting(&project, "impatient"), waiting(&project, "patient"));
    signal(&impatient, "INT");
    let impatient = impatient.wait_with_output().unwrap();
    assert_eq!(impatient.status.code(), Some(130));
    let said = fs::read_to_string(project.path("impatient")).unwrap();
    assert_eq!(said.matches("waiting: another run of job `demo` is alive").count(), 1, "{said}");

    signal(&holder, "CONT");
    let (holder, patient) = (holder.wait_with_output().unwrap(), ended(&project, patient).exits(0));
    assert_eq!((holder.status.code(), patient.value("rows")), (Some(1), "9999"), "the row had left by then");
    assert!(!project.path("reports/.demo.lock").exists());
}

#[test]
fn a_killed_holder_blocks_nobody() {
    let project = project(500);
    let mut holder = stopped_holder(&project);
    holder.kill().unwrap();
    holder.wait().unwrap();
    project.tidy();
    assert!(project.path("reports/.demo.lock").exists(), "the file stays, and nobody holds it");
    assert_eq!(project.call(&["run", "job.toml"]).exits(1).value("removed"), "1");
    assert!(!project.path("reports/.demo.lock").exists());
}

#[test]
fn a_plan_is_not_applied_beside_a_run() {
    let project = project(500);
    let plan = project.call(&["plan", "job.toml", "-o", "a.plan"]).exits(1);
    let confirm = plan.value("confirm").to_owned();
    let holder = stopped_holder(&project);
    beside(&project, &["apply", "a.plan", "--confirm", &confirm]).exits(5).says(&["another run of job `demo`"]);
    signal(&holder, "CONT");
    assert_eq!(holder.wait_with_output().unwrap().status.code(), Some(1));
}

/// `BARKEEP_STARTS` says how often; 100 is a series, and a few are run here.
#[test]
fn of_ten_starts_at_once_one_moves_the_row_and_the_others_fail_skip_or_wait() {
    let rounds = std::env::var("BARKEEP_STARTS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(6);
    for round in 0..rounds {
        let project = project(20);
        let how = ["fail", "skip", "wait"][round % 3];
        let all: Vec<Child> = (0..10).map(|_| start(&project, &["run", "job.toml", "--if-locked", how])).collect();
        let mut codes: Vec<Option<i32>> = all.into_iter().map(ended_among).collect();
        codes.sort_unstable();
        let moved = codes.iter().filter(|code| **code == Some(1)).count();
        let allowed = |code: &Option<i32>| match how {
            "fail" => [Some(0), Some(1), Some(5)].contains(code),
            _ => [Some(0), Some(1)].contains(code),
        };
        assert!(moved == 1 && codes.iter().all(allowed), "round {round}, {how}: {codes:?}");
        let recorded = project.runs();
        let skipped = recorded.iter().filter(|(_, status, _)| status == "skipped").count();
        match how {
            "fail" => {
                assert_eq!(recorded.len(), codes.iter().filter(|code| **code != Some(5)).count(), "round {round}");
            }
            "skip" => assert_eq!(recorded.len(), 10, "round {round}"),
            _ => assert_eq!((recorded.len(), skipped), (10, 0), "round {round}"),
        }
        assert_eq!(fs::read_to_string(project.path("bars.csv")).unwrap().lines().count(), 400);
        let copies = project.call(&["quarantine", "list", "job.toml", "--format", "json"]).exits(0).json();
        assert_eq!(copies.len(), 1, "round {round}");
        assert!(support::files(&project.path("reports")).iter().all(|path| !path.ends_with(".demo.lock")));
    }
}

fn ended_among(child: Child) -> Option<i32> {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    output.status.code()
}

#[test]
fn each_job_of_a_call_has_its_code_and_the_gravest_ends_the_process() {
    let project = project(500);
    project.write("wrong.toml", "name = 1\n");
    project.write("fine.toml", fs::read_to_string(project.path("job.toml")).unwrap().replace("\"demo\"", "\"fine\""));
    project.edit("fine.toml", "bars.csv", "other.csv");
    project.write("other.csv", "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,11,9,10.5,1\n");
    let told = project.call(&["run", "wrong.toml", "fine.toml"]).exits(2);
    assert!(
        told.out.contains("job=fine verdict=OK"),
        "a job that cannot be read does not stop the others: {}",
        told.out
    );
    let holder = stopped_holder(&project);
    let told = beside(&project, &["run", "wrong.toml", "job.toml", "fine.toml"]).exits(5);
    let codes: Vec<&str> =
        told.out.lines().filter_map(|line| line.split(' ').find_map(|pair| pair.strip_prefix("exit="))).collect();
    assert_eq!(codes, ["2", "5", "0"], "{}", told.out);
    signal(&holder, "CONT");
    assert_eq!(holder.wait_with_output().unwrap().status.code(), Some(1));
}

/// Gives the newest run another day, as if it had been so many days earlier.
fn days_earlier(project: &Project, days: u64) {
    let (run, ..) = project.runs().pop().unwrap();
    for path in support::files(&project.path("reports")) {
        let now = path.to_str().unwrap().to_owned();
        if now.contains(&run) {
            let date = now.replace(&today("month=%Y-%m", 0), &today("month=%Y-%m", days));
            let then = date.replace(&run, &run.replace(&today("%Y%m%d", 0), &today("%Y%m%d", days)));
            fs::create_dir_all(std::path::Path::new(&then).parent().unwrap()).unwrap();
            fs::rename(path, then).unwrap();
        }
    }
}

fn today(format: &str, days: u64) -> String {
    (chrono::Utc::now().date_naive() - chrono::Days::new(days)).format(format).to_string()
}

#[test]
fn a_file_that_others_write_to_is_a_warning_for_three_nights() {
    let project = project(20);
    // The nights before are counted although nothing else of them is kept.
    project.edit("job.toml", "dir = \"reports\"", "dir = \"reports\"\nkeep_daily = 1\nkeep_monthly = 1");
    let night = |fail_on: &str| {
        let mut command = project.command(&["run", "job.toml", "--fail-on", fail_on]);
        project.output(command.env("BARKEEP_BUSY_SECONDS", "0").output().unwrap())
    };
    let loader = fs::OpenOptions::new().append(true).open(project.path("bars.csv")).unwrap();
    night("new").exits(1);
    days_earlier(&project, 5);
    for days in [4, 3] {
        let told = night("new").exits(0);
        assert_eq!(
            ["verdict", "status", "kept_error", "new_errors"].map(|key| told.value(key)),
            ["WARN", "ok", "1", "0"]
        );
        assert!(told.out.contains("1 row could not be removed"), "{}", told.out);
        days_earlier(&project, days);
    }
    let fourth = night("new").exits(3);
    assert_eq!(["verdict", "status"].map(|key| fourth.value(key)), ["FAIL", "broken"]);
    drop(loader);
    assert_eq!(night("new").exits(0).value("removed"), "1");
    let _loader = fs::OpenOptions::new().append(true).open(project.path("bars.csv")).unwrap();
    fs::write(project.path("bars.csv"), bars(20)).unwrap();
    assert_eq!(night("new").exits(0).value("verdict"), "WARN", "the count begins anew");
    night("error").exits(3);
}

#[test]
fn a_row_that_was_to_leave_and_stayed_is_looked_at_again() {
    let project = project(20);
    project.edit("job.toml", "[bars]", "[window]\nlookback = \"1d\"\n[bars]");
    let night = || {
        let mut command = project.command(&["run", "job.toml", "--fail-on", "new", "--as-of", "2000-01-22"]);
        project.output(command.env("BARKEEP_BUSY_SECONDS", "0").output().unwrap())
    };
    let loader = fs::OpenOptions::new().append(true).open(project.path("bars.csv")).unwrap();
    night().exits(1);
    assert_eq!(night().exits(0).value("kept_error"), "1");
    assert!(!project.path("state/demo.json").exists(), "the watermark would be behind the row");
    drop(loader);
    assert_eq!(night().exits(0).value("removed"), "1");
    assert!(project.path("state/demo.json").exists());
    assert_eq!(night().exits(0).value("rows"), "40", "the last two days of 20 series");
}
