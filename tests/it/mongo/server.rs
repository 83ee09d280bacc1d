//! Servers for the tests: a standalone and a replica set of one member, started once a test process on free ports of
//! this machine.
//!
//! Each runs below a shell that waits for the end of this process, stops exactly that server by its id, and removes its
//! folder, so that nothing stays behind even where the tests are killed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::Hint;
use mongodb::{Client, Collection};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use super::wire::Wire;

/// What kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Standalone,
    ReplicaSet,
    /// A standalone that asks who one is.
    Secured,
    /// A standalone that speaks TLS only.
    Encrypted,
}

/// The kinds that every test of moving rows is for.
pub(crate) const KINDS: [Kind; 2] = [Kind::Standalone, Kind::ReplicaSet];

/// The password of every user of a secured server.
pub(crate) const PASSWORD: &str = "hunter2-hunter2";

/// A server that runs.
pub(crate) struct Server {
    uri: String,
    client: Client,
    /// Its end of the pipe tells the shell that this process is still there.
    _shell: Option<Child>,
}

/// A server has one fail point for commands: those who set it take turns.
pub(crate) static FAIL_POINT: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static SERVERS: [OnceLock<Option<Server>>; 4] = [const { OnceLock::new() }; 4];
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// The runtime of all helpers here.
pub(crate) fn runtime() -> &'static Runtime {
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap())
}

