//! What `[bars]` says of the market: its calendar, and how bars lie on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;

use super::calendars::OwnCalendar;
use super::path::JobPath;
use crate::market::{Calendar, Interval, PeriodLabel};
use crate::schema::diagnostic::nearest;
use crate::schema::section::SectionReader;

/// The calendars that are thought of first where a name is not known.
const USUAL_CALENDARS: [&str; 7] = ["XNYS", "XLON", "XHKG", "XTKS", "XSHG", "XBOM", "CMES"];

/// Where bars inside a session begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the open, and then every step.
    Open,
    /// At clock multiples of the step: an hourly bar of a session that opens 09:30 is that of 09:00.
    Clock,
}

/// The market of the bars.
pub(super) struct Market {
    pub(super) calendar: Option<Arc<Calendar>>,
    /// Files with sessions set over those of the calendar, in this order.
    pub(super) files: Vec<Spanned<JobPath>>,
    pub(super) align: Align,
    pub(super) auction: Option<bool>,
    pub(super) extended: bool,
    pub(super) period_label: Option<PeriodLabel>,
}

/// Reads the keys of `[bars]` about the market, in a job that has the calendars `own`.
pub(super) fn read(
    section: &mut SectionReader<'_>,
    interval: Option<Interval>,
    own: &BTreeMap<String, OwnCalendar>,
) -> Market {
    let job = Arc::clone(section.file());
    let (calendar, own_file) = read_calendar(section, own);
    let file = section.text("calendar_file");
    let file = file.map(|path| Spanned::new(path.span(), JobPath::new(&job.path, path.into_inner())));
    let files = own_file.into_iter().chain(file).collect();
    let align = if section.choice("align") == Some("clock") { Align::Clock } else { Align::Open };
    let auction = section.has("auction").then(|| section.flag("auction"));
    let extended = section.choice("hours") == Some("extended");
    if extended && calendar.as_ref().is_some_and(|calendar| calendar.extended().is_none()) {
        let help = "write `extended = \"04:00-20:00\"` in a calendar of the job, `[calendar.NAME]`";
        section.reject("hours", "nothing is known of trading outside the regular hours of this calendar", help);
    }
    if extended && interval.is_some_and(Interval::is_daily_or_longer) {
        section.reject("hours", "`hours` is for intraday bars", "leave it out: a daily bar has a date and no hour");
    }
    let period_label = read_period_label(section, interval);
    for name in ["calendar_file", "align", "auction", "hours", "period_label"] {
        if section.has(name) && !section.has("calendar") {
            section.reject(
                name,
                format!("`{name}` has no effect without `calendar`"),
                "name a calendar, or leave it out",
            );
        }
    }
    Market { calendar, files, align, auction, extended, period_label }
}

/// The calendar that the bars name, and the file of one that the job writes.
fn read_calendar(
    section: &mut SectionReader<'_>,
    own: &BTreeMap<String, OwnCalendar>,
) -> (Option<Arc<Calendar>>, Option<Spanned<JobPath>>) {
    let Some(name) = section.text("calendar").map(Spanned::into_inner) else { return (None, None) };
    if let Some(own) = own.get(&name) {
        return (Some(Arc::clone(&own.calendar)), own.file.clone());
    }
    let calendar = Calendar::named(&name);
    if calendar.is_none() {
        let names = Calendar::names().chain(Calendar::aliases().map(|(alias, _)| alias));
        let near_own = nearest(&name, own.keys().map(String::as_str));
        let help = match near_own.or_else(|| nearest(&name, USUAL_CALENDARS.into_iter().chain(names))) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "write the code of an exchange, e.g. {}, or `FX`, `weekdays` or `24/7`",
                USUAL_CALENDARS.map(|name| format!("`{name}`")).join(", ")
            ),
        };
        section.reject("calendar", format!("unknown calendar `{name}`"), help);
    }
    (calendar, None)
}

fn read_period_label(section: &mut SectionReader<'_>, interval: Option<Interval>) -> Option<PeriodLabel> {
    let label = match section.choice("period_label")? {
        "first" => PeriodLabel::First,
        "last" => PeriodLabel::Last,
        _ => PeriodLabel::Monday,
    };
    match (interval, label) {
        (Some(Interval::Month), PeriodLabel::Monday) => {
            section.reject("period_label", "a month has several Mondays", "write `first` or `last`");
        }
        (Some(Interval::Day | Interval::Seconds(_)), _) => {
            section.reject("period_label", "`period_label` is for weekly and monthly bars", "leave it out");
        }
        _ => {}
    }
    Some(label)
}
