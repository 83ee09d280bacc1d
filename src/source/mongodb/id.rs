//! The `_id` of a document as bytes: what it is in the document, with its type in front.
//!
//! Two ids that MongoDB takes for equal (`1` and `1.0`) have different bytes, and an embedded document keeps the
//! order and the duplicates of its fields: nothing but the very same `_id` has the same bytes. Pure.

use std::borrow::Cow;

use mongodb::bson::raw::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::spec::ElementType;

use super::literal;
use crate::durable::hex;

/// Bytes of a document before the value of its only field, whose name is empty: length, type, end of the name.
const BEFORE: usize = 6;

/// The encoded `_id` that follows every other.
pub(super) const LAST: &[u8] = &[0x7f];

/// Begins a locator that says more than an `_id`; no type of BSON has this number, so nothing takes one for an `_id`.
const PLACE: u8 = 0;

/// Why bytes are no `_id`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{hex}` is not an encoded _id; the plan or snapshot it comes from is damaged, make a new one")]
pub struct IdError {
    /// The bytes, in hexadecimal; long ones are cut.
    hex: String,
}

/// The type of `id` as BSON numbers it, one byte, and the bytes of its value as they lie in the document.
pub fn encode(id: RawBsonRef<'_>) -> Vec<u8> {
    if let RawBsonRef::ObjectId(id) = id {
        let mut bytes = Vec::with_capacity(13);
        bytes.push(0x07);
        bytes.extend_from_slice(&id.bytes());
        return bytes;
    }
    let mut document = RawDocumentBuf::new();
    document.append(cstr!(""), id);
    let bytes = document.as_bytes();
    let value = bytes.get(BEFORE..bytes.len() - 1).unwrap_or_default();
    let mut encoded = Vec::with_capacity(value.len() + 1);
    encoded.push(bytes[4]);
    encoded.extend_from_slice(value);
    encoded
}

/// The `_id` that [`encode`] made these bytes of.
///
/// # Errors
/// When they are nothing that [`encode`] makes.
pub fn decode(bytes: &[u8]) -> Result<RawBson, IdError> {
    read(bytes).ok_or_else(|| IdError { hex: hex(bytes.get(..32).unwrap_or(bytes)) })
}

fn read(bytes: &[u8]) -> Option<RawBson> {
    let (kind, value) = bytes.split_first()?;
    let length = i32::try_from(value.len() + BEFORE + 1).ok()?;
    let mut document = length.to_le_bytes().to_vec();
    document.extend_from_slice(&[*kind, 0]);
    document.extend_from_slice(value);
    document.push(0);
    let mut elements = RawDocument::from_bytes(&document).ok()?.iter_elements();
    let element = elements.next()?.ok()?;
    let id = element.value().ok()?;
    let whole = element.size() == value.len() && elements.next().is_none() && encode(id) == bytes;
    whole.then(|| id.into())
}

/// The `_id` of a document as it lies there, encoded; also where its text is not UTF-8. `None` where there is no `_id` or
/// the document is damaged before it.
pub fn of(document: &RawDocument) -> Option<Vec<u8>> {
    // Length of the document; then each element is its type, its name with an end, its value.
    let mut at = 4;
    for element in document.iter_elements() {
        let element = element.ok()?;
        let value = at + 1 + element.key().as_str().len() + 1;
        at = value + element.size();
        if element.key().as_str() == "_id" {
            let mut encoded = vec![element.element_type() as u8];
            encoded.extend_from_slice(document.as_bytes().get(value..at)?);
            return Some(encoded);
        }
    }
    None
}

/// The document `{name: id}` with the encoded `_id` as it is, whether it can be decoded or not.
///
/// # Errors
/// When `id` is empty.
pub fn document(name: &str, id: &[u8]) -> Result<RawDocumentBuf, IdError> {
    fields([(name, id)])
}

/// The document `{$in: [id, …]}` with the encoded `_id`s as they are.
///
/// # Errors
/// When one of them is empty.
pub fn among<'a>(ids: impl IntoIterator<Item = &'a [u8]>) -> Result<RawDocumentBuf, IdError> {
    let numbered: Vec<(String, &[u8])> =
        ids.into_iter().enumerate().map(|(index, id)| (index.to_string(), id)).collect();
    let list = fields(numbered.iter().map(|(name, id)| (name.as_str(), *id)))?;
    let mut array = vec![ElementType::Array as u8];
    array.extend_from_slice(list.as_bytes());
    fields([("$in", array.as_slice())])
}

