//! `copied-series`: two names, one set of bars.
//!
//! Notes of each series a sample of its bars: those of timestamps that a number made of the timestamp chooses, so that two
//! series are sampled at the same ones, and no more of a long series than of a short one. Bars that are equal in two
//! series have equal numbers; series that share some are compared, so no pair is looked at that shares nothing.

mod cause;
mod evidence;
mod pairs;
mod sample;

use self::cause::Cause;
use self::evidence::Evidence;
use self::pairs::{Pair, pairs};
use self::sample::{Fields, Sample};
use super::across::{Across, AcrossSink, Note, Noted};
use super::params::Params;
use super::{Check, CheckKind, Described, Facts, Finding, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// Fewest sampled bars that say something of all, where a rule does not ask for fewer bars.
const FEWEST: u64 = 20;

/// The check `copied-series`.
pub(crate) struct CopiedSeries;

const PARAMS: &[Key] = &[
    key(
        "bars",
        Holds::Count { min: 2, max: 1_000_000_000 },
        Otherwise::Count(60),
        "Bars that two series must have at the same timestamps to be compared.",
    ),
    key(
        "share",
        Holds::Share,
        Otherwise::Number(0.95),
        "Share of these that are equal where one is a copy of the other.",
    ),
];

impl Described for CopiedSeries {
    fn name(&self) -> &'static str {
        "copied-series"
    }

    fn explain(&self) -> &'static str {
        include_str!("copied_series.md")
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

impl CheckKind for CopiedSeries {
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
        let close = params.bar_field("close");
        let others = ["open", "high", "low"].map(|field| params.optional_bar_field(field));
        let fields = Fields { close, others, volume: params.optional_bar_field("volume") };
        let several = bars.series.len() > 1;
        Box::new(Rule { fields, bars: params.count("bars") as u64, share: params.number("share"), several })
    }
}

/// One rule of the check.
struct Rule {
    fields: Fields,
    bars: u64,
    share: f64,
    /// Whether a symbol may be there from several sources, which then have the same bars.
    several: bool,
}

impl Across for Rule {
    fn note(&self, series: &Series<'_>) -> Option<Noted> {
        Some(Noted { bytes: Sample::of(&self.fields, series).to_bytes(), row: None })
    }

    fn least_series(&self) -> usize {
        2
    }

    fn conclude(&self, notes: &[Note], sink: &mut AcrossSink) {
        let samples: Vec<Sample> = notes.iter().map(|note| Sample::from_bytes(&note.bytes)).collect();
        let fewest = self.bars.min(FEWEST);
        for sample in &samples {
            match notes.len() > 1 && sample.usable >= self.bars {
                true => sink.evaluated(sample.rows),
                false => sink.insufficient(sample.rows),
            }
        }
        let other_names = |one: usize, other: usize| !self.several || notes[one].symbol != notes[other].symbol;
        let mut found: Vec<Pair> = pairs(&samples, fewest, other_names)
            .into_iter()
            .filter(|pair| {
                let common = pair.compared.saturating_mul(pair.one_of);
                pair.compared >= fewest && common >= self.bars && pair.equal as f64 >= self.share * pair.compared as f64
            })
            .collect();
        // A copy is reported once, as that of the first series by name that has its bars.
        found.sort_unstable_by_key(|pair| (pair.copy, pair.of));
        found.dedup_by_key(|pair| pair.copy);
        for pair in found {
            let evidence = Evidence {
                other: notes[pair.of].series.clone(),
                compared: pair.compared,
                equal: pair.equal,
                one_of: pair.one_of,
            };
            let bars = pair.equal.saturating_mul(pair.one_of);
            let finding = Finding::gap(pair.span.0, pair.span.1, bars).cause(Cause::Copy);
            let finding =
                finding.observed(pair.equal as f64 / pair.compared as f64).expected(f64::NEG_INFINITY, self.share);
            sink.push(pair.copy, finding.evidence(evidence));
        }
    }
}

#[cfg(test)]
mod tests;
