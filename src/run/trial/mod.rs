//! Rules that are tried over the bars of a job: nothing is reported, nothing is moved.
//!
//! ```text
//! named     the rules that a person names      values  values in the place of their own
//! evaluate  one pass over the bars             found   a finding, as the operator puts it out
//! backtest  one rule, at several thresholds    thresholds  which these are
//! diff      two sets of rules
//! ```
//!
//! Rows that the job's own rules about single rows reject are kept from rules that are tried too: what is found is what a
//! check would find.

mod backtest;
mod diff;
mod evaluate;
mod found;
mod named;
mod thresholds;
mod values;

pub use self::backtest::{AtThreshold, Backtest, BacktestOptions, Judged, Missed, OfYear, Thresholds};
pub use self::diff::{Changed, DiffOptions, Difference, Example, RuleDifference, Sided};
pub use self::evaluate::TrialOptions;
pub(super) use self::named::one as one_of_job;
pub use self::values::Values;
