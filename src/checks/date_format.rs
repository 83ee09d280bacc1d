//! `date-format`: a date must be written as the job says, exist, and be one on which a bar can stand.
//!
//! Evaluates each row by itself. For the timestamp of the bars it relies on what was read already: only rows without
//! a readable timestamp are read again, to tell why. Another text field is read row by row. It does not evaluate
//! whether a date is there at all, which is the business of `required`.

use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::cause::causes;
use super::params::{FieldRef, Params};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage, TextColumn};
use crate::bars::time::{Parsed, TimeFault, TimeFormat};
use crate::bars::{BarsSpec, Label, TIME, TimeSpec};
use crate::market::{Grid, Slot, zone};
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `date-format`.
pub(crate) struct DateFormat;

const PARAMS: &[Key] = &[
    key("field", Holds::Field, Otherwise::Text(TIME), "The timestamp of the bars, or a text field that holds a date."),
    key("formats", Holds::Texts, Otherwise::Nothing, "Accepted spellings; without it those of the job."),
    key("min", Holds::Text, Otherwise::Nothing, "Earliest date that passes, as `2010-01-31`."),
    key("max", Holds::Text, Otherwise::Nothing, "Latest date that passes, as `2010-01-31`."),
    key(
        "sessions",
        Holds::Flag,
        Otherwise::Flag(true),
        "Flag timestamps on days that are no session of the job's calendar, where it has one.",
    ),
    key(
        "hours",
        Holds::Flag,
        Otherwise::Flag(true),
        "Flag timestamps of intraday bars outside trading hours or off the step, where the job has a calendar.",
    ),
];

causes! {
    /// The text has the shape of none of the formats.
    NotAFormat = "not-a-format",
    /// The value is of a type that the formats do not read.
    WrongType = "wrong-type",
    /// The date or time does not exist.
    Impossible = "impossible-date",
    /// The date is outside the years that can be read.
    OutOfRange = "out-of-range",
    /// The clocks of the zone jumped over this local time.
    Skipped = "skipped-by-zone",
    /// The clocks of the zone showed this local time twice.
    Repeated = "repeated-by-zone",
    /// The date is before the earliest that passes.
    BeforeMin = "before-min",
    /// The date is after the latest that passes.
    AfterMax = "after-max",
    /// There is no session on the date.
    NotASession = "not-a-session",
    /// The timestamp is outside trading hours.
    OffHours = "off-hours",
    /// The timestamp is between two bars.
    OffGrid = "off-grid",
}

impl From<TimeFault> for Cause {
    fn from(fault: TimeFault) -> Self {
        match fault {
            TimeFault::WrongType => Self::WrongType,
            TimeFault::Format => Self::NotAFormat,
            TimeFault::OutOfRange => Self::OutOfRange,
            TimeFault::Impossible => Self::Impossible,
            TimeFault::Skipped => Self::Skipped,
            TimeFault::Repeated => Self::Repeated,
        }
    }
}

impl Cause {
    /// The sentence about a timestamp or a date in a field.
    pub(super) fn message(self, facts: &Facts<'_>) -> String {
        let subject = match (facts.observed_text, facts.time) {
            (None, Some(time)) => format!("{} {}", facts.field_or(TIME), facts.timestamp(time)),
            _ => facts.subject(),
        };
        let expected = facts.expected();
        match self {
            Self::NotAFormat => format!("{subject} is not written as {expected}"),
            Self::WrongType => format!("{subject} is of a type that {expected} does not read"),
            Self::Impossible => format!("{subject} is not a date or time that exists"),
            Self::OutOfRange => format!("{subject} is outside the years 1678 to 2261"),
            Self::Skipped => format!("{subject} is a local time that the clocks jumped over"),
            Self::Repeated => format!("{subject} is a local time that the clocks showed twice"),
            Self::BeforeMin => format!("{subject} is too early: it must be {expected}"),
            Self::AfterMax => format!("{subject} is too late: it must be {expected}"),
            Self::OffHours => format!("{subject} is outside {expected}"),
            Self::NotASession | Self::OffGrid => format!("{subject} is not {expected}"),
        }
    }
}

