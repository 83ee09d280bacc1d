//! What runs that were cut short left open: every row of theirs comes to its end before anything new is begun.
//!
//! What an item's state says is not believed; the source is looked at. So a recovery that is cut short is recovered in
//! the same way.

use mongodb::bson::{RawDocumentBuf, doc};

use super::chunk::{Between, Held};
use super::command::text;
use super::document::{self, Mark};
use super::error::SettleError;
use super::lease::Lease;
use super::{runs, sha256, sized};
use crate::settle::crash::point;
use crate::settle::item::{Settled, State};
use crate::source::mongodb::id;

/// What was done about a run that was cut short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The run.
    pub run_id: String,
    /// What became of the rows that were about to be removed; those that were only copied stay in the source and count
    /// as `untried`.
    pub settled: Settled,
}

/// Brings every run of the collection that is not sealed to its end.
pub(super) async fn recover(
    between: Between<'_>,
    mark: &Mark<'_>,
    lease: &Lease,
) -> Result<Vec<Recovered>, SettleError> {
    let mut done = Vec::new();
    for run_id in runs::open(between.commands, between.names).await? {
        point("mongodb.recover.before");
        let of_run = Mark { run_id: &run_id, ..mark.clone() };
        let settled = finish(between, &of_run, lease).await?;
        point("mongodb.recover.after");
        runs::seal(between.commands, &run_id, mark.at, &settled, mark.run_id).await?;
        tracing::info!(run = run_id, removed = settled.removed, "finished a run that was cut short");
        done.push(Recovered { run_id, settled });
    }
    Ok(done)
}

async fn finish(between: Between<'_>, mark: &Mark<'_>, lease: &Lease) -> Result<Settled, SettleError> {
    let open = items(between, mark.run_id, State::Removing).await?;
    for batch in sized(open) {
        lease.check()?;
        let filter = doc! { "_id": { "$in": batch } };
        let doing = "read the items of a run that was cut short";
        let found = between.commands.find(doing, &between.names.quarantine, filter, None).await?;
        let held = found.iter().map(|item| held(between, item)).collect::<Result<Vec<_>, _>>()?;
        let ends = between.remove(held).await?;
        between.close(mark, &ends).await?;
    }
    let mut settled = Settled::default();
    for (state, count) in [
        (State::Removed, &mut settled.removed),
        (State::KeptChanged, &mut settled.kept_changed),
        (State::KeptError, &mut settled.kept_error),
        (State::Copied, &mut settled.untried),
    ] {
        *count = items(between, mark.run_id, state).await?.len() as u64;
    }
    settled.planned = settled.removed + settled.kept_changed + settled.kept_error + settled.untried;
    Ok(settled)
}

/// Items of a run in a state, each with the length of its row.
async fn items(between: Between<'_>, run_id: &str, state: State) -> Result<Vec<(String, usize)>, SettleError> {
    let filter = doc! { "run_id": run_id, "state": state.as_str() };
    let wanted = Some(doc! { "n": { "$binarySize": "$raw" } });
    let doing = "look for items of a run that was cut short";
    let found = between.commands.find(doing, &between.names.quarantine, filter, wanted).await?;
    let size = |item: &RawDocumentBuf| usize::try_from(item.get_i32("n").unwrap_or(0)).unwrap_or(0);
    Ok(found.iter().map(|item| (text(item, "_id").to_owned(), size(item))).collect())
}

/// A row as its item has it; an item whose bytes are not what they were stops everything.
fn held(between: Between<'_>, item: &RawDocumentBuf) -> Result<Held, SettleError> {
    let collection = &between.names.quarantine;
    let known = document::read(collection, item)?;
    let differs = || SettleError::Differs { collection: collection.clone(), item: known.id.clone() };
    let raw = RawDocumentBuf::from_bytes(known.raw.clone()).map_err(|_| differs())?;
    if sha256(&known.raw) != known.sha256 {
        return Err(differs());
    }
    let id = raw.get("_id").ok().flatten().map(id::encode).ok_or_else(differs)?;
    Ok(Held { id, item: known.id, raw, index: 0 })
}
