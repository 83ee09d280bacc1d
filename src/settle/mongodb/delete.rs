//! The statement that removes one row: it names the row's `_id` and the whole document as it was read.
//!
//! MongoDB compares numbers by value, so the types of all fields and the length of the document are compared beside the
//! values: an `int` that became a `long` is another document. What is not told apart are two spellings of one value in
//! one type (`1.0` and `1.00` of a decimal, `0.0` and `-0.0`), and types inside nested documents.

use mongodb::bson::raw::cstr;
use mongodb::bson::spec::ElementType;
use mongodb::bson::{RawArrayBuf, RawBson, RawDocument, RawDocumentBuf, rawdoc};

/// The statement that removes the document `raw` with this `_id`, and no other.
pub(super) fn statement(id: &RawBson, raw: &RawDocument) -> RawDocumentBuf {
    let mut whole = RawArrayBuf::new();
    whole.push("$$ROOT");
    whole.push(&*literal(|literal| literal.append(cstr!("$literal"), raw)));
    let length = i32::try_from(raw.as_bytes().len()).unwrap_or(i32::MAX);
    let same_length = rawdoc! { "$eq": [{ "$bsonSize": "$$ROOT" }, length] };
    let types = literal(|list| list.append(cstr!("$literal"), &*types(raw)));
    let found = rawdoc! {
        "$map": { "input": { "$objectToArray": "$$ROOT" }, "in": { "$type": "$$this.v" } },
    };
    let same_types = rawdoc! { "$eq": [found, types] };
    let mut all = RawArrayBuf::new();
    all.push(&*same_length);
    all.push(&*same_types);
    all.push(&*literal(|eq| eq.append(cstr!("$eq"), &*whole)));
    let mut query = RawDocumentBuf::new();
    query.append(cstr!("_id"), &*literal(|eq| eq.append(cstr!("$eq"), id.clone())));
    query.append(cstr!("$expr"), &*literal(|and| and.append(cstr!("$and"), &*all)));
    rawdoc! { "q": query, "limit": 1, "collation": { "locale": "simple" } }
}

fn literal(fill: impl FnOnce(&mut RawDocumentBuf)) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    fill(&mut document);
    document
}

/// The types of the fields as the operator `$type` calls them, in their order.
fn types(raw: &RawDocument) -> RawArrayBuf {
    let mut list = RawArrayBuf::new();
    for element in raw.iter_elements().flatten() {
        list.push(name(element.element_type()));
    }
    list
}

fn name(element: ElementType) -> &'static str {
    match element {
        ElementType::Double => "double",
        ElementType::String => "string",
        ElementType::EmbeddedDocument => "object",
        ElementType::Array => "array",
        ElementType::Binary => "binData",
        ElementType::Undefined => "undefined",
        ElementType::ObjectId => "objectId",
        ElementType::Boolean => "bool",
        ElementType::DateTime => "date",
        ElementType::Null => "null",
        ElementType::RegularExpression => "regex",
        ElementType::DbPointer => "dbPointer",
        ElementType::JavaScriptCode => "javascript",
        ElementType::Symbol => "symbol",
        ElementType::JavaScriptCodeWithScope => "javascriptWithScope",
        ElementType::Int32 => "int",
        ElementType::Timestamp => "timestamp",
        ElementType::Int64 => "long",
        ElementType::Decimal128 => "decimal",
        ElementType::MaxKey => "maxKey",
        ElementType::MinKey => "minKey",
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, doc};

    use super::*;

    #[test]
    fn a_statement_names_id_bytes_types_and_length() {
        let raw = rawdoc! { "_id": 7_i32, "close": 10.5, "volume": 5_i64, "note": { "$set": 1_i32 } };
        let statement = Document::try_from(statement(&RawBson::Int32(7), &raw)).unwrap();
        let query = statement.get_document("q").unwrap();
        assert_eq!(query.get_document("_id").unwrap(), &doc! { "$eq": 7 });
        assert_eq!(statement.get_i32("limit").unwrap(), 1);
        assert_eq!(statement.get_document("collation").unwrap(), &doc! { "locale": "simple" });
        let all = query.get_document("$expr").unwrap().get_array("$and").unwrap();
        let length = i32::try_from(raw.as_bytes().len()).unwrap();
        assert_eq!(all[0].as_document().unwrap(), &doc! { "$eq": [{ "$bsonSize": "$$ROOT" }, length] });
        let types = all[1].as_document().unwrap().get_array("$eq").unwrap()[1].as_document().unwrap();
        assert_eq!(types, &doc! { "$literal": ["int", "double", "long", "object"] });
        let whole = all[2].as_document().unwrap().get_array("$eq").unwrap()[1].as_document().unwrap();
        assert_eq!(whole, &doc! { "$literal": Document::try_from(raw).unwrap() });
    }
}
