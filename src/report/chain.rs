//! Which runs show what is open: the newest one that looked at all of a window, and those after it that looked at the part
//! of it that may have changed.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;

use super::error::ReportError;
use super::margins::Moved;
use super::places;
use super::reading::texts;
use super::run::{RunStatus, Window};
use super::runs::{self, RunFile};

/// The part of the bars that a run reported on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Findings that end at or after it, µs UTC.
    since: i64,
    /// Series of which it reported on all bars.
    whole: BTreeSet<String>,
}

impl Part {
    /// That of a run from `since` on (µs UTC) which also read all of the series `whole`.
    pub(super) fn new(since: i64, whole: BTreeSet<String>) -> Self {
        Self { since, whole }
    }

    /// Whether the run would have reported a finding of `series` that ends at `ends`; one about a row without a timestamp has
    /// no end.
    pub(super) fn has(&self, series: &str, ends: Option<i64>) -> bool {
        ends.is_none_or(|ends| ends >= self.since) || self.whole.contains(series)
    }
}

/// One run of a chain.
#[derive(Debug)]
pub(super) struct ChainedRun {
    pub(super) file: RunFile,
    /// What it replaces of what was open before; `None` where it knows nothing of the runs before.
    pub(super) part: Option<Part>,
}

/// The runs that show what is open.
#[derive(Debug)]
pub(super) enum Chain {
    /// There is none.
    None,
    /// Those that there are looked at other windows.
    OtherWindows,
    /// Oldest first; and the ends of the window that have moved since the first.
    Runs(Vec<ChainedRun>, Moved),
}

/// The runs of `job` that a run over `window` is compared with; it knows the bars before its window where it is `in_part`.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub(super) fn chain(dir: &Path, job: &str, window: Window, in_part: bool) -> Result<Chain, ReportError> {
    let mut others = Chain::None;
    let mut links: Vec<ChainedRun> = Vec::new();
    let mut rules: Vec<String> = Vec::new();
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let Some(row) = file.row(dir, COLUMNS)? else { continue };
        let earlier = Earlier::read(&row).map_err(|source| ReportError::reading(&file.path, source))?;
        let Some(earlier) = earlier else { continue };
        // What is found near an end of a window depends on it: such a run replaces nothing, and is compared with by itself.
        if let Some(part) = earlier.part.filter(|_| earlier.window.1.is_none()) {
            links.push(ChainedRun { file, part: Some(part) });
            rules.push(earlier.rules);
            continue;
        }
        let Some(moved) = comparable(earlier.window, window, in_part) else {
            others = Chain::OtherWindows;
            continue;
        };
        // Under other rules a part finds others, which says nothing of the bars.
        let mut of_rules = rules.iter().map(|rules| *rules == earlier.rules);
        links.retain(|_| of_rules.next() == Some(true));
        links.push(ChainedRun { file, part: None });
        links.reverse();
        return Ok(Chain::Runs(links, moved));
    }
    let mut of_rules = rules.iter().map(|of| Some(of) == rules.first());
    links.retain(|_| of_rules.next() == Some(true));
    let known = links.iter().filter_map(|link| link.part.as_ref()).map(|part| part.since).min();
    match (known, window) {
        (Some(known), (Some(since), until)) if in_part && since >= known => {
            links.reverse();
            Ok(Chain::Runs(links, Moved { since: false, until: until.is_some() }))
        }
        (Some(_), _) => Ok(Chain::OtherWindows),
        (None, _) => Ok(others),
    }
}

/// The runs that show what is open of `job`: on all data, where a run looked at it, else from where one looked on.
///
/// # Errors
/// A file of an earlier run cannot be read.
pub(super) fn open(dir: &Path, job: &str) -> Result<Chain, ReportError> {
    match chain(dir, job, (None, None), true)? {
        Chain::OtherWindows => chain(dir, job, (Some(i64::MAX), None), true),
        found => Ok(found),
    }
}

/// Which ends moved, where a run over the window `before` looked at all of `now`.
fn comparable(before: Window, now: Window, in_part: bool) -> Option<Moved> {
    // A run over all data knows what was before the window, and flags rows that one over the end of it cannot.
    let from = match (before.0, now.0) {
        (None, None) => true,
        (None, Some(_)) => in_part,
        (Some(before), Some(now)) => before <= now,
        (Some(_), None) => false,
    };
    let to = before.1.is_none_or(|before| now.1.is_some_and(|now| now <= before));
    (from && to).then_some(Moved { since: before.0 != now.0 && !in_part, until: before.1 != now.1 })
}

/// A run that reached its end and looked at all rules and series.
struct Earlier {
    window: Window,
    part: Option<Part>,
    /// SHA-256 of its rules.
    rules: String,
}

const COLUMNS: &[&str] =
    &["status", "window_since", "window_until", "changed_since", "series_whole", "rules_sha256", "scope"];

impl Earlier {
    fn read(run: &RecordBatch) -> Result<Option<Self>, ArrowError> {
        let ended = RunStatus::parse(texts(run, "status")?.value(0)).is_some_and(RunStatus::reached_its_end);
        if !ended || !places::is_whole(run)? {
            return Ok(None);
        }
        let window = (instant(run, "window_since"), instant(run, "window_until"));
        // Runs of an older version have no such columns.
        let in_part = instant(run, "changed_since").is_some();
        let part = match window.0.filter(|_| in_part) {
            Some(since) => Some(Part { since, whole: series(run)? }),
            None => None,
        };
        let rules = texts(run, "rules_sha256")?.value(0).to_owned();
        Ok(Some(Self { window, part, rules }))
    }
}

fn instant(run: &RecordBatch, name: &str) -> Option<i64> {
    let times = run.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    (!times.is_null(0)).then(|| times.value(0))
}

fn series(run: &RecordBatch) -> Result<BTreeSet<String>, ArrowError> {
    let column = texts(run, "series_whole")?;
    if column.is_null(0) {
        return Ok(BTreeSet::new());
    }
    serde_json::from_str(column.value(0)).map_err(|error| ArrowError::ParseError(format!("`series_whole`: {error}")))
}
