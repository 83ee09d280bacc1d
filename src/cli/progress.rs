//! Progress of a long step: a bar on a terminal, else one log line in half a minute.

use std::fmt;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::colour::dumb;
use crate::text::numbers::{counted, speed, whole};

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
    /// A step called `what`; `total` rows are expected, where that is known. It is `drawn` where a person reads stderr.
    pub(crate) fn new(what: &str, total: Option<u64>, drawn: bool) -> Self {
        let bar = match drawn && io::stderr().is_terminal() && !dumb() {
            true => ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5)),
            false => ProgressBar::hidden(),
        };
        let template = match total {
            Some(1) => "{prefix} {wide_bar} {human_pos} of 1 row, {pace}, {eta} left",
            Some(_) => "{prefix} {wide_bar} {human_pos} of {human_len} rows, {pace}, {eta} left",
            None => "{prefix} {spinner} {rows}, {pace}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let style = style.with_key("rows", |state: &ProgressState, out: &mut dyn fmt::Write| {
                // A text in memory takes everything.
                out.write_str(&counted(state.pos(), "row")).ok();
            });
            bar.set_style(style.with_key("pace", |state: &ProgressState, out: &mut dyn fmt::Write| {
                out.write_str(&pace(state.per_sec())).ok();
            }));
        }
        bar.set_prefix(what.to_owned());
        let now = Instant::now();
        Self { bar, what: what.to_owned(), started: now, reported: now }
    }

    /// `rows` rows are done.
    pub(crate) fn report(&mut self, rows: u64) {
        self.bar.set_position(rows);
        if self.bar.is_hidden() && self.reported.elapsed() >= EVERY {
            self.reported = Instant::now();
            let seconds = self.started.elapsed().as_secs();
            tracing::info!(target: "barkeep::progress", rows, seconds, "{}", self.what);
        }
    }
}

/// Rows a second, as a whole number with two significant digits.
fn pace(rows_per_second: f64) -> String {
    speed(whole(rows_per_second), 1.0).unwrap_or_else(|| "0 rows/s".to_owned())
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_a_whole_number() {
        for (rows_per_second, text) in
            [(0.0, "0 rows/s"), (0.4, "0 rows/s"), (12_345.678_9, "12,000 rows/s"), (649_321.25, "650,000 rows/s")]
        {
            assert_eq!(pace(rows_per_second), text);
        }
    }
}
