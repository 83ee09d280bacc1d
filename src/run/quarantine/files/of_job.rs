//! The files of a job, where their rows go, and what others did to them meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Loaded;
use crate::config::job::{self, FileSource};
use crate::durable::Disk;
use crate::quarantine::files::{self, FilesError, Place, WriterTimeout, Writers};
use crate::run::clock::Clock;
use crate::run::failure::Failure;
use crate::text::numbers::counted;

/// How long files that others write to are tried again, all together.
const WRITER_TIMEOUT: Duration = Duration::from_mins(1);
/// When a file that was replaced is looked at once more: a loader that was on its way to it has written by then.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The files of a job, and where their rows go.
#[derive(Debug, Clone)]
pub(crate) struct FilesOfJob {
    pub(super) loaded: Arc<Loaded>,
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    writers: Writers,
}

impl FilesOfJob {
    pub(crate) fn new(loaded: &Arc<Loaded>, source: &FileSource, clock: &Clock) -> Self {
        let writers = match source.writers {
            job::Writers::Any => Writers::Any,
            job::Writers::None => Writers::None,
        };
        Self { loaded: Arc::clone(loaded), disk: Disk::system(), clock: clock.clone(), writers }
    }

    /// The quarantine of the job.
    pub(crate) fn place(&self) -> Place<'_> {
        let job = &self.loaded.job;
        Place { disk: &self.disk, dir: &job.quarantine.dir.resolved, job: &job.name }
    }

    /// Whether anybody may write to the files.
    pub(crate) fn writers(&self) -> Writers {
        self.writers
    }

    /// Finishes what was cut short before. What could not be finished keeps nothing else from being done.
    pub(crate) fn recover(&self) -> Result<files::Recovery, FilesError> {
        let place = self.place();
        if !place.dir.join(format!("job={}", place.job)).exists() {
            return Ok(files::Recovery::default());
        }
        let recovery = files::recover(place)?;
        for recovered in &recovery.done {
            tracing::info!(id = recovered.id, note = recovered.note, "finished what was cut short");
        }
        Ok(recovery)
    }

    /// Files that were written to after they were replaced, as a failure that says how their rows come back.
    pub(crate) fn late(&self) -> Result<Option<Failure>, FilesError> {
        let late = files::late(self.place())?;
        let Some(first) = late.first() else { return Ok(None) };
        let came = match first.appended {
            Some(1) => "1 byte was appended to it".to_owned(),
            Some(bytes) => format!("{} were appended to it", counted(bytes, "byte")),
            None => "it was rewritten".to_owned(),
        };
        let more = match late.len() {
            1 => String::new(),
            all => format!(" (and {})", counted(all as u64 - 1, "more file")),
        };
        let command = "barkeep quarantine restore JOB --late";
        Ok(Some(Failure::Broken(
            format!(
                "a loader wrote to `{}` after it was replaced: {came}, kept in `{}`{more}; `{command}` brings those rows back",
                first.source.display(),
                first.path.display()
            )
            .into(),
        )))
    }

    /// The same a moment after files were replaced: a loader that was on its way to one has written by then. Files that
    /// were replaced earlier in the same process have had longer.
    pub(crate) fn late_by_now(&self) -> Result<Option<Failure>, FilesError> {
        std::thread::sleep(LOOK_AGAIN);
        self.late()
    }

    /// A run that puts rows back.
    pub(crate) fn run<'r>(&self, run_id: &'r str) -> files::Run<'r> {
        let (writers, writer_timeout) = (self.writers, WriterTimeout(Self::writer_timeout()));
        files::Run { id: run_id, at: self.clock.micros(), writers, writer_timeout }
    }

    /// How long files that others write to are tried again. A test may have a shorter timeout: builds with debug assertions
    /// take seconds from `BARKEEP_BUSY_SECONDS`.
    pub(crate) fn writer_timeout() -> Duration {
        let test = if cfg!(debug_assertions) { std::env::var("BARKEEP_BUSY_SECONDS").ok() } else { None };
        test.and_then(|seconds| seconds.parse().ok()).map_or(WRITER_TIMEOUT, Duration::from_secs)
    }
}

/// What a failure of moving rows of files means for the command.
pub(crate) fn failed(error: FilesError) -> Failure {
    match error {
        FilesError::Locked { .. } => Failure::Locked(error.to_string()),
        FilesError::HardLinks { .. }
        | FilesError::MountPoint { .. }
        | FilesError::NoLease { .. }
        | FilesError::NotPackedAgain { .. }
        | FilesError::NotOwner { .. }
        | FilesError::Symlink { .. } => {
            let text = error.to_string();
            let (problem, help) = text.split_once("; ").unwrap_or((&text, "look at the file"));
            Failure::Refused(problem.to_owned(), help.to_owned())
        }
        error => error.into(),
    }
}
