//! A project over a collection: a job, a rule, and barkeep called as a person calls it.

use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, DateTime, Document, doc};
use sha2::{Digest, Sha256};

use super::quotes::{QUOTES, indexes, quotes};
use super::server::{Database, KINDS, Kind, Server};
use crate::cli_support::{Project, Told};

/// The quarantine of [`QUOTES`].
pub(crate) const QUARANTINE: &str = "stock_daily_quotes_quarantine";

pub(crate) const JOB: &str = r#"name = "quotes"
rules = ["rules.toml"]

[source.mongodb]
uri = "${BARKEEP_TEST_URI}"
database = "${BARKEEP_TEST_DATABASE}"
collection = "stock_daily_quotes"
filter = { period = "daily" }

[bars]
series = ["symbol", "data_source"]
interval = "1d"
time = { field = "trade_date", formats = ["%Y-%m-%d", "%Y%m%d"] }

[report]
dir = "reports"

[limits]
rows = 100_000
fraction = 0.9
series_fraction = 1.0
"#;

const RULES: &str = r#"[[rule]]
id = "trade-date"
check = "date-format"
action = "quarantine"
why = "the number of a row is not a date"
"#;

/// A database with quotes, and a project that reads them.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) project: Project,
    pub(crate) original: Vec<RawDocumentBuf>,
}

impl World {
    /// A world with so many good quotes, good ones under compact dates, and bad ones.
    pub(crate) fn new(server: &'static Server, good: usize, compact: usize, bad: usize) -> Self {
        let database = server.database();
        database.insert(QUOTES, &quotes(good, compact, bad));
        database.command(indexes());
        let project = Project::empty();
        project.write("job.toml", JOB);
        project.write("rules.toml", RULES);
        let original = database.documents(QUOTES);
        Self { database, project, original }
    }

    /// Runs `test` in such a world on each kind of server there is.
    pub(crate) fn each(good: usize, compact: usize, bad: usize, test: impl Fn(Self)) {
        Self::each_kind(&KINDS, good, compact, bad, test);
    }

    /// The same on some kinds of server.
    pub(crate) fn each_kind(kinds: &[Kind], good: usize, compact: usize, bad: usize, test: impl Fn(Self)) {
        for server in kinds.iter().copied().filter_map(Server::get) {
            test(Self::new(server, good, compact, bad));
        }
    }

    /// barkeep, ready to be called.
    pub(crate) fn command(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = self.project.command(args);
        command.env("BARKEEP_TEST_URI", self.database.uri()).env("BARKEEP_TEST_DATABASE", &self.database.name);
        command
    }

    /// Calls barkeep.
    pub(crate) fn call(&self, args: &[&str]) -> Told {
        self.project.output(self.command(args).output().unwrap())
    }

    /// barkeep, running.
    pub(crate) fn process(&self, args: &[&str]) -> std::process::Child {
        self.spawn(args, std::process::Stdio::null())
    }

    /// barkeep, running, with its output where a test wants it.
    pub(crate) fn spawn(&self, args: &[&str], output: std::process::Stdio) -> std::process::Child {
        let mut command = self.project.process(args);
        command.env("BARKEEP_TEST_URI", self.database.uri()).env("BARKEEP_TEST_DATABASE", &self.database.name);
        command.stdout(output).stderr(std::process::Stdio::null()).spawn().unwrap()
    }

    /// barkeep, running, with all it says kept for the test.
    pub(crate) fn spawn_output(&self, args: &[&str]) -> std::process::Child {
        let mut command = self.project.process(args);
        command.env("BARKEEP_TEST_URI", self.database.uri()).env("BARKEEP_TEST_DATABASE", &self.database.name);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    }

    /// Calls barkeep so that it ends at a crash point; what it leaves behind is not looked at.
    pub(crate) fn crash(&self, args: &[&str], at: &str) -> bool {
        let output = self.command(args).env("BARKEEP_CRASH_AT", at).output().unwrap();
        self.project.tidy();
        output.status.code().is_none()
    }

