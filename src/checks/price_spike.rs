//! `price-spike`: a price that goes out and comes back with the next bar.
//!
//! A close whose return is large and undone by the next one. Looks one bar ahead. Compares each bar with the usable
//! bars beside it (finite, above zero); sessions and gaps are not known here.

mod cause;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::cause::Cause;

use super::Exempt;
use super::params::Params;
use super::robust::{SIGMA_PER_MAD, deviation, median_of};
use super::steps::is_smallest;
use super::traded::{SIDE, busy};
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

/// The bars that may serve as neighbours: rows and logarithms of their prices, in the order of time.
struct Clean {
    rows: Vec<usize>,
    logs: Vec<f64>,
}

impl Clean {
    fn collect(prices: &[f64]) -> Self {
        let (mut rows, mut logs) = (Vec::with_capacity(prices.len()), Vec::with_capacity(prices.len()));
        for (row, price) in prices.iter().enumerate() {
            if usable(*price) {
                rows.push(row);
                logs.push(price.ln());
            }
        }
        Self { rows, logs }
    }

    /// The clean bar at `before` between its neighbours; none where one of them is missing.
    fn place(&self, before: usize) -> Option<Place> {
        let previous = before.checked_sub(1)?;
        let (row, log) = (self.rows[before], self.logs[before]);
        let (beside, next) = ([self.rows[previous], *self.rows.get(before + 1)?], self.logs[before + 1]);
        Some(Place { row, beside, before, out: log - self.logs[previous], back: next - log })
    }

    /// Writes to `returns` the last `count` log returns that end before clean bar `before`.
    fn returns(&self, before: usize, count: usize, returns: &mut Vec<f64>) {
        returns.clear();
        let logs = &self.logs[before.saturating_sub(count + 1)..before];
        returns.extend(logs.windows(2).map(|pair| pair[1] - pair[0]));
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
        let clean = Clean::collect(prices);
        let mut scratch = [Vec::with_capacity(self.window), Vec::with_capacity(self.window)];
        let (mut evaluated, mut undecided) = (0, 0);
        let mut at_zero = AtZero::new(prices, self.window);
        for before in 0..clean.rows.len() {
            // Ratios say nothing of prices that change their sign: such bars are stepped over.
            if at_zero.is_near(clean.rows[before]) {
                continue;
            }
            let verdict = match clean.place(before) {
                Some(place) => self.reversal(series, &clean, place, &mut scratch),
                None => Verdict::Undecided,
            };
            match verdict {
                Verdict::Undecided => undecided += 1,
                Verdict::Ordinary => evaluated += 1,
                Verdict::Spike(finding) => {
                    evaluated += 1;
                    findings.push(*finding);
                }
            }
        }
        findings.evaluated(evaluated);
        findings.insufficient(undecided);
    }
}

impl Rule {
    fn reversal(&self, series: &Series<'_>, clean: &Clean, place: Place, scratch: &mut [Vec<f64>; 2]) -> Verdict {
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
        if self.is_one_step(series, clean, place) {
            return Verdict::Ordinary;
        }
        Verdict::Spike(Box::new(self.finding(series, place, sigma)))
    }

    /// Whether the price went out by no more than the smallest step that prices make in the window before.
    fn is_one_step(&self, series: &Series<'_>, clean: &Clean, place: Place) -> bool {
        let prices = series.number(self.index).values();
        let rows = &clean.rows[place.before.saturating_sub(self.window + 1)..place.before];
        let moves = rows.windows(2).map(|pair| prices[pair[1]] - prices[pair[0]]);
        is_smallest((prices[place.row] - prices[place.beside[0]]).abs(), moves)
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

/// Whether a price has a logarithm; a NULL is NaN here.
fn usable(price: f64) -> bool {
    price.is_finite() && price > 0.0
}

#[cfg(test)]
mod tests;
