//! The parts in which collections are read, and the pages of a part: by places in an index, or through a cursor.

use std::sync::Arc;

use mongodb::bson::{Document, RawDocumentBuf};

use super::collections::Member;
use super::error::MongoError;
use super::id;
use super::page::{Page, Pager, Range};
use super::row::Shape;
use super::walk::{Times, Walk};

/// Which documents of a collection.
#[derive(Debug)]
pub(super) enum Span {
    /// Those in a range of `_id`.
    Ids(Range),
    /// Those in a range of time, or all of them.
    Times(Times),
}

/// A part of what is read.
pub(super) struct Part<'a> {
    /// Its number among all, from 0.
    pub(super) number: i32,
    /// The collection it is of, by its number.
    pub(super) member: usize,
    /// How rows lie in its documents.
    pub(super) shape: Arc<Shape>,
    of: &'a Member,
    span: &'a Span,
    filter: &'a Document,
    pager: Pager<'a>,
}

impl<'a> Part<'a> {
    /// The parts of all collections, in their order.
    pub(super) fn all(
        members: &'a [Member],
        shapes: &[Arc<Shape>],
        spans: impl Iterator<Item = &'a [Span]>,
        filter: &'a Document,
    ) -> Result<Vec<Self>, MongoError> {
        let raw = RawDocumentBuf::try_from(filter).map_err(|error| MongoError::Filter { reason: error.to_string() })?;
        let spans = members.iter().enumerate().zip(spans);
        let spans = spans.flat_map(|((number, member), spans)| spans.iter().map(move |span| (number, member, span)));
        let part = |(number, (member, of, span)): (i32, (usize, &'a Member, &'a Span))| Self {
            number,
            member,
            shape: Arc::clone(&shapes[member]),
            of,
            span,
            filter,
            pager: Pager::new(&of.reader, raw.clone()),
        };
        Ok((0..).zip(spans).map(part).collect())
    }

    /// Its pages.
    pub(super) async fn pages(&self) -> Result<Pages<'_>, MongoError> {
        Ok(match self.span {
            Span::Ids(range) => Pages::Ids { pager: &self.pager, range, after: None },
            Span::Times(times) => Pages::Walk(Box::new(Walk::begin(&self.of.reader, self.filter, times).await?)),
        })
    }
}

/// The pages of a part, one after the other.
pub(super) enum Pages<'a> {
    /// Each asked for by the `_id` that the last one ended with.
    Ids { pager: &'a Pager<'a>, range: &'a Range, after: Option<Vec<u8>> },
    /// From a cursor.
    Walk(Box<Walk<'a>>),
}

impl Pages<'_> {
    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, MongoError> {
        match self {
            Self::Walk(walk) => walk.page().await,
            Self::Ids { pager, range, after } => {
                // Nothing can follow the last `_id` there is, and the server refuses to look.
                let page = match after.as_deref() {
                    Some(id::LAST) => None,
                    after => pager.page(range, after).await?,
                };
                *after = page.as_ref().and_then(Page::last).map(<[u8]>::to_vec);
                Ok(page.filter(|page| page.len() > 0))
            }
        }
    }
}
