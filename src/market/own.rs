//! Calendars that a user writes: a week with its hours, holidays and special sessions, or changes to another calendar.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;

use super::calendar::{Calendar, Extended};
use super::day_hours::DayHours;
use super::session::Session;
use super::table::{Table, Week};

/// A week with its hours, and the days that differ.
#[derive(Debug, Clone)]
pub struct OwnWeek {
    /// The zone of the hours and of the trading dates.
    pub zone: Tz,
    /// The first and the last day that is known, in days since 1970-01-01.
    pub first: i32,
    /// See `first`.
    pub last: i32,
    /// Which days of the week are sessions, Monday first.
    pub days: [bool; 7],
    /// The usual hours from a day on, in order; those before the first are those of the first.
    pub hours: Vec<(i32, DayHours)>,
}

/// Days of a user's calendar that differ from its week or from the calendar it begins with.
#[derive(Debug, Clone, Default)]
pub struct OwnDays {
    /// Days without trading.
    pub holidays: BTreeSet<i32>,
    /// Sessions with hours of their own, on any day of the week.
    pub sessions: BTreeMap<i32, DayHours>,
}

/// Why a user's calendar contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnError {
    /// Clocks of the zone do not show the hours of this day exactly once.
    NoSuchTime(i32),
    /// The hours of this day run into those of the next session.
    Overlap(i32),
}

impl Calendar {
    /// This calendar with trading before and after its regular hours: from the start of `hours` to its end, also on
    /// half-days.
    #[must_use]
    pub fn with_own_extended(self, hours: &DayHours) -> Self {
        let (from, until) = hours.span();
        self.with_extended(Some(Extended { from, until, until_on_half_days: until }))
    }

    /// The calendar `name` of a week and the days that differ from it.
    pub fn of_week(name: &str, week: &OwnWeek, days: &OwnDays) -> Result<Self, OwnError> {
        let weeks = |hours: &[(i32, DayHours)]| -> Vec<(i32, Week)> {
            hours.iter().map(|(from, hours)| (*from, week.days.map(|trades| trades.then_some(*hours)))).collect()
        };
        let mut weeks = weeks(&week.hours);
        if let Some(first) = weeks.first_mut() {
            first.0 = first.0.min(week.first);
        }
        let table = Table {
            zone: week.zone,
            first: week.first,
            last: week.last,
            weeks,
            closed: days.holidays.clone(),
            yearly: Vec::new(),
            other: days.sessions.clone(),
        };
        let (first, sessions) = table.expand(&[]).map_err(OwnError::NoSuchTime)?;
        reject_overlaps(sessions.iter())?;
        Ok(Self::from_table(name, "job".to_owned(), week.zone, (first, week.last), sessions))
    }

    /// The calendar `name`, which is this one but for `days`, known as far as this one.
    pub fn renamed(self: &Arc<Self>, name: &str, days: &OwnDays) -> Result<Self, OwnError> {
        let (first, last) = self.bounds();
        let mut sessions: BTreeMap<i32, Session> = self.sessions_between(first, last);
        for day in &days.holidays {
            sessions.remove(day);
        }
        for (day, hours) in &days.sessions {
            let usual = sessions.range(..day).next_back().map_or(0, |(_, before)| before.trading_time());
            let half_day = i64::from(hours.trading_time()) * 1_000_000 < usual;
            sessions.insert(*day, hours.session(self.zone(), *day, half_day).ok_or(OwnError::NoSuchTime(*day))?);
        }
        reject_overlaps(sessions.values())?;
        let version = format!("{} of {}, job", self.version(), self.name());
        let sessions = sessions.into_values().collect();
        Ok(Self::from_table(name, version, self.zone(), (first, last), sessions).with_extended(self.extended()))
    }

    /// The calendar `name` that knows no day yet: all of its sessions come from a file.
    pub fn empty(name: &str, zone: Tz) -> Self {
        Self::from_table(name, "job".to_owned(), zone, (0, -1), Vec::new())
    }
}

