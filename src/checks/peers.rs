//! What the other series show at the timestamp of a bar, for checks that need it to give a verdict.
//!
//! Such a check says one value of each bar. The values of all series are gathered in a pass before the rules run, and of
//! each timestamp the middle ones are kept: enough to say, for every series, the median of all others. So the table grows
//! with the timestamps, not with the bars, and travels with the rules.

use std::collections::HashMap;

/// What the other series show at one timestamp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Others {
    /// How many of them have a value there.
    pub series: usize,
    /// The lower median of their values.
    pub median: f64,
}

/// The values of all series, while they are gathered.
///
/// Most series have a bar at the timestamp that comes after the last one in the series before, so that is looked at first,
/// and few timestamps are hashed.
#[derive(Debug, Default)]
pub struct PeerValues {
    /// Timestamps, in the order in which they were first met.
    times: Vec<i64>,
    /// The values at each of them.
    values: Vec<Vec<f32>>,
    /// Where a timestamp is in `times`.
    places: HashMap<i64, usize>,
    /// How many values there are.
    count: usize,
}

/// The middle values of all series by timestamp.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct PeerTable {
    /// Timestamps, ascending.
    times: Vec<i64>,
    /// What is there at each of them.
    middles: Vec<Middle>,
}

/// Looks into a table for one timestamp after the other: where they ascend, the next one is mostly where it is expected.
#[derive(Debug, Clone)]
pub struct PeerWalk<'a> {
    table: &'a PeerTable,
    next: usize,
}

/// The values around the median of one timestamp.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Middle {
    /// How many series have a value.
    series: u32,
    /// The lower median of all values.
    all: f32,
    /// The lower median without a value that is greater than it.
    low: f32,
    /// The lower median without any other value.
    high: f32,
}

/// Bytes of one value with its timestamp.
const WIDTH: usize = 12;

/// At most so many values are written as one piece, which then stays below a megabyte.
const IN_PIECE: usize = 65_536;

