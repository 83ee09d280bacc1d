//! `outlier`: a value far from the values on both sides of it.
//!
//! Collects the usable values of one series (finite, above zero on the log scale) and asks one of
//! three methods about each bar: `nearest.rs`, `hampel.rs` or `brownlees_gallo.rs`. Bars are neighbours in the order
//! of time, however far apart they are; sessions and gaps are not known here.

mod brownlees_gallo;
mod hampel;
mod look;
mod nearest;
mod neighbours;
mod tolerance;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::brownlees_gallo::Trimmed;
use self::look::{Cause, Far, Kind, proposed};
use self::neighbours::{Band, Neighbours, Verdict, Workspace};
use self::tolerance::Tolerance;
use super::Exempt;
use super::jump::is_split;
use super::params::Params;
use super::steps::is_smallest;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage, Threshold};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::rough;

/// The check `outlier`.
pub(crate) struct Outlier;

const METHODS: &[&str] = &["nearest", "hampel", "brownlees-gallo"];

const PARAMS: &[Key] = &[
    key("field", Holds::NumberField, Otherwise::Text("close"), "The numeric field to evaluate."),
    key(
        "method",
        Holds::Choice(METHODS),
        Otherwise::Text("nearest"),
        "What a bar is compared with: the nearest of three medians, one median around it, or a trimmed mean.",
    ),
    key(
        "scale",
        Holds::Choice(&["log", "linear"]),
        Otherwise::Nothing,
        "Whether distances are ratios (log) or differences (linear); linear for prices where `[bars] negative` is true, else log.",
    ),
    key(
        "window",
        Holds::Count { min: 3, max: 10_001 },
        Otherwise::Count(21),
        "Bars in the window, an odd number: the bar itself and as many usable bars on each side.",
    ),
    key(
        "limit",
        Holds::Number { min: 0.5, max: 1_000.0 },
        Otherwise::Nothing,
        "How many scales away a value may be; 8 where not given, 3 for brownlees-gallo.",
    ),
    key(
        "floor",
        Holds::Number { min: 0.0, max: 10.0 },
        Otherwise::Nothing,
        "Smallest scale, as a fraction of the price; 0.005 where not given, 0.0001 on the linear scale.",
    ),
    key(
        "tick",
        Holds::Number { min: 0.0, max: 1e9 },
        Otherwise::Nothing,
        "The price step of the market; the scale is never below one step.",
    ),
    key(
        "edges",
        Holds::Choice(&["shrink", "skip"]),
        Otherwise::Text("shrink"),
        "Whether bars near the ends of a series are evaluated by the neighbours they have, or not at all.",
    ),
    key(
        "trim",
        Holds::Number { min: 0.0, max: 0.9 },
        Otherwise::Nothing,
        "Share of the neighbours left out, half of it at each end; brownlees-gallo only, 0.1 where not given.",
    ),
    key(
        "gamma",
        Holds::Number { min: 0.0, max: 1e9 },
        Otherwise::Nothing,
        "Distance that is always allowed, in units of the scale; brownlees-gallo only, 0.02 where not given.",
    ),
];

/// Bars on each side that say by which steps prices move.
const STEPS: usize = 60;

/// What the value was compared with.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    method: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    median: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    /// The spread of the neighbours.
    scale: Option<f64>,
    /// Number of values compared.
    window: usize,
    /// The values before and after.
    left: Option<f64>,
    right: Option<f64>,
    /// The value in line with its neighbours, where the cause says which.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed: Option<f64>,
    /// Whether no bar follows yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    provisional: bool,
}

impl Described for Outlier {
    fn name(&self) -> &'static str {
        "outlier"
    }

    fn explain(&self) -> &'static str {
        include_str!("outlier.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { median, mean, proposed, provisional, .. } = facts.evidence();
        let (what, centre) = if median.is_none() && mean.is_some() { ("mean", mean) } else { ("median", median) };
        let centre = centre.map(|centre| format!(" {}", rough(centre, 6))).unwrap_or_default();
        let far = facts.score.map_or_else(|| "far".to_owned(), |score| format!("{} scales", rough(score, 3)));
        let value = proposed.map(|value| format!(", {} would be in line", rough(value, 6))).unwrap_or_default();
        let looks = match facts.cause.and_then(Cause::parse) {
            Some(Cause::UnitSlip) => format!("; a power of ten away{value}"),
            Some(Cause::Wrapped) => format!("; it lost 2^32{value}"),
            Some(Cause::RealMove) => "; price and volume moved together".to_owned(),
            Some(Cause::Blip) | None => String::new(),
        };
        let newest = if provisional { "; no bar follows yet" } else { "" };
        format!("{} is {far} from its neighbours' {what}{centre}{}{looks}{newest}", facts.subject(), facts.allowed())
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("outlier_examples.md")
    }
}

