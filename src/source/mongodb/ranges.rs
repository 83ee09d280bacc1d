//! Ranges of `_id` that hold about as many documents each, so that several can be read at the same time; where a filter
//! matches few documents, their ids, found by whatever index the server has for the filter.
//!
//! The boundaries come from a random sample, ordered by the server: ids of several types and collations need no
//! comparison here. A poor sample costs speed, never rows: the first range has no beginning and the last no end.

use mongodb::bson::{DateTime, Document, doc};

use super::call::Call;
use super::command;
use super::error::MongoError;
use super::id;
use super::page::Range;
use super::reader::Reader;
use super::walk::Times;

/// The ends of the index, and a type that nobody should have any more, as encoded ids.
const MIN_KEY: &[u8] = &[0xff];
const UNDEFINED: &[u8] = &[0x06];
/// Documents of a range, about.
const DOCUMENTS: u64 = 50_000;
/// More ranges are not made.
const MOST: u64 = 256;
/// Ids drawn for each boundary: the more, the more even the ranges.
const DRAWN: u64 = 16;

/// Fetched one by one a document costs the server about as much as passing over ten.
const FEW: u64 = 10;
/// More ids are not held in memory.
const MOST_IDS: u64 = 500_000;
/// Ids of a range, where they are named: a few pages.
const NAMED: usize = 8192;

/// Ranges that cover all of about `matching` documents that match `filter`, of about `documents` in the collection; there
/// are about `rows_each` rows in a document.
pub(super) async fn ranges(
    reader: &Reader,
    filter: &Document,
    [matching, documents]: [u64; 2],
    rows_each: u64,
) -> Result<Vec<Range>, MongoError> {
    if !filter.is_empty() && matching <= (documents / FEW).min(MOST_IDS) {
        let ids = ids(reader, &[doc! { "$match": filter }]).await?;
        // The server does not look for ids of a type that nobody should have any more.
        if !ids.is_empty() && !ids.iter().any(|id| id == UNDEFINED) {
            return Ok(named(&ids));
        }
    }
    let count = (documents.saturating_mul(rows_each) / DOCUMENTS).min(MOST);
    let boundaries = if count < 2 {
        Vec::new()
    } else {
        let size = i64::try_from(count * DRAWN).unwrap_or(i64::MAX);
        ids(reader, &[doc! { "$sample": { "size": size } }]).await?
    };
    Ok(split(boundaries, usize::try_from(count).unwrap_or(1)))
}

/// At most `count` ranges with every so many-th of the ordered ids as boundaries.
fn split(ids: Vec<Vec<u8>>, count: usize) -> Vec<Range> {
    // The ends of the index cannot be boundaries: the server refuses a range in which nothing can be.
    let inside = |id: &Vec<u8>| id != MIN_KEY && id != id::LAST;
    let ids: Vec<Vec<u8>> = ids.into_iter().filter(inside).collect();
    let boundaries = every(ids, count);
    let from = std::iter::once(None).chain(boundaries.iter().cloned().map(Some));
    let until = boundaries.iter().cloned().map(Some).chain(std::iter::once(None));
    from.zip(until).map(|(from, until)| Range { from, until, among: Vec::new() }).collect()
}

/// At most `count - 1` of the ordered `items`, all as far from each other.
fn every<T: PartialEq>(items: Vec<T>, count: usize) -> Vec<T> {
    let step = items.len().div_ceil(count.max(1)).max(1);
    let mut boundaries: Vec<T> = items.into_iter().skip(step).step_by(step).collect();
    // The same document can be drawn twice.
    boundaries.dedup();
    boundaries
}

/// Ranges of the time field that cover all of about `documents` documents of a time-series collection: its `_id`
/// neither is unique nor has an index.
pub(super) async fn times(reader: &Reader, field: &str, documents: u64) -> Result<Vec<Times>, MongoError> {
    let count = (documents / DOCUMENTS).min(MOST);
    let mut instants: Vec<DateTime> = Vec::new();
    if count > 1 {
        let what = format!("look for times of `{}`", reader.namespace());
        let size = i64::try_from(count * DRAWN).unwrap_or(i64::MAX);
        let stages = [
            doc! { "$sample": { "size": size } },
            doc! { "$project": { "_id": 0, "at": format!("${field}") } },
            doc! { "$sort": { "at": 1 } },
        ];
        let drawn = command::aggregate(reader, Call::long(&what), &stages).await?;
        instants.extend(drawn.iter().filter_map(|document| document.get_datetime("at").ok()));
    }
    Ok(between(field, every(instants, usize::try_from(count).unwrap_or(1))))
}