/// A document of fields, each with the type and the bytes of its value.
fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<RawDocumentBuf, IdError> {
    let mut bytes = vec![0; 4];
    for (name, value) in fields {
        let refused = || IdError { hex: hex(value.get(..32).unwrap_or(value)) };
        let (kind, value) = value.split_first().ok_or_else(refused)?;
        bytes.push(*kind);
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value);
    }
    bytes.push(0);
    let length = i32::try_from(bytes.len()).map_err(|_| IdError { hex: format!("{} bytes", bytes.len()) })?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    RawDocumentBuf::from_bytes(bytes).map_err(|error| IdError { hex: error.to_string() })
}

/// The locator of a row: the encoded `_id` as it is, or with the collection it is in and its place in the document.
pub(super) fn locator<'i>(collection: &str, id: &'i [u8], place: &str) -> Cow<'i, [u8]> {
    if collection.is_empty() && place.is_empty() {
        return Cow::Borrowed(id);
    }
    // Neither names of collections nor of fields have zeros in them.
    Cow::Owned([&[PLACE], collection.as_bytes(), &[0], place.as_bytes(), &[0], id].concat())
}

/// A locator that says more than an `_id` for people: `bars_AAPL ObjectId("65…") bars[3]`.
fn place_text(bytes: &[u8]) -> Option<String> {
    let mut parts = bytes.strip_prefix(&[PLACE])?.splitn(3, |byte| *byte == 0);
    let (collection, place, id) = (parts.next()?, parts.next()?, parts.next()?);
    let id = if id.is_empty() { String::new() } else { text(id) };
    let shown = [String::from_utf8_lossy(collection), id.into(), String::from_utf8_lossy(place)];
    Some(shown.iter().filter(|part| !part.is_empty()).map(AsRef::as_ref).collect::<Vec<&str>>().join(" "))
}

