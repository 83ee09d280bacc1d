//! Why a bar or a source is flagged, and the sentence about it.

use super::evidence::Evidence;
use crate::checks::Facts;
use crate::checks::cause::causes;
use crate::checks::evidence::LONGEST_VALUE;
use crate::text::escape::shortened;
use crate::text::numbers::{counted, rough};

causes! {
    /// Most other sources agree on another value.
    OddOne = "odd-one",
    /// Another source has another value.
    Differs = "differs",
    /// Consecutive bars differ by one ratio.
    Ratio = "ratio",
    /// Too many bars of the source differ.
    Unlike = "unlike",
    /// The sources have no timestamp in common.
    NothingCommon = "nothing-common",
}

/// Ratios that have a reason, and what it is.
const KNOWN: [(f64, &str); 14] = [
    (100.0, "another unit"),
    (0.01, "another unit"),
    (1_000.0, "another unit"),
    (0.001, "another unit"),
    (10_000.0, "another unit"),
    (0.0001, "another unit"),
    (10.0, "a split of 10, or another unit"),
    (0.1, "a split of 10, or another unit"),
    (2.0, "a split of 2"),
    (0.5, "a split of 2"),
    (3.0, "a split of 3"),
    (1.5, "a split of 3 for 2"),
    (4.0, "a split of 4"),
    (0.25, "a split of 4"),
];

impl Cause {
    /// The sentence about it.
    pub(super) fn message(self, facts: &Facts<'_>) -> String {
        let Evidence { source, others, ratio, compared, .. } = facts.evidence();
        let source = shortened(&source, LONGEST_VALUE);
        let said: Vec<String> =
            others.iter().map(|(name, value)| format!("{value} in {}", shortened(name, LONGEST_VALUE))).collect();
        let said = if said.is_empty() { String::new() } else { format!(", and {}", said.join(", ")) };
        match self {
            Self::OddOne => format!("{} of {source} is the odd one{said}", facts.subject()),
            Self::Differs => format!("{} in {source}{said}", facts.subject()),
            Self::Ratio => {
                let ratio = ratio.unwrap_or_default();
                let known = KNOWN.iter().find(|(known, _)| (ratio / known - 1.0).abs() < 0.01);
                let looks = known.map(|(known, reason)| format!(" ({known}: {reason})")).unwrap_or_default();
                let (bars, field) = (counted(facts.bars, "bar"), facts.field_or("the row"));
                format!(
                    "{bars} of {source} in a row are {} times the others{looks}: {field} {}{said}",
                    rough(ratio, 4),
                    facts.observed.unwrap_or_default()
                )
            }
            Self::Unlike => format!(
                "{} of {compared} of {source} differ from the other sources, by no one ratio",
                counted(facts.bars, "bar")
            ),
            Self::NothingCommon => format!("the sources {source} have no timestamp in common: nothing to compare"),
        }
    }
}
