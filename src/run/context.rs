//! What a run uses of the process it is part of.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::clock::Clock;
use super::events::{Event, Events, Stage, UnderWay};
use super::failure::Failure;
use super::scratch::Scratch;
use super::stop::Stop;
use crate::engine::session::Limits;

/// Threads, memory, a folder for temporary files, a clock, a stop signal, and a receiver of events.
#[derive(Clone)]
pub struct Context {
    /// Threads; without a number one a core.
    pub threads: Option<usize>,
    /// Bytes of memory for sorts and for the rows of one series; without a number there is no limit.
    pub memory: Option<usize>,
    /// Folder for snapshots and spilled data; without one that of the system.
    pub temp: Option<PathBuf>,
    /// What time it is.
    pub clock: Clock,
    /// Asks a run to stop.
    pub stop: Arc<Stop>,
    /// Receives the events of a run.
    pub events: Events,
}

impl Default for Context {
    fn default() -> Self {
        let (threads, memory, temp) = (None, None, None);
        let (clock, stop, events) = (Clock::system(), Arc::new(Stop::never()), Arc::new(|_: Event<'_>| ()));
        Self { threads, memory, temp, clock, stop, events }
    }
}

impl Context {
    /// The engine's limits, for what spills nothing to disk.
    pub(crate) fn limits(&self) -> Limits {
        let threads = self.threads.unwrap_or_else(|| Limits::default().threads);
        Limits { threads, memory: self.memory, temp: None }
    }

    /// The engine's limits; what a query spills goes where it is removed with the rest of the run.
    pub(crate) fn limits_in(&self, scratch: &Scratch) -> Limits {
        Limits { temp: Some(scratch.path().to_path_buf()), ..self.limits() }
    }

    /// A folder of its own for what lives as long as the run; removed when dropped.
    pub(crate) fn scratch(&self) -> Result<Scratch, Failure> {
        Scratch::make(&self.temp.clone().unwrap_or_else(std::env::temp_dir))
    }

    /// Begins a stage of a job.
    pub(crate) fn begin(&self, job: &str, stage: Stage, rows: Option<u64>) -> UnderWay {
        UnderWay::begin(&self.events, job, stage, rows)
    }

    /// Reports what a person should know.
    pub(crate) fn note(&self, text: &str) {
        (self.events)(Event::Note(text));
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, memory, temp, clock, .. } = self;
        let mut shown = f.debug_struct("Context");
        shown.field("threads", threads).field("memory", memory).field("temp", temp).field("clock", clock);
        shown.finish_non_exhaustive()
    }
}
