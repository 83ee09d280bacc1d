//! JSON values, MongoDB's extended ones among them, as texts and literals.
//!
//! `{"$numberInt": "5"}` and its kin are numbers, `{"$oid": "…"}` is its hexadecimal text; every other object, dates
//! included, stays the literal it is. Numbers keep their digits. Pure.

use std::borrow::Cow;

use serde::Deserialize;

/// What a JSON value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// `null`.
    Null,
    /// A string, decoded.
    Text(Cow<'a, str>),
    /// A number as it is written, also one that JSON has no literal for, like `NaN` in `$numberDouble`.
    Number(Cow<'a, str>),
    /// Any other value, without blanks between its tokens.
    Other(Cow<'a, str>),
}

#[derive(Deserialize)]
enum Wrapper<'a> {
    #[serde(rename = "$oid")]
    Oid(#[serde(borrow)] Cow<'a, str>),
    #[serde(rename = "$numberInt")]
    Int(#[serde(borrow)] Cow<'a, str>),
    #[serde(rename = "$numberLong")]
    Long(#[serde(borrow)] Cow<'a, str>),
    #[serde(rename = "$numberDouble")]
    Double(#[serde(borrow)] Cow<'a, str>),
    #[serde(rename = "$numberDecimal")]
    Decimal(#[serde(borrow)] Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// Reads `literal`, one valid JSON value; `None` where a string in it stands for no text (half a surrogate pair).
    pub(super) fn read(literal: &'a str) -> Option<Self> {
        match literal.as_bytes().first() {
            Some(b'"') => Some(Self::Text(text(literal)?)),
            Some(b'n') => Some(Self::Null),
            Some(b'{') => match serde_json::from_str(literal) {
                Ok(Wrapper::Oid(hex)) => Some(Self::Text(hex)),
                Ok(Wrapper::Int(n) | Wrapper::Long(n) | Wrapper::Double(n) | Wrapper::Decimal(n)) => {
                    Some(Self::Number(n))
                }
                Err(_) => Some(Self::Other(compact(literal))),
            },
            Some(b'[' | b't' | b'f') => Some(Self::Other(compact(literal))),
            _ => Some(Self::Number(Cow::Borrowed(literal))),
        }
    }
}

/// Whether a literal is a date of MongoDB: `{"$date": …}`.
pub(super) fn is_date(literal: &str) -> bool {
    compact(literal).starts_with("{\"$date\":")
}

fn text(literal: &str) -> Option<Cow<'_, str>> {
    let inner = literal.get(1..literal.len() - 1)?;
    if inner.contains('\\') { serde_json::from_str(literal).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// The literal without the blanks between its tokens.
pub(super) fn compact(literal: &str) -> Cow<'_, str> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    if !literal.contains(blank) {
        return Cow::Borrowed(literal);
    }
    let mut short = String::with_capacity(literal.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in literal.chars() {
        if in_string || !blank(c) {
            short.push(c);
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
    }
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(literal: &str) -> Value<'_> {
        Value::Other(Cow::Borrowed(literal))
    }

    #[test]
    fn plain_values_are_distinguished() {
        assert_eq!(Value::read("null"), Some(Value::Null));
        assert_eq!(Value::read("\"a b\""), Some(Value::Text("a b".into())));
        assert_eq!(Value::read(r#""a\"\u00e9\n""#), Some(Value::Text("a\"é\n".into())));
        assert_eq!(Value::read("\"\""), Some(Value::Text("".into())));
        assert_eq!(Value::read("-1.50e+3"), Some(Value::Number("-1.50e+3".into())));
        assert_eq!(Value::read("true"), Some(other("true")));
    }

    #[test]
    fn wrapped_numbers_keep_their_digits_and_object_ids_are_text() {
        for (literal, number) in [
            (r#"{"$numberInt": "5"}"#, "5"),
            (r#"{"$numberLong":"1700000000000"}"#, "1700000000000"),
            (r#"{ "$numberDouble" : "NaN" }"#, "NaN"),
            (r#"{"$numberDecimal":"12.3400"}"#, "12.3400"),
        ] {
            assert_eq!(Value::read(literal), Some(Value::Number(number.into())), "{literal}");
        }
        assert_eq!(Value::read(r#"{"$oid": "1c3d899f"}"#), Some(Value::Text("1c3d899f".into())));
    }

    #[test]
    fn every_other_object_stays_a_compact_literal() {
        assert_eq!(
            Value::read("{ \"$date\" : \"2025-10-22T18:05:00.000Z\" }"),
            Some(other("{\"$date\":\"2025-10-22T18:05:00.000Z\"}"))
        );
        assert_eq!(Value::read(r#"{"$numberInt": 5}"#), Some(other(r#"{"$numberInt":5}"#)));
        assert_eq!(Value::read(r#"{"$oid": "a", "b": 1}"#), Some(other(r#"{"$oid":"a","b":1}"#)));
        assert_eq!(Value::read(r#"[1, "a \" b\\", {"c":	2}]"#), Some(other(r#"[1,"a \" b\\",{"c":2}]"#)));
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        assert_eq!(Value::read(r#""\ud800""#), None);
    }

    #[test]
    fn dates_are_known_by_their_key() {
        assert!(is_date(r#"{ "$date" : {"$numberLong": "1"}}"#));
        assert!(!is_date(r#"{"$oid":"1"}"#));
        assert!(!is_date("\"2024-01-02\""));
    }
}
