//! One removal: the rejected rows of one source file are copied, verified, and the file is replaced.
//!
//! Everything before the intent can be given up at any moment: the source has not been touched.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::durable::{Hash, Output, folder_of, hex, temporary_of};
use crate::settle::item::{Item, Settled, State};
use crate::source::{FileIdentity, Format};

use super::inspect::Inspected;
use super::journal::{self, Begun, Done, End, Files, Intent};
use super::open::Open;
use super::place::{Held, Shelf};
use super::quarantine::{self, Kept, Own};
use super::replace::{Prepared, Ready, Replace, Replaced};
use super::steps::{Step, Way, step};
use super::text::{self, Out};
use super::{Checksums, Condemned, FilesError, Order, Outcome, Place, checksums, finish, items, recovery, table};

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
pub fn settle(place: Place<'_>, order: &Order<'_>, stop: &dyn Fn() -> bool) -> Result<Outcome, FilesError> {
    let held = step(Way::Settle, Step::Lock, || Held::lock(place))?;
    let source = journal::absolute(&order.file.path)?;
    let sequence = held.shelf.journal.next_for(&source)?;
    check_order(&source, order)?;
    let planned = order.file.sha256.ok_or_else(|| FilesError::NoHash { path: source.clone() })?;
    if order.rows.is_empty() || stop() {
        return Ok(order.untouched(|count| Settled { untried: count, ..Settled::default() }, None));
    }
    let lock = match recovery::lock(place, &source) {
        // Without its folder there is no file to lock either.
        Err(FilesError::Write { source: error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(order.gone(&source));
        }
        lock => lock?,
    };
    let away = items::away(&held.shelf, &source)?;
    let work = Work { shelf: &held.shelf, job: place.job, order, source, planned, sequence, away };
    let moved = work.run(stop);
    // Where the outcome is not known the lock file stays, and says whose work has to be finished.
    if held.shelf.journal.unfinished_at(&work.source)?.is_none() {
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
    Ok(Shelf::new(place).journal.unfinished_at(&source)?.is_some())
}

/// Identity of a quarantined row: the first 32 hexadecimal digits of a SHA-256 over the absolute path of its file,
/// its identity in the source and the hash (hex) of its bytes. The same over runs.
pub fn item_id(source: &Path, row_key: &str, sha256: &str) -> String {
    let mut id = Sha256::new();
    for part in [source.as_os_str().as_encoded_bytes(), row_key.as_bytes(), sha256.as_bytes()] {
        id.update((part.len() as u64).to_le_bytes());
        id.update(part);
    }
    hex(&id.finalize()[..16])
}

fn check_order(source: &Path, order: &Order<'_>) -> Result<(), FilesError> {
    let mut before = 0;
    for Condemned { row, .. } in order.rows {
        if *row <= before {
            return Err(FilesError::Disordered { path: source.to_path_buf(), row: *row });
        }
        before = *row;
    }
    Ok(())
}

impl Order<'_> {
    /// An outcome of which nothing was touched; `settled` says where so many rows are.
    fn untouched(&self, settled: impl FnOnce(u64) -> Settled, note: Option<String>) -> Outcome {
        let planned = self.rows.len() as u64;
        Outcome { note, ..Outcome::of(Settled { planned, ..settled(planned) }) }
    }

    fn gone(&self, source: &Path) -> Outcome {
        let note = format!("`{}` is not there any more", source.display());
        self.untouched(|count| Settled { gone: count, ..Settled::default() }, Some(note))
    }

    fn kept_error(&self, note: String) -> Outcome {
        self.untouched(|count| Settled { kept_error: count, ..Settled::default() }, Some(note))
    }
}

/// A removal under way.
struct Work<'a> {
    shelf: &'a Shelf,
    job: &'a str,
    order: &'a Order<'a>,
    source: PathBuf,
    /// What the file was when its rows were evaluated.
    planned: Hash,
    sequence: u64,
    /// Items of the source that are away already.
    away: HashSet<String>,
}

/// What was copied.
struct Copied {
    kept: Vec<Kept>,
    checksums: Checksums,
}

/// Why there is nothing to exchange.
enum Why {
    Changed,
    Stopped,
    Empty,
}

