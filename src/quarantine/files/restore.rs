//! Rows back to their places, by a replacement of the whole file.
//!
//! Rows are known by their content: what is in the file already, as often as it left, is not put in again. Where all
//! that left is back and nothing else changed, the file is the original again, byte for byte. A file that is gone is
//! made again, with the rows that are put back.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::durable::folder_of;
use crate::quarantine::item::State;

use super::finish::{Finish, discard, ended};
use super::history::{History, Missing, Taken};
use super::inspect::{Inspected, Writers};
use super::journal::{Begun, Done, End, Entry, Intent, Restoring};
use super::open::Open;
use super::place::Held;
use super::put_in::Draft;
use super::quarantine;
use super::recovery;
use super::replace::{Prepared, Ready, Replace, Replaced};
use super::sequence::Sequence;
use super::steps::{Step, Way, step};
use super::text::{self, Out};
use super::{FilesError, Place, WriterTimeout, table};

/// The run that restores.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Its name.
    pub id: &'a str,
    /// When, µs UTC.
    pub at: i64,
    /// Whether anybody may write to the files.
    pub writers: Writers,
    /// How long a file that others write to is tried again.
    pub writer_timeout: WriterTimeout,
}

/// Where the rows of a restore went. Each is counted once.
#[derive(Debug, Default)]
pub struct Restored {
    /// Rows that are back, or would be.
    pub restored: u64,
    /// Rows that were there already.
    pub already_there: u64,
    /// Items that could not come back, and why.
    pub conflict: Vec<(String, String)>,
    /// What names no item of this quarantine.
    pub unknown: Vec<String>,
    /// Copies that do not read: their rows cannot be put back.
    pub damaged: Vec<FilesError>,
}

/// Puts the rows of the items `ids` back into their files, whatever their state, the removal that was last first.
/// Nothing is overwritten. With `dry_run` only says what would happen.
///
/// # Errors
/// When the job's files or a source are locked, when unfinished work could not be finished, when something does not
/// read or write, or the sum cannot be proven. Files that were restored before that stay restored.
pub fn restore(place: Place<'_>, ids: &[String], dry_run: bool, run: Run<'_>) -> Result<Restored, FilesError> {
    let held = step(Way::Restore, Step::Lock, || Held::lock(place))?;
    let mut result = Restored::default();
    let mut wanted = find(&held, ids, &mut result)?;
    // The removal that was last first.
    wanted.reverse();
    let mut sources: BTreeMap<PathBuf, Vec<(String, HashSet<String>)>> = BTreeMap::new();
    for (source, removal, items) in wanted {
        sources.entry(source).or_default().push((removal, items));
    }
    for (source, removals) in sources {
        let lock = if dry_run { None } else { Some(recovery::lock(place, &source)?) };
        for (removal, items) in removals {
            let entries = held.entries()?;
            let (history, damaged) = History::of(&held.directory, &entries, &source);
            result.damaged.extend(damaged);
            let (Some(taken), Some(entry)) =
                (history.removal(&removal), entries.iter().find(|entry| entry.begun.id == removal))
            else {
                continue;
            };
            let ids = items.iter().map(String::as_str).collect();
            let work = Work { held: &held, history: &history, taken, entry, ids, run, source: &source };
            if dry_run { work.look(&mut result)? } else { work.run(&mut result)? }
        }
        if let Some(lock) = lock
            && held.directory.journal.unfinished_at(&source)?.is_none()
        {
            lock.release()?;
        }
    }
    Ok(result)
}

/// The items `ids` by source and removal, in the order of the journal.
fn find(
    held: &Held,
    ids: &[String],
    result: &mut Restored,
) -> Result<Vec<(PathBuf, String, HashSet<String>)>, FilesError> {
    let mut unknown: HashSet<&String> = ids.iter().collect();
    let all: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for entry in held.entries()? {
        let copy = match super::items::copy_of(&held.directory, &entry) {
            Ok(Some(copy)) => copy,
            Ok(None) => continue,
            Err(error) => {
                result.damaged.push(error);
                continue;
            }
        };
        // A copy that does not read is reported where its source is looked at.
        let Ok(kept) = quarantine::read(&copy) else { continue };
        let items: HashSet<String> =
            kept.into_iter().map(|row| row.id).filter(|id| all.contains(id.as_str())).collect();
        unknown.retain(|id| !items.contains(*id));
        if !items.is_empty() {
            found.push((entry.begun.source, entry.begun.id, items));
        }
    }
    result.unknown = ids.iter().filter(|id| unknown.contains(id)).cloned().collect();
    Ok(found)
}

