//! The quarantine of a job over a collection: another collection beside it.

use std::sync::Arc;

use async_trait::async_trait;

use super::contract::{Note, Purge, Quarantine, Removal, Restored, left};
use crate::config::Loaded;
use crate::config::job::MongoSource;
use crate::durable::from_hex;
use crate::quarantine::files::LateRestored;
use crate::quarantine::item::{Exempt, Item, UnderWay, Which};
use crate::quarantine::mongodb::{self, Order, QuarantineError};
use crate::quarantine::plan::{Place, Plan, PlanRow};
use crate::report::run::ActionRow;
use crate::run::clock::Clock;
use crate::run::context::Context;
use crate::run::events::Stage;
use crate::run::failure::Failure;
use crate::run::removal::{Done, action, earlier_state, retention};
use crate::source::mongodb::{CollectionInfo, Connection, document_json, id};
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// The collection of a job as one that rows are moved in.
pub(crate) struct CollectionQuarantine {
    loaded: Arc<Loaded>,
    clock: Clock,
    connection: Arc<Connection>,
    rows: mongodb::Collection,
}

/// What moves documents of a collection.
pub(crate) struct CollectionRemoval<'a> {
    pub(crate) quarantine: CollectionQuarantine,
    pub(crate) info: &'a CollectionInfo,
    pub(crate) allow_sharded: bool,
}

impl CollectionQuarantine {
    /// That of the collection which `source` names. Nothing is sent.
    pub(crate) fn new(
        (loaded, clock): (&Arc<Loaded>, &Clock),
        source: &MongoSource,
        connection: &Arc<Connection>,
        info: &CollectionInfo,
    ) -> Self {
        let quarantine = loaded.job.quarantine.collection.as_deref();
        let (database, collection) = (&source.database, &source.collection);
        let rows = mongodb::Collection::new(Arc::clone(connection), info, database, collection, quarantine);
        Self { loaded: Arc::clone(loaded), clock: clock.clone(), connection: Arc::clone(connection), rows }
    }

    /// The run, as its rows are marked.
    fn order<'a>(&'a self, run_id: &'a str) -> Order<'a> {
        let (keep, keep_deleted) = retention(&self.loaded.job);
        Order { run_id, job: &self.loaded.job.name, keep, keep_deleted }
    }
}

#[async_trait]
impl Removal for CollectionRemoval<'_> {
    async fn check_fit(&self) -> Result<(), Failure> {
        self.quarantine.rows.check_fit(self.info, self.allow_sharded).await.map_err(failed)
    }

    async fn recover(&self, run_id: &str) -> Done {
        let (recovered, result) = self.quarantine.rows.recover(&self.quarantine.order(run_id)).await;
        let at = UtcMicros(self.quarantine.clock.micros());
        Done { recovered: earlier(&recovered, at), failure: result.err().map(failed), ..Done::default() }
    }

    async fn moved(&self, note: &Note<'_>) -> Result<Vec<(String, i64)>, Failure> {
        Ok(left(self.quarantine.items(&Which::default(), false, note).await?))
    }

    async fn rows_of(&self, run: &str) -> Result<Vec<Item>, Failure> {
        let which = Which { run: Some(run.to_owned()), ..Which::default() };
        self.quarantine.rows.items(&which, false).await.map_err(failed)
    }

    async fn any_restored(&self) -> Result<bool, Failure> {
        self.quarantine.rows.any_restored().await.map_err(failed)
    }

    async fn exempt(&self, plan: &Plan) -> Result<Vec<Exempt>, Failure> {
        self.quarantine.rows.exempt(plan).await.map_err(failed)
    }

    async fn put_back(&self, plan: &Plan) -> Result<u64, Failure> {
        self.quarantine.rows.put_back(plan).await.map_err(failed)
    }

    async fn carry_out(&self, plan: &Plan, run_id: &str, context: &Context) -> Result<Done, Failure> {
        let progress = context.begin(&plan.head.job, Stage::Moving, Some(plan.rows.len() as u64));
        let stopped = || context.stop.signal().is_some();
        let order = self.quarantine.order(run_id);
        let (applied, result) =
            self.quarantine.rows.apply(plan, &order, &stopped, &mut |rows| progress.report(rows)).await;
        let at = UtcMicros(self.quarantine.clock.micros());
        let action = |end: &mongodb::Ended| {
            let row = &plan.rows[end.index];
            action(row, locator(row), &end.item, end.word, at)
        };
        Ok(Done {
            actions: applied.ends.iter().map(action).collect(),
            recovered: earlier(&applied.recovered, at),
            counts: applied.counts,
            busy: 0,
            why: applied.ends.iter().find_map(|end| end.why.clone()),
            failure: result.err().map(failed),
            pending: None,
            marks: Vec::new(),
        })
    }

    fn what_moves(&self, plan: &Plan) -> String {
        format!("move {} to quarantine", counted(plan.rows.len() as u64, "row"))
    }
}

