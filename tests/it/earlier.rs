//! What an earlier version wrote: its quarantines, journals, plans and run documents are listed, restored, purged and
//! applied. The fixtures are reported in `tests/fixtures/earlier/README.md`.

mod files;
mod mongodb;
mod reports;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cli_support::{Project, Told};
use crate::support::{copy_folder, files as files_below, package};

/// A copy of a fixture to work in.
fn copy(group: &str, name: &str) -> Project {
    let project = Project::empty();
    copy_folder(&package().join("tests/fixtures/earlier").join(group).join(name), project.root());
    project
}

/// The plan that a fixture holds, and what confirms it, after its head was changed: a plan names absolute paths and the
/// server, which are not those of a test.
fn plan(project: &Project, change: impl Fn(&mut Value)) -> (String, String) {
    let plans = files_below(&project.path("reports/plans"));
    let [path] = plans.as_slice() else { panic!("one plan is wanted: {plans:?}") };
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut head: Value = serde_json::from_str(&lines[0]).unwrap();
    change(&mut head);
    head["job_file"] = project.path("job.toml").to_str().unwrap().into();
    lines[0] = head.to_string();
    let rows = lines.len() - 2;
    let body: String = lines[..=rows].iter().flat_map(|line| [line, "\n"]).collect();
    let digest: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(path, format!("{body}{{\"seal\":\"{digest}\"}}\n")).unwrap();
    let path = path.strip_prefix(project.root()).unwrap().to_str().unwrap().to_owned();
    (path, format!("{}:{rows}", &digest[..8]))
}

/// How many rows `quarantine list` shows in each state.
fn states(listed: &Told) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    for item in listed.json() {
        *states.entry(item["state"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    states
}

/// States and numbers of rows as [`states`] gives them.
fn output(states: &[(&str, u64)]) -> BTreeMap<String, u64> {
    states.iter().map(|(state, rows)| ((*state).to_owned(), *rows)).collect()
}

const LIST: [&str; 5] = ["quarantine", "list", "job.toml", "--format", "ndjson"];
