//! A cron pattern of five fields over the wall clock of a zone.
//!
//! Patterns are read and searched by the crate `croner`. What becomes of wall times that the clocks of a zone skip or repeat
//! is decided here: a time that is skipped is due at the first instant after it, once; a time that is repeated is due the
//! first time only. A pattern for every hour goes by the hours that pass instead, and is due in both of two equal hours.

use std::str::FromStr as _;

use chrono::{DateTime, Datelike, TimeZone, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

use crate::market::zone::{self, DAY_US, Local};

/// No pattern that is ever due lets more years pass: 29 February on one day of the week waits for 40 at most.
const LONGEST_WAIT: i32 = 50;
/// Names for patterns.
const NICKNAMES: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const MINUTE_US: i64 = 60_000_000;
/// No clock was ever put forward by more at once.
const LONGEST_SKIP: i64 = 36 * 60;

/// A cron pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// On the heap, for it is much larger than other schedules.
    pattern: Box<croner::Cron>,
}

/// Why a text is no cron pattern that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronMistake {
    /// It is no pattern of five fields.
    #[error("{0}")]
    Unreadable(String),
    /// It has no date that exists.
    #[error("no date matches it, so the job would never run")]
    Never,
}

/// The minutes, hours, days of the month, months and days of the week (0 Sunday to 6) at which a pattern is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronFields {
    /// Minutes of the hour.
    pub minutes: Vec<u16>,
    /// Hours of the day.
    pub hours: Vec<u16>,
    /// Days of the month; `None` for any.
    pub days: Option<Vec<u16>>,
    /// Months; `None` for any.
    pub months: Option<Vec<u16>>,
    /// Days of the week, 0 Sunday; `None` for any. Beside `days` either of the two is enough.
    pub weekdays: Option<Vec<u16>>,
}

