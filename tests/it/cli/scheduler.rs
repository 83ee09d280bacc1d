//! `barkeep schedule start`, with runs that were missed: they are due as soon as the loop begins.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use barkeep::{Clock, Context, Job, RunOptions};
use chrono::{TimeDelta, Timelike, Utc};
use serde::Deserialize;

use crate::cli_support::{BARS, Project};
use crate::support;

#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    trigger: String,
    status: String,
    exit_code: i64,
}

fn runs(project: &Project) -> Vec<Row> {
    let mut runs: Vec<Row> = support::table(&project.path("reports"), "runs");
    runs.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    runs
}

/// Adds a job that is due each day, two hours ago today, and was started last `days` days ago.
fn missed(project: &Project, name: &str, days: i64, more: &str) {
    let job = fs::read_to_string(project.path("job.toml")).unwrap();
    let job = job.replace("\"demo\"", &format!("\"{name}\""));
    let job = ["rules.toml", "bars.csv", "reports"]
        .iter()
        .fold(job, |job, file| job.replace(&format!("\"{file}\""), &format!("\"../{file}\"")));
    let due = Utc::now() - TimeDelta::hours(2);
    let schedule = format!("[schedule]\ncron = \"{} {} * * *\"\nzone = \"UTC\"\n{more}\n", due.minute(), due.hour());
    let path = format!("jobs/{name}.toml");
    project.write(&path, format!("{job}\n{schedule}"));
    let clock = Clock::fixed(Utc::now() - TimeDelta::days(days));
    let context = Context { clock, temp: Some(project.path("tmp")), ..Context::default() };
    let job = Job::open(&context, project.path(&path)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(16 << 20).enable_all().build().unwrap();
    runtime.block_on(job.run(RunOptions::default())).unwrap();
}

/// A loop whose log goes to the file `log`, in a process group of its own.
struct Loop<'p> {
    project: &'p Project,
    child: Child,
}

