//! A client with its counters: opened only after its URI was evaluated and the server answered, closed with a count.

use std::fmt;

use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{ServerAddress, Tls};

use super::address::{self, Address, is_loopback};
use super::command::{self, Call};
use super::error::{MongoError, Words};
use super::redact::Secrets;
use super::usage::{ConnectionUse, Counter};

/// The largest document of a server that does not tell, in bytes.
const MAX_DOCUMENT: u64 = 16 << 20;

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
    client: Client,
    counter: Counter,
    secrets: Secrets,
    redacted: String,
    encrypted: bool,
    server: ServerInfo,
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
    /// Evaluates the URI, connects, and asks the server who it is.
    ///
    /// # Errors
    /// When the URI does not parse, has an unknown option, weakens the write concern or is not safe; when the host
    /// has no address, refuses, does not speak TLS as asked, does not accept the credentials, or does not answer.
    pub async fn open(address: &Address) -> Result<Self, MongoError> {
        let target = address::target(address).await?;
        let counter = Counter::default();
        let mut options = target.options;
        let encrypted = matches!(options.tls, Some(Tls::Enabled(_)));
        options.cmap_event_handler = Some(counter.handler());
        let client = Client::with_options(options)
            .map_err(|error| MongoError::Uri { reason: command::words(&target.secrets, &error).text })?;
        let server =
            ServerInfo { version: String::new(), topology: Topology::Standalone, max_document_bytes: MAX_DOCUMENT };
        let (secrets, redacted) = (target.secrets, target.redacted);
        let mut connection = Self { client, counter, secrets, redacted, encrypted, server };
        let met = connection.meet(target.standalone_only, target.loopback_only).await;
        match met {
            Ok(server) => connection.server = server,
            Err(error) => {
                connection.close().await;
                return Err(error);
            }
        }
        Ok(connection)
    }

    async fn meet(
        &self,
        standalone_only: Option<&'static str>,
        loopback_only: Option<&'static str>,
    ) -> Result<ServerInfo, MongoError> {
        let hello = command::run(self, "admin", Call::first("greet the server"), &doc! { "hello": 1 }).await?;
        let topology = topology(&hello);
        if let Some(option) = standalone_only
            && topology != Topology::Standalone
        {
            let needed = "a majority and its journals";
            return Err(MongoError::WeakWriteConcern { option: option.to_owned(), needed });
        }
        // The driver goes on to the members the replica set names, wherever they are.
        if let Some(reason) = loopback_only
            && let Some(host) =
                members(&hello).find(|host| !ServerAddress::parse(host).is_ok_and(|it| is_loopback(&it)))
        {
            return Err(MongoError::Plaintext { host: host.to_owned(), reason });
        }
        let build = command::run(self, "admin", Call::short("ask its version"), &doc! { "buildInfo": 1 }).await?;
        Ok(ServerInfo {
            version: build.get_str("version").unwrap_or("unknown").to_owned(),
            topology,
            max_document_bytes: hello
                .get("maxBsonObjectSize")
                .and_then(integer)
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or(MAX_DOCUMENT),
        })
    }

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
        if tokio::time::timeout(command::SHORT, closed).await.is_err() {
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
        command::words(&self.secrets, error)
    }
}

fn topology(hello: &Document) -> Topology {
    match (hello.get_str("setName"), hello.get_str("msg")) {
        (Ok(name), _) => Topology::ReplicaSet(name.to_owned()),
        (_, Ok("isdbgrid")) => Topology::Sharded,
        _ => Topology::Standalone,
    }
}

/// The members of a replica set that answer reads or writes.
fn members(hello: &Document) -> impl Iterator<Item = &str> {
    let list = |name| hello.get_array(name).into_iter().flatten().filter_map(Bson::as_str);
    list("hosts").chain(list("passives"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topology_is_read_from_the_greeting() {
        assert_eq!(topology(&doc! { "isWritablePrimary": true }), Topology::Standalone);
        assert_eq!(topology(&doc! { "setName": "rs0", "hosts": ["a:1"] }), Topology::ReplicaSet("rs0".to_owned()));
        assert_eq!(topology(&doc! { "msg": "isdbgrid" }), Topology::Sharded);
        assert_eq!(Topology::Standalone.read_concern(), "local");
        assert_eq!(Topology::Sharded.read_concern(), "majority");
    }

    #[test]
    fn members_of_a_replica_set_are_hosts_and_passives() {
        let hello = doc! { "hosts": ["a:1", "b:2"], "passives": ["c:3"], "arbiters": ["d:4"] };
        assert_eq!(members(&hello).collect::<Vec<_>>(), ["a:1", "b:2", "c:3"]);
        assert_eq!(members(&doc! {}).count(), 0);
    }
}
