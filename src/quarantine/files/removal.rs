//! One removal: the rejected rows of one source file are copied, verified, and the file is replaced.
//!
//! Everything before the intent can be given up at any moment: the source has not been touched.

use std::io;
use std::path::Path;

use crate::durable::Hash;
use crate::quarantine::item::{Item, RemovalCounts};
use crate::source::FileIdentity;

use super::ended::{count, state_of};
use super::inspect::Inspected;
use super::journal::{self, Begun, Done};
use super::open::Open;
use super::place::{Directory, Held};
use super::replace::{Prepared, Ready, Replace, Replaced};
use super::steps::{Step, Way, step};
use super::take_out::Draft;
use super::work::{Copied, Why, Work};
use super::{FilesError, Order, Outcome, Place, Rejected, finish, items, recovery, table, text};

/// Moves the rows of `order` from their file to quarantine, all or none. A file that is not what it was when its rows
/// were evaluated is left alone, and the rows are counted as `kept_changed`; text that only grew is what it was. Where
/// the file is gone they count as `gone`. A file that others write to all the time, and an NDJSON file that would be
/// left without a record, are left alone too (`kept_error`), with a note. `stop` is asked between the steps; after the
/// intent is recorded it is not asked any more.
///
/// # Errors
/// When the job's files or the source are locked, when unfinished work of the source could not be finished, when the
/// source cannot be replaced, when something does not read or write, and when the copy or the sum cannot be proven.
/// Nothing half-written is left, and the source is as it was, except for a failure after the intent, which
/// [`recover`](super::recover) finishes.
pub fn remove(place: Place<'_>, order: &Order<'_>, stop: &dyn Fn() -> bool) -> Result<Outcome, FilesError> {
    let held = step(Way::Remove, Step::Lock, || Held::lock(place))?;
    let source = journal::absolute(&order.file.path)?;
    let sequence = held.directory.journal.next_for(&source)?;
    check_order(&source, order)?;
    let planned = order.file.sha256.ok_or_else(|| FilesError::NoHash { path: source.clone() })?;
    if order.rows.is_empty() || stop() {
        return Ok(order.untouched(|count| RemovalCounts { untried: count, ..RemovalCounts::default() }, None));
    }
    let lock = match recovery::lock(place, &source) {
        // Without its folder there is no file to lock either.
        Err(FilesError::Write { source: error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(order.gone(&source));
        }
        lock => lock?,
    };
    let away = items::away(&held.directory, &source)?;
    let work = Work { directory: &held.directory, job: place.job, order, source, planned, sequence, away };
    let moved = work.run(stop);
    // Where the outcome is not known the lock file stays, and says whose work has to be finished.
    if held.directory.journal.unfinished_at(&work.source)?.is_none() {
        lock.release()?;
    }
    moved
}

/// The file `path` names now, with the hash of its bytes.
///
/// # Errors
/// When it is not there, is a symbolic link or no file, or does not read.
pub fn identify(disk: &crate::durable::Disk, path: &Path) -> Result<FileIdentity, FilesError> {
    let identity = FileIdentity::of(path)?;
    let sha256 = Open::at(disk, path)?.hash()?;
    identity.verify_unchanged()?;
    Ok(FileIdentity { sha256: Some(sha256), ..identity })
}

/// SHA-256 of the rows (from 1, ascending) of the Parquet file `path`, as their items have it.
///
/// # Errors
/// When the file does not read, or has not that many rows.
pub fn row_hashes(disk: &crate::durable::Disk, path: &Path, rows: &[u64]) -> Result<Vec<Hash>, FilesError> {
    let open = Open::at(disk, path)?;
    let indices: Vec<u64> = rows.iter().map(|row| row.saturating_sub(1)).collect();
    let hashes = table::hashes(path, &table::open(&open)?, 0, &indices)?;
    match rows.get(hashes.len()) {
        None => Ok(hashes),
        Some(row) => Err(FilesError::RowMissing { path: path.to_path_buf(), row: *row }),
    }
}

/// Whether it is not known where rows of `source` are: work there has no outcome.
///
/// # Errors
/// When the journal cannot be listed.
pub fn is_open(place: Place<'_>, source: &Path) -> Result<bool, FilesError> {
    let source = journal::absolute(source)?;
    Ok(Directory::new(place).journal.unfinished_at(&source)?.is_some())
}

fn check_order(source: &Path, order: &Order<'_>) -> Result<(), FilesError> {
    let mut before = 0;
    for Rejected { row, .. } in order.rows {
        if *row <= before {
            return Err(FilesError::Disordered { path: source.to_path_buf(), row: *row });
        }
        before = *row;
    }
    Ok(())
}

impl Order<'_> {
    /// An outcome of which nothing was touched; `counts` says where so many rows are.
    fn untouched(&self, counts: impl FnOnce(u64) -> RemovalCounts, note: Option<String>) -> Outcome {
        let planned = self.rows.len() as u64;
        Outcome { note, ..Outcome::of(RemovalCounts { planned, ..counts(planned) }) }
    }

    fn gone(&self, source: &Path) -> Outcome {
        let note = format!("`{}` is not there any more", source.display());
        self.untouched(|count| RemovalCounts { gone: count, ..RemovalCounts::default() }, Some(note))
    }

    fn kept_error(&self, note: String) -> Outcome {
        self.untouched(|count| RemovalCounts { kept_error: count, ..RemovalCounts::default() }, Some(note))
    }
}

