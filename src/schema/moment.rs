//! Points and spans of time as people write them in jobs, rules and flags: `2024-03-08`,
//! `2024-03-08T14:30:00Z`, `10d`. What a moment means for the timestamps of bars is decided by
//! [`Moment::resolve`]; no clock is read here.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;

use crate::market::DAY_US;
use crate::market::zone::{self, Local};

/// A point in time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A date.
    Date(NaiveDate),
    /// A wall time without an offset.
    Local(NaiveDateTime),
    /// An instant, µs UTC.
    Instant(i64),
}

/// µs of a quarter of an hour; clocks are put forward by multiples of it.
const QUARTER_HOUR_US: i64 = 900_000_000;

impl Moment {
    /// Reads `2024-03-08`, `2024-03-08T14:30:00` or RFC 3339 with an offset; the years 1678 to 2261.
    pub fn parse(text: &str) -> Result<Self, String> {
        let unreadable = || format!("`{text}` is not a date or time; write `2024-03-08` or `2024-03-08T14:30:00Z`");
        let moment = if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Self::Date(date)
        } else if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            Self::Instant(instant.timestamp_micros())
        } else {
            let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
            let local = local.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
            Self::Local(local.ok_or_else(unreadable)?)
        };
        if (1678..=2261).contains(&moment.year()) { Ok(moment) } else { Err(unreadable()) }
    }

    fn year(self) -> i32 {
        match self {
            Self::Date(date) => date.year(),
            Self::Local(local) => local.year(),
            Self::Instant(instant) => DateTime::from_timestamp_micros(instant).map_or(0, |at| at.year()),
        }
    }

    /// The moment on the scale of the timestamps of bars, µs UTC.
    ///
    /// The timestamp of a `daily` bar is its trading date, as midnight UTC; so a moment is there what the clocks of
    /// `zone` show at it, as if they showed UTC. For other bars a date is the first instant of that day in
    /// `zone`, and a wall time is one in `zone`.
    ///
    /// # Errors
    /// A wall time that the clocks of `zone` skipped or showed twice.
    pub fn resolve(self, zone: Tz, daily: bool) -> Result<i64, String> {
        match self {
            Self::Date(date) if daily => Ok(i64::from(date.to_epoch_days()) * DAY_US),
            Self::Local(local) if daily => Ok(local.and_utc().timestamp_micros()),
            Self::Instant(instant) if daily => Ok(instant + zone::offset_at(zone, instant)),
            Self::Instant(instant) => Ok(instant),
            Self::Date(date) => Ok(start_of_day(zone, date)),
            Self::Local(local) => {
                let micros = local.and_utc().timestamp_micros();
                match zone::from_local(zone, 0, micros) {
                    Local::At(instant) => Ok(instant),
                    Local::Skipped => Err(format!("clocks in {zone} never showed {local}; write it with an offset")),
                    Local::Repeated(..) => {
                        Err(format!("clocks in {zone} showed {local} twice; write it with an offset"))
                    }
                    Local::OutOfRange => Err(format!("{local} is out of range")),
                }
            }
        }
    }
}

/// The first instant that is on `date` in `zone`, also where clocks jump over midnight.
fn start_of_day(zone: Tz, date: NaiveDate) -> i64 {
    let day = date.to_epoch_days();
    let midnight = i64::from(day) * DAY_US;
    let first = (0..=96).find_map(|quarter| match zone::from_local(zone, day, quarter * QUARTER_HOUR_US) {
        Local::At(instant) | Local::Repeated(instant, _) => Some(instant),
        Local::Skipped | Local::OutOfRange => None,
    });
    first.unwrap_or(midnight)
}

/// Reads a span of time: a whole number and `s`, `m` (minutes), `h`, `d` or `w`; at most 100 years.
pub fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    let unreadable = || format!("`{text}` is not a span of time; write for instance `90m`, `24h`, `10d` or `2w`");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        Some('w') => 604_800,
        _ => return Err(unreadable()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable());
    }
    let seconds = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(unit));
    let span = seconds.filter(|seconds| *seconds <= 36_525 * 86_400).and_then(TimeDelta::try_seconds);
    span.ok_or_else(|| format!("`{text}` is longer than 100 years"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YORK: Tz = Tz::America__New_York;

    fn micros(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn resolved(text: &str, zone: Tz, daily: bool) -> Result<i64, String> {
        Moment::parse(text).and_then(|moment| moment.resolve(zone, daily))
    }

    #[test]
    fn date_of_intraday_bars_is_midnight_of_the_zone() {
        assert_eq!(resolved("2024-03-08", NEW_YORK, false), Ok(micros("2024-03-08T05:00:00Z")));
        assert_eq!(resolved("2024-03-11", NEW_YORK, false), Ok(micros("2024-03-11T04:00:00Z")));
    }

    #[test]
    fn date_whose_midnight_was_skipped_begins_when_the_clocks_go_on() {
        assert_eq!(resolved("2018-11-04", Tz::America__Sao_Paulo, false), Ok(micros("2018-11-04T03:00:00Z")));
        assert_eq!(resolved("2011-12-30", Tz::Pacific__Apia, false), Ok(micros("2011-12-30T10:00:00Z")));
    }

    #[test]
    fn daily_bars_are_compared_by_what_the_clocks_of_the_zone_show() {
        let midnight = Ok(micros("2024-03-01T00:00:00Z"));
        assert_eq!(resolved("2024-03-01", NEW_YORK, true), midnight);
        assert_eq!(resolved("2024-03-01T00:00:00-05:00", NEW_YORK, true), midnight);
        assert_eq!(resolved("2024-03-01T00:00:00+08:00", Tz::Asia__Shanghai, true), midnight);
        assert_eq!(resolved("2024-03-01T00:00:00", NEW_YORK, true), midnight);
    }

    #[test]
    fn wall_time_is_one_instant_or_a_mistake() {
        assert_eq!(resolved("2024-03-08T09:30:00", NEW_YORK, false), Ok(micros("2024-03-08T14:30:00Z")));
        assert_eq!(resolved("2024-03-08 09:30:00", NEW_YORK, false), Ok(micros("2024-03-08T14:30:00Z")));
        assert!(resolved("2024-03-10T02:30:00", NEW_YORK, false).unwrap_err().contains("never showed"));
        assert!(resolved("2024-11-03T01:30:00", NEW_YORK, false).unwrap_err().contains("twice"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "now", "2024-02-30", "20240308", "2024-03-08T25:00:00Z", "09:30:00", "0001-01-01", "2024-3-8x"]
        {
            assert!(Moment::parse(text).unwrap_err().contains(&format!("`{text}`")), "{text}");
        }
    }

    #[test]
    fn spans_of_time_are_a_number_and_a_unit() {
        for (text, seconds) in
            [("0d", 0), ("30s", 30), ("90m", 5_400), ("24h", 86_400), ("10d", 864_000), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text).map(|span| span.num_seconds()), Ok(seconds), "{text}");
        }
        for text in
            ["", "d", "10", "-1d", "+1d", "1.5h", "1 d", "1y", "1D", "1d12h", "99999999999999999999d", "36526d", "1日"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
