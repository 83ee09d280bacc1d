//! Rows go back into their collection, byte for byte, under the `_id` they had. Nothing that is there is overwritten, and
//! nothing is removed.

use std::collections::{BTreeMap, BTreeSet};

use mongodb::bson::raw::cstr;
use mongodb::bson::{RawArrayBuf, RawDocument, RawDocumentBuf, doc, rawdoc};

use super::chunk::{Held, TRIES, by_ids, unknown};
use super::document::{self, Mark};
use super::error::QuarantineError;
use super::lease::Lease;
use super::server::{Outcome, batch, text};
use super::{Collection, Order, sized};
use crate::quarantine::crash::point;
use crate::quarantine::item::{Item, State};
use crate::source::mongodb::id::{self, IdError};

/// What restoring came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Items whose rows are back, or would be.
    pub restored: Vec<String>,
    /// Items whose rows were in the source already, with the same bytes.
    pub already_there: Vec<String>,
    /// Items whose rows cannot go back, and why: another document has their `_id`, or another unique key of theirs, the
    /// server refuses them, or the item is damaged.
    pub conflicts: Vec<(String, String)>,
}

/// Run and state of an item as it was read.
type Seen = (String, State);

impl Collection {
    /// Of `items`, those that can be put back: whatever is not in the source, in any state; and, where a row was removed,
    /// also those with another document in their place, so that they are reported.
    pub async fn restorable(&self, items: Vec<Item>) -> Result<Vec<Item>, QuarantineError> {
        let left = |item: &Item| matches!(item.state, State::Removed | State::Removing);
        let others: Vec<Item> = items.iter().filter(|item| !left(item)).cloned().collect();
        let mut absent = BTreeSet::new();
        for names in Self::named(&others) {
            let wanted = doc! { "src_id": 1 };
            let filter = doc! { "_id": { "$in": names } };
            let found = self.server.find("read the quarantine", &self.names.quarantine, filter, Some(wanted)).await?;
            let ids: Vec<(String, Vec<u8>)> =
                found.iter().filter_map(|item| Some((text(item, "_id").to_owned(), src_id(item)?))).collect();
            let doing = "look for the rows of quarantine items";
            let filter = by_ids(doing, ids.iter().map(|(_, id)| id.as_slice()))?;
            let found = self.server.read(doing, &self.names.collection, filter, Some(doc! { "_id": 1 })).await?;
            let there: BTreeSet<Vec<u8>> = found.iter().filter_map(|row| id::of(row)).collect();
            absent.extend(ids.into_iter().filter(|(_, id)| !there.contains(id)).map(|(name, _)| name));
        }
        Ok(items.into_iter().filter(|item| left(item) || absent.contains(&item.id)).collect())
    }

    /// Puts the rows of `items` back.
    ///
    /// # Errors
    /// What broke it off; rows that are back by then stay, and are found as such by the next call.
    pub async fn restore(&self, items: &[Item], order: &Order<'_>) -> Result<Restored, QuarantineError> {
        let lease = Lease::take(&self.server, &self.names, order.run_id).await?;
        let mut restored = Restored::default();
        let result = self.restore_all(items, order, &lease, &mut restored).await;
        lease.release().await;
        if let (Err(_), rows @ 1..) = (&result, restored.restored.len()) {
            tracing::warn!(rows, "rows were put back before it broke off");
        }
        result.map(|()| restored)
    }

    async fn restore_all(
        &self,
        items: &[Item],
        order: &Order<'_>,
        lease: &Lease,
        restored: &mut Restored,
    ) -> Result<(), QuarantineError> {
        let mark = order.mark(self.server.now().await?);
        for names in Self::named(items) {
            let filter = doc! { "_id": { "$in": names } };
            for group in sized(self.between().names_of(filter).await?) {
                lease.check()?;
                let group: Vec<&str> = group.iter().map(String::as_str).collect();
                self.restore_group(&mark, &group, restored).await?;
            }
        }
        self.look_after(&mark).await;
        Ok(())
    }

