//! The checks: each one a unit struct in one place, with its documentation in the `.md` beside it: its parameters, its
//! causes, what it detects, the evidence, and the message of a finding.
//!
//! A check evaluates the bars of one series, given as slices in time order. It never parses a source value,
//! never allocates per row, and knows nothing of files, servers or DataFusion. To add one, write its two
//! files, declare the module and add one line to [`CHECKS`].

mod across;
mod alignment;
mod bar_excess;
mod cause;
mod context;
mod copied_series;
mod date_format;
mod displaced;
mod duplicate;
mod evidence;
mod excuse;
mod facts;
mod filled_forward;
mod finding;
mod freshness;
mod gap;
mod history;
mod jump;
mod kind;
mod matches;
mod ohlc;
mod order;
mod other_job;
mod outlier;
mod params;
pub mod parse_error;
mod pct_change;
mod peers;
mod price_band;
mod price_limit;
mod price_spike;
mod range;
mod reason;
mod reconcile;
mod required;
mod robust;
mod run_totals;
mod runs;
mod series;
mod session_bars;
mod sessions;
mod shifted;
mod sorted_window;
mod split;
mod sql;
mod stale;
mod steps;
mod stretches;
#[cfg(test)]
pub(crate) mod testing;
mod tick_size;
mod traded;
mod turnover;
mod unit_slip;
mod usable;
mod zero_volume;

pub use across::{ALL_SERIES, Across, AcrossSink, Note, Noted, OfSeries};
pub use context::Context;
pub use displaced::SHIFTED;
pub use duplicate::is_identical;
pub use excuse::Excuses;
pub use facts::Facts;
pub use finding::{Finding, FindingSink, Totals};
pub use freshness::parse_fresh;
pub use kind::{Check, CheckKind, Described, Peers, Stage, Threshold};
pub use other_job::{OtherBar, OtherBars, OtherJob};
pub use params::{Expression, FieldRef, Lacking, Params};
pub use peers::{Others, PeerTable, PeerValues, to_pieces};
pub use reason::{Excused, ExcusedBy, Exempt, Reason};
pub use robust::SlidingMedian;
pub use run_totals::{History, Measure, RunTotals};
pub use series::{Column, NumberColumn, Records, Series, Standing, TextColumn, Written};
pub use session_bars::session_bars;
pub use stretches::LEAST_SESSIONS;

/// Every check there is, in the order of the documentation.
pub const CHECKS: &[&dyn CheckKind] = &[
    &date_format::DateFormat,
    &required::Required,
    &range::Range,
    &matches::Matches,
    &ohlc::Ohlc,
    &pct_change::PctChange,
    &turnover::Turnover,
    &tick_size::TickSize,
    &price_limit::PriceLimits,
    &duplicate::Duplicate,
    &order::Order,
    &gap::Gap,
    &zero_volume::ZeroVolume,
    &outlier::Outlier,
    &price_spike::PriceSpike,
    &bar_excess::BarExcess,
    &split::Split,
    &unit_slip::UnitSlip,
    &stale::Stale,
    &filled_forward::FilledForward,
    &shifted::Shifted,
    &alignment::Alignment,
    &copied_series::CopiedSeries,
    &freshness::Freshness,
    &reconcile::Reconcile,
    &history::CheckHistory,
    &sql::Sql,
];

/// The check called `name`.
pub fn find(name: &str) -> Option<&'static dyn CheckKind> {
    CHECKS.iter().copied().find(|check| check.name() == name)
}

/// What is called `name`: a check, or the name of values that do not decode.
pub fn described(name: &str) -> Option<&'static dyn Described> {
    let check = find(name).map(|check| check as &dyn Described);
    check.or_else(|| (name == parse_error::NAME).then_some(&parse_error::ParseError as &dyn Described))
}

/// A finding in one sentence, in the words of its check.
pub fn message(facts: &Facts<'_>) -> String {
    described(facts.check).map_or_else(|| facts.generic(), |check| check.message(facts))
}

#[cfg(test)]
mod tests;
