//! Why the totals of a run are flagged, and the sentence about it.

use super::evidence::Evidence;
use crate::checks::Facts;
use crate::checks::cause::causes;
use crate::text::escape::visible;
use crate::text::numbers::{thousands, whole};

causes! {
    /// More than the runs before had.
    More = "more",
    /// Less than the runs before had.
    Fewer = "fewer",
}

impl Cause {
    /// The sentence about it.
    pub(super) fn message(self, facts: &Facts<'_>) -> String {
        let Evidence { runs, first, last, median, share, .. } = facts.evidence();
        let shown = |value: f64| if share { format!("{:.3} %", value * 100.0) } else { thousands(whole(value)) };
        let measure = visible(facts.field.unwrap_or("rows"));
        let observed = shown(facts.observed.unwrap_or_default());
        let usual = match (self, facts.expected_lo, facts.expected_hi) {
            (Self::More, _, Some(most)) => format!("more than the usual {} at most", shown(most)),
            (Self::Fewer, Some(least), _) => format!("less than the usual {} at least", shown(least)),
            _ => "not what is usual".to_owned(),
        };
        format!("{measure} {observed}, {usual}: the median of {runs} runs from {first} to {last} is {}", shown(median))
    }
}
