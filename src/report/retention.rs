//! That the runs go which are not kept: their rows in every table, and their summaries.
//!
//! A run goes as one that was killed does: its name is claimed, its row in `runs` is taken away first, so that the run does
//! not exist any more, then the rest. Whoever is interrupted leaves the claim, and the next run sweeps. The quarantine and
//! plans are none of this.

use std::fs;
use std::io;
use std::path::Path;

use super::error::ReportError;
pub use super::kept::Keep;
use super::kept::{Candidate, kept};
use super::run_id::RunId;
use super::runs::{self, RunFile};
use super::sweep;
use super::tables::{self, Table};
use crate::durable::{Claim, Disk};

/// The runs of one job that go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prunable {
    /// The job.
    pub job: String,
    /// How many runs it has.
    pub runs: usize,
    /// Those that go, newest first.
    pub go: Vec<RunId>,
    /// Bytes of their files.
    pub bytes: u64,
}

/// The runs below `dir` that go, by job; of the jobs `only`, or of all where there are none.
///
/// # Errors
/// A file of a run cannot be read.
pub fn prunable(dir: &Path, only: &[String], keep: Keep) -> Result<Vec<Prunable>, ReportError> {
    let mut found = Vec::new();
    for (name, _) in runs::entries(&dir.join(Table::Runs.name()))? {
        let Some(job) = name.strip_prefix("job=").filter(|job| only.is_empty() || only.iter().any(|one| one == job))
        else {
            continue;
        };
        found.push(runs::again_where_one_goes(|| of_job(dir, job, keep))?);
    }
    found.sort_by(|a, b| a.job.cmp(&b.job));
    Ok(found)
}

fn of_job(dir: &Path, job: &str, keep: Keep) -> Result<Prunable, ReportError> {
    let files = runs::of_job(dir, job)?;
    let read = |file: &RunFile| Candidate::read(file).map_err(|source| ReportError::reading(&file.path, source));
    let candidates = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let kept = kept(&candidates, keep);
    let go: Vec<RunId> = files.into_iter().map(|file| file.run).filter(|run| !kept.contains(run)).collect();
    let mut bytes = 0;
    for run in &go {
        bytes += size(dir, job, run)?;
    }
    Ok(Prunable { job: job.to_owned(), runs: candidates.len(), go, bytes })
}

/// Takes a run of `job` away; whether it was there and no process holds it.
///
/// # Errors
/// The disk does not let it: the next run of any job takes the rest away.
pub fn remove(dir: &Path, job: &str, run: &RunId) -> Result<bool, ReportError> {
    let disk = Disk::system();
    remove_on(&disk, dir, job, run).map_err(|source| ReportError::writing(dir, source))
}

pub(super) fn remove_on(disk: &Disk, dir: &Path, job: &str, run: &RunId) -> io::Result<bool> {
    let row = Table::Runs.file(dir, job, run);
    if !disk.exists(&row)? {
        return Ok(false);
    }
    let Some(claim) = Claim::take(disk, &sweep::claim_of(dir, run))? else { return Ok(false) };
    // After a power failure, too, it has to name what is left.
    disk.sync_folder(dir)?;
    disk.remove(&row)?;
    sweep::remove_unreported(disk, dir, run)?;
    claim.release()?;
    tidy(dir, job, run);
    Ok(true)
}

/// Takes away the folders that are empty now. Those of a day on which a run goes on are left, for it writes there.
fn tidy(dir: &Path, job: &str, run: &RunId) {
    let live = runs::entries(dir).unwrap_or_default();
    let same_day = |name: &str| sweep::run_of(name.as_ref()).is_some_and(|other| other.run_date() == run.run_date());
    if live.iter().any(|(name, _)| same_day(name)) {
        return;
    }
    // A folder that is not empty stays, which is what is wanted.
    fs::remove_dir(tables::pages(dir, run.as_str())).ok();
    for table in Table::ALL {
        fs::remove_dir(table.folder(dir, job, run)).ok();
    }
}

/// Bytes of the files of a run.
fn size(dir: &Path, job: &str, run: &RunId) -> Result<u64, ReportError> {
    let mut bytes = 0;
    let folders = Table::ALL.iter().map(|table| table.folder(dir, job, run)).chain([tables::pages(dir, run.as_str())]);
    for folder in folders {
        let of_run = folder.ends_with(run.as_str());
        for (name, path) in runs::entries(&folder)? {
            if of_run || sweep::is_of(&name, run) {
                // A file that has gone meanwhile has no bytes.
                bytes += fs::metadata(path).map(|file| file.len()).unwrap_or_default();
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
