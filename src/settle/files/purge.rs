//! The only place that erases, and it erases in quarantine alone: copies, originals and their records, never a source.

use std::collections::HashSet;
use std::fs;

use super::items::put_back;
use super::journal::Entry;
use super::place::{Held, Shelf, names};
use super::{FilesError, Place, disk, quarantine};

/// What was erased, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows in quarantine.
    pub items: u64,
    /// Original files.
    pub originals: u64,
    /// Bytes of both.
    pub bytes: u64,
}

/// Erases what came to quarantine before `older_than` (µs UTC), and the originals no younger work refers to. A removal
/// is erased whole, for all its rows came at one time; one with rows that were put back stays, for without it the next
/// run would take them again. With `dry_run` only counts.
///
/// # Errors
/// When the job's files are locked or hold unfinished work, or something does not read or cannot be erased.
pub fn purge(place: Place<'_>, older_than: i64, dry_run: bool) -> Result<Purged, FilesError> {
    let held = Held::lock(place)?;
    let entries = held.settled_entries()?;
    let shelf = &held.shelf;
    let young_restores: HashSet<&str> = entries
        .iter()
        .filter(|entry| entry.begun.at >= older_than)
        .filter_map(|entry| entry.begun.restoring.as_ref())
        .map(|restoring| restoring.removal.as_str())
        .collect();
    let put_back = put_back(shelf, &entries)?;
    let is_young = |entry: &&Entry| {
        let of = removal_of(entry);
        let removal_stays = Shelf::removal(&entries, of).is_some_and(|removal| removal.begun.at >= older_than);
        entry.begun.at >= older_than || removal_stays || young_restores.contains(of)
    };
    let (young, old): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(is_young);
    let needed: HashSet<&str> =
        young.iter().filter_map(|entry| entry.intent.as_ref()).map(|intent| intent.old.as_str()).collect();
    let mut purged = Purged::default();
    let over: Vec<&Entry> = old.iter().copied().filter(|entry| !put_back.contains(removal_of(entry))).collect();
    for entry in &over {
        let copy = shelf.copy(&entry.begun.id);
        if entry.begun.restoring.is_none() && copy.exists() {
            purged.items += quarantine::read(&copy)?.len() as u64;
            purged.bytes += size(&copy)?;
            if !dry_run {
                disk::remove(&copy)?;
            }
        }
    }
    for name in names(&shelf.originals())? {
        let path = shelf.original(&name);
        if !needed.contains(name.as_str()) && known(&old, &name) {
            purged.originals += 1;
            purged.bytes += size(&path)?;
            if !dry_run {
                disk::remove(&path)?;
            }
        }
    }
    if !dry_run {
        // Last: what is left of a purge that was cut short is found again through these.
        over.iter().try_for_each(|entry| shelf.journal.forget(&entry.begun.id))?;
    }
    Ok(purged)
}

/// The removal that an entry is, or takes rows back from.
fn removal_of(entry: &Entry) -> &str {
    entry.begun.restoring.as_ref().map_or(entry.begun.id.as_str(), |restoring| &restoring.removal)
}

/// Whether the original is one that old work refers to; what nobody refers to was somebody's change, and stays.
fn known(old: &[&Entry], hash: &str) -> bool {
    old.iter().any(|entry| entry.intent.as_ref().is_some_and(|intent| intent.old == hash))
}

fn size(path: &std::path::Path) -> Result<u64, FilesError> {
    Ok(fs::symlink_metadata(path).map_err(|source| FilesError::read(path, source))?.len())
}
