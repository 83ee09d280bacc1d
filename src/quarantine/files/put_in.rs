//! The new file of a restore, while it is put together: the source with rows put in, or the original itself where that is
//! what it would be.

use std::path::Path;

use crate::durable::folder_of;

use super::history::{History, Missing, Taken};
use super::inspect::Inspected;
use super::journal::{Begun, Intent};
use super::open::Open;
use super::place::Directory;
use super::sequence::Sequence;
use super::steps::{Step, Way, step};
use super::take_out::{create_like, intent, prove_kin};
use super::text::{self, Insertion, Out, Piece};
use super::{FilesError, quarantine, table};

/// What replaces a source, while it is put together.
pub(super) struct Draft<'a> {
    pub(super) directory: &'a Directory,
    pub(super) history: &'a History<'a>,
    pub(super) taken: &'a Taken,
    pub(super) seen: &'a Inspected,
    pub(super) begun: &'a Begun,
    /// What stands in the source.
    pub(super) now: &'a Sequence,
    pub(super) missing: &'a Missing,
}

impl Draft<'_> {
    pub(super) fn complete(&self) -> Result<Intent, FilesError> {
        let (directory, temporary) = (self.directory, self.begun.temporary());
        let mut file = step(Way::Restore, Step::Begin, || {
            directory.journal.begin(self.begun)?;
            create_like(directory, &temporary, self.seen)
        })?;
        let original = self.original()?;
        step(Way::Restore, Step::Clean, || {
            let failed = |source| FilesError::write(&temporary, source);
            match original {
                Some(original) => {
                    std::io::copy(&mut original.reader(), &mut file).and_then(|_| file.sync()).map_err(failed)?;
                }
                None => self.build(&temporary, &mut *file)?,
            }
            directory.sync_folder(folder_of(&temporary))
        })?;
        drop(file);
        let new = Open::at(&directory.disk, &temporary)?;
        step(Way::Restore, Step::Prove, || self.prove(&new, original))?;
        let intent = Intent { rows: self.missing.places.len() as u64, ..intent(self.seen, &new)? };
        step(Way::Restore, Step::Intent, || directory.journal.intend(&self.begun.id, &intent))?;
        Ok(intent)
    }

    /// The keys of the new file, in its order.
    fn keys(&self) -> Vec<u128> {
        let rows = self.missing.places.iter().map(|(place, row)| (*place, self.taken.keys[*row]));
        self.now.with(&rows.collect::<Vec<_>>())
    }

    /// The original that the new file would be: the same pieces in the same order, and nothing else changed.
    fn original(&self) -> Result<Option<&Open>, FilesError> {
        let keys = self.keys();
        for (open, sequence) in self.history.versions() {
            if sequence.keys == keys && self.adds_up(open)? {
                return Ok(Some(open));
            }
        }
        Ok(None)
    }

    /// Whether the file as it is and the rows are together all that the original holds.
    fn adds_up(&self, original: &Open) -> Result<bool, FilesError> {
        let set = self.begun.set();
        if !set.format.is_text() {
            let (now, original) = (table::open(&self.seen.open)?, table::open(original)?);
            return Ok(prove_kin(&original, &now).is_ok());
        }
        let mut moved = text::Sums::default();
        for (_, row) in &self.missing.places {
            let kept = &self.taken.kept[*row];
            let (raw, line_end) = (kept.raw.as_deref().unwrap_or_default(), kept.line_end.as_deref());
            moved.add(text::whole(raw, line_end.unwrap_or_default()), self.taken.keys[*row]);
        }
        let now = match text::sums(&self.seen.open, &set, |_| ()) {
            Err(error) if error.is_empty_file() => return Ok(false),
            sums => sums?,
        };
        Ok(text::sums(original, &set, |_| ())?.divided(&now, &moved).is_ok())
    }

    /// Writes the source with the rows put in.
    fn build(&self, temporary: &Path, file: &mut dyn crate::durable::Output) -> Result<(), FilesError> {
        let (open, set, taken) = (&self.seen.open, self.begun.set(), self.taken);
        let places = &self.missing.places;
        if !set.format.is_text() {
            let copy = table::open(&taken.copy)?;
            let rows: Vec<(u64, usize)> = places.iter().map(|(place, row)| (*place as u64, *row)).collect();
            let extra = (&copy, quarantine::SKIPPED);
            return table::write_with(&open.path, &table::open(open)?, extra, &rows, file);
        }
        let pieces: Vec<(u64, Piece)> =
            places.iter().filter_map(|(place, row)| Some((self.now.byte(*place), taken.kept[*row].piece()?))).collect();
        let rows: Vec<Insertion<'_>> = pieces.iter().map(|(at, piece)| Insertion { at: *at, piece }).collect();
        text::write_with(open, &set, &rows, &mut Out { path: temporary, file })
    }

    /// Proves from the disk that the new file is the sum of the source and the rows, or the original itself.
    fn prove(&self, new: &Open, original: Option<&Open>) -> Result<(), FilesError> {
        let (open, set) = (&self.seen.open, self.begun.set());
        let unbalanced = |what| FilesError::Unbalanced { path: open.path.clone(), what };
        if let Some(original) = original {
            return match new.hash()? == original.hash()? {
                true => Ok(()),
                false => Err(unbalanced("the original and its copy")),
            };
        }
        match Sequence::of(new, &set)?.keys == self.keys() {
            true => Ok(()),
            false => Err(unbalanced("rows")),
        }
    }
}
