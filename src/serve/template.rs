//! The documents of the server. What comes from data is escaped by the template.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;
use serde_json::json;

const INDEX: &str = include_str!("assets/index.html");
const QUARANTINE: &str = include_str!("assets/quarantine.html");
const PROBLEM: &str = include_str!("assets/problem.html");

/// A document.
#[derive(Debug, Clone, Copy)]
pub(super) enum Document {
    Index,
    Quarantine,
    Problem,
}

pub(super) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("assets/serve.css"))
}

pub(super) async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("assets/serve.js"))
}

/// The document with these values.
pub(super) fn document(document: Document, values: impl Serialize) -> Response {
    match rendered(document, values) {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A document that says why something is not shown or done, and what to do.
pub(super) fn problem(status: StatusCode, problem: &str) -> Response {
    (status, document(Document::Problem, json!({ "problem": problem }))).into_response()
}

fn rendered(document: Document, values: impl Serialize) -> Result<String, minijinja::Error> {
    let text = match document {
        Document::Index => INDEX,
        Document::Quarantine => QUARANTINE,
        Document::Problem => PROBLEM,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.render_str(text, Value::from(Serde(&values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_data_is_escaped() {
        let problem = "</p><script>alert(1)</script>";
        let html = rendered(Document::Problem, json!({ "problem": problem })).unwrap();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>alert"), "{html}");
    }
}
