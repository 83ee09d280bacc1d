//! `[notify]`: notifications of how a run ended, to a real server on this machine; and `--quiet`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

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
        Self::answering_each(vec![status], Duration::ZERO)
    }

    /// One that gives one answer after the other, and the last one from there on, each after `pause`.
    fn answering_each(statuses: Vec<&'static str>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sent, received) = channel();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                sent.send(read(&stream)).ok();
                thread::sleep(pause);
                let status = statuses[number.min(statuses.len() - 1)];
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
    assert_eq!(output.value("undelivered"), "webhook,mail,healthchecks");
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
    assert_eq!(output.value("undelivered"), "healthchecks");
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

/// What the gauge `name` of the job is; `None` where there is none.
fn gauge(project: &Project, name: &str) -> Option<String> {
    let text = fs::read_to_string(project.path("metrics/barkeep-demo.prom")).unwrap();
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix("{job=\"demo\"} ")?.to_owned()))
}

/// A project with `keys`, its gauges in the folder `metrics`.
fn with_metrics(bars: &str, keys: &str) -> Project {
    let project = notifying(bars, &format!("{keys}\nprometheus = \"metrics\""));
    fs::create_dir(project.path("metrics")).unwrap();
    project
}

#[test]
fn who_watches_from_outside_hears_that_a_required_message_was_not_delivered() {
    let (slack, hc) = (Server::answering("404 Not Found"), Server::answering("200 OK"));
    let keys = "slack = \"${HOOK}\"\nhealthchecks = \"${PING}\"\non = [\"new\"]\nrequired = true";
    let project = with_metrics(&format!("{BARS}{BAD}"), keys);
    let run = || {
        let mut command = project.command(&["run", "job.toml", "--fail-on", "never"]);
        command.env("HOOK", slack.url()).env("PING", hc.url());
        project.output(command.output().unwrap())
    };
    run().exits(3);
    let pings = hc.requests();
    assert_eq!((pings.len(), pings[1].0.as_str()), (2, format!("/{TOKEN}/3").as_str()));
    let required = "the job requires that its messages are delivered, and slack took none";
    assert!(pings[1].1.starts_with(&format!("FAIL demo: broken, exit 3\n{required}\n")), "{pings:?}");
    let gauges = |project: &Project| {
        let gauge = |name: &str| gauge(project, &format!("barkeep_job_{name}"));
        (
            gauge("exit_code").unwrap(),
            gauge("failed_deliveries").unwrap(),
            gauge("last_success_timestamp_seconds").is_some(),
        )
    };
    assert_eq!(gauges(&project), ("3".to_owned(), "1".to_owned(), false));
    // A run without a message is one that is heard of.
    run().exits(0);
    assert_eq!(hc.requests()[1].0, format!("/{TOKEN}/0"));
    assert_eq!(gauges(&project), ("0".to_owned(), "0".to_owned(), true));
    // A ping of the end is one of the deliveries, and the gauges say so, too.
    let (none, project) =
        (Server::answering("404 Not Found"), with_metrics(BARS, "healthchecks = \"${HOOK}\"\nrequired = true"));
    let output = self::run(&project, &none, &[]).exits(3);
    assert_eq!(output.value("undelivered"), "healthchecks");
    assert_eq!(gauges(&project), ("3".to_owned(), "1".to_owned(), false));
}