    /// Makes a plan and returns its file and its confirmation.
    pub(crate) fn plan(&self) -> (String, String) {
        self.plan_at(&self.database.uri())
    }

    /// The same, reached in another way.
    pub(crate) fn plan_at(&self, uri: &str) -> (String, String) {
        let mut command = self.command(&["plan", "job.toml", "-o", "the.plan", "--format", "json"]);
        let output = self.project.output(command.env("BARKEEP_TEST_URI", uri).output().unwrap());
        let next = output.json()[0]["next"].as_array().unwrap().clone();
        let command = next.iter().filter_map(|step| step["command"].as_str()).find(|text| text.contains("apply"));
        ("the.plan".to_owned(), command.unwrap().rsplit(' ').next().unwrap().to_owned())
    }

    /// Applies a plan.
    pub(crate) fn apply(&self) -> Told {
        let (plan, confirmation) = self.plan();
        self.call(&["apply", &plan, "--confirm", &confirmation])
    }

    /// Every planned row is in the source or in a verified item, or in both, byte for byte; all others are untouched.
    #[track_caller]
    pub(crate) fn holds(&self) {
        let source = self.database.documents(QUOTES);
        let items = self.database.documents(QUARANTINE);
        let mut kept: Vec<Vec<u8>> = items
            .iter()
            .map(|item| {
                let raw = item.get_binary("raw").unwrap().bytes.to_vec();
                let hash = Sha256::digest(&raw).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                assert_eq!(item.get_str("sha256").unwrap(), hash);
                raw
            })
            .collect();
        kept.sort();
        let in_source = |row: &RawDocumentBuf| {
            source
                .binary_search_by(|other| {
                    other
                        .get("_id")
                        .unwrap()
                        .unwrap()
                        .as_object_id()
                        .cmp(&row.get("_id").unwrap().unwrap().as_object_id())
                })
                .is_ok_and(|at| source[at].as_bytes() == row.as_bytes())
        };
        for row in &self.original {
            let copied = kept.binary_search_by(|raw| raw.as_slice().cmp(row.as_bytes())).is_ok();
            assert!(in_source(row) || (copied && is_bad(row)), "a row is lost: {row:?}");
        }
        assert!(source.len() <= self.original.len());
    }

    /// Lets `holder` hold the lease of the quotes for a minute.
    pub(crate) fn hold(&self, holder: &str) {
        let reply = self.database.command(doc! { "listCollections": 1, "filter": { "name": QUOTES } });
        let entry = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap()[0].as_document().unwrap();
        let Bson::Binary(uuid) = entry.get_document("info").unwrap().get("uuid").unwrap() else { panic!("{entry}") };
        let key: String = uuid.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let until = DateTime::from_millis(chrono::Utc::now().timestamp_millis() + 60_000);
        let lease = doc! { "_id": format!("lease:{key}"), "kind": "lease", "holder": holder, "until": until };
        self.database.command(doc! { "insert": "barkeep_runs", "documents": [lease] });
    }

    /// Lets the retention of items be over, and everything that happened to them be long ago.
    pub(crate) fn expire(&self, items: Document) {
        let long_ago = DateTime::from_millis(0);
        let set = doc! { "expires_at": long_ago, "history.$[].at": long_ago };
        // What is no item has no history, and is left alone.
        let items = doc! { "$and": [items, { "history": { "$exists": true } }] };
        let update = doc! { "q": items, "u": { "$set": set }, "multi": true };
        self.database.command(doc! { "update": QUARANTINE, "updates": [update] });
    }

    /// How many items are in a state.
    pub(crate) fn items(&self, state: &str) -> u64 {
        self.database.count(QUARANTINE, doc! { "state": state })
    }
}

/// Whether a quote has the number of a row for its date.
pub(crate) fn is_bad(row: &RawDocumentBuf) -> bool {
    row.get_str("trade_date").unwrap().len() < 8
}
