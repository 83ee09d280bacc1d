//! The fields of an NDJSON record: one JSON object, its values left as the text they are.
//!
//! Every value is checked to be JSON; none is decoded here. What is wrong with a record is said in words that fit
//! after "record is". Pure.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Calls `field` with every key and value of the JSON object `text`, in order; an error of its own stops it.
///
/// # Errors
/// What is wrong with the record, when it is not one JSON object and nothing else.
pub(super) fn fields<'a, F>(text: &'a str, field: F) -> Result<(), String>
where
    F: FnMut(&str, &'a str) -> Result<(), String>,
{
    let mut stopped = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde::Deserializer::deserialize_any(&mut json, Fields { field, stopped: &mut stopped });
    match read.and_then(|()| json.end()) {
        Ok(()) => Ok(()),
        Err(error) => Err(stopped.unwrap_or_else(|| describe(&error))),
    }
}

/// Fails when a record is not one JSON object in UTF-8.
pub(super) fn check(record: &[u8]) -> Result<(), String> {
    fields(utf8(record)?, |_, _| Ok(()))
}

/// The record as text.
pub(super) fn utf8(record: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(record).map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to() + 1))
}

struct Fields<'s, F> {
    field: F,
    /// The error of `field`, which serde would wrap.
    stopped: &'s mut Option<String>,
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a, F> Visitor<'a> for Fields<'_, F>
where
    F: FnMut(&str, &'a str) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some((key, value)) = map.next_entry::<Key<'a>, &'a RawValue>()? {
            if let Err(reason) = (self.field)(&key.0, value.get()) {
                *self.stopped = Some(reason);
                return Err(M::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

fn describe(error: &serde_json::Error) -> String {
    if error.is_data() {
        return "not a JSON object".to_owned();
    }
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    format!("not valid JSON: {what} at column {}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, &str)>, String> {
        let mut found = Vec::new();
        fields(text, |key, value| {
            found.push((key.to_owned(), value));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn values_are_left_as_they_are_written() {
        let text = r#" {"a" : 1.50e3 , "b\u0041":"x\ny","c":{"d": [1, 2]}, "a":null} "#;
        let expected = [("a", "1.50e3"), ("bA", r#""x\ny""#), ("c", r#"{"d": [1, 2]}"#), ("a", "null")];
        assert_eq!(read(text).unwrap(), expected.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn what_is_no_object_is_reported() {
        for (text, reason) in [
            ("[1,2]", "not a JSON object"),
            ("3", "not a JSON object"),
            ("\"x\"", "not a JSON object"),
            ("null", "not a JSON object"),
            ("{\"a\":1", "not valid JSON: EOF while parsing an object at column 6"),
            ("{\"a\":NaN}", "not valid JSON: expected value at column 6"),
            ("{\"a\":1}{\"b\":2}", "not valid JSON: trailing characters at column 8"),
            ("{a:1}", "not valid JSON: key must be a string at column 2"),
        ] {
            assert_eq!(read(text).unwrap_err(), reason, "{text}");
        }
        assert_eq!(check(b"{\"a\":\"\xff\"}").unwrap_err(), "not UTF-8 at byte 7");
    }

    #[test]
    fn a_fault_of_the_caller_is_passed_on() {
        assert_eq!(fields("{\"a\":1}", |key, _| Err(format!("bad `{key}`"))).unwrap_err(), "bad `a`");
    }

    #[test]
    fn deep_nesting_does_not_overflow() {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&text).unwrap().len(), 1);
    }
}
