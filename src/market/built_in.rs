//! The calendars that ship with the program: embedded tables of rules and exceptions in local time, expanded to
//! UTC when a calendar is first asked for, and the two that are formulas.
//!
//! The tables, their origin and their limits are described in `data/README.md`.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use super::calendar::{Calendar, Extended};
use super::day_hours::DayHours;
use super::patches;
use super::table::Table;

const EXCHANGES: &str = include_str!("data/exchanges.txt");
const OWN: &str = include_str!("data/own.txt");

/// Where the tables of exchanges come from and when they were made.
const VERSION: &str = "exchange_calendars 4.13.2, 2026-11-27";

static INDEX: LazyLock<Index> = LazyLock::new(Index::new);

impl Calendar {
    /// The calendar called `name`, by its own name or one of [`Calendar::aliases`].
    pub fn named(name: &str) -> Option<Arc<Self>> {
        let entry = INDEX.entries.get(Self::own_name(name)?)?;
        Some(Arc::clone(entry.calendar.get_or_init(|| Arc::new(entry.build()))))
    }

    /// The names of all calendars, without aliases, in order.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        INDEX.entries.keys().copied()
    }

    /// Other names of calendars, each with the name it stands for.
    pub fn aliases() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
        INDEX.aliases.iter().copied()
    }

    /// The name that `name` stands for: itself, or what it is an alias of.
    pub(super) fn own_name(name: &str) -> Option<&'static str> {
        let alias = INDEX.aliases.iter().find(|(alias, _)| *alias == name);
        alias.map(|(_, own)| *own).or_else(|| INDEX.entries.get_key_value(name).map(|(own, _)| *own))
    }
}

/// Where the text of each calendar is, and what was made of it so far.
struct Index {
    entries: BTreeMap<&'static str, Entry>,
    extended: BTreeMap<&'static str, Extended>,
    aliases: Vec<(&'static str, &'static str)>,
}

struct Entry {
    name: &'static str,
    source: Source,
    calendar: OnceLock<Arc<Calendar>>,
}

#[derive(Clone, Copy)]
enum Source {
    /// The first days of every week, Monday first.
    Formula {
        days: i64,
    },
    Table {
        body: &'static str,
        version: &'static str,
    },
}

impl Index {
    fn new() -> Self {
        let mut index = Self { entries: BTreeMap::new(), extended: BTreeMap::new(), aliases: Vec::new() };
        index.add("24/7", Source::Formula { days: 7 });
        index.add("weekdays", Source::Formula { days: 5 });
        index.read(EXCHANGES, VERSION);
        index.read(OWN, "rule");
        index
    }

    fn add(&mut self, name: &'static str, source: Source) {
        self.entries.insert(name, Entry { name, source, calendar: OnceLock::new() });
    }

    /// Finds the sections of `text`: `[NAME] ZONE FIRST LAST` with the lines after it, or `[NAME] = SAME`.
    fn read(&mut self, text: &'static str, version: &'static str) {
        let (head, sections) = text.split_once("\n[").unwrap_or((text, ""));
        let aliases = head.lines().filter_map(|line| line.strip_prefix("alias ")?.split_once(' '));
        self.aliases.extend(aliases);
        self.extended.extend(head.lines().filter_map(extended));
        for section in sections.trim_end().split("\n[") {
            let Some((name, body)) = section.split_once("] ") else { continue };
            let source = match body.strip_prefix("= ").and_then(|same| self.entries.get(same)) {
                Some(same) => same.source,
                None => Source::Table { body, version },
            };
            self.add(name, source);
        }
    }
}

/// `extended XNYS 04:00-20:00 04:00-17:00`: the hours of a market with those before and after the regular ones, and
/// the same on half-days.
fn extended(line: &'static str) -> Option<(&'static str, Extended)> {
    let [name, usual, half_day] = line.strip_prefix("extended ")?.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let ((from, until), (_, until_on_half_days)) =
        (DayHours::parse(usual).ok()?.span(), DayHours::parse(half_day).ok()?.span());
    Some((name, Extended { from, until, until_on_half_days }))
}

