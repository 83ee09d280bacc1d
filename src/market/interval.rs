//! The step from bar to bar, as jobs write it: `1m`, `4h`, `1d`, `1w`, `1M`.
//!
//! An interval is a name, not a duration: what bars a day of it has is the business of `grid`.

use std::fmt;

/// Minutes of a day.
const DAY_MINUTES: u32 = 1_440;

/// The step from bar to bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Bars of this many minutes, at least 1 and less than a day, that divide a day evenly.
    Minutes(u32),
    /// One bar a session.
    Day,
    /// One bar an ISO week, Monday to Sunday.
    Week,
    /// One bar a calendar month.
    Month,
}

impl Interval {
    /// Reads `5m`, `1h`, `1d`, `1w` or `1M`. `m` is minutes and `M` is months; any number of minutes or hours
    /// that divides a day is accepted, and a whole day in minutes or hours is `1d`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "1d" => return Ok(Self::Day),
            "1w" => return Ok(Self::Week),
            "1M" => return Ok(Self::Month),
            _ => {}
        }
        let unknown =
            || format!("`{text}` is not an interval; write for instance `1m`, `15m`, `1h`, `1d`, `1w` or `1M`");
        let (digits, unit) = match (text.strip_suffix('m'), text.strip_suffix('h')) {
            (Some(digits), _) => (digits, 1),
            (_, Some(digits)) => (digits, 60),
            _ => return Err(unknown()),
        };
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown());
        }
        let minutes = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(unit)).ok_or_else(unknown)?;
        match minutes {
            DAY_MINUTES => Ok(Self::Day),
            minutes if minutes <= DAY_MINUTES && DAY_MINUTES.is_multiple_of(minutes) => Ok(Self::Minutes(minutes)),
            _ => Err(format!(
                "bars of `{text}` do not divide a day evenly; use one of 1, 5, 15, 30, 60 or 240 minutes, or `1d`"
            )),
        }
    }

    /// Whether one bar stands for a whole session or more, so that its timestamp is a date.
    pub fn is_daily_or_longer(self) -> bool {
        !matches!(self, Self::Minutes(_))
    }

    /// The length of an intraday bar; `None` for a day and longer.
    pub fn minutes(self) -> Option<u32> {
        match self {
            Self::Minutes(minutes) => Some(minutes),
            Self::Day | Self::Week | Self::Month => None,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutes(minutes) if minutes.is_multiple_of(60) => write!(f, "{}h", minutes / 60),
            Self::Minutes(minutes) => write!(f, "{minutes}m"),
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
            ("1m", Interval::Minutes(1), "1m"),
            ("5m", Interval::Minutes(5), "5m"),
            ("90m", Interval::Minutes(90), "90m"),
            ("60m", Interval::Minutes(60), "1h"),
            ("4h", Interval::Minutes(240), "4h"),
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
        assert_eq!(Interval::parse("1m").map(Interval::minutes), Ok(Some(1)));
        assert_eq!(Interval::parse("1M").map(Interval::minutes), Ok(None));
        assert!(!Interval::Minutes(1).is_daily_or_longer());
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
        for text in ["7m", "5h", "1441m", "48h"] {
            assert!(Interval::parse(text).unwrap_err().contains("do not divide a day"), "{text}");
        }
    }
}
