//! A dense numbering of the members among consecutive integers, such as the sessions among the days.
//!
//! Both ways are cheap: number to rank by one table look-up, rank to number by binary search.

use super::session::Lookup;

/// Which of the integers `first..` up to a last one are members, and how many come before each.
#[derive(Debug, Clone)]
pub(super) struct Ranks {
    first: i32,
    /// Entry `i` counts the members below `first + i`; one entry more than there are integers.
    before: Vec<u32>,
}

impl Ranks {
    /// Numbers `members`, which ascend and lie in `first..=last`.
    pub(super) fn new(first: i32, last: i32, members: impl Iterator<Item = i32>) -> Self {
        let mut members = members.peekable();
        let mut before = vec![0];
        let mut rank = 0;
        for number in first..=last {
            rank += u32::from(members.next_if_eq(&number).is_some());
            before.push(rank);
        }
        Self { first, before }
    }

    /// The rank of `number`, or why it has none.
    pub(super) fn lookup(&self, number: i32) -> Lookup {
        let Some(window) = self.place(number).and_then(|place| self.before.get(place..place + 2)) else {
            return Lookup::OutOfRange;
        };
        if window[0] < window[1] { Lookup::Session(i64::from(window[0])) } else { Lookup::Closed }
    }

    /// How many members there are.
    pub(super) fn count(&self) -> i64 {
        self.before.last().copied().map_or(0, i64::from)
    }

    /// How many members are smaller than `number`.
    pub(super) fn below(&self, number: i32) -> i64 {
        match self.place(number) {
            None => 0,
            Some(place) => self.before.get(place).map_or(self.count(), |rank| i64::from(*rank)),
        }
    }

    /// The member with `rank`.
    pub(super) fn member(&self, rank: i64) -> Option<i32> {
        if !(0..self.count()).contains(&rank) {
            return None;
        }
        let place = self.before.partition_point(|before| i64::from(*before) <= rank) - 1;
        Some(self.first + i32::try_from(place).ok()?)
    }

    fn place(&self, number: i32) -> Option<usize> {
        usize::try_from(i64::from(number) - i64::from(self.first)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Lookup::{Closed, OutOfRange, Session};
    use super::*;

    #[test]
    fn members_are_numbered_in_order_and_found_again() {
        let ranks = Ranks::new(-2, 4, [-2, 0, 1, 4].into_iter());
        let found: Vec<_> = (-3..=5).map(|number| ranks.lookup(number)).collect();
        let expected = [OutOfRange, Session(0), Closed, Session(1), Session(2), Closed, Closed, Session(3), OutOfRange];
        assert_eq!(found, expected);
        let members: Vec<_> = (-1..=4).map(|rank| ranks.member(rank)).collect();
        assert_eq!(members, [None, Some(-2), Some(0), Some(1), Some(4), None]);
    }

    #[test]
    fn members_below_a_number_are_counted_on_either_side_of_the_range() {
        let ranks = Ranks::new(10, 14, [11, 12].into_iter());
        let below: Vec<_> = [i32::MIN, 9, 10, 11, 12, 13, 15, i32::MAX].map(|number| ranks.below(number)).into();
        assert_eq!(below, [0, 0, 0, 0, 1, 2, 2, 2]);
    }
}
