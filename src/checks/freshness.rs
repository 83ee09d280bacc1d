//! `freshness`: the newest bars are as new as the calendar allows, and none is of the future.
//!
//! Notes of each series its newest bar that has begun, and the bars that have not. Where most series end together, the
//! source is late, which is one finding; a series that ends while others go on is another.

mod cause;
mod evidence;
mod expected;
mod limit;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::cause::Cause;
use self::evidence::Evidence;
use self::expected::{Lag, begins, lag};
pub use self::limit::parse_fresh;
use super::across::{Across, AcrossSink, Note, Noted};
use super::params::Params;
use super::reason::{Excused, Reason};
use super::{Check, CheckKind, Described, Facts, Finding, Series, Stage};
use crate::bars::{BarsSpec, DAY_US, Fresh};
use crate::market::zone;
use crate::schema::{Holds, Key, Otherwise, key};

/// Where so many in a hundred series are late, the source is.
const NEARLY_ALL: usize = 90;
/// Most series that a finding names.
const MOST_NAMES: usize = 10;

/// The check `freshness`.
pub(crate) struct Freshness;

const PARAMS: &[Key] = &[key(
    "max",
    Holds::Text,
    Otherwise::Nothing,
    "How far the newest bar of a series may lag behind, e.g. `2 sessions`, `90m`, `3d`; without it `fresh` of the job.",
)];

impl Described for Freshness {
    fn name(&self) -> &'static str {
        "freshness"
    }

    fn explain(&self) -> &'static str {
        include_str!("freshness.md")
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
        include_str!("freshness_examples.md")
    }
}

impl CheckKind for Freshness {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Across
    }

    fn flags_rows(&self) -> bool {
        false
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let written = params.maybe_text("max").and_then(|text| {
            let parsed = parse_fresh(&text, bars.interval, bars.calendar.is_some());
            parsed.map_err(|(problem, help)| params.reject("max", problem, help)).ok()
        });
        // What has to be known of the bars, and nothing of their fields.
        let spec = BarsSpec { fields: Vec::new(), ..bars.clone() };
        Box::new(Rule { fresh: written.or(bars.fresh), bars: spec })
    }
}

/// One rule of the check.
struct Rule {
    fresh: Option<Fresh>,
    bars: BarsSpec,
}

/// What is noted of a series.
#[derive(Debug, Serialize, Deserialize)]
struct Ends {
    /// Rows with a timestamp.
    rows: u64,
    /// The timestamp of the newest bar that has begun, µs UTC.
    newest: Option<i64>,
    /// The bars that have not begun.
    future: Option<Run>,
    /// The bars before the first day of the calendar, and those after its last that have begun.
    before: Option<Run>,
    after: Option<Run>,
    /// Why it owes no bar now, as an index of [`Reason::ALL`], and since when, µs UTC.
    owes_none: Option<(usize, i64)>,
}

/// Bars one after the other.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    first: i64,
    last: i64,
    bars: u64,
}

impl Run {
    /// All bars with the timestamps `times`; `None` where there is none.
    fn of(times: &[i64]) -> Option<Self> {
        Some(Self { first: *times.first()?, last: *times.last()?, bars: times.len() as u64 })
    }
}

/// A series that is late.
struct Late {
    note: usize,
    newest: i64,
    lag: Lag,
}

impl Across for Rule {
    fn note(&self, series: &Series<'_>) -> Option<Noted> {
        let (time, as_of) = (series.time, self.bars.as_of?);
        let begun = time.partition_point(|time| begins(&self.bars, *time) <= as_of);
        let future = Run::of(&time[begun..]);
        let known = self.known(&time[..begun]);
        let (before, after) = (Run::of(&time[..known.start]), Run::of(&time[known.end..begun]));
        let newest = begun.checked_sub(1).map(|last| time[last]);
        let row = future.is_some().then_some(begun);
        let owes_none = series.facts.absent_since(self.on_scale(as_of));
        let owes_none = owes_none.map(|(absence, since)| (Reason::of(absence) as usize, since));
        let rows = time.len().saturating_sub(series.from) as u64;
        let ends = Ends { rows, newest, future, before, after, owes_none };
        let bytes = serde_json::to_vec(&ends).ok()?;
        Some(Noted { bytes, row })
    }

    fn needs_only_newest(&self) -> bool {
        true
    }

    fn conclude(&self, notes: &[Note], sink: &mut AcrossSink) {
        let Some(as_of) = self.bars.as_of else { return };
        let mut late: Vec<Late> = Vec::new();
        let mut ended = 0;
        for (index, note) in notes.iter().enumerate() {
            let Ok(noted) = serde_json::from_slice::<Ends>(&note.bytes) else { continue };
            sink.evaluated(noted.rows);
            if let Some(future) = &noted.future {
                sink.push_at_row(index, of_run(future, Cause::Future, as_of));
            }
            for (run, cause) in [(&noted.before, Cause::BeforeCalendar), (&noted.after, Cause::AfterCalendar)] {
                if let (Some(run), Some(calendar)) = (run, &self.bars.calendar) {
                    sink.push(index, of_run(run, cause, as_of).observed_text(calendar.name()));
                }
            }
            let Some(newest) = noted.newest else { continue };
            ended += 1;
            let Some((fresh, lag)) = self.fresh.and_then(|fresh| Some((fresh, self.too_late(fresh, newest, as_of)?)))
            else {
                continue;
            };
            // It owes the bars until a fact explains that there are none.
            let reason = noted.owes_none.filter(|(_, since)| self.too_late(fresh, newest, as_of.min(*since)).is_none());
            match reason.and_then(|(reason, _)| Reason::ALL.get(reason)) {
                Some(reason) => {
                    ended -= 1;
                    sink.excuse(*reason, Excused { findings: 1, bars: lag.count });
                }
                None => late.push(Late { note: index, newest, lag }),
            }
        }
        if self.fresh.is_some() {
            self.report(notes, &late, (ended, as_of), sink);
        }
    }
}

