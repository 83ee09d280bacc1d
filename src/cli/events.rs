//! What happens during a run, drawn: a bar on a terminal, else a log line; messages go to stderr.

use std::sync::{Arc, Mutex, PoisonError};

use super::args::{Global, LogFormat};
use super::log::message;
use super::progress::Progress;
use crate::run::{Clock, Context, Event, Stop};

/// Messages that wait until it is known whether anything is wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<Vec<String>>>);

impl Held {
    fn hold(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }

    /// The messages since this was last asked.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// [`context`] without progress, and with messages that wait.
pub(super) fn quiet_context(global: &Global, stop: Stop) -> (Context, Held) {
    let held = Held::default();
    let holds = held.clone();
    let events = move |event: Event<'_>| {
        if let Event::Note(text) = event {
            holds.hold(text);
        }
    };
    (Context { events: Arc::new(events), ..context(global, stop) }, held)
}

/// What runs use of this process, as the flags say.
pub(super) fn context(global: &Global, stop: Stop) -> Context {
    let progress: Mutex<Option<Progress>> = Mutex::new(None);
    let drawn = global.log_format == LogFormat::Text;
    let events = move |event: Event<'_>| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Began(job, stage, rows) => {
                *progress = Some(Progress::new(&format!("{job}: {}", stage.as_str()), rows, drawn));
            }
            Event::Rows(rows) => progress.iter_mut().for_each(|progress| progress.report(rows)),
            Event::Ended => *progress = None,
            Event::Note(text) => message(text),
        }
    };
    Context {
        threads: global.threads.map(usize::from),
        memory: global.memory_limit,
        temp: global.temp_dir.clone(),
        clock: Clock::system(),
        stop: Arc::new(stop),
        events: Arc::new(events),
    }
}
