//! The exchange of a source and its new file, finished from wherever it stands.
//!
//! The same code runs after the intent was recorded and in recovery. It looks at the hashes of the two files and does
//! what is left to do; a temporary name is given up only after the outcome is on disk. The old bytes always have a name.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::settle::item::State;
use crate::source::FilesSet;

use super::disk::{self, Hash, Seen};
use super::journal::{Begun, Done, End, Intent};
use super::place::Shelf;
use super::steps::{Step, Way, step};
use super::{FilesError, quarantine, table, text, writers};

/// Finishes what `intent` says, from wherever it stands, and records how it ended.
pub(super) fn finish(shelf: &Shelf, way: Way, begun: &Begun, intent: &Intent) -> Result<Done, FilesError> {
    mend_links(shelf, begun)?;
    let done = outcome(shelf, way, begun, intent)?;
    step(way, Step::Done, || shelf.journal.finish(&begun.id, &done))?;
    step(way, Step::Clear, || clear(shelf, begun, Some(intent)))?;
    Ok(done)
}

fn outcome(shelf: &Shelf, way: Way, begun: &Begun, intent: &Intent) -> Result<Done, FilesError> {
    let temporary = begun.temporary();
    let (source, other) = (disk::look(&begun.source)?, disk::look(&temporary)?);
    let is = |seen: &Option<Seen>, hash: &str| seen.as_ref().is_some_and(|seen| disk::hex(&seen.hash) == hash);
    let (old, new) = (intent.old.as_str(), intent.new.as_str());
    if is(&source, old) && is(&other, new) {
        if let Some(pid) = source.as_ref().and_then(|seen| writers::of(&seen.metadata)) {
            let note = format!("process {pid} has `{}` open for writing", begun.source.display());
            return Ok(ended(End::KeptChanged, Some(note)));
        }
        if let Err(error) = step(way, Step::Exchange, || exchange(way, begun)) {
            return not_exchanged(begun, intent, &error);
        }
        return verify(shelf, way, begun, intent);
    }
    if is(&other, new) && !is(&source, new) {
        let note = format!("`{}` was changed since its rows were judged", begun.source.display());
        return Ok(ended(End::KeptChanged, Some(note)));
    }
    if is(&other, old) || (is(&source, new) && other.is_some() && !is(&other, new)) {
        return verify(shelf, way, begun, intent);
    }
    if is(&source, new) {
        // Somebody else took the old file away; the rows are in quarantine all the same.
        return Ok(ended(End::Swapped, Some("the original file was taken away by somebody else".to_owned())));
    }
    if is(&source, old) {
        return Ok(ended(End::KeptError, Some("the new file was taken away or changed".to_owned())));
    }
    look(shelf, begun)
}

fn ended(end: End, note: Option<String>) -> Done {
    Done { end, states: BTreeMap::new(), note }
}

/// The outcome where the system would not exchange the names; an error where it is not sure that nothing happened.
fn not_exchanged(begun: &Begun, intent: &Intent, error: &FilesError) -> Result<Done, FilesError> {
    let source = disk::hash(&begun.source)?.map(|hash| disk::hex(&hash));
    if source.as_deref() == Some(intent.new.as_str()) {
        let path = begun.source.clone();
        return Err(FilesError::Write { path, source: std::io::Error::other(error.to_string()) });
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Ok(ended(End::KeptError, Some(format!("{error}{cause}"))))
}

/// Looks at what was swapped out. If it is what was read it is kept; if not, the exchange is taken back.
fn verify(shelf: &Shelf, way: Way, begun: &Begun, intent: &Intent) -> Result<Done, FilesError> {
    let temporary = begun.temporary();
    let good = step(way, Step::Verify, || {
        let Some(seen) = disk::look(&temporary)? else { return Ok(None) };
        // First the writers, then the hash: nobody can open the old file by its name any more.
        let writer = writers::of(&seen.metadata);
        let hash = disk::hash(&temporary)?;
        Ok(hash.filter(|hash| disk::hex(hash) == intent.old && writer.is_none()))
    })?;
    if let Some(hash) = good {
        step(way, Step::Original, || keep(shelf, &temporary, &hash))?;
        let new = disk::hash(&begun.source)?.is_some_and(|hash| disk::hex(&hash) == intent.new);
        // Where somebody wrote the file or put the old one back in the meantime, its rows may be where they were.
        return if new { Ok(ended(End::Swapped, None)) } else { look(shelf, begun) };
    }
    let source = disk::hash(&begun.source)?.map(|hash| disk::hex(&hash));
    if source.as_deref() != Some(intent.new.as_str()) {
        return look(shelf, begun);
    }
    step(way, Step::Back, || exchange(way, begun))?;
    let note =
        format!("somebody wrote to `{}` in the moment of the exchange, which was taken back", begun.source.display());
    Ok(ended(End::KeptChanged, Some(note)))
}

/// Neither file is known: every row is looked for in the source as it is.
fn look(shelf: &Shelf, begun: &Begun) -> Result<Done, FilesError> {
    let (of, restoring) = match &begun.restoring {
        Some(restoring) => (restoring.removal.as_str(), Some(&restoring.items)),
        None => (begun.id.as_str(), None),
    };
    let there = match disk::hash(&begun.source)? {
        Some(_) => keys_in(&begun.source, &begun.set())?,
        None => HashMap::new(),
    };
    let copy = shelf.copy(of);
    let kept = quarantine::read(&copy)?;
    let keys = keys_of(&copy, &kept)?;
    let mut states = BTreeMap::new();
    for (row, key) in kept.into_iter().zip(keys) {
        let present = there.contains_key(&key);
        let state = match restoring {
            None if present => State::KeptChanged,
            None => State::Removed,
            Some(items) if present && items.contains(&row.id) => State::Restored,
            Some(_) => continue,
        };
        states.insert(row.id, state);
    }
    let note =
        format!("`{}` was changed by somebody else; its rows were looked for one by one", begun.source.display());
    Ok(Done { end: End::Looked, states, note: Some(note) })
}

/// How often each row key is in the file `path`.
pub(super) fn keys_in(path: &Path, set: &FilesSet) -> Result<HashMap<u128, u64>, FilesError> {
    let mut keys = HashMap::new();
    if set.format.is_text() {
        text::sums(path, set, |key| *keys.entry(key).or_default() += 1)?;
    } else {
        for key in table::keys(path, &table::open(path)?, 0)? {
            *keys.entry(key).or_default() += 1;
        }
    }
    Ok(keys)
}

/// The keys of the rows of a quarantine copy.
pub(super) fn keys_of(copy: &Path, kept: &[quarantine::Kept]) -> Result<Vec<u128>, FilesError> {
    match kept.iter().map(|row| row.raw.as_deref().map(text::key)).collect() {
        Some(keys) => Ok(keys),
        None => table::keys(copy, &table::open(copy)?, quarantine::SKIPPED),
    }
}

/// Keeps the file `path`, which has this hash, among the originals under that hash.
pub(super) fn keep(shelf: &Shelf, path: &Path, hash: &Hash) -> Result<(), FilesError> {
    disk::make_folder(&shelf.originals())?;
    let kept = shelf.original(&disk::hex(hash));
    if disk::hash(&kept)?.as_ref() == Some(hash) {
        return Ok(());
    }
    disk::remove(&kept)?;
    let own = fs::symlink_metadata(path).map_err(|source| FilesError::read(path, source))?.nlink() == 1;
    // A file with another name of the user's could be written to through it.
    if !own || fs::hard_link(path, &kept).is_err() {
        let temporary = disk::temporary_of(&kept);
        disk::remove(&temporary)?;
        let copied = disk::copy(path, &temporary, hash);
        if copied.is_err() {
            // The first error is the one to tell; a leftover has a name that nothing reads.
            fs::remove_file(&temporary).ok();
        }
        copied?;
        disk::publish(&temporary, &kept)?;
    }
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).map_err(|source| FilesError::write(&kept, source))?;
    File::open(&kept).and_then(|file| file.sync_all()).map_err(|source| FilesError::write(&kept, source))?;
    disk::sync_folder(&shelf.originals())
}

