//! The protocol over one chunk of rows: copy, verify, mark, remove, look, close.
//!
//! Every step is a write followed by a look, and the look decides: what the server has is carried on with, what it does
//! not have is tried again, at most three times. A step never relies on the reply of a write alone. Every change of an
//! item names the run and the state it was seen in, so that a write which the server carries out late does nothing.

use std::collections::{BTreeMap, BTreeSet};

use mongodb::bson::raw::cstr;
use mongodb::bson::{RawDocumentBuf, doc};

use super::document::{self, Mark, Names};
use super::error::QuarantineError;
use super::server::{DUPLICATE_KEY, Outcome, Server, batch, text, update};
use crate::quarantine::crash::point;
use crate::quarantine::item::State;
use crate::quarantine::plan::Plan;
use crate::source::mongodb::id;

/// How often a step is tried.
pub(super) const TRIES: u32 = 3;

/// A row that is about to be moved: what it is in the source now is what it was when it was evaluated.
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

/// What became of a row.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// The row.
    pub(super) held: Held,
    /// The state its item comes to; `None` where only a later look can tell, and it stays as it is.
    pub(super) state: Option<State>,
    /// Why the row stays, where somebody said so.
    pub(super) why: Option<String>,
}

/// Which run an item is of, and its state.
type Seen = (String, State);

/// The two collections of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between<'a> {
    pub(super) server: &'a dyn Server,
    pub(super) names: &'a Names,
}

impl End {
    pub(super) fn new(held: Held, state: Option<State>) -> Self {
        Self { held, state, why: None }
    }
}

