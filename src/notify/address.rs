//! The address of a service. What it holds behind the host is a secret: whoever knows it can write there.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;

use secrecy::{ExposeSecret, SecretString};
use ureq::http::Uri;

/// Where a request goes.
#[derive(Clone)]
pub struct Address {
    url: SecretString,
    host: String,
    loopback: bool,
}

impl Address {
    /// Reads an `https` address; `http` is one on this machine, or where `plaintext` allows it.
    ///
    /// # Errors
    /// What is wrong, without the address.
    pub fn parse(text: &str, plaintext: bool) -> Result<Self, String> {
        let no_url = || "this is not a URL; one begins with `https://`".to_owned();
        let uri: Uri = text.parse().map_err(|_| no_url())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(no_url()) };
        if authority.as_str().contains('@') {
            return Err("a user in front of the host is not taken".to_owned());
        }
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let loopback = name == "localhost" || name.parse().is_ok_and(|host: IpAddr| host.is_loopback());
        match scheme {
            "https" => {}
            "http" if plaintext || loopback => {}
            "http" => {
                return Err("`http` sends a secret in plain text; write `allow_plaintext = true` if it may".to_owned());
            }
            _ => return Err(no_url()),
        }
        Ok(Self { url: SecretString::from(text.to_owned()), host: authority.as_str().to_owned(), loopback })
    }

    /// Its host and port, which may be said.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The whole of it, for the request.
    pub(super) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// The address with `/end` behind its path.
    #[must_use]
    pub fn below(&self, end: &str) -> Self {
        let (path, query) = match self.url().split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (self.url(), String::new()),
        };
        self.with(format!("{}/{end}{query}", path.trim_end_matches('/')))
    }

    /// The address with `pairs` behind its query.
    pub(super) fn with_query(&self, pairs: &str) -> Self {
        let joint = if self.url().contains('?') { '&' } else { '?' };
        self.with(format!("{}{joint}{pairs}", self.url()))
    }

    fn with(&self, url: String) -> Self {
        Self { url: SecretString::from(url), ..self.clone() }
    }

    /// `text` without anything of the address that is a secret, as it stands there, decoded, or encoded in any way.
    pub(super) fn hide_in(&self, text: &str) -> String {
        let hidden = self.secrets().iter().fold(text.as_bytes().to_vec(), |text, secret| hide(&text, secret));
        String::from_utf8_lossy(&hidden).into_owned()
    }

    /// What whoever knows it can write with, decoded, the longest first: the pieces of the path, and the values of the query.
    fn secrets(&self) -> BTreeSet<Secret> {
        let behind = self.url().split_once(self.host.as_str()).map_or("", |(_, behind)| behind);
        let (path, query) = behind.split_once(['?', '#']).unwrap_or((behind, ""));
        let values = query.split(['&', '#']).map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let encoded = [self.url(), behind].into_iter().chain(path.split('/')).chain(values);
        let decoded = encoded.map(|piece| decoded(piece.as_bytes()).into_iter().map(|(byte, _)| byte).collect());
        // What was encoded so that it is one piece may be split by others.
        let whole: Vec<Vec<u8>> = decoded.collect();
        let parts = whole.iter().skip(2).flat_map(|piece| piece.split(|byte| *byte == b'/')).map(<[u8]>::to_vec);
        let all = parts.collect::<Vec<_>>().into_iter().chain(whole);
        all.filter(|secret| secret.len() >= SHORTEST).map(|bytes| Secret(Reverse(bytes.len()), bytes)).collect()
    }
}

/// Fewer bytes than this are no secret.
const SHORTEST: usize = 4;
/// Fewer bytes than this are hidden where they are a word of their own, for a text may well have them in another one.
const LONG: usize = 8;

/// Something to hide, the longest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Secret(Reverse<usize>, Vec<u8>);

