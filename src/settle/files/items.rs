//! What lies in quarantine, and how far each row is, as the journal tells.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::settle::item::{Item, State};

use super::journal::{End, Entry};
use super::place::Shelf;
use super::quarantine::{self, Kept};
use super::{FilesError, Place, removal};

/// A row in quarantine, and the removal that took it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) removal: String,
    pub(super) state: State,
    pub(super) kept: Kept,
}

/// Every row in the quarantine of a job's files, each once: as it was moved last. The oldest first. A row that was
/// purged is not among them. Needs no lock, and changes nothing.
///
/// # Errors
/// When the journal or a copy does not read.
pub fn items(place: Place<'_>) -> Result<Vec<Item>, FilesError> {
    let shelf = Shelf::new(place);
    let entries = shelf.journal.entries()?;
    let mut found = Vec::new();
    for (stored, raw) in with_raws(&shelf, &entries)? {
        found.push(stored.kept.item(stored.state, raw));
    }
    let mut seen = HashSet::new();
    found.reverse();
    found.retain(|item| seen.insert(item.id.clone()));
    found.reverse();
    Ok(found)
}

/// The names of removals and restores in the journal that have no outcome. Needs no lock, and changes nothing.
///
/// # Errors
/// When the journal does not read.
pub fn unfinished(place: Place<'_>) -> Result<Vec<String>, FilesError> {
    let entries = Shelf::new(place).journal.entries()?;
    Ok(entries.into_iter().filter(|entry| entry.done.is_none()).map(|entry| entry.begun.id).collect())
}

fn with_raws(shelf: &Shelf, entries: &[Entry]) -> Result<Vec<(Stored, Vec<u8>)>, FilesError> {
    let mut found = Vec::new();
    for entry in entries {
        let moved = stored(shelf, entries, entry)?;
        let kept: Vec<Kept> = moved.iter().map(|row| row.kept.clone()).collect();
        let raws = raws(&shelf.copy(&entry.begun.id), &kept)?;
        found.extend(moved.into_iter().zip(raws));
    }
    Ok(found)
}

/// The removals with rows that were put back and are in the source since.
pub(super) fn put_back(shelf: &Shelf, entries: &[Entry]) -> Result<HashSet<String>, FilesError> {
    let (mut removals, mut seen) = (HashSet::new(), HashSet::new());
    for entry in entries.iter().rev() {
        for row in stored(shelf, entries, entry)? {
            let state = row.state;
            if seen.insert(row.kept.id) && state == State::Restored {
                removals.insert(row.removal);
            }
        }
    }
    Ok(removals)
}

/// The rows of the removal `entry` with their states; none where it is a restore, made no copy, or was purged.
pub(super) fn stored(shelf: &Shelf, entries: &[Entry], entry: &Entry) -> Result<Vec<Stored>, FilesError> {
    let copy = shelf.copy(&entry.begun.id);
    if entry.begun.restoring.is_some() || !copy.exists() {
        return Ok(Vec::new());
    }
    let restored = restored(entries, &entry.begun.id);
    let state = |id: &str| match &entry.done {
        _ if restored.contains(id) => State::Restored,
        Some(done) => removal::state_of(done, id),
        None if entry.intent.is_some() => State::Removing,
        None => State::Copied,
    };
    let kept = quarantine::read(&copy)?.into_iter();
    Ok(kept.map(|kept| Stored { removal: entry.begun.id.clone(), state: state(&kept.id), kept }).collect())
}

/// The items of the removal `id` that are back.
pub(super) fn restored<'a>(entries: &'a [Entry], id: &str) -> HashSet<&'a str> {
    let mut back = HashSet::new();
    for entry in entries {
        let (Some(restoring), Some(done)) = (&entry.begun.restoring, &entry.done) else { continue };
        let came = |item: &&String| done.end == End::Swapped || done.states.get(*item) == Some(&State::Restored);
        if restoring.removal == id {
            back.extend(restoring.items.iter().filter(came).map(String::as_str));
        }
    }
    back
}

/// The rows of the copy `path` as they were: bytes of a text record, JSON of a row of Parquet.
pub(super) fn raws(path: &Path, kept: &[Kept]) -> Result<Vec<Vec<u8>>, FilesError> {
    match kept.iter().map(|row| row.raw.clone()).collect() {
        Some(raws) => Ok(raws),
        None => quarantine::rows_as_json(path),
    }
}

/// Every row in quarantine by its item; of a row that was moved twice, the last time.
pub(super) fn by_id(shelf: &Shelf, entries: &[Entry]) -> Result<HashMap<String, Stored>, FilesError> {
    let mut all = HashMap::new();
    for entry in entries {
        all.extend(stored(shelf, entries, entry)?.into_iter().map(|row| (row.kept.id.clone(), row)));
    }
    Ok(all)
}