/// Rows of one removal that are to come back.
struct Work<'a> {
    held: &'a Held,
    history: &'a History<'a>,
    taken: &'a Taken,
    entry: &'a Entry,
    ids: HashSet<&'a str>,
    run: Run<'a>,
    source: &'a Path,
}

/// Why there is nothing to exchange.
enum Why {
    /// All rows are there already.
    There(Vec<String>),
    /// The rows do not fit.
    Conflict(String),
}

impl Work<'_> {
    /// Says what would happen.
    fn look(&self, result: &mut Restored) -> Result<(), FilesError> {
        let missing = match Open::find(&self.held.directory.disk, self.source)? {
            Some(open) => match self.misfit(&open)? {
                Some(reason) => {
                    self.refuse(result, &reason);
                    return Ok(());
                }
                None => self.missing(&open)?,
            },
            None if self.history.version_of(self.taken).is_none() => {
                self.refuse(result, NO_FILE);
                return Ok(());
            }
            None => self.history.missing(self.taken, &self.ids, &Sequence::default()),
        };
        result.restored += missing.places.len() as u64;
        result.already_there += missing.there.len() as u64;
        Ok(())
    }

    fn run(&self, result: &mut Restored) -> Result<(), FilesError> {
        let directory = &self.held.directory;
        let (writers, writer_timeout) = (self.run.writers, self.run.writer_timeout.0);
        let replace = Replace { directory, way: Way::Restore, writers, writer_timeout, stop: &|| false };
        match replace.run(self.source, |seen| self.prepare(seen))? {
            Replaced::Done(done, ready) => {
                result.already_there += ready.with.there.len() as u64;
                Self::tell(&ready.begun, &done, result);
                self.note_those_there(&ready.with.there)?;
            }
            Replaced::Nothing(Why::There(items)) => {
                result.already_there += items.len() as u64;
                self.note_those_there(&items)?;
            }
            Replaced::Nothing(Why::Conflict(reason)) | Replaced::Busy(reason) => self.refuse(result, &reason),
            Replaced::Gone => self.make_again(result)?,
            // Nothing asks a restore to stop.
            Replaced::Stopped => self.refuse(result, "it was stopped"),
        }
        Ok(())
    }

    fn tell(begun: &Begun, done: &Done, result: &mut Restored) {
        let items = begun.restoring.iter().flat_map(|restoring| &restoring.items);
        let note = done.note.clone().unwrap_or_else(|| "its file could not be replaced".to_owned());
        for id in items {
            if done.end == End::Swapped || done.states.get(id) == Some(&State::Restored) {
                result.restored += 1;
            } else {
                result.conflict.push((id.clone(), note.clone()));
            }
        }
    }

    fn refuse(&self, result: &mut Restored, reason: &str) {
        let mut ids: Vec<&str> = self.ids.iter().copied().collect();
        ids.sort_unstable();
        result.conflict.extend(ids.into_iter().map(|id| (id.to_owned(), reason.to_owned())));
    }

    /// Why the rows do not fit into the file as it is now; `None` where they do.
    fn misfit(&self, open: &Open) -> Result<Option<String>, FilesError> {
        let set = self.entry.begun.set();
        let fits = if set.format.is_text() {
            let now = match text::header(open, &set) {
                Err(error) if error.is_empty_file() => Vec::new(),
                header => header?,
            };
            self.entry.intent.as_ref().is_none_or(|intent| intent.columns == now)
        } else {
            let (now, copy) = (table::open(open)?, table::open(&self.taken.copy)?);
            let fields = |reader: &super::columns::Reader, skipped: usize| {
                reader.metadata().file_metadata().schema_descr().root_schema().get_fields()[skipped..].to_vec()
            };
            fields(&now, 0) == fields(&copy, quarantine::SKIPPED)
        };
        Ok((!fits).then(|| "its file has other columns now".to_owned()))
    }

    fn missing(&self, open: &Open) -> Result<Missing, FilesError> {
        let now = Sequence::of(open, &self.entry.begun.set())?;
        Ok(self.history.missing(self.taken, &self.ids, &now))
    }

    fn begun(&self, items: Vec<String>) -> Result<Begun, FilesError> {
        let journal = &self.held.directory.journal;
        Ok(Begun {
            id: self.held.directory.new_id(self.run.id)?,
            sequence: journal.next_for(self.source)?,
            run_id: self.run.id.to_owned(),
            at: self.run.at,
            restoring: Some(Restoring { removal: self.entry.begun.id.clone(), items }),
            ..self.entry.begun.clone()
        })
    }

    fn prepare(&self, seen: &Inspected) -> Result<Prepared<Missing, Why>, FilesError> {
        if let Some(reason) = self.misfit(&seen.open)? {
            return Ok(Prepared::Nothing(Why::Conflict(reason)));
        }
        let now = Sequence::of(&seen.open, &self.entry.begun.set())?;
        let missing = self.history.missing(self.taken, &self.ids, &now);
        if missing.places.is_empty() {
            return Ok(Prepared::Nothing(Why::There(missing.there)));
        }
        let begun = self.begun(missing.places.iter().map(|(_, row)| self.taken.kept[*row].id.clone()).collect())?;
        let draft = Draft {
            directory: &self.held.directory,
            history: self.history,
            taken: self.taken,
            seen,
            begun: &begun,
            now: &now,
            missing: &missing,
        };
        match draft.complete() {
            Ok(intent) => Ok(Prepared::Ready(Ready { begun, intent, with: missing })),
            Err(error) => {
                // The first error is the one to tell; what cannot be tidied up now, recovery will.
                discard(&self.held.directory, &begun, None).ok();
                Err(error)
            }
        }
    }

    /// Writes down that rows a person wanted back are there, where they came without us: they are the person's now.
    fn note_those_there(&self, items: &[String]) -> Result<(), FilesError> {
        let entries = self.held.entries()?;
        let known = super::items::restored(&entries, &self.entry.begun.id);
        let new: Vec<String> = items.iter().filter(|id| !known.contains_key(id.as_str())).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let begun = self.begun(new.clone())?;
        let states = new.into_iter().map(|id| (id, State::Restored)).collect();
        let journal = &self.held.directory.journal;
        journal.begin(&begun)?;
        journal.finish(&begun.id, &Done { states, ..ended(End::Looked, None) })
    }

    /// The file is gone: it is made again from the original, with the rows that are put back and no others.
    fn make_again(&self, result: &mut Restored) -> Result<(), FilesError> {
        let Some((original, _)) = self.history.version_of(self.taken) else {
            self.refuse(result, NO_FILE);
            return Ok(());
        };
        let directory = &self.held.directory;
        let wanted: Vec<u64> =
            self.taken.kept.iter().filter(|row| self.ids.contains(row.id.as_str())).map(|row| row.row).collect();
        let begun = self.begun(
            self.taken.kept.iter().filter(|row| self.ids.contains(row.id.as_str())).map(|row| row.id.clone()).collect(),
        )?;
        let temporary = begun.temporary();
        step(Way::Restore, Step::Begin, || directory.journal.begin(&begun))?;
        let made = step(Way::Restore, Step::Clean, || self.write_alone(original, &wanted, &temporary));
        if let Err(error) = made {
            discard(directory, &begun, None).ok();
            return Err(error);
        }
        let new = crate::durable::hex(&Open::at(&directory.disk, &temporary)?.hash()?);
        let intent = Intent {
            old: String::new(),
            new,
            files: None,
            quarantine: None,
            rows: wanted.len() as u64,
            columns: Vec::new(),
        };
        step(Way::Restore, Step::Intent, || directory.journal.intend(&begun.id, &intent))?;
        // A second name, not a rename: a file that somebody has made meanwhile is not overwritten.
        let linked = step(Way::Restore, Step::Exchange, || {
            directory.disk.link(&temporary, self.source).map_err(|source| FilesError::write(self.source, source))?;
            directory.sync_folder(folder_of(self.source))
        });
        let finish = Finish { directory, way: Way::Restore, begun: &begun, intent: &intent };
        match linked {
            Ok(()) => Self::tell(&begun, &finish.looked()?, result),
            Err(error) => {
                discard(directory, &begun, None)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes the rows `wanted` of the original, and nothing else of its rows.
    fn write_alone(&self, original: &Open, wanted: &[u64], temporary: &Path) -> Result<(), FilesError> {
        let directory = &self.held.directory;
        let wanted: HashSet<u64> = wanted.iter().copied().collect();
        let rows = Sequence::of(original, &self.entry.begun.set())?.rows.len() as u64;
        let others: Vec<u64> = (1..=rows).filter(|row| !wanted.contains(row)).collect();
        let ownership = original.file.ownership().map_err(|source| FilesError::read(&original.path, source))?;
        let mut file = directory.disk.create(temporary).map_err(|source| FilesError::write(temporary, source))?;
        // The file it was belonged to somebody; where this user cannot give it back to them, it is this user's.
        file.give(&ownership).ok();
        let set = self.entry.begun.set();
        if set.format.is_text() {
            text::write_without(original, &set, &others, &mut Out { path: temporary, file: &mut *file })?;
        } else {
            let indices: Vec<u64> = others.iter().map(|row| row - 1).collect();
            table::write_without(&original.path, &table::open(original)?, &indices, &mut *file)?;
        }
        directory.sync_folder(folder_of(temporary))
    }
}

const NO_FILE: &str =
    "its file is missing, and so is the original it was taken from; make a file with the same columns first";
