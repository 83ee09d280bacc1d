//! The address of a service. What it holds behind the host is a secret: whoever knows it can write there.

use std::fmt;
use std::net::IpAddr;

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

    /// `text` without anything of the address that is a secret.
    pub(super) fn hide_in(&self, text: &str) -> String {
        let behind = self.url().split_once(self.host.as_str()).map_or("", |(_, behind)| behind);
        let pieces = behind.split(['/', '?', '&', '=', '#']).filter(|piece| piece.len() >= 8);
        let whole = [self.url(), behind].into_iter().filter(|piece| piece.len() >= 8);
        whole.chain(pieces).fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
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
    fn ends_go_before_the_query() {
        let address = |text| Address::parse(text, false).unwrap();
        assert_eq!(address("https://hc/u-1?rid=7").below("start").url(), "https://hc/u-1/start?rid=7");
        assert_eq!(address("https://hc/u-1/").below("0").url(), "https://hc/u-1/0");
        assert_eq!(address("https://hc/u?a=b").with_query("c=d").url(), "https://hc/u?a=b&c=d");
        assert_eq!(address("https://hc/u").with_query("c=d").url(), "https://hc/u?c=d");
    }
}
