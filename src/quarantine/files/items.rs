//! What lies in quarantine, and how far each row is, as the journal tells.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::quarantine::item::{Item, State};

use super::journal::{End, Entry};
use super::open::Open;
use super::place::Directory;
use super::quarantine::{self, Kept};
use super::{FilesError, Place, ended};

/// A row in quarantine, and the removal that took it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// Index of the removal among the entries of the journal.
    pub(super) entry: usize,
    pub(super) state: State,
    /// When a person put it back, µs UTC.
    pub(super) restored_at: Option<i64>,
    pub(super) kept: Kept,
}

/// What lies in quarantine, and what of it does not read.
#[derive(Debug, Default)]
pub struct Listed {
    /// Every row, each once: as it was moved last. The oldest first.
    pub items: Vec<Item>,
    /// Records and copies that do not read: their rows are not among the items.
    pub damaged: Vec<FilesError>,
}

/// Every row in the quarantine of a job's files. A row that was purged is not among them. Needs no lock, and changes
/// nothing.
///
/// # Errors
/// When the journal cannot be listed.
pub fn items(place: Place<'_>) -> Result<Listed, FilesError> {
    let directory = Directory::new(place);
    let (entries, damaged) = directory.journal.entries()?;
    let mut listed = Listed { items: Vec::new(), damaged };
    for index in 0..entries.len() {
        match of_entry(&directory, &entries, index) {
            Ok(items) => listed.items.extend(items),
            Err(error) => listed.damaged.push(error),
        }
    }
    let mut seen = HashSet::new();
    listed.items.reverse();
    listed.items.retain(|item| seen.insert(item.id.clone()));
    listed.items.reverse();
    Ok(listed)
}

/// The names of removals and restores in the journal that have no outcome. Needs no lock, and changes nothing.
///
/// # Errors
/// When the journal does not read.
pub fn unfinished(place: Place<'_>) -> Result<Vec<String>, FilesError> {
    let (entries, _) = Directory::new(place).journal.entries()?;
    Ok(entries.into_iter().filter(|entry| entry.done.is_none()).map(|entry| entry.begun.id).collect())
}

/// The newest moment in the journal, µs UTC, and the sources that it tells of. Needs no lock, and changes nothing.
///
/// # Errors
/// When the journal cannot be listed.
pub fn newest(place: Place<'_>) -> Result<(Option<i64>, Vec<PathBuf>), FilesError> {
    let (entries, _) = Directory::new(place).journal.entries()?;
    let mut sources: Vec<PathBuf> = entries.iter().map(|entry| entry.begun.source.clone()).collect();
    sources.sort();
    sources.dedup();
    Ok((entries.iter().map(|entry| entry.begun.at).max(), sources))
}

fn of_entry(directory: &Directory, entries: &[Entry], index: usize) -> Result<Vec<Item>, FilesError> {
    let Some(copy) = copy_of(directory, &entries[index])? else { return Ok(Vec::new()) };
    let moved = stored(entries, index, quarantine::read(&copy)?);
    let kept: Vec<Kept> = moved.iter().map(|row| row.kept.clone()).collect();
    let raws = raws(&copy, &kept)?;
    let item = |(row, raw): (Stored, Vec<u8>)| Item { restored_at: row.restored_at, ..row.kept.item(row.state, raw) };
    Ok(moved.into_iter().zip(raws).map(item).collect())
}

/// The quarantine copy of an entry; `None` where it is a restore, made none, or was purged.
pub(super) fn copy_of(directory: &Directory, entry: &Entry) -> Result<Option<Open>, FilesError> {
    match entry.begun.restoring {
        Some(_) => Ok(None),
        None => directory.open_copy(&entry.begun.id),
    }
}

/// The rows of the removal `entries[index]` with their states.
pub(super) fn stored(entries: &[Entry], index: usize, kept: Vec<Kept>) -> Vec<Stored> {
    let entry = &entries[index];
    let restored = restored(entries, &entry.begun.id);
    let state = |id: &str| match &entry.done {
        _ if restored.contains_key(id) => State::Restored,
        Some(done) => ended::state_of(done, id),
        None if entry.intent.is_some() => State::Removing,
        None => State::Copied,
    };
    let row = |kept: Kept| {
        let (state, restored_at) = (state(&kept.id), restored.get(kept.id.as_str()).copied());
        Stored { entry: index, state, restored_at, kept }
    };
    kept.into_iter().map(row).collect()
}

/// The items of the removal `id` that a person has put back, and when, µs UTC.
pub(super) fn restored<'a>(entries: &'a [Entry], id: &str) -> HashMap<&'a str, i64> {
    let mut back = HashMap::new();
    for entry in entries {
        let (Some(restoring), Some(done)) = (&entry.begun.restoring, &entry.done) else { continue };
        let came = |item: &&String| done.end == End::Swapped || done.states.get(*item) == Some(&State::Restored);
        if restoring.removal == id {
            back.extend(restoring.items.iter().filter(came).map(|item| (item.as_str(), entry.begun.at)));
        }
    }
    back
}

/// The rows of a copy as they were: bytes of a text record, JSON of a row of Parquet.
pub(super) fn raws(copy: &Open, kept: &[Kept]) -> Result<Vec<Vec<u8>>, FilesError> {
    match kept.iter().map(|row| row.raw.clone()).collect() {
        Some(raws) => Ok(raws),
        None => quarantine::rows_as_json(copy),
    }
}

/// Items of `source` that have left it and were not put back: another row with the same content gets a name of its own.
pub(super) fn away(directory: &Directory, source: &Path) -> Result<HashSet<String>, FilesError> {
    let (entries, _) = directory.journal.entries()?;
    let mut away = HashSet::new();
    for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.begun.source == source) {
        let Some(copy) = copy_of(directory, entry)? else { continue };
        let rows = stored(&entries, index, quarantine::read(&copy)?);
        // The later record of one item is the one that counts.
        for row in rows {
            match row.state {
                State::Removed => drop(away.insert(row.kept.id)),
                _ => drop(away.remove(&row.kept.id)),
            }
        }
    }
    Ok(away)
}

/// The rows of each removal at one source that are not known by a later removal: a row that stayed, or was put back, and
/// was taken again is that of the later one.
pub(super) fn current(entries: &[Entry], removals: Vec<(usize, Vec<Kept>)>) -> Vec<Stored> {
    let mut later: HashSet<String> = HashSet::new();
    let mut found = Vec::new();
    for (index, kept) in removals.into_iter().rev() {
        let rows = stored(entries, index, kept);
        let ids: Vec<String> = rows.iter().map(|row| row.kept.id.clone()).collect();
        found.extend(rows.into_iter().filter(|row| row.state == State::Removed || !later.contains(&row.kept.id)));
        later.extend(ids);
    }
    found.reverse();
    found
}
