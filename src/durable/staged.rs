//! A file that grows under a hidden name and gets its own when it is complete: it is there as a whole or not at all.

use std::ffi::OsStr;
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::{Path, PathBuf};

use super::{Claim, Disk, FileId, Output, folder_of};

/// Names that are tried for one file that several processes write at the same time.
const NAMES: u32 = 100;
const SUFFIX: &str = ".writing";

/// A file that is being written. It is removed when dropped.
#[derive(Debug)]
pub struct Growing {
    out: Box<dyn Output>,
    staged: Staged,
}

/// A file that is complete on disk and hidden until [`Staged::publish`]. It is removed when dropped before.
#[derive(Debug)]
pub struct Staged {
    disk: Disk,
    temporary: PathBuf,
    target: PathBuf,
    id: FileId,
    published: bool,
    /// Tells others that the writer lives.
    _claim: Option<Claim>,
}

/// Why a complete file is not there for good.
#[derive(Debug)]
pub enum NotPublished {
    /// It has not got its name.
    Unnamed(io::Error),
    /// It has its name, which a power failure may take back.
    NotDurable(io::Error),
}

impl From<NotPublished> for io::Error {
    fn from(error: NotPublished) -> Self {
        let (NotPublished::Unnamed(source) | NotPublished::NotDurable(source)) = error;
        source
    }
}

impl Growing {
    /// Begins the file that will be called `target`, as the new file `temporary` beside it, for this user alone.
    pub fn create(disk: &Disk, temporary: &Path, target: &Path) -> io::Result<Self> {
        Self::begin(disk, disk.create(temporary)?, temporary, target, None)
    }

    fn begin(
        disk: &Disk,
        out: Box<dyn Output>,
        temporary: &Path,
        target: &Path,
        claim: Option<Claim>,
    ) -> io::Result<Self> {
        let id = out.attributes().inspect_err(|_| {
            // The first error is the one to report; a leftover has a name that nothing reads.
            disk.remove(temporary).ok();
        })?;
        let (temporary, target) = (temporary.to_path_buf(), target.to_path_buf());
        let staged = Staged { disk: disk.clone(), temporary, target, id: id.id, published: false, _claim: claim };
        Ok(Self { out, staged })
    }

    /// Lets others use the file as `mode` says, as far as the file system can.
    pub fn allow(&mut self, mode: u32) {
        let allowed = self.staged.disk.open(&self.staged.temporary).and_then(|file| {
            let ownership = file.ownership()?;
            self.out.give(&super::Ownership { mode, ..ownership }).map_err(|not_given| not_given.source)
        });
        if let Err(error) = allowed {
            // It is this user's alone then, which takes nothing from what is promised.
            tracing::debug!(file = %self.staged.target.display(), "kept for its owner alone: {error}");
        }
    }

    /// Completes the file on disk.
    pub fn complete(mut self) -> io::Result<Staged> {
        self.out.sync()?;
        Ok(self.staged)
    }

    /// What it will be called.
    pub fn target(&self) -> &Path {
        &self.staged.target
    }
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Staged {
    /// Gives the file its name, in place of what has it, durably.
    pub fn publish(mut self) -> Result<(), NotPublished> {
        if let Err(error) = self.disk.rename(&self.temporary, &self.target) {
            // A call may do its work and still fail; the name tells.
            let named = self.disk.look(&self.target).ok().flatten();
            if named.map(|named| named.id) != Some(self.id) {
                return Err(NotPublished::Unnamed(error));
            }
        }
        self.published = true;
        self.disk.sync_folder(folder_of(&self.target)).map_err(NotPublished::NotDurable)
    }

    /// What it will be called.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // What is left behind is never read; there is nothing better to do with a failure here.
            self.disk.remove(&self.temporary).ok();
        }
    }
}

