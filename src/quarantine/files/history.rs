//! What left one source file over time, and what the file was each time: from this follows what of it is missing now,
//! and where it belongs.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::finish::keys_of;
use super::items::{self, Stored};
use super::journal::{End, Entry};
use super::open::Open;
use super::place::Directory;
use super::placement::{Merged, there};
use super::quarantine::{self, Kept};
use super::sequence::Sequence;
use super::{FilesError, originals};
use crate::quarantine::item::State;

/// All removals at one source, the oldest first.
pub(super) struct History<'a> {
    entries: &'a [Entry],
    removals: Vec<Taken>,
    /// The file before a removal, where it is kept, and what stood in it.
    versions: Vec<(Open, Sequence)>,
}

/// The rows of one removal.
pub(super) struct Taken {
    /// Index among the entries of the journal.
    pub(super) entry: usize,
    pub(super) copy: Open,
    pub(super) kept: Vec<Kept>,
    pub(super) keys: Vec<u128>,
    /// Index of the version that they were taken from.
    version: Option<usize>,
}

/// Which rows of a removal are to be put in, and where.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Pairs of the index of the piece of the file that a row goes before, and the index of the row in its removal; in
    /// the order of the new file.
    pub(super) places: Vec<(usize, usize)>,
    /// Items that are in the file already.
    pub(super) there: Vec<String>,
}

