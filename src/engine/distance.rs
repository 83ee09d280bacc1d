//! How far apart bars are that lie a number of bars from each other, by the calendar.

use crate::bars::BarsSpec;
use crate::market::{DAY_US, Interval};

/// How many bars so many sessions have, of the newest that are known.
pub fn bars_of_sessions(bars: &BarsSpec, sessions: usize) -> usize {
    let sessions = i64::try_from(sessions).unwrap_or(i64::MAX);
    let count = bars.grid.as_ref().and_then(|grid| {
        let calendar = grid.calendar();
        let last = calendar.last_on_or_before(calendar.last()?)?;
        let first = calendar.first_on_or_after(calendar.first()?)?.max(last - sessions);
        let first = grid.first_at_or_after(calendar.session(first).open)?;
        let end = grid.last_at_or_before(calendar.session(last).close)?;
        usize::try_from(end - first).ok()
    });
    // A calendar without an end has sessions of a day.
    let of_days = |step: u32| sessions * DAY_US / (i64::from(step.max(1)) * 1_000_000);
    count.unwrap_or_else(|| match bars.interval {
        Interval::Seconds(step) => usize::try_from(of_days(step)).unwrap_or(0),
        Interval::Day | Interval::Week | Interval::Month => 0,
    })
}

/// The first timestamp with so many expected bars between `since` and it.
pub fn later(bars: &BarsSpec, since: i64, count: usize) -> i64 {
    let of_grid = bars.grid.as_ref().filter(|_| count > 0).and_then(|grid| {
        let position = grid.first_at_or_after(since)?.checked_add(i64::try_from(count).ok()?)?;
        let calendar = grid.calendar();
        let known = calendar.last().is_none_or(|last| {
            let last = calendar.last_on_or_before(last).map(|last| calendar.session(last).close);
            last.and_then(|close| grid.last_at_or_before(close)).is_some_and(|last| position <= last)
        });
        known.then(|| grid.timestamp(position))
    });
    of_grid.unwrap_or_else(|| since.saturating_add(span(bars, count)))
}

/// What comes behind the last timestamp with so many expected bars between it and `until`.
pub fn earlier(bars: &BarsSpec, until: i64, count: usize) -> i64 {
    let of_grid = bars.grid.as_ref().filter(|_| count > 0).and_then(|grid| {
        let position = grid.last_at_or_before(until.checked_sub(1)?)?.checked_sub(i64::try_from(count).ok()?)?;
        let calendar = grid.calendar();
        let known = calendar.first().is_none_or(|first| {
            let first = calendar.first_on_or_after(first).map(|first| calendar.session(first).open);
            first.and_then(|open| grid.first_at_or_after(open)).is_some_and(|first| position >= first)
        });
        known.then(|| grid.timestamp(position) + 1)
    });
    of_grid.unwrap_or_else(|| until.saturating_sub(span(bars, count)))
}

/// How long so many bars last, with room for weekends and holidays: where no calendar knows them.
fn span(bars: &BarsSpec, count: usize) -> i64 {
    let one = match bars.interval {
        Interval::Seconds(seconds) => i64::from(seconds) * 1_000_000,
        Interval::Day => DAY_US,
        Interval::Week => 7 * DAY_US,
        Interval::Month => 31 * DAY_US,
    };
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(one).saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::LEAST_SESSIONS;
    use crate::checks::testing::Fixture;

    fn day(text: &str) -> i64 {
        i64::from(text.parse::<chrono::NaiveDate>().unwrap().to_epoch_days()) * DAY_US
    }

    fn daily(calendar: &str) -> BarsSpec {
        Fixture::new(&format!("calendar = \"{calendar}\""), "time,close\n").spec
    }

    #[test]
    fn bars_are_counted_on_the_calendar() {
        let bars = daily("XNYS");
        // 2024-07-04 is a holiday, and 6 and 7 are a weekend.
        assert_eq!(later(&bars, day("2024-07-03"), 0), day("2024-07-03"));
        assert_eq!(later(&bars, day("2024-07-03"), 1), day("2024-07-05"));
        assert_eq!(later(&bars, day("2024-07-04"), 2), day("2024-07-09"));
        assert_eq!(earlier(&bars, day("2024-07-09"), 0), day("2024-07-09"));
        assert_eq!(earlier(&bars, day("2024-07-09"), 1), day("2024-07-05") + 1);
        assert_eq!(earlier(&bars, day("2024-07-09"), 2), day("2024-07-03") + 1);
    }

    #[test]
    fn a_stretch_has_the_bars_of_five_sessions() {
        let hours = |calendar: &str| {
            let bars = Fixture::new(&format!("interval = \"1h\"\ncalendar = \"{calendar}\""), "time").spec;
            bars_of_sessions(&bars, LEAST_SESSIONS)
        };
        assert_eq!((hours("24/7"), hours("weekdays")), (120, 120));
        // Six sessions of 7 hours with half-days before the end of the year, but for the last bar.
        assert!((30..=42).contains(&hours("XNYS")), "{}", hours("XNYS"));
        assert_eq!(bars_of_sessions(&daily("24/7"), LEAST_SESSIONS), 0);
    }

    #[test]
    fn where_no_calendar_reaches_there_is_room_for_days_without_bars() {
        let bars = BarsSpec { grid: None, ..daily("XNYS") };
        assert_eq!(later(&bars, day("2024-07-03"), 2), day("2024-07-11"));
        assert_eq!(earlier(&bars, day("2024-07-11"), 2), day("2024-07-03"));
        let bars = daily("XNYS");
        assert_eq!(later(&bars, day("2200-01-01"), 1), day("2200-01-05"));
        assert_eq!(earlier(&bars, day("1700-01-05"), 1), day("1700-01-01"));
        assert_eq!(later(&bars, i64::MAX - 1, usize::MAX), i64::MAX);
    }
}
