//! `pct-change`: the change of a bar must follow from its close and the close before it, as the bar itself has them.
//!
//! Evaluates each row by itself: `change` is `close - pre_close`, `pct_chg` is 100 times their ratio less one. It does
//! not look at the row before, so dividends and splits, which change `pre_close`, are no matter.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cause::causes;
use super::params::Params;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage, Threshold};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::rough;

/// The check `pct-change`.
pub(crate) struct PctChange;

const PARAMS: &[Key] = &[
    key(
        "tolerance",
        Holds::Number { min: 0.0, max: 100.0 },
        Otherwise::Number(0.01),
        "Percentage points by which the change in per cent may be off.",
    ),
    key(
        "tick",
        Holds::Number { min: 0.0, max: 1e9 },
        Otherwise::Number(0.01),
        "The price step of the market; the change may be off by less than it.",
    ),
];

causes! {
    /// The change in per cent does not follow.
    Percent = "percent",
    /// It does once it is multiplied by 100.
    Fraction = "fraction",
    /// The change in units of the price does not follow.
    Change = "change",
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    close: Option<f64>,
    pre_close: Option<f64>,
    /// What follows from them.
    proposed: Option<f64>,
}

impl Described for PctChange {
    fn name(&self) -> &'static str {
        "pct-change"
    }

    fn explain(&self) -> &'static str {
        include_str!("pct_change.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { close, pre_close, proposed } = facts.evidence();
        let from = close.zip(pre_close).map(|(close, before)| format!(" from {before} to {close}")).unwrap_or_default();
        let wanted = proposed.map(|wanted| format!(": {} would", rough(wanted, 6))).unwrap_or_default();
        let fraction = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Fraction) => "; it is a fraction, not per cent",
            Some(Cause::Percent | Cause::Change) => "",
            None => return facts.generic(),
        };
        format!("{} does not follow from the closes{from}{wanted}{fraction}", facts.subject())
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("pct_change_examples.md")
    }
}

impl CheckKind for PctChange {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let closes = ["close", "pre_close"].map(|field| params.bar_field(field));
        let change = params.optional_bar_field("change");
        let percent = match change {
            Some(_) => params.optional_bar_field("pct_chg"),
            // One of the two is needed, and this one is the usual one.
            None => Some(params.bar_field("pct_chg")),
        };
        let name = |index: Option<usize>| {
            index.and_then(|index| bars.fields.get(index)).map(|field| Arc::clone(&field.name)).unwrap_or_default()
        };
        Box::new(Rule {
            closes,
            percent,
            change,
            names: [name(percent), name(change)],
            tolerance: params.number("tolerance"),
            tick: params.number("tick"),
        })
    }
}

/// One rule of the check.
struct Rule {
    /// Close and previous close.
    closes: [usize; 2],
    percent: Option<usize>,
    change: Option<usize>,
    /// Names of the two changes.
    names: [Arc<str>; 2],
    tolerance: f64,
    tick: f64,
}

/// What a row says of its change.
#[derive(Debug, Clone, Copy)]
struct Changes {
    /// Close and previous close.
    closes: [f64; 2],
    percent: Option<f64>,
    change: Option<f64>,
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "tolerance", value: self.tolerance })
    }

    fn context(&self) -> Context {
        Context::NONE
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let mut evaluated = 0;
        for row in 0..series.rows {
            let Some(changes) = self.changes(series, row) else { continue };
            evaluated += series.count(row);
            if let Some(cause) = self.fault(changes) {
                findings.push(self.finding(series, cause, row));
            }
        }
        findings.evaluated(evaluated);
    }
}

impl Rule {
    /// The closes of `row`; none where one is missing or the earlier one is not above zero.
    fn closes(&self, series: &Series<'_>, row: usize) -> Option<[f64; 2]> {
        let closes = self.closes.map(|index| series.number(index).values()[row]);
        (closes.iter().all(|close| close.is_finite()) && closes[1] > 0.0).then_some(closes)
    }

    /// What `row` says of its change; none where it says nothing.
    fn changes(&self, series: &Series<'_>, row: usize) -> Option<Changes> {
        let closes = self.closes(series, row)?;
        let value = |index: Option<usize>| index.map(|index| series.number(index).values()[row]);
        let percent = value(self.percent).filter(|percent| percent.is_finite());
        let change = value(self.change).filter(|change| change.is_finite());
        percent.or(change)?;
        Some(Changes { closes, percent, change })
    }

