//! Lets other processes see how far a run is.

use std::sync::{Arc, Mutex, PoisonError};

use super::context::Context;
use super::events::{Event, Events};
use super::job::Job;
use crate::durable::Disk;
use crate::report::run::RunMeta;
use crate::report::running::{Running, RunningFile};

/// The file of a run, shared with its events.
type Shared = Arc<Mutex<Option<RunningFile>>>;

/// A job whose progress other processes see until this is dropped, also where a thread that was not waited for still reports it:
/// a run that is stopped does not wait for the end of what it reads.
pub(super) struct Watched {
    /// The job with events that are written down.
    pub(super) job: Job,
    file: Option<Shared>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            drop(file.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

impl Job {
    /// The job with events that others see too, as the run `meta`. Where that cannot be written, the run goes on without.
    pub(super) fn watched(&self, meta: &RunMeta) -> Watched {
        let running = Running {
            run_id: meta.run_id.to_string(),
            job: self.name().to_owned(),
            command: meta.command.clone(),
            host: meta.host.clone(),
            pid: std::process::id(),
            started_at: meta.started_at,
            stage: None,
            rows: 0,
            of: None,
        };
        match RunningFile::begin(&Disk::system(), self.report_dir(), running) {
            Ok(file) => {
                let file = Arc::new(Mutex::new(Some(file)));
                let events = recorded(&file, &self.context.events);
                let job = Self { context: Context { events, ..self.context.clone() }, ..self.clone() };
                Watched { job, file: Some(file) }
            }
            Err(error) => {
                tracing::debug!("others do not see how far the run is: {error}");
                Watched { job: self.clone(), file: None }
            }
        }
    }
}

/// Events that are written into `file`, as long as it is there, and passed on to `next`.
fn recorded(file: &Shared, next: &Events) -> Events {
    let (file, next) = (Arc::clone(file), Arc::clone(next));
    Arc::new(move |event: Event<'_>| {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        match (file.as_mut(), event) {
            (Some(file), Event::Began(_, stage, of)) => file.stage(Some(stage.as_str()), of),
            (Some(file), Event::Rows(rows)) => file.rows(rows),
            (Some(file), Event::Ended) => file.stage(None, None),
            (_, Event::Note(_)) | (None, _) => {}
        }
        drop(file);
        next(event);
    })
}
