//! Runs over old windows, one after the other, each with a report of its own. They never move the watermark.
//!
//! Which windows are done follows from the reports alone: a window is, where the newest backfill over it evaluated every row and
//! moved what was to be moved, by the same job file and the same rules. So whoever is interrupted begins again with the same
//! call, and only the rest is done.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;

use super::conclude::RunResult;
use super::failure::Failure;
use super::job::Job;
use super::options::{IfLocked, RunOptions};
use super::program::program;
use super::window::{self, AskedWindow};
use crate::decide::FailOn;
use crate::engine::session::session;
use crate::market::zone::{self, DAY_US, Local};
use crate::report::backfills::{self, Closed, WindowEnd};
use crate::report::run::Trigger;
use crate::schema::moment::Moment;
use crate::text::numbers::thousands;
use crate::text::utc::UtcMicros;

/// The length of a window where nobody says it.
const USUAL_STEP: TimeDelta = TimeDelta::days(30);
/// Most windows of a call: more are a step that was mistaken.
const MOST: i64 = 10_000;
/// No zone changes its clocks by more, apart from the few that skipped a date, µs.
const SHIFT_US: i64 = 3 * 3_600_000_000;
/// Clocks are put forward by multiples of it, µs.
const QUARTER_HOUR_US: i64 = 900_000_000;

/// Which of the old windows are run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reprocess {
    /// Those without a finished run by the job and the rules as they are now, failed ones among them.
    #[default]
    Missing,
    /// Those whose newest run failed, was refused or was stopped, and no others.
    Failed,
    /// All of them.
    All,
}

/// Which old windows a backfill looks at, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillOptions {
    /// First moment of the first window.
    pub since: Moment,
    /// First moment that is no longer part of the last one.
    pub until: Moment,
    /// The length of a window, 30 days where it is `None`; the last one ends with `until`. Whole days are days of the calendar
    /// in the zone of the bars, whether they have 23, 24 or 25 hours.
    pub step: Option<TimeDelta>,
    /// Which of the windows are run.
    pub reprocess: Reprocess,
    /// As [`RunOptions::fail_on`].
    pub fail_on: Option<FailOn>,
    /// As [`RunOptions::if_locked`].
    pub if_locked: IfLocked,
    /// As [`RunOptions::as_of`].
    pub as_of: Option<Moment>,
}

/// One window of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldWindow {
    /// First moment, µs UTC on the scale of the timestamps.
    pub since: i64,
    /// First moment that is no longer part of it, on the same scale.
    pub until: i64,
    /// Whether it is to be run.
    pub due: bool,
}

/// The windows of a backfill, and the job that runs over them.
#[derive(Debug)]
pub struct Backfill {
    job: Job,
    options: BackfillOptions,
    windows: Vec<OldWindow>,
}

impl Job {
    /// Finds out which old windows are to be run. The source is looked at, and nothing is evaluated yet.
    ///
    /// # Errors
    /// The window is empty or reaches into the future, the step does not fit it, or the source or an earlier report cannot be
    /// read.
    pub async fn backfill(&self, options: BackfillOptions) -> Result<Backfill, Failure> {
        let closed = self.closed(&options)?;
        let spans = spans(closed, self.step(&options, closed)?, self.zone());
        let known = backfills::windows(self.report_dir(), self.name())?;
        let rules_sha256 = match options.reprocess {
            Reprocess::Missing => self.rules_sha256().await?,
            Reprocess::Failed | Reprocess::All => String::new(),
        };
        let is_due = |span: &Closed| is_due(options.reprocess, span, &known, (&self.loaded.job_sha256, &rules_sha256));
        let windows =
            spans.into_iter().map(|span| OldWindow { since: span.0, until: span.1, due: is_due(&span) }).collect();
        Ok(Backfill { job: self.clone(), options, windows })
    }

    /// All of the old windows together, on the scale of the timestamps.
    fn closed(&self, options: &BackfillOptions) -> Result<Closed, Failure> {
        let job = &self.loaded.job;
        let asked = AskedWindow { since: Some(options.since), until: Some(options.until), ..AskedWindow::default() };
        let as_of = window::as_of(options.as_of, job, self.context.clock.now())?;
        let (Some(since), Some(until)) = window::window(&asked, job, as_of)? else {
            return Err(Failure::Usage("the window has no end".to_owned(), "give `--since` and `--until`".to_owned()));
        };
        let now = Moment::Instant(as_of.timestamp_micros()).resolve(job.bars.time.zone, self.is_daily());
        let now = now.map_err(|problem| Failure::Usage(format!("--as-of: {problem}"), String::new()))?;
        if until > now {
            let message = format!(
                "--until: {} is in the future: a backfill looks at old bars, and it is {} now",
                self.shown(until),
                self.shown(now)
            );
            return Err(Failure::Usage(message, "end it earlier; `barkeep run` looks at the newest bars".to_owned()));
        }
        Ok((since, until))
    }

