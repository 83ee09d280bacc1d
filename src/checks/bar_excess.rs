//! `bar-excess`: a high, low, open or close that sticks out of its own bar.
//!
//! Measures how far a price lies outside of the other prices of its bar and of the bars beside it, in units of what is
//! usual around it: the median true range of the bars near it, widened by the square root of the volume, for bars
//! with much volume do move far. A split, a real move and a trend are at one of the prices compared with and excuse
//! themselves. Looks one bar ahead for closes; which sessions the bars belong to is not known here.

mod bars;
mod cause;
mod evidence;
mod usual;

use std::cell::OnceCell;
use std::sync::Arc;

use self::bars::{Bars, Columns, Excess, Scale, usable};
use self::cause::Cause;
use self::evidence::Evidence;
use self::usual::Times;
use chrono_tz::Tz;

use super::Exempt;
use super::params::Params;
use super::steps::is_smallest;
use super::{
    Check, CheckKind, Context, Described, Facts, Finding, FindingSink, PeerTable, Peers, Series, Stage, Threshold,
};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::{counted, percent, rate, rough};

/// The check `bar-excess`.
pub(crate) struct BarExcess;

/// Fewest bars that must stick out before a limit is taken not to suit the series.
const FEWEST_UNSUITED: usize = 10;

/// Fewest other series that say how much the market moves.
const FEWEST_PEERS: usize = 2;

const PARAMS: &[Key] = &[
    key(
        "limit",
        Holds::Number { min: 0.1, max: 1_000.0 },
        Otherwise::Nothing,
        "How many usual ranges a price may stick out; 1.2 where not given, 2 for days of a market that never closes.",
    ),
    key(
        "floor",
        Holds::Number { min: 0.0, max: 10.0 },
        Otherwise::Nothing,
        "What is added to the usual range, as a part of the price; 0.01 where not given, 0.005 for bars shorter than a day.",
    ),
    key(
        "window",
        Holds::Count { min: 5, max: 10_001 },
        Otherwise::Count(41),
        "Bars in the window that says what is usual, an odd number: the bar itself and as many on each side.",
    ),
    key(
        "beside",
        Holds::Count { min: 0, max: 100 },
        Otherwise::Count(0),
        "So many bars on each side whose median range counts too where it is larger: what is usual in a violent week.",
    ),
    key(
        "slot",
        Holds::Flag,
        Otherwise::Nothing,
        "Whether the usual range is widened at times of the day that are lively; as if true for bars shorter than a day.",
    ),
    key(
        "peers",
        Holds::Flag,
        Otherwise::Flag(false),
        "Whether the limit is widened on days when other series of the job move more than usual too.",
    ),
    key(
        "scale",
        Holds::Choice(&["log", "linear"]),
        Otherwise::Nothing,
        "Whether distances are ratios (log) or differences (linear); linear where `[bars] negative` is true, else log.",
    ),
    key(
        "most",
        Holds::Number { min: 0.0, max: 1.0 },
        Otherwise::Number(0.05),
        "Share of the bars of a series above which they are one finding, for the limit does not suit the series.",
    ),
];

impl Described for BarExcess {
    fn name(&self) -> &'static str {
        "bar-excess"
    }

    fn explain(&self) -> &'static str {
        include_str!("bar_excess.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { beside, provisional, share, .. } = facts.evidence();
        let (side, what) = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Low) => ("below", "open and close"),
            Some(Cause::High) => ("above", "open and close"),
            Some(Cause::Open) => ("outside of", "the close before it and its own close"),
            Some(Cause::Close) => ("outside of", "its own open and the open after it"),
            Some(Cause::Bar) => ("with all of its bar outside of", "the close before it and the open after it"),
            Some(Cause::Unsuited) => {
                let share = share.map(|share| format!(", {} of the series", rate(share))).unwrap_or_default();
                let bars = counted(facts.bars, "bar");
                return format!("{bars} stick out of their prices{share}: the limit does not suit this series");
            }
            None => return facts.generic(),
        };
        let far = facts.observed.zip(beside).and_then(|(price, [lower, upper])| far(price, lower, upper));
        let far = far.map(|far| format!("{far} ")).unwrap_or_default();
        let times = facts.score.map(|score| format!(", {} times the usual range", rough(score, 3))).unwrap_or_default();
        let newest = if provisional { "; no bar follows yet" } else { "" };
        format!("{} lies {far}{side} {what}{times}{}{newest}", facts.subject(), facts.allowed())
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("bar_excess_examples.md")
    }
}

/// How far `price` lies outside of two prices, in per cent of the nearer one; none where that says nothing.
fn far(price: f64, lower: f64, upper: f64) -> Option<String> {
    let nearer = if price < lower { lower } else { upper };
    let share = (price / nearer - 1.0).abs();
    (nearer > 0.0 && share.is_finite()).then(|| percent(share).trim_start_matches('+').to_owned())
}

