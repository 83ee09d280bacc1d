//! One bar and what every rule says of it. Nothing is reported, nothing is moved.
//!
//! ```text
//! look     the way from a series and a timestamp to an answer    series   which series is meant
//! reading  what is read for it, and by which rules               found    a finding, as the operator puts it out
//! sums     what the rules counted of the bar                     bars     the rows around it
//! verdicts from counts and findings to what each rule says       probes   conditions and thresholds, tried on it
//! answer   what is answered
//! ```
//!
//! What a rule counted of one bar is the difference of two passes over its series: in both every row is evaluated, and those
//! are counted that begin with the bar, or behind it. So each verdict is that of a run over all of the bars.

mod answer;
mod bars;
mod found;
mod look;
mod probes;
mod reading;
mod series;
mod sums;
mod verdicts;

pub use self::answer::{
    Answer, Bar, ByCalendar, ExplainOptions, Explanation, Finding, Measured, OfRows, RuleAnswer, Validity,
};
