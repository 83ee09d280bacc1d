//! What the rules of a job cover already.

use serde_json::{Map, Value};

/// Rules by their check and parameters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    rules: Vec<Written>,
}

#[derive(Debug, Clone)]
struct Written {
    id: String,
    check: String,
    params: Map<String, Value>,
}

impl Known {
    /// Takes a rule with its parameters.
    pub(crate) fn take(&mut self, id: &str, check: &str, params: Map<String, Value>) {
        self.rules.push(Written { id: id.to_owned(), check: check.to_owned(), params });
    }

    /// Whether there is a rule of this id.
    pub(crate) fn has_id(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    /// Whether a rule is of the check `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.of(name).next().is_some()
    }

    /// Whether a rule of the check `name` is about `field`.
    pub(super) fn has_field(&self, name: &str, field: &str) -> bool {
        self.of(name).any(|params| is_text(params.get("field"), field))
    }

    /// Whether a rule bounds `field` at its end `end`, `min` or `max`.
    pub(super) fn bounds(&self, field: &str, end: &str) -> bool {
        self.of("range").any(|params| is_text(params.get("field"), field) && params.contains_key(end))
    }

    /// Whether a condition in SQL has `text` in it.
    pub(super) fn asserts(&self, text: &str) -> bool {
        self.of("sql").any(|params| params.get("assert").and_then(Value::as_str).is_some_and(|sql| sql.contains(text)))
    }

    /// Whether a rule requires `field`; prices are what `required` looks at by itself.
    pub(super) fn requires(&self, field: &str) -> bool {
        self.of("required").any(|params| match params.get("fields") {
            None => ["open", "high", "low", "close"].contains(&field),
            Some(Value::Array(fields)) => fields.iter().any(|one| is_text(Some(one), field)),
            some => is_text(some, field),
        })
    }

    fn of<'k>(&'k self, name: &'k str) -> impl Iterator<Item = &'k Map<String, Value>> {
        self.rules.iter().filter(move |rule| rule.check == name).map(|rule| &rule.params)
    }
}

fn is_text(value: Option<&Value>, text: &str) -> bool {
    value.and_then(Value::as_str) == Some(text)
}
