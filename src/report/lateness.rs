//! How many sessions the newest bar of a run is late by now, by the calendar of its job.

use super::summary::Summary;
use crate::market::{Calendar, Interval, zone};
use crate::text::utc::UtcMicros;

/// Sessions that closed before `now` and that lie behind the session of the newest bar; `None` where that is not known: the
/// run read nothing, the job has no calendar or one of its own, the calendar does not reach so far, or bars are longer than a
/// day.
pub(super) fn sessions_late(summary: &Summary, now: UtcMicros) -> Option<u64> {
    let note = summary.calendar.as_ref()?;
    let calendar = Calendar::named(&note.name).filter(|calendar| calendar.version() == note.version)?;
    let newest = summary.data.until?.0;
    let last = match Interval::parse(&summary.interval).ok()? {
        Interval::Day => zone::day_of(newest),
        Interval::Seconds(_) => session_of(&calendar, newest),
        Interval::Week | Interval::Month => return None,
    };
    // A session may open on the evening before its date.
    let today = zone::local_day(calendar.zone(), now.0) + 1;
    if calendar.last().is_some_and(|end| today > end) {
        return None;
    }
    let first = calendar.first_on_or_after(last.checked_add(1)?)?;
    let mut closed = calendar.last_on_or_before(today)?;
    while closed >= first && calendar.session(closed).close > now.0 {
        closed -= 1;
    }
    Some(u64::try_from(closed - first + 1).unwrap_or(0))
}

/// The date of the session that `time`, µs UTC, belongs to: the next one, where that opened already.
fn session_of(calendar: &Calendar, time: i64) -> i32 {
    let day = zone::local_day(calendar.zone(), time);
    let next = calendar.first_on_or_after(day + 1).map(|ordinal| calendar.session(ordinal));
    next.filter(|next| next.open <= time).map_or(day, |next| next.day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Outcome, RunStatus};
    use crate::report::summary::CalendarNote;
    use crate::report::testing::{meta, one_series, program};

    fn micros(text: &str) -> UtcMicros {
        serde_json::from_value(text.into()).unwrap()
    }

    /// A run over bars of New York whose newest one is that of `newest`.
    fn summary(newest: &str, interval: &str) -> Summary {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = Collector::new(dir.path(), program(), meta(1), vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        let mut summary = collector.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(0))).unwrap();
        let version = Calendar::named("XNYS").unwrap().version().to_owned();
        summary.calendar = Some(CalendarNote { name: "XNYS".to_owned(), version, known_until: None });
        summary.data.until = Some(micros(newest));
        summary.interval = interval.to_owned();
        summary
    }

    #[test]
    fn sessions_are_late_when_they_closed_and_weekends_are_none() {
        // Friday; New York closes at 21:00Z in winter.
        let friday = summary("2024-01-05T00:00:00Z", "1d");
        for (now, late) in [
            ("2024-01-05T20:00:00Z", 0),
            ("2024-01-07T12:00:00Z", 0),
            ("2024-01-08T20:59:59Z", 0),
            ("2024-01-08T21:00:00Z", 1),
            ("2024-01-16T12:00:00Z", 5),
            ("2024-01-16T23:00:00Z", 6),
        ] {
            assert_eq!(sessions_late(&friday, micros(now)), Some(late), "{now}");
        }
        let minute = summary("2024-01-05T20:59:00Z", "1m");
        assert_eq!(sessions_late(&minute, micros("2024-01-08T21:00:00Z")), Some(1));
        let ahead = summary("2024-01-09T00:00:00Z", "1d");
        assert_eq!(sessions_late(&ahead, micros("2024-01-08T12:00:00Z")), Some(0));
    }

    #[test]
    fn what_is_not_known_is_none() {
        let now = micros("2024-01-08T21:00:00Z");
        let mut without = summary("2024-01-05T00:00:00Z", "1d");
        without.calendar = None;
        let mut patched = summary("2024-01-05T00:00:00Z", "1d");
        patched.calendar.as_mut().unwrap().version.push_str(", patched");
        let mut empty = summary("2024-01-05T00:00:00Z", "1d");
        empty.data.until = None;
        for unknown in [without, patched, empty, summary("2024-01-05T00:00:00Z", "1w")] {
            assert_eq!(sessions_late(&unknown, now), None);
        }
        assert_eq!(sessions_late(&summary("2024-01-05T00:00:00Z", "1d"), micros("2199-01-01T00:00:00Z")), None);
    }
}
