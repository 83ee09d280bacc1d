//! Which files they are, as a plan knows them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};

use sha2::{Digest, Sha256};

use crate::durable::{hex, paths};
use crate::quarantine::plan::PlanFile;
use crate::run::failure::Failure;
use crate::source::{FileIdentity, FilesSet};

const BUFFER: usize = 256 << 10;

/// A file as it was read; one that was not read to its end is hashed now, and has to be the same still.
pub(super) fn hashed(identity: &FileIdentity) -> Result<PlanFile, Failure> {
    let sha256 = match identity.sha256 {
        Some(sha256) => sha256.to_vec(),
        None => {
            let sha256 = sha256_of(File::open(&identity.path)?)?;
            identity.verify_unchanged()?;
            sha256
        }
    };
    Ok(plan_file(identity, hex(&sha256)))
}

fn sha256_of(file: File) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let mut hash = Sha256::new();
    loop {
        let bytes = match reader.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok(hash.finalize().to_vec());
        }
        hash.update(bytes);
        let read = bytes.len();
        reader.consume(read);
    }
}

/// A file by its names.
pub(super) fn plan_file(identity: &FileIdentity, sha256: String) -> PlanFile {
    PlanFile {
        name: identity.path.display().to_string(),
        // A working folder that is gone cannot make a path absolute: then the path stays as it is.
        path: paths::absolute(&identity.path).unwrap_or_else(|_| identity.path.clone()),
        device: identity.device,
        inode: identity.inode,
        length: identity.length,
        sha256,
    }
}

/// Whether the files of a plan are those of the job still; what they hold is looked at when rows are removed.
pub(super) fn same_files(plan: &[PlanFile], set: &FilesSet) -> bool {
    let now: Vec<_> = set.files.iter().filter_map(|path| paths::absolute(path).ok()).collect();
    plan.iter().all(|file| now.contains(&paths::tidy(&file.path)))
}
