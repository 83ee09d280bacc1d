//! Which process has a file open for writing, for messages: no decision rests on it.
//!
//! Looks through `/proc/*/fd`: this shows every process of the same user, and of all users when run by the superuser,
//! and none in containers that are hidden from this one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::durable::FileId;

/// The access mode in the flags of an open file; other than zero means that it may be written.
const ACCESS: u32 = 0o3;

/// A process that has the file open for writing.
pub(super) fn of(file: FileId) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| writes(*pid, file))
}

/// A process may end while it is looked at, and one of another user hides its files: neither counts as a writer.
fn writes(pid: u32, file: FileId) -> bool {
    let folder = format!("/proc/{pid}");
    let Ok(open) = fs::read_dir(Path::new(&folder).join("fd")) else { return false };
    open.flatten().any(|entry| {
        let same = fs::metadata(entry.path()).is_ok_and(|at| (at.dev(), at.ino()) == (file.device, file.inode));
        same && entry.file_name().to_str().is_some_and(|number| may_write(&folder, number))
    })
}

fn may_write(folder: &str, number: &str) -> bool {
    let Ok(info) = fs::read_to_string(format!("{folder}/fdinfo/{number}")) else { return false };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & ACCESS != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};

    use super::*;

    #[test]
    fn a_writer_is_seen_and_a_reader_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "x").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let file = FileId { device: metadata.dev(), inode: metadata.ino() };
        let reader = File::open(&path).unwrap();
        assert_eq!(of(file), None);
        let writer = OpenOptions::new().append(true).open(&path).unwrap();
        assert_eq!(of(file), Some(std::process::id()));
        drop(writer);
        assert_eq!(of(file), None);
        drop(reader);
    }
}
