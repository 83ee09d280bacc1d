//! Where rows that come back belong in the file as it is now.

use std::collections::{HashMap, HashSet};

use super::disk::{self, Hash};
use super::journal::Entry;
use super::place::Shelf;
use super::quarantine::Kept;
use super::text::{self, Stretch};
use super::{FilesError, items, swap, table};

/// Where rows belong.
#[derive(Debug)]
pub(super) struct Spots {
    /// Pairs of a place (byte of the unpacked text, or index of a row of Parquet) and the index of the row that goes
    /// before it, in the order of the new file.
    pub(super) rows: Vec<(u64, usize)>,
    /// Rows that are there already.
    pub(super) there: u64,
    /// The hash of the original, where the file with these rows is that one and it is kept.
    pub(super) original: Option<String>,
}

/// Finds the places of the rows `ids` of `removal`, all of whose rows are `kept`, in its source, which has the hash `now`.
pub(super) fn find(
    shelf: &Shelf,
    entries: &[Entry],
    removal: &Entry,
    now: &Hash,
    kept: &[Kept],
    ids: &HashSet<&str>,
) -> Result<Spots, FilesError> {
    match present(entries, removal, &disk::hex(now)) {
        Some(present) => exact(shelf, removal, kept, ids, &present),
        None => near(shelf, removal, kept, ids),
    }
}

/// The items of `removal` that are in its source, where the source with the hash `now` is one that barkeep wrote.
fn present<'a>(entries: &'a [Entry], removal: &Entry, now: &str) -> Option<HashSet<&'a str>> {
    if removal.swapped() && removal.intent.as_ref().is_some_and(|intent| intent.new == now) {
        return Some(HashSet::new());
    }
    let id = &removal.begun.id;
    let of = |entry: &Entry| entry.begun.restoring.as_ref().is_some_and(|restoring| restoring.removal == *id);
    let last = entries.iter().rposition(|entry| {
        of(entry) && entry.swapped() && entry.intent.as_ref().is_some_and(|intent| intent.new == now)
    })?;
    // Only an unbroken chain from what the removal wrote tells what the file holds.
    let mut hash = &removal.intent.as_ref()?.new;
    for entry in entries[..=last].iter().filter(|entry| of(entry) && entry.swapped()) {
        let intent = entry.intent.as_ref()?;
        if intent.old != *hash {
            return None;
        }
        hash = &intent.new;
    }
    Some(items::restored(&entries[..=last], id))
}

fn exact(
    shelf: &Shelf,
    removal: &Entry,
    kept: &[Kept],
    ids: &HashSet<&str>,
    present: &HashSet<&str>,
) -> Result<Spots, FilesError> {
    let mut rows = Vec::new();
    let (mut there, mut missing, mut before) = (0, 0_usize, 0);
    for (index, row) in kept.iter().enumerate() {
        let (wanted, is_there) = (ids.contains(row.id.as_str()), present.contains(row.id.as_str()));
        there += u64::from(wanted && is_there);
        if is_there {
            continue;
        }
        missing += 1;
        let (place, length) = match &row.raw {
            Some(raw) => {
                let line_end = row.line_end.as_ref().map_or(0, Vec::len);
                (row.offset.unwrap_or_default(), (raw.len() + line_end) as u64)
            }
            None => (row.row - 1, 1),
        };
        if wanted {
            rows.push((place - before, index));
        }
        before += length;
    }
    let mut original = None;
    if let Some(intent) = &removal.intent
        && rows.len() == missing
        && disk::hash(&shelf.original(&intent.old))?.is_some_and(|hash| disk::hex(&hash) == intent.old)
    {
        original = Some(intent.old.clone());
    }
    Ok(Spots { rows, there, original })
}

/// Behind the row each used to follow; at the end where that is gone, at the beginning where there was none.
fn near(shelf: &Shelf, removal: &Entry, kept: &[Kept], ids: &HashSet<&str>) -> Result<Spots, FilesError> {
    let (source, set) = (&removal.begun.source, removal.begun.set());
    let keys = swap::keys_of(&shelf.copy(&removal.begun.id), kept)?;
    let there = swap::keys_in(source, &set)?;
    let wanted = |index: &usize| ids.contains(kept[*index].id.as_str());
    let (already, missing): (Vec<usize>, Vec<usize>) =
        (0..kept.len()).filter(wanted).partition(|index| there.contains_key(&keys[*index]));
    let mut ends: HashMap<u128, u64> = HashMap::new();
    let mut first = 0;
    if set.format.is_text() {
        let mut none_yet = true;
        text::walk(source, &set, |stretch| {
            match stretch {
                Stretch::Row { offset, raw, line_end, .. } => {
                    none_yet = false;
                    ends.entry(text::key(raw)).or_insert(offset + (raw.len() + line_end.len()) as u64);
                }
                // What stands before the first row is the header.
                Stretch::Rest(bytes) if none_yet => first += bytes.len() as u64,
                Stretch::Rest(_) => {}
            }
            Ok(())
        })?;
    } else {
        for (index, key) in (0_u64..).zip(table::keys(source, &table::open(source)?, 0)?) {
            ends.entry(key).or_insert(index + 1);
        }
    }
    let place = |index: &usize| match kept[*index].after {
        None => first,
        Some(after) => ends.get(&after).copied().unwrap_or(u64::MAX),
    };
    let mut rows: Vec<(u64, usize)> = missing.iter().map(|index| (place(index), *index)).collect();
    rows.sort_unstable();
    Ok(Spots { rows, there: already.len() as u64, original: None })
}