impl Entry {
    fn build(&self) -> Calendar {
        match self.source {
            Source::Formula { days } => Calendar::weekly(self.name, days),
            Source::Table { body, version } => {
                let extended = INDEX.extended.get(self.name).copied();
                expand(self.name, body, version, &patches::of(self.name)).with_extended(extended)
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "the embedded tables are part of the program and tested as a whole")]
fn expand(name: &'static str, body: &str, version: &str, patches: &[patches::Patch]) -> Calendar {
    let table = Table::parse(body).expect("the embedded calendar tables are well-formed");
    let (first, sessions) = table.expand(patches).expect("the hours of the embedded calendar tables exist");
    let version = match patches.len() {
        0 => version.to_owned(),
        count => format!("{version}, corrections: {count}"),
    };
    Calendar::from_table(name, version, table.zone, (first, table.last), sessions)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::{DateTime, NaiveDate};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::market::calendar::date;
    use crate::market::patches::Patch;
    use crate::market::{Lookup, Session};

    const GOLDEN: &str = include_str!("data/golden_sessions.csv");
    const DIGESTS: &str = include_str!("data/golden_digests.csv");

    fn day(text: &str) -> i32 {
        date(text).unwrap()
    }

    fn on(name: &str, text: &str) -> Session {
        found(&Calendar::named(name).unwrap(), text)
    }

    fn found(calendar: &Calendar, text: &str) -> Session {
        match calendar.session_on(day(text)) {
            Lookup::Session(ordinal) => calendar.session(ordinal),
            other => panic!("{} {text}: {other:?}", calendar.name()),
        }
    }

    /// The calendar as its table has it, without corrections.
    fn uncorrected(name: &'static str) -> Calendar {
        match INDEX.entries[name].source {
            Source::Formula { days } => Calendar::weekly(name, days),
            Source::Table { body, version } => expand(name, body, version, &[]),
        }
    }

    /// A session as a row of the files it is compared with.
    fn written(name: &str, session: &Session) -> String {
        let time = |instant| DateTime::from_timestamp_micros(instant).unwrap().format("%Y-%m-%dT%H:%MZ").to_string();
        let date = NaiveDate::from_epoch_days(session.day).unwrap();
        let (start, end) = session.breaks().next().map_or((String::new(), String::new()), |(a, b)| (time(a), time(b)));
        format!("{name},{date},{},{},{start},{end}", time(session.open), time(session.close))
    }

    /// The calendars of `exchange_calendars`, with the number of their sessions and the digest of all their rows.
    fn exchanges() -> impl Iterator<Item = (&'static str, usize, &'static str)> {
        DIGESTS.lines().skip(1).map(|line| match line.split(',').collect::<Vec<_>>()[..] {
            [name, sessions, digest] => (name, sessions.parse().unwrap(), digest),
            _ => panic!("{line}"),
        })
    }

    #[test]
    fn golden_sessions_come_out_of_the_embedded_tables() {
        let mut calendar = uncorrected("AIXK");
        for row in GOLDEN.lines().skip(1) {
            let (name, rest) = row.split_once(',').unwrap();
            if calendar.name() != name {
                calendar = uncorrected(Calendar::own_name(name).unwrap());
            }
            assert_eq!(written(name, &found(&calendar, rest.split_once(',').unwrap().0)), row);
        }
    }

    #[test]
    fn every_session_of_every_exchange_has_the_digest_of_the_package() {
        assert_eq!(exchanges().count(), 69);
        for (name, count, digest) in exchanges() {
            let calendar = uncorrected(name);
            let sessions = calendar.sessions().unwrap();
            assert_eq!(sessions.len(), count, "{name}");
            let rows: String = sessions.iter().map(|session| written(name, session) + "\n").collect();
            let found: String = Sha256::digest(rows).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, digest, "{name}");
        }
    }

    #[test]
    fn every_session_of_the_package_where_its_rows_are_at_hand() {
        let Ok(folder) = std::env::var("BARKEEP_SESSIONS") else {
            println!("left out: `scripts/calendars.py --check --rust` makes the rows");
            return;
        };
        for (name, ..) in exchanges() {
            let file = std::fs::read_to_string(Path::new(&folder).join(format!("{name}.csv"))).unwrap();
            let calendar = uncorrected(name);
            let found: Vec<String> =
                calendar.sessions().unwrap().iter().map(|session| written(name, session)).collect();
            assert!(found.iter().map(String::as_str).eq(file.lines()), "{name}");
            println!("{name}: {} sessions are those of the package", found.len());
        }
    }

    #[test]
    fn every_difference_from_the_package_is_a_correction_and_every_correction_makes_one() {
        for name in Calendar::names() {
            let patches = patches::of(name);
            if patches.is_empty() {
                continue;
            }
            let known = |calendar: &Calendar, day| match calendar.session_on(day) {
                Lookup::Session(ordinal) => Some(calendar.session(ordinal)),
                Lookup::Closed | Lookup::OutOfRange => None,
            };
            let (plain, corrected) = (uncorrected(name), Calendar::named(name).unwrap());
            let differs = |day: &i32| known(&plain, *day) != known(&corrected, *day);
            let different: Vec<i32> = (plain.first().unwrap()..=plain.last().unwrap()).filter(differs).collect();
            for day in &different {
                let date = NaiveDate::from_epoch_days(*day).unwrap();
                assert!(patches.iter().any(|patch| patch.reaches(*day)), "{name} {date}");
            }
            for Patch { first, last, .. } in &patches {
                assert!(different.iter().any(|day| (first..=last).contains(&day)), "{name} {first} {last}");
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
            ("XSHG", 8_809, 0),
            ("XBOM", 7_419, 0),
            ("XTAE", 9_356, 240),
        ] {
            let calendar = uncorrected(name);
            let all = calendar.sessions().unwrap();
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
            ("XTKS", "2024-11-05", 325),
            ("XLON", "2024-03-28", 510),
            ("24/7", "2024-03-09", 1_440),
        ] {
            assert_eq!(on(name, date).trading_time(), minutes * 60_000_000, "{name} {date}");
        }
    }

    #[test]
    fn the_document_lists_every_calendar() {
        let day = |day: Option<i32>| {
            let date = day.and_then(NaiveDate::from_epoch_days);
            date.map_or_else(|| "no bound".to_owned(), |date| date.to_string())
        };
        let mut table = "| calendar | zone | first day | last day |\n|---|---|---|---|\n".to_owned();
        for name in Calendar::names() {
            let calendar = Calendar::named(name).unwrap();
            let (zone, first, last) = (calendar.zone(), day(calendar.first()), day(calendar.last()));
            table.push_str(&format!("| {name} | {zone} | {first} | {last} |\n"));
        }
        let aliases: Vec<String> = Calendar::aliases().map(|(alias, own)| format!("{alias} ({own})")).collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/calendars.md");
        let found = std::fs::read_to_string(&path).unwrap();
        let mut wanted = found.clone();
        for (name, text) in [("aliases", aliases.join(", ") + ".\n"), ("calendars", table)] {
            let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
            let (head, rest) = wanted.split_once(&begin).unwrap();
            wanted = format!("{head}{begin}{text}{end}{}", rest.split_once(&end).unwrap().1);
        }
        if std::env::var_os("BARKEEP_REWRITE").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        assert!(found == wanted, "run this test with BARKEEP_REWRITE=1 to write the tables of docs/calendars.md anew");
    }

    #[test]
    fn aliases_name_the_calendar_they_share() {
        for (alias, own) in Calendar::aliases() {
            assert_eq!(Calendar::named(alias).unwrap().name(), own);
        }
        assert!(Arc::ptr_eq(&Calendar::named("NASDAQ").unwrap(), &Calendar::named("XNYS").unwrap()));
        assert!(Calendar::named("xnys").is_none() && Calendar::named("").is_none());
        assert_eq!(Calendar::named("XNAS").unwrap().version(), "exchange_calendars 4.13.2, 2026-11-27");
        assert_eq!(Calendar::named("XSHE").unwrap().version(), "exchange_calendars 4.13.2, 2026-11-27, corrections: 1");
        assert_eq!(Calendar::named("FX").unwrap().version(), "rule");
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
