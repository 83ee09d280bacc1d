//! Instants as reports show them: with a `Z`, or as a date where a bar stands for a whole trading day.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant, µs since 1970-01-01 UTC; for daily bars the midnight (UTC) that stands for the trading date.
/// In JSON it is RFC 3339 text with a `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMicros(pub i64);

impl UtcMicros {
    fn format(self, format: &str) -> String {
        match DateTime::from_timestamp_micros(self.0) {
            Some(instant) => instant.format(format).to_string(),
            None => format!("{} µs", self.0),
        }
    }

    /// The instant without what it has of a second.
    #[must_use]
    pub fn to_the_second(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    /// The date, e.g. `2026-10-24`.
    pub fn date(self) -> String {
        self.format("%Y-%m-%d")
    }

    /// The timestamp of a bar for a person: a date for `daily` bars, else with minutes, and seconds where there are
    /// any, e.g. `2026-10-24 13:07Z`.
    pub fn timestamp(self, daily: bool) -> String {
        match self.0 {
            _ if daily => self.date(),
            micros if micros % 60_000_000 == 0 => self.format("%Y-%m-%d %H:%MZ"),
            micros if micros % 1_000_000 == 0 => self.format("%Y-%m-%d %H:%M:%SZ"),
            _ => self.format("%Y-%m-%d %H:%M:%S%.6fZ"),
        }
    }
}

impl From<DateTime<chrono::Utc>> for UtcMicros {
    fn from(instant: DateTime<chrono::Utc>) -> Self {
        Self(instant.timestamp_micros())
    }
}

impl fmt::Display for UtcMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_micros(self.0) {
            Some(instant) => f.pad(&instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} µs", self.0),
        }
    }
}

impl Serialize for UtcMicros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcMicros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = DateTime::parse_from_rfc3339(&text).map_err(de::Error::custom)?;
        Ok(Self(instant.timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> UtcMicros {
        UtcMicros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    #[test]
    fn timestamps_are_as_long_as_they_need_to_be() {
        assert_eq!(micros("2026-10-24T00:00:00Z").timestamp(true), "2026-10-24");
        assert_eq!(micros("2026-10-24T13:07:00Z").timestamp(false), "2026-10-24 13:07Z");
        assert_eq!(micros("2026-10-24T13:07:05Z").timestamp(false), "2026-10-24 13:07:05Z");
        assert_eq!(micros("2026-10-24T13:07:05.25Z").timestamp(false), "2026-10-24 13:07:05.250000Z");
    }

    #[test]
    fn json_is_rfc_3339_and_reads_back() {
        for text in ["2026-10-24T13:07:00Z", "1969-12-31T23:59:59.999999Z"] {
            let json = serde_json::to_string(&micros(text)).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<UtcMicros>(&json).unwrap(), micros(text));
        }
    }

    #[test]
    fn instants_beyond_the_calendar_are_still_shown() {
        assert_eq!(UtcMicros(i64::MAX).timestamp(false), format!("{} µs", i64::MAX));
    }
}
