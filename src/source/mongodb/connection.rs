//! A client with its counters: opened only after its URI was evaluated and the server answered, closed with a count.

use std::fmt;

use mongodb::Client;
use mongodb::bson::Bson;

use super::call::SHORT;
use super::error::Words;
use super::redact::Secrets;
use super::usage::{ConnectionUse, Counter};
use super::words::words;

/// What stands behind an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server without an oplog.
    Standalone,
    /// A replica set, with its name.
    ReplicaSet(String),
    /// A sharded cluster behind `mongos`.
    Sharded,
}

impl Topology {
    /// The read concern that shows only what stays: `majority`, on a standalone `local`.
    pub fn read_concern(&self) -> &'static str {
        match self {
            Self::Standalone => "local",
            Self::ReplicaSet(_) | Self::Sharded => "majority",
        }
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version, `6.0.5` for example.
    pub version: String,
    /// What it is part of.
    pub topology: Topology,
    /// The largest document it stores, in bytes.
    pub max_document_bytes: u64,
}

/// An open client and the counters of its connections.
pub struct Connection {
    pub(super) client: Client,
    pub(super) counter: Counter,
    pub(super) secrets: Secrets,
    pub(super) redacted: String,
    pub(super) encrypted: bool,
    pub(super) server: ServerInfo,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("server", &self.redacted)
            .field("info", &self.server)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// What became of the connections so far.
    pub fn usage(&self) -> ConnectionUse {
        self.counter.counts()
    }

    /// What the server said of itself when the connection was opened.
    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// Whether what is sent is encrypted by TLS.
    pub fn encrypted(&self) -> bool {
        self.encrypted
    }

    /// Ends the sessions, closes every connection and waits until that is done: afterwards as many are closed as
    /// were opened, unless the server holds one for more than half a minute. Calls after it fail.
    pub async fn close(&self) -> ConnectionUse {
        let closed = async {
            self.client.clone().shutdown().await;
            self.counter.all_closed().await;
        };
        if tokio::time::timeout(SHORT, closed).await.is_err() {
            tracing::warn!(server = self.redacted, "connections are still open half a minute after they were to close");
        }
        self.usage()
    }

    /// `mongodb://host:port` or `mongodb+srv://name`: never credentials or options.
    pub fn redacted(&self) -> &str {
        &self.redacted
    }

    /// The driver's client, for those who move rows.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Counts a command: whoever uses the client says what is sent through it.
    pub(crate) fn sends(&self, command: &str) {
        self.counter.sends(command);
    }

    /// What the driver says in `error`, without secrets: nothing else of a driver's error may be shown.
    pub(crate) fn words(&self, error: &mongodb::error::Error) -> Words {
        words(&self.secrets, error)
    }
}

/// A whole number, whatever type the server gave it.
pub(super) fn integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        #[expect(clippy::cast_possible_truncation, reason = "casts saturate, and the server counts in whole numbers")]
        Bson::Double(number) => Some(*number as i64),
        _ => None,
    }
}
