//! The new file of a removal, while it is put together: the rejected rows are copied, the others written, and the sum is
//! proven from the disk.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::durable::{Hash, Output, folder_of, hex, temporary_of};
use crate::source::Format;

use super::inspect::Inspected;
use super::journal::{Begun, Files, Intent};
use super::open::Open;
use super::place::Directory;
use super::quarantine::{self, Kept, Own};
use super::steps::{Step, Way, step};
use super::text::{self, Out};
use super::work::{Copied, Why, Work, item_id};
use super::{Checksums, FilesError, Rejected, checksums, table};

/// What replaces a source, while it is put together.
pub(super) struct Draft<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) seen: &'a Inspected,
    pub(super) begun: &'a Begun,
}

impl Draft<'_> {
    pub(super) fn complete(&self, stop: &dyn Fn() -> bool) -> Result<Result<(Copied, Intent), Why>, FilesError> {
        let (work, begun, set) = (self.work, self.begun, self.work.order.set);
        let temporary = begun.temporary();
        let mut new = step(Way::Remove, Step::Begin, || {
            work.directory.journal.begin(begun)?;
            // Tells at once whether the folder of the source can be written, and whether the file can be the same
            // user's.
            create_like(work.directory, &temporary, self.seen)
        })?;
        let copied = step(Way::Remove, Step::Quarantine, || match set.format.is_text() {
            true => self.copy_text(),
            false => self.copy_table(),
        })?;
        if stop() {
            return Ok(Err(Why::Stopped));
        }
        let left = step(Way::Remove, Step::Clean, || {
            let left = self.write_clean(&temporary, &mut *new)?;
            work.directory.sync_folder(folder_of(&temporary))?;
            Ok(left)
        })?;
        drop(new);
        if left == 0 && set.format == Format::Ndjson {
            return Ok(Err(Why::Empty));
        }
        if stop() {
            return Ok(Err(Why::Stopped));
        }
        let clean = Open::at(&work.directory.disk, &temporary)?;
        step(Way::Remove, Step::Prove, || self.prove(&clean, &copied.kept))?;
        let intent = step(Way::Remove, Step::Intent, || self.intend(&clean))?;
        Ok(Ok((copied, intent)))
    }

    fn rows(&self) -> Vec<u64> {
        self.work.order.rows.iter().map(|rejected| rejected.row).collect()
    }

    fn copy_text(&self) -> Result<Copied, FilesError> {
        let order = self.work.order;
        let pieces = text::take(&self.seen.open, order.set, &self.rows())?;
        let mut kept = Vec::with_capacity(pieces.len());
        for (rejected, piece) in order.rows.iter().zip(pieces) {
            let hash: Hash = Sha256::digest(&piece.raw).into();
            let row = Kept {
                offset: Some(piece.offset),
                line: Some(piece.line),
                line_end: Some(piece.line_end),
                raw: Some(piece.raw),
                ..self.kept(rejected, hash, piece.after)?
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
        let kept = rows.map(|((rejected, hash), after)| self.kept(rejected, hash, after));
        let kept = kept.collect::<Result<Vec<_>, _>>()?;
        let parts = table::guarded(path, || table::parts_of(&reader, &indices))?;
        self.copy(&kept, &Own::Table(&reader, parts))?;
        Ok(Copied { kept, checksums })
    }

    fn kept(&self, rejected: &Rejected, hash: Hash, after: Option<u128>) -> Result<Kept, FilesError> {
        let (source, order) = (&self.work.source, self.work.order);
        if rejected.sha256.is_some_and(|planned| planned != hash) {
            return Err(FilesError::RowDiffers { path: source.clone(), row: rejected.row });
        }
        let sha256 = hex(&hash);
        Ok(Kept {
            id: self.free_id(&rejected.row_key, &sha256),
            run_id: order.run_id.to_owned(),
            plan_id: order.plan_id.to_owned(),
            job: self.work.job.to_owned(),
            source: source.to_string_lossy().into_owned(),
            row: rejected.row,
            offset: None,
            line: None,
            line_end: None,
            after,
            sha256,
            series: rejected.series.clone(),
            time: rejected.time,
            reasons: rejected.reasons.clone(),
            action: rejected.action,
            at: order.at,
            expires_at: order.retention.of(rejected.action),
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
        let directory = self.work.directory;
        let copy = directory.copy(&self.begun.id);
        let temporary = temporary_of(&copy);
        quarantine::write(&directory.disk, &temporary, kept, own)?;
        directory.disk.publish(&temporary, &copy).map_err(|source| FilesError::write(&copy, source))
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
        let copy = Open::at(&self.work.directory.disk, &self.work.directory.copy(&self.begun.id))?;
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
        let copy = Open::at(&work.directory.disk, &work.directory.copy(&self.begun.id))?;
        let intent = Intent {
            quarantine: Some(hex(&copy.hash()?)),
            rows: work.order.rows.len() as u64,
            columns: text::header(&self.seen.open, work.order.set)?,
            ..intent(self.seen, clean)?
        };
        work.directory.journal.intend(&self.begun.id, &intent)?;
        Ok(intent)
    }
}

/// Makes the new file `temporary`, the same user's and with the same rights as the source.
pub(super) fn create_like(
    directory: &Directory,
    temporary: &Path,
    seen: &Inspected,
) -> Result<Box<dyn Output>, FilesError> {
    let mut file = directory.disk.create(temporary).map_err(|source| FilesError::write(temporary, source))?;
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
        carried: 0,
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