    async fn restore_group(
        &self,
        mark: &Mark<'_>,
        names: &[&str],
        restored: &mut Restored,
    ) -> Result<(), QuarantineError> {
        let (mut held, mut seen) = (Vec::new(), BTreeMap::new());
        for item in self.by_name(names).await? {
            let name = text(&item, "_id").to_owned();
            let (Some((id, raw)), Some(state)) = (document::row(&item), document::state(&item)) else {
                restored
                    .conflicts
                    .push((name, "the item is damaged: it does not hold the bytes of its row".to_owned()));
                continue;
            };
            seen.insert(name.clone(), (text(&item, "run_id").to_owned(), state));
            held.push(Held { id, item: name, raw, index: 0 });
        }
        if held.is_empty() {
            return Ok(());
        }
        let before = self.between().rows(held.iter().map(|held| held.id.as_slice())).await?;
        let (mut wanted, mut already) = (Vec::new(), Vec::new());
        for held in held {
            match before.get(&held.id) {
                None => wanted.push(held),
                Some(raw) if raw.as_bytes() == held.raw.as_bytes() => already.push(held.item),
                Some(_) => restored.conflicts.push((held.item, "another document has its `_id`".to_owned())),
            }
        }
        let mut back = Vec::new();
        let result = self.insert_back(wanted, &mut back, restored).await;
        let done: Vec<&str> = back.iter().chain(&already).map(String::as_str).collect();
        let marked = self.mark_restored(mark, &done, &seen).await;
        restored.restored.extend(back);
        restored.already_there.extend(already);
        result.and(marked)
    }

    /// Puts rows into the source and looks which are there.
    async fn insert_back(
        &self,
        wanted: Vec<Held>,
        back: &mut Vec<String>,
        restored: &mut Restored,
    ) -> Result<(), QuarantineError> {
        let doing = "put rows back into the source";
        let (mut open, mut reasons, mut reason) = (wanted, BTreeMap::new(), String::new());
        for attempt in 0..TRIES {
            if open.is_empty() {
                break;
            }
            self.server.pause(attempt).await;
            point("mongodb.restore.before");
            let rows = open.iter().map(|held| statement(&held.id, &held.raw)).collect::<Result<Vec<_>, _>>();
            let rows = rows.map_err(|error| QuarantineError::encode(doing, &error))?;
            let command = batch(cstr!("update"), &self.names.collection, cstr!("updates"), rows, false);
            match self.server.write(doing, command).await? {
                Outcome::Unknown(why) => reason = why,
                Outcome::Known(written) => {
                    let refused = written.errors.into_iter();
                    reasons.extend(refused.filter_map(|(at, error)| Some((open.get(at)?.item.clone(), error.message))));
                }
            }
            point("mongodb.restore.after");
            let now = self.between().rows(open.iter().map(|held| held.id.as_slice())).await?;
            let mut again = Vec::new();
            for held in open {
                match (now.get(&held.id), reasons.remove(&held.item)) {
                    (Some(raw), _) if raw.as_bytes() == held.raw.as_bytes() => back.push(held.item),
                    (Some(_), _) => restored.conflicts.push((held.item, "another document has its `_id`".to_owned())),
                    // A row that the server refused stays out; one whose reply was lost is tried again.
                    (None, Some(why)) => restored.conflicts.push((held.item, why)),
                    (None, None) => again.push(held),
                }
            }
            open = again;
        }
        if open.is_empty() { Ok(()) } else { Err(unknown(doing, reason)) }
    }

    /// Records that rows are back: each item from the state it was seen in.
    async fn mark_restored(
        &self,
        mark: &Mark<'_>,
        names: &[&str],
        seen: &BTreeMap<String, Seen>,
    ) -> Result<(), QuarantineError> {
        let mut groups: BTreeMap<&Seen, Vec<&str>> = BTreeMap::new();
        for name in names {
            if let Some(seen) = seen.get(*name).filter(|(_, state)| *state != State::Restored) {
                groups.entry(seen).or_default().push(name);
            }
        }
        for ((run, state), names) in groups {
            let doing = "record that rows are back";
            self.between().move_on(doing, &names, mark, run, *state, State::Restored).await?;
            point("mongodb.restored.after");
        }
        Ok(())
    }
}

/// The encoded `_id` of the row of an item, as the item names it.
fn src_id(item: &RawDocument) -> Option<Vec<u8>> {
    Some(id::encode(item.get("src_id").ok()??))
}

/// The statement that makes the document `raw` where nothing has this encoded `_id`, and changes nothing else: its filter
/// selects no document, so that one which is there is a duplicate key. An insert would alter the document: the server
/// puts its own time where it finds a timestamp of zero.
fn statement(id: &[u8], raw: &RawDocument) -> Result<RawDocumentBuf, IdError> {
    let mut nothing = RawArrayBuf::new();
    nothing.push(&*rawdoc! { "_id": { "$exists": true } });
    let mut query = RawDocumentBuf::new();
    query.append(cstr!("_id"), id::document("$eq", id)?);
    query.append(cstr!("$nor"), &*nothing);
    let mut literal = RawDocumentBuf::new();
    literal.append(cstr!("$literal"), raw);
    Ok(rawdoc! { "q": query, "u": [{ "$replaceWith": literal }], "upsert": true })
}
