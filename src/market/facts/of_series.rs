//! The facts of one series.

use std::borrow::Cow;

use super::action::CorporateAction;
use super::stretch::{Stretch, covering, next_change};
use super::{Exception, SymbolFacts};
use crate::market::price_limits::PriceLimit;

/// The facts of one series: found once for it, and looked up by time after. Times are µs on the scale of the timestamps.
#[derive(Debug, Clone, Default)]
pub struct SeriesFacts<'a> {
    /// The symbol itself.
    pub(super) name: Option<&'a str>,
    /// Those of its symbol.
    pub(super) symbol: Option<&'a SymbolFacts>,
    /// When it, or everything, was not traded, in order and apart.
    pub(super) suspensions: Cow<'a, [Stretch]>,
    /// When nothing came from its source, in order and apart.
    pub(super) outages: Vec<Stretch>,
    /// Price limits a person set; the first that covers a time holds.
    pub(super) limits: Vec<(Stretch, PriceLimit)>,
    /// Timestamps of bars that were moved to quarantine, ascending.
    pub(super) moved: &'a [i64],
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

/// Why bars are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// The symbol was not listed yet.
    NotYetListed,
    /// The symbol was no longer listed.
    NoLongerListed,
    /// The symbol was not traded.
    Suspended,
    /// Its source delivered nothing.
    Outage,
    /// The bar was moved to quarantine.
    Moved,
}

#[cfg(test)]
impl<'a> SeriesFacts<'a> {
    /// The same facts of another symbol.
    pub(crate) fn called(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }
}

impl SeriesFacts<'_> {
    /// No facts.
    pub const NONE: &'static SeriesFacts<'static> = &SeriesFacts {
        name: None,
        symbol: None,
        suspensions: Cow::Borrowed(&[]),
        outages: Vec::new(),
        limits: Vec::new(),
        moved: &[],
    };

    /// The symbol.
    pub fn symbol(&self) -> Option<&str> {
        self.name
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        let of_symbol = self.symbol.is_some() || !self.suspensions.is_empty();
        !of_symbol && self.outages.is_empty() && self.limits.is_empty() && self.moved.is_empty()
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
        covering(&self.suspensions, time)
    }

    /// Whether trading was suspended at any time from after `after` to before `until`.
    pub fn suspended_between(&self, after: i64, until: i64) -> bool {
        let between = Stretch { from: after.saturating_add(1), until };
        self.suspensions.iter().any(|suspension| suspension.meets(between))
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

    /// Why there is no bar at `time`, and the first time after it at which that may be otherwise.
    pub fn absence(&self, time: i64) -> (Option<Absence>, i64) {
        let listed = self.listed(time);
        let end = listed.map_or(i64::MAX, |(_, stretch)| stretch.until);
        let moved = self.moved.partition_point(|moved| *moved < time);
        let is_moved = self.moved.get(moved) == Some(&time);
        // The bar after one that was moved is another question.
        let next_moved =
            if is_moved { time.saturating_add(1) } else { self.moved.get(moved).copied().unwrap_or(i64::MAX) };
        let changes =
            end.min(next_change(&self.suspensions, time)).min(next_change(&self.outages, time)).min(next_moved);
        let absence = match listed {
            Some((Listed::NotYet, _)) => Some(Absence::NotYetListed),
            Some((Listed::NoLonger, _)) => Some(Absence::NoLongerListed),
            _ if self.suspension(time).is_some() => Some(Absence::Suspended),
            _ if is_moved => Some(Absence::Moved),
            _ => self.outage(time).map(|_| Absence::Outage),
        };
        (absence, changes)
    }

    /// Why there is no bar at `time`, and since when there has been none for such reasons.
    pub fn absent_since(&self, time: i64) -> Option<(Absence, i64)> {
        let mut since: Option<(Absence, i64)> = None;
        let mut at = time;
        while let (Some(absence), _) = self.absence(at) {
            let from = match absence {
                Absence::NotYetListed | Absence::NoLongerListed => self.listed(at).map(|(_, stretch)| stretch.from),
                Absence::Suspended => self.suspension(at).map(|stretch| stretch.from),
                Absence::Outage => self.outage(at).map(|stretch| stretch.from),
                Absence::Moved => Some(at),
            };
            let from = from.unwrap_or(at).min(at);
            since = Some((since.map_or(absence, |(now, _)| now), from));
            if from == i64::MIN {
                break;
            }
            at = from - 1;
        }
        since
    }

    /// Whether a person set any price limit for it.
    pub fn has_limits(&self) -> bool {
        !self.limits.is_empty()
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
