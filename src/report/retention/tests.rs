//! Which runs stay, and that the others go whole, whenever the process ends.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::run::{Outcome, RunMeta};
use crate::report::testing::{meta, one_series, program};
use crate::text::utc::UtcMicros;

fn candidate(id: &str, kind: &str) -> Candidate {
    let run = RunId::parse(&format!("{id}Z-aaaa")).unwrap();
    let has = |letter: char| kind.contains(letter);
    Candidate { run, ended: has('e'), whole: has('w'), in_part: has('p'), ok: has('o'), delivered: has('t') }
}

/// The starts of the runs that stay, of runs given oldest first.
fn stay(runs: &[(&str, &str)], daily: usize, monthly: usize) -> Vec<String> {
    let runs: Vec<Candidate> = runs.iter().rev().map(|(id, kind)| candidate(id, kind)).collect();
    chosen(&runs, Keep { daily, monthly }).iter().map(|run| run.as_str()[4..11].to_owned()).collect()
}

#[test]
fn of_each_day_and_month_the_newest_run_that_reached_its_end_stays() {
    let runs = [
        ("20260910T010000", "e"),
        ("20260930T010000", "e"),
        ("20261031T010000", "e"),
        ("20261117T010000", "e"),
        ("20261118T010000", "e"),
        ("20261118T230000", ""),
        ("20261119T010000", ""),
        ("20261120T020000", "e"),
    ];
    assert_eq!(stay(&runs, 3, 0), ["1118T01", "1119T01", "1120T02"]);
    assert_eq!(stay(&runs, 1, 2), ["1031T01", "1120T02"]);
    assert_eq!(stay(&runs, 1, 9), ["0930T01", "1031T01", "1120T02"]);
    assert_eq!(stay(&[], 3, 3), Vec::<String>::new());
}

#[test]
fn what_later_runs_look_back_at_stays_whatever_is_kept() {
    let runs = [
        ("20260101T010000", "ew"),
        ("20260102T010000", "ew"),
        ("20260103T010000", "eo"),
        ("20260104T010000", "et"),
        ("20260105T010000", "e"),
        ("20260106T010000", ""),
        ("20260107T010000", ""),
    ];
    assert_eq!(stay(&runs, 1, 0), ["0102T01", "0103T01", "0104T01", "0105T01", "0106T01", "0107T01"]);
}

#[test]
fn runs_over_a_part_stay_until_one_over_all_bars_follows() {
    let runs = [
        ("20260101T010000", "ep"),
        ("20260102T010000", "ew"),
        ("20260103T010000", "ep"),
        ("20260104T010000", "e"),
        ("20260105T010000", "ep"),
        ("20260107T010000", "ep"),
    ];
    assert_eq!(stay(&runs, 1, 0), ["0102T01", "0103T01", "0105T01", "0107T01"]);
}

#[test]
fn all_runs_of_the_last_24_hours_stay() {
    let runs = [("20260106T005959", "e"), ("20260106T010000", "e"), ("20260106T020000", "e"), ("20260107T010000", "e")];
    assert_eq!(stay(&runs, 1, 0), ["0106T01", "0106T02", "0107T01"]);
}

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
    assert!(remove(dir.path(), "demo", &goes).unwrap());
    assert!(!remove(dir.path(), "demo", &goes).unwrap(), "it is gone");
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
    assert!(!remove(dir.path(), "demo", &run).unwrap());
    claim.release().unwrap();
    assert_eq!(files(dir.path()), before);
}