#[test]
fn a_beginning_that_was_not_heard_is_no_matter_once_the_end_is() {
    let server = Server::answering_each(vec!["404 Not Found", "200 OK"], Duration::ZERO);
    let project = notifying(BARS, "healthchecks = \"${HOOK}\"\nrequired = true");
    let output = run(&project, &server, &[]).exits(0);
    assert!(!output.out.contains("undelivered") && !output.err.contains("not delivered"), "{output:?}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn new_findings_of_a_run_that_does_not_fail_are_sent_until_they_are_delivered() {
    let server = Server::answering_each(vec!["404 Not Found", "200 OK"], Duration::ZERO);
    let project = notifying(&format!("{BARS}{BAD}"), "webhook = \"${HOOK}\"\non = [\"new\"]");
    project.edit("rules.toml", "action = \"quarantine\"\n", "severity = \"warn\"\n");
    run(&project, &server, &["--fail-on", "never"]).exits(0);
    assert_eq!(events(&server), ["new"]);
    run(&project, &server, &["--fail-on", "never"]).exits(0);
    let [message] = &server.messages()[..] else { panic!("not one message") };
    assert_eq!((&message["event"], &message["warnings"], &message["new"]), (&"new".into(), &1.into(), &0.into()));
    run(&project, &server, &["--fail-on", "never"]).exits(0);
    assert_eq!(events(&server), Vec::<String>::new());
}

const GOOD: &str = "check = \"zero-volume\"";
/// A rule over a field that the bars do not have.
const MISTAKEN: &str = "check = \"range\"\nfield = \"klose\"\nmin = 0";

#[test]
fn a_run_that_ends_before_it_has_a_report_is_remembered() {
    let server = Server::answering("200 OK");
    let project = notifying(BARS, "webhook = \"${HOOK}\"\non = [\"new\", \"recovery\"]");
    run(&project, &server, &[]).exits(0);
    project.edit("rules.toml", GOOD, MISTAKEN);
    run(&project, &server, &[]).exits(2);
    let [message] = &server.messages()[..] else { panic!("not one message") };
    assert_eq!(
        (&message["event"], &message["exit_code"], &message["run_id"]),
        (&"new".into(), &2.into(), &Value::Null)
    );
    // It fails in the same way, of which somebody heard.
    run(&project, &server, &[]).exits(2);
    assert_eq!((events(&server), project.runs().len()), (Vec::new(), 1));
    project.edit("rules.toml", MISTAKEN, GOOD);
    run(&project, &server, &[]).exits(0);
    assert_eq!(events(&server), ["recovery"]);
    run(&project, &server, &[]).exits(0);
    assert_eq!(events(&server), Vec::<String>::new());
    assert!(!project.path("state/demo.notify.json").exists(), "nothing looks at it any more");
    // Nor does the span between messages forget it; what cannot be read is said.
    project.edit("job.toml", "on = [\"new\", \"recovery\"]", "at_most_every = \"1d\"\non = [\"fail\"]");
    project.edit("rules.toml", GOOD, MISTAKEN);
    for sent in [0, 0] {
        run(&project, &server, &[]).exits(2);
        assert_eq!(events(&server).len(), sent, "a recovery was sent just before");
    }
    project.write("state/demo.notify.json", "{");
    run(&project, &server, &[]).exits(2).says(&["warning: `", "state/demo.notify.json` is damaged"]);
}

#[test]
fn a_run_that_is_skipped_for_another_one_says_nothing() {
    let server = Server::answering("200 OK");
    let project = with_metrics(&format!("{BARS}{BAD}"), "webhook = \"${HOOK}\"\nhealthchecks = \"${HOOK}\"");
    let held = fs::File::create(project.path(".bars.csv.barkeep-lock")).unwrap();
    held.lock().unwrap();
    // Somebody was told that it fails.
    run(&project, &server, &[]).exits(5);
    assert_eq!(server.requests().len(), 3);
    let skipped = run(&project, &server, &["--if-locked", "skip"]).exits(0);
    assert_eq!(["status", "exit", "errors"].map(|key| skipped.value(key)), ["skipped", "0", "0"]);
    assert!(skipped.out.contains("bars.csv"), "it says what for: {skipped:?}");
    let asked: Vec<String> = server.requests().into_iter().map(|(path, _)| path).collect();
    assert_eq!(asked, [format!("/{TOKEN}/start")]);
    assert_eq!(project.runs().pop().map(|(_, status, code)| (status, code)), Some(("skipped".to_owned(), 0)));
    assert_eq!(gauge(&project, "barkeep_job_exit_code").unwrap(), "5");
    // It is no success, which the next run that fails looks for.
    run(&project, &server, &[]).exits(5);
    assert_eq!(gauge(&project, "barkeep_job_last_success_timestamp_seconds"), None);
    server.requests();
    drop(held);
    run(&project, &server, &[]).exits(1);
    run(&project, &server, &[]).exits(0);
    let sent = server.requests().into_iter().filter(|(path, _)| *path == format!("/{TOKEN}"));
    let sent: Vec<Value> = sent.map(|(_, body)| serde_json::from_str(&body).unwrap()).collect();
    assert_eq!(sent.iter().map(|message| &message["event"]).collect::<Vec<_>>(), ["fail", "recovery"]);
}

#[test]
fn a_run_that_waits_knows_what_was_sent_of_the_one_before() {
    let server = Server::answering_each(vec!["200 OK"], Duration::from_secs(2));
    let project = notifying(&format!("{BARS}{BAD}"), "webhook = \"${HOOK}\"\nat_most_every = \"1d\"");
    project.edit("rules.toml", "action = \"quarantine\"\n", "");
    let start =
        || project.process(&["run", "job.toml", "--if-locked", "wait"]).env("HOOK", server.url()).spawn().unwrap();
    let mut both = [start(), start()];
    for run in &mut both {
        assert_eq!(run.wait().unwrap().code(), Some(1));
    }
    assert_eq!(events(&server), ["fail"]);
    assert!(!project.path("reports/.demo.lock").exists());
}
