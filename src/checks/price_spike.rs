//! `price-spike`: a price that goes out and comes back with the next bar.
//!
//! A close whose return is large and undone by the next one. Looks one bar ahead. Compares each bar with the usable
//! bars beside it (finite, above zero); sessions and gaps are not known here.

mod cause;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::cause::Cause;

use super::Exempt;
use super::params::Params;
use super::robust::{SIGMA_PER_MAD, deviation, median_of};
use super::steps::is_smallest;
use super::traded::{SIDE, busy};
use super::usable::{UsableRows, usable};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage, Threshold};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::percent;

/// The check `price-spike`.
pub(crate) struct PriceSpike;

/// Fewest earlier returns that say what is usual.
const FEWEST_RETURNS: usize = 20;

/// Largest log return that volume explains: no market doubles for a bar and comes back.
const LARGEST_MOVE: f64 = 0.7;

const PARAMS: &[Key] = &[
    key("field", Holds::NumberField, Otherwise::Text("close"), "The price whose returns are evaluated."),
    key(
        "limit",
        Holds::Number { min: 0.5, max: 1_000.0 },
        Otherwise::Number(8.0),
        "How many robust standard deviations of the earlier returns a return must reach.",
    ),
    key(
        "floor",
        Holds::Number { min: 0.0, max: 10.0 },
        Otherwise::Number(0.03),
        "Smallest log return that can be a spike, however quiet the prices before it.",
    ),
    key(
        "reversal",
        Holds::Number { min: 0.0, max: 1.0 },
        Otherwise::Number(0.25),
        "Largest part of the move that may remain after the next bar.",
    ),
    key(
        "window",
        Holds::Count { min: 20, max: 10_000 },
        Otherwise::Count(60),
        "Earlier returns that say what is usual; with fewer than 20 there is no verdict on a large move.",
    ),
    key(
        "wick",
        Holds::Number { min: 0.001, max: 10.0 },
        Otherwise::Nothing,
        "Has no effect any more: write a rule with `check = \"bar-excess\"`, which evaluates highs and lows.",
    ),
];

/// The way out and back, as log returns, and the prices before and after.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    #[serde(rename = "return")]
    out: Option<f64>,
    #[serde(rename = "next_return")]
    back: Option<f64>,
    /// What is left of the move, as a part of it.
    remains: Option<f64>,
    /// The usual size of a move.
    sigma: Option<f64>,
    previous: Option<f64>,
    next: Option<f64>,
}

impl Described for PriceSpike {
    fn name(&self) -> &'static str {
        "price-spike"
    }

    fn explain(&self) -> &'static str {
        include_str!("price_spike.md")
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("price_spike_examples.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let subject = facts.subject();
        match facts.cause.and_then(Cause::parse) {
            Some(cause) => {
                let Evidence { out, back, .. } = facts.evidence();
                let ways = out
                    .zip(back)
                    .map(|(out, back)| format!(": {}, then {}", percent(out.exp_m1()), percent(back.exp_m1())));
                let traded = if cause == Cause::RealMove { "; much was traded there" } else { "" };
                format!("{subject} goes out and comes back{}{}{traded}", ways.unwrap_or_default(), facts.allowed())
            }
            None => facts.generic(),
        }
    }
}

impl CheckKind for PriceSpike {
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
        // Files of earlier versions have it.
        params.maybe_number("wick");
        let of_a_price = ["open", "high", "low", "close"].contains(&&*name);
        let volume = if of_a_price { params.optional_bar_field("volume") } else { None };
        Box::new(Rule {
            index,
            name,
            limit: params.number("limit"),
            floor: params.number("floor"),
            reversal: params.number("reversal"),
            window: params.count("window"),
            volume,
        })
    }
}

/// One rule of the check.
struct Rule {
    index: usize,
    name: Arc<str>,
    limit: f64,
    floor: f64,
    reversal: f64,
    window: usize,
    /// The volume beside a price, where the bars have it.
    volume: Option<usize>,
}

