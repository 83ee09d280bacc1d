//! A calendar as a table of rules and exceptions in local time, and its expansion to sessions in UTC.
//!
//! The form of the text is described in `data/README.md`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;

use super::calendar::{date, week_and_weekday};
use super::day_hours::DayHours;
use super::patches::{Effect, Patch};
use super::session::Session;

/// The usual hours of each day of the week, Monday first; `None` where there is no trading.
pub(super) type Week = [Option<DayHours>; 7];

/// Rules and exceptions of one market.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) zone: Tz,
    /// The first and the last day it knows.
    pub(super) first: i32,
    pub(super) last: i32,
    /// The usual hours from a day on, in order.
    pub(super) weeks: Vec<(i32, Week)>,
    /// Days without trading.
    pub(super) closed: BTreeSet<i32>,
    /// Days without trading in every year, as (month, day).
    pub(super) yearly: Vec<(u32, u32)>,
    /// Days with hours of their own, whatever the day of the week.
    pub(super) other: BTreeMap<i32, DayHours>,
}

impl Table {
    /// Reads `ZONE FIRST LAST` and the lines after it; `None` where one of them is not understood.
    pub(super) fn parse(body: &str) -> Option<Self> {
        let (head, lines) = body.split_once('\n').unwrap_or((body, ""));
        let [zone, first, last] = head.split_ascii_whitespace().collect::<Vec<_>>()[..] else { return None };
        let mut table = Self {
            zone: zone.parse().ok()?,
            first: date(first)?,
            last: date(last)?,
            weeks: Vec::new(),
            closed: BTreeSet::new(),
            yearly: Vec::new(),
            other: BTreeMap::new(),
        };
        for line in lines.lines() {
            table.read(line)?;
        }
        Some(table)
    }

