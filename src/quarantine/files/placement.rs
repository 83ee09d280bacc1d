//! Where rows that come back belong in a file as it is now, and how many of them are there already.
//!
//! Rows are known by their content. The order comes from the files as they were before each removal: put together, the
//! oldest first, they say which row stood before which, also where the file was rewritten or other rows left since.

use std::collections::{HashMap, HashSet, VecDeque};

/// The rows of all versions of a file that are kept, in one order.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Keys in order; each stands for one row of some version.
    keys: Vec<u128>,
    /// For each version, where its rows are in the order.
    versions: Vec<Vec<usize>>,
}

impl Merged {
    /// Puts versions of a file together, the oldest first.
    pub(super) fn new<'a>(versions: impl IntoIterator<Item = &'a [u128]>) -> Self {
        let mut merged = Self::default();
        for version in versions {
            merged.add(version);
        }
        merged
    }

    /// Adds a version: rows that are known already are the same rows. Others go behind the row they follow, and behind
    /// those that had left from there by then: a loader appends.
    fn add(&mut self, version: &[u128]) {
        let known = align(&self.keys, |_| true, version);
        let mut until = self.keys.len();
        let mut before: Vec<usize> = Vec::with_capacity(version.len());
        for place in known.iter().rev() {
            until = place.unwrap_or(until);
            before.push(until);
        }
        before.reverse();
        // Where each known place moves to when the new rows are put in.
        let mut moved = Vec::with_capacity(self.keys.len());
        let mut keys = Vec::with_capacity(self.keys.len() + version.len());
        let mut own = Vec::with_capacity(version.len());
        for ((row, place), until) in version.iter().zip(known).zip(before) {
            while moved.len() < until {
                keys.push(self.keys[moved.len()]);
                moved.push(keys.len() - 1);
            }
            own.push(keys.len());
            keys.push(*row);
            if place.is_some() {
                moved.push(keys.len() - 1);
            }
        }
        while moved.len() < self.keys.len() {
            keys.push(self.keys[moved.len()]);
            moved.push(keys.len() - 1);
        }
        for places in &mut self.versions {
            for place in places {
                *place = moved[*place];
            }
        }
        self.versions.push(own);
        self.keys = keys;
    }

    fn place(&self, (version, row): (usize, usize)) -> Option<usize> {
        self.versions.get(version)?.get(row).copied()
    }

    /// For rows of versions (index of the version, index of the row), each with a number that says which it is: where
    /// in `now` each goes (the index of the row it goes before), in the order of the new file. `absent` are rows of
    /// versions that are known not to be in `now`; others with the same content may be.
    pub(super) fn places(
        &self,
        now: &[u128],
        absent: &[(usize, usize)],
        rows: &[((usize, usize), usize)],
    ) -> Vec<(usize, usize)> {
        let absent: HashSet<usize> = absent.iter().filter_map(|row| self.place(*row)).collect();
        let mut at = vec![None; self.keys.len()];
        for (index, place) in align(&self.keys, |place| !absent.contains(&place), now).into_iter().enumerate() {
            if let Some(place) = place {
                at[place] = Some(index);
            }
        }
        let mut wanted: Vec<(usize, usize)> =
            rows.iter().filter_map(|(row, which)| Some((self.place(*row)?, *which))).collect();
        wanted.sort_unstable();
        // Where no row before it is left, a row goes before the next one that is, and to the end where none is.
        let mut behind = at.iter().flatten().next().copied().unwrap_or(now.len());
        let mut placed = Vec::with_capacity(wanted.len());
        let mut seen = 0;
        for (place, which) in wanted {
            while seen <= place {
                behind = at[seen].map_or(behind, |index| index + 1);
                seen += 1;
            }
            placed.push((behind, which));
        }
        placed
    }
}

/// For each of `rows`, its place in `order`, of which only those that are `open` count: places ascend, and a row that
/// would have to go back has none.
fn align(order: &[u128], open: impl Fn(usize) -> bool, rows: &[u128]) -> Vec<Option<usize>> {
    let open: Vec<usize> = (0..order.len()).filter(|place| open(*place)).collect();
    // Two versions mostly begin alike; what follows is looked up.
    let alike = open.iter().zip(rows).take_while(|(place, row)| order[**place] == **row).count();
    let mut places: HashMap<u128, VecDeque<usize>> = HashMap::new();
    for place in &open[alike..] {
        places.entry(order[*place]).or_default().push_back(*place);
    }
    let mut next = 0;
    let mut aligned: Vec<Option<usize>> = open[..alike].iter().copied().map(Some).collect();
    for key in &rows[alike..] {
        let found = places.get_mut(key).and_then(|waiting| {
            while waiting.front().is_some_and(|place| *place < next) {
                waiting.pop_front();
            }
            waiting.pop_front()
        });
        if let Some(place) = found {
            next = place + 1;
        }
        aligned.push(found);
    }
    aligned
}

