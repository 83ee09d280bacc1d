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
#[derive(Debug, Default)]
pub struct PeerValues(HashMap<i64, Vec<f32>>);

/// The middle values of all series by timestamp.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct PeerTable(HashMap<i64, Middle>);

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
    let mut written: Vec<(i64, f32)> = Vec::new();
    for (time, value) in time.iter().zip(values).filter(|(_, value)| value.is_finite()) {
        if last.replace(*time) != Some(*time) {
            written.push((*time, narrow(*value)));
        }
    }
    let bytes = |(time, value): &(i64, f32)| time.to_le_bytes().into_iter().chain(value.to_le_bytes());
    written.chunks(IN_PIECE).map(|piece| piece.iter().flat_map(bytes).collect()).collect()
}

/// Medians need no more digits, and half of the memory.
#[expect(clippy::cast_possible_truncation, reason = "the nearest one is meant")]
fn narrow(value: f64) -> f32 {
    value as f32
}

impl PeerValues {
    /// Takes a piece that [`to_pieces`] wrote.
    pub fn take(&mut self, piece: &[u8]) {
        for entry in piece.chunks_exact(WIDTH) {
            if let (Some(time), Some(value)) = (entry.first_chunk(), entry.last_chunk()) {
                self.0.entry(i64::from_le_bytes(*time)).or_default().push(f32::from_le_bytes(*value));
            }
        }
    }

    /// The table of these values. Their order does not matter.
    pub fn table(self) -> PeerTable {
        let middle = |mut values: Vec<f32>| {
            values.sort_unstable_by(f32::total_cmp);
            let (last, at) = (values.len() - 1, values.len().saturating_sub(2) / 2);
            Middle {
                series: u32::try_from(values.len()).unwrap_or(u32::MAX),
                all: values[last / 2],
                low: values[at],
                high: values[(at + 1).min(last)],
            }
        };
        PeerTable(self.0.into_iter().map(|(time, values)| (time, middle(values))).collect())
    }
}

impl PeerTable {
    /// What series other than the one whose bar has the value `own` show at `time`, µs UTC; `own` is NaN where the bar says
    /// nothing. `None` where there is no other.
    pub fn others(&self, time: i64, own: f64) -> Option<Others> {
        let middle = self.0.get(&time)?;
        let own = narrow(own);
        let (series, median) = match own.is_finite() {
            true => (middle.series.checked_sub(1)?, if own > middle.low { middle.low } else { middle.high }),
            false => (middle.series, middle.all),
        };
        (series > 0).then_some(Others { series: series as usize, median: median.into() })
    }

    /// The most series that have a value at one timestamp.
    pub fn most_series(&self) -> usize {
        self.0.values().map(|middle| middle.series as usize).max().unwrap_or(0)
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
        assert_eq!(table.others(0, 1.0), None);
        assert_eq!(table.others(0, f64::NAN), Some(Others { series: 1, median: 1.0 }));
        assert_eq!(table.others(1, 2.0), Some(Others { series: 1, median: 5.0 }));
        assert_eq!((table.others(2, 1.0), table.most_series()), (None, 2));
    }

    #[test]
    fn of_several_rows_at_one_timestamp_the_first_counts() {
        let pieces = to_pieces(&[7, 7, 8], &[1.0, 2.0, 3.0]);
        assert_eq!(pieces.concat().len(), 2 * WIDTH);
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
                prop_assert_eq!(table.others(0, *value), expected);
            }
        }
    }
}