    fn read(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.split_once(' ')?;
        let (head, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let words = rest.split_ascii_whitespace();
        match kind {
            "hours" => self.weeks.push((date(head)?, week(rest)?)),
            "closed" => {
                let year: i32 = head.parse().ok()?;
                for word in words {
                    self.closed.insert(day_of_year(year, number(word)?)?);
                }
            }
            "yearly" => {
                for word in std::iter::once(head).chain(words) {
                    let day = number(word)?;
                    self.yearly.push((day / 100, day % 100));
                }
            }
            "other" => {
                let hours = DayHours::parse(head).ok()?;
                for word in words {
                    let day = number(word)?;
                    self.other.insert(day_of_year(i32::try_from(day / 10_000).ok()?, day % 10_000)?, hours);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// The sessions, with what `patches` change, and the first day that is known then.
    ///
    /// # Errors
    /// The first day whose hours the clocks of the zone do not show exactly once.
    pub(super) fn expand(&self, patches: &[Patch]) -> Result<(i32, Vec<Session>), i32> {
        let unknown = patches.iter().filter(|patch| patch.effect == Effect::Unknown);
        let first = unknown.map(|patch| patch.last + 1).fold(self.first, i32::max);
        let (several, single): (Vec<&Patch>, Vec<&Patch>) = patches.iter().partition(|patch| patch.first < patch.last);
        let single: BTreeMap<i32, Effect> = single.into_iter().map(|patch| (patch.first, patch.effect)).collect();
        let mut sessions = Vec::new();
        let mut weeks = self.weeks.iter().peekable();
        let mut usual: &Week = &[None; 7];
        for day in first..=self.last {
            while let Some((_, week)) = weeks.next_if(|(from, _)| *from <= day) {
                usual = week;
            }
            let effects = several.iter().filter(|patch| patch.reaches(day)).map(|patch| patch.effect);
            let of_weekday = effects.clone().fold(usual[weekday(day)], usual_after);
            let hours = effects.clone().fold(self.hours_on(day, of_weekday), exception_after);
            let hours = match single.get(&day) {
                Some(Effect::Hours(hours)) => Some(*hours),
                Some(Effect::Closed) => None,
                Some(Effect::Unknown) | None => hours,
            };
            if let Some(hours) = hours {
                let full = of_weekday.or_else(|| effects.fold(usual.iter().flatten().next().copied(), usual_after));
                let half_day = full.is_some_and(|full| hours.trading_time() < full.trading_time());
                sessions.push(hours.session(self.zone, day, half_day).ok_or(day)?);
            }
        }
        Ok((first, sessions))
    }

    /// The hours of `day`, where those of its weekday are `usual`.
    fn hours_on(&self, day: i32, usual: Option<DayHours>) -> Option<DayHours> {
        if let Some(hours) = self.other.get(&day) {
            return Some(*hours);
        }
        let in_year = || {
            let date = NaiveDate::from_epoch_days(day);
            date.is_some_and(|date| self.yearly.contains(&(date.month(), date.day())))
        };
        let closed = self.closed.contains(&day) || (!self.yearly.is_empty() && in_year());
        usual.filter(|_| !closed)
    }
}

/// The usual hours of a weekday after a correction of several days.
fn usual_after(usual: Option<DayHours>, effect: Effect) -> Option<DayHours> {
    match (usual, effect) {
        (Some(_), Effect::Hours(hours)) => Some(hours),
        _ => usual,
    }
}

/// The hours of a day after a correction of several days: the auction follows the close of a half-day as well.
fn exception_after(hours: Option<DayHours>, effect: Effect) -> Option<DayHours> {
    match effect {
        Effect::Closed => None,
        Effect::Hours(usual) => hours.map(|hours| hours.with_auction_of(&usual)),
        Effect::Unknown => hours,
    }
}

/// The place of `day` in a week.
fn weekday(day: i32) -> usize {
    usize::try_from(week_and_weekday(day).1).unwrap_or(0)
}

/// `12345 09:30-16:00 7 09:30-13:00`: groups of weekdays, Monday is 1, each with its hours.
fn week(text: &str) -> Option<Week> {
    let mut week: Week = [None; 7];
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    for pair in words.chunks(2) {
        let [days, hours] = pair else { return None };
        let hours = DayHours::parse(hours).ok()?;
        for digit in days.bytes() {
            *week.get_mut(usize::from(digit.checked_sub(b'1')?))? = Some(hours);
        }
    }
    Some(week)
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// The day `month_and_day`, e.g. 1225, of `year`.
fn day_of_year(year: i32, month_and_day: u32) -> Option<i32> {
    NaiveDate::from_ymd_opt(year, month_and_day / 100, month_and_day % 100).map(|date| date.to_epoch_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::zone::DAY_US;

    fn table(lines: &str) -> Table {
        Table::parse(&format!("UTC 2024-01-01 2024-01-14\n{lines}")).unwrap()
    }

    /// The sessions as `day open-close`, in days of January and hours, `!` for a half-day.
    fn sessions(table: &Table, patches: &[Patch]) -> Vec<String> {
        let first = date("2024-01-01").unwrap();
        let clock = |instant: i64, day: i32| (instant - i64::from(day) * DAY_US) / 3_600_000_000;
        let (_, sessions) = table.expand(patches).unwrap();
        let text = |session: &Session| {
            let (open, close) = (clock(session.open, session.day), clock(session.close, session.day));
            let auction = clock(session.auction_end, session.day);
            let auction = if auction > close { format!("+{auction}") } else { String::new() };
            format!("{} {open}-{close}{auction}{}", session.day - first + 1, if session.half_day { "!" } else { "" })
        };
        sessions.iter().map(text).collect()
    }

    #[test]
    fn weeks_change_and_a_sunday_with_its_own_hours_is_no_half_day() {
        let table = table("hours 2024-01-01 1234 09:00-17:00 7 09:00-12:00\nhours 2024-01-08 12345 09:00-17:00");
        let expected =
            ["1 9-17", "2 9-17", "3 9-17", "4 9-17", "7 9-12", "8 9-17", "9 9-17", "10 9-17", "11 9-17", "12 9-17"];
        assert_eq!(sessions(&table, &[]), expected);
    }

    #[test]
    fn closures_and_other_hours_are_exceptions_of_any_weekday() {
        let table = table("hours 2024-01-01 1 09:00-17:00\nclosed 2024 0101\nother 10:00-11:00 20240106\nyearly 0108");
        assert_eq!(sessions(&table, &[]), ["6 10-11!"]);
    }

    #[test]
    fn corrections_close_add_and_change_days_and_leave_half_days_their_hours() {
        let table = table("hours 2024-01-01 123 09:00-17:00\nother 09:00-12:00 20240103 20240104");
        let day = |day: i32| date("2024-01-01").unwrap() + day - 1;
        let hours = |text| Effect::Hours(DayHours::parse(text).unwrap());
        let patch = |first, last, effect| Patch { first: day(first), last: day(last), effect };
        let patches = [
            patch(1, 1, Effect::Unknown),
            patch(2, 9, hours("08:00-16:00+17:00")),
            patch(6, 6, hours("10:00-11:00")),
            patch(8, 8, Effect::Closed),
        ];
        assert_eq!(
            sessions(&table, &patches),
            ["2 8-16+17", "3 9-12+13!", "4 9-12+13!", "6 10-11!", "9 8-16+17", "10 9-17"]
        );
        assert_eq!(table.expand(&patches).unwrap().0, day(2));
    }
}
