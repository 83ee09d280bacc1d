//! A job as a program holds it: its files, read and found right, and what it reads its bars from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::Context;
use super::failure::Failure;
use super::load::load_only;
use super::log;
use super::source::{self, OwnSource, SourceKind};
use crate::config::Loaded;
use crate::schedule::Schedule;

/// A job whose files were read. Its source is opened when it is checked, planned or run, and closed again.
#[derive(Clone)]
pub struct Job {
    pub(super) context: Context,
    /// The job file as it was named.
    pub(super) path: PathBuf,
    /// Only these rules, by id; all where there are none.
    pub(super) only: Vec<String>,
    pub(super) loaded: Arc<Loaded>,
    pub(super) source: Arc<dyn SourceKind>,
    pub(super) own: Option<Arc<dyn OwnSource>>,
}

impl Job {
    /// Reads the job file at `path` and the rule files it names. No source is opened.
    ///
    /// # Errors
    /// The files cannot be read, or every mistake in them.
    pub fn open(context: &Context, path: impl AsRef<Path>) -> Result<Self, Failure> {
        Self::open_rules(context, path, &[])
    }

    /// [`Job::open`] for the rules with the ids `only`: mistakes in other rules do not count, and they are not evaluated.
    ///
    /// # Errors
    /// As [`Job::open`].
    pub fn open_rules(context: &Context, path: impl AsRef<Path>, only: &[String]) -> Result<Self, Failure> {
        Self::read(context, path.as_ref(), only, None)
    }

    /// [`Job::open`] over bars that the program gives, for a job with `[source.own]`.
    ///
    /// # Errors
    /// As [`Job::open`]; also where the job names another source.
    pub fn open_over(
        context: &Context,
        path: impl AsRef<Path>,
        source: impl OwnSource + 'static,
    ) -> Result<Self, Failure> {
        Self::read(context, path.as_ref(), &[], Some(Arc::new(source)))
    }

    fn read(context: &Context, path: &Path, only: &[String], own: Option<Arc<dyn OwnSource>>) -> Result<Self, Failure> {
        log::of_file(path);
        let loaded = Arc::new(load_only(path, only)?);
        log::of_job(&loaded.job.name);
        let source = source::of_job(&loaded, &context.clock, own.clone())?;
        let (context, path, only) = (context.clone(), path.to_path_buf(), only.to_vec());
        Ok(Self { context, path, only, loaded, source, own })
    }

    /// The same job, as its files are now.
    pub(super) fn read_again(&self) -> Result<Self, Failure> {
        Self::read(&self.context, &self.path, &self.only, self.own.clone())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.loaded.job.name
    }

    /// The folder of its reports.
    pub fn report_dir(&self) -> &Path {
        &self.loaded.job.report_dir.resolved
    }

    /// How many rule files it names.
    pub fn rule_files(&self) -> usize {
        self.loaded.job.rules.len()
    }

    /// When it is due; `None` where the job does not say.
    pub fn schedule(&self) -> Option<Schedule> {
        let job = &self.loaded.job;
        job.schedule.as_ref()?.over(&job.bars)
    }

    /// Whether its bars are days or longer, so that a timestamp is a date.
    pub fn is_daily(&self) -> bool {
        self.loaded.job.bars.interval.is_daily_or_longer()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("path", &self.path).field("only", &self.only).finish_non_exhaustive()
    }
}