fn reject_overlaps<'a>(sessions: impl Iterator<Item = &'a Session>) -> Result<(), OwnError> {
    let mut before: Option<&Session> = None;
    for session in sessions {
        match before.replace(session) {
            Some(before) if before.close > session.open => return Err(OwnError::Overlap(before.day)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Lookup;
    use crate::market::calendar::date;

    fn day(text: &str) -> i32 {
        date(text).unwrap()
    }

    fn hours(text: &str) -> DayHours {
        DayHours::parse(text).unwrap()
    }

    fn week(zone: Tz, days: [bool; 7], text: &str) -> OwnWeek {
        OwnWeek { zone, first: day("2024-01-01"), last: day("2024-12-31"), days, hours: vec![(0, hours(text))] }
    }

    const WEEKDAYS: [bool; 7] = [true, true, true, true, true, false, false];

    /// The hours of a day as minutes after its midnight in UTC.
    fn on(calendar: &Calendar, text: &str) -> Option<(i64, i64, bool)> {
        let Lookup::Session(ordinal) = calendar.session_on(day(text)) else { return None };
        let session = calendar.session(ordinal);
        let minutes = |instant: i64| instant / 60_000_000 - i64::from(session.day) * 1_440;
        Some((minutes(session.open), minutes(session.close), session.half_day))
    }

    #[test]
    fn a_week_with_holidays_and_special_sessions_becomes_a_calendar() {
        let mut week = week(Tz::Asia__Kolkata, WEEKDAYS, "09:15-15:30");
        week.hours.push((day("2024-07-01"), hours("09:00-15:30")));
        let sessions =
            [(day("2024-11-01"), hours("18:00-19:00")), (day("2024-03-02"), hours("09:15-10:00,11:30-12:30"))];
        let days = OwnDays { holidays: [day("2024-01-26")].into(), sessions: sessions.into() };
        let calendar = Calendar::of_week("NSE2", &week, &days).unwrap();
        assert_eq!((calendar.name(), calendar.version()), ("NSE2", "job"));
        assert_eq!(on(&calendar, "2024-01-25"), Some((225, 600, false)));
        assert_eq!(on(&calendar, "2024-07-01"), Some((210, 600, false)));
        assert_eq!(on(&calendar, "2024-01-26"), None);
        assert_eq!(on(&calendar, "2024-03-02"), Some((225, 420, true)));
        assert_eq!(on(&calendar, "2024-11-01"), Some((750, 810, true)));
        assert_eq!(calendar.session_on(day("2025-01-01")), Lookup::OutOfRange);
    }

    #[test]
    fn another_calendar_with_changes_keeps_the_rest() {
        let base = Calendar::named("XBOM").unwrap();
        let days = OwnDays {
            holidays: [day("2024-01-25")].into(),
            sessions: [(day("2024-01-27"), hours("09:15-12:00"))].into(),
        };
        let calendar = base.renamed("MINE", &days).unwrap();
        assert_eq!(on(&calendar, "2024-01-24"), on(&base, "2024-01-24"));
        assert_eq!(on(&calendar, "2024-01-25"), None);
        assert_eq!(on(&calendar, "2024-01-27"), Some((225, 390, true)));
    }

    #[test]
    fn hours_that_contradict_each_other_or_the_zone_are_refused() {
        let days = OwnDays::default();
        let overlap = week(Tz::UTC, WEEKDAYS, "<17:00-17:00");
        assert!(Calendar::of_week("A", &overlap, &days).is_ok());
        let sessions = [(day("2024-01-03"), hours("<16:00-12:00"))].into();
        let days = OwnDays { sessions, ..OwnDays::default() };
        assert_eq!(Calendar::of_week("A", &overlap, &days).unwrap_err(), OwnError::Overlap(day("2024-01-02")));
        let skipped = week(Tz::Europe__Berlin, [true; 7], "02:30-12:00");
        let error = Calendar::of_week("A", &skipped, &OwnDays::default()).unwrap_err();
        assert_eq!(error, OwnError::NoSuchTime(day("2024-03-31")));
    }
}
