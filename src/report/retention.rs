//! Which runs are kept, and that the others go: their rows in every table, and their summaries.
//!
//! A run goes as one that was killed does: its name is claimed, its row in `runs` is taken away first, so that the run does
//! not exist any more, then the rest. Whoever is interrupted leaves the claim, and the next run sweeps. The quarantine and
//! plans are none of this.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use chrono::{Datelike, NaiveDate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::ReportError;
use super::reading::{only, texts};
use super::run::RunStatus;
use super::run_id::RunId;
use super::runs::{self, RunFile};
use super::sweep;
use super::tables::{self, Table};
use crate::durable::{Claim, Disk};
use crate::market::DAY_US;

/// What is kept of the runs of a job, besides those of the last 24 hours and those that later runs look back at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// One run of each of so many days with runs, the newest days.
    pub daily: usize,
    /// One run of each of so many months with runs, the newest months.
    pub monthly: usize,
}

/// What a run is to the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own to the row of a run")]
struct Candidate {
    run: RunId,
    /// Whether it reached its end.
    ended: bool,
    /// Whether it looked at all of the data.
    whole: bool,
    /// It looked at the part that may have changed.
    in_part: bool,
    /// Whether its exit code is 0.
    ok: bool,
    /// Whether its notification was delivered.
    delivered: bool,
}

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
        found.push(of_job(dir, job, keep)?);
    }
    found.sort_by(|a, b| a.job.cmp(&b.job));
    Ok(found)
}

fn of_job(dir: &Path, job: &str, keep: Keep) -> Result<Prunable, ReportError> {
    let files = runs::of_job(dir, job)?;
    let read = |file: &RunFile| candidate(file).map_err(|source| ReportError::reading(&file.path, source));
    let candidates = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let kept = chosen(&candidates, keep);
    let go: Vec<RunId> = files.into_iter().map(|file| file.run).filter(|run| !kept.contains(run)).collect();
    let mut bytes = 0;
    for run in &go {
        bytes += size(dir, job, run)?;
    }
    Ok(Prunable { job: job.to_owned(), runs: candidates.len(), go, bytes })
}

fn candidate(file: &RunFile) -> Result<Candidate, ArrowError> {
    let columns = ["status", "exit_code", "window_until", "notify_delivered", "changed_since"];
    let mut reader = only(ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path)?)?, &columns)?;
    let nothing =
        Candidate { run: file.run.clone(), ended: false, whole: false, in_part: false, ok: false, delivered: false };
    let Some(row) = reader.next().transpose()?.filter(|row| row.num_rows() > 0) else { return Ok(nothing) };
    let column = |name: &str| row.column_by_name(name).filter(|column| !column.is_null(0));
    let ended = RunStatus::parse(texts(&row, "status")?.value(0)).is_some_and(RunStatus::reached_its_end);
    let code = column("exit_code").and_then(|column| column.as_primitive_opt::<Int64Type>()).map(|code| code.value(0));
    let flag = column("notify_delivered").and_then(|column| column.as_boolean_opt());
    let delivered = flag.is_some_and(|flag| flag.value(0));
    let in_part = ended && column("changed_since").is_some();
    let whole = ended && !in_part && column("window_until").is_none();
    Ok(Candidate { ended, whole, in_part, ok: code == Some(0), delivered, ..nothing })
}

/// The runs that stay, of `runs`, newest first.
fn chosen(runs: &[Candidate], keep: Keep) -> BTreeSet<RunId> {
    let mut kept = BTreeSet::new();
    let Some(newest) = runs.first() else { return kept };
    let recent = newest.run.started().0 - DAY_US;
    kept.extend(runs.iter().filter(|run| run.run.started().0 >= recent).map(|run| run.run.clone()));
    // What the next run looks back at: for what is new, for what was delivered, for when all was well.
    let looked_at: [fn(&Candidate) -> bool; 4] = [|run| run.ended, |run| run.whole, |run| run.ok, |run| run.delivered];
    kept.extend(looked_at.iter().filter_map(|is| runs.iter().find(|run| is(run))).map(|run| run.run.clone()));
    // What is open is what the newest run over all bars found, and those after it that looked at a part.
    let since_whole = runs.iter().take_while(|run| !run.whole).filter(|run| run.in_part);
    kept.extend(since_whole.map(|run| run.run.clone()));
    kept.extend(of_each(runs, keep.daily, |date| date));
    kept.extend(of_each(runs, keep.monthly, |date| date.with_day(1).unwrap_or(date)));
    kept
}

/// Of each of the `most` newest spans with runs one: the newest that reached its end, else the newest.
fn of_each(runs: &[Candidate], most: usize, span: impl Fn(NaiveDate) -> NaiveDate) -> Vec<RunId> {
    let same = |a: &Candidate, b: &Candidate| span(a.run.run_date()) == span(b.run.run_date());
    let best =
        |of_span: &[Candidate]| of_span.iter().find(|run| run.ended).or(of_span.first()).map(|run| run.run.clone());
    runs.chunk_by(same).take(most).filter_map(best).collect()
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
