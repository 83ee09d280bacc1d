//! The only place that erases, and it erases in quarantine alone: copies, originals and their records, never a source.

use std::path::Path;

use super::items::{copy_of, stored};
use super::journal::{Begun, Entry};
use super::open::Open;
use super::originals::{Since, since};
use super::place::{Directory, Held};
use super::quarantine::{self, Kept};
use super::{FilesError, Place};
use crate::durable::temporary_of;
use crate::quarantine::item::State;

/// What may be erased.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows that came to quarantine before this moment, µs UTC, and
    pub older_than: i64,
    /// whose retention was over at this one, µs UTC.
    pub now: i64,
    /// Originals of removals before this moment, µs UTC, are erased although rows of them are kept: every row is in a
    /// verified copy.
    pub originals_before: i64,
}

/// What was erased, or would be.
#[derive(Debug, Default)]
pub struct Purged {
    /// Rows in quarantine.
    pub items: u64,
    /// Rows that are old enough and still to be kept: their retention is not over, or they were put back.
    pub kept: u64,
    /// Original files.
    pub originals: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// What was left alone, and why: copies that do not read, originals with rows that came late.
    pub refused: Vec<String>,
}

/// Erases rows that are over, each by itself: young ones in the same removal stay. Rows that were put back stay, for
/// without them the next run would take them again, and so do rows whose removal has no outcome. With `dry_run` only
/// counts.
///
/// # Errors
/// When the job's files are locked, or something cannot be erased. One copy that does not read is left alone and reported.
pub fn purge(place: Place<'_>, limits: Limits, dry_run: bool) -> Result<Purged, FilesError> {
    let held = Held::lock(place)?;
    let (entries, damaged) = held.directory.journal.entries()?;
    let mut purged = Purged { refused: damaged.iter().map(ToString::to_string).collect(), ..Purged::default() };
    let work = Work { directory: &held.directory, entries: &entries, limits, dry_run };
    for index in 0..entries.len() {
        match work.rows(index, &mut purged) {
            Ok(()) => {}
            Err(error @ (FilesError::Parquet { .. } | FilesError::Read { .. } | FilesError::CopyDiffers { .. })) => {
                purged.refused.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    for entry in &entries {
        work.originals(entry, &mut purged)?;
    }
    if !dry_run {
        work.records()?;
    }
    Ok(purged)
}

struct Work<'a> {
    directory: &'a Directory,
    entries: &'a [Entry],
    limits: Limits,
    dry_run: bool,
}

impl Work<'_> {
    /// Erases the rows of one removal that are over.
    fn rows(&self, index: usize, purged: &mut Purged) -> Result<(), FilesError> {
        let entry = &self.entries[index];
        let Some(copy) = copy_of(self.directory, entry)? else { return Ok(()) };
        let kept = quarantine::read(&copy)?;
        if entry.done.is_none() {
            return Ok(());
        }
        let rows = stored(self.entries, index, kept.clone());
        let is_over = |row: &Kept, state: State| row.expires_at <= self.limits.now && state != State::Restored;
        let mut stays = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let old = row.kept.at < self.limits.older_than;
            if old && is_over(&row.kept, row.state) {
                purged.items += 1;
            } else {
                purged.kept += u64::from(old);
                stays.push(place);
            }
        }
        if stays.len() == rows.len() {
            return Ok(());
        }
        purged.bytes += copy.attributes()?.length;
        match (self.dry_run, stays.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => self.directory.remove(&copy.path),
            (false, false) => self.rewrite(&entry.begun, &copy, &kept, &stays),
        }
    }

    /// Writes the copy anew with the rows that stay.
    fn rewrite(&self, begun: &Begun, copy: &Open, kept: &[Kept], stays: &[usize]) -> Result<(), FilesError> {
        let temporary = temporary_of(&copy.path);
        self.directory.remove(&temporary)?;
        let left: Vec<Kept> = stays.iter().map(|index| kept[*index].clone()).collect();
        quarantine::rewrite(&self.directory.disk, &temporary, copy, begun.set().format.is_text(), &left, stays)?;
        self.directory.disk.publish(&temporary, &copy.path).map_err(|source| FilesError::write(&copy.path, source))
    }

    /// Erases the files that an exchange replaced, where they are old enough and still what they were.
    fn originals(&self, entry: &Entry, purged: &mut Purged) -> Result<(), FilesError> {
        let Some(done) = &entry.done else { return Ok(()) };
        if entry.begun.at >= self.limits.originals_before && !self.is_over(entry)? {
            return Ok(());
        }
        for original in &done.originals {
            match since(self.directory, original)? {
                Since::Unchanged => self.erase(&self.directory.original(original), purged)?,
                Since::Gone => {}
                Since::Grew(_) | Since::Rewritten => purged.refused.push(format!(
                    "`{}` was written to after it was replaced; `barkeep quarantine restore JOB --late` brings those rows back",
                    self.directory.original(original).display()
                )),
            }
        }
        if done.originals.is_empty() {
            self.unrecorded(entry, purged)?;
        }
        Ok(())
    }

    /// An original of an earlier version, which is kept under the hash of its bytes and stands in no record.
    fn unrecorded(&self, entry: &Entry, purged: &mut Purged) -> Result<(), FilesError> {
        let Some(intent) = entry.intent.as_ref().filter(|intent| intent.files.is_none()) else { return Ok(()) };
        let path = self.directory.originals().join(&intent.old);
        let needed = |other: &Entry| {
            other.intent.as_ref().is_some_and(|needed| needed.old == intent.old)
                && other.begun.at >= self.limits.originals_before
        };
        if intent.old.is_empty() || self.entries.iter().any(needed) {
            return Ok(());
        }
        let Some(open) = Open::find(&self.directory.disk, &path)? else { return Ok(()) };
        if crate::durable::hex(&open.hash()?) == intent.old {
            return self.erase(&path, purged);
        }
        purged.refused.push(format!("`{}` is not what it was when it was replaced; look at it", path.display()));
        Ok(())
    }

    fn erase(&self, path: &Path, purged: &mut Purged) -> Result<(), FilesError> {
        let at = self.directory.disk.look(path).map_err(|source| FilesError::read(path, source))?;
        purged.originals += 1;
        purged.bytes += at.map_or(0, |at| at.length);
        if self.dry_run { Ok(()) } else { self.directory.remove(path) }
    }

    /// Whether nothing of the work is kept any more, and it is old enough.
    fn is_over(&self, entry: &Entry) -> Result<bool, FilesError> {
        let removal = match &entry.begun.restoring {
            Some(restoring) => &restoring.removal,
            None => &entry.begun.id,
        };
        Ok(entry.begun.at < self.limits.older_than && !self.directory.exists(&self.directory.copy(removal))?)
    }

    /// Forgets work of which nothing is left; last, for what is left of a purge that was cut short is found again
    /// through these.
    fn records(&self) -> Result<(), FilesError> {
        for entry in self.entries {
            let Some(done) = &entry.done else { continue };
            let mut left = false;
            for original in &done.originals {
                left |= self.directory.exists(&self.directory.original(original))?;
            }
            if !left && self.is_over(entry)? {
                self.directory.journal.forget(&entry.begun.id)?;
            }
        }
        Ok(())
    }
}