    /// The length of a window in µs.
    fn step(&self, options: &BackfillOptions, (since, until): Closed) -> Result<i64, Failure> {
        let wrong = |problem: String, help: &str| Err(Failure::Usage(format!("--step: {problem}"), help.to_owned()));
        let length = until - since;
        let step = match options.step.map(|step| step.num_microseconds().unwrap_or(i64::MAX)) {
            None => USUAL_STEP.num_microseconds().unwrap_or(i64::MAX).min(length),
            Some(step) if step <= 0 => return wrong("a window has a length".to_owned(), "e.g. `--step 30d`"),
            // Days of a zone may have an hour less.
            Some(step) if step > length && (self.is_daily() || step % DAY_US != 0 || step > length + SHIFT_US) => {
                let help = "make the step smaller, or leave it out";
                return wrong(format!("it is longer than {} .. {}", self.shown(since), self.shown(until)), help);
            }
            Some(step) => step,
        };
        if self.is_daily() && options.step.is_some() && step % DAY_US != 0 {
            return wrong("a bar is a day or longer, and a window is not whole days".to_owned(), "e.g. `--step 30d`");
        }
        match length / step {
            windows if windows >= MOST => wrong(
                format!("that would be more than {} windows", thousands(MOST.unsigned_abs())),
                "make the step longer; several calls do for a longer time",
            ),
            _ => Ok(step),
        }
    }

    /// The zone whose days are the steps of intraday bars; daily ones go by their dates.
    fn zone(&self) -> Option<Tz> {
        (!self.is_daily()).then_some(self.loaded.job.bars.time.zone)
    }

    fn shown(&self, at: i64) -> String {
        UtcMicros(at).timestamp(self.is_daily())
    }

    /// What the reports of runs by the rules as they are now say of them.
    async fn rules_sha256(&self) -> Result<String, Failure> {
        let opened = self.open_source().await?;
        let rules = match session(&self.context.limits()) {
            Ok(session) => program(self, &opened, &session).map(|program| program.rules.sha256),
            Err(error) => Err(error.into()),
        };
        opened.source.close().await;
        rules
    }
}

impl Backfill {
    /// Its windows, oldest first.
    pub fn windows(&self) -> &[OldWindow] {
        &self.windows
    }

    /// Runs over a window.
    ///
    /// # Errors
    /// As [`Job::run`].
    pub async fn run(&self, window: &OldWindow) -> Result<RunResult, Failure> {
        let moment = |at: i64| match self.job.is_daily() {
            // A date and a time of day, as clocks show them where the bars are from.
            true => DateTime::from_timestamp_micros(at).map(|at| Moment::Local(at.naive_utc())),
            false => Some(Moment::Instant(at)),
        };
        let BackfillOptions { fail_on, if_locked, as_of, .. } = self.options;
        let window = AskedWindow { since: moment(window.since), until: moment(window.until), ..AskedWindow::default() };
        let trigger = Trigger::Backfill;
        self.job.run(RunOptions { window, fail_on, if_locked, as_of, trigger, dry_run: false }).await
    }

    /// A window as a person reads it: half-open, dates for daily bars.
    pub fn shown(&self, window: &OldWindow) -> String {
        format!("{} .. {}", self.job.shown(window.since), self.job.shown(window.until))
    }
}

/// Whether the window `span` is to be run.
fn is_due(
    reprocess: Reprocess,
    span: &Closed,
    known: &BTreeMap<Closed, WindowEnd>,
    (job, rules): (&str, &str),
) -> bool {
    let end = known.get(span);
    match reprocess {
        Reprocess::All => true,
        Reprocess::Failed => end.is_some_and(|end| !end.finished),
        Reprocess::Missing => {
            !end.is_some_and(|end| end.finished && end.job_sha256 == job && end.rules_sha256 == rules)
        }
    }
}

/// Windows of `step` µs from `since` on; the last one ends with `until`. Where there is a `zone`, whole days are those of its
/// clocks.
fn spans((since, until): Closed, step: i64, zone: Option<Tz>) -> Vec<Closed> {
    let by_wall = zone.filter(|_| step % DAY_US == 0);
    let boundary = |count: i64| {
        let ahead = count.saturating_mul(step);
        match by_wall {
            Some(zone) => on_wall(zone, since.saturating_add(zone::offset_at(zone, since)).saturating_add(ahead)),
            None => since.saturating_add(ahead),
        }
    };
    let mut spans = Vec::new();
    let mut from = since;
    for count in 1.. {
        let to = boundary(count).min(until);
        // Two steps may end at the same instant where a zone skipped a date.
        if to > from {
            spans.push((from, to));
        }
        if to >= until {
            break;
        }
        from = from.max(to);
    }
    spans
}

/// The instant at which clocks in `zone` show `wall` (µs) first, or the first one after it where they skip it.
fn on_wall(zone: Tz, wall: i64) -> i64 {
    // No clock was ever put forward by more than a day and a half at once.
    let found = (0..=144).find_map(|quarter| match zone::from_local(zone, 0, wall + quarter * QUARTER_HOUR_US) {
        Local::At(instant) | Local::Repeated(instant, _) => Some(instant),
        Local::Skipped | Local::OutOfRange => None,
    });
    found.unwrap_or(wall)
}

#[cfg(test)]
mod tests;
