//! `[window]`, `[limits]`, `[quarantine]`, `[report]`, `[parse_error]`: what a run looks at and may do.

use std::path::Path;

use chrono::TimeDelta;

use super::bars::Bars;
use super::path::JobPath;
use crate::decide::{Action, Severity};
use crate::schema::diagnostic::Diagnostic;
use crate::schema::keys::Otherwise::{Count, Flag, Nothing, Number, Text};
use crate::schema::keys::{ANY_COUNT, Holds, Section, key};
use crate::schema::section::SectionReader;

/// Which bars a run looks at: a half-open interval on the scale of their timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First timestamp, µs UTC; without one the window is open.
    pub since: Option<i64>,
    /// First timestamp after the window, µs UTC; without one the window is open.
    pub until: Option<i64>,
    /// Rows younger than this are reported, never moved.
    pub grace: TimeDelta,
    /// How far before the watermark a run begins; without it there is no watermark, and every run looks at everything.
    pub lookback: Option<TimeDelta>,
}

/// What a run may move. One that wants more moves nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Rows of a run.
    pub rows: u64,
    /// Share of the rows a run read; above 0, at most 1.
    pub fraction: f64,
    /// Share of the rows of any one series; above 0, at most 1.
    pub series_fraction: f64,
}

/// Where moved rows are kept, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// How long; longer than nothing.
    pub keep: TimeDelta,
    /// How long a row is kept whose rule deletes; longer than nothing.
    pub keep_deleted: TimeDelta,
    /// How long whole files are kept that were replaced; longer than nothing. Their rejected rows are in quarantine as
    /// well.
    pub keep_originals: TimeDelta,
    /// The folder, for sources that are files.
    pub dir: JobPath,
    /// The collection, for sources that are collections; without one, that of the source with `_quarantine` behind it.
    pub collection: Option<String>,
}

/// What a value that does not decode is: a rule every job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError {
    /// Severity of the finding.
    pub severity: Severity,
    /// What is done with the row.
    pub action: Action,
}

pub(super) const WINDOW: Section = Section {
    name: "`[window]`",
    doc: "Which bars a run looks at. A date is midnight in the zone of the bars.",
    keys: &[
        key("since", Holds::Moment, Nothing, "First date or time of the window."),
        key("until", Holds::Moment, Nothing, "First date or time after the window."),
        key("grace", Holds::Duration, Text("0d"), "Rows younger than this are reported, never moved."),
        key(
            "lookback",
            Holds::Duration,
            Nothing,
            "How far before the watermark a run begins: as far back as bars arrive late or are corrected. With it a run looks at what may have changed since the last one; without it, and with `--full`, at everything.",
        ),
    ],
};

pub(super) const LIMITS: Section = Section {
    name: "`[limits]`",
    doc: "What a run may move; one that wants more is refused, and nothing is touched.",
    keys: &[
        key("rows", ANY_COUNT, Count(10_000), "Rows of a run."),
        key("fraction", Holds::Share, Number(0.01), "Share of the rows a run read."),
        key("series_fraction", Holds::Share, Number(0.2), "Share of the rows of any one series."),
    ],
};

pub(super) const QUARANTINE: Section = Section {
    name: "`[quarantine]`",
    doc: "Where moved rows are kept, and for how long.",
    keys: &[
        key("keep", Holds::Duration, Text("90d"), "How long a moved row is kept."),
        key("keep_deleted", Holds::Duration, Text("14d"), "How long a row is kept whose rule deletes it."),
        key(
            "keep_originals",
            Holds::Duration,
            Text("90d"),
            "How long a whole file is kept that was replaced by one without the rows that left; `purge` erases it then.",
        ),
        key(
            "collection",
            Holds::Text,
            Nothing,
            "The collection, for sources that are collections; default that of the source with `_quarantine` behind it.",
        ),
        key(
            "dir",
            Holds::Text,
            Nothing,
            "The folder, for sources that are files; default `quarantine` beside the reports.",
        ),
    ],
};

pub(super) const REPORT: Section = Section {
    name: "`[report]`",
    doc: "Where reports are written, and how long they are kept: for ever, unless it is said.",
    keys: &[
        key("dir", Holds::Text, Text("../reports"), "The folder, relative to the job file."),
        key(
            "keep_daily",
            Holds::Count { min: 1, max: 10_000 },
            Nothing,
            "A `run` removes the reports of older runs, but for those of the last 24 hours and one of each of so many days. It also puts what stays of a month that is over into one file a table.",
        ),
        key(
            "keep_monthly",
            Holds::Count { min: 1, max: 10_000 },
            Nothing,
            "The same with one of each of so many months.",
        ),
        key(
            "page",
            Holds::Flag,
            Flag(false),
            "Whether every run writes its page, `pages/RUN/report.html`; `barkeep report html` writes one at any time.",
        ),
    ],
};

pub(super) const STATE: Section = Section {
    name: "`[state]`",
    doc: "What a job remembers from run to run: its watermark.",
    keys: &[key(
        "dir",
        Holds::Text,
        Nothing,
        "The folder, relative to the job file; default `state` beside the reports.",
    )],
};

