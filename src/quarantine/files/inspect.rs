//! What has to be true of a source before anything is prepared, and what it was then.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::FilesError;
use super::open::Open;
use crate::durable::{Attributes, Disk, FileId, Hash, Held, Ownership};

/// How long a source has to have been left alone. A write in the same tick of the clock as a look would leave size and
/// times as they were.
const QUIET: i128 = 1_000_000_000;
/// How often the age of the last write is looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(100);
/// How long that is waited for; a source that is written to all the time is compared byte by byte under the lease.
const WAIT: Duration = Duration::from_millis(1_500);

/// Whether anybody may write to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Somebody may, at any moment: rows are moved under leases, or not at all.
    Any,
    /// The job promises that nobody does.
    None,
}

/// A source that may be replaced, as it was.
#[derive(Debug)]
pub(super) struct Inspected {
    /// Open for reading, and taken to end where it ended then.
    pub(super) open: Open,
    pub(super) attributes: Attributes,
    pub(super) ownership: Ownership,
    pub(super) hash: Hash,
    /// A quick hash of the same bytes.
    pub(super) fingerprint: u128,
    /// Whether size and times show every later write.
    pub(super) quiet: bool,
}

/// Why a source cannot be worked on right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// Somebody has this file open for writing.
    Open(FileId),
    /// It was written to or replaced meanwhile.
    Changed,
}

/// What keeps rows of the file `path` from being moved at all; nothing is read, and nothing is changed.
///
/// # Errors
/// When the file cannot be looked at.
pub fn obstacle(disk: &Disk, path: &Path, writers: Writers) -> Result<Option<FilesError>, FilesError> {
    let looked = Open::at(disk, path).and_then(|open| may_be_replaced(&open, writers));
    match looked {
        Ok(()) => Ok(None),
        Err(error @ FilesError::Read { .. }) => Err(error),
        Err(error) => Ok(Some(error)),
    }
}

/// Fails where `open` must not be replaced, whoever writes to it or not.
fn may_be_replaced(open: &Open, writers: Writers) -> Result<(), FilesError> {
    let path = open.path.clone();
    let links = open.attributes()?.links;
    if links > 1 {
        return Err(FilesError::HardLinks { path, count: links });
    }
    let volume = open.file.volume().map_err(|source| FilesError::read(&open.path, source))?;
    if volume.mount_point {
        return Err(FilesError::MountPoint { path });
    }
    if writers == Writers::Any && !volume.leases {
        let reason = format!("writers cannot be held back on this file system ({})", volume.file_system);
        return Err(FilesError::NoLease { path, reason });
    }
    Ok(())
}

/// Looks at `open`, and reads it to its end.
pub(super) fn inspect(disk: &Disk, open: &Open, writers: Writers) -> Result<Result<Inspected, Busy>, FilesError> {
    let path = open.path.clone();
    let read = |source| FilesError::read(&path, source);
    may_be_replaced(open, writers)?;
    let quiet = wait_for_quiet(disk, open)?;
    if writers == Writers::Any {
        // Granted for a moment: nobody has it open or mapped for writing, so whatever writes from here on changes its
        // times.
        match lease(open)? {
            Ok(lease) => drop(lease),
            Err(busy) => return Ok(Err(busy)),
        }
    }
    let before = open.attributes()?;
    let bounded = open.until(before.length);
    let hash = bounded.hash()?;
    let fingerprint = bounded.fingerprint(disk, None)?.unwrap_or_default();
    let ownership = open.file.ownership().map_err(read)?;
    let now = disk.look(&path).map_err(read)?;
    if now.map(|now| now.id) != Some(before.id) {
        return Ok(Err(Busy::Changed));
    }
    Ok(Ok(Inspected { open: bounded, attributes: before, ownership, hash, fingerprint, quiet }))
}

/// Takes the lease of an open source.
pub(super) fn lease(open: &Open) -> Result<Result<Box<dyn Held>, Busy>, FilesError> {
    let refused = |reason: String| FilesError::NoLease { path: open.path.clone(), reason };
    match open.file.lease() {
        Ok(lease) => Ok(Ok(lease)),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::AGAIN) => Ok(Err(Busy::Open(open.attributes()?.id))),
            Some(Errno::ACCESS | Errno::PERM) => {
                Err(refused("it belongs to another user, and only its owner can hold writers back".to_owned()))
            }
            Some(Errno::INVAL | Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {
                Err(refused(format!("writers cannot be held back here ({error})")))
            }
            _ => Err(FilesError::read(&open.path, error)),
        },
    }
}

/// Waits until the last write is some time ago; whether it is.
fn wait_for_quiet(disk: &Disk, open: &Open) -> Result<bool, FilesError> {
    let until = disk.elapsed() + WAIT;
    loop {
        let at = open.attributes()?;
        if disk.now() - at.modified.max(at.changed) >= QUIET {
            return Ok(true);
        }
        if disk.elapsed() >= until {
            return Ok(false);
        }
        disk.pause(LOOK);
    }
}