/// The bars that may serve as neighbours, in the order of time.
struct Clean<'a> {
    rows: UsableRows,
    prices: Cow<'a, [f64]>,
    /// Logarithms of the prices, as far as they were needed; NaN where not yet.
    logs: Vec<f64>,
}

impl<'a> Clean<'a> {
    fn collect(prices: &'a [f64]) -> Self {
        let rows = UsableRows::of(prices);
        Self { prices: rows.pick(prices), rows, logs: Vec::new() }
    }

    /// The logarithm of the price of the clean bar at `bar`. Few bars ever need theirs.
    fn log(&mut self, bar: usize) -> f64 {
        if self.logs.is_empty() {
            self.logs = vec![f64::NAN; self.prices.len()];
        }
        if self.logs[bar].is_nan() {
            self.logs[bar] = self.prices[bar].ln();
        }
        self.logs[bar]
    }

    /// The clean bar at `before`, which has both its neighbours.
    fn place(&mut self, before: usize) -> Place {
        let [previous, log, next] = [before - 1, before, before + 1].map(|bar| self.log(bar));
        let beside = [before - 1, before + 1].map(|bar| self.rows.row(bar));
        Place { row: self.rows.row(before), beside, before, out: log - previous, back: next - log }
    }

    /// Writes to `returns` the last `count` log returns that end before clean bar `before`.
    fn returns(&mut self, before: usize, count: usize, returns: &mut Vec<f64>) {
        returns.clear();
        let first = before.saturating_sub(count + 1);
        returns.extend((first + 1..before).map(|bar| self.log(bar) - self.log(bar - 1)));
    }
}

/// Ratios of two prices between which the logarithm of none is as large as a floor.
#[derive(Debug, Clone, Copy)]
struct Small {
    below: f64,
    above: f64,
}

impl Small {
    /// Logarithms are rounded, and so are their differences: by less than this in any case.
    const ROUNDING: f64 = 1e-9;

    fn than(floor: f64) -> Self {
        Self { below: floor.exp() * (1.0 - Self::ROUNDING), above: (-floor).exp() * (1.0 + Self::ROUNDING) }
    }

    /// Whether the way from one price above zero to another surely is smaller than the floor.
    fn is(self, from: f64, to: f64) -> bool {
        to < from * self.below && to > from * self.above
    }
}

/// Where prices are below zero.
struct AtZero<'a> {
    prices: &'a [f64],
    window: usize,
    /// First row that was not looked at, and the last one of those before it with such a price.
    next: usize,
    last: Option<usize>,
}

impl<'a> AtZero<'a> {
    fn new(prices: &'a [f64], window: usize) -> Self {
        Self { prices, window, next: 0, last: None }
    }

    /// Whether there is such a price in the window before `row`, or right after it; rows are asked in order.
    fn is_near(&mut self, row: usize) -> bool {
        let end = self.prices.len().min(row + 2);
        for place in self.next..end {
            if self.prices[place].is_finite() && self.prices[place] < 0.0 {
                self.last = Some(place);
            }
        }
        self.next = self.next.max(end);
        self.last.is_some_and(|last| last + self.window >= row)
    }
}

/// A bar with both its clean neighbours.
#[derive(Debug, Clone, Copy)]
struct Place {
    row: usize,
    /// Rows of the clean bars before and after it.
    beside: [usize; 2],
    /// Number of clean bars before it.
    before: usize,
    /// Log return from the bar before, and to the bar after.
    out: f64,
    back: f64,
}

