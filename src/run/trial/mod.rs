//! Rules that are tried over the bars of a job: nothing is reported, nothing is moved.
//!
//! ```text
//! named     the rules that a person names      values  values in the place of their own
//! evaluate  one pass over the bars             found   a finding, as the operator puts it out
//! backtest  one rule, at several thresholds    ladder  which thresholds
//! diff      two sets of rules
//! ```
//!
//! Rows that the job's own rules about single rows reject are kept from rules that are tried too: what is found is what a
//! check would find.

mod backtest;
mod diff;
mod evaluate;
mod found;
mod ladder;
mod named;
mod values;

pub use self::backtest::{Backtest, BacktestOptions, Judged, Missed, OfYear, Rung, Thresholds};
pub use self::diff::{Changed, DiffOptions, Difference, Example, RuleDifference, Sided};
pub use self::evaluate::TrialOptions;
pub use self::values::Values;
