//! A look at a collection before it is read: which fields its documents have, and what they seem to hold.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mongodb::bson::raw::RawBsonRef;
use mongodb::bson::{Document, RawDocumentBuf, doc};

use super::call::Call;
use super::command;
use super::error::MongoError;
use super::reader::Reader;
use crate::source::SourceColumn;
use crate::source::infer::Tally;

/// Documents looked at from each end of the collection.
const ENDS: i64 = 200;
/// Documents drawn from all of it.
const DRAWN: i64 = 1000;

impl Reader {
    /// The top-level fields of a sample of the documents that match `filter`, in the order they are met: the first
    /// and the last ones and some between. What it says of types is a guess; nothing relies on it but defaults.
    ///
    /// # Errors
    /// When the filter is not valid, the user may not read, or the server fails or is too slow.
    pub async fn infer(&self, filter: &Document) -> Result<Vec<SourceColumn>, MongoError> {
        let what = format!("look at documents of `{}`", self.namespace());
        let call = Call::long(&what);
        let matching = doc! { "$match": filter };
        let first = [doc! { "$sort": { "_id": 1 } }, matching.clone(), doc! { "$limit": ENDS }];
        // The filter comes after the draw: a draw from all documents is cheap, one from the matching ones reads them all.
        let drawn = [doc! { "$sample": { "size": DRAWN } }, matching.clone()];
        let last = [doc! { "$sort": { "_id": -1 } }, matching, doc! { "$limit": ENDS }];
        let mut seen = Seen::default();
        for pipeline in [&first[..], &drawn, &last] {
            command::aggregate(self, call, pipeline).await?.iter().for_each(|document| seen.count(document));
        }
        Ok(seen.columns())
    }
}

/// The fields met, in that order, each with what it held.
#[derive(Default)]
struct Seen {
    positions: HashMap<String, usize>,
    tallies: Vec<(String, Tally)>,
}

impl Seen {
    /// Counts the fields of a document, up to the first that does not read.
    fn count(&mut self, document: &RawDocumentBuf) {
        for (key, value) in document.iter().map_while(Result::ok) {
            let position = match self.positions.entry(key.as_str().to_owned()) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    self.tallies.push((entry.key().clone(), Tally::default()));
                    *entry.insert(self.tallies.len() - 1)
                }
            };
            let tally = &mut self.tallies[position].1;
            match value {
                RawBsonRef::Null | RawBsonRef::Undefined => {}
                RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_) => {
                    tally.count_number();
                }
                RawBsonRef::String(text) => tally.count_text(text),
                RawBsonRef::DateTime(_) => tally.count_date(),
                _ => tally.count_other(),
            }
        }
    }

    fn columns(self) -> Vec<SourceColumn> {
        self.tallies.into_iter().map(|(name, tally)| tally.column(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::raw::RawBson;
    use mongodb::bson::{DateTime, rawdoc};

    use super::*;
    use crate::bars::FieldKind;

    #[test]
    fn fields_are_the_union_in_the_order_they_are_met() {
        let mut seen = Seen::default();
        seen.count(&rawdoc! {
            "_id": ObjectId::new(), "volume": 1.5, "code": "600000", "at": DateTime::from_millis(0), "mixed": 1
        });
        seen.count(&rawdoc! {
            "volume": "239390.74", "code": "7", "close": 1_i64, "flag": true, "gone": RawBson::Null, "mixed": "000001",
        });
        let columns: Vec<(String, bool, bool)> = seen
            .columns()
            .into_iter()
            .map(|column| (column.name, column.kind == FieldKind::Number, column.typed_time))
            .collect();
        let expected = [
            ("_id", false, false),
            ("volume", true, false),
            ("code", false, false),
            ("at", false, true),
            ("mixed", false, false),
            ("close", true, false),
            ("flag", false, false),
            ("gone", false, false),
        ];
        assert_eq!(columns, expected.map(|(name, number, time)| (name.to_owned(), number, time)));
    }
}
