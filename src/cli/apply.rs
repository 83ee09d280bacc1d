//! `barkeep apply`: carries out a plan, exactly or less.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;

use super::args::{ApplyArgs, Global};
use super::conclude::{Ending, RunMetaOf, conclude};
use super::exit::{Exit, Failure};
use super::job;
use super::open::{self, At, Opened};
use super::output::{self, Output, message};
use super::removal::{self, identity_of};
use super::stop::Stop;
use crate::engine::session::session;
use crate::quarantine::plan::{Plan, PlanError, SourceIdentity};
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::numbers::counted;
use crate::report::run::{RunStatus, StageSeconds};
use crate::report::utc::UtcMicros;

/// Runs the command.
pub(crate) async fn apply(global: &Global, args: &ApplyArgs, output: &mut Output) -> Result<Exit, Failure> {
    let plan = Plan::open(&args.plan).map_err(unusable)?;
    let again = format!("make a new one: barkeep plan {}", output::typed(&plan.head.job_file));
    if plan.head.expires_at < UtcMicros::from(Utc::now()) {
        return Err(Failure::Refused(format!("the plan expired at {}", plan.head.expires_at), again));
    }
    let loaded = Arc::new(job::load(&plan.head.job_file)?);
    if loaded.job.name != plan.head.job {
        let problem = format!("the plan is of job `{}`, and its file holds `{}` now", plan.head.job, loaded.job.name);
        return Err(Failure::Refused(problem, again));
    }
    given(&plan, args.confirm.as_deref(), &args.plan)?;
    let opened = open::look(&loaded).await?;
    let stop = Stop::listen()?;
    let ended = carried_out(global, &plan, &opened, args, &again, &stop, output).await;
    opened.close().await;
    match (ended, stop.signal()) {
        (Ok(_), Some(number)) => Err(stop.stopped(number)),
        (ended, _) => ended,
    }
}

async fn carried_out(
    global: &Global,
    plan: &Plan,
    opened: &Opened,
    args: &ApplyArgs,
    again: &str,
    stop: &Stop,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let context = session(&job::engine_limits(global))?;
    let program = Arc::new(job::program(opened, &context, &[])?);
    if program.rules.sha256 != plan.head.rules_sha256 {
        let problem = "the rules were changed since the plan was made".to_owned();
        return Err(Failure::Refused(problem, again.to_owned()));
    }
    same_source(plan, opened, again)?;
    removal::check_fit(opened).await?;
    let put_back = removal::put_back(opened, plan).await?;
    confirm(plan, args.confirm.as_deref(), &args.plan, put_back)?;
    let mut meta = RunMetaOf { command: "apply", loaded: &opened.loaded, window: (None, None) }.meta(Utc::now());
    meta.rules_sha256.clone_from(&program.rules.sha256);
    crate::report::check_writable(&opened.loaded.job.report_dir.resolved)?;
    let started = std::time::Instant::now();
    let done = removal::carry_out(opened, plan, meta.run_id.as_str(), stop).await?;
    let seconds = StageSeconds { apply: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
    let dir = &opened.loaded.job.report_dir.resolved;
    let collector = Collector::new(dir, program, meta, opened.file_names(), Previous::Unknown);
    let ending = Ending {
        status: RunStatus::Ok,
        exit: Exit::Ok,
        refusals: Vec::new(),
        not_evaluated: Vec::new(),
        next: Vec::new(),
        bytes: None,
    };
    conclude(opened, collector, ending, done, seconds, stop, output).await
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

/// Fails where the flag says something else than confirms the plan.
fn given(plan: &Plan, given: Option<&str>, path: &Path) -> Result<(), Failure> {
    match given {
        Some(given) if given != plan.confirmation() => {
            let problem = format!("`--confirm {given}` is not what this plan is confirmed with");
            Err(Failure::Refused(problem, format!("look at the plan again, then: {}", command(plan, path))))
        }
        _ => Ok(()),
    }
}

fn command(plan: &Plan, path: &Path) -> String {
    format!("barkeep apply {} --confirm {}", output::typed(path), plan.confirmation())
}

/// Wants the word of a person: on a terminal the number of rows, else the flag. Of rows that a person put back it says
/// that they leave again.
fn confirm(plan: &Plan, given: Option<&str>, path: &Path, put_back: u64) -> Result<(), Failure> {
    if put_back > 0 {
        let rows = counted(put_back, "row");
        message(&format!("warning: the plan takes {rows} that a person put back after it was taken before"));
    }
    if given.is_some() || plan.rows.is_empty() {
        return Ok(());
    }
    for refusal in &plan.head.refusals {
        message(&format!("over a limit: {refusal}"));
    }
    let rows = plan.rows.len() as u64;
    let mut what = format!("{} of `{}` would leave it for the quarantine", counted(rows, "row"), plan.head.job);
    if put_back > 0 {
        what.push_str(&format!(", {put_back} of them put back by a person"));
    }
    ask(&what, rows, &command(plan, path))
}

/// Asks a person on a terminal to type the number of rows; elsewhere `command` says how to confirm.
pub(super) fn ask(what: &str, rows: u64, command: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Refused(format!("{what}: that wants a confirmation"), format!("type: {command}")));
    }
    message(&format!("{what}. Type {rows} to go on:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == rows.to_string() {
        return Ok(());
    }
    Err(Failure::Refused("it was not confirmed; nothing was touched".to_owned(), format!("type: {command}")))
}