pub(super) const PARSE_ERROR: Section = Section {
    name: "`[parse_error]`",
    doc: "What a value that does not decode is: a rule every job has.",
    keys: &[
        key("severity", Holds::Choice(Severity::WORDS), Text("error"), "Severity of the finding."),
        key("action", Holds::Choice(Action::WORDS), Text("report"), "What is done with the row."),
    ],
};

pub(super) fn read_window(mut section: SectionReader<'_>, bars: Option<&Bars>) -> (Option<Window>, Vec<Diagnostic>) {
    let since = read_bound(&mut section, "since", bars);
    let until = read_bound(&mut section, "until", bars);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        section.reject(
            "until",
            "the window is empty: `until` is not after `since`",
            "`until` is not part of the window",
        );
    }
    let grace = section.duration("grace");
    let lookback = section.has("lookback").then(|| section.duration("lookback"));
    if lookback.is_some() && until.is_some() {
        let help = "take one of them out: a window that ends has nothing new behind it";
        section.reject("lookback", "`lookback` looks for what is new, and `until` ends the window", help);
    }
    let window = || {
        let lookback = match lookback {
            Some(read) => Some(read?),
            None => None,
        };
        Some(Window { since, until, grace: grace?, lookback })
    };
    (window(), section.finish())
}

fn read_bound(section: &mut SectionReader<'_>, name: &str, bars: Option<&Bars>) -> Option<i64> {
    let (moment, bars) = (section.moment(name)?, bars?);
    let resolved = moment.resolve(bars.time.zone, bars.interval.is_daily_or_longer());
    resolved.map_err(|problem| section.reject(name, problem, "write an offset, e.g. `2024-03-08T14:30:00Z`")).ok()
}

pub(super) fn read_limits(mut section: SectionReader<'_>) -> (Option<Limits>, Vec<Diagnostic>) {
    let (rows, fraction) = (section.count("rows"), section.number("fraction"));
    let series_fraction = section.number("series_fraction");
    let limits = || Some(Limits { rows: rows?, fraction: fraction?, series_fraction: series_fraction? });
    (limits(), section.finish())
}

/// `[report]`.
pub(super) struct Report {
    /// The folder.
    pub(super) dir: JobPath,
    /// How many days and months with runs are kept, where that is said.
    pub(super) keep: Option<(usize, usize)>,
    /// Whether every run writes its page.
    pub(super) page: bool,
}

pub(super) fn read_report(mut section: SectionReader<'_>) -> (Option<Report>, Vec<Diagnostic>) {
    let job = &section.file().path;
    let dir = section.text("dir").map(|dir| JobPath::new(job, dir.into_inner()));
    let kept = section.has("keep_daily") || section.has("keep_monthly");
    let mut most = |name: &str| section.count(name).and_then(|most| usize::try_from(most).ok()).unwrap_or(0);
    let (daily, monthly) = (most("keep_daily"), most("keep_monthly"));
    let page = section.flag("page");
    (dir.map(|dir| Report { dir, keep: kept.then_some((daily, monthly)), page }), section.finish())
}

pub(super) fn read_quarantine(
    mut section: SectionReader<'_>,
    report_dir: Option<&JobPath>,
) -> (Option<Quarantine>, Vec<Diagnostic>) {
    let job = &section.file().path;
    let (keep, keep_deleted) = (section.duration("keep"), section.duration("keep_deleted"));
    let keep_originals = section.duration("keep_originals");
    for (name, keep) in [("keep", keep), ("keep_deleted", keep_deleted), ("keep_originals", keep_originals)] {
        if keep.is_some_and(|keep| keep.is_zero()) {
            let help = "keep moved rows for some days at least";
            section.reject(name, "a row that is not kept cannot be put back", help);
        }
    }
    let collection = section.text("collection").map(toml::Spanned::into_inner);
    let dir = match section.text("dir") {
        Some(dir) => Some(dir.into_inner()),
        None => report_dir.map(|report_dir| beside("quarantine", &report_dir.written)),
    };
    let quarantine = || {
        Some(Quarantine {
            keep: keep?,
            keep_deleted: keep_deleted?,
            keep_originals: keep_originals?,
            dir: JobPath::new(job, dir?),
            collection,
        })
    };
    (quarantine(), section.finish())
}

pub(super) fn read_state(
    mut section: SectionReader<'_>,
    report_dir: Option<&JobPath>,
) -> (Option<JobPath>, Vec<Diagnostic>) {
    let job = &section.file().path;
    let dir = match section.text("dir") {
        Some(dir) => Some(dir.into_inner()),
        None => report_dir.map(|report_dir| beside("state", &report_dir.written)),
    };
    (dir.map(|dir| JobPath::new(job, dir)), section.finish())
}

/// The folder `name` next to `reports`; inside it where it has no name of its own (`..`, `/`).
fn beside(name: &str, reports: &str) -> String {
    let reports = Path::new(reports);
    let parent = if reports.file_name().is_some() { reports.parent().unwrap_or(reports) } else { reports };
    parent.join(name).to_string_lossy().into_owned()
}

pub(super) fn read_parse_error(mut section: SectionReader<'_>) -> (Option<ParseError>, Vec<Diagnostic>) {
    let severity = section.choice("severity").and_then(Severity::parse);
    let action = section.choice("action").and_then(Action::parse);
    let parse_error = || Some(ParseError { severity: severity?, action: action? });
    (parse_error(), section.finish())
}