/// The values of one series as pieces of bytes: of each timestamp (µs UTC, `time` ascends) the first value.
pub fn to_pieces(time: &[i64], values: &[f64]) -> Vec<Vec<u8>> {
    let mut last = None;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut piece = Vec::with_capacity(time.len().min(IN_PIECE) * WIDTH);
    for (time, value) in time.iter().zip(values).filter(|(_, value)| value.is_finite()) {
        if last.replace(*time) == Some(*time) {
            continue;
        }
        if piece.len() == IN_PIECE * WIDTH {
            pieces.push(std::mem::take(&mut piece));
        }
        let mut entry = [0; WIDTH];
        let (of_time, of_value) = entry.split_at_mut(size_of::<i64>());
        of_time.copy_from_slice(&time.to_le_bytes());
        of_value.copy_from_slice(&narrow(*value).to_le_bytes());
        piece.extend_from_slice(&entry);
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// Medians need no more digits, and half of the memory.
#[expect(clippy::cast_possible_truncation, reason = "the nearest one is meant")]
fn narrow(value: f64) -> f32 {
    value as f32
}

impl PeerValues {
    /// Takes a piece that [`to_pieces`] wrote.
    pub fn take(&mut self, piece: &[u8]) {
        self.count += piece.len() / WIDTH;
        let mut expected = 0;
        for entry in piece.chunks_exact(WIDTH) {
            if let (Some(time), Some(value)) = (entry.first_chunk(), entry.last_chunk()) {
                let place = self.place(i64::from_le_bytes(*time), expected);
                self.values[place].push(f32::from_le_bytes(*value));
                expected = place + 1;
            }
        }
    }

    /// The place of `time`, mostly the one where it is `expected`.
    fn place(&mut self, time: i64, expected: usize) -> usize {
        if self.times.get(expected) == Some(&time) {
            return expected;
        }
        let new = self.times.len();
        let place = *self.places.entry(time).or_insert(new);
        if place == new {
            self.times.push(time);
            self.values.push(Vec::new());
        }
        place
    }

    /// Bytes of memory that they take, about: lists that grow are up to twice as long as what is in them.
    pub fn bytes(&self) -> usize {
        let of_timestamp = 2 * (size_of::<i64>() + size_of::<Vec<f32>>() + size_of::<(i64, usize)>());
        self.times.len() * of_timestamp + 2 * self.count * size_of::<f32>()
    }

    /// The table of these values. Their order does not matter.
    pub fn table(self) -> PeerTable {
        let mut all: Vec<(i64, Middle)> =
            self.times.into_iter().zip(self.values).map(|(time, values)| (time, Middle::of(values))).collect();
        all.sort_unstable_by_key(|(time, _)| *time);
        let (times, middles) = all.into_iter().unzip();
        PeerTable { times, middles }
    }
}

impl Middle {
    /// Of the values at one timestamp, of which there is one at least.
    fn of(mut values: Vec<f32>) -> Self {
        let (last, at) = (values.len() - 1, values.len().saturating_sub(2) / 2);
        let (_, low, above) = values.select_nth_unstable_by(at, f32::total_cmp);
        let low = *low;
        let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
        let series = u32::try_from(last + 1).unwrap_or(u32::MAX);
        Self { series, all: if last / 2 == at { low } else { high }, low, high }
    }
}

impl PeerTable {
    /// Looks into it for timestamps that ascend.
    pub fn walk(&self) -> PeerWalk<'_> {
        PeerWalk { table: self, next: 0 }
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.times.len() * (size_of::<i64>() + size_of::<Middle>())
    }

    /// The most series that have a value at one timestamp.
    pub fn most_series(&self) -> usize {
        self.middles.iter().map(|middle| middle.series as usize).max().unwrap_or(0)
    }
}

impl PeerWalk<'_> {
    /// What series other than the one whose bar has the value `own` show at `time`, µs UTC; `own` is NaN where the bar says
    /// nothing. `None` where there is no other.
    pub fn others(&mut self, time: i64, own: f64) -> Option<Others> {
        let PeerTable { times, middles } = self.table;
        let place = match times.get(self.next) == Some(&time) {
            true => self.next,
            false => times.binary_search(&time).ok()?,
        };
        self.next = place + 1;
        let middle = middles[place];
        let own = narrow(own);
        let (series, median) = match own.is_finite() {
            true => (middle.series.checked_sub(1)?, if own > middle.low { middle.low } else { middle.high }),
            false => (middle.series, middle.all),
        };
        (series > 0).then_some(Others { series: series as usize, median: median.into() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(series: &[&[f64]]) -> PeerTable {
        let mut values = PeerValues::default();
        for series in series {
            let time: Vec<i64> = (0..).take(series.len()).collect();
            for piece in to_pieces(&time, series) {
                values.take(&piece);
            }
        }
        values.table()
    }

    #[test]
    fn a_series_alone_has_no_others_and_a_missing_value_counts_for_nothing() {
        let table = table(&[&[1.0, 2.0], &[f64::NAN, 5.0]]);
        assert_eq!(table.walk().others(0, 1.0), None);
        assert_eq!(table.walk().others(0, f64::NAN), Some(Others { series: 1, median: 1.0 }));
        assert_eq!(table.walk().others(1, 2.0), Some(Others { series: 1, median: 5.0 }));
        assert_eq!((table.walk().others(2, 1.0), table.most_series()), (None, 2));
    }

    #[test]
    fn of_several_rows_at_one_timestamp_the_first_counts() {
        let pieces = to_pieces(&[7, 7, 8], &[1.0, 2.0, 3.0]);
        assert_eq!(pieces.concat().len(), 2 * WIDTH);
    }

    #[test]
    fn long_series_are_written_in_pieces() {
        let time: Vec<i64> = (0..).take(IN_PIECE + 1).collect();
        let values: Vec<f64> = vec![1.5; IN_PIECE + 1];
        let pieces = to_pieces(&time, &values);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [IN_PIECE * WIDTH, WIDTH]);
        assert!(to_pieces(&[], &[]).is_empty());
        let mut gathered = PeerValues::default();
        for piece in pieces.iter().chain(&pieces) {
            gathered.take(piece);
        }
        let last = i64::try_from(IN_PIECE).unwrap();
        let table = gathered.table();
        assert_eq!(table.walk().others(last, 1.5), Some(Others { series: 1, median: 1.5 }));
    }

    proptest! {
        /// The naive way: all others, sorted.
        #[test]
        fn the_median_is_that_of_the_others(values in prop::collection::vec(0..6_i32, 1..9)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let series: Vec<[f64; 1]> = values.iter().map(|value| [*value]).collect();
            let table = table(&series.iter().map(<[f64; 1]>::as_slice).collect::<Vec<_>>());
            for (own, value) in values.iter().enumerate() {
                let mut others: Vec<f64> =
                    values.iter().enumerate().filter(|(other, _)| *other != own).map(|(_, value)| *value).collect();
                others.sort_unstable_by(f64::total_cmp);
                let expected = others.get(others.len().saturating_sub(1) / 2);
                let expected = expected.map(|median| Others { series: others.len(), median: *median });
                prop_assert_eq!(table.walk().others(0, *value), expected);
            }
        }

        /// Series whose timestamps differ: the same as by a plain map of them, from the first to the last and asked at random.
        #[test]
        fn every_timestamp_is_found(
            series in prop::collection::vec(prop::collection::btree_map(0..12_i64, -3..3_i32, 0..12), 0..6),
            asked in prop::collection::vec(-1..13_i64, 0..20),
        ) {
            let mut gathered = PeerValues::default();
            let mut plain: std::collections::BTreeMap<i64, Vec<f64>> = std::collections::BTreeMap::new();
            for bars in &series {
                let (time, values): (Vec<i64>, Vec<f64>) = bars.iter().map(|(time, value)| (*time, f64::from(*value))).unzip();
                for piece in to_pieces(&time, &values) {
                    gathered.take(&piece);
                }
                for (time, value) in time.into_iter().zip(values) {
                    plain.entry(time).or_default().push(value);
                }
            }
            let table = gathered.table();
            prop_assert_eq!(table.most_series(), plain.values().map(Vec::len).max().unwrap_or(0));
            let mut walk = table.walk();
            for time in (-1..13).chain(asked) {
                let expected = plain.get_mut(&time).map(|values| {
                    values.sort_unstable_by(f64::total_cmp);
                    Others { series: values.len(), median: values[(values.len() - 1) / 2] }
                });
                prop_assert_eq!(walk.others(time, f64::NAN), expected);
            }
        }
    }
}