impl CheckKind for Outlier {
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
        let field = bars.fields.get(index).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let of_a_price = ["open", "high", "low", "close"].contains(&&*field);
        let log = match params.given("scale") {
            true => params.choice("scale") == "log",
            false => !(of_a_price && bars.negative),
        };
        let window = params.count("window");
        if window.is_multiple_of(2) {
            let help = format!("the bar stands in the middle of its window: use {} or {}", window - 1, window + 1);
            params.reject("window", format!("`window` is {window}, and must be an odd number"), help);
        }
        let (name, method, limit) = method(params, log);
        let whole = params.choice("edges") == "skip";
        let kind = if log { Kind::of(&field, params, bars) } else { Kind::Other };
        Box::new(Rule { index, field, kind, log, half: window / 2, whole, name, limit, method })
    }
}

/// The method a rule names, with its limit. Parameters of other methods are not asked for, which makes them mistakes.
fn method(params: &mut Params<'_>, log: bool) -> (&'static str, Method, f64) {
    let name = params.choice("method");
    let limit = params.maybe_number("limit").unwrap_or(if name == "brownlees-gallo" { 3.0 } else { 8.0 });
    if name == "brownlees-gallo" {
        let (trim, gamma) = (params.maybe_number("trim").unwrap_or(0.1), params.maybe_number("gamma").unwrap_or(0.02));
        return (name, Method::Trimmed(Trimmed { limit, trim, gamma }), limit);
    }
    let floor = params.maybe_number("floor").unwrap_or(if log { 0.005 } else { 0.0001 });
    let tolerance = Tolerance { log, limit, floor, tick: params.maybe_number("tick").unwrap_or(0.0) };
    let method = if name == "hampel" { Method::Hampel(tolerance) } else { Method::Nearest(tolerance) };
    (name, method, limit)
}

/// How a bar is compared with its neighbours.
enum Method {
    Hampel(Tolerance),
    Nearest(Tolerance),
    Trimmed(Trimmed),
}

/// The values that may stand in a window, in units of the scale and in the order of time, with their rows.
struct Clean {
    values: Vec<f64>,
    rows: Vec<usize>,
}

/// One rule of the check.
struct Rule {
    index: usize,
    field: Arc<str>,
    kind: Kind,
    log: bool,
    half: usize,
    whole: bool,
    name: &'static str,
    limit: f64,
    method: Method,
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "limit", value: self.limit })
    }

    fn context(&self) -> Context {
        let side = match self.method {
            // Near an end of the series, what one side lacks is taken from the other.
            Method::Trimmed(_) => 2 * self.half,
            Method::Hampel(_) | Method::Nearest(_) => self.half,
        };
        let side = side.max(self.kind.side()).max(if self.kind.is_price() { STEPS } else { 0 });
        Context::Bars { before: side, after: side }
    }

    fn counts(&self, series: &Series<'_>, row: usize) -> bool {
        self.usable(series.number(self.index).values()[row])
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let prices = &series.number(self.index).values()[..series.dated()];
        let clean = self.clean(prices);
        let mut space = Workspace::default();
        let (mut evaluated, mut undecided) = (0, 0);
        for (before, (&row, &value)) in clean.rows.iter().zip(&clean.values).enumerate() {
            let neighbours = Neighbours { clean: &clean.values, before, half: self.half };
            match self.verdict(value, &neighbours, &mut space) {
                Verdict::Inside => evaluated += series.count(row),
                Verdict::Undecided => undecided += series.count(row),
                Verdict::Outside(band) => {
                    let newest = before + 1 == clean.rows.len() && matches!(self.method, Method::Nearest(_));
                    if newest && self.log && is_split(value - band.centre) {
                        undecided += series.count(row);
                        continue;
                    }
                    evaluated += series.count(row);
                    if self.is_one_step(prices, &clean, before, band.centre) {
                        continue;
                    }
                    let beside =
                        [before.checked_sub(1), Some(before + 1)].map(|at| at.and_then(|at| clean.rows.get(at)));
                    let beside = beside.map(|row| row.map(|row| prices[*row]));
                    findings.push(self.finding(series, (row, value), band, beside));
                }
            }
        }
        findings.evaluated(evaluated);
        findings.insufficient(undecided);
    }
}

