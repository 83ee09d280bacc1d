//! The server as the protocol sees it: commands that write, commands that read, and replies that may never come.
//!
//! The protocol knows a server by this trait only, so that the same code runs against a real one and, in tests, against a
//! simulated one that loses, delays and repeats what it is sent.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use mongodb::bson::raw::{CStr, cstr};
use mongodb::bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};

use super::error::QuarantineError;

/// The code of a key that is there already.
pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// A database of a server.
#[async_trait]
pub(super) trait Server: Debug + Send + Sync {
    /// Sends a write with the strongest write concern there is: journaled, and by a majority where there is one.
    ///
    /// # Errors
    /// The server refuses the command as a whole.
    async fn write(&self, doing: &str, command: RawDocumentBuf) -> Result<Outcome, QuarantineError>;

    /// Runs a command that reads or makes nothing but an answer. What cannot be read is asked again.
    async fn ask(&self, doing: &str, command: Document) -> Result<Document, QuarantineError>;

    /// The documents that `filter` selects, as the majority of the members has them. What cannot be read is asked again.
    async fn read(
        &self,
        doing: &str,
        collection: &str,
        filter: RawDocumentBuf,
        projection: Option<Document>,
    ) -> Result<Vec<RawDocumentBuf>, QuarantineError>;

    /// Waits before a further attempt; the first one waits for nothing.
    async fn pause(&self, attempt: u32);
}

/// What became of a write.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The server says what it did.
    Known(Written),
    /// Nobody knows: the reply was lost, or the write may be taken back.
    Unknown(String),
}

/// What the server says it did.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// What it refused, by index of the statement.
    pub(super) errors: BTreeMap<usize, WriteError>,
}

/// Why the server refused one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WriteError {
    /// Its code.
    pub(super) code: i32,
    /// What it says.
    pub(super) message: String,
}

impl dyn Server + '_ {
    /// [`Server::read`] with a filter whose values this machine can write.
    pub(super) async fn find(
        &self,
        doing: &str,
        collection: &str,
        filter: Document,
        projection: Option<Document>,
    ) -> Result<Vec<RawDocumentBuf>, QuarantineError> {
        let filter = RawDocumentBuf::try_from(&filter).map_err(|error| QuarantineError::encode(doing, &error))?;
        self.read(doing, collection, filter, projection).await
    }

    /// What time it is on the server, µs UTC.
    pub(super) async fn now(&self) -> Result<i64, QuarantineError> {
        let doing = "ask the server for its clock";
        let reply = self.ask(doing, doc! { "hello": 1 }).await?;
        let time = reply.get_datetime("localTime").map_err(|error| QuarantineError::encode(doing, &error))?;
        Ok(time.timestamp_millis().saturating_mul(1000))
    }

    /// The UUID that the collection `name` has now; `None` where there is no such collection.
    pub(super) async fn uuid_of(&self, name: &str) -> Result<Option<[u8; 16]>, QuarantineError> {
        let list = doc! { "listCollections": 1, "filter": { "name": name }, "cursor": {} };
        let reply = self.ask("look whether the collection is the same", list).await?;
        let entry = first_batch(&reply).find(|entry| entry.get_str("name").ok() == Some(name));
        let uuid = entry.and_then(|entry| entry.get_document("info").ok()).and_then(|info| info.get("uuid"));
        Ok(match uuid {
            Some(Bson::Binary(binary)) => <[u8; 16]>::try_from(binary.bytes.as_slice()).ok(),
            _ => None,
        })
    }
}

/// The documents of a reply with a cursor.
pub(super) fn first_batch(reply: &Document) -> impl Iterator<Item = &Document> {
    let batch = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    batch.into_iter().flatten().filter_map(Bson::as_document)
}

/// A command of the server: its name with the collection, and a list of statements.
pub(super) fn batch(
    name: &CStr,
    collection: &str,
    field: &CStr,
    statements: impl IntoIterator<Item = RawDocumentBuf>,
    ordered: bool,
) -> RawDocumentBuf {
    let mut list = mongodb::bson::RawArrayBuf::new();
    for statement in statements {
        list.push(&*statement);
    }
    let mut command = RawDocumentBuf::new();
    command.append(name, collection);
    command.append(field, &*list);
    command.append(cstr!("ordered"), ordered);
    command
}

/// One statement of an update command.
pub(super) fn update(filter: Document, change: Document, multi: bool) -> Result<RawDocumentBuf, QuarantineError> {
    let statement = doc! { "q": filter, "u": change, "multi": multi };
    RawDocumentBuf::try_from(&statement).map_err(|error| QuarantineError::encode("write an update", &error))
}

/// The text of a field, or nothing.
pub(super) fn text<'a>(document: &'a RawDocument, field: &str) -> &'a str {
    document.get_str(field).unwrap_or_default()
}
