//! `split`: the level of the prices changes over night, and no trade did it.
//!
//! Looks at each open against the close before it, and asks `jump.rs` what a large step looks like. Corporate actions
//! are not known here: a split that the prices are not adjusted for is a finding.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Exempt;
use super::cause::causes;
use super::jump::{Jump, Levels, Look};
use super::params::Params;
use super::usable::usable;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage, Threshold};
use crate::bars::BarsSpec;
use crate::market::Interval;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::rough;

/// The check `split`.
pub(crate) struct Split;

const PARAMS: &[Key] = &[
    key(
        "floor",
        Holds::Number { min: 0.001, max: 10.0 },
        Otherwise::Number(0.05),
        "Smallest log return over night that can be one.",
    ),
    key(
        "limit",
        Holds::Number { min: 1.0, max: 1_000.0 },
        Otherwise::Number(8.0),
        "How many robust standard deviations of the returns around it the step must reach.",
    ),
];

causes! {
    /// The ratio is that of a split or of bonus shares, and as much was traded as usual.
    Split = "split",
    /// Another level for no reason that is seen.
    LevelShift = "level-shift",
    /// Much more or much less is traded from there on.
    OtherCompany = "other-company",
}

/// The step and what it looks like.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    /// Open over the close before it.
    ratio: Option<f64>,
    /// The close before it.
    previous: Option<f64>,
    /// The split it looks like, as old to new shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<Cow<'static, str>>,
    /// The usual size of a return.
    sigma: Option<f64>,
    /// How many times the usual value was traded.
    #[serde(skip_serializing_if = "Option::is_none")]
    traded: Option<f64>,
    /// What prices and volumes before it would be multiplied by.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed: Option<Proposed>,
    /// Whether no bar follows yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Proposed {
    prices_before: f64,
    volumes_before: f64,
}

impl Described for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn explain(&self) -> &'static str {
        include_str!("split.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { ratio, previous, split, provisional, .. } = facts.evidence();
        let number = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| rough(value, 4));
        let what = format!("{} is {} times the close before it, {}", facts.subject(), number(ratio), number(previous));
        let looks = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Split) => {
                let split = split.map(|split| format!(" {split}")).unwrap_or_default();
                format!("{what}: looks like a split{split} that the prices before it are not adjusted for")
            }
            Some(Cause::LevelShift) => {
                format!(
                    "{what}, stays there, and no more than usual was traded: prices of another adjustment or source"
                )
            }
            Some(Cause::OtherCompany) => {
                format!("{what}, and what is traded changes with it: another company under the same name, perhaps")
            }
            None => return facts.generic(),
        };
        if provisional { format!("{looks}; no bar follows yet") } else { looks }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("split_examples.md")
    }
}

impl CheckKind for Split {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn excused_by_default(&self) -> &'static [Exempt] {
        &[Exempt::CorporateAction, Exempt::Listing]
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let days = match bars.interval {
            Interval::Week => 7,
            Interval::Month => 31,
            Interval::Day | Interval::Seconds(_) => 1,
        };
        Box::new(Rule {
            open: params.optional_bar_field("open"),
            close: params.bar_field("close"),
            volume: params.optional_bar_field("volume"),
            name: Arc::from(if bars.field("open").is_some() { "open" } else { "close" }),
            floor: params.number("floor"),
            limit: params.number("limit"),
            step_us: days * crate::bars::DAY_US,
        })
    }
}

/// One rule of the check.
struct Rule {
    open: Option<usize>,
    close: usize,
    volume: Option<usize>,
    name: Arc<str>,
    floor: f64,
    limit: f64,
    /// Microseconds from bar to bar, a day at least.
    step_us: i64,
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "limit", value: self.limit })
    }

    fn context(&self) -> Context {
        // The returns before and after a step need one bar more.
        Context::Bars { before: 62, after: 62 }
    }

    fn counts(&self, series: &Series<'_>, row: usize) -> bool {
        usable(series.number(self.close).values()[row])
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let levels = Levels::collect(series, self.open, self.close, self.volume);
        let (up, down) = (self.floor.exp(), (-self.floor).exp());
        let count = |at: usize| series.count(levels.rows.row(at));
        let first = (0..levels.len()).find(|at| count(*at) > 0).unwrap_or(levels.len());
        // The first of all levels has none before it.
        let mut undecided = if levels.len() > 0 { count(0) } else { 0 };
        let (mut excused, mut scratch) = (0, Vec::new());
        for at in 1..levels.len() {
            let ratio = levels.open[at] / levels.close[at - 1];
            if ratio < up && ratio > down {
                continue;
            }
            if levels.after_a_break(at, self.step_us) {
                excused += count(at);
                continue;
            }
            // Most of what is left ends here.
            if levels.is_known(at) && levels.is_lively(at, ratio.ln().abs() / self.limit) {
                continue;
            }
            match levels.jump(at, &mut scratch) {
                None => undecided += count(at),
                Some(jump) => findings.findings.extend(self.finding(&levels, &jump)),
            }
        }
        findings.evaluated(levels.len() - first - undecided - excused);
        findings.insufficient(undecided);
        findings.excused(excused);
    }
}

impl Rule {
    fn finding(&self, levels: &Levels<'_>, jump: &Jump) -> Option<Finding> {
        let at = jump.at;
        let previous = levels.close[at - 1];
        // A step of the smallest size there is says nothing, however large it is against the price.
        let one_step =
            levels.step(at, f64::INFINITY).is_some_and(|step| (levels.open[at] - previous).abs() <= 2.0 * step);
        if jump.size.abs() < self.limit * jump.sigma || !jump.lasts() || one_step {
            return None;
        }
        let (cause, split) = match jump.look() {
            Look::Split(name, factor) => (Cause::Split, Some((name, factor))),
            Look::Level => (Cause::LevelShift, None),
            Look::OtherCompany => (Cause::OtherCompany, None),
            // Units are those of `unit-slip`.
            Look::Unit(_) | Look::Move => return None,
        };
        let evidence = Evidence {
            ratio: Some(jump.size.exp()),
            previous: Some(previous),
            split: split.map(|(name, _)| Cow::Borrowed(name)),
            sigma: Some(jump.sigma),
            traded: jump.value,
            proposed: split.map(|(_, factor)| Proposed { prices_before: factor, volumes_before: 1.0 / factor }),
            provisional: at + 1 == levels.len(),
        };
        // The bar itself is as good as those before it: which of both sides is to change is not for a rule to say.
        Some(
            Finding::row(levels.rows.row(at))
                .field(&self.name)
                .observed(levels.open[at])
                .score(jump.size.abs() / jump.sigma.max(f64::MIN_POSITIVE))
                .cause(cause)
                .report_only(true)
                .evidence(evidence),
        )
    }
}

#[cfg(test)]
mod tests;
