//! The calendars that ship with the program: embedded tables of rules and exceptions in local time, expanded to
//! UTC when a calendar is first asked for, and the two that are formulas.
//!
//! The tables, their origin and their limits are described in `data/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::calendar::week_and_weekday;
use super::zone::DAY_US;
use super::zone::{self, Local};
use super::{Calendar, Session};

const REGIMES: &str = include_str!("data/compact_regimes.csv");
const CLOSURES: &str = include_str!("data/compact_closures.csv");
const SPECIAL_SESSIONS: &str = include_str!("data/compact_special_sessions.csv");

/// Where the embedded tables come from and when they were made.
const VERSION: &str = "exchange_calendars 4.13.2, 2026-11-20";

static BUILT_IN: [(&str, LazyLock<Arc<Calendar>>); 8] = [
    ("XNYS", LazyLock::new(|| embedded("XNYS"))),
    ("XLON", LazyLock::new(|| embedded("XLON"))),
    ("XHKG", LazyLock::new(|| embedded("XHKG"))),
    ("XTKS", LazyLock::new(|| embedded("XTKS"))),
    ("XSHG", LazyLock::new(|| embedded("XSHG"))),
    ("CMES", LazyLock::new(|| embedded("CMES"))),
    ("24/7", LazyLock::new(|| Arc::new(Calendar::weekly("24/7", 7)))),
    ("weekdays", LazyLock::new(|| Arc::new(Calendar::weekly("weekdays", 5)))),
];

/// Markets that keep the days and hours of another one.
const ALIASES: [(&str, &str); 5] =
    [("XNAS", "XNYS"), ("NYSE", "XNYS"), ("NASDAQ", "XNYS"), ("XSHE", "XSHG"), ("CME", "CMES")];

impl Calendar {
    /// The calendar called `name`, by its own name or one of [`Calendar::aliases`].
    pub fn named(name: &str) -> Option<Arc<Self>> {
        let name = Self::own_name(name)?;
        BUILT_IN.iter().find(|(own, _)| *own == name).map(|(_, calendar)| Arc::clone(calendar))
    }

    /// The names of all calendars, without aliases.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Other names of calendars, each with the name it stands for.
    pub fn aliases() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
        ALIASES.into_iter()
    }

    /// The name that `name` stands for: itself, or what it is an alias of.
    pub(super) fn own_name(name: &str) -> Option<&'static str> {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        alias.map(|(_, own)| *own).or_else(|| Self::names().find(|own| *own == name))
    }
}

#[expect(clippy::expect_used, reason = "the embedded tables are part of the program and tested as a whole")]
fn embedded(name: &'static str) -> Arc<Calendar> {
    Arc::new(expand(name).expect("the embedded calendar tables are well-formed"))
}

/// Local hours, in µs from the midnight that begins the trading date.
#[derive(Debug, Clone, Copy)]
struct Hours {
    open: i64,
    close: i64,
    pause: Option<(i64, i64)>,
}

/// The usual hours from day `first` to day `last`.
#[derive(Debug)]
struct Regime {
    zone: Tz,
    first: i32,
    last: i32,
    open_day_offset: i64,
    hours: Hours,
}

/// Every weekday of a regime is a session unless it is closed; a special session has hours of its own.
fn expand(name: &'static str) -> Option<Calendar> {
    let regimes = rows(REGIMES, name).map(|row| regime(&row)).collect::<Option<Vec<_>>>()?;
    let closed = rows(CLOSURES, name).map(|row| date(row.first()?)).collect::<Option<BTreeSet<_>>>()?;
    let special = rows(SPECIAL_SESSIONS, name)
        .map(|row| Some((date(row.first()?)?, hours(row.get(1..)?)?)))
        .collect::<Option<BTreeMap<_, _>>>()?;
    let mut sessions = Vec::new();
    for regime in &regimes {
        for day in regime.first..=regime.last {
            let hours = special.get(&day).copied();
            if hours.is_some() || (week_and_weekday(day).1 < 5 && !closed.contains(&day)) {
                sessions.push(session(regime, day, hours)?);
            }
        }
    }
    let (first, last) = (regimes.first()?, regimes.last()?);
    Some(Calendar::from_table(name, VERSION.to_owned(), first.zone, (first.first, last.last), sessions))
}

