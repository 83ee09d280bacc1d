//! From the rows that rules reject to what became of them: limits, the plan, and its application.

mod done;
pub(crate) mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use sha2::{Digest, Sha256};

pub(crate) use self::done::{Done, EARLIER_OPEN, more_severe};
use self::done::{action, earlier_state, retention};
use super::context::Context;
use super::events::Stage;
use super::failure::Failure;
use super::ingest::Ingested;
use super::open::{At, Collected, Opened};
use crate::config::Job;
use crate::config::job::{MongoSource, Source};
use crate::decide::{self, Action, MoveLimits, Refusal};
use crate::durable::paths;
use crate::engine::program::Program;
use crate::quarantine::mongodb::{self, Order, QuarantineError};
use crate::quarantine::plan::{Head, Place, Plan, PlanFile, PlanRow, PlanRule, SourceIdentity};
use crate::report::moves::MoveRow;
use crate::report::run::{ActionRow, RunMeta};
use crate::report::tally::Tally;
use crate::source::mongodb::{CollectionInfo, Connection, id};
use crate::source::{self, FileIdentity, Original};
use crate::text::utc::UtcMicros;

/// How long a plan holds unless the command says otherwise.
pub(crate) const PLAN_HOLDS: TimeDelta = TimeDelta::days(7);

/// Every limit that the run breaks by what it is to move.
pub(crate) fn refusals(opened: &Opened, program: &Program, tally: &Tally, usual: Option<u64>) -> Vec<Refusal> {
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
        // What a person put back was looked at: it says nothing against the rule.
        flagged: (tally.counts.rows - tally.kept).unsigned_abs(),
        evaluated: tally.counts.evaluated.unsigned_abs(),
    });
    decide::over_limits(&limits, &tally.series.rows, tally.series.worst().as_ref(), rules)
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
    /// Which of `moves` a person put back after they were taken before, and nothing new rejects: they stay.
    pub(crate) async fn kept(&self, moves: &[MoveRow]) -> Result<Vec<usize>, Failure> {
        if moves.is_empty() || !any_restored(self.opened).await? {
            return Ok(Vec::new());
        }
        let plan = Plan::new(self.head(self.names(), moves.len()), self.rows(moves).await?)?;
        match &self.opened.at {
            At::Collection(collection) => quarantine_of(self.opened, collection)?.exempt(&plan).await.map_err(failed),
            At::Files(_) => files::exempt(self.opened, &plan),
        }
    }

    /// The plan over `moves`, with the limits it breaks.
    pub(crate) async fn plan(&self, moves: &[MoveRow], refusals: &[Refusal]) -> Result<Plan, Failure> {
        let mut head = self.head(self.identity().await?, moves.len());
        head.refusals = refusals.iter().map(ToString::to_string).collect();
        Ok(Plan::new(head, self.rows(moves).await?)?)
    }

    async fn rows(&self, moves: &[MoveRow]) -> Result<Vec<PlanRow>, Failure> {
        let originals = self.originals(moves).await?;
        Ok(moves.iter().enumerate().map(|(at, row)| plan_row(row, originals.get(at))).collect())
    }

    /// The source by its names alone: what it holds is not looked at.
    fn names(&self) -> SourceIdentity {
        match &self.opened.at {
            At::Collection(collection) => identity_of(collection),
            At::Files(_) => SourceIdentity::Files(
                self.ingested.identities.iter().map(|file| named_file(file, String::new())).collect(),
            ),
        }
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
    Ok(named_file(identity, id::to_hex(&sha256)))
}

fn named_file(identity: &FileIdentity, sha256: String) -> PlanFile {
    PlanFile {
        name: identity.path.display().to_string(),
        // A working folder that is gone cannot make a path absolute: then the path stays as it is.
        path: paths::absolute(&identity.path).unwrap_or_else(|_| identity.path.clone()),
        device: identity.device,
        inode: identity.inode,
        length: identity.length,
        sha256,
    }
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

/// Whether a person put any row of the source back.
async fn any_restored(opened: &Opened) -> Result<bool, Failure> {
    match &opened.at {
        At::Collection(collection) => quarantine_of(opened, collection)?.any_restored().await.map_err(failed),
        At::Files(_) => files::any_restored(opened),
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

/// What a failure of the quarantine means for the run.
pub(crate) fn failed(error: QuarantineError) -> Failure {
    match error {
        QuarantineError::Locked { .. } => Failure::Locked(error.to_string()),
        QuarantineError::Unfit { reason, remedy } => Failure::Refused(reason, remedy),
        error => error.into(),
    }
}
