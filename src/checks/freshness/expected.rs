//! Which bars there can be at a moment, and which there should be.

use chrono::{Datelike, NaiveDate};

use crate::bars::{BarsSpec, DAY_US, Label};
use crate::market::zone::{self, Local};
use crate::market::{Calendar, Grid, Interval, Lookup, Session};

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// How far ahead of UTC the clocks of the earth go, µs: where a job names neither a calendar nor a zone, a date may have
/// begun so much earlier.
const EARLIEST_CLOCKS_US: i64 = 14 * 60 * MINUTE_US;

/// How far a series lags behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lag {
    /// In the unit `noun`.
    pub(super) count: u64,
    /// What is counted.
    pub(super) noun: &'static str,
    /// µs of trading that are missing, where that can be said.
    pub(super) trading: i64,
    /// µs since the first bar that is missing was over; 0 where none is missing.
    pub(super) elapsed: i64,
}

/// The instant, µs UTC, at which the bar with the timestamp `time` begins.
pub(super) fn begins(bars: &BarsSpec, time: i64) -> i64 {
    let Some(step) = bars.interval.micros() else { return day_begins(bars, first_day(bars.interval, time)) };
    match bars.time.label {
        Label::End => time.saturating_sub(step),
        Label::Start | Label::Session => time,
    }
}

/// The first day of the bar that bears the date `time`.
fn first_day(interval: Interval, time: i64) -> i32 {
    let day = zone::day_of(time);
    let date = || NaiveDate::from_epoch_days(day);
    match interval {
        Interval::Week => {
            date().map_or(day, |date| day - i32::try_from(date.weekday().num_days_from_monday()).unwrap_or(0))
        }
        Interval::Month => date().and_then(|date| date.with_day(1)).map_or(day, |first| first.to_epoch_days()),
        Interval::Day | Interval::Seconds(_) => day,
    }
}

/// The day after the last one of the bar that begins on `first`.
fn next_day(interval: Interval, first: i32) -> i32 {
    match interval {
        Interval::Week => first + 7,
        Interval::Month => {
            let next =
                NaiveDate::from_epoch_days(first).and_then(|date| date.checked_add_months(chrono::Months::new(1)));
            next.map_or(first + 31, |date| date.to_epoch_days())
        }
        Interval::Day | Interval::Seconds(_) => first + 1,
    }
}

/// When trading of `day` begins, else when the day does.
fn day_begins(bars: &BarsSpec, day: i32) -> i64 {
    let midnight = midnight(bars, day);
    let Some(calendar) = &bars.calendar else {
        return if bars.time.zone == chrono_tz::UTC { midnight.saturating_sub(EARLIEST_CLOCKS_US) } else { midnight };
    };
    match calendar.session_on(day) {
        Lookup::Session(ordinal) if bars.interval == Interval::Day => calendar.session(ordinal).open,
        // A session can open on the evening before.
        Lookup::Session(ordinal) => calendar.session(ordinal).open.min(midnight),
        Lookup::Closed | Lookup::OutOfRange => midnight,
    }
}

/// When `day` begins where the bars are from.
fn midnight(bars: &BarsSpec, day: i32) -> i64 {
    match zone::from_local(bars.time.zone, day, 0) {
        Local::At(instant) | Local::Repeated(instant, _) => instant,
        Local::Skipped | Local::OutOfRange => i64::from(day) * DAY_US,
    }
}

/// How far a series whose newest bar is that of `newest` lags behind at `as_of`, µs UTC. Bars that are not over are not
/// missing, and neither is what the calendar does not reach.
pub(super) fn lag(bars: &BarsSpec, newest: i64, as_of: i64, by_session: bool) -> Lag {
    match &bars.grid {
        Some(grid) if bars.interval == Interval::Day || by_session => by_sessions(grid.calendar(), bars, newest, as_of),
        Some(grid) => by_bars(grid, bars, newest, as_of),
        None => by_the_clock(bars, newest, as_of),
    }
}

