//! Commands to the server: each with its own time limit, none that writes, and errors distinguished in plain words.

use std::future::Future;
use std::time::Duration;

use futures::TryStreamExt;
use mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};

use super::call::Call;
use super::connection::Connection;
use super::error::{MongoError, Words};
use super::reader::Reader;

/// How much longer than the server's own limit barkeep waits for its answer.
const GRACE: Duration = Duration::from_secs(5);

/// Waits before a command that failed is tried again; there are as many further tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// The server gave up because of `maxTimeMS`.
const MAX_TIME_EXPIRED: i32 = 50;
const UNAUTHORIZED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;

/// Errors of the server that pass: elections, shutdowns, the network.
const TRANSIENT: [i32; 15] = [6, 7, 89, 91, 112, 134, 189, 262, 317, 358, 9001, 10107, 11600, 11602, 13435];
const NOT_PRIMARY_OR_SECONDARY: i32 = 13436;

/// Runs a command that has one answer; one that fails for a passing reason is tried again.
pub(super) async fn run(
    connection: &Connection,
    database: &str,
    call: Call<'_>,
    command: &Document,
) -> Result<Document, MongoError> {
    let database = connection.client().database(database);
    let name = command.keys().next().map_or("", String::as_str);
    again(connection, call, name, || async { database.run_command(command.clone()).await }).await
}

/// Runs a command that answers with documents, and returns those of its first batch as they came; one that fails for
/// a passing reason is tried again.
pub(super) async fn first_batch(
    connection: &Connection,
    database: &str,
    call: Call<'_>,
    command: &RawDocumentBuf,
) -> Result<RawBatch, MongoError> {
    let database = connection.client().database(database);
    let batch = again(connection, call, name(command), || async {
        database.run_raw_cursor_command(command.clone()).batch().await?.try_next().await
    })
    .await?;
    batch.ok_or_else(|| connection.nonsense(call.what, "it has no batch of documents".to_owned()))
}

/// A cursor over what a command answers with. Opening it is tried again when it fails for a passing reason.
pub(super) async fn cursor(
    connection: &Connection,
    database: &str,
    call: Call<'_>,
    command: &RawDocumentBuf,
) -> Result<RawBatchCursor, MongoError> {
    let database = connection.client().database(database);
    again(connection, call, name(command), || async { database.run_raw_cursor_command(command.clone()).batch().await })
        .await
}

/// What a cursor or another part of a call answers, where it comes in time.
pub(super) async fn in_time<T>(
    connection: &Connection,
    call: Call<'_>,
    answer: impl Future<Output = mongodb::error::Result<T>>,
) -> Result<T, MongoError> {
    match tokio::time::timeout(call.limit + GRACE, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(connection.explain(call, &error)),
        Err(_) => Err(connection.timeout(call)),
    }
}

/// All documents an aggregation answers with; one that fails for a passing reason is tried again from its start.
pub(super) async fn aggregate(
    reader: &Reader,
    call: Call<'_>,
    pipeline: &[Document],
) -> Result<Vec<RawDocumentBuf>, MongoError> {
    let Reader { connection, database, collection } = reader;
    let command = doc! {
        "aggregate": collection,
        "pipeline": pipeline.to_vec(),
        "cursor": { "batchSize": 100_000 },
        "allowDiskUse": true,
        "maxTimeMS": call.max_time_ms(),
        "readConcern": { "level": connection.server().topology.read_concern() },
    };
    all(connection, database, call, &command).await
}

/// All documents that a command with a cursor answers with; one that fails for a passing reason is tried again from its
/// start.
pub(super) async fn all(
    connection: &Connection,
    database: &str,
    call: Call<'_>,
    command: &Document,
) -> Result<Vec<RawDocumentBuf>, MongoError> {
    let database = connection.client().database(database);
    let name = command.keys().next().map_or("", String::as_str);
    again(connection, call, name, || async {
        let mut batches = database.run_cursor_command(command.clone()).batch().await?;
        let mut documents = Vec::new();
        while let Some(batch) = batches.try_next().await? {
            for value in batch.doc_slices()? {
                documents.extend(value?.as_document().map(ToOwned::to_owned));
            }
        }
        Ok(documents)
    })
    .await
}

/// What a command is called: its first field.
pub(crate) fn name(command: &RawDocument) -> &str {
    command.iter_elements().next().and_then(Result::ok).map_or("", |element| element.key().as_str())
}

