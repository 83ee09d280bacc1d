//! Every command that goes to a real server, checked: the driver answers `Ok` in spite of write errors, and has no time-out of
//! its own for a reply.
//!
//! A write is never repeated blindly. Its outcome is known, refused, or unknown, and an unknown one is read again.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::Database;
use mongodb::bson::raw::cstr;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, rawdoc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ReadPreference, SelectionCriteria};

use super::error::QuarantineError;
use super::server::{Outcome, Server, WriteError, Written};
use crate::source::mongodb::{Connection, Topology, command_name};

/// How long a reply may take. A test may have a shorter timeout: builds with debug assertions take milliseconds from
/// `BARKEEP_REPLY_TIMEOUT_MS`.
static REPLY_TIMEOUT: LazyLock<Duration> = LazyLock::new(|| {
    let test = if cfg!(debug_assertions) { std::env::var("BARKEEP_REPLY_TIMEOUT_MS").ok() } else { None };
    test.and_then(|millis| millis.parse().ok()).map_or(Duration::from_mins(1), Duration::from_millis)
});
/// How long the server waits for the other members of a replica set.
const CONCERN_MILLIS: i64 = 30_000;
/// How often a read is asked again.
const READS: u32 = 4;

/// Documents of the first batch of a reply: all that a chunk asks for, so that one round trip is enough.
const BATCH: i32 = 10_000;
const UNAUTHORISED: i32 = 13;

/// A database that rows are moved in.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    connection: Arc<Connection>,
    database: Database,
    replicated: bool,
}

impl Commands {
    /// Commands to `database`.
    pub(super) fn new(connection: Arc<Connection>, database: &str) -> Self {
        let replicated = connection.server().topology != Topology::Standalone;
        Self { database: connection.client().database(database), connection, replicated }
    }

    fn refused(&self, doing: &str, error: &Error) -> QuarantineError {
        let (doing, reason) = (doing.to_owned(), self.words(error));
        match &*error.kind {
            ErrorKind::Command(command) if command.code == UNAUTHORISED => QuarantineError::Denied { doing, reason },
            _ => QuarantineError::Command { doing, reason },
        }
    }

    /// What an error says, without secrets and without the driver's inner state.
    fn words(&self, error: &Error) -> String {
        self.connection.words(error).text
    }

    async fn stream(
        &self,
        collection: &str,
        filter: &RawDocumentBuf,
        projection: Option<&Document>,
    ) -> Result<Vec<RawDocumentBuf>, Error> {
        let mut command = rawdoc! { "find": collection, "filter": filter.clone(), "batchSize": BATCH };
        if let Some(projection) = projection {
            command.append(cstr!("projection"), RawDocumentBuf::try_from(projection)?);
        }
        if filter.iter_elements().flatten().any(|element| element.key().as_str() == "_id") {
            command.append(cstr!("hint"), rawdoc! { "_id": 1 });
        }
        if self.replicated {
            command.append(cstr!("readConcern"), rawdoc! { "level": "majority" });
        }
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let mut batches = self.database.run_raw_cursor_command(command).selection_criteria(primary).batch().await?;
        let mut documents = Vec::new();
        while let Some(batch) = batches.try_next().await? {
            for value in batch.doc_slices()? {
                documents.extend(value?.as_document().map(ToOwned::to_owned));
            }
        }
        Ok(documents)
    }
}

#[async_trait]
impl Server for Commands {
    async fn write(&self, doing: &str, mut command: RawDocumentBuf) -> Result<Outcome, QuarantineError> {
        let concern = match self.replicated {
            true => doc! { "w": "majority", "j": true, "wtimeout": CONCERN_MILLIS },
            false => doc! { "w": 1, "j": true },
        };
        let concern = RawDocumentBuf::try_from(&concern).map_err(|error| QuarantineError::encode(doing, &error))?;
        command.append(cstr!("writeConcern"), &*concern);
        // The server gives up before this side does: it must not go on for nobody.
        command.append(cstr!("maxTimeMS"), max_time_millis());
        self.connection.sends(command_name(&command));
        match tokio::time::timeout(*REPLY_TIMEOUT, self.database.run_raw_command(command)).await {
            Err(_) => Ok(Outcome::Unknown(no_reply())),
            Ok(Ok(reply)) => Ok(outcome(&reply)),
            Ok(Err(error)) if is_open(&error) || !is_refusal(&error) => Ok(Outcome::Unknown(self.words(&error))),
            Ok(Err(error)) => Err(self.refused(doing, &error)),
        }
    }