impl Work<'_> {
    fn run(&self, stop: &dyn Fn() -> bool) -> Result<Outcome, FilesError> {
        let (writers, patience) = (self.order.writers, self.order.patience.0);
        let replace = Replace { shelf: self.shelf, way: Way::Settle, writers, patience, stop };
        let untried = |count| Settled { untried: count, ..Settled::default() };
        match replace.run(&self.source, |seen| self.prepare(seen, stop))? {
            Replaced::Done(done, ready) => self.outcome(done, ready),
            Replaced::Gone => Ok(self.order.gone(&self.source)),
            Replaced::Stopped | Replaced::Nothing(Why::Stopped) => Ok(self.order.untouched(untried, None)),
            Replaced::Busy(note) => Ok(Outcome { busy: true, ..self.order.kept_error(note) }),
            Replaced::Nothing(Why::Changed) => {
                let note = format!("`{}` was changed since its rows were evaluated", self.source.display());
                Ok(self.order.untouched(|count| Settled { kept_changed: count, ..Settled::default() }, Some(note)))
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
            id: self.shelf.new_id(self.order.run_id)?,
            sequence: self.sequence,
            run_id: self.order.run_id.to_owned(),
            at: self.order.at,
            source: self.source.clone(),
            format: self.order.set.format.as_str().to_owned(),
            delimiter: self.order.set.delimiter,
            restoring: None,
        };
        let draft = Draft { work: self, seen, begun: &begun };
        match draft.complete(stop) {
            Ok(Ok((with, intent))) => Ok(Prepared::Ready(Ready { begun, intent, with })),
            Ok(Err(why)) => {
                finish::discard(self.shelf, &begun, None)?;
                Ok(Prepared::Nothing(why))
            }
            Err(error) => {
                // The first error is the one to tell; what cannot be tidied up now, recovery will.
                finish::discard(self.shelf, &begun, None).ok();
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
        let settled = count(intent.rows, &done);
        let copy = Open::at(&self.shelf.disk, &self.shelf.copy(&begun.id))?;
        let raws = items::raws(&copy, &kept)?;
        let items: Vec<Item> = kept
            .into_iter()
            .zip(raws)
            .map(|(row, raw)| (state_of(&done, &row.id), row, raw))
            .map(|(state, row, raw)| row.item(state, raw))
            .collect();
        let original = done.originals.first().map(|original| original.path.clone());
        let busy = done.end == End::KeptError;
        Ok(Outcome { settled, items, checksums, original, note: done.note, busy })
    }
}

/// What replaces a source, while it is put together.
struct Draft<'a> {
    work: &'a Work<'a>,
    seen: &'a Inspected,
    begun: &'a Begun,
}

impl Draft<'_> {
    fn complete(&self, stop: &dyn Fn() -> bool) -> Result<Result<(Copied, Intent), Why>, FilesError> {
        let (work, begun, set) = (self.work, self.begun, self.work.order.set);
        let temporary = begun.temporary();
        let mut new = step(Way::Settle, Step::Begin, || {
            work.shelf.journal.begin(begun)?;
            // Tells at once whether the folder of the source can be written, and whether the file can be the same
            // user's.
            create_like(work.shelf, &temporary, self.seen)
        })?;
        let copied = step(Way::Settle, Step::Quarantine, || match set.format.is_text() {
            true => self.copy_text(),
            false => self.copy_table(),
        })?;
        if stop() {
            return Ok(Err(Why::Stopped));
        }
        let left = step(Way::Settle, Step::Clean, || {
            let left = self.write_clean(&temporary, &mut *new)?;
            work.shelf.sync_folder(folder_of(&temporary))?;
            Ok(left)
        })?;
        drop(new);
        if left == 0 && set.format == Format::Ndjson {
            return Ok(Err(Why::Empty));
        }
        if stop() {
            return Ok(Err(Why::Stopped));
        }
        let clean = Open::at(&work.shelf.disk, &temporary)?;
        step(Way::Settle, Step::Prove, || self.prove(&clean, &copied.kept))?;
        let intent = step(Way::Settle, Step::Intent, || self.intend(&clean))?;
        Ok(Ok((copied, intent)))
    }

    fn rows(&self) -> Vec<u64> {
        self.work.order.rows.iter().map(|condemned| condemned.row).collect()
    }

    fn copy_text(&self) -> Result<Copied, FilesError> {
        let order = self.work.order;
        let pieces = text::take(&self.seen.open, order.set, &self.rows())?;
        let mut kept = Vec::with_capacity(pieces.len());
        for (condemned, piece) in order.rows.iter().zip(pieces) {
            let hash: Hash = Sha256::digest(&piece.raw).into();
            let row = Kept {
                offset: Some(piece.offset),
                line_end: Some(piece.line_end),
                raw: Some(piece.raw),
                ..self.kept(condemned, hash, piece.after)?
            };
            kept.push(row);
        }
        self.copy(&kept, &Own::Text)?;
        Ok(Copied { kept, checksums: Checksums::None })
    }

    fn copy_table(&self) -> Result<Copied, FilesError> {
        let (open, path) = (&self.seen.open, &self.work.source);
        let reader = table::open(open)?;
        quarantine::check_names(path, &reader)?;
        let checksums = checksums::of(path, &reader)?;
        let indices: Vec<u64> = self.rows().iter().map(|row| row - 1).collect();
        // Reads every page, so that a damaged one stops the removal here.
        let keys = table::keys(path, &reader, 0)?;
        if let Some(row) = indices.iter().find(|index| **index >= keys.len() as u64) {
            return Err(FilesError::RowMissing { path: path.clone(), row: row + 1 });
        }
        let hashes = table::hashes(path, &reader, 0, &indices)?;
        let stays = stays_before(&keys, &indices);
        let rows = self.work.order.rows.iter().zip(hashes).zip(stays);
        let kept = rows.map(|((condemned, hash), after)| self.kept(condemned, hash, after));
        let kept = kept.collect::<Result<Vec<_>, _>>()?;
        let parts = table::guarded(path, || table::parts_of(&reader, &indices))?;
        self.copy(&kept, &Own::Table(&reader, parts))?;
        Ok(Copied { kept, checksums })
    }

    fn kept(&self, condemned: &Condemned, hash: Hash, after: Option<u128>) -> Result<Kept, FilesError> {
        let (source, order) = (&self.work.source, self.work.order);
        if condemned.sha256.is_some_and(|planned| planned != hash) {
            return Err(FilesError::RowDiffers { path: source.clone(), row: condemned.row });
        }
        let sha256 = hex(&hash);
        Ok(Kept {
            id: self.free_id(&condemned.row_key, &sha256),
            run_id: order.run_id.to_owned(),
            plan_id: order.plan_id.to_owned(),
            job: self.work.job.to_owned(),
            source: source.to_string_lossy().into_owned(),
            row: condemned.row,
            offset: None,
            line_end: None,
            after,
            sha256,
            series: condemned.series.clone(),
            time: condemned.time,
            reasons: condemned.reasons.clone(),
            action: condemned.action,
            at: order.at,
            expires_at: order.retention.of(condemned.action),
            raw: None,
        })
    }

    /// The identity of a row; where another row with the same content left before and is still away, one of its own.
    fn free_id(&self, row_key: &str, sha256: &str) -> String {
        let source = &self.work.source;
        let plain = std::iter::once(row_key.to_owned());
        let numbered = (2_u32..).map(|number| format!("{row_key}#{number}"));
        let mut ids = plain.chain(numbered).map(|key| item_id(source, &key, sha256));
        ids.find(|id| !self.work.away.contains(id)).unwrap_or_default()
    }

    fn copy(&self, kept: &[Kept], own: &Own<'_>) -> Result<(), FilesError> {
        let shelf = self.work.shelf;
        let copy = shelf.copy(&self.begun.id);
        let temporary = temporary_of(&copy);
        quarantine::write(&shelf.disk, &temporary, kept, own)?;
        shelf.disk.publish(&temporary, &copy).map_err(|source| FilesError::write(&copy, source))
    }

    /// Writes the file without the rejected rows. Gives the number of rows left.
    fn write_clean(&self, temporary: &Path, new: &mut dyn Output) -> Result<u64, FilesError> {
        let (open, set) = (&self.seen.open, self.work.order.set);
        if set.format.is_text() {
            return text::write_without(open, set, &self.rows(), &mut Out { path: temporary, file: new });
        }
        let reader = table::open(open)?;
        let indices: Vec<u64> = self.rows().iter().map(|row| row - 1).collect();
        table::write_without(&open.path, &reader, &indices, new)?;
        let rows = reader.metadata().file_metadata().num_rows();
        Ok(u64::try_from(rows).unwrap_or_default().saturating_sub(indices.len() as u64))
    }

    /// Proves from the disk that the source is the sum of the clean file and the quarantine.
    fn prove(&self, clean: &Open, kept: &[Kept]) -> Result<(), FilesError> {
        let (open, set) = (&self.seen.open, self.work.order.set);
        let copy = Open::at(&self.work.shelf.disk, &self.work.shelf.copy(&self.begun.id))?;
        let unbalanced = |what| FilesError::Unbalanced { path: open.path.clone(), what };
        let back = quarantine::read(&copy)?;
        if back != kept {
            return Err(FilesError::CopyDiffers { path: copy.path });
        }
        if set.format.is_text() {
            let mut moved = text::Sums::default();
            for row in &back {
                let (raw, line_end) = (row.raw.as_deref().unwrap_or_default(), row.line_end.as_deref());
                moved.add(text::whole(raw, line_end.unwrap_or_default()), text::key(raw));
            }
            let whole = text::sums(open, set, |_| ())?;
            return whole.divided(&text::sums(clean, set, |_| ())?, &moved).map_err(unbalanced);
        }
        let (source, left) = (table::open(open)?, table::open(clean)?);
        prove_kin(&source, &left).map_err(unbalanced)?;
        let whole = table::sums(&table::keys(&open.path, &source, 0)?);
        let kept = table::sums(&table::keys(&clean.path, &left, 0)?);
        let moved = table::sums(&table::keys(&copy.path, &table::open(&copy)?, quarantine::SKIPPED)?);
        whole.divided(&kept, &moved).map_err(unbalanced)
    }

    fn intend(&self, clean: &Open) -> Result<Intent, FilesError> {
        let work = self.work;
        let copy = Open::at(&work.shelf.disk, &work.shelf.copy(&self.begun.id))?;
        let intent = Intent {
            quarantine: Some(hex(&copy.hash()?)),
            rows: work.order.rows.len() as u64,
            columns: text::header(&self.seen.open, work.order.set)?,
            ..intent(self.seen, clean)?
        };
        work.shelf.journal.intend(&self.begun.id, &intent)?;
        Ok(intent)
    }
}