    /// What is wrong, if anything is.
    fn fault(&self, Changes { closes: [close, before], percent, change }: Changes) -> Option<Cause> {
        let wanted = percent_of(close, before);
        let off = |percent: f64| (percent - wanted).abs() > self.tolerance + 1e-9;
        let of_percent = percent.filter(|percent| off(*percent));
        let of_change = change.filter(|change| {
            let off = (change - (close - before)).abs();
            off >= self.tick.max(1e-9 * close.abs()) && off > 0.0
        });
        match (of_percent, of_change) {
            (Some(percent), _) if !off(100.0 * percent) => Some(Cause::Fraction),
            (Some(_), _) => Some(Cause::Percent),
            (None, Some(_)) => Some(Cause::Change),
            (None, None) => None,
        }
    }

    fn finding(&self, series: &Series<'_>, cause: Cause, row: usize) -> Finding {
        let closes = self.closes(series, row);
        let of_change = cause == Cause::Change;
        let index = if of_change { self.change } else { self.percent };
        let wanted = closes.map(|[close, before]| if of_change { close - before } else { percent_of(close, before) });
        let evidence = Evidence {
            close: closes.map(|closes| closes[0]),
            pre_close: closes.map(|closes| closes[1]),
            proposed: wanted,
        };
        let reach = if of_change { self.tick } else { self.tolerance };
        let name = &self.names[usize::from(of_change)];
        let mut finding = Finding::row(row).field(name).cause(cause).evidence(evidence);
        if let Some(index) = index {
            finding = finding.observed(series.number(index).values()[row]);
        }
        if let Some(wanted) = wanted {
            finding = finding.expected(wanted - reach, wanted + reach);
        }
        finding
    }
}

/// The change from `before` to `close` in per cent.
fn percent_of(close: f64, before: f64) -> f64 {
    100.0 * (close / before - 1.0)
}

#[cfg(test)]
mod tests {
    use crate::checks::testing::{Evaluated, Fixture, compile};

    /// Bars from 2024-01-01 as close, previous close, change and change in per cent.
    fn evaluate(bars: &[&str]) -> Evaluated {
        let mut csv = String::from("time,close,pre_close,change,pct_chg\n");
        for (day, bar) in bars.iter().enumerate() {
            csv += &format!("2024-01-{:02},{bar}\n", day + 1);
        }
        Fixture::daily(&csv).evaluate("check = \"pct-change\"")
    }

    #[test]
    fn changes_that_do_not_follow_name_what_does() {
        let evaluated = evaluate(&["11.98,11.86,0.12,1.0118", "11.98,11.86,0.12,10.118", "11.98,11.86,1.2,1.0118"]);
        let lines = ["2024-01-02 pct_chg observed=10.118 cause=percent", "2024-01-03 change observed=1.2 cause=change"];
        assert_eq!(evaluated.lines, lines);
        let proposed = evaluated.findings[0].evidence.as_ref().unwrap()["proposed"].as_f64().unwrap();
        assert!((proposed - 1.011_804).abs() < 1e-6, "{proposed}");
    }

    #[test]
    fn fractions_are_named() {
        let evaluated = evaluate(&["10.3,10,0.3,0.03", "10.2,10.3,-0.1,-0.9709", "10.4,10.2,0.2,1.9608"]);
        assert_eq!(evaluated.lines, ["2024-01-01 pct_chg observed=0.03 cause=fraction"]);
    }

    #[test]
    fn rows_that_lack_a_close_or_both_changes_are_stepped_over() {
        let evaluated =
            evaluate(&["11.98,,0.12,1", ",11.86,0.12,1", "11.98,11.86,,", "11.98,0,0.12,1", "11.98,11.86,0.12,"]);
        assert_eq!((evaluated.lines.len(), evaluated.totals.evaluated), (0, 1));
    }

    #[test]
    fn one_of_the_two_changes_is_needed() {
        let bars = Fixture::daily("time,close,pre_close\n2024-01-02,1,1");
        let mistakes = compile("check = \"pct-change\"", &bars.spec).err().unwrap_or_default();
        assert!(mistakes[0].title.contains("needs the field `pct_chg`"), "{}", mistakes[0].title);
        let change = Fixture::daily("time,close,pre_close,change\n2024-01-02,2,1,1\n2024-01-03,2,1,5");
        assert_eq!(change.evaluate("check = \"pct-change\"").lines, ["2024-01-03 change observed=5 cause=change"]);
    }
}
