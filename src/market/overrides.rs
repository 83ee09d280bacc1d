//! Hours a user sets over those of a calendar: a typhoon half-day, a closure that was announced late, the holidays
//! of a year the calendar does not know yet.
//!
//! A file is used whole or not at all; every line that cannot be used is reported. Text in, calendar out: the caller
//! reads the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::calendar::{Calendar, week_and_weekday};
use super::session::{MAX_BREAKS, Session};
use super::zone::DAY_US;

/// The first line of an override file.
const HEADER: &str = "calendar,session,open_utc,close_utc,break_start_utc,break_end_utc";

/// How far hours may lie from the trading date, as µs around its midnight UTC.
const NEAR: std::ops::RangeInclusive<i64> = -DAY_US * 3 / 2..=DAY_US * 5 / 2;

/// One line of an override file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct OverrideError {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong with it, and what to write instead.
    pub message: String,
}

/// What a line does to a day: new hours, or no session.
#[derive(Debug, Clone, Copy)]
struct Override {
    line: usize,
    day: i32,
    hours: Option<Session>,
}

impl Calendar {
    /// This calendar with the hours that `csv` sets. The columns are
    /// `calendar,session,open_utc,close_utc,break_start_utc,break_end_utc`, times like `2024-11-29T14:30Z`, the
    /// break empty where there is none; rows of other calendars are left alone. A row replaces the hours of its
    /// session or adds the session; empty hours remove it. Rows past the calendar's last day (or before its first)
    /// extend it: every weekday up to there must have a row. `24/7` and `weekdays` become bounded to the years 1900
    /// to 2100. A session is a half-day where it is shorter than the last full one before it.
    pub fn with_overrides(self: &Arc<Self>, csv: &str) -> Result<Arc<Self>, Vec<OverrideError>> {
        let (overrides, mut errors) = read(self.name(), csv);
        if overrides.is_empty() && errors.is_empty() {
            return Ok(Arc::clone(self));
        }
        let (mut first, mut last) = self.bounds();
        let known = (first, last);
        let mut sessions = self.sessions_between(first, last);
        if first > last
            && let Some((earliest, latest)) = overrides.keys().next().zip(overrides.keys().next_back())
        {
            // Of a calendar that knew no day the rows are all there is to know.
            (first, last) = (*earliest, *latest);
        }
        for new in overrides.values() {
            (first, last) = (first.min(new.day), last.max(new.day));
            match new.hours {
                Some(session) => sessions.insert(new.day, session),
                None => sessions.remove(&new.day),
            };
        }
        if known.0 <= known.1 {
            errors.extend(unlisted_weekdays(&overrides, known));
        }
        errors.extend(overlaps(&overrides, &sessions));
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.line);
            return Err(errors);
        }
        mark_half_days(&mut sessions, &overrides);
        let version = format!("{}, overrides: {}", self.version(), overrides.len());
        let sessions = sessions.into_values().collect();
        let table = Self::from_table(self.name(), version, self.zone(), (first, last), sessions);
        Ok(Arc::new(table.with_extended(self.extended())))
    }
}

/// The overrides of the calendar `name` by day, and every line that cannot be read.
fn read(name: &str, csv: &str) -> (BTreeMap<i32, Override>, Vec<OverrideError>) {
    let mut overrides: BTreeMap<i32, Override> = BTreeMap::new();
    let mut errors = Vec::new();
    let csv = csv.strip_prefix('\u{feff}').unwrap_or(csv);
    if csv.lines().next().unwrap_or_default().trim_end() != HEADER {
        errors.push(OverrideError { line: 1, message: format!("the first line must be `{HEADER}`") });
    }
    let rows = csv.lines().enumerate().skip(1).filter(|(_, row)| !row.trim().is_empty());
    for (line, row) in rows.map(|(index, row)| (index + 1, row)) {
        match read_row(name, line, row) {
            Err(message) => errors.push(OverrideError { line, message }),
            Ok((owner, _)) if owner != name => {}
            Ok((_, new)) => {
                if let Some(earlier) = overrides.insert(new.day, new) {
                    let message = format!("`{}` already stands on line {}", date(new.day), earlier.line);
                    errors.push(OverrideError { line, message });
                }
            }
        }
    }
    (overrides, errors)
}

