//! Moving rows of files: one file after the other, each replaced whole.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::exempt;
use super::of_job::{FilesOfJob, failed};
use super::one_file::{OfFile, Work, reported};
use crate::quarantine::files;
use crate::quarantine::item::{Exempt, Item, State};
use crate::quarantine::plan::{Place, Plan, PlanRow, SourceIdentity};
use crate::report::run::ActionRow;
use crate::run::context::Context;
use crate::run::failure::Failure;
use crate::run::quarantine::Removal;
use crate::run::quarantine::contract::{Note, left};
use crate::run::removal::{Done, earlier_state};
use crate::run::stop::Stop;
use crate::source::FilesSet;
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// What moves rows of files.
pub(crate) struct FilesRemoval<'a> {
    pub(crate) of_job: &'a FilesOfJob,
    /// The files that were found.
    pub(crate) set: &'a FilesSet,
}

/// What to do where no row can leave files.
pub(crate) const MOVABLE: &str = "keep the bars as CSV, NDJSON or Parquet files to move their rows, or write them \
                                  without the rejected rows: barkeep extract JOB -o DIR --clean";

#[async_trait]
impl Removal for FilesRemoval<'_> {
    /// Each file is looked at when its rows are to leave; here only whether rows of such files can leave at all.
    async fn check_fit(&self) -> Result<(), Failure> {
        let Some(reason) = self.set.check_only() else { return Ok(()) };
        let help = format!("nothing was touched; {MOVABLE}");
        Err(Failure::Refused(format!("no row can leave this source: {reason}"), help))
    }

    async fn recover(&self, _run_id: &str) -> Done {
        self.recovered()
    }

    async fn moved(&self, note: &Note<'_>) -> Result<Vec<(String, i64)>, Failure> {
        let listed = files::items(self.of_job.place()).map_err(failed)?;
        for error in &listed.damaged {
            note(&format!("warning: left out: {error}"));
        }
        Ok(left(listed.items))
    }

    async fn rows_of(&self, run: &str) -> Result<Vec<Item>, Failure> {
        let listed = files::items(self.of_job.place()).map_err(failed)?;
        Ok(listed.items.into_iter().filter(|item| item.run_id == run).collect())
    }

    async fn any_restored(&self) -> Result<bool, Failure> {
        exempt::any_restored(self.of_job)
    }

    async fn exempt(&self, plan: &Plan) -> Result<Vec<Exempt>, Failure> {
        exempt::exempt(self.of_job, plan)
    }

    async fn put_back(&self, plan: &Plan) -> Result<u64, Failure> {
        Ok(exempt::exempt(self.of_job, plan)?.len() as u64)
    }

    async fn carry_out(&self, plan: &Plan, run_id: &str, context: &Context) -> Result<Done, Failure> {
        // Nothing of the job is under way besides; what else the program does goes on where there are threads for it.
        let work = || self.carried_out(plan, run_id, &context.stop);
        Ok(match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
            _ => work(),
        })
    }

    /// Also how much disk the old files take that are kept whole.
    fn what_moves(&self, plan: &Plan) -> String {
        let mut text = format!("move {} to quarantine", counted(plan.rows.len() as u64, "row"));
        if let SourceIdentity::Files(sources) = &plan.head.source {
            let of_plan = |number: &usize| {
                plan.rows.iter().any(|row| matches!(&row.at, Place::Row { file, .. } if file == number))
            };
            let lengths: Vec<u64> = (0..sources.len()).filter(of_plan).map(|number| sources[number].length).collect();
            let kib = lengths.iter().sum::<u64>().div_ceil(1024);
            text.push_str(&format!("; {} kept whole, {kib} KiB", counted(lengths.len() as u64, "old file")));
        }
        text
    }
}

impl FilesRemoval<'_> {
    /// Finishes what was cut short before, and looks for rows that came late. What cannot be finished keeps no other file
    /// from being worked on.
    fn recovered(&self) -> Done {
        let of_job = self.of_job;
        let mut done = Done::default();
        match of_job.recover() {
            Ok(recovery) => add_recovered(recovery, of_job.clock.micros(), &mut done),
            Err(error) => done.fail(failed(error)),
        }
        match of_job.late() {
            Ok(late) => late.into_iter().for_each(|failure| done.report_later(failure)),
            Err(error) => done.report_later(failed(error)),
        }
        done
    }

    /// Carries out `plan`. A file that cannot be worked on keeps no other from it; one that others write to is tried again
    /// when the others are done.
    fn carried_out(&self, plan: &Plan, run_id: &str, stop: &Stop) -> Done {
        let Self { of_job, set } = *self;
        let mut done = Done::default();
        done.counts.planned = plan.rows.len() as u64;
        match of_job.recover() {
            Ok(recovery) => add_recovered(recovery, of_job.clock.micros(), &mut done),
            Err(error) => done.fail(failed(error)),
        }
        let SourceIdentity::Files(sources) = &plan.head.source else { return done };
        let of_file = |number: usize| {
            let is_of = move |row: &&PlanRow| matches!(&row.at, Place::Row { file, .. } if *file == number);
            plan.rows.iter().filter(is_of).collect::<Vec<_>>()
        };
        let files =
            sources.iter().enumerate().map(|(number, file)| OfFile { file, rows: of_file(number), outcome: None });
        let mut files: Vec<OfFile<'_>> = files.filter(|of_file| !of_file.rows.is_empty()).collect();
        let work = Work { of_job, set, plan, run_id, stop };
        let started = Instant::now();
        for of_file in &mut files {
            of_file.outcome = Some(work.remove_rows(of_file, Duration::ZERO, &mut done));
        }
        let until = started + FilesOfJob::writer_timeout();
        for of_file in &mut files {
            let left = until.saturating_duration_since(Instant::now());
            if of_file.outcome.as_ref().is_some_and(|outcome| outcome.busy) && !left.is_zero() {
                of_file.outcome = Some(work.remove_rows(of_file, left, &mut done));
            }
        }
        for of_file in &files {
            reported(plan, of_file, UtcMicros(of_job.clock.micros()), &mut done);
        }
        let late = if done.counts.removed > 0 { of_job.late_by_now() } else { of_job.late() };
        match late {
            Ok(late) => late.into_iter().for_each(|failure| done.report_later(failure)),
            Err(error) => done.report_later(failed(error)),
        }
        done
    }
}

/// Takes over what recovery came to.
fn add_recovered(recovery: files::Recovery, at: i64, done: &mut Done) {
    let at = UtcMicros(at);
    let row = |item: &Item| ActionRow {
        finding_ids: item.reasons.iter().map(|reason| reason.finding_id.clone()).collect(),
        quarantine_id: item.id.clone(),
        locator: format!("{}:{}", item.source, item.locator),
        action: item.action,
        state: earlier_state((item.state != State::Removing).then_some(item.state)),
        sha256: item.sha256.clone(),
        at,
        moved_by: Some(item.run_id.clone()),
    };
    done.recovered.extend(recovery.done.iter().flat_map(|one| &one.items).map(row));
    recovery.failed.into_iter().for_each(|error| done.report_later(failed(error)));
}
