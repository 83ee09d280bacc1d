//! Why a series or a timestamp is flagged, and the sentence about it.

use super::evidence::Evidence;
use crate::checks::Facts;
use crate::checks::cause::causes;
use crate::text::numbers::{counted, rate};

causes! {
    /// The series misses more of what others have than the others do.
    Misses = "misses",
    /// Most series have no bar at the timestamp.
    Outage = "outage",
}

impl Cause {
    /// The sentence about it.
    pub(super) fn message(self, facts: &Facts<'_>) -> String {
        let Evidence { eligible, missing, longest_at, longest, series, .. } = facts.evidence();
        let first = facts.timestamp(facts.time.unwrap_or_default());
        let until = facts.time_until.filter(|until| Some(*until) != facts.time);
        let when =
            until.map_or_else(|| format!("at {first}"), |until| format!("from {first} to {}", facts.timestamp(until)));
        match self {
            Self::Misses => {
                let share = rate(facts.observed.unwrap_or_default());
                let longest = format!("{} from {}", counted(longest, "bar"), facts.timestamp(longest_at));
                format!(
                    "misses {missing} of {eligible} bars that others have, {share} (at most {}); most in a row: {longest}",
                    rate(facts.expected_hi.unwrap_or_default())
                )
            }
            Self::Outage => format!("{missing} of {series} series have no bar {when}: {}", facts.bars()),
        }
    }
}
