//! The timestamps the bars of a market are expected to have, numbered one after the other.
//!
//! Two bars with consecutive positions have nothing missing between them, whatever nights, weekends, holidays and
//! pauses lie there. Positions are made once per job; looking one up allocates nothing.

mod around_the_clock;
mod hours;
mod periods;

use std::sync::Arc;

use around_the_clock::AroundTheClock;
use hours::{Cut, Hours};
use periods::Periods;

use super::calendar::Calendar;
use super::interval::Interval;
use super::label::{Label, PeriodLabel};
use super::session::Lookup;
use super::slot::Slot;
use super::zone::{self, DAY_US};

/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;

/// Every expected timestamp of a calendar at an interval.
///
/// - Daily: a timestamp is the UTC midnight that stands for a trading date, and its position is the session's ordinal.
/// - Weekly and monthly: any midnight of a week (Monday to Sunday) or month that has a session is on the grid;
///   [`Grid::timestamp`] gives its first day. With [`Grid::with_period_label`] one day of each is.
/// - Intraday: each stretch of trading between open, pause and close is cut into bars from its start; the last bar
///   of a stretch is short where the step does not divide it. A timestamp is the start of its bar (open ≤ t < close) or
///   the end (open < t ≤ close). Where the exchange closes by an auction, a timestamp from the close to its end
///   is tolerated without being expected.
#[derive(Debug, Clone)]
pub struct Grid {
    calendar: Arc<Calendar>,
    interval: Interval,
    cut: Cut,
    steps: Steps,
}

#[derive(Debug, Clone)]
enum Steps {
    Sessions,
    Periods(Periods),
    Hours(Hours),
    AroundTheClock(AroundTheClock),
}

impl Grid {
    /// The grid of `calendar` at `interval`. Intraday bars are labelled with their end where `label` is
    /// [`Label::End`], else with their start; daily bars and longer are always dated.
    pub fn new(calendar: Arc<Calendar>, interval: Interval, label: Label) -> Self {
        let cut = Cut { label, clock_aligned: false, auctions: None, extended: false, period: None };
        Self { steps: steps(&calendar, interval, cut), calendar, interval, cut }
    }

    /// The same grid with intraday bars cut at multiples of the step on the clock of the exchange, counted from
    /// midnight, instead of from the open. Timestamps are such multiples too, even where the bar is cut short: the
    /// first hour of a 09:30 open has the start 09:00 and the end 10:00. Positions change.
    #[must_use]
    pub fn with_clock_alignment(self) -> Self {
        self.recut(|cut| cut.clock_aligned = true)
    }

    /// The same grid where a bar of the closing auction is tolerated, also where none is known of, or is outside trading
    /// hours like any other.
    #[must_use]
    pub fn with_auctions(self, tolerated: bool) -> Self {
        self.recut(|cut| cut.auctions = Some(tolerated))
    }

    /// The same grid where bars before and after the regular hours, where the calendar knows such, are tolerated.
    #[must_use]
    pub fn with_extended_hours(self) -> Self {
        self.recut(|cut| cut.extended = true)
    }

    /// The same grid where bars before and after the regular hours are out of place.
    #[must_use]
    pub fn with_regular_hours(self) -> Self {
        self.recut(|cut| cut.extended = false)
    }

    /// Whether bars before and after the regular hours are tolerated.
    pub fn has_extended_hours(&self) -> bool {
        self.cut.extended
    }

    /// The same grid where weekly and monthly bars are dated by the day that `label` says.
    #[must_use]
    pub fn with_period_label(self, label: PeriodLabel) -> Self {
        self.recut(|cut| cut.period = Some(label))
    }

    /// The same grid where intraday bars have the timestamp of their other end.
    #[must_use]
    pub fn with_other_label(self) -> Self {
        self.recut(|cut| cut.label = if cut.label == Label::End { Label::Start } else { Label::End })
    }

    fn recut(mut self, change: impl FnOnce(&mut Cut)) -> Self {
        change(&mut self.cut);
        self.steps = steps(&self.calendar, self.interval, self.cut);
        self
    }

    /// The calendar.
    pub fn calendar(&self) -> &Arc<Calendar> {
        &self.calendar
    }

