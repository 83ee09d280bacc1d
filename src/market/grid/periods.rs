//! Weekly and monthly bars: the weeks or months that have a session, numbered one after the other.
//!
//! A week without any session (a spring festival) is not expected to have a bar.

use chrono::{Datelike, NaiveDate};

use crate::market::calendar::{Calendar, FIRST_MONDAY, week_and_weekday};
use crate::market::ranks::Ranks;
use crate::market::session::Lookup;
use crate::market::slot::Slot;
use crate::market::zone::{self, DAY_US};

/// The weeks or months of a calendar.
#[derive(Debug, Clone)]
pub(super) struct Periods {
    unit: Unit,
    /// Which periods have a session; `None` where each has.
    ranks: Option<Ranks>,
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Week,
    Month,
}

impl Periods {
    pub(super) fn weeks(calendar: &Calendar) -> Self {
        Self::new(Unit::Week, calendar)
    }

    pub(super) fn months(calendar: &Calendar) -> Self {
        Self::new(Unit::Month, calendar)
    }

    fn new(unit: Unit, calendar: &Calendar) -> Self {
        let bounds = calendar.first().zip(calendar.last());
        let bounds = bounds.and_then(|(first, last)| Some((unit.index(first)?, unit.index(last)?)));
        let ranks = bounds.zip(calendar.sessions()).map(|((first, last), sessions)| {
            let mut periods: Vec<i32> = sessions.iter().filter_map(|session| unit.index(session.day)).collect();
            periods.dedup();
            Ranks::new(first, last, periods.into_iter())
        });
        Self { unit, ranks }
    }

    pub(super) fn slot(&self, time: i64) -> Slot {
        if time.rem_euclid(DAY_US) != 0 {
            return Slot::OffGrid;
        }
        let Some(index) = self.unit.index(zone::day_of(time)) else { return Slot::OutOfRange };
        Slot::of(self.ranks.as_ref().map_or(Lookup::Session(i64::from(index)), |ranks| ranks.lookup(index)))
    }

    pub(super) fn timestamp(&self, position: i64) -> i64 {
        let index = self.ranks.as_ref().map_or_else(|| i32::try_from(position).ok(), |ranks| ranks.member(position));
        match index.and_then(|index| self.unit.first_day(index)) {
            Some(day) => day * DAY_US,
            None => unreachable!("bug: the grid has no week or month at position {position}"),
        }
    }

    /// The first period that begins on or after `day`.
    pub(super) fn first_at_or_after(&self, day: i32) -> Option<i64> {
        let index = self.unit.index(day)?;
        let index = if self.unit.first_day(index)? < i64::from(day) { index + 1 } else { index };
        match &self.ranks {
            None => Some(i64::from(index)),
            Some(ranks) => Some(ranks.below(index)).filter(|rank| *rank < ranks.count()),
        }
    }

    /// The last period that begins on or before `day`.
    pub(super) fn last_at_or_before(&self, day: i32) -> Option<i64> {
        let index = self.unit.index(day)?;
        match &self.ranks {
            None => Some(i64::from(index)),
            Some(ranks) => Some(ranks.below(index + 1) - 1).filter(|rank| *rank >= 0),
        }
    }
}

impl Unit {
    /// The period of `day`, counted from that of 1970-01-01; `None` beyond the years dates can be counted in.
    fn index(self, day: i32) -> Option<i32> {
        match self {
            Self::Week => i32::try_from(week_and_weekday(day).0).ok(),
            Self::Month => {
                let date = NaiveDate::from_epoch_days(day)?;
                Some((date.year() - EPOCH_YEAR) * 12 + date.month0().cast_signed())
            }
        }
    }

    /// The first day of the period `index`, in days since 1970-01-01.
    fn first_day(self, index: i32) -> Option<i64> {
        match self {
            Self::Week => Some(i64::from(index) * 7 + FIRST_MONDAY),
            Self::Month => {
                let month = index.rem_euclid(12).unsigned_abs() + 1;
                let date = NaiveDate::from_ymd_opt(EPOCH_YEAR + index.div_euclid(12), month, 1)?;
                Some(i64::from(date.to_epoch_days()))
            }
        }
    }
}

const EPOCH_YEAR: i32 = 1970;
