//! Who is answered. A page of another site may make the browser ask this server; it knows no token, its Origin is another, and a
//! name that it points to this machine is not the Host that this server has.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What the documents of the server itself may do; the page of a run says more narrowly what it may.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";
/// The same for the page of a run, whose own policy holds besides.
const POLICY_OF_A_PAGE: &str = "frame-ancestors 'none'; base-uri 'none'";

/// Sent with every answer. The address stays within this server; `no-referrer` would take the Origin from its forms, too.
const HEADERS: [(HeaderName, &str); 3] =
    [(CACHE_CONTROL, "no-store"), (REFERRER_POLICY, "same-origin"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];

/// What a request has to know.
#[derive(Debug)]
pub(super) struct Guard {
    token: String,
    /// `127.0.0.1:PORT` and `localhost:PORT`.
    hosts: [String; 2],
}

impl Guard {
    pub(super) fn new(token: String, address: SocketAddr) -> Self {
        Self { token, hosts: [address.to_string(), format!("localhost:{}", address.port())] }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether `path` begins with the token; how long that takes says nothing of it.
    fn knows_token(&self, path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let differ = first.bytes().zip(self.token.bytes()).fold(0, |differ, (one, other)| differ | (one ^ other));
        first.len() == self.token.len() && differ == 0
    }

    /// Whether the request comes from a document of this server, or from no document.
    fn allows(&self, headers: &HeaderMap, method: &Method) -> bool {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = text(HOST).is_some_and(|host| self.hosts.iter().any(|known| known == host));
        let known = |origin: &str| {
            origin.strip_prefix("http://").is_some_and(|origin| self.hosts.iter().any(|known| known == origin))
        };
        let origin = match text(ORIGIN) {
            Some(origin) => known(origin),
            // A browser says where a form comes from; only what changes something needs that.
            None => *method == Method::GET || *method == Method::HEAD,
        };
        host && origin
    }
}

/// Answers only who may ask.
pub(super) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let of_a_page = request.uri().path().contains("/run/");
    let mut response = if !guard.allows(request.headers(), request.method()) {
        (StatusCode::FORBIDDEN, "this server answers its own pages only\n").into_response()
    } else if !guard.knows_token(request.uri().path()) {
        (StatusCode::NOT_FOUND, "open the address that `barkeep serve` prints\n").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = if of_a_page { POLICY_OF_A_PAGE } else { POLICY };
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new("0123456789abcdef".to_owned(), "127.0.0.1:8000".parse().unwrap())
    }

    fn allows(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        guard().allows(&headers.collect(), method)
    }

    #[test]
    fn only_the_whole_token_is_known() {
        for path in ["/0123456789abcdef", "/0123456789abcdef/", "/0123456789abcdef/run/x"] {
            assert!(guard().knows_token(path), "{path}");
        }
        for path in ["/", "", "/0123456789abcde", "/0123456789abcdef0", "/0123456789abcdeF", "/run/0123456789abcdef"] {
            assert!(!guard().knows_token(path), "{path}");
        }
    }

    #[test]
    fn another_host_or_origin_is_refused_and_a_change_needs_one() {
        let (host, local) = (("host", "127.0.0.1:8000"), ("host", "localhost:8000"));
        let ours = ("origin", "http://127.0.0.1:8000");
        assert!(allows(&Method::GET, &[host]) && allows(&Method::GET, &[local]) && allows(&Method::GET, &[host, ours]));
        assert!(allows(&Method::POST, &[host, ours]) && !allows(&Method::POST, &[host]));
        for origin in ["http://evil.example", "null", "https://127.0.0.1:8000", "http://127.0.0.1:8001"] {
            assert!(!allows(&Method::GET, &[host, ("origin", origin)]), "{origin}");
        }
        for host in ["evil.example:8000", "127.0.0.1", "127.0.0.1:8001", ""] {
            assert!(!allows(&Method::GET, &[("host", host)]), "{host}");
        }
        assert!(!allows(&Method::GET, &[]));
    }
}