#[async_trait]
impl Quarantine for CollectionQuarantine {
    async fn under_way(&self) -> Result<UnderWay, Failure> {
        self.rows.under_way().await.map_err(failed)
    }

    async fn items(&self, which: &Which, raw: bool, _note: &Note<'_>) -> Result<Vec<Item>, Failure> {
        self.rows.items(which, raw).await.map_err(failed)
    }

    async fn restorable(&self, items: Vec<Item>) -> Result<Vec<Item>, Failure> {
        self.rows.restorable(items).await.map_err(failed)
    }

    async fn restore(&self, items: &[Item], dry_run: bool, run_id: &str) -> Result<Restored, Failure> {
        if dry_run {
            return Ok(Restored { back: items.len() as u64, ..Restored::default() });
        }
        let reported = self.rows.restore(items, &self.order(run_id)).await.map_err(failed)?;
        Ok(Restored {
            back: reported.restored.len() as u64,
            already_there: reported.already_there.len() as u64,
            conflicts: reported.conflicts.into_iter().collect(),
            ..Restored::default()
        })
    }

    /// Never: a collection is not replaced.
    fn late_by_now(&self) -> Result<Option<Failure>, Failure> {
        Ok(None)
    }

    fn restore_late(&self, _dry_run: bool, _run_id: &str) -> Result<LateRestored, Failure> {
        Err(Failure::Usage(
            "`--late` is for jobs over files: a collection is never replaced".to_owned(),
            "leave it out, and name items, or `--run`, `--rule`, `--series`, `--since`".to_owned(),
        ))
    }

    async fn purgeable(&self, older_than: i64) -> Result<Purge, Failure> {
        let now = self.clock.micros();
        let (over, kept) = self.rows.purgeable(older_than, now).await.map_err(failed)?;
        Ok(Purge { rows: over.len() as u64, kept, ..Purge::default() })
    }

    async fn purge(&self, older_than: i64, run_id: &str) -> Result<Purge, Failure> {
        let now = self.clock.micros();
        let (over, kept) = self.rows.purgeable(older_than, now).await.map_err(failed)?;
        let purged = self.rows.purge(&over, &self.order(run_id)).await.map_err(failed)?.purged;
        Ok(Purge { rows: purged, kept, ..Purge::default() })
    }

    fn why_kept(&self) -> &'static str {
        "`[quarantine] keep`, or they were put back, or a removal of the last hour may still be under way in the server"
    }

    /// None: a server has a clock of its own.
    fn clock_doubt(&self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    fn text(&self, item: &Item) -> String {
        document_json(&item.raw)
    }

    async fn close(&self) {
        self.connection.close().await;
    }
}

/// Where a row of a plan is, as a person knows it.
fn locator(row: &PlanRow) -> String {
    match &row.at {
        Place::Id(hex) => from_hex(hex).map_or_else(String::new, |id| id::text(&id)),
        Place::Row { row, .. } => row.to_string(),
    }
}

/// Rows of earlier runs as rows of the table `actions`.
fn earlier(recovered: &[mongodb::Recovered], at: UtcMicros) -> Vec<ActionRow> {
    let row = |run: &str, row: &mongodb::RecoveredRow| ActionRow {
        finding_ids: row.finding_ids.clone(),
        quarantine_id: row.item.clone(),
        locator: row.locator.clone(),
        action: row.action,
        state: earlier_state(row.state),
        sha256: row.sha256.clone(),
        at,
        moved_by: Some(run.to_owned()),
    };
    recovered.iter().flat_map(|one| one.rows.iter().map(|of_run| row(&one.run_id, of_run))).collect()
}

/// What a failure of the quarantine means for the command.
fn failed(error: QuarantineError) -> Failure {
    match error {
        QuarantineError::Locked { .. } => Failure::Locked(error.to_string()),
        QuarantineError::Unfit { reason, remedy } => Failure::Refused(reason, remedy),
        error => error.into(),
    }
}
