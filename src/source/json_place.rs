//! Where the records are in a JSON document, and what stands beside them.
//!
//! A name of the path is looked up literally first, then as the first part of a path. Pure: text in, slices of it out.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::quoted;
use super::extended_json::Value;
use super::json_nested::{inside, rest};

/// The path that stands for the document itself.
const ITSELF: &str = ".";
/// How deep the records of a document are looked for that the job does not place.
const SUGGESTED_DEPTH: usize = 3;

/// The records of a document.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// Each a slice of the document.
    pub(super) records: Vec<&'a str>,
    /// Whether they are members of an object, so that each begins with its key.
    pub(super) keyed: bool,
    /// Names and values that stand beside them, the nearest last.
    pub(super) beside: Vec<(String, Option<String>)>,
}

/// The members of an object: literal of the key, key, literal of the value.
type Members<'a> = Vec<(&'a str, String, &'a str)>;

/// Finds the records of the document `text` at the dotted `path`.
///
/// # Errors
/// What is wrong with the document or the path.
pub(super) fn locate<'a>(text: &'a str, path: Option<&str>) -> Result<Found<'a>, String> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| broken(&error))?;
    let mut at = whole.get();
    let mut beside = Vec::new();
    let mut left = path.unwrap_or(ITSELF);
    while left != ITSELF {
        let members = members(at).ok_or_else(|| {
            let written = path.unwrap_or_default();
            format!("`records = \"{written}\"` leads nowhere: there is no object to look for `{left}` in")
        })?;
        let (value, next) = step(&members, left).map_err(|reason| {
            let keys = quoted(members.iter().map(|(_, key, _)| key.as_str()));
            format!("`records = \"{}\"` leads nowhere: {reason}, there is {keys}", path.unwrap_or_default())
        })?;
        for (_, key, other) in &members {
            if !std::ptr::eq(*other, value) {
                take_beside(key, other, &mut beside);
            }
        }
        (at, left) = (value, next);
    }
    if at.starts_with('[') {
        let records: Vec<&RawValue> = serde_json::from_str(at).map_err(|error| broken(&error))?;
        return Ok(Found { records: records.into_iter().map(RawValue::get).collect(), keyed: false, beside });
    }
    match (members(at), path) {
        (Some(_), None) => Err(suggestion(at)),
        (Some(members), Some(_)) => {
            let records = members.iter().map(|(key, _, value)| stretch(text, key, value)).collect();
            Ok(Found { records, keyed: true, beside })
        }
        (None, _) => Err("what `records` leads to is neither an array nor an object".to_owned()),
    }
}

/// What a parser says of a document that is not one.
fn broken(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => format!("it breaks off in line {line} ({what}); fetch it again"),
        _ if what == "trailing characters" => format!(
            "in line {line}, column {column}, something follows the document; where each line is a record, write \
             `format = \"ndjson\"`"
        ),
        _ => format!("line {line}, column {column}: {what}"),
    }
}

/// The value one step along the path `left`, and what is left of the path then.
fn step<'a, 'p>(members: &Members<'a>, left: &'p str) -> Result<(&'a str, &'p str), String> {
    let mut exact = members.iter().filter(|(_, key, _)| key == left);
    match (exact.next(), exact.next()) {
        (Some((_, _, value)), None) => return Ok((value, ITSELF)),
        (Some(_), Some(_)) => return Err(format!("`{left}` is there twice")),
        (None, _) => {}
    }
    let longest = members
        .iter()
        .filter_map(|(_, key, value)| Some((key.len(), *value, rest(left, key)?)))
        .max_by_key(|(length, _, _)| *length);
    longest.map(|(_, value, next)| (value, next)).ok_or_else(|| format!("nothing is called `{left}`"))
}

/// The members of an object; `None` where `literal` is none.
fn members(literal: &str) -> Option<Members<'_>> {
    struct Reader;
    impl<'a> Visitor<'a> for Reader {
        type Value = Members<'a>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a JSON object")
        }

        fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut members = Vec::new();
            while let Some((key, value)) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
                let name = serde_json::from_str(key.get()).unwrap_or_else(|_| key.get().to_owned());
                members.push((key.get(), name, value.get()));
            }
            Ok(members)
        }
    }
    let mut json = serde_json::Deserializer::from_str(literal);
    serde::Deserializer::deserialize_map(&mut json, Reader).ok()
}

/// The stretch of `text` from the slice `first` of it to the end of the slice `last` of it.
fn stretch<'a>(text: &'a str, first: &str, last: &str) -> &'a str {
    let start = first.as_ptr().addr() - text.as_ptr().addr();
    &text[start..last.as_ptr().addr() - text.as_ptr().addr() + last.len()]
}

/// Adds what stands beside the records as `name`: a value by itself, or those in an object by their paths.
fn take_beside(name: &str, literal: &str, beside: &mut Vec<(String, Option<String>)>) {
    let mut take = |name: String, literal: &str| {
        let value = match Value::read(literal) {
            Some(Value::Null) => None,
            Some(Value::Text(text) | Value::Number(text)) => Some(text.into_owned()),
            Some(Value::Other(text)) if !text.starts_with(['[', '{']) => Some(text.into_owned()),
            _ => return,
        };
        beside.retain(|(known, _)| *known != name);
        beside.push((name, value));
    };
    inside(name, literal, &mut take);
    take(name.to_owned(), literal);
}