    async fn ask(&self, doing: &str, command: Document) -> Result<Document, QuarantineError> {
        let mut last = String::new();
        for attempt in 0..READS {
            self.pause(attempt).await;
            self.connection.sends(command.keys().next().map_or("", String::as_str));
            match tokio::time::timeout(*REPLY_TIMEOUT, self.database.run_command(command.clone())).await {
                Err(_) => last = no_reply(),
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) if is_open(&error) => last = self.words(&error),
                Ok(Err(error)) => return Err(self.refused(doing, &error)),
            }
        }
        Err(QuarantineError::Unreachable { doing: doing.to_owned(), reason: last })
    }

    async fn read(
        &self,
        doing: &str,
        collection: &str,
        filter: RawDocumentBuf,
        projection: Option<Document>,
    ) -> Result<Vec<RawDocumentBuf>, QuarantineError> {
        let mut last = String::new();
        for attempt in 0..READS {
            self.pause(attempt).await;
            self.connection.sends("find");
            let found = self.stream(collection, &filter, projection.as_ref());
            match tokio::time::timeout(*REPLY_TIMEOUT, found).await {
                Err(_) => last = no_reply(),
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error)) if is_open(&error) => last = self.words(&error),
                Ok(Err(error)) => return Err(self.refused(doing, &error)),
            }
        }
        Err(QuarantineError::Unreachable { doing: doing.to_owned(), reason: last })
    }

    async fn pause(&self, attempt: u32) {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(50 << attempt.min(6))).await;
        }
    }
}

/// How long the server may work on a write: less than this side waits for its reply.
fn max_time_millis() -> i64 {
    i64::try_from(REPLY_TIMEOUT.as_millis() * 3 / 4).unwrap_or(i64::MAX).max(1)
}

fn no_reply() -> String {
    format!("no reply for {:.1} s", REPLY_TIMEOUT.as_secs_f64())
}

/// What a reply to a write says.
fn outcome(reply: &Document) -> Outcome {
    if let Ok(concern) = reply.get_document("writeConcernError") {
        return Outcome::Unknown(concern.get_str("errmsg").unwrap_or("the write concern was not met").to_owned());
    }
    let mut written = Written::default();
    for error in reply.get_array("writeErrors").into_iter().flatten().filter_map(Bson::as_document) {
        let index = usize::try_from(count(error.get("index"))).unwrap_or(usize::MAX);
        let code = i32::try_from(count(error.get("code"))).unwrap_or(i32::MAX);
        let message = error.get_str("errmsg").unwrap_or_default().to_owned();
        written.errors.insert(index, WriteError { code, message });
    }
    Outcome::Known(written)
}

/// A count of a reply, whatever number it is.
fn count(value: Option<&Bson>) -> u64 {
    match value {
        Some(Bson::Int32(n)) => u64::try_from(*n).unwrap_or(0),
        Some(Bson::Int64(n)) => u64::try_from(*n).unwrap_or(0),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a reply are small")]
        Some(Bson::Double(n)) if *n >= 0.0 => *n as u64,
        _ => 0,
    }
}

/// Whether the command may have been carried out or may go through another time: the connection broke, the primary
/// stepped down, the server is going down, time ran out.
fn is_open(error: &Error) -> bool {
    const CODES: [i32; 17] =
        [6, 7, 50, 64, 89, 91, 112, 134, 189, 202, 262, 9001, 10_107, 11_600, 11_602, 13_435, 13_436];
    match &*error.kind {
        ErrorKind::Command(command) => CODES.contains(&command.code),
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::InvalidResponse { .. } => true,
        _ => error.contains_label("RetryableWriteError") || error.contains_label("RetryableError"),
    }
}

/// Whether the server, or the driver before anything was sent, said no. A reply that cannot be read is not a refusal.
fn is_refusal(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(_) | ErrorKind::Authentication { .. } | ErrorKind::InvalidArgument { .. })
}

#[cfg(test)]
mod tests {
    use super::super::server::DUPLICATE_KEY;
    use super::*;

    #[test]
    fn a_reply_with_write_errors_is_no_success() {
        let reply = doc! { "ok": 1, "n": 0, "writeErrors": [{ "index": 2, "code": 11000, "errmsg": "E11000" }] };
        let Outcome::Known(written) = outcome(&reply) else { panic!() };
        assert_eq!(written.errors[&2], WriteError { code: DUPLICATE_KEY, message: "E11000".into() });
    }

    #[test]
    fn a_write_that_no_majority_has_is_unknown() {
        let concern = doc! { "code": 64, "errmsg": "waiting for replication timed out" };
        let reply = doc! { "ok": 1, "n": 1, "writeConcernError": concern };
        assert!(matches!(outcome(&reply), Outcome::Unknown(reason) if reason.contains("timed out")));
    }
}
