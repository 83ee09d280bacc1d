//! What a row has of the wanted fields: from its document, from beside the array it is in, from the collection's name.
//! Pure.

use std::borrow::Cow;
use std::sync::Arc;

use mongodb::bson::raw::{RawBsonRef, RawDocument};

use super::elements::{Element, KEY};
use super::literal::{self, LiteralError, broken, damaged};
use super::path;
use crate::source::snapshot::STRING;
use crate::source::{Wanted, WantedKind};

/// How rows lie in the documents of a collection.
#[derive(Debug)]
pub(super) struct Shape {
    /// The fields to read.
    pub(super) wanted: Arc<[Wanted]>,
    /// Whether what a row has besides these is kept too.
    pub(super) whole: bool,
    /// The field of a document that holds its rows; without one every document is a row.
    pub(super) unwind: Option<String>,
    /// Fields that the name of the collection gives, each with its value.
    pub(super) pieces: Vec<(String, String)>,
    /// The name of the collection, where it is one of several.
    pub(super) collection: Option<String>,
}

/// The wanted fields of a row, `None` for those it lacks.
pub(super) type Values<'d> = Vec<Option<Typed<'d>>>;

/// A value, and its type in the document where that is not the usual one of what was wanted: a double, a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Typed<'d> {
    pub(super) value: Value<'d>,
    pub(super) kind: Option<&'static str>,
}

impl<'d> Typed<'d> {
    /// A text that is not from a document.
    fn text(text: &'d str) -> Self {
        Self { value: Value::Text(Cow::Borrowed(text)), kind: None }
    }
}

impl Shape {
    /// Every document of one collection is a row.
    #[cfg(test)]
    pub(super) fn flat(wanted: &[Wanted]) -> Self {
        Self { wanted: wanted.into(), whole: false, unwind: None, pieces: Vec::new(), collection: None }
    }

    /// The row that a document is; or why it is broken.
    pub(super) fn row<'d>(&'d self, document: &'d RawDocument) -> Result<Values<'d>, String> {
        let mut found = fields(&self.wanted, document)?;
        self.add_pieces(&mut found)?;
        Ok(found)
    }

    /// What a row has besides the wanted fields and its `_id`, as a JSON object; `None` where that is nothing.
    pub(super) fn rest(&self, own: &RawDocument) -> Option<String> {
        let is_wanted = |key: &str| {
            self.wanted.iter().any(|wanted| wanted.column == *key || self.inside(&wanted.column) == Some(key))
        };
        self.whole.then(|| literal::chosen(own, |key| key != "_id" && !is_wanted(key))).flatten()
    }

    /// The wanted fields that a document has beside the array of its rows.
    pub(super) fn beside<'d>(&self, document: &'d RawDocument) -> Result<Vec<Option<RawBsonRef<'d>>>, String> {
        let name = |wanted: &Wanted| match self.inside(&wanted.column) {
            Some(_) => Ok(None),
            None if self.unwind.as_deref() == Some(&wanted.column) => Ok(None),
            None => path::find(document, &wanted.column),
        };
        self.wanted.iter().map(name).collect()
    }

    /// The row that an element is, with what stands `beside` the array.
    pub(super) fn element<'d>(
        &'d self,
        element: &'d Element<'d>,
        beside: &[Option<RawBsonRef<'d>>],
    ) -> Result<Values<'d>, String> {
        let own = element.fields.clone()?;
        let mut found = fields(&self.wanted, own)?;
        let (place, field) = (&element.place, self.unwind.as_deref().unwrap_or_default());
        for ((wanted, found), beside) in self.wanted.iter().zip(&mut found).zip(beside) {
            let name = &wanted.column;
            if found.is_none()
                && let Some(inside) = self.inside(name)
                && let Some(value) = path::find(own, inside)?
            {
                *found = Some(read(name, value, wanted.kind)?);
            }
            if let Some(value) = beside {
                let twice = || {
                    format!("field `{name}` is in `{place}` and beside it; write `{field}.{name}` for the one inside")
                };
                give(found, read(name, *value, wanted.kind)?, twice)?;
            }
            if let Some(key) = element.key.as_deref().filter(|_| name == KEY) {
                let twice =
                    || format!("the field `{KEY}` is the key `{key}` of an object, and another field has its name");
                give(found, Typed::text(key), twice)?;
            }
        }
        self.add_pieces(&mut found)?;
        Ok(found)
    }

    /// The name inside an element, where a name says that this is meant: `open` for `bars.open`.
    fn inside<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.unwind.as_deref()?)?.strip_prefix('.')
    }

    fn add_pieces<'d>(&'d self, found: &mut Values<'d>) -> Result<(), String> {
        for (name, value) in &self.pieces {
            for (_, found) in self.wanted.iter().zip(&mut *found).filter(|(wanted, _)| wanted.column == *name) {
                let twice = || {
                    format!(
                        "field `{name}` is in the document and in the name of its collection; give the piece another name"
                    )
                };
                give(found, Typed::text(value), twice)?;
            }
        }
        Ok(())
    }
}

