//! That the runs go which are not kept: their rows in every table, and their summaries.
//!
//! A run goes as one that was killed does: its name is claimed, its row in `runs` is taken away first, so that the run does
//! not exist any more, then the rest. Whoever is interrupted leaves the claim, and the next run sweeps. A run that lies in the file of
//! its month goes by writing the month anew (see `compaction`). The quarantine and plans are none of this.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::compaction;
use super::error::ReportError;
pub use super::kept::Keep;
use super::kept::{Candidate, kept};
use super::places;
use super::reading::again_where_one_goes;
use super::run_id::RunId;
use super::runs;
use super::sweep;
use super::tables::{self, MONTH_FILE, Table};
use crate::durable::{Claim, Disk};

/// The runs of one job that go, and its months that would be compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prunable {
    /// The job.
    pub job: String,
    /// How many runs it has.
    pub runs: usize,
    /// Those that go, newest first.
    pub go: Vec<RunId>,
    /// Bytes of their files; of the file of a month the part that falls to them.
    pub bytes: u64,
    /// Months that are over and have runs in files of their own that stay, e.g. `2026-10`; oldest first.
    pub compact: Vec<String>,
}

/// The runs below `dir` that go, by job; of the jobs `only`, or of all where there are none.
///
/// # Errors
/// A file of a run cannot be read.
pub fn prunable(dir: &Path, only: &[String], keep: Keep) -> Result<Vec<Prunable>, ReportError> {
    let mut found = Vec::new();
    for job in runs::jobs(dir)?.iter().filter(|job| only.is_empty() || only.contains(job)) {
        found.push(again_where_one_goes(|| of_job(dir, job, keep))?);
    }
    Ok(found)
}

fn of_job(dir: &Path, job: &str, keep: Keep) -> Result<Prunable, ReportError> {
    let mut candidates = Vec::new();
    let mut own = BTreeMap::new();
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let row = file.row(dir, Candidate::COLUMNS)?;
        let read = Candidate::read(&file.run, row.as_ref());
        candidates.push(read.map_err(|source| ReportError::reading(&file.path, source))?);
        own.insert(file.run, !file.path.ends_with(MONTH_FILE));
    }
    let kept = kept(&candidates, keep);
    let go: Vec<RunId> = own.keys().rev().filter(|run| !kept.contains(run)).cloned().collect();
    let mut compact = compaction::due(dir, job)?;
    compact.retain(|month| own.iter().any(|(run, own)| *own && kept.contains(run) && run.month() == *month));
    let bytes = go.iter().map(|run| size(dir, job, run)).sum::<Result<u64, _>>()?;
    Ok(Prunable { job: job.to_owned(), runs: candidates.len(), go, bytes, compact })
}

/// Takes runs of `job` away; how many were there and are held by no process. The caller holds the lock of the job.
///
/// # Errors
/// The disk does not let one go: who compacts or removes next takes the rest away.
pub fn remove(dir: &Path, job: &str, go: &[RunId]) -> Result<u64, ReportError> {
    remove_on(&Disk::system(), dir, job, go)
}

pub(super) fn remove_on(disk: &Disk, dir: &Path, job: &str, go: &[RunId]) -> Result<u64, ReportError> {
    let writing = |source| ReportError::writing(dir, source);
    compaction::finish_earlier(disk, dir, job)?;
    let (mut removed, mut of_months) = (0, BTreeMap::<String, BTreeMap<RunId, Claim>>::new());
    for run in go {
        let Some(row) = own_row(disk, dir, job, run).map_err(writing)? else {
            if runs::has_run(dir, job, run.as_str())?
                && let Some(claim) = claimed(disk, dir, run).map_err(writing)?
            {
                of_months.entry(run.month()).or_default().insert(run.clone(), claim);
            }
            continue;
        };
        let Some(claim) = claimed(disk, dir, run).map_err(writing)? else { continue };
        disk.remove(&row).and_then(|()| take_rest(disk, (dir, job), run, claim)).map_err(writing)?;
        removed += 1;
    }
    for (month, claims) in of_months {
        let gone = claims.keys().cloned().collect();
        let done = compaction::rewrite(disk, dir, job, &month, &gone)?;
        for (run, claim) in claims {
            match done {
                true => take_rest(disk, (dir, job), &run, claim).map_err(writing)?,
                false => claim.release().map_err(writing)?,
            }
            removed += u64::from(done);
        }
    }
    Ok(removed)
}

/// The file of its own with the row of a run.
fn own_row(disk: &Disk, dir: &Path, job: &str, run: &RunId) -> io::Result<Option<PathBuf>> {
    for folder in Table::Runs.folders(dir, job, run) {
        let row = folder.join(format!("{run}.parquet"));
        if disk.exists(&row)? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Claims a run, so that what is left of it is swept where this process ends; `None` where another one holds it.
fn claimed(disk: &Disk, dir: &Path, run: &RunId) -> io::Result<Option<Claim>> {
    let claim = Claim::take(disk, &sweep::claim_of(dir, run))?;
    if claim.is_some() {
        // After a power failure, too, it has to name what is left.
        disk.sync_folder(dir)?;
    }
    Ok(claim)
}

/// Takes away what is left of a run whose row in `runs` is gone.
fn take_rest(disk: &Disk, (dir, job): (&Path, &str), run: &RunId, claim: Claim) -> io::Result<()> {
    sweep::remove_unreported(disk, dir, run)?;
    claim.release()?;
    tidy(dir, job, run);
    Ok(())
}

/// Takes away the folders that are empty now. Those of a month of which a run goes on are left, for it writes there.
fn tidy(dir: &Path, job: &str, run: &RunId) {
    let live = runs::entries(dir).unwrap_or_default();
    let same_month = |name: &str| sweep::run_of(name.as_ref()).is_some_and(|other| other.month() == run.month());
    if live.iter().any(|(name, _)| same_month(name)) {
        return;
    }
    // A folder that is not empty stays, which is what is wanted.
    fs::remove_dir(tables::pages(dir, run.as_str())).ok();
    for folder in Table::ALL.iter().flat_map(|table| table.folders(dir, job, run)) {
        fs::remove_dir(folder).ok();
    }
}

/// Bytes of the files of a run; of the file of a month as much as falls to one of its runs.
fn size(dir: &Path, job: &str, run: &RunId) -> Result<u64, ReportError> {
    // A file that has gone meanwhile has no bytes.
    let length = |path: &Path| fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    let mut bytes = 0;
    for (_, path) in runs::entries(&tables::pages(dir, run.as_str()))? {
        bytes += length(&path);
    }
    let (mut shared, mut own) = (0, false);
    for folder in Table::ALL.iter().flat_map(|table| table.folders(dir, job, run)) {
        for (name, path) in runs::entries(&folder)? {
            if sweep::is_of(&name, run) {
                own = true;
                bytes += length(&path);
            } else if name == MONTH_FILE {
                shared += length(&path);
            }
        }
    }
    if own || shared == 0 {
        return Ok(bytes);
    }
    let of_month = places::runs_in(&Table::Runs.folder(dir, job, run).join(MONTH_FILE))?;
    Ok(bytes + shared / of_month.len().max(1) as u64)
}

#[cfg(test)]
mod tests;