/// Makes the new file `temporary`, the same user's and with the same rights as the source.
pub(super) fn create_like(shelf: &Shelf, temporary: &Path, seen: &Inspected) -> Result<Box<dyn Output>, FilesError> {
    let mut file = shelf.disk.create(temporary).map_err(|source| FilesError::write(temporary, source))?;
    file.give(&seen.ownership).map_err(|not_given| FilesError::NotOwner {
        path: seen.open.path.clone(),
        what: not_given.what,
        source: not_given.source,
    })?;
    Ok(file)
}

/// That `new` is about to take the name of the source.
pub(super) fn intent(seen: &Inspected, new: &Open) -> Result<Intent, FilesError> {
    let at = new.attributes()?;
    let files = Files {
        old: seen.attributes.id,
        new: at.id,
        old_length: seen.attributes.length,
        new_length: at.length,
        tail: None,
    };
    Ok(Intent {
        old: hex(&seen.hash),
        new: hex(&new.hash()?),
        files: Some(files),
        quarantine: None,
        rows: 0,
        columns: Vec::new(),
    })
}

/// For each of `rows` (ascending indices), the key of the last row before it that is not one of them.
fn stays_before(keys: &[u128], rows: &[u64]) -> Vec<Option<u128>> {
    let mut gone = rows.iter().peekable();
    let mut last = None;
    let mut found = Vec::with_capacity(rows.len());
    for (index, key) in (0_u64..).zip(keys) {
        if gone.next_if(|row| **row == index).is_some() {
            found.push(last);
        } else {
            last = Some(*key);
        }
    }
    found
}