impl CheckKind for BarExcess {
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
        let prices = ["open", "high", "low", "close"].map(|field| params.bar_field(field));
        let volume = params.optional_bar_field("volume");
        let window = params.count("window");
        if window.is_multiple_of(2) {
            let help = format!("the bar stands in the middle of its window: use {} or {}", window - 1, window + 1);
            params.reject("window", format!("`window` is {window}, and must be an odd number"), help);
        }
        let linear = if params.given("scale") { params.choice("scale") == "linear" } else { bars.negative };
        let intraday = !bars.daily();
        let zone = bars.calendar.as_ref().map_or(bars.time.zone, |calendar| calendar.zone());
        // Books of coins are thin, and a day of them has no open and no close: their wicks are longer.
        let never_closes = bars.calendar.as_ref().is_some_and(|calendar| calendar.never_closes());
        let slot = if params.given("slot") { params.flag("slot") } else { intraday };
        Box::new(Rule {
            columns: Columns { prices, volume },
            names: ["open", "high", "low", "close"].map(Arc::from),
            scale: if linear { Scale::Linear } else { Scale::Log },
            limit: params.maybe_number("limit").unwrap_or(if never_closes && !intraday { 2.0 } else { 1.2 }),
            floor: params.maybe_number("floor").unwrap_or(if intraday { 0.005 } else { 0.01 }),
            side: window / 2,
            beside: params.count("beside"),
            slot: (slot && intraday).then_some(zone),
            beside_peers: params.flag("peers"),
            most: params.number("most"),
        })
    }
}

/// One rule of the check.
struct Rule {
    columns: Columns,
    /// Names of open, high, low and close.
    names: [Arc<str>; 4],
    scale: Scale,
    limit: f64,
    floor: f64,
    /// Bars of the window on each side.
    side: usize,
    /// Bars on each side that count by themselves.
    beside: usize,
    /// The clocks by which a time of the day is lively, where that is asked for.
    slot: Option<Tz>,
    /// Whether days on which other series move too are excused.
    beside_peers: bool,
    most: f64,
}

/// What is usual around one bar.
struct Usual {
    range: f64,
    busy: f64,
    /// How many times the usual range other series move, at least 1.
    peers: f64,
    /// The unit of the limit.
    scale: f64,
}

/// The bars of one series, and what is worked out of all of them when the first bar needs it.
struct Around<'a> {
    bars: &'a Bars,
    time: &'a [i64],
    times: OnceCell<Times>,
    peers: Option<&'a PeerTable>,
}

impl Around<'_> {
    /// How many times the usual range other series move at the timestamp of bar `at`, whose own range is `own` times the
    /// usual one; at least 1, and 1 where there are too few of them.
    fn peers(&self, at: usize, own: f64) -> f64 {
        let others = self.peers.and_then(|peers| peers.walk().others(self.time[self.bars.rows[at]], own));
        others.filter(|others| others.series >= FEWEST_PEERS).map_or(1.0, |others| others.median.max(1.0))
    }
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "limit", value: self.limit })
    }

    fn context(&self) -> Context {
        // How lively a time of the day is hangs on all bars. What share of them sticks out, and what step is the smallest, does
        // too, but only where a bar sticks out.
        let reach = self.side.max(self.beside) + 1;
        if self.slot.is_some() || self.beside_peers {
            Context::Whole
        } else {
            Context::Quiet { before: reach, after: reach }
        }
    }

    fn counts(&self, series: &Series<'_>, row: usize) -> bool {
        usable(self.scale, &self.columns, series, row)
    }

    fn peers(&self) -> Option<&dyn Peers> {
        self.beside_peers.then_some(self as &dyn Peers)
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let bars = Bars::collect(self.scale, &self.columns, series);
        let peers = series.peers.filter(|_| self.beside_peers);
        let around = Around { bars: &bars, time: series.time, times: OnceCell::new(), peers };
        let least = self.scale.distance_of(if self.scale == Scale::Log { self.limit * self.floor } else { 0.0 });
        let (mut evaluated, mut counted, mut insufficient) = (0, 0, 0);
        let (mut scratch, mut found, mut on_all) = (Vec::new(), Vec::new(), false);
        for at in 0..bars.len() {
            let one = series.count(bars.rows[at]);
            if bars.near(at, self.side).iter().map(ExactSizeIterator::len).sum::<usize>() < self.side {
                insufficient += one;
                continue;
            }
            evaluated += 1;
            counted += one;
            let excess = bars.largest(at);
            if excess.distance > least {
                let (finding, too_far) = self.evaluate(&around, at, excess, &mut scratch);
                on_all |= too_far;
                found.extend(finding);
            }
        }
        findings.evaluated(counted);
        findings.insufficient(insufficient);
        if on_all {
            findings.depends_on_all();
        }
        if found.len() >= FEWEST_UNSUITED && found.len() as f64 > self.most * evaluated as f64 {
            found = vec![Self::unsuited(series, &found, evaluated)];
        }
        findings.findings.append(&mut found);
    }
}

impl Peers for Rule {
    fn fields(&self) -> Vec<usize> {
        self.columns.prices.to_vec()
    }

