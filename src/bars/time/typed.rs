//! Typed dates and timestamps as they are shown: the text of a value that could not be read as the job says.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike};

/// A typed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// A date, days since 1970-01-01.
    Day(i32),
    /// A date and a time of day (µs) without a zone.
    Local(i32, i64),
    /// µs UTC.
    Instant(i64),
}

/// The value that `text` shows; `None` where it shows none.
pub(super) fn read(text: &str) -> Option<Typed> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(Typed::Day(day.to_epoch_days()));
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(Typed::Instant(instant.timestamp_micros()));
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    let micros = i64::from(local.num_seconds_from_midnight()) * 1_000_000 + i64::from(local.nanosecond() / 1000);
    Some(Typed::Local(local.date().to_epoch_days(), micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_local_times_and_instants_are_distinguished() {
        assert_eq!(read("1970-01-02"), Some(Typed::Day(1)));
        assert_eq!(read("1970-01-02T00:00:01.5"), Some(Typed::Local(1, 1_500_000)));
        assert_eq!(read("1970-01-02T00:00:00Z"), Some(Typed::Instant(86_400_000_000)));
        for text in ["", "1970", "19700102", "{\"$date\":0}", "true"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