/// Says what two Parquet files, which are to be alike but for their rows, differ in.
pub(super) fn prove_kin(one: &super::columns::Reader, other: &super::columns::Reader) -> Result<(), &'static str> {
    let (one, other) = (one.metadata().file_metadata(), other.metadata().file_metadata());
    if one.schema_descr().root_schema() != other.schema_descr().root_schema() {
        return Err("schemas");
    }
    if one.key_value_metadata() == other.key_value_metadata() { Ok(()) } else { Err("key-value metadata") }
}

/// Closes work that had no intent: the source was not touched, and nothing of the new file is needed.
pub(super) fn close(shelf: &Shelf, begun: &Begun) -> Result<(), FilesError> {
    shelf.remove(&temporary_of(&shelf.copy(&begun.id)))?;
    shelf.remove(&begun.temporary())?;
    if begun.restoring.is_none() && shelf.exists(&shelf.copy(&begun.id))? {
        return shelf.journal.finish(&begun.id, &finish::ended(End::Closed, None));
    }
    shelf.journal.forget(&begun.id)
}

/// Where `rows` rows of a removal that ended so went.
pub(super) fn count(rows: u64, done: &Done) -> Settled {
    let mut settled = Settled { planned: rows, ..Settled::default() };
    match done.end {
        End::Swapped => settled.removed = rows,
        End::KeptChanged => settled.kept_changed = rows,
        End::KeptError => settled.kept_error = rows,
        End::Closed | End::Carried => settled.untried = rows,
        End::Looked => {
            settled.removed = done.states.values().filter(|state| **state == State::Removed).count() as u64;
            settled.kept_changed = rows.saturating_sub(settled.removed);
        }
    }
    settled
}

/// The state of a row of a removal that ended so.
pub(super) fn state_of(done: &Done, id: &str) -> State {
    match done.end {
        End::Swapped => State::Removed,
        End::KeptChanged => State::KeptChanged,
        End::KeptError => State::KeptError,
        End::Closed | End::Carried => State::Copied,
        End::Looked => done.states.get(id).copied().unwrap_or(State::KeptChanged),
    }
}
