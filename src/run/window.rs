//! The window a run looks at, from flags and job; and what it means when there is nothing in it.

use chrono::{DateTime, TimeDelta, Utc};

use super::failure::Failure;
use super::open::Opened;
use crate::bars::BarsSpec;
use crate::config::Job;
use crate::market::zone::{self, DAY_US, Local};
use crate::report::run::Window;
use crate::schema::moment::Moment;
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// The window that a person asks for; what is not asked for is as the job says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AskedWindow {
    /// First moment.
    pub since: Option<Moment>,
    /// First moment that is no longer part of it.
    pub until: Option<Moment>,
    /// As far back from now.
    pub last: Option<TimeDelta>,
    /// Everything there is, whatever the job says.
    pub full: bool,
}

/// The half-open window that is asked for at `now`, else that of the job; µs UTC on the scale of the bars' timestamps.
pub(super) fn window(asked: &AskedWindow, job: &Job, now: DateTime<Utc>) -> Result<Window, Failure> {
    let (zone, daily) = (job.bars.time.zone, job.bars.interval.is_daily_or_longer());
    let moment = |flag: &str, moment: Moment| {
        let wrong =
            |problem: String| Failure::Usage(format!("{flag}: {problem}"), "see `barkeep check --help`".to_owned());
        moment.resolve(zone, daily).map_err(wrong)
    };
    if asked.full {
        return Ok((None, None));
    }
    let mut window = (job.window.since, job.window.until);
    if let Some(span) = asked.last {
        // So far back that there is no such moment is everything.
        let from = now.checked_sub_signed(span).map(|from| Moment::Instant(from.timestamp_micros()));
        window = (from.and_then(|from| from.resolve(zone, daily).ok()), None);
    }
    if let Some(since) = asked.since {
        window.0 = Some(moment("--since", since)?);
    }
    if let Some(until) = asked.until {
        window.1 = Some(moment("--until", until)?);
    }
    match window {
        (Some(since), Some(until)) if since >= until => {
            let help = "the window is half-open: --until is the first moment that is no longer part of it";
            Err(Failure::Usage("the window is empty".to_owned(), help.to_owned()))
        }
        window => Ok(window),
    }
}

/// Whether the calendar knows that no bar belongs into the window; one without an end ends `now` (µs UTC on the
/// scale of the timestamps). What the calendar does not reach is not known.
pub(super) fn is_closed(bars: &BarsSpec, (since, until): Window, now: i64) -> bool {
    let (Some(grid), Some(since)) = (&bars.grid, since) else { return false };
    let until = until.unwrap_or(now);
    let known = grid.calendar().first().is_none_or(|first| zone::day_of(since) >= first);
    let next = grid.first_at_or_after(since).map(|position| grid.timestamp(position));
    known && since < until && next.is_some_and(|next| next >= until)
}

/// The instant that the bars are evaluated for, µs UTC: that which is asked for, else `now`. A date is its last moment
/// where the bars are from.
pub(super) fn as_of(asked: Option<Moment>, job: &Job, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let Some(asked) = asked else { return Ok(now) };
    let wrong = |problem: String| Failure::Usage(format!("--as-of: {problem}"), "e.g. `--as-of 2026-10-28`".to_owned());
    let (moment, back) = match asked {
        Moment::Date(date) => (date.succ_opt().map_or(asked, Moment::Date), 1),
        Moment::Local(_) | Moment::Instant(_) => (asked, 0),
    };
    let instant = moment.resolve(job.bars.time.zone, false).map_err(wrong)?;
    DateTime::from_timestamp_micros(instant - back).ok_or_else(|| wrong("the moment is out of range".to_owned()))
}

/// `as_of`, or the end of `window` where that is earlier.
pub(super) fn within((_, until): Window, job: &Job, as_of: DateTime<Utc>) -> DateTime<Utc> {
    let instant = |until: i64| match job.bars.interval.is_daily_or_longer() {
        true => match zone::from_local(job.bars.time.zone, zone::day_of(until), until.rem_euclid(DAY_US)) {
            Local::At(instant) | Local::Repeated(instant, _) => instant,
            Local::Skipped | Local::OutOfRange => until,
        },
        false => until,
    };
    let end = until.map(instant).and_then(DateTime::from_timestamp_micros);
    end.map_or(as_of, |end| end.min(as_of))
}