fn by_sessions(calendar: &Calendar, bars: &BarsSpec, newest: i64, as_of: i64) -> Lag {
    let day = if bars.daily() { zone::day_of(newest) } else { trading_day(calendar, newest) };
    let (next, over) = (calendar.first_on_or_after(day.saturating_add(1)), last_over(calendar, as_of));
    let Some((next, over)) = next.zip(over).filter(|(next, over)| next <= over) else { return Lag::none("session") };
    Lag {
        count: u64::try_from(over - next + 1).unwrap_or(0),
        noun: "session",
        trading: 0,
        elapsed: as_of.saturating_sub(calendar.session(next).close),
    }
}

/// The trading date of an instant: a session can open on the evening before its date.
fn trading_day(calendar: &Calendar, time: i64) -> i32 {
    let day = zone::local_day(calendar.zone(), time);
    let next = calendar.first_on_or_after(day.saturating_add(1)).map(|ordinal| calendar.session(ordinal));
    match next {
        Some(Session { day: next, open, close, .. }) if (open..close).contains(&time) => next,
        _ => day,
    }
}

/// The last session that is over at `as_of`.
fn last_over(calendar: &Calendar, as_of: i64) -> Option<i64> {
    let mut day = zone::local_day(calendar.zone(), as_of).saturating_add(1);
    loop {
        let ordinal = calendar.last_on_or_before(day)?;
        let session = calendar.session(ordinal);
        if session.close <= as_of {
            return Some(ordinal);
        }
        day = session.day - 1;
    }
}

/// Bars that lie on the grid of a calendar and are shorter or longer than a day.
fn by_bars(grid: &Grid, bars: &BarsSpec, newest: i64, as_of: i64) -> Lag {
    let (noun, step) = match bars.interval {
        Interval::Seconds(_) => ("bar", bars.interval.micros().unwrap_or(0)),
        Interval::Week => ("week", 0),
        Interval::Day | Interval::Month => ("month", 0),
    };
    let is_over = |position: i64| ends(bars, grid.timestamp(position)) <= as_of;
    let today = || i64::from(zone::local_day(bars.time.zone, as_of)) * DAY_US;
    let mut last = grid.last_at_or_before(if bars.daily() { today() } else { as_of });
    while let Some(position) = last.filter(|position| !is_over(*position)) {
        last = grid.last_at_or_before(grid.timestamp(position) - 1);
    }
    let next = grid.first_at_or_after(newest.saturating_add(1));
    let Some((next, over)) = next.zip(last).filter(|(next, over)| next <= over) else { return Lag::none(noun) };
    let count = grid.expected_between(next, over);
    Lag {
        count,
        noun,
        trading: step.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX)),
        elapsed: as_of.saturating_sub(ends(bars, grid.timestamp(next))),
    }
}

/// When the bar with the timestamp `time` is over.
fn ends(bars: &BarsSpec, time: i64) -> i64 {
    match (bars.interval.micros(), bars.time.label) {
        (Some(_), Label::End) => time,
        (Some(step), _) => time.saturating_add(step),
        (None, _) => midnight(bars, next_day(bars.interval, first_day(bars.interval, time))),
    }
}

fn by_the_clock(bars: &BarsSpec, newest: i64, as_of: i64) -> Lag {
    let over = ends(bars, newest);
    let (unit, noun) = match bars.interval {
        Interval::Seconds(_) if as_of.saturating_sub(over) < DAY_US => (MINUTE_US, "minute"),
        _ => (DAY_US, "day"),
    };
    let elapsed = as_of.saturating_sub(over).max(0);
    Lag { count: u64::try_from(elapsed / unit).unwrap_or(0), noun, trading: 0, elapsed }
}

impl Lag {
    fn none(noun: &'static str) -> Self {
        Self { count: 0, noun, trading: 0, elapsed: 0 }
    }
}
