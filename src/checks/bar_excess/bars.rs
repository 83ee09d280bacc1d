//! The bars of one series that can be compared, and how far the prices of each lie from the prices beside them.
//!
//! A distance is a ratio of two prices on the log scale and a difference on the linear one. Both grow with each other,
//! so bars are compared by it, and a logarithm is taken only of what may become a finding.

use std::ops::Range;

use super::cause::Cause;
use crate::checks::Series;

/// How far prices are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// By the logarithm of their ratio; prices are above zero.
    Log,
    /// By their difference.
    Linear,
}

impl Scale {
    /// The distance from `lower` up to `upper`, which is not below it.
    fn distance(self, upper: f64, lower: f64) -> f64 {
        match self {
            Self::Log => upper / lower,
            Self::Linear => upper - lower,
        }
    }

    /// The distance of two equal prices.
    fn nothing(self) -> f64 {
        self.distance_of(0.0)
    }

    /// How large a distance is, in natural logarithms or in units of the price.
    pub(super) fn size(self, distance: f64) -> f64 {
        match self {
            Self::Log => distance.ln(),
            Self::Linear => distance,
        }
    }

    /// The distance of a size.
    pub(super) fn distance_of(self, size: f64) -> f64 {
        match self {
            Self::Log => size.exp(),
            Self::Linear => size,
        }
    }

    /// `price` moved by `size`.
    pub(super) fn moved(self, price: f64, size: f64) -> f64 {
        match self {
            Self::Log => price * size.exp(),
            Self::Linear => price + size,
        }
    }
}

/// One bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    /// NaN where there is none.
    pub(super) volume: f64,
}

impl Bar {
    /// Whether its prices are those of the bar `before`, and not one price throughout, which thin markets repeat.
    fn repeats(&self, before: &Self) -> bool {
        let prices = |bar: &Self| [bar.open, bar.high, bar.low, bar.close];
        self.high > self.low && prices(self) == prices(before)
    }
}

/// The columns of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    /// Open, high, low and close.
    pub(super) prices: [usize; 4],
    pub(super) volume: Option<usize>,
}

/// The bars whose four prices are finite, and above zero on the log scale, in the order of time.
#[derive(Debug)]
pub(super) struct Bars {
    pub(super) scale: Scale,
    /// Their rows in the series.
    pub(super) rows: Vec<usize>,
    pub(super) all: Vec<Bar>,
    /// Distance over which each bar moves, from the close before it.
    pub(super) ranges: Vec<f64>,
}

/// A price that sticks out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Excess {
    pub(super) cause: Cause,
    /// How far it lies outside of the prices it is compared with.
    pub(super) distance: f64,
}

/// Whether the bar in `row` can be compared.
pub(super) fn usable(scale: Scale, columns: &Columns, series: &Series<'_>, row: usize) -> bool {
    columns.prices.iter().all(|index| {
        let price = series.number(*index).values()[row];
        price.is_finite() && (scale == Scale::Linear || price > 0.0)
    })
}

