//! BSON values as text: canonical extended JSON, the digits of numbers, and an excerpt of a document that is broken.
//!
//! The same value is written the same whether it came from a server or from an NDJSON export of it. Pure.

use mongodb::bson::error::{Error, ErrorKind};
use mongodb::bson::raw::{RawBsonRef, RawDocument};
use serde_json::Value;

/// The longest excerpt of a broken document, in characters.
const EXCERPT_CHARS: usize = 1024;
/// Documents are not nested deeper than this; a server refuses them at 180.
const DEEPEST: usize = 200;

/// Why a value has no literal.
#[derive(Debug, thiserror::Error)]
pub(super) enum LiteralError {
    /// Something inside it is damaged, a string that is not UTF-8 for example.
    #[error(transparent)]
    Damaged(#[from] Error),
    /// Its documents are nested deeper than any server stores.
    #[error("values are nested deeper than {DEEPEST} levels")]
    Deep,
    /// It cannot be written as text.
    #[error(transparent)]
    NotText(#[from] serde_json::Error),
}

/// What is wrong with a document whose bytes do not read.
pub(super) fn damaged(error: &Error) -> String {
    format!("the document is damaged: {error}")
}

/// What is wrong with a value.
pub(super) fn broken(error: &LiteralError) -> String {
    match error {
        LiteralError::Damaged(error) if matches!(error.kind, ErrorKind::Utf8Encoding { .. }) => {
            "text is not UTF-8".to_owned()
        }
        LiteralError::Damaged(error) => damaged(error),
        other => other.to_string(),
    }
}

/// Canonical extended JSON of a value, without blanks; all fields of an embedded document in their order, also those
/// that have one name.
pub(super) fn canonical(value: RawBsonRef<'_>) -> Result<String, LiteralError> {
    let mut text = String::new();
    write(value, &mut text, 0)?;
    Ok(text)
}

/// The BSON document `bytes` as canonical extended JSON; an excerpt where it is damaged.
pub fn document_json(bytes: &[u8]) -> String {
    let document = RawDocument::from_bytes(bytes).map_err(LiteralError::from);
    let json = document.and_then(|document| canonical(RawBsonRef::Document(document)));
    json.unwrap_or_else(|_| String::from_utf8_lossy(bytes).chars().take(EXCERPT_CHARS).collect())
}

fn write(value: RawBsonRef<'_>, text: &mut String, depth: usize) -> Result<(), LiteralError> {
    if depth > DEEPEST {
        return Err(LiteralError::Deep);
    }
    match value {
        RawBsonRef::Document(document) => fields(document, text, depth)?,
        RawBsonRef::Array(array) => {
            text.push('[');
            for (position, value) in array.into_iter().enumerate() {
                text.push_str(if position == 0 { "" } else { "," });
                write(value?, text, depth + 1)?;
            }
            text.push(']');
        }
        RawBsonRef::JavaScriptCodeWithScope(code) => {
            text.push_str(&format!("{{\"$code\":{},\"$scope\":", Value::from(code.code)));
            fields(code.scope, text, depth)?;
            text.push('}');
        }
        RawBsonRef::String(string) => text.push_str(&Value::from(string).to_string()),
        // The driver writes these as arrays of numbers where their subtype is the generic one.
        RawBsonRef::Binary(binary) => text.push_str(&format!(
            "{{\"$binary\":{{\"base64\":\"{}\",\"subType\":\"{:02x}\"}}}}",
            base64(binary.bytes),
            u8::from(binary.subtype)
        )),
        other => match (digits(other), wrapper(other)) {
            (Some(digits), Some(wrapper)) => text.push_str(&format!("{{\"{wrapper}\":\"{digits}\"}}")),
            _ => text.push_str(&serde_json::to_string(&other)?),
        },
    }
    Ok(())
}

fn fields(document: &RawDocument, text: &mut String, depth: usize) -> Result<(), LiteralError> {
    text.push('{');
    for (position, field) in document.iter().enumerate() {
        let (key, value) = field?;
        text.push_str(if position == 0 { "" } else { "," });
        text.push_str(&Value::from(key.as_str()).to_string());
        text.push(':');
        write(value, text, depth + 1)?;
    }
    text.push('}');
    Ok(())
}

/// Bytes in base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
            text.push(if at > group.len() { '=' } else { digit });
        }
    }
    text
}

