//! The records of one JSON document: where they are, and the first of them.

use serde_json::Value;

/// The records of a document, one a line, and the dotted path that leads to them; empty where the document itself is the
/// array. `None` where no array of objects can be meant, or more than one.
pub(super) fn records(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let document: Value = serde_json::from_slice(text).ok()?;
    let mut found = Vec::new();
    arrays(&document, String::new(), &mut found);
    let [(path, records)] = found.as_slice() else { return None };
    let mut lines = Vec::new();
    for record in *records {
        lines.extend_from_slice(record.to_string().as_bytes());
        lines.push(b'\n');
    }
    Some((path.clone(), lines))
}

/// The arrays of objects in `value`, which lies at `path`; those inside of records are no records.
fn arrays<'v>(value: &'v Value, path: String, found: &mut Vec<(String, &'v [Value])>) {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => found.push((path, items)),
        Value::Object(members) => {
            for (name, member) in members {
                let inside = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                arrays(member, inside, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(String, String)> {
        records(text.as_bytes()).map(|(path, lines)| (path, String::from_utf8(lines).unwrap()))
    }

    #[test]
    fn the_only_array_of_objects_holds_the_records() {
        assert_eq!(found("[{\"a\":1},{\"a\":2}]").unwrap(), (String::new(), "{\"a\":1}\n{\"a\":2}\n".to_owned()));
        let nested = "{\"status\":\"ok\",\"data\":{\"results\":[{\"a\":1}]}}";
        assert_eq!(found(nested).unwrap(), ("data.results".to_owned(), "{\"a\":1}\n".to_owned()));
        for none in ["[[1,2]]", "{\"a\":[{}],\"b\":[{}]}", "[]", "{", "1", "[{},1]"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
