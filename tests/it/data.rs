//! What is known of larger files, real ones and damaged ones, and that barkeep says the same.
//!
//! The files are not part of the repository: they are looked for in `BARKEEP_DATA`, else in `../shared/data` beside the
//! package. Without them these tests say that they were left out. The demo is part of the repository.

mod arrangement;
mod demo;
pub(crate) mod injected;
mod quotes;
mod real;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{self, Finding, Run, barkeep, copy_folder, package};

/// Rules of these tests: one file for each question.
const RULES: &str = "tests/it/data";

/// The folder of larger files, which is reported to be missing where it is.
pub(crate) fn larger_data(test: &str) -> Option<PathBuf> {
    let beside = package().join("../shared");
    let folder = std::env::var_os("BARKEEP_DATA").map_or_else(|| beside.join("data"), PathBuf::from);
    if folder.join("defects.json").is_file() {
        return Some(fs::canonicalize(folder).unwrap());
    }
    // Not by a macro: what those print is shown only where a test fails.
    let line = format!("{test}: left out, there is no larger data in {}\n", folder.display());
    io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(!beside.is_dir(), "{} is there, and the data is not in it", beside.display());
    None
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A copy of the jobs and rules that ship, and of the rules of these tests, with room for reports.
pub(crate) struct Project {
    temp: tempfile::TempDir,
    data: Option<PathBuf>,
}

impl Project {
    pub(crate) fn new(data: Option<&Path>) -> Self {
        let temp = tempfile::tempdir().unwrap();
        for folder in ["jobs", "rules"] {
            copy_folder(&package().join(folder), &temp.path().join(folder));
        }
        for entry in fs::read_dir(package().join(RULES)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                fs::copy(&path, temp.path().join("rules").join(path.file_name().unwrap())).unwrap();
            }
        }
        Self { temp, data: data.map(Path::to_path_buf) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.path().join("reports")
    }

    /// The job `name` of those that ship, as `new` with `changes`: texts of it and what stands in their place.
    fn change(&self, name: &str, new: &str, changes: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.path().join(name)).unwrap();
        for (old, new) in changes {
            assert!(text.contains(old), "`{name}` has no `{old}`");
            text = text.replace(old, new);
        }
        fs::write(self.path().join(new), text).unwrap();
    }

    /// As [`Project::change`], with other rules: `file` of `rules/`.
    pub(crate) fn with_rules(&self, name: &str, new: &str, file: &str) {
        let text = fs::read_to_string(self.path().join(name)).unwrap();
        let line = text.lines().find(|line| line.starts_with("rules =")).unwrap().to_owned();
        self.change(name, new, &[(&line, &format!("rules = [\"../../rules/{file}\"]"))]);
    }

    fn command(&self) -> Command {
        let mut command = barkeep(self.path());
        if let Some(data) = &self.data {
            command.env("BARKEEP_DATA", data);
        }
        command.args(["--format", "ndjson"]);
        command
    }

    /// Checks the job at `name` and gives the run with its findings.
    pub(crate) fn check(&self, name: &str) -> (Run, Vec<Finding>) {
        self.run(&["check", name])
    }

    fn run(&self, args: &[&str]) -> (Run, Vec<Finding>) {
        let run = Run::of(self.command().args(args));
        let findings = support::findings(&self.reports(), run.id());
        let output: u64 = ["error", "warn", "info"].iter().map(|of| run.count(&format!("/findings/{of}"))).sum();
        assert_eq!(findings.len() as u64, output, "the table holds as many findings as the summary says");
        (run, findings)
    }
}

/// The findings of one rule.
fn of_rule<'a>(findings: &'a [Finding], rule: &str) -> Vec<&'a Finding> {
    findings.iter().filter(|finding| finding.rule_id == rule).collect()
}
