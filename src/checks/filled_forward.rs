//! `filled-forward`: bars that repeat the close before them without volume, at timestamps at which other series traded.
//!
//! A loader that fills what it did not get writes such bars, and so does a suspension. In a series alone both look alike;
//! here the other series say whether the market traded. A series that often has such bars is thin, and is stepped over.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::params::Params;
use super::runs::{Runs, parts};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, PeerTable, Peers, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `filled-forward`.
pub(crate) struct FilledForward;

/// Fewest bars of which a share says that a series is thin.
const FEWEST: usize = 20;

const PARAMS: &[Key] = &[
    key(
        "run",
        Holds::Count { min: 1, max: 1_000_000 },
        Otherwise::Nothing,
        "Fewest such bars in a row; 1 where not given, 3 for bars shorter than a day.",
    ),
    key(
        "series",
        Holds::Count { min: 1, max: 1_000_000 },
        Otherwise::Count(2),
        "Fewest other series at a timestamp, of which more than half must have traded.",
    ),
    key(
        "most",
        Holds::Share,
        Otherwise::Number(0.1),
        "Share of such bars in a series above which it is thin, and they are excused.",
    ),
];

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    /// Other series with a bar at the first timestamp.
    others: u64,
}

impl Described for FilledForward {
    fn name(&self) -> &'static str {
        "filled-forward"
    }

    fn explain(&self) -> &'static str {
        include_str!("filled_forward.md")
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { others } = facts.evidence();
        let repeat = if facts.bars == 1 { "repeats" } else { "repeat" };
        format!(
            "{} {repeat} the close {} before without volume, while most of {others} other series traded: filled forward, or \
             halted",
            facts.bars(),
            facts.observed.unwrap_or_default()
        )
    }
}

impl CheckKind for FilledForward {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        Box::new(Rule {
            close: params.bar_field("close"),
            others: ["open", "high", "low"].map(|field| params.optional_bar_field(field)),
            volume: params.optional_bar_field("volume"),
            name: Arc::from("close"),
            run: params.maybe_count("run").unwrap_or(if bars.daily() { 1 } else { 3 }),
            series: params.count("series"),
            most: params.number("most"),
        })
    }
}

/// One rule of the check.
struct Rule {
    close: usize,
    /// Open, high and low.
    others: [Option<usize>; 3],
    volume: Option<usize>,
    name: Arc<str>,
    run: usize,
    series: usize,
    most: f64,
}

/// How a bar stands to the close before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bar {
    /// It has no close, or none stands before it.
    Unknown,
    /// It repeats the close before it, without volume.
    Filled,
    Traded,
}

impl Check for Rule {
    fn context(&self) -> Context {
        // Whether the series is thin hangs on all of its bars.
        Context::Whole
    }

    fn peers(&self) -> Option<&dyn Peers> {
        Some(self)
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let bars = self.bars(series);
        let (mut evaluated, mut insufficient) = (0, 0);
        let (mut runs, mut found): (Runs<()>, Vec<Range<usize>>) = (Runs::new(), Vec::new());
        let mut peers = series.peers.map(PeerTable::walk);
        for (row, bar) in bars.iter().enumerate() {
            let others = peers.as_mut().and_then(|peers| peers.others(series.time[row], value(*bar)));
            let others = others.filter(|others| others.series >= self.series && *bar != Bar::Unknown);
            match others {
                Some(_) => evaluated += series.count(row),
                None => insufficient += series.count(row),
            }
            let filled = *bar == Bar::Filled && others.is_some_and(|others| others.median > 0.5);
            found.extend(runs.take(row, filled.then_some(())).map(|((), rows)| rows));
        }
        found.extend(runs.end().map(|((), rows)| rows));
        let filled = bars.iter().filter(|bar| **bar == Bar::Filled).count();
        let thin = bars.len() >= FEWEST && filled as f64 > self.most * bars.len() as f64;
        let excused = if thin { found.iter().flat_map(Range::clone).map(|row| series.count(row)).sum() } else { 0 };
        findings.evaluated(evaluated - excused);
        findings.excused(excused);
        findings.insufficient(insufficient);
        if !thin {
            let long = found.into_iter().filter(|rows| rows.len() >= self.run);
            findings.findings.extend(long.flat_map(|rows| parts(rows, 2)).map(|rows| self.finding(series, rows)));
        }
    }
}

impl Peers for Rule {
    fn fields(&self) -> Vec<usize> {
        self.others.into_iter().flatten().chain(self.volume).chain([self.close]).collect()
    }

    /// 1 for a bar that traded, 0 for one that repeats the close before it without volume.
    fn values(&self, series: &Series<'_>) -> Vec<f64> {
        self.bars(series).into_iter().map(value).collect()
    }
}

