//! The checks: each one a unit struct in a file of its own, with its documentation in the `.md` beside it.
//!
//! A check judges the bars of one series, given as slices in time order. It never parses a source value,
//! never allocates per row, and knows nothing of files, servers or DataFusion. To add one, write its two
//! files and add one line to [`CHECKS`].

mod date_format;
mod duplicate;
mod finding;
mod gap;
mod matches;
mod ohlc;
mod order;
mod outlier;
mod price_spike;
mod range;
mod required;
mod robust;
mod series;
mod sql;
mod stale;
#[cfg(test)]
pub(crate) mod testing;
mod zero_volume;

pub use finding::{Finding, FindingSink, Totals};
pub use series::{Column, NumberColumn, Series, TextColumn};

use crate::bars::BarsSpec;
use crate::config::{Param, Params};

/// Every check there is, in the order of the documentation.
pub const CHECKS: &[&dyn CheckKind] = &[
    &date_format::DateFormat,
    &required::Required,
    &range::Range,
    &matches::Matches,
    &ohlc::Ohlc,
    &duplicate::Duplicate,
    &order::Order,
    &gap::Gap,
    &zero_volume::ZeroVolume,
    &outlier::Outlier,
    &price_spike::PriceSpike,
    &stale::Stale,
    &sql::Sql,
];

/// The check called `name`.
pub fn find(name: &str) -> Option<&'static dyn CheckKind> {
    CHECKS.iter().copied().find(|check| check.name() == name)
}

/// When a check runs. What an earlier stage condemned is left out of the baselines of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Judges each row by itself, rows without a readable stamp too.
    Row,
    /// Judges which rows of a series are the same bar, and their order.
    Identity,
    /// Judges a bar by its neighbours; sees dated rows.
    Series,
}

/// One kind of check: what it is called, what it takes, and how a rule of it is made.
pub trait CheckKind: Sync {
    /// Kebab-case name as rules write it; never renamed once released.
    fn name(&self) -> &'static str;

    /// Its documentation, the `.md` beside its source.
    fn explain(&self) -> &'static str;

    /// The parameters it takes.
    fn params(&self) -> &'static [Param];

    /// When it runs.
    fn stage(&self) -> Stage;

    /// Whether its findings stand for rows; holes between rows can only be reported.
    fn flags_rows(&self) -> bool {
        true
    }

    /// Reads the parameters of one rule. Mistakes are recorded in `params`, which the caller looks at: the
    /// returned check is used only where there were none.
    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check>;
}

/// A check with its parameters, ready to judge.
pub trait Check: Send + Sync {
    /// Judges one series, which may be empty.
    fn check(&self, series: &Series<'_>, findings: &mut FindingSink);
}
