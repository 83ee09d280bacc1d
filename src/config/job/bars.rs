//! `[bars]`: the series key, the step, the calendar, the timestamp, and the names of the fields.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use toml::Spanned;

use super::calendars::OwnCalendar;
use super::fields::{self, FIELD, FieldName};
use super::market::{self, Align};
use super::path::JobPath;
use super::zone::read_zone;
use crate::bars::time::TimeFormat;
use crate::bars::{Fold, Fresh, Label, TIME};
use crate::checks::parse_fresh;
use crate::market::{Calendar, Interval, PeriodLabel};
use crate::schema::diagnostic::Diagnostic;
use crate::schema::keys::Otherwise::{Flag, Mistake, Nothing, Text};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::section::SectionReader;

/// The bars of a job, as far as the job file says.
#[derive(Debug, Clone)]
pub struct Bars {
    /// Names (those rules use) of the fields that make the series key; at least one, none twice.
    pub series: Vec<Spanned<Arc<str>>>,
    /// The step from bar to bar.
    pub interval: Interval,
    /// The trading calendar.
    pub calendar: Option<Arc<Calendar>>,
    /// CSV files with hours set over those of the calendar, in this order; see [`super::Job::set_calendar_text`].
    pub calendar_files: Vec<Spanned<JobPath>>,
    /// Where bars inside a session begin.
    pub align: Align,
    /// Whether a bar of the closing auction is tolerated; `None`: where the exchange closes by one.
    pub auction: Option<bool>,
    /// Whether bars before and after the regular hours are tolerated.
    pub extended: bool,
    /// Which day dates a weekly or monthly bar; any does where the job does not say.
    pub period_label: Option<PeriodLabel>,
    /// How timestamps are read.
    pub time: Time,
    /// Fields whose name or type the job sets, in the order of the names rules use.
    pub fields: Vec<FieldName>,
    /// Fields that these bars do not have: rules that need one are not evaluated.
    pub without: Vec<Spanned<String>>,
    /// Whether prices may be zero or below.
    pub negative: bool,
    /// How old the newest bar of a series may be; without it nothing is said of that.
    pub fresh: Option<Fresh>,
}

/// How the timestamp of a bar is found and read.
#[derive(Debug, Clone)]
pub struct Time {
    /// The source fields; their values are joined by a blank.
    pub fields: Vec<Spanned<Arc<str>>>,
    /// Accepted formats, tried in order; at least one.
    pub formats: Vec<TimeFormat>,
    /// Zone of timestamps without an offset, and of trading dates.
    pub zone: Tz,
    /// What the timestamp says.
    pub label: Label,
    /// Which instant a repeated local time means.
    pub fold: Fold,
}

pub(super) const BARS: Section = Section {
    name: "`[bars]`",
    doc: "What the bars are.",
    keys: &[
        key(
            "series",
            Holds::SomeTexts,
            Mistake,
            "Fields that distinguish one series from another; the first is the symbol.",
        ),
        key("interval", Holds::Text, Mistake, "The step from bar to bar: `1s`, `1m`, `15m`, `1h`, `1d`, `1w`, `1M`."),
        key(
            "calendar",
            Holds::Text,
            Nothing,
            "The trading calendar, e.g. `XNYS`, `XSHG`, `FX`, `24/7`, `weekdays`, or one of `[calendar.NAME]`.",
        ),
        key("calendar_file", Holds::Text, Nothing, "A CSV file with sessions set over those of the calendar."),
        key(
            "align",
            Holds::Choice(&["open", "clock"]),
            Text("open"),
            "Where bars inside a session begin: at its open, or at clock multiples of the step.",
        ),
        key(
            "auction",
            Holds::Flag,
            Nothing,
            "Whether a bar from the close to the end of the closing auction is tolerated; where not given, on exchanges that close by one.",
        ),
        key(
            "hours",
            Holds::Choice(&["regular", "extended"]),
            Text("regular"),
            "Whether bars before and after the regular hours are out of place, or tolerated (`extended`).",
        ),
        key(
            "period_label",
            Holds::Choice(&["first", "last", "monday"]),
            Nothing,
            "Which day dates a weekly or monthly bar: its first or last session, or the Monday of the week; without it any day does.",
        ),
        key("time", Holds::Table(&TIME_KEYS), Nothing, "How the timestamp of a bar is found and read."),
        key(
            "fields",
            Holds::Names(&FIELD),
            Nothing,
            "Names rules use, each with the field's name in the source, several names that files call it by, or a table.",
        ),
        key(
            "without",
            Holds::Texts,
            Nothing,
            "Fields that these bars do not have: rules that need one are not evaluated.",
        ),
        key(
            "negative",
            Holds::Flag,
            Flag(false),
            "Whether prices may be zero or below, as of futures and of power: they are compared by differences, not by ratios.",
        ),
        key(
            "fresh",
            Holds::Text,
            Nothing,
            "How far the newest bar of a series may lag behind: `2 sessions` of the calendar, or a span as `90m` or `3d`.",
        ),
    ],
};

