//! Documents -> the columns of a snapshot, straight from their bytes.
//!
//! A document that does not fit (a wanted field twice, text that is not UTF-8, damaged bytes) becomes a broken row
//! with its reason; none is ever left out. Pure: raw documents in, a record batch out.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, FixedSizeBinaryArray, Float64Builder, Int32Array, Int64Array, RecordBatch,
    StringBuilder,
};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use mongodb::bson::raw::RawDocument;
use sha2::{Digest, Sha256};

use super::elements::elements;
use super::id;
use super::literal;
use super::row::{Shape, Typed, Value, Values};
use crate::bars::number::read_number;
use crate::source::WantedKind;

/// Room made for a text, in bytes; most are shorter.
const TEXT_BYTES: usize = 10;
/// Bytes of an encoded `ObjectId`.
const ID_BYTES: usize = 13;

/// The columns of a snapshot, being filled with documents of one range of `_id`.
pub(super) struct Table {
    shape: Arc<Shape>,
    columns: Vec<Columns>,
    /// Which wanted fields were in a document at all.
    present: Vec<bool>,
    range: i32,
    first_row: i64,
    hashes: Vec<u8>,
    ids: BinaryBuilder,
    broken: StringBuilder,
    raw: StringBuilder,
    rest: StringBuilder,
    broken_rows: u64,
    bytes: u64,
}

impl Table {
    /// An empty table for about `rows` rows of a range, of which the first is the `first_row`th.
    pub(super) fn new(shape: &Arc<Shape>, range: i32, first_row: i64, rows: usize) -> Self {
        let wanted = &shape.wanted;
        Self {
            shape: Arc::clone(shape),
            columns: wanted.iter().map(|wanted| Columns::new(wanted.kind, rows)).collect(),
            present: vec![false; wanted.len()],
            range,
            first_row,
            hashes: Vec::with_capacity(rows * 32),
            ids: BinaryBuilder::with_capacity(rows, rows * ID_BYTES),
            broken: StringBuilder::with_capacity(rows, 0),
            raw: StringBuilder::with_capacity(rows, 0),
            rest: StringBuilder::with_capacity(rows, 0),
            broken_rows: 0,
            bytes: 0,
        }
    }

    /// Adds the rows of a document; `id` is its `_id`, encoded.
    pub(super) fn push(&mut self, document: &RawDocument, id: &[u8]) {
        let shape = Arc::clone(&self.shape);
        let locator = |place: &str| id::locator(shape.collection.as_deref().unwrap_or_default(), id, place);
        self.bytes += document.as_bytes().len() as u64;
        let Some(field) = shape.unwind.as_deref() else {
            return self.add(document, document, &locator(""), shape.row(document));
        };
        match elements(document, field).and_then(|elements| Ok((elements, shape.beside(document)?))) {
            Ok((elements, beside)) => {
                for element in &elements {
                    let own = element.fields.as_ref().copied().unwrap_or(document);
                    self.add(own, document, &locator(&element.place), shape.element(element, &beside));
                }
            }
            Err(reason) => self.add(document, document, &locator(""), Err(reason)),
        }
    }

    /// Adds a row: its own bytes, the document it is in, its locator, and what it has of the wanted fields.
    fn add(&mut self, own: &RawDocument, document: &RawDocument, locator: &[u8], row: Result<Values<'_>, String>) {
        self.hashes.extend_from_slice(&Sha256::digest(own.as_bytes()));
        self.ids.append_value(locator);
        match row {
            Ok(found) => {
                for ((value, columns), present) in found.into_iter().zip(&mut self.columns).zip(&mut self.present) {
                    *present |= value.is_some();
                    columns.append(value);
                }
                self.rest.append_option(self.shape.rest(own));
                self.broken.append_null();
                self.raw.append_null();
            }
            Err(reason) => {
                self.columns.iter_mut().for_each(|columns| columns.append(None));
                self.rest.append_null();
                self.broken.append_value(reason);
                self.raw.append_value(literal::excerpt(document));
                self.broken_rows += 1;
            }
        }
    }

    /// How many rows were added.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// An empty table for about `rows` rows that follow those of this one.
    pub(super) fn next(&self, rows: usize) -> Self {
        Self::new(&self.shape, self.range, self.first_row + (self.len() as u64).cast_signed(), rows)
    }

