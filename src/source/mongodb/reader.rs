//! The way into one collection: looks, samples and copies. There is no method that writes.

use std::sync::Arc;

use super::connection::Connection;

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
}
