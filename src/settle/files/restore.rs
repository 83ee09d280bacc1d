//! Rows back to their places, by a new swap of the whole file.
//!
//! Where the source is as the removal left it (or as an earlier restore of the same removal did), the places are exact,
//! and with the last row the original file itself comes back, byte for byte, while it is kept. Where the source was
//! rewritten since, a row goes behind the row it used to follow, or to the end where that is gone; a row whose bytes
//! are there already is not put in again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;

use crate::settle::item::State;

use super::disk::{self, Seen};
use super::journal::{Begun, End, Entry, Intent, Restoring};
use super::place::{Held, Shelf};
use super::quarantine::{self, Kept};
use super::spot::{self, Spots};
use super::steps::{Step, Way, step};
use super::text::{self, Insertion, Out, Piece};
use super::{FilesError, Place, items, removal, swap, table, writers};

/// The run that restores.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Its name.
    pub id: &'a str,
    /// When, µs UTC.
    pub at: i64,
}

/// Where the rows of a restore went. Each is counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rows that are back, or would be.
    pub restored: u64,
    /// Rows that were there already.
    pub already_there: u64,
    /// Items that could not come back, and why.
    pub conflict: Vec<(String, String)>,
    /// What names no item of this quarantine.
    pub unknown: Vec<String>,
}

/// Puts the rows of the items `ids` back into their files, the removal that was last first. Nothing is overwritten.
/// With `dry_run` only says what would happen.
///
/// # Errors
/// When the job's files are locked or hold unfinished work, when something does not read or write, or the sum cannot
/// be proven. Files that were restored before that stay restored.
pub fn restore(place: Place<'_>, ids: &[String], dry_run: bool, run: Run<'_>) -> Result<Restored, FilesError> {
    let held = step(Way::Restore, Step::Lock, || Held::lock(place))?;
    let entries = held.settled_entries()?;
    let stored = items::by_id(&held.shelf, &entries)?;
    let mut result = Restored::default();
    let mut wanted: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for id in ids.iter().collect::<BTreeSet<_>>() {
        let Some(row) = stored.get(id) else {
            result.unknown.push(id.clone());
            continue;
        };
        match row.state {
            // A row of a file that somebody changed is looked for, and put in only if it is not there.
            State::Removed | State::Removing | State::KeptChanged => {
                wanted.entry(&row.removal).or_default().insert(id);
            }
            State::Copied | State::KeptError | State::Restored => result.already_there += 1,
        }
    }
    for entry in entries.iter().rev() {
        if let Some(ids) = wanted.remove(entry.begun.id.as_str()) {
            Work { shelf: &held.shelf, entries: &entries, removal: entry, ids, run }.carry_out(dry_run, &mut result)?;
        }
    }
    Ok(result)
}

/// Rows of one removal that are to come back.
struct Work<'a> {
    shelf: &'a Shelf,
    entries: &'a [Entry],
    removal: &'a Entry,
    ids: HashSet<&'a str>,
    run: Run<'a>,
}

