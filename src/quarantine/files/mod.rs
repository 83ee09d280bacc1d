//! Rows leave files and come back. A source file is never edited: it is replaced whole, and the old one is kept.
//!
//! ```text
//! removal, take_out   the rows of one source: copied, proven, taken out
//! restore, put_in     rows back to their places
//! replace     looked at, prepared, exchanged, as often as it takes;   inspect   what has to be true before
//! exchange    the two names, under leases;   carry   rows that came to a file without a name;   finish   the outcome
//! recovery    what was cut short is finished or closed;   lock   one runner a source;   place   one a job
//! late        rows that came to an original later;   originals   the files that lost their name
//! history, placement, sequence    what is missing of what once left, and where it belongs
//! purge       the only place that erases, and only in quarantine
//! items, quarantine, journal    what lies in quarantine, and how far each row is
//! text, table, columns, checksums    the two kinds of files;   open, writers, steps    what all of them use
//! ```
//!
//! Synchronous throughout. Files are 0600 in folders of 0700; names are made of run ids and numbers only.

mod carry;
mod checksums;
mod columns;
mod ended;
mod error;
mod exchange;
mod finish;
mod history;
mod inspect;
mod items;
mod journal;
mod late;
mod lock;
mod open;
mod originals;
mod place;
mod placement;
mod purge;
mod put_in;
mod quarantine;
mod recovery;
mod removal;
mod replace;
mod restore;
mod sequence;
mod steps;
mod table;
mod take_out;
#[cfg(test)]
mod tests;
mod text;
mod work;
mod writers;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use checksums::Checksums;
pub use error::FilesError;
pub use inspect::{Writers, obstacle};
pub use items::{Listed, items, newest, unfinished};
pub use late::{Late, LateRestored, Originals, kept_originals, late, restore_late};
pub use purge::{Limits, Purged, purge};
pub use recovery::{Recovered, Recovery, recover};
pub use removal::{identify, is_open, remove, row_hashes};
pub use restore::{Restored, Run, restore};
pub use steps::CRASH_POINTS;
pub use work::item_id;

use crate::decide::Action;
use crate::durable::Disk;
use crate::source::{FileIdentity, FilesSet};

use super::item::{Item, Reason, RemovalCounts};

/// Whose quarantine it is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where files are.
    pub disk: &'a Disk,
    /// The quarantine folder; a folder of the job's own is made in it.
    pub dir: &'a Path,
    /// The job.
    pub job: &'a str,
}

/// What is to leave one source file.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The run that does it.
    pub run_id: &'a str,
    /// The plan that says so.
    pub plan_id: &'a str,
    /// When, µs UTC.
    pub at: i64,
    /// How long the rows are kept.
    pub retention: Retention,
    /// How the file is to be read; of its files only [`Order::file`] is looked at.
    pub set: &'a FilesSet,
    /// The file as it was when its rows were evaluated; its hash decides whether it still is. See [`identify`].
    pub file: &'a FileIdentity,
    /// The rows, ascending.
    pub rows: &'a [Rejected],
    /// Whether anybody may write to the file.
    pub writers: Writers,
    /// How long it is tried again while others write to it.
    pub writer_timeout: WriterTimeout,
}

/// How long a file that others write to is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterTimeout(pub Duration);

impl Default for WriterTimeout {
    fn default() -> Self {
        Self(Duration::from_mins(1))
    }
}

/// From when on rows may be purged, µs UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Rows that were quarantined.
    pub quarantine: i64,
    /// Rows that were deleted.
    pub delete: i64,
}

impl Retention {
    fn of(self, action: Action) -> i64 {
        if action == Action::Delete { self.delete } else { self.quarantine }
    }
}

/// A row that is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its number in the file, from 1; a header is not counted.
    pub row: u64,
    /// SHA-256 of the record's bytes without the line end, as planned; `None` for Parquet, where it is computed.
    pub sha256: Option<[u8; 32]>,
    /// Identity of the row, stable over runs.
    pub row_key: String,
    /// The series key.
    pub series: String,
    /// Its timestamp, µs UTC; `None` where it has none that can be read.
    pub time: Option<i64>,
    /// What is to be done.
    pub action: Action,
    /// Every rule that rejected it.
    pub reasons: Vec<Reason>,
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Where the rows went; always conserved.
    pub counts: RemovalCounts,
    /// The rows, in the order of the file; empty where no copy was made because nothing was touched.
    pub items: Vec<Item>,
    /// What protects the source's pages against damage.
    pub checksums: Checksums,
    /// Where the original file is kept.
    pub original: Option<PathBuf>,
    /// Why rows stay although they were to go.
    pub note: Option<String>,
    /// Whether they may go when it is tried again: others were writing to the file.
    pub busy: bool,
}

impl Outcome {
    /// An end of which nothing is known but where the rows went.
    pub fn of(counts: RemovalCounts) -> Self {
        Self { counts, items: Vec::new(), checksums: Checksums::None, original: None, note: None, busy: false }
    }
}
