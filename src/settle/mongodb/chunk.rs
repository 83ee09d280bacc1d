//! The protocol over one chunk of rows: copy, verify, mark, remove, look, close.
//!
//! Every step is a write followed by a look, and the look decides: what the server has is carried on with, what it does
//! not have is tried again, at most three times. A step never relies on the reply of a write alone.

use std::collections::{BTreeMap, BTreeSet};

use mongodb::bson::raw::cstr;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};

use super::command::{Commands, DUPLICATE_KEY, Outcome, batch, pause, text};
use super::delete;
use super::document::{self, Mark, Names};
use super::error::SettleError;
use crate::settle::crash::point;
use crate::settle::item::State;
use crate::settle::plan::{Plan, PlanRow};
use crate::source::mongodb::id;

/// How often a step is tried.
const TRIES: u32 = 3;

/// A row that is about to be moved: what it is in the source now is what it was when it was judged.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Its `_id`: element type and bytes.
    pub(super) id: Vec<u8>,
    /// Its item.
    pub(super) item: String,
    /// Its bytes.
    pub(super) raw: RawDocumentBuf,
    /// Its place in the plan.
    pub(super) index: usize,
}

/// The two collections of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between<'a> {
    pub(super) commands: &'a Commands,
    pub(super) names: &'a Names,
}

