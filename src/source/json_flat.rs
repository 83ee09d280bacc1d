//! The quick way through a JSON object as most records are: values that are numbers, words, or strings without an escape.
//!
//! Reads exactly what a full parser reads, or leaves the record to it: what is wrong with a record is not said here.

use memchr::memchr;

/// The keys and literals of the object `text`, in order; `None` where it is anything but one flat object, or has a key or a
/// string with an escape.
pub(super) fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut members = Vec::with_capacity(16);
    let mut at = behind(text, blanks(text, 0), b'{')?;
    at = blanks(text, at);
    if let Some(end) = behind(text, at, b'}') {
        return (blanks(text, end) == text.len()).then_some(members);
    }
    loop {
        let key = at;
        at = string(text, at)?;
        let key = text.get(key + 1..at - 1)?;
        let value = blanks(text, behind(text, blanks(text, at), b':')?);
        at = literal(text, value)?;
        members.push((key, text.get(value..at)?));
        at = blanks(text, at);
        match text.as_bytes().get(at)? {
            b',' => at = blanks(text, at + 1),
            b'}' => return (blanks(text, at + 1) == text.len()).then_some(members),
            _ => return None,
        }
    }
}

/// Where the next byte is that is not a blank of JSON.
fn blanks(text: &str, at: usize) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    at + text.as_bytes()[at..].iter().take_while(blank).count()
}

/// The place behind `byte`, which has to stand at `at`.
fn behind(text: &str, at: usize, byte: u8) -> Option<usize> {
    (text.as_bytes().get(at) == Some(&byte)).then_some(at + 1)
}

/// The place behind the value that begins at `at`.
fn literal(text: &str, at: usize) -> Option<usize> {
    let word = |word: &str| text.get(at..)?.starts_with(word).then_some(at + word.len());
    match text.as_bytes().get(at)? {
        b'"' => string(text, at),
        b'-' | b'0'..=b'9' => number(text, at),
        b't' => word("true"),
        b'f' => word("false"),
        b'n' => word("null"),
        _ => None,
    }
}

/// The place behind the string that begins at `at`.
fn string(text: &str, at: usize) -> Option<usize> {
    let start = behind(text, at, b'"')?;
    let inside = &text.as_bytes()[start..];
    let inside = &inside[..memchr(b'"', inside)?];
    let is_plain = inside.iter().all(|byte| *byte >= b' ' && *byte != b'\\');
    is_plain.then_some(start + inside.len() + 1)
}

/// The place behind the number that begins at `at`.
fn number(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let count = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let whole = if bytes[at] == b'-' { at + 1 } else { at };
    let mut end = digits(whole)?;
    if bytes[whole] == b'0' && end > whole + 1 {
        return None;
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits(end + 1 + usize::from(signed))?;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn flat_objects_are_read_as_they_are_written() {
        let text = " {\"a\" : -1.50e+3 ,\"b\":\"x y\",\r\n\t\"c\":null,\"\":true, \"数\":0} ";
        let expected = [("a", "-1.50e+3"), ("b", "\"x y\""), ("c", "null"), ("", "true"), ("数", "0")];
        assert_eq!(members(text).unwrap(), expected);
        assert_eq!(members("{ }\n").unwrap(), []);
    }

    #[test]
    fn everything_else_is_left_to_the_parser() {
        for text in [
            "",
            "{",
            "{}}",
            "[1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":.5}",
            "{\"a\":-}",
            "{\"a\":1e}",
            "{\"a\":nul}",
            "{\"a\":truex}",
            "{\"a\":\"x\\n\"}",
            "{\"a\\u0041\":1}",
            "{\"a\":\"\t\"}",
            "{\"a\":[1]}",
            "{\"a\":{\"b\":1}}",
            "{\"a\":1} x",
            "{\"a\":\"x}",
            "{\"a\":1",
        ] {
            assert_eq!(members(text), None, "{text}");
        }
    }

    proptest! {
        /// Pieces of JSON in any order: what is read here, a full parser reads the same.
        #[test]
        fn what_is_read_is_json(pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", ",", ":", "\"a\"", "\"b\"", "1", "-", "0", ".5", "e3", "E+", "true", "null", " ", "\n", "[", "]", "\"\\\"\"",
            "{\"a\":1", ",\"b\":", "\"x", "\u{7f}", "é",
        ]), 0..12)) {
            let text = pieces.concat();
            if let Some(found) = members(&text) {
                let parsed: BTreeMap<String, &RawValue> = serde_json::from_str(&text).unwrap();
                let last: BTreeMap<String, &str> = found.iter().map(|(key, literal)| ((*key).to_owned(), *literal)).collect();
                let parsed: BTreeMap<String, &str> = parsed.into_iter().map(|(key, raw)| (key, raw.get())).collect();
                prop_assert_eq!(last, parsed);
            }
        }
    }
}
