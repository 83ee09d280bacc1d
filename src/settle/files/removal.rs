//! One removal: the condemned rows of one source file are copied, verified, and the file is replaced.
//!
//! Everything before the intent can be given up at any moment: the source has not been touched.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::settle::item::{Item, Settled, State};
use crate::source::{FileIdentity, Format};

use super::disk::{self, Hash, Seen};
use super::journal::{self, Begun, Done, End, Intent};
use super::place::{Held, Shelf};
use super::quarantine::{self, Kept, Own};
use super::steps::{Step, Way, step};
use super::text::{self, Out};
use super::{Checksums, Condemned, FilesError, Order, Outcome, Place, checksums, items, swap, table, writers};

/// Moves the rows of `order` from their file to quarantine, all or none. A file that is not what it was when its rows
/// were judged is left alone, and the rows are counted as `kept_changed`; where it is gone they count as `gone`. An
/// NDJSON file that would be left without a record is left alone too (`kept_error`), for an empty file cannot be read.
/// `stop` is asked between the steps; after the intent is recorded it is not asked any more.
///
/// # Errors
/// When the job's files are locked or hold unfinished work, when the source is a link or open for writing, when
/// something does not read or write, and when the copy or the sum cannot be proven. Nothing half-written is left, and
/// the source is as it was, except for a failure after the intent, which [`recover`](super::recover) finishes.
pub fn settle(place: Place<'_>, order: &Order<'_>, stop: &dyn Fn() -> bool) -> Result<Outcome, FilesError> {
    let held = step(Way::Settle, Step::Lock, || Held::lock(place))?;
    held.settled_entries()?;
    let source = journal::absolute(&order.file.path)?;
    check_order(&source, order)?;
    let planned = order.file.sha256.ok_or_else(|| FilesError::NoHash { path: source.clone() })?;
    let count = order.rows.len() as u64;
    let kept_all = |settled: Settled, note: Option<String>| Outcome {
        settled: Settled { planned: count, ..settled },
        items: Vec::new(),
        checksums: Checksums::None,
        original: None,
        note,
    };
    if count == 0 || stop() {
        return Ok(kept_all(Settled { untried: count, ..Settled::default() }, None));
    }
    let Some(seen) = disk::look(&source)? else {
        let note = format!("`{}` is not there any more", source.display());
        return Ok(kept_all(Settled { gone: count, ..Settled::default() }, Some(note)));
    };
    if seen.hash != planned {
        let note = format!("`{}` was changed since its rows were judged", source.display());
        return Ok(kept_all(Settled { kept_changed: count, ..Settled::default() }, Some(note)));
    }
    if let Some(pid) = writers::of(&seen.metadata) {
        return Err(FilesError::OpenForWriting { path: source, pid });
    }
    let work = Work { shelf: &held.shelf, job: place.job, order, begun: begun(&held.shelf, order, source), seen };
    match work.prepare(stop) {
        Ok(Prepared::Ready { kept, checksums, intent }) => work.carry_out(kept, checksums, &intent),
        Ok(Prepared::Stopped) => {
            work.give_up()?;
            Ok(kept_all(Settled { untried: count, ..Settled::default() }, None))
        }
        Ok(Prepared::Empty) => {
            work.give_up()?;
            let note = format!("`{}` would have no record left; remove the file yourself", order.file.path.display());
            Ok(kept_all(Settled { kept_error: count, ..Settled::default() }, Some(note)))
        }
        Err(error) => {
            // The first error is the one to tell; what cannot be tidied up now, recovery will.
            work.give_up().ok();
            Err(error)
        }
    }
}

/// The file `path` names now, with the hash of its bytes.
///
/// # Errors
/// When it is not there, is a symbolic link or no file, or does not read.
pub fn identify(path: &Path) -> Result<FileIdentity, FilesError> {
    let identity = FileIdentity::of(path)?;
    let sha256 = disk::hash(path)?;
    identity.verify_unchanged()?;
    Ok(FileIdentity { sha256, ..identity })
}

/// Identity of a quarantined row: the first 32 hexadecimal digits of a SHA-256 over the absolute path of its file,
/// its identity in the source and the hash (hex) of its bytes. The same over runs.
pub fn item_id(source: &Path, row_key: &str, sha256: &str) -> String {
    let mut id = Sha256::new();
    for part in [source.as_os_str().as_encoded_bytes(), row_key.as_bytes(), sha256.as_bytes()] {
        id.update((part.len() as u64).to_le_bytes());
        id.update(part);
    }
    disk::hex(&id.finalize()[..16])
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

fn begun(shelf: &Shelf, order: &Order<'_>, source: PathBuf) -> Begun {
    Begun {
        id: shelf.new_id(order.run_id),
        run_id: order.run_id.to_owned(),
        at: order.at,
        source,
        format: order.set.format.as_str().to_owned(),
        delimiter: order.set.delimiter,
        restoring: None,
    }
}

/// A removal under way.
struct Work<'a> {
    shelf: &'a Shelf,
    job: &'a str,
    order: &'a Order<'a>,
    begun: Begun,
    seen: Seen,
}

