//! `[notify]`: notifications of how a run ended, to a real server on this machine; and `--quiet`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use crate::cli_support::{BARS, JOB, Project, Told};
use crate::support;

const TOKEN: &str = "s3cret-token-0123456789";
/// A bar that contradicts itself.
const BAD: &str = "B,2024-01-05,20,10,21,20.5,700\n";

/// A server that answers every request with `status`.
struct Server {
    port: u16,
    received: Receiver<(String, String)>,
}

impl Server {
    fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sent, received) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                sent.send(read(&stream)).ok();
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).ok();
            }
        });
        Self { port, received }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{TOKEN}", self.port)
    }

    /// Paths and bodies of the requests since this was last asked.
    fn requests(&self) -> Vec<(String, String)> {
        self.received.try_iter().collect()
    }

    /// Their bodies as JSON.
    fn messages(&self) -> Vec<Value> {
        self.requests().iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }
}

/// The path and the body of a request.
fn read(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if path.is_empty() {
            line.split(' ').nth(1).unwrap().clone_into(&mut path);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, String::from_utf8(body).unwrap())
}

/// A project whose job has notifications, by `keys`.
fn notifying(bars: &str, keys: &str) -> Project {
    let project = Project::new(bars);
    project.write("job.toml", format!("{JOB}\n[notify]\n{keys}\n"));
    project
}

fn run(project: &Project, server: &Server, more: &[&str]) -> Told {
    let args = [&["run", "job.toml"], more].concat();
    project.output(project.command(&args).env("HOOK", server.url()).env_remove("BARKEEP_LOG").output().unwrap())
}

