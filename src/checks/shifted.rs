//! `shifted`: stretches of bars whose returns are those of the market one or more bars earlier or later.
//!
//! Two models of each return are compared: it follows the median return of the other series at its timestamp, or the one
//! some bars before or after. The log-likelihood ratio of the two is summed over bars, and a stretch over which the sum
//! rises above the limit is shifted (a cumulative sum test, Page 1954). Returns are scaled by their median size and
//! clipped, so that no single day decides.

mod stretch;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::stretch::{Stretch, scaled, stretches};
use super::cause::causes;
use super::params::Params;
use super::{
    Check, CheckKind, Context, Described, Facts, Finding, FindingSink, PeerTable, Peers, Series, Stage, Threshold,
};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::{counted, rough};

/// The check `shifted`.
pub(crate) struct Shifted;

const PARAMS: &[Key] = &[
    key(
        "bars",
        Holds::Count { min: 1, max: 20 },
        Otherwise::Count(2),
        "By how many bars at most a stretch may be shifted, to either side.",
    ),
    key(
        "limit",
        Holds::Number { min: 3.0, max: 1_000.0 },
        Otherwise::Number(20.0),
        "How much likelier a stretch must be with a shift than without, as a natural logarithm.",
    ),
    key(
        "series",
        Holds::Count { min: 2, max: 1_000_000 },
        Otherwise::Count(2),
        "Fewest other series at a timestamp whose median return is that of the market.",
    ),
];

causes! {
    /// The bars show what the market did before.
    Late = "late",
    /// The bars show what the market does after.
    Early = "early",
}

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    /// By how many bars the stretch is shifted.
    shift: usize,
    /// Correlation of its returns with those of the market, shifted.
    shifted: f64,
    /// Correlation as the bars stand.
    as_it_stands: f64,
}

impl Described for Shifted {
    fn name(&self) -> &'static str {
        "shifted"
    }

    fn explain(&self) -> &'static str {
        include_str!("shifted.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { shift, shifted, as_it_stands } = facts.evidence();
        let side = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Late) => "before",
            Some(Cause::Early) => "after",
            None => return facts.generic(),
        };
        format!(
            "{} follow the other series as they were {} {side}: their returns correlate by {} so, by {} as they stand",
            facts.bars(),
            counted(shift as u64, "bar"),
            rough(shifted, 2),
            rough(as_it_stands, 2)
        )
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("shifted_examples.md")
    }
}

impl CheckKind for Shifted {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn compile(&self, params: &mut Params<'_>, _: &BarsSpec) -> Box<dyn Check> {
        Box::new(Rule {
            close: params.bar_field("close"),
            name: Arc::from("close"),
            bars: params.count("bars"),
            limit: params.number("limit"),
            series: params.count("series"),
        })
    }
}

/// One rule of the check.
struct Rule {
    close: usize,
    name: Arc<str>,
    bars: usize,
    limit: f64,
    series: usize,
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "limit", value: self.limit })
    }

    fn context(&self) -> Context {
        // How closely a series follows the others hangs on all of its bars.
        Context::Whole
    }

    fn peers(&self) -> Option<&dyn Peers> {
        Some(self)
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let own = self.values(series);
        let mut peers = series.peers.map(PeerTable::walk);
        let market = |row: usize| {
            let others = peers.as_mut().and_then(|peers| peers.others(series.time[row], own[row]));
            others.filter(|others| others.series >= self.series).map_or(f64::NAN, |others| others.median)
        };
        let market: Vec<f64> = (0..series.dated()).map(market).collect();
        let rows: Vec<usize> =
            (0..series.dated()).filter(|row| own[*row].is_finite() && market[*row].is_finite()).collect();
        let (own, market) = (scaled(&own, &rows), scaled(&market, &rows));
        let Some(found) = stretches(&own, &market, self.bars, self.limit) else {
            return findings.insufficient(series.dated().saturating_sub(series.from));
        };
        let evaluated = rows.iter().filter(|row| **row >= series.from).count();
        findings.evaluated(evaluated);
        findings.insufficient(series.dated().saturating_sub(series.from) - evaluated);
        findings.findings.extend(found.iter().map(|stretch| self.finding(series, &rows, stretch)));
    }
}

impl Peers for Rule {
    fn fields(&self) -> Vec<usize> {
        vec![self.close]
    }

    /// The return of each bar, from the last close before it.
    fn values(&self, series: &Series<'_>) -> Vec<f64> {
        let mut before = f64::NAN;
        let closes = &series.number(self.close).values()[..series.dated()];
        let step = |close: &f64| {
            if !(close.is_finite() && *close > 0.0) {
                return f64::NAN;
            }
            (close / std::mem::replace(&mut before, *close)).ln()
        };
        closes.iter().map(step).collect()
    }
}

impl Rule {
    fn finding(&self, series: &Series<'_>, rows: &[usize], stretch: &Stretch) -> Finding {
        let (first, last) = (rows[stretch.bars.start], rows[stretch.bars.end - 1]);
        let evidence = Evidence {
            shift: stretch.shift.unsigned_abs(),
            shifted: stretch.shifted,
            as_it_stands: stretch.as_it_stands,
        };
        let mut finding = Finding::run(first..last + 1).field(&self.name).score(stretch.score);
        finding.time_until = Some(series.time[last]);
        finding.cause(if stretch.shift > 0 { Cause::Late } else { Cause::Early }).evidence(evidence)
    }
}

#[cfg(test)]
mod tests;
