//! What writers wrote, and which of it is not this program's fault when it is nowhere any more.

use std::collections::BTreeSet;

use super::inode::{Actor, Ino, Inode, What};

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) rows: Vec<Row>,
    pub(super) excused: BTreeSet<Vec<u8>>,
    /// Whether there are writers that write rows in pieces, which others can get into.
    pub(super) pieces: bool,
}

/// A row that a writer wrote completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which writer, in the order they were added.
    pub(crate) writer: usize,
    /// The row with its newline.
    pub(crate) line: Vec<u8>,
    /// Number of the file it was written to, whatever that was called.
    pub(crate) ino: usize,
    /// The change that completed it.
    pub(super) sequence: u64,
}

impl Log {
    pub(super) fn add(&mut self, row: Row, inode: &Inode) {
        let torn = self.pieces && !lines(&inode.data).any(|line| line == row.line);
        if is_dropped(inode) || torn {
            self.excused.insert(row.line.clone());
        }
        self.rows.push(row);
    }

    /// A writer takes away the rows of `before` that are not in `after`: it meant to.
    pub(super) fn excuse_dropped(&mut self, before: &[u8], after: &[u8]) {
        let kept: BTreeSet<&[u8]> = lines(after).collect();
        self.excused.extend(lines(before).filter(|line| !kept.contains(line)).map(<[u8]>::to_vec));
    }

    /// At a power cut: rows whose writers had not made them durable, and all rows of a file that a writer had emptied
    /// to write it anew.
    pub(super) fn excuse_unsynced(&mut self, inodes: &[Inode]) {
        for inode in inodes {
            let emptied = |what: &What| matches!(what, What::Truncate);
            if inode.unsynced.iter().any(|change| emptied(&change.what) && matches!(change.by, Actor::Writer(_))) {
                self.excuse_dropped(&inode.durable, &[]);
                self.excuse_dropped(&inode.data, &[]);
            }
        }
        let unsynced = |row: &&Row| inodes[row.ino].unsynced.iter().any(|change| change.sequence == row.sequence);
        self.excused.extend(self.rows.iter().filter(unsynced).map(|row| row.line.clone()));
    }

    pub(super) fn excuse_written_to(&mut self, ino: Ino) {
        self.excused.extend(self.rows.iter().filter(|row| row.ino == ino).map(|row| row.line.clone()));
    }
}

/// Whether a writer took the last name of a file.
pub(super) fn is_dropped(inode: &Inode) -> bool {
    inode.links == 0 && matches!(inode.unlinked_by, Some(Actor::Writer(_)))
}

/// Lines with their newlines.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}
