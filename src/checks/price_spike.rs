//! `price-spike`: a price that goes out and comes back with the next bar.
//!
//! Two forms: a close whose return is large and undone by the next one, and a bar whose high or low sticks out of
//! its body between two ordinary bars. Looks one bar ahead. Compares each bar with the usable bars beside it
//! (finite, above zero); sessions and gaps are not known here.

mod wick;

use std::sync::Arc;

use serde_json::json;

use self::wick::Wick;

use super::robust::{SIGMA_PER_MAD, deviation, median_of};
use super::{Check, CheckKind, Finding, FindingSink, Series, Stage};
use crate::bars::BarsSpec;
use crate::config::{Param, ParamKind, Params};

/// The check `price-spike`.
pub(crate) struct PriceSpike;

/// Fewest earlier returns that say what is usual.
const FEWEST_RETURNS: usize = 20;

const PARAMS: &[Param] = &[
    Param {
        name: "field",
        kind: ParamKind::NumberField,
        default: Some("close"),
        required: false,
        doc: "The price whose returns are evaluated.",
    },
    Param {
        name: "limit",
        kind: ParamKind::Number { min: 0.5, max: 1_000.0 },
        default: Some("8"),
        required: false,
        doc: "How many robust standard deviations of the earlier returns a return must reach.",
    },
    Param {
        name: "floor",
        kind: ParamKind::Number { min: 0.0, max: 10.0 },
        default: Some("0.03"),
        required: false,
        doc: "Smallest log return that can be a spike, however quiet the prices before it.",
    },
    Param {
        name: "reversal",
        kind: ParamKind::Number { min: 0.0, max: 1.0 },
        default: Some("0.25"),
        required: false,
        doc: "Largest part of the move that may remain after the next bar.",
    },
    Param {
        name: "window",
        kind: ParamKind::Count { min: 20, max: 10_000 },
        default: Some("60"),
        required: false,
        doc: "Earlier returns that say what is usual; with fewer than 20 there is no verdict on a large move.",
    },
    Param {
        name: "wick",
        kind: ParamKind::Number { min: 0.001, max: 10.0 },
        default: Some("0.2"),
        required: false,
        doc: "Largest part of the body's edge that the high or low may stick out, where the bars have both.",
    },
];

impl CheckKind for PriceSpike {
    fn name(&self) -> &'static str {
        "price-spike"
    }

    fn explain(&self) -> &'static str {
        include_str!("price_spike.md")
    }

    fn params(&self) -> &'static [Param] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let index = params.number_field("field");
        let name = bars.fields.get(index).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let wick = params.number("wick");
        let wick = wick_of(params, bars, wick);
        if wick.is_none() && params.given("wick") {
            params.reject(
                "wick",
                "`wick` needs open, high, low and close",
                "leave it out; closes are evaluated without it",
            );
        }
        Box::new(Rule {
            index,
            name,
            limit: params.number("limit"),
            floor: params.number("floor"),
            reversal: params.number("reversal"),
            window: params.count("window"),
            wick,
        })
    }
}

/// The wick form, where the bars have all it needs.
fn wick_of(params: &mut Params<'_>, bars: &BarsSpec, share: f64) -> Option<Wick> {
    let [open, high, low, close] = ["open", "high", "low", "close"].map(|field| params.optional_bar_field(field));
    let named = |index: usize| (index, Arc::clone(&bars.fields[index].name));
    Some(Wick { share, body: [open?, close?], high: named(high?), low: named(low?) })
}

/// One rule of the check.
struct Rule {
    index: usize,
    name: Arc<str>,
    limit: f64,
    floor: f64,
    reversal: f64,
    window: usize,
    wick: Option<Wick>,
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
    /// A move that comes back, with too few returns before it to tell whether it is large.
    Undecided,
    Spike(Box<Finding>),
}

impl Check for Rule {
    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let prices = &series.number(self.index).values()[..series.dated()];
        let clean = Clean::collect(prices);
        let mut scratch = [Vec::with_capacity(self.window), Vec::with_capacity(self.window)];
        let (mut evaluated, mut undecided) = (0, 0);
        for before in 0..clean.rows.len() {
            let verdict = match clean.place(before) {
                Some(place) => self.verdict(series, &clean, place, &mut scratch),
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
    /// The verdict of both forms; a spike of the close hides a wick of the same bar.
    fn verdict(&self, series: &Series<'_>, clean: &Clean, place: Place, scratch: &mut [Vec<f64>; 2]) -> Verdict {
        let reversal = self.reversal(series, clean, place, scratch);
        if matches!(reversal, Verdict::Spike(_)) {
            return reversal;
        }
        let wick = self.wick.as_ref().and_then(|wick| wick.evaluate(series, place.row, place.beside));
        wick.map_or(reversal, |finding| Verdict::Spike(Box::new(finding)))
    }

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
        Verdict::Spike(Box::new(self.finding(series, place, sigma)))
    }

    fn finding(&self, series: &Series<'_>, place: Place, sigma: f64) -> Finding {
        let prices = series.number(self.index).values();
        let [previous, next] = place.beside.map(|row| prices[row]);
        let allowed = self.floor.max(self.limit * sigma);
        let evidence = json!({
            "return": place.out,
            "next_return": place.back,
            "remains": (place.out + place.back).abs() / place.out.abs(),
            "sigma": sigma,
            "previous": previous,
            "next": next,
        });
        Finding::row(place.row)
            .field(&self.name)
            .observed(prices[place.row])
            .expected(previous * (-allowed).exp(), previous * allowed.exp())
            .score(place.out.abs() / allowed)
            .cause("reversal")
            .evidence(evidence)
    }
}

/// Whether a price has a logarithm; a NULL is NaN here.
fn usable(price: f64) -> bool {
    price.is_finite() && price > 0.0
}

#[cfg(test)]
mod tests;
