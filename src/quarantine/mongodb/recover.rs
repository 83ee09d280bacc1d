//! What runs that were cut short left open: every row of theirs comes to its end before anything new is begun.
//!
//! What an item's state says is not believed; the source is looked at. So a recovery that is cut short is recovered in
//! the same way.

use mongodb::bson::{Document, RawDocumentBuf, doc};

use super::chunk::{Between, End, Held};
use super::document::{self, Mark, Names};
use super::error::QuarantineError;
use super::lease::Lease;
use super::runs::OpenRun;
use super::server::text;
use super::{Collection, Order, runs, sized};
use crate::decide::Action;
use crate::quarantine::crash::point;
use crate::quarantine::item::{RemovalCounts, State};
use crate::source::mongodb::id;

/// What was done about a run that was cut short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The run.
    pub run_id: String,
    /// What became of the rows of its plan in all; those that it did not come to stay in the source and count as
    /// `untried`.
    pub counts: RemovalCounts,
    /// The rows that it was about to remove, and that came to their end now.
    pub rows: Vec<RecoveredRow>,
}

/// A row of a run that was cut short, at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredRow {
    /// Its item.
    pub item: String,
    /// Its `_id` as text.
    pub locator: String,
    /// SHA-256 (hex) of its bytes.
    pub sha256: String,
    /// What was to be done.
    pub action: Action,
    /// The findings that rejected it.
    pub finding_ids: Vec<String>,
    /// The state it came to; `None` where only a later look can tell.
    pub state: Option<State>,
}

/// What is done with a row that is in the source still, with the bytes of its item.
#[derive(Debug, Clone, Copy)]
enum Same<'l> {
    /// It is removed, as its run was about to.
    Remove(&'l Lease),
    /// Its run is over, or was about another collection: the item is a copy of a row that stays.
    Stays,
    /// The item stays as it is, for the next run to look at.
    Leave,
}

impl Collection {
    /// Finishes what runs before left open, and does nothing else. What was done by then is reported also where it broke off.
    pub async fn recover(&self, order: &Order<'_>) -> (Vec<Recovered>, Result<(), QuarantineError>) {
        let mut recovered = Vec::new();
        let result = self.recover_into(order, &mut recovered).await;
        (recovered, result)
    }

    async fn recover_into(&self, order: &Order<'_>, recovered: &mut Vec<Recovered>) -> Result<(), QuarantineError> {
        let open = runs::open(&*self.server, &self.names).await?;
        if open.is_empty() && self.between().removing(None).await?.is_empty() {
            return Ok(());
        }
        let lease = Lease::take(&self.server, &self.names, order.run_id).await?;
        let result = async {
            let mark = order.mark(self.server.now().await?);
            recover(self.between(), &mark, &lease, recovered).await
        }
        .await;
        lease.release().await;
        result
    }

    /// Closes what a look at the source can close, and removes nothing: rows that are gone are `removed`, rows that
    /// somebody changed are kept. A row that is there as it was stays as it is, for the next run. What cannot be closed
    /// now is no reason to fail: the next run looks at it too.
    pub(super) async fn look_after(&self, mark: &Mark<'_>) {
        let between = self.between();
        let closed = async {
            let names = between.removing(None).await?;
            close_all(between, mark, names, Same::Leave, &mut Vec::new()).await
        };
        if let Err(error) = closed.await {
            tracing::warn!(%error, "rows that a run was about to remove are looked at by the next run");
        }
    }
}

/// Brings every run of the collection that is not closed to its end; adds what was done to `done`.
pub(super) async fn recover(
    between: Between<'_>,
    mark: &Mark<'_>,
    lease: &Lease,
    done: &mut Vec<Recovered>,
) -> Result<(), QuarantineError> {
    let mut open = 0;
    for run in runs::open(between.server, between.names).await? {
        point("mongodb.recover.before");
        let names = Names { quarantine: run.quarantine.clone(), ..between.names.clone() };
        let of_run = Between { names: &names, ..between };
        let mut rows = Vec::new();
        let same = if run.uuid == runs::uuid(&names) { Same::Remove(lease) } else { Same::Stays };
        let removing = of_run.removing(Some(&run.id)).await?;
        let result = close_all(of_run, mark, removing, same, &mut rows).await;
        let counts = if result.is_ok() { in_all(of_run, &run, &rows).await } else { Ok(RemovalCounts::default()) };
        done.push(Recovered {
            run_id: run.id.clone(),
            counts: *counts.as_ref().unwrap_or(&RemovalCounts::default()),
            rows,
        });
        result?;
        let counts = counts?;
        point("mongodb.recover.after");
        open += counts.open;
        if counts.open == 0 {
            runs::close(between.server, &run.id, mark.at, &counts, mark.run_id).await?;
            tracing::info!(run = run.id, removed = counts.removed, "finished a run that was cut short");
        }
    }
    if open > 0 {
        return Err(QuarantineError::StillOpen { rows: open });
    }
    // What the server wrote down only after its run was over.
    let strays = between.removing(None).await?;
    close_all(between, mark, strays, Same::Stays, &mut Vec::new()).await
}

