//! Carrying out a plan: exactly, or less.

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;

use super::conclude::{Ended, Ending, RunMetaOf, conclude};
use super::context::Context;
use super::failure::{Exit, Failure};
use super::job;
use super::load::load;
use super::open::{self, Opened};
use super::peak::Peak;
use super::removal;
use super::shell::typed;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::quarantine::plan::{Plan, PlanError};
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::run::{RunStatus, StageSeconds};
use crate::text::utc::UtcMicros;

/// Carries out the plan in `path`. Before anything is touched, `confirm` is asked with the plan and the number of its
/// rows that a person put back after they were taken before.
///
/// # Errors
/// The plan is not usable, was not confirmed, or its source is not what it was; nothing was touched. What fails later is
/// part of the report.
pub async fn apply(
    context: &Context,
    path: &Path,
    confirm: impl FnOnce(&Plan, u64) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    let peak = Peak::begin();
    let plan = open_plan(path)?;
    let again = again(&plan);
    let loaded = Arc::new(load(&plan.head.job_file)?);
    if loaded.job.name != plan.head.job {
        let problem = format!("the plan is of job `{}`, and its file holds `{}` now", plan.head.job, loaded.job.name);
        return Err(Failure::Refused(problem, again));
    }
    let opened = open::look(&loaded).await?;
    let ended = async {
        let (program, put_back) = still_good(context, &plan, &opened, &again).await?;
        confirm(&plan, put_back)?;
        carried_out(context, &plan, &opened, (program, peak)).await
    };
    let ended = ended.await;
    opened.source.close().await;
    match (ended, context.stop.signal()) {
        (Ok(ended), Some(number)) => Ok(Ended { failure: Some(context.stop.stopped(number)), ..ended }),
        (ended, _) => ended,
    }
}

/// Opens a plan that has not expired.
///
/// # Errors
/// It cannot be read, was changed, or expired.
pub(crate) fn open_plan(path: &Path) -> Result<Plan, Failure> {
    let plan = Plan::open(path).map_err(unusable)?;
    if plan.head.expires_at < UtcMicros::from(Utc::now()) {
        let problem = format!("the plan expired at {}", plan.head.expires_at);
        return Err(Failure::Refused(problem, again(&plan)));
    }
    Ok(plan)
}

fn again(plan: &Plan) -> String {
    format!("make a new one: barkeep plan {}", typed(&plan.head.job_file))
}

/// Fails where rules or source are not those of the plan any more; else gives the rules, and how many rows a person put
/// back.
async fn still_good(
    context: &Context,
    plan: &Plan,
    opened: &Opened,
    again: &str,
) -> Result<(Arc<Program>, u64), Failure> {
    let program = Arc::new(job::program(opened, &session(&context.limits())?, &[])?);
    if program.rules.sha256 != plan.head.rules_sha256 {
        let problem = "the rules were changed since the plan was made".to_owned();
        return Err(Failure::Refused(problem, again.to_owned()));
    }
    opened.source.check_same(&plan.head.source).map_err(|problem| Failure::Refused(problem, again.to_owned()))?;
    let removal = opened.source.removal()?;
    removal.check_fit().await?;
    Ok((program, removal.put_back(plan).await?))
}

async fn carried_out(
    context: &Context,
    plan: &Plan,
    opened: &Opened,
    (program, peak): (Arc<Program>, Peak),
) -> Result<Ended, Failure> {
    let mut meta = RunMetaOf { command: "apply", loaded: &opened.loaded, window: (None, None) }.meta(Utc::now());
    meta.rules_sha256.clone_from(&program.rules.sha256);
    crate::report::check_writable(&opened.loaded.job.report_dir.resolved)?;
    let started = std::time::Instant::now();
    let done = removal::carry_out(opened, plan, meta.run_id.as_str(), context).await?;
    let seconds = StageSeconds { apply: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    let dir = &opened.loaded.job.report_dir.resolved;
    let collector = Collector::new(dir, program, meta, opened.source.file_names(), Previous::Unknown);
    let ending = Ending { peak, ..Ending::new(RunStatus::Ok, Exit::Ok) };
    conclude(opened, collector, ending, done, seconds, &context.stop).await
}

fn unusable(error: PlanError) -> Failure {
    let help = "`barkeep plan JOB` makes a plan".to_owned();
    match error {
        PlanError::Read { .. } | PlanError::Malformed { .. } => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::Usage(format!("{error}{cause}"), help)
        }
        error => Failure::Refused(error.to_string(), help),
    }
}