impl Server {
    /// The server of a kind; `None`, and a line that says so, where none can be had. In CI that is a failure.
    pub(crate) fn get(kind: Kind) -> Option<&'static Self> {
        let server = SERVERS[kind as usize].get_or_init(|| {
            let server = Self::find(kind);
            if server.is_none() {
                assert!(std::env::var_os("CI").is_none(), "in CI a server must be there ({kind:?})");
                eprintln!("left out: no MongoDB server ({kind:?}); set BARKEEP_MONGOD or MONGODB_URI");
            }
            server
        });
        server.as_ref()
    }

    /// A server that a test started by itself; it is never taken away.
    pub(crate) fn at(uri: &str) -> &'static Self {
        let client = runtime().block_on(Client::with_uri_str(uri).into_future()).unwrap();
        Box::leak(Box::new(Self { uri: uri.to_owned(), client, _shell: None }))
    }

    fn find(kind: Kind) -> Option<Self> {
        if let Ok(uri) = std::env::var("MONGODB_URI") {
            let client = runtime().block_on(Client::with_uri_str(&uri)).unwrap();
            let hello =
                runtime().block_on(client.database("admin").run_command(doc! { "hello": 1 }).into_future()).unwrap();
            let found = if hello.contains_key("setName") { Kind::ReplicaSet } else { Kind::Standalone };
            if !KINDS.contains(&kind) {
                return None;
            }
            return (found == kind).then(|| Self { uri, client, _shell: None });
        }
        let program = std::env::var_os("BARKEEP_MONGOD").map_or_else(|| PathBuf::from("mongod"), PathBuf::from);
        Command::new(&program).arg("--version").output().ok().filter(|output| output.status.success())?;
        // A port that was free may be taken before the server has it.
        (0..5).find_map(|_| Self::start(kind, &program))
    }

    fn start(kind: Kind, program: &std::path::Path) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("barkeep-mongod-").tempdir().unwrap().keep();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let script = "dir=$1; shift; \"$@\" & pid=$!; cat > /dev/null; kill -TERM $pid; wait $pid; rm -rf \"$dir\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&dir).arg(program);
        command.args(["--dbpath".as_ref(), dir.as_os_str(), "--logpath".as_ref(), dir.join("log").as_os_str()]);
        command.args(["--port", &port, "--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.5"]);
        command.args(["--setParameter", "enableTestCommands=1"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        match kind {
            Kind::Standalone => {}
            Kind::ReplicaSet => _ = command.args(["--replSet", "rs0"]),
            Kind::Secured => _ = command.arg("--auth"),
            Kind::Encrypted => {
                certify(&dir, "127.0.0.1");
                command.args(["--tlsMode", "requireTLS", "--tlsCertificateKeyFile"]).arg(dir.join("server.pem"));
            }
        }
        // Ctrl-C is for the tests: the shell ends after them, when it has removed the folder.
        command.process_group(0);
        let shell = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let options = match kind {
            Kind::Standalone | Kind::Secured => String::new(),
            Kind::ReplicaSet => "?replicaSet=rs0".to_owned(),
            Kind::Encrypted => format!("?tls=true&tlsCAFile={}", dir.join("ca.pem").display()),
        };
        let mut uri = format!("mongodb://127.0.0.1:{port}/{options}");
        let join = if options.is_empty() { "?" } else { "&" };
        let direct =
            format!("{uri}{join}serverSelectionTimeoutMS=20000").replace("replicaSet=rs0", "directConnection=true");
        runtime().block_on(async {
            let mut client = Client::with_uri_str(&direct).await.unwrap();
            if kind == Kind::Secured {
                // Who comes from this machine may make the first user, and nothing else.
                let first = doc! { "createUser": "first", "pwd": PASSWORD, "roles": ["root"] };
                client.database("admin").run_command(first).await.ok()?;
                let known = |uri: &str| uri.replacen("://", &format!("://first:{PASSWORD}@"), 1);
                client = Client::with_uri_str(&known(&direct)).await.unwrap();
                uri = known(&uri);
            }
            let admin = client.database("admin");
            let options = admin.run_command(doc! { "getCmdLineOpts": 1 }).await.ok()?;
            let storage = options.get_document("parsed").and_then(|parsed| parsed.get_document("storage")).ok()?;
            if storage.get_str("dbPath").ok()? != dir.to_str().unwrap() {
                // Another server was quicker to take the port.
                return None;
            }
            if kind == Kind::ReplicaSet {
                let member = doc! { "_id": 0, "host": format!("127.0.0.1:{port}") };
                let config = doc! { "_id": "rs0", "members": [member] };
                admin.run_command(doc! { "replSetInitiate": config }).await.unwrap();
                let began = Instant::now();
                while !admin.run_command(doc! { "hello": 1 }).await.unwrap().get_bool("isWritablePrimary").unwrap() {
                    assert!(began.elapsed() < Duration::from_mins(1), "no primary");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Some(Self { uri, client, _shell: Some(shell) })
        })
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> String {
        let rest = self.uri.strip_prefix("mongodb://").unwrap();
        let hosts = rest.split(['/', '?']).next().unwrap();
        hosts.rsplit('@').next().unwrap().to_owned()
    }

    /// How to reach it.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// A database of a test's own, gone when it is dropped.
    pub(crate) fn database(&'static self) -> Database {
        let number = DATABASES.fetch_add(1, Ordering::SeqCst);
        let name = format!("barkeep_{}_{}", std::process::id(), number);
        Database { server: self, name }
    }
}

/// Writes `ca.pem`, and `server.pem` with its key for a server called `name`, which it signed.
pub(crate) fn certify(folder: &std::path::Path, name: &str) {
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(folder.join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let server = CertificateParams::new([name.to_owned()]).unwrap();
    let server = server.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    std::fs::write(folder.join("server.pem"), format!("{}{}", server.pem(), key.serialize_pem())).unwrap();
}

/// A database of a test's own.
pub(crate) struct Database {
    pub(crate) server: &'static Server,
    pub(crate) name: String,
}

impl Database {
    /// The URI for barkeep: its commands are reported from those of others by their application name.
    pub(crate) fn uri(&self) -> String {
        let join = if self.server.uri.contains('?') { "&" } else { "?" };
        format!("{}{join}appName={}", self.server.uri, self.name)
    }

    /// The same for a user of this database.
    pub(crate) fn uri_of(&self, user: &str, password: &str) -> String {
        let address = self.server.address();
        format!("mongodb://{user}:{password}@{address}/?authSource={}&appName={}", self.name, self.name)
    }

    /// The same over a wire that can fail.
    pub(crate) fn uri_over(&self, wire: &Wire) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true&appName={}", wire.port, self.name)
    }

    /// A client of its own for a thread.
    pub(crate) fn client(&self) -> Client {
        self.server.client.clone()
    }

    fn handle(&self, collection: &str) -> Collection<RawDocumentBuf> {
        self.server.client.database(&self.name).collection(collection)
    }

    pub(crate) fn insert(&self, collection: &str, documents: &[RawDocumentBuf]) {
        let collection = self.handle(collection);
        for chunk in documents.chunks(5000) {
            runtime().block_on(collection.insert_many(chunk).into_future()).unwrap();
        }
    }

    /// Inserts documents whose `_id` the driver cannot read.
    pub(crate) fn insert_as_they_are(&self, collection: &str, documents: &[RawDocumentBuf]) {
        let mut list = mongodb::bson::RawArrayBuf::new();
        for document in documents {
            list.push(&**document);
        }
        let mut command = RawDocumentBuf::new();
        command.append(mongodb::bson::raw::cstr!("insert"), collection);
        command.append(mongodb::bson::raw::cstr!("documents"), &*list);
        let database = self.server.client.database(&self.name);
        let reply = runtime().block_on(database.run_raw_command(command).into_future()).unwrap();
        assert!(!reply.contains_key("writeErrors"), "{reply}");
    }

    /// All documents, in the order of `_id`.
    pub(crate) fn documents(&self, collection: &str) -> Vec<RawDocumentBuf> {
        let collection = self.handle(collection);
        runtime().block_on(async {
            let by_id = Hint::Keys(doc! { "_id": 1 });
            let cursor = collection.find(doc! {}).hint(by_id).sort(doc! { "_id": 1 }).await.unwrap();
            cursor.try_collect().await.unwrap()
        })
    }

    pub(crate) fn count(&self, collection: &str, filter: Document) -> u64 {
        runtime().block_on(self.handle(collection).count_documents(filter).into_future()).unwrap()
    }

    /// Runs a command; write errors are a failure.
    pub(crate) fn command(&self, command: Document) -> Document {
        let reply = runtime().block_on(self.server.client.database(&self.name).run_command(command).into_future());
        let reply = reply.unwrap();
        assert!(!reply.contains_key("writeErrors"), "{reply}");
        reply
    }

    /// SHA-256 over all documents in the order of `_id`: the collection byte for byte.
    pub(crate) fn digest(&self, collection: &str) -> String {
        let mut hash = Sha256::new();
        self.documents(collection).iter().for_each(|document| hash.update(document.as_bytes()));
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    /// Lets the server write down every command to this database, until the result is read.
    pub(crate) fn watch(&self) -> Watch<'_> {
        self.command(doc! { "profile": 0 });
        let profile = self.server.client.database(&self.name).collection::<Document>("system.profile");
        runtime().block_on(profile.drop().into_future()).unwrap();
        self.command(doc! { "profile": 2 });
        Watch { database: self }
    }

    /// Makes commands of this database's barkeep fail until the result is dropped.
    pub(crate) fn fail(&self, commands: &[&str], mode: impl Into<Bson>, data: Document) -> FailPoint {
        let guard = FAIL_POINT.blocking_lock();
        let mut data = data;
        data.insert("failCommands", commands.to_vec());
        data.insert("appName", &self.name);
        let command = doc! { "configureFailPoint": "failCommand", "mode": mode.into(), "data": data };
        self.admin(command);
        FailPoint { server: self.server, _guard: guard }
    }

    /// Runs a command that is not this database's.
    pub(crate) fn admin(&self, command: Document) -> Document {
        runtime().block_on(self.server.client.database("admin").run_command(command).into_future()).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let database = self.server.client.database(&self.name);
        // A test that fails is not to fail once more here.
        drop(runtime().block_on(database.drop().into_future()));
    }
}

/// A server that writes down every command to a database.
pub(crate) struct Watch<'a> {
    database: &'a Database,
}

impl Watch<'_> {
    /// How often barkeep sent each command, by name.
    pub(crate) fn commands(self) -> BTreeMap<String, u64> {
        self.database.command(doc! { "profile": 0 });
        let profile =
            self.database.server.client.database(&self.database.name).collection::<Document>("system.profile");
        let seen: Vec<Document> = runtime().block_on(async {
            profile.find(doc! { "appName": &self.database.name }).await.unwrap().try_collect().await.unwrap()
        });
        let mut commands = BTreeMap::new();
        for entry in &seen {
            let name = entry.get_document("command").unwrap().keys().next().unwrap();
            *commands.entry(name.clone()).or_default() += 1;
        }
        commands
    }
}

/// A fail point that is set.
pub(crate) struct FailPoint {
    server: &'static Server,
    _guard: tokio::sync::MutexGuard<'static, ()>,
}

impl Drop for FailPoint {
    fn drop(&mut self) {
        let off = doc! { "configureFailPoint": "failCommand", "mode": "off" };
        drop(runtime().block_on(self.server.client.database("admin").run_command(off).into_future()));
    }
}

#[test]
fn a_digest_tells_a_change_of_type() {
    for server in KINDS.into_iter().filter_map(Server::get) {
        let database = server.database();
        database.insert("c", &[mongodb::bson::rawdoc! { "_id": 1, "n": 5_i32 }]);
        let before = database.digest("c");
        let update = doc! { "q": { "_id": 1 }, "u": { "$set": { "n": 5_i64 } } };
        database.command(doc! { "update": "c", "updates": [update] });
        assert_ne!(database.digest("c"), before);
    }
}
