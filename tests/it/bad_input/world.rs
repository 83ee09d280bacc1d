//! Folders that cannot be read or written, disks that are full, reports that are damaged, files that change.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::cli_support::{BARS, Project};

const FAULTY: &str =
    "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,1,9.5,10.5,1000\nA,2024-01-03,1,2,1,1,1\n";

/// Whether the files of this machine heed permissions: they do not for root.
fn permissions_count(project: &Project) -> bool {
    project.write("closed", "x");
    fs::set_permissions(project.path("closed"), fs::Permissions::from_mode(0o0)).unwrap();
    let counts = fs::read(project.path("closed")).is_err();
    if !counts {
        eprintln!("left out: this user may read and write everything");
    }
    counts
}

#[test]
fn files_without_permission_are_named() {
    let project = Project::new(BARS);
    if !permissions_count(&project) {
        return;
    }
    let mode =
        |name: &str, mode: u32| fs::set_permissions(project.path(name), fs::Permissions::from_mode(mode)).unwrap();
    for (name, code, text) in [
        ("bars.csv", 3, "no permission to read `bars.csv`"),
        ("rules.toml", 2, "no permission to read `rules.toml`"),
        ("job.toml", 2, "cannot read `job.toml`: Permission denied"),
    ] {
        mode(name, 0);
        project.call(&["check", "job.toml"]).exits(code).says(&[text]);
        mode(name, 0o600);
    }
    fs::create_dir(project.path("reports")).unwrap();
    mode("reports", 0o500);
    let output = project.call(&["check", "job.toml"]).exits(3);
    mode("reports", 0o700);
    output.says(&["cannot write reports into", "this user may not write there"]);
}

#[test]
fn a_report_folder_that_is_a_file_is_reported() {
    let project = Project::new(FAULTY);
    project.write("reports", "in the way");
    let output = project.call(&["run", "job.toml"]).exits(3);
    output.says(&["reports", "something else has that name; move it away, or set `[report] dir`", "job: job.toml"]);
    assert_eq!(fs::read_to_string(project.path("reports")).unwrap(), "in the way");
    assert!(!project.path("quarantine").exists(), "no report, no copies");
    fs::remove_file(project.path("reports")).unwrap();
    project.write("reports/findings", "in the way");
    project.call(&["check", "job.toml"]).exits(3).says(&["move it away"]);
    assert_eq!(project.runs().len(), 1);
    assert_eq!(project.files("reports").len(), 2, "the row in `runs`, and what was in the way");
}

#[test]
fn a_quarantine_that_cannot_be_written_breaks_the_run() {
    let project = Project::new(FAULTY);
    project.write("quarantine", "in the way");
    project.call(&["run", "job.toml"]).exits(3).says(&["cannot read `quarantine/job=demo/journal`", "Not a directory"]);
    let statuses: Vec<String> = project.runs().into_iter().map(|(_, status, _)| status).collect();
    assert_eq!((statuses.as_slice(), project.files("reports").len()), (&["broken".to_owned()][..], 1));
    project.call(&["check", "job.toml"]).exits(1);
}

#[test]
fn a_temporary_folder_that_is_not_there_is_reported() {
    let project = Project::new(BARS);
    project
        .call(&["check", "job.toml", "--temp-dir", "nowhere"])
        .exits(2)
        .says(&["`nowhere` is not a folder", "`--temp-dir`"]);
    assert!(!project.path("nowhere").exists());
    project.call(&["check", "job.toml", "--temp-dir", "bars.csv"]).exits(2).says(&["`bars.csv` is not a folder"]);
}

/// Runs `barkeep` in a file system of `size` kilobytes of its own, mounted at `full`, with `free` bytes left.
fn on_a_full_disk(project: &Project, size: u32, free: u32, command: &str) -> Option<std::process::Output> {
    fs::create_dir_all(project.path("full")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size={size}k,nr_inodes=200 tmpfs full || exit 77\n\
         mkdir full/tmp; head -c {} /dev/zero > full/filler || exit 77\n\
         \"$0\" {command}\ncode=$?\n\
         find full -type f ! -name filler >&2; ls -A full/tmp >&2; exit $code",
        size * 1024 - free
    );
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_barkeep")])
        .current_dir(project.root())
        .env("TMPDIR", project.path("tmp"))
        .output()
        .ok()?;
    if output.status.code() == Some(77) || String::from_utf8_lossy(&output.stderr).starts_with("unshare:") {
        eprintln!("left out: no small file system can be mounted here");
        return None;
    }
    Some(output)
}

