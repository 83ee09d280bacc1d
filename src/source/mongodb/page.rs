//! Pages of a collection in the order of `_id`: one `find` of one batch each, from where the last one ended.
//!
//! `min` with a hint on the index of `_id` is a place in the index, so ids of every type follow; `$gt` would stop at the
//! first id of another type. No cursor stays open, so none can time out, and a page that fails is simply asked again.

use mongodb::bson::raw::{RawArray, RawDocument, RawDocumentBuf, cstr};
use mongodb::bson::rawdoc;
use mongodb::raw_batch_cursor::RawBatch;

use super::call::Call;
use super::command;
use super::error::MongoError;
use super::id;
use super::reader::Reader;

/// Documents of a page at most; the server ends one at 16 MB in any case. Of quotes of 385 bytes, pages of 1,024 come as fast
/// as pages of 2,048 and take less memory; pages of 16,384 fall out of the processor's caches.
const DOCUMENTS: i32 = 1024;

/// A part of a collection: the documents whose `_id` is neither before `from` nor at or after `until`, or is `among`
/// those named.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    /// `None` for the first range.
    pub(super) from: Option<Vec<u8>>,
    /// `None` for the last range.
    pub(super) until: Option<Vec<u8>>,
    /// In the order of `_id`; empty where the bounds say it all.
    pub(super) among: Vec<Vec<u8>>,
}

impl Range {
    /// The ids among those named that come after the one whose encoding is `after`; `None` where the bounds say it all.
    fn rest(&self, after: Option<&[u8]>) -> Option<&[Vec<u8>]> {
        if self.among.is_empty() {
            return None;
        }
        let is_last = |id: &Vec<u8>| Some(id.as_slice()) == after;
        let from = self.among.iter().position(is_last).map_or(0, |at| at + 1);
        Some(&self.among[from..])
    }
}

/// Documents that follow one another, as the server sent them.
pub(super) struct Page {
    batch: RawBatch,
    /// Their ids, encoded; as many as there are documents.
    ids: Vec<Vec<u8>>,
}

impl Page {
    /// The documents, each with its encoded `_id`.
    pub(super) fn documents(&self) -> impl Iterator<Item = (&RawDocument, &[u8])> {
        let documents = self.batch.doc_slices().ok().into_iter().flat_map(documents);
        documents.filter_map(Result::ok).zip(self.ids.iter().map(Vec::as_slice))
    }

    /// The documents of a cursor, of which the first is the `first`th; one without an `_id` is named by that number.
    pub(super) fn counted(batch: RawBatch, first: u64) -> Result<Self, String> {
        let list = batch.doc_slices().map_err(|error| error.to_string())?;
        let id = |(number, document): (u64, Result<&RawDocument, String>)| {
            let id = id::of(document?);
            Ok(id.unwrap_or_else(|| id::locator("", &[], &format!("document {number}")).into_owned()))
        };
        let ids = (first..).zip(documents(list)).map(id).collect::<Result<_, String>>()?;
        Ok(Self { batch, ids })
    }

    /// How many documents it has.
    pub(super) fn len(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The encoded `_id` of the last document; `None` where the range is at its end.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.ids.last().map(Vec::as_slice)
    }
}

/// What is asked again and again for the pages of an extraction.
pub(super) struct Pager<'a> {
    pub(super) reader: &'a Reader,
    pub(super) filter: RawDocumentBuf,
    what: String,
}

impl<'a> Pager<'a> {
    pub(super) fn new(reader: &'a Reader, filter: RawDocumentBuf) -> Self {
        Self { reader, filter, what: format!("read `{}`", reader.namespace()) }
    }

    /// The next page of `range` after the document whose encoded `_id` is `after`; an empty one at its end, or none.
    pub(super) async fn page(&self, range: &Range, after: Option<&[u8]>) -> Result<Option<Page>, MongoError> {
        if range.rest(after).is_some_and(<[Vec<u8>]>::is_empty) {
            return Ok(None);
        }
        let call = Call::long(&self.what);
        let command = self.command(range, after, call.max_time_ms())?;
        let Reader { connection, database, .. } = self.reader;
        let batch = command::first_batch(connection, database, call, &command).await?;
        self.read(batch, after).map(Some)
    }

    fn command(&self, range: &Range, after: Option<&[u8]>, max_time_ms: i64) -> Result<RawDocumentBuf, MongoError> {
        let level = self.reader.connection.server().topology.read_concern();
        let (from, filter) = match (range.rest(after), after) {
            (Some(rest), _) => {
                let among = id::among(rest.iter().map(Vec::as_slice)).map_err(|_| self.no_id(after))?;
                let named = rawdoc! { "_id": among };
                (None, rawdoc! { "$and": [named, self.filter.clone()] })
            }
            (None, None) => (range.from.clone(), self.filter.clone()),
            // `min` includes its place. The server must leave the document out that is there: a large one could fill
            // the page, which then looked like the end.
            (None, Some(last)) => {
                let others = rawdoc! { "_id": id::document("$ne", last).map_err(|_| self.no_id(after))? };
                (Some(last.to_vec()), rawdoc! { "$and": [others, self.filter.clone()] })
            }
        };
        let mut command = rawdoc! {
            "find": self.reader.collection.as_str(),
            "filter": filter,
            "hint": { "_id": 1 },
            "sort": { "_id": 1 },
            "batchSize": DOCUMENTS,
            "singleBatch": true,
            "maxTimeMS": max_time_ms,
            "readConcern": { "level": level },
        };
        for (bound, id) in [(cstr!("min"), from), (cstr!("max"), range.until.clone())] {
            if let Some(id) = id {
                command.append(bound, id::document("_id", &id).map_err(|_| self.no_id(after))?);
            }
        }
        Ok(command)
    }

    fn read(&self, batch: RawBatch, after: Option<&[u8]>) -> Result<Page, MongoError> {
        let nonsense = |error: String| self.reader.connection.nonsense(&self.what, error);
        let list = batch.doc_slices().map_err(|error| nonsense(self.reader.connection.words(&error).text))?;
        let mut ids: Vec<Vec<u8>> = Vec::new();
        for document in documents(list) {
            let document = document.map_err(nonsense)?;
            let id = id::of(document).ok_or_else(|| self.no_id(ids.last().map(Vec::as_slice).or(after)))?;
            ids.push(id);
        }
        if after.is_some() && after == ids.first().map(Vec::as_slice) {
            return Err(nonsense("it repeats a document".to_owned()));
        }
        Ok(Page { batch, ids })
    }

    fn no_id(&self, after: Option<&[u8]>) -> MongoError {
        let after = after.map_or_else(|| "the start".to_owned(), id::text);
        MongoError::NoId { namespace: self.reader.namespace(), after }
    }
}

/// The documents of a batch.
fn documents(list: &RawArray) -> impl Iterator<Item = Result<&RawDocument, String>> {
    list.into_iter().map(|value| match value {
        Ok(value) => value.as_document().ok_or_else(|| "something in the batch is not a document".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}
