//! The quarantine of a job over files: folders beside its reports.
//!
//! ```text
//! of_job      the files of a job, and where their rows go       clock    whether the clock can be right
//! removal     rows that leave; one_file    those of one file     exempt    rows that a person put back
//! ```

mod clock;
mod exempt;
mod of_job;
mod one_file;
mod removal;

use async_trait::async_trait;

pub(crate) use self::of_job::{FilesOfJob, failed};
pub(crate) use self::removal::{FilesRemoval, MOVABLE};
use super::contract::{Note, Purge, Quarantine, Restored};
use crate::quarantine::files;
use crate::quarantine::item::{Item, UnderWay, Which};
use crate::run::failure::Failure;

/// What is kept of rows that left files.
pub(crate) struct FilesQuarantine(pub(crate) FilesOfJob);

#[async_trait]
impl Quarantine for FilesQuarantine {
    async fn under_way(&self) -> Result<UnderWay, Failure> {
        let runs = files::unfinished(self.0.place()).map_err(failed)?;
        Ok(UnderWay { runs, holder: None })
    }

    async fn items(&self, which: &Which, _raw: bool, note: &Note<'_>) -> Result<Vec<Item>, Failure> {
        let listed = files::items(self.0.place()).map_err(failed)?;
        for error in &listed.damaged {
            note(&format!("warning: left out: {error}"));
        }
        Ok(listed.items.into_iter().filter(|item| which.takes(item)).collect())
    }

    /// All of them, for only a look at the file shows it.
    async fn restorable(&self, items: Vec<Item>) -> Result<Vec<Item>, Failure> {
        Ok(items)
    }

    async fn restore(&self, items: &[Item], dry_run: bool, run_id: &str) -> Result<Restored, Failure> {
        let ids: Vec<String> = items.iter().map(|item| item.id.clone()).collect();
        let mut not_read = self.recover(dry_run)?;
        let reported = files::restore(self.0.place(), &ids, dry_run, self.0.run(run_id)).map_err(failed)?;
        not_read.extend(reported.damaged.iter().map(ToString::to_string));
        let (back, already_there) = (reported.restored, reported.already_there);
        let conflicts = reported.conflict.into_iter().collect();
        Ok(Restored { back, already_there, conflicts, failed: not_read, late: None })
    }

    fn late_by_now(&self) -> Result<Option<Failure>, Failure> {
        self.0.late_by_now().map_err(failed)
    }

    fn restore_late(&self, dry_run: bool, run_id: &str) -> Result<files::LateRestored, Failure> {
        self.recover(dry_run)?;
        files::restore_late(self.0.place(), dry_run, self.0.run(run_id)).map_err(failed)
    }

    async fn purgeable(&self, older_than: i64) -> Result<Purge, Failure> {
        self.purge_files(older_than, true)
    }

    async fn purge(&self, older_than: i64, _run_id: &str) -> Result<Purge, Failure> {
        let not_finished = self.recover(false)?;
        let mut purge = self.purge_files(older_than, false)?;
        purge.refused.extend(not_finished);
        Ok(purge)
    }

    fn why_kept(&self) -> &'static str {
        "`[quarantine] keep`, or they were put back"
    }

    fn clock_doubt(&self) -> Result<Option<String>, Failure> {
        clock::doubt(&self.0)
    }

    fn text(&self, item: &Item) -> String {
        String::from_utf8_lossy(&item.raw).into_owned()
    }

    async fn close(&self) {}
}

impl FilesQuarantine {
    /// Finishes what was cut short at the files of the job; what could not be is reported.
    fn recover(&self, dry_run: bool) -> Result<Vec<String>, Failure> {
        if dry_run {
            return Ok(Vec::new());
        }
        let recovery = self.0.recover().map_err(failed)?;
        Ok(recovery.failed.iter().map(ToString::to_string).collect())
    }

    fn purge_files(&self, older_than: i64, dry_run: bool) -> Result<Purge, Failure> {
        let now = self.0.clock.micros();
        let keep = self.0.loaded.job.quarantine.keep_originals.num_microseconds().unwrap_or(i64::MAX);
        let limits = files::Limits { older_than, now, originals_before: now.saturating_sub(keep) };
        let purged = files::purge(self.0.place(), limits, dry_run).map_err(failed)?;
        let files::Purged { items, kept, originals, bytes, refused } = purged;
        Ok(Purge { rows: items, kept, originals, bytes, refused })
    }
}
