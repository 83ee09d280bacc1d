//! A calendar: which days are sessions, numbered one after the other, and their hours.
//!
//! Sessions come as a table with a first and a last day, or by formula without bounds (`24/7`, `weekdays`). What
//! lies outside the table is answered as out of range; it is never guessed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::ranks::Ranks;
use super::session::{Lookup, Session};
use super::zone::{self, DAY_US, Local};

/// The trading days of one market.
#[derive(Debug)]
pub struct Calendar {
    name: Arc<str>,
    version: String,
    zone: Tz,
    days: Days,
    extended: Option<Extended>,
}

/// Trading before and after the regular hours, in seconds from the midnight that begins the trading date on the
/// clocks of the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    /// When trading before the regular hours begins.
    pub from: i32,
    /// When trading after the regular hours ends.
    pub until: i32,
    /// The same on half-days.
    pub until_on_half_days: i32,
}

#[derive(Debug)]
enum Days {
    /// The first `days` days of every ISO week, from midnight to midnight UTC.
    Weekly {
        days: i64,
    },
    Table {
        first: i32,
        last: i32,
        ranks: Ranks,
        sessions: Vec<Session>,
    },
}

impl Calendar {
    /// A calendar of `sessions`, which ascend by day and do not overlap, known from day `first` to day `last`.
    pub(super) fn from_table(
        name: &str,
        version: String,
        zone: Tz,
        (first, last): (i32, i32),
        sessions: Vec<Session>,
    ) -> Self {
        let ranks = Ranks::new(first, last, sessions.iter().map(|session| session.day));
        Self {
            name: Arc::from(name),
            version,
            zone,
            days: Days::Table { first, last, ranks, sessions },
            extended: None,
        }
    }

    /// A calendar without bounds whose sessions are the first `days` days of every week, Monday first.
    pub(super) fn weekly(name: &str, days: i64) -> Self {
        Self {
            name: Arc::from(name),
            version: "rule".to_owned(),
            zone: Tz::UTC,
            days: Days::Weekly { days },
            extended: None,
        }
    }

    /// Its name, e.g. `XNYS`; never an alias.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its sessions come from, for reports, e.g. `exchange_calendars 4.13.2, 2026-11-20`; `rule` for a
    /// calendar that is a formula.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The zone of its trading dates.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// First day it knows, in days since 1970-01-01; `None` where it has no bound.
    pub fn first(&self) -> Option<i32> {
        match &self.days {
            Days::Weekly { .. } => None,
            Days::Table { first, .. } => Some(*first),
        }
    }

    /// Last day it knows, in days since 1970-01-01; `None` where it has no bound.
    pub fn last(&self) -> Option<i32> {
        match &self.days {
            Days::Weekly { .. } => None,
            Days::Table { last, .. } => Some(*last),
        }
    }

    /// What it knows of `day` (days since 1970-01-01).
    pub fn session_on(&self, day: i32) -> Lookup {
        match &self.days {
            Days::Table { ranks, .. } => ranks.lookup(day),
            Days::Weekly { days } => match week_and_weekday(day) {
                (week, weekday) if weekday < *days => Lookup::Session(week * days + weekday),
                _ => Lookup::Closed,
            },
        }
    }

    /// The session with `ordinal`, which comes from this calendar or lies between two that do.
    #[expect(clippy::cast_possible_truncation, reason = "the ordinal of a day stands for a day, which is an `i32`")]
    pub fn session(&self, ordinal: i64) -> Session {
        match &self.days {
            Days::Table { sessions, .. } => match usize::try_from(ordinal).ok().and_then(|at| sessions.get(at)) {
                Some(session) => *session,
                None => unreachable!("bug: `{}` has no session with ordinal {ordinal}", self.name),
            },
            Days::Weekly { days } => {
                let day = ordinal.div_euclid(*days) * 7 + ordinal.rem_euclid(*days) + FIRST_MONDAY;
                let open = day * DAY_US;
                Session::new(day as i32, open, open + DAY_US)
            }
        }
    }

