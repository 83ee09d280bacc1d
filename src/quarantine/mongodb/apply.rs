//! Carries out a plan: exactly its rows, or fewer.

use std::collections::BTreeMap;

use mongodb::bson::{RawDocumentBuf, doc};

use super::chunk::{End, Held, by_ids};
use super::document::{self, Mark, item_id, sha256};
use super::error::QuarantineError;
use super::lease::Lease;
use super::recover::{Recovered, recover};
use super::{Collection, LARGEST, LARGEST_STATEMENT, Order, delete, runs, sized};
use crate::durable::from_hex as unhex;
use crate::quarantine::crash::point;
use crate::quarantine::item::{RemovalCounts, State};
use crate::quarantine::plan::{Place, Plan};
use crate::source::mongodb::id;

/// What applying a plan came to, also where it broke off.
#[derive(Debug, Default)]
pub struct Applied {
    /// Runs that were cut short before, and finished now.
    pub recovered: Vec<Recovered>,
    /// Where the rows of the plan went.
    pub counts: RemovalCounts,
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
    /// Its end in a word, e.g. `removed`; `open` where only a later look can tell.
    pub word: &'static str,
    /// Why it stays, where somebody said so.
    pub why: Option<String>,
}

impl Ended {
    fn new(index: usize, word: &'static str) -> Self {
        Self { index, item: String::new(), word, why: None }
    }
}

/// The ends of the rows of a chunk, by their place in the plan.
type Ends = BTreeMap<usize, Ended>;

/// A row of a plan: its place there, its `_id`, the name of its item.
type Row = (usize, Vec<u8>, String);

/// What is under way.
#[derive(Clone, Copy)]
struct Work<'a> {
    plan: &'a Plan,
    order: &'a Order<'a>,
    lease: &'a Lease,
    /// How far the server's clock is ahead, µs.
    ahead: i64,
}

impl Work<'_> {
    fn mark(&self) -> Mark<'_> {
        self.order.mark(super::local_now().saturating_add(self.ahead))
    }
}