/// The session of `day`, at the hours of its regime unless it has `special` ones.
fn session(regime: &Regime, day: i32, special: Option<Hours>) -> Option<Session> {
    let hours = special.unwrap_or(regime.hours);
    let utc = |micros| match zone::from_local(regime.zone, day, micros) {
        Local::At(instant) => Some(instant),
        Local::Skipped | Local::Repeated(..) | Local::OutOfRange => None,
    };
    let pause = match hours.pause {
        Some((start, end)) => Some((utc(start)?, utc(end)?)),
        None => None,
    };
    let open = utc(hours.open + regime.open_day_offset * DAY_US)?;
    Some(Session { day, open, close: utc(hours.close)?, pause, half_day: special.is_some() })
}

/// The rows of `table` that belong to the calendar `name`, without that first column.
fn rows<'a>(table: &'a str, name: &str) -> impl Iterator<Item = Vec<&'a str>> {
    table.lines().skip(1).filter_map(move |line| {
        let (owner, row) = line.split_once(',')?;
        (owner == name).then(|| row.split(',').collect())
    })
}

fn regime(row: &[&str]) -> Option<Regime> {
    let [zone, first, last, hours @ .., open_day_offset] = row else { return None };
    Some(Regime {
        zone: zone.parse().ok()?,
        first: date(first)?,
        last: date(last)?,
        open_day_offset: open_day_offset.parse().ok()?,
        hours: self::hours(hours)?,
    })
}

fn hours(row: &[&str]) -> Option<Hours> {
    let [open, close, pause_start, pause_end] = row else { return None };
    let pause = if pause_start.is_empty() { None } else { Some((clock(pause_start)?, clock(pause_end)?)) };
    Some(Hours { open: clock(open)?, close: clock(close)?, pause })
}

fn date(text: &str) -> Option<i32> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.to_epoch_days())
}

