//! What becomes of a row, out of all findings of its series; totals and limits from the same result.
//!
//! Pure: values in, values out. Rows are decided in two levels. Level 1 are parse errors and rules about single rows: a
//! row with a finding of severity `error` there, or one that moves it, is *rejected*. Level 2 are rules about a series: they see one copy of
//! each timestamp and no rejected row ([`Copies`]), and none of them sees another's verdict. Then every row gets the
//! strongest action of its findings ([`verdicts`]), is counted once ([`RowTotals`]), and the totals are compared with
//! what the job allows ([`over_limits`]). What a person decided about findings stands beside it ([`Labels`]).

mod copies;
mod fail_on;
mod labels;
mod levels;
mod limits;
mod totals;
mod verdict;

pub use copies::Copies;
pub use fail_on::FailOn;
pub use labels::{About, Judgement, Label, Labelled, Labels, Pattern};
pub use levels::{Action, Severity};
pub use limits::{MoveLimits, Refusal, RuleShare, SeriesShare, over_limits, share};
pub use totals::RowTotals;
pub use verdict::{Found, Rows, Verdict, verdicts};
