//! That the runs of a month that is over lie in one file a table and job, and not in files of their own.
//!
//! The layout is the same before and after: `TABLE/job=JOB/month=2026-10/` holds a file a run, or `month.parquet` with the rows of
//! all of them, ordered by run. Rows, columns and partitions are the same, so that no reader of a pattern of files notices. Which of
//! both it is, only `places` asks.
//!
//! 1. A month is over where the newest run of the job began in a later one. It is left alone where a run that began in it is alive,
//!    and where a file has columns that this barkeep does not know. The caller holds the lock of the job.
//! 2. The new file of each table is written below `.months/job=JOB/2026-10/TABLE/`, where no pattern of files of a table comes,
//!    and synced. It has the rows of the runs that are in `runs`, without those that are to go.
//! 3. The folder of the month and the new one are exchanged, in one step of the system, first those of `runs`. A pattern of files that is
//!    resolved before sees the old files, one that is resolved behind it the new file: each row once. A reader that has resolved
//!    it, and opens a file only then, does not find it, and gets that error. Where the system exchanges no folders, a month stays as it is: any
//!    other order shows rows twice or not at all, and a run that does not see the one before calls everything new.
//! 4. What was replaced is removed. What came into the old folder meanwhile, such as a check that began in that month, is moved back.
//!
//! A process that ends anywhere leaves each row once, and the folder below `.months`. Who compacts or removes next finds it
//! there, does 4 again, and writes the month anew: a run that was half removed then goes as a whole.
//!
//! Where no run of the month has files of its own, a run is removed from it by a rename over `month.parquet`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::error::ReportError;
use super::merge;
use super::places;
use super::run_id::RunId;
use super::runs;
use super::sweep;
use super::tables::{MONTH_FILE, Table};
use crate::durable::{Disk, folder_of};

/// The folder of months that are being written anew, below that of the reports.
const MONTHS: &str = ".months";

/// The months of `job` below `dir` that are over and have runs with files of their own, oldest first.
///
/// # Errors
/// A folder cannot be listed.
pub fn due(dir: &Path, job: &str) -> Result<Vec<String>, ReportError> {
    let Some(newest) = runs::of_job(dir, job)?.next().transpose()? else { return Ok(Vec::new()) };
    let mut due = Vec::new();
    for (name, folder) in runs::entries(&Table::Runs.of_job(dir, job))? {
        let Some(month) = name.strip_prefix("month=").filter(|month| **month < *newest.run.month()) else { continue };
        if runs::entries(&folder)?.iter().any(|(name, _)| run_of(name).is_some()) {
            due.push(month.to_owned());
        }
    }
    due.sort_unstable();
    Ok(due)
}

/// Compacts what is due of `job`, and finishes what an earlier call began; how many months were compacted. The caller holds the
/// lock of the job.
///
/// # Errors
/// A file cannot be read, or the disk does not take the new one: every row is where it was then, or in its new place.
pub fn compact(dir: &Path, job: &str) -> Result<u64, ReportError> {
    compact_on(&Disk::system(), dir, job)
}

pub(super) fn compact_on(disk: &Disk, dir: &Path, job: &str) -> Result<u64, ReportError> {
    finish_earlier(disk, dir, job)?;
    let mut compacted = 0;
    for month in due(dir, job)? {
        compacted += u64::from(rewrite(disk, dir, job, &month, &BTreeSet::new())?);
    }
    Ok(compacted)
}

/// Finishes what an earlier call for `job` began, and nothing else. The caller holds the lock of the job.
///
/// # Errors
/// As [`compact`].
pub fn finish(dir: &Path, job: &str) -> Result<(), ReportError> {
    finish_earlier(&Disk::system(), dir, job)
}

pub(super) fn finish_earlier(disk: &Disk, dir: &Path, job: &str) -> Result<(), ReportError> {
    for (month, folder) in runs::entries(&new_of_job(dir, job))? {
        for table in Table::ALL {
            let writing = |source| ReportError::writing(dir, source);
            settle(disk, &folder.join(table.name()), &table.of_month(dir, job, &month))?.map_err(writing)?;
        }
        rewrite(disk, dir, job, &month, &BTreeSet::new())?;
    }
    Ok(())
}

fn new_of_job(dir: &Path, job: &str) -> PathBuf {
    dir.join(MONTHS).join(format!("job={job}"))
}

/// Writes a month anew, with all runs in one file a table, without the runs `gone`; whether that was done, and not left for a
/// reason that passes or that the file system gives.
pub(super) fn rewrite(
    disk: &Disk,
    dir: &Path,
    job: &str,
    month: &str,
    gone: &BTreeSet<RunId>,
) -> Result<bool, ReportError> {
    let writing = |source| ReportError::writing(dir, source);
    if is_alive(disk, dir, month, gone).map_err(writing)? {
        return Ok(false);
    }
    let mut kept = BTreeSet::new();
    for (name, path) in runs::entries(&Table::Runs.of_month(dir, job, month))? {
        match name.as_str() {
            MONTH_FILE => kept.extend(places::runs_in(&path)?),
            name => kept.extend(run_of(name)),
        }
    }
    kept.retain(|run| !gone.contains(run));
    let new = new_of_job(dir, job).join(month);
    let done = stage_and_exchange(disk, (dir, job, month), &new, &kept);
    if let Ok(false) = done {
        for table in Table::ALL {
            remove_new(disk, &new.join(table.name())).map_err(writing)?;
        }
    }
    if done.is_ok() {
        tidy(&new);
    }
    done
}

