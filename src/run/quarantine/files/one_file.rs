//! The rows of one file of a plan: removed, and what became of them.

use std::time::Duration;

use super::exempt::place_of;
use super::of_job::{FilesOfJob, failed};
use crate::durable::from_hex;
use crate::quarantine::files::{self, FilesError, Order, Outcome, Rejected, WriterTimeout};
use crate::quarantine::item::RemovalCounts;
use crate::quarantine::plan::{Plan, PlanFile, PlanRow};
use crate::run::removal::{Done, action, retention};
use crate::run::stop::Stop;
use crate::source::{FileIdentity, FilesSet};
use crate::text::utc::UtcMicros;

/// The rows of one file of a plan.
pub(super) struct OfFile<'p> {
    pub(super) file: &'p PlanFile,
    pub(super) rows: Vec<&'p PlanRow>,
    pub(super) outcome: Option<Outcome>,
}

/// Adds what became of the rows of one file by the moment `at`.
pub(super) fn reported(plan: &Plan, of_file: &OfFile<'_>, at: UtcMicros, done: &mut Done) {
    let Some(outcome) = &of_file.outcome else { return };
    if let Some(note) = &outcome.note {
        tracing::warn!(note, "rows stay");
        done.why.get_or_insert_with(|| note.clone());
    }
    done.busy += if outcome.busy { outcome.counts.kept_error } else { 0 };
    done.counts += RemovalCounts { planned: 0, ..outcome.counts };
    done.actions.extend(of_file.rows.iter().enumerate().map(|(index, row)| {
        let item = outcome.items.get(index);
        let word = item.map_or_else(|| outcome.counts.word(), |item| item.state.as_str());
        let locator = place_of(plan, row).map_or_else(String::new, |(file, number)| match &row.stands {
            Some(stands) => format!("{}:{stands}", file.name),
            None => format!("{}:{number}", file.name),
        });
        let mut action = action(row, locator, item.map_or("", |item| item.id.as_str()), word, at);
        if let Some(item) = item {
            action.sha256.clone_from(&item.sha256);
        }
        action
    }));
}

/// A plan under way.
pub(super) struct Work<'a> {
    pub(super) of_job: &'a FilesOfJob,
    /// How the files are read.
    pub(super) set: &'a FilesSet,
    pub(super) plan: &'a Plan,
    pub(super) run_id: &'a str,
    pub(super) stop: &'a Stop,
}

impl Work<'_> {
    pub(super) fn remove_rows(&self, of_file: &OfFile<'_>, writer_timeout: Duration, done: &mut Done) -> Outcome {
        match self.remove(of_file, writer_timeout) {
            Ok(outcome) => outcome,
            Err(error) => {
                done.fail(failed(error));
                self.after_failure(of_file.file, of_file.rows.len())
            }
        }
    }

    fn remove(&self, of_file: &OfFile<'_>, writer_timeout: Duration) -> Result<Outcome, FilesError> {
        let OfFile { file, rows, .. } = of_file;
        let hash = |hex: &str| from_hex(hex).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let identity = FileIdentity {
            path: file.path.clone(),
            device: file.device,
            inode: file.inode,
            length: file.length,
            modified: 0,
            sha256: hash(&file.sha256),
        };
        let rejected: Vec<Rejected> = rows
            .iter()
            .map(|row| Rejected {
                row: place_of(self.plan, row).map_or(0, |(_, row)| row),
                sha256: row.sha256.as_deref().and_then(hash),
                row_key: row.row_key.clone(),
                series: row.series.clone(),
                time: row.time,
                action: row.action,
                reasons: self.plan.reasons(row),
            })
            .collect();
        let at = self.of_job.clock.micros();
        let (quarantine, delete) = retention(&self.of_job.loaded.job);
        let order = Order {
            run_id: self.run_id,
            plan_id: &self.plan.head.plan_id,
            at,
            retention: files::Retention { quarantine: at + quarantine, delete: at + delete },
            set: self.set,
            file: &identity,
            rows: &rejected,
            writers: self.of_job.writers(),
            writer_timeout: WriterTimeout(writer_timeout),
        };
        files::remove(self.of_job.place(), &order, &|| self.stop.signal().is_some())
    }

    /// Where the rows of a file are whose removal failed on the way; what even recovery does not know now is open.
    fn after_failure(&self, file: &PlanFile, rows: usize) -> Outcome {
        let recovered = self.of_job.recover().map(|recovery| recovery.done).unwrap_or_default();
        if let Some(one) = recovered.into_iter().find(|one| one.source == file.path && one.counts.planned > 0) {
            return Outcome::of(one.counts);
        }
        let planned = rows as u64;
        match files::is_open(self.of_job.place(), &file.path) {
            Ok(false) => Outcome::of(RemovalCounts { planned, untried: planned, ..RemovalCounts::default() }),
            // Where not even the journal reads, the next run finds out too.
            Ok(true) | Err(_) => Outcome::of(RemovalCounts { planned, open: planned, ..RemovalCounts::default() }),
        }
    }
}
