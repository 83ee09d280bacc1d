//! Intraday bars of markets that trade from midnight to midnight UTC on the first days of every week, by formula
//! and without bounds.

use crate::market::calendar::FIRST_MONDAY;
use crate::market::slot::Slot;
use crate::market::zone::DAY_US;

const WEEK_US: i64 = 7 * DAY_US;

/// The bars of `open_days` days a week, Monday first. Position 0 is the first bar of the week of 1970-01-01.
#[derive(Debug, Clone)]
pub(super) struct AroundTheClock {
    step: i64,
    /// µs from the start of a bar to its timestamp.
    lag: i64,
    bars_a_week: i64,
}

impl AroundTheClock {
    /// Bars of `step` µs, labelled with their end or else with their start; `step` divides a day.
    pub(super) fn new(open_days: i64, step: i64, labelled_at_end: bool) -> Self {
        Self { step, lag: if labelled_at_end { step } else { 0 }, bars_a_week: open_days * (DAY_US / step) }
    }

    pub(super) fn slot(&self, time: i64) -> Slot {
        // A timestamp at the end of a bar belongs to the bar of the microsecond before.
        let inside = if self.lag > 0 { time.saturating_sub(1) } else { time };
        let (week, within) = week_and_time(inside);
        if within >= self.bars_a_week * self.step {
            return Slot::Closed;
        }
        let bar = within / self.step;
        let on = within + (time - inside) == bar * self.step + self.lag;
        if on { Slot::On(week * self.bars_a_week + bar) } else { Slot::OffGrid }
    }

    pub(super) fn timestamp(&self, position: i64) -> i64 {
        let (week, bar) = (position.div_euclid(self.bars_a_week), position.rem_euclid(self.bars_a_week));
        week * WEEK_US + bar * self.step + self.lag + FIRST_MONDAY * DAY_US
    }

    pub(super) fn first_at_or_after(&self, time: i64) -> i64 {
        let (week, within) = week_and_time(time.saturating_sub(self.lag));
        let bar = within / self.step + i64::from(within % self.step != 0);
        week * self.bars_a_week + bar.min(self.bars_a_week)
    }

    pub(super) fn last_at_or_before(&self, time: i64) -> i64 {
        let (week, within) = week_and_time(time.saturating_sub(self.lag));
        week * self.bars_a_week + (within / self.step).min(self.bars_a_week - 1)
    }
}

/// The ISO weeks since that of 1970-01-01, and the µs since Monday.
fn week_and_time(instant: i64) -> (i64, i64) {
    let since = instant.saturating_sub(FIRST_MONDAY * DAY_US);
    (since.div_euclid(WEEK_US), since.rem_euclid(WEEK_US))
}
