//! Against a real server on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::super::payload;
use super::*;

/// A server that gives one answer after the other, each to one connection; what it was sent is received. `None` answers
/// nothing and keeps the connection.
fn server(answers: Vec<Option<&'static str>>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sent, received) = channel();
    thread::spawn(move || {
        let mut kept: Vec<TcpStream> = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            sent.send(request(&stream)).ok();
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => kept.push(stream),
            }
        }
        thread::sleep(Duration::from_secs(5));
    });
    (port, received)
}

fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + "\n" + std::str::from_utf8(&body).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const BUSY: &str = "HTTP/1.1 500 Oh\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy";
const TOKEN: &str = "0123456789abcdef";

fn quick() -> Patience {
    Patience { limit: Duration::from_millis(400), tries: 3, pause: Duration::from_millis(5) }
}

fn slack(port: u16) -> Request {
    payload::slack(&Address::parse(&format!("http://127.0.0.1:{port}/hook/{TOKEN}"), false).unwrap(), "hello")
}

fn why(outcome: &Outcome) -> &str {
    outcome.failed.as_deref().unwrap()
}

#[test]
fn a_server_gets_the_message_once() {
    let (port, received) = server(vec![Some(OK)]);
    let outcome = send(&slack(port), &Patience { limit: Duration::from_secs(20), ..quick() });
    assert_eq!(outcome, Outcome { tries: 1, failed: None });
    let request = received.recv().unwrap();
    assert!(request.starts_with(&format!("POST /hook/{TOKEN} HTTP/1.1\r\n")), "{request}");
    assert!(request.ends_with("\n{\"text\":\"hello\"}"), "{request}");
    assert!(request.to_ascii_lowercase().contains("user-agent: barkeep/"), "{request}");
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let (port, received) = server(vec![Some(BUSY), Some(BUSY), Some(OK)]);
    assert_eq!(send(&slack(port), &quick()), Outcome { tries: 3, failed: None });
    assert_eq!(received.try_iter().count(), 3);
    let (port, _received) = server(vec![Some(BUSY); 5]);
    let outcome = send(&slack(port), &quick());
    assert_eq!(outcome.tries, 3);
    assert_eq!(why(&outcome), format!("127.0.0.1:{port}: it answers 500: busy"));
}

#[test]
fn a_mistake_and_a_redirect_are_not_tried_again() {
    const WRONG: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 27\r\n\r\nno hook 0123456789abcdef, x";
    const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n";
    for (answer, said) in
        [(WRONG, "it answers 404: no … …, x"), (MOVED, "it answers 302 and redirects, which is not followed")]
    {
        let (port, received) = server(vec![Some(answer), Some(OK)]);
        let outcome = send(&slack(port), &quick());
        assert!(outcome.tries == 1 && why(&outcome).contains(said), "{outcome:?}");
        assert_eq!(received.try_iter().count(), 1);
        assert!(!why(&outcome).contains(TOKEN), "{outcome:?}");
    }
}

#[test]
fn no_piece_of_the_address_is_shown_where_an_answer_is_cut() {
    for (before, token) in [(184, TOKEN), (195, TOKEN), (190, "0123456789%61bcdef"), (0, TOKEN)] {
        let body = format!("{} {token} end", "x".repeat(before));
        let head = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", body.len());
        let taken = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        for head in [head, taken] {
            let answer: &'static str = Box::leak(format!("{head}{body}").into_boxed_str());
            let (port, _received) = server(vec![Some(answer)]);
            let address = Address::parse(&format!("http://127.0.0.1:{port}/hook/{TOKEN}"), false).unwrap();
            let outcome = send(&payload::wecom(&address, "hello"), &quick());
            assert!(!why(&outcome).contains("0123") && why(&outcome).contains('…'), "{outcome:?}");
        }
    }
}

#[test]
fn a_server_that_hangs_or_is_not_there_ends_in_time() {
    let (port, _received) = server(vec![None, None, None]);
    let began = Instant::now();
    let outcome = send(&slack(port), &quick());
    assert_eq!((outcome.tries, why(&outcome)), (3, format!("127.0.0.1:{port}: no answer within 400ms").as_str()));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outcome = send(&slack(free), &quick());
    assert!(outcome.tries == 3 && why(&outcome).contains("refused"), "{outcome:?}");
}

#[test]
fn a_service_that_answers_200_to_everything_is_read() {
    const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"errcode\":0,\"errmsg\":\"ok\"}";
    const NOT_TAKEN: &str =
        "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{\"errcode\":310000,\"errmsg\":\"sign not match\"}";
    let wecom = |port: u16| payload::wecom(&Address::parse(&format!("http://localhost:{port}/x"), false).unwrap(), "a");
    let (port, _received) = server(vec![Some(TAKEN)]);
    assert_eq!(send(&wecom(port), &quick()), Outcome { tries: 1, failed: None });
    for answer in [NOT_TAKEN, OK] {
        let (port, _received) = server(vec![Some(answer)]);
        let outcome = send(&wecom(port), &quick());
        assert!(outcome.tries == 1 && why(&outcome).contains("it did not take the message: "), "{outcome:?}");
    }
}

#[test]
fn what_speaks_no_tls_is_no_https() {
    let (port, _received) = server(vec![Some(OK); 3]);
    let address = Address::parse(&format!("https://localhost:{port}/{TOKEN}"), false).unwrap();
    let outcome = send(&payload::slack(&address, "hello"), &quick());
    assert!(outcome.failed.is_some() && !why(&outcome).contains(TOKEN), "{outcome:?}");
}