impl Described for DateFormat {
    fn name(&self) -> &'static str {
        "date-format"
    }

    fn explain(&self) -> &'static str {
        include_str!("date_format.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        match facts.cause.and_then(Cause::parse) {
            Some(cause) => cause.message(facts),
            None => facts.generic(),
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("date_format_examples.md")
    }
}

impl CheckKind for DateFormat {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let field = params.any_field("field").unwrap_or(FieldRef::Time);
        let own = formats(params);
        let dates = Dates::read(params, bars.time.zone);
        let (sessions, hours) = (params.flag("sessions"), params.flag("hours"));
        let name = params.name_of(field);
        match field {
            FieldRef::Time => {
                reject_idle_flags(params, bars, [("sessions", sessions), ("hours", hours)]);
                Box::new(Timestamps {
                    name,
                    rereads: own.is_some(),
                    time: TimeSpec { formats: own.unwrap_or_else(|| bars.time.formats.clone()), ..bars.time.clone() },
                    dates,
                    daily: bars.daily(),
                    market: Market::of(bars, sessions, hours && !bars.daily()),
                })
            }
            FieldRef::Number(index) | FieldRef::Text(index) => {
                if matches!(field, FieldRef::Number(_)) {
                    let help = "name `time` or a text field; `range` evaluates numbers";
                    params.reject("field", "`field` names a numeric field, which has no spelling", help);
                }
                for flag in ["sessions", "hours"].into_iter().filter(|flag| params.given(flag)).collect::<Vec<_>>() {
                    params.reject(
                        flag,
                        format!("`{flag}` is about the timestamp of the bars"),
                        "leave it out, or evaluate `field = \"time\"`",
                    );
                }
                let formats = own.unwrap_or_else(|| bars.time.formats.clone());
                // An instant, so that an epoch number keeps its time of day until it is held against the range.
                let time = TimeSpec { formats, label: Label::Start, ..bars.time.clone() };
                Box::new(TextDates { index, name, time, dates })
            }
        }
    }
}

/// The formats a rule gives, each once.
fn formats(params: &mut Params<'_>) -> Option<Vec<TimeFormat>> {
    let given = params.given("formats");
    let mut formats = Vec::new();
    for text in params.texts("formats") {
        match TimeFormat::compile(&text) {
            Ok(format) => formats.push(format),
            Err(problem) => params.reject("formats", format!("`{text}` is not a date format"), problem),
        }
    }
    if given && formats.is_empty() {
        params.reject("formats", "`formats` holds no usable format", "name at least one, or leave `formats` out");
    }
    given.then_some(formats)
}

/// A flag that is written and can never do anything is a misunderstanding.
fn reject_idle_flags(params: &mut Params<'_>, bars: &BarsSpec, flags: [(&str, bool); 2]) {
    for (flag, on) in flags {
        if !on || !params.given(flag) {
            continue;
        }
        if bars.grid.is_none() {
            let help = "name a calendar in the job, e.g. `[bars] calendar = \"XNYS\"`";
            params.reject(flag, format!("`{flag}` needs a calendar, and `[bars]` of the job names none"), help);
        } else if flag == "hours" && bars.daily() {
            params.reject(flag, "`hours` is for intraday bars", "leave it out: a daily bar has a date and no hour");
        }
    }
}

/// The dates a rule accepts, days since 1970-01-01, both ends included.
struct Dates {
    min: Option<i32>,
    max: Option<i32>,
    /// Where instants become dates.
    zone: Tz,
}

impl Dates {
    fn read(params: &mut Params<'_>, zone: Tz) -> Self {
        let [min, max] = ["min", "max"].map(|name| {
            let date = params.maybe_text(name)?.parse::<NaiveDate>().ok();
            if date.is_none() {
                params.reject(name, format!("`{name}` is not a date"), "write year, month and day, e.g. `2010-01-31`");
            }
            date.map(|date| date.to_epoch_days())
        });
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            params.reject(
                "min",
                "`min` and `max` are contradictory: no date is in between",
                "`min` must not be after `max`",
            );
        }
        Self { min, max, zone }
    }

    /// Whether every date passes.
    fn unbounded(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// What is wrong with a date, as cause and as what would have passed.
    fn fault(&self, day: i32) -> Option<(Cause, String)> {
        let date = |day: i32| NaiveDate::from_epoch_days(day).unwrap_or_default();
        match (self.min, self.max) {
            (Some(min), _) if day < min => Some((Cause::BeforeMin, format!("not before {}", date(min)))),
            (_, Some(max)) if day > max => Some((Cause::AfterMax, format!("not after {}", date(max)))),
            _ => None,
        }
    }
}

