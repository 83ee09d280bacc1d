//! Runs that moved rows and ended before their report: the next run of the job finds their marks, and names the rows in its
//! own report.

use std::collections::HashSet;
use std::path::Path;

use super::failure::Failure;
use super::moving::marks;
use super::open::Opened;
use super::quarantine::Removal;
use super::removal::Done;
use super::shell::typed;
use crate::quarantine::item::{Item, State};
use crate::report;
use crate::report::run::ActionRow;
use crate::report::run_id::RunId;
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// The state, in the actions of a run, of a row that an earlier run moved and did not report.
const EARLIER_MOVED: &str = "earlier_moved";

/// What runs of the job before `run` moved and did not report, for the actions of `run`: added to `done`, with the marks
/// that are taken away when its report is there. A quarantine that cannot be read now is read by the next run.
pub(super) async fn add(
    opened: &Opened,
    removal: &dyn Removal,
    run: &str,
    done: &mut Done,
) -> Result<Vec<String>, Failure> {
    let job = &opened.loaded.job;
    let dir = &job.report_dir.resolved;
    let mut notes = Vec::new();
    for (earlier, mark) in marks(dir, &job.name)?.into_iter().filter(|(earlier, _)| earlier.as_str() != run) {
        if !report::runs::says_what_it_moved(dir, &job.name, &earlier)? {
            let known: HashSet<&str> = done.recovered.iter().map(|row| row.quarantine_id.as_str()).collect();
            let items = removal.rows_of(earlier.as_str()).await?;
            let rows: Vec<ActionRow> =
                items.iter().filter(|item| !known.contains(item.id.as_str())).filter_map(action).collect();
            if !rows.is_empty() {
                notes.push(note(rows.len() as u64, &earlier, &opened.loaded.job_file));
            }
            done.recovered.extend(rows);
        }
        done.marks.push(mark);
    }
    Ok(notes)
}

fn note(rows: u64, run: &RunId, job_file: &Path) -> String {
    format!(
        "warning: run {run} moved {} to quarantine and ended before its report: the actions of this run name them\n  \
         = help: `barkeep quarantine list {} --run {run}` shows them",
        counted(rows, "row"),
        typed(job_file)
    )
}

/// The runs of `job` below `dir` that moved rows, or were about to, and left no report.
pub(super) fn unreported_runs(dir: &Path, job: &str) -> Result<Vec<RunId>, Failure> {
    let runs = marks(dir, job)?.into_iter().map(|(run, _)| run);
    let said = |run: &RunId| report::runs::says_what_it_moved(dir, job, run);
    let unsaid = runs.filter_map(|run| said(&run).map(|said| (!said).then_some(run)).transpose());
    Ok(unsaid.collect::<Result<_, _>>()?)
}

/// A row that left, or was put back since, as a row of `actions`; `None` for one that stayed in the source.
fn action(item: &Item) -> Option<ActionRow> {
    matches!(item.state, State::Removed | State::Restored).then(|| ActionRow {
        finding_ids: item.reasons.iter().map(|reason| reason.finding_id.clone()).collect(),
        quarantine_id: item.id.clone(),
        locator: item.locator.clone(),
        action: item.action,
        state: EARLIER_MOVED.to_owned(),
        sha256: item.sha256.clone(),
        at: UtcMicros(item.at),
        moved_by: Some(item.run_id.clone()),
    })
}