/// The calendar a row belongs to, and what the row does.
fn read_row<'a>(name: &'a str, line: usize, row: &str) -> Result<(&'a str, Override), String> {
    let cells: Vec<&str> = row.split(',').map(str::trim).collect();
    let [calendar, date, open, close, pause_start, pause_end] = cells.as_slice() else {
        return Err(format!("{} cells where there must be 6: `{HEADER}`", cells.len()));
    };
    let owner = if *calendar == name { Some(name) } else { Calendar::own_name(calendar) };
    let owner = owner.ok_or_else(|| format!("there is no calendar `{calendar}`"))?;
    let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok().filter(|day| day.to_string() == *date);
    let day = day.ok_or_else(|| format!("`{date}` is not a date like `2024-11-29`"))?.to_epoch_days();
    let (open, close) = (instant(open)?, instant(close)?);
    let breaks = breaks(pause_start, pause_end)?;
    let hours = match (open, close) {
        (Some(open), Some(close)) => Some(session(day, open, close, &breaks)?),
        (None, None) if breaks.is_empty() => None,
        (None, None) => return Err("a break without open and close".to_owned()),
        _ => return Err("open and close must both be written, or both be empty to remove the session".to_owned()),
    };
    Ok((owner, Override { line, day, hours }))
}

/// µs UTC of a cell like `2024-11-29T14:30Z`; `None` where it is empty.
fn instant(cell: &str) -> Result<Option<i64>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    let formats = ["%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ"];
    let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(cell, format).ok());
    match time {
        Some(time) => Ok(Some(time.and_utc().timestamp_micros())),
        None => Err(format!("`{cell}` is not a time in UTC like `2024-11-29T14:30Z`")),
    }
}

/// The breaks of two cells; several starts or ends are separated by semicolons.
fn breaks(starts: &str, ends: &str) -> Result<Vec<(i64, i64)>, String> {
    let instants = |cell: &str| {
        let instants = cell.split(';').filter_map(|text| instant(text.trim()).transpose());
        instants.collect::<Result<Vec<_>, String>>()
    };
    let (starts, ends) = (instants(starts)?, instants(ends)?);
    if starts.len() != ends.len() {
        return Err("a break needs both its start and its end".to_owned());
    }
    Ok(starts.into_iter().zip(ends).collect())
}

/// A session with hours that do not contradict each other.
fn session(day: i32, open: i64, close: i64, breaks: &[(i64, i64)]) -> Result<Session, String> {
    if open >= close {
        return Err(format!("the close `{}` does not come after the open `{}`", time(close), time(open)));
    }
    let midnight = i64::from(day) * DAY_US;
    if !NEAR.contains(&(open - midnight)) || !NEAR.contains(&(close - midnight)) {
        return Err(format!("the hours lie days away from `{}`", date(day)));
    }
    let mut session = Session::new(day, open, close);
    let mut resumed = open;
    for (start, end) in breaks {
        if !(resumed < *start && start < end && *end < close) {
            return Err(format!("the break `{}` to `{}` does not lie inside the session", time(*start), time(*end)));
        }
        if !session.breaks.push(open, *start, *end) {
            return Err(format!("more than {MAX_BREAKS} breaks"));
        }
        resumed = *end;
    }
    Ok(session)
}