    /// Bytes of BSON in the documents.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of the rows are broken.
    pub(super) fn broken(&self) -> u64 {
        self.broken_rows
    }

    /// Which wanted fields a document had.
    pub(super) fn present(&self) -> &[bool] {
        &self.present
    }

    /// The rows, with the columns of `schema`.
    pub(super) fn finish(mut self, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
        let rows = self.ids.len();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for Columns { number, text, other, kind } in &mut self.columns {
            columns.extend(number.as_mut().map(|number| Arc::new(number.finish()) as ArrayRef));
            columns.push(Arc::new(text.finish()));
            columns.push(Arc::new(other.finish()));
            columns.push(Arc::new(kind.finish()));
        }
        columns.push(Arc::new(Int32Array::from_value(self.range, rows)));
        columns.push(Arc::new((self.first_row..).take(rows).collect::<Int64Array>()));
        columns.push(Arc::new(FixedSizeBinaryArray::try_new(32, Buffer::from_vec(self.hashes), None)?));
        columns.push(Arc::new(self.ids.finish()));
        columns.push(Arc::new(self.broken.finish()));
        columns.push(Arc::new(self.raw.finish()));
        columns.push(Arc::new(self.rest.finish()));
        RecordBatch::try_new(schema, columns)
    }
}

/// The columns of one wanted field.
#[derive(Debug)]
struct Columns {
    /// Of a wanted number.
    number: Option<Float64Builder>,
    /// Of a wanted number the exact text, else the text.
    text: StringBuilder,
    other: StringBuilder,
    kind: StringBuilder,
}

impl Columns {
    fn new(kind: WantedKind, rows: usize) -> Self {
        let number = (kind == WantedKind::Number).then(|| Float64Builder::with_capacity(rows));
        let text = if number.is_some() { 0 } else { rows * TEXT_BYTES };
        let texts = |bytes| StringBuilder::with_capacity(rows, bytes);
        Self { number, text: texts(text), other: texts(0), kind: texts(0) }
    }

    fn append(&mut self, value: Option<Typed<'_>>) {
        let Typed { value, kind } = value.unwrap_or(Typed { value: Value::Null, kind: None });
        self.kind.append_option(kind);
        if let Some(numbers) = &mut self.number {
            numbers.append_option(match &value {
                Value::Number(number) => Some(*number),
                Value::Text(text) => read_number(text).ok(),
                Value::Null | Value::Other(_) => None,
            });
        }
        let (text, other) = match value {
            Value::Text(text) => (Some(text), None),
            Value::Other(literal) => (None, Some(literal)),
            Value::Null | Value::Number(_) => (None, None),
        };
        self.text.append_option(text);
        self.other.append_option(other);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
    use mongodb::bson::raw::{RawBson, RawBsonRef, RawDocumentBuf, cstr};
    use mongodb::bson::rawdoc;
    use proptest::prelude::*;

    use super::super::columns::snapshot_schema;
    use super::super::id;
    use super::super::testing::every_type;
    use super::*;
    use crate::source::Wanted;

    fn wanted() -> Vec<Wanted> {
        [("s", WantedKind::Text), ("t", WantedKind::Time), ("n", WantedKind::Number)]
            .map(|(column, kind)| Wanted { column: column.to_owned(), kind })
            .to_vec()
    }

    fn table(documents: &[&RawDocument]) -> (RecordBatch, Vec<bool>) {
        shaped(Shape::flat(&wanted()), documents)
    }

    fn shaped(shape: Shape, documents: &[&RawDocument]) -> (RecordBatch, Vec<bool>) {
        let shape = Arc::new(shape);
        let mut table = Table::new(&shape, 3, 7, 0);
        for document in documents {
            table.push(document, &id::encode(RawBsonRef::Int32(9)));
        }
        let present = table.present().to_vec();
        (table.finish(snapshot_schema(&shape.wanted)).unwrap(), present)
    }

    fn locators(batch: &RecordBatch) -> Vec<String> {
        let ids = batch.column_by_name("__id").unwrap().as_binary::<i32>();
        ids.iter().map(|id| id::text(id.unwrap())).collect()
    }

    fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Vec<Option<&'a str>> {
        batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect()
    }

    fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
        batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
    }

    /// What a value becomes: number, its text, its literal; text, its literal; time, its literal.
    type Becomes = (Option<f64>, Option<&'static str>, Option<&'static str>, [Option<&'static str>; 4]);

    fn becomes(name: &str) -> Becomes {
        let other = |literal: &'static str| (None, None, Some(literal), [None, Some(literal), None, Some(literal)]);
        let typed = |number, digits: &'static str| (Some(number), None, None, [None, Some(digits), None, Some(digits)]);
        match name {
            "double" => typed(1.5, "1.5"),
            "int32" => typed(20_251_016.0, "20251016"),
            "int64" => typed(1_760_572_800_000.0, "1760572800000"),
            "decimal" => (Some(12.34), Some("12.3400"), None, [None, Some("12.3400"), None, Some("12.3400")]),
            "string" => (Some(239_390.74), Some("239390.74"), None, [Some("239390.74"), None, Some("239390.74"), None]),
            "object id" => {
                let literal = r#"{"$oid":"abababababababababababab"}"#;
                (None, None, Some(literal), [Some("abababababababababababab"), None, None, Some(literal)])
            }
            "null" | "undefined" => (None, None, None, [None; 4]),
            "document" => other(r#"{"a":{"$numberInt":"1"}}"#),
            "array" => other(r#"[{"$numberInt":"1"},"x"]"#),
            "binary" => other(r#"{"$binary":{"base64":"AQID","subType":"00"}}"#),
            "old binary" => other(r#"{"$binary":{"base64":"AQID","subType":"02"}}"#),
            "uuid" => other(r#"{"$binary":{"base64":"CQkJCQkJCQkJCQkJCQkJCQ==","subType":"04"}}"#),
            "boolean" => other("false"),
            "date" => other(r#"{"$date":{"$numberLong":"1760572800000"}}"#),
            "regex" => other(r#"{"$regularExpression":{"pattern":"^a","options":"i"}}"#),
            "pointer" => other(r#"{"$dbPointer":{"$ref":"c","$id":{"$oid":"070707070707070707070707"}}}"#),
            "code" => other(r#"{"$code":"f()"}"#),
            "symbol" => other(r#"{"$symbol":"s"}"#),
            "code with scope" => other(r#"{"$code":"f(x)","$scope":{"x":{"$numberInt":"1"}}}"#),
            "timestamp" => other(r#"{"$timestamp":{"t":1,"i":2}}"#),
            "min key" => other(r#"{"$minKey":1}"#),
            "max key" => other(r#"{"$maxKey":1}"#),
            unknown => panic!("no expectation for {unknown}"),
        }
    }

    #[test]
    fn every_type_has_its_place_in_every_kind_of_column() {
        for (name, value) in every_type() {
            let (batch, present) = table(&[&rawdoc! { "s": value.clone(), "t": value.clone(), "n": value.clone() }]);
            let (number, exact, literal, [text, text_other, time, time_other]) = becomes(name);
            assert_eq!(numbers(&batch, "n"), [number], "{name}");
            assert_eq!(texts(&batch, "n~"), [exact], "{name}");
            assert_eq!(texts(&batch, "n!"), [literal], "{name}");
            assert_eq!((texts(&batch, "s"), texts(&batch, "s!")), (vec![text], vec![text_other]), "{name}");
            assert_eq!((texts(&batch, "t"), texts(&batch, "t!")), (vec![time], vec![time_other]), "{name}");
            assert_eq!(texts(&batch, "__broken"), [None], "{name}");
            assert_eq!(present, [true; 3], "{name}");
        }
    }

    #[test]
    fn numbers_at_the_edges_keep_what_they_say() {
        let cases: [(RawBson, Option<f64>, Option<&str>); 10] = [
            (RawBson::Double(f64::INFINITY), Some(f64::INFINITY), None),
            (RawBson::Double(-0.0), Some(-0.0), None),
            (RawBson::Int64(i64::MAX), Some(9_223_372_036_854_775_807.0), Some("9223372036854775807")),
            (RawBson::Int64(1 << 53), Some(9_007_199_254_740_992.0), None),
            (RawBson::String("000001".to_owned()), Some(1.0), Some("000001")),
            (RawBson::String("1,000".to_owned()), None, Some("1,000")),
            (RawBson::String(String::new()), None, Some("")),
            (RawBson::Decimal128("1E+3".parse().unwrap()), Some(1000.0), Some("1E+3")),
            (RawBson::Decimal128("1E+400".parse().unwrap()), None, Some("1E+400")),
            (RawBson::Decimal128("-Infinity".parse().unwrap()), Some(f64::NEG_INFINITY), Some("-Infinity")),
        ];
        for (value, number, exact) in cases {
            let (batch, _) = table(&[&rawdoc! { "n": value.clone() }]);
            assert_eq!(numbers(&batch, "n"), [number], "{value:?}");
            assert_eq!(texts(&batch, "n~"), [exact], "{value:?}");
        }
        let (batch, _) = table(&[&rawdoc! { "n": f64::NAN }, &rawdoc! { "n": "nan" }]);
        assert!(numbers(&batch, "n").iter().all(|number| number.is_some_and(f64::is_nan)));
    }

    #[test]
    fn fields_may_come_in_any_order_or_be_missing() {
        let (batch, present) = table(&[&rawdoc! { "x": 1, "n": 2, "_id": 1, "s": "a" }, &rawdoc! { "s": "b" }]);
        assert_eq!(texts(&batch, "s"), [Some("a"), Some("b")]);
        assert_eq!(numbers(&batch, "n"), [Some(2.0), None]);
        assert_eq!(texts(&batch, "t"), [None, None]);
        assert_eq!(present, [true, false, true]);
    }

    #[test]
    fn every_element_of_an_array_is_a_row_with_the_fields_beside_it() {
        let bars = rawdoc! { "s": "A", "bars": [{ "t": "2024-01-02", "n": 1 }, { "t": "2024-01-03", "n": 2 }] };
        let shape = Shape { unwind: Some("bars".to_owned()), ..Shape::flat(&wanted()) };
        let (batch, present) = shaped(shape, &[&bars, &rawdoc! { "s": "B", "bars": [] }, &rawdoc! { "s": "C" }]);
        assert_eq!(texts(&batch, "s"), [Some("A"), Some("A"), None]);
        assert_eq!(numbers(&batch, "n"), [Some(1.0), Some(2.0), None]);
        assert_eq!(locators(&batch), ["9 bars[0]", "9 bars[1]", "9"]);
        assert_eq!(texts(&batch, "__broken"), [None, None, Some("the document has no `bars` to take bars from")]);
        assert_eq!(batch.column_by_name("__row").unwrap().as_primitive::<Int64Type>().values(), &[7, 8, 9]);
        assert_eq!(present, [true; 3]);
        let hashes = batch.column_by_name("__hash").unwrap().as_fixed_size_binary();
        assert_ne!(hashes.value(0), hashes.value(1), "the hash is that of the element");
    }

    #[test]
    fn an_element_that_is_broken_does_not_take_the_others_with_it() {
        let bars = rawdoc! { "s": "A", "bars": [{ "n": 1 }, 5, { "n": 2, "s": "B" }] };
        let shape = Shape { unwind: Some("bars".to_owned()), ..Shape::flat(&wanted()) };
        let (batch, _) = shaped(shape, &[&bars]);
        assert_eq!(
            texts(&batch, "__broken"),
            [
                None,
                Some("`bars[1]` is a number, and no subdocument with the fields of a bar"),
                Some("field `s` is in `bars[2]` and beside it; write `bars.s` for the one inside"),
            ]
        );
        assert_eq!(numbers(&batch, "n"), [Some(1.0), None, None]);
        assert_eq!(locators(&batch), ["9 bars[0]", "9 bars[1]", "9 bars[2]"]);
    }

    #[test]
    fn a_row_of_several_collections_names_its_own() {
        let pieces = vec![("s".to_owned(), "A".to_owned())];
        let shape = Shape { pieces, collection: Some("bars_A".to_owned()), ..Shape::flat(&wanted()) };
        let (batch, _) = shaped(shape, &[&rawdoc! { "n": 1 }, &rawdoc! { "s": "B" }]);
        assert_eq!(texts(&batch, "s"), [Some("A"), None]);
        assert_eq!(locators(&batch), ["bars_A 9", "bars_A 9"]);
        let broken = "field `s` is in the document and in the name of its collection; give the piece another name";
        assert_eq!(texts(&batch, "__broken"), [None, Some(broken)]);
    }

    #[test]
    fn every_row_says_where_it_stood_and_what_its_bytes_hash_to() {
        let (first, second) = (rawdoc! { "_id": 9, "s": "a" }, rawdoc! { "_id": 9, "unwanted": 1 });
        let (batch, _) = table(&[&first, &second]);
        assert_eq!(batch.column_by_name("__file").unwrap().as_primitive::<Int32Type>().values(), &[3, 3]);
        assert_eq!(batch.column_by_name("__row").unwrap().as_primitive::<Int64Type>().values(), &[7, 8]);
        let hashes = batch.column_by_name("__hash").unwrap().as_fixed_size_binary();
        assert_eq!(hashes.value(0), Sha256::digest(first.as_bytes()).as_slice());
        assert_eq!(hashes.value(1), Sha256::digest(second.as_bytes()).as_slice());
        assert_eq!(batch.column_by_name("__id").unwrap().as_binary::<i32>().value(0), [0x10, 9, 0, 0, 0]);
    }

    #[test]
    fn a_broken_document_is_a_row_with_its_reason_and_its_text() {
        let mut twice = rawdoc! { "s": "a" };
        twice.append(cstr!("s"), "b");
        let mut twice_unwanted = rawdoc! { "x": 1, "s": "ok" };
        twice_unwanted.append(cstr!("x"), 2);
        let mut not_text = rawdoc! { "s": "abc" }.into_bytes();
        not_text[11] = 0xff;
        let mut not_text_inside = rawdoc! { "n": 1, "s": { "a": "abc" } }.into_bytes();
        let at = not_text_inside.windows(3).position(|window| window == b"abc").unwrap();
        not_text_inside[at] = 0xff;
        let mut cut = rawdoc! { "s": "a", "n": 1 }.into_bytes();
        cut[7] = 200;
        let documents = [
            twice,
            twice_unwanted,
            RawDocumentBuf::from_bytes(not_text).unwrap(),
            RawDocumentBuf::from_bytes(not_text_inside).unwrap(),
            RawDocumentBuf::from_bytes(cut).unwrap(),
        ];
        let documents: Vec<&RawDocument> = documents.iter().map(AsRef::as_ref).collect();
        let (batch, _) = table(&documents);
        let broken = texts(&batch, "__broken");
        assert_eq!(
            broken[..4],
            [
                Some("the document is ambiguous: field `s` appears twice"),
                None,
                Some("field `s`: text is not UTF-8"),
                Some("field `s`: text is not UTF-8"),
            ]
        );
        assert!(broken[4].unwrap().starts_with("the document is damaged: "), "{broken:?}");
        assert_eq!(texts(&batch, "s"), [None, Some("ok"), None, None, None]);
        assert_eq!(batch.column_by_name("n").unwrap().null_count(), 5, "a broken document gives no values at all");
        let raw = texts(&batch, "__raw");
        assert_eq!(raw[..3], [Some(r#"{"s":"a","s":"b"}"#), None, Some("{\"s\":\"\u{fffd}bc\"}")]);
    }

    proptest! {
        #[test]
        fn damaged_bytes_make_a_row_and_never_a_panic(
            kind in 0_usize..23,
            damage in proptest::collection::vec((4_usize..200, any::<u8>()), 1..4),
        ) {
            let (_, value) = every_type().swap_remove(kind);
            let mut bytes = rawdoc! { "s": value.clone(), "x": 1, "n": [value] }.into_bytes();
            let length = bytes.len() - 1;
            for (at, byte) in damage {
                bytes[4 + at % (length - 4)] = byte;
            }
            if let Ok(document) = RawDocument::from_bytes(&bytes) {
                let unwound = Shape { unwind: Some("n".to_owned()), ..Shape::flat(&wanted()) };
                let (batch, _) = shaped(unwound, &[document]);
                prop_assert!(batch.num_rows() >= 1, "one value is one row, and so is damage");
                let (batch, _) = table(&[document]);
                prop_assert_eq!(batch.num_rows(), 1);
                let hash = Sha256::digest(&bytes);
                prop_assert_eq!(batch.column_by_name("__hash").unwrap().as_fixed_size_binary().value(0), hash.as_slice());
            }
        }
    }
}
