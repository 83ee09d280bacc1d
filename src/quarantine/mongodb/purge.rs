//! Erases items whose retention is over. Only the quarantine is touched, and only items whose row is not about to move.

use mongodb::bson::raw::cstr;
use mongodb::bson::{DateTime, RawDocumentBuf, doc};

use super::error::QuarantineError;
use super::lease::Lease;
use super::server::{Outcome, batch};
use super::{Collection, Order, runs};
use crate::quarantine::item::{Item, State, Which};

/// How long an item stays after the last thing that happened to it, whatever its retention, µs. A removal that was sent
/// and that the server is slow to carry out, or carries out twice, is long over by then: until that moment it may take the
/// row once more where somebody inserted the same bytes again, and the item is the copy of it.
const LONG_OVER: i64 = 3_600_000_000;

/// What purging came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Items that are erased.
    pub purged: u64,
    /// Items that changed meanwhile and stay.
    pub kept: u64,
}

impl Collection {
    /// Items that came here before `older_than` and whose retention ended before `now` (both µs UTC by the clock of this
    /// machine; what counts is the server's, and the moments are moved by as much as the two differ), without those of
    /// runs that are not closed; and how many are old enough but still to be kept: their retention is not over, or they
    /// were put back, and without them the next run would take them again, or a removal may still come, for an hour after
    /// the last one. Items that cannot be read are left alone.
    pub async fn purgeable(&self, older_than: i64, now: i64) -> Result<(Vec<Item>, u64), QuarantineError> {
        let server_now = self.server.now().await?;
        let older_than = older_than.saturating_add(server_now.saturating_sub(now));
        let all = self.items_since(&Which::default(), false).await?;
        // After the items: a run that began meanwhile is not taken for one that is over.
        let open = runs::open(&*self.server, &self.names).await?;
        let is_open = |item: &Item| open.iter().any(|run| run.id == item.run_id);
        let old = all.into_iter().filter(|(item, _)| item.at < older_than);
        let closed = old.filter(|(item, _)| item.state != State::Removing && !is_open(item));
        let is_over = |(item, last): &(Item, i64)| {
            item.state != State::Restored
                && item.expires_at <= server_now
                && *last <= server_now.saturating_sub(LONG_OVER)
        };
        let (over, kept): (Vec<_>, Vec<_>) = closed.partition(is_over);
        Ok((over.into_iter().map(|(item, _)| item).collect(), kept.len() as u64))
    }

    /// Erases `items` as they were seen.
    pub async fn purge(&self, items: &[Item], order: &Order<'_>) -> Result<Purged, QuarantineError> {
        let lease = Lease::take(&self.server, &self.names, order.run_id).await?;
        let purged = self.purge_all(items, order, &lease).await;
        lease.release().await;
        purged
    }

    async fn purge_all(&self, items: &[Item], order: &Order<'_>, lease: &Lease) -> Result<Purged, QuarantineError> {
        let mark = order.mark(self.server.now().await?);
        self.look_after(&mark).await;
        let doing = "erase items of the quarantine";
        let mut purged = Purged::default();
        for chunk in items.chunks(super::CHUNK_ROWS) {
            lease.check()?;
            let statement = |item: &Item| {
                // An item that was claimed by another run since it was seen is another run's.
                let filter = doc! {
                    "_id": &item.id, "sha256": &item.sha256, "run_id": &item.run_id, "state": item.state.as_str(),
                    "expires_at": { "$lte": DateTime::from_millis(mark.at.div_euclid(1000)) },
                };
                let statement = doc! { "q": filter, "limit": 1 };
                RawDocumentBuf::try_from(&statement).map_err(|error| QuarantineError::encode(doing, &error))
            };
            let statements = chunk.iter().map(statement).collect::<Result<Vec<_>, _>>()?;
            let command = batch(cstr!("delete"), &self.names.quarantine, cstr!("deletes"), statements, false);
            match self.server.write(doing, command).await? {
                Outcome::Known(_) => {}
                Outcome::Unknown(reason) => tracing::warn!(reason, "an erasure whose outcome only a look tells"),
            }
            let names: Vec<&str> = chunk.iter().map(|item| item.id.as_str()).collect();
            let filter = doc! { "_id": { "$in": names } };
            let left = self.server.find(doing, &self.names.quarantine, filter, Some(doc! { "_id": 1 })).await?;
            purged.kept += left.len() as u64;
            purged.purged += (chunk.len() - left.len()) as u64;
        }
        Ok(purged)
    }
}
