//! The quarantine folder of a job, held by one process at a time.
//!
//! The kernel frees the lock when its holder ends, however it ends.

use std::io;
use std::path::{Path, PathBuf};

use super::journal::{Entry, Journal, Original};
use super::open::Open;
use super::{FilesError, Place};
use crate::durable::paths;
use crate::durable::{Disk, Locked, folder_of};

/// The folder beside a source in which originals are kept whose quarantine is on another file system.
const BESIDE: &str = ".barkeep-originals";

/// Where the files of a job lie. Looking needs no lock.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) disk: Disk,
    pub(super) folder: PathBuf,
    pub(super) journal: Journal,
}

/// A directory that nobody else works on.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) directory: Directory,
    /// Dropping it gives the lock back.
    _lock: Box<dyn Locked>,
}

impl Directory {
    pub(super) fn new(place: Place<'_>) -> Self {
        Self::at(place.disk, &folder(place))
    }

    /// Where an original is: those in the quarantine are written down from its folder on, so that it may be moved.
    pub(super) fn original(&self, original: &Original) -> PathBuf {
        self.folder.join(&original.path)
    }

    /// The path of an original as it is written down.
    pub(super) fn written(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).unwrap_or(path).to_path_buf()
    }

    /// The quarantine whose folder is `folder`.
    pub(super) fn at(disk: &Disk, folder: &Path) -> Self {
        let journal = Journal::new(disk.clone(), folder.join("journal"));
        Self { disk: disk.clone(), folder: folder.to_path_buf(), journal }
    }

    /// The quarantine copy of the removal `id`.
    pub(super) fn copy(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.parquet"))
    }

    /// Opens the quarantine copy of the removal `id`; `None` where there is none.
    pub(super) fn open_copy(&self, id: &str) -> Result<Option<Open>, FilesError> {
        Open::find(&self.disk, &self.copy(id))
    }

    /// Where originals are kept.
    pub(super) fn originals(&self) -> PathBuf {
        self.folder.join("originals")
    }

    /// Where originals of `source` are kept that cannot be renamed into the quarantine.
    pub(super) fn beside(source: &Path) -> PathBuf {
        folder_of(source).join(BESIDE)
    }

    /// A name for new work of `run_id` that nothing has yet.
    pub(super) fn new_id(&self, run_id: &str) -> Result<String, FilesError> {
        let mut number = 0_u32;
        loop {
            let id = format!("{run_id}-{number:03}");
            if !self.journal.has(&id)? && !self.exists(&self.copy(&id))? {
                return Ok(id);
            }
            number += 1;
        }
    }

    pub(super) fn exists(&self, path: &Path) -> Result<bool, FilesError> {
        self.disk.exists(path).map_err(|source| FilesError::read(path, source))
    }

    /// Takes a name away, durably; one that is not there is fine.
    pub(super) fn remove(&self, path: &Path) -> Result<(), FilesError> {
        self.disk.remove(path).map_err(|source| FilesError::write(path, source))
    }

    pub(super) fn make_folders(&self, folder: &Path) -> Result<(), FilesError> {
        self.disk.make_folders(folder).map_err(|source| FilesError::write(folder, source))
    }

    pub(super) fn sync_folder(&self, folder: &Path) -> Result<(), FilesError> {
        self.disk.sync_folder(folder).map_err(|source| FilesError::write(folder, source))
    }

    /// The names in a folder; none where there is no folder.
    pub(super) fn names(&self, folder: &Path) -> Result<Vec<String>, FilesError> {
        let names: io::Result<Vec<_>> = self.disk.names(folder);
        let names = names.map_err(|source| FilesError::read(folder, source))?;
        Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }
}

/// The folder of a job in its quarantine, wherever the command was called from.
pub(super) fn folder(place: Place<'_>) -> PathBuf {
    let folder = place.dir.join(format!("job={}", place.job));
    // Only an empty path has no absolute form.
    paths::absolute(&folder).unwrap_or(folder)
}

impl Held {
    /// Locks the files of a job.
    ///
    /// # Errors
    /// [`FilesError::Locked`] when another process holds them; when the folder cannot be made.
    pub(super) fn lock(place: Place<'_>) -> Result<Self, FilesError> {
        Self::of(Directory::new(place))
    }

    pub(super) fn of(directory: Directory) -> Result<Self, FilesError> {
        directory.make_folders(&directory.folder)?;
        let path = directory.folder.join("lock");
        match directory.disk.lock(&path) {
            Ok(Some(lock)) => Ok(Self { directory, _lock: lock }),
            Ok(None) => Err(FilesError::Locked { path, what: "the files of this job", holder: None }),
            Err(source) => Err(FilesError::Write { path, source }),
        }
    }

    /// Everything in the journal that can be read.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, FilesError> {
        Ok(self.directory.journal.entries()?.0)
    }

    /// Removes files that were cut short while they were written.
    pub(super) fn sweep(&self) -> Result<(), FilesError> {
        let directory = &self.directory;
        for folder in [&directory.folder, &directory.folder.join("journal"), &directory.originals()] {
            for name in directory.names(folder)? {
                if name.starts_with('.') && name.ends_with(".writing") {
                    directory.remove(&folder.join(name))?;
                }
            }
        }
        Ok(())
    }
}
