//! Rows that came to an original after it had lost its name: a loader that had the file open all along, or a way to it
//! that no lease holds back. They are reported with the path of the file, never purged, and restored back on command.

use std::collections::HashMap;
use std::path::PathBuf;

use super::carry::append;
use super::finish::keys_in_order;
use super::items::copy_of;
use super::journal::{Begun, Carry, Entry, Original, Side};
use super::open::Open;
use super::originals::{Since, describe, since};
use super::place::{Directory, Held};
use super::text::{self, Stretch};
use super::{FilesError, Place, Run, quarantine, recovery};
use crate::durable::FileId;

/// A file that was written to after it was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The source that it was.
    pub source: PathBuf,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes that were appended; `None` where other bytes were changed too.
    pub appended: Option<u64>,
}

/// What bringing rows back came to.
#[derive(Debug, Default)]
pub struct LateRestored {
    /// Rows that are in their source now.
    pub rows: u64,
    /// Files whose rows could not be restored back by themselves, and why.
    pub conflict: Vec<(PathBuf, String)>,
}

/// Originals of a job that were written to after they had lost their name. Looks at sizes and times; reads a file only
/// where those are others. Needs no lock, and changes nothing.
///
/// # Errors
/// When the journal or an original does not read.
pub fn late(place: Place<'_>) -> Result<Vec<Late>, FilesError> {
    let directory = Directory::new(place);
    let (entries, _) = directory.journal.entries()?;
    let mut found = Vec::new();
    for (entry, original) in originals(&entries) {
        let appended = match since(&directory, original)? {
            Since::Unchanged | Since::Gone => continue,
            Since::Grew(bytes) => Some(bytes),
            Since::Rewritten => None,
        };
        found.push(Late { source: entry.begun.source.clone(), path: directory.original(original), appended });
    }
    Ok(found)
}

/// Whole files that were replaced and are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Originals {
    /// How many.
    pub files: u64,
    /// How much disk they take.
    pub bytes: u64,
}

/// The whole files that a job keeps. Needs no lock, and changes nothing.
///
/// # Errors
/// When the journal or an original cannot be looked at.
pub fn kept_originals(place: Place<'_>) -> Result<Originals, FilesError> {
    let directory = Directory::new(place);
    let (entries, _) = directory.journal.entries()?;
    let mut kept = Originals::default();
    for (_, original) in originals(&entries) {
        let path = directory.original(original);
        let at = directory.disk.look(&path).map_err(|source| FilesError::read(&path, source))?;
        kept.files += u64::from(at.is_some());
        kept.bytes += at.map_or(0, |at| at.length);
    }
    Ok(kept)
}

fn originals(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &Original)> {
    entries
        .iter()
        .flat_map(|entry| entry.done.iter().flat_map(move |done| done.originals.iter().map(move |it| (entry, it))))
}

/// Brings rows that came late back into their sources: those behind the end the original had, or, where it was
/// rewritten, those that are neither in the source nor in quarantine. With `dry_run` only counts.
///
/// # Errors
/// When the job's files or a source are locked, or something does not read or write.
pub fn restore_late(place: Place<'_>, dry_run: bool, run: Run<'_>) -> Result<LateRestored, FilesError> {
    let held = Held::lock(place)?;
    let mut restored = LateRestored::default();
    for found in late(place)? {
        let entries = held.entries()?;
        let known = originals(&entries).find(|(_, original)| held.directory.original(original) == found.path);
        let Some((entry, original)) = known else { continue };
        let work = Work { held: &held, entries: &entries, entry, original, run };
        let lock = if dry_run { None } else { Some(recovery::lock(place, &found.source)?) };
        work.restore(dry_run, &mut restored)?;
        if let Some(lock) = lock
            && held.directory.journal.unfinished_at(&found.source)?.is_none()
        {
            lock.release()?;
        }
    }
    Ok(restored)
}

/// No file at all: rows are looked for in the whole source.
const NOBODY: FileId = FileId { device: u64::MAX, inode: u64::MAX };

struct Work<'a> {
    held: &'a Held,
    entries: &'a [Entry],
    entry: &'a Entry,
    original: &'a Original,
    run: Run<'a>,
}