/// What is said of a bar.
enum Verdict {
    Ordinary,
    /// A move that comes back, with too few returns before it to know whether it is large.
    Undecided,
    Spike(Box<Finding>),
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "limit", value: self.limit })
    }

    fn context(&self) -> Context {
        // So many returns need one bar more.
        let after = if self.volume.is_some() { SIDE } else { 1 };
        Context::Bars { before: self.window + 1, after }
    }

    fn counts(&self, series: &Series<'_>, row: usize) -> bool {
        usable(series.number(self.index).values()[row])
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let prices = &series.number(self.index).values()[..series.dated()];
        let mut clean = Clean::collect(prices);
        let mut scratch = [Vec::new(), Vec::new()];
        let (mut evaluated, mut undecided) = (0, 0);
        let small = Small::than(self.floor);
        let mut at_zero = (!clean.rows.is_all()).then(|| AtZero::new(prices, self.window));
        let bars = clean.prices.len();
        for bar in 0..bars {
            let row = clean.rows.row(bar);
            let one = series.count(row);
            // Ratios say nothing of prices that change their sign: such bars are stepped over.
            if at_zero.as_mut().is_some_and(|at_zero| at_zero.is_near(row)) {
                continue;
            }
            if bar == 0 || bar + 1 == bars {
                undecided += one;
                continue;
            }
            // Most bars end here.
            if small.is(clean.prices[bar - 1], clean.prices[bar]) {
                evaluated += one;
                continue;
            }
            match self.reversal(series, &mut clean, bar, &mut scratch) {
                Verdict::Undecided => undecided += one,
                Verdict::Ordinary => evaluated += one,
                Verdict::Spike(finding) => {
                    evaluated += one;
                    findings.push(*finding);
                }
            }
        }
        findings.evaluated(evaluated);
        findings.insufficient(undecided);
    }
}

impl Rule {
    fn reversal(&self, series: &Series<'_>, clean: &mut Clean<'_>, bar: usize, scratch: &mut [Vec<f64>; 2]) -> Verdict {
        let place = clean.place(bar);
        let Place { before, out, back, .. } = place;
        let comes_back = out * back < 0.0 && (out + back).abs() <= self.reversal * out.abs();
        if out.abs() < self.floor || !comes_back {
            return Verdict::Ordinary;
        }
        let [returns, distances] = scratch;
        clean.returns(before, self.window, returns);
        if returns.len() < FEWEST_RETURNS {
            return Verdict::Undecided;
        }
        let centre = median_of(returns, distances);
        let sigma = SIGMA_PER_MAD * deviation(returns, centre, distances);
        if out.abs() < self.limit * sigma {
            return Verdict::Ordinary;
        }
        if self.is_one_step(clean, place) {
            return Verdict::Ordinary;
        }
        Verdict::Spike(Box::new(self.finding(series, place, sigma)))
    }

    /// Whether the price went out by no more than the smallest step that prices make in the window before.
    fn is_one_step(&self, clean: &Clean<'_>, place: Place) -> bool {
        let prices = &clean.prices;
        let moves = prices[place.before.saturating_sub(self.window + 1)..place.before].windows(2);
        is_smallest((prices[place.before] - prices[place.before - 1]).abs(), moves.map(|pair| pair[1] - pair[0]))
    }

    fn finding(&self, series: &Series<'_>, place: Place, sigma: f64) -> Finding {
        let prices = series.number(self.index).values();
        let [previous, next] = place.beside.map(|row| prices[row]);
        let allowed = self.floor.max(self.limit * sigma);
        let busy = place.out.abs() <= LARGEST_MOVE && self.volume.is_some_and(|volume| busy(series, volume, place.row));
        let cause = if busy { Cause::RealMove } else { Cause::Reversal };
        let evidence = Evidence {
            out: Some(place.out),
            back: Some(place.back),
            remains: Some((place.out + place.back).abs() / place.out.abs()),
            sigma: Some(sigma),
            previous: Some(previous),
            next: Some(next),
        };
        Finding::row(place.row)
            .field(&self.name)
            .observed(prices[place.row])
            .expected(previous * (-allowed).exp(), previous * allowed.exp())
            .score(place.out.abs() / allowed)
            .cause(cause)
            .evidence(evidence)
    }
}

#[cfg(test)]
mod tests;
