//! From the rows that rules reject to what became of them: limits, the plan, and its application.

mod done;

use std::path::{Path, PathBuf};

use chrono::TimeDelta;

pub(crate) use self::done::{Done, EARLIER_OPEN, action, earlier_state, more_severe, retention};
use super::context::Context;
use super::failure::Failure;
use super::ingest::Ingested;
use super::lock;
use super::moving::Mark;
use super::open::Opened;
use super::options::IfLocked;
use super::unreported;
use crate::decide::{self, Action, MoveLimits, Refusal};
use crate::durable::hex;
use crate::engine::program::Program;
use crate::quarantine::item::Exempt;
use crate::quarantine::plan::{Head, Place, Plan, PlanRow, PlanRule, SourceIdentity};
use crate::report::moves::MoveRow;
use crate::report::run::RunMeta;
use crate::report::tally::Tally;
use crate::source::Original;
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
    pub(crate) ingested: &'a Ingested,
    pub(crate) read: u64,
    pub(crate) expires_at: UtcMicros,
}

impl Planned<'_> {
    /// Which of `moves` a person put back after they were taken before, and nothing new rejects: they stay.
    pub(crate) async fn kept(&self, moves: &[MoveRow]) -> Result<Vec<Exempt>, Failure> {
        if moves.is_empty() {
            return Ok(Vec::new());
        }
        let removal = self.opened.source.removal()?;
        if !removal.any_restored().await? {
            return Ok(Vec::new());
        }
        let named = self.opened.source.named_source(self.ingested);
        removal.exempt(&Plan::new(self.head(named, moves.len()), self.rows(moves).await?)?).await
    }

    /// The plan over `moves`, with the limits it breaks.
    pub(crate) async fn plan(&self, moves: &[MoveRow], refusals: &[Refusal]) -> Result<Plan, Failure> {
        let mut head = self.head(self.opened.source.identity(self.ingested).await?, moves.len());
        head.refusals = refusals.iter().map(ToString::to_string).collect();
        Ok(Plan::new(head, self.rows(moves).await?)?)
    }

    async fn rows(&self, moves: &[MoveRow]) -> Result<Vec<PlanRow>, Failure> {
        let originals = self.originals(moves).await?;
        Ok(moves.iter().enumerate().map(|(at, row)| plan_row(row, originals.get(at))).collect())
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
            job_file: self.opened.loaded.job_file.clone(),
            rules_sha256: self.program.rules.sha256.clone(),
            rules: rules.collect(),
            source,
            read: self.read,
            rows: rows as u64,
            as_of: self.meta.started_at,
            expires_at: self.expires_at,
            refusals: Vec::new(),
        }
    }

    /// What the rows were in the source, in the same order; none where they were evaluated where they lie.
    async fn originals(&self, moves: &[MoveRow]) -> Result<Vec<Original>, Failure> {
        let places = moves.iter().map(|row| (row.file, row.row)).collect();
        self.opened.source.originals(self.ingested, places).await
    }
}

fn plan_row(row: &MoveRow, original: Option<&Original>) -> PlanRow {
    PlanRow {
        at: match original.and_then(|original| original.id.as_deref()) {
            Some(id) => Place::Id(hex(id)),
            None => Place::Row { file: row.file.unsigned_abs() as usize, row: row.row.unsigned_abs() },
        },
        stands: original.and_then(|original| original.position).map(|position| position.to_string()),
        sha256: original.map(|original| hex(&original.hash)),
        row_key: row.row_key.clone(),
        series: row.series.to_string(),
        time: row.time,
        action: row.action(),
        found: row.found.iter().map(|found| (found.rule, found.finding_id.clone())).collect(),
    }
}

/// Where a plan is written unless the command says otherwise.
pub(crate) fn plan_path(report_dir: &Path, run_id: &str) -> PathBuf {
    report_dir.join("plans").join(format!("{run_id}.plan"))
}

/// Finishes what runs of the job before left open, where its rows may be moved at all. What was done by then is reported
/// also where that broke off.
pub(crate) async fn recover(opened: &Opened, run_id: &str, (context, if_locked): (&Context, IfLocked)) -> Done {
    let recovered = async || Ok(recover_once(opened, run_id).await);
    let done = lock::over_source(context, if_locked, recovered).await;
    let mut done = done.unwrap_or_else(|failure| Done { failure: Some(failure), ..Done::default() });
    context.stop.left(done.left(), done.open());
    if done.failure.is_none() {
        add_unreported(opened, run_id, context, &mut done).await;
    }
    done
}

async fn recover_once(opened: &Opened, run_id: &str) -> Done {
    match opened.source.removal() {
        Ok(removal) => match removal.check_fit().await {
            Ok(()) => removal.recover(run_id).await,
            Err(failure) => Done { failure: Some(failure), ..Done::default() },
        },
        Err(failure) => Done { failure: Some(failure), ..Done::default() },
    }
}

/// Carries out a plan.
pub(crate) async fn carry_out(
    opened: &Opened,
    plan: &Plan,
    run_id: &str,
    (context, if_locked): (&Context, IfLocked),
) -> Result<Done, Failure> {
    let removal = opened.source.removal()?;
    let mark = Mark::set(&opened.loaded.job, run_id)?;
    let carried_out = async || removal.carry_out(plan, run_id, context).await;
    let done = lock::over_source(context, if_locked, carried_out).await;
    match done {
        Ok(mut done) => {
            context.stop.left(done.left(), done.open());
            done.marks.push(mark);
            Ok(done)
        }
        // Nothing was touched.
        Err(failure) => {
            mark.take_away();
            Err(failure)
        }
    }
}

/// Adds what runs before moved and did not report. Where that cannot be read now, the next run reports it.
pub(crate) async fn add_unreported(opened: &Opened, run_id: &str, context: &Context, done: &mut Done) {
    let added = match opened.source.removal() {
        Ok(removal) => unreported::add(opened, &*removal, run_id, done).await,
        Err(failure) => Err(failure),
    };
    match added {
        Ok(notes) => notes.iter().for_each(|note| context.note(note)),
        Err(failure) => {
            let reason = failure.render(false);
            context.note(&format!(
                "warning: rows that runs before moved and did not report are named by the next run: {reason}"
            ));
        }
    }
}