/// `now`, µs UTC, on the scale of the timestamps.
pub(super) fn on_scale(bars: &BarsSpec, now: i64) -> i64 {
    Moment::Instant(now).resolve(bars.time.zone, bars.daily()).unwrap_or(now)
}

/// Why a run that read nothing is not a success, and what to do; `rows` is what the files hold, where that is known.
pub(super) fn nothing_read(
    source: &str,
    rows: Option<u64>,
    window: Window,
    opened: &Opened,
    series: &[String],
) -> String {
    let mut conditions = Vec::new();
    let mut remedies = Vec::new();
    let timestamp = |at: i64| UtcMicros(at).timestamp(opened.bars.daily());
    let span = match window {
        (Some(since), Some(until)) => Some(format!("at or after {} and before {}", timestamp(since), timestamp(until))),
        (Some(since), None) => Some(format!("at or after {}", timestamp(since))),
        (None, Some(until)) => Some(format!("before {}", timestamp(until))),
        (None, None) => None,
    };
    if let Some(span) = span {
        conditions.push(span);
        remedies.push("`--full` looks at everything");
    }
    let read = &opened.loaded.job.source;
    if read.is_filtered() {
        conditions.push(format!("let through by `{} filter`", read.section()));
        remedies.push("look at the filter");
    }
    if !series.is_empty() {
        conditions.push(format!("of series `{}`", series.join("`, `")));
        remedies.push("look at `--series`");
    }
    if rows == Some(0) || conditions.is_empty() {
        return format!("`{source}` has no rows: nothing was evaluated; fetch it again or take it out of the source");
    }
    let of = rows.map_or_else(|| "no row".to_owned(), |rows| format!("none of {}", counted(rows, "row")));
    format!("{of} in `{source}` is {}: nothing was evaluated; {}", conditions.join(" and "), remedies.join(", or "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono_tz::UTC;

    use super::*;
    use crate::bars::Fold;
    use crate::bars::{DAY_US, Label, TimeSpec};
    use crate::market::{Calendar, Grid, Interval};

    fn bars(calendar: Option<&str>) -> BarsSpec {
        let calendar = calendar.and_then(Calendar::named);
        let grid = calendar.clone().map(|calendar| Arc::new(Grid::new(calendar, Interval::Day, Label::Session)));
        let time = TimeSpec {
            sources: vec![Arc::from("date")],
            digits: false,
            formats: Vec::new(),
            zone: UTC,
            label: Label::Session,
            fold: Fold::Refuse,
        };
        BarsSpec { calendar, grid, ..BarsSpec::new(Interval::Day, time) }
    }

    fn day(text: &str) -> i64 {
        i64::from(text.parse::<chrono::NaiveDate>().unwrap().to_epoch_days()) * DAY_US
    }

    #[test]
    fn a_weekend_and_a_holiday_are_closed() {
        let now = day("2024-07-10");
        let closed = |since, until| is_closed(&bars(Some("XNYS")), (Some(day(since)), Some(day(until))), now);
        assert!(closed("2024-07-06", "2024-07-08"), "Saturday and Sunday");
        assert!(closed("2024-07-04", "2024-07-05"), "Independence Day");
        assert!(!closed("2024-07-06", "2024-07-09"), "the Monday is a session");
        assert!(!closed("2024-07-03", "2024-07-05"), "the day before is a session");
    }

    #[test]
    fn a_window_without_an_end_ends_now() {
        let bars = bars(Some("XNYS"));
        let since = Some(day("2024-07-06"));
        assert!(is_closed(&bars, (since, None), day("2024-07-07")));
        assert!(!is_closed(&bars, (since, None), day("2024-07-09")));
        assert!(!is_closed(&bars, (since, None), day("2024-07-01")), "a window that begins in the future");
    }

    #[test]
    fn what_no_calendar_knows_is_never_closed() {
        let now = day("2024-07-10");
        assert!(!is_closed(&bars(None), (Some(day("2024-07-06")), Some(day("2024-07-08"))), now));
        assert!(!is_closed(&bars(Some("XNYS")), (None, Some(day("2024-07-08"))), now));
        assert!(!is_closed(&bars(Some("XNYS")), (Some(day("1800-01-01")), Some(day("1800-01-03"))), now));
        assert!(!is_closed(&bars(Some("XNYS")), (Some(day("2100-01-02")), Some(day("2100-01-04"))), now));
        assert!(!is_closed(&bars(Some("24/7")), (Some(day("2024-07-06")), Some(day("2024-07-08"))), now));
    }
}