    /// The trading date of the session with `ordinal`, in days since 1970-01-01.
    pub fn day_of(&self, ordinal: i64) -> i32 {
        self.session(ordinal).day
    }

    /// The ordinal of the first session it knows on or after `day`.
    pub fn first_on_or_after(&self, day: i32) -> Option<i64> {
        match &self.days {
            Days::Table { ranks, .. } => Some(ranks.below(day)).filter(|rank| *rank < ranks.count()),
            Days::Weekly { days } => {
                let (week, weekday) = week_and_weekday(day);
                Some(week * days + weekday.min(*days))
            }
        }
    }

    /// The ordinal of the last session it knows on or before `day`.
    pub fn last_on_or_before(&self, day: i32) -> Option<i64> {
        match &self.days {
            Days::Table { ranks, .. } => {
                let through = if let Lookup::Session(rank) = ranks.lookup(day) { rank + 1 } else { ranks.below(day) };
                (through > 0).then(|| through - 1)
            }
            Days::Weekly { days } => {
                let (week, weekday) = week_and_weekday(day);
                Some(week * days + weekday.min(days - 1))
            }
        }
    }

    /// The sessions of a table; `None` where a formula makes them.
    pub(super) fn sessions(&self) -> Option<&[Session]> {
        match &self.days {
            Days::Table { sessions, .. } => Some(sessions),
            Days::Weekly { .. } => None,
        }
    }

    /// This calendar with trading before and after its regular hours.
    #[must_use]
    pub(super) fn with_extended(self, extended: Option<Extended>) -> Self {
        Self { extended, ..self }
    }

    /// Trading before and after the regular hours; `None` where nothing is known of it.
    pub fn extended(&self) -> Option<Extended> {
        self.extended
    }

    /// When trading before and after the regular hours of `session` begins and ends, µs UTC.
    pub(super) fn extended_hours(&self, session: &Session) -> Option<(i64, i64)> {
        let extended = self.extended?;
        let until = if session.half_day { extended.until_on_half_days } else { extended.until };
        let utc = |seconds: i32| match zone::from_local(self.zone, session.day, i64::from(seconds) * 1_000_000) {
            Local::At(instant) => Some(instant),
            Local::Repeated(first, _) => Some(first),
            Local::Skipped | Local::OutOfRange => None,
        };
        Some((utc(extended.from)?.min(session.open), utc(until)?.max(session.close)))
    }

    /// First and last day it knows; a calendar that is a formula is bounded to [`BOUNDED_YEARS`].
    pub(super) fn bounds(&self) -> (i32, i32) {
        let of = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).map_or(0, |date| date.to_epoch_days());
        let (from, to) = BOUNDED_YEARS;
        (self.first().unwrap_or_else(|| of(from, 1, 1)), self.last().unwrap_or_else(|| of(to, 12, 31)))
    }

    /// The sessions from day `first` to day `last`, by day.
    pub(super) fn sessions_between(&self, first: i32, last: i32) -> BTreeMap<i32, Session> {
        let sessions = (first..=last).filter_map(|day| match self.session_on(day) {
            Lookup::Session(ordinal) => Some((day, self.session(ordinal))),
            Lookup::Closed | Lookup::OutOfRange => None,
        });
        sessions.collect()
    }

    /// Whether the last price of a session is that of an auction at its very close, so that many sources have a bar that
    /// begins there.
    pub(super) fn closes_by_auction(&self) -> bool {
        ["XTKS", "XSHG"].contains(&&*self.name)
    }

    /// Whether every day is a session.
    pub fn never_closes(&self) -> bool {
        self.days_of_week() == Some(7)
    }

    /// How many days of a week, Monday first, are sessions by formula; `None` for a table.
    pub(super) fn days_of_week(&self) -> Option<i64> {
        match &self.days {
            Days::Table { .. } => None,
            Days::Weekly { days } => Some(*days),
        }
    }
}