impl Work<'_> {
    fn run(&self, stop: &dyn Fn() -> bool) -> Result<Outcome, FilesError> {
        let (writers, writer_timeout) = (self.order.writers, self.order.writer_timeout.0);
        let replace = Replace { directory: self.directory, way: Way::Remove, writers, writer_timeout, stop };
        let untried = |count| RemovalCounts { untried: count, ..RemovalCounts::default() };
        match replace.run(&self.source, |seen| self.prepare(seen, stop))? {
            Replaced::Done(done, ready) => self.outcome(done, ready),
            Replaced::Gone => Ok(self.order.gone(&self.source)),
            Replaced::Stopped | Replaced::Nothing(Why::Stopped) => Ok(self.order.untouched(untried, None)),
            Replaced::Busy(note) => Ok(Outcome { busy: true, ..self.order.kept_error(note) }),
            Replaced::Nothing(Why::Changed) => {
                let note = format!("`{}` was changed since its rows were evaluated", self.source.display());
                Ok(self
                    .order
                    .untouched(|count| RemovalCounts { kept_changed: count, ..RemovalCounts::default() }, Some(note)))
            }
            Replaced::Nothing(Why::Empty) => {
                let path = self.order.file.path.display();
                Ok(self.order.kept_error(format!(
                    "all rows of `{path}` are rejected, and a file without a record cannot be read; delete the file yourself"
                )))
            }
        }
    }

    /// Everything up to the intent.
    fn prepare(&self, seen: &Inspected, stop: &dyn Fn() -> bool) -> Result<Prepared<Copied, Why>, FilesError> {
        if !self.is_as_planned(seen)? {
            return Ok(Prepared::Nothing(Why::Changed));
        }
        let begun = Begun {
            id: self.directory.new_id(self.order.run_id)?,
            sequence: self.sequence,
            run_id: self.order.run_id.to_owned(),
            at: self.order.at,
            source: self.source.clone(),
            format: self.order.set.format.as_str().to_owned(),
            layout: Some(self.order.set.layout.clone()),
            delimiter: 0,
            restoring: None,
        };
        let draft = Draft { work: self, seen, begun: &begun };
        match draft.complete(stop) {
            Ok(Ok((with, intent))) => Ok(Prepared::Ready(Ready { begun, intent, with })),
            Ok(Err(why)) => {
                finish::discard(self.directory, &begun, None)?;
                Ok(Prepared::Nothing(why))
            }
            Err(error) => {
                // The first error is the one to tell; what cannot be tidied up now, recovery will.
                finish::discard(self.directory, &begun, None).ok();
                Err(error)
            }
        }
    }

    /// Whether the rows are where they were when they were evaluated: the file is what it was, or that with something
    /// behind it.
    fn is_as_planned(&self, seen: &Inspected) -> Result<bool, FilesError> {
        if seen.hash == self.planned {
            return Ok(true);
        }
        let before = self.order.file.length;
        if before == 0 || before >= seen.attributes.length || !self.order.set.format.is_text() {
            return Ok(false);
        }
        let open = seen.open.until(before);
        Ok(text::is_plain(&open)? && open.ends_a_line()? && open.hash()? == self.planned)
    }

    fn outcome(&self, done: Done, ready: Ready<Copied>) -> Result<Outcome, FilesError> {
        let Ready { intent, begun, with: Copied { kept, checksums } } = ready;
        let counts = count(intent.rows, &done);
        let copy = Open::at(&self.directory.disk, &self.directory.copy(&begun.id))?;
        let raws = items::raws(&copy, &kept)?;
        let items: Vec<Item> = kept
            .into_iter()
            .zip(raws)
            .map(|(row, raw)| (state_of(&done, &row.id), row, raw))
            .map(|(state, row, raw)| row.item(state, raw))
            .collect();
        let original = done.originals.first().map(|original| self.directory.original(original));
        Ok(Outcome { counts, items, checksums, original, note: done.note, busy: false })
    }
}
