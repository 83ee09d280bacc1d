//! From the rows that rules reject to what became of them: limits, the plan, and its application.

pub(crate) mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::context::Context;
use super::events::Stage;
use super::failure::Failure;
use super::ingest::Ingested;
use super::open::{At, Collected, Opened};
use crate::config::Action;
use crate::config::Job;
use crate::config::job::{MongoSource, Source};
use crate::decide::{self, MoveLimits, Refusal, RowTotals};
use crate::engine::program::Program;
use crate::quarantine::item::{RemovalCounts, State};
use crate::quarantine::mongodb::{self, Order, QuarantineError};
use crate::quarantine::plan::{Head, Place, Plan, PlanFile, PlanRow, PlanRule, SourceIdentity};
use crate::report::moves::MoveRow;
use crate::report::run::{ActionRow, RunMeta};
use crate::report::tally::Tally;
use crate::report::utc::UtcMicros;
use crate::source::mongodb::{CollectionInfo, Connection, id};
use crate::source::{self, FileIdentity, Original};

/// How long a plan holds unless the command says otherwise.
pub(crate) const PLAN_HOLDS: TimeDelta = TimeDelta::days(7);

/// What became of the rows of a plan.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Row by row.
    pub(crate) actions: Vec<ActionRow>,
    /// Rows of runs that were cut short before, finished by this one.
    pub(crate) recovered: Vec<ActionRow>,
    /// In all.
    pub(crate) counts: RemovalCounts,
    /// Why rows stay that could not be removed: the first of the reasons.
    pub(crate) why: Option<String>,
    /// What broke it off, or kept a part of it from being done.
    pub(crate) failure: Option<Failure>,
    /// What keeps nothing else from being done, and is reported at the end.
    pub(crate) pending: Option<Failure>,
}

impl Done {
    /// Takes a failure; of several the gravest decides how the command ends, and the others are logged.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure = Some(graver(self.failure.take(), failure));
    }

    /// The same of one that is reported at the end.
    fn tell_later(&mut self, failure: Failure) {
        self.pending = Some(graver(self.pending.take(), failure));
    }

    /// Rows that left the source, for this run and for earlier ones.
    pub(super) fn left(&self) -> u64 {
        let gone = |row: &&ActionRow| row.state == EARLIER_REMOVED;
        self.counts.removed + self.recovered.iter().filter(gone).count() as u64
    }

    /// Rows of which only a later look can tell.
    pub(super) fn open(&self) -> u64 {
        self.counts.open + self.recovered.iter().filter(|row| row.state == EARLIER_OPEN).count() as u64
    }
}

/// The graver of two failures; the other is logged.
pub(super) fn graver(before: Option<Failure>, failure: Failure) -> Failure {
    let Some(before) = before else { return failure };
    let (reported, logged) = match before.exit().worst(failure.exit()) == before.exit() {
        true => (before, failure),
        false => (failure, before),
    };
    tracing::error!("{}", logged.render(false));
    reported
}

/// The state, in the actions of a run, of a row that an earlier run was about to remove and that is gone.
const EARLIER_REMOVED: &str = "earlier_removed";
/// The same of one of which only a later look can tell.
pub(crate) const EARLIER_OPEN: &str = "earlier_open";

/// Every limit that moving `rows` rows breaks.
pub(crate) fn refusals(
    opened: &Opened,
    program: &Program,
    tally: &Tally,
    usual: Option<u64>,
    rows: usize,
) -> Vec<Refusal> {
    let limits = opened.loaded.job.limits;
    let limits = MoveLimits {
        rows: Some(limits.rows),
        fraction: Some(limits.fraction),
        series_fraction: Some(limits.series_fraction),
        usual,
    };
    let rules = program.rules.rules.iter().zip(&tally.rules);
    let rules = rules.map(|(rule, tally)| decide::RuleShare {
        rule: &rule.id,
        moves: rule.action > Action::Report,
        budget: rule.budget,
        flagged: tally.counts.rows.unsigned_abs(),
        evaluated: tally.counts.evaluated.unsigned_abs(),
    });
    // Rows that a person put back count as rejected, and are not moved.
    let totals = RowTotals { to_quarantine: rows as u64, to_delete: 0, ..tally.series.rows };
    decide::over_limits(&limits, &totals, tally.series.worst().as_ref(), rules)
}