impl Cron {
    /// Reads a pattern: five fields of numbers, names, `*`, `,`, `-` and `/`, or `@hourly`, `@daily` and the like.
    ///
    /// # Errors
    /// It is none, or it is never due.
    pub fn parse(text: &str) -> Result<Self, CronMistake> {
        let unreadable = |why: String| Err(CronMistake::Unreadable(why));
        let text = text.trim();
        if let Some(sign) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || " \t*,-/@".contains(*c))) {
            return unreadable(format!("`{sign}` is not a sign of cron patterns"));
        }
        let fields = text.split_whitespace().count();
        let nickname = text.starts_with('@');
        match nickname {
            true if !NICKNAMES.contains(&text.to_ascii_lowercase().as_str()) => {
                return unreadable(format!("there is no `{text}`; there are {}", NICKNAMES.join(", ")));
            }
            false if fields != 5 => {
                return unreadable(format!(
                    "it has {fields} fields; five are needed: minute, hour, day, month, day of the week"
                ));
            }
            _ => {}
        }
        // One more name that crons know and the library does not.
        let known = if text.eq_ignore_ascii_case("@midnight") { "@daily" } else { text };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let pattern = parser.parse(known).map_err(|error| CronMistake::Unreadable(plain(&error.to_string())))?;
        let of_pattern = &pattern.pattern;
        let every =
            [&of_pattern.minutes, &of_pattern.hours, &of_pattern.days, &of_pattern.months, &of_pattern.days_of_week];
        if every.iter().any(|field| field.has_modifiers()) {
            return unreadable("`L`, `W` and `#` are not known to every cron".to_owned());
        }
        let cron = Self { text: text.to_owned(), pattern: Box::new(pattern) };
        let fields = cron.fields();
        let starred = |at: usize| text.split_whitespace().nth(at).is_some_and(|field| field.starts_with('*'));
        if fields.days.is_some() && fields.weekdays.is_some() && (starred(2) || starred(4)) {
            let why = "crons differ about `*/` in one of the two fields for days where the other one is set as well";
            return unreadable(why.to_owned());
        }
        // A day on which every date of four years begins; none of the dates depends on it.
        let start = DateTime::from_str("2000-01-01T00:00:00Z").unwrap_or_default();
        match cron.next_wall(start) {
            Some(_) => Ok(cron),
            None => Err(CronMistake::Never),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first instant after `after` at which the pattern is due in `zone`, both µs UTC.
    pub fn next(&self, zone: Tz, after: i64) -> Option<i64> {
        if self.is_every_hour() {
            let after = zone.from_utc_datetime(&DateTime::from_timestamp_micros(after)?.naive_utc());
            let next = self.pattern.find_next_occurrence(&after, false).ok()?;
            return Some(next.timestamp_micros());
        }
        // Walls from a day before: what is due after a skipped time may stand before the wall of `after`.
        let shown = after.checked_add(zone::offset_at(zone, after))?.checked_sub(DAY_US)?;
        let mut wall = DateTime::from_timestamp_micros(shown)?;
        loop {
            wall = self.next_wall(wall)?;
            let instant = instant(zone, wall.timestamp_micros())?;
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// The pattern field by field.
    pub fn fields(&self) -> CronFields {
        let pattern = &self.pattern.pattern;
        let some = |field: &croner::CronComponent| {
            let values = field.values();
            (values.len() <= usize::from(field.max - field.min)).then_some(values)
        };
        let weekdays = some(&pattern.days_of_week).map(|days| {
            let mut days: Vec<u16> = days.into_iter().map(|day| day % 7).collect();
            days.sort_unstable();
            days.dedup();
            days
        });
        CronFields {
            minutes: pattern.minutes.values(),
            hours: pattern.hours.values(),
            days: some(&pattern.days),
            months: some(&pattern.months),
            weekdays: weekdays.filter(|days| days.len() < 7),
        }
    }

    fn is_every_hour(&self) -> bool {
        self.fields().hours.len() == 24
    }

    /// The first wall time after `wall` that is as the pattern says; both as if clocks showed UTC.
    fn next_wall(&self, wall: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.pattern.find_next_occurrence(&wall, false).ok()?;
        (next.year() - wall.year() <= LONGEST_WAIT).then_some(next)
    }
}

/// A message of the library without what it says about itself.
fn plain(message: &str) -> String {
    let message = message.trim_start_matches("Invalid pattern: ").trim_start_matches("Component error: ");
    message.trim_end_matches('.').to_owned()
}

/// The instant at which clocks in `zone` show `wall`: the first of two, and where they skip it the first after it.
fn instant(zone: Tz, wall: i64) -> Option<i64> {
    let at = |wall: i64| match zone::from_local(zone, zone::day_of(wall), wall.rem_euclid(DAY_US)) {
        Local::At(instant) | Local::Repeated(instant, _) => Some(Some(instant)),
        Local::Skipped => Some(None),
        Local::OutOfRange => None,
    };
    for minutes in 0..LONGEST_SKIP {
        if let Some(instant) = at(wall + minutes * MINUTE_US)? {
            return Some(instant);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_field_by_field() {
        let fields = |text: &str| Cron::parse(text).unwrap().fields();
        let evening = CronFields {
            minutes: vec![30],
            hours: vec![18],
            days: None,
            months: None,
            weekdays: Some(vec![1, 2, 3, 4, 5]),
        };
        assert_eq!(fields("30 18 * * 1-5"), evening);
        assert_eq!(fields("30 18 * * MON-FRI"), evening);
        assert_eq!(fields("0 0 1 */6 *").months, Some(vec![1, 7]));
        assert_eq!(fields("0 0 * * 0,7").weekdays, Some(vec![0]));
        assert_eq!(fields("0 0 * * 1-7").weekdays, None);
        assert_eq!((fields("@midnight"), fields("@daily")), (fields("0 0 * * *"), fields("0 0 * * *")));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, why) in [
            ("", "it has 0 fields"),
            ("30 18 * *", "it has 4 fields"),
            ("0 30 18 * * 1-5", "it has 6 fields"),
            ("@reboot", "there is no `@reboot`"),
            ("0 0 L * *", "`L`, `W` and `#`"),
            ("0 0 ? * *", "`?` is not a sign"),
            ("0 0 */2 * MON", "crons differ"),
            ("0 0 31 2 *", "no date matches"),
            ("0 0 30 FEB *", "no date matches"),
        ] {
            let mistake = Cron::parse(text).unwrap_err().to_string();
            assert!(mistake.contains(why), "{text}: {mistake}");
        }
        for text in ["61 0 * * *", "0 25 * * *", "a b c d e", "0 0 * * XYZ", "0 0 5-1 * *", "0 0 0 * *", "*/0 * * * *"]
        {
            let mistake = Cron::parse(text).unwrap_err();
            assert!(matches!(&mistake, CronMistake::Unreadable(why) if !why.is_empty()), "{text}: {mistake}");
        }
        assert!(Cron::parse("0 0 29 2 *").is_ok(), "leap days are");
    }
}
