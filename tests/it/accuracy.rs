//! How much is found of faults that were put into real bars, and how much is found in bars that are right.

mod bars;
mod base;
mod cut;
mod document;
mod faults;
mod inject;
mod kinds;
mod measure;
mod prints;
mod random;
mod real;
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use base::Base;
use kinds::Kind;
use measure::{Clean, Counted};

use crate::data::larger_data;
use crate::support::package;

/// The seeds of the numbers in the document. What is made better is made better by other ones.
const REPORTING: &str = "reporting";
const TUNING: &str = "tuning";

/// Calls of barkeep at a time.
const CALLS: usize = 4;

/// Faults of every kind in every file, in the order of the kinds; `seen` is called with each as it comes.
fn counted(data: &Path, kinds: &[Kind], seed: &str, seen: fn(&Counted)) -> Vec<Counted> {
    let calls: Vec<(&Kind, &'static Base)> =
        kinds.iter().flat_map(|kind| kind.bases.iter().map(move |base| (kind, *base))).collect();
    let files: Mutex<BTreeMap<(&str, &str), Arc<Clean>>> = Mutex::default();
    let next = Mutex::new(0..calls.len());
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(index) = { next.lock().unwrap().next() } {
            let (kind, base) = calls[index];
            let file = (base.name, if kind.prepare.is_some() { kind.name } else { "" });
            let clean = files.lock().unwrap().get(&file).cloned();
            let clean = clean.unwrap_or_else(|| {
                let clean = Arc::new(Clean::new(kind, base, data));
                files.lock().unwrap().insert(file, Arc::clone(&clean));
                clean
            });
            let counted = measure::count(kind, base, &clean, seed);
            seen(&counted);
            done.lock().unwrap().insert(index, counted);
        }
    };
    thread::scope(|scope| (0..CALLS).for_each(|_| drop(scope.spawn(work))));
    done.into_inner().unwrap().into_values().collect()
}

#[test]
fn the_document_of_accuracy_is_what_is_measured() {
    let Some(data) = larger_data("accuracy") else { return };
    let kinds = kinds::kinds();
    let wanted = document::text(&data, &kinds, &counted(&data, &kinds, REPORTING, |_| ()));
    let path = package().join("docs/accuracy.md");
    if std::env::var_os("BARKEEP_REWRITE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let other = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    assert!(
        found == wanted,
        "docs/accuracy.md is not what is measured: {other:?}; look at what changed, and run this test with BARKEEP_REWRITE=1"
    );
}

/// The beginning of the names of the kinds to measure; all without it.
const ONLY: &str = "BARKEEP_KINDS";

#[test]
#[ignore = "for making checks better: shows what is missed, by the seeds for it"]
fn faults_of_tuning() {
    let Some(data) = larger_data("faults") else { return };
    let mut kinds = kinds::kinds();
    let only = std::env::var(ONLY).unwrap_or_default();
    kinds.retain(|kind| kind.name.starts_with(&only));
    counted(&data, &kinds, TUNING, |counted| {
        let mut lines = counted.line();
        let missed = counted.missed.iter().step_by(counted.missed.len() / 6 + 1);
        lines.extend(missed.map(|fault| format!("    missed {}\n", fault.line())));
        let findings = counted.false_findings.iter().take(6);
        lines.extend(findings.map(|finding| format!("    false {} {}\n", finding.severity, finding.line())));
        eprint!("{lines}");
    });
}
