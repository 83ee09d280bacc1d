//! How rows leave a collection, and come back. The quarantine is the journal: a collection of items in the same database,
//! each with the bytes of its row and a state that says how far its removal is.
//!
//! ```text
//! apply     a plan, chunk by chunk, under a lease; recovery first
//! chunk     the protocol over one chunk: copy, verify, mark, close; remove: the removal and the look after it
//! delete    the statement that removes one row as it was read, and no other
//! recover   what runs that were cut short left open
//! restore   rows go back; purge: items are erased; items: looking at them
//! runs      what was approved, closed when nothing of it is open; lease: one runner at a time
//! document  items as documents; fitness: what rows can be moved between
//! server    the server as all of these see it; command: a real one, every command checked
//! ```
//!
//! In tests `simulated` is a server in memory, and `simulation` runs all of it in thousands of schedules of faults.
//!
//! No transactions, no deletes by range or condition: the same on a standalone and on a replica set.

mod apply;
mod chunk;
mod command;
mod delete;
mod document;
mod error;
mod fitness;
mod items;
mod lease;
mod purge;
mod recover;
mod remove;
mod restore;
mod runs;
mod server;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulation;

use std::sync::Arc;

use self::chunk::Between;
use self::command::Commands;
use self::document::{Mark, Names};
use self::server::Server;
use super::item::UnderWay;
use crate::durable::hex;
use crate::source::mongodb::{CollectionInfo, Connection};

pub use self::apply::{Applied, Ended};
pub use self::document::RUNS;
pub use self::error::QuarantineError;
pub use self::purge::Purged;
pub use self::recover::{Recovered, RecoveredRow};
pub use self::restore::Restored;

/// Most rows of a chunk. In unit tests, where a server is simulated, a small plan has several chunks.
const CHUNK_ROWS: usize = if cfg!(test) { 3 } else { 500 };
/// Most bytes of what a chunk sends in one command; a larger row is a chunk of its own.
const CHUNK_BYTES: usize = 8 << 20;
/// The largest row that fits into an item.
const LARGEST: usize = 15 << 20;
/// The largest item, and the largest statement that removes a row: a command of 16 MiB holds it beside what else a
/// command has.
const LARGEST_STATEMENT: usize = (16 << 20) - (16 << 10);

/// The name of the quarantine of a collection, where a job names it and where it does not.
pub fn quarantine_of(collection: &str, named: Option<&str>) -> String {
    named.map_or_else(|| format!("{collection}_quarantine"), str::to_owned)
}

/// A collection whose rows can be moved, with its quarantine.
#[derive(Debug)]
pub struct Collection {
    server: Arc<dyn Server>,
    names: Names,
}

/// Who moves rows, and for how long they are kept.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The run.
    pub run_id: &'a str,
    /// The job.
    pub job: &'a str,
    /// How long a row is kept whose rule quarantines it, µs.
    pub keep: i64,
    /// How long a row is kept whose rule deletes it, µs.
    pub keep_deleted: i64,
}

impl Collection {
    /// The collection that `info` describes, with the collection `quarantine` beside it. Nothing is sent.
    pub fn new(
        connection: Arc<Connection>,
        info: &CollectionInfo,
        database: &str,
        collection: &str,
        quarantine: Option<&str>,
    ) -> Self {
        let quarantine = quarantine_of(collection, quarantine);
        let names = Names {
            server: connection.redacted().to_owned(),
            database: database.to_owned(),
            collection: collection.to_owned(),
            uuid: info.uuid,
            quarantine,
        };
        Self { server: Arc::new(Commands::new(connection, database)), names }
    }

    /// Name of the collection of items, in the database of the source.
    pub fn quarantine(&self) -> &str {
        &self.names.quarantine
    }

    /// `database.collection` of the source.
    pub fn namespace(&self) -> String {
        self.names.namespace()
    }

    /// UUID of the source (hex).
    pub fn uuid(&self) -> String {
        hex(&self.names.uuid)
    }

    /// What is under way in the collection, or was cut short. Changes nothing.
    pub async fn under_way(&self) -> Result<UnderWay, QuarantineError> {
        let runs = runs::open(&*self.server, &self.names).await?.into_iter().map(|run| run.id).collect();
        Ok(UnderWay { runs, holder: lease::holder(&*self.server, &self.names).await? })
    }

    fn between(&self) -> Between<'_> {
        Between { server: &*self.server, names: &self.names }
    }
}

impl<'a> Order<'a> {
    /// The marks of rows that are moved at a moment, µs UTC by the server's clock.
    fn mark(&self, at: i64) -> Mark<'a> {
        let expires_at = (at.saturating_add(self.keep), at.saturating_add(self.keep_deleted));
        Mark { run_id: self.run_id, job: self.job, at, expires_at }
    }
}

/// What time it is on this machine, µs UTC.
fn local_now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// Puts things with their lengths in bytes together to chunks.
fn sized<T>(things: impl IntoIterator<Item = (T, usize)>) -> Vec<Vec<T>> {
    bounded(CHUNK_ROWS, things)
}

/// The same with at most `rows` things each.
fn bounded<T>(rows: usize, things: impl IntoIterator<Item = (T, usize)>) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for (thing, length) in things {
        match chunks.last_mut().filter(|chunk| chunk.len() < rows && bytes + length <= CHUNK_BYTES) {
            Some(chunk) => chunk.push(thing),
            None => {
                chunks.push(vec![thing]);
                bytes = 0;
            }
        }
        bytes += length;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_bounded_by_rows_and_by_bytes() {
        let lengths = |chunks: Vec<Vec<usize>>| chunks.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(bounded(500, (0..1201).map(|n| (n, 10)))), [500, 500, 201]);
        assert_eq!(lengths(bounded(500, (0..5).map(|n| (n, 3 << 20)))), [2, 2, 1]);
        assert_eq!(lengths(bounded(500, [(0, 1), (1, 14 << 20), (2, 1)])), [1, 1, 1]);
        assert!(bounded::<u8>(500, []).is_empty());
    }
}
