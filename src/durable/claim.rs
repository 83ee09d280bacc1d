//! A name that a process holds for as long as it lives, so that others can tell what it left behind when it was killed.
//!
//! The lock on the file of that name is the truth, not the number of a process: numbers are given out again, and those
//! of another container say nothing here.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::{Disk, Locked};

/// How often a name is tried that somebody else holds for a moment, to see whether its owner is dead.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// A name that this process holds. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Claim {
    disk: Disk,
    path: PathBuf,
    /// `None` where the file system knows no locks: then nobody takes the owner for dead.
    lock: Option<Box<dyn Locked>>,
}

impl Claim {
    /// Claims the name `path`, whose folder is there; `None` where another process holds it.
    pub fn take(disk: &Disk, path: &Path) -> io::Result<Option<Self>> {
        for tried in 0..TRIES {
            if tried > 0 {
                disk.pause(PAUSE);
            }
            let claim = |lock| Self { disk: disk.clone(), path: path.to_path_buf(), lock };
            let lock = match disk.lock(path) {
                Ok(Some(lock)) => lock,
                Ok(None) => continue,
                Err(error) if without_locks(&error) => return Ok(Some(claim(None))),
                Err(error) => return Err(error),
            };
            // Whoever swept in between may have taken the name from the file that is locked.
            if disk.look(path)?.map(|named| named.id) == Some(lock.id()?) {
                return Ok(Some(claim(Some(lock))));
            }
        }
        Ok(None)
    }

    /// The claim to `path` of a process that ended without giving it back; `None` where the process lives, or that
    /// cannot be reported.
    pub fn of_dead(disk: &Disk, path: &Path) -> io::Result<Option<Self>> {
        // On a file system that several machines share, a lock may hold on one of them only.
        match disk.find(path)? {
            Some(file) if file.volume()?.leases => {}
            _ => return Ok(None),
        }
        let Some(lock) = disk.lock(path)? else { return Ok(None) };
        let same = disk.look(path)?.map(|named| named.id) == Some(lock.id()?);
        Ok(same.then(|| Self { disk: disk.clone(), path: path.to_path_buf(), lock: Some(lock) }))
    }

    /// The name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file of that name was made when it was claimed.
    pub(super) fn is_file(&self) -> bool {
        self.lock.is_some()
    }

    /// Writes in the file of that name who holds it, for others to read.
    pub fn note(&mut self, text: &[u8]) -> io::Result<()> {
        self.lock.as_mut().map_or(Ok(()), |lock| lock.write(text))
    }

    /// Gives the name back; nothing has it then.
    pub fn release(self) -> io::Result<()> {
        match self.lock {
            Some(_) => self.disk.remove(&self.path),
            None => Ok(()),
        }
    }
}

fn without_locks(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported || error.raw_os_error() == Some(Errno::NOLCK.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_process_s_until_that_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, path) = (Disk::system(), dir.path().join(".x.lock"));
        let claim = Claim::take(&disk, &path).unwrap().unwrap();
        assert!(Claim::take(&disk, &path).unwrap().is_none() && Claim::of_dead(&disk, &path).unwrap().is_none());
        // A process that is killed gives its lock back and takes nothing away.
        drop(claim);
        let dead = Claim::of_dead(&disk, &path).unwrap().unwrap();
        dead.release().unwrap();
        assert!(disk.names(dir.path()).unwrap().is_empty());
        assert!(Claim::of_dead(&disk, &path).unwrap().is_none());
        assert!(disk.names(dir.path()).unwrap().is_empty(), "looking for a dead process makes no file");
    }
}
