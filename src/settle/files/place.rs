//! The quarantine folder of a job, held by one process at a time.
//!
//! The kernel frees the lock when its holder ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::journal::{Entry, Journal};
use super::{FilesError, Place, disk};

/// Where the files of a job lie. Looking needs no lock.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    pub(super) journal: Journal,
}

/// A shelf that nobody else works on.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) shelf: Shelf,
    /// Held open: closing it gives the lock back.
    _lock: File,
}

impl Shelf {
    pub(super) fn new(place: Place<'_>) -> Self {
        let folder = place.dir.join(format!("job={}", place.job));
        let journal = Journal::new(folder.join("journal"));
        Self { folder, journal }
    }

    /// The quarantine copy of the removal `id`.
    pub(super) fn copy(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.parquet"))
    }

    /// Where a file with this hash (hex) is kept.
    pub(super) fn original(&self, hash: &str) -> PathBuf {
        self.originals().join(hash)
    }

    pub(super) fn originals(&self) -> PathBuf {
        self.folder.join("originals")
    }

    /// The removal with this name.
    pub(super) fn removal<'a>(entries: &'a [Entry], id: &str) -> Option<&'a Entry> {
        entries.iter().find(|entry| entry.begun.id == id)
    }

    /// A name for new work of `run_id` that nothing has yet.
    pub(super) fn new_id(&self, run_id: &str) -> String {
        let names = (0_u32..).map(|number| format!("{run_id}-{number:03}"));
        let free = |id: &String| !self.journal.has(id) && !self.copy(id).exists();
        names.into_iter().find(free).unwrap_or_else(|| run_id.to_owned())
    }
}

impl Held {
    /// Locks the files of a job.
    ///
    /// # Errors
    /// [`FilesError::Locked`] when another process holds them; when the folder cannot be made.
    pub(super) fn lock(place: Place<'_>) -> Result<Self, FilesError> {
        let shelf = Shelf::new(place);
        disk::make_folder(&shelf.folder)?;
        let path = shelf.folder.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| FilesError::write(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { shelf, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(FilesError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(FilesError::Write { path, source }),
        }
    }

    /// Everything in the journal, of which nothing is unfinished.
    pub(super) fn settled_entries(&self) -> Result<Vec<Entry>, FilesError> {
        let entries = self.shelf.journal.entries()?;
        match entries.iter().find(|entry| entry.done.is_none()) {
            Some(entry) => Err(FilesError::Unfinished { id: entry.begun.id.clone() }),
            None => Ok(entries),
        }
    }

    /// Removes files that were cut short while they were written.
    pub(super) fn sweep(&self) -> Result<(), FilesError> {
        for folder in [&self.shelf.folder, &self.shelf.folder.join("journal"), &self.shelf.originals()] {
            for name in names(folder)? {
                if name.starts_with('.') && name.ends_with(".writing") {
                    disk::remove(&folder.join(name))?;
                }
            }
        }
        Ok(())
    }
}

/// The names in a folder; none where there is no folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, FilesError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(FilesError::read(folder, source)),
    };
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    entries.map(name).collect::<std::io::Result<_>>().map_err(|source| FilesError::read(folder, source))
}