/// How far the newest of a group lags behind.
fn newest_lag(group: &[&Late]) -> u64 {
    group.iter().map(|late| late.lag.count).min().unwrap_or(0)
}

fn of_run(run: &Run, cause: Cause, as_of: i64) -> Finding {
    let finding = Finding::gap(run.first, run.last, run.bars).cause(cause);
    finding.evidence(Evidence { as_of, ..Evidence::default() })
}

impl Rule {
    /// The moment `as_of` on the scale of the timestamps: that of daily bars is the midnight of its date.
    fn on_scale(&self, as_of: i64) -> i64 {
        match self.bars.daily() {
            true => i64::from(zone::local_day(self.bars.time.zone, as_of)) * DAY_US,
            false => as_of,
        }
    }

    /// Which of `times`, which ascend, are on days that the calendar reaches; all of them without a calendar.
    fn known(&self, times: &[i64]) -> Range<usize> {
        let Some(calendar) = &self.bars.calendar else { return 0..times.len() };
        let day =
            |time: i64| if self.bars.daily() { zone::day_of(time) } else { zone::local_day(calendar.zone(), time) };
        let start = calendar.first().map_or(0, |first| times.partition_point(|time| day(*time) < first));
        let end = calendar.last().map_or(times.len(), |last| times.partition_point(|time| day(*time) <= last));
        start..end.max(start)
    }

    /// How far a series lags behind that ends with `newest`, where that is too far.
    fn too_late(&self, fresh: Fresh, newest: i64, as_of: i64) -> Option<Lag> {
        let lag = lag(&self.bars, newest, as_of, matches!(fresh, Fresh::Sessions(_)));
        let too_late = match fresh {
            Fresh::Sessions(most) => lag.count > most,
            Fresh::Trading(most) => lag.trading > most,
            Fresh::Elapsed(most) => lag.elapsed > most,
        };
        too_late.then_some(lag)
    }

    /// One finding for all series that end together.
    fn report(&self, notes: &[Note], late: &[Late], (ended, as_of): (usize, i64), sink: &mut AcrossSink) {
        let mut groups: BTreeMap<u64, Vec<&Late>> = BTreeMap::new();
        for one in late {
            groups.entry(one.lag.count).or_default().push(one);
        }
        let mut lags: Vec<u64> = late.iter().map(|late| late.lag.count).collect();
        lags.sort_unstable();
        let on_time = ended - late.len();
        let evidence = |group: &[&Late]| Evidence {
            as_of,
            late: group.len() as u64,
            series: ended as u64,
            longer: (on_time + lags.partition_point(|lag| *lag < newest_lag(group))) as u64,
            lag: newest_lag(group),
            unit: group.first().map_or("bar", |late| late.lag.noun).to_owned(),
            names: group.iter().take(MOST_NAMES).map(|late| notes[late.note].series.clone()).collect(),
        };
        let source = if late.len() * 100 >= ended * NEARLY_ALL { self.source(&mut groups) } else { None };
        if let Some(source) = source {
            let newest = source.iter().map(|late| late.newest).max().unwrap_or(0);
            sink.push_of_all(self.lagging(Cause::SourceEnds, newest, evidence(&source)));
        }
        for group in groups.into_values() {
            let Some(first) = group.first() else { continue };
            let newest = group.iter().map(|late| late.newest).max().unwrap_or(first.newest);
            sink.push(first.note, self.lagging(Cause::SeriesEnds, newest, evidence(&group)));
        }
        self.beyond_the_calendar(as_of, sink);
    }

    /// The series that end with the source: most of those that are late end at one bar, or no further from it than the job
    /// allows a series to lag behind. They are taken out of `groups`.
    fn source<'l>(&self, groups: &mut BTreeMap<u64, Vec<&'l Late>>) -> Option<Vec<&'l Late>> {
        let (most, _) = groups.iter().max_by_key(|(_, group)| group.len())?;
        let near = if let Some(Fresh::Sessions(sessions)) = self.fresh { sessions } else { 0 };
        let together = most.saturating_sub(near)..=most.saturating_add(near);
        let lags: Vec<u64> = groups.range(together).map(|(lag, _)| *lag).collect();
        let mut source: Vec<&Late> = lags.iter().filter_map(|lag| groups.remove(lag)).flatten().collect();
        source.sort_by_key(|late| late.note);
        Some(source)
    }

    fn lagging(&self, cause: Cause, newest: i64, evidence: Evidence) -> Finding {
        let limit = match self.fresh {
            Some(Fresh::Sessions(most)) => most as f64,
            _ => f64::INFINITY,
        };
        let lag = evidence.lag;
        let finding = Finding { time: Some(newest), bars_affected: lag, ..Finding::default() };
        finding.cause(cause).observed(lag as f64).expected(f64::NEG_INFINITY, limit).evidence(evidence)
    }

    /// A calendar that ends before the moment does not know what is missing.
    fn beyond_the_calendar(&self, as_of: i64, sink: &mut AcrossSink) {
        let Some(calendar) = &self.bars.calendar else { return };
        let today = zone::local_day(calendar.zone(), as_of);
        if let Some(last) = calendar.last().filter(|last| *last < today) {
            let finding = Finding { time: Some(i64::from(last) * DAY_US), ..Finding::default() };
            let finding = finding.cause(Cause::CalendarEnds).observed_text(calendar.name());
            sink.push_of_all(finding.evidence(Evidence { as_of, ..Evidence::default() }));
        }
    }
}

#[cfg(test)]
mod tests;
