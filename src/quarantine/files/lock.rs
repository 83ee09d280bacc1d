//! The lock of one source file: whoever moves rows of it holds it, whatever job it is.
//!
//! The lock file lies beside the source, so that every job and every way to the folder meets the same one. It says
//! whose work is under way. It is taken away when the work is done; one that stays behind is that of a run that was
//! cut short, and whoever takes the lock next finishes that work first.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::FilesError;
use crate::durable::{Disk, Locked, folder_of, process};
use crate::text::utc::UtcMicros;

/// How often a lock file that was taken away meanwhile is made again.
const TRIES: u32 = 100;

/// Whose work is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) job: String,
    /// The quarantine folder of the job.
    pub(super) quarantine: PathBuf,
    /// Which process, for a person.
    #[serde(default)]
    pub(super) by: String,
}

impl Holder {
    /// This process, for a job.
    pub(super) fn this(job: &str, quarantine: PathBuf) -> Self {
        let by = format!("process {} on {}", std::process::id(), process::host());
        Self { job: job.to_owned(), quarantine, by }
    }

    fn is_of_the_same_job(&self, other: &Self) -> bool {
        (&self.job, &self.quarantine) == (&other.job, &other.quarantine)
    }
}

/// The lock of a source, held.
#[derive(Debug)]
pub(super) struct SourceLock {
    disk: Disk,
    path: PathBuf,
    lock: Box<dyn Locked>,
}

impl SourceLock {
    /// Locks `source` for `holder`. Gives also whose work was cut short there.
    ///
    /// # Errors
    /// [`FilesError::Locked`] where another process holds it; when the lock file cannot be written.
    pub(super) fn take(disk: &Disk, source: &Path, holder: &Holder) -> Result<(Self, Option<Holder>), FilesError> {
        let path = path_of(source);
        let failed = |source| FilesError::write(&path, source);
        for _ in 0..TRIES {
            let Some(lock) = disk.lock(&path).map_err(failed)? else {
                let holder = said_by(disk, &path);
                return Err(FilesError::Locked { path, what: "this file", holder });
            };
            // A holder that was done in between has taken the file away: the lock of that one is nobody's.
            let now = disk.look(&path).map_err(failed)?;
            if !now.is_some_and(|now| lock.id().is_ok_and(|id| id == now.id)) {
                continue;
            }
            let text = lock.read().map_err(failed)?;
            // A note that was cut short is one whose holder had not begun anything.
            let before =
                serde_json::from_slice::<Holder>(&text).ok().filter(|before| !before.is_of_the_same_job(holder));
            let mut taken = Self { disk: disk.clone(), path: path.clone(), lock };
            if before.is_none() {
                taken.note(holder)?;
            }
            return Ok((taken, before));
        }
        Err(FilesError::Locked { path, what: "this file", holder: None })
    }

    /// Says whose work is under way from now on.
    pub(super) fn note(&mut self, holder: &Holder) -> Result<(), FilesError> {
        let failed = |source| FilesError::write(&self.path, source);
        let text = serde_json::to_vec(holder);
        let text = text.map_err(|source| FilesError::Journal { path: self.path.clone(), source })?;
        self.lock.write(&text).map_err(failed)?;
        self.disk.sync_folder(folder_of(&self.path)).map_err(failed)
    }

    /// Gives the lock back: nothing is under way any more.
    pub(super) fn release(self) -> Result<(), FilesError> {
        self.disk.remove(&self.path).map_err(|source| FilesError::write(&self.path, source))
    }
}

/// Who holds a lock, and since when, in words; `None` where it does not say.
fn said_by(disk: &Disk, path: &Path) -> Option<String> {
    let Holder { job, by, .. } = serde_json::from_slice(&disk.read(path).ok()??).ok()?;
    let since = i64::try_from(disk.look(path).ok()??.modified / 1000).ok().map(UtcMicros)?;
    Some(format!("job `{job}`, {by} since {since}"))
}

fn path_of(source: &Path) -> PathBuf {
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    source.with_file_name(format!(".{name}.barkeep-lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_a_file_and_the_next_learns_whose_work_was_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, source) = (Disk::system(), dir.path().join("data.csv"));
        let holder = |job: &str| Holder::this(job, dir.path().join(job));
        let (lock, before) = SourceLock::take(&disk, &source, &holder("a")).unwrap();
        assert_eq!(before, None);
        let Err(FilesError::Locked { holder: Some(who), .. }) = SourceLock::take(&disk, &source, &holder("b")) else {
            panic!("it is locked by somebody")
        };
        assert!(
            who.starts_with(&format!("job `a`, process {} on ", std::process::id())) && who.contains(" since 2"),
            "{who}"
        );
        drop(lock);
        let (mut lock, before) = SourceLock::take(&disk, &source, &holder("b")).unwrap();
        assert_eq!(before, Some(holder("a")), "its work was cut short");
        lock.note(&holder("b")).unwrap();
        lock.release().unwrap();
        assert!(disk.names(dir.path()).unwrap().is_empty(), "nothing stays beside the source");
        assert_eq!(SourceLock::take(&disk, &source, &holder("a")).unwrap().1, None);
    }
}
