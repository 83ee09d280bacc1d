//! A high or a low that sticks far out of the body of its bar while the bars beside it are ordinary.
//!
//! One wrong print in a bar leaves open and close as they are and moves only the high or the low. Evaluates one bar
//! with the bars beside it; a bar that lacks a price gets no verdict and vouches for no other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use crate::checks::{Facts, Finding, Series};
use crate::text::numbers::percent;

/// The body of the bar, and how far the bars beside it reach.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    bottom: Option<f64>,
    top: Option<f64>,
    previous_range: Option<f64>,
    next_range: Option<f64>,
}

/// A wick in one sentence.
pub(super) fn message(facts: &Facts<'_>, cause: Cause, observed: Option<f64>) -> String {
    let Evidence { bottom, top, .. } = facts.evidence();
    let (side, edge) = if cause == Cause::LowWick { ("below", bottom) } else { ("above", top) };
    let out = observed.zip(edge).map(|(observed, edge)| percent((observed / edge - 1.0).abs()));
    let out = out.map(|out| format!("{} ", out.trim_start_matches('+'))).unwrap_or_default();
    let subject = facts.subject();
    format!("{subject} sticks out {out}{side} open and close, unlike in the bars beside it{}", facts.allowed())
}

/// The wick form of a rule.
#[derive(Debug)]
pub(super) struct Wick {
    /// Largest part of the body's edge that the high or low may stick out.
    pub(super) share: f64,
    /// Columns of open and close.
    pub(super) body: [usize; 2],
    /// Column of the high, and its name.
    pub(super) high: (usize, Arc<str>),
    /// Column of the low, and its name.
    pub(super) low: (usize, Arc<str>),
}

/// The prices of one bar, all finite, the body above zero.
#[derive(Debug, Clone, Copy)]
struct Bar {
    top: f64,
    bottom: f64,
    high: f64,
    low: f64,
}

impl Bar {
    /// How far the low sticks out below, as a part of the lower edge of the body.
    fn below(self) -> f64 {
        (self.bottom - self.low) / self.bottom
    }

    /// How far the high sticks out above, as a part of the upper edge of the body.
    fn above(self) -> f64 {
        (self.high - self.top) / self.top
    }

    /// From high to low, as a part of the lower edge of the body.
    fn range(self) -> f64 {
        (self.high - self.low) / self.bottom
    }
}

impl Wick {
    /// The finding about the bar in `row`, if its wick is too long and the bars `beside` it are ordinary.
    pub(super) fn evaluate(&self, series: &Series<'_>, row: usize, beside: [usize; 2]) -> Option<Finding> {
        let bar = self.bar(series, row)?;
        if bar.below().max(bar.above()) <= self.share {
            return None;
        }
        let [previous, next] = beside.map(|row| self.bar(series, row));
        let ranges = [previous?.range(), next?.range()];
        if ranges.iter().any(|range| *range > self.share) {
            return None;
        }
        let evidence = Evidence {
            bottom: Some(bar.bottom),
            top: Some(bar.top),
            previous_range: Some(ranges[0]),
            next_range: Some(ranges[1]),
        };
        let finding = if bar.below() >= bar.above() {
            let lowest = bar.bottom * (1.0 - self.share);
            let finding = Finding::row(row).field(&self.low.1).observed(bar.low).expected(lowest, bar.bottom);
            finding.score(bar.below() / self.share).cause(Cause::LowWick)
        } else {
            let highest = bar.top * (1.0 + self.share);
            let finding = Finding::row(row).field(&self.high.1).observed(bar.high).expected(bar.top, highest);
            finding.score(bar.above() / self.share).cause(Cause::HighWick)
        };
        Some(finding.evidence(evidence))
    }

    fn bar(&self, series: &Series<'_>, row: usize) -> Option<Bar> {
        let price = |index: usize| Some(series.number(index).values()[row]).filter(|price| price.is_finite());
        let (open, close) = (price(self.body[0])?, price(self.body[1])?);
        let bar =
            Bar { top: open.max(close), bottom: open.min(close), high: price(self.high.0)?, low: price(self.low.0)? };
        (bar.bottom > 0.0).then_some(bar)
    }
}