impl Rule {
    /// Whether a price differs from what is around it by no more than the smallest step that prices make there.
    fn is_one_step(&self, prices: &[f64], clean: &Clean, at: usize, centre: f64) -> bool {
        let (from, to) = (at.saturating_sub(STEPS), clean.rows.len().min(at + STEPS + 1));
        let rows = &clean.rows[from..to];
        let others = rows.windows(2).enumerate().filter(|(pair, _)| from + pair != at && from + pair + 1 != at);
        let moves = others.map(|(_, pair)| prices[pair[1]] - prices[pair[0]]);
        self.kind.is_price() && is_smallest((prices[clean.rows[at]] - self.unscaled(centre)).abs(), moves)
    }

    /// Whether a value can be compared at all; a NULL is NaN here.
    fn usable(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.log { value.ln() } else { value }
    }

    fn unscaled(&self, value: f64) -> f64 {
        if self.log { value.exp() } else { value }
    }

    fn clean(&self, prices: &[f64]) -> Clean {
        let mut clean = Clean { values: Vec::with_capacity(prices.len()), rows: Vec::with_capacity(prices.len()) };
        for (row, price) in prices.iter().enumerate() {
            if self.usable(*price) {
                clean.values.push(self.scaled(*price));
                clean.rows.push(row);
            }
        }
        clean
    }

    fn verdict(&self, value: f64, neighbours: &Neighbours<'_>, space: &mut Workspace) -> Verdict {
        let (left, right) = (neighbours.left().len(), neighbours.right().len());
        let enough = if self.whole { left == self.half && right == self.half } else { left + right >= self.half };
        if !enough {
            return Verdict::Undecided;
        }
        match &self.method {
            Method::Hampel(tolerance) => hampel::evaluate(value, neighbours, tolerance, space),
            Method::Nearest(tolerance) => nearest::evaluate(value, neighbours, tolerance, &mut space.scratch),
            Method::Trimmed(trimmed) => trimmed.evaluate(value, neighbours, &mut space.scratch),
        }
    }

    /// The finding about the price in `row`, which is `value` on the scale, with the prices beside it.
    fn finding(
        &self,
        series: &Series<'_>,
        (row, value): (usize, f64),
        band: Band,
        beside: [Option<f64>; 2],
    ) -> Finding {
        let price = series.number(self.index).values()[row];
        let (trimmed, centre) = (matches!(self.method, Method::Trimmed(_)), self.unscaled(band.centre));
        let far = Far { row, value: price, centre, scale: band.scale };
        let cause = self.kind.look(series, far);
        let evidence = Evidence {
            method: Cow::Borrowed(self.name),
            median: (!trimmed).then_some(centre),
            mean: trimmed.then_some(centre),
            scale: Some(band.scale),
            window: band.values,
            left: beside[0],
            right: beside[1],
            proposed: proposed(cause, far),
            provisional: beside[1].is_none() && matches!(self.method, Method::Nearest(_)),
        };
        let (mut lo, mut hi) = (self.unscaled(band.centre - band.reach), self.unscaled(band.centre + band.reach));
        // Rounded back to prices, the nearer limit can meet a price that is outside by less than the rounding.
        if value < band.centre {
            lo = lo.max(price.next_up());
        } else {
            hi = hi.min(price.next_down());
        }
        let score = (value - band.centre).abs() / band.reach * self.limit;
        let finding = Finding::row(row).field(&self.field).observed(price).expected(lo, hi);
        let finding = finding.score(score.min(f64::MAX)).evidence(evidence);
        match cause {
            Some(cause) => finding.cause(cause),
            None => finding,
        }
    }
}

#[cfg(test)]
mod tests;