/// Rows outside the days that are known, with weekdays before them that nothing is said about.
fn unlisted_weekdays(overrides: &BTreeMap<i32, Override>, (first, last): (i32, i32)) -> Vec<OverrideError> {
    let unlisted = |day: &i32| week_and_weekday(*day).1 < 5 && !overrides.contains_key(day);
    let error = |new: &Override, missing: i32, bound: &str, known: i32| OverrideError {
        line: new.line,
        message: format!(
            "the calendar {bound} on {}, and no row says whether {} is a session; list every weekday between, with \
             empty hours where the market is closed",
            date(known),
            date(missing)
        ),
    };
    let mut errors = Vec::new();
    let mut from = last + 1;
    for new in overrides.range(last.saturating_add(1)..).map(|(_, new)| new) {
        errors.extend((from..new.day).find(unlisted).map(|missing| error(new, missing, "ends", last)));
        from = new.day + 1;
    }
    let mut to = first - 1;
    for new in overrides.range(..first).rev().map(|(_, new)| new) {
        errors.extend((new.day + 1..=to).rev().find(unlisted).map(|missing| error(new, missing, "begins", first)));
        to = new.day - 1;
    }
    errors
}

/// Rows whose hours run into the session before or after.
fn overlaps(overrides: &BTreeMap<i32, Override>, sessions: &BTreeMap<i32, Session>) -> Vec<OverrideError> {
    let pairs = sessions.values().zip(sessions.values().skip(1)).filter(|(one, next)| one.close > next.open);
    let errors = pairs.filter_map(|(one, next)| {
        let line = overrides.get(&next.day).or_else(|| overrides.get(&one.day))?.line;
        let (one, next) = (date(one.day), date(next.day));
        Some(OverrideError { line, message: format!("the hours of {one} and {next} overlap") })
    });
    errors.collect()
}

/// Sets `half_day` of the sessions that have new hours.
fn mark_half_days(sessions: &mut BTreeMap<i32, Session>, overrides: &BTreeMap<i32, Override>) {
    let first_full = sessions.values().find(|session| !session.half_day && !overrides.contains_key(&session.day));
    let mut usual = first_full.map_or(0, Session::trading_time);
    for session in sessions.values_mut() {
        if overrides.contains_key(&session.day) {
            session.half_day = session.trading_time() < usual;
        } else if !session.half_day {
            usual = session.trading_time();
        }
    }
}

fn date(day: i32) -> String {
    NaiveDate::from_epoch_days(day).map_or_else(|| format!("day {day}"), |date| date.to_string())
}

