//! `unit-slip`: prices or volumes in another unit, for some bars or from a bar on.
//!
//! Prices in hundredths, in thousandths, or never divided by 10,000 are off by a power of ten, and no market moves so.
//! A slip that comes back is recognised by both its ends, one that stays by what is traded. Volumes are noisy, so they
//! are compared over ten bars on each side.

mod prices;
mod slip;
mod volumes;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::prices::Prices;
use self::slip::Slip;
use super::Exempt;
use super::cause::causes;
use super::params::Params;
use super::usable::{UsableRows, usable};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::{counted, rough};

/// The check `unit-slip`.
pub(crate) struct UnitSlip;

/// So many newest bars in another unit are taken to be wrong; more are a change of the unit.
const NEWEST: usize = 5;

const PARAMS: &[Key] =
    &[key("field", Holds::NumberField, Otherwise::Text("close"), "A price, or `volume` or `amount`.")];

causes! {
    /// It comes back after some bars.
    ComesBack = "comes-back",
    /// It has not come back up to the newest bar.
    Stays = "stays",
}

/// The slip: its factor and its ends.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    /// What the values are multiplied by: 10, 100, 1,000 or 10,000, or one over them.
    factor: f64,
    /// Bars it covers.
    bars: u64,
    /// Whether more bars of the series are in this unit than in the other.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    most_of_the_series: bool,
    /// The value before it.
    previous: Option<f64>,
    /// What the value would be in the unit of the others.
    proposed: Option<f64>,
    /// Whether no bar follows yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
}

impl Described for UnitSlip {
    fn name(&self) -> &'static str {
        "unit-slip"
    }

    fn explain(&self) -> &'static str {
        include_str!("unit_slip.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let evidence: Evidence = facts.evidence();
        let Evidence { factor, bars, proposed, .. } = evidence;
        let times = rough(factor, 4);
        let usual = proposed.map(|proposed| format!("; {} would be in line", rough(proposed, 6))).unwrap_or_default();
        let subject = facts.subject();
        match facts.cause.and_then(Cause::parse) {
            Some(Cause::ComesBack) if evidence.most_of_the_series => {
                format!("{subject} and {} after it are {times} times those before and after", counted(bars, "bar"))
            }
            Some(Cause::ComesBack) => {
                let and = if bars > 1 { format!(" and the {} after it", bars - 1) } else { String::new() };
                format!("{subject}{and}: {times} times the values before and after{usual}")
            }
            Some(Cause::Stays) => {
                let newest = if evidence.provisional { "; no bar follows yet" } else { "" };
                format!("{subject}: {times} times the values before it from here on{usual}{newest}")
            }
            None => facts.generic(),
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("unit_slip_examples.md")
    }
}

impl CheckKind for UnitSlip {
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
        let index = params.number_field("field");
        let name = bars.fields.get(index).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let noisy = ["volume", "amount"].contains(&&*name);
        let other = params.optional_bar_field(if noisy { "close" } else { "volume" });
        Box::new(Rule { index, name, other, noisy })
    }
}

/// One rule of the check.
struct Rule {
    index: usize,
    name: Arc<str>,
    /// The volume beside a price, the close beside a volume, where the bars have it.
    other: Option<usize>,
    /// Whether values of one unit may differ by a factor of ten.
    noisy: bool,
}

impl Check for Rule {
    fn context(&self) -> Context {
        // A slip is as long as it is.
        Context::Whole
    }

    fn counts(&self, series: &Series<'_>, row: usize) -> bool {
        usable(series.number(self.index).values()[row])
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let found = if self.noisy {
            volumes::slips(series, self.index, self.other)
        } else {
            Prices::collect(series, self.index, self.other).slips()
        };
        let counted = |at: &usize| found.rows.row(*at) >= series.from;
        let insufficient = found.insufficient.iter().copied().filter(counted).count();
        findings.evaluated((0..found.rows.len()).filter(counted).count() - insufficient);
        findings.insufficient(insufficient);
        for slip in &found.slips {
            findings.findings.extend(self.findings(series, &found.rows, *slip));
        }
    }
}

impl Rule {
    /// One finding over the bars of a slip; one at each end where it covers most of the series, for then nobody knows
    /// which of both units is the wrong one.
    fn findings(&self, series: &Series<'_>, rows: &UsableRows, slip: Slip) -> Vec<Finding> {
        let end = slip.until.unwrap_or(rows.len());
        let bars = end - slip.from;
        let few = 2 * bars <= rows.len();
        let cause = if slip.until.is_some() { Cause::ComesBack } else { Cause::Stays };
        let newest = slip.until.is_none() && bars <= NEWEST;
        if few && (slip.until.is_some() || newest) {
            return vec![self.finding(series, rows, (slip.from..end, slip.power), cause)];
        }
        let first = self.finding(series, rows, (slip.from..slip.from + 1, slip.power), cause);
        let back = slip.until.map(|back| self.finding(series, rows, (back..back + 1, -slip.power), cause));
        let all = std::iter::once(first).chain(back);
        all.map(|finding| {
            let mut finding = finding.report_only(true);
            if let Some(evidence) = &mut finding.evidence {
                evidence["bars"] = (bars as u64).into();
                evidence["most_of_the_series"] = (!few).into();
            }
            finding
        })
        .collect()
    }

    fn finding(
        &self,
        series: &Series<'_>,
        rows: &UsableRows,
        (at, power): (std::ops::Range<usize>, i32),
        cause: Cause,
    ) -> Finding {
        let values = series.number(self.index).values();
        let value = values[rows.row(at.start)];
        let factor = 10_f64.powi(power);
        let evidence = Evidence {
            factor,
            bars: at.len() as u64,
            most_of_the_series: false,
            previous: at.start.checked_sub(1).map(|before| values[rows.row(before)]),
            proposed: Some(value / factor),
            provisional: cause == Cause::Stays && at.start + 1 == rows.len(),
        };
        let last = rows.row(at.end - 1);
        let finding = if at.len() == 1 { Finding::row(last) } else { Finding::run(rows.row(at.start)..last + 1) };
        let finding = if at.len() == 1 { finding } else { finding.until(series.time[last]) };
        finding.field(&self.name).observed(value).score(factor.max(1.0 / factor)).cause(cause).evidence(evidence)
    }
}

#[cfg(test)]
mod tests;
