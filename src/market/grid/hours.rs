//! Intraday bars of a calendar with a table of sessions.
//!
//! Every stretch of uninterrupted trading is kept with the number of bars before it, and an index by UTC day finds
//! the stretch of a timestamp without a search.

use crate::market::calendar::Calendar;
use crate::market::slot::Slot;
use crate::market::zone::{self, DAY_US};

/// The bars of all sessions.
#[derive(Debug, Clone)]
pub(super) struct Hours {
    step: i64,
    labelled_at_end: bool,
    /// In order of time; none is empty and none overlaps another.
    stretches: Vec<Stretch>,
    first_day: i32,
    /// Entry `i` counts the stretches that end at or before midnight UTC of `first_day + i`.
    ended: Vec<u32>,
}

/// Trading without a break from `start` to `end`, µs UTC; its first bar begins at `start`.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: i64,
    end: i64,
    bars_before: i64,
}

impl Hours {
    /// Cuts every stretch of `calendar` into bars of `step` µs, from its start or at multiples of `step` on the
    /// local clock.
    pub(super) fn new(calendar: &Calendar, step: i64, labelled_at_end: bool, clock_aligned: bool) -> Self {
        let mut stretches: Vec<Stretch> = Vec::new();
        let (mut bars_before, mut last_end) = (0, i64::MIN);
        for session in calendar.sessions().unwrap_or_default() {
            let offset = if clock_aligned { zone::offset_at(calendar.zone(), session.open) } else { 0 };
            for (mut start, mut end) in session.stretches() {
                if clock_aligned {
                    start -= (start + offset).rem_euclid(step);
                    end += (-end - offset).rem_euclid(step);
                }
                // A bar on the clock can hold the end of one stretch and the start of the next.
                start = start.max(last_end);
                if start < end {
                    stretches.push(Stretch { start, end, bars_before });
                    bars_before += (end - start + step - 1) / step;
                    last_end = end;
                }
            }
        }
        let first_day = stretches.first().map_or(0, |stretch| zone::day_of(stretch.start));
        let ended = ended_by_day(&stretches, first_day);
        Self { step, labelled_at_end, stretches, first_day, ended }
    }

    /// Where `time` stands; `None` outside every stretch.
    pub(super) fn slot(&self, time: i64) -> Option<Slot> {
        // A timestamp at the end of a bar belongs to the bar of the microsecond before.
        let inside = if self.labelled_at_end { time.saturating_sub(1) } else { time };
        let day = i64::from(zone::day_of(inside)) - i64::from(self.first_day);
        let from = *self.ended.get(usize::try_from(day).ok()?)? as usize;
        let stretch = self.stretches.get(from..)?.iter().find(|stretch| inside < stretch.end)?;
        if inside < stretch.start {
            return None;
        }
        let bar = (inside - stretch.start) / self.step;
        let on = self.timestamp_in(stretch, bar) == time;
        Some(if on { Slot::On(stretch.bars_before + bar) } else { Slot::OffGrid })
    }

    pub(super) fn timestamp(&self, position: i64) -> i64 {
        let after = self.stretches.partition_point(|stretch| stretch.bars_before <= position);
        match after.checked_sub(1).and_then(|at| self.stretches.get(at)) {
            Some(stretch) => self.timestamp_in(stretch, position - stretch.bars_before),
            None => unreachable!("bug: the grid has no bar at position {position}"),
        }
    }

    pub(super) fn first_at_or_after(&self, time: i64) -> Option<i64> {
        let at = self.stretches.partition_point(|stretch| self.timestamp_in(stretch, self.bars(stretch) - 1) < time);
        let stretch = self.stretches.get(at)?;
        let ahead = time.saturating_sub(self.timestamp_in(stretch, 0)).max(0);
        let bar = ahead / self.step + i64::from(ahead % self.step != 0);
        Some(stretch.bars_before + bar.min(self.bars(stretch) - 1))
    }

    pub(super) fn last_at_or_before(&self, time: i64) -> Option<i64> {
        let after = self.stretches.partition_point(|stretch| self.timestamp_in(stretch, 0) <= time);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        let mut bar = (time.saturating_sub(self.timestamp_in(stretch, 0)) / self.step).min(self.bars(stretch) - 1);
        // The timestamp of a short last bar comes sooner than a whole step after the one before.
        if bar + 2 == self.bars(stretch) && self.timestamp_in(stretch, bar + 1) <= time {
            bar += 1;
        }
        Some(stretch.bars_before + bar)
    }

    fn bars(&self, stretch: &Stretch) -> i64 {
        (stretch.end - stretch.start + self.step - 1) / self.step
    }

    fn timestamp_in(&self, stretch: &Stretch, bar: i64) -> i64 {
        let start = stretch.start + bar * self.step;
        if self.labelled_at_end { (start + self.step).min(stretch.end) } else { start }
    }
}

fn ended_by_day(stretches: &[Stretch], first_day: i32) -> Vec<u32> {
    let Some(last) = stretches.last() else { return Vec::new() };
    let mut ended = Vec::new();
    let mut count = 0;
    for day in first_day..=zone::day_of(last.end) {
        let midnight = i64::from(day) * DAY_US;
        while stretches.get(count as usize).is_some_and(|stretch| stretch.end <= midnight) {
            count += 1;
        }
        ended.push(count);
    }
    ended
}
