//! `turnover`: the mean price of a bar, amount over volume, must lie between its low and its high.
//!
//! Evaluates each row by itself. Where a power of ten brings the mean into the bar, volume or amount are in another
//! unit, and each row is a finding, for each can be converted; else the prices were adjusted and the others were not, or
//! one of the numbers is wrong, and many rows in a row are one finding.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cause::causes;
use super::params::Params;
use super::runs::{Runs, parts};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage, Threshold};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::{counted, rough};

/// The check `turnover`.
pub(crate) struct Turnover;

const PARAMS: &[Key] = &[
    key(
        "tolerance",
        Holds::Number { min: 0.0, max: 1.0 },
        Otherwise::Number(0.001),
        "Share of a price by which the mean may leave the bar, for rounded amounts.",
    ),
    key(
        "tick",
        Holds::Number { min: 0.0, max: 1e9 },
        Otherwise::Number(0.0),
        "The price step of the market, by which the mean may leave the bar besides.",
    ),
    key(
        "run",
        Holds::Count { min: 2, max: 1_000_000 },
        Otherwise::Count(20),
        "So many bars in a row that are outside are one finding.",
    ),
];

causes! {
    /// A power of ten brings the mean price into the bar.
    Unit = "unit",
    /// No power of ten does.
    Outside = "outside",
}

/// Powers of ten that are tried.
const POWERS: [i32; 8] = [1, -1, 2, -2, 3, -3, 4, -4];

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    amount: Option<f64>,
    volume: Option<f64>,
    /// What the mean price is to be multiplied by.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<f64>,
    /// What that means, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<Cow<'static, str>>,
    bars: u64,
    /// Volume and amount in the units of the prices, where it is known which of them to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed: Option<Proposed>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
struct Proposed {
    volume: f64,
    amount: f64,
}

impl Described for Turnover {
    fn name(&self) -> &'static str {
        "turnover"
    }

    fn explain(&self) -> &'static str {
        include_str!("turnover.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { times, units, bars, .. } = facts.evidence();
        let mean = facts.observed.map(|mean| format!(" {}", rough(mean, 6))).unwrap_or_default();
        let run = if bars > 1 { format!(", in {} in a row", counted(bars, "bar")) } else { String::new() };
        let what = format!("amount over volume,{mean}, is not a price of the bar{}{run}", facts.allowed());
        match (facts.cause.and_then(Cause::parse), times) {
            (Some(Cause::Unit), times) => {
                let times = times.map(|times| format!(": times {} it is", rough(times, 4))).unwrap_or_default();
                let units = units.map(|units| format!("; {units}")).unwrap_or_default();
                format!("{what}{times}{units}")
            }
            (Some(Cause::Outside), _) => format!("{what}: prices of another adjustment, or a wrong volume or amount"),
            (None, _) => facts.generic(),
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("turnover_examples.md")
    }
}

impl CheckKind for Turnover {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, _bars: &BarsSpec) -> Box<dyn Check> {
        let columns = ["high", "low", "volume", "amount"].map(|field| params.bar_field(field));
        Box::new(Rule {
            columns,
            name: Arc::from("amount"),
            tolerance: params.number("tolerance"),
            tick: params.number("tick"),
            run: params.count("run"),
        })
    }
}

/// One rule of the check.
struct Rule {
    /// High, low, volume and amount.
    columns: [usize; 4],
    name: Arc<str>,
    tolerance: f64,
    tick: f64,
    run: usize,
}

/// One bar, with all four numbers above zero.
#[derive(Debug, Clone, Copy)]
struct Bar {
    volume: f64,
    amount: f64,
    /// What its mean price may be.
    lowest: f64,
    highest: f64,
}

/// A mean price outside of its bar; with the power of ten that brings it in, if one does.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Outside {
    power: Option<i32>,
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "tolerance", value: self.tolerance })
    }

    fn context(&self) -> Context {
        Context::Run { least: self.run }
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let columns = self.columns.map(|index| series.number(index).values());
        let (mut runs, mut evaluated) = (Runs::new(), 0);
        for row in 0..series.rows {
            let bar = self.bar(columns.map(|column| column[row]));
            evaluated += bar.map_or(0, |_| series.count(row));
            let fault = bar.and_then(Bar::outside);
            if let Some(fault) = fault.filter(|fault| fault.power.is_some()) {
                findings.push(self.finding(series, fault, row..row + 1));
            }
            if let Some((fault, rows)) = runs.take(row, fault.filter(|fault| fault.power.is_none())) {
                findings
                    .findings
                    .extend(parts(rows, self.run).into_iter().map(|rows| self.finding(series, fault, rows)));
            }
        }
        if let Some((fault, rows)) = runs.end() {
            findings.findings.extend(parts(rows, self.run).into_iter().map(|rows| self.finding(series, fault, rows)));
        }
        findings.evaluated(evaluated);
    }
}

impl Rule {
    /// The bar of these numbers; none where one of them is missing or not above zero.
    fn bar(&self, [high, low, volume, amount]: [f64; 4]) -> Option<Bar> {
        let all = [high, low, volume, amount].iter().all(|value| value.is_finite() && *value > 0.0);
        all.then_some(Bar {
            volume,
            amount,
            lowest: low * (1.0 - self.tolerance) - self.tick,
            highest: high * (1.0 + self.tolerance) + self.tick,
        })
    }

