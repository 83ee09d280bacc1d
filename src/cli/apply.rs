//! `barkeep apply`: carries out a plan, exactly or less.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use super::args::{ApplyArgs, Global};
use super::events::context;
use super::output::{Output, message};
use super::show::ended;
use super::signals;
use crate::quarantine::plan::Plan;
use crate::report::numbers::counted;
use crate::run::apply::open_plan;
use crate::run::shell::typed;
use crate::run::{self, Exit, Failure};

/// Runs the command.
pub(crate) async fn apply(global: &Global, args: &ApplyArgs, output: &mut Output) -> Result<Exit, Failure> {
    given(&open_plan(&args.plan)?, args.confirm.as_deref(), &args.plan)?;
    let context = context(global, signals::listen()?);
    let confirmed = |plan: &Plan, put_back| confirm(plan, args.confirm.as_deref(), &args.plan, put_back);
    ended(run::apply(&context, &args.plan, confirmed).await?, output)
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
    format!("barkeep apply {} --confirm {}", typed(path), plan.confirmation())
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
