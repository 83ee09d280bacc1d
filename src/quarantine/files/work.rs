//! A removal under way, as its parts share it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::place::Directory;
use super::quarantine::Kept;
use super::{Checksums, Order};
use crate::durable::{Hash, hex};

/// A removal under way.
pub(super) struct Work<'a> {
    pub(super) directory: &'a Directory,
    pub(super) job: &'a str,
    pub(super) order: &'a Order<'a>,
    pub(super) source: PathBuf,
    /// What the file was when its rows were evaluated.
    pub(super) planned: Hash,
    pub(super) sequence: u64,
    /// Items of the source that are away already.
    pub(super) away: HashSet<String>,
}

/// What was copied.
pub(super) struct Copied {
    pub(super) kept: Vec<Kept>,
    pub(super) checksums: Checksums,
}

/// Why there is nothing to exchange.
pub(super) enum Why {
    Changed,
    Stopped,
    Empty,
}

/// Identity of a quarantined row: the first 32 hexadecimal digits of a SHA-256 over the absolute path of its file,
/// its identity in the source and the hash (hex) of its bytes. The same over runs.
pub fn item_id(source: &Path, row_key: &str, sha256: &str) -> String {
    let mut id = Sha256::new();
    for part in [source.as_os_str().as_encoded_bytes(), row_key.as_bytes(), sha256.as_bytes()] {
        id.update((part.len() as u64).to_le_bytes());
        id.update(part);
    }
    hex(&id.finalize()[..16])
}
