//! `[calendar.NAME]`: calendars that the job writes itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use toml::Spanned;
use toml::de::DeValue;

use super::path::JobPath;
use super::zone::read_zone;
use crate::market::{Calendar, DayHours, OwnDays, OwnError, OwnWeek};
use crate::schema::diagnostic::{Diagnostic, nearest};
use crate::schema::keys::Otherwise::{Nothing, Texts};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::moment::Moment;
use crate::schema::section::SectionReader;

/// A calendar of the job.
#[derive(Debug, Clone)]
pub(super) struct OwnCalendar {
    pub(super) calendar: Arc<Calendar>,
    /// A file with sessions set over those that the job writes, or with all of them.
    pub(super) file: Option<Spanned<JobPath>>,
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The days that are known where the job does not say.
const USUAL_YEARS: (i32, i32) = (1990, 2050);

pub(super) const CALENDAR: Section = Section {
    name: "a calendar of the job",
    doc: "A calendar of the job's own, named in `[bars] calendar`.",
    keys: &[
        key(
            "base",
            Holds::Text,
            Nothing,
            "The calendar it begins with; `holidays` and `sessions` then change that one.",
        ),
        key("zone", Holds::Text, Nothing, "The zone of its hours and trading dates, e.g. `Asia/Kolkata`."),
        key(
            "hours",
            Holds::Text,
            Nothing,
            "The usual hours: `09:30-16:00`; `09:00-11:30, 12:30-15:00` with a break; `<17:00-16:00` from the evening before; `09:00-15:25+15:30` with a closing auction.",
        ),
        key("changes", Holds::Dated, Nothing, "Dates from which the usual hours are others, each with these hours."),
        key(
            "week",
            Holds::SomeTexts,
            Texts(&["mon", "tue", "wed", "thu", "fri"]),
            "The days of the week that are sessions, of `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.",
        ),
        key("holidays", Holds::Texts, Nothing, "Dates without trading."),
        key("sessions", Holds::Dated, Nothing, "Dates of sessions with hours of their own, on any day of the week."),
        key(
            "extended",
            Holds::Text,
            Nothing,
            "Hours that hold the trading before and after the regular ones, e.g. `04:00-20:00`; see `hours` of `[bars]`.",
        ),
        key("from", Holds::Moment, Nothing, "The first date that is known; default 1990-01-01."),
        key("until", Holds::Moment, Nothing, "The last date that is known; default 2050-12-31."),
        key(
            "file",
            Holds::Text,
            Nothing,
            "A CSV file with sessions set over these, or, without `hours` and `base`, with all of them.",
        ),
    ],
};

/// The calendars below `calendar`, by name; those with a mistake are left out.
pub(super) fn read(section: &mut SectionReader<'_>) -> BTreeMap<String, OwnCalendar> {
    let mut calendars = BTreeMap::new();
    let Some(mut table) = section.reader().table("calendar") else { return calendars };
    for (name, span) in table.keys() {
        let Some(part) = table.table(name) else { continue };
        let mut part = SectionReader::new(&CALENDAR, part);
        if Calendar::named(name).is_some() {
            let title = format!("`{name}` is a calendar that there is already");
            let help = format!("give it a name of its own, and write `base = \"{name}\"` to change that one");
            part.reject_at(span, title, help);
        }
        let calendar = read_one(&mut part, name);
        let mistakes = part.finish();
        if let (Some(calendar), true) = (calendar, mistakes.is_empty()) {
            calendars.insert(name.to_owned(), calendar);
        }
        table.absorb(mistakes);
    }
    let mistakes = table.finish("`calendar`");
    section.absorb(mistakes);
    calendars
}

fn read_one(part: &mut SectionReader<'_>, name: &str) -> Option<OwnCalendar> {
    let job = Arc::clone(part.file());
    let file = part.text("file").map(|path| Spanned::new(path.span(), JobPath::new(&job.path, path.into_inner())));
    let days = Days { holidays: read_holidays(part), sessions: read_dated(part, "sessions") };
    reject_both(part, &days);
    let week = read_week(part);
    let calendar = match (part.has("base"), part.has("hours") || file.is_none()) {
        (true, _) => changed(part, name, &days),
        (false, true) => of_week(part, name, week, &days),
        (false, false) => of_file(part, name),
    };
    let extended = part.text("extended").and_then(|text| read_hours(part, &text));
    let calendar = match (calendar, extended) {
        (Some(calendar), Some(hours)) => Some(calendar.with_own_extended(&hours)),
        (calendar, _) => calendar,
    };
    calendar.map(|calendar| OwnCalendar { calendar: Arc::new(calendar), file })
}

/// Another calendar but for some days.
fn changed(part: &mut SectionReader<'_>, name: &str, days: &Days) -> Option<Calendar> {
    let why = "has no effect beside `base`";
    reject_idle(part, &["zone", "hours", "changes", "week", "from", "until"], why);
    let base = part.text("base")?;
    let Some(calendar) = Calendar::named(base.get_ref()) else {
        let help = match nearest(base.get_ref(), Calendar::names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name one that is not of the job".to_owned(),
        };
        part.reject("base", format!("unknown calendar `{}`", base.get_ref()), help);
        return None;
    };
    reject_beyond(part, days, (calendar.first(), calendar.last()));
    calendar.renamed(name, &days.own()).map_err(|error| days.reject(part, &error, calendar.zone())).ok()
}

/// A week with its hours, and the days that differ.
fn of_week(part: &mut SectionReader<'_>, name: &str, week: [bool; 7], days: &Days) -> Option<Calendar> {
    let (zone, hours) = (required_zone(part), part.text("hours"));
    if hours.is_none() && !part.has("hours") {
        let help = "write for instance `hours = \"09:30-16:00\"`, or name a `file` with all sessions";
        part.reader().reject_whole("a calendar needs `hours`, a `base` or a `file`", help);
    }
    let hours = hours.and_then(|text| read_hours(part, &text));
    let changes = read_dated(part, "changes");
    let of = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).map_or(0, |date| date.to_epoch_days());
    let first = read_date(part, "from").unwrap_or_else(|| of(USUAL_YEARS.0, 1, 1));
    let last = read_date(part, "until").unwrap_or_else(|| of(USUAL_YEARS.1, 12, 31));
    let (zone, hours) = (zone?, hours?);
    if first > last {
        part.reject("until", "the calendar ends before it begins", "`until` comes after `from`");
        return None;
    }
    reject_beyond(part, days, (Some(first), Some(last)));
    let changes = changes.iter().map(|(day, change)| (*day, *change.get_ref()));
    let hours = std::iter::once((first, hours)).chain(changes.filter(|(day, _)| *day > first)).collect();
    let week = OwnWeek { zone, first, last, days: week, hours };
    Calendar::of_week(name, &week, &days.own()).map_err(|error| days.reject(part, &error, zone)).ok()
}

