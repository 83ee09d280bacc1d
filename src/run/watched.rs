//! Lets other processes see how far a run is.

use std::sync::{Arc, Mutex, PoisonError};

use super::context::Context;
use super::events::{Event, Events};
use super::job::Job;
use crate::durable::Disk;
use crate::report::run::RunMeta;
use crate::report::running::{Running, RunningFile};

impl Job {
    /// The job with events that others see too, as the run `meta`, until it is dropped. Where that cannot be written, the run goes
    /// on without.
    pub(super) fn watched(&self, meta: &RunMeta) -> Self {
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
            Ok(file) => Self {
                context: Context { events: recorded(file, &self.context.events), ..self.context.clone() },
                ..self.clone()
            },
            Err(error) => {
                tracing::debug!("others do not see how far the run is: {error}");
                self.clone()
            }
        }
    }
}

/// Events that are written into `file` and passed on to `next`.
fn recorded(file: RunningFile, next: &Events) -> Events {
    let (file, next) = (Mutex::new(file), Arc::clone(next));
    Arc::new(move |event: Event<'_>| {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Began(_, stage, of) => file.stage(Some(stage.as_str()), of),
            Event::Rows(rows) => file.rows(rows),
            Event::Ended => file.stage(None, None),
            Event::Note(_) => {}
        }
        drop(file);
        next(event);
    })
}
