//! `history`: what a run comes to as a whole is near what the runs of its job before came to.
//!
//! It evaluates no bar and no series, so it is no pass over the bars and sees nothing of them: the totals of a run are known
//! only when all series were evaluated and counted, and those of the runs before stand in the report tables. A run hands
//! both to [`History::conclude`] behind all other rules. That is pure like every check: totals in, findings out.

mod cause;
mod evidence;

use self::cause::Cause;
use self::evidence::Evidence;
use super::across::AcrossSink;
use super::params::Params;
use super::robust::{SIGMA_PER_MAD, deviation, median_of};
use super::run_totals::{History, Measure, RunTotals};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `history`.
pub(crate) struct CheckHistory;

/// Share of the usual value that is no distance, however equal the runs before were.
const FLOOR: f64 = 0.02;
/// The same of a share of bars.
const FLOOR_OF_SHARE: f64 = 0.0005;

const PARAMS: &[Key] = &[
    key("runs", Holds::Count { min: 3, max: 400 }, Otherwise::Count(20), "How many runs before are compared with."),
    key(
        "least",
        Holds::Count { min: 3, max: 400 },
        Otherwise::Count(7),
        "With fewer runs over a window like this one nothing is said.",
    ),
    key(
        "limit",
        Holds::Number { min: 1.0, max: 1000.0 },
        Otherwise::Number(6.0),
        "How many scales from the median of the runs before are too far.",
    ),
];

impl Described for CheckHistory {
    fn name(&self) -> &'static str {
        "history"
    }

    fn explain(&self) -> &'static str {
        include_str!("history.md")
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
}

impl CheckKind for CheckHistory {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Across
    }

    fn flags_rows(&self) -> bool {
        false
    }

    fn compile(&self, params: &mut Params<'_>, _bars: &BarsSpec) -> Box<dyn Check> {
        let (runs, least) = (params.count("runs"), params.count("least"));
        if least > runs {
            let problem = format!("`least` is {least}, and no more than {runs} runs are compared with");
            params.reject("least", problem, "raise `runs`, or lower `least`");
        }
        Box::new(Rule { runs, least, limit: params.number("limit") })
    }
}

struct Rule {
    runs: usize,
    least: usize,
    limit: f64,
}

impl Check for Rule {
    fn context(&self) -> Context {
        Context::NONE
    }

    fn history(&self) -> Option<&dyn History> {
        Some(self)
    }

    fn check(&self, _: &Series<'_>, _: &mut FindingSink) {}
}

impl History for Rule {
    fn runs(&self) -> usize {
        self.runs
    }

    fn conclude(&self, present: &RunTotals, earlier: &[RunTotals], sink: &mut AcrossSink) {
        let earlier = &earlier[earlier.len().saturating_sub(self.runs)..];
        for (measure, value) in &present.values {
            let known: Vec<(&str, f64)> =
                earlier.iter().filter_map(|run| Some((run.run.as_str(), *run.values.get(measure)?))).collect();
            if known.len() < self.least {
                sink.insufficient(1);
                continue;
            }
            sink.evaluated(1);
            sink.findings.extend(self.finding(measure, *value, &known).map(|finding| super::OfSeries {
                note: None,
                finding,
                at_row: false,
            }));
        }
    }
}

impl Rule {
    /// That `value` is too far from what the runs of `known` came to; `None` where it is not.
    fn finding(&self, measure: &Measure, value: f64, known: &[(&str, f64)]) -> Option<Finding> {
        let values: Vec<f64> = known.iter().map(|(_, value)| *value).collect();
        let mut scratch = Vec::new();
        let centre = median_of(&values, &mut scratch);
        let spread = SIGMA_PER_MAD * deviation(&values, centre, &mut scratch);
        // Counts of rare events vary by their root, whatever the few runs before show.
        let floor = match measure.is_share() {
            true => FLOOR_OF_SHARE,
            false => (FLOOR * centre).max(centre.sqrt()).max(1.0),
        };
        let scale = spread.max(floor);
        let reach = self.limit * scale;
        let (lowest, highest) = ((centre - reach).max(0.0), centre + reach);
        let cause = match measure {
            _ if value > highest => Cause::More,
            // Fewer findings, or fewer values that are missing, are no fault.
            Measure::Rows | Measure::Series if value < lowest => Cause::Fewer,
            _ => return None,
        };
        let evidence = Evidence {
            runs: known.len() as u64,
            first: known.first().map(|(run, _)| (*run).to_owned()).unwrap_or_default(),
            last: known.last().map(|(run, _)| (*run).to_owned()).unwrap_or_default(),
            median: centre,
            scale,
            share: measure.is_share(),
        };
        let finding = Finding { bars_affected: 1, ..Finding::default() };
        let expected = finding.field(&measure.name().into()).observed(value).expected(lowest, highest);
        Some(expected.score((value - centre).abs() / scale).cause(cause).evidence(evidence))
    }
}

#[cfg(test)]
mod tests;
