//! `[schedule]`: when the job is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::bars::Bars;
use super::calendars::OwnCalendar;
use super::zone::read_zone;
use crate::market::Calendar;
use crate::schedule::{AfterClose, CatchUp, Cron, CronMistake, Schedule, When};
use crate::schema::diagnostic::{Diagnostic, nearest};
use crate::schema::keys::Otherwise::{Nothing, Text};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::moment::parse_duration;
use crate::schema::section::SectionReader;

/// When the job is due, as it is written.
#[derive(Debug, Clone)]
pub struct OwnSchedule {
    when: OwnWhen,
    zone: Option<Tz>,
    /// Where it is not that of the bars.
    calendar: Option<Arc<Calendar>>,
    max_time: Option<TimeDelta>,
    jitter: TimeDelta,
    catch_up: CatchUp,
}

#[derive(Debug, Clone)]
enum OwnWhen {
    Cron(Cron),
    AfterClose(TimeDelta),
}

impl OwnSchedule {
    /// The schedule of a job over `bars`, whose calendar is whole by now; `None` where it needs one and there is none.
    pub fn over(&self, bars: &Bars) -> Option<Schedule> {
        let calendar = self.calendar.clone().or_else(|| bars.calendar.clone());
        let (when, usual) = match &self.when {
            OwnWhen::Cron(cron) => (When::Cron(cron.clone()), bars.time.zone),
            OwnWhen::AfterClose(span) => {
                let calendar = calendar.clone()?;
                let zone = calendar.zone();
                (When::AfterClose(AfterClose { span: *span, calendar }), zone)
            }
        };
        let Self { zone, max_time, jitter, catch_up, .. } = *self;
        Some(Schedule { when, zone: zone.unwrap_or(usual), calendar, max_time, jitter, catch_up })
    }
}

pub(super) const SCHEDULE: Section = Section {
    name: "`[schedule]`",
    doc: "When the job is due, for `barkeep schedule`. It starts nothing by itself: `schedule start` does, and what `schedule export` writes.",
    keys: &[
        key(
            "cron",
            Holds::Text,
            Nothing,
            "Minute, hour, day, month and day of the week as cron reads them, e.g. `30 18 * * MON-FRI`, or `@daily`.",
        ),
        key("zone", Holds::Text, Nothing, "The zone of `cron`; default that of the bars, else UTC."),
        key(
            "after",
            Holds::Text,
            Nothing,
            "Instead of `cron`: a span after the close of each session, e.g. `close + 90m`.",
        ),
        key("calendar", Holds::Text, Nothing, "The calendar of `after`; default that of the bars."),
        key(
            "max_time",
            Holds::Duration,
            Nothing,
            "How long a run may take; `schedule start`, and what `schedule export` writes, end it then.",
        ),
        key(
            "jitter",
            Holds::Duration,
            Nothing,
            "The run starts up to so much later, by the name of the job and always the same: jobs that are due at one moment \
             do not start at once. At most `24h`.",
        ),
        key(
            "catch_up",
            Holds::Choice(CatchUp::WORDS),
            Text("latest"),
            "What `schedule start` makes up for where a moment was missed: the `latest` one by one run, `all` of them, \
             at most 100, or `none`.",
        ),
    ],
};