/// Whether a run that began in `month` is alive, or may be; one that was killed is swept.
fn is_alive(disk: &Disk, dir: &Path, month: &str, gone: &BTreeSet<RunId>) -> io::Result<bool> {
    let mut alive = false;
    for run in disk.names(dir)?.iter().filter_map(|name| sweep::run_of(name)) {
        if run.month() == month && !gone.contains(&run) {
            sweep::sweep_run(disk, dir, &run)?;
            alive |= disk.exists(&sweep::claim_of(dir, &run))?;
        }
    }
    Ok(alive)
}

fn stage_and_exchange(
    disk: &Disk,
    (dir, job, month): (&Path, &str, &str),
    new: &Path,
    kept: &BTreeSet<RunId>,
) -> Result<bool, ReportError> {
    let writing = |source| ReportError::writing(dir, source);
    let mut staged = Vec::new();
    for table in Table::ALL {
        let (old, new) = (table.of_month(dir, job, month), new.join(table.name()));
        let names = disk.names(&old).map_err(writing)?;
        if !names.iter().any(|name| is_part(name, kept) || name == MONTH_FILE) {
            continue;
        }
        disk.make_folders(&new).map_err(writing)?;
        remove_new(disk, &new).map_err(writing)?;
        if !merge::merge(disk, table, &old, kept, &new.join(MONTH_FILE))? {
            return Ok(false);
        }
        like(&old, &new).map_err(writing)?;
        let all_in_month = !names.iter().any(|name| is_part(name, kept));
        staged.push((old, new, all_in_month));
    }
    for (old, new, all_in_month) in staged {
        match if all_in_month { replace(disk, &old, &new) } else { exchange(disk, &old, &new) } {
            Ok(()) => settle(disk, &new, &old)?.map_err(writing)?,
            Err(error) if exchanges_no_folders(&error) => {
                tracing::debug!(dir = %dir.display(), "the reports of a month stay in files of their own: {error}");
                return Ok(false);
            }
            Err(error) => return Err(writing(error)),
        }
    }
    Ok(true)
}

/// Gives a new folder the rights of the one whose place it takes.
fn like(old: &Path, new: &Path) -> io::Result<()> {
    fs::set_permissions(new, fs::metadata(old)?.permissions())
}

fn exchange(disk: &Disk, old: &Path, new: &Path) -> io::Result<()> {
    disk.exchange(new, old)?;
    disk.sync_folder(folder_of(old))?;
    disk.sync_folder(folder_of(new))
}

/// Puts the new file of a month in the place of the old one; without a new one no row is left.
fn replace(disk: &Disk, old: &Path, new: &Path) -> io::Result<()> {
    let (old, new) = (old.join(MONTH_FILE), new.join(MONTH_FILE));
    if disk.exists(&new)? { disk.publish(&new, &old) } else { disk.remove(&old) }
}

fn exchanges_no_folders(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV))
}

/// Removes from `left` what has a place in `now`, the folder of the month, and moves back what has none.
fn settle(disk: &Disk, left: &Path, now: &Path) -> Result<io::Result<()>, ReportError> {
    let merged: BTreeSet<RunId> = places::runs_in(&now.join(MONTH_FILE))?.into_iter().collect();
    Ok(settle_with(disk, left, now, &merged))
}

fn settle_with(disk: &Disk, left: &Path, now: &Path, merged: &BTreeSet<RunId>) -> io::Result<()> {
    remove_new(disk, left)?;
    for name in disk.names(left)? {
        let (from, to) = (left.join(&name), now.join(&name));
        if is_part(&name, merged) || disk.exists(&to)? {
            disk.remove(&from)?;
        } else {
            disk.make_folders(now)?;
            disk.publish(&from, &to)?;
            disk.sync_folder(left)?;
        }
    }
    if disk.names(now)?.is_empty() {
        // One that is not empty any more stays, which is what is wanted.
        fs::remove_dir(now).ok();
    }
    Ok(())
}

/// Removes the file of a month from a folder below [`MONTHS`], whole or half.
fn remove_new(disk: &Disk, folder: &Path) -> io::Result<()> {
    let file = folder.join(MONTH_FILE);
    disk.remove(&sweep::temporary_of(&file))?;
    disk.remove(&file)
}

/// Takes away the folders below [`MONTHS`] that are empty now, up to it.
fn tidy(new: &Path) {
    for table in Table::ALL {
        fs::remove_dir(new.join(table.name())).ok();
    }
    for folder in new.ancestors().take(3) {
        fs::remove_dir(folder).ok();
    }
}

/// Whether a file is one of `runs`.
fn is_part(name: &OsString, runs: &BTreeSet<RunId>) -> bool {
    name.to_str().and_then(run_of).is_some_and(|run| runs.contains(&run))
}

/// The run that the file `name` of a table is of: `RUN.parquet` or `RUN-000.parquet`.
fn run_of(name: &str) -> Option<RunId> {
    let stem = name.strip_suffix(".parquet")?;
    let run = RunId::parse(stem).or_else(|_| RunId::parse(stem.rsplit_once('-').map_or("", |(run, _)| run))).ok()?;
    sweep::is_of(name, &run).then_some(run)
}

#[cfg(test)]
mod tests;
