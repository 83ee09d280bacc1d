//! Files as the protocol needs them: opened without following links, hashed, written so that they outlast a crash.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::FilesError;

/// A SHA-256.
pub(super) type Hash = [u8; 32];

const BUFFER: usize = 256 << 10;

/// A file that was hashed.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) hash: Hash,
    pub(super) metadata: Metadata,
}

/// Opens the ordinary file `path` for reading, unless it is a symbolic link.
pub(super) fn open(path: &Path) -> Result<File, FilesError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|source| {
        match source.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
            true => FilesError::Symlink { path: path.to_path_buf() },
            false => FilesError::read(path, source),
        }
    })?;
    let metadata = file.metadata().map_err(|source| FilesError::read(path, source))?;
    if metadata.is_file() { Ok(file) } else { Err(FilesError::NotAFile { path: path.to_path_buf() }) }
}

/// The hash of the file `path`; `None` where nothing has this name.
pub(super) fn look(path: &Path) -> Result<Option<Seen>, FilesError> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(FilesError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut hashed = || -> io::Result<Seen> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
        Ok(Seen { hash: hash.finalize().into(), metadata: file.metadata()? })
    };
    hashed().map(Some).map_err(|source| FilesError::read(path, source))
}

/// The hash of the file `path`; `None` where nothing has this name.
pub(super) fn hash(path: &Path) -> Result<Option<Hash>, FilesError> {
    Ok(look(path)?.map(|seen| seen.hash))
}

/// Makes a folder for this user alone, and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), FilesError> {
    let failed = |source| FilesError::write(folder, source);
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    missing.into_iter().rev().try_for_each(|made| sync_folder(folder_of(made)))
}

/// The folder `path` lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder outlast a crash.
pub(super) fn sync_folder(folder: &Path) -> Result<(), FilesError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| FilesError::write(folder, source))
}

/// Opens a new file for this user alone.
pub(super) fn create(path: &Path) -> Result<File, FilesError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|source| FilesError::write(path, source))
}

/// Writes a whole file; it is there completely or not at all, also after a crash.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    let temporary = temporary_of(path);
    remove(&temporary)?;
    let mut file = create(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let written = written.map_err(|source| FilesError::write(path, source)).and_then(|()| publish(&temporary, path));
    if written.is_err() {
        // The first error is the one to tell; a leftover has a name that nothing reads.
        fs::remove_file(&temporary).ok();
    }
    written
}

/// The name under which `path` is written.
pub(super) fn temporary_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.writing"))
}

/// Renames a complete file, durably.
pub(super) fn publish(temporary: &Path, path: &Path) -> Result<(), FilesError> {
    fs::rename(temporary, path).map_err(|source| FilesError::write(path, source))?;
    sync_folder(folder_of(path))
}

/// Removes a file, durably; one that is not there is fine.
pub(super) fn remove(path: &Path) -> Result<(), FilesError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(folder_of(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FilesError::write(path, source)),
    }
}

/// Gives `file` the mode of `like`, and its owner where this user may.
pub(super) fn same_rights(path: &Path, file: &File, like: &Metadata) -> Result<(), FilesError> {
    let failed = |source| FilesError::write(path, source);
    let own = file.metadata().map_err(failed)?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        // Only the superuser may give files away; for others the new file is their own.
        std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid())).ok();
    }
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777)).map_err(failed)
}

/// Copies `from` to the new file `to` and proves that it has the hash `expected`.
pub(super) fn copy(from: &Path, to: &Path, expected: &Hash) -> Result<(), FilesError> {
    let mut source = open(from)?;
    let mut file = create(to)?;
    let copied = io::copy(&mut source, &mut file).and_then(|_| file.sync_all());
    copied.map_err(|source| FilesError::write(to, source))?;
    match hash(to)?.as_ref() == Some(expected) {
        true => Ok(()),
        false => Err(FilesError::CopyDiffers { path: to.to_path_buf() }),
    }
}

/// A hash as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