#[test]
fn a_full_disk_is_reported_and_leaves_nothing() {
    let row = |n: u32| format!("S{n},2024-01-02,1.{n},2,{}.{n},1.5,{n}\n", if n < 10 { 0 } else { 3 });
    let rows: String = (0..2_000).map(row).collect();
    let project = Project::new(format!("symbol,date,open,high,low,close,volume\n{rows}"));
    let cases = [
        (
            "dir = \"reports\"",
            "dir = \"full/reports\"",
            "check job.toml",
            "cannot write reports into `full/reports",
            "the disk is full; free space there",
        ),
        (
            "[report]",
            "[quarantine]\ndir = \"full/q\"\n[report]",
            "run job.toml",
            "cannot write `full/q",
            "free or grant the space",
        ),
        (
            "[report]",
            "[report]",
            "check job.toml --temp-dir full/tmp",
            "cannot write the snapshot in `full/tmp",
            "free space there or choose another folder",
        ),
    ];
    let may_stay = |line: &str| line.contains("full/reports/runs/") || line == "full/q/job=demo/lock";
    for (from, to, command, what, remedy) in cases {
        let job = fs::read_to_string(project.path("job.toml")).unwrap();
        project.edit("job.toml", from, to);
        let Some(output) = on_a_full_disk(&project, 512, 24 * 1024, command) else { return };
        project.write("job.toml", job);
        let output = project.output(output).exits(3).says(&[what, remedy, "No space left on device"]);
        let left: Vec<&str> = output.err.lines().filter(|line| line.starts_with("full/") && !may_stay(line)).collect();
        assert!(left.is_empty(), "{command}: {left:?}");
        assert!(!output.out.contains("removed="), "{command}: {output:?}");
    }
}

#[test]
fn a_damaged_report_of_an_earlier_run_is_named() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    let part = project.files("reports/findings").pop().unwrap();
    fs::write(&part, "not Parquet").unwrap();
    let name = part.strip_prefix(project.root()).unwrap().display().to_string();
    project.call(&["check", "job.toml"]).exits(3).says(&[&format!("cannot read `{name}`; move it away")]);
    for args in [&["report", "show"][..], &["report", "show", "--format", "json"], &["sql", "select * from findings"]] {
        project.call(args).exits(3).says(&[&format!("cannot read `{name}`"), "move it away"]);
    }
    project.call(&["report", "list"]).exits(0);
    fs::remove_file(part).unwrap();
    let output = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!(output.value("new"), "1");
}

#[test]
fn what_others_leave_in_the_report_folder_is_passed_over() {
    let project = Project::new(FAULTY);
    project.call(&["check", "job.toml"]).exits(1);
    project.write("reports/runs/job=demo/month=2024-01/notes.txt", "not ours");
    project.write("reports/runs/job=demo/month=2024-01/.20240101T000000Z-aaaa.parquet.part", "half");
    project.write("reports/README", "not ours");
    project.call(&["check", "job.toml"]).exits(1);
    assert_eq!(project.call(&["report", "list", "--format", "json"]).exits(0).json().len(), 2);
}

#[test]
fn a_file_that_is_written_to_while_it_is_read_rejects_the_run() {
    let rows: String = (0..60_000).map(|n| format!("S{n},2024-01-02,1,2,0.5,1.5,{n}\n")).collect();
    let project = Project::new(format!("symbol,date,open,high,low,close,volume\n{rows}"));
    let mut run = project.process(&["run", "job.toml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut file = OpenOptions::new().append(true).open(project.path("bars.csv")).unwrap();
    while run.try_wait().unwrap().is_none() {
        file.write_all(b"T,2024-01-02,1,2,0.5,1.5,1\n").unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    let output = project.output(run.wait_with_output().unwrap()).exits(3);
    output.only_its_line("broken");
    output.says(&["`bars.csv` changed while it was read; run again when its writer is done"]);
    assert_eq!((project.files("reports").len(), project.runs()[0].1.as_str()), (1, "broken"));
}
