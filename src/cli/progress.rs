//! Progress of a long step: a bar on a terminal, else one log line in half a minute.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is logged where no terminal shows a bar.
const EVERY: Duration = Duration::from_secs(30);

/// Progress of one step of one job.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    started: Instant,
    reported: Instant,
}

impl Progress {
    /// A step called `what`; `total` rows are expected, where that is known.
    pub(crate) fn new(what: &str, total: Option<u64>) -> Self {
        let bar = match io::stderr().is_terminal() {
            true => ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5)),
            false => ProgressBar::hidden(),
        };
        let template = match total {
            Some(_) => "{prefix} {wide_bar} {human_pos} of {human_len} rows, {per_sec}, {eta} left",
            None => "{prefix} {spinner} {human_pos} rows, {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        let now = Instant::now();
        Self { bar, what: what.to_owned(), started: now, reported: now }
    }

    /// `rows` rows are done.
    pub(crate) fn at(&mut self, rows: u64) {
        self.bar.set_position(rows);
        if self.bar.is_hidden() && self.reported.elapsed() >= EVERY {
            self.reported = Instant::now();
            let seconds = self.started.elapsed().as_secs();
            tracing::warn!(target: "barkeep::progress", rows, seconds, "{}", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
