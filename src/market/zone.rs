//! Local wall time and UTC.
//!
//! A zone skips local times when its clocks go forward and repeats them when they go back; both are distinguished
//! here and never papered over.

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

/// Microseconds of a UTC day.
pub const DAY_US: i64 = 86_400_000_000;

/// What a local wall time is in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// One instant, µs UTC.
    At(i64),
    /// No instant: the clocks jumped over this time.
    Skipped,
    /// Two instants, µs UTC, the earlier one first: the clocks were put back.
    Repeated(i64, i64),
    /// Beyond the years dates can be counted in.
    OutOfRange,
}

/// The instant at which clocks in `zone` show `micros` µs after midnight of `day`.
pub fn from_local(zone: Tz, day: i32, micros: i64) -> Local {
    let local = i64::from(day) * DAY_US + micros;
    if zone == Tz::UTC {
        return Local::At(local);
    }
    let Some(clock) = DateTime::from_timestamp_micros(local) else { return Local::OutOfRange };
    let at = |offset: i32| local - i64::from(offset) * 1_000_000;
    match zone.offset_from_local_datetime(&clock.naive_utc()).map(|offset| offset.fix().local_minus_utc()) {
        MappedLocalTime::Single(offset) => Local::At(at(offset)),
        MappedLocalTime::Ambiguous(one, other) => Local::Repeated(at(one).min(at(other)), at(one).max(at(other))),
        MappedLocalTime::None => Local::Skipped,
    }
}

/// What `zone` adds to UTC at `instant`, in µs; 0 beyond the years dates can be counted in.
pub fn offset_at(zone: Tz, instant: i64) -> i64 {
    if zone == Tz::UTC {
        return 0;
    }
    let clock = DateTime::from_timestamp_micros(instant);
    clock.map_or(0, |clock| {
        i64::from(zone.offset_from_utc_datetime(&clock.naive_utc()).fix().local_minus_utc()) * 1_000_000
    })
}

/// The date that clocks in `zone` show at `instant` (µs UTC), in days since 1970-01-01.
pub fn local_day(zone: Tz, instant: i64) -> i32 {
    day_of(instant.saturating_add(offset_at(zone, instant)))
}

/// The UTC date of `instant` (µs UTC), in days since 1970-01-01.
#[expect(clippy::cast_possible_truncation, reason = "an i64 of µs spans 2 × 107 million days")]
pub fn day_of(instant: i64) -> i32 {
    instant.div_euclid(DAY_US) as i32
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn utc(text: &str) -> i64 {
        text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros()
    }

    fn new_york(date: &str, hour: i64, minute: i64) -> Local {
        let day = date.parse::<NaiveDate>().unwrap().to_epoch_days();
        from_local(Tz::America__New_York, day, (hour * 60 + minute) * 60_000_000)
    }

    #[test]
    fn local_time_follows_the_clocks() {
        assert_eq!(new_york("2024-03-08", 9, 30), Local::At(utc("2024-03-08T14:30:00Z")));
        assert_eq!(new_york("2024-03-11", 9, 30), Local::At(utc("2024-03-11T13:30:00Z")));
    }

    #[test]
    fn a_skipped_time_is_no_instant() {
        assert_eq!(new_york("2024-03-10", 1, 59), Local::At(utc("2024-03-10T06:59:00Z")));
        assert_eq!(new_york("2024-03-10", 2, 30), Local::Skipped);
        assert_eq!(new_york("2024-03-10", 3, 0), Local::At(utc("2024-03-10T07:00:00Z")));
    }

    #[test]
    fn a_repeated_time_is_two_instants() {
        let both = Local::Repeated(utc("2024-11-03T05:30:00Z"), utc("2024-11-03T06:30:00Z"));
        assert_eq!(new_york("2024-11-03", 1, 30), both);
    }

    #[test]
    fn the_local_date_is_not_the_utc_date() {
        let midnight = utc("2024-10-07T16:00:00Z");
        let day = "2024-10-08".parse::<NaiveDate>().unwrap().to_epoch_days();
        assert_eq!(local_day(Tz::Asia__Shanghai, midnight), day);
        assert_eq!(local_day(Tz::Asia__Shanghai, midnight - 1), day - 1);
        assert_eq!(day_of(midnight), day - 1);
        assert_eq!(day_of(-1), -1);
    }

    #[test]
    fn times_beyond_all_calendars_do_not_fail() {
        assert_eq!(local_day(Tz::Asia__Tokyo, i64::MAX), day_of(i64::MAX));
        assert_eq!(from_local(Tz::Asia__Tokyo, 106_751_990, 0), Local::OutOfRange);
    }
}
