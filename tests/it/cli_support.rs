//! A small project to call barkeep in, and what must hold after every call, whatever it was: no panic, JSON that is
//! JSON, no temporary file left, nothing half-written where a reader would see it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// The header row and one good week of two series.
pub(crate) const BARS: &str = "\
symbol,date,open,high,low,close,volume
A,2024-01-02,10,11,9.5,10.5,1000
A,2024-01-03,10.5,11,10,10.8,1100
A,2024-01-04,10.8,11.2,10.5,11,900
B,2024-01-02,20,21,19.5,20.5,500
B,2024-01-03,20.5,21,20,20.8,600
B,2024-01-04,20.8,21.2,20.5,21,700
";

/// A job over `bars.csv`.
pub(crate) const JOB: &str = r#"name = "demo"
rules = ["rules.toml"]

[source.files]
path = "bars.csv"

[bars]
series = ["symbol"]
interval = "1d"
calendar = "XNYS"
time = { field = "date" }

[report]
dir = "reports"

[limits]
fraction = 1.0
series_fraction = 1.0
"#;

/// One rule of each severity; the first one moves rows.
pub(crate) const RULES: &str = r#"[[rule]]
id = "ohlc"
check = "ohlc"
action = "quarantine"
why = "a bar that contradicts itself is wrong"

[[rule]]
id = "gap"
check = "gap"
severity = "warn"

[[rule]]
id = "zero-volume"
check = "zero-volume"
severity = "info"
"#;

/// A folder with a job, and a folder for barkeep's temporary files.
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// A job over these bars, in CSV.
    pub(crate) fn new(bars: impl AsRef<[u8]>) -> Self {
        let project = Self::empty();
        project.write("job.toml", JOB);
        project.write("rules.toml", RULES);
        project.write("bars.csv", bars);
        project
    }

    /// Nothing.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Replaces text in a file.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.write(name, text.replace(from, to));
    }

    /// barkeep, to be called with whatever a test needs.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = support::barkeep(self.dir.path());
        command.args(args).env("TMPDIR", self.path("tmp")).env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
        command
    }

    /// The same, for processes that are talked to while they run.
    pub(crate) fn process(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_barkeep"));
        command.current_dir(self.dir.path()).args(args).env("TMPDIR", self.path("tmp")).env("NO_COLOR", "1");
        command
    }

    /// Calls barkeep.
    pub(crate) fn call(&self, args: &[&str]) -> Told {
        self.output(self.command(args).output().unwrap())
    }

    /// What a call said, after looking at what it left behind.
    pub(crate) fn output(&self, output: Output) -> Told {
        let output = Told {
            code: output.status.code(),
            signal: output.status.signal(),
            out: self.plain(&output.stdout),
            err: self.plain(&output.stderr),
        };
        assert!(!output.err.contains("panicked") && output.code != Some(101), "{output:?}");
        assert_eq!(self.left_behind(), Vec::<PathBuf>::new(), "{output:?}");
        output
    }

    /// Output without where the folder is on this machine.
    fn plain(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        text.replace(&format!("{}/", self.dir.path().display()), "")
            .replace(&self.dir.path().display().to_string(), ".")
    }

    /// Files that no call may leave: in the folder for temporary ones, and half-written ones anywhere.
    fn left_behind(&self) -> Vec<PathBuf> {
        let mut left: Vec<PathBuf> =
            fs::read_dir(self.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let half = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.ends_with(".partial") || name.ends_with(".writing") || name.starts_with(".snapshot")
        };
        left.extend(support::files(self.dir.path()).into_iter().filter(half));
        left
    }

    /// Takes away what a killed process left in the folder for temporary files, and half-written.
    pub(crate) fn tidy(&self) {
        // A file may have gone with its folder.
        for left in self.left_behind().into_iter().filter(|left| left.exists()) {
            if left.is_dir() { fs::remove_dir_all(left).unwrap() } else { fs::remove_file(left).unwrap() }
        }
    }

    /// The files of the reports, or of the quarantine.
    pub(crate) fn files(&self, folder: &str) -> Vec<PathBuf> {
        support::files(&self.path(folder))
    }

    /// Runs there are: id, status and exit code, oldest first.
    pub(crate) fn runs(&self) -> Vec<(String, String, i64)> {
        #[derive(serde::Deserialize)]
        struct Row {
            run_id: String,
            status: String,
            exit_code: i64,
        }
        let mut rows: Vec<Row> = support::table(&self.path("reports"), "runs");
        rows.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        rows.into_iter().map(|row| (row.run_id, row.status, row.exit_code)).collect()
    }

    /// Findings of the last run as `rule field cause`, sorted.
    pub(crate) fn findings(&self) -> Vec<String> {
        let Some((run, ..)) = self.runs().pop() else { return Vec::new() };
        let findings = support::findings(&self.path("reports"), &run);
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let mut lines: Vec<String> = findings
            .iter()
            .map(|found| format!("{} {} {}", found.rule_id, text(&found.field), text(&found.cause)))
            .collect();
        lines.sort();
        lines
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }
}

/// What a call said.
#[derive(Debug)]
pub(crate) struct Told {
    /// The exit code; none where a signal ended the process.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// stdout.
    pub(crate) out: String,
    /// stderr.
    pub(crate) err: String,
}

impl Told {
    /// Fails unless the call ended with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!((self.code, self.signal), (Some(code), None), "{self:?}");
        self
    }

    /// Fails unless stderr has every one of `texts`.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "no `{text}` in:\n{}", self.err);
        }
        self
    }

    /// Fails unless stdout is the one line of a job that did not come to a summary and ended so.
    #[track_caller]
    pub(crate) fn only_its_line(&self, status: &str) {
        let line = format!("job=job.toml verdict=FAIL status={status} exit={} error=", self.code.unwrap_or_default());
        assert!(self.out.starts_with(&line) && self.out.lines().count() == 1, "{self:?}");
    }

    /// The value of `key` in the one line off a terminal.
    #[track_caller]
    pub(crate) fn value(&self, key: &str) -> &str {
        let pair = self.out.split_whitespace().find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        pair.unwrap_or_else(|| panic!("no `{key}` in {self:?}"))
    }

    /// stdout as JSON: every line is an object, the last one the exit, with the code of the process.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let mut objects: Vec<Value> = self.out.lines().map(read).collect();
        assert!(objects.iter().all(Value::is_object), "{self:?}");
        let exit = objects.pop().unwrap_or_else(|| panic!("no exit object in {self:?}"));
        assert_eq!(
            (exit["type"].as_str(), exit["code"].as_i64()),
            (Some("exit"), self.code.map(i64::from)),
            "{self:?}"
        );
        objects
    }
}

/// Filters for snapshots: run ids, times, durations and paces are not the same twice.
pub(crate) fn filters() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{8}T\d{6}Z-[a-z2-9]{4}", "[run]");
    settings.add_filter(r"confirm=[0-9a-f]{8}:", "confirm=[hash]:");
    settings.add_filter(r"seconds=[0-9.]+", "seconds=[s]");
    settings.add_filter(r"[0-9.]+ s, [0-9,]+ rows/s", "[s], [pace]");
    settings.add_filter(r"[0-9,]+ days before \d{4}-\d{2}-\d{2}", "[n] days before [date]");
    settings.add_filter(r"  [0-9.]+ s\n", "  [s]\n");
    settings.add_filter(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+Z", "[time]");
    settings.add_filter(r"\d+ (min|h|days?) (ago|before:)", "[age] $2");
    settings.add_filter(r"barkeep \d+\.\d+\.\d+", "barkeep [version]");
    settings.bind_to_scope()
}
