//! What rows can be moved between: an ordinary collection and a quarantine that nothing erases by itself.

use mongodb::bson::{Bson, Document, doc};

use super::Collection;
use super::error::SettleError;
use crate::source::mongodb::{CollectionInfo, Kind, Topology};

impl Collection {
    /// Fails where rows must not be moved; nothing is written.
    ///
    /// # Errors
    /// [`SettleError::Unfit`] with what to do.
    pub async fn check_fit(&self, info: &CollectionInfo, allow_sharded: bool) -> Result<(), SettleError> {
        let unfit = |reason: String, remedy: &str| Err(SettleError::Unfit { reason, remedy: remedy.to_owned() });
        let namespace = self.names.namespace();
        match info.kind {
            Kind::Collection => {}
            Kind::Capped => {
                return unfit(
                    format!("`{namespace}` is capped: the server drops its rows by itself"),
                    "copy the bars into an ordinary collection",
                );
            }
            Kind::View | Kind::TimeSeries => {
                return unfit(
                    format!("`{namespace}` is no ordinary collection: single rows cannot be removed from it"),
                    "name the collection that holds the documents",
                );
            }
        }
        if info.server.topology == Topology::Sharded && !allow_sharded {
            return unfit(
                format!("`{namespace}` is reached through a router, and rows of a sharded collection are not removed"),
                "set `allow_sharded = true` in `[source.mongodb]` when you have tried it on a copy",
            );
        }
        if self.names.quarantine == self.names.collection {
            return unfit(
                format!("the quarantine of `{namespace}` is the collection itself"),
                "name another one with `[quarantine] collection`",
            );
        }
        self.check_quarantine().await
    }

    async fn check_quarantine(&self) -> Result<(), SettleError> {
        let quarantine = &self.names.quarantine;
        let list = doc! { "listCollections": 1, "filter": { "name": quarantine } };
        let reply = self.commands.ask("look at the quarantine", list).await?;
        let Some(found) = first_batch(&reply).next() else { return Ok(()) };
        let options = found.get_document("options").cloned().unwrap_or_default();
        if found.get_str("type").unwrap_or("collection") != "collection" || options.get_bool("capped").unwrap_or(false)
        {
            return Err(SettleError::Unfit {
                reason: format!("the quarantine `{quarantine}` is no ordinary collection"),
                remedy: "name another one with `[quarantine] collection`".to_owned(),
            });
        }
        let reply = self.commands.ask("look at the quarantine", doc! { "listIndexes": quarantine }).await?;
        match first_batch(&reply).find(|index| index.contains_key("expireAfterSeconds")) {
            None => Ok(()),
            Some(index) => Err(SettleError::Unfit {
                reason: format!(
                    "the quarantine `{quarantine}` has the TTL index `{}`: the server would erase the only copies",
                    index.get_str("name").unwrap_or_default()
                ),
                remedy: format!("drop it with `db.{quarantine}.dropIndex(…)`"),
            }),
        }
    }
}

/// The documents of a reply with a cursor.
fn first_batch(reply: &Document) -> impl Iterator<Item = &Document> {
    let batch = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    batch.into_iter().flatten().filter_map(Bson::as_document)
}
