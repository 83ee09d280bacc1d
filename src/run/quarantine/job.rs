//! The quarantine of a job: what was moved, put back, written down, or erased when it is old.

use std::fmt;
use std::path::Path;

use arrow::array::RecordBatch;
use chrono::TimeDelta;

use super::contract::{Purge, Quarantine, Restored};
use super::export;
use crate::quarantine::files::LateRestored;
use crate::quarantine::item::{Item, Which};
use crate::quarantine::table;
use crate::report::run_id::RunId;
use crate::report::store::resolve_run_of_job;
use crate::run::failure::Failure;
use crate::run::job::Job;
use crate::run::shell::typed;
use crate::run::unresolved::unresolved;

/// What was moved out of the source of a job. A run is named by its id, a unique prefix, `latest` or `latest~2`.
pub struct JobQuarantine {
    job: Job,
    store: Box<dyn Quarantine>,
}

/// What would be put back.
#[derive(Debug)]
pub struct Restorable {
    /// Which items were asked for, with the whole id of their run.
    pub which: Which,
    /// What putting them back would come to.
    pub would: Restored,
    items: Vec<Item>,
}

/// What would be erased.
#[derive(Debug)]
pub struct Purgeable {
    /// How much that is.
    pub would: Purge,
    /// Rows that came before this moment, µs UTC.
    before: i64,
}

impl Job {
    /// Opens its quarantine; also where the source itself is gone. [`JobQuarantine::close`] closes it.
    ///
    /// # Errors
    /// It is out of reach, or the source is one whose rows never leave.
    pub async fn quarantine(&self) -> Result<JobQuarantine, Failure> {
        Ok(JobQuarantine { job: self.clone(), store: self.source.quarantine().await? })
    }
}

impl JobQuarantine {
    /// The items that `which` means, oldest first, without the bytes of their rows. Items that do not read are left out,
    /// and reported as notes.
    ///
    /// # Errors
    /// The quarantine cannot be read, or `which` names a run that is not there.
    pub async fn list(&self, which: &Which) -> Result<Vec<Item>, Failure> {
        let which = self.resolved(which).await?.0;
        self.items(&which, false).await
    }

    /// The item that is called `id`, or whose name begins so, and its row as text.
    ///
    /// # Errors
    /// None is called so, or several; or the quarantine cannot be read.
    pub async fn show(&self, id: &str) -> Result<(Item, String), Failure> {
        let which = Which { ids: vec![id.to_owned()], ..Which::default() };
        let mut items = self.items(&which, true).await?;
        match (items.pop(), items.len()) {
            (Some(item), 0) => {
                let row = self.store.text(&item);
                Ok((item, row))
            }
            (None, _) => {
                let help = "`barkeep quarantine list JOB` names what there is";
                Err(Failure::Usage(format!("no item is called `{id}`"), help.to_owned()))
            }
            (Some(_), others) => {
                let problem = format!("`{id}` is the beginning of {} items", others + 1);
                Err(Failure::Usage(problem, "write more digits".to_owned()))
            }
        }
    }

    /// The items that `which` means as a table, with the bytes of their rows.
    ///
    /// # Errors
    /// As [`JobQuarantine::list`].
    pub async fn table(&self, which: &Which) -> Result<RecordBatch, Failure> {
        let which = self.resolved(which).await?.0;
        let items = self.items(&which, true).await?;
        Ok(table::batch(&items, |item| self.store.text(item))?)
    }

    /// Writes the items that `which` means to `file`, whose name gives the format: `.parquet`, `.csv` or `.ndjson`.
    /// Returns how many there are.
    ///
    /// # Errors
    /// As [`JobQuarantine::list`]; also where the file cannot be written, or has another name.
    pub async fn export(&self, which: &Which, file: &Path) -> Result<u64, Failure> {
        let table = self.table(which).await?;
        export::write(file, &table)?;
        Ok(table.num_rows() as u64)
    }

    /// What putting back the items that `which` means would come to; nothing is changed.
    ///
    /// # Errors
    /// As [`JobQuarantine::list`]; also where the run that `which` names moved no row: whoever puts its rows back means
    /// another one.
    pub async fn restorable(&self, which: &Which) -> Result<Restorable, Failure> {
        let (which, moved) = self.resolved(which).await?;
        moved.map_or(Ok(()), |moved| moved.check_some(&self.job.path))?;
        let items = self.store.restorable(self.items(&which, false).await?).await?;
        let would = self.store.restore(&items, true, self.run_id().as_str()).await?;
        Ok(Restorable { which, would, items })
    }

