//! Why a series is flagged, and the sentence about it.

use super::evidence::Evidence;
use crate::checks::Facts;
use crate::checks::cause::causes;
use crate::checks::evidence::LONGEST_VALUE;
use crate::text::escape::shortened;
use crate::text::numbers::thousands;

causes! {
    /// Another series has the same bars.
    Copy = "copy",
}

impl Cause {
    /// The sentence about it.
    pub(super) fn message(self, facts: &Facts<'_>) -> String {
        let Self::Copy = self;
        let Evidence { other, compared, equal, one_of } = facts.evidence();
        let first = facts.timestamp(facts.time.unwrap_or_default());
        let last = facts.timestamp(facts.time_until.or(facts.time).unwrap_or_default());
        let sampled = if one_of > 1 { format!(", one of {one_of} compared") } else { String::new() };
        let (equal, compared) = (thousands(equal), thousands(compared));
        format!(
            "has the bars of {}: {equal} of {compared} are equal from {first} to {last}{sampled}",
            shortened(&other, LONGEST_VALUE)
        )
    }
}