impl Between<'_> {
    /// Steps 2 and 3: puts verified copies of the rows into the quarantine, as items of this run.
    pub(super) async fn copy(&self, mark: &Mark<'_>, plan: &Plan, held: &[Held]) -> Result<(), SettleError> {
        point("mongodb.copy.before");
        let mut missing: Vec<&Held> = held.iter().collect();
        let mut reason = String::new();
        for attempt in 0..TRIES {
            pause(attempt).await;
            reason = self.insert(mark, plan, &missing).await?.unwrap_or(reason);
            point("mongodb.copy.after");
            let stored = self.verified(held).await?;
            missing.retain(|held| !stored.contains_key(&held.item));
            if missing.is_empty() {
                point("mongodb.verify.after");
                return self.claim(mark, plan, held, &stored).await;
            }
        }
        Err(SettleError::Unknown { doing: "copy rows into the quarantine".to_owned(), reason })
    }

    /// Inserts the items of `held`. Those that are there already are no error: the look tells whether they are good.
    async fn insert(&self, mark: &Mark<'_>, plan: &Plan, held: &[&Held]) -> Result<Option<String>, SettleError> {
        let doing = "copy rows into the quarantine";
        let mut items = Vec::with_capacity(held.len());
        for held in held {
            let row = &plan.rows[held.index];
            items.push(document::item(self.names, mark, plan, row, &held.item, &held.raw, &held.id)?);
        }
        let command = batch(cstr!("insert"), &self.names.quarantine, cstr!("documents"), items, false);
        match self.commands.write(doing, command).await? {
            Outcome::Unknown(reason) => Ok(Some(reason)),
            Outcome::Known(written) => match written.errors.into_values().find(|error| error.code != DUPLICATE_KEY) {
                Some(error) => Err(SettleError::Command { doing: doing.to_owned(), reason: error.message }),
                None => Ok(None),
            },
        }
    }

    /// The items of `held` that are there, each with the bytes of its row: its state and its run.
    async fn verified(&self, held: &[Held]) -> Result<BTreeMap<String, (State, String)>, SettleError> {
        let ids: Vec<&str> = held.iter().map(|held| held.item.as_str()).collect();
        let wanted: BTreeMap<&str, &Held> = held.iter().map(|held| (held.item.as_str(), held)).collect();
        let filter = doc! { "_id": { "$in": ids } };
        let found = self.commands.find("read the copies back", &self.names.quarantine, filter, None).await?;
        let mut good = BTreeMap::new();
        for item in found {
            let name = text(&item, "_id").to_owned();
            let Some(held) = wanted.get(name.as_str()) else { continue };
            let raw = document::raw(&item);
            let hash = super::sha256(raw);
            let state = document::state(&item);
            let (true, true, Some(state)) = (raw == held.raw.as_bytes(), hash == text(&item, "sha256"), state) else {
                return Err(SettleError::Differs { collection: self.names.quarantine.clone(), item: name });
            };
            good.insert(name, (state, text(&item, "run_id").to_owned()));
        }
        Ok(good)
    }

    /// Makes items that were there before this run's own: a row that came back, or one of a run that was cut short.
    async fn claim(
        &self,
        mark: &Mark<'_>,
        plan: &Plan,
        held: &[Held],
        stored: &BTreeMap<String, (State, String)>,
    ) -> Result<(), SettleError> {
        let ours = |held: &&Held| {
            !stored.get(&held.item).is_some_and(|(state, run)| *state == State::Copied && run == mark.run_id)
        };
        let mut foreign: Vec<&Held> = held.iter().filter(ours).collect();
        let mut reason = String::new();
        for attempt in 0..TRIES {
            if foreign.is_empty() {
                return Ok(());
            }
            pause(attempt).await;
            let updates = foreign.iter().map(|held| {
                let row: &PlanRow = &plan.rows[held.index];
                let filter = doc! { "_id": &held.item, "$or": [
                    { "run_id": { "$ne": mark.run_id } }, { "state": { "$ne": State::Copied.as_str() } },
                ] };
                update(filter, document::claim(mark, plan, row), false)
            });
            reason =
                self.update("claim quarantine items", updates.collect::<Result<Vec<_>, _>>()?).await?.unwrap_or(reason);
            let states = self.states(mark, &foreign).await?;
            foreign.retain(|held| states.get(&held.item) != Some(&State::Copied));
        }
        if foreign.is_empty() { Ok(()) } else { Err(unknown("claim quarantine items", reason)) }
    }

    /// Step 4: records durably that the rows are about to be removed.
    pub(super) async fn mark_removing(&self, mark: &Mark<'_>, held: &[Held]) -> Result<(), SettleError> {
        point("mongodb.mark.before");
        let all: Vec<&Held> = held.iter().collect();
        self.advance(mark, &all, State::Copied, State::Removing).await?;
        point("mongodb.mark.after");
        Ok(())
    }

    /// Steps 5 and 6: removes the rows, looks, and tells what became of each.
    pub(super) async fn remove(&self, held: Vec<Held>) -> Result<Vec<(Held, State)>, SettleError> {
        let mut ends = Vec::with_capacity(held.len());
        let mut there = held;
        for attempt in 0..TRIES {
            if there.is_empty() {
                break;
            }
            pause(attempt).await;
            point("mongodb.remove.before");
            self.delete(&there).await?;
            point("mongodb.remove.after");
            there = self.look(there, &mut ends).await?;
            point("mongodb.look.after");
        }
        ends.extend(there.into_iter().map(|held| (held, State::KeptError)));
        Ok(ends)
    }

    async fn delete(&self, held: &[Held]) -> Result<(), SettleError> {
        let doing = "remove rows from the source";
        let mut statements = Vec::with_capacity(held.len());
        for held in held {
            let id = id::decode(&held.id).map_err(|error| SettleError::encode(doing, &error))?;
            statements.push(delete::statement(&id, &held.raw));
        }
        let command = batch(cstr!("delete"), &self.names.collection, cstr!("deletes"), statements, false);
        match self.commands.write(doing, command).await? {
            Outcome::Unknown(reason) => tracing::warn!(reason, "a removal whose outcome only a look tells"),
            Outcome::Known(written) => {
                for error in written.errors.values() {
                    tracing::warn!(code = error.code, reason = error.message, "the server kept a row");
                }
            }
        }
        Ok(())
    }

    /// Looks at the source: rows that are gone and rows that were changed have come to their end, the others are given
    /// back.
    async fn look(&self, held: Vec<Held>, ends: &mut Vec<(Held, State)>) -> Result<Vec<Held>, SettleError> {
        let found = self.rows(held.iter().map(|held| held.id.as_slice())).await?;
        let mut there = Vec::new();
        for held in held {
            match found.get(&held.id) {
                None => ends.push((held, State::Removed)),
                Some(raw) if raw.as_bytes() == held.raw.as_bytes() => there.push(held),
                Some(_) => ends.push((held, State::KeptChanged)),
            }
        }
        Ok(there)
    }

    /// The rows with these `_id`s as they are now, by type and bytes of the `_id`.
    pub(super) async fn rows(
        &self,
        ids: impl Iterator<Item = &[u8]>,
    ) -> Result<BTreeMap<Vec<u8>, RawDocumentBuf>, SettleError> {
        let doing = "read rows of the source by their `_id`";
        let filter = by_ids(doing, ids)?;
        let found = self.commands.find(doing, &self.names.collection, filter, None).await?;
        let keyed = found.into_iter().filter_map(|raw| Some((id::encode(raw.get("_id").ok()??), raw)));
        Ok(keyed.collect())
    }

    /// Step 7: items come to the state that the look told.
    pub(super) async fn close(&self, mark: &Mark<'_>, ends: &[(Held, State)]) -> Result<(), SettleError> {
        point("mongodb.close.before");
        let states: BTreeSet<State> = ends.iter().map(|(_, state)| *state).collect();
        for state in states {
            let of_state: Vec<&Held> = ends.iter().filter(|(_, s)| *s == state).map(|(held, _)| held).collect();
            self.advance(mark, &of_state, State::Removing, state).await?;
        }
        point("mongodb.close.after");
        Ok(())
    }

    /// Moves items of this run from one state to the next, and looks that they are there.
    async fn advance(&self, mark: &Mark<'_>, held: &[&Held], from: State, to: State) -> Result<(), SettleError> {
        let doing = format!("bring quarantine items to `{}`", to.as_str());
        let mut open = held.to_vec();
        let mut reason = String::new();
        for attempt in 0..TRIES {
            if open.is_empty() {
                return Ok(());
            }
            pause(attempt).await;
            let ids: Vec<&str> = open.iter().map(|held| held.item.as_str()).collect();
            let filter = doc! { "_id": { "$in": ids }, "run_id": mark.run_id, "state": from.as_str() };
            let updates = vec![update(filter, document::advance(mark, to), true)?];
            reason = self.update(&doing, updates).await?.unwrap_or(reason);
            let states = self.states(mark, &open).await?;
            open.retain(|held| states.get(&held.item) != Some(&to));
        }
        if open.is_empty() { Ok(()) } else { Err(unknown(&doing, reason)) }
    }

    async fn update(&self, doing: &str, updates: Vec<RawDocumentBuf>) -> Result<Option<String>, SettleError> {
        let command = batch(cstr!("update"), &self.names.quarantine, cstr!("updates"), updates, false);
        match self.commands.write(doing, command).await? {
            Outcome::Unknown(reason) => Ok(Some(reason)),
            Outcome::Known(written) => match written.errors.into_values().next() {
                Some(error) => Err(SettleError::Command { doing: doing.to_owned(), reason: error.message }),
                None => Ok(None),
            },
        }
    }

    /// The states of items that are this run's.
    async fn states(&self, mark: &Mark<'_>, held: &[&Held]) -> Result<BTreeMap<String, State>, SettleError> {
        let ids: Vec<&str> = held.iter().map(|held| held.item.as_str()).collect();
        let filter = doc! { "_id": { "$in": ids }, "run_id": mark.run_id };
        let wanted = Some(doc! { "state": 1 });
        let found = self.commands.find("read the states of items", &self.names.quarantine, filter, wanted).await?;
        Ok(found.iter().filter_map(|item| Some((text(item, "_id").to_owned(), document::state(item)?))).collect())
    }
}

/// A filter for documents with one of these `_id`s.
pub(super) fn by_ids<'a>(doing: &str, ids: impl Iterator<Item = &'a [u8]>) -> Result<Document, SettleError> {
    let value = |id: &[u8]| {
        let value = id::decode(id).map_err(|error| SettleError::encode(doing, &error))?;
        Bson::try_from(value).map_err(|error| SettleError::encode(doing, &error))
    };
    Ok(doc! { "_id": { "$in": ids.map(value).collect::<Result<Vec<_>, _>>()? } })
}

/// One statement of an update command.
pub(super) fn update(filter: Document, change: Document, multi: bool) -> Result<RawDocumentBuf, SettleError> {
    let statement = doc! { "q": filter, "u": change, "multi": multi };
    RawDocumentBuf::try_from(&statement).map_err(|error| SettleError::encode("write an update", &error))
}

fn unknown(doing: &str, reason: String) -> SettleError {
    let reason = if reason.is_empty() { "what was written is not there".to_owned() } else { reason };
    SettleError::Unknown { doing: doing.to_owned(), reason }
}
