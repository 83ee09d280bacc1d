//! The documents of a window as a query, so that the server sends no others.
//!
//! A document is left out only where its value is a timestamp outside of the window for sure; one whose value is of another
//! type, or is no timestamp, is read whatever the window is. The query names what is read rather than what is not: only
//! then an index on the timestamp serves it.

use std::ops::Range;

use mongodb::bson::{Bson, DateTime, Document, doc};

use super::call::Call;
use super::collections::Collections;
use super::command;
use super::error::MongoError;
use super::filter::{and, one_of};
use super::look::Kind;
use crate::bars::TimeSpec;

/// Types of BSON that hold no timestamp, whatever the formats of a job are; arrays and what is missing are apart.
const OTHERS: [&str; 11] = [
    "object",
    "binData",
    "objectId",
    "bool",
    "regex",
    "javascript",
    "symbol",
    "timestamp",
    "minKey",
    "maxKey",
    "dbPointer",
];

impl Collections {
    /// `filter`, and that the timestamp, read as `time` says, may lie in `window` (µs UTC, half-open), or that the first key
    /// field is one of `besides`, which has its name and texts. `None` where the server cannot choose by the timestamp, or
    /// all documents are read in any case.
    ///
    /// # Errors
    /// The server fails.
    pub async fn within(
        &self,
        filter: &Document,
        (time, window): (&TimeSpec, (Option<i64>, Option<i64>)),
        besides: Option<(&str, &[String])>,
    ) -> Result<Option<Document>, MongoError> {
        let [name] = time.sources.as_slice() else { return Ok(None) };
        let besides = match besides {
            Some((_, [])) | None => None,
            Some((key, _)) if !self.serves(key) => return Ok(None),
            Some((key, texts)) => Some(one_of(key, texts)),
        };
        let clauses = match self.serves(name) {
            true => Clauses::of(name, time, window),
            false => None,
        };
        let Some(clauses) = clauses else { return Ok(None) };
        let all_dates = self.info().kind == Kind::TimeSeries && self.info().time_field.as_deref() == Some(&**name);
        let query = |arrays| {
            let inside = if all_dates { clauses.dates.clone() } else { clauses.all(arrays) };
            doc! { "$or": inside.into_iter().chain(besides.clone()).map(Bson::Document).collect::<Vec<_>>() }
        };
        let alone = and(filter, query(false));
        let arrays = !all_dates && !self.has_no_arrays(name, &alone).await?;
        Ok(Some(if arrays { and(filter, query(true)) } else { alone }))
    }

    /// Whether an index serves `query` and knows that no document has an array in `name`. Without one the server looks at all
    /// documents, and at arrays beside.
    async fn has_no_arrays(&self, name: &str, query: &Document) -> Result<bool, MongoError> {
        let begins = self.info().indexes.iter().any(|index| index.keys.first().is_some_and(|(field, _)| field == name));
        let [member] = self.members.as_slice() else { return Ok(false) };
        if !begins || self.info().kind == Kind::View {
            return Ok(false);
        }
        let reader = &member.reader;
        let what = format!("look for the index of `{}` that serves a window", reader.namespace());
        let find = doc! { "find": &reader.collection, "filter": query.clone(), "projection": { "_id": 1 } };
        let command = doc! { "explain": find, "verbosity": "queryPlanner" };
        let plan = command::run(&reader.connection, &reader.database, Call::short(&what), &command).await?;
        let winning = plan.get_document("queryPlanner").ok().and_then(|planner| planner.get("winningPlan"));
        Ok(winning.is_some_and(|plan| {
            says(plan, "stage", &"IXSCAN".into())
                && !says(plan, "stage", &"COLLSCAN".into())
                && !says(plan, "isMultiKey", &true.into())
        }))
    }
}

/// Whether `plan` has the field `name` with `value` anywhere.
fn says(plan: &Bson, name: &str, value: &Bson) -> bool {
    match plan {
        Bson::Document(document) => {
            document.iter().any(|(key, inner)| key == name && inner == value || says(inner, name, value))
        }
        Bson::Array(values) => values.iter().any(|inner| says(inner, name, value)),
        _ => false,
    }
}

/// Which values of a field are read.
struct Clauses<'a> {
    name: &'a str,
    dates: Vec<Document>,
    numbers: Vec<Document>,
    texts: Vec<Document>,
}

impl<'a> Clauses<'a> {
    /// `None` where all values are.
    fn of(name: &'a str, time: &TimeSpec, window: (Option<i64>, Option<i64>)) -> Option<Self> {
        let instants = if time.reads_bson_dates() { TimeSpec::instants_outside(window) } else { Vec::new() };
        let numbers = time.numbers_outside(window);
        let texts = time.texts_outside(window).filter(|texts| !texts.ranges.is_empty());
        if instants.is_empty() && numbers.is_empty() && texts.is_none() {
            return None;
        }
        let of_type = |name: &str, types: &[&str]| vec![doc! { name: { "$type": types.to_vec() } }];
        let date = |micros: i64| Bson::from(DateTime::from_millis(micros.div_euclid(1_000)));
        let dates = match instants.as_slice() {
            [] => of_type(name, &["date"]),
            ranges => beside(name, ranges.iter().map(|range| date(range.start)..date(range.end))),
        };
        let numbers = match numbers.as_slice() {
            [] => of_type(name, &["number"]),
            ranges => {
                let outside = ranges.iter().map(|range| Bson::Int64(range.start)..Bson::Int64(range.end));
                // A number with a fraction is not a timestamp.
                [beside(name, outside), of_type(name, &["double", "decimal"])].concat()
            }
        };
        let texts = match texts {
            None => of_type(name, &["string"]),
            Some(texts) => {
                let bson = |text: &String| Bson::String(text.clone());
                let others = texts.ranges.iter().map(|range| {
                    let shaped = doc! { "$regex": &texts.shape };
                    doc! { name: { "$gte": bson(&range.start), "$lt": bson(&range.end), "$not": shaped } }
                });
                let outside = texts.ranges.iter().map(|range| bson(&range.start)..bson(&range.end));
                beside(name, outside).into_iter().chain(others).collect()
            }
        };
        Some(Self { name, dates, numbers, texts })
    }

    /// All of them, with arrays or without.
    fn all(&self, arrays: bool) -> Vec<Document> {
        let name = self.name;
        let array = arrays.then(|| doc! { name: { "$type": "array" } });
        let others = [doc! { name: { "$type": OTHERS.to_vec() } }, doc! { name: Bson::Null }];
        [self.dates.as_slice(), &self.numbers, &self.texts, &others].concat().into_iter().chain(array).collect()
    }
}

/// The values of a type that lie in none of the half-open ranges, which ascend.
fn beside(name: &str, ranges: impl Iterator<Item = Range<Bson>>) -> Vec<Document> {
    let mut clauses = Vec::new();
    let mut from = None;
    for Range { start, end } in ranges {
        clauses.push(match from.replace(end) {
            Some(from) => doc! { name: { "$gte": from, "$lt": start } },
            None => doc! { name: { "$lt": start } },
        });
    }
    clauses.extend(from.map(|from| doc! { name: { "$gte": from } }));
    clauses
}
