//! The records of one JSON document: where they are, and the first of them.

use serde_json::Value;

use super::time;

/// The records of a document, one a line, and the dotted path that leads to them; empty where the document itself is the
/// array. `None` where no records can be meant, or those of more than one place.
pub(super) fn records(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let document: Value = serde_json::from_slice(text).ok()?;
    let mut found = Vec::new();
    places(&document, String::new(), &mut found);
    let [(path, records)] = found.as_slice() else { return None };
    let mut lines = Vec::new();
    for record in records {
        lines.extend_from_slice(record.to_string().as_bytes());
        lines.push(b'\n');
    }
    // The document itself as an object of records is called by a point.
    let whole = document.is_object() && path.is_empty();
    Some((if whole { ".".to_owned() } else { path.clone() }, lines))
}

/// Arrays of records in `value`, which lies at `path`, and objects of records by their dates; those inside of records are
/// no records.
fn places(value: &Value, path: String, found: &mut Vec<(String, Vec<Value>)>) {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            found.push((path, items.clone()));
        }
        Value::Array(items) if are_arrays(items) => found.push((path, items.clone())),
        Value::Object(members) if by_date(value) => {
            let record = |(key, member): (&String, &Value)| {
                let mut record = member.as_object().cloned().unwrap_or_default();
                record.insert("key".to_owned(), Value::String(key.clone()));
                Value::Object(record)
            };
            found.push((path, members.iter().map(record).collect()));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let inside = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                places(member, inside, found);
            }
        }
        _ => {}
    }
}

/// Whether an array is a record: a timestamp and four prices at least, none of them nested.
pub(super) fn is_array_of_values(value: &Value) -> bool {
    let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
    value.as_array().is_some_and(|values| values.len() >= 5 && values.iter().all(is_scalar))
}

fn are_arrays(items: &[Value]) -> bool {
    let width = items.first().and_then(Value::as_array).map(Vec::len);
    width.is_some() && items.iter().all(|item| is_array_of_values(item) && item.as_array().map(Vec::len) == width)
}

/// Whether an object has records by their dates.
pub(super) fn by_date(value: &Value) -> bool {
    let Some(members) = value.as_object().filter(|members| members.len() > 1) else { return false };
    let keys: Vec<&str> = members.keys().map(String::as_str).collect();
    members.values().all(|member| member.as_object().is_some_and(|record| record.len() >= 4)) && time::is_moment(&keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(String, String)> {
        records(text.as_bytes()).map(|(path, lines)| (path, String::from_utf8(lines).unwrap()))
    }

    #[test]
    fn the_only_place_of_records_is_found() {
        assert_eq!(found("[{\"a\":1},{\"a\":2}]").unwrap(), (String::new(), "{\"a\":1}\n{\"a\":2}\n".to_owned()));
        let nested = "{\"status\":\"ok\",\"data\":{\"results\":[{\"a\":1}]}}";
        assert_eq!(found(nested).unwrap(), ("data.results".to_owned(), "{\"a\":1}\n".to_owned()));
        let arrays = "[[1704067200000,1,3,1,2,9],[1704067260000,1,3,1,2,9]]";
        assert_eq!(found(arrays).unwrap().1, "[1704067200000,1,3,1,2,9]\n[1704067260000,1,3,1,2,9]\n");
        let inside = format!("{{\"code\":\"0\",\"data\":{arrays}}}");
        assert_eq!(found(&inside).unwrap().0, "data");
        let bar = "{\"o\":1,\"h\":3,\"l\":1,\"c\":2}";
        let dates = format!("{{\"2024-01-02\":{bar},\"2024-01-03\":{bar}}}");
        assert_eq!(found(&dates).unwrap().0, ".");
        let (path, lines) = found(&format!("{{\"Meta\":{{\"a\":1}},\"Time Series (Daily)\":{dates}}}")).unwrap();
        assert_eq!(path, "Time Series (Daily)");
        assert!(lines.contains("\"key\":\"2024-01-02\""), "{lines}");
        for none in ["[[1,2]]", "{\"a\":[{}],\"b\":[{}]}", "[]", "{", "1", "[{},1]"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
