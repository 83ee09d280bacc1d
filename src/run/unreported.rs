//! Runs that moved rows and ended before their report: a mark beside the reports, set before the first row leaves and
//! taken away when the report is there. The next run of the job finds it, and names the rows in its own report.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::open::Opened;
use super::quarantine::Removal;
use super::removal::Done;
use super::shell::typed;
use crate::config::Job;
use crate::durable::Disk;
use crate::quarantine::item::{Item, State};
use crate::report;
use crate::report::run::ActionRow;
use crate::report::run_id::RunId;
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// What the names of marks end with.
const ENDING: &str = ".moving";
/// The state, in the actions of a run, of a row that an earlier run moved and did not report.
pub(super) const EARLIER_MOVED: &str = "earlier_moved";

/// The mark of a run that is about to move rows.
#[derive(Debug)]
pub(super) struct Mark(PathBuf);

impl Mark {
    /// Sets the mark of `run`, durably.
    ///
    /// # Errors
    /// It cannot be written: no row may leave then, for the report could not be written either.
    pub(super) fn set(job: &Job, run: &str) -> Result<Self, Failure> {
        let (disk, dir) = (Disk::system(), &job.report_dir.resolved);
        let path = dir.join(format!(".{}.{run}{ENDING}", job.name));
        let written = disk.make_folders(dir).and_then(|()| disk.write_whole(&path, b""));
        match written {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(report::ReportError::writing(dir, source).into()),
        }
    }

    /// Takes it away: no row left, or the report says which. One that stays is looked at by the next run.
    pub(super) fn take_away(self) {
        if let Err(error) = Disk::system().remove(&self.0) {
            tracing::info!(file = %self.0.display(), "stays behind: {error}");
        }
    }
}

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

/// The marks of `job` below `dir`, each with its run.
fn marks(dir: &Path, job: &str) -> Result<Vec<(RunId, Mark)>, Failure> {
    let names = Disk::system().names(dir).map_err(|source: io::Error| report::ReportError::reading(dir, source))?;
    let run = |name: &str| {
        RunId::parse(name.strip_prefix('.')?.strip_prefix(job)?.strip_prefix('.')?.strip_suffix(ENDING)?).ok()
    };
    let of_job = |name: &std::ffi::OsString| Some((run(name.to_str()?)?, Mark(dir.join(name))));
    Ok(names.iter().filter_map(of_job).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_those_of_the_job_alone() {
        let dir = tempfile::tempdir().unwrap();
        let run = "20261120T010000Z-bbbb";
        for name in [
            format!(".a.{run}.moving"),
            format!(".a.b.{run}.moving"),
            format!(".a.{run}.moving.partial"),
            format!(".{run}.lock"),
            ".a.lock".to_owned(),
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let of = |job| marks(dir.path(), job).unwrap().into_iter().map(|(run, _)| run.to_string()).collect::<Vec<_>>();
        assert_eq!((of("a"), of("a.b"), of("b")), (vec![run.to_owned()], vec![run.to_owned()], Vec::new()));
        assert!(marks(&dir.path().join("nowhere"), "a").unwrap().is_empty());
    }
}
