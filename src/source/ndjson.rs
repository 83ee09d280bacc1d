//! The fields of a JSON record, its values left as the text they are: an object, an array whose values the job names, or
//! a member of an object with its key before it.
//!
//! Every value is checked to be JSON; none is decoded here. What is wrong with a record is said in words that fit
//! after "record is". Pure.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json_flat;

/// The field that the key of a member becomes.
pub(super) const KEY: &str = "key";

/// What a record may be besides an object.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape<'c> {
    /// The names of the values of a record that is an array.
    pub(super) columns: &'c [String],
    /// Whether a record is a member of an object, with its key before it.
    pub(super) keyed: bool,
}

/// Calls `field` with every key and value of the JSON record `text`, in order; an error of its own stops it.
///
/// # Errors
/// What is wrong with the record, when it is not one JSON object, or array that has names, and nothing else.
pub(super) fn fields<'a, F>(text: &'a str, shape: Shape<'_>, mut field: F) -> Result<(), String>
where
    F: FnMut(&str, &'a str) -> Result<(), String>,
{
    let mut value = text;
    if shape.keyed {
        let (key, rest) = member(text).ok_or("not a member of an object")?;
        field(KEY, key)?;
        value = rest;
    }
    if let Some(members) = json_flat::members(value) {
        return members.into_iter().try_for_each(|(key, literal)| field(key, literal));
    }
    let mut stopped = None;
    let mut json = serde_json::Deserializer::from_str(value);
    let visitor = Fields { field, columns: shape.columns, stopped: &mut stopped };
    let read = serde::Deserializer::deserialize_any(&mut json, visitor);
    match read.and_then(|()| json.end()) {
        Ok(()) => Ok(()),
        Err(error) => Err(stopped.unwrap_or_else(|| describe(&error))),
    }
}

/// Fails when a record is not one JSON object, or array that has names, in UTF-8.
pub(super) fn check(record: &[u8], shape: Shape<'_>) -> Result<(), String> {
    fields(utf8(record)?, shape, |_, _| Ok(()))
}

/// The key and the value of a member of an object.
fn member(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let key = values.next()?.ok()?;
    Some((key.get(), text.get(values.byte_offset()..)?.trim_start().strip_prefix(':')?))
}

/// The record as text.
pub(super) fn utf8(record: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(record).map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to() + 1))
}

struct Fields<'s, F> {
    field: F,
    columns: &'s [String],
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

    fn visit_seq<S: SeqAccess<'a>>(mut self, mut values: S) -> Result<(), S::Error> {
        let (mut count, width) = (0, self.columns.len());
        let mut stop = |reason: String| {
            *self.stopped = Some(reason);
            S::Error::custom("stopped")
        };
        if width == 0 {
            return Err(stop("not a JSON object".to_owned()));
        }
        for name in self.columns {
            let Some(value) = values.next_element::<&'a RawValue>()? else { break };
            count += 1;
            (self.field)(name, value.get()).map_err(&mut stop)?;
        }
        while values.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        match count == width {
            true => Ok(()),
            false => Err(stop(format!("ragged: {count} values, `columns` has {width}"))),
        }
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
        fields(text, Shape::default(), |key, value| {
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
        assert_eq!(check(b"{\"a\":\"\xff\"}", Shape::default()).unwrap_err(), "not UTF-8 at byte 7");
    }

    fn shaped(text: &str, shape: Shape<'_>) -> Result<String, String> {
        let mut found = Vec::new();
        fields(text, shape, |key, value| {
            found.push(format!("{key}={value}"));
            Ok(())
        })?;
        Ok(found.join(" "))
    }

    #[test]
    fn arrays_have_the_names_that_the_job_gives() {
        let columns = ["t", "o"].map(str::to_owned);
        let shape = Shape { columns: &columns, keyed: false };
        assert_eq!(shaped("[1704067200000, \"1.50\"]", shape).unwrap(), "t=1704067200000 o=\"1.50\"");
        assert_eq!(shaped("{\"o\":1}", shape).unwrap(), "o=1", "objects say their names themselves");
        assert_eq!(shaped("[1]", shape).unwrap_err(), "ragged: 1 values, `columns` has 2");
        assert_eq!(shaped("[1,2,3,[4]]", shape).unwrap_err(), "ragged: 4 values, `columns` has 2");
        assert_eq!(shaped("[1,2", shape).unwrap_err(), "not valid JSON: EOF while parsing a list at column 4");
    }

    #[test]
    fn the_key_of_a_member_is_a_field() {
        let columns = ["o"].map(str::to_owned);
        let shape = Shape { columns: &columns, keyed: true };
        assert_eq!(shaped("\"2024-01-02\" :\n {\"o\": 1}", shape).unwrap(), "key=\"2024-01-02\" o=1");
        assert_eq!(shaped("\"a:b\":[7]", shape).unwrap(), "key=\"a:b\" o=7");
        assert_eq!(shaped("\"a\":7", shape).unwrap_err(), "not a JSON object");
    }

    #[test]
    fn a_fault_of_the_caller_is_passed_on() {
        assert_eq!(fields("{\"a\":1}", Shape::default(), |key, _| Err(format!("bad `{key}`"))).unwrap_err(), "bad `a`");
    }

    #[test]
    fn deep_nesting_does_not_overflow() {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&text).unwrap().len(), 1);
    }
}
