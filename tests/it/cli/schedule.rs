//! `barkeep schedule`: when jobs are due, and what starts them.

use std::fs;
use std::io::{self, Write};
use std::process::Command;

use serde_json::Value;

use crate::cli_support::{BARS, Project};

/// A project whose job has this schedule.
fn scheduled(schedule: &str) -> Project {
    let project = Project::new(BARS);
    let job = fs::read_to_string(project.path("job.toml")).unwrap();
    project.write("job.toml", format!("{job}\n[schedule]\n{schedule}\n"));
    project
}

const EVENING: &str = "cron = \"30 18 * * MON-FRI\"\nzone = \"Asia/Shanghai\"\nmax_time = \"2h\"";
const CLOSE: &str = "after = \"close + 90m\"";

#[test]
fn the_next_moments_name_their_session() {
    let project = scheduled(CLOSE);
    let args = ["schedule", "next", "job.toml", "-n", "3", "--from", "2026-11-25"];
    insta::assert_snapshot!(project.call(&args).exits(0).out, @"
    next                  local                       session
    2026-11-25T22:30:00Z  Wed 2026-11-25 17:30-05:00  2026-11-25
    2026-11-27T19:30:00Z  Fri 2026-11-27 14:30-05:00  2026-11-27 (half-day)
    2026-11-30T22:30:00Z  Mon 2026-11-30 17:30-05:00  2026-11-30
    ");
    let project = scheduled(EVENING);
    let args = ["schedule", "next", "job.toml", "-n", "1", "--from", "2026-11-27T18:30:00", "--format", "json"];
    let out = project.call(&args).exits(0).out;
    let due: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((due["at"].as_str(), due["session"].as_str()), (Some("2026-11-27T10:30:00Z"), Some("2026-11-25")));
    let end = scheduled(CLOSE).call(&["schedule", "next", "job.toml", "--from", "2100-01-01"]).exits(2);
    end.says(&["the calendar XNYS is known until 20", "`[bars] calendar_file`"]);
    scheduled(CLOSE).call(&["schedule", "next", "job.toml", "--from", "soon"]).exits(2).says(&["--from: "]);
}

#[test]
fn jobs_are_listed_with_and_without_a_schedule() {
    let project = scheduled(EVENING);
    let job = fs::read_to_string(project.path("job.toml")).unwrap();
    let rooted = job.replace("\"rules.toml\"", "\"../rules.toml\"");
    project.write("jobs/cn.toml", &rooted);
    project.write("jobs/idle.toml", rooted.split("[schedule]").next().unwrap().replace("\"demo\"", "\"idle\""));
    let listed = project.call(&["schedule", "list"]).exits(0).out;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("job   schedule           zone           next "), "{listed}");
    assert!(
        lines[1].starts_with("demo  30 18 * * MON-FRI  Asia/Shanghai  20") && lines[1].contains(" 18:30+08:00"),
        "{listed}"
    );
    assert!(lines[2].starts_with("idle  none "), "{listed}");
    project.call(&["schedule", "next", "jobs/idle.toml"]).exits(2).says(&["has no schedule", "[schedule]"]);
    project.call(&["schedule", "export", "--as", "cron", "jobs/idle.toml"]).exits(2).says(&["has no schedule"]);
    let found = project.call(&["schedule", "export", "--as", "cron"]).exits(0).out;
    assert_eq!(found.matches("# barkeep job ").count(), 1, "{found}");
    // Files of labels beside the jobs are none.
    project.write("jobs/labels.toml", "");
    project.write("jobs/decided.toml", "[[label]]\nseries = \"A\"\nverdict = \"fine\"\nwhy = \"x\"\n");
    assert_eq!(project.call(&["schedule", "list"]).exits(0).out, listed);
    // A job with a mistake does not hide the others.
    project.write("jobs/bad.toml", "name = 1");
    let listed = project.call(&["schedule", "list"]).exits(2);
    assert!(listed.out.contains("\ndemo  "), "{listed:?}");
    Project::empty().call(&["schedule", "list"]).exits(2).says(&["no job is named"]);
}

