//! The quarantine of a job, whatever its source is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cli::exit::Failure;
use crate::cli::open::connect;
use crate::cli::settling::files::{self as of_files, place};
use crate::cli::settling::{collection_of, failed, order};
use crate::config::job::Source;
use crate::config::{Job, Loaded};
use crate::settle::files;
use crate::settle::item::{Item, State, UnderWay, Which};
use crate::settle::mongodb;
use crate::source::mongodb::{Connection, Reader, document_json};

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
}

impl<'a> Store<'a> {
    /// Opens the quarantine of a job.
    pub(crate) async fn open(loaded: &'a Loaded) -> Result<Self, Failure> {
        let job = &loaded.job;
        let Source::Mongodb(source) = &job.source else { return Ok(Self { job, kind: Kind::Files }) };
        let connection = Arc::new(connect(source).await?);
        let reader = Reader::new(Arc::clone(&connection), &source.database, &source.collection);
        match reader.look().await {
            Ok(info) => {
                let rows = collection_of(job, source, Arc::clone(&connection), &info);
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
                let runs = files::unfinished(place(self.job)).map_err(of_files::failed)?;
                Ok(UnderWay { runs, holder: None })
            }
        }
    }

    /// The items that `which` means, oldest first; with the bytes of their rows where `raw` says so.
    pub(crate) async fn items(&self, which: &Which, raw: bool) -> Result<Vec<Item>, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => rows.items(which, raw).await.map_err(failed),
            Kind::Files => {
                let mut items = files::items(place(self.job)).map_err(of_files::failed)?;
                items.retain(|item| which.takes(item));
                Ok(items)
            }
        }
    }

    /// Of `items`, those that can be put back.
    pub(crate) async fn restorable(&self, items: Vec<Item>) -> Result<Vec<Item>, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => rows.restorable(items).await.map_err(failed),
            Kind::Files => Ok(items.into_iter().filter(is_away).collect()),
        }
    }

    /// Puts the rows of `items` back.
    pub(crate) async fn restore(&self, items: &[Item], run_id: &str) -> Result<Restored, Failure> {
        match &self.kind {
            Kind::Collection { rows, .. } => {
                let told = rows.restore(items, &order(self.job, run_id)).await.map_err(failed)?;
                Ok(Restored {
                    back: told.restored.len() as u64,
                    already_there: told.already_there.len() as u64,
                    conflicts: told.conflicts.into_iter().collect(),
                })
            }
            Kind::Files => {
                let ids: Vec<String> = items.iter().map(|item| item.id.clone()).collect();
                files::recover(place(self.job)).map_err(of_files::failed)?;
                let run = files::Run { id: run_id, at: chrono::Utc::now().timestamp_micros() };
                let told = files::restore(place(self.job), &ids, false, run).map_err(of_files::failed)?;
                let (back, already_there) = (told.restored, told.already_there);
                Ok(Restored { back, already_there, conflicts: told.conflict.into_iter().collect() })
            }
        }
    }

    /// How many items could be erased that came here before `older_than`, µs UTC, and how many of that age are still to
    /// be kept.
    pub(crate) async fn purgeable(&self, older_than: i64) -> Result<(u64, u64), Failure> {
        let now = chrono::Utc::now().timestamp_micros();
        match &self.kind {
            Kind::Collection { rows, .. } => {
                let (over, kept) = rows.purgeable(older_than, now).await.map_err(failed)?;
                Ok((over.len() as u64, kept))
            }
            Kind::Files => {
                let items = files::items(place(self.job)).map_err(of_files::failed)?;
                let old = items.iter().filter(|item| item.at < older_than);
                let kept = old.filter(|item| item.expires_at > now).count() as u64;
                // A removal is erased whole: one row that is to be kept keeps them all.
                let purged = match kept {
                    0 => files::purge(place(self.job), older_than, true).map_err(of_files::failed)?.items,
                    _ => 0,
                };
                Ok((purged, kept))
            }
        }
    }

    /// Erases them; returns how many.
    pub(crate) async fn purge(&self, older_than: i64, run_id: &str) -> Result<u64, Failure> {
        let now = chrono::Utc::now().timestamp_micros();
        match &self.kind {
            Kind::Collection { rows, .. } => {
                let (over, _) = rows.purgeable(older_than, now).await.map_err(failed)?;
                Ok(rows.purge(&over, &order(self.job, run_id)).await.map_err(failed)?.purged)
            }
            Kind::Files => {
                files::recover(place(self.job)).map_err(of_files::failed)?;
                Ok(files::purge(place(self.job), older_than, false).map_err(of_files::failed)?.items)
            }
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

/// Whether the row of an item is not in its source, so that it can be put back.
fn is_away(item: &Item) -> bool {
    item.state == State::Removed
}