/// What is known of a run when its plan is made.
pub(crate) struct Planned<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) program: &'a Program,
    pub(crate) meta: &'a RunMeta,
    pub(crate) job_file: &'a Path,
    pub(crate) ingested: &'a Ingested,
    pub(crate) read: u64,
    pub(crate) holds: TimeDelta,
}

impl Planned<'_> {
    /// The plan over `moves`, without the rows that a person put back and that nothing new rejects; and the limits
    /// it breaks, as `refused` tells of a number of rows.
    pub(crate) async fn plan(
        &self,
        moves: &[MoveRow],
        refused: impl Fn(usize) -> Vec<Refusal>,
    ) -> Result<(Plan, Vec<Refusal>), Failure> {
        let source = self.identity().await?;
        let originals = self.originals(moves).await?;
        let rows = moves.iter().enumerate().map(|(at, row)| plan_row(row, originals.get(at))).collect();
        drop(originals);
        let plan = Plan::new(self.head(source, moves.len()), rows)?;
        let exempt = match &self.opened.at {
            At::Collection(collection) => {
                quarantine_of(self.opened, collection)?.exempt(&plan).await.map_err(failed)?
            }
            At::Files(_) => files::exempt(self.opened, &plan)?,
        };
        if !exempt.is_empty() {
            tracing::info!(rows = exempt.len(), "rows that were put back stay: no other rule rejects them");
        }
        let Plan { mut head, rows, .. } = plan;
        let kept = rows.into_iter().enumerate().filter(|(index, _)| exempt.binary_search(index).is_err());
        let rows: Vec<PlanRow> = kept.map(|(_, row)| row).collect();
        head.rows = rows.len() as u64;
        let refusals = refused(rows.len());
        head.refusals = refusals.iter().map(ToString::to_string).collect();
        Ok((Plan::new(head, rows)?, refusals))
    }

    fn head(&self, source: SourceIdentity, rows: usize) -> Head {
        let rules = (0..=self.program.parse_error()).map(|index| match self.program.rules.rules.get(index) {
            Some(rule) => PlanRule { id: rule.id.to_string(), hash: rule.sha256.clone(), why: rule.why.clone() },
            None => PlanRule { id: self.program.rule_id(index).to_owned(), hash: String::new(), why: None },
        });
        Head {
            version: Head::VERSION,
            plan_id: self.meta.run_id.to_string(),
            job: self.program.job.clone(),
            job_file: self.job_file.to_path_buf(),
            rules_sha256: self.program.rules.sha256.clone(),
            rules: rules.collect(),
            source,
            read: self.read,
            rows: rows as u64,
            as_of: self.meta.started_at,
            expires_at: UtcMicros::from(Utc::now() + self.holds),
            refusals: Vec::new(),
        }
    }

    /// What the rows were in the source, in the same order; none where they were evaluated where they lie.
    async fn originals(&self, moves: &[MoveRow]) -> Result<Vec<Original>, Failure> {
        let Some(snapshot) = self.ingested.snapshot().map(Path::to_path_buf) else { return Ok(Vec::new()) };
        let places: Vec<(i32, i64)> = moves.iter().map(|row| (row.file, row.row)).collect();
        Ok(tokio::task::spawn_blocking(move || source::originals(&snapshot, &places)).await??)
    }

    async fn identity(&self) -> Result<SourceIdentity, Failure> {
        if let At::Collection(collection) = &self.opened.at {
            return Ok(identity_of(collection));
        }
        let identities = self.ingested.identities.clone();
        let files =
            tokio::task::spawn_blocking(move || identities.iter().map(plan_file).collect::<Result<Vec<_>, _>>());
        Ok(SourceIdentity::Files(files.await??))
    }
}

