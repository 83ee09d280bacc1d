//! A look at a collection before it is read: which fields its documents have, and what they seem to hold.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mongodb::bson::raw::{RawBsonRef, RawDocument};
use mongodb::bson::{Document, doc};

use super::call::Call;
use super::command;
use super::elements::{KEY, elements};
use super::error::MongoError;
use super::look::{self, Kind};
use super::reader::Reader;
use crate::schema::diagnostic::nearest;
use crate::source::SourceColumn;
use crate::source::infer::Tally;

/// Documents looked at from each end of the collection.
const ENDS: i64 = 200;
/// Documents drawn from all of it.
const DRAWN: i64 = 1000;
/// Rows looked at from each end of those in one document.
const OF_ROWS: usize = 50;
/// Fields inside one subdocument of which is kept account.
const MOST_LEAVES: usize = 500;

impl Reader {
    /// The fields of a sample of the documents that match `filter`, in the order they are met: the first and the last ones
    /// and some between. What it says of types is a guess; nothing relies on it but defaults.
    ///
    /// # Errors
    /// When the filter is not valid, the user may not read, or the server fails or is too slow.
    pub async fn infer(&self, filter: &Document) -> Result<Vec<SourceColumn>, MongoError> {
        let mut seen = Seen::new(None);
        self.sample(filter, look::identify(self).await?.kind, &mut seen).await?;
        Ok(seen.columns())
    }

    /// Counts the fields of a sample.
    pub(super) async fn sample(&self, filter: &Document, kind: Kind, seen: &mut Seen) -> Result<(), MongoError> {
        let what = format!("look at documents of `{}`", self.namespace());
        let call = Call::long(&what);
        let matching = doc! { "$match": filter };
        let few = doc! { "$limit": ENDS };
        // The filter comes after the draw: a draw from all documents is cheap, one from the matching ones reads them all.
        let drawn = vec![doc! { "$sample": { "size": DRAWN } }, matching.clone()];
        let pipelines = match kind {
            // Without an index on `_id` an order would read them all.
            Kind::View | Kind::TimeSeries => vec![vec![matching, few], drawn],
            Kind::Collection | Kind::Capped | Kind::Several => {
                let by_id = |direction: i32| doc! { "$sort": { "_id": direction } };
                let first = vec![by_id(1), matching.clone(), few.clone()];
                vec![first, drawn, vec![by_id(-1), matching, few]]
            }
        };
        for pipeline in &pipelines {
            command::aggregate(self, call, pipeline).await?.iter().for_each(|document| seen.count(document));
        }
        Ok(())
    }
}

/// The fields met.
#[derive(Default)]
pub(super) struct Seen {
    /// The field that holds rows.
    unwind: Option<String>,
    /// Fields of documents, also inside subdocuments.
    beside: Fields,
    /// Fields of the rows in the documents.
    inside: Fields,
    /// How many documents were looked at.
    pub(super) documents: u64,
    /// How many of them hold rows.
    pub(super) unwound: u64,
}

impl Seen {
    pub(super) fn new(unwind: Option<&str>) -> Self {
        Self { unwind: unwind.map(str::to_owned), ..Self::default() }
    }

    /// Counts the fields of a document, up to the first that does not read.
    pub(super) fn count(&mut self, document: &RawDocument) {
        self.documents += 1;
        let Some(unwind) = &self.unwind else { return self.beside.count("", document, None) };
        self.beside.count("", document, Some(unwind));
        let Ok(elements) = elements(document, unwind) else { return };
        self.unwound += 1;
        let last = elements.len().saturating_sub(OF_ROWS);
        for element in elements.iter().enumerate().filter(|(at, _)| *at < OF_ROWS || *at >= last).map(|(_, e)| e) {
            if let Some(key) = &element.key {
                self.inside.tally(KEY).count_text(key);
            }
            if let Ok(fields) = element.fields {
                self.inside.count("", fields, None);
            }
        }
    }

    /// Whether there is a field of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.beside.has(name) || self.inside.has(name)
    }

    /// A field whose name is close to `name`.
    pub(super) fn near(&self, name: &str) -> Option<&str> {
        nearest(name, self.beside.names())
    }

    /// The columns. A field of the rows comes under its own name, unless the documents have one of that name, too.
    pub(super) fn columns(self) -> Vec<SourceColumn> {
        let Self { unwind, beside, inside, .. } = self;
        let named = |name: String| match beside.has(&name) {
            true => format!("{}.{name}", unwind.as_deref().unwrap_or_default()),
            false => name,
        };
        let inside: Vec<_> = inside.tallies.into_iter().map(|(name, tally)| tally.column(named(name))).collect();
        beside.tallies.into_iter().map(|(name, tally)| tally.column(name)).chain(inside).collect()
    }
}

