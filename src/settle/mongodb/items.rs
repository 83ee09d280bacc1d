//! Looking at the quarantine.

use std::collections::BTreeMap;

use mongodb::bson::{Document, RawDocumentBuf, doc};

use super::command::text;
use super::document::{self, item_id};
use super::error::SettleError;
use super::{CHUNK_ROWS, Collection};
use crate::settle::item::{Item, Reason, State, Which};
use crate::settle::plan::{Place, Plan, PlanRow};
use crate::source::mongodb::id::from_hex as unhex;

impl Collection {
    /// The items that `which` means, of this source, oldest first; their bytes are read where `raw` says so.
    pub async fn items(&self, which: &Which, raw: bool) -> Result<Vec<Item>, SettleError> {
        let projection = (!raw).then(|| doc! { "raw": 0 });
        let doing = "read the quarantine";
        let found = self.commands.find(doing, &self.names.quarantine, self.filter(which), projection).await?;
        let items = found.iter().map(|item| document::read(&self.names.quarantine, item));
        let mut items: Vec<Item> = items.collect::<Result<_, _>>()?;
        items.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(items)
    }

    /// The documents of items with these names.
    pub(super) async fn by_name(&self, names: &[&str]) -> Result<Vec<RawDocumentBuf>, SettleError> {
        let filter = doc! { "_id": { "$in": names } };
        self.commands.find("read the quarantine", &self.names.quarantine, filter, None).await
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

    /// Which rows of `plan` were put back by a person and are condemned by nothing but the rules that took them then: they
    /// stay. Indices into the rows.
    pub async fn exempt(&self, plan: &Plan) -> Result<Vec<usize>, SettleError> {
        let doing = "look for rows that were put back";
        let any = doc! { "state": State::Restored.as_str(), "source.ns": self.names.namespace() };
        let restored = self.commands.find(doing, &self.names.quarantine, any, Some(doc! { "rules": 1 })).await?;
        let restored: BTreeMap<String, Vec<(String, String)>> =
            restored.iter().map(|item| (text(item, "_id").to_owned(), rules(item))).collect();
        let mut exempt = Vec::new();
        for (index, row) in plan.rows.iter().enumerate() {
            let Some(taken_by) = self.item_of(row).and_then(|item| restored.get(&item)) else { continue };
            let known = |reason: &Reason| taken_by.iter().any(|(id, hash)| (id, hash) == (&reason.id, &reason.hash));
            if plan.reasons(row).iter().all(known) {
                exempt.push(index);
            }
        }
        Ok(exempt)
    }

    fn item_of(&self, row: &PlanRow) -> Option<String> {
        let Place::Id(id) = &row.at else { return None };
        let hash = <[u8; 32]>::try_from(unhex(row.sha256.as_deref()?)?).ok()?;
        Some(item_id(&self.names.uuid, &unhex(id)?, &hash))
    }

    /// Names in chunks that a command takes.
    pub(super) fn named(items: &[Item]) -> impl Iterator<Item = Vec<&str>> {
        items.chunks(CHUNK_ROWS).map(|chunk| chunk.iter().map(|item| item.id.as_str()).collect())
    }
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