impl Disk {
    /// Writes a whole file piece by piece, for this user alone, in place of what has its name. Several processes may
    /// write the same file: each writes a whole one, and the last one stays. What such a process left behind when it
    /// was killed is removed.
    pub fn write_with(&self, path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut out = BufWriter::new(self.begin(path)?);
        write(&mut out)?;
        let staged = out.into_inner().map_err(IntoInnerError::into_error)?.complete()?;
        Ok(staged.publish()?)
    }

    /// Begins a file that will take the place of what is called `path`, as [`Disk::write_with`] writes one.
    pub fn begin(&self, path: &Path) -> io::Result<Growing> {
        sweep(self, path);
        for number in 0..NAMES {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let temporary = path.with_file_name(format!(".{name}.{}-{number}{SUFFIX}", std::process::id()));
            if let Some(claim) = Claim::take(self, &temporary)? {
                let out = if claim.is_file() { self.append(&temporary) } else { self.create(&temporary) };
                let out = out.inspect_err(|_| {
                    self.remove(&temporary).ok();
                })?;
                return Growing::begin(self, out, &temporary, path, Some(claim));
            }
        }
        Err(io::Error::other("too many processes write this file now"))
    }
}

/// Removes what killed processes left of the file `path`. A failure is no reason not to write: the next one tries again.
fn sweep(disk: &Disk, path: &Path) {
    let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let left = |name: &OsStr| {
        let name = name.to_string_lossy();
        let middle = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
        middle.is_some_and(|middle| !middle.is_empty() && middle.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
    };
    let swept = disk.names(folder_of(path)).and_then(|names| {
        names
            .iter()
            .filter(|name| left(name))
            .try_for_each(|name| Claim::of_dead(disk, &path.with_file_name(name))?.map_or(Ok(()), Claim::release))
    });
    if let Err(error) = swept {
        tracing::warn!(file = %path.display(), "cannot remove what an earlier process left beside it: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::super::faulty::{disk, every_call};
    use super::super::system::System;
    use super::*;

    fn write(disk: &Disk, path: &Path, text: &str) -> io::Result<()> {
        disk.make_folders(folder_of(path))?;
        disk.write_with(path, |out| {
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")
        })
    }

    #[test]
    fn a_file_is_the_old_or_the_new_one_whichever_call_fails() {
        let failed = every_call(|at, fault| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("plans/a.plan");
            write(&Disk::system(), &path, "old").unwrap();
            let (disk, calls) = disk(Arc::new(System::new()), at, fault);
            let result = write(&disk, &path, "new");
            let name = calls.failed();
            let reported = format!("{fault:?} of call {at}, {name:?}: {result:?}");
            let now = fs::read_to_string(&path).unwrap();
            match &result {
                Ok(()) => assert_eq!(now, "new\n", "{reported}"),
                Err(_) => assert!(now == "old\n" || (now == "new\n" && name == Some("sync_folder")), "{reported}"),
            }
            assert!(result.is_ok() || !(name.is_none() || fault.is_invisible()), "{reported}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            // What is left is not read, and the next one removes it.
            write(&Disk::system(), &path, "next").unwrap();
            assert_eq!(Disk::system().names(path.parent().unwrap()).unwrap(), ["a.plan"], "{reported}");
            calls
        });
        assert!(failed > 40, "{failed} calls failed");
    }

    #[test]
    fn what_a_living_process_writes_stays_and_what_a_dead_one_wrote_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, path) = (Disk::system(), dir.path().join("a.plan"));
        let living = disk.begin(&path).unwrap();
        let temporary = living.staged.temporary.clone();
        for strange in [".a.plan.7-0.writing", ".a.plan.writing", ".b.plan.7-0.writing", ".a.plan.x.writing"] {
            fs::write(dir.path().join(strange), "half").unwrap();
        }
        write(&disk, &path, "whole").unwrap();
        assert!(temporary.exists());
        let mut left = disk.names(dir.path()).unwrap();
        left.retain(|name| *name != *temporary.file_name().unwrap());
        assert_eq!(left, [".a.plan.writing", ".a.plan.x.writing", ".b.plan.7-0.writing", "a.plan"]);
        living.complete().unwrap().publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