/// The key that wraps the digits of a number.
fn wrapper(value: RawBsonRef<'_>) -> Option<&'static str> {
    match value {
        RawBsonRef::Int32(_) => Some("$numberInt"),
        RawBsonRef::Int64(_) => Some("$numberLong"),
        RawBsonRef::Double(_) => Some("$numberDouble"),
        RawBsonRef::Decimal128(_) => Some("$numberDecimal"),
        _ => None,
    }
}

/// The digits of a number as canonical extended JSON writes them, without their wrapper; `None` for other types.
pub(super) fn digits(value: RawBsonRef<'_>) -> Option<String> {
    match value {
        RawBsonRef::Int32(number) => Some(number.to_string()),
        RawBsonRef::Int64(number) => Some(number.to_string()),
        RawBsonRef::Decimal128(number) => Some(number.to_string()),
        RawBsonRef::Double(number) if number.is_nan() => Some("NaN".to_owned()),
        RawBsonRef::Double(number) if number.is_infinite() => {
            Some(if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
        }
        RawBsonRef::Double(number) if number.fract() == 0.0 => Some(format!("{number}.0")),
        RawBsonRef::Double(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The fields of a document that `chosen` takes, in the order of their names, as canonical extended JSON; `None` where
/// there are none. Of a document that is damaged there, all bytes.
pub(super) fn chosen(document: &RawDocument, chosen: impl Fn(&str) -> bool) -> Option<String> {
    let members = || -> Result<Vec<String>, LiteralError> {
        let mut members = Vec::new();
        for field in document {
            let (key, value) = field?;
            if chosen(key.as_str()) {
                members.push(format!("{}:{}", Value::from(key.as_str()), canonical(value)?));
            }
        }
        members.sort_unstable();
        Ok(members)
    };
    match members() {
        Ok(members) if members.is_empty() => None,
        Ok(members) => Some(format!("{{{}}}", members.join(","))),
        Err(_) => Some(base64(document.as_bytes())),
    }
}

/// The fields of a document up to the first that does not read, as extended JSON, cut after 1,024 characters. Fields
/// with one name are all shown; what is not UTF-8 has replacement characters.
pub(super) fn excerpt(document: &RawDocument) -> String {
    let mut text = String::from("{");
    for element in document.iter_elements() {
        if text.len() > EXCERPT_CHARS * 4 {
            break;
        }
        if text.len() > 1 {
            text.push(',');
        }
        let Ok(element) = element else {
            text.push_str("<damaged>");
            break;
        };
        text.push_str(&Value::from(element.key().as_str()).to_string());
        text.push(':');
        let value = element.value_utf8_lossy().map(|value| canonical(value.as_raw_bson_ref()));
        text.push_str(value.ok().and_then(Result::ok).as_deref().unwrap_or("<damaged>"));
    }
    text.push('}');
    text.chars().take(EXCERPT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::raw::{RawDocumentBuf, cstr};
    use mongodb::bson::{DateTime, Decimal128, rawdoc};

    use super::super::testing::every_type;
    use super::*;

    #[test]
    fn every_type_has_its_canonical_literal() {
        let literals: Vec<String> =
            every_type().iter().map(|(_, value)| canonical(value.as_raw_bson_ref()).unwrap()).collect();
        assert_eq!(
            literals,
            [
                r#"{"$numberDouble":"1.5"}"#,
                r#""239390.74""#,
                r#"{"a":{"$numberInt":"1"}}"#,
                r#"[{"$numberInt":"1"},"x"]"#,
                r#"{"$binary":{"base64":"AQID","subType":"00"}}"#,
                r#"{"$binary":{"base64":"AQID","subType":"02"}}"#,
                r#"{"$binary":{"base64":"CQkJCQkJCQkJCQkJCQkJCQ==","subType":"04"}}"#,
                r#"{"$undefined":true}"#,
                r#"{"$oid":"abababababababababababab"}"#,
                "false",
                r#"{"$date":{"$numberLong":"1760572800000"}}"#,
                "null",
                r#"{"$regularExpression":{"pattern":"^a","options":"i"}}"#,
                r#"{"$dbPointer":{"$ref":"c","$id":{"$oid":"070707070707070707070707"}}}"#,
                r#"{"$code":"f()"}"#,
                r#"{"$symbol":"s"}"#,
                r#"{"$code":"f(x)","$scope":{"x":{"$numberInt":"1"}}}"#,
                r#"{"$numberInt":"20251016"}"#,
                r#"{"$timestamp":{"t":1,"i":2}}"#,
                r#"{"$numberLong":"1760572800000"}"#,
                r#"{"$numberDecimal":"12.3400"}"#,
                r#"{"$minKey":1}"#,
                r#"{"$maxKey":1}"#,
            ]
        );
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xef, 0xff]), "++//");
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let mut document = rawdoc! {};
        for _ in 0..300 {
            document = rawdoc! { "a": document };
        }
        assert!(matches!(canonical(RawBsonRef::Document(&document)), Err(LiteralError::Deep)));
    }

    #[test]
    fn literals_are_canonical_and_compact() {
        for (value, literal) in [
            (RawBsonRef::Int32(5), r#"{"$numberInt":"5"}"#),
            (RawBsonRef::Boolean(true), "true"),
            (RawBsonRef::DateTime(DateTime::from_millis(-1)), r#"{"$date":{"$numberLong":"-1"}}"#),
            (
                RawBsonRef::DateTime(DateTime::from_millis(i64::MAX)),
                r#"{"$date":{"$numberLong":"9223372036854775807"}}"#,
            ),
            (RawBsonRef::Document(&rawdoc! { "a": [1.5, "x"] }), r#"{"a":[{"$numberDouble":"1.5"},"x"]}"#),
        ] {
            assert_eq!(canonical(value).unwrap(), literal);
        }
    }

    #[test]
    fn digits_are_those_of_canonical_extended_json() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (20_251_016.0, "20251016.0"),
            (-2.25, "-2.25"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(digits(RawBsonRef::Double(value)).as_deref(), Some(expected));
        }
        let decimal: Decimal128 = "1.10".parse().unwrap();
        assert_eq!(digits(RawBsonRef::Decimal128(decimal)).unwrap(), "1.10");
        assert_eq!(digits(RawBsonRef::Int64(i64::MIN)).unwrap(), "-9223372036854775808");
        assert_eq!(digits(RawBsonRef::String("1")), None);
    }

    #[test]
    fn an_excerpt_shows_duplicates_and_what_can_be_read_of_damage() {
        let mut twice = RawDocumentBuf::new();
        twice.append(cstr!("a"), 1);
        twice.append(cstr!("a"), "x");
        assert_eq!(excerpt(&twice), r#"{"a":{"$numberInt":"1"},"a":"x"}"#);

        let mut bytes = rawdoc! { "a": "xyz", "b": 1 }.into_bytes();
        bytes[11] = 0xff;
        assert_eq!(
            excerpt(RawDocument::from_bytes(&bytes).unwrap()),
            "{\"a\":\"\u{fffd}yz\",\"b\":{\"$numberInt\":\"1\"}}"
        );

        let mut bytes = rawdoc! { "a": 1, "b": "x" }.into_bytes();
        bytes[11] = 0x77;
        assert_eq!(excerpt(RawDocument::from_bytes(&bytes).unwrap()), r#"{"a":{"$numberInt":"1"},<damaged>}"#);

        assert_eq!(excerpt(&rawdoc! { "a": "x".repeat(5000) }).chars().count(), 1024);
    }
}