    /// How many times the usual range around it each bar moves.
    fn values(&self, series: &Series<'_>) -> Vec<f64> {
        let bars = Bars::collect(self.scale, &Columns { volume: None, ..self.columns }, series);
        let mut values = vec![f64::NAN; series.dated()];
        for (at, share) in usual::shares(&bars, self.side).enumerate() {
            if bars.near(at, self.side).iter().map(ExactSizeIterator::len).sum::<usize>() >= self.side {
                values[bars.rows[at]] = share;
            }
        }
        values
    }
}

impl Rule {
    /// The finding about the price of bar `at` that sticks out most, and whether it does so too far: that may still be one
    /// step of the price.
    fn evaluate(
        &self,
        around: &Around<'_>,
        at: usize,
        excess: Excess,
        scratch: &mut Vec<f64>,
    ) -> (Option<Finding>, bool) {
        let bars = around.bars;
        let size = self.scale.size(excess.distance);
        // Most bars end here: what is usual alone allows it, without what widens it. The factor is for rounding.
        let floor = if self.scale == Scale::Log { self.floor } else { 0.0 };
        let allowing = self.scale.distance_of((size / self.limit - floor) * (1.0 + 1e-9));
        if usual::reaches(bars, at, self.side, allowing) {
            return (None, false);
        }
        let usual = self.usual(around, at, scratch);
        let score = size / usual.scale;
        if score <= self.limit {
            return (None, false);
        }
        let one_step = Self::is_one_step(bars, at, excess);
        ((!one_step).then(|| self.finding(bars, at, excess, (&usual, score))), true)
    }

    fn usual(&self, around: &Around<'_>, at: usize, scratch: &mut Vec<f64>) -> Usual {
        let bars = around.bars;
        let mut range = usual::range(bars, at, self.side, scratch);
        if self.beside > 0 {
            range = range.max(usual::range(bars, at, self.beside, scratch));
        }
        if let Some(zone) = self.slot {
            let times = || Times::of(bars, around.time, zone, self.side);
            range *= around.times.get_or_init(times).at(around.time[bars.rows[at]]);
        }
        let busy = usual::busy(bars, at, self.side, scratch);
        let floor = match self.scale {
            Scale::Log => self.floor,
            Scale::Linear => self.floor * usual::level(bars, at, self.side, scratch),
        };
        let peers = around.peers(at, usual::share(bars, at, self.side, scratch));
        Usual { range, busy, peers, scale: (range * busy.sqrt() + floor) * peers }
    }

    /// Whether the price sticks out by no more than the smallest step that prices make, as where a coin costs a few units
    /// of its last decimal.
    fn is_one_step(bars: &Bars, at: usize, excess: Excess) -> bool {
        let [lower, upper] = bars.references(at, excess.cause);
        let price = price(bars, at, excess.cause);
        is_smallest((lower - price).max(price - upper), bars.steps(at))
    }

    fn finding(&self, bars: &Bars, at: usize, excess: Excess, (usual, score): (&Usual, f64)) -> Finding {
        let beside = bars.references(at, excess.cause);
        let reach = self.limit * usual.scale;
        let (lowest, highest) = (self.scale.moved(beside[0], -reach), self.scale.moved(beside[1], reach));
        let (field, expected) = match excess.cause {
            Cause::Low => (2, (lowest, beside[0])),
            Cause::High => (1, (beside[1], highest)),
            Cause::Open => (0, (lowest, highest)),
            Cause::Close | Cause::Bar | Cause::Unsuited => (3, (lowest, highest)),
        };
        let evidence = Evidence {
            excess: Some(self.scale.size(excess.distance)),
            usual: Some(usual.range),
            busy: Some(usual.busy),
            peers: (usual.peers > 1.0).then_some(usual.peers),
            beside: Some(beside),
            provisional: at + 1 == bars.len(),
            share: None,
        };
        Finding::row(bars.rows[at])
            .field(&self.names[field])
            .observed(price(bars, at, excess.cause))
            .expected(expected.0, expected.1)
            .score(score)
            .cause(excess.cause)
            .evidence(evidence)
    }

    /// The one finding in place of too many.
    fn unsuited(series: &Series<'_>, found: &[Finding], evaluated: usize) -> Finding {
        let time = |finding: Option<&Finding>| {
            finding.and_then(|finding| finding.rows.as_ref()).map_or(0, |rows| series.time[rows.start])
        };
        let evidence = Evidence { share: Some(found.len() as f64 / evaluated as f64), ..Evidence::default() };
        Finding::gap(time(found.first()), time(found.last()), found.len() as u64)
            .cause(Cause::Unsuited)
            .evidence(evidence)
    }
}

/// The price of bar `at` that `cause` is about.
fn price(bars: &Bars, at: usize, cause: Cause) -> f64 {
    let bar = bars.all[at];
    match cause {
        Cause::Low => bar.low,
        Cause::High => bar.high,
        Cause::Open => bar.open,
        Cause::Close | Cause::Bar | Cause::Unsuited => bar.close,
    }
}

#[cfg(test)]
mod tests;