/// The timestamp of a value that is not text in the source; only an epoch number can be read.
fn read_literal(time: &TimeSpec, literal: &str) -> Result<i64, TimeFault> {
    time.read_literal(literal)
}

/// `formats` for a person.
fn alternatives(formats: &[TimeFormat]) -> String {
    formats.iter().map(TimeFormat::text).collect::<Vec<_>>().join(" or ")
}

/// Evaluates the timestamps of the bars.
struct Timestamps {
    name: Arc<str>,
    /// Whether the rule has formats of its own, so that timestamps the job could read are read again.
    rereads: bool,
    time: TimeSpec,
    dates: Dates,
    daily: bool,
    market: Option<Market>,
}

/// What a rule holds timestamps against besides their spelling and their date.
struct Market {
    grid: Arc<Grid>,
    sessions: bool,
    hours: bool,
}

impl Market {
    /// `None` where the bars have no calendar or the rule does not ask.
    fn of(bars: &BarsSpec, sessions: bool, hours: bool) -> Option<Self> {
        let grid = bars.grid.as_ref().filter(|_| sessions || hours)?;
        Some(Self { grid: Arc::clone(grid), sessions, hours })
    }

    /// What is wrong with a timestamp at `slot`, as cause and as what would have passed.
    fn fault(&self, slot: Slot) -> Option<(Cause, String)> {
        let name = self.grid.calendar().name();
        match slot {
            Slot::Closed if self.sessions => Some((Cause::NotASession, format!("a session of {name}"))),
            Slot::OffHours if self.hours => Some((Cause::OffHours, format!("trading hours of {name}"))),
            Slot::OffGrid if self.hours => {
                Some((Cause::OffGrid, format!("a timestamp of the {} bars of {name}", self.grid.interval())))
            }
            _ => None,
        }
    }
}

impl Check for Timestamps {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let mut excused = 0;
        let plain = !self.rereads && self.dates.unbounded() && self.market.is_none();
        for row in if plain { series.dated() } else { 0 }..series.rows {
            if let Some((cause, expected)) = self.fault(series, row, &mut excused) {
                findings.push(self.finding(series, row, cause, expected));
            }
        }
        findings.evaluated(series.rows - excused);
        findings.excused(excused);
    }
}

impl Timestamps {
    /// What is wrong with the timestamp of a row, as cause and as what would have passed. Counts the row as excused
    /// where the calendar does not reach it.
    fn fault(&self, series: &Series<'_>, row: usize, excused: &mut usize) -> Option<(Cause, String)> {
        let time = series.time.get(row).copied();
        if (self.rereads || time.is_none())
            && let Some(fault) = series.time_text.and_then(|texts| self.unreadable(texts, row))
        {
            return Some((fault.into(), alternatives(&self.time.formats)));
        }
        let time = time?;
        self.date_fault(time).or_else(|| {
            let market = self.market.as_ref()?;
            let slot = market.grid.slot(time);
            *excused += usize::from(slot == Slot::OutOfRange);
            market.fault(slot)
        })
    }

    /// Why the timestamp of a row does not read; NULL is not a fault.
    fn unreadable(&self, texts: TextColumn<'_>, row: usize) -> Option<TimeFault> {
        match texts.get(row) {
            Some(text) => self.time.read_text(text).err(),
            None => read_literal(&self.time, texts.other(row)?).err(),
        }
    }

    fn date_fault(&self, time: i64) -> Option<(Cause, String)> {
        if self.dates.unbounded() {
            return None;
        }
        self.dates.fault(if self.daily { zone::day_of(time) } else { zone::local_day(self.dates.zone, time) })
    }

