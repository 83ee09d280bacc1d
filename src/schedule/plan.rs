//! A schedule, and when it is next due.

use std::sync::Arc;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::after_close::{AfterClose, closed_before};
use super::cron::Cron;
use crate::market::Calendar;

/// When a job is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// By what.
    pub when: When,
    /// The zone of a cron pattern, and the one in which times are shown.
    pub zone: Tz,
    /// The calendar whose sessions a run is about.
    pub calendar: Option<Arc<Calendar>>,
    /// The longest time a run may take.
    pub max_time: Option<TimeDelta>,
    /// Over how long the starts of jobs that are due at one moment are spread.
    pub jitter: TimeDelta,
    /// What becomes of moments that were missed.
    pub catch_up: CatchUp,
}

/// By what a job is due.
#[derive(Debug, Clone)]
pub enum When {
    /// A cron pattern.
    Cron(Cron),
    /// A span after the close of each session.
    AfterClose(AfterClose),
}

/// What becomes of moments that were missed: the machine was off, or the run before took too long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// One run stands for all of them.
    #[default]
    Latest,
    /// Each gets a run, one after the other.
    All,
    /// They are passed over.
    None,
}

impl CatchUp {
    /// The words in a job.
    pub const WORDS: &'static [&'static str] = &["latest", "all", "none"];

    /// What `word` stands for.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "latest" => Some(Self::Latest),
            "all" => Some(Self::All),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// What comes next of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The job is due.
    At(Fire),
    /// The calendar ends on this trading date, in days since 1970-01-01, or has none at all.
    BeyondCalendar(Option<i32>),
}

/// A moment at which a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fire {
    /// The instant, µs UTC.
    pub at: i64,
    /// The trading date of the last session that is closed then, in days since 1970-01-01.
    pub session: Option<i32>,
    /// Whether that session is a half-day.
    pub half_day: bool,
}

impl Schedule {
    /// A schedule of which nothing else is said.
    pub fn new(when: When, zone: Tz) -> Self {
        Self { when, zone, calendar: None, max_time: None, jitter: TimeDelta::zero(), catch_up: CatchUp::default() }
    }

    /// What comes after `after`, µs UTC.
    pub fn next(&self, after: i64) -> Due {
        match &self.when {
            When::Cron(cron) => {
                // A pattern that was read is due some day, within the years that can be counted.
                let Some(at) = cron.next(self.zone, after) else { return Due::BeyondCalendar(None) };
                let session = self.calendar.as_deref().and_then(|calendar| closed_before(calendar, at));
                let (day, half_day) =
                    (session.map(|session| session.day), session.is_some_and(|session| session.half_day));
                Due::At(Fire { at, session: day, half_day })
            }
            When::AfterClose(after_close) => match after_close.next(after) {
                Some((at, session)) => Due::At(Fire { at, session: Some(session.day), half_day: session.half_day }),
                None => Due::BeyondCalendar(after_close.calendar.last()),
            },
        }
    }

    /// The next `count` moments after `after`; fewer where the calendar ends.
    pub fn fires(&self, after: i64, count: usize) -> (Vec<Fire>, Option<Due>) {
        let (mut fires, mut from) = (Vec::new(), after);
        while fires.len() < count {
            match self.next(from) {
                Due::At(fire) => {
                    from = fire.at;
                    fires.push(fire);
                }
                end @ Due::BeyondCalendar(_) => return (fires, Some(end)),
            }
        }
        (fires, None)
    }
}

#[cfg(test)]
mod tests;