/// `text` with `…` in the place of a secret.
fn hide(text: &[u8], Secret(_, secret): &Secret) -> Vec<u8> {
    let read = decoded(text);
    let in_word =
        |at: Option<usize>| at.and_then(|at| read.get(at)).is_some_and(|(byte, _)| byte.is_ascii_alphanumeric());
    let found = |at: usize| {
        let Some(bytes) = read.get(at..at + secret.len()) else { return false };
        // In a query a `+` is a space.
        let same =
            |byte: u8, other: u8| byte.eq_ignore_ascii_case(&other) || b" +".contains(&byte) && b" +".contains(&other);
        bytes.iter().zip(secret).all(|((byte, _), other)| same(*byte, *other))
            && (secret.len() >= LONG || !in_word(at.checked_sub(1)) && !in_word(Some(at + secret.len())))
    };
    let (mut hidden, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some((_, place)) = read.get(at) {
        if found(at) {
            hidden.extend("…".as_bytes());
            at += secret.len();
        } else {
            hidden.extend(&text[place.clone()]);
            at += 1;
        }
    }
    hidden
}

/// The bytes that `text` stands for, each with its place: `%2F` is `/`, also where the `%` is encoded itself.
fn decoded(text: &[u8]) -> Vec<(u8, Range<usize>)> {
    let digits = |at: usize| {
        let pair = text.get(at..at + 2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))?;
        u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
    };
    let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        let mut pair = at + 1;
        while digits(pair) == Some(b'%') && digits(pair + 2).is_some() {
            pair += 2;
        }
        let (byte, end) = match (byte, digits(pair)) {
            (b'%', Some(byte)) => (byte, pair + 2),
            (byte, _) => (*byte, at + 1),
        };
        bytes.push((byte, at..end));
        at = end;
    }
    bytes
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.host).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encrypted_or_on_this_machine() {
        for good in ["https://hooks.example/a?b=c", "http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]:1/x"]
        {
            assert!(Address::parse(good, false).is_ok(), "{good}");
        }
        for bad in
            ["hooks.example/a", "", "ftp://x/y", "https://", "http://hooks.example/a", "https://u:p@hooks.example/a"]
        {
            let said = Address::parse(bad, false).unwrap_err();
            assert!(!said.contains("hooks.example"), "{bad}: {said}");
        }
        assert!(Address::parse("http://hooks.example/a", true).is_ok());
    }

    #[test]
    fn only_the_host_is_shown() {
        let address =
            Address::parse("https://hooks.example:8443/services/T000/B000/s3cr3t-token?key=0123456789", false).unwrap();
        assert_eq!(format!("{address:?} {}", address.host()), "Address(\"hooks.example:8443\") hooks.example:8443");
        let said =
            address.hide_in("no answer from https://hooks.example:8443/services/T000/B000/s3cr3t-token?key=0123456789");
        assert!(!said.contains("s3cr3t") && !said.contains("0123"), "{said}");
        assert!(!address.hide_in("bad key 0123456789").contains("0123"));
    }

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let address =
            Address::parse("https://hooks.example/b0t/Ab3%2Fxy%20z%3D/s%C3%A9cret-01?access_token=k%2Bey9&k0de", false)
                .unwrap();
        let hidden = |text: &str| address.hide_in(text);
        for text in [
            "Ab3%2Fxy%20z%3D",
            "Ab3/xy z=",
            "Ab3%2fxy%20z%3d",
            "ab3%252Fxy%2520z%253D",
            "%41b3%2Fxy+z%3D",
            "sécret-01",
            "s%c3%a9cret-01",
            "k%2Bey9",
            "k+ey9",
            "k0de",
        ] {
            assert_eq!(hidden(&format!("no `{text}`, sorry")), "no `…`, sorry", "{text}");
        }
        assert_eq!(hidden("xy z="), "…", "a part of what was encoded as one piece");
        assert_eq!(hidden("xsécret-01x"), "x…x");
        // What is short is hidden as a word of its own; names of a query and pieces that say nothing are shown.
        assert_eq!(hidden("k0decs of b0t: access_token, 100% 日本"), "k0decs of b0t: access_token, 100% 日本");
        assert_eq!(hidden("/b0t/Ab3%2Fxy%20z%3D/s%C3%A9cret-01?access_token=k%2Bey9&k0de!"), "…!");
    }

    #[test]
    fn ends_go_before_the_query() {
        let address = |text| Address::parse(text, false).unwrap();
        assert_eq!(address("https://hc/u-1?rid=7").below("start").url(), "https://hc/u-1/start?rid=7");
        assert_eq!(address("https://hc/u-1/").below("0").url(), "https://hc/u-1/0");
        assert_eq!(address("https://hc/u?a=b").with_query("c=d").url(), "https://hc/u?a=b&c=d");
        assert_eq!(address("https://hc/u").with_query("c=d").url(), "https://hc/u?c=d");
    }
}
