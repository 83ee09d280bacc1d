//! What to type behind a check, a plan or a run.

use super::job::Job;
use super::open::Opened;
use super::options::{Goal, Order};
use super::shell::typed;
use crate::report::run::NextStep;
use crate::report::tally::Tally;

/// The commands that show more of a run, or go on from it; `refused` where it is over a limit.
pub(super) fn next(job: &Job, order: &Order, opened: &Opened, tally: &Tally, refused: bool) -> Vec<NextStep> {
    let step = |command: String, note: &str| NextStep { command, note: (!note.is_empty()).then(|| note.to_owned()) };
    let mut next = Vec::new();
    if order.options.report {
        next.push(step(format!("barkeep report show --dir {}", typed(job.report_dir())), "the findings, one by one"));
    }
    let path = typed(&job.path);
    if tally.series.rows.moved() > 0 {
        match order.goal {
            Goal::Check if refused => {
                let note = "what would be moved, for review; a run is refused, for that is over a limit";
                next.push(step(format!("barkeep plan {path}"), note));
            }
            Goal::Check => next.push(step(format!("barkeep plan {path}"), "what would be moved, for review")),
            Goal::Run { dry: true } if refused || opened.source.check_only().is_some() => {}
            Goal::Run { dry: true } => next.push(step(format!("barkeep run {path}"), "move bad rows to quarantine")),
            Goal::Run { dry: false } => next.push(step(format!("barkeep quarantine list {path}"), "what was moved")),
            Goal::Plan { .. } => {}
        }
    }
    next
}