    fn finding(&self, series: &Series<'_>, fault: Outside, rows: Range<usize>) -> Finding {
        let row = rows.start;
        let [_, _, volume, amount] = self.columns.map(|index| series.number(index).values()[row]);
        let bar = self.bar(self.columns.map(|index| series.number(index).values()[row]));
        let (lowest, highest) = bar.map_or((f64::NEG_INFINITY, f64::INFINITY), |bar| (bar.lowest, bar.highest));
        let (units, proposed) = fault.power.map_or((None, None), |power| meaning(power, volume, amount));
        let evidence = Evidence {
            amount: Some(amount),
            volume: Some(volume),
            times: fault.power.map(|power| 10_f64.powi(power)),
            units: units.map(Cow::Borrowed),
            bars: rows.len() as u64,
            proposed,
        };
        let cause = if fault.power.is_some() { Cause::Unit } else { Cause::Outside };
        let several = rows.len() > 1;
        let until = series.time.get(rows.end - 1).filter(|_| several);
        let finding = if several { Finding::run(rows) } else { Finding::row(row) };
        let finding = finding.field(&self.name).observed(amount / volume).expected(lowest, highest);
        let finding = finding.cause(cause).evidence(evidence);
        match until {
            Some(until) => finding.until(*until),
            None => finding,
        }
    }
}

impl Bar {
    fn outside(self) -> Option<Outside> {
        let mean = self.amount / self.volume;
        let inside = |mean: f64| mean >= self.lowest && mean <= self.highest;
        let power = || POWERS.into_iter().find(|power| inside(mean * 10_f64.powi(*power)));
        (!inside(mean)).then(|| Outside { power: power() })
    }
}

/// What a power of ten says of the units, and what volume and amount would be in those of the prices. China's exchanges
/// count shares in hands of a hundred, and one of its vendors amounts in thousands.
fn meaning(power: i32, volume: f64, amount: f64) -> (Option<&'static str>, Option<Proposed>) {
    let (units, hundreds, thousands) = match power {
        1 => ("volume in hundreds and amount in thousands", true, true),
        -2 => ("volume in hundreds", true, false),
        3 => ("amount in thousands", false, true),
        _ => return (None, None),
    };
    let proposed = Proposed {
        volume: if hundreds { volume * 100.0 } else { volume },
        amount: if thousands { amount * 1000.0 } else { amount },
    };
    (Some(units), Some(proposed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::checks::testing::{Evaluated, Fixture};

    /// Bars from 2024-01-01 as high, low, volume and amount.
    fn evaluate(more: &str, bars: &[&str]) -> Evaluated {
        let mut csv = String::from("time,high,low,volume,amount\n");
        for (day, bar) in bars.iter().enumerate() {
            csv += &format!("2024-01-{:02},{bar}\n", day + 1);
        }
        Fixture::daily(&csv).evaluate(&format!("check = \"turnover\"\n{more}"))
    }

    #[test]
    fn units_of_a_vendor_are_named_and_the_numbers_in_line_proposed() {
        // Ping An Bank on 2020-02-13: hands and thousands of yuan, hands and yuan, shares and yuan.
        let evaluated = evaluate(
            "",
            &[
                "11.99,11.85,334090.45,398582.36",
                "11.99,11.85,334090.45,398582360",
                "11.99,11.85,33409045,398582360",
                "11.99,11.85,33409045,398582.36",
            ],
        );
        let times: Vec<f64> =
            evaluated.findings.iter().map(|f| f.evidence.as_ref().unwrap()["times"].as_f64().unwrap()).collect();
        assert_eq!(times, [10.0, 0.01, 1000.0]);
        let proposed = &evaluated.findings[0].evidence.as_ref().unwrap()["proposed"];
        assert_eq!(*proposed, json!({ "volume": 33_409_045.0, "amount": 398_582_360.0 }));
        assert!(evaluated.findings.iter().all(|finding| finding.cause == Some("unit")));
    }

    #[test]
    fn bars_in_a_row_with_one_fault_are_one_finding() {
        let (adjusted, good) = ("5.99,5.92,100,1190", "11.99,11.85,100,1190");
        let evaluated = evaluate("run = 3", &[adjusted, adjusted, adjusted, good, adjusted]);
        let lines = [
            "2024-01-01 .. 2024-01-03 amount observed=11.9 bars=3 cause=outside",
            "2024-01-05 amount observed=11.9 cause=outside",
        ];
        assert_eq!((evaluated.lines.as_slice(), evaluated.totals.evaluated), (&lines.map(String::from)[..], 5));
    }

    #[test]
    fn a_step_and_a_tolerance_pass_and_bars_without_trades_are_stepped_over() {
        let bars = ["10.00,9.90,100,1000.5", "10.00,9.90,0,0", "10.00,9.90,,", "0,0,100,5", "10.00,9.90,100,1001.9"];
        let evaluated = evaluate("", &bars);
        assert_eq!((evaluated.lines.len(), evaluated.totals.evaluated), (1, 2));
        assert_eq!(evaluate("tick = 0.01", &bars).lines.len(), 0);
        assert_eq!(evaluate("tolerance = 0.0", &bars).lines.len(), 2);
    }
}
