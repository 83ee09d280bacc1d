//! An open file and what it is called: everything is read through the file that was opened, never by its name again.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use twox_hash::xxhash3_128::Hasher;

use super::FilesError;
use crate::durable::{self, Attributes, Disk, Hash, Kind, Opened, Reader};

const BUFFER: usize = 256 << 10;

/// A file that is open for reading. What was appended behind `end` since is not looked at.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn Opened>,
    pub(super) end: u64,
}

impl Open {
    /// Opens the ordinary file `path`, unless it is a symbolic link.
    pub(super) fn at(disk: &Disk, path: &Path) -> Result<Self, FilesError> {
        let file =
            disk.open(path).map_err(|source| match source.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
                true => FilesError::Symlink { path: path.to_path_buf() },
                false => FilesError::read(path, source),
            })?;
        let open = Self { path: path.to_path_buf(), file, end: u64::MAX };
        match open.attributes()?.kind {
            Kind::File => Ok(open),
            _ => Err(FilesError::NotAFile { path: path.to_path_buf() }),
        }
    }

    /// The same; `None` where nothing has this name.
    pub(super) fn find(disk: &Disk, path: &Path) -> Result<Option<Self>, FilesError> {
        match Self::at(disk, path) {
            Ok(open) => Ok(Some(open)),
            Err(FilesError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same file, taken to end at the byte `end`.
    pub(super) fn until(&self, end: u64) -> Self {
        Self { end, ..self.clone() }
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::until(Arc::clone(&self.file), self.end)
    }

    pub(super) fn attributes(&self) -> Result<Attributes, FilesError> {
        self.file.attributes().map_err(|source| FilesError::read(&self.path, source))
    }

    /// SHA-256 of its bytes up to its end.
    pub(super) fn hash(&self) -> Result<Hash, FilesError> {
        durable::digest(&self.file, self.end).map_err(|source| FilesError::read(&self.path, source))
    }

    /// The bytes from `from` to its end.
    pub(super) fn bytes(&self, from: u64) -> Result<Vec<u8>, FilesError> {
        let mut bytes = Vec::new();
        let mut reader = self.reader().from(from);
        reader.read_to_end(&mut bytes).map_err(|source| FilesError::read(&self.path, source))?;
        Ok(bytes)
    }

    /// Whether its last byte ends a line; also where it has none.
    pub(super) fn ends_a_line(&self) -> Result<bool, FilesError> {
        let length = self.reader().length().map_err(|source| FilesError::read(&self.path, source))?;
        Ok(length == 0 || self.bytes(length - 1)? == b"\n")
    }

    /// A quick hash of its bytes up to its end, which tells whether they are those of a moment ago; `None` where that
    /// takes longer than `writer_timeout`.
    pub(super) fn fingerprint(
        &self,
        disk: &Disk,
        writer_timeout: Option<Duration>,
    ) -> Result<Option<u128>, FilesError> {
        let started = disk.elapsed();
        let (mut hasher, mut reader) = (Hasher::new(), self.reader());
        let mut buffer = vec![0; BUFFER];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Some(hasher.finish_128())),
                Ok(count) => hasher.write(&buffer[..count]),
                Err(source) => return Err(FilesError::read(&self.path, source)),
            }
            if writer_timeout.is_some_and(|writer_timeout| disk.elapsed().saturating_sub(started) > writer_timeout) {
                return Ok(None);
            }
        }
    }
}