/// What became of the rows of a run in all: `rows` now, the others before.
async fn in_all(between: Between<'_>, run: &OpenRun, rows: &[RecoveredRow]) -> Result<RemovalCounts, QuarantineError> {
    let mut counts = RemovalCounts {
        open: rows.iter().filter(|row| row.state.is_none()).count() as u64,
        ..RemovalCounts::default()
    };
    for (state, count) in [
        (State::Removed, &mut counts.removed),
        (State::KeptChanged, &mut counts.kept_changed),
        (State::KeptError, &mut counts.kept_error),
    ] {
        let filter = doc! { "run_id": &run.id, "state": state.as_str() };
        *count = between.names_of(filter).await?.len() as u64;
    }
    let ended = counts.removed + counts.kept_changed + counts.kept_error + counts.open;
    counts.planned = run.rows.max(ended);
    counts.untried = counts.planned - ended;
    Ok(counts)
}

/// Brings items that are `removing` to their end, group by group.
async fn close_all(
    between: Between<'_>,
    mark: &Mark<'_>,
    names: Vec<(String, usize)>,
    same: Same<'_>,
    rows: &mut Vec<RecoveredRow>,
) -> Result<(), QuarantineError> {
    for group in sized(names) {
        if let Same::Remove(lease) = same {
            lease.check()?;
        }
        let filter = doc! { "_id": { "$in": group }, "state": State::Removing.as_str() };
        let doing = "read the items of a run that was cut short";
        let found = between.server.find(doing, &between.names.quarantine, filter, None).await?;
        close_group(between, mark, &found, same, rows).await?;
    }
    Ok(())
}

async fn close_group(
    between: Between<'_>,
    mark: &Mark<'_>,
    found: &[RawDocumentBuf],
    same: Same<'_>,
    rows: &mut Vec<RecoveredRow>,
) -> Result<(), QuarantineError> {
    let (mut held, mut ends) = (Vec::new(), Vec::new());
    for (index, item) in found.iter().enumerate() {
        let name = text(item, "_id").to_owned();
        match document::row(item) {
            Some((id, raw)) => held.push(Held { id, item: name, raw, index }),
            // Nothing can be compared with a row whose copy is damaged: the row stays.
            None => {
                tracing::warn!(
                    item = name,
                    "a quarantine item does not hold the bytes of its row; its row is not removed"
                );
                let held = Held { id: Vec::new(), item: name, raw: RawDocumentBuf::new(), index };
                ends.push(End::new(held, Some(State::KeptError)));
            }
        }
    }
    match same {
        Same::Remove(lease) => match between.finish(held, lease).await {
            Ok(done) => ends.extend(done),
            Err(error) => {
                // Some of them may be gone by now, or go later: only a look can tell.
                rows.extend(found.iter().map(|item| row(item, None)));
                return Err(error);
            }
        },
        Same::Stays | Same::Leave => {
            let there = between.look(held, &mut ends).await?;
            between.is_the_same().await?;
            let state = matches!(same, Same::Stays).then_some(State::Copied);
            ends.extend(there.into_iter().map(|held| End::new(held, state)));
        }
    }
    // What is known is reported, whether it can be written down or not.
    rows.extend(ends.iter().map(|end| row(&found[end.held.index], end.state)));
    let runs: std::collections::BTreeSet<&str> = found.iter().map(|item| text(item, "run_id")).collect();
    point("mongodb.close.before");
    for run in runs {
        for state in State::ALL {
            let of_state = |end: &&End| end.state == Some(state) && text(&found[end.held.index], "run_id") == run;
            let names: Vec<&str> = ends.iter().filter(of_state).map(|end| end.held.item.as_str()).collect();
            let doing = format!("bring quarantine items to `{}`", state.as_str());
            between.move_on(&doing, &names, mark, run, State::Removing, state).await?;
        }
    }
    point("mongodb.close.after");
    Ok(())
}

fn row(item: &RawDocumentBuf, state: Option<State>) -> RecoveredRow {
    let findings = item.get_array("rules").into_iter().flatten();
    let finding = findings.filter_map(|rule| Some(rule.ok()?.as_document()?.get_str("finding_id").ok()?.to_owned()));
    let locator = document::row(item).map(|(id, _)| id::text(&id)).unwrap_or_default();
    RecoveredRow {
        item: text(item, "_id").to_owned(),
        locator,
        sha256: text(item, "sha256").to_owned(),
        action: Action::parse(text(item, "action")).unwrap_or(Action::Quarantine),
        finding_ids: finding.collect(),
        state,
    }
}

impl Between<'_> {
    /// The items of the source that are `removing`, of one run where it is named, each with the length of its row.
    async fn removing(&self, run: Option<&str>) -> Result<Vec<(String, usize)>, QuarantineError> {
        let mut filter = doc! { "state": State::Removing.as_str() };
        match run {
            Some(run) => filter.insert("run_id", run),
            None => filter.insert("source.ns", self.names.namespace()),
        };
        self.names_of(filter).await
    }

    /// The names of the items that `filter` selects, each with the length of its row.
    pub(super) async fn names_of(&self, filter: Document) -> Result<Vec<(String, usize)>, QuarantineError> {
        let wanted = Some(doc! { "n": { "$binarySize": { "$ifNull": ["$raw", ""] } } });
        let found = self.server.find("look for quarantine items", &self.names.quarantine, filter, wanted).await?;
        let size = |item: &RawDocumentBuf| usize::try_from(item.get_i32("n").unwrap_or(0)).unwrap_or(0);
        Ok(found.iter().map(|item| (text(item, "_id").to_owned(), size(item))).collect())
    }
}