/// Fields in the order in which they were met, each with what it held.
#[derive(Default)]
struct Fields {
    positions: HashMap<String, usize>,
    tallies: Vec<(String, Tally)>,
    /// How many fields there are inside each subdocument.
    leaves: HashMap<String, usize>,
}

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.positions.contains_key(name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.tallies.iter().map(|(name, _)| name.as_str())
    }

    fn tally(&mut self, name: &str) -> &mut Tally {
        let position = match self.positions.entry(name.to_owned()) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.tallies.push((entry.key().clone(), Tally::default()));
                *entry.insert(self.tallies.len() - 1)
            }
        };
        &mut self.tallies[position].1
    }

    /// Counts the fields of a document, and with their paths those of its subdocuments; the field `but` is left out.
    fn count(&mut self, path: &str, document: &RawDocument, but: Option<&str>) {
        for (key, value) in document.iter().map_while(Result::ok) {
            let name = if path.is_empty() { key.as_str().to_owned() } else { format!("{path}.{}", key.as_str()) };
            if Some(name.as_str()) == but || !self.may_have(path, &name) {
                continue;
            }
            let tally = self.tally(&name);
            match value {
                RawBsonRef::Null | RawBsonRef::Undefined => {}
                RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_) => {
                    tally.count_number();
                }
                RawBsonRef::String(text) => tally.count_text(text),
                RawBsonRef::DateTime(_) => tally.count_date(),
                RawBsonRef::Document(inside) => {
                    tally.count_other();
                    self.count(&name, inside, but);
                }
                _ => tally.count_other(),
            }
        }
    }

    /// Whether `name`, a field inside `path`, is known or may become so: an object with very many keys is not a record.
    fn may_have(&mut self, path: &str, name: &str) -> bool {
        if path.is_empty() || self.has(name) {
            return true;
        }
        let root = path.split('.').next().unwrap_or_default();
        let leaves = self.leaves.entry(root.to_owned()).or_default();
        *leaves += 1;
        *leaves <= MOST_LEAVES
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::raw::{CString, RawBson, RawDocumentBuf};
    use mongodb::bson::{DateTime, rawdoc};

    use super::*;
    use crate::bars::FieldKind;

    #[test]
    fn fields_are_the_union_in_the_order_they_are_met() {
        let mut seen = Seen::new(None);
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

    fn names(seen: Seen) -> Vec<(String, bool)> {
        seen.columns().into_iter().map(|column| (column.name, column.kind == FieldKind::Number)).collect()
    }

    fn expected(columns: &[(&str, bool)]) -> Vec<(String, bool)> {
        columns.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    }

    #[test]
    fn fields_of_subdocuments_are_found_by_their_paths() {
        let mut seen = Seen::new(None);
        seen.count(&rawdoc! { "ohlc": { "open": 1, "day": { "close": 2.5 } }, "1. open": 3, "tags": ["a"] });
        let columns = [
            ("ohlc", false),
            ("ohlc.open", true),
            ("ohlc.day", false),
            ("ohlc.day.close", true),
            ("1. open", true),
            ("tags", false),
        ];
        assert_eq!(names(seen), expected(&columns));
    }

    #[test]
    fn an_object_with_very_many_keys_does_not_hide_other_fields() {
        let mut seen = Seen::new(None);
        let mut days = RawDocumentBuf::new();
        for day in 0..MOST_LEAVES + 10 {
            days.append(CString::try_from(format!("d{day}")).unwrap(), 1);
        }
        seen.count(&rawdoc! { "days": days, "ohlc": { "open": 1 } });
        assert!(seen.has("days.d0") && seen.has("ohlc.open") && !seen.has(&format!("days.d{MOST_LEAVES}")));
    }

    #[test]
    fn fields_of_rows_come_under_their_own_names_or_with_the_array_where_documents_have_them_too() {
        let mut seen = Seen::new(Some("bars"));
        seen.count(&rawdoc! { "symbol": "A", "volume": 9, "bars": [{ "close": 1, "volume": 2 }, { "x": { "y": 3 } }] });
        seen.count(&rawdoc! { "symbol": "B" });
        assert_eq!((seen.documents, seen.unwound), (2, 1));
        let columns =
            [("symbol", false), ("volume", true), ("close", true), ("bars.volume", true), ("x", false), ("x.y", true)];
        assert_eq!(names(seen), expected(&columns));
        let mut keyed = Seen::new(Some("days"));
        keyed.count(&rawdoc! { "symbol": "A", "days": { "2024-01-02": { "close": 1 } } });
        assert_eq!(names(keyed), expected(&[("symbol", false), ("key", false), ("close", true)]));
    }
}
