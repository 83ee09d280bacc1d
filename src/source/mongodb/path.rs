//! A field of a document by its name: literally first, then as a path into subdocuments. Pure.

use mongodb::bson::raw::{RawBsonRef, RawDocument};

use super::literal::{LiteralError, broken, damaged};

/// The value of the field `name`, `None` where there is none. `ohlc.open` is the field of that very name where there is
/// one, else `open` in the subdocument `ohlc`; a part of a path may have dots in its name, too.
pub(super) fn find<'d>(document: &'d RawDocument, name: &str) -> Result<Option<RawBsonRef<'d>>, String> {
    if let Some(value) = only(document, name)? {
        return Ok(Some(value));
    }
    for (dot, _) in name.match_indices('.') {
        let (head, rest) = (&name[..dot], &name[dot + 1..]);
        if let Some(RawBsonRef::Document(inside)) = only(document, head)?
            && let Some(value) = find(inside, rest)?
        {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The value of the field with this very name.
fn only<'d>(document: &'d RawDocument, name: &str) -> Result<Option<RawBsonRef<'d>>, String> {
    let mut found = None;
    for element in document.iter_elements() {
        let element = element.map_err(|error| damaged(&error))?;
        if element.key().as_str() != name {
            continue;
        }
        if found.is_some() {
            return Err(twice(name));
        }
        let value = element.value().map_err(LiteralError::from);
        found = Some(value.map_err(|error| format!("field `{name}`: {}", broken(&error)))?);
    }
    Ok(found)
}

/// What is wrong with a document that has a field twice.
pub(super) fn twice(name: &str) -> String {
    format!("the document is ambiguous: field `{name}` appears twice")
}

#[cfg(test)]
mod tests {
    use mongodb::bson::raw::cstr;
    use mongodb::bson::rawdoc;

    use super::*;

    fn number(document: &RawDocument, name: &str) -> Option<i32> {
        find(document, name).unwrap().and_then(RawBsonRef::as_i32)
    }

    #[test]
    fn a_path_leads_into_subdocuments_of_any_depth() {
        let document = rawdoc! { "ohlc": { "open": 1, "day": { "close": 2 } }, "volume": 3 };
        assert_eq!(number(&document, "ohlc.open"), Some(1));
        assert_eq!(number(&document, "ohlc.day.close"), Some(2));
        assert_eq!(number(&document, "volume"), Some(3));
        for absent in ["ohlc.high", "ohlc.day.open", "volume.x", "open", "ohlc.", ".open", "."] {
            assert_eq!(find(&document, absent), Ok(None), "{absent}");
        }
    }

    #[test]
    fn a_name_is_looked_up_literally_first_wherever_it_stands() {
        let document = rawdoc! { "ohlc": { "open": 1 }, "ohlc.open": 2, "1. open": 3, "v1.0": { "2. high": 4 } };
        assert_eq!(number(&document, "ohlc.open"), Some(2));
        assert_eq!(number(&document, "1. open"), Some(3));
        assert_eq!(number(&document, "v1.0.2. high"), Some(4));
    }

    #[test]
    fn what_is_no_subdocument_has_no_fields() {
        let document = rawdoc! { "a": [{ "b": 1 }], "c": mongodb::bson::raw::RawBson::Null };
        assert_eq!(find(&document, "a.b"), Ok(None));
        assert_eq!(find(&document, "a.0"), Ok(None), "an element of an array is not a field");
        assert_eq!(find(&document, "c.d"), Ok(None));
    }

    #[test]
    fn a_field_that_appears_twice_is_ambiguous_at_any_depth() {
        let mut inside = rawdoc! { "open": 1 };
        inside.append(cstr!("open"), 2);
        let document = rawdoc! { "ohlc": inside };
        assert_eq!(find(&document, "ohlc.open"), Err(twice("open")));
        let mut outside = rawdoc! { "ohlc": { "open": 1 } };
        outside.append(cstr!("ohlc"), rawdoc! { "open": 2 });
        assert_eq!(find(&outside, "ohlc.open"), Err(twice("ohlc")));
    }
}
