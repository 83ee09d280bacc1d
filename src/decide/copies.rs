//! Which copy of a bar the rules about a series see, and which copies may stay.
//!
//! A rule about a series must see each bar once and no bar that is known to be bad: one copy of each timestamp, the one
//! with the fewest findings of its own, and no row that a rule about single rows rejected. Where the rules about the
//! series move the copy they saw, another copy is evaluated in its place, so that a good one always stays.

use crate::checks::Standing;

/// The copies of the bars of one series.
#[derive(Debug)]
pub struct Copies<'a> {
    /// Timestamps of the dated rows, µs UTC, ascending, with ties.
    time: &'a [i64],
    /// How each row stands so far, rows without a timestamp included.
    standing: Vec<Standing>,
    /// The rows that rules about the series see, ascending.
    shown: Vec<usize>,
}

impl<'a> Copies<'a> {
    /// Chooses a copy of each timestamp. `standing` has one entry a row, in the order of time and source; of equally
    /// good copies the first is shown, with `last` the last.
    pub fn new(time: &'a [i64], standing: Vec<Standing>, last: bool) -> Self {
        let mut shown = Vec::with_capacity(time.len());
        let mut start = 0;
        while start < time.len() {
            let end = end_of(time, start);
            shown.extend(best(start..end, &standing, last));
            start = end;
        }
        Self { time, standing, shown }
    }

    /// The rows that rules about the series see, ascending.
    pub fn shown(&self) -> &[usize] {
        &self.shown
    }

    /// How each row stands.
    pub fn standing(&self) -> &[Standing] {
        &self.standing
    }

    /// The shown rows among `moved` (ascending, by rules about copies) that are good and whose bar has no good copy that
    /// stays: rules that contradict each other would take all copies of the bar.
    pub fn last_of_their_bars(&self, moved: &[usize]) -> Vec<usize> {
        let good = |row: &usize| matches!(self.standing[*row], Standing::Good(_));
        let goes = |row: usize| moved.binary_search(&row).is_ok();
        let shown = self.shown.iter().copied().filter(|row| good(row) && goes(*row));
        let alone = |row: &usize| {
            let start = self.time.partition_point(|time| *time < self.time[*row]);
            (start..end_of(self.time, start)).filter(good).all(goes)
        };
        shown.filter(alone).collect()
    }

    /// Shows another copy in the place of each shown row in `moved` (ascending) that the rules about the series move,
    /// where a good one is left. Returns the rows that are not shown any more.
    pub fn replace(&mut self, moved: &[usize], last: bool) -> Vec<usize> {
        let mut replaced = Vec::new();
        for row in moved {
            let Ok(place) = self.shown.binary_search(row) else { continue };
            let stood = std::mem::replace(&mut self.standing[*row], Standing::Moved);
            let start = self.time.partition_point(|time| *time < self.time[*row]);
            match best(start..end_of(self.time, start), &self.standing, last) {
                Some(next) => {
                    self.shown[place] = next;
                    replaced.push(*row);
                }
                // Among other copies of its neighbours it may turn out to be good.
                None => self.standing[*row] = stood,
            }
        }
        replaced
    }

    /// Notes the rows that the rules about the series move in the end.
    pub fn conclude(&mut self, moved: &[usize]) {
        for row in moved {
            self.standing[*row] = Standing::Moved;
        }
    }
}

/// End of the rows with the timestamp of row `start`.
fn end_of(time: &[i64], start: usize) -> usize {
    start + time[start..].iter().take_while(|other| **other == time[start]).count()
}

/// The best of the good copies in `rows`.
fn best(rows: std::ops::Range<usize>, standing: &[Standing], last: bool) -> Option<usize> {
    let good = rows.filter(|row| matches!(standing[*row], Standing::Good(_)));
    if last { good.rev().min_by_key(|row| standing[*row]) } else { good.min_by_key(|row| standing[*row]) }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Good, Moved, Rejected};
    use super::*;

    #[test]
    fn the_copy_with_the_fewest_findings_is_shown_and_of_equals_the_first() {
        let time = [1, 2, 2, 2, 3, 3, 4];
        let standing = vec![Good(1), Good(2), Good(0), Good(0), Rejected, Good(5), Rejected, Good(0)];
        assert_eq!(Copies::new(&time, standing.clone(), false).shown(), [0, 2, 5]);
        assert_eq!(Copies::new(&time, standing, true).shown(), [0, 3, 5]);
    }

    #[test]
    fn another_good_copy_takes_the_place_of_one_that_is_moved() {
        let mut copies = Copies::new(&[1, 2, 2, 2, 3], vec![Good(0), Good(0), Rejected, Good(3), Good(0)], false);
        assert_eq!(copies.shown(), [0, 1, 4]);
        assert_eq!(copies.replace(&[1, 4], false), [1], "the bar of 3 has no other copy, and stays in sight");
        assert_eq!(copies.shown(), [0, 3, 4]);
        assert_eq!(copies.replace(&[3], false), [0; 0], "no copy is left");
        copies.conclude(&[3, 4]);
        assert_eq!(copies.standing(), [Good(0), Moved, Rejected, Moved, Moved]);
    }

    #[test]
    fn a_good_copy_stays_where_rules_about_copies_would_take_all() {
        let copies = Copies::new(&[1, 1, 2, 2, 3], vec![Good(0), Good(1), Rejected, Good(0), Good(0)], false);
        assert_eq!(copies.last_of_their_bars(&[0, 1, 3]), [0, 3]);
        assert_eq!(copies.last_of_their_bars(&[0]), [0; 0], "its other copy stays");
    }
}
