//! How many documents there are, held against how many were read: what is missing is never left out in silence.

use mongodb::bson::{Document, doc};

use super::call::Call;
use super::collections::Member;
use super::command;
use super::connection::integer;
use super::error::MongoError;
use super::look;
use super::reader::Reader;

/// Fails when the collection is another one than it was, or has more matching documents than were read.
pub(super) async fn verify(member: &Member, filter: &Document, read: u64, before: u64) -> Result<(), MongoError> {
    let Member { reader, identity, .. } = member;
    let after = count(reader, filter).await?;
    let same = match look::identify(reader).await {
        Ok(now) => now == *identity,
        Err(MongoError::NoCollection { .. } | MongoError::NoDatabase { .. }) => false,
        Err(error) => return Err(error),
    };
    if !same {
        return Err(MongoError::Replaced { namespace: reader.namespace() });
    }
    if read < before.min(after) {
        return Err(MongoError::Shortfall { namespace: reader.namespace(), read, before, after });
    }
    Ok(())
}

/// How many documents match, by looking at them: metadata may be wrong.
pub(super) async fn count(reader: &Reader, filter: &Document) -> Result<u64, MongoError> {
    let what = format!("count the documents of `{}`", reader.namespace());
    let pipeline = [doc! { "$match": filter }, doc! { "$count": "n" }];
    let answer = command::aggregate(reader, Call::long(&what), &pipeline).await?;
    let Some(document) = answer.first() else { return Ok(0) };
    let number = document.get("n").ok().flatten().and_then(|number| number.try_into().ok());
    let number = number.as_ref().and_then(integer).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| reader.connection.nonsense(&what, "it has no count".to_owned()))
}
