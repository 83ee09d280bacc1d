//! The comparison of bytes, that knows nothing of how barkeep works: which rows were written, which are in the file now,
//! and what the messages said. A loader's own race is nobody's fault here: one that reads and writes back is alone with
//! its file, so that a row it no longer finds was taken from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::rows::{Format, id};
use crate::support;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Good rows that are in no file at all.
    Gone,
    /// Good rows in a file that no message named.
    Hidden,
    /// Good rows in a file that a message named, and that no command brought back.
    NotBroughtBack,
    /// Rows that are in the file more often than they were written.
    Twice,
    /// Rows in the file that nobody wrote.
    Strange,
    /// Good rows that are in quarantine.
    GoodMoved,
    /// Bad rows that are neither in the file nor in quarantine, or that `restore` did not put back.
    BadLost,
    /// A message that does not agree with the bytes.
    Untrue,
    /// A loader or barkeep did not end as it should.
    Broken,
}

/// All faults of a race, with what shows them and the number of rows.
pub(crate) type Faults = Vec<(Fault, u64, String)>;

/// What was written, by the number of the row: its text, and whether it is bad.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) rows: BTreeMap<u64, (String, bool)>,
}

impl Written {
    pub(crate) fn add(&mut self, rows: &[String], bad: impl Fn(&str) -> bool) {
        for row in rows {
            self.rows.insert(id(row).unwrap(), (row.clone(), bad(row)));
        }
    }

    fn is_bad(&self, number: u64) -> bool {
        self.rows.get(&number).is_some_and(|(_, bad)| *bad)
    }
}

/// How often each row is in a file, and what is in it that nobody wrote.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) rows: BTreeMap<u64, u64>,
    pub(crate) strange: Vec<String>,
}

/// Looks at the source.
pub(crate) fn look(file: &Path, format: Format, written: &Written) -> Seen {
    let mut seen = Seen::default();
    let Ok(bytes) = fs::read(file) else {
        seen.strange.push("(the file is not there)".to_owned());
        return seen;
    };
    for row in format.rows(&bytes) {
        match id(&row).filter(|id| written.rows.get(id).is_some_and(|(text, _)| *text == row)) {
            Some(id) => *seen.rows.entry(id).or_default() += 1,
            None => seen.strange.push(row.chars().take(120).collect()),
        }
    }
    seen
}

/// Good rows that are not in the source.
pub(crate) fn missing(seen: &Seen, written: &Written) -> BTreeSet<u64> {
    let good = written.rows.iter().filter(|(_, (_, bad))| !bad).map(|(id, _)| *id);
    good.filter(|id| !seen.rows.contains_key(id)).collect()
}

/// Good rows that are there twice, bad ones where `bad` says how often they may be, and rows that nobody wrote.
pub(crate) fn too_many(seen: &Seen, written: &Written, bad: impl Fn(u64) -> u64, when: &str) -> Faults {
    let most = |id: u64| if written.is_bad(id) { bad(id) } else { 1 };
    let twice: Vec<u64> = seen.rows.iter().filter(|(id, times)| **times > most(**id)).map(|(id, _)| *id).collect();
    let mut faults = Faults::new();
    if !twice.is_empty() {
        faults.push((Fault::Twice, twice.len() as u64, format!("{when}: rows {}", some(&twice))));
    }
    if !seen.strange.is_empty() {
        faults.push((Fault::Strange, seen.strange.len() as u64, format!("{when}: {:?}", some(&seen.strange))));
    }
    faults
}

/// Where rows that are missing in the source are, and whether somebody was reported: `said` is all that barkeep ever said.
pub(crate) fn named_or_lost(missing: &BTreeSet<u64>, root: &Path, format: Format, said: &str) -> Faults {
    let (mut open, mut hidden) = (missing.clone(), BTreeMap::<PathBuf, u64>::new());
    let mut unnamed = BTreeSet::new();
    for path in support::files(root).into_iter().filter(|_| !missing.is_empty()) {
        // What the quarantine holds as items is not a file that brings rows back as they were.
        let item = path.components().any(|part| part.as_os_str() == "quarantine") && path.extension().is_some();
        let Some(bytes) = fs::read(&path).ok().filter(|_| !item) else { continue };
        let here: BTreeSet<u64> = format.rows(&bytes).iter().filter_map(|row| id(row)).collect();
        let here: Vec<u64> = here.intersection(missing).copied().collect();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if said.contains(&name) {
            open.retain(|id| !here.contains(id));
        } else if !here.is_empty() {
            hidden.insert(path, here.len() as u64);
            unnamed.extend(here);
        }
    }
    unnamed.retain(|id| open.remove(id));
    let mut faults = Faults::new();
    if !unnamed.is_empty() {
        faults.push((Fault::Hidden, unnamed.len() as u64, format!("{hidden:?}")));
    }
    if !open.is_empty() {
        let rows: Vec<u64> = open.into_iter().collect();
        faults.push((Fault::Gone, rows.len() as u64, format!("rows {}", some(&rows))));
    }
    faults
}

/// An item of the quarantine.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) id: u64,
    pub(crate) row: String,
    pub(crate) state: String,
    pub(crate) run: String,
}

/// The items that `quarantine export` wrote.
pub(crate) fn items(ndjson: &str) -> Vec<Item> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let items = ndjson.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let items = items.map(|value| (text(&value, "row"), text(&value, "state"), text(&value, "run_id")));
    items.map(|(row, state, run)| Item { id: id(&row).unwrap_or(u64::MAX), row, state, run }).collect()
}