async fn again<T, F>(
    connection: &Connection,
    call: Call<'_>,
    name: &str,
    attempt: impl Fn() -> F,
) -> Result<T, MongoError>
where
    F: Future<Output = mongodb::error::Result<T>>,
{
    let mut pauses = PAUSES.into_iter().take(if call.patient { PAUSES.len() } else { 0 });
    loop {
        connection.sends(name);
        let outcome = tokio::time::timeout(call.limit + GRACE, attempt()).await;
        let error = match outcome {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) if !is_transient(&error) => return Err(connection.explain(call, &error)),
            Ok(Err(error)) => connection.explain(call, &error),
            Err(_) => connection.timeout(call),
        };
        let Some(pause) = pauses.next() else { return Err(error) };
        tracing::warn!(what = call.what, %error, "the server failed, trying again");
        tokio::time::sleep(pause).await;
    }
}

/// Whether a command that failed this way may succeed when it is tried again.
fn is_transient(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::ServerSelection { .. } => true,
        ErrorKind::Command(command) => TRANSIENT.contains(&command.code) || command.code == NOT_PRIMARY_OR_SECONDARY,
        _ => error.contains_label(mongodb::error::RETRYABLE_ERROR),
    }
}

impl Connection {
    /// The error for `error`, which the driver gave for `call`.
    pub(super) fn explain(&self, call: Call<'_>, error: &Error) -> MongoError {
        let server = self.redacted().to_owned();
        let source = self.words(error);
        match (&*error.kind, source.code) {
            (_, Some(MAX_TIME_EXPIRED)) => self.timeout(call),
            (_, Some(UNAUTHORIZED)) => MongoError::Unauthorized { server, what: call.what.to_owned(), source },
            (_, Some(AUTHENTICATION_FAILED)) | (ErrorKind::Authentication { .. }, _) => {
                MongoError::Credentials { server, source }
            }
            (ErrorKind::DnsResolve { .. }, _) => MongoError::Dns { server, source },
            (ErrorKind::InvalidTlsConfig { .. }, _) => MongoError::Tls { server, source },
            (ErrorKind::ServerSelection { .. }, _) => unreachable(server, source),
            _ => MongoError::Server { server, what: call.what.to_owned(), source },
        }
    }

    /// The error for a call that took too long.
    pub(super) fn timeout(&self, call: Call<'_>) -> MongoError {
        MongoError::Timeout {
            server: self.redacted().to_owned(),
            what: call.what.to_owned(),
            seconds: call.limit.as_secs(),
        }
    }

    /// The error for an answer of the wrong shape.
    pub(super) fn nonsense(&self, what: &str, reason: String) -> MongoError {
        MongoError::Answer { server: self.redacted().to_owned(), what: what.to_owned(), reason }
    }
}

/// Why no server was found: the driver tells it in the text of the last failure of each server only.
fn unreachable(server: String, source: Words) -> MongoError {
    let text = source.text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["certificate", "tls", "handshake", "corrupt message", "unknownissuer"]) {
        MongoError::Tls { server, source }
    } else if says(&["lookup address", "name or service not known", "dns", "no record found"]) {
        MongoError::Dns { server, source }
    } else if says(&["connection refused"]) {
        MongoError::Refused { server, source }
    } else {
        MongoError::Unreachable { server, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::mongodb::redact::Secrets;
    use crate::source::mongodb::words::words;

    fn kind(text: &str) -> &'static str {
        match unreachable("s".to_owned(), Words { text: text.to_owned(), code: None }) {
            MongoError::Tls { .. } => "tls",
            MongoError::Dns { .. } => "dns",
            MongoError::Refused { .. } => "refused",
            MongoError::Unreachable { .. } => "unreachable",
            _ => "other",
        }
    }

    #[test]
    fn words_of_the_driver_lose_their_secrets() {
        let secrets = Secrets::of_uri("mongodb://u:hunter2@h/");
        let error = Error::from(std::io::Error::other("cannot use mongodb://u:hunter2@h/ nor hunter2"));
        let text = words(&secrets, &error).text;
        assert!(text.contains("mongodb://<hidden>@h/ nor <hidden>"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_reason_no_server_was_found_is_read_from_the_last_failures() {
        for (text, expected) in [
            ("Error: Kind: I/O error: Connection refused (os error 111)", "refused"),
            ("Error: Kind: I/O error: failed to lookup address information: Name or service not known", "dns"),
            ("Error: Kind: I/O error: invalid peer certificate: UnknownIssuer", "tls"),
            ("Error: Kind: I/O error: received corrupt message of type InvalidContentType", "tls"),
            ("Error: Kind: I/O error: unexpected end of file", "unreachable"),
            ("No available servers", "unreachable"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
