//! Intraday bars of a calendar with a table of sessions.
//!
//! Every stretch of uninterrupted trading is kept with the number of bars before it, and an index by UTC day finds
//! the stretch of a timestamp without a search.

use crate::market::calendar::Calendar;
use crate::market::label::{Label, PeriodLabel};
use crate::market::slot::Slot;
use crate::market::zone::{self, DAY_US};

/// How sessions are cut into bars.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) label: Label,
    /// At multiples of the step on the local clock instead of from the open.
    pub(super) clock_aligned: bool,
    /// Whether a bar of the closing auction is tolerated.
    pub(super) auctions: bool,
    /// Whether bars before and after the regular hours are tolerated.
    pub(super) extended: bool,
    /// Which day dates a weekly or monthly bar; `None` where any does.
    pub(super) period: Option<PeriodLabel>,
}

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
    /// From when on bars before it are tolerated, and until when those after it are: a closing auction, trading before
    /// and after the regular hours. Beyond its ends where none are.
    tolerated: (i64, i64),
    bars_before: i64,
}

impl Hours {
    /// Cuts every stretch of `calendar` into bars of `step` µs.
    pub(super) fn new(calendar: &Calendar, step: i64, cut: Cut) -> Self {
        let Cut { label, clock_aligned, auctions, extended, period: _ } = cut;
        let labelled_at_end = label == Label::End;
        let mut stretches: Vec<Stretch> = Vec::new();
        let (mut bars_before, mut last_end) = (0, i64::MIN);
        for session in calendar.sessions().unwrap_or_default() {
            let before = calendar.extended_hours(session).filter(|_| extended);
            let auction = auctions.then_some(session.auction_end);
            let after = auction.max(before.map(|(_, until)| until));
            let offset = if clock_aligned { zone::offset_at(calendar.zone(), session.open) } else { 0 };
            for (mut start, mut end) in session.stretches() {
                if clock_aligned {
                    start -= (start + offset).rem_euclid(step);
                    end += (-end - offset).rem_euclid(step);
                }
                // A bar on the clock can hold the end of one stretch and the start of the next.
                start = start.max(last_end);
                if start < end {
                    let tolerated = (
                        before.filter(|_| start <= session.open).map_or(i64::MAX, |(from, _)| from),
                        after.filter(|_| end >= session.close).map_or(i64::MIN, |until| until.max(end)),
                    );
                    stretches.push(Stretch { start, end, tolerated, bars_before });
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
        let mut at = from;
        while self.stretches.get(at).is_some_and(|stretch| stretch.end <= inside) {
            at += 1;
        }
        let Some(stretch) = self.stretches.get(at).filter(|stretch| stretch.start <= inside) else {
            return self.is_tolerated(at, time).then_some(Slot::Tolerated);
        };
        let bar = (inside - stretch.start) / self.step;
        let on = self.timestamp_in(stretch, bar) == time;
        Some(if on { Slot::On(stretch.bars_before + bar) } else { Slot::OffGrid })
    }

    /// Whether `time`, which lies before the stretch `at` and after the one before it, may have a bar nobody expects.
    fn is_tolerated(&self, at: usize, time: i64) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.stretches.get(before));
        let next = self.stretches.get(at);
        // A timestamp at the end of a bar is that of the trading before it.
        let begun = |from: i64| if self.labelled_at_end { from < time } else { from <= time };
        before.is_some_and(|stretch| (stretch.end..=stretch.tolerated.1).contains(&time))
            || next.is_some_and(|stretch| begun(stretch.tolerated.0) && time <= stretch.start)
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