/// Fills in a value that must not be there yet.
fn give<'d>(found: &mut Option<Typed<'d>>, value: Typed<'d>, twice: impl Fn() -> String) -> Result<(), String> {
    match found.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice()),
    }
}

/// The wanted fields of a document by their names, `None` for those it lacks; or why it is broken.
fn fields<'d>(wanted: &[Wanted], document: &'d RawDocument) -> Result<Values<'d>, String> {
    let count = wanted.len();
    let mut found: Values<'d> = (0..count).map(|_| None).collect();
    let mut next = 0;
    for element in document.iter_elements() {
        let element = element.map_err(|error| damaged(&error))?;
        let key = element.key().as_str();
        // Documents of a collection mostly have their fields in one order: look after the last one found.
        let Some(at) = (next..count).chain(0..next).find(|&at| wanted[at].column == key) else { continue };
        next = at + 1;
        if found[at].is_some() {
            return Err(path::twice(key));
        }
        let value = element.value().map_err(|error| format!("field `{key}`: {}", broken(&error.into())))?;
        found[at] = Some(read(key, value, wanted[at].kind)?);
    }
    // Only a name that no field has literally is a path.
    for (wanted, found) in wanted.iter().zip(&mut found) {
        let name = &wanted.column;
        if found.is_none()
            && name.contains('.')
            && let Some(value) = path::find(document, name)?
        {
            *found = Some(read(name, value, wanted.kind)?);
        }
    }
    Ok(found)
}

/// The value of a field, or what is broken about it.
fn read<'d>(name: &str, value: RawBsonRef<'d>, kind: WantedKind) -> Result<Typed<'d>, String> {
    let typed = |read| Typed { value: read, kind: unusual_type(value, kind) };
    place(value, kind).map(typed).map_err(|error| format!("field `{name}`: {}", broken(&error)))
}

/// Where a value goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'d> {
    /// Nowhere: null, undefined.
    Null,
    /// To the numbers.
    Number(f64),
    /// To the texts; of a wanted number, also to the numbers, where it reads as one.
    Text(Cow<'d, str>),
    /// Beside them.
    Other(String),
}