/// A calendar whose sessions all come from its file.
fn of_file(part: &mut SectionReader<'_>, name: &str) -> Option<Calendar> {
    let why = "has no effect without `hours`";
    reject_idle(part, &["changes", "week", "holidays", "sessions", "from", "until"], why);
    required_zone(part).map(|zone| Calendar::empty(name, zone))
}

fn required_zone(part: &mut SectionReader<'_>) -> Option<Tz> {
    match part.text("zone") {
        Some(name) => read_zone(part, name.get_ref()),
        None if part.has("zone") => None,
        None => {
            let help = "write for instance `zone = \"Asia/Kolkata\"`";
            part.reader().reject_whole("a calendar needs a `zone`", help);
            None
        }
    }
}

/// Keys that are written and can never do anything are misunderstandings.
fn reject_idle(part: &mut SectionReader<'_>, keys: &[&'static str], why: &str) {
    for key in keys {
        if part.has(key) {
            part.reject(key, format!("`{key}` {why}"), "leave it out");
        }
        // It counts as known.
        part.reader().know([*key]);
    }
}

/// Days that differ, with their places.
struct Days {
    holidays: BTreeMap<i32, Spanned<()>>,
    sessions: BTreeMap<i32, Spanned<DayHours>>,
}

impl Days {
    fn own(&self) -> OwnDays {
        OwnDays {
            holidays: self.holidays.keys().copied().collect(),
            sessions: self.sessions.iter().map(|(day, hours)| (*day, *hours.get_ref())).collect(),
        }
    }

