//! The rows inside a document: the elements of its array of bars, or the values of an object by their keys. Pure.

use std::borrow::Cow;

use mongodb::bson::raw::{RawBsonRef, RawDocument};

use super::literal::damaged;
use super::path;

/// The field that the keys of an object become.
pub(super) const KEY: &str = "key";

/// A row inside a document.
#[derive(Debug, PartialEq)]
pub(super) struct Element<'d> {
    /// Where it is in the document: `bars[3]`, `bars.2024-01-02`.
    pub(super) place: String,
    /// Its key, where it is in an object.
    pub(super) key: Option<Cow<'d, str>>,
    /// Its fields; or why it has none.
    pub(super) fields: Result<&'d RawDocument, String>,
}

/// The elements of the array or object `field` of a document.
///
/// # Errors
/// Why there are none: what is broken is the document.
pub(super) fn elements<'d>(document: &'d RawDocument, field: &str) -> Result<Vec<Element<'d>>, String> {
    let found = path::find(document, field)?;
    let mut elements = Vec::new();
    match found {
        Some(RawBsonRef::Array(array)) => {
            for (position, value) in array.into_iter().enumerate() {
                let value = value.map_err(|error| damaged(&error))?;
                elements.push(element(format!("{field}[{position}]"), None, value));
            }
        }
        Some(RawBsonRef::Document(object)) => {
            for entry in object {
                let (key, value) = entry.map_err(|error| damaged(&error))?;
                let key = key.as_str();
                elements.push(element(format!("{field}.{key}"), Some(Cow::Borrowed(key)), value));
            }
        }
        None => return Err(format!("the document has no `{field}` to take bars from")),
        Some(other) => return Err(format!("`{field}` is {}, and no array or object of bars", kind(other))),
    }
    Ok(elements)
}

fn element<'d>(place: String, key: Option<Cow<'d, str>>, value: RawBsonRef<'d>) -> Element<'d> {
    let fields = match value {
        RawBsonRef::Document(fields) => Ok(fields),
        other => Err(format!("`{place}` is {}, and no subdocument with the fields of a bar", kind(other))),
    };
    Element { place, key, fields }
}

/// What a value is, for people.
fn kind(value: RawBsonRef<'_>) -> &'static str {
    match value {
        RawBsonRef::Null | RawBsonRef::Undefined => "null",
        RawBsonRef::String(_) => "a text",
        RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_) => "a number",
        RawBsonRef::Boolean(_) => "true or false",
        RawBsonRef::DateTime(_) => "a date",
        RawBsonRef::Array(_) => "an array",
        _ => "a value of another type",
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::raw::RawBson;
    use mongodb::bson::rawdoc;

    use super::*;

    #[test]
    fn every_element_of_an_array_is_a_row_at_its_position() {
        let document = rawdoc! { "symbol": "A", "bars": [{ "close": 1 }, { "close": 2 }] };
        let found = elements(&document, "bars").unwrap();
        let places: Vec<&str> = found.iter().map(|element| element.place.as_str()).collect();
        assert_eq!(places, ["bars[0]", "bars[1]"]);
        assert!(found.iter().all(|element| element.key.is_none()));
        assert_eq!(found[1].fields.as_ref().unwrap().get_i32("close").unwrap(), 2);
    }

    #[test]
    fn every_value_of_an_object_is_a_row_with_its_key() {
        let document = rawdoc! { "days": { "2024-01-02": { "close": 1 }, "2024-01-03": { "close": 2 } } };
        let found = elements(&document, "days").unwrap();
        let keys: Vec<&str> = found.iter().map(|element| element.key.as_deref().unwrap()).collect();
        assert_eq!(keys, ["2024-01-02", "2024-01-03"]);
        assert_eq!(found[0].place, "days.2024-01-02");
    }

    #[test]
    fn the_array_may_be_in_a_subdocument() {
        let document = rawdoc! { "data": { "bars": [{ "close": 1 }] } };
        assert_eq!(elements(&document, "data.bars").unwrap()[0].place, "data.bars[0]");
    }

    #[test]
    fn an_empty_array_or_object_has_no_rows() {
        assert_eq!(elements(&rawdoc! { "bars": [] }, "bars"), Ok(Vec::new()));
        assert_eq!(elements(&rawdoc! { "bars": {} }, "bars"), Ok(Vec::new()));
    }

    #[test]
    fn a_document_without_an_array_says_what_it_has_instead() {
        let reason = |value: RawBson| elements(&rawdoc! { "bars": value }, "bars").unwrap_err();
        assert_eq!(reason(RawBson::Int32(5)), "`bars` is a number, and no array or object of bars");
        assert_eq!(reason(RawBson::Null), "`bars` is null, and no array or object of bars");
        assert_eq!(
            elements(&rawdoc! { "x": 1 }, "bars"),
            Err("the document has no `bars` to take bars from".to_owned())
        );
    }

    #[test]
    fn an_element_that_is_no_subdocument_is_a_row_that_says_so() {
        let document = rawdoc! { "bars": [{ "close": 1 }, 7, [1, 2]] };
        let found = elements(&document, "bars").unwrap();
        assert_eq!(
            found[1].fields,
            Err("`bars[1]` is a number, and no subdocument with the fields of a bar".to_owned())
        );
        assert_eq!(
            found[2].fields,
            Err("`bars[2]` is an array, and no subdocument with the fields of a bar".to_owned())
        );
    }
}