fn events(server: &Server) -> Vec<String> {
    server.messages().iter().map(|message| message["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_failure_is_sent_and_its_recovery() {
    let (server, project) =
        (Server::answering("204 No Content"), notifying(&format!("{BARS}{BAD}"), "webhook = \"${HOOK}\""));
    run(&project, &server, &[]).exits(1);
    let [message] = &server.messages()[..] else { panic!("not one message") };
    assert_eq!(
        (&message["event"], &message["job"], &message["exit_code"]),
        (&"fail".into(), &"demo".into(), &1.into())
    );
    assert_eq!((&message["errors"], &message["rows_removed"]), (&1.into(), &1.into()));
    assert_eq!(message["run_id"], project.runs()[0].0);
    assert!(message["text"].as_str().unwrap().starts_with("FAIL demo: 1 error"), "{message}");
    // No value of a row is among it.
    assert!(!message.to_string().contains("20.5") && !message.to_string().contains("2024-01-05"), "{message}");
    // The bad row has left.
    run(&project, &server, &[]).exits(0);
    assert_eq!(events(&server), ["recovery"]);
    run(&project, &server, &[]).exits(0);
    assert_eq!(events(&server), Vec::<String>::new());
    let query = "SELECT notify_event, notify_delivered, deliveries FROM runs ORDER BY run_id";
    let rows = project.call(&["sql", query, "--dir", "reports", "--format", "json"]).exits(0).json();
    let sent: Vec<_> = rows
        .iter()
        .map(|row| (row["notify_event"].as_str().unwrap(), row["notify_delivered"].as_bool().unwrap()))
        .collect();
    assert_eq!(sent, [("fail", true), ("recovery", true), ("none", false)]);
    assert_eq!(rows[0]["deliveries"], "[{\"channel\":\"webhook\",\"tries\":1,\"error\":null}]");
}

#[test]
fn a_run_that_breaks_off_is_sent_and_a_trial_is_not() {
    let (server, project) =
        (Server::answering("200 OK"), notifying(BARS.lines().next().unwrap(), "webhook = \"${HOOK}\""));
    run(&project, &server, &["--dry-run"]).exits(3);
    project.output(project.command(&["check", "job.toml"]).env("HOOK", server.url()).output().unwrap()).exits(3);
    assert_eq!(events(&server), Vec::<String>::new());
    run(&project, &server, &[]).exits(3);
    let [message] = &server.messages()[..] else { panic!("not one message") };
    assert_eq!((&message["event"], &message["exit_code"]), (&"fail".into(), &3.into()));
    assert!(message["error"].as_str().is_some_and(|error| error.contains("no row")), "{message}");
}

#[test]
fn a_message_that_is_not_delivered_is_seen_and_changes_nothing_unless_it_is_required() {
    let bars = format!("{BARS}{BAD}");
    let (server, project) = (Server::answering("404 Not Found"), notifying(&bars, "slack = \"${HOOK}\""));
    let output = run(&project, &server, &[]).exits(1);
    assert_eq!(output.value("undelivered"), "slack");
    let host = format!("127.0.0.1:{}", server.port);
    let output = output.says(&[&format!("warning: notification not delivered: slack: {host}: it answers 404")]);
    assert!(!output.err.contains(TOKEN), "{output:?}");
    assert_eq!(project.runs()[0].1, "findings");
    // What was not delivered is sent again, though the run after it has nothing new; and it is in the JSON.
    let project = notifying(&bars, "slack = \"${HOOK}\"\nrequired = true");
    let output = run(&project, &server, &["--format", "json"]).exits(3);
    let summary = &output.json()[0];
    assert_eq!((&summary["exit_code"], &summary["status"]), (&3.into(), &"broken".into()));
    assert_eq!(summary["notification"]["deliveries"][0]["channel"], "slack");
    assert_eq!((project.runs()[0].1.as_str(), project.runs()[0].2), ("broken", 3));
    assert_eq!(
        project.files("quarantine").iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")).count(),
        1
    );
}

#[test]
fn a_run_is_pinged_when_it_begins_and_when_it_ends() {
    let (server, project) =
        (Server::answering("200 OK"), notifying(&format!("{BARS}{BAD}"), "healthchecks = \"${HOOK}\""));
    run(&project, &server, &[]).exits(1);
    let pings = server.requests();
    let paths: Vec<&str> = pings.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, [format!("/{TOKEN}/start"), format!("/{TOKEN}/1")]);
    assert!(pings[1].1.starts_with("FAIL demo: 1 error, 1 new\n"), "{pings:?}");
    run(&project, &server, &[]).exits(0);
    assert_eq!(server.requests()[1].0, format!("/{TOKEN}/0"));
}

#[test]
fn no_secret_is_logged() {
    let keys = "webhook = \"${HOOK}\"\nwebhook_secret = \"${KEY}\"\nhealthchecks = \"${HOOK}\"\nmail = \"root\"\nsendmail = \"nowhere\"";
    let (server, project) = (Server::answering("403 Forbidden"), notifying(&format!("{BARS}{BAD}"), keys));
    let mut command = project.command(&["run", "job.toml", "-vv", "--log-format", "json"]);
    command.env("HOOK", server.url()).env("KEY", "k3y-that-signs").env("BARKEEP_LOG", "trace");
    let output = project.output(command.output().unwrap()).exits(1);
    assert_eq!(output.value("undelivered"), "healthchecks,healthchecks,webhook,mail");
    for secret in [TOKEN, "k3y-that-signs"] {
        assert!(!output.err.contains(secret) && !output.out.contains(secret), "{secret}");
        for file in project.files("reports") {
            let bytes = fs::read(&file).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", file.display());
        }
    }
}

/// The series of metrics after a run over one bar of each of `symbols` symbols, half of which are bad.
fn series_of_metrics(symbols: usize) -> Vec<String> {
    let mut bars = BARS.lines().next().unwrap().to_owned() + "\n";
    for symbol in 0..symbols {
        let high = if symbol % 2 == 0 { 11 } else { 1 };
        bars += &format!("S{symbol:05},2024-01-02,10,{high},9.5,10.5,1000\n");
    }
    let project = notifying(&bars, "prometheus = \"metrics\"");
    fs::create_dir(project.path("metrics")).unwrap();
    project.edit("rules.toml", "action = \"quarantine\"\n", "");
    project.call(&["run", "job.toml"]).exits(1);
    let text = fs::read_to_string(project.path("metrics/barkeep-demo.prom")).unwrap();
    assert!(
        text.contains(&format!("barkeep_findings{{job=\"demo\",rule=\"ohlc\",severity=\"error\"}} {}\n", symbols / 2)),
        "{text}"
    );
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

#[test]
fn ten_thousand_symbols_leave_the_number_of_metric_series_unchanged() {
    let few = series_of_metrics(10);
    assert_eq!(series_of_metrics(10_000), few);
    assert!(few.len() > 8, "{few:?}");
}

#[test]
fn quiet_prints_nothing_where_nothing_is_wrong() {
    let project = Project::new(BARS);
    for command in ["run", "check"] {
        let output = project.call(&[command, "job.toml", "--quiet"]).exits(0);
        assert_eq!((output.out.as_str(), output.err.as_str()), ("", ""));
    }
    // A job that cannot be read has its line, and the one that is fine has none.
    project.write("other.toml", "name = 1");
    let output = project.call(&["run", "job.toml", "other.toml", "nowhere.toml", "-q"]).exits(2);
    let lines: Vec<&str> = output.out.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("job=other.toml verdict=FAIL status=usage exit=2 error="),
        "{output:?}"
    );
    assert!(lines[1].starts_with("job=nowhere.toml verdict=FAIL"), "{output:?}");
    project.write("bars.csv", format!("{BARS}{BAD}"));
    let output = project.call(&["run", "job.toml", "-q"]).exits(1);
    assert!(output.out.starts_with("job=demo verdict=FAIL status=findings exit=1 "), "{output:?}");
    // A message that was not delivered is something wrong.
    let (server, project) = (Server::answering("404 Not Found"), notifying(BARS, "healthchecks = \"${HOOK}\""));
    let output = run(&project, &server, &["--quiet"]).exits(0);
    assert_eq!(output.value("undelivered"), "healthchecks,healthchecks");
    output.says(&["warning: notification not delivered: healthchecks"]);
}

#[test]
fn templates_and_a_span_between_messages() {
    let keys = "webhook = \"${HOOK}\"\non = [\"fail\", \"new\"]\nat_most_every = \"1d\"\ntext = '''\n{{ job }} has {{ errors }}\n{% for rule in rules %}{{ rule.id }} {% endfor %}'''";
    let (server, project) = (Server::answering("200 OK"), notifying(&format!("{BARS}{BAD}"), keys));
    project.edit("rules.toml", "action = \"quarantine\"\n", "");
    run(&project, &server, &[]).exits(1);
    assert_eq!(server.messages()[0]["text"], "demo has 1\nohlc");
    let output = run(&project, &server, &["--format", "json"]).exits(1);
    assert_eq!(server.requests(), []);
    assert_eq!(
        (&output.json()[0]["notification"]["held_back"], &output.json()[0]["notification"]["event"]),
        (&true.into(), &"fail".into())
    );
    assert_eq!(
        support::files(&project.path("reports")).iter().filter(|path| path.to_string_lossy().contains(".lock")).count(),
        0
    );
}
