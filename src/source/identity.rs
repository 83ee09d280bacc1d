//! Which file it was: what the operating system knows of a file, and the hash of its bytes.
//!
//! Relies on Unix file metadata. The hash is taken while the file is read anyway; nothing here reads contents.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::SourceError;
use crate::durable::Attributes;

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIdentity {
    /// The path it was opened by.
    pub path: PathBuf,
    /// The device it lies on.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
    /// Its length in bytes, as it lies on disk.
    pub length: u64,
    /// When it was last written, nanoseconds since 1970-01-01 UTC.
    pub modified: i128,
    /// SHA-256 of its bytes as they lie on disk; `None` where it was not read to the end.
    pub sha256: Option<[u8; 32]>,
}

impl FileIdentity {
    /// The identity of the file `path` names now, without a hash.
    ///
    /// # Errors
    /// When there is no such file or it may not be looked at.
    pub fn of(path: &Path) -> Result<Self, SourceError> {
        let metadata = fs::metadata(path).map_err(|error| SourceError::read(path, error))?;
        Ok(Self::from_metadata(path, &metadata))
    }

    /// The identity of the open `file`, which `path` named.
    pub(super) fn of_open(path: &Path, file: &File) -> Result<Self, SourceError> {
        let metadata = file.metadata().map_err(|error| SourceError::read(path, error))?;
        Ok(Self::from_metadata(path, &metadata))
    }

    /// Fails when the path names another file now, or one that was written to since.
    ///
    /// # Errors
    /// [`SourceError::Changed`], also when the file is gone.
    pub fn verify_unchanged(&self) -> Result<(), SourceError> {
        let same = fs::metadata(&self.path)
            .is_ok_and(|now| Self { sha256: self.sha256, ..Self::from_metadata(&self.path, &now) } == *self);
        if same { Ok(()) } else { Err(SourceError::Changed { path: self.path.clone() }) }
    }

    pub(super) fn from_attributes(path: &Path, attributes: &Attributes) -> Self {
        Self {
            path: path.to_path_buf(),
            device: attributes.id.device,
            inode: attributes.id.inode,
            length: attributes.length,
            modified: attributes.modified,
            sha256: None,
        }
    }

    fn from_metadata(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_path_buf(),
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
            sha256: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_to_replaced_or_gone_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, "abc").unwrap();
        let identity = FileIdentity::of(&path).unwrap();
        identity.verify_unchanged().unwrap();

        let other = dir.path().join("b.csv");
        fs::write(&other, "abc").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(matches!(identity.verify_unchanged(), Err(SourceError::Changed { .. })), "replaced");

        let identity = FileIdentity::of(&path).unwrap();
        fs::write(&path, "abcd").unwrap();
        assert!(matches!(identity.verify_unchanged(), Err(SourceError::Changed { .. })), "written to");

        let identity = FileIdentity::of(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(identity.verify_unchanged(), Err(SourceError::Changed { .. })), "gone");
    }
}