impl Work<'_> {
    fn restore(&self, dry_run: bool, restored: &mut LateRestored) -> Result<(), FilesError> {
        let directory = &self.held.directory;
        let open = Open::at(&directory.disk, &directory.original(self.original))?;
        let end = whole_rows(&open)?;
        let open = open.until(end);
        let rows = match self.rows(&open)? {
            Ok(rows) => rows,
            Err(reason) => {
                restored.conflict.push((directory.original(self.original), reason));
                return Ok(());
            }
        };
        let count = memchr::memchr_iter(b'\n', &rows).count() as u64;
        if dry_run {
            restored.rows += count;
            return Ok(());
        }
        let source = &self.entry.begun.source;
        let begun = Begun {
            id: directory.new_id(self.run.id)?,
            sequence: directory.journal.next_for(source)?,
            run_id: self.run.id.to_owned(),
            at: self.run.at,
            restoring: None,
            ..self.entry.begun.clone()
        };
        // A crash before the outcome is on disk leaves the rows late: those that are in the source by then are found
        // there by the next try.
        let known = Carry { side: Side::Old, from: self.original.length, to: NOBODY, at: 0 };
        let there = rows.is_empty()
            || append(directory, &begun, &rows, Some(known), |to, at| Carry {
                side: Side::Old,
                from: self.original.length,
                to,
                at,
            })?;
        if !there {
            let reason = format!("`{}` is missing or does not end a line; append the rows yourself", source.display());
            restored.conflict.push((directory.original(self.original), reason));
            return Ok(());
        }
        restored.rows += count;
        self.account(end)
    }

    /// From now on the bytes up to `end` are accounted for.
    fn account(&self, end: u64) -> Result<(), FilesError> {
        let directory = &self.held.directory;
        // Only work that has an outcome has originals.
        let Some(mut done) = self.entry.done.clone() else { return Ok(()) };
        for original in &mut done.originals {
            if original.path == self.original.path {
                *original = describe(directory, &directory.original(self.original), end)?;
            }
        }
        directory.journal.finish(&self.entry.begun.id, &done)
    }

    /// Whole rows that came late, each with its line end; or why they cannot be reported from the others.
    fn rows(&self, open: &Open) -> Result<Result<Vec<u8>, String>, FilesError> {
        let set = self.entry.begun.set();
        if !set.format.is_text() || !text::is_plain(open)? {
            let reason = "only rows of plain text can be restored back by themselves; compare the file with its source";
            return Ok(Err(reason.to_owned()));
        }
        let before = open.until(self.original.length);
        let appended = open.end >= self.original.length
            && crate::durable::hex(&before.hash()?) == self.original.sha256
            && before.ends_a_line()?;
        if appended {
            return Ok(Ok(open.bytes(self.original.length)?));
        }
        self.unknown_rows(open)
    }

    /// The rows of a rewritten original that are neither in the source nor in quarantine, by content and count.
    fn unknown_rows(&self, open: &Open) -> Result<Result<Vec<u8>, String>, FilesError> {
        let (directory, set) = (&self.held.directory, self.entry.begun.set());
        let mut known: HashMap<u128, u64> = HashMap::new();
        let mut add = |keys: Vec<u128>| keys.into_iter().for_each(|key| *known.entry(key).or_default() += 1);
        if let Some(source) = Open::find(&directory.disk, &self.entry.begun.source)? {
            if text::header(&source, &set)? != text::header(open, &set)? {
                return Ok(Err("it has other columns than its source".to_owned()));
            }
            add(keys_in_order(&source, &set)?);
        }
        for entry in self.entries.iter().filter(|entry| entry.begun.source == self.entry.begun.source) {
            if let Some(copy) = copy_of(directory, entry)? {
                let kept = quarantine::read(&copy)?;
                add(kept.iter().filter_map(|row| row.raw.as_deref().map(text::key)).collect());
            }
        }
        let mut rows = Vec::new();
        text::walk(open, &set, |stretch| {
            if let Stretch::Row { raw, line_end, .. } = stretch {
                match known.get_mut(&text::key(raw)) {
                    Some(count) if *count > 0 => *count -= 1,
                    _ => {
                        rows.extend_from_slice(raw);
                        rows.extend_from_slice(if line_end.is_empty() { b"\n" } else { line_end });
                    }
                }
            }
            Ok(())
        })?;
        Ok(Ok(rows))
    }
}

/// Where the last whole row of a file ends: somebody may be writing the next one.
fn whole_rows(open: &Open) -> Result<u64, FilesError> {
    const STEP: u64 = 64 << 10;
    let mut end = open.attributes()?.length;
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        let bytes = open.until(end).bytes(begin)?;
        if let Some(last) = memchr::memrchr(b'\n', &bytes) {
            return Ok(begin + last as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}
