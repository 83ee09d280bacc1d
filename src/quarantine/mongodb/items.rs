//! Looking at the quarantine.

use std::collections::BTreeMap;

use mongodb::bson::{Document, RawDocumentBuf, doc};

use super::document;
use super::error::QuarantineError;
use super::server::text;
use super::{CHUNK_ROWS, Collection};
use crate::quarantine::item::{Exempt, Item, Reason, State, Which};
use crate::quarantine::plan::Plan;

impl Collection {
    /// The items that `which` means, of this source, oldest first; their bytes are read where `raw` says so. A document
    /// that is no item is named in the log and left out: it must not keep the others from being read.
    pub async fn items(&self, which: &Which, raw: bool) -> Result<Vec<Item>, QuarantineError> {
        Ok(self.items_since(which, raw).await?.into_iter().map(|(item, _)| item).collect())
    }

    /// The same, each with the moment of its last event, µs UTC.
    pub(super) async fn items_since(&self, which: &Which, raw: bool) -> Result<Vec<(Item, i64)>, QuarantineError> {
        let projection = (!raw).then(|| doc! { "raw": 0 });
        let doing = "read the quarantine";
        let found = self.server.find(doing, &self.names.quarantine, self.filter(which), projection).await?;
        let mut items: Vec<(Item, i64)> = Vec::with_capacity(found.len());
        for item in &found {
            let last = document::last_event(item);
            match document::read(&self.names.quarantine, item) {
                Ok(item) => {
                    let last = last.unwrap_or(item.at);
                    items.push((item, last));
                }
                Err(error) => tracing::warn!(item = text(item, "_id"), %error, "left out"),
            }
        }
        items.sort_by(|(a, _), (b, _)| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(items)
    }

    /// The documents of items with these names.
    pub(super) async fn by_name(&self, names: &[&str]) -> Result<Vec<RawDocumentBuf>, QuarantineError> {
        let filter = doc! { "_id": { "$in": names } };
        self.server.find("read the quarantine", &self.names.quarantine, filter, None).await
    }

    fn filter(&self, which: &Which) -> Document {
        let mut filter = doc! { "source.ns": self.names.namespace() };
        if !which.ids.is_empty() {
            let begins = which.ids.iter().filter(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let begins: Vec<Document> =
                begins.map(|id| doc! { "_id": { "$gte": id, "$lt": format!("{id}g") } }).collect();
            // A name that cannot be one finds nothing.
            filter.insert("$or", if begins.is_empty() { vec![doc! { "_id": "" }] } else { begins });
        }
        for (field, value) in [("run_id", &which.run), ("rules.id", &which.rule), ("series", &which.series)] {
            if let Some(value) = value {
                filter.insert(field, value);
            }
        }
        if let Some(since) = which.since {
            let since = mongodb::bson::DateTime::from_millis(since.div_euclid(1000));
            filter.insert("at", doc! { "$gte": since });
        }
        filter
    }

    /// Which rows of `plan` were put back by a person and are rejected by nothing but the rules that took them then: they
    /// stay. Known by content, also where the collection was made again since.
    pub async fn exempt(&self, plan: &Plan) -> Result<Vec<Exempt>, QuarantineError> {
        let restored = self.restored().await?;
        let mut exempt = Vec::new();
        for (index, row) in plan.rows.iter().enumerate() {
            let Some(taken) = row.sha256.as_ref().and_then(|hash| restored.get(hash)) else { continue };
            let known = |reason: &Reason| taken.by.iter().any(|(id, hash)| (id, hash) == (&reason.id, &reason.hash));
            if plan.reasons(row).iter().all(known) {
                exempt.push(Exempt { row: index, restored_at: taken.restored_at });
            }
        }
        Ok(exempt)
    }

    /// Whether a person put any row of the collection back.
    pub async fn any_restored(&self) -> Result<bool, QuarantineError> {
        Ok(!self.restored().await?.is_empty())
    }

    /// How many rows of `plan` were put back by a person.
    pub async fn put_back(&self, plan: &Plan) -> Result<u64, QuarantineError> {
        let restored = self.restored().await?;
        let of_plan =
            plan.rows.iter().filter(|row| row.sha256.as_ref().is_some_and(|hash| restored.contains_key(hash)));
        Ok(of_plan.count() as u64)
    }

    /// The rows that were put back, by the hashes of their bytes.
    async fn restored(&self) -> Result<BTreeMap<String, Taken>, QuarantineError> {
        let doing = "look for rows that were put back";
        let any = doc! { "state": State::Restored.as_str(), "source.ns": self.names.namespace() };
        let wanted = Some(doc! { "rules": 1, "sha256": 1, "history": 1 });
        let found = self.server.find(doing, &self.names.quarantine, any, wanted).await?;
        let mut restored: BTreeMap<String, Taken> = BTreeMap::new();
        for item in &found {
            let taken = restored.entry(text(item, "sha256").to_owned()).or_default();
            taken.by.extend(rules(item));
            taken.restored_at = taken.restored_at.max(document::last_event(item));
        }
        Ok(restored)
    }

    /// Names in chunks that a command takes.
    pub(super) fn named(items: &[Item]) -> impl Iterator<Item = Vec<&str>> {
        items.chunks(CHUNK_ROWS).map(|chunk| chunk.iter().map(|item| item.id.as_str()).collect())
    }
}

/// What is known of a row that was taken and put back.
#[derive(Default)]
struct Taken {
    /// Identifier and hash of the rules that took it.
    by: Vec<(String, String)>,
    /// When it was put back last, µs UTC.
    restored_at: Option<i64>,
}

/// Identifier and hash of the rules of an item.
fn rules(item: &RawDocumentBuf) -> Vec<(String, String)> {
    let rules = item.get_array("rules").into_iter().flatten();
    let rule = rules.filter_map(|rule| {
        let rule = rule.ok()?.as_document()?;
        Some((rule.get_str("id").ok()?.to_owned(), rule.get_str("hash").ok()?.to_owned()))
    });
    rule.collect()
}