impl Work<'_> {
    fn carry_out(&self, dry_run: bool, result: &mut Restored) -> Result<(), FilesError> {
        let source = &self.removal.begun.source;
        let refuse = |result: &mut Restored, reason: &str| {
            let mut ids: Vec<&str> = self.ids.iter().copied().collect();
            ids.sort_unstable();
            result.conflict.extend(ids.into_iter().map(|id| (id.to_owned(), reason.to_owned())));
        };
        let Some(seen) = disk::look(source)? else {
            refuse(result, "its file is not there any more");
            return Ok(());
        };
        if let Some(pid) = writers::of(&seen.metadata) {
            refuse(result, &format!("process {pid} has its file open for writing"));
            return Ok(());
        }
        let kept = quarantine::read(&self.shelf.copy(&self.removal.begun.id))?;
        if !self.fits()? {
            refuse(result, "its file has other columns now");
            return Ok(());
        }
        let spots = spot::find(self.shelf, self.entries, self.removal, &seen.hash, &kept, &self.ids)?;
        result.already_there += spots.there;
        if spots.rows.is_empty() {
            return Ok(());
        }
        let count = spots.rows.len() as u64;
        if dry_run {
            result.restored += count;
            return Ok(());
        }
        let begun = self.begun(&kept, &spots);
        let intent = match self.prepare(&begun, &seen, &kept, &spots) {
            Ok(intent) => intent,
            Err(error) => {
                // The first error is the one to tell; what cannot be tidied up now, recovery will.
                removal::close(self.shelf, &begun).ok();
                return Err(error);
            }
        };
        let done = swap::finish(self.shelf, Way::Restore, &begun, &intent)?;
        let items = begun.restoring.map(|restoring| restoring.items).unwrap_or_default();
        let note = done.note.unwrap_or_else(|| "its file could not be replaced".to_owned());
        for id in items {
            if done.end == End::Swapped || done.states.get(&id) == Some(&State::Restored) {
                result.restored += 1;
            } else {
                result.conflict.push((id, note.clone()));
            }
        }
        Ok(())
    }

    /// Whether the source still has the columns the rows had.
    fn fits(&self) -> Result<bool, FilesError> {
        let begun = &self.removal.begun;
        if begun.set().format.is_text() {
            let now = text::header(&begun.source, &begun.set())?;
            return Ok(self.removal.intent.as_ref().is_some_and(|intent| intent.columns == now));
        }
        let (now, copy) = (table::open(&begun.source)?, table::open(&self.shelf.copy(&begun.id))?);
        let fields = |reader: &super::columns::Reader, skipped: usize| {
            reader.metadata().file_metadata().schema_descr().root_schema().get_fields()[skipped..].to_vec()
        };
        Ok(fields(&now, 0) == fields(&copy, quarantine::SKIPPED))
    }

    fn begun(&self, kept: &[Kept], spots: &Spots) -> Begun {
        let removal = &self.removal.begun;
        let items = spots.rows.iter().map(|(_, row)| kept[*row].id.clone()).collect();
        Begun {
            id: self.shelf.new_id(self.run.id),
            run_id: self.run.id.to_owned(),
            at: self.run.at,
            restoring: Some(Restoring { removal: removal.id.clone(), items }),
            ..removal.clone()
        }
    }

    /// Everything up to the intent.
    fn prepare(&self, begun: &Begun, seen: &Seen, kept: &[Kept], spots: &Spots) -> Result<Intent, FilesError> {
        let temporary = begun.temporary();
        let file = step(Way::Restore, Step::Begin, || {
            self.shelf.journal.begin(begun)?;
            disk::create(&temporary)
        })?;
        step(Way::Restore, Step::Clean, || {
            match &spots.original {
                Some(original) => copy_into(&self.shelf.original(original), &temporary, &file)?,
                None => self.build(begun, kept, spots, &file)?,
            }
            disk::same_rights(&temporary, &file, &seen.metadata)?;
            file.sync_all().map_err(|source| FilesError::write(&temporary, source))?;
            disk::sync_folder(disk::folder_of(&temporary))
        })?;
        drop(file);
        step(Way::Restore, Step::Prove, || self.prove(begun, kept, spots))?;
        let missing = || FilesError::read(&temporary, std::io::Error::from(std::io::ErrorKind::NotFound));
        let intent = Intent {
            old: disk::hex(&seen.hash),
            new: disk::hex(&disk::hash(&temporary)?.ok_or_else(missing)?),
            quarantine: None,
            rows: spots.rows.len() as u64,
            columns: Vec::new(),
        };
        step(Way::Restore, Step::Intent, || self.shelf.journal.intend(&begun.id, &intent))?;
        Ok(intent)
    }

    /// Writes the source with the rows put in.
    fn build(&self, begun: &Begun, kept: &[Kept], spots: &Spots, file: &File) -> Result<(), FilesError> {
        let (source, set, temporary) = (&begun.source, begun.set(), begun.temporary());
        if set.format.is_text() {
            let pieces: Vec<(u64, Piece)> =
                spots.rows.iter().filter_map(|(at, row)| Some((*at, kept[*row].piece()?))).collect();
            let rows: Vec<Insertion<'_>> = pieces.iter().map(|(at, piece)| Insertion { at: *at, piece }).collect();
            return text::write_with(source, &set, &rows, &Out { path: &temporary, file });
        }
        let copy = table::open(&self.shelf.copy(&self.removal.begun.id))?;
        table::write_with(source, &table::open(source)?, (&copy, quarantine::SKIPPED), &spots.rows, file)
    }

    /// Proves from the disk that the new file is the sum of the source and the rows, or the original itself.
    fn prove(&self, begun: &Begun, kept: &[Kept], spots: &Spots) -> Result<(), FilesError> {
        let (source, set, temporary) = (&begun.source, begun.set(), begun.temporary());
        let unbalanced = |what| FilesError::Unbalanced { path: source.clone(), what };
        if let Some(original) = &spots.original {
            let same = disk::hash(&temporary)?.is_some_and(|hash| disk::hex(&hash) == *original);
            return if same { Ok(()) } else { Err(unbalanced("the original and its copy")) };
        }
        let keys = swap::keys_of(&self.shelf.copy(&self.removal.begun.id), kept)?;
        let mut moved = text::Sums::default();
        spots.rows.iter().for_each(|(_, row)| moved.add(keys[*row], keys[*row]));
        let sums = |path| match set.format.is_text() {
            // Line ends are not compared: a row at the end of a file may have had to get one.
            true => text::sums(path, &set, |_| ()).map(|sums| text::Sums { whole: sums.keys, rest: 0, ..sums }),
            false => table::keys(path, &table::open(path)?, 0).map(|keys| table::sums(&keys)),
        };
        sums(&temporary)?.divided(&sums(source)?, &moved).map_err(unbalanced)
    }
}

/// Fills the new file `to` with the bytes of `from`.
fn copy_into(from: &std::path::Path, to: &std::path::Path, mut file: &File) -> Result<(), FilesError> {
    let mut source = disk::open(from)?;
    std::io::copy(&mut source, &mut file).map(drop).map_err(|error| FilesError::write(to, error))
}