    /// Reports hours that contradict each other, at the session that does or else at the usual hours.
    fn reject(&self, part: &mut SectionReader<'_>, error: &OwnError, zone: Tz) {
        let (day, title, help) = match error {
            OwnError::NoSuchTime(day) => (
                *day,
                format!("the clocks of {zone} do not show these hours exactly once on {}", date(*day)),
                "they are put forward or back that day; write other hours for it in `sessions`",
            ),
            OwnError::Overlap(day) => (
                *day,
                format!("the hours of {} run into the next session", date(*day)),
                "shorten one of the two sessions in `sessions`",
            ),
        };
        let own = self.sessions.range(day..).next().filter(|(next, _)| **next <= day + 4);
        let span = own.map_or_else(|| part.span_of("hours"), |(_, hours)| hours.span());
        part.reject_at(span, title, help);
    }
}

/// A day cannot be both a holiday and a session.
fn reject_both(part: &mut SectionReader<'_>, days: &Days) {
    for (day, hours) in days.sessions.iter().filter(|(day, _)| days.holidays.contains_key(day)) {
        let title = format!("{} is a session here, and one of `holidays`", date(*day));
        part.reject_at(hours.span(), title, "keep one of the two");
    }
}

/// Days that the calendar does not reach change nothing.
fn reject_beyond(part: &mut SectionReader<'_>, days: &Days, (first, last): (Option<i32>, Option<i32>)) {
    let beyond = |day: &i32| first.is_some_and(|first| *day < first) || last.is_some_and(|last| *day > last);
    let holidays = days.holidays.iter().map(|(day, place)| (day, place.span()));
    let sessions = days.sessions.iter().map(|(day, hours)| (day, hours.span()));
    for (day, span) in holidays.chain(sessions).filter(|(day, _)| beyond(day)) {
        let known = [first, last].map(|day| day.map_or_else(|| "ever".to_owned(), date)).join(" to ");
        part.reject_at(span, format!("{} is beyond the calendar, which knows {known}", date(*day)), "leave it out");
    }
}

fn read_hours(part: &mut SectionReader<'_>, text: &Spanned<String>) -> Option<DayHours> {
    let help = "write for instance `09:30-16:00`, `09:00-11:30, 12:30-15:00` or `<17:00-16:00`";
    DayHours::parse(text.get_ref()).map_err(|problem| part.reject_at(text.span(), problem, help)).ok()
}

/// A table of dates, each with hours.
fn read_dated(part: &mut SectionReader<'_>, name: &str) -> BTreeMap<i32, Spanned<DayHours>> {
    let mut dated = BTreeMap::new();
    let Some(mut table) = part.reader().table(name) else { return dated };
    for (key, span) in table.keys() {
        let text = table.string(key);
        let day = parse_date(key);
        if day.is_none() {
            let at =
                Diagnostic::new("bad-value", format!("`{key}` is not a date like `2024-11-29`"), table.file(), span);
            table.push(at);
        }
        let hours = text.and_then(|text| Some((text.span(), read_hours(part, &text)?)));
        if let (Some(day), Some((span, hours))) = (day, hours) {
            dated.insert(day, Spanned::new(span, hours));
        }
    }
    let mistakes = table.finish(name);
    part.absorb(mistakes);
    dated
}

fn read_holidays(part: &mut SectionReader<'_>) -> BTreeMap<i32, Spanned<()>> {
    let mut holidays = BTreeMap::new();
    let texts = match part.reader().value("holidays").map(Spanned::get_ref) {
        // Dates may be TOML's own.
        Some(DeValue::Array(items)) => items
            .iter()
            .filter_map(|item| match item.get_ref() {
                DeValue::Datetime(date) => Some(Spanned::new(item.span(), date.to_string())),
                _ => part.reader().string_at("holidays", item),
            })
            .collect(),
        _ => part.texts("holidays"),
    };
    for text in texts {
        match parse_date(text.get_ref()) {
            None => {
                let title = format!("`{}` is not a date like `2024-11-29`", text.get_ref());
                part.reject_at(text.span(), title, "holidays are dates");
            }
            Some(day) => {
                if holidays.insert(day, Spanned::new(text.span(), ())).is_some() {
                    part.reject_at(text.span(), format!("`{}` is a holiday twice", text.get_ref()), "keep one");
                }
            }
        }
    }
    holidays
}

