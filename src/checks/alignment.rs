//! `alignment`: a series that misses what most others have, and timestamps that most series miss.
//!
//! Notes of each series where it has bars, one bit a timestamp. A series is compared only between its own first and last
//! bar, and only at timestamps at which at least half of the other series there have a bar: so what the source lost of
//! all series is the fault of none.

mod cause;
mod evidence;
mod presence;
mod sweep;

use self::cause::Cause;
use self::evidence::Evidence;
use self::presence::{Positions, Presence};
use self::sweep::{Compared, Outage, Sweep};
use super::across::{Across, AcrossSink, Note, Noted};
use super::params::Params;
use super::reason::{Excused, Reason};
use super::robust::{SIGMA_PER_MAD, deviation, median_of};
use super::{Check, CheckKind, Described, Facts, Finding, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// A series misses more than the others do where its share lies so many deviations above theirs.
const DEVIATIONS: f64 = 3.0;
/// Bars that come and go by themselves make a run of empty timestamps as long as an outage with less than this many in a
/// job.
const BY_CHANCE: f64 = 0.01;

/// The check `alignment`.
pub(crate) struct Alignment;

const PARAMS: &[Key] = &[
    key(
        "share",
        Holds::Number { min: 0.0, max: 1.0 },
        Otherwise::Number(0.005),
        "Share of the timestamps that others have which a series may miss, however few the others miss.",
    ),
    key(
        "min",
        Holds::Count { min: 1, max: 1_000_000 },
        Otherwise::Count(200),
        "Timestamps that others have with which a series can be evaluated.",
    ),
];

impl Described for Alignment {
    fn name(&self) -> &'static str {
        "alignment"
    }

    fn explain(&self) -> &'static str {
        include_str!("alignment.md")
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
        include_str!("alignment_examples.md")
    }
}

impl CheckKind for Alignment {
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
        let (share, min) = (params.number("share"), params.count("min"));
        Box::new(Rule { share, min: min as u64, positions: Positions::of(bars) })
    }
}

/// One rule of the check.
struct Rule {
    share: f64,
    min: u64,
    positions: Positions,
}

impl Across for Rule {
    fn note(&self, series: &Series<'_>) -> Option<Noted> {
        let mut presence = Presence::new(&self.positions, series.time)?;
        if !series.facts.is_empty() {
            presence = presence.with_facts(&self.positions, series.time, series.facts);
        }
        Some(Noted { bytes: presence.to_bytes(), row: None })
    }

    fn least_series(&self) -> usize {
        2
    }

    fn conclude(&self, notes: &[Note], sink: &mut AcrossSink) {
        let read = |(index, note): (usize, &Note)| Some((index, Presence::from_bytes(&note.bytes)?));
        let (indices, series): (Vec<usize>, Vec<Presence>) = notes.iter().enumerate().filter_map(read).unzip();
        let sweep = Sweep::new(&series);
        let compared: Vec<Compared> = (0..series.len()).map(|index| sweep.compared(index)).collect();
        for (compared, presence) in compared.iter().zip(&series) {
            match compared.eligible >= self.min {
                true => sink.evaluated(presence.rows),
                false => sink.insufficient(presence.rows),
            }
            for (reason, bars) in Reason::ALL.iter().zip(presence.explained) {
                let bars = bars.unsigned_abs();
                sink.excuse(*reason, Excused { findings: u64::from(bars > 0), bars });
            }
        }
        self.report_series(&sweep, &compared, &indices, sink);
        if self.positions.expected() {
            for outage in sweep.outages.iter().filter(|outage| is_no_chance(outage, &sweep)) {
                sink.push_of_all(self.outage(outage));
            }
        }
    }
}

impl Rule {
    /// The series that miss more than the others do.
    fn report_series(&self, sweep: &Sweep<'_>, compared: &[Compared], indices: &[usize], sink: &mut AcrossSink) {
        let enough = |compared: &&Compared| compared.eligible >= self.min;
        let shares: Vec<f64> = compared.iter().filter(enough).map(share).collect();
        let mut scratch = Vec::new();
        let usual = median_of(&shares, &mut scratch);
        let spread = SIGMA_PER_MAD * deviation(&shares, usual, &mut scratch);
        let limit = self.share.max(usual + DEVIATIONS * spread);
        for (index, compared) in compared.iter().enumerate().filter(|(_, compared)| enough(compared)) {
            let missed = share(compared);
            if missed <= limit {
                continue;
            }
            let runs = sweep.runs(index);
            let longest = runs.iter().max_by_key(|run| run.2).copied().unwrap_or_default();
            let first = runs.first().map_or(0, |run| self.positions.timestamp(run.0));
            let last = runs.last().map_or(0, |run| self.positions.timestamp(run.1));
            let evidence = Evidence {
                eligible: compared.eligible,
                missing: compared.missing,
                runs: runs.len() as u64,
                longest_at: self.positions.timestamp(longest.0),
                longest: longest.2,
                usual,
                ..Evidence::default()
            };
            let finding = Finding::gap(first, last, compared.missing).cause(Cause::Misses).observed(missed);
            let finding = finding.expected(f64::NEG_INFINITY, limit).score(missed / limit);
            sink.push(indices[index], finding.evidence(evidence));
        }
    }

    fn outage(&self, outage: &Outage) -> Finding {
        let (first, last) = (self.positions.timestamp(outage.span.0), self.positions.timestamp(outage.span.1));
        let evidence = Evidence { series: outage.series, missing: outage.missing, ..Evidence::default() };
        Finding::gap(first, last, outage.bars).cause(Cause::Outage).evidence(evidence)
    }
}

/// The share of the timestamps that others have which a series misses.
fn share(compared: &Compared) -> f64 {
    compared.missing as f64 / compared.eligible.max(1) as f64
}

/// Whether timestamps that come and go by themselves do not explain an outage. Where each bar is missing by itself with
/// the usual share q, the chance that a share p of n or more are missing is at most exp(-n K), with the relative entropy
/// K of p and q (Chernoff 1952). One timestamp counts with the share that is missing there, the others with one half.
fn is_no_chance(outage: &Outage, sweep: &Sweep<'_>) -> bool {
    let (there, all) = sweep.usual;
    // As if one more bar were there and one more missing, so that a share is never 0.
    let usual = (all - there + 1) as f64 / (all + 2) as f64;
    if usual >= 0.5 {
        return false;
    }
    let worst = entropy(outage.missing as f64 / outage.series as f64, usual);
    let others = (outage.bars - 1) as f64 * entropy(0.5, usual);
    let log_chance = -(outage.series as f64) * (worst + others);
    log_chance + (sweep.positions.max(1) as f64).ln() < BY_CHANCE.ln()
}

/// The relative entropy of the shares `p` and `q`.
fn entropy(p: f64, q: f64) -> f64 {
    let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

#[cfg(test)]
mod tests;
