//! Values inside the values of a JSON record, by dotted paths. A name is looked up literally first. Pure.

use super::ndjson::{Shape, fields};

/// How deep values are looked for.
const DEEPEST: usize = 8;

/// The value at the dotted `path` in the JSON object `literal`.
pub(super) fn dig<'a>(literal: &'a str, path: &str) -> Option<&'a str> {
    dig_below(literal, path, DEEPEST)
}

fn dig_below<'a>(literal: &'a str, path: &str, depth: usize) -> Option<&'a str> {
    if depth == 0 || !literal.starts_with('{') {
        return None;
    }
    let (mut exact, mut below) = (None, None);
    fields(literal, Shape::default(), |key, value| {
        if key == path {
            exact = exact.or(Some(value));
        } else if let Some(rest) = rest(path, key) {
            below = below.or_else(|| dig_below(value, rest, depth - 1));
        }
        Ok(())
    })
    .ok()?;
    exact.or(below)
}

/// What follows the name `key` in a dotted path.
pub(super) fn rest<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    path.strip_prefix(key)?.strip_prefix('.')
}

/// Calls `each` with the dotted path and the literal of every value inside the value of `name`. Objects that stand for one
/// value, as MongoDB writes them, are no objects of this kind.
pub(super) fn inside<'a>(name: &str, literal: &'a str, each: &mut dyn FnMut(String, &'a str)) {
    inside_to(name, literal, DEEPEST, each);
}

fn inside_to<'a>(name: &str, literal: &'a str, depth: usize, each: &mut dyn FnMut(String, &'a str)) {
    if depth == 0 || !literal.starts_with('{') {
        return;
    }
    let mut members = Vec::new();
    let read = fields(literal, Shape::default(), |key, value| {
        members.push((format!("{name}.{key}"), key.starts_with('$'), value));
        Ok(())
    });
    if read.is_err() || members.iter().any(|(_, extended, _)| *extended) {
        return;
    }
    for (path, _, value) in members {
        inside_to(&path, value, depth - 1, each);
        each(path, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_literally_first() {
        let literal = r#"{"a":{"b":1,"b.c":2}, "a.b":{"c":3}, "a.b.c":4, "x": [1]}"#;
        assert_eq!(dig(literal, "a.b.c"), Some("4"));
        assert_eq!(dig(literal, "a.b"), Some(r#"{"c":3}"#));
        assert_eq!(dig(r#"{"a":{"b":1,"b.c":2}, "a.b":{"c":3}}"#, "a.b.c"), Some("2"), "the first that leads there");
        assert_eq!(dig(literal, "x.0"), None);
        assert_eq!(dig("7", "a"), None);
    }

    #[test]
    fn values_inside_are_named_by_their_paths() {
        let mut found = Vec::new();
        let literal = r#"{"open":1,"at":{"$date":"2024-01-02T00:00:00Z"},"more":{"n":2}}"#;
        inside("ohlc", literal, &mut |path, value| found.push(format!("{path}={value}")));
        let date = r#"ohlc.at={"$date":"2024-01-02T00:00:00Z"}"#;
        assert_eq!(found, ["ohlc.open=1", date, "ohlc.more.n=2", r#"ohlc.more={"n":2}"#]);
    }
}
