//! `barkeep serve`: who is answered, what is shown, how rows go back, and that clients that vanish leave nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli_support::{BARS, Project};

const BAD: &str = "A,2024-01-05,10,1,9.5,10.5,1\nB,2024-01-05,20,1,19,20,1\n";

/// A server that is killed when it is dropped.
struct Server {
    process: Child,
    address: String,
    token: String,
}

impl Server {
    fn start(project: &Project, args: &[&str]) -> Self {
        let args = [&["--format", "json", "serve"], args].concat();
        let mut process = project.process(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let url = told["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        let (address, token) = url.trim_end_matches('/').split_once('/').unwrap();
        assert!(address.starts_with("127.0.0.1:"), "{url}");
        Self { address: address.to_owned(), token: token.to_owned(), process }
    }

    /// The status and the body of an answer.
    fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (token, address) = (&self.token, &self.address);
        self.ask(&format!("GET /{token}{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
    }

    fn post(&self, path: &str, form: &str) -> (u16, String) {
        let (token, address) = (&self.token, &self.address);
        self.ask(&format!(
            "POST /{token}{path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ))
    }

    /// A client that listens for progress; its first message was read.
    fn listen(&self) -> TcpStream {
        let (token, address) = (&self.token, &self.address);
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET /{token}/live HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 101");
        stream
    }

    fn clients(&self) -> u64 {
        let (_, text) = self.get("/status");
        let body: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        body["clients"].as_u64().unwrap()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn jobs_runs_and_the_page_of_a_run_are_shown() {
    let project = Project::new(format!("{BARS}{BAD}"));
    project.call(&["run", "job.toml"]).exits(1);
    let server = Server::start(&project, &["job.toml"]);
    let (status, index) = server.get("/");
    let run = project.runs()[0].0.clone();
    assert_eq!(status, 200);
    for text in ["FAIL", &format!("href=\"run/{run}\""), "href=\"quarantine/demo\""] {
        assert!(index.contains(text), "no `{text}` in {index}");
    }
    assert!(
        index.contains("content-security-policy: default-src 'none'") && index.contains("referrer-policy: no-referrer")
    );
    let (status, page) = server.get(&format!("/run/{run}"));
    assert!(status == 200 && page.contains(&run) && page.len() > 20_000, "{status}, {} bytes", page.len());
    assert_eq!(server.get("/run/latest").0, 200);
    let (status, text) = server.get("/run/20200101");
    assert!(status == 404 && text.contains("20200101"), "{text}");
    assert_eq!((server.get("/serve.css").0, server.get("/serve.js").0, server.get("/nothing").0), (200, 200, 404));
}

#[test]
fn only_who_knows_the_address_is_answered() {
    let project = Project::new(BARS);
    let server = Server::start(&project, &[]);
    let (token, address) = (server.token.clone(), server.address.clone());
    assert_eq!(token.len(), 32);
    let ask =
        |path: &str, headers: &str| server.ask(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n")).0;
    let host = format!("Host: {address}\r\n");
    assert_eq!(ask(&format!("/{token}/"), &host), 200);
    for path in ["/", "/serve.css", &format!("/{}/", "0".repeat(32)), &format!("/{}", &token[1..])] {
        assert_eq!(ask(path, &host), 404, "{path}");
    }
    let port = address.split(':').nth(1).unwrap();
    assert_eq!(ask(&format!("/{token}/"), &format!("Host: rebound.example:{port}\r\n")), 403);
    assert_eq!(ask(&format!("/{token}/"), &format!("{host}Origin: http://evil.example\r\n")), 403);
    // An empty folder says what to do.
    let (_, index) = server.get("/");
    assert!(index.contains("No run has reported there yet"), "{index}");
}

#[test]
fn rows_go_back_only_where_that_is_allowed_and_confirmed() {
    let project = Project::new(format!("{BARS}{BAD}"));
    project.call(&["run", "job.toml"]).exits(1);
    let before = std::fs::read_to_string(project.path("bars.csv")).unwrap();
    let run = project.runs()[0].0.clone();
    let watching = Server::start(&project, &["job.toml"]);
    let (status, list) = watching.get("/quarantine/demo");
    assert!(status == 200 && list.contains("removed") && !list.contains("<form"), "{list}");
    assert_eq!(watching.post("/quarantine/demo/restore", &format!("run={run}&confirm=2")).0, 403);
    assert_eq!(watching.get("/quarantine/other").0, 404);
    let server = Server::start(&project, &["job.toml", "--allow-actions"]);
    let (status, asked) = server.post("/quarantine/demo/restore", &format!("run={run}"));
    assert!(status == 200 && asked.contains("2 rows would go back"), "{asked}");
    let (_, wrong) = server.post("/quarantine/demo/restore", &format!("run={run}&confirm=7"));
    assert!(wrong.contains("2 rows would go back"), "{wrong}");
    assert_eq!(server.post("/quarantine/demo/restore", "").0, 400);
    assert_eq!(std::fs::read_to_string(project.path("bars.csv")).unwrap(), before, "nothing went back");
    let (status, done) = server.post("/quarantine/demo/restore", &format!("run={run}&confirm=2"));
    assert!(status == 200 && done.contains("2 rows put back") && done.contains("restored"), "{done}");
    assert_eq!(std::fs::read_to_string(project.path("bars.csv")).unwrap().lines().count(), before.lines().count() + 2);
}

#[test]
fn clients_that_vanish_leave_nothing() {
    let project = Project::new(BARS);
    let server = Server::start(&project, &[]);
    assert_eq!(server.clients(), 0);
    let before = server.descriptors();
    let clients: Vec<TcpStream> = (0..200).map(|_| server.listen()).collect();
    assert_eq!(server.clients(), 200);
    drop(clients);
    let began = Instant::now();
    // The connection that asks may still be open.
    while (server.clients() > 0 || server.descriptors() > before + 1) && began.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(200));
    }
    let after = (server.clients(), server.descriptors());
    assert!(after.0 == 0 && after.1 <= before + 1, "{after:?} after {before} descriptors");
    // A server that somebody listens to still ends.
    let mut server = server;
    let _listening = server.listen();
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let began = Instant::now();
    let ended = loop {
        match server.process.try_wait().unwrap() {
            Some(ended) => break ended,
            None => assert!(began.elapsed() < Duration::from_secs(30), "the server does not end"),
        }
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ended.code(), Some(130));
}

#[test]
fn a_run_under_way_is_told_to_who_listens() {
    let rows: String = (0..40_000).map(|n| format!("S{n},2024-01-02,1,2,0.5,1.5,{n}\n")).collect();
    let project = Project::new(format!("symbol,date,open,high,low,close,volume\n{rows}"));
    let server = Server::start(&project, &[]);
    let mut listening = server.listen();
    listening.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut runs = Vec::new();
    let mut heard = String::new();
    let began = Instant::now();
    // A run may fall between two looks.
    while !heard.contains("\"job\":\"demo\"") && began.elapsed() < Duration::from_secs(60) {
        runs.push(project.process(&["check", "job.toml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let mut bytes = [0; 4096];
        let read = listening.read(&mut bytes).unwrap();
        heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(heard.contains("\"job\":\"demo\"") && heard.contains("\"command\":\"check\""), "{heard}");
    for mut run in runs {
        run.wait().unwrap();
    }
    assert_eq!(
        std::fs::read_dir(project.path("reports/running")).unwrap().count(),
        0,
        "runs that ended say nothing more"
    );
}
