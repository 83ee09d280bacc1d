//! Stretches of time that facts hold for.

/// A stretch of time, µs on the scale of the timestamps of the bars; half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// Its first µs; `i64::MIN` where it has no beginning.
    pub from: i64,
    /// The first µs after it; `i64::MAX` where it has no end.
    pub until: i64,
}

impl Stretch {
    /// All of time.
    pub const ALWAYS: Self = Self { from: i64::MIN, until: i64::MAX };

    /// Whether `time` lies in it.
    pub fn covers(self, time: i64) -> bool {
        self.from <= time && time < self.until
    }

    /// Whether the two have a µs in common.
    pub fn meets(self, other: Self) -> bool {
        self.from < other.until && other.from < self.until
    }
}

/// The stretches in order, those that overlap or follow each other without a gap as one.
pub(super) fn united(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut united: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match united.last_mut() {
            Some(last) if stretch.from <= last.until => last.until = last.until.max(stretch.until),
            _ => united.push(stretch),
        }
    }
    united
}

/// Of `stretches`, which are in order and apart, the one that covers `time`.
pub(super) fn covering(stretches: &[Stretch], time: i64) -> Option<Stretch> {
    let next = stretches.get(stretches.partition_point(|stretch| stretch.until <= time))?;
    next.covers(time).then_some(*next)
}

/// The first moment after `time` at which one of `stretches`, which are in order and apart, begins or ends.
pub(super) fn next_change(stretches: &[Stretch], time: i64) -> i64 {
    let next = stretches.get(stretches.partition_point(|stretch| stretch.until <= time));
    next.map_or(i64::MAX, |next| if next.covers(time) { next.until } else { next.from })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(i64, i64)]) -> Vec<Stretch> {
        pairs.iter().map(|(from, until)| Stretch { from: *from, until: *until }).collect()
    }

    #[test]
    fn overlapping_stretches_and_neighbours_are_one() {
        assert_eq!(united(of(&[(5, 7), (1, 3), (3, 4), (6, 9)])), of(&[(1, 4), (5, 9)]));
        assert_eq!(united(of(&[(1, i64::MAX), (2, 3)])), of(&[(1, i64::MAX)]));
    }

    #[test]
    fn a_stretch_holds_from_its_first_moment_to_before_its_end() {
        let stretches = of(&[(1, 4), (5, 9)]);
        let covered: Vec<i64> = (0..11).filter(|time| covering(&stretches, *time).is_some()).collect();
        assert_eq!(covered, [1, 2, 3, 5, 6, 7, 8]);
    }
}