    fn finding(&self, series: &Series<'_>, row: usize, cause: Cause, expected: String) -> Finding {
        let finding = Finding::row(row).field(&self.name).cause(cause).expected_text(expected);
        match series.time_text.and_then(|texts| texts.get(row).or(texts.other(row))) {
            Some(text) => finding.observed_text(text),
            None => finding,
        }
    }
}

/// Evaluates the dates in a text field.
struct TextDates {
    index: usize,
    name: Arc<str>,
    time: TimeSpec,
    dates: Dates,
}

impl Check for TextDates {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let column = series.text(self.index);
        for row in 0..series.rows {
            let (text, date) = match (column.get(row), column.other(row)) {
                (Some(text), _) => (text, self.parse(text)),
                (None, Some(literal)) => (literal, read_literal(&self.time, literal).map(Parsed::Instant)),
                (None, None) => continue,
            };
            let fault = match date {
                Ok(date) => self.date_fault(date),
                Err(fault) => Some((fault.into(), alternatives(&self.time.formats))),
            };
            if let Some((cause, expected)) = fault {
                let finding = Finding::row(row).field(&self.name).observed_text(text);
                findings.push(finding.expected_text(expected).cause(cause));
            }
        }
        findings.evaluated(series.rows);
    }
}

impl TextDates {
    /// Reads `text` by the first format that takes it; else the fault of the format that came closest. Whether
    /// the zone's clocks showed that time is not asked: a date in another field is not a timestamp.
    fn parse(&self, text: &str) -> Result<Parsed, TimeFault> {
        let mut fault = TimeFault::Format;
        for format in &self.time.formats {
            match format.parse(text) {
                Ok(parsed) => return Ok(parsed),
                Err(other) => fault = fault.max(other),
            }
        }
        Err(fault)
    }