fn plan_row(row: &MoveRow, original: Option<&Original>) -> PlanRow {
    PlanRow {
        at: match original.and_then(|original| original.id.as_deref()) {
            Some(id) => Place::Id(id::to_hex(id)),
            None => Place::Row { file: row.file.unsigned_abs() as usize, row: row.row.unsigned_abs() },
        },
        sha256: original.map(|original| id::to_hex(&original.hash)),
        row_key: row.row_key.clone(),
        series: row.series.to_string(),
        time: row.time,
        action: row.action(),
        found: row.found.iter().map(|found| (found.rule, found.finding_id.clone())).collect(),
    }
}

/// Which collection it is.
pub(crate) fn identity_of(collection: &Collected) -> SourceIdentity {
    SourceIdentity::Mongodb {
        server: collection.connection.redacted().to_owned(),
        namespace: collection.info.namespace.clone(),
        uuid: id::to_hex(&collection.info.uuid),
    }
}

/// A file as it was read; one that was not read to its end is hashed now, and has to be the same still.
fn plan_file(identity: &FileIdentity) -> Result<PlanFile, Failure> {
    let sha256 = match identity.sha256 {
        Some(sha256) => sha256.to_vec(),
        None => {
            let mut hash = Sha256::new();
            std::io::copy(&mut std::fs::File::open(&identity.path)?, &mut hash)?;
            identity.verify_unchanged()?;
            hash.finalize().to_vec()
        }
    };
    Ok(PlanFile {
        name: identity.path.display().to_string(),
        path: std::path::absolute(&identity.path)?,
        device: identity.device,
        inode: identity.inode,
        length: identity.length,
        sha256: id::to_hex(&sha256),
    })
}

/// Where a plan is written unless the command says otherwise.
pub(crate) fn plan_path(report_dir: &Path, run_id: &str) -> PathBuf {
    report_dir.join("plans").join(format!("{run_id}.plan"))
}

/// The collection of a job as one that rows are moved in.
pub(crate) fn quarantine_of(opened: &Opened, collection: &Collected) -> Result<mongodb::Collection, Failure> {
    let job = &opened.loaded.job;
    let Source::Mongodb(source) = &job.source else {
        return Err(Failure::Broken("bug: a collection was opened for a job over files".into()));
    };
    Ok(collection_of(job, source, collection.connection.clone(), &collection.info))
}

/// The collection that `source` names as one that rows are moved in.
pub(crate) fn collection_of(
    job: &Job,
    source: &MongoSource,
    connection: Arc<Connection>,
    info: &CollectionInfo,
) -> mongodb::Collection {
    let quarantine = job.quarantine.collection.as_deref();
    mongodb::Collection::new(connection, info, &source.database, &source.collection, quarantine)
}

/// The run, as its rows are marked.
pub(crate) fn order<'a>(job: &'a Job, run_id: &'a str) -> Order<'a> {
    let (keep, keep_deleted) = retention(job);
    Order { run_id, job: &job.name, keep, keep_deleted }
}

/// How long a row is kept whose rule quarantines it, and one whose rule deletes it, µs.
fn retention(job: &Job) -> (i64, i64) {
    // A hundred thousand years and more are all the same.
    let micros = |span: TimeDelta| span.num_microseconds().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    (micros(job.quarantine.keep), micros(job.quarantine.keep_deleted))
}

/// Fails where rows of the source must not be moved at all; nothing is touched.
pub(crate) async fn check_fit(opened: &Opened) -> Result<(), Failure> {
    let At::Collection(collection) = &opened.at else { return Ok(()) };
    let Source::Mongodb(source) = &opened.loaded.job.source else { return Ok(()) };
    quarantine_of(opened, collection)?.check_fit(&collection.info, source.allow_sharded).await.map_err(failed)
}

/// Finishes what runs of the job before left open, where its rows may be moved at all. What was done by then is reported
/// also where that broke off.
pub(crate) async fn recover(opened: &Opened, run_id: &str, context: &Context) -> Done {
    if let Err(failure) = check_fit(opened).await {
        return Done { failure: Some(failure), ..Done::default() };
    }
    let done = match &opened.at {
        At::Collection(collection) => match quarantine_of(opened, collection) {
            Ok(quarantine) => {
                let (recovered, result) = quarantine.recover(&order(&opened.loaded.job, run_id)).await;
                Done { recovered: earlier(&recovered), failure: result.err().map(failed), ..Done::default() }
            }
            Err(failure) => Done { failure: Some(failure), ..Done::default() },
        },
        At::Files(_) => files::recover(opened),
    };
    context.stop.left(done.left(), done.open());
    done
}