/// An encoded `_id` for people: `ObjectId("65…")`, `42` for both integer types, `"text"` with JSON's escapes,
/// `{"$numberDouble":"42.0"}` and its kin for every other type; a locator with all it says. Bytes that are no `_id` are
/// shown in hexadecimal.
pub fn text(bytes: &[u8]) -> String {
    if let Some(text) = place_text(bytes) {
        return text;
    }
    match decode(bytes) {
        Err(_) => format!("invalid _id 0x{}", hex(bytes)),
        Ok(RawBson::ObjectId(id)) => format!("ObjectId(\"{}\")", id.to_hex()),
        Ok(RawBson::Int32(number)) => number.to_string(),
        Ok(RawBson::Int64(number)) => number.to_string(),
        Ok(other) => literal::canonical(other.as_raw_bson_ref()).unwrap_or_else(|_| format!("0x{}", hex(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::raw::{RawArrayBuf, RawBinaryRef};
    use mongodb::bson::spec::BinarySubtype;
    use mongodb::bson::{DateTime, Timestamp, rawdoc};
    use proptest::prelude::*;

    use super::super::testing::every_type;
    use super::*;
    use crate::durable::from_hex;

    #[test]
    fn an_id_is_its_type_and_the_bytes_of_its_value() {
        let id = ObjectId::parse_str("65a1b2c3d4e5f60718293a4b").unwrap();
        assert_eq!(hex(&encode(RawBsonRef::ObjectId(id))), "0765a1b2c3d4e5f60718293a4b");
        assert_eq!(hex(&encode(RawBsonRef::Int32(42))), "102a000000");
        assert_eq!(hex(&encode(RawBsonRef::Int64(-1))), "12ffffffffffffffff");
        assert_eq!(hex(&encode(RawBsonRef::Double(1.0))), "01000000000000f03f");
        assert_eq!(hex(&encode(RawBsonRef::String("ab"))), "0203000000616200");
        assert_eq!(hex(&encode(RawBsonRef::Boolean(true))), "0801");
        assert_eq!(hex(&encode(RawBsonRef::Null)), "0a");
        assert_eq!(hex(&encode(RawBsonRef::MinKey)), "ff");
        assert_eq!(hex(&encode(RawBsonRef::MaxKey)), "7f");
        assert_eq!(hex(&encode(RawBsonRef::DateTime(DateTime::from_millis(1)))), "090100000000000000");
    }

    #[test]
    fn every_type_comes_back_as_it_was() {
        for (name, value) in every_type() {
            let bytes = encode(value.as_raw_bson_ref());
            assert_eq!(decode(&bytes), Ok(value), "{name}");
            assert_eq!(from_hex(&hex(&bytes)), Some(bytes), "{name}");
        }
    }

    #[test]
    fn duplicate_and_ordered_fields_of_an_embedded_document_are_kept() {
        let mut twice = RawDocumentBuf::new();
        twice.append(cstr!("b"), 1);
        twice.append(cstr!("a"), 2);
        twice.append(cstr!("b"), 3);
        let bytes = encode(RawBsonRef::Document(&twice));
        let Ok(RawBson::Document(back)) = decode(&bytes) else { panic!("no document") };
        assert_eq!(back.as_bytes(), twice.as_bytes());
    }

    #[test]
    fn an_id_that_is_not_utf8_is_read_and_written_as_it_is() {
        let mut bytes = rawdoc! { "a": 1, "_id": "abc", "b": 2 }.into_bytes();
        let at = bytes.windows(3).position(|window| window == b"abc").unwrap();
        bytes[at] = 0xff;
        let document_of = RawDocumentBuf::from_bytes(bytes).unwrap();
        let id = of(&document_of).unwrap();
        assert_eq!(hex(&id), "0204000000ff626300");
        assert_eq!(of(&document("_id", &id).unwrap()).unwrap(), id);
        let among = among([id.as_slice(), &[0x0a]]).unwrap();
        assert_eq!(
            hex(among.get_array("$in").unwrap().as_bytes()),
            "130000000230000400".to_owned() + "0000ff6263000a310000"
        );
        assert_eq!(of(&rawdoc! { "a": 1 }), None);
        for (name, value) in every_type() {
            let mut document = rawdoc! { "b": 1 };
            document.append(cstr!("_id"), value.clone());
            assert_eq!(of(&document), Some(encode(value.as_raw_bson_ref())), "{name}");
        }
    }

    #[test]
    fn bytes_that_are_no_id_are_refused() {
        for hex in ["", "10", "102a00000000", "07aabb", "0203000000616100ff", "99", "0801ff", "0802", "0300000000"] {
            assert!(decode(&from_hex(hex).unwrap()).is_err(), "{hex}");
        }
        assert_eq!(text(&[0x10]), "invalid _id 0x10");
        assert_eq!(
            decode(&[0x10, 0xff]).unwrap_err().to_string(),
            "`10ff` is not an encoded _id; the plan or snapshot it comes from is damaged, make a new one"
        );
    }

    #[test]
    fn people_read_ids_as_they_would_type_them() {
        let array = RawArrayBuf::new();
        let binary = RawBinaryRef { subtype: BinarySubtype::Generic, bytes: &[1, 2] };
        for (id, shown) in [
            (RawBsonRef::Int32(42), "42"),
            (RawBsonRef::Int64(42), "42"),
            (RawBsonRef::Double(42.0), r#"{"$numberDouble":"42.0"}"#),
            (RawBsonRef::String("a\"\n"), r#""a\"\n""#),
            (RawBsonRef::Null, "null"),
            (RawBsonRef::DateTime(DateTime::from_millis(5)), r#"{"$date":{"$numberLong":"5"}}"#),
            (RawBsonRef::Binary(binary), r#"{"$binary":{"base64":"AQI=","subType":"00"}}"#),
            (RawBsonRef::Document(&rawdoc! { "s": "A", "n": 1 }), r#"{"s":"A","n":{"$numberInt":"1"}}"#),
            (RawBsonRef::Array(&array), "[]"),
            (RawBsonRef::Timestamp(Timestamp { time: 1, increment: 2 }), r#"{"$timestamp":{"t":1,"i":2}}"#),
            (RawBsonRef::MinKey, r#"{"$minKey":1}"#),
        ] {
            assert_eq!(text(&encode(id)), shown);
        }
        let id = ObjectId::parse_str("65a1b2c3d4e5f60718293a4b").unwrap();
        assert_eq!(text(&encode(RawBsonRef::ObjectId(id))), "ObjectId(\"65a1b2c3d4e5f60718293a4b\")");
    }

    #[test]
    fn a_locator_may_say_more_than_an_id_and_is_never_taken_for_one() {
        let id = encode(RawBsonRef::Int32(42));
        assert_eq!(locator("", &id, ""), id);
        for (locator, shown) in [
            (locator("", &id, "bars[3]"), "42 bars[3]"),
            (locator("bars_A", &id, ""), "bars_A 42"),
            (locator("bars_A", &id, "days.2024-01-02"), "bars_A 42 days.2024-01-02"),
            (locator("", &[], "document 7"), "document 7"),
        ] {
            assert_eq!(text(&locator), shown);
            assert!(decode(&locator).is_err());
        }
    }

    #[test]
    fn odd_or_upper_case_digits_are_no_hexadecimal() {
        for text in ["0", "0G", "AB", "é"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
        assert_eq!(from_hex(""), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn any_bytes_either_come_back_whole_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(id) = decode(&bytes) {
                prop_assert_eq!(encode(id.as_raw_bson_ref()), bytes.clone());
            }
            prop_assert!(!text(&bytes).is_empty());
        }
    }
}
