//! What the bars of a job are like, and rules with limits that follow from it.
//!
//! ```text
//! magnitudes  quantiles of sizes, in little memory      profile   what the bars are like
//! profiling   takes that batch by batch
//! steps       the price step                            of_series what is taken of one series
//! shapes      what symbols look like                    rules     from a profile to rules
//! known       what the rules of a job cover             sets      the rule sets that ship
//! draft       a rule with its reasons                   write     the rule file
//! ```

mod draft;
mod known;
mod magnitudes;
mod of_series;
mod profile;
mod profiling;
mod rules;
pub(crate) mod sets;
mod shapes;
mod steps;
mod write;

pub(crate) use draft::{Counted, Draft, Tuning};
pub(crate) use known::Known;
pub(crate) use profile::Profile;
pub(crate) use profiling::Profiling;
pub(crate) use rules::drafts;
pub(crate) use write::{Suggested, draft_text, write};