const TIME_KEYS: Section = Section {
    name: "`time`",
    doc: "How the timestamp of a bar is found and read.",
    keys: &[
        key("field", Holds::Text, Text(TIME), "The source field that holds the timestamp."),
        key(
            "fields",
            Holds::SomeTexts,
            Nothing,
            "Several source fields whose values make the timestamp, joined by a blank.",
        ),
        key(
            "formats",
            Holds::SomeTexts,
            Nothing,
            "Accepted formats, tried in order; default `%Y-%m-%d` for daily bars and longer, else `rfc3339`.",
        ),
        key(
            "zone",
            Holds::Text,
            Nothing,
            "Zone of timestamps without an offset; default that of the calendar, else UTC.",
        ),
        key(
            "label",
            Holds::Choice(&["session", "start", "end"]),
            Nothing,
            "What the timestamp says: the trading date, or the instant the bar opens or closes; default `session` for daily bars and longer, else `start`.",
        ),
        key(
            "fold",
            Holds::Choice(&["refuse", "earlier", "later"]),
            Text("refuse"),
            "Which instant a local time means that the clocks showed twice.",
        ),
    ],
};

/// Reads `[bars]` of a job that has the calendars `own`.
pub(super) fn read(
    mut section: SectionReader<'_>,
    own: &BTreeMap<String, OwnCalendar>,
) -> (Option<Bars>, Vec<Diagnostic>) {
    let series = read_series(&mut section);
    let interval = read_interval(&mut section);
    let market = market::read(&mut section, interval, own);
    let time = read_time(&mut section, interval, market.calendar.as_deref());
    let fields = fields::read(&mut section);
    let without = section.texts("without");
    let negative = section.flag("negative");
    if let Some(time) = &time {
        reject_timestamp_among(&mut section, time, &series, &fields);
    }
    let fresh = read_fresh(&mut section, interval, market.calendar.is_some());
    let mistakes = section.finish();
    let bars = || {
        let (interval, time) = (interval?, time?);
        Some(Bars {
            series,
            interval,
            calendar: market.calendar,
            calendar_files: market.files,
            align: market.align,
            auction: market.auction,
            extended: market.extended,
            period_label: market.period_label,
            time,
            fields,
            without,
            negative,
            fresh,
        })
    };
    (if mistakes.is_empty() { bars() } else { None }, mistakes)
}

fn read_series(section: &mut SectionReader<'_>) -> Vec<Spanned<Arc<str>>> {
    let names = section.texts("series");
    let mut seen = BTreeSet::new();
    for name in &names {
        if !seen.insert(name.get_ref()) {
            let help = "name each field once";
            section.reject_at(name.span(), format!("`{}` is in the series key twice", name.get_ref()), help);
        }
    }
    names.iter().map(|name| Spanned::new(name.span(), Arc::from(name.get_ref().as_str()))).collect()
}

fn read_interval(section: &mut SectionReader<'_>) -> Option<Interval> {
    let text = section.text("interval")?.into_inner();
    let parsed = Interval::parse(&text);
    parsed.map_err(|problem| section.reject("interval", problem, "`m` is minutes, `M` is months")).ok()
}

fn read_fresh(section: &mut SectionReader<'_>, interval: Option<Interval>, has_calendar: bool) -> Option<Fresh> {
    let text = section.text("fresh")?;
    let parsed = parse_fresh(text.get_ref(), interval?, has_calendar);
    parsed.map_err(|(problem, help)| section.reject("fresh", problem, help)).ok()
}

fn read_time(bars: &mut SectionReader<'_>, interval: Option<Interval>, calendar: Option<&Calendar>) -> Option<Time> {
    let mut section = bars.section("time")?;
    let fields = read_time_fields(&mut section);
    let formats = read_formats(&mut section, interval);
    reject_dates_alone(&mut section, interval, &fields, &formats);
    let zone = match section.text("zone") {
        Some(name) => read_zone(&mut section, name.get_ref()),
        None => Some(calendar.map_or(Tz::UTC, Calendar::zone)),
    };
    let label = read_label(&mut section, interval);
    let fold = match section.choice("fold") {
        Some("earlier") => Fold::Earlier,
        Some("later") => Fold::Later,
        _ => Fold::Refuse,
    };
    let mistakes = section.finish();
    bars.absorb(mistakes);
    Some(Time { fields, formats, zone: zone?, label, fold })
}

