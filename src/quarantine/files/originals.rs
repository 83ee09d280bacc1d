//! Files that lost their name to a replacement: kept whole, never copied, for somebody who had one open may still write
//! to it. What came to them later is found by their size, their time, and the hash of their first bytes.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::FilesError;
use super::journal::{Entry, Original};
use super::open::Open;
use super::place::Directory;
use crate::durable::{Attributes, folder_of, hex};

/// Keeps the file `from`, which lost the name `source`: the first `accounted` bytes are accounted for.
pub(super) fn keep(directory: &Directory, source: &Path, from: &Path, accounted: u64) -> Result<Original, FilesError> {
    let open = Open::at(&directory.disk, from)?;
    let before = open.attributes()?;
    let length = accounted.min(before.length);
    let sha256 = hex(&open.until(length).hash()?);
    let path = rename(directory, source, from, &sha256)?;
    Ok(Original { path: directory.written(&path), sha256, length, modified: nanoseconds(&before) })
}

/// Renames a file to a name of its own among the originals; beside the source where those are on another file system.
fn rename(directory: &Directory, source: &Path, from: &Path, sha256: &str) -> Result<PathBuf, FilesError> {
    for folder in [directory.originals(), Directory::beside(source)] {
        directory.make_folders(&folder)?;
        let path = free_name(directory, &folder, sha256)?;
        match directory.disk.publish(from, &path) {
            Ok(()) => {
                directory.sync_folder(folder_of(from))?;
                return Ok(path);
            }
            Err(error) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {}
            Err(error) => return Err(FilesError::write(from, error)),
        }
    }
    Err(FilesError::write(from, io::Error::from(io::ErrorKind::CrossesDevices)))
}

/// A name that nothing has: an original that was the same to the byte is another file all the same.
fn free_name(directory: &Directory, folder: &Path, sha256: &str) -> Result<PathBuf, FilesError> {
    let mut path = folder.join(sha256);
    let mut number = 2_u32;
    while directory.exists(&path)? {
        path = folder.join(format!("{sha256}.{number}"));
        number += 1;
    }
    Ok(path)
}

/// The original that is this file, where a run was cut short after it was renamed.
pub(super) fn find(
    directory: &Directory,
    source: &Path,
    id: crate::durable::FileId,
) -> Result<Option<PathBuf>, FilesError> {
    for folder in [directory.originals(), Directory::beside(source)] {
        for name in directory.names(&folder)? {
            let path = folder.join(name);
            let at = directory.disk.look(&path).map_err(|source| FilesError::read(&path, source))?;
            if at.is_some_and(|at| at.id == id) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// What is known of an original that was renamed before.
pub(super) fn describe(directory: &Directory, path: &Path, accounted: u64) -> Result<Original, FilesError> {
    let open = Open::at(&directory.disk, path)?;
    let now = open.attributes()?;
    let length = accounted.min(now.length);
    let sha256 = hex(&open.until(length).hash()?);
    Ok(Original { path: directory.written(path), sha256, length, modified: nanoseconds(&now) })
}

/// The file that an exchange replaced, as it was; `None` where it was purged or is not what it was.
pub(super) fn of_entry(directory: &Directory, entry: &Entry) -> Result<Option<Open>, FilesError> {
    let Some(intent) = entry.intent.as_ref().filter(|intent| !intent.old.is_empty()) else { return Ok(None) };
    let length = intent.files.as_ref().map_or(u64::MAX, |files| files.old_length);
    let recorded = entry.done.iter().flat_map(|done| &done.originals).map(|original| directory.original(original));
    // Earlier versions kept it under its hash and wrote nothing down.
    for path in recorded.chain([directory.originals().join(&intent.old)]) {
        let Some(open) = Open::find(&directory.disk, &path)? else { continue };
        let open = open.until(length);
        if hex(&open.hash()?) == intent.old {
            return Ok(Some(open));
        }
    }
    Ok(None)
}

/// What happened to an original since it lost its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Since {
    /// Nothing.
    Unchanged,
    /// It was erased, or somebody took it away.
    Gone,
    /// So many bytes were appended.
    Grew(u64),
    /// Its bytes are others.
    Rewritten,
}

/// Looks at an original.
pub(super) fn since(directory: &Directory, original: &Original) -> Result<Since, FilesError> {
    let Some(open) = Open::find(&directory.disk, &directory.original(original))? else { return Ok(Since::Gone) };
    let now = open.attributes()?;
    if (now.length, nanoseconds(&now)) == (original.length, original.modified) {
        return Ok(Since::Unchanged);
    }
    if now.length < original.length || hex(&open.until(original.length).hash()?) != original.sha256 {
        return Ok(Since::Rewritten);
    }
    Ok(match now.length - original.length {
        0 => Since::Unchanged,
        more => Since::Grew(more),
    })
}

fn nanoseconds(at: &Attributes) -> i64 {
    i64::try_from(at.modified).unwrap_or(i64::MAX)
}
