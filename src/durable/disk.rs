//! A handle on a file system, with what every caller needs: calls that a signal does not end, whole files, names that
//! outlast a crash, digests.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::steady::{SteadyFile, SteadyLock, SteadyOutput, again};
use super::system::System;
use super::{Attributes, FileSystem, Hash, Locked, Opened, Output, Reader};

const BUFFER: usize = 256 << 10;

/// A file system. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Disk(Arc<dyn FileSystem>);

/// A file that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// SHA-256 of its bytes.
    pub hash: Hash,
    /// What the system knew of it behind the last byte.
    pub attributes: Attributes,
}

impl Disk {
    /// The file system of this machine.
    pub fn system() -> Self {
        Self(Arc::new(System::new()))
    }

    /// Another file system, for tests.
    pub fn of(file_system: Arc<dyn FileSystem>) -> Self {
        Self(file_system)
    }

    /// See [`FileSystem::look`].
    pub fn look(&self, path: &Path) -> io::Result<Option<Attributes>> {
        again(|| self.0.look(path))
    }

    /// Whether something has this name.
    pub fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.look(path)?.is_some())
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        match again(|| self.0.names(folder)) {
            Ok(mut names) => {
                names.sort();
                Ok(names)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// See [`FileSystem::open`].
    pub fn open(&self, path: &Path) -> io::Result<Arc<dyn Opened>> {
        Ok(Arc::new(SteadyFile(again(|| self.0.open(path))?)))
    }

    /// Opens a file for reading; `None` where nothing has this name.
    pub fn find(&self, path: &Path) -> io::Result<Option<Arc<dyn Opened>>> {
        match self.open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// See [`FileSystem::create`].
    pub fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(SteadyOutput(again(|| self.0.create(path))?)))
    }

    /// See [`FileSystem::append`].
    pub fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(SteadyOutput(again(|| self.0.append(path))?)))
    }

    /// See [`FileSystem::sync_folder`].
    pub fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        again(|| self.0.sync_folder(folder))
    }

    /// See [`FileSystem::rename`].
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        again(|| self.0.rename(from, to))
    }

    /// See [`FileSystem::exchange`].
    pub fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        again(|| self.0.exchange(one, other))
    }

    /// See [`FileSystem::link`].
    pub fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        again(|| self.0.link(from, to))
    }

    /// See [`FileSystem::lock`].
    pub fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Locked>>> {
        Ok(again(|| self.0.lock(path))?.map(|lock| Box::new(SteadyLock(lock)) as Box<dyn Locked>))
    }

    /// See [`FileSystem::now`].
    pub fn now(&self) -> i128 {
        self.0.now()
    }

    /// See [`FileSystem::elapsed`].
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// See [`FileSystem::pause`].
    pub fn pause(&self, time: Duration) {
        self.0.pause(time);
    }

    /// Makes a folder for this user alone, and those above it, durably.
    pub fn make_folders(&self, folder: &Path) -> io::Result<()> {
        if folder == Path::new("") || self.exists(folder)? {
            return Ok(());
        }
        let above = folder_of(folder);
        if above != folder {
            self.make_folders(above)?;
        }
        match again(|| self.0.make_folder(folder)) {
            Ok(()) => self.sync_folder(above),
            // Another process was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a whole file for this user alone, in place of what has its name; it is there completely or not at all,
    /// also after a crash.
    pub fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary_of(path);
        self.remove(&temporary)?;
        let written = self.create(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync()
        });
        let written = written.and_then(|()| self.publish(&temporary, path));
        if written.is_err() {
            // The first error is the one to report; a leftover has a name that nothing reads.
            again(|| self.0.remove(&temporary)).ok();
        }
        written
    }

    /// Gives a complete file its name, in place of what has it, durably.
    pub fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename(from, to)?;
        self.sync_folder(folder_of(to))
    }

    /// Takes a name away, durably; one that is not there is fine.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match again(|| self.0.remove(path)) {
            Ok(()) => self.sync_folder(folder_of(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a file; `None` where nothing has this name.
    pub fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.find(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        Reader::new(file).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Reads the file `path` to its end; `None` where nothing has this name.
    pub fn seen(&self, path: &Path) -> io::Result<Option<Seen>> {
        self.find(path)?.map(|file| see(&file)).transpose()
    }
}

/// Reads a file to its end.
pub fn see(file: &Arc<dyn Opened>) -> io::Result<Seen> {
    let hash = digest(file, u64::MAX)?;
    Ok(Seen { hash, attributes: file.attributes()? })
}

/// SHA-256 of the first `length` bytes of a file, or of all where it is shorter.
pub fn digest(file: &Arc<dyn Opened>, length: u64) -> io::Result<Hash> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut reader = Reader::new(Arc::clone(file)).take(length);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) => return Err(error),
        }
    }
}

/// The folder that `path` lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// The name under which `path` is written before it is complete.
pub fn temporary_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.writing"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::durable::hex;

    #[test]
    fn a_whole_file_takes_the_place_of_another_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/x.json");
        let disk = Disk::system();
        disk.make_folders(folder_of(&path)).unwrap();
        disk.make_folders(folder_of(&path)).unwrap();
        disk.write_whole(&path, b"one").unwrap();
        disk.write_whole(&path, b"two").unwrap();
        assert_eq!(disk.read(&path).unwrap().unwrap(), b"two");
        assert_eq!(disk.names(folder_of(&path)).unwrap(), ["x.json"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(folder_of(&path))), (0o600, 0o700));
        disk.remove(&path).unwrap();
        disk.remove(&path).unwrap();
        assert!(disk.read(&path).unwrap().is_none() && disk.seen(&path).unwrap().is_none());
        assert!(disk.names(&dir.path().join("nowhere")).unwrap().is_empty());
    }

    #[test]
    fn digests_are_of_all_bytes_or_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "abcdef").unwrap();
        let file = Disk::system().open(&path).unwrap();
        let whole = see(&file).unwrap();
        assert_eq!((whole.hash, whole.attributes.length), (crate::durable::sha256(b"abcdef"), 6));
        assert_eq!(hex(&digest(&file, 3).unwrap()), hex(&crate::durable::sha256(b"abc")));
        assert_eq!(digest(&file, 60).unwrap(), whole.hash);
    }

    #[test]
    fn folders_of_short_paths() {
        assert_eq!(folder_of(Path::new("a")), Path::new("."));
        assert_eq!(folder_of(Path::new("/a")), Path::new("/"));
        assert_eq!(folder_of(Path::new("/")), Path::new("/"));
    }
}