impl Between<'_> {
    /// Steps 2 and 3: puts verified copies of the rows into the quarantine, as items of this run. Each row comes with its
    /// item. Returns the rows that are copied, and those that cannot be, with the reason.
    pub(super) async fn copy(
        &self,
        mark: &Mark<'_>,
        plan: &Plan,
        rows: Vec<(Held, RawDocumentBuf)>,
    ) -> Result<(Vec<Held>, Vec<(Held, String)>), QuarantineError> {
        point("mongodb.copy.before");
        let (mut missing, mut good, mut refused) = (rows, Vec::new(), Vec::new());
        let mut seen = BTreeMap::new();
        let mut reason = String::new();
        for attempt in 0..TRIES {
            if missing.is_empty() {
                break;
            }
            self.server.pause(attempt).await;
            let items = missing.iter().map(|(_, item)| item.clone());
            let (lost, errors) = self.insert(items).await?;
            reason = lost.unwrap_or(reason);
            point("mongodb.copy.after");
            let stored = self.stored(missing.iter().map(|(held, _)| held)).await?;
            let mut rest = Vec::new();
            for (index, (held, item)) in missing.into_iter().enumerate() {
                match (stored.get(&held.item), errors.get(&index)) {
                    (Some(Some(state)), _) => {
                        seen.insert(held.item.clone(), state.clone());
                        good.push(held);
                    }
                    (Some(None), _) => {
                        let why = format!("its quarantine item `{}` does not hold the bytes of the row", held.item);
                        refused.push((held, why));
                    }
                    (None, Some(why)) => refused.push((held, why.clone())),
                    (None, None) => rest.push((held, item)),
                }
            }
            missing = rest;
        }
        if !missing.is_empty() {
            return Err(unknown("copy rows into the quarantine", reason));
        }
        point("mongodb.verify.after");
        self.claim(mark, plan, &good, seen).await?;
        Ok((good, refused))
    }

    /// Inserts items. Those that are there already are no error: the look tells whether they are good. Returns why the
    /// outcome is unknown, where it is, and what the server refused, by place.
    async fn insert(
        &self,
        items: impl Iterator<Item = RawDocumentBuf>,
    ) -> Result<(Option<String>, BTreeMap<usize, String>), QuarantineError> {
        let command = batch(cstr!("insert"), &self.names.quarantine, cstr!("documents"), items, false);
        Ok(match self.server.write("copy rows into the quarantine", command).await? {
            Outcome::Unknown(reason) => (Some(reason), BTreeMap::new()),
            Outcome::Known(written) => {
                let refused = written.errors.into_iter().filter(|(_, error)| error.code != DUPLICATE_KEY);
                (None, refused.map(|(index, error)| (index, error.message)).collect())
            }
        })
    }

    /// The items of these rows that are there: run and state of those that hold the bytes of their row, nothing of the
    /// others.
    async fn stored<'h>(
        &self,
        held: impl Iterator<Item = &'h Held>,
    ) -> Result<BTreeMap<String, Option<Seen>>, QuarantineError> {
        let wanted: BTreeMap<&str, &Held> = held.map(|held| (held.item.as_str(), held)).collect();
        let names: Vec<&str> = wanted.keys().copied().collect();
        let filter = doc! { "_id": { "$in": names } };
        let found = self.server.find("read the copies back", &self.names.quarantine, filter, None).await?;
        let mut stored = BTreeMap::new();
        for item in found {
            let name = text(&item, "_id");
            let Some(held) = wanted.get(name) else { continue };
            let good = document::row(&item).is_some_and(|(_, raw)| raw.as_bytes() == held.raw.as_bytes());
            let seen = document::state(&item).filter(|_| good).map(|state| (text(&item, "run_id").to_owned(), state));
            stored.insert(name.to_owned(), seen);
        }
        Ok(stored)
    }

    /// Makes items that were there before this run's own: a row that came back, or one of a run that was cut short.
    async fn claim(
        &self,
        mark: &Mark<'_>,
        plan: &Plan,
        held: &[Held],
        mut seen: BTreeMap<String, Seen>,
    ) -> Result<(), QuarantineError> {
        let doing = "claim quarantine items";
        let mut reason = String::new();
        for attempt in 0..=TRIES {
            let foreign: Vec<(&Held, &Seen)> = held
                .iter()
                .filter_map(|held| Some((held, seen.get(&held.item)?)))
                .filter(|(_, (run, state))| *state != State::Copied || run != mark.run_id)
                .collect();
            if foreign.is_empty() {
                return Ok(());
            }
            // A person put a row of this very run back while it was under way: what a person did stands.
            if foreign.iter().any(|(_, (run, state))| run == mark.run_id && *state == State::Restored) {
                return Err(unknown(doing, "a row of this run was put back while it was under way".to_owned()));
            }
            if attempt == TRIES {
                break;
            }
            self.server.pause(attempt).await;
            let updates = foreign.iter().map(|(held, (run, state))| {
                let filter = doc! { "_id": &held.item, "run_id": run, "state": state.as_str() };
                update(filter, document::claim(mark, plan, &plan.rows[held.index]), false)
            });
            let updates = updates.collect::<Result<Vec<_>, _>>()?;
            let items: Vec<Held> = foreign.iter().map(|(held, _)| (*held).clone()).collect();
            reason = self.update(doing, updates).await?.unwrap_or(reason);
            seen.extend(self.seen(&items).await?);
        }
        Err(unknown(doing, reason))
    }

    /// Step 4: records durably that the rows are about to be removed.
    pub(super) async fn mark_removing(&self, mark: &Mark<'_>, held: &[Held]) -> Result<(), QuarantineError> {
        point("mongodb.mark.before");
        let all: Vec<&Held> = held.iter().collect();
        self.advance(mark, &all, State::Copied, State::Removing).await?;
        point("mongodb.mark.after");
        Ok(())
    }

    /// The rows with these `_id`s as they are now, by type and bytes of the `_id`.
    pub(super) async fn rows(
        &self,
        ids: impl Iterator<Item = &[u8]>,
    ) -> Result<BTreeMap<Vec<u8>, RawDocumentBuf>, QuarantineError> {
        let doing = "read rows of the source by their `_id`";
        let found = self.server.read(doing, &self.names.collection, by_ids(doing, ids)?, None).await?;
        Ok(found.into_iter().filter_map(|raw| Some((id::of(&raw)?, raw))).collect())
    }

    /// Fails where the collection is not the one of the names any more: then what is absent tells nothing.
    pub(super) async fn is_the_same(&self) -> Result<(), QuarantineError> {
        match self.server.uuid_of(&self.names.collection).await? {
            Some(uuid) if uuid == self.names.uuid => Ok(()),
            _ => Err(QuarantineError::Rebuilt { namespace: self.names.namespace() }),
        }
    }

    /// Step 7: items come to the state that the look reported.
    pub(super) async fn close(&self, mark: &Mark<'_>, ends: &[End]) -> Result<(), QuarantineError> {
        point("mongodb.close.before");
        let states: BTreeSet<State> = ends.iter().filter_map(|end| end.state).collect();
        for state in states {
            let of_state: Vec<&Held> =
                ends.iter().filter(|end| end.state == Some(state)).map(|end| &end.held).collect();
            self.advance(mark, &of_state, State::Removing, state).await?;
        }
        point("mongodb.close.after");
        Ok(())
    }

    /// Moves items of this run from one state to the next, and looks that they are there.
    async fn advance(&self, mark: &Mark<'_>, held: &[&Held], from: State, to: State) -> Result<(), QuarantineError> {
        let doing = format!("bring quarantine items to `{}`", to.as_str());
        let names: Vec<&str> = held.iter().map(|held| held.item.as_str()).collect();
        self.move_on(&doing, &names, mark, mark.run_id, from, to).await
    }

    /// Moves the items `names` of the run `run` from one state to another; `mark` says who and when.
    pub(super) async fn move_on(
        &self,
        doing: &str,
        names: &[&str],
        mark: &Mark<'_>,
        run: &str,
        from: State,
        to: State,
    ) -> Result<(), QuarantineError> {
        let mut open = names.to_vec();
        let mut reason = String::new();
        for attempt in 0..TRIES {
            if open.is_empty() {
                return Ok(());
            }
            self.server.pause(attempt).await;
            let filter = doc! { "_id": { "$in": &open }, "run_id": run, "state": from.as_str() };
            let updates = vec![update(filter, document::advance(mark, to), true)?];
            reason = self.update(doing, updates).await?.unwrap_or(reason);
            let seen = self.states(&open).await?;
            open.retain(|name| seen.get(*name).is_none_or(|(of, state)| of != run || *state != to));
        }
        if open.is_empty() { Ok(()) } else { Err(unknown(doing, reason)) }
    }

    async fn update(&self, doing: &str, updates: Vec<RawDocumentBuf>) -> Result<Option<String>, QuarantineError> {
        let command = batch(cstr!("update"), &self.names.quarantine, cstr!("updates"), updates, false);
        match self.server.write(doing, command).await? {
            Outcome::Unknown(reason) => Ok(Some(reason)),
            Outcome::Known(written) => match written.errors.into_values().next() {
                Some(error) => Err(QuarantineError::Command { doing: doing.to_owned(), reason: error.message }),
                None => Ok(None),
            },
        }
    }

    async fn seen(&self, held: &[Held]) -> Result<BTreeMap<String, Seen>, QuarantineError> {
        self.states(&held.iter().map(|held| held.item.as_str()).collect::<Vec<_>>()).await
    }

    /// Run and state of items.
    async fn states(&self, names: &[&str]) -> Result<BTreeMap<String, Seen>, QuarantineError> {
        let filter = doc! { "_id": { "$in": names } };
        let wanted = Some(doc! { "state": 1, "run_id": 1 });
        let found = self.server.find("read the states of items", &self.names.quarantine, filter, wanted).await?;
        let seen = found.iter().filter_map(|item| {
            Some((text(item, "_id").to_owned(), (text(item, "run_id").to_owned(), document::state(item)?)))
        });
        Ok(seen.collect())
    }
}

/// A filter for documents with one of these `_id`s, as their bytes are.
pub(super) fn by_ids<'a>(doing: &str, ids: impl Iterator<Item = &'a [u8]>) -> Result<RawDocumentBuf, QuarantineError> {
    let mut filter = RawDocumentBuf::new();
    filter.append(cstr!("_id"), id::among(ids).map_err(|error| QuarantineError::encode(doing, &error))?);
    Ok(filter)
}

/// What is not known, and why, where somebody said so.
pub(super) fn unknown(doing: &str, reason: String) -> QuarantineError {
    let reason = if reason.is_empty() { "what was written is not there".to_owned() } else { reason };
    QuarantineError::Unknown { doing: doing.to_owned(), reason }
}