/// Gives up the temporary names of finished work. What is not the unused new file is kept among the originals.
pub(super) fn clear(shelf: &Shelf, begun: &Begun, intent: Option<&Intent>) -> Result<(), FilesError> {
    for path in [begun.temporary(), begun.linked()] {
        if let (Some(hash), Some(intent)) = (disk::hash(&path)?, intent)
            && disk::hex(&hash) != intent.new
        {
            keep(shelf, &path, &hash)?;
        }
        disk::remove(&path)?;
    }
    Ok(())
}

/// Exchanges the names of the source and the new file, durably.
fn exchange(way: Way, begun: &Begun) -> Result<(), FilesError> {
    let (source, temporary) = (&begun.source, &begun.temporary());
    let failed = |error: Errno| FilesError::write(source, error.into());
    match exchanged(source, temporary) {
        Ok(()) => {}
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => by_links(way, begun)?,
        Err(error) => return Err(failed(error)),
    }
    disk::sync_folder(disk::folder_of(source))
}

#[cfg(not(test))]
fn exchanged(source: &Path, temporary: &Path) -> Result<(), Errno> {
    renameat_with(CWD, temporary, CWD, source, RenameFlags::EXCHANGE)
}

/// Tests may forbid it, to go the other way.
#[cfg(test)]
fn exchanged(source: &Path, temporary: &Path) -> Result<(), Errno> {
    super::tests::before_exchange(source)?;
    renameat_with(CWD, temporary, CWD, source, RenameFlags::EXCHANGE)
}

/// The exchange where the file system has none: the old file gets a second name before the new one takes its first.
/// A file that somebody renames to the source between the two checks of the last moment would be lost; with a true
/// exchange it is not.
fn by_links(way: Way, begun: &Begun) -> Result<(), FilesError> {
    let (source, temporary, linked) = (&begun.source, &begun.temporary(), &begun.linked());
    let failed = |source_error| FilesError::write(source, source_error);
    step(way, Step::Link, || {
        fs::hard_link(source, linked).map_err(failed)?;
        disk::sync_folder(disk::folder_of(source))
    })?;
    let inode = |path: &Path| fs::symlink_metadata(path).map(|at| (at.dev(), at.ino())).map_err(failed);
    if inode(source)? != inode(linked)? {
        return Err(failed(std::io::Error::other("another file took its name")));
    }
    step(way, Step::Move, || fs::rename(temporary, source).map_err(failed))?;
    fs::rename(linked, temporary).map_err(failed)
}

/// Brings an exchange by links that was cut short back to two names.
fn mend_links(shelf: &Shelf, begun: &Begun) -> Result<(), FilesError> {
    let (temporary, linked) = (begun.temporary(), begun.linked());
    let Some(held) = disk::look(&linked)? else { return Ok(()) };
    if disk::look(&temporary)?.is_none() {
        return disk::publish(&linked, &temporary);
    }
    if disk::look(&begun.source)?.is_none_or(|source| source.metadata.ino() != held.metadata.ino()) {
        keep(shelf, &linked, &held.hash)?;
    }
    disk::remove(&linked)
}
