//! Which series share bars, without comparing each with each.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::sample::{Bar, Sample, is_sampled};

const MINUTE_US: i64 = 60_000_000;

/// Two series and the bars that they have at the same timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    /// The first by name.
    pub(super) of: usize,
    /// The other.
    pub(super) copy: usize,
    /// Sampled bars at the same timestamps.
    pub(super) compared: u64,
    /// Those of them that are equal.
    pub(super) equal: u64,
    /// One of so many bars was sampled.
    pub(super) one_of: u64,
    /// First and last timestamp of equal bars, µs UTC.
    pub(super) span: (i64, i64),
}

/// The pairs of `samples` that share at least `fewest` bars and that `may` be compared. Of many series with one bar each is
/// paired with the first and with the next: series that share only a few bars with all others stay apart, and copies of
/// each other do not.
pub(super) fn pairs(samples: &[Sample], fewest: u64, may: impl Fn(usize, usize) -> bool) -> Vec<Pair> {
    let mut bars: Vec<(Bar, usize)> = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        bars.extend(sample.bars.iter().map(|bar| (*bar, index)));
    }
    bars.sort_unstable();
    let mut shared: HashMap<(usize, usize), u64> = HashMap::new();
    for group in bars.chunk_by(|one, other| one.0 == other.0) {
        let first = group[0].1;
        for (at, pair) in group.windows(2).enumerate() {
            let (one, other) = (pair[0].1, pair[1].1);
            *shared.entry((one, other)).or_default() += 1;
            if at > 0 {
                *shared.entry((first, other)).or_default() += 1;
            }
        }
    }
    let enough = shared.into_iter().filter(|((one, other), shared)| *shared >= fewest && may(*one, *other));
    enough.map(|((one, other), _)| compared(samples, one, other)).collect()
}

/// The bars of two series at the same timestamps.
fn compared(samples: &[Sample], of: usize, copy: usize) -> Pair {
    let (one, other) = (&samples[of], &samples[copy]);
    let level = one.level.max(other.level);
    let mut pair = Pair { of, copy, compared: 0, equal: 0, one_of: 1 << level, span: (i64::MAX, i64::MIN) };
    let (mut left, mut right) = (one.bars.as_slice(), other.bars.as_slice());
    while let (Some(a), Some(b)) = (left.first(), right.first()) {
        match a.minute.cmp(&b.minute) {
            Ordering::Less => left = &left[1..],
            Ordering::Greater => right = &right[1..],
            Ordering::Equal => {
                if is_sampled(a.minute, level) {
                    pair.compared += 1;
                    if a.values == b.values {
                        let time = i64::from(a.minute) * MINUTE_US;
                        pair.equal += 1;
                        pair.span = (pair.span.0.min(time), pair.span.1.max(time));
                    }
                }
                (left, right) = (&left[1..], &right[1..]);
            }
        }
    }
    pair
}
