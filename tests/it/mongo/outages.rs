//! Servers that die, hang, are locked by a backup tool, or hand over to another one, while rows leave and come back. Each
//! of these tests has servers of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};

use super::project::World;
use super::quotes::QUOTES;
use super::server::{Server, runtime};
use crate::cli_support::Told;

/// A server that a test may kill and start again. A shell ends it when this process is gone.
struct Mongod {
    program: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    set: bool,
    shell: Option<(Child, String)>,
}

impl Mongod {
    /// `None`, and a line that says so, where there is no program to start.
    fn new(set: bool) -> Option<Self> {
        let program = std::env::var_os("BARKEEP_MONGOD").map_or_else(|| PathBuf::from("mongod"), PathBuf::from);
        let found = Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success());
        if !found {
            assert!(std::env::var_os("CI").is_none(), "in CI a server must be there");
            eprintln!("left out: no mongod to kill and to start again; set BARKEEP_MONGOD");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("barkeep-mongod-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { program, dir, port, set, shell: None };
        server.start();
        Some(server)
    }

    fn start(&mut self) {
        let script = "\"$@\" > /dev/null 2>&1 & pid=$!; echo $pid; cat > /dev/null; kill -KILL $pid; wait $pid";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&self.program).arg("--dbpath").arg(self.dir.path());
        command.args(["--port", &self.port.to_string(), "--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25"]);
        command.args(["--setParameter", "enableTestCommands=1"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        if self.set {
            command.args(["--replSet", "rs0"]);
        }
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        self.shell = Some((shell, pid.trim().to_owned()));
        self.client();
    }

    /// A client of this server alone, once it answers.
    fn client(&self) -> Client {
        let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true&serverSelectionTimeoutMS=20000", self.port);
        let client = runtime().block_on(Client::with_uri_str(uri).into_future()).unwrap();
        admin(&client, doc! { "ping": 1 });
        client
    }

    fn signal(&self, name: &str) {
        let pid = &self.shell.as_ref().unwrap().1;
        assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
    }

    /// As a power cut would end it.
    fn kill(&mut self) {
        let (mut shell, _) = self.shell.take().unwrap();
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        if self.shell.is_some() {
            self.kill();
        }
    }
}

fn admin(client: &Client, command: Document) -> Document {
    runtime().block_on(client.database("admin").run_command(command).into_future()).unwrap()
}

fn world_at(uri: &str, bad: usize) -> World {
    let world = World::new(Server::at(uri), 60, 0, bad);
    world.project.edit("job.toml", "fraction = 0.9", "fraction = 1.0");
    world
}

/// Applies the plan with a server that gets a moment of writer_timeout, and lets `during` happen while rows leave.
fn interrupted(world: &World, words: &[&str], writer_timeout: &str, mut during: impl FnMut(&mut Child)) -> Told {
    let mut command = world.project.process(words);
    command.env("BARKEEP_TEST_URI", world.database.uri()).env("BARKEEP_TEST_DATABASE", &world.database.name);
    command.env("BARKEEP_REPLY_TIMEOUT_MS", writer_timeout);
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    during(&mut running);
    world.project.output(running.wait_with_output().unwrap())
}

/// What a run reported is true: rows that it said it kept are there.
fn true_of(world: &World, output: &Told, bad: u64) {
    assert_eq!(world.items("kept_error"), 0, "{output:?}");
    if output.out.contains("removed=") {
        let removed: u64 = output.value("removed").parse().unwrap();
        assert!(world.database.count(QUOTES, doc! {}) <= 60 + bad - removed, "{output:?}");
    }
}

/// Applies the plan until it is done.
fn finish(world: &World, words: &[&str], bad: u64) {
    for attempt in 0.. {
        let output = world.call(words);
        world.holds();
        if output.code == Some(0) {
            break;
        }
        assert!(attempt < 10, "{output:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(world.database.count(QUOTES, doc! {}), 60);
    assert_eq!((world.items("removed"), world.items("removing")), (bad, 0));
    assert_eq!(world.database.count("barkeep_runs", doc! { "kind": "run", "sealed": false }), 0);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outage {
    Killed,
    Stopped,
    Locked,
}

#[test]
fn a_server_that_dies_hangs_or_is_locked_while_rows_leave_and_come_back() {
    let Some(mut server) = Mongod::new(false) else { return };
    for outage in [Outage::Killed, Outage::Stopped, Outage::Locked] {
        let world = world_at(&format!("mongodb://127.0.0.1:{}/?serverSelectionTimeoutMS=2000", server.port), 12);
        let before = world.database.digest(QUOTES);
        let (plan, confirmation) = world.plan();
        let words = ["apply", &plan, "--confirm", &confirmation];
        let back = ["quarantine", "restore", "job.toml", "--since", "2000-01-01", "--confirm", "12"];
        for (words, command) in [(&words[..], "delete"), (&back[..], "update")] {
            // The command waits in the server, and then the server is not there for longer than anybody waits.
            let data = doc! { "failCommands": [command], "blockConnection": true, "blockTimeMS": 1200,
            "appName": &world.database.name };
            let mode = if command == "delete" {
                doc! { "times": 1 }
            } else {
                doc! { "skip": 1 }
            };
            let client = server.client();
            admin(&client, doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data });
            let output = interrupted(&world, words, "600", |running| {
                let began = Instant::now();
                let state = if command == "delete" { ("removing", 12) } else { ("removed", 12) };
                while world.items(state.0) < state.1 {
                    assert!(began.elapsed() < Duration::from_secs(30) && running.try_wait().unwrap().is_none());
                }
                std::thread::sleep(Duration::from_millis(300));
                match outage {
                    Outage::Killed => server.kill(),
                    Outage::Stopped => server.signal("-STOP"),
                    Outage::Locked => _ = admin(&client, doc! { "fsync": 1, "lock": true }),
                }
                // Longer than barkeep waits for a reply; a server that hangs may hold it up until it goes on.
                let began = Instant::now();
                while running.try_wait().unwrap().is_none()
                    && (outage != Outage::Stopped || began.elapsed() < Duration::from_secs(4))
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                match outage {
                    Outage::Killed => server.start(),
                    Outage::Stopped => server.signal("-CONT"),
                    Outage::Locked => _ = admin(&client, doc! { "fsyncUnlock": 1 }),
                }
            });
            drop(client);
            assert!(output.code == Some(3) || output.code == Some(0), "{outage:?}: {output:?}");
            // What the server had in hand comes to its end.
            std::thread::sleep(Duration::from_millis(1500));
            let client = server.client();
            admin(&client, doc! { "configureFailPoint": "failCommand", "mode": "off" });
            world.holds();
            true_of(&world, &output, 12);
            if command == "delete" {
                finish(&world, words, 12);
            } else {
                let output = world.call(words);
                let left = world.items("restored");
                assert!(output.code == Some(0) || left == 12, "{outage:?}: {output:?}");
                assert_eq!(world.database.digest(QUOTES), before, "{outage:?}: {output:?}");
            }
        }
    }
}

/// A replica set of three, and its address; a primary that sees nobody steps down after `patient` milliseconds.
fn replica_set(patient: i32) -> Option<(Vec<Mongod>, String)> {
    let servers = (0..3).map(|_| Mongod::new(true)).collect::<Option<Vec<_>>>()?;
    let hosts: Vec<String> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    let members: Vec<Document> = (0..).zip(&hosts).map(|(n, host): (i32, _)| doc! { "_id": n, "host": host }).collect();
    let settings = doc! { "electionTimeoutMillis": patient, "heartbeatIntervalMillis": 300 };
    let config = doc! { "_id": "rs0", "members": members, "settings": settings };
    admin(&servers[0].client(), doc! { "replSetInitiate": config });
    Some((servers, format!("mongodb://{}/?replicaSet=rs0", hosts.join(","))))
}

fn is_primary(server: &Mongod) -> bool {
    admin(&server.client(), doc! { "hello": 1 }).get_bool("isWritablePrimary").unwrap()
}

/// How often a server took back what nobody else had seen of it.
fn rollbacks(server: &Mongod) -> i32 {
    admin(&server.client(), doc! { "replSetGetRBID": 1 }).get_i32("rbid").unwrap()
}

/// Lets the primary carry out one command that it tells no other member of, and die; the others go on without it.
struct Split<'a> {
    servers: &'a mut [Mongod],
    primary: usize,
}

impl Split<'_> {
    /// While a command waits in the primary, the others stop to listen.
    fn stop_others(&self) {
        for (_, server) in self.servers.iter().enumerate().filter(|(n, _)| *n != self.primary) {
            server.signal("-STOP");
        }
    }

    /// The primary dies with what it alone knows, and the others choose another one.
    fn die(&mut self) {
        self.servers[self.primary].kill();
        for (_, server) in self.servers.iter().enumerate().filter(|(n, _)| *n != self.primary) {
            server.signal("-CONT");
        }
    }

    /// It comes back, and has to take back what the others never saw. Whether it did.
    fn comes_back(&mut self, before: i32) -> bool {
        self.servers[self.primary].start();
        let client = self.servers[self.primary].client();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            // It hangs up on everybody while it takes things back.
            let ask =
                |command: Document| runtime().block_on(client.database("admin").run_command(command).into_future());
            let state = ask(doc! { "hello": 1 }).and_then(|hello| Ok((hello, ask(doc! { "replSetGetRBID": 1 })?)));
            if let Ok((hello, rollbacks)) = state
                && hello.get_bool("secondary").unwrap()
                && rollbacks.get_i32("rbid").unwrap() > before
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

/// Whatever the server did and nobody else saw is gone in the end: copies, marks, removals, rows that were put back.
#[test]
fn what_a_primary_does_alone_and_takes_back_loses_no_row_and_is_not_believed() {
    let Some((mut servers, uri)) = replica_set(4000) else { return };
    let apply = ["insert", "update", "delete"].map(|command| (command, false));
    for (command, back) in apply.into_iter().chain([("update", true)]) {
        while !servers.iter().any(is_primary) {
            std::thread::sleep(Duration::from_millis(100));
        }
        let world = world_at(&uri, 12);
        let before = world.database.digest(QUOTES);
        let (plan, confirmation) = world.plan();
        let mut words = vec!["apply", &plan, "--confirm", &confirmation];
        if back {
            world.call(&words).exits(0);
            words = vec!["quarantine", "restore", "job.toml", "--since", "2000-01-01", "--confirm", "12"];
        }
        let primary = servers.iter().position(is_primary).unwrap();
        let client = servers[primary].client();
        let name = world.database.name.clone();
        let of_barkeep =
            doc! { "failCommands": [command], "blockConnection": true, "blockTimeMS": 1500, "appName": &name };
        // The first insert is the record of the run, and the first update takes the lease.
        let mode = doc! { "skip": i32::from(command != "delete") };
        let set = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": of_barkeep };
        let entered = admin(&client, set).get_i32("count").unwrap();
        let rbid = rollbacks(&servers[primary]);
        let mut split = Split { servers: &mut servers, primary };
        let local = client.database(&name);
        let count = |collection: &str, filter: Document| {
            let reply =
                runtime().block_on(local.run_command(doc! { "count": collection, "query": filter }).into_future());
            reply.unwrap().get_i32("n").unwrap()
        };
        let alone = || match (command, back) {
            ("insert", _) => count("stock_daily_quotes_quarantine", doc! {}) > 0,
            ("update", false) => count("stock_daily_quotes_quarantine", doc! { "state": "removing" }) > 0,
            ("update", true) => count(QUOTES, doc! {}) > 60,
            _ => count(QUOTES, doc! {}) < 72,
        };
        let output = interrupted(&world, &words, "3000", |running| {
            let began = Instant::now();
            let wait = doc! { "waitForFailPoint": "failCommand", "timesEntered": entered + 1, "maxTimeMS": 30_000 };
            admin(&client, wait);
            assert!(running.try_wait().unwrap().is_none(), "{command}: it ended before");
            split.stop_others();
            while !alone() {
                assert!(began.elapsed() < Duration::from_secs(30), "{command} was not carried out");
                std::thread::sleep(Duration::from_millis(20));
            }
            // Longer than the journal takes.
            std::thread::sleep(Duration::from_millis(400));
            split.die();
        });
        assert!(split.comes_back(rbid), "{command}: nothing was taken back");
        let what = format!("{command}, back {back}: {output:?}");
        assert!(matches!(output.code, Some(0 | 3)), "{what}");
        world.holds();
        true_of(&world, &output, 12);
        if back {
            let output = world.call(&words);
            assert!(output.code == Some(0) || world.items("restored") == 12, "{what}, then {output:?}");
            assert_eq!(world.database.digest(QUOTES), before, "{what}, then {output:?}");
        } else {
            if command == "delete" {
                assert!(output.code == Some(3) || world.database.count(QUOTES, doc! {}) == 60, "{what}");
            }
            finish(&world, &words, 12);
        }
    }
}

#[test]
fn a_replica_set_that_hands_over_while_rows_leave_and_come_back() {
    const BAD: usize = 3000;
    let Some((mut servers, uri)) = replica_set(1000) else { return };
    let world = world_at(&uri, BAD);
    let before = world.database.digest(QUOTES);
    let (plan, confirmation) = world.plan();
    let words = ["apply", &plan, "--confirm", &confirmation];
    // Once by a hand-over, once by the death of the primary.
    let output = interrupted(&world, &words, "5000", |running| {
        while world.database.count(QUOTES, doc! {}) > 60 + BAD as u64 - 500 && running.try_wait().unwrap().is_none() {}
        let primary = servers.iter().find(|server| is_primary(server));
        if let Some(primary) = primary {
            let client = primary.client();
            let step_down = doc! { "replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 1, "force": true };
            drop(runtime().block_on(client.database("admin").run_command(step_down).into_future()));
        }
    });
    assert!(output.code == Some(0) || output.code == Some(3), "{output:?}");
    world.holds();
    true_of(&world, &output, BAD as u64);
    finish(&world, &words, BAD as u64);

    let rows = BAD.to_string();
    let back = ["quarantine", "restore", "job.toml", "--since", "2000-01-01", "--confirm", &rows];
    let mut dead = None;
    let output = interrupted(&world, &back, "5000", |running| {
        while world.database.count(QUOTES, doc! {}) < 560 && running.try_wait().unwrap().is_none() {}
        dead = servers.iter().position(is_primary);
        if let Some(dead) = dead {
            servers[dead].kill();
        }
    });
    assert!(matches!(output.code, Some(0 | 3)), "{output:?}");
    if let Some(dead) = dead {
        servers[dead].start();
    }
    for attempt in 0.. {
        let output = world.call(&back);
        if world.items("restored") == BAD as u64 {
            break;
        }
        assert!(attempt < 10, "{output:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(world.database.digest(QUOTES), before);
    world.holds();
}