enum Prepared {
    Ready { kept: Vec<Kept>, checksums: Checksums, intent: Intent },
    Stopped,
    Empty,
}

impl Work<'_> {
    /// Everything up to the intent.
    fn prepare(&self, stop: &dyn Fn() -> bool) -> Result<Prepared, FilesError> {
        let (begun, set) = (&self.begun, self.order.set);
        let temporary = begun.temporary();
        let new = step(Way::Settle, Step::Begin, || {
            self.shelf.journal.begin(begun)?;
            // Tells at once whether the folder of the source can be written.
            disk::create(&temporary)
        })?;
        let copied = step(Way::Settle, Step::Quarantine, || match set.format.is_text() {
            true => self.copy_text(),
            false => self.copy_table(),
        });
        let (kept, checksums) = copied?;
        if stop() {
            return Ok(Prepared::Stopped);
        }
        let left = step(Way::Settle, Step::Clean, || {
            let left = self.write_clean(&temporary, &new)?;
            disk::same_rights(&temporary, &new, &self.seen.metadata)?;
            new.sync_all().map_err(|source| FilesError::write(&temporary, source))?;
            disk::sync_folder(disk::folder_of(&temporary))?;
            Ok(left)
        })?;
        drop(new);
        if left == 0 && set.format == Format::Ndjson {
            return Ok(Prepared::Empty);
        }
        if stop() {
            return Ok(Prepared::Stopped);
        }
        step(Way::Settle, Step::Prove, || self.prove(&temporary, &kept))?;
        let intent = step(Way::Settle, Step::Intent, || self.intend(&temporary))?;
        Ok(Prepared::Ready { kept, checksums, intent })
    }

    fn rows(&self) -> Vec<u64> {
        self.order.rows.iter().map(|condemned| condemned.row).collect()
    }

    fn copy_text(&self) -> Result<(Vec<Kept>, Checksums), FilesError> {
        let path = &self.begun.source;
        let pieces = text::take(path, self.order.set, &self.rows())?;
        let mut kept = Vec::with_capacity(pieces.len());
        for (condemned, piece) in self.order.rows.iter().zip(pieces) {
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
        Ok((kept, Checksums::None))
    }

    fn copy_table(&self) -> Result<(Vec<Kept>, Checksums), FilesError> {
        let path = &self.begun.source;
        let reader = table::open(path)?;
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
        let rows = self.order.rows.iter().zip(hashes).zip(stays);
        let kept = rows.map(|((condemned, hash), after)| self.kept(condemned, hash, after));
        let kept = kept.collect::<Result<Vec<_>, _>>()?;
        let parts = table::guarded(path, || table::parts_of(&reader, &indices))?;
        self.copy(&kept, &Own::Table(&reader, parts))?;
        Ok((kept, checksums))
    }

    fn kept(&self, condemned: &Condemned, hash: Hash, after: Option<u128>) -> Result<Kept, FilesError> {
        if condemned.sha256.is_some_and(|planned| planned != hash) {
            return Err(FilesError::RowDiffers { path: self.begun.source.clone(), row: condemned.row });
        }
        let sha256 = disk::hex(&hash);
        Ok(Kept {
            id: item_id(&self.begun.source, &condemned.row_key, &sha256),
            run_id: self.order.run_id.to_owned(),
            plan_id: self.order.plan_id.to_owned(),
            job: self.job.to_owned(),
            source: self.begun.source.to_string_lossy().into_owned(),
            row: condemned.row,
            offset: None,
            line_end: None,
            after,
            sha256,
            series: condemned.series.clone(),
            time: condemned.time,
            reasons: condemned.reasons.clone(),
            action: condemned.action,
            at: self.order.at,
            expires_at: self.order.retention.of(condemned.action),
            raw: None,
        })
    }

    fn copy(&self, kept: &[Kept], own: &Own<'_>) -> Result<(), FilesError> {
        let copy = self.shelf.copy(&self.begun.id);
        let temporary = disk::temporary_of(&copy);
        quarantine::write(&temporary, kept, own)?;
        disk::publish(&temporary, &copy)
    }

    /// Writes the file without the condemned rows. Gives the number of rows left.
    fn write_clean(&self, temporary: &Path, new: &fs::File) -> Result<u64, FilesError> {
        let path = &self.begun.source;
        if self.order.set.format.is_text() {
            return text::write_without(path, self.order.set, &self.rows(), &Out { path: temporary, file: new });
        }
        let reader = table::open(path)?;
        let indices: Vec<u64> = self.rows().iter().map(|row| row - 1).collect();
        table::write_without(path, &reader, &indices, new)?;
        let rows = reader.metadata().file_metadata().num_rows();
        Ok(u64::try_from(rows).unwrap_or_default().saturating_sub(indices.len() as u64))
    }

    /// Proves from the disk that the source is the sum of the clean file and the quarantine.
    fn prove(&self, temporary: &Path, kept: &[Kept]) -> Result<(), FilesError> {
        let path = &self.begun.source;
        let copy = self.shelf.copy(&self.begun.id);
        let unbalanced = |what| FilesError::Unbalanced { path: path.clone(), what };
        let back = quarantine::read(&copy)?;
        if back != kept {
            return Err(FilesError::CopyDiffers { path: copy });
        }
        if self.order.set.format.is_text() {
            let mut moved = text::Sums::default();
            for row in &back {
                let (raw, line_end) = (row.raw.as_deref().unwrap_or_default(), row.line_end.as_deref());
                moved.add(text::whole(raw, line_end.unwrap_or_default()), text::key(raw));
            }
            let whole = text::sums(path, self.order.set, |_| ())?;
            let clean = text::sums(temporary, self.order.set, |_| ())?;
            return whole.divided(&clean, &moved).map_err(unbalanced);
        }
        let (source, clean) = (table::open(path)?, table::open(temporary)?);
        prove_kin(&source, &clean).map_err(unbalanced)?;
        let whole = table::sums(&table::keys(path, &source, 0)?);
        let kept = table::sums(&table::keys(temporary, &clean, 0)?);
        let moved = table::sums(&table::keys(&copy, &table::open(&copy)?, quarantine::SKIPPED)?);
        whole.divided(&kept, &moved).map_err(unbalanced)
    }

    fn intend(&self, temporary: &Path) -> Result<Intent, FilesError> {
        let copy = self.shelf.copy(&self.begun.id);
        let missing = |path: &Path| FilesError::read(path, std::io::Error::from(std::io::ErrorKind::NotFound));
        let hash = |path: &Path| disk::hash(path)?.map(|hash| disk::hex(&hash)).ok_or_else(|| missing(path));
        let intent = Intent {
            old: disk::hex(&self.seen.hash),
            new: hash(temporary)?,
            quarantine: Some(hash(&copy)?),
            rows: self.order.rows.len() as u64,
            columns: text::header(&self.begun.source, self.order.set)?,
        };
        self.shelf.journal.intend(&self.begun.id, &intent)?;
        Ok(intent)
    }

    /// Undoes what was prepared. A quarantine copy that has its name stays: its rows are `copied`.
    fn give_up(&self) -> Result<(), FilesError> {
        close(self.shelf, &self.begun)
    }

    fn carry_out(&self, kept: Vec<Kept>, checksums: Checksums, intent: &Intent) -> Result<Outcome, FilesError> {
        let done = swap::finish(self.shelf, Way::Settle, &self.begun, intent)?;
        let settled = count(intent.rows, &done);
        let raws = items::raws(&self.shelf.copy(&self.begun.id), &kept)?;
        let state = |id: &str| state_of(&done, id);
        let items: Vec<Item> = kept
            .into_iter()
            .zip(raws)
            .map(|(row, raw)| (state(&row.id), row, raw))
            .map(|(state, row, raw)| row.item(state, raw))
            .collect();
        let original = self.shelf.original(&intent.old);
        let original = (done.end == End::Swapped).then_some(original);
        Ok(Outcome { settled, items, checksums, original, note: done.note })
    }
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
    disk::remove(&disk::temporary_of(&shelf.copy(&begun.id)))?;
    disk::remove(&begun.temporary())?;
    if begun.restoring.is_none() && shelf.copy(&begun.id).exists() {
        let done = Done { end: End::Closed, states: std::collections::BTreeMap::new(), note: None };
        return shelf.journal.finish(&begun.id, &done);
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
        End::Closed => settled.untried = rows,
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
        End::Closed => State::Copied,
        End::Looked => done.states.get(id).copied().unwrap_or(State::KeptChanged),
    }
}