/// The setting that says where the records are, for a document that is an object.
fn suggestion(literal: &str) -> String {
    let mut paths = Vec::new();
    suggest(literal, "", SUGGESTED_DEPTH, &mut paths);
    let keys = || quoted(members(literal).iter().flatten().map(|(_, key, _)| key.as_str()));
    match paths.as_slice() {
        [path] => format!("it is one object; write `records = \"{path}\"`"),
        [] => format!("it is one object with {}; write with `records` which of them holds the records", keys()),
        several => {
            let paths = quoted(several.iter().map(String::as_str));
            format!("it is one object, and there may be records in {paths}; write one of them with `records`")
        }
    }
}

/// Adds the paths below `prefix` at which an array or an object of records stands.
fn suggest(literal: &str, prefix: &str, depth: usize, paths: &mut Vec<String>) {
    for (_, key, value) in members(literal).unwrap_or_default() {
        let path = format!("{prefix}{key}");
        let compound = |literal: &str| literal.starts_with(['[', '{']);
        let records = match value.as_bytes().first() {
            Some(b'[') => value[1..].trim_start().starts_with(['[', '{']),
            Some(b'{') => members(value)
                .is_some_and(|inner| !inner.is_empty() && inner.iter().all(|(_, _, value)| compound(value))),
            _ => false,
        };
        // An object of one array is a step on the way to it.
        let way = members(value).is_some_and(|inner| inner.iter().any(|(_, _, value)| value.starts_with('[')));
        match records && !way {
            true => paths.push(path),
            false if depth > 1 => suggest(value, &format!("{path}."), depth - 1, paths),
            false => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, path: Option<&str>) -> Result<String, String> {
        let found = locate(text, path)?;
        Ok(format!("{} {}", found.keyed, found.records.join(" | ")))
    }

    fn beside(text: &str, path: &str) -> Vec<String> {
        let found = locate(text, Some(path)).unwrap().beside;
        found.into_iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL"))).collect()
    }

    #[test]
    fn an_array_is_its_own_records() {
        for path in [None, Some(".")] {
            assert_eq!(records(" [ {\"a\": 1} ,[2]]\n", path).unwrap(), "false {\"a\": 1} | [2]");
        }
        assert_eq!(records("[]", None).unwrap(), "false ");
    }

    #[test]
    fn a_path_leads_to_an_array_or_an_object() {
        let text = r#"{"a": {"b": [1, 2]}, "a.b": [3], "x.y": {"z": {"k" : {"o":1}, "l":{}}}}"#;
        assert_eq!(records(text, Some("a.b")).unwrap(), "false 3", "a name is looked up literally first");
        assert_eq!(records(text, Some("x.y.z")).unwrap(), r#"true "k" : {"o":1} | "l":{}"#);
        assert_eq!(records(r#"{"k":{"o":1}}"#, Some(".")).unwrap(), r#"true "k":{"o":1}"#);
    }

    #[test]
    fn scalars_on_the_way_stand_beside_the_records() {
        let text = r#"{"ticker":"X","n":60,"adjusted":true,"none":null,"data":{"symbol":"AAPL","rows":[],"n":5,"ids":[1]},
            "Meta Data":{"2. Symbol":"IBM"}}"#;
        assert_eq!(
            beside(text, "data.rows"),
            ["ticker=X", "adjusted=true", "none=NULL", "Meta Data.2. Symbol=IBM", "symbol=AAPL", "n=5"]
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_names_what_is_there() {
        let text = r#"{"results": [1], "results2": 3, "a": 1, "a": [2]}"#;
        assert_eq!(
            records(text, Some("result")).unwrap_err(),
            "`records = \"result\"` leads nowhere: nothing is called `result`, there is `results`, `results2`, `a`, `a`"
        );
        assert!(records(text, Some("results.x")).unwrap_err().contains("no object to look for `x` in"));
        assert!(records(text, Some("a")).unwrap_err().contains("`a` is there twice"));
        assert!(records(text, Some("results2")).unwrap_err().contains("neither an array nor an object"));
    }

    #[test]
    fn a_document_that_is_an_object_gets_a_suggestion() {
        for (text, end) in [
            (r#"{"ticker":"A","results":[{"o":1}]}"#, "write `records = \"results\"`"),
            (r#"{"Meta Data":{"s":"IBM"},"Time Series":{"2024-01-02":{"o":1}}}"#, "write `records = \"Time Series\"`"),
            (r#"{"code":"0","data":{"candles":[[1,2]]}}"#, "write `records = \"data.candles\"`"),
            (r#"{"a":[[1]],"b":[[2]]}"#, "records in `a`, `b`; write one of them with `records`"),
            (r#"{"a":1}"#, "one object with `a`; write with `records` which of them holds the records"),
        ] {
            let error = records(text, None).unwrap_err();
            assert!(error.ends_with(end), "{error}");
        }
    }

    #[test]
    fn a_document_that_is_not_whole_says_where_it_ends() {
        let error = records("[\n{\"a\":1},\n{\"a\":", None).unwrap_err();
        assert!(error.starts_with("it breaks off in line 3 ("), "{error}");
        assert!(records("{\"a\":1}\n{\"a\":2}\n", None).unwrap_err().contains("`format = \"ndjson\"`"));
        assert_eq!(records("[1,\n 2 3]", None).unwrap_err(), "line 2, column 4: expected `,` or `]`");
    }
}