#[test]
fn lines_of_cron_say_where_they_are_right() {
    let project = scheduled(EVENING);
    project.write("a 50% job's.toml", fs::read_to_string(project.path("job.toml")).unwrap());
    let args = ["schedule", "export", "--as", "cron", "--program", "/opt/bar keep", "a 50% job's.toml"];
    insta::assert_snapshot!(project.call(&args).exits(0).out, @r"
    # barkeep job demo
    # cronie (Fedora, RHEL, Arch) reads CRON_TZ, and it holds for all lines below it. The crons of Debian, Ubuntu, macOS
    # and BusyBox ignore it and go by the clock of the machine: there this line is right only where that shows Asia/Shanghai.
    CRON_TZ=Asia/Shanghai
    30 18 * * 1-5 timeout 7200 '/opt/bar keep' run 'a 50\% job'\''s.toml'
    # The same where the clock of the machine shows UTC, in the place of the two lines above:
    # 30 10 * * 1-5 timeout 7200 '/opt/bar keep' run 'a 50\% job'\''s.toml'
    ");
    let changing =
        scheduled("cron = \"0 18 * * *\"").call(&["schedule", "export", "--as", "cron", "job.toml"]).exits(0);
    assert!(changing.out.contains("CRON_TZ=America/New_York\n0 18 * * * "), "{}", changing.out);
    assert!(changing.out.contains("# No one line says the same in UTC"), "{}", changing.out);
}

#[test]
fn units_of_systemd_are_ones() {
    for (schedule, times) in [
        (EVENING, &["Mon,Tue,Wed,Thu,Fri *-*-* 18:30:00 Asia/Shanghai"][..]),
        (CLOSE, &["Mon,Tue,Wed,Thu,Fri *-*-* 17:30:00 America/New_York"]),
        (
            "cron = \"*/20 * 13 JAN FRI\"",
            &["*-01-13 *:00,20,40:00 America/New_York", "Fri *-01-* *:00,20,40:00 America/New_York"],
        ),
        ("cron = \"@daily\"\nzone = \"UTC\"", &["*-*-* 00:00:00 UTC"]),
    ] {
        let project = scheduled(schedule);
        project.write("it's 5% \"of\" $x.toml", fs::read_to_string(project.path("job.toml")).unwrap());
        let args = ["schedule", "export", "--as", "systemd", "-o", "units", "it's 5% \"of\" $x.toml"];
        project.call(&args).exits(0);
        let service = fs::read_to_string(project.path("units/barkeep-demo.service")).unwrap();
        assert!(service.contains("/it's 5%% \\\"of\\\" $$x.toml\"\n"), "{service}");
        assert_eq!(service.contains("\nTimeoutStartSec=7200\n"), schedule == EVENING, "{service}");
        let timer = fs::read_to_string(project.path("units/barkeep-demo.timer")).unwrap();
        let found: Vec<&str> = timer.lines().filter_map(|line| line.strip_prefix("OnCalendar=")).collect();
        assert_eq!(found, times, "{timer}");
        project.call(&args).exits(2).says(&["`units/barkeep-demo.service` is there already"]);
        verify(&project, &found);
    }
}

/// Lets systemd read the units, where it is installed.
fn verify(project: &Project, times: &[&str]) {
    let analyze = |args: &[&str]| Command::new("systemd-analyze").current_dir(project.root()).args(args).output();
    let output = match analyze(&["verify", "--man=no", "units/barkeep-demo.service", "units/barkeep-demo.timer"]) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return io::stderr()
                .write_all(b"units of systemd: not verified, systemd-analyze is not installed\n")
                .unwrap();
        }
        output => output.unwrap(),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // Units of the machine itself may be complained about, too.
    let about = said.lines().filter(|line| line.contains("barkeep-demo")).collect::<Vec<_>>();
    assert!(about.is_empty(), "{about:?}");
    for time in times {
        let output = analyze(&["calendar", time]).unwrap();
        assert!(output.status.success(), "{time}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn objects_of_kubernetes_are_yaml() {
    let project = scheduled(EVENING);
    let args = ["schedule", "export", "--as", "k8s", "--image", "registry.example/barkeep:1", "job.toml"];
    let out = project.call(&args).exits(0).out;
    insta::assert_snapshot!(out, @r#"
    ---
    # barkeep-demo.yaml
    apiVersion: batch/v1
    kind: CronJob
    metadata:
      name: "barkeep-demo"
    spec:
      schedule: "30 18 * * 1-5"
      timeZone: "Asia/Shanghai"
      concurrencyPolicy: Forbid
      jobTemplate:
        spec:
          # A run with findings ends with 1, which counts as failed: it is not to be repeated for that.
          backoffLimit: 0
          activeDeadlineSeconds: 7200
          template:
            spec:
              restartPolicy: Never
              containers:
                - name: barkeep
                  image: "registry.example/barkeep:1"
                  command: ["barkeep", "run", "job.toml"]
                  # Mount the folders of the job, its rules, bars, reports and quarantine; reports and quarantine must last.
    "#);
    let Some(object) = of_yaml(&out) else { return };
    let spec = &object["spec"];
    assert_eq!((&object["apiVersion"], &object["kind"]), (&"batch/v1".into(), &"CronJob".into()));
    assert_eq!(object["metadata"]["name"], "barkeep-demo");
    assert_eq!((&spec["schedule"], &spec["timeZone"]), (&"30 18 * * 1-5".into(), &"Asia/Shanghai".into()));
    assert_eq!(spec["concurrencyPolicy"], "Forbid");
    let job = &spec["jobTemplate"]["spec"];
    assert_eq!((&job["backoffLimit"], &job["activeDeadlineSeconds"]), (&0.into(), &7200.into()));
    let pod = &job["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    let container = &pod["containers"][0];
    assert_eq!(container["command"], serde_json::json!(["barkeep", "run", "job.toml"]));
    assert_eq!(container["image"], "registry.example/barkeep:1");
}

/// The object that a text of YAML is, by a reader that is not ours; `None`, and said, where there is none.
pub(super) fn of_yaml(text: &str) -> Option<Value> {
    let program = "import sys, json, yaml\nprint(json.dumps(yaml.safe_load(sys.stdin)))";
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("ModuleNotFoundError") {
        io::stderr().write_all(b"objects of Kubernetes: not read, Python has no yaml\n").unwrap();
        return None;
    }
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn mistakes_have_their_place() {
    for (schedule, says) in [
        ("cron = \"0 0 31 2 *\"", &["job.toml:21:8", "no date matches it"][..]),
        ("cron = \"30 18 * * 1-5 *\"", &["job.toml:21:8", "has 6 fields"]),
        ("cron = \"@daily\"\nafter = \"close\"", &["job.toml:22:9", "`after` beside `cron`"]),
        ("zone = \"Asia/Shanghai\"", &["a schedule needs `cron` or `after`"]),
        ("cron = \"@daily\"\nzone = \"Asia/Shangai\"", &["did you mean `Asia/Shanghai`?"]),
        ("after = \"open + 5m\"", &["job.toml:21:9", "is not `close` and a span"]),
        ("after = \"close + 90\"", &["is not a span of time"]),
        ("after = \"close + 90d\"", &["more than a week"]),
        ("after = \"close\"\ncalendar = \"XNSY\"", &["did you mean `XNYS`?"]),
        ("cron = \"@daily\"\nmax_time = \"0h\"", &["longer than nothing"]),
        ("cron = \"@daily\"\ncalendar = \"XNYS\"", &["`calendar` has no effect beside `cron`"]),
        ("corn = \"@daily\"", &["did you mean `cron`?"]),
    ] {
        scheduled(schedule).call(&["check", "job.toml"]).exits(2).says(says);
    }
    let project = scheduled(CLOSE);
    project.edit("job.toml", "calendar = \"XNYS\"\n", "");
    project.call(&["schedule", "list", "job.toml"]).exits(2).says(&["`after` needs a calendar"]);
}