/// The type of a value that is not a double where a number was wanted, or not a string elsewhere.
fn unusual_type(value: RawBsonRef<'_>, kind: WantedKind) -> Option<&'static str> {
    match (value, kind) {
        (RawBsonRef::String(_), WantedKind::Number) => Some(STRING),
        (RawBsonRef::Int32(_), _) => Some("int"),
        (RawBsonRef::Int64(_), _) => Some("long"),
        (RawBsonRef::Decimal128(_), _) => Some("decimal"),
        (RawBsonRef::ObjectId(_), _) => Some("objectId"),
        _ => None,
    }
}

fn place(value: RawBsonRef<'_>, kind: WantedKind) -> Result<Value<'_>, LiteralError> {
    Ok(match (value, kind) {
        (RawBsonRef::Null | RawBsonRef::Undefined, _) => Value::Null,
        (RawBsonRef::String(text), _) => Value::Text(Cow::Borrowed(text)),
        (RawBsonRef::Double(number), WantedKind::Number) => Value::Number(number),
        (RawBsonRef::Int32(number), WantedKind::Number) => Value::Number(f64::from(number)),
        // Beyond this a Float64 does not hold every whole number, so the text says what it was.
        (RawBsonRef::Int64(number), WantedKind::Number) if number.unsigned_abs() > 1 << 53 => {
            Value::Text(Cow::Owned(number.to_string()))
        }
        (RawBsonRef::Int64(number), WantedKind::Number) => Value::Number(number as f64),
        (RawBsonRef::Decimal128(number), WantedKind::Number) => Value::Text(Cow::Owned(number.to_string())),
        (RawBsonRef::ObjectId(id), WantedKind::Text) => Value::Text(Cow::Owned(id.to_hex())),
        (other, _) => match literal::digits(other) {
            Some(digits) => Value::Other(digits),
            None => Value::Other(literal::canonical(other)?),
        },
    })
}

#[cfg(test)]
mod tests {
    use mongodb::bson::raw::RawBson;
    use mongodb::bson::rawdoc;

    use super::super::elements::elements;
    use super::*;

    fn shape(names: &[&str], unwind: Option<&str>) -> Shape {
        let wanted = |name: &&str| Wanted { column: (*name).to_owned(), kind: WantedKind::Number };
        let wanted: Vec<Wanted> = names.iter().map(wanted).collect();
        Shape { unwind: unwind.map(str::to_owned), ..Shape::flat(&wanted) }
    }

    fn numbers(numbers: &[i32]) -> Values<'static> {
        let number = |number: &i32| Typed { value: Value::Number(f64::from(*number)), kind: Some("int") };
        numbers.iter().map(number).map(Some).collect()
    }

    #[test]
    fn what_a_row_has_besides_is_told_in_the_order_of_its_names() {
        let whole = |names: &[&str], unwind| Shape { whole: true, ..shape(names, unwind) };
        let document = rawdoc! { "_id": 1, "z": "x", "close": 5, "a": 2_i64 };
        let rest = r#"{"a":{"$numberLong":"2"},"z":"x"}"#;
        assert_eq!(whole(&["close"], None).rest(&document).as_deref(), Some(rest));
        assert_eq!(whole(&["close", "a", "z"], None).rest(&document), None);
        assert_eq!(whole(&["bars.close", "a", "z"], Some("bars")).rest(&document), None);
        assert_eq!(shape(&["close"], None).rest(&document), None, "nobody asks");
    }

    #[test]
    fn types_that_are_not_the_usual_ones_are_named() {
        let kind = |value: RawBson, kind| read("x", value.as_raw_bson_ref(), kind).unwrap().kind;
        let of = |value: RawBson| [WantedKind::Number, WantedKind::Text].map(|wanted| kind(value.clone(), wanted));
        assert_eq!(of(RawBson::Double(5.0)), [None, None]);
        assert_eq!(of(RawBson::Int32(5)), [Some("int"); 2]);
        assert_eq!(of(RawBson::Int64(5)), [Some("long"); 2]);
        assert_eq!(of(RawBson::String("5".to_owned())), [Some("string"), None]);
        assert_eq!(of(RawBson::Null), [None, None]);
    }

    #[test]
    fn fields_of_subdocuments_are_read_by_their_paths_and_literal_names_come_first() {
        let shape = shape(&["ohlc.open", "ohlc.close", "1. open", "volume", "ohlc.none"], None);
        let document = rawdoc! { "ohlc": { "open": 1, "close": 2 }, "ohlc.close": 3, "1. open": 4, "volume": 5 };
        let mut expected = numbers(&[1, 3, 4, 5]);
        expected.push(None);
        assert_eq!(shape.row(&document), Ok(expected));
    }

    #[test]
    fn an_element_may_name_its_own_field_where_the_same_name_stands_beside() {
        let shape = shape(&["volume", "bars.volume", "bars.day.open"], Some("bars"));
        let document = rawdoc! { "volume": 100, "bars": [{ "volume": 1, "day": { "open": 7 } }] };
        let (rows, beside) = (elements(&document, "bars").unwrap(), shape.beside(&document).unwrap());
        let error = shape.element(&rows[0], &beside).unwrap_err();
        assert_eq!(error, "field `volume` is in `bars[0]` and beside it; write `bars.volume` for the one inside");
        let shape = self::shape(&["bars.volume", "bars.day.open", "day.open"], Some("bars"));
        let beside = shape.beside(&document).unwrap();
        assert_eq!(shape.element(&rows[0], &beside), Ok(numbers(&[1, 7, 7])));
    }

    #[test]
    fn the_key_of_an_object_is_a_field_that_nothing_else_may_be() {
        let shape = shape(&["key", "close", "meta.n"], Some("days"));
        let document = rawdoc! { "meta": { "n": 9 }, "days": { "2024-01-02": { "close": 1 }, "x": { "key": 3 } } };
        let (rows, beside) = (elements(&document, "days").unwrap(), shape.beside(&document).unwrap());
        let mut expected = vec![Some(Typed::text("2024-01-02"))];
        expected.extend(numbers(&[1, 9]));
        assert_eq!(shape.element(&rows[0], &beside), Ok(expected));
        let error = shape.element(&rows[1], &beside).unwrap_err();
        assert_eq!(error, "the field `key` is the key `x` of an object, and another field has its name");
    }

    #[test]
    fn null_beside_an_element_is_missing() {
        let shape = shape(&["close"], Some("bars"));
        let document = rawdoc! { "close": RawBson::Null, "bars": [{ "x": 1 }] };
        let (rows, beside) = (elements(&document, "bars").unwrap(), shape.beside(&document).unwrap());
        assert_eq!(shape.element(&rows[0], &beside), Ok(vec![Some(Typed { value: Value::Null, kind: None })]));
    }
}
