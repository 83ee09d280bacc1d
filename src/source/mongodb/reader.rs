//! The way into one collection: looks, samples and copies. There is no method that writes.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use mongodb::bson::Document;

use super::connection::Connection;
use super::error::MongoError;
use super::extract::{self, MongoSnapshot};
use super::infer;
use super::look::{self, CollectionInfo};
use crate::source::{SourceColumn, Wanted};

/// Reads one collection.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) connection: Arc<Connection>,
    pub(super) database: String,
    pub(super) collection: String,
}

impl Reader {
    /// A reader of `collection`; nothing is asked of the server yet.
    pub fn new(connection: Arc<Connection>, database: &str, collection: &str) -> Self {
        Self { connection, database: database.to_owned(), collection: collection.to_owned() }
    }

    /// `database.collection`.
    pub fn namespace(&self) -> String {
        format!("{}.{}", self.database, self.collection)
    }

    /// What the collection is, which indexes it has, and how many documents its metadata counts.
    ///
    /// # Errors
    /// When there is no such database or collection (the error names the nearest there is), the user may not look, or
    /// the server fails. A view or a time-series collection is no error here.
    pub async fn look(&self) -> Result<CollectionInfo, MongoError> {
        look::look(self).await
    }

    /// The top-level fields of a sample of the documents that match `filter`, in the order they are met: the first
    /// and the last ones and some between. What it says of types is a guess; nothing relies on it but defaults.
    ///
    /// # Errors
    /// When the filter is not valid, the user may not read, or the server fails or is too slow.
    pub async fn infer(&self, filter: &Document) -> Result<Vec<SourceColumn>, MongoError> {
        infer::infer(self, filter).await
    }

    /// Copies the documents that match `filter` into a snapshot in the folder `dir`, in place of one that is there;
    /// `workers` ranges of `_id` are read at the same time. `progress` is reported the rows written and the bytes of BSON
    /// read so far. Dropping the future leaves no file behind.
    ///
    /// # Errors
    /// When a wanted name is barkeep's own, the collection cannot be read by `_id`, the server fails more often than
    /// is tried again, fewer documents are read than there are, none has a wanted field, or the snapshot cannot be
    /// written. A damaged document is no error.
    pub async fn extract(
        &self,
        filter: &Document,
        wanted: &[Wanted],
        dir: &Path,
        workers: NonZeroUsize,
        progress: impl Fn(u64, u64) + Send + Sync,
    ) -> Result<MongoSnapshot, MongoError> {
        extract::extract(self, filter, wanted, dir, workers, &progress).await
    }
}
