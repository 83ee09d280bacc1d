//! `freshness`: the newest bars are as new as the calendar allows, and none is of the future.
//!
//! Notes of each series its newest bar that has begun, and the bars that have not. Where most series end together, the
//! source is late, which is one finding; a series that ends while others go on is another.

mod cause;
mod expected;
mod limit;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::cause::Cause;
use self::expected::{Lag, begins, lag};
pub use self::limit::parse_fresh;
use super::across::{Across, AcrossSink, Note, Noted};
use super::params::Params;
use super::{Check, CheckKind, Described, Facts, Finding, Series, Stage};
use crate::bars::{BarsSpec, DAY_US, Fresh};
use crate::market::zone;
use crate::schema::{Holds, Key, Otherwise, key};

/// Of so many in a hundred series that are late together, the source is late.
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
    future: Option<Future>,
}

/// Bars that have not begun.
#[derive(Debug, Serialize, Deserialize)]
struct Future {
    first: i64,
    last: i64,
    bars: u64,
}

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    /// The moment the bars were evaluated for, µs UTC.
    as_of: i64,
    /// Series that end together, and series there are.
    late: u64,
    series: u64,
    /// How far they lag behind, in `unit`.
    lag: u64,
    unit: String,
    /// The first of them by name.
    names: Vec<String>,
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
        let future = time.get(begun).zip(time.last()).map(|(first, last)| Future {
            first: *first,
            last: *last,
            bars: (time.len() - begun) as u64,
        });
        let newest = begun.checked_sub(1).map(|last| time[last]);
        let row = future.is_some().then_some(begun);
        let bytes = serde_json::to_vec(&Ends { rows: time.len() as u64, newest, future }).ok()?;
        Some(Noted { bytes, row })
    }

    fn conclude(&self, notes: &[Note], sink: &mut AcrossSink) {
        let Some(as_of) = self.bars.as_of else { return };
        let mut late: Vec<Late> = Vec::new();
        let mut ended = 0;
        for (index, note) in notes.iter().enumerate() {
            let Ok(noted) = serde_json::from_slice::<Ends>(&note.bytes) else { continue };
            sink.evaluated(noted.rows);
            if let Some(future) = &noted.future {
                sink.push_at_row(index, of_future(future, as_of));
            }
            let Some(newest) = noted.newest else { continue };
            ended += 1;
            if let Some(lag) = self.fresh.and_then(|fresh| self.too_late(fresh, newest, as_of)) {
                late.push(Late { note: index, newest, lag });
            }
        }
        if self.fresh.is_some() {
            self.report(notes, &late, (ended, as_of), sink);
        }
    }
}

fn of_future(future: &Future, as_of: i64) -> Finding {
    let finding = Finding::gap(future.first, future.last, future.bars).cause(Cause::Future);
    finding.evidence(Evidence { as_of, ..Evidence::default() })
}

impl Rule {
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
        let evidence = |group: &[&Late]| Evidence {
            as_of,
            late: group.len() as u64,
            series: ended as u64,
            lag: group.iter().map(|late| late.lag.count).min().unwrap_or(0),
            unit: group.first().map_or("bar", |late| late.lag.noun).to_owned(),
            names: group.iter().take(MOST_NAMES).map(|late| notes[late.note].series.clone()).collect(),
        };
        if let Some(source) = self.source(&mut groups, ended) {
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

    /// The series that end with the source: most end at one bar, or no further from it than the job allows a series to lag
    /// behind, and these are nearly all. They are taken out of `groups`.
    fn source<'l>(&self, groups: &mut BTreeMap<u64, Vec<&'l Late>>, ended: usize) -> Option<Vec<&'l Late>> {
        let (most, _) = groups.iter().max_by_key(|(_, group)| group.len())?;
        let near = if let Some(Fresh::Sessions(sessions)) = self.fresh { sessions } else { 0 };
        let together = most.saturating_sub(near)..=most.saturating_add(near);
        let count: usize = groups.range(together.clone()).map(|(_, group)| group.len()).sum();
        if count * 100 < ended * NEARLY_ALL {
            return None;
        }
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