/// The ranges that these ordered boundaries make.
fn between(field: &str, boundaries: Vec<DateTime>) -> Vec<Times> {
    let bounds: Vec<Option<DateTime>> =
        [None].into_iter().chain(boundaries.into_iter().map(Some)).chain([None]).collect();
    let range = |pair: &[Option<DateTime>]| Times { field: field.to_owned(), from: pair[0], until: pair[1] };
    bounds.windows(2).map(range).collect()
}

/// Ranges of the ids that are named, in their order.
fn named(ids: &[Vec<u8>]) -> Vec<Range> {
    ids.chunks(NAMED).map(|ids| Range { from: None, until: None, among: ids.to_vec() }).collect()
}

/// Ids of the documents that `stages` pick, in the order of the index on `_id`.
async fn ids(reader: &Reader, stages: &[Document]) -> Result<Vec<Vec<u8>>, MongoError> {
    let what = format!("look for ids of `{}`", reader.namespace());
    let call = Call::long(&what);
    let pipeline = [stages, &[doc! { "$project": { "_id": 1 } }, doc! { "$sort": { "_id": 1 } }]].concat();
    let documents = command::aggregate(reader, call, &pipeline).await?;
    Ok(documents.iter().filter_map(|document| id::of(document)).collect())
}

#[cfg(test)]
mod tests {
    use mongodb::bson::raw::{RawBson, RawBsonRef};

    use super::*;

    fn ids(numbers: &[i32]) -> Vec<Vec<u8>> {
        numbers.iter().map(|number| id::encode(RawBsonRef::Int32(*number))).collect()
    }

    fn bounds(ranges: &[Range]) -> Vec<(i32, Option<i32>, Option<i32>)> {
        let number = |id: &Option<Vec<u8>>| id.as_ref().and_then(|id| id::decode(id).unwrap().as_i32());
        (0..).zip(ranges).map(|(at, range)| (at, number(&range.from), number(&range.until))).collect()
    }

    #[test]
    fn ranges_meet_and_cover_everything() {
        let ranges = split(ids(&[1, 2, 3, 4, 5, 6, 7, 8]), 4);
        assert_eq!(
            bounds(&ranges),
            [(0, None, Some(3)), (1, Some(3), Some(5)), (2, Some(5), Some(7)), (3, Some(7), None)]
        );
    }

    #[test]
    fn the_ends_of_the_index_are_no_boundaries() {
        let ids = [RawBson::MinKey, RawBson::MinKey, RawBson::Int32(1), RawBson::MaxKey, RawBson::MaxKey];
        let ids = ids.iter().map(|id| id::encode(id.as_raw_bson_ref())).collect();
        assert_eq!(bounds(&split(ids, 5)), [(0, None, None)]);
    }

    #[test]
    fn ranges_of_time_meet_and_cover_everything() {
        let at = DateTime::from_millis;
        let times = |from, until| Times { field: "at".to_owned(), from, until };
        assert_eq!(between("at", Vec::new()), [times(None, None)]);
        assert_eq!(
            between("at", every(vec![at(1), at(2), at(2), at(2), at(3), at(4)], 3)),
            [times(None, Some(at(2))), times(Some(at(2)), Some(at(3))), times(Some(at(3)), None)]
        );
    }

    #[test]
    fn few_or_equal_samples_make_fewer_ranges() {
        assert_eq!(bounds(&split(Vec::new(), 4)), [(0, None, None)]);
        assert_eq!(bounds(&split(ids(&[5]), 4)), [(0, None, None)]);
        assert_eq!(bounds(&split(ids(&[5, 5, 5, 5]), 4)), [(0, None, Some(5)), (1, Some(5), None)]);
        assert_eq!(bounds(&split(ids(&[1, 2, 3]), 0)), [(0, None, None)]);
    }
}
