//! Opens a connection: only after its URI was evaluated, and only once the server answered.

use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{ServerAddress, Tls};

use super::address::{self, Address, is_loopback};
use super::call::Call;
use super::command;
use super::connection::{Connection, ServerInfo, Topology, integer};
use super::error::MongoError;
use super::usage::Counter;
use super::words::words;

/// The largest document of a server that does not tell, in bytes.
const MAX_DOCUMENT: u64 = 16 << 20;

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
            .map_err(|error| MongoError::Uri { reason: words(&target.secrets, &error).text })?;
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
