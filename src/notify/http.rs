//! One request, tried a few times. Redirects are not followed: an address that is a secret goes to one host.

use std::thread;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error, Proxy};

use super::address::Address;
use super::payload::{Answer, Request};
use crate::text::escape::shortened;

/// Bytes of an answer that are read.
const MOST_READ: u64 = 64 << 10;
/// Characters of an answer that are shown.
const MOST_SHOWN: usize = 200;

/// How long, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long one try may take, from the name of the host to the end of the answer.
    pub limit: Duration,
    /// How many tries there are.
    pub tries: u32,
    /// The pause after the first try; each one after is three times as long.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { limit: Duration::from_secs(10), tries: 3, pause: Duration::from_secs(1) }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Tries.
    pub tries: u32,
    /// Why it failed; `None` where it did not. It says the host, and nothing else of the address.
    pub failed: Option<String>,
}

/// Why a try failed, and whether another one may do better.
struct Failed {
    why: String,
    again: bool,
}

/// Sends `request`, and tries again where a server is out of reach, silent, busy or broken.
pub fn send(request: &Request, patience: &Patience) -> Outcome {
    let agent = agent(&request.address, patience.limit);
    let mut pause = patience.pause;
    let mut tries = 0;
    loop {
        tries += 1;
        let Err(Failed { why, again }) = once(&agent, request, patience.limit) else {
            return Outcome { tries, failed: None };
        };
        if !again || tries >= patience.tries {
            return Outcome { tries, failed: Some(format!("{}: {}", request.address.host(), shortened(&why, 400))) };
        }
        thread::sleep(pause);
        pause *= 3;
    }
}

fn agent(address: &Address, limit: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("barkeep/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::WebPki).build())
        // Nothing stands between this machine and itself.
        .proxy(if address.is_loopback() { None } else { Proxy::try_from_env() });
    config.build().into()
}

fn once(agent: &Agent, request: &Request, limit: Duration) -> Result<(), Failed> {
    let mut post = agent.post(request.address.url()).content_type(request.content_type);
    for (name, value) in &request.headers {
        post = post.header(*name, value);
    }
    // What others say may hold the address, also across the place where it is cut.
    let said = |text: &str| shortened(request.address.hide_in(text).trim(), MOST_SHOWN);
    let mut response = post.send(request.body.as_str()).map_err(|error| failed(&error, limit, &said))?;
    let status = response.status();
    let refused = |why: String, again: bool| Err(Failed { why, again });
    if status.is_redirection() {
        return refused(
            format!("it answers {} and redirects, which is not followed; write the address it names", status.as_u16()),
            false,
        );
    }
    let answer = response.body_mut().with_config().limit(MOST_READ).lossy_utf8(true).read_to_string();
    if !status.is_success() {
        // An error says more with its text, and is one without.
        let text = answer.map(|text| said(&text)).unwrap_or_default();
        let again = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        let text = if text.is_empty() { text } else { format!(": {text}") };
        return refused(format!("it answers {}{text}", status.as_u16()), again);
    }
    match request.answer {
        Answer::Any => Ok(()),
        Answer::Code(name) => read_code(name, &answer.map_err(|error| failed(&error, limit, &said))?, &said),
    }
}

/// Services that answer 200 to everything say in the body whether they took the message.
fn read_code(name: &str, answer: &str, said: &dyn Fn(&str) -> String) -> Result<(), Failed> {
    let code = serde_json::from_str::<serde_json::Value>(answer).ok().and_then(|answer| answer[name].as_i64());
    match code {
        Some(0) => Ok(()),
        _ => Err(Failed { why: format!("it did not take the message: {}", said(answer)), again: false }),
    }
}

fn failed(error: &Error, limit: Duration, said: &dyn Fn(&str) -> String) -> Failed {
    let (why, again) = match error {
        Error::Timeout(_) => (format!("no answer within {limit:?}"), true),
        Error::HostNotFound => ("there is no such host, or no name server".to_owned(), true),
        Error::ConnectionFailed => ("no connection".to_owned(), true),
        // A certificate that is not trusted comes as an error of the connection.
        Error::Io(io) if io.get_ref().is_some_and(|inner| inner.to_string().contains("certificate")) => {
            (format!("its certificate is not trusted: {}", said(&io.to_string())), false)
        }
        Error::Io(io) => (said(&io.to_string()), true),
        Error::Rustls(tls) => (format!("no encrypted connection: {}", said(&tls.to_string())), false),
        other => (said(&other.to_string()), false),
    };
    Failed { why, again }
}

#[cfg(test)]
mod tests;