/// Good rows in quarantine, bad ones that are nowhere; and, where nobody writes a row twice (`once`), bad ones that are
/// reported to have left and have not.
pub(crate) fn quarantine(items: &[Item], seen: &Seen, written: &Written, format: Format, once: bool) -> Faults {
    let mut faults = Faults::new();
    let mut held = BTreeSet::new();
    let (mut good, mut stayed, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let Some((text, bad)) = written.rows.get(&item.id) else { continue };
        let whole = format == Format::Parquet || *text == item.row;
        if whole {
            held.insert(item.id);
        }
        let away = item.state == "removed";
        if away && !bad {
            good.push(item.id);
        }
        if away && once && seen.rows.contains_key(&item.id) {
            stayed.push(item.id);
        }
    }
    for (id, _) in written.rows.iter().filter(|(_, (_, bad))| *bad) {
        if !seen.rows.contains_key(id) && !held.contains(id) {
            lost.push(*id);
        }
    }
    for (fault, ids, what) in [
        (Fault::GoodMoved, good, "good rows in quarantine"),
        (Fault::Untrue, stayed, "`removed`, and in the source"),
        (Fault::BadLost, lost, "neither in the source nor in quarantine"),
    ] {
        if !ids.is_empty() {
            faults.push((fault, ids.len() as u64, format!("{what}: {}", some(&ids))));
        }
    }
    faults
}

fn some<T: std::fmt::Debug>(all: &[T]) -> String {
    let more = if all.len() > 5 { ", …" } else { "" };
    let shown: Vec<String> = all.iter().take(5).map(|one| format!("{one:?}")).collect();
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::rows::Bad;
    use super::*;

    fn world() -> (Written, Vec<String>) {
        let row = |id: u64| Format::Csv.row(id, if id == 3 { Bad::Close } else { Bad::No }, 0);
        let rows: Vec<String> = (1..6).map(row).collect();
        let mut written = Written::default();
        written.add(&rows, |row| row.contains("-1,"));
        (written, rows)
    }

    /// What the source looks like with these rows in it.
    fn seen(root: &Path, written: &Written, rows: &[String]) -> Seen {
        let file = root.join("data.csv");
        fs::write(&file, Format::Csv.file(rows)).unwrap();
        look(&file, Format::Csv, written)
    }

    #[test]
    fn a_row_that_is_lost_hidden_twice_or_strange_is_seen() {
        let ((written, rows), dir) = (world(), tempfile::tempdir().unwrap());
        let all = seen(dir.path(), &written, &rows);
        assert!(missing(&all, &written).is_empty() && too_many(&all, &written, |_| 1, "").is_empty());
        let less = missing(&seen(dir.path(), &written, &rows[1..]), &written);
        assert_eq!(less, BTreeSet::from([1]));
        assert_eq!(named_or_lost(&less, dir.path(), Format::Csv, "")[0].0, Fault::Gone);
        fs::write(dir.path().join("old"), Format::Csv.file(&rows)).unwrap();
        assert_eq!(named_or_lost(&less, dir.path(), Format::Csv, "")[0].0, Fault::Hidden);
        assert_eq!(named_or_lost(&less, dir.path(), Format::Csv, "late rows in ./old"), Faults::new());
        let twice = [&rows[..], &rows[1..2], &["A,cut".to_owned()]].concat();
        let faults = too_many(&seen(dir.path(), &written, &twice), &written, |_| 1, "");
        assert_eq!(faults.iter().map(|fault| fault.0.clone()).collect::<Vec<_>>(), [Fault::Twice, Fault::Strange]);
    }

    #[test]
    fn what_the_quarantine_says_is_held_against_the_source() {
        let ((written, rows), dir) = (world(), tempfile::tempdir().unwrap());
        let item = |at: usize| Item {
            id: at as u64 + 1,
            row: rows[at].clone(),
            state: "removed".to_owned(),
            run: String::new(),
        };
        let kinds = |items: &[Item], rows: &[String]| {
            let faults = quarantine(items, &seen(dir.path(), &written, rows), &written, Format::Csv, true);
            faults.into_iter().map(|fault| fault.0).collect::<Vec<_>>()
        };
        let clean = [&rows[..2], &rows[3..]].concat();
        assert_eq!(kinds(&[item(2)], &clean), []);
        assert_eq!(kinds(&[], &clean), [Fault::BadLost]);
        assert_eq!(kinds(&[item(2)], &rows), [Fault::Untrue]);
        assert_eq!(kinds(&[item(2), item(0)], &[&rows[1..2], &rows[3..]].concat()), [Fault::GoodMoved]);
    }

    #[test]
    fn rows_come_back_from_every_format() {
        for format in [Format::Csv, Format::Ndjson, Format::Gz, Format::Parquet] {
            let rows: Vec<String> = (1..40).map(|id| format.row(id, Bad::No, 90)).collect();
            assert_eq!(format.rows(&format.file(&rows)), rows);
            if format != Format::Parquet {
                let added = format.row(40, Bad::Close, 0);
                let both = [format.file(&rows), format.tail(std::slice::from_ref(&added))].concat();
                assert_eq!(format.rows(&both), [&rows[..], &[added]].concat());
            }
        }
    }
}
