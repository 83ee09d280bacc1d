//! `tick-size`: a price between two steps of the market.
//!
//! Evaluates each row by itself and reports many rows in a row with such prices as one finding: they were adjusted, and end
//! where the raw prices begin.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cause::causes;
use super::params::Params;
use super::runs::{Runs, parts};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, NumberColumn, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::{counted, rough};

/// The check `tick-size`.
pub(crate) struct TickSize;

const PARAMS: &[Key] = &[
    key("tick", Holds::Number { min: 1e-12, max: 1e9 }, Otherwise::Mistake, "The price step of the market."),
    key(
        "run",
        Holds::Count { min: 2, max: 1_000_000 },
        Otherwise::Count(20),
        "So many bars in a row off the step are taken to be adjusted prices.",
    ),
];

/// Part of a step by which a price may miss it: a price has some 15 digits.
const TOLERANCE: f64 = 1e-4;

const PRICES: [&str; 4] = ["open", "high", "low", "close"];

causes! {
    /// The bar is off the step.
    OffTick = "off-tick",
    /// One of many bars in a row: their prices were adjusted.
    Adjusted = "adjusted",
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    tick: f64,
    bars: u64,
    /// The steps beside the price.
    beside: Option<[f64; 2]>,
}

impl Described for TickSize {
    fn name(&self) -> &'static str {
        "tick-size"
    }

    fn explain(&self) -> &'static str {
        include_str!("tick_size.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { tick, bars, .. } = facts.evidence();
        let off = format!("{} is not a multiple of the price step {}", facts.subject(), rough(tick, 12));
        match facts.cause.and_then(Cause::parse) {
            Some(Cause::OffTick) => off,
            Some(Cause::Adjusted) => {
                format!("{off}, in {} in a row: they were adjusted, unlike those beside them", counted(bars, "bar"))
            }
            None => facts.generic(),
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("tick_size_examples.md")
    }
}

impl CheckKind for TickSize {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, _bars: &BarsSpec) -> Box<dyn Check> {
        params.bar_field("close");
        let prices =
            PRICES.iter().filter_map(|name| Some((params.optional_bar_field(name)?, Arc::from(*name)))).collect();
        Box::new(Rule { prices, tick: params.number("tick"), run: params.count("run") })
    }
}

/// One rule of the check.
struct Rule {
    /// Columns of the prices, with their names.
    prices: Vec<(usize, Arc<str>)>,
    tick: f64,
    run: usize,
}

impl Check for Rule {
    fn context(&self) -> Context {
        Context::Run { least: self.run }
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let columns: Vec<NumberColumn<'_>> = self.prices.iter().map(|(index, _)| series.number(*index)).collect();
        let (mut runs, mut evaluated) = (Runs::new(), 0);
        for row in 0..series.rows {
            let priced = columns.iter().any(|column| column.values()[row].is_finite());
            evaluated += if priced { series.count(row) } else { 0 };
            let off = columns.iter().any(|column| self.is_off(column.values()[row]));
            if let Some(((), rows)) = runs.take(row, off.then_some(())) {
                findings
                    .findings
                    .extend(parts(rows, self.run).into_iter().map(|rows| self.finding(series, &columns, rows)));
            }
        }
        if let Some(((), rows)) = runs.end() {
            findings
                .findings
                .extend(parts(rows, self.run).into_iter().map(|rows| self.finding(series, &columns, rows)));
        }
        findings.evaluated(evaluated);
    }
}

impl Rule {
    /// Whether a price lies between two steps; none where it is NULL, NaN or infinite.
    fn is_off(&self, price: f64) -> bool {
        let steps = price / self.tick;
        steps.is_finite() && (steps - steps.round()).abs() > TOLERANCE.max(steps.abs() * 1e-12)
    }

    fn finding(&self, series: &Series<'_>, columns: &[NumberColumn<'_>], rows: Range<usize>) -> Finding {
        let first = rows.start;
        let place = columns.iter().position(|column| self.is_off(column.values()[first])).unwrap_or(0);
        let price = columns[place].values()[first];
        let below = (price / self.tick).floor() * self.tick;
        let bars = rows.len();
        let evidence = Evidence { tick: self.tick, bars: bars as u64, beside: Some([below, below + self.tick]) };
        let cause = if bars >= self.run { Cause::Adjusted } else { Cause::OffTick };
        let finding = if bars == 1 { Finding::row(first) } else { Finding::run(rows.clone()) };
        let until = series.time.get(rows.end - 1).filter(|_| bars > 1);
        let finding = finding.field(&self.prices[place].1).observed(price).cause(cause).evidence(evidence);
        match until {
            Some(until) => finding.until(*until),
            None => finding,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checks::testing::{Fixture, compile};

    const RULE: &str = "check = \"tick-size\"\ntick = 0.01\nrun = 3";

    #[test]
    fn prices_between_two_steps_are_one_finding_for_bars_in_a_row() {
        let csv = "time,open,close\n2024-01-02,10.01,10.02\n2024-01-03,10.013,10.02\n2024-01-04,10.02,10.03\n\
                   2024-01-05,9.8737,9.9\n2024-01-08,9.9,9.9123\n2024-01-09,9.9111,9.9\n2024-01-10,10.1,10.2\n";
        let evaluated = Fixture::daily(csv).evaluate(RULE);
        let lines = [
            "2024-01-03 open observed=10.013 cause=off-tick",
            "2024-01-05 .. 2024-01-09 open observed=9.8737 bars=3 cause=adjusted",
        ];
        assert_eq!((evaluated.lines.as_slice(), evaluated.totals.evaluated), (&lines.map(String::from)[..], 7));
        let evidence = evaluated.findings[0].evidence.as_ref().unwrap();
        let beside = [&evidence["beside"][0], &evidence["beside"][1]].map(|step| step.as_f64().unwrap());
        assert!((beside[0] - 10.01).abs() < 1e-9 && (beside[1] - 10.02).abs() < 1e-9);
    }

    #[test]
    fn prices_on_the_step_pass_however_large_or_missing() {
        let csv = "time,close\n2024-01-02,0.07\n2024-01-03,1234567.89\n2024-01-04,\n2024-01-05,-37.63\n2024-01-08,NaN\n\
                   2024-01-09,0\n2024-01-10,0.29\n";
        let evaluated = Fixture::daily(csv).evaluate(RULE);
        assert_eq!((evaluated.lines.len(), evaluated.totals.evaluated), (0, 5));
        let fine = Fixture::daily("time,close\n2024-01-02,0.0000123\n2024-01-03,0.00001235")
            .evaluate("check = \"tick-size\"\ntick = 1e-7");
        assert_eq!(fine.lines, ["2024-01-03 close observed=0.00001235 cause=off-tick"]);
    }

    #[test]
    fn a_tick_must_be_given() {
        let bars = Fixture::column("close", &[]);
        assert!(compile("check = \"tick-size\"", &bars.spec).is_err());
    }
}
