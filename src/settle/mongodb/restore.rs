//! Rows go back into their collection, byte for byte, under the `_id` they had. Nothing that is there is overwritten.

use std::collections::BTreeMap;

use mongodb::bson::raw::cstr;
use mongodb::bson::{RawDocumentBuf, doc};

use super::chunk::{Held, update};
use super::command::{Outcome, batch, pause, text};
use super::document::{self, Mark};
use super::error::SettleError;
use super::lease::Lease;
use super::recover::recover;
use super::{Collection, Order, sha256, sized};
use crate::settle::crash::point;
use crate::settle::item::{Item, State};
use crate::source::mongodb::id;

/// What restoring came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Items whose rows are back, or would be.
    pub restored: Vec<String>,
    /// Items whose rows were in the source already, with the same bytes.
    pub already_there: Vec<String>,
    /// Items whose rows cannot go back: another document has their `_id`, or another unique key of theirs.
    pub conflicts: Vec<(String, String)>,
}

impl Collection {
    /// Puts the rows of `items` back.
    ///
    /// # Errors
    /// What broke it off; rows that are back by then stay, and are found as such by the next call.
    pub async fn restore(&self, items: &[Item], order: &Order<'_>) -> Result<Restored, SettleError> {
        let lease = Lease::take(&self.commands, &self.names, order.run_id).await?;
        let restored = self.restore_all(items, order, &lease).await;
        lease.release().await;
        restored
    }

    async fn restore_all(&self, items: &[Item], order: &Order<'_>, lease: &Lease) -> Result<Restored, SettleError> {
        recover(self.between(), &order.mark(), lease).await?;
        let mut restored = Restored::default();
        for names in Self::named(items) {
            for group in sized(self.lengths(&names).await?) {
                lease.check()?;
                let group: Vec<&str> = group.iter().map(String::as_str).collect();
                self.restore_group(&order.mark(), &group, &mut restored).await?;
            }
        }
        Ok(restored)
    }

    /// Names of items that may still be put back, each with the length of its row.
    async fn lengths(&self, names: &[&str]) -> Result<Vec<(String, usize)>, SettleError> {
        let filter = doc! { "_id": { "$in": names }, "state": State::Removed.as_str() };
        let wanted = Some(doc! { "n": { "$binarySize": "$raw" } });
        let found = self.commands.find("read the quarantine", &self.names.quarantine, filter, wanted).await?;
        let length = |item: &RawDocumentBuf| usize::try_from(item.get_i32("n").unwrap_or(0)).unwrap_or(0);
        Ok(found.iter().map(|item| (text(item, "_id").to_owned(), length(item))).collect())
    }

    async fn restore_group(&self, mark: &Mark<'_>, names: &[&str], restored: &mut Restored) -> Result<(), SettleError> {
        let mut held = Vec::new();
        for item in self.by_name(names).await? {
            let name = text(&item, "_id").to_owned();
            let differs = || SettleError::Differs { collection: self.names.quarantine.clone(), item: name.clone() };
            let raw = RawDocumentBuf::from_bytes(document::raw(&item).to_vec()).map_err(|_| differs())?;
            if sha256(raw.as_bytes()) != text(&item, "sha256") {
                return Err(differs());
            }
            let id = raw.get("_id").ok().flatten().map(id::encode).ok_or_else(differs)?;
            held.push(Held { id, item: name, raw, index: 0 });
        }
        let before = self.between().rows(held.iter().map(|held| held.id.as_slice())).await?;
        let (there, wanted): (Vec<Held>, Vec<Held>) = held.into_iter().partition(|held| before.contains_key(&held.id));
        let mut already = Vec::new();
        for held in there {
            match before.get(&held.id) {
                Some(raw) if raw.as_bytes() == held.raw.as_bytes() => already.push(held.item),
                _ => restored.conflicts.push((held.item, "another document has its `_id`".to_owned())),
            }
        }
        let back = self.insert_back(wanted, restored).await?;
        let done: Vec<&str> = back.iter().chain(&already).map(String::as_str).collect();
        self.mark_restored(mark, &done).await?;
        restored.restored.extend(back);
        restored.already_there.extend(already);
        Ok(())
    }

    /// Inserts rows and looks which are there; returns the items of those.
    async fn insert_back(&self, wanted: Vec<Held>, restored: &mut Restored) -> Result<Vec<String>, SettleError> {
        let doing = "put rows back into the source";
        let (mut open, mut back, mut reasons) = (wanted, Vec::new(), BTreeMap::new());
        for attempt in 0..3 {
            if open.is_empty() {
                break;
            }
            pause(attempt).await;
            point("mongodb.restore.before");
            let rows = open.iter().map(|held| held.raw.clone());
            let command = batch(cstr!("insert"), &self.names.collection, cstr!("documents"), rows, false);
            if let Outcome::Known(written) = self.commands.write(doing, command).await? {
                for (index, error) in written.errors {
                    if let Some(held) = open.get(index) {
                        reasons.insert(held.item.clone(), error.message);
                    }
                }
            }
            point("mongodb.restore.after");
            let now = self.between().rows(open.iter().map(|held| held.id.as_slice())).await?;
            let (there, missing): (Vec<Held>, Vec<Held>) = open
                .into_iter()
                .partition(|held| now.get(&held.id).is_some_and(|raw| raw.as_bytes() == held.raw.as_bytes()));
            back.extend(there.into_iter().map(|held| held.item));
            // A row that the server refused stays out; one whose reply was lost is tried again.
            let (refused, again): (Vec<Held>, Vec<Held>) =
                missing.into_iter().partition(|held| reasons.contains_key(&held.item));
            for held in refused {
                let reason = reasons.remove(&held.item).unwrap_or_default();
                restored.conflicts.push((held.item, reason));
            }
            open = again;
        }
        match open.is_empty() {
            true => Ok(back),
            false => Err(SettleError::Unknown { doing: doing.to_owned(), reason: format!("{} rows", open.len()) }),
        }
    }

    async fn mark_restored(&self, mark: &Mark<'_>, names: &[&str]) -> Result<(), SettleError> {
        let doing = "record that rows are back";
        for attempt in 0..3 {
            if names.is_empty() {
                return Ok(());
            }
            pause(attempt).await;
            let filter = doc! { "_id": { "$in": names }, "state": State::Removed.as_str() };
            let change = document::advance(mark, State::Restored);
            let command = batch(
                cstr!("update"),
                &self.names.quarantine,
                cstr!("updates"),
                [update(filter, change, true)?],
                false,
            );
            self.commands.write(doing, command).await?;
            point("mongodb.restored.after");
            let open = doc! { "_id": { "$in": names }, "state": { "$ne": State::Restored.as_str() } };
            if self.commands.find(doing, &self.names.quarantine, open, Some(doc! { "_id": 1 })).await?.is_empty() {
                return Ok(());
            }
        }
        Err(SettleError::Unknown { doing: doing.to_owned(), reason: "the items did not change".to_owned() })
    }
}