/// Reads `[schedule]` of a job over `bars` that has the calendars `own`.
pub(super) fn read(
    mut section: SectionReader<'_>,
    bars: Option<&Bars>,
    own: &BTreeMap<String, OwnCalendar>,
) -> (Option<OwnSchedule>, Vec<Diagnostic>) {
    let zone = section.text("zone").and_then(|name| read_zone(&mut section, name.get_ref()));
    let calendar = read_calendar(&mut section, own);
    let max_time = section.duration("max_time");
    if max_time.is_some_and(|span| span <= TimeDelta::zero()) {
        section.reject("max_time", "a run takes longer than nothing", "write for instance `2h`, or leave it out");
    }
    let jitter = section.duration("jitter").unwrap_or_default();
    if jitter > TimeDelta::days(1) {
        section.reject("jitter", "a run starts within a day of its moment", "write for instance `10m`");
    }
    let catch_up = section.choice("catch_up").and_then(CatchUp::parse).unwrap_or_default();
    let cron = section.text("cron").and_then(|text| read_cron(&mut section, text.get_ref()));
    let after = section.text("after").and_then(|text| read_after(&mut section, text.get_ref()));
    let when = match (section.has("cron"), section.has("after")) {
        (true, true) => {
            section.reject("after", "`after` beside `cron`", "a job has one schedule: take one of the two out");
            None
        }
        (true, false) => cron.map(OwnWhen::Cron),
        (false, true) => after.map(OwnWhen::AfterClose),
        (false, false) => {
            let help = "write for instance `cron = \"30 18 * * MON-FRI\"`, or `after = \"close + 90m\"`";
            section.reader().reject_whole("a schedule needs `cron` or `after`", help);
            None
        }
    };
    match &when {
        Some(OwnWhen::AfterClose(_))
            if !section.has("calendar") && bars.is_some_and(|bars| bars.calendar.is_none()) =>
        {
            let help = "write `calendar = \"XNYS\"` below `[schedule]` or `[bars]`";
            section.reject("after", "`after` needs a calendar, and the bars have none", help);
        }
        Some(OwnWhen::Cron(_)) if section.has("calendar") => {
            section.reject("calendar", "`calendar` has no effect beside `cron`", "leave it out");
        }
        _ => {}
    }
    let mistakes = section.finish();
    (when.map(|when| OwnSchedule { when, zone, calendar, max_time, jitter, catch_up }), mistakes)
}

fn read_cron(section: &mut SectionReader<'_>, text: &str) -> Option<Cron> {
    let mistake = match Cron::parse(text) {
        Ok(cron) => return Some(cron),
        Err(mistake) => mistake,
    };
    let help = match mistake {
        CronMistake::Never => "look at the day and the month",
        CronMistake::Unreadable(_) => "write for instance `30 18 * * MON-FRI`: 18:30 from Monday to Friday",
    };
    section.reject("cron", format!("`{text}` is not a cron pattern that can be used: {mistake}"), help);
    None
}

/// The span behind `close +`.
fn read_after(section: &mut SectionReader<'_>, text: &str) -> Option<TimeDelta> {
    let rest = text.trim().strip_prefix("close").map(str::trim);
    let span = match rest {
        Some("") => Ok(TimeDelta::zero()),
        Some(rest) if rest.starts_with('+') => parse_duration(rest[1..].trim()),
        _ => Err(format!("`{text}` is not `close` and a span")),
    };
    let span = span.and_then(|span| match span > TimeDelta::days(7) {
        true => Err(format!("`{text}` is more than a week after the close")),
        false => Ok(span),
    });
    span.map_err(|problem| section.reject("after", problem, "write for instance `close + 90m`")).ok()
}

fn read_calendar(section: &mut SectionReader<'_>, own: &BTreeMap<String, OwnCalendar>) -> Option<Arc<Calendar>> {
    let name = section.text("calendar")?;
    let name = name.get_ref();
    if let Some(calendar) = Calendar::named(name) {
        return Some(calendar);
    }
    match own.get(name) {
        Some(OwnCalendar { calendar, file: None }) => return Some(Arc::clone(calendar)),
        Some(_) => {
            let help = "name it in `[bars]`, and leave `calendar` out here";
            section.reject(
                "calendar",
                format!("`{name}` has a file of its own, which is read for the bars only"),
                help,
            );
        }
        None => {
            let mut known: Vec<&str> = Calendar::names().collect();
            known.extend(own.keys().map(String::as_str));
            let help = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "e.g. `XNYS`, `XSHG`, `24/7`, or one of `[calendar.NAME]`".to_owned(),
            };
            section.reject("calendar", format!("unknown calendar `{name}`"), help);
        }
    }
    None
}