fn clock(text: &str) -> Option<i64> {
    let since_midnight = NaiveTime::parse_from_str(text, "%H:%M").ok()? - NaiveTime::MIN;
    since_midnight.num_microseconds()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::DateTime;

    use super::*;
    use crate::market::Lookup;

    const GOLDEN: &str = include_str!("data/golden_sessions.csv");

    fn day(text: &str) -> i32 {
        date(text).unwrap()
    }

    fn on(name: &str, text: &str) -> Session {
        let calendar = Calendar::named(name).unwrap();
        match calendar.session_on(day(text)) {
            Lookup::Session(ordinal) => calendar.session(ordinal),
            other => panic!("{name} {text}: {other:?}"),
        }
    }

    /// A session as a row of the files it is compared with.
    fn written(name: &str, session: &Session) -> String {
        let time = |instant| DateTime::from_timestamp_micros(instant).unwrap().format("%Y-%m-%dT%H:%MZ").to_string();
        let date = NaiveDate::from_epoch_days(session.day).unwrap();
        let (start, end) = session.pause.map_or((String::new(), String::new()), |(a, b)| (time(a), time(b)));
        format!("{name},{date},{},{},{start},{end}", time(session.open), time(session.close))
    }

    fn all_sessions(name: &str) -> Vec<Session> {
        Calendar::named(name).unwrap().sessions().unwrap().to_vec()
    }

    #[test]
    fn golden_sessions_come_out_of_the_embedded_tables() {
        for row in GOLDEN.lines().skip(1) {
            let (name, rest) = row.split_once(',').unwrap();
            assert_eq!(written(name, &on(name, rest.split_once(',').unwrap().0)), row);
        }
    }

    #[test]
    fn every_session_equals_the_source_where_it_is_at_hand() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/calendars");
        if !folder.is_dir() {
            println!("left out: {} is not here", folder.display());
            return;
        }
        for name in ["XNYS", "XLON", "XHKG", "XTKS", "XSHG", "CMES"] {
            let file = std::fs::read_to_string(folder.join(format!("{name}.csv"))).unwrap();
            let before_the_exchange = |row: &&str| name == "XSHG" && row.split(',').nth(1) < Some("1990-12-19");
            let expected: Vec<&str> = file.lines().skip(1).filter(|row| !before_the_exchange(row)).collect();
            let found: Vec<String> = all_sessions(name).iter().map(|session| written(name, session)).collect();
            assert_eq!(found.len(), expected.len(), "{name}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn sessions_and_half_days_are_as_many_as_in_the_source() {
        for (name, sessions, half_days) in [
            ("XNYS", 9_569, 80),
            ("XLON", 9_604, 75),
            ("XHKG", 9_376, 67),
            ("XTKS", 7_593, 0),
            ("CMES", 9_801, 277),
            ("XSHG", 8_797, 0),
        ] {
            let all = all_sessions(name);
            assert_eq!(all.len(), sessions, "{name}");
            assert_eq!(all.iter().filter(|session| session.half_day).count(), half_days, "{name}");
        }
    }

    #[test]
    fn sessions_ascend_without_overlap_and_are_consecutive() {
        for name in Calendar::names() {
            let calendar = Calendar::named(name).unwrap();
            let (first, last) = (calendar.first().unwrap_or(-40_000), calendar.last().unwrap_or(40_000));
            let mut before: Option<(i64, Session)> = None;
            for day in first..=last {
                let Lookup::Session(ordinal) = calendar.session_on(day) else { continue };
                let session = calendar.session(ordinal);
                assert_eq!((session.day, calendar.day_of(ordinal)), (day, day));
                assert!(session.open < session.close && session.trading_time() > 0);
                if let Some((earlier, one)) = before.replace((ordinal, session)) {
                    assert_eq!(ordinal, earlier + 1);
                    assert!(one.close <= session.open);
                }
            }
            assert!(before.is_some(), "{name}");
        }
    }

    #[test]
    fn minutes_of_a_session_are_those_of_the_exchange() {
        for (name, date, minutes) in [
            ("XNYS", "2024-03-08", 390),
            ("XNYS", "2024-11-29", 210),
            ("XSHG", "2024-10-08", 240),
            ("XHKG", "2024-12-27", 330),
            ("XHKG", "2024-12-24", 150),
            ("XTKS", "2024-11-01", 300),
            ("XTKS", "2024-11-05", 330),
            ("XLON", "2024-03-28", 510),
            ("24/7", "2024-03-09", 1_440),
        ] {
            assert_eq!(on(name, date).trading_time(), minutes * 60_000_000, "{name} {date}");
        }
    }

    #[test]
    fn aliases_name_the_calendar_they_share() {
        for (alias, own) in Calendar::aliases() {
            assert_eq!(Calendar::named(alias).unwrap().name(), own);
        }
        assert!(Arc::ptr_eq(&Calendar::named("NASDAQ").unwrap(), &Calendar::named("XNYS").unwrap()));
        assert!(Calendar::named("xnys").is_none() && Calendar::named("").is_none());
        assert_eq!(Calendar::named("XSHE").unwrap().version(), "exchange_calendars 4.13.2, 2026-11-20");
    }

    #[test]
    fn holidays_are_closed_and_days_outside_the_range_are_not() {
        let shanghai = Calendar::named("XSHG").unwrap();
        assert_eq!(shanghai.session_on(day("2024-10-01")), Lookup::Closed);
        assert_eq!(shanghai.session_on(day("1990-12-18")), Lookup::OutOfRange);
        assert_eq!(shanghai.session_on(day("1990-12-19")), Lookup::Session(0));
        assert_eq!(shanghai.session_on(day("2026-12-31")), Lookup::Session(8_796));
        assert_eq!(shanghai.session_on(day("2027-01-01")), Lookup::OutOfRange);
        assert_eq!(shanghai.first().zip(shanghai.last()), Some((day("1990-12-19"), day("2026-12-31"))));
        let new_york = Calendar::named("XNYS").unwrap();
        assert_eq!(new_york.session_on(day("1990-01-01")), Lookup::Closed);
        assert_eq!(new_york.session_on(day("2001-09-11")), Lookup::Closed);
    }
}