impl Collection {
    /// Carries out `plan`, after everything that runs before left open. `stop` is asked before every chunk.
    ///
    /// # Errors
    /// Beside what was done so far: what broke it off. Rows whose end is not known stand as `open` then; the next run
    /// looks at them first.
    pub async fn apply(
        &self,
        plan: &Plan,
        order: &Order<'_>,
        stop: &(dyn Fn() -> bool + Sync),
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> (Applied, Result<(), QuarantineError>) {
        let mut applied = Applied::default();
        applied.counts.planned = plan.rows.len() as u64;
        let result = self.under_lease(plan, order, stop, progress, &mut applied).await;
        applied.ends.sort_by_key(|end| end.index);
        let mut reported = applied.ends.iter().map(|end| end.index).peekable();
        let mut rest = Vec::new();
        for index in 0..plan.rows.len() {
            if reported.next_if_eq(&index).is_none() {
                rest.push(Ended::new(index, "untried"));
            }
        }
        drop(reported);
        applied.counts.untried += rest.len() as u64;
        applied.ends.extend(rest);
        applied.ends.sort_by_key(|end| end.index);
        let removed = |one: &Recovered| one.rows.iter().filter(|row| row.state == Some(State::Removed)).count() as u64;
        applied.counts.recovered = applied.recovered.iter().map(removed).sum();
        let RemovalCounts { planned, .. } = applied.counts;
        let accounted = applied.ends.len() as u64;
        if !applied.counts.conserved() {
            return (applied, result.and(Err(QuarantineError::Unbalanced { planned, accounted })));
        }
        (applied, result)
    }

    async fn under_lease(
        &self,
        plan: &Plan,
        order: &Order<'_>,
        stop: &(dyn Fn() -> bool + Sync),
        progress: &mut (dyn FnMut(u64) + Send),
        applied: &mut Applied,
    ) -> Result<(), QuarantineError> {
        point("mongodb.lease.before");
        let lease = Lease::take(&self.server, &self.names, order.run_id).await?;
        point("mongodb.lease.after");
        let result = async {
            let ahead = self.server.now().await?.saturating_sub(super::local_now());
            let work = Work { plan, order, lease: &lease, ahead };
            recover(self.between(), &work.mark(), &lease, &mut applied.recovered).await?;
            if plan.rows.is_empty() {
                return Ok(());
            }
            runs::begin(&*self.server, &self.names, &work.mark(), plan).await?;
            self.chunks(work, stop, progress, applied).await?;
            let mut counts = applied.counts;
            counts.untried = counts.planned - applied.ends.len() as u64;
            if counts.open > 0 {
                // The next run looks at them, and closes this one.
                return Ok(());
            }
            runs::close(&*self.server, order.run_id, work.mark().at, &counts, order.run_id).await
        }
        .await;
        lease.release().await;
        result
    }

    async fn chunks(
        &self,
        work: Work<'_>,
        stop: &(dyn Fn() -> bool + Sync),
        progress: &mut (dyn FnMut(u64) + Send),
        applied: &mut Applied,
    ) -> Result<(), QuarantineError> {
        for rows in sized(self.wanted(work.plan)?) {
            let mut ends = Ends::new();
            let groups = self.groups(rows, &mut ends).await;
            let result = async {
                for group in groups? {
                    if stop() {
                        return Ok(false);
                    }
                    work.lease.check()?;
                    self.group(work, &group, &mut ends).await?;
                }
                Ok(true)
            }
            .await;
            applied.end(ends);
            progress(applied.ends.len() as u64);
            if !result? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The rows of the plan, each with the length of its `_id`.
    fn wanted(&self, plan: &Plan) -> Result<Vec<(Row, usize)>, QuarantineError> {
        let row = |(index, row): (usize, &crate::quarantine::plan::PlanRow)| {
            let id = if let Place::Id(id) = &row.at { unhex(id) } else { None };
            let hash = row.sha256.as_deref().and_then(unhex).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
            let (Some(id), Some(hash)) = (id.filter(|id| !id.is_empty()), hash) else {
                return Err(QuarantineError::encode("read the plan", &format!("row {} names no document", index + 1)));
            };
            let (item, length) = (item_id(&self.names.uuid, &id, &hash), id.len());
            Ok(((index, id, item), length))
        };
        plan.rows.iter().enumerate().map(row).collect()
    }

    /// Rows of the plan in groups that fit into memory and into one reply. Rows that are gone or too large come to their
    /// end here.
    async fn groups(&self, wanted: Vec<Row>, ends: &mut Ends) -> Result<Vec<Vec<Row>>, QuarantineError> {
        let doing = "look for the rows of the plan";
        let filter = by_ids(doing, wanted.iter().map(|(_, id, _)| id.as_slice()))?;
        let length = Some(doc! { "n": { "$bsonSize": "$$ROOT" } });
        let found = self.server.read(doing, &self.names.collection, filter, length).await?;
        let length = |row: &RawDocumentBuf| usize::try_from(row.get_i32("n").unwrap_or(0)).unwrap_or(0);
        let lengths: BTreeMap<Vec<u8>, usize> =
            found.iter().filter_map(|row| Some((id::of(row)?, length(row)))).collect();
        let (mut there, mut gone) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (index, id, item) in wanted {
            match lengths.get(&id) {
                None => gone.push(index),
                Some(length) if *length > LARGEST => {
                    ends.insert(index, Ended::new(index, "oversize"));
                }
                Some(length) => there.push(((index, id, item), *length)),
            }
        }
        if !gone.is_empty() {
            self.between().is_the_same().await?;
            ends.extend(gone.into_iter().map(|index| (index, Ended::new(index, "gone"))));
        }
        Ok(sized(there))
    }

    /// Step 1 over one group, and the others over each part of it that fits into one command.
    async fn group(&self, work: Work<'_>, group: &[Row], ends: &mut Ends) -> Result<(), QuarantineError> {
        let mark = work.mark();
        point("mongodb.read.before");
        let mut found = self.between().rows(group.iter().map(|(_, id, _)| id.as_slice())).await?;
        point("mongodb.read.after");
        let (mut held, mut gone) = (Vec::with_capacity(group.len()), Vec::new());
        for (index, id, item) in group {
            let (index, row) = (*index, &work.plan.rows[*index]);
            match found.remove(id) {
                None => gone.push(index),
                Some(raw) if Some(sha256(raw.as_bytes())) == row.sha256 => {
                    let document = document::item(&self.names, &mark, work.plan, row, item, &raw, id)?;
                    let statement = delete::statement(id, &raw)
                        .map_err(|error| QuarantineError::encode("remove rows from the source", &error))?;
                    let length = document.as_bytes().len().max(statement.as_bytes().len());
                    if length > LARGEST_STATEMENT {
                        ends.insert(index, Ended::new(index, "oversize"));
                    } else {
                        let row = Held { id: id.clone(), item: item.clone(), raw, index };
                        held.push(((row, document), length));
                    }
                }
                Some(_) => drop(ends.insert(index, Ended::new(index, State::KeptChanged.as_str()))),
            }
        }
        if !gone.is_empty() {
            self.between().is_the_same().await?;
            ends.extend(gone.into_iter().map(|index| (index, Ended::new(index, "gone"))));
        }
        for part in sized(held) {
            self.part(work, &mark, part, ends).await?;
        }
        Ok(())
    }

    /// Steps 2 to 7.
    async fn part(
        &self,
        work: Work<'_>,
        mark: &Mark<'_>,
        part: Vec<(Held, RawDocumentBuf)>,
        ends: &mut Ends,
    ) -> Result<(), QuarantineError> {
        let between = self.between();
        let (held, refused) = between.copy(mark, work.plan, part).await?;
        for (held, why) in refused {
            tracing::warn!(row = id::text(&held.id), why, "a row stays: it cannot be copied");
            let end = Ended { item: held.item, why: Some(why), ..Ended::new(held.index, State::KeptError.as_str()) };
            ends.insert(end.index, end);
        }
        if held.is_empty() {
            return Ok(());
        }
        // From here on nothing but a look tells where the rows are.
        let open = |held: &Held| Ended { item: held.item.clone(), ..Ended::new(held.index, "open") };
        ends.extend(held.iter().map(|held| (held.index, open(held))));
        between.mark_removing(mark, &held).await?;
        let done = between.remove(held, work.lease).await?;
        for End { held, state, why } in &done {
            let end = Ended::new(held.index, state.map_or("open", State::as_str));
            ends.insert(held.index, Ended { item: held.item.clone(), why: why.clone(), ..end });
        }
        between.close(mark, &done).await
    }
}

impl Applied {
    /// Takes the ends of a chunk.
    fn end(&mut self, ends: Ends) {
        for end in ends.into_values() {
            let counts = &mut self.counts;
            *match end.word {
                "removed" => &mut counts.removed,
                "kept_changed" => &mut counts.kept_changed,
                "kept_error" => &mut counts.kept_error,
                "oversize" => &mut counts.oversize,
                "gone" => &mut counts.gone,
                _ => &mut counts.open,
            } += 1;
            self.ends.push(end);
        }
    }
}
