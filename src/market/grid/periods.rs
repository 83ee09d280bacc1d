//! Weekly and monthly bars: the weeks or months that have a session, numbered one after the other.
//!
//! A week without any session (a spring festival) is not expected to have a bar.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use crate::market::calendar::{Calendar, FIRST_MONDAY, week_and_weekday};
use crate::market::label::PeriodLabel;
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
    /// Which day dates a bar, and the calendar that knows its sessions; `None` where any day does.
    dated: Option<(PeriodLabel, Arc<Calendar>)>,
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Week,
    Month,
}

impl Periods {
    pub(super) fn weeks(calendar: &Arc<Calendar>, label: Option<PeriodLabel>) -> Self {
        Self::new(Unit::Week, calendar, label)
    }

    pub(super) fn months(calendar: &Arc<Calendar>, label: Option<PeriodLabel>) -> Self {
        Self::new(Unit::Month, calendar, label)
    }

    fn new(unit: Unit, calendar: &Arc<Calendar>, label: Option<PeriodLabel>) -> Self {
        let bounds = calendar.first().zip(calendar.last());
        let bounds = bounds.and_then(|(first, last)| Some((unit.index(first)?, unit.index(last)?)));
        let ranks = bounds.zip(calendar.sessions()).map(|((first, last), sessions)| {
            let mut periods: Vec<i32> = sessions.iter().filter_map(|session| unit.index(session.day)).collect();
            periods.dedup();
            Ranks::new(first, last, periods.into_iter())
        });
        Self { unit, ranks, dated: label.map(|label| (label, Arc::clone(calendar))) }
    }

    pub(super) fn slot(&self, time: i64) -> Slot {
        if time.rem_euclid(DAY_US) != 0 {
            return Slot::OffGrid;
        }
        let day = zone::day_of(time);
        let Some(index) = self.unit.index(day) else { return Slot::OutOfRange };
        let lookup = self.ranks.as_ref().map_or(Lookup::Session(i64::from(index)), |ranks| ranks.lookup(index));
        match (lookup, self.date(index)) {
            (Lookup::Session(position), Some(date)) if date != i64::from(day) => Slot::OtherDay(position),
            _ => Slot::of(lookup),
        }
    }

    /// The day that dates the bar of the period `index`, in days since 1970-01-01.
    fn date(&self, index: i32) -> Option<i64> {
        let first = self.unit.first_day(index)?;
        let Some((label, calendar)) = &self.dated else { return None };
        let day_of = |ordinal: Option<i64>| ordinal.map(|ordinal| i64::from(calendar.day_of(ordinal)));
        match label {
            PeriodLabel::Monday => Some(first),
            PeriodLabel::First => day_of(calendar.first_on_or_after(i32::try_from(first).ok()?)),
            PeriodLabel::Last => {
                let last = self.unit.first_day(index + 1)? - 1;
                day_of(calendar.last_on_or_before(i32::try_from(last).ok()?))
            }
        }
    }

    pub(super) fn timestamp(&self, position: i64) -> i64 {
        let index = self.ranks.as_ref().map_or_else(|| i32::try_from(position).ok(), |ranks| ranks.member(position));
        match index.and_then(|index| self.date(index).or_else(|| self.unit.first_day(index))) {
            Some(day) => day * DAY_US,
            None => unreachable!("bug: the grid has no week or month at position {position}"),
        }
    }

    /// The first period whose date is on or after `day`.
    pub(super) fn first_at_or_after(&self, day: i32) -> Option<i64> {
        let index = self.unit.index(day)?;
        let date = self.date(index).or_else(|| self.unit.first_day(index))?;
        let index = if date < i64::from(day) { index + 1 } else { index };
        match &self.ranks {
            None => Some(i64::from(index)),
            Some(ranks) => Some(ranks.below(index)).filter(|rank| *rank < ranks.count()),
        }
    }

    /// The last period whose date is on or before `day`.
    pub(super) fn last_at_or_before(&self, day: i32) -> Option<i64> {
        let index = self.unit.index(day)?;
        let date = self.date(index).or_else(|| self.unit.first_day(index))?;
        let index = if date > i64::from(day) { index - 1 } else { index };
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