impl Bars {
    pub(super) fn collect(scale: Scale, columns: &Columns, series: &Series<'_>) -> Self {
        let dated = series.dated();
        let [open, high, low, close] = columns.prices.map(|index| &series.number(index).values()[..dated]);
        let volume = columns.volume.map(|index| series.number(index).values());
        let mut bars = Self {
            scale,
            rows: Vec::with_capacity(dated),
            all: Vec::with_capacity(dated),
            ranges: Vec::with_capacity(dated),
        };
        let usable = |price: f64| price.is_finite() && (scale == Scale::Linear || price > 0.0);
        let mut before: Option<Bar> = None;
        for row in 0..dated {
            let volume = volume.map_or(f64::NAN, |volume| volume[row]);
            let bar = Bar { open: open[row], high: high[row], low: low[row], close: close[row], volume };
            if ![bar.open, bar.high, bar.low, bar.close].into_iter().all(usable) {
                continue;
            }
            // A bar that repeats the one before is what `stale` reports, and says nothing of the prices beside it.
            if before.is_some_and(|before| bar.repeats(&before)) {
                continue;
            }
            let last = before.map_or(bar.close, |before| before.close);
            // No price is NaN here, so plain comparisons do.
            let (mut top, mut bottom) = (last, last);
            for price in [bar.open, bar.high, bar.low, bar.close] {
                top = if price > top { price } else { top };
                bottom = if price < bottom { price } else { bottom };
            }
            before = Some(bar);
            bars.rows.push(row);
            bars.all.push(bar);
            bars.ranges.push(scale.distance(top, bottom));
        }
        bars
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The bars around bar `at`, so many on each side where there are as many: those before it and those after it.
    pub(super) fn near(&self, at: usize, side: usize) -> [Range<usize>; 2] {
        [at.saturating_sub(side)..at, at + 1..self.len().min(at + 1 + side)]
    }

    /// The price of bar `at` that sticks out most.
    pub(super) fn largest(&self, at: usize) -> Excess {
        let none = Excess { cause: Cause::Low, distance: self.scale.nothing() };
        [Cause::Low, Cause::High, Cause::Open, Cause::Close, Cause::Bar].into_iter().fold(none, |largest, cause| {
            let distance = self.outside(at, cause).unwrap_or(largest.distance);
            if distance > largest.distance { Excess { cause, distance } } else { largest }
        })
    }

    /// How far the price of bar `at` that `cause` is about sticks out; none where there is no bar to compare with.
    pub(super) fn outside(&self, at: usize, cause: Cause) -> Option<f64> {
        let bar = self.all[at];
        match cause {
            Cause::Low => Some(self.above(bar.open.min(bar.close), bar.low)),
            Cause::High => Some(self.above(bar.high, bar.open.max(bar.close))),
            Cause::Open => Some(self.alone(bar.open, self.all[at.checked_sub(1)?].close, bar.close)),
            Cause::Close => Some(self.alone(bar.close, bar.open, self.all.get(at + 1)?.open)),
            Cause::Bar => {
                let (before, after) = (self.all[at.checked_sub(1)?].close, self.all.get(at + 1)?.open);
                let [bottom, top] = [bar.open.min(bar.close), bar.open.max(bar.close)];
                // The nearer end of its body, so that all of it is outside.
                let nearer = if bottom > before.max(after) { bottom } else { top };
                Some(self.alone(nearer, before, after))
            }
            Cause::Unsuited => None,
        }
    }

    /// How far `upper` lies above `lower`; nothing where it does not.
    fn above(&self, upper: f64, lower: f64) -> f64 {
        if upper > lower { self.scale.distance(upper, lower) } else { self.scale.nothing() }
    }

    /// How far `price` lies outside of two references that agree better than that. A move that lasts, as a split does, is
    /// at one of them and so excuses itself.
    fn alone(&self, price: f64, one: f64, other: f64) -> f64 {
        let (bottom, top) = (one.min(other), one.max(other));
        let outside = self.above(price, top).max(self.above(bottom, price));
        if self.scale.distance(top, bottom) <= outside { outside } else { self.scale.nothing() }
    }

    /// The two prices that `cause` compares a price of bar `at` with, the lower one first.
    pub(super) fn references(&self, at: usize, cause: Cause) -> [f64; 2] {
        let bar = self.all[at];
        let [one, other] = match cause {
            Cause::Open => [self.all[at.saturating_sub(1)].close, bar.close],
            Cause::Close => [bar.open, self.all.get(at + 1).map_or(bar.open, |after| after.open)],
            Cause::Bar => {
                [self.all[at.saturating_sub(1)].close, self.all.get(at + 1).map_or(bar.open, |after| after.open)]
            }
            Cause::Low | Cause::High | Cause::Unsuited => [bar.open, bar.close],
        };
        [one.min(other), one.max(other)]
    }

    /// The moves inside of all bars but `at`, and from each to the next but to and from it, in units of the price.
    pub(super) fn steps(&self, at: usize) -> impl Iterator<Item = f64> {
        let others = self.all.iter().enumerate().filter(move |(bar, _)| *bar != at).map(|(_, bar)| bar);
        let inside = others.flat_map(|bar| [bar.high - bar.low, bar.close - bar.open]);
        let pairs = self.all.windows(2).enumerate().filter(move |(bar, _)| *bar != at && *bar + 1 != at);
        inside.chain(pairs.map(|(_, pair)| pair[1].close - pair[0].close))
    }
}