fn read_time_fields(section: &mut SectionReader<'_>) -> Vec<Spanned<Arc<str>>> {
    if section.has("field") && section.has("fields") {
        section.reject("fields", "`field` and `fields` are both written", "keep one of them");
    }
    let (one, several) = (section.text("field"), section.texts("fields"));
    let names = if section.has("fields") { several } else { one.into_iter().collect() };
    names.into_iter().map(|name| Spanned::new(name.span(), Arc::from(name.get_ref().as_str()))).collect()
}

fn read_formats(section: &mut SectionReader<'_>, interval: Option<Interval>) -> Vec<TimeFormat> {
    let daily = interval.is_none_or(Interval::is_daily_or_longer);
    let mut written = section.texts("formats");
    if !section.has("formats") {
        let usual = if daily { "%Y-%m-%d" } else { "rfc3339" };
        written.push(Spanned::new(section.span_of("formats"), usual.to_owned()));
    }
    let mut formats = Vec::with_capacity(written.len());
    for text in written.iter().filter(|text| !text.get_ref().is_empty()) {
        match TimeFormat::compile(text.get_ref()) {
            Ok(format) => {
                reject_contradiction(section, text, &format, &formats);
                formats.push(format);
            }
            Err(problem) => {
                let help = "write for instance `%Y-%m-%d`, `%Y%m%d`, `%Y-%m-%d %H:%M:%S` or `rfc3339`";
                section.reject_at(text.span(), problem, help);
            }
        }
    }
    formats
}

/// Bars inside a day that have dates alone would all be of midnight.
fn reject_dates_alone(
    section: &mut SectionReader<'_>,
    interval: Option<Interval>,
    fields: &[Spanned<Arc<str>>],
    formats: &[TimeFormat],
) {
    let Some(interval) = interval.filter(|interval| !interval.is_daily_or_longer()) else { return };
    let Some(format) = formats.first().filter(|_| formats.iter().all(TimeFormat::is_date_only)) else { return };
    let names: Vec<String> = fields.iter().map(|name| format!("\"{}\"", name.get_ref())).collect();
    let title = format!("`{}` has no time of day, and the bars are of {interval}", format.text());
    let help = format!(
        "where the time of day is a field of its own, write `fields = [{}, \"…\"]` with its name, and both in `formats`: \
         `\"{} %H%M%S\"`",
        names.join(", "),
        format.text()
    );
    section.reject("formats", title, help);
}

/// Two formats must not read one text as two days: which one a row means could not be known.
fn reject_contradiction(
    section: &mut SectionReader<'_>,
    at: &Spanned<String>,
    format: &TimeFormat,
    before: &[TimeFormat],
) {
    let contradiction = |other: &TimeFormat| {
        Some((format.contradicts(other).or_else(|| other.contradicts(format))?, other.text().to_owned()))
    };
    if let Some((text, other)) = before.iter().find_map(contradiction) {
        let title = format!("`{text}` is one day by `{other}` and another by `{}`", format.text());
        section.reject_at(at.span(), title, "keep the format that the source writes; two sources are two jobs");
    }
}

fn read_label(section: &mut SectionReader<'_>, interval: Option<Interval>) -> Label {
    let intraday = interval.is_some_and(|interval| !interval.is_daily_or_longer());
    match section.choice("label") {
        Some("start") => Label::Start,
        Some("end") => Label::End,
        Some(_) if intraday => {
            let title = "a trading date cannot distinguish the bars of a session";
            section.reject("label", title, "use `start` or `end`, or a daily interval");
            Label::Start
        }
        None if intraday => Label::Start,
        _ => Label::Session,
    }
}

/// The timestamp is called `time` in rules; it is neither part of the series key nor a field with another name.
fn reject_timestamp_among(
    section: &mut SectionReader<'_>,
    time: &Time,
    series: &[Spanned<Arc<str>>],
    fields: &[FieldName],
) {
    let is_timestamp = |name: &str| time.fields.iter().any(|field| **field.get_ref() == *name);
    // A part of the timestamp, such as the date, may be a field of its own; the whole of it is `time`.
    let is_whole = |name: &str| time.fields.len() == 1 && is_timestamp(name);
    for name in series.iter().filter(|name| is_whole(name.get_ref()) || &**name.get_ref() == TIME) {
        let title = format!("`{}` is the timestamp of a bar and cannot distinguish series", name.get_ref());
        section.reject_at(name.span(), title, "take it out of `series`");
    }
    for field in fields {
        if &**field.name.get_ref() == TIME {
            let help = "write `time = { field = \"…\" }` to say where the timestamp is";
            section.reject_at(field.name.span(), "`time` is the name of the timestamp", help);
        } else if let Some(source) = field.sources.iter().find(|source| is_whole(source.get_ref())) {
            let title = format!("`{}` is the timestamp of a bar", source.get_ref());
            section.reject_at(source.span(), title, "rules call it `time`");
        }
    }
}