    /// Puts rows back where they were; nothing that is there is overwritten.
    ///
    /// # Errors
    /// What broke it off. Rows that are back by then stay.
    pub async fn restore(&self, what: &Restorable) -> Result<Restored, Failure> {
        let restored = self.store.restore(&what.items, false, self.run_id().as_str()).await?;
        // Files were replaced for it, and somebody may have been writing to one.
        let late = if restored.back > 0 { self.store.late_by_now()? } else { None };
        Ok(Restored { late, ..restored })
    }

    /// Rows that came to files after they had been replaced; nothing is changed.
    ///
    /// # Errors
    /// The source is no files, or its quarantine cannot be read.
    pub fn restorable_late(&self) -> Result<LateRestored, Failure> {
        self.store.restore_late(true, self.run_id().as_str())
    }

    /// Puts rows back that came to files after they had been replaced.
    ///
    /// # Errors
    /// As [`JobQuarantine::restorable_late`]; also where a file cannot be written.
    pub fn restore_late(&self) -> Result<LateRestored, Failure> {
        self.store.restore_late(false, self.run_id().as_str())
    }

    /// What could be erased that came here longer ago than `older_than`; nothing is changed.
    ///
    /// # Errors
    /// The quarantine cannot be read.
    pub async fn purgeable(&self, older_than: TimeDelta) -> Result<Purgeable, Failure> {
        let now = self.job.context.clock.now();
        // What is older than all of time is nothing.
        let before = now.checked_sub_signed(older_than).map_or(i64::MIN, |before| before.timestamp_micros());
        Ok(Purgeable { would: self.store.purgeable(before).await?, before })
    }

    /// Erases it. Where [`JobQuarantine::clock_doubt`] has a reason, a person should have said that the clock is right.
    ///
    /// # Errors
    /// What broke it off.
    pub async fn purge(&self, what: &Purgeable) -> Result<Purge, Failure> {
        self.store.purge(what.before, self.run_id().as_str()).await
    }

    /// Why the clock may be wrong, so that rows would be erased that are not old.
    ///
    /// # Errors
    /// The quarantine cannot be read.
    pub fn clock_doubt(&self) -> Result<Option<String>, Failure> {
        self.store.clock_doubt()
    }

    /// Why rows that are old enough are kept nevertheless.
    pub fn why_kept(&self) -> &'static str {
        self.store.why_kept()
    }

    /// Closes its connections.
    pub async fn close(self) {
        self.store.close().await;
    }

    fn run_id(&self) -> RunId {
        RunId::new(self.job.context.clock.naming(), std::process::id(), self.job.name())
    }

    async fn items(&self, which: &Which, raw: bool) -> Result<Vec<Item>, Failure> {
        self.store.items(which, raw, &|text: &str| self.job.context.note(text)).await
    }

    /// The choice with the whole id of the run that it names, so that a command typed later means the same run.
    async fn resolved(&self, which: &Which) -> Result<(Which, Option<Moved>), Failure> {
        let Some(asked) = &which.run else { return Ok((which.clone(), None)) };
        // Items that cannot be read are reported where they are listed.
        let items = self.store.items(&Which::default(), false, &|_: &str| ()).await?;
        let runs = items.iter().map(|item| item.run_id.as_str());
        let newest = runs.clone().max().map(str::to_owned);
        let run =
            resolve_run_of_job(self.job.report_dir(), self.job.name(), runs.clone(), asked).map_err(unresolved)?;
        let any = runs.into_iter().any(|of_item| of_item == run);
        let which = Which { run: Some(run.clone()), ..which.clone() };
        Ok((which, Some(Moved { run, any, newest })))
    }
}

impl fmt::Debug for JobQuarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobQuarantine").field("job", &self.job).finish_non_exhaustive()
    }
}

/// A run that a person named, and what is known of it in the quarantine.
struct Moved {
    /// The run.
    run: String,
    /// Whether rows of it are in the quarantine, in whatever state.
    any: bool,
    /// The newest run with such rows.
    newest: Option<String>,
}

impl Moved {
    /// Fails where the run moved nothing.
    fn check_some(self, job: &Path) -> Result<(), Failure> {
        if self.any {
            return Ok(());
        }
        let problem = format!("run `{}` moved no row to the quarantine", self.run);
        let job = typed(job);
        let help = match self.newest {
            Some(newest) => format!("the newest run that did is `{newest}`; `barkeep quarantine list {job}` shows all"),
            None => format!("no run of this job did; `barkeep run {job}` moves rows"),
        };
        Err(Failure::Usage(problem, help))
    }
}
