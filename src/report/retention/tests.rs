//! Runs go whole, whenever the process ends.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::run::{Outcome, RunMeta, RunStatus};
use crate::report::testing::{meta, one_series, program};
use crate::text::utc::UtcMicros;

fn report(dir: &Path, hour: u32) -> RunId {
    let run: RunMeta = meta(hour);
    let id = run.run_id.clone();
    let mut collector = Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], Previous::None);
    collector.take(&one_series().batch()).unwrap();
    collector.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(0))).unwrap();
    id
}

/// The files below `dir`, by path.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for (_, path) in runs::entries(dir).unwrap() {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

#[test]
fn a_run_goes_with_all_its_files_and_no_other_run_does() {
    let dir = tempfile::tempdir().unwrap();
    let stays = report(dir.path(), 2);
    let before = files(dir.path());
    let goes = report(dir.path(), 1);
    let bytes: u64 = files(dir.path())
        .iter()
        .filter(|(path, _)| !before.contains_key(*path))
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    assert_eq!(size(dir.path(), "demo", &goes).unwrap(), bytes);
    fs::create_dir(dir.path().join("plans")).unwrap();
    fs::write(dir.path().join("plans").join(format!("{goes}.plan")), "a plan").unwrap();
    assert_eq!(remove(dir.path(), "demo", std::slice::from_ref(&goes)).unwrap(), 1);
    assert_eq!(remove(dir.path(), "demo", std::slice::from_ref(&goes)).unwrap(), 0, "it is gone");
    let mut after = files(dir.path());
    assert!(after.remove(&dir.path().join("plans").join(format!("{goes}.plan"))).is_some(), "plans stay");
    assert_eq!(after, before);
    assert!(!tables::pages(dir.path(), goes.as_str()).exists());
    assert!(tables::pages(dir.path(), stays.as_str()).exists());
}

#[test]
fn a_run_that_is_held_by_a_process_stays() {
    let dir = tempfile::tempdir().unwrap();
    let run = report(dir.path(), 1);
    let before = files(dir.path());
    let claim = Claim::take(&Disk::system(), &sweep::claim_of(dir.path(), &run)).unwrap().unwrap();
    assert_eq!(remove(dir.path(), "demo", &[run]).unwrap(), 0);
    claim.release().unwrap();
    assert_eq!(files(dir.path()), before);
}
