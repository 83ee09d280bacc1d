//! Carrying out a plan: exactly, or less.

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;

use super::conclude::{Ended, Ending, RunMetaOf, conclude};
use super::context::Context;
use super::failure::{Exit, Failure};
use super::job;
use super::open::{self, At, Opened};
use super::removal::{self, identity_of};
use super::shell::typed;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::quarantine::plan::{Plan, PlanError, SourceIdentity};
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::run::{RunStatus, StageSeconds};
use crate::report::utc::UtcMicros;

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
    let plan = open_plan(path)?;
    let again = again(&plan);
    let loaded = Arc::new(job::load(&plan.head.job_file)?);
    if loaded.job.name != plan.head.job {
        let problem = format!("the plan is of job `{}`, and its file holds `{}` now", plan.head.job, loaded.job.name);
        return Err(Failure::Refused(problem, again));
    }
    let opened = open::look(&loaded).await?;
    let ended = async {
        let (program, put_back) = still_good(context, &plan, &opened, &again).await?;
        confirm(&plan, put_back)?;
        carried_out(context, &plan, &opened, program).await
    };
    let ended = ended.await;
    opened.close().await;
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
    same_source(plan, opened, again)?;
    removal::check_fit(opened).await?;
    let put_back = removal::put_back(opened, plan).await?;
    Ok((program, put_back))
}

async fn carried_out(context: &Context, plan: &Plan, opened: &Opened, program: Arc<Program>) -> Result<Ended, Failure> {
    let mut meta = RunMetaOf { command: "apply", loaded: &opened.loaded, window: (None, None) }.meta(Utc::now());
    meta.rules_sha256.clone_from(&program.rules.sha256);
    crate::report::check_writable(&opened.loaded.job.report_dir.resolved)?;
    let started = std::time::Instant::now();
    let done = removal::carry_out(opened, plan, meta.run_id.as_str(), context).await?;
    let seconds = StageSeconds { apply: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    let dir = &opened.loaded.job.report_dir.resolved;
    let collector = Collector::new(dir, program, meta, opened.file_names(), Previous::Unknown);
    conclude(opened, collector, Ending::new(RunStatus::Ok, Exit::Ok), done, seconds, &context.stop).await
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

fn same_source(plan: &Plan, opened: &Opened, again: &str) -> Result<(), Failure> {
    let refused = |problem: String| Err(Failure::Refused(problem, again.to_owned()));
    match (&plan.head.source, &opened.at) {
        (SourceIdentity::Mongodb { namespace, uuid, server }, At::Collection(collection)) => {
            let SourceIdentity::Mongodb { namespace: now, uuid: now_uuid, server: now_server } =
                identity_of(collection)
            else {
                return refused("the plan is of another source".to_owned());
            };
            if *server != now_server {
                return refused(format!("the plan is of {server}, and the job reads {now_server} now"));
            }
            if (namespace, uuid) == (&now, &now_uuid) {
                return Ok(());
            }
            if *namespace == now {
                return refused(format!("`{now}` was dropped and made again since the plan was made"));
            }
            refused(format!("the plan is of `{namespace}`, and the job reads `{now}` now"))
        }
        (SourceIdentity::Files(files), At::Files(set)) => match removal::files::same_files(files, set) {
            true => Ok(()),
            false => refused("the job reads other files than the plan is of".to_owned()),
        },
        _ => refused("the plan is of another kind of source".to_owned()),
    }
}
