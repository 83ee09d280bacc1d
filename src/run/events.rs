//! What a run reports while it is under way, for whoever draws it.

use std::sync::Arc;

/// One step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Rows are read from the source into a snapshot.
    Reading,
    /// Rows are evaluated.
    Evaluating,
    /// Rows leave the source.
    Moving,
    /// Rows are written to a file.
    Extracting,
}

impl Stage {
    /// The stage as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Evaluating => "evaluating",
            Self::Moving => "moving",
            Self::Extracting => "extracting",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A stage of a job began; the number of rows it has to go through, where that is known.
    Began(&'a str, Stage, Option<u64>),
    /// So many rows of the stage are done.
    Rows(u64),
    /// The stage is over.
    Ended,
    /// What a person should know and what decides nothing.
    Note(&'a str),
}

/// Takes events, from any thread.
pub type Events = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// A stage that is under way; it is over when this is dropped.
pub(crate) struct UnderWay {
    events: Events,
}

impl UnderWay {
    /// Begins a stage.
    pub(crate) fn begin(events: &Events, job: &str, stage: Stage, rows: Option<u64>) -> Self {
        events(Event::Began(job, stage, rows));
        Self { events: Arc::clone(events) }
    }

    /// `rows` rows are done.
    pub(crate) fn report(&self, rows: u64) {
        (self.events)(Event::Rows(rows));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        (self.events)(Event::Ended);
    }
}
