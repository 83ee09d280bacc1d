//! A folder for what lives as long as the command: snapshots, what a query spills to disk.
//!
//! It is this user's alone and goes with the command. A command that is killed leaves it behind; the next one, of whatever
//! job, removes it. Which folders have a dead owner is reported by a lock that the system gives back, not by the number of a
//! process.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tempfile::TempDir;

use super::failure::Failure;
use crate::durable::process::Process;

const PREFIX: &str = "barkeep-";
/// The file in the folder that its owner holds locked.
const OWNER: &str = "owner";
/// What an owner file begins with.
const MARK: &str = "temporary folder of barkeep: ";

/// The folder; removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    // The lock is held until the folder is gone.
    dir: TempDir,
    _owner: File,
}

impl Scratch {
    /// Makes a folder in `parent`, and removes those of dead owners there.
    pub(crate) fn make(parent: &Path) -> Result<Self, Failure> {
        sweep(parent);
        Self::in_folder(parent).map_err(|error| {
            let message =
                format!("cannot make a folder in `{}`: {error}; name another one with `--temp-dir`", parent.display());
            Failure::Broken(message.into())
        })
    }

    fn in_folder(parent: &Path) -> io::Result<Self> {
        let for_owner = fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix(PREFIX).permissions(for_owner).tempdir_in(parent)?;
        let mut owner = File::options().write(true).create_new(true).mode(0o600).open(dir.path().join(OWNER))?;
        // Others look into the file only to tell whether it is locked, and what they cannot recognise they leave alone.
        while let Err(error) = owner.lock() {
            match error.kind() {
                ErrorKind::Interrupted => {}
                // Then nobody can take the owner for dead.
                ErrorKind::Unsupported => break,
                _ => return Err(error),
            }
        }
        writeln!(owner, "{MARK}{}", Process::this())?;
        Ok(Self { dir, _owner: owner })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the folders in `parent` that killed commands of this user left behind.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| is_ours(&entry.file_name())) {
        match remove_dead(&entry.path()) {
            Ok(false) => {}
            Ok(true) => tracing::info!(folder = %entry.path().display(), "removed what a killed process left"),
            // Another command may sweep at the same time.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::debug!(folder = %entry.path().display(), "not removed: {error}"),
        }
    }
}

fn is_ours(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(PREFIX)
}

/// Removes the folder if this user made it and whoever did is dead; whether it did.
fn remove_dead(folder: &Path) -> io::Result<bool> {
    let user = rustix::process::getuid().as_raw();
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o077 != 0 {
        return Ok(false);
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let owner = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(folder.join(OWNER))?;
    let metadata = owner.metadata()?;
    if !metadata.is_file() || metadata.uid() != user || owner.try_lock().is_err() {
        return Ok(false);
    }
    let mut mark = String::new();
    (&owner).take(MARK.len() as u64).read_to_string(&mut mark)?;
    if mark != MARK {
        return Ok(false);
    }
    fs::remove_dir_all(folder)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_users_alone_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::make(parent.path()).unwrap();
        fs::write(scratch.path().join("snapshot.parquet"), "rows").unwrap();
        assert_eq!(fs::metadata(scratch.path()).unwrap().permissions().mode() & 0o777, 0o700);
        let beside = Scratch::make(parent.path()).unwrap();
        assert!(scratch.path().join("snapshot.parquet").exists(), "the owner lives");
        drop((scratch, beside));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_what_is_recognised_and_dead_goes() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str, owner: Option<&str>, mode: u32| {
            let path = parent.path().join(name);
            fs::create_dir_all(path.join("inside")).unwrap();
            if let Some(text) = owner {
                fs::write(path.join(OWNER), text).unwrap();
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let mark = format!("{MARK}boot=a ns=b pid=1 started=2\n");
        folder("barkeep-dead", Some(&mark), 0o700);
        folder("barkeep-unmarked", Some("something else that is as long as a mark would be"), 0o700);
        folder("barkeep-empty", Some(""), 0o700);
        folder("barkeep-data", None, 0o700);
        folder("barkeep-shared", Some(&mark), 0o755);
        folder("other-dead", Some(&mark), 0o700);
        std::os::unix::fs::symlink(parent.path().join("other-dead"), parent.path().join("barkeep-link")).unwrap();
        sweep(parent.path());
        let mut left: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let kept = ["data", "empty", "link", "shared", "unmarked"].map(|name| format!("barkeep-{name}"));
        assert_eq!(left[..5], kept.map(std::ffi::OsString::from));
        assert_eq!((left.len(), &left[5]), (6, &std::ffi::OsString::from("other-dead")));
    }
}