fn read_week(part: &mut SectionReader<'_>) -> [bool; 7] {
    let mut week = [false; 7];
    for text in part.texts("week") {
        match WEEKDAYS.iter().position(|name| name == text.get_ref()).and_then(|at| week.get_mut(at)) {
            Some(day) => *day = true,
            None => {
                let title = format!("`{}` is not a day of the week", text.get_ref());
                part.reject_at(text.span(), title, format!("write some of {}", WEEKDAYS.join(", ")));
            }
        }
    }
    week
}

fn read_date(part: &mut SectionReader<'_>, name: &str) -> Option<i32> {
    match part.moment(name)? {
        Moment::Date(date) => Some(date.to_epoch_days()),
        Moment::Local(_) | Moment::Instant(_) => {
            part.reject(name, format!("`{name}` is a date"), "leave the time of day out");
            None
        }
    }
}

fn parse_date(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == text);
    date.map(|date| date.to_epoch_days())
}

fn date(day: i32) -> String {
    NaiveDate::from_epoch_days(day).map_or_else(|| format!("day {day}"), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Draft, read};
    use crate::market::Lookup;
    use crate::schema::diagnostic::{Diagnostic, SourceText};
    use crate::schema::reader::Environment;

    fn draft(calendars: &str, bars: &str) -> Draft {
        let text = format!(
            "name = \"demo\"\nrules = \"a.toml\"\nsource.files.path = \"x.csv\"\nreport.dir = \"r\"\n{calendars}\n[bars]\n\
             series = \"symbol\"\ninterval = \"1d\"\n{bars}\n"
        );
        read(&SourceText::new(Path::new("jobs/demo.toml"), &text), &Environment::default())
    }

    fn mistakes(calendars: &str) -> Vec<String> {
        let place = |mistake: &Diagnostic| {
            let (line, column) = mistake.position();
            format!("{line}:{column} {}", mistake.title)
        };
        draft(calendars, "").mistakes.iter().map(place).collect()
    }

    /// The days of January 2024 that are sessions of the calendar `NSE2`.
    fn january(calendars: &str) -> Vec<i32> {
        let draft = draft(calendars, "calendar = \"NSE2\"");
        assert!(draft.mistakes.is_empty(), "{}", draft.mistakes[0].render(false));
        let calendar = draft.job.unwrap().bars.calendar.unwrap();
        assert_eq!(calendar.name(), "NSE2");
        (1..=31).filter(|day| matches!(calendar.session_on(19_722 + day), Lookup::Session(_))).collect()
    }

    #[test]
    fn a_week_with_holidays_and_sessions_is_a_calendar_that_bars_may_name() {
        let days = january(
            "[calendar.NSE2]\nzone = \"Asia/Kolkata\"\nhours = \"09:15-15:30\"\nholidays = [\"2024-01-26\", 2024-01-22]\n\
             sessions = { 2024-01-20 = \"09:15-15:30\" }\nweek = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]",
        );
        assert_eq!(days.len(), 23 - 2 + 1);
        assert!(days.contains(&20) && !days.contains(&22) && !days.contains(&26));
        let changed = january("[calendar.NSE2]\nbase = \"XNYS\"\nholidays = [\"2024-01-02\"]");
        assert_eq!(changed[..2], [3, 4]);
        let week = january("[calendar.NSE2]\nzone = \"UTC\"\nhours = \"00:00-24:00\"\nweek = [\"sun\", \"mon\"]");
        assert_eq!(week[..4], [1, 7, 8, 14]);
        let bounded = january(
            "[calendar.NSE2]\nzone = \"UTC\"\nhours = \"09:00-17:00\"\nfrom = \"2024-01-10\"\nuntil = 2024-01-16\n\
             changes = { 2024-01-12 = \"09:00-16:00\" }",
        );
        assert_eq!(bounded, [10, 11, 12, 15, 16]);
    }

    #[test]
    fn a_name_that_is_near_one_of_the_job_is_suggested() {
        let draft = draft("[calendar.HOUSE]\nbase = \"XNYS\"", "calendar = \"HOUSR\"");
        assert!(draft.mistakes[0].render(false).contains("did you mean `HOUSE`?"));
    }

    #[test]
    fn extended_hours_are_those_the_calendar_knows() {
        let titles = |calendars: &str, bars: &str| -> Vec<String> {
            draft(calendars, bars).mistakes.iter().map(|mistake| mistake.title.clone()).collect()
        };
        let daily = "`hours` is for intraday bars";
        let own = "[calendar.A]\nzone = \"UTC\"\nhours = \"09:30-16:00\"\nextended = \"04:00-20:00\"";
        assert_eq!(titles(own, "calendar = \"A\"\nhours = \"extended\""), [daily]);
        let unknown = "nothing is known of trading outside the regular hours of this calendar";
        assert_eq!(titles("", "calendar = \"XLON\"\nhours = \"extended\""), [unknown, daily]);
    }

    #[test]
    fn contradictions_are_reported_where_they_stand() {
        let reported = mistakes(
            "[calendar.A]\nzone = \"Asia/Kalkata\"\nhours = \"15:30-09:15\"\nweek = [\"monday\"]\nholidays = [\"26.01.2024\"]\n\
             [calendar.B]\nzone = \"UTC\"\nhours = \"09:00-17:00\"\nholidays = [\"2024-01-26\", \"1989-01-26\"]\n\
             sessions = { 2024-01-26 = \"09:00-12:00\", 2024-1-27 = \"x\" }\n\
             [calendar.C]\nhours = \"09:00-17:00\"\n\
             [calendar.D]\nzone = \"UTC\"\n\
             [calendar.E]\nbase = \"XNYZ\"\nzone = \"UTC\"\n\
             [calendar.XNYS]\nbase = \"XLON\"\n\
             [calendar.F]\nzone = \"Europe/Berlin\"\nhours = \"02:30-17:00\"\nweek = [\"sun\"]\n\
             [calendar.G]\nzone = \"UTC\"\nhours = \"09:00-17:00\"\nfrom = \"2024-02-01\"\nuntil = \"2024-01-01\"\n\
             [calendar.H]\nzone = \"UTC\"\nfile = \"x.csv\"\nholidays = [\"2024-01-26\"]\nhoures = \"1\"\n\
             [calendar.I]\nzone = \"UTC\"\nhours = \"<17:00-17:00\"\nsessions = { 2024-01-03 = \"<16:00-12:00\" }\n",
        );
        let expected = [
            "6:8 unknown time zone `Asia/Kalkata`",
            "7:9 `15:30-09:15` ends before it begins; an evening before the trading date is `<17:00`",
            "8:9 `monday` is not a day of the week",
            "9:13 `26.01.2024` is not a date like `2024-11-29`",
            "13:27 1989-01-26 is beyond the calendar, which knows 1990-01-01 to 2050-12-31",
            "14:27 2024-01-26 is a session here, and one of `holidays`",
            "14:42 `2024-1-27` is not a date like `2024-11-29`",
            "14:54 `x` is not like `09:30-16:00`",
            "15:1 a calendar needs a `zone`",
            "17:1 a calendar needs `hours`, a `base` or a `file`",
            "20:8 unknown calendar `XNYZ`",
            "21:8 `zone` has no effect beside `base`",
            "22:11 `XNYS` is a calendar that there is already",
            "26:9 the clocks of Europe/Berlin do not show these hours exactly once on 1990-03-25",
            "32:9 the calendar ends before it begins",
            "36:12 `holidays` has no effect without `hours`",
            "37:1 unknown key `houres` in a calendar of the job",
            "41:27 the hours of 2024-01-02 run into the next session",
        ];
        assert_eq!(reported, expected);
    }
}
