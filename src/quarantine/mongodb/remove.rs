//! Steps 5 and 6 of the protocol: rows are removed, and a look at the source tells what became of each.

use std::collections::BTreeMap;

use mongodb::bson::raw::cstr;

use super::chunk::{Between, End, Held, TRIES};
use super::delete;
use super::error::QuarantineError;
use super::lease::Lease;
use super::server::{Outcome, batch};
use crate::quarantine::crash::point;
use crate::quarantine::item::State;

impl Between<'_> {
    /// Removes the rows, looks, and tells what became of each. After a removal whose reply never came nothing is sent
    /// again: the server may still carry it out, so a row that is there stays open until a later look.
    ///
    /// # Errors
    /// Nothing is known of any row then, as far as this call goes.
    pub(super) async fn remove(&self, held: Vec<Held>, lease: &Lease) -> Result<Vec<End>, QuarantineError> {
        let mut ends = Vec::with_capacity(held.len());
        let mut there = held;
        let mut refused = BTreeMap::new();
        let mut lost = None;
        for attempt in 0..TRIES {
            if there.is_empty() {
                break;
            }
            self.server.pause(attempt).await;
            if lost.is_none() {
                lease.check()?;
                point("mongodb.remove.before");
                lost = self.delete(&there, &mut refused).await?;
                point("mongodb.remove.after");
            }
            there = self.look(there, &mut ends).await?;
            point("mongodb.look.after");
        }
        self.is_the_same().await?;
        let rest = there.into_iter().map(|held| match &lost {
            Some(reason) => End { why: Some(reason.clone()), state: None, held },
            None => End { why: refused.remove(&held.item), state: Some(State::KeptError), held },
        });
        ends.extend(rest);
        Ok(ends)
    }

    /// The same for rows that an earlier run was about to remove: they are looked at before anything is sent.
    pub(super) async fn finish(&self, held: Vec<Held>, lease: &Lease) -> Result<Vec<End>, QuarantineError> {
        let mut ends = Vec::with_capacity(held.len());
        let there = self.look(held, &mut ends).await?;
        ends.extend(self.remove(there, lease).await?);
        Ok(ends)
    }

    /// Sends the removal; returns why its outcome is unknown, where it is.
    async fn delete(
        &self,
        held: &[Held],
        refused: &mut BTreeMap<String, String>,
    ) -> Result<Option<String>, QuarantineError> {
        let doing = "remove rows from the source";
        let statements = held.iter().map(|held| delete::statement(&held.id, &held.raw));
        let statements =
            statements.collect::<Result<Vec<_>, _>>().map_err(|error| QuarantineError::encode(doing, &error))?;
        let command = batch(cstr!("delete"), &self.names.collection, cstr!("deletes"), statements, false);
        match self.server.write(doing, command).await? {
            Outcome::Unknown(reason) => {
                tracing::warn!(reason, "a removal whose outcome only a look tells");
                Ok(Some(reason))
            }
            Outcome::Known(written) => {
                for (index, error) in written.errors {
                    tracing::warn!(code = error.code, reason = error.message, "the server kept a row");
                    if let Some(held) = held.get(index) {
                        refused.insert(held.item.clone(), error.message);
                    }
                }
                Ok(None)
            }
        }
    }

    /// Looks at the source: rows that are gone and rows that were changed have come to their end, the others are given
    /// back.
    pub(super) async fn look(&self, held: Vec<Held>, ends: &mut Vec<End>) -> Result<Vec<Held>, QuarantineError> {
        if held.is_empty() {
            return Ok(held);
        }
        let found = self.rows(held.iter().map(|held| held.id.as_slice())).await?;
        let mut there = Vec::new();
        for held in held {
            match found.get(&held.id) {
                None => ends.push(End::new(held, Some(State::Removed))),
                Some(raw) if raw.as_bytes() == held.raw.as_bytes() => there.push(held),
                Some(_) => ends.push(End::new(held, Some(State::KeptChanged))),
            }
        }
        Ok(there)
    }
}
