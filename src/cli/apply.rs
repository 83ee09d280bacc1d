//! `barkeep apply`: carries out a plan, exactly or less.

use std::io::{self, BufRead, IsTerminal};

use super::args::{ApplyArgs, Global};
use super::events::context;
use super::log::message;
use super::output::Output;
use super::show;
use super::signals;
use crate::run::{Exit, Failure, Plan};
use crate::text::numbers::counted;

/// Runs the command.
pub(crate) async fn apply(global: &Global, args: &ApplyArgs, output: &mut Output) -> Result<Exit, Failure> {
    let context = context(global, signals::listen()?);
    let plan = Plan::open(&context, &args.plan)?;
    args.confirm.as_deref().map_or(Ok(()), |given| plan.check_confirmation(given))?;
    let review = tokio::select! {
        review = plan.review() => review?,
        number = context.stop.wait() => return Err(context.stop.stopped(number)),
    };
    confirm(&plan, args.confirm.is_some(), review.put_back)?;
    show::result(plan.apply(&plan.confirmation()).await?, None, output)
}

/// Wants the word of a person: on a terminal the number of rows, else the flag. Of rows that a person put back it says
/// that they leave again.
fn confirm(plan: &Plan, confirmed: bool, put_back: u64) -> Result<(), Failure> {
    if put_back > 0 {
        let rows = counted(put_back, "row");
        message(&format!("warning: the plan takes {rows} that a person put back after it was taken before"));
    }
    let rows = plan.rows().len() as u64;
    if confirmed || rows == 0 {
        return Ok(());
    }
    for refusal in plan.refusals() {
        message(&format!("over a limit: {refusal}"));
    }
    let mut what = format!("{} of `{}` would leave it for the quarantine", counted(rows, "row"), plan.job());
    if put_back > 0 {
        what.push_str(&format!(", {put_back} of them put back by a person"));
    }
    ask(&what, rows, &plan.command())
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
