//! The quarantine of a job, whatever its source is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::failure::Failure;
use super::open::connect;
use super::removal::files::{self as of_files, Files};
use super::removal::{collection_of, failed, order};
use crate::config::job::Source;
use crate::config::{Job, Loaded};
use crate::quarantine::files;
use crate::quarantine::item::{Item, UnderWay, Which};
use crate::quarantine::mongodb;
use crate::source::mongodb::{Collections, Connection, document_json};

/// Where the moved rows of a job are.
pub(crate) struct Store<'a> {
    job: &'a Job,
    kind: Kind,
}

enum Kind {
    Files,
    Collection { connection: Arc<Connection>, rows: mongodb::Collection },
}

/// What restoring came to.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    pub(crate) back: u64,
    pub(crate) already_there: u64,
    /// Items that cannot go back, and why.
    pub(crate) conflicts: BTreeMap<String, String>,
    /// What does not read, so that its rows could not be put back.
    pub(crate) failed: Vec<String>,
}

/// What is erased, or would be.
#[derive(Debug, Default)]
pub(crate) struct Purge {
    /// Rows.
    pub(crate) rows: u64,
    /// Rows that are that old and still to be kept.
    pub(crate) kept: u64,
    /// Whole files that were replaced.
    pub(crate) originals: u64,
    /// Bytes of both, where known.
    pub(crate) bytes: u64,
    /// What is left alone, and why.
    pub(crate) refused: Vec<String>,
}

impl<'a> Store<'a> {
    /// Opens the quarantine of a job.
    pub(crate) async fn open(loaded: &'a Loaded) -> Result<Self, Failure> {
        let job = &loaded.job;
        let Source::Mongodb(source) = &job.source else { return Ok(Self { job, kind: Kind::Files }) };
        let connection = Arc::new(connect(source).await?);
        match Collections::find(Arc::clone(&connection), source).await {
            Ok(found) => {
                let rows = collection_of(job, source, Arc::clone(&connection), found.info());
                Ok(Self { job, kind: Kind::Collection { connection, rows } })
            }
            Err(error) => {
                connection.close().await;
                Err(error.into())
            }
        }
    }

    /// Closes what is open.
    pub(crate) async fn close(&self) {
        if let Kind::Collection { connection, .. } = &self.kind {
            connection.close().await;
        }
    }

