//! What rows can be moved between: an ordinary collection and a quarantine that nothing erases by itself.

use mongodb::bson::doc;

use super::Collection;
use super::document::Names;
use super::error::QuarantineError;
use super::server::first_batch;
use crate::source::mongodb::{CheckOnly, CollectionInfo, Kind, Topology};

impl Collection {
    /// Fails where rows must not be moved; nothing is written.
    ///
    /// # Errors
    /// [`QuarantineError::Unfit`] with what to do.
    pub async fn check_fit(&self, info: &CollectionInfo, allow_sharded: bool) -> Result<(), QuarantineError> {
        if let Some(CheckOnly { reason, remedy }) = info.check_only.clone() {
            return Err(QuarantineError::Unfit { reason, remedy });
        }
        fit(&self.names, info.kind, &info.server.topology, allow_sharded)?;
        self.check_quarantine().await
    }

    async fn check_quarantine(&self) -> Result<(), QuarantineError> {
        let quarantine = &self.names.quarantine;
        let list = doc! { "listCollections": 1, "filter": { "name": quarantine } };
        let reply = self.server.ask("look at the quarantine", list).await?;
        let Some(found) = first_batch(&reply).next() else { return Ok(()) };
        let options = found.get_document("options").cloned().unwrap_or_default();
        if found.get_str("type").unwrap_or("collection") != "collection" || options.get_bool("capped").unwrap_or(false)
        {
            return Err(QuarantineError::Unfit {
                reason: format!("the quarantine `{quarantine}` is not an ordinary collection"),
                remedy: "name another one with `[quarantine] collection`".to_owned(),
            });
        }
        let reply = self.server.ask("look at the quarantine", doc! { "listIndexes": quarantine }).await?;
        for index in first_batch(&reply) {
            let name = index.get_str("name").unwrap_or_default();
            let wrong = if index.contains_key("expireAfterSeconds") {
                format!("the TTL index `{name}`: the server would erase the only copies")
            } else if index.get_bool("unique").unwrap_or(false) {
                format!("the unique index `{name}`: the server would refuse copies of rows")
            } else {
                continue;
            };
            return Err(QuarantineError::Unfit {
                reason: format!("the quarantine `{quarantine}` has {wrong}"),
                remedy: format!("drop it with `db.{quarantine}.dropIndex(…)`"),
            });
        }
        Ok(())
    }
}

/// Fails where rows of such a collection, or beside such a quarantine, must not be moved.
fn fit(names: &Names, kind: Kind, topology: &Topology, allow_sharded: bool) -> Result<(), QuarantineError> {
    let unfit = |reason: String, remedy: &str| Err(QuarantineError::Unfit { reason, remedy: remedy.to_owned() });
    let namespace = names.namespace();
    match kind {
        Kind::Collection => {}
        Kind::Capped => {
            return unfit(
                format!("`{namespace}` is capped: the server drops its rows by itself"),
                "copy the bars into an ordinary collection",
            );
        }
        Kind::View | Kind::TimeSeries | Kind::Several => {
            return unfit(
                format!("`{namespace}` is not an ordinary collection: single rows cannot be removed from it"),
                "name the collection that holds the documents",
            );
        }
    }
    if *topology == Topology::Sharded && !allow_sharded {
        return unfit(
            format!("`{namespace}` is reached through a router, and rows of a sharded collection are not removed"),
            "set `allow_sharded = true` in `[source.mongodb]` when you have tried it on a copy",
        );
    }
    if names.quarantine == names.collection {
        return unfit(
            format!("the quarantine of `{namespace}` is the collection itself"),
            "name another one with `[quarantine] collection`",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(kind: Kind, topology: &Topology, allow_sharded: bool, quarantine: &str) -> String {
        let names = Names {
            server: "s".to_owned(),
            database: "d".to_owned(),
            collection: "c".to_owned(),
            uuid: [0; 16],
            quarantine: quarantine.to_owned(),
        };
        match fit(&names, kind, topology, allow_sharded) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn rows_are_moved_out_of_ordinary_collections_and_of_sharded_ones_only_where_the_job_says_so() {
        let (alone, sharded) = (&Topology::Standalone, &Topology::Sharded);
        assert_eq!(reason(Kind::Collection, alone, false, "q"), "");
        assert_eq!(reason(Kind::Collection, sharded, true, "q"), "");
        assert!(reason(Kind::Collection, sharded, false, "q").contains("sharded"));
        assert!(reason(Kind::Capped, alone, false, "q").contains("capped"));
        assert!(reason(Kind::View, alone, false, "q").contains("not an ordinary collection"));
        assert!(reason(Kind::TimeSeries, sharded, true, "q").contains("not an ordinary collection"));
        assert!(reason(Kind::Collection, alone, true, "c").contains("the collection itself"));
    }
}
