//! Documents that have no place of their own to be asked for again: those of a view, and of a time-series collection.
//!
//! They come through a cursor. That of a time-series collection is as long as a range of its time field; that of a view
//! is as long as the view. Where it breaks off the run does: what was read by then is not known to be all.

use futures::TryStreamExt;
use mongodb::bson::{DateTime, Document, RawDocumentBuf, doc};
use mongodb::raw_batch_cursor::RawBatchCursor;

use super::call::Call;
use super::command;
use super::error::MongoError;
use super::page::Page;
use super::reader::Reader;

/// Documents of a page.
const DOCUMENTS: i32 = 1024;

/// Documents between two instants; without bounds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// The time field; empty where there are no bounds.
    pub(super) field: String,
    /// The first instant; `None` for the first range.
    pub(super) from: Option<DateTime>,
    /// The first instant after it; `None` for the last range.
    pub(super) until: Option<DateTime>,
}

/// A cursor, and how many of its documents were read.
pub(super) struct Walk<'a> {
    reader: &'a Reader,
    what: String,
    cursor: RawBatchCursor,
    read: u64,
}

impl<'a> Walk<'a> {
    pub(super) async fn begin(reader: &'a Reader, filter: &Document, times: &Times) -> Result<Self, MongoError> {
        let what = format!("read `{}`", reader.namespace());
        let Reader { connection, database, collection } = reader;
        let command = doc! {
            "aggregate": collection,
            "pipeline": pipeline(filter, times),
            "cursor": { "batchSize": DOCUMENTS },
            "allowDiskUse": true,
            "readConcern": { "level": connection.server().topology.read_concern() },
        };
        let command =
            RawDocumentBuf::try_from(&command).map_err(|error| MongoError::Filter { reason: error.to_string() })?;
        let cursor = command::cursor(connection, database, Call::long(&what), &command).await?;
        Ok(Self { reader, what, cursor, read: 0 })
    }

    /// The next documents; `None` at the end.
    pub(super) async fn page(&mut self) -> Result<Option<Page>, MongoError> {
        let connection = &self.reader.connection;
        let batch = command::in_time(connection, Call::long(&self.what), self.cursor.try_next()).await?;
        let Some(batch) = batch else { return Ok(None) };
        let page = Page::counted(batch, self.read + 1);
        let page = page.map_err(|reason| connection.nonsense(&self.what, reason))?;
        self.read += page.len();
        Ok(Some(page))
    }
}

/// What the cursor is over: documents of a range come in a fixed order, those of a view in the order that it has.
fn pipeline(filter: &Document, times: &Times) -> Vec<Document> {
    let Times { field, from, until } = times;
    let mut bounds = Document::new();
    bounds.extend(from.map(|at| ("$gte".to_owned(), at.into())));
    bounds.extend(until.map(|at| ("$lt".to_owned(), at.into())));
    let mut stages = Vec::new();
    if !bounds.is_empty() {
        stages.push(doc! { "$match": { field: bounds } });
    }
    if !filter.is_empty() {
        stages.push(doc! { "$match": filter.clone() });
    }
    if !field.is_empty() {
        stages.push(doc! { "$sort": { field: 1, "_id": 1 } });
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_read_in_its_own_order_and_a_range_in_that_of_time() {
        assert_eq!(pipeline(&doc! {}, &Times::default()), Vec::<Document>::new());
        let filter = doc! { "symbol": { "$eq": "A" } };
        assert_eq!(pipeline(&filter, &Times::default()), [doc! { "$match": filter.clone() }]);
        let (from, until) = (DateTime::from_millis(5), DateTime::from_millis(9));
        let times = |from, until| Times { field: "at".to_owned(), from, until };
        let sort = doc! { "$sort": { "at": 1, "_id": 1 } };
        assert_eq!(pipeline(&doc! {}, &times(None, None)), std::slice::from_ref(&sort));
        assert_eq!(
            pipeline(&doc! {}, &times(Some(from), None)),
            [doc! { "$match": { "at": { "$gte": from } } }, sort.clone()]
        );
        assert_eq!(
            pipeline(&filter, &times(Some(from), Some(until))),
            [doc! { "$match": { "at": { "$gte": from, "$lt": until } } }, doc! { "$match": filter }, sort]
        );
    }
}