/// Rows of earlier runs as rows of the table `actions`.
fn earlier(recovered: &[mongodb::Recovered]) -> Vec<ActionRow> {
    let at = UtcMicros::from(Utc::now());
    let row = |row: &mongodb::RecoveredRow| ActionRow {
        finding_ids: row.finding_ids.clone(),
        quarantine_id: row.item.clone(),
        locator: row.locator.clone(),
        action: row.action,
        state: earlier_state(row.state),
        sha256: row.sha256.clone(),
        at,
    };
    recovered.iter().flat_map(|one| &one.rows).map(row).collect()
}

/// The state, in the actions of a run, of a row that an earlier run was about to remove; `None` where only a later look
/// can tell.
fn earlier_state(state: Option<State>) -> String {
    match state {
        Some(State::Removed) => EARLIER_REMOVED.to_owned(),
        Some(state) => format!("earlier_{}", state.as_str()),
        None => EARLIER_OPEN.to_owned(),
    }
}

/// How many rows of a plan a person put back.
pub(crate) async fn put_back(opened: &Opened, plan: &Plan) -> Result<u64, Failure> {
    match &opened.at {
        At::Collection(collection) => quarantine_of(opened, collection)?.put_back(plan).await.map_err(failed),
        At::Files(_) => Ok(files::exempt(opened, plan)?.len() as u64),
    }
}

/// Carries out a plan.
pub(crate) async fn carry_out(opened: &Opened, plan: &Plan, run_id: &str, context: &Context) -> Result<Done, Failure> {
    let done = match &opened.at {
        At::Collection(collection) => {
            let quarantine = quarantine_of(opened, collection)?;
            let progress = context.begin(&plan.head.job, Stage::Moving, Some(plan.rows.len() as u64));
            let stopped = || context.stop.signal().is_some();
            let order = order(&opened.loaded.job, run_id);
            let (applied, result) = quarantine.apply(plan, &order, &stopped, &mut |rows| progress.at(rows)).await;
            let at = UtcMicros::from(Utc::now());
            let action = |end: &mongodb::Ended| action(plan, &plan.rows[end.index], &end.item, end.word, at);
            Done {
                actions: applied.ends.iter().map(action).collect(),
                recovered: earlier(&applied.recovered),
                counts: applied.counts,
                why: applied.ends.iter().find_map(|end| end.why.clone()),
                failure: result.err().map(failed),
                pending: None,
            }
        }
        // Nothing else is under way in this process.
        At::Files(set) => tokio::task::block_in_place(|| files::carry_out(opened, set, plan, run_id, &context.stop)),
    };
    context.stop.left(done.left(), done.open());
    Ok(done)
}

/// A row of the table `actions`.
fn action(plan: &Plan, row: &PlanRow, item: &str, state: &str, at: UtcMicros) -> ActionRow {
    let locator = match &row.at {
        Place::Id(hex) => id::from_hex(hex).map_or_else(String::new, |id| id::text(&id)),
        Place::Row { file, row } => match &plan.head.source {
            SourceIdentity::Files(files) => {
                let path = files.get(*file).map_or("", |file| file.name.as_str());
                format!("{path}:{row}")
            }
            SourceIdentity::Mongodb { .. } => row.to_string(),
        },
    };
    ActionRow {
        finding_ids: row.found.iter().map(|(_, finding)| finding.clone()).collect(),
        quarantine_id: item.to_owned(),
        locator,
        action: row.action,
        state: state.to_owned(),
        sha256: row.sha256.clone().unwrap_or_default(),
        at,
    }
}

/// What a failure of the quarantine means for the run.
pub(crate) fn failed(error: QuarantineError) -> Failure {
    match error {
        QuarantineError::Locked { .. } => Failure::Locked(error.to_string()),
        QuarantineError::Unfit { reason, remedy } => Failure::Refused(reason, remedy),
        error => error.into(),
    }
}