impl<'p> Loop<'p> {
    fn start(project: &'p Project, args: &[&str]) -> Self {
        let (out, log) = ["out", "log"].map(|name| fs::File::create(project.path(name)).unwrap()).into();
        let mut process = project.process(&[&["schedule", "start"], args].concat());
        let child = process.stdout(out).stderr(log).stdin(Stdio::null()).process_group(0).spawn().unwrap();
        Self { project, child }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.project.path("log")).unwrap()
    }

    /// Lines about the event, e.g. `ended`.
    fn lines(&self, event: &str) -> Vec<String> {
        let about = |line: &&str| line.split([' ', ':']).any(|word| word == event) && line.starts_with("20");
        self.log().lines().filter(about).map(str::to_owned).collect()
    }

    fn until(&mut self, event: &str, times: usize) {
        let begun = Instant::now();
        while self.lines(event).len() < times {
            assert!(self.child.try_wait().unwrap().is_none(), "the loop ended: {}", self.log());
            assert!(begun.elapsed() < Duration::from_mins(5), "not {times} times {event}: {}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal to the loop, and on a terminal to its group.
    fn signal(&self, name: &str, group: bool) {
        let id = self.child.id().to_string();
        let target = if group { format!("-{id}") } else { id };
        assert!(Command::new("kill").args([&format!("-{name}"), "--", &target]).status().unwrap().success());
    }

    fn ends(&mut self, code: i32) {
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{}", self.log());
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.child.id())).join(name)
    }

    /// Descriptors, threads, kilobytes in memory.
    fn level(&self) -> [u64; 3] {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        };
        [fs::read_dir(self.proc("fd")).unwrap().count() as u64, of("Threads:"), of("VmRSS:")]
    }

    fn children(&self) -> Vec<u32> {
        let mut children = Vec::new();
        for task in fs::read_dir(self.proc("task")).unwrap() {
            // A thread may be gone by now.
            let text = fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            children.extend(text.split_whitespace().map(|id| id.parse::<u32>().unwrap()));
        }
        children
    }

    /// Hundredths of a second of a processor that were used so far.
    fn used(&self) -> u64 {
        let stat = fs::read_to_string(self.proc("stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Loop<'_> {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn what_was_missed_is_made_up_for_and_a_bad_file_stops_no_other_job() {
    let project = Project::new(BARS);
    missed(&project, "each", 3, "catch_up = \"all\"");
    missed(&project, "once", 3, "");
    missed(&project, "never", 3, "catch_up = \"none\"");
    project.write("jobs/bad.toml", "name = 1\n");
    let mut looping = Loop::start(&project, &["--jobs", "2"]);
    looping.until("ended", 4);
    looping.until("passed-over", 1);
    thread::sleep(Duration::from_millis(200));
    looping.signal("TERM", false);
    looping.ends(143);
    let log = looping.log();
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!([count("job=each ended exit=0"), count("job=once ended exit=0"), count("job=never started")], [3, 1, 0]);
    assert_eq!(count("`jobs/bad.toml` cannot be used"), 1, "{log}");
    assert_eq!(count("stopping: signal 15; 0 runs to wait for"), 1, "{log}");
    let out = fs::read_to_string(project.path("out")).unwrap();
    assert_eq!(out.lines().filter(|line| line.contains(" verdict=OK ")).count(), 4, "{out}");
    let triggers: Vec<String> = runs(&project).into_iter().map(|run| run.trigger).collect();
    assert_eq!(triggers, ["cli", "cli", "cli", "schedule", "schedule", "schedule", "schedule"]);
    // They are not due again: the reports say that they ran.
    let mut again = Loop::start(&project, &["--quiet", "jobs/each.toml", "jobs/once.toml"]);
    again.until("waiting", 1);
    thread::sleep(Duration::from_millis(500));
    again.signal("INT", false);
    again.ends(130);
    assert_eq!(again.lines("started"), Vec::<String>::new());
}

#[test]
fn a_signal_stops_the_runs_politely_and_the_loop_after_them() {
    for group in [false, true] {
        let mut bars = String::from("symbol,date,open,high,low,close,volume\n");
        for day in 0..1_000 {
            let date = chrono::NaiveDate::from_ymd_opt(2000, 1, 3).unwrap() + TimeDelta::days(day);
            (0..200).for_each(|series| bars.push_str(&format!("S{series},{date},10,11,9,10.5,1000\n")));
        }
        let project = Project::new(BARS);
        missed(&project, "long", 1, "");
        project.write("bars.csv", bars);
        let mut looping = Loop::start(&project, &["jobs/long.toml"]);
        looping.until("started", 1);
        let begun = Instant::now();
        while fs::read_dir(project.path("tmp")).unwrap().count() == 0 {
            assert!(begun.elapsed() < Duration::from_mins(1), "the run does not begin");
            thread::sleep(Duration::from_millis(5));
        }
        // As Ctrl-C does on a terminal: the run gets it through the loop only, and so once.
        looping.signal("INT", group);
        looping.ends(130);
        let last = runs(&project).pop().unwrap();
        assert_eq!((last.trigger.as_str(), last.status.as_str(), last.exit_code), ("schedule", "stopped", 130));
        assert!(looping.log().contains("job=long ended exit=130"), "{}", looping.log());
        assert_eq!(fs::read_dir(project.path("tmp")).unwrap().count(), 0);
    }
}

#[test]
fn mistakes_of_whoever_starts_it_are_told_at_once() {
    let project = Project::new(BARS);
    project.call(&["schedule", "start"]).exits(2).says(&["no job is named"]);
    project.call(&["schedule", "start", "job.toml"]).exits(2).says(&["has no schedule"]);
    project.call(&["schedule", "start", "jbo.toml"]).exits(2).says(&["`jbo.toml`"]);
    missed(&project, "one", 1, "");
    let job = fs::read_to_string(project.path("jobs/one.toml")).unwrap();
    project.write("jobs/two.toml", job);
    project.call(&["schedule", "start"]).exits(2).says(&["are both called `one`"]);
    project.write("jobs/two.toml", "name = 1\n");
    project.call(&["schedule", "start", "jobs/two.toml"]).exits(2).says(&["jobs/two.toml:1:"]);
    for (schedule, says) in [("catch_up = \"some\"", "latest"), ("jitter = \"25h\"", "within a day of its moment")] {
        project.edit("jobs/one.toml", "zone = \"UTC\"\n", &format!("zone = \"UTC\"\n{schedule}\n"));
        project.call(&["check", "jobs/one.toml"]).exits(2).says(&[says]);
        project.edit("jobs/one.toml", &format!("{schedule}\n"), "");
    }
}

/// `BARKEEP_SOAK` says how many runs, at most 1,000; a fifth of them go wrong, and some are killed besides.
#[test]
fn after_many_runs_the_loop_is_what_it_was_after_ten() {
    let asked = std::env::var("BARKEEP_SOAK").ok().and_then(|runs| runs.parse::<i64>().ok()).unwrap_or(20);
    let days = (asked / 10).clamp(1, 100);
    let project = Project::new(BARS);
    (0..10).for_each(|job| missed(&project, &format!("job-{job}"), days, "catch_up = \"all\""));
    project.edit("jobs/job-0.toml", "../bars.csv", "../missing.csv");
    project.write("damaged.parquet", "this is no Parquet");
    project.edit("jobs/job-1.toml", "../bars.csv", "../damaged.parquet");
    let mut looping = Loop::start(&project, &["--jobs", "2", "--quiet"]);
    let total = usize::try_from(days * 10).unwrap();
    let (mut at_tenth, mut killed) = (None, 0);
    let begun = Instant::now();
    loop {
        let ended = looping.lines("ended").len();
        if ended >= 10 && at_tenth.is_none() {
            at_tenth = Some(looping.level());
        }
        if ended == total {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60 + 10 * total as u64), "{}", looping.log());
        if ended > 10 * killed
            && let Some(child) = looping.children().first()
        {
            killed += usize::from(Command::new("kill").args(["-KILL", &child.to_string()]).status().unwrap().success());
        }
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(500));
    let ([files, threads, memory], [files_then, threads_then, memory_then]) = (looping.level(), at_tenth.unwrap());
    let (used, idle) = (looping.used(), Instant::now());
    thread::sleep(Duration::from_secs(4));
    let busy = (looping.used() - used) as f64 / idle.elapsed().as_secs_f64();
    let measured = format!(
        "after {total} runs, {killed} killed: {files} files ({files_then} after ten), {threads} threads ({threads_then}), \
         {memory} kB ({memory_then}), {busy:.2} % of a processor\n"
    );
    std::io::Write::write_all(&mut std::io::stderr(), measured.as_bytes()).unwrap();
    assert!(files <= files_then && threads <= threads_then && memory <= memory_then + memory_then / 10, "{measured}");
    assert!(busy <= 0.5 && looping.children().is_empty(), "{measured}");
    let wrong = looping.lines("ended").iter().filter(|line| line.contains("exit=3")).count();
    let by_signal = looping.lines("ended").iter().filter(|line| line.contains("signal 9 killed it")).count();
    // One may have ended just before it was to be killed.
    assert!(wrong + by_signal >= total / 5 && (1..=killed).contains(&by_signal), "{}", looping.log());
    looping.signal("TERM", false);
    looping.ends(143);
    project.tidy();
}

#[test]
fn what_keeps_the_loop_alive_is_exported() {
    let project = Project::new(BARS);
    missed(&project, "one", 1, "jitter = \"10m\"\ncatch_up = \"none\"");
    let export = |target: &str, more: &[&str]| {
        let args = ["schedule", "export", "--as", target, "--program", "/usr/local/bin/barkeep", "jobs/one.toml"];
        project.call(&[&args, more].concat())
    };
    let service = export("systemd", &["--loop"]).exits(0).out;
    let command = "ExecStart=/usr/local/bin/barkeep schedule start jobs/one.toml\n";
    assert!(service.contains(command) && service.contains("\nKillMode=mixed\n"), "{service}");
    export("cron", &["--loop"]).exits(2).says(&["`--loop` is not for cron"]);
    export("systemd", &["--loop", "-o", "units"]).exits(0);
    let verified = Command::new("systemd-analyze")
        .current_dir(project.root())
        .args(["verify", "--man=no", "units/barkeep-schedule.service"])
        .output();
    if let Ok(output) = verified {
        let said = String::from_utf8_lossy(&output.stderr);
        // The program need not be installed where the tests run.
        let mut about = said.lines().filter(|line| line.contains("barkeep-schedule"));
        assert!(about.all(|line| line.contains("is not executable")), "{said}");
    }
    let timer = export("systemd", &[]).exits(0).out;
    for line in ["RandomizedDelaySec=600", "FixedRandomDelay=true", "Persistent=false"] {
        assert!(timer.lines().any(|one| one == line), "{timer}");
    }
    for target in ["cron", "k8s"] {
        assert!(export(target, &[]).exits(0).out.contains("# `jitter` has no effect here"), "{target}");
    }
    let deployment = export("k8s", &["--loop", "--image", "registry.example/barkeep:1"]).exits(0).out;
    let Some(object) = super::schedule::of_yaml(&deployment) else { return };
    assert_eq!((&object["apiVersion"], &object["kind"]), (&"apps/v1".into(), &"Deployment".into()));
    let spec = &object["spec"];
    assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&1.into(), &"Recreate".into()));
    assert_eq!(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]);
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let container = &pod["containers"][0];
    let command = ["/usr/local/bin/barkeep", "schedule", "start", "jobs/one.toml"];
    assert_eq!(container["command"], serde_json::json!(command));
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["volumeMounts"][0]["name"], pod["volumes"][0]["name"]);
}