impl<'a> History<'a> {
    /// Reads what is kept of `source`. A copy that does not read is left out, and reported by its error.
    pub(super) fn of(directory: &Directory, entries: &'a [Entry], source: &Path) -> (Self, Vec<FilesError>) {
        let mut history = Self { entries, removals: Vec::new(), versions: Vec::new() };
        let mut damaged = Vec::new();
        for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.begun.source == source) {
            if let Err(error) = history.add(directory, index, entry) {
                damaged.push(error);
            }
        }
        (history, damaged)
    }

    fn add(&mut self, directory: &Directory, index: usize, entry: &Entry) -> Result<(), FilesError> {
        let Some(copy) = items::copy_of(directory, entry)? else { return Ok(()) };
        let kept = quarantine::read(&copy)?;
        let keys = keys_of(&copy, &kept)?;
        let mut version = None;
        if let Some(open) = originals::of_entry(directory, entry)? {
            let sequence = Sequence::of(&open, &entry.begun.set())?;
            version = Some(self.versions.len());
            self.versions.push((open, sequence));
        }
        self.removals.push(Taken { entry: index, copy, kept, keys, version });
        Ok(())
    }

    /// The removal `id`.
    pub(super) fn removal(&self, id: &str) -> Option<&Taken> {
        self.removals.iter().find(|taken| self.entries[taken.entry].begun.id == id)
    }

    /// Every version of the file that is kept, the oldest first, and what stood in it.
    pub(super) fn versions(&self) -> &[(Open, Sequence)] {
        &self.versions
    }

    /// The version that a removal was taken from.
    pub(super) fn version_of(&self, taken: &Taken) -> Option<&(Open, Sequence)> {
        self.versions.get(taken.version?)
    }

    /// Every row that left and is not known by a later removal, with its key.
    fn rows(&self) -> Vec<(Stored, u128)> {
        let removals = self.removals.iter().map(|taken| (taken.entry, taken.kept.clone())).collect();
        let keys: HashMap<(usize, &str), u128> = self
            .removals
            .iter()
            .flat_map(|taken| {
                taken.kept.iter().zip(&taken.keys).map(|(row, key)| ((taken.entry, row.id.as_str()), *key))
            })
            .collect();
        let key = |row: &Stored| keys.get(&(row.entry, row.kept.id.as_str())).copied().unwrap_or_default();
        items::current(self.entries, removals)
            .into_iter()
            .map(|row| (key(&row), row))
            .map(|(k, row)| (row, k))
            .collect()
    }

    /// Which of the rows `ids` of `taken` are not in the file as it is `now`, and where they belong.
    pub(super) fn missing(&self, taken: &Taken, ids: &HashSet<&str>, now: &Sequence) -> Missing {
        let mut count: HashMap<u128, u64> = HashMap::new();
        now.row_keys().for_each(|key| *count.entry(key).or_default() += 1);
        let mut by_key: HashMap<u128, Vec<Stored>> = HashMap::new();
        for (row, key) in self.rows() {
            by_key.entry(key).or_default().push(row);
        }
        let by_key: HashMap<u128, Vec<Stored>> =
            by_key.into_iter().map(|(key, rows)| (key, without_those_that_stayed(rows))).collect();
        let mut there: HashSet<(usize, &str)> = HashSet::new();
        let mut absent = Vec::new();
        let mut keys: Vec<&u128> = by_key.keys().collect();
        keys.sort_unstable();
        for key in keys {
            let rows = &by_key[key];
            let of_key = self.there(*key, count.get(key).copied().unwrap_or(0), rows);
            let gone = rows.iter().filter(|row| !of_key.contains(&(row.entry, row.kept.id.as_str())));
            absent.extend(gone.filter_map(|row| self.row_of_version(row)));
            there.extend(of_key);
        }
        let mut missing = Missing::default();
        let mut wanted = Vec::new();
        let known: HashSet<(usize, &str)> =
            by_key.values().flatten().map(|row| (row.entry, row.kept.id.as_str())).collect();
        for (index, row) in taken.kept.iter().enumerate().filter(|(_, row)| ids.contains(row.id.as_str())) {
            let of_removal = (taken.entry, row.id.as_str());
            if there.contains(&of_removal) {
                missing.there.push(row.id.clone());
            } else if known.contains(&of_removal) {
                wanted.push(index);
            }
        }
        missing.places = self.places(taken, &wanted, &absent, now);
        missing
    }

    /// The piece of a version that a row was.
    fn row_of_version(&self, row: &Stored) -> Option<(usize, usize)> {
        self.piece(self.removals.iter().find(|taken| taken.entry == row.entry)?, &row.kept)
    }

    fn piece(&self, taken: &Taken, row: &Kept) -> Option<(usize, usize)> {
        let version = taken.version?;
        let number = usize::try_from(row.row.checked_sub(1)?).ok()?;
        Some((version, *self.versions[version].1.rows.get(number)?))
    }

    /// Which of `rows`, all with one content, are among the `now` rows with that content.
    fn there<'r>(&self, key: u128, now: u64, rows: &'r [Stored]) -> HashSet<(usize, &'r str)> {
        let took = |taken: &&Taken| {
            let end = self.entries[taken.entry].done.as_ref().map(|done| done.end);
            matches!(end, Some(End::Swapped | End::Looked)) && taken.keys.contains(&key)
        };
        let last = self.removals.iter().rev().find(took);
        let (mut stayed, mut back) = (0, 0);
        if let Some(taken) = last
            && let Some((_, version)) = self.version_of(taken)
        {
            let before = version.row_keys().filter(|other| *other == key).count();
            let left = taken.keys.iter().filter(|other| **other == key).count();
            stayed = before.saturating_sub(left) as u64;
            let before = &self.entries[..taken.entry];
            let was_back = |row: &&Stored| {
                items::restored(before, &self.entries[row.entry].begun.id).contains_key(row.kept.id.as_str())
            };
            back = rows.iter().filter(was_back).count() as u64;
        }
        let count = there(now, stayed, back, rows.len() as u64);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        // Those that a person put back are the ones that are there.
        let (put_back, others): (Vec<&Stored>, Vec<&Stored>) =
            rows.iter().partition(|row| row.state == State::Restored);
        put_back.into_iter().chain(others).take(count).map(|row| (row.entry, row.kept.id.as_str())).collect()
    }

    fn places(
        &self,
        taken: &Taken,
        wanted: &[usize],
        absent: &[(usize, usize)],
        now: &Sequence,
    ) -> Vec<(usize, usize)> {
        if taken.version.is_some() {
            let merged = Merged::new(self.versions.iter().map(|(_, sequence)| sequence.keys.as_slice()));
            let piece = |index: &usize| Some((self.piece(taken, &taken.kept[*index])?, *index));
            let rows: Vec<_> = wanted.iter().filter_map(piece).collect();
            return merged.places(&now.keys, absent, &rows);
        }
        // Without the file they were taken from: behind the row each used to follow; at the end where that is gone.
        let mut ends: HashMap<u128, usize> = HashMap::new();
        for piece in &now.rows {
            ends.entry(now.keys[*piece]).or_insert(piece + 1);
        }
        let first = now.rows.first().copied().unwrap_or(now.keys.len());
        let place = |index: &usize| match taken.kept[*index].after {
            None => first,
            Some(after) => ends.get(&after).copied().unwrap_or(now.keys.len()),
        };
        let mut places: Vec<_> = wanted.iter().map(|index| (place(index), *index)).collect();
        places.sort_unstable();
        places
    }
}

/// Of rows with one content, those that stayed and left by a later removal are that one's: a row that was copied before a
/// run was cut short, in a project that was moved since, has another identity now.
fn without_those_that_stayed(mut rows: Vec<Stored>) -> Vec<Stored> {
    let left = rows.iter().filter(|row| matches!(row.state, State::Removed | State::Removing | State::Restored));
    let left = left.map(|row| row.entry).max();
    let stayed = |row: &Stored| matches!(row.state, State::Copied | State::KeptChanged | State::KeptError);
    rows.retain(|row| !stayed(row) || left.is_none_or(|left| left < row.entry));
    rows
}
