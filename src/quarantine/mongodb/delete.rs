//! The statement that removes one row: it names the row's `_id` and the whole document as it was read.
//!
//! MongoDB compares numbers by value, so the types of all fields and the length of the document are compared beside the
//! values: an `int` that became a `long` is another document. What is not distinguished are two ways to write one value in
//! one type (`1.0` and `1.00` of a decimal, `0.0` and `-0.0`), and types inside nested documents.

use mongodb::bson::raw::cstr;
use mongodb::bson::{RawDocument, RawDocumentBuf, rawdoc};

use crate::source::mongodb::id::{self, IdError};

/// The statement that removes the document `raw` with this encoded `_id`, and no other. The document stands in it once:
/// the statement is longer than the document by its `_id` and a few hundred bytes, however many fields there are.
pub(super) fn statement(id: &[u8], raw: &RawDocument) -> Result<RawDocumentBuf, IdError> {
    let length = i32::try_from(raw.as_bytes().len()).unwrap_or(i32::MAX);
    let same = rawdoc! { "$and": [
        { "$eq": [{ "$bsonSize": "$$ROOT" }, length] },
        { "$eq": ["$$ROOT", "$$was"] },
        { "$eq": [types("$$ROOT"), types("$$was")] },
    ] };
    let mut was = RawDocumentBuf::new();
    was.append(cstr!("$literal"), raw);
    let mut query = RawDocumentBuf::new();
    query.append(cstr!("_id"), id::document("$eq", id)?);
    query.append(cstr!("$expr"), rawdoc! { "$let": { "vars": { "was": was }, "in": same } });
    Ok(rawdoc! { "q": query, "limit": 1, "collation": { "locale": "simple" } })
}

/// The types of the fields of a document, in their order.
fn types(document: &str) -> RawDocumentBuf {
    rawdoc! { "$map": { "input": { "$objectToArray": document }, "in": { "$type": "$$this.v" } } }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::raw::RawBsonRef;
    use mongodb::bson::{Document, doc};

    use super::*;

    #[test]
    fn a_statement_names_id_bytes_types_and_length() {
        let raw = rawdoc! { "_id": 7_i32, "close": 10.5, "volume": 5_i64, "note": { "$set": 1_i32 } };
        let statement = statement(&id::encode(RawBsonRef::Int32(7)), &raw).unwrap();
        let statement = Document::try_from(statement).unwrap();
        let query = statement.get_document("q").unwrap();
        assert_eq!(query.get_document("_id").unwrap(), &doc! { "$eq": 7 });
        assert_eq!(statement.get_i32("limit").unwrap(), 1);
        assert_eq!(statement.get_document("collation").unwrap(), &doc! { "locale": "simple" });
        let same = query.get_document("$expr").unwrap().get_document("$let").unwrap();
        let was = same.get_document("vars").unwrap().get_document("was").unwrap();
        assert_eq!(was, &doc! { "$literal": Document::try_from(raw.clone()).unwrap() });
        let all = same.get_document("in").unwrap().get_array("$and").unwrap();
        let length = i32::try_from(raw.as_bytes().len()).unwrap();
        assert_eq!(all[0].as_document().unwrap(), &doc! { "$eq": [{ "$bsonSize": "$$ROOT" }, length] });
        assert_eq!(all[1].as_document().unwrap(), &doc! { "$eq": ["$$ROOT", "$$was"] });
        assert!(all[2].to_string().contains("$type"), "{all:?}");
    }

    #[test]
    fn a_statement_grows_with_its_document_and_not_with_the_number_of_fields() {
        let mut wide = rawdoc! { "_id": 1 };
        for n in 0..1440 {
            wide.append(mongodb::bson::raw::CString::try_from(format!("m{n}")).unwrap(), n);
        }
        let statement = statement(&id::encode(RawBsonRef::Int32(1)), &wide).unwrap();
        assert!(statement.as_bytes().len() < wide.as_bytes().len() + 600);
    }
}