/// How many of the rows with one content that once left are in a file again: it has `now` of them, and had `stayed`
/// when one was last taken, of which `back` had come back by then; `left` left in all.
pub(super) fn there(now: u64, stayed: u64, back: u64, left: u64) -> u64 {
    now.saturating_sub(stayed.saturating_sub(back)).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file with rows put in.
    fn with(now: &[u128], merged: &Merged, rows: &[(usize, usize)], keys: &[u128]) -> Vec<u128> {
        let rows: Vec<_> = rows.iter().enumerate().map(|(which, row)| (*row, which)).collect();
        let absent: Vec<_> = rows.iter().map(|(row, _)| *row).collect();
        let mut file = Vec::new();
        let mut placed = merged.places(now, &absent, &rows).into_iter().peekable();
        for index in 0..=now.len() {
            while let Some((_, which)) = placed.next_if(|(place, _)| *place == index) {
                file.push(keys[which]);
            }
            file.extend(now.get(index));
        }
        file
    }

    #[test]
    fn rows_go_back_between_their_old_neighbours_in_any_order() {
        // 1 and 3 left first, then 2.
        let merged = Merged::new([&[1, 2, 3, 4][..], &[2, 4]]);
        assert_eq!(with(&[4], &merged, &[(0, 0), (0, 2)], &[1, 3]), [1, 3, 4]);
        assert_eq!(with(&[1, 3, 4], &merged, &[(1, 0)], &[2]), [1, 2, 3, 4]);
        assert_eq!(with(&[4], &merged, &[(1, 0)], &[2]), [2, 4]);
        assert_eq!(with(&[2, 4], &merged, &[(0, 2), (0, 0)], &[3, 1]), [1, 2, 3, 4]);
    }

    #[test]
    fn rows_of_others_stay_where_they_are() {
        let merged = Merged::new([&[1, 2, 3][..]]);
        assert_eq!(with(&[9, 1, 8, 3, 7], &merged, &[(0, 1)], &[2]), [9, 1, 2, 8, 3, 7]);
        assert_eq!(with(&[9, 7], &merged, &[(0, 1)], &[2]), [9, 7, 2], "no neighbour is left");
        assert_eq!(with(&[9, 3], &merged, &[(0, 1)], &[2]), [9, 2, 3], "only the next one is");
        assert_eq!(with(&[], &merged, &[(0, 0), (0, 2)], &[1, 3]), [1, 3]);
    }

    #[test]
    fn rows_that_came_between_two_removals_have_a_place_too() {
        let merged = Merged::new([&[1, 2][..], &[1, 5, 6]]);
        assert_eq!(with(&[1, 6], &merged, &[(1, 1)], &[5]), [1, 5, 6]);
        assert_eq!(with(&[6], &merged, &[(1, 1), (0, 0), (0, 1)], &[5, 1, 2]), [1, 2, 5, 6]);
    }

    #[test]
    fn the_same_row_twice_keeps_its_order() {
        let merged = Merged::new([&[1, 2, 1, 3][..]]);
        assert_eq!(with(&[1, 2, 3], &merged, &[(0, 2)], &[1]), [1, 2, 1, 3]);
        assert_eq!(with(&[3], &merged, &[(0, 2), (0, 0), (0, 1)], &[1, 1, 2]), [1, 2, 1, 3]);
        assert_eq!(
            with(&[1, 3], &merged, &[(0, 0), (0, 1)], &[1, 2]),
            [1, 2, 1, 3],
            "the one that is there is the last"
        );
    }

    #[test]
    fn copies_come_back_as_often_as_they_left() {
        assert_eq!(there(1, 1, 0, 1), 0, "the copy that is there never left");
        assert_eq!(there(2, 1, 0, 1), 1);
        assert_eq!(there(0, 1, 0, 1), 0, "even that one is gone");
        assert_eq!(there(1, 0, 0, 2), 1);
        assert_eq!(there(2, 2, 1, 2), 1, "one had come back before the other was taken");
    }
}