    /// The interval.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Where `time` (µs UTC) stands.
    pub fn slot(&self, time: i64) -> Slot {
        match &self.steps {
            Steps::Sessions => self.daily_slot(time),
            Steps::Periods(periods) => periods.slot(time),
            Steps::AroundTheClock(steps) => steps.slot(time),
            Steps::Hours(hours) => hours.slot(time).unwrap_or_else(|| self.outside_hours(time)),
        }
    }

    /// Where each of `times` (µs UTC) stands; `slots` is cleared first and holds one slot a time after. Reuse it
    /// from series to series.
    pub fn slots(&self, times: &[i64], slots: &mut Vec<Slot>) {
        slots.clear();
        match &self.steps {
            Steps::Sessions => slots.extend(times.iter().map(|time| self.daily_slot(*time))),
            _ => slots.extend(times.iter().map(|time| self.slot(*time))),
        }
    }

    /// The timestamp at `position`, µs UTC. A position comes from this grid or lies between two that do.
    pub fn timestamp(&self, position: i64) -> i64 {
        match &self.steps {
            Steps::Sessions => i64::from(self.calendar.day_of(position)) * DAY_US,
            Steps::Periods(periods) => periods.timestamp(position),
            Steps::AroundTheClock(steps) => steps.timestamp(position),
            Steps::Hours(hours) => hours.timestamp(position),
        }
    }

    /// How many bars are expected from position `first` to position `last`, both included; 0 where `last` comes
    /// before `first`.
    pub fn expected_between(&self, first: i64, last: i64) -> u64 {
        u64::try_from(last - first + 1).unwrap_or(0)
    }

    /// The position of the first expected timestamp at or after `time` (µs UTC) that the calendar knows.
    pub fn first_at_or_after(&self, time: i64) -> Option<i64> {
        match &self.steps {
            Steps::Sessions => self.calendar.first_on_or_after(first_midnight(time)),
            Steps::Periods(periods) => periods.first_at_or_after(first_midnight(time)),
            Steps::AroundTheClock(steps) => Some(steps.first_at_or_after(time)),
            Steps::Hours(hours) => hours.first_at_or_after(time),
        }
    }

    /// The position of the last expected timestamp at or before `time` (µs UTC) that the calendar knows.
    pub fn last_at_or_before(&self, time: i64) -> Option<i64> {
        match &self.steps {
            Steps::Sessions => self.calendar.last_on_or_before(zone::day_of(time)),
            Steps::Periods(periods) => periods.last_at_or_before(zone::day_of(time)),
            Steps::AroundTheClock(steps) => Some(steps.last_at_or_before(time)),
            Steps::Hours(hours) => hours.last_at_or_before(time),
        }
    }

    fn daily_slot(&self, time: i64) -> Slot {
        match time.rem_euclid(DAY_US) {
            0 => Slot::of(self.calendar.session_on(zone::day_of(time))),
            _ => Slot::OffGrid,
        }
    }

    /// The slot of an intraday `time` outside trading hours, by the date it has at the exchange.
    fn outside_hours(&self, time: i64) -> Slot {
        match self.calendar.session_on(zone::local_day(self.calendar.zone(), time)) {
            Lookup::Session(_) => Slot::OffHours,
            Lookup::Closed => Slot::Closed,
            Lookup::OutOfRange => Slot::OutOfRange,
        }
    }
}

fn steps(calendar: &Arc<Calendar>, interval: Interval, cut: Cut) -> Steps {
    let step = match interval {
        Interval::Day => return Steps::Sessions,
        Interval::Week => return Steps::Periods(Periods::weeks(calendar, cut.period)),
        Interval::Month => return Steps::Periods(Periods::months(calendar, cut.period)),
        Interval::Seconds(seconds) => i64::from(seconds) * SECOND_US,
    };
    match calendar.days_of_week() {
        Some(days) => Steps::AroundTheClock(AroundTheClock::new(days, step, cut.label == Label::End)),
        None => Steps::Hours(Hours::new(calendar, step, cut)),
    }
}

/// The first day whose midnight is not before `time`.
fn first_midnight(time: i64) -> i32 {
    zone::day_of(time) + i32::from(time.rem_euclid(DAY_US) != 0)
}

#[cfg(test)]
mod tests;
