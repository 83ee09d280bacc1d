//! Carries out a plan: exactly its rows, or fewer.

use std::collections::BTreeMap;

use mongodb::bson::{RawDocumentBuf, doc};

use super::chunk::{Held, by_ids};
use super::document::{Mark, item_id};
use super::error::SettleError;
use super::lease::Lease;
use super::recover::{Recovered, recover};
use super::{CHUNK_ROWS, Collection, LARGEST, Order, runs, sized};
use crate::settle::crash::point;
use crate::settle::item::{Settled, State};
use crate::settle::plan::{Place, Plan};
use crate::source::mongodb::id::{self, from_hex as unhex};

/// What applying a plan came to, also where it broke off.
#[derive(Debug, Default)]
pub struct Applied {
    /// Runs that were cut short before, and finished now.
    pub recovered: Vec<Recovered>,
    /// Where the rows of the plan went.
    pub settled: Settled,
    /// The same, row by row, in the order of the plan.
    pub ends: Vec<Ended>,
}

/// What became of one row of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its place in the plan.
    pub index: usize,
    /// Its item; empty where there is none.
    pub item: String,
    /// Its end in a word, e.g. `removed`; `open` where only the next run can tell.
    pub word: &'static str,
}

impl Collection {
    /// Carries out `plan`, after everything that runs before left open. `stop` is asked before every chunk.
    ///
    /// # Errors
    /// Beside what was done so far: what broke it off. Rows whose end is not known stand as `open` then; the next run
    /// settles them first.
    pub async fn apply(
        &self,
        plan: &Plan,
        order: &Order<'_>,
        stop: &(dyn Fn() -> bool + Sync),
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> (Applied, Result<(), SettleError>) {
        let mut applied = Applied::default();
        applied.settled.planned = plan.rows.len() as u64;
        let result = self.under_lease(plan, order, stop, progress, &mut applied).await;
        let told: Vec<usize> = applied.ends.iter().map(|end| end.index).collect();
        let mut told = told.into_iter().peekable();
        let mut rest = Vec::new();
        for index in 0..plan.rows.len() {
            if told.next_if_eq(&index).is_none() {
                rest.push(Ended { index, item: String::new(), word: "untried" });
            }
        }
        applied.settled.untried += rest.len() as u64;
        applied.ends.extend(rest);
        let Settled { planned, .. } = applied.settled;
        let accounted = applied.ends.len() as u64;
        if !applied.settled.conserved() {
            return (applied, result.and(Err(SettleError::Unbalanced { planned, accounted })));
        }
        (applied, result)
    }

    /// Finishes what runs before left open, and does nothing else.
    pub async fn recover(&self, order: &Order<'_>) -> Result<Vec<Recovered>, SettleError> {
        if runs::open(&self.commands, &self.names).await?.is_empty() {
            return Ok(Vec::new());
        }
        let lease = Lease::take(&self.commands, &self.names, order.run_id).await?;
        let recovered = recover(self.between(), &order.mark(), &lease).await;
        lease.release().await;
        recovered
    }

    async fn under_lease(
        &self,
        plan: &Plan,
        order: &Order<'_>,
        stop: &(dyn Fn() -> bool + Sync),
        progress: &mut (dyn FnMut(u64) + Send),
        applied: &mut Applied,
    ) -> Result<(), SettleError> {
        point("mongodb.lease.before");
        let lease = Lease::take(&self.commands, &self.names, order.run_id).await?;
        point("mongodb.lease.after");
        let result = async {
            applied.recovered = recover(self.between(), &order.mark(), &lease).await?;
            if plan.rows.is_empty() {
                return Ok(());
            }
            runs::begin(&self.commands, &self.names, &order.mark(), plan).await?;
            self.chunks(plan, order, &lease, stop, progress, applied).await?;
            let mark = order.mark();
            let mut settled = applied.settled;
            settled.untried = settled.planned - applied.ends.len() as u64;
            runs::seal(&self.commands, order.run_id, mark.at, &settled, order.run_id).await
        }
        .await;
        lease.release().await;
        result
    }

    async fn chunks(
        &self,
        plan: &Plan,
        order: &Order<'_>,
        lease: &Lease,
        stop: &(dyn Fn() -> bool + Sync),
        progress: &mut (dyn FnMut(u64) + Send),
        applied: &mut Applied,
    ) -> Result<(), SettleError> {
        for first in (0..plan.rows.len()).step_by(CHUNK_ROWS) {
            let rows = first..(first + CHUNK_ROWS).min(plan.rows.len());
            let mut ends: BTreeMap<usize, Ended> = BTreeMap::new();
            let groups = self.groups(plan, rows.clone(), &mut ends).await?;
            for group in groups {
                if stop() {
                    applied.end(ends);
                    return Ok(());
                }
                lease.check()?;
                let result = self.group(plan, &order.mark(), &group, &mut ends).await;
                if let Err(error) = result {
                    for (index, _, item) in group {
                        ends.entry(index).or_insert(Ended { index, item, word: "open" });
                    }
                    applied.end(ends);
                    return Err(error);
                }
            }
            applied.end(ends);
            progress(applied.ends.len() as u64);
        }
        Ok(())
    }

    /// Rows of the plan in groups that fit into one chunk, each with its `_id` and the name of its item. Rows that are gone
    /// or too large come to their end here.
    async fn groups(
        &self,
        plan: &Plan,
        rows: std::ops::Range<usize>,
        ends: &mut BTreeMap<usize, Ended>,
    ) -> Result<Vec<Vec<Row>>, SettleError> {
        let doing = "read the plan";
        let mut wanted = Vec::with_capacity(rows.len());
        for index in rows {
            let row = &plan.rows[index];
            let id = if let Place::Id(id) = &row.at { unhex(id) } else { None };
            let hash = row.sha256.as_deref().and_then(unhex).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
            let (Some(id), Some(hash)) = (id, hash) else {
                return Err(SettleError::encode(doing, &format!("row {} names no document", index + 1)));
            };
            let item = item_id(&self.names.uuid, &id, &hash);
            wanted.push((index, id, item));
        }
        let filter = by_ids(doing, wanted.iter().map(|(_, id, _)| id.as_slice()))?;
        let length = Some(doc! { "n": { "$bsonSize": "$$ROOT" } });
        let found = self.commands.find("look for the rows of the plan", &self.names.collection, filter, length).await?;
        let length = |row: &RawDocumentBuf| usize::try_from(row.get_i32("n").unwrap_or(0)).unwrap_or(0);
        let lengths: BTreeMap<Vec<u8>, usize> =
            found.iter().filter_map(|row| Some((id::encode(row.get("_id").ok()??), length(row)))).collect();
        let mut there = Vec::with_capacity(wanted.len());
        for (index, id, item) in wanted {
            match lengths.get(&id) {
                None => drop(ends.insert(index, Ended { index, item: String::new(), word: "gone" })),
                Some(length) if *length > LARGEST => {
                    ends.insert(index, Ended { index, item: String::new(), word: "oversize" });
                }
                Some(length) => there.push(((index, id, item), *length)),
            }
        }
        Ok(sized(there))
    }

    /// Steps 1 to 7 over one group.
    async fn group(
        &self,
        plan: &Plan,
        mark: &Mark<'_>,
        group: &[Row],
        ends: &mut BTreeMap<usize, Ended>,
    ) -> Result<(), SettleError> {
        point("mongodb.read.before");
        let mut found = self.between().rows(group.iter().map(|(_, id, _)| id.as_slice())).await?;
        point("mongodb.read.after");
        let mut held = Vec::with_capacity(group.len());
        for (index, id, item) in group {
            let end = |word| Ended { index: *index, item: String::new(), word };
            match found.remove(id) {
                None => drop(ends.insert(*index, end("gone"))),
                Some(raw) if Some(super::sha256(raw.as_bytes())) == plan.rows[*index].sha256 => {
                    held.push(Held { id: id.clone(), item: item.clone(), raw, index: *index });
                }
                Some(_) => drop(ends.insert(*index, end(State::KeptChanged.as_str()))),
            }
        }
        if held.is_empty() {
            return Ok(());
        }
        let between = self.between();
        between.copy(mark, plan, &held).await?;
        between.mark_removing(mark, &held).await?;
        let done = between.remove(held).await?;
        between.close(mark, &done).await?;
        for (held, state) in done {
            ends.insert(held.index, Ended { index: held.index, item: held.item, word: state.as_str() });
        }
        Ok(())
    }
}

/// A row of a plan: its place there, its `_id`, the name of its item.
type Row = (usize, Vec<u8>, String);

impl Applied {
    /// Takes the ends of a chunk, in the order of the plan.
    fn end(&mut self, ends: BTreeMap<usize, Ended>) {
        for end in ends.into_values() {
            let settled = &mut self.settled;
            *match end.word {
                "removed" => &mut settled.removed,
                "kept_changed" => &mut settled.kept_changed,
                "kept_error" => &mut settled.kept_error,
                "oversize" => &mut settled.oversize,
                "gone" => &mut settled.gone,
                _ => &mut settled.open,
            } += 1;
            self.ends.push(end);
        }
    }
}
