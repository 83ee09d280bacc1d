//! The step from bar to bar, as jobs write it: `1s`, `1m`, `4h`, `1d`, `1w`, `1M`.
//!
//! An interval is a name, not a duration: what bars a day of it has is the business of `grid`.

use std::fmt;

/// Seconds of a day.
const DAY_SECONDS: u32 = 86_400;

/// The step from bar to bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Bars of this many seconds, at least 1 and less than a day, that divide a day evenly.
    Seconds(u32),
    /// One bar a session.
    Day,
    /// One bar an ISO week, Monday to Sunday.
    Week,
    /// One bar a calendar month.
    Month,
}

impl Interval {
    /// Reads `1s`, `5m`, `1h`, `1d`, `1w` or `1M`. `m` is minutes and `M` is months; any number of seconds, minutes
    /// or hours that divides a day is accepted, and a whole day of them is `1d`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "1d" => return Ok(Self::Day),
            "1w" => return Ok(Self::Week),
            "1M" => return Ok(Self::Month),
            _ => {}
        }
        let unknown =
            || format!("`{text}` is not an interval; write for instance `1s`, `1m`, `15m`, `1h`, `1d`, `1w` or `1M`");
        let (digits, unit) = match text.char_indices().last() {
            Some((at, 's')) => (&text[..at], 1),
            Some((at, 'm')) => (&text[..at], 60),
            Some((at, 'h')) => (&text[..at], 3_600),
            _ => return Err(unknown()),
        };
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown());
        }
        let seconds = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(unit)).ok_or_else(unknown)?;
        match seconds {
            DAY_SECONDS => Ok(Self::Day),
            seconds if seconds <= DAY_SECONDS && DAY_SECONDS.is_multiple_of(seconds) => Ok(Self::Seconds(seconds)),
            _ => Err(format!(
                "bars of `{text}` do not divide a day evenly; use for instance 1, 5, 15 or 30 seconds or minutes, 1, \
                 2, 4 or 8 hours, or `1d`"
            )),
        }
    }

    /// Bars of so many minutes, which are less than a day and divide it evenly.
    pub const fn minutes(minutes: u32) -> Self {
        Self::Seconds(minutes * 60)
    }

    /// Whether one bar stands for a whole session or more, so that its timestamp is a date.
    pub fn is_daily_or_longer(self) -> bool {
        !matches!(self, Self::Seconds(_))
    }

    /// The length of an intraday bar, in µs; `None` for a day and longer.
    pub fn micros(self) -> Option<i64> {
        match self {
            Self::Seconds(seconds) => Some(i64::from(seconds) * 1_000_000),
            Self::Day | Self::Week | Self::Month => None,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) if seconds.is_multiple_of(3_600) => write!(f, "{}h", seconds / 3_600),
            Self::Seconds(seconds) if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Day => f.write_str("1d"),
            Self::Week => f.write_str("1w"),
            Self::Month => f.write_str("1M"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_back() {
        for (text, interval, written) in [
            ("1s", Interval::Seconds(1), "1s"),
            ("30s", Interval::Seconds(30), "30s"),
            ("90s", Interval::Seconds(90), "90s"),
            ("60s", Interval::minutes(1), "1m"),
            ("2h", Interval::minutes(120), "2h"),
            ("8h", Interval::minutes(480), "8h"),
            ("86400s", Interval::Day, "1d"),
            ("1m", Interval::minutes(1), "1m"),
            ("5m", Interval::minutes(5), "5m"),
            ("90m", Interval::minutes(90), "90m"),
            ("60m", Interval::minutes(60), "1h"),
            ("4h", Interval::minutes(240), "4h"),
            ("24h", Interval::Day, "1d"),
            ("1440m", Interval::Day, "1d"),
            ("1d", Interval::Day, "1d"),
            ("1w", Interval::Week, "1w"),
            ("1M", Interval::Month, "1M"),
        ] {
            assert_eq!(Interval::parse(text), Ok(interval), "{text}");
            assert_eq!(interval.to_string(), written);
        }
    }

    #[test]
    fn minutes_and_months_are_not_confused() {
        assert_eq!(Interval::parse("1m").map(Interval::micros), Ok(Some(60_000_000)));
        assert_eq!(Interval::parse("1M").map(Interval::micros), Ok(None));
        assert!(!Interval::minutes(1).is_daily_or_longer());
        assert!(Interval::Day.is_daily_or_longer() && Interval::Month.is_daily_or_longer());
    }

    #[test]
    fn what_is_no_interval_is_refused_with_the_text() {
        for text in [
            "",
            "m",
            "h",
            "1",
            "0m",
            "0s",
            "é",
            "1é",
            "05m",
            "+5m",
            "-5m",
            "5 m",
            "1D",
            "2d",
            "2w",
            "1H",
            "1y",
            "99999999999m",
            "9999999999h",
        ] {
            let problem = Interval::parse(text).unwrap_err();
            assert!(problem.contains(&format!("`{text}`")), "{problem}");
        }
    }

    #[test]
    fn a_step_that_does_not_divide_a_day_is_refused() {
        for text in ["7s", "7m", "5h", "1441m", "48h"] {
            assert!(Interval::parse(text).unwrap_err().contains("do not divide a day"), "{text}");
        }
    }
}
