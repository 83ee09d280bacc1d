//! The facts of one series.

use super::action::CorporateAction;
use super::stretch::{Stretch, covering};
use super::{Exception, SymbolFacts};
use crate::market::price_limits::PriceLimit;

/// The facts of one series: found once for it, and looked up by time after. Times are µs on the scale of the timestamps.
#[derive(Debug, Clone, Default)]
pub struct SeriesFacts<'a> {
    /// Those of its symbol.
    pub(super) symbol: Option<&'a SymbolFacts>,
    /// When nothing came from its source, in order and apart.
    pub(super) outages: Vec<Stretch>,
    /// Price limits a person set; the first that covers a time holds.
    pub(super) limits: Vec<(Stretch, PriceLimit)>,
}

/// Where a moment lies to the times at which a symbol was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// It was listed.
    Yes,
    /// It was not yet.
    NotYet,
    /// It was no longer; perhaps it was again later.
    NoLonger,
}

impl SeriesFacts<'_> {
    /// No facts.
    pub const NONE: &'static SeriesFacts<'static> =
        &SeriesFacts { symbol: None, outages: Vec::new(), limits: Vec::new() };

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.symbol.is_none() && self.outages.is_empty() && self.limits.is_empty()
    }

    /// The corporate actions from after `after` to `until`, in order.
    pub fn actions(&self, after: i64, until: i64) -> &[CorporateAction] {
        let Some(symbol) = self.symbol else { return &[] };
        let from = symbol.actions.partition_point(|action| action.time <= after);
        let end = symbol.actions.partition_point(|action| action.time <= until);
        symbol.actions.get(from..end).unwrap_or_default()
    }

    /// The suspension that covers `time`.
    pub fn suspension(&self, time: i64) -> Option<Stretch> {
        covering(&self.symbol?.suspensions, time)
    }

    /// Whether trading was suspended at any time from after `after` to before `until`.
    pub fn suspended_between(&self, after: i64, until: i64) -> bool {
        let between = Stretch { from: after.saturating_add(1), until };
        self.symbol.is_some_and(|symbol| symbol.suspensions.iter().any(|suspension| suspension.meets(between)))
    }

    /// Where `time` lies to the listings, and the stretch for which that holds; `None` where no listing is known.
    pub fn listed(&self, time: i64) -> Option<(Listed, Stretch)> {
        let listings = self.symbol.map(|symbol| symbol.listings.as_slice()).filter(|listings| !listings.is_empty())?;
        let next = listings.partition_point(|listing| listing.until <= time);
        let before = next.checked_sub(1).map(|before| listings[before].until);
        Some(match (listings.get(next), before) {
            (Some(listing), _) if listing.covers(time) => (Listed::Yes, *listing),
            (Some(listing), None) => (Listed::NotYet, Stretch { from: i64::MIN, until: listing.from }),
            (Some(listing), Some(ended)) => (Listed::NoLonger, Stretch { from: ended, until: listing.from }),
            (None, ended) => (Listed::NoLonger, Stretch { from: ended.unwrap_or(i64::MIN), until: i64::MAX }),
        })
    }

    /// The outage that covers `time`.
    pub fn outage(&self, time: i64) -> Option<Stretch> {
        covering(&self.outages, time)
    }

    /// The outages, in order and apart.
    pub fn outages(&self) -> &[Stretch] {
        &self.outages
    }

    /// The price limit that a person set for `time`.
    pub fn limit(&self, time: i64) -> Option<PriceLimit> {
        self.limits.iter().find(|(stretch, _)| stretch.covers(time)).map(|(_, limit)| *limit)
    }

    /// The exceptions of `rule`.
    pub fn exceptions(&self, rule: &str) -> impl Iterator<Item = &Exception> {
        let exceptions = self.symbol.map(|symbol| symbol.exceptions.as_slice()).unwrap_or_default();
        exceptions.iter().filter(move |exception| *exception.rule == *rule)
    }
}