fn value(bar: Bar) -> f64 {
    match bar {
        Bar::Unknown => f64::NAN,
        Bar::Filled => 0.0,
        Bar::Traded => 1.0,
    }
}

impl Rule {
    fn bars(&self, series: &Series<'_>) -> Vec<Bar> {
        let closes = series.number(self.close).values();
        let others = self.others.map(|field| field.map(|index| series.number(index).values()));
        let volumes = self.volume.map(|index| series.number(index).values());
        let mut before = f64::NAN;
        let bar = |row: usize| {
            let close = closes[row];
            if !close.is_finite() {
                return Bar::Unknown;
            }
            let last = std::mem::replace(&mut before, close);
            // A price that is missing says nothing against a bar that was filled.
            let at_last =
                |values: Option<&[f64]>| values.is_none_or(|values| values[row].is_nan() || values[row] == last);
            let still = close == last && others.into_iter().all(at_last);
            let silent = volumes.is_none_or(|volumes| volumes[row].is_nan() || volumes[row] == 0.0);
            match last.is_finite() {
                false => Bar::Unknown,
                true if still && silent => Bar::Filled,
                true => Bar::Traded,
            }
        };
        (0..series.dated()).map(bar).collect()
    }

    fn finding(&self, series: &Series<'_>, rows: Range<usize>) -> Finding {
        let (first, last) = (rows.start, rows.end - 1);
        let others = series.peers.and_then(|peers| peers.walk().others(series.time[first], 0.0));
        let evidence = Evidence { others: others.map_or(0, |others| others.series as u64) };
        let mut finding = Finding::run(rows).field(&self.name).observed(series.number(self.close).values()[first]);
        finding.time_until = (last > first).then(|| series.time[last]);
        finding.evidence(evidence)
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::testing::{evaluated_example, run_examples};

    const RULE: &str = "check = \"filled-forward\"\n";

    /// Daily closes of series A, B and C; one without a dot or with a mark has no volume, and an empty one is no bar.
    fn evaluated(rule: &str, days: &[[&str; 3]]) -> crate::checks::testing::Evaluated {
        let mut csv = String::from("time,symbol,close,volume\n");
        for (day, closes) in days.iter().enumerate() {
            for (symbol, close) in ["A", "B", "C"].iter().zip(closes).filter(|(_, close)| !close.is_empty()) {
                let volume = if close.contains('.') && !close.ends_with('!') { "100" } else { "" };
                let close = close.trim_end_matches('!');
                csv += &format!("2024-01-{:02},{symbol},{close},{volume}\n", day + 1);
            }
        }
        evaluated_example("", &csv, &format!("{RULE}{rule}"))
    }

    #[test]
    fn the_example_of_the_document() {
        run_examples("filled-forward", include_str!("filled_forward.md"));
    }

    #[test]
    fn a_bar_without_volume_is_filled_only_where_the_others_traded() {
        let days =
            [["10.0", "20.0", "30.0"], ["10", "20.5", "30.1"], ["10", "20.5!", "30.1!"], ["10.0", "20.5", "30.2"]];
        assert_eq!(evaluated("", &days).lines, ["A 2024-01-02 close observed=10"]);
    }

    #[test]
    fn bars_in_a_row_are_one_finding_and_a_traded_bar_at_the_same_price_is_none() {
        let days = [["10.0", "20.0", "30.0"], ["10", "20.1", "30.1"], ["10", "20.2", "30.2"], ["10.0", "20.3", "30.3"]];
        let found = evaluated("", &days);
        assert_eq!(found.lines, ["A 2024-01-02 .. 2024-01-03 close observed=10 bars=2"]);
        assert_eq!((found.totals.evaluated, found.totals.insufficient), (9, 3), "the first bars have none before");
        assert_eq!(evaluated("run = 3", &days).lines.len(), 0);
    }

    #[test]
    fn too_few_others_give_no_verdict() {
        let days = [["10.0", "20.0", ""], ["10", "20.1", ""]];
        let found = evaluated("", &days);
        assert_eq!((found.lines.len(), found.totals.insufficient), (0, 4));
        assert_eq!(evaluated("series = 1", &days).lines.len(), 1);
    }

    #[test]
    fn a_thin_series_is_excused() {
        let day = |day: usize| match day % 4 {
            1 => ["10", "20.1", "30.1"],
            _ => ["10.0", "20.2", "30.2"],
        };
        let days: Vec<[&str; 3]> = (0..24).map(day).collect();
        let found = evaluated("", &days);
        assert_eq!((found.lines.len(), found.totals.excused), (0, 6));
        assert_eq!(evaluated("most = 0.5", &days).lines.len(), 6);
    }
}