/// The years that a calendar which is a formula keeps once some of its days are changed.
const BOUNDED_YEARS: (i32, i32) = (1900, 2100);

/// The Monday of the ISO week of 1970-01-01, in days since then.
pub(super) const FIRST_MONDAY: i64 = -3;

/// The ISO weeks since that of 1970-01-01, and the days since Monday.
pub(super) fn week_and_weekday(day: i32) -> (i64, i64) {
    let days = i64::from(day) - FIRST_MONDAY;
    (days.div_euclid(7), days.rem_euclid(7))
}

/// A date like `2024-11-29`, in days since 1970-01-01.
pub(super) fn date(text: &str) -> Option<i32> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.to_epoch_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-01, a Monday.
    const MONDAY: i32 = 19_723;

    fn table() -> Calendar {
        let at = |day: i32| i64::from(day) * DAY_US;
        let session = |day| Session::new(day, at(day), at(day) + 1);
        Calendar::from_table("T", "v".into(), Tz::UTC, (10, 20), [11, 12, 15].map(session).to_vec())
    }

    #[test]
    fn every_day_is_a_session_of_the_market_that_never_closes() {
        let calendar = Calendar::weekly("24/7", 7);
        for day in [-719_162, -4, -3, -1, 0, 1, MONDAY, MONDAY + 5, MONDAY + 6] {
            let Lookup::Session(ordinal) = calendar.session_on(day) else { panic!("{day} is a session") };
            assert_eq!(calendar.session_on(day + 1), Lookup::Session(ordinal + 1));
            let open = i64::from(day) * DAY_US;
            let expected = Session::new(day, open, open + DAY_US);
            assert_eq!(calendar.session(ordinal), expected);
        }
    }

    #[test]
    fn weekends_are_closed_where_weekdays_trade() {
        let calendar = Calendar::weekly("weekdays", 5);
        let week: Vec<_> = (MONDAY..MONDAY + 8).map(|day| calendar.session_on(day)).collect();
        let Lookup::Session(first) = week[0] else { panic!("a Monday is a session") };
        for (offset, lookup) in (0..5).zip(&week) {
            assert_eq!(*lookup, Lookup::Session(first + offset));
            assert_eq!(calendar.day_of(first + offset), MONDAY + i32::try_from(offset).unwrap());
        }
        assert_eq!(week[5..], [Lookup::Closed, Lookup::Closed, Lookup::Session(first + 5)]);
    }

    #[test]
    fn the_nearest_sessions_of_a_table_are_found_from_anywhere() {
        let calendar = table();
        let days = [i32::MIN, 9, 10, 11, 13, 15, 16, 21, i32::MAX];
        let after = days.map(|day| calendar.first_on_or_after(day));
        assert_eq!(after, [Some(0), Some(0), Some(0), Some(0), Some(2), Some(2), None, None, None]);
        let before = days.map(|day| calendar.last_on_or_before(day));
        assert_eq!(before, [None, None, None, Some(0), Some(1), Some(2), Some(2), Some(2), Some(2)]);
    }

    #[test]
    fn the_nearest_sessions_of_a_formula_are_found_on_a_weekend() {
        let calendar = Calendar::weekly("weekdays", 5);
        let nearest = |day| (calendar.last_on_or_before(day).unwrap(), calendar.first_on_or_after(day).unwrap());
        let days = |(one, other)| (calendar.day_of(one), calendar.day_of(other));
        assert_eq!(days(nearest(MONDAY + 2)), (MONDAY + 2, MONDAY + 2));
        assert_eq!(days(nearest(MONDAY + 4)), (MONDAY + 4, MONDAY + 4));
        assert_eq!(days(nearest(MONDAY + 5)), (MONDAY + 4, MONDAY + 7));
        assert_eq!(days(nearest(MONDAY - 1)), (MONDAY - 3, MONDAY));
    }
}