fn time(instant: i64) -> String {
    let time = DateTime::from_timestamp_micros(instant);
    time.map_or_else(|| format!("{instant} µs"), |time| time.format("%Y-%m-%dT%H:%MZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::session::Lookup;

    const US_HEADER: &str = "calendar,session,open_utc,close_utc,break_start_utc,break_end_utc\n";

    fn day(text: &str) -> i32 {
        text.parse::<NaiveDate>().unwrap().to_epoch_days()
    }

    fn overridden(name: &str, rows: &str) -> Result<Arc<Calendar>, Vec<String>> {
        let calendar = Calendar::named(name).unwrap();
        let result = calendar.with_overrides(&format!("{US_HEADER}{rows}"));
        result.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    fn on(calendar: &Calendar, text: &str) -> Option<Session> {
        match calendar.session_on(day(text)) {
            Lookup::Session(ordinal) => Some(calendar.session(ordinal)),
            _ => None,
        }
    }

    #[test]
    fn hours_of_a_session_are_replaced_and_ordinals_stay() {
        let plain = Calendar::named("XHKG").unwrap();
        let calendar = overridden("XHKG", "XHKG,2023-09-07,2023-09-07T06:00Z,2023-09-07T08:00Z,,\n").unwrap();
        let session = on(&calendar, "2023-09-07").unwrap();
        assert_eq!((time(session.open), time(session.close)), ("2023-09-07T06:00Z".into(), "2023-09-07T08:00Z".into()));
        assert_eq!((session.breaks().count(), session.half_day), (0, true));
        assert_eq!(calendar.session_on(day("2023-09-11")), plain.session_on(day("2023-09-11")));
        assert_eq!(calendar.version(), "exchange_calendars 4.13.2, 2026-11-27, corrections: 8, overrides: 1");
    }

    #[test]
    fn empty_hours_remove_a_session_and_later_ordinals_move_up() {
        let plain = Calendar::named("XNYS").unwrap();
        let calendar = overridden("XNYS", "NYSE,2024-07-01,,,,\n").unwrap();
        assert_eq!(calendar.session_on(day("2024-07-01")), Lookup::Closed);
        let (Lookup::Session(before), Lookup::Session(after)) =
            (plain.session_on(day("2024-07-02")), calendar.session_on(day("2024-07-02")))
        else {
            panic!("2024-07-02 is a session")
        };
        assert_eq!(after, before - 1);
    }

    #[test]
    fn a_session_may_have_several_breaks() {
        let rows = "XNYS,2024-07-01,2024-07-01T13:30Z,2024-07-01T20:00Z,2024-07-01T15:00Z;2024-07-01T18:00Z,2024-07-01T16:00Z;2024-07-01T18:30Z\n";
        let session = on(&overridden("XNYS", rows).unwrap(), "2024-07-01").unwrap();
        assert_eq!((session.breaks().count(), session.trading_time()), (2, 300 * 60_000_000));
        let rows = "XNYS,2024-07-01,2024-07-01T13:30Z,2024-07-01T20:00Z,2024-07-01T15:00Z;2024-07-01T15:30Z,2024-07-01T16:00Z;2024-07-01T18:30Z\n";
        assert!(overridden("XNYS", rows).unwrap_err()[0].contains("the break `2024-07-01T15:30Z`"));
    }

    #[test]
    fn a_calendar_without_days_consists_of_the_rows_of_its_file() {
        let rows = "MINE,2024-07-01,2024-07-01T13:30Z,2024-07-01T20:00Z,,\nMINE,2024-07-06,2024-07-06T13:30Z,2024-07-06T20:00Z,,\n";
        let empty = Arc::new(Calendar::empty("MINE", chrono_tz::Tz::UTC));
        let calendar = empty.with_overrides(&format!("{US_HEADER}{rows}")).unwrap();
        assert_eq!((calendar.first(), calendar.last()), (Some(day("2024-07-01")), Some(day("2024-07-06"))));
        let found = ["2024-06-28", "2024-07-01", "2024-07-02", "2024-07-06"].map(|text| calendar.session_on(day(text)));
        assert_eq!(found, [Lookup::OutOfRange, Lookup::Session(0), Lookup::Closed, Lookup::Session(1)]);
    }

    #[test]
    fn a_session_can_be_added_on_a_weekend() {
        let calendar = overridden("XNYS", "XNYS,2024-07-06,2024-07-06T13:30Z,2024-07-06T20:00Z,,\r\n").unwrap();
        assert_eq!(on(&calendar, "2024-07-06").map(|session| session.half_day), Some(false));
    }

    #[test]
    fn rows_of_other_calendars_and_blank_lines_change_nothing() {
        let plain = Calendar::named("XNYS").unwrap();
        let calendar = plain.with_overrides(&format!("{US_HEADER}\nXLON,2024-07-01,,,,\n")).unwrap();
        assert!(Arc::ptr_eq(&plain, &calendar));
    }

    #[test]
    fn a_calendar_is_extended_where_every_weekday_is_listed() {
        let rows = "XSHG,2027-01-01,,,,\n\
                    XSHG,2027-01-04,2027-01-04T01:30Z,2027-01-04T07:00Z,2027-01-04T03:30Z,2027-01-04T05:00Z\n";
        let calendar = overridden("XSHG", rows).unwrap();
        assert_eq!(calendar.last(), Some(day("2027-01-04")));
        assert_eq!(calendar.session_on(day("2027-01-01")), Lookup::Closed);
        assert_eq!(on(&calendar, "2027-01-04").map(|session| session.half_day), Some(false));
        assert_eq!(calendar.session_on(day("2027-01-05")), Lookup::OutOfRange);
    }

    #[test]
    fn a_calendar_is_not_extended_over_days_nobody_spoke_of() {
        let errors = overridden("XSHG", "XSHG,2027-01-05,,,,\nXSHG,1990-12-17,,,,\n").unwrap_err();
        assert_eq!(errors.len(), 2);
        assert!(
            errors[0].starts_with("line 2: the calendar ends on 2026-12-31, and no row says whether 2027-01-01 is")
        );
        assert!(
            errors[1].starts_with("line 3: the calendar begins on 1990-12-19, and no row says whether 1990-12-18 is")
        );
    }

    #[test]
    fn a_formula_becomes_a_bounded_table() {
        let calendar = overridden("weekdays", "weekdays,2024-12-25,,,,\n").unwrap();
        assert_eq!((calendar.first(), calendar.last()), (Some(day("1900-01-01")), Some(day("2100-12-31"))));
        assert_eq!(calendar.session_on(day("2024-12-25")), Lookup::Closed);
        let session = on(&calendar, "2024-12-26").unwrap();
        assert_eq!((session.close - session.open, session.half_day), (DAY_US, false));
        assert_eq!(calendar.session_on(day("2024-12-28")), Lookup::Closed);
    }

    #[test]
    fn every_line_that_cannot_be_used_is_reported() {
        let rows = "\
            XNAZ,2024-07-01,,,,\n\
            XNYS,2024-7-1,,,,\n\
            XNYS,2024-07-01,,\n\
            XNYS,2024-07-02,2024-07-02T13:30Z,,,\n\
            XNYS,2024-07-03,2024-07-03 13:30,2024-07-03T17:00Z,,\n\
            XNYS,2024-07-05,2024-07-05T20:00Z,2024-07-05T13:30Z,,\n\
            XNYS,2024-07-08,2024-07-08T13:30Z,2024-07-08T20:00Z,2024-07-08T12:00Z,2024-07-08T15:00Z\n\
            XNYS,2024-07-09,2024-07-09T13:30Z,2024-07-09T20:00Z,2024-07-09T15:00Z,\n\
            XNYS,2024-07-10,2024-06-10T13:30Z,2024-06-10T20:00Z,,\n\
            XNYS,2024-07-11,2024-07-10T19:00Z,2024-07-11T20:00Z,,\n\
            XNYS,2024-07-11,,,,\n";
        let errors = overridden("XNYS", rows).unwrap_err();
        let expected = [
            "line 2: there is no calendar `XNAZ`",
            "line 3: `2024-7-1` is not a date like `2024-11-29`",
            &format!("line 4: 4 cells where there must be 6: `{HEADER}`"),
            "line 5: open and close must both be written, or both be empty to remove the session",
            "line 6: `2024-07-03 13:30` is not a time in UTC like `2024-11-29T14:30Z`",
            "line 7: the close `2024-07-05T13:30Z` does not come after the open `2024-07-05T20:00Z`",
            "line 8: the break `2024-07-08T12:00Z` to `2024-07-08T15:00Z` does not lie inside the session",
            "line 9: a break needs both its start and its end",
            "line 10: the hours lie days away from `2024-07-10`",
            "line 12: `2024-07-11` already stands on line 11",
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn hours_that_run_into_a_neighbour_are_refused() {
        let errors = overridden("XNYS", "XNYS,2024-07-11,2024-07-10T19:00Z,2024-07-11T20:00Z,,\n").unwrap_err();
        assert_eq!(errors, ["line 2: the hours of 2024-07-10 and 2024-07-11 overlap"]);
    }

    #[test]
    fn another_header_is_refused() {
        let errors = Calendar::named("XNYS").unwrap().with_overrides("session,open\n").unwrap_err();
        assert_eq!(errors[0].to_string(), format!("line 1: the first line must be `{HEADER}`"));
    }
}