    /// What is under way, or was cut short.
    pub(crate) async fn under_way(&self) -> Result<UnderWay, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => rows.under_way().await.map_err(failed),
            Kind::Files => {
                let runs = files::unfinished(Files::of(self.job).place()).map_err(of_files::failed)?;
                Ok(UnderWay { runs, holder: None })
            }
        }
    }

    /// The items that `which` means, oldest first; with the bytes of their rows where `raw` says so.
    /// Copies that do not read are left out, and reported to `note`.
    pub(crate) async fn items(&self, which: &Which, raw: bool, note: &dyn Fn(&str)) -> Result<Vec<Item>, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => rows.items(which, raw).await.map_err(failed),
            Kind::Files => {
                let listed = files::items(Files::of(self.job).place()).map_err(of_files::failed)?;
                for error in &listed.damaged {
                    note(&format!("left out: {error}"));
                }
                Ok(listed.items.into_iter().filter(|item| which.takes(item)).collect())
            }
        }
    }

    /// Of `items`, those that can be put back; of files all, for only a look at the file tells.
    pub(crate) async fn restorable(&self, items: Vec<Item>) -> Result<Vec<Item>, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => rows.restorable(items).await.map_err(failed),
            Kind::Files => Ok(items),
        }
    }

    /// Puts the rows of `items` back; with `dry_run` says what would come back.
    pub(crate) async fn restore(&self, items: &[Item], dry_run: bool, run_id: &str) -> Result<Restored, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => {
                if dry_run {
                    return Ok(Restored { back: items.len() as u64, ..Restored::default() });
                }
                let reported = rows.restore(items, &order(self.job, run_id)).await.map_err(failed)?;
                Ok(Restored {
                    back: reported.restored.len() as u64,
                    already_there: reported.already_there.len() as u64,
                    conflicts: reported.conflicts.into_iter().collect(),
                    failed: Vec::new(),
                })
            }
            Kind::Files => {
                let of_job = Files::of(self.job);
                let ids: Vec<String> = items.iter().map(|item| item.id.clone()).collect();
                let mut failed = Self::recover(&of_job, dry_run)?;
                let reported = files::restore(of_job.place(), &ids, dry_run, of_job.run(run_id));
                let reported = reported.map_err(of_files::failed)?;
                failed.extend(reported.damaged.iter().map(ToString::to_string));
                let (back, already_there) = (reported.restored, reported.already_there);
                Ok(Restored { back, already_there, conflicts: reported.conflict.into_iter().collect(), failed })
            }
        }
    }

    /// Finishes what was cut short at the files of the job; what could not be is reported.
    fn recover(of_job: &Files<'_>, dry_run: bool) -> Result<Vec<String>, Failure> {
        if dry_run {
            return Ok(Vec::new());
        }
        let recovery = of_job.recover().map_err(of_files::failed)?;
        Ok(recovery.failed.iter().map(ToString::to_string).collect())
    }

    /// Files that were written to after they were replaced, as a failure; a collection is never replaced.
    pub(crate) fn late_by_now(&self) -> Result<Option<Failure>, Failure> {
        match &self.kind {
            Kind::Collection { .. } => Ok(None),
            Kind::Files => Files::of(self.job).late_by_now().map_err(of_files::failed),
        }
    }

    /// Puts rows back that came to files after they had been replaced; with `dry_run` only counts them.
    pub(crate) fn restore_late(&self, dry_run: bool, run_id: &str) -> Result<files::LateRestored, Failure> {
        match &self.kind {
            Kind::Collection { .. } => Err(Failure::Usage(
                "`--late` is for jobs over files: a collection is never replaced".to_owned(),
                "leave it out, and name items, or `--run`, `--rule`, `--series`, `--since`".to_owned(),
            )),
            Kind::Files => {
                let of_job = Files::of(self.job);
                Self::recover(&of_job, dry_run)?;
                files::restore_late(of_job.place(), dry_run, of_job.run(run_id)).map_err(of_files::failed)
            }
        }
    }

    /// What could be erased that came here before `older_than`, µs UTC.
    pub(crate) async fn purgeable(&self, older_than: i64) -> Result<Purge, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => {
                let now = chrono::Utc::now().timestamp_micros();
                let (over, kept) = rows.purgeable(older_than, now).await.map_err(failed)?;
                Ok(Purge { rows: over.len() as u64, kept, ..Purge::default() })
            }
            Kind::Files => self.purge_files(older_than, true),
        }
    }

    /// Erases it.
    pub(crate) async fn purge(&self, older_than: i64, run_id: &str) -> Result<Purge, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => {
                let now = chrono::Utc::now().timestamp_micros();
                let (over, kept) = rows.purgeable(older_than, now).await.map_err(failed)?;
                let purged = rows.purge(&over, &order(self.job, run_id)).await.map_err(failed)?.purged;
                Ok(Purge { rows: purged, kept, ..Purge::default() })
            }
            Kind::Files => {
                let of_job = Files::of(self.job);
                let failed = Self::recover(&of_job, false)?;
                let mut purge = self.purge_files(older_than, false)?;
                purge.refused.extend(failed);
                Ok(purge)
            }
        }
    }

    fn purge_files(&self, older_than: i64, dry_run: bool) -> Result<Purge, Failure> {
        let now = chrono::Utc::now().timestamp_micros();
        let keep = self.job.quarantine.keep_originals.num_microseconds().unwrap_or(i64::MAX);
        let limits = files::Limits { older_than, now, originals_before: now.saturating_sub(keep) };
        let purged = files::purge(Files::of(self.job).place(), limits, dry_run).map_err(of_files::failed)?;
        let files::Purged { items, kept, originals, bytes, refused } = purged;
        Ok(Purge { rows: items, kept, originals, bytes, refused })
    }

    /// Why rows that are old enough are kept nevertheless.
    pub(crate) fn why_kept(&self) -> &'static str {
        match &self.kind {
            Kind::Collection { .. } => {
                "`[quarantine] keep`, or they were put back, or a removal of the last hour may still be under way in the server"
            }
            Kind::Files => "`[quarantine] keep`, or they were put back",
        }
    }

    /// Why the clock of this machine may be wrong, so that rows would be erased that are not old; only files, for a
    /// server has a clock of its own.
    pub(crate) fn clock_doubt(&self) -> Result<Option<String>, Failure> {
        match &self.kind {
            Kind::Collection { .. } => Ok(None),
            Kind::Files => Files::of(self.job).clock_doubt(),
        }
    }

    /// The row of an item as text.
    pub(crate) fn text(&self, item: &Item) -> String {
        match &self.kind {
            Kind::Collection { .. } => document_json(&item.raw),
            Kind::Files => String::from_utf8_lossy(&item.raw).into_owned(),
        }
    }
}