    fn date_fault(&self, date: Parsed) -> Option<(Cause, String)> {
        if self.dates.unbounded() {
            return None;
        }
        self.dates.fault(match date {
            Parsed::Local { day, .. } => day,
            Parsed::Instant(instant) => zone::local_day(self.dates.zone, instant),
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;
    use crate::checks::testing::{Fixture, compile};
    use crate::checks::{Column, Records, Totals};

    const RULE: &str = "check = \"date-format\"";

    /// Evaluates `texts` (`Err` is the literal of a value of another type) as the text field `date`.
    fn texts(rule: &str, texts: &[Option<Result<&str, &str>>]) -> Vec<(usize, &'static str)> {
        let text = texts.iter().map(|text| text.and_then(Result::ok)).collect::<StringViewArray>();
        let other = texts.iter().map(|text| text.and_then(Result::err)).collect::<StringViewArray>();
        let columns = [Column::Text(TextColumn::new(&text, Some(&other)))];
        let bars = Fixture::daily("time,date\n2024-01-02,x");
        run(&bars.spec, rule, &columns, None, &[], texts.len()).0
    }

    /// Evaluates the timestamps `time`, and after them rows without one, as the source spells them in `texts`.
    fn timestamps(
        bars: &str,
        rule: &str,
        time: &[i64],
        texts: &[Option<Result<&str, &str>>],
    ) -> (Vec<(usize, &'static str)>, Totals) {
        let text = texts.iter().map(|text| text.and_then(Result::ok)).collect::<StringViewArray>();
        let other = texts.iter().map(|text| text.and_then(Result::err)).collect::<StringViewArray>();
        let column = TextColumn::new(&text, Some(&other));
        run(&Fixture::new(bars, "time").spec, rule, &[], Some(column), time, texts.len())
    }

    fn run(
        spec: &BarsSpec,
        rule: &str,
        columns: &[Column<'_>],
        time_text: Option<TextColumn<'_>>,
        time: &[i64],
        rows: usize,
    ) -> (Vec<(usize, &'static str)>, Totals) {
        let check = compile(rule, spec).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)));
        let ranks: Vec<u64> = (0..rows as u64).collect();
        let series = Series {
            key: "TEST",
            time,
            rows,
            columns,
            time_text,
            records: Records::default(),
            source_rank: &ranks,
            expressions: &[],
            present: &[],
            standing: &[],
        };
        let mut sink = FindingSink::default();
        check.check(&series, &mut sink);
        let row = |finding: &Finding| finding.rows.as_ref().map_or(usize::MAX, |rows| rows.start);
        (sink.findings.iter().map(|finding| (row(finding), finding.cause.unwrap_or(""))).collect(), sink.totals)
    }

    fn mistake(bars: &str, rule: &str) -> String {
        let spec = Fixture::new(bars, "time,close,name\n2024-01-02,1,x").spec;
        compile(rule, &spec).err().unwrap_or_default().iter().map(|mistake| mistake.render(false)).collect()
    }

    #[test]
    fn readable_timestamps_are_clean() {
        let evaluated = Fixture::daily("time,close\n2024-01-02,1\n2024-01-06,1").evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 2));
    }

    #[test]
    fn timestamp_of_another_spelling_is_flagged_with_its_text() {
        let bars = Fixture::daily("time,close\n2024-01-02,1\n17,1\n20240103,1\n2024/01/04,1");
        let evaluated = bars.evaluate(RULE);
        let seen: Vec<_> = evaluated.findings.iter().map(|f| (f.observed_text.as_deref(), f.cause)).collect();
        let cause = Some("not-a-format");
        assert_eq!(seen, [(Some("17"), cause), (Some("20240103"), cause), (Some("2024/01/04"), cause)]);
        assert_eq!(evaluated.findings[0].expected_text.as_deref(), Some("%Y-%m-%d"));
    }

    #[test]
    fn impossible_date_and_a_leading_blank_are_flagged_and_null_is_not() {
        let bars = Fixture::daily("time,close\n2020-02-30,1\n,1\n2020-02-29,1");
        assert_eq!(bars.evaluate(RULE).lines, ["2020-02-30 time observed=`2020-02-30` cause=impossible-date"]);
        let blank = timestamps("", RULE, &[], &[Some(Ok(" 2020-02-29")), Some(Ok("")), None]).0;
        assert_eq!(blank, [(0, "not-a-format"), (1, "not-a-format")]);
    }

    #[test]
    fn timestamp_of_another_type_is_flagged_where_the_job_could_not_read_it() {
        let day = crate::bars::DAY_US;
        let read_and_unread = [Some(Err("{\"$date\":\"2020-02-12T16:00:00Z\"}")), Some(Err("20200213"))];
        assert_eq!(timestamps("", RULE, &[18_305 * day], &read_and_unread).0, [(1, "wrong-type")]);
        let own = format!("{RULE}\nformats = \"%Y-%m-%d\"");
        assert_eq!(timestamps("", &own, &[18_305 * day], &read_and_unread).0, [(0, "wrong-type"), (1, "wrong-type")]);
    }

    #[test]
    fn formats_of_the_rule_override_those_of_the_job() {
        let bars = Fixture::new("formats = [\"%Y-%m-%d\", \"%Y%m%d\"]", "time,close\n2024-01-02,1\n20240103,1\n17,1");
        assert_eq!(bars.evaluate(RULE).lines.len(), 1);
        let evaluated = bars.evaluate(&format!("{RULE}\nformats = [\"%Y-%m-%d\"]"));
        assert_eq!(evaluated.lines.len(), 2);
        assert_eq!(evaluated.lines[0], "20240103 time observed=`20240103` cause=not-a-format");
    }

    #[test]
    fn dates_outside_the_range_are_flagged_and_its_ends_are_not() {
        let bars = Fixture::daily("time,close\n2009-12-31,1\n2010-01-01,1\n2010-06-30,1\n2010-07-01,1");
        let evaluated = bars.evaluate(&format!("{RULE}\nmin = \"2010-01-01\"\nmax = \"2010-06-30\""));
        let expected = [
            "2009-12-31 time observed=`2009-12-31` cause=before-min",
            "2010-07-01 time observed=`2010-07-01` cause=after-max",
        ];
        assert_eq!(evaluated.lines, expected);
        assert_eq!(evaluated.findings[0].expected_text.as_deref(), Some("not before 2010-01-01"));
    }

    #[test]
    fn range_of_intraday_bars_is_in_the_zone_of_the_job() {
        let time = [utc("2024-01-02T04:59"), utc("2024-01-02T05:00")];
        let bars = "interval = \"1m\"\nzone = \"America/New_York\"";
        let rule = format!("{RULE}\nmin = \"2024-01-02\"");
        assert_eq!(timestamps(bars, &rule, &time, &[None, None]).0, [(0, "before-min")]);
    }

    #[test]
    fn day_without_session_is_flagged_and_a_day_beyond_the_calendar_excused() {
        let bars = Fixture::new("calendar = \"XSHG\"", "time,close\n2020-02-29,1\n2020-03-02,1\n2027-01-02,1");
        let evaluated = bars.evaluate(RULE);
        assert_eq!(evaluated.lines, ["2020-02-29 time observed=`2020-02-29` cause=not-a-session"]);
        assert_eq!(evaluated.findings[0].expected_text.as_deref(), Some("a session of XSHG"));
        assert_eq!((evaluated.totals.evaluated, evaluated.totals.excused), (2, 1));
        let silent = bars.evaluate(&format!("{RULE}\nsessions = false"));
        assert_eq!((silent.lines.len(), silent.totals.evaluated, silent.totals.excused), (0, 3, 0));
    }

    #[test]
    fn timestamps_outside_hours_and_off_the_step_are_flagged() {
        // 09:30 and 10:00 in New York, then 08:00, a minute past the step, 13:30 of a half-day, a Saturday.
        let texts = [
            "2024-11-29T14:30",
            "2024-11-29T15:00",
            "2024-11-29T13:00",
            "2024-11-29T15:01",
            "2024-11-29T18:30",
            "2024-11-30T15:00",
        ];
        let time: Vec<i64> = texts.iter().map(|text| utc(text)).collect();
        let bars = "interval = \"30m\"\ncalendar = \"XNYS\"\nzone = \"America/New_York\"";
        let none = [None; 6];
        let all = [(2, "off-hours"), (3, "off-grid"), (4, "off-hours"), (5, "not-a-session")];
        assert_eq!(timestamps(bars, RULE, &time, &none).0, all);
        assert_eq!(timestamps(bars, &format!("{RULE}\nhours = false"), &time, &none).0, [(5, "not-a-session")]);
        let neither = format!("{RULE}\nhours = false\nsessions = false");
        assert_eq!(timestamps(bars, &neither, &time, &none).0, []);
    }

    #[test]
    fn first_minute_of_a_session_is_known_across_changes_of_the_clock() {
        // (calendar, first minute of a session in UTC, what the minute before it is)
        for (calendar, open, before) in [
            ("XNYS", "2024-03-08T14:30", "off-hours"),
            ("XNYS", "2024-03-11T13:30", "off-hours"),
            ("XNYS", "2024-11-01T13:30", "off-hours"),
            ("XNYS", "2024-11-04T14:30", "off-hours"),
            ("XLON", "2024-03-28T08:00", "off-hours"),
            ("XLON", "2024-04-02T07:00", "off-hours"),
            ("XHKG", "2024-12-24T01:30", "off-hours"),
            ("XSHG", "2024-10-08T05:00", "off-hours"),
            ("CMES", "2024-03-10T22:00", "not-a-session"),
        ] {
            let bars = format!("interval = \"1m\"\ncalendar = \"{calendar}\"");
            let time = [utc(open) - 60_000_000, utc(open)];
            assert_eq!(timestamps(&bars, RULE, &time, &[None, None]).0, [(0, before)], "{calendar} {open}");
        }
    }

    #[test]
    fn local_time_that_the_zone_skips_or_repeats_is_flagged() {
        let bars = "interval = \"30m\"\nzone = \"America/New_York\"\nformats = [\"%Y-%m-%dT%H:%M\"]";
        let texts = [Some(Ok("2024-03-10T02:30")), Some(Ok("2024-11-03T01:30"))];
        assert_eq!(timestamps(bars, RULE, &[], &texts).0, [(0, "skipped-by-zone"), (1, "repeated-by-zone")]);
    }

    #[test]
    fn texts_are_evaluated_by_spelling_type_and_range() {
        let values = [
            Some(Ok("2024-01-02")),
            Some(Ok("20240102")),
            Some(Ok("2020-02-30")),
            None,
            Some(Err("20240102")),
            Some(Ok("80")),
        ];
        let rule = format!("{RULE}\nfield = \"date\"");
        let spelling = [(1, "not-a-format"), (2, "impossible-date"), (4, "wrong-type"), (5, "not-a-format")];
        assert_eq!(texts(&rule, &values), spelling);
        let two = format!("{rule}\nformats = [\"%Y%m%d\", \"%Y-%m-%d\"]\nmin = \"2024-01-03\"");
        let range =
            [(0, "before-min"), (1, "before-min"), (2, "impossible-date"), (4, "wrong-type"), (5, "not-a-format")];
        assert_eq!(texts(&two, &values), range);
    }

    #[test]
    fn epoch_number_is_read_where_a_format_reads_it() {
        let values = [Some(Err("1704153600")), Some(Ok("1704153600")), Some(Err("17")), Some(Err("1704153600.5"))];
        let rule = format!("{RULE}\nfield = \"date\"\nformats = \"epoch\"");
        assert_eq!(texts(&rule, &values), [(2, "out-of-range"), (3, "wrong-type")]);
        let range = format!("{rule}\nmax = \"2024-01-01\"");
        let late = [(0, "after-max"), (1, "after-max"), (2, "out-of-range"), (3, "wrong-type")];
        assert_eq!(texts(&range, &values), late);
        let timestamp = timestamps("formats = [\"epoch\"]", RULE, &[], &[Some(Err("17")), Some(Err("true"))]).0;
        assert_eq!(timestamp, [(0, "out-of-range"), (1, "wrong-type")]);
    }

    #[test]
    fn closest_format_tells_the_fault() {
        let rule = format!("{RULE}\nfield = \"date\"\nformats = [\"%Y-%m-%d\", \"%Y%m%d\"]");
        assert_eq!(
            texts(&rule, &[Some(Ok("2020-02-30")), Some(Ok("20200230"))]),
            [(0, "impossible-date"), (1, "impossible-date")]
        );
    }

    #[test]
    fn empty_series_is_clean() {
        assert_eq!(timestamps("", RULE, &[], &[]).0, []);
        assert_eq!(texts(&format!("{RULE}\nfield = \"date\""), &[]), []);
    }

    #[test]
    fn number_field_is_a_mistake() {
        let text = mistake("", &format!("{RULE}\nfield = \"close\""));
        assert!(
            text.contains("numeric field, which has no spelling") && text.contains("`range` evaluates numbers"),
            "{text}"
        );
    }

    #[test]
    fn contradictory_dates_and_no_dates_are_mistakes() {
        let order = mistake("", &format!("{RULE}\nmin = \"2024-01-02\"\nmax = \"2024-01-01\""));
        assert!(order.contains("contradictory"), "{order}");
        let none = mistake("", &format!("{RULE}\nmin = \"2024-13-02\""));
        assert!(none.contains("`min` is not a date") && none.contains("2010-01-31"), "{none}");
    }

    #[test]
    fn unusable_formats_are_mistakes() {
        let wrong = mistake("", &format!("{RULE}\nformats = [\"%Q\"]"));
        assert!(wrong.contains("`%Q` is not a date format"), "{wrong}");
        let none = mistake("", &format!("{RULE}\nformats = []"));
        assert!(none.contains("holds no usable format"), "{none}");
    }

    #[test]
    fn flags_that_cannot_do_anything_are_mistakes_where_they_are_written() {
        let no_calendar = mistake("", &format!("{RULE}\nsessions = true"));
        assert!(no_calendar.contains("`sessions` needs a calendar"), "{no_calendar}");
        let daily = mistake("calendar = \"XNYS\"", &format!("{RULE}\nhours = true"));
        assert!(daily.contains("`hours` is for intraday bars"), "{daily}");
        let text = mistake("calendar = \"XNYS\"", &format!("{RULE}\nfield = \"name\"\nsessions = true"));
        assert!(text.contains("`sessions` is about the timestamp"), "{text}");
        assert_eq!(mistake("", &format!("{RULE}\nsessions = false\nhours = false")), "");
    }

    fn utc(text: &str) -> i64 {
        chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").expect("a time").and_utc().timestamp_micros()
    }
}
