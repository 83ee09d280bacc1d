//! What runs that were killed left of their reports, and that it goes.
//!
//! A run holds a lock below the folder of the reports from its first file on until its row in `runs` is there. A lock
//! whose owner ended without giving it back is that of a run that was killed: its hidden files go, and where its row in
//! `runs` is missing, so does what it had published already, for a report is there as a whole or not at all.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::places;
use super::run_id::RunId;
use super::tables::{self, MONTH_FILE, Table};
use crate::durable::{Claim, Disk};

const PARTIAL: &str = ".partial";

/// The name under which the file `target` of a report is written: it starts with a dot and does not end in
/// `.parquet`, so no reader of a table takes it for a part.
pub(super) fn temporary_of(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}{PARTIAL}"))
}

/// The lock of a run below `dir`.
pub(super) fn claim_of(dir: &Path, run: &RunId) -> PathBuf {
    dir.join(format!(".{run}.lock"))
}

/// Removes what killed runs left below `dir`; `own` is the run that sweeps. A failure is no reason not to report: the
/// next run tries again.
pub(super) fn sweep(disk: &Disk, dir: &Path, own: &RunId) {
    let swept = disk.names(dir).and_then(|names| {
        let runs = names.iter().filter_map(|name| run_of(name)).filter(|run| run != own);
        runs.into_iter().try_for_each(|run| sweep_run(disk, dir, &run))
    });
    if let Err(error) = swept {
        tracing::warn!(dir = %dir.display(), "cannot remove what an earlier run left there: {error}");
    }
}

/// The run whose lock has this name.
pub(super) fn run_of(name: &OsStr) -> Option<RunId> {
    RunId::parse(name.to_str()?.strip_prefix('.')?.strip_suffix(".lock")?).ok()
}

/// Removes what `run` left, where it was killed.
pub(super) fn sweep_run(disk: &Disk, dir: &Path, run: &RunId) -> io::Result<()> {
    let Some(claim) = Claim::of_dead(disk, &claim_of(dir, run))? else { return Ok(()) };
    tracing::info!(%run, "removing what a run left that was killed");
    let reported = is_reported(disk, dir, run)?;
    remove_files(disk, dir, run, reported)?;
    claim.release()
}

/// Whether `run`, of whatever job, has a row in `runs`.
fn is_reported(disk: &Disk, dir: &Path, run: &RunId) -> io::Result<bool> {
    for folder in folders(disk, dir, Table::Runs, run)? {
        if disk.exists(&folder.join(format!("{run}.parquet")))? {
            return Ok(true);
        }
        let month = folder.join(MONTH_FILE);
        if disk.exists(&month)? && places::runs_in(&month).map_err(io::Error::other)?.contains(run) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what there is of `run`, whose row in `runs` is not there; the caller holds its claim.
pub(super) fn remove_unreported(disk: &Disk, dir: &Path, run: &RunId) -> io::Result<()> {
    remove_files(disk, dir, run, false)
}

/// Removes hidden files of `run`, and all others too where it is not `reported`.
fn remove_files(disk: &Disk, dir: &Path, run: &RunId, reported: bool) -> io::Result<()> {
    for table in Table::ALL {
        for folder in folders(disk, dir, table, run)? {
            remove(disk, &folder, |name| is_hidden(name, run) || (!reported && is_of(name, run)))?;
        }
    }
    for file in [tables::summary(dir, run.as_str()), tables::page(dir, run.as_str())] {
        disk.remove(&temporary_of(&file))?;
        if !reported {
            disk.remove(&file)?;
        }
    }
    Ok(())
}

/// The folders of `table` that files of `run` may lie in, whatever its job.
fn folders(disk: &Disk, dir: &Path, table: Table, run: &RunId) -> io::Result<Vec<PathBuf>> {
    let jobs = disk.names(&dir.join(table.name()))?;
    let jobs = jobs.iter().filter_map(|name| name.to_str()?.strip_prefix("job="));
    Ok(jobs.flat_map(|job| table.folders(dir, job, run)).collect())
}

fn remove(disk: &Disk, folder: &Path, ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for name in disk.names(folder)?.iter().filter(|name| name.to_str().is_some_and(&ours)) {
        disk.remove(&folder.join(name))?;
    }
    Ok(())
}

fn is_hidden(name: &str, run: &RunId) -> bool {
    name.strip_prefix('.').and_then(|name| name.strip_suffix(PARTIAL)).is_some_and(|name| is_of(name, run))
}

/// Whether a file of a table is one of `run`: `RUN.parquet` or `RUN-000.parquet`.
pub(super) fn is_of(name: &str, run: &RunId) -> bool {
    let rest = name.strip_prefix(run.as_str()).and_then(|rest| rest.strip_suffix(".parquet"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
