//! Bars of a series by calendar month: how many there are, how many there should be, what they lack.

use std::ops::Range;

use chrono::{DateTime, Datelike, NaiveDate};

use super::counts::{Counts, MonthCounts};
use super::frame::{Frame, Layout};
use super::program::Program;
use crate::bars::DAY_US;
use crate::market::{Grid, Slot};

/// One month of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// Its first day, in days since 1970-01-01.
    pub month: i32,
    /// First and last timestamp, µs UTC.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// Its bars.
    pub counts: MonthCounts,
}

/// Bytes of a month: its number, first and last timestamp, and the counts.
const BYTES: usize = 4 + 8 * (2 + MonthCounts::COLUMNS.len());
/// A count that is not known; none is negative.
const UNKNOWN: i64 = -1;

impl Month {
    /// Months as they travel, of one length each.
    pub fn to_bytes(months: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(months.len() * BYTES);
        for month in months {
            bytes.extend(month.month.to_le_bytes());
            bytes.extend([month.first, month.last].map(i64::to_le_bytes).as_flattened());
            for count in month.counts.values() {
                bytes.extend(count.unwrap_or(UNKNOWN).to_le_bytes());
            }
        }
        bytes
    }

    /// The months that [`Month::to_bytes`] wrote; `None` where it did not write `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Option<Vec<Self>> {
        bytes.chunks(BYTES).map(Self::read).collect()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (month, rest) = bytes.split_first_chunk()?;
        let (numbers, rest) = rest.as_chunks();
        let numbers: [i64; 2 + MonthCounts::COLUMNS.len()] =
            numbers.iter().map(|number| i64::from_le_bytes(*number)).collect::<Vec<_>>().try_into().ok()?;
        let [first, last, counts @ ..] = numbers;
        let counts = MonthCounts::read(|column| Some(counts[column]).filter(|count| *count != UNKNOWN));
        rest.is_empty().then_some(Self { month: i32::from_le_bytes(*month), first, last, counts })
    }
}

/// The months of a series that have bars, and those between them that have none but should.
pub fn months(program: &Program, layout: &Layout, frame: &Frame) -> Vec<Month> {
    let time = frame.time(layout);
    let (Some(first), Some(last)) = (time.first(), time.last()) else { return Vec::new() };
    let fields = Fields::of(program, layout);
    let mut out = Vec::new();
    let mut start = 0;
    let mut month = month_of(*first);
    while month <= *last {
        let next = next_month(month);
        let end = start + time[start..].partition_point(|timestamp| *timestamp < next);
        let mut counts = fields.count(frame, time, start..end);
        if let Some(grid) = &program.bars.grid {
            let expected = expected(grid, month.max(*first), (next - 1).min(*last));
            counts.expected = Some(expected);
            counts.missing = Some((expected - on_grid(grid, &time[start..end])).max(0));
        }
        if counts.bars > 0 || counts.expected.unwrap_or(0) > 0 {
            let timestamps = &time[start..end];
            out.push(Month {
                month: i32::try_from(month.div_euclid(DAY_US)).unwrap_or(i32::MAX),
                first: timestamps.first().copied().unwrap_or_default(),
                last: timestamps.last().copied().unwrap_or_default(),
                counts,
            });
        }
        (start, month) = (end, next);
    }
    out
}

/// Timestamps the calendar wants in the closed interval.
fn expected(grid: &Grid, first: i64, last: i64) -> i64 {
    match (grid.first_at_or_after(first), grid.last_at_or_before(last)) {
        (Some(first), Some(last)) if first <= last => last - first + 1,
        _ => 0,
    }
}

/// Different expected timestamps among `times`, which ascend.
fn on_grid(grid: &Grid, times: &[i64]) -> i64 {
    let mut count = 0;
    let mut previous = None;
    for time in times {
        if let Slot::On(position) = grid.slot(*time)
            && previous != Some(position)
        {
            count += 1;
            previous = Some(position);
        }
    }
    count
}

/// Fields the counts look at, where the bars have them and they were read.
struct Fields {
    prices: Vec<usize>,
    volume: Option<usize>,
}

impl Fields {
    fn of(program: &Program, layout: &Layout) -> Self {
        let read = |name: &&str| {
            let index = program.bars.field(name)?.0;
            (layout.fields[index].value.is_some() && layout.numeric[index]).then_some(index)
        };
        Self { prices: ["open", "high", "low", "close"].iter().filter_map(read).collect(), volume: read(&"volume") }
    }

    fn count(&self, frame: &Frame, time: &[i64], rows: Range<usize>) -> MonthCounts {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let timestamps = &time[rows.clone()];
        let repeated = timestamps.windows(2).filter(|pair| pair[0] == pair[1]).count();
        MonthCounts {
            bars: count(timestamps.len()),
            duplicates: count(repeated),
            zero_volume: self.volume.map_or(0, |index| count(frame.zeros(index, rows.clone()))),
            null_prices: self.prices.iter().map(|index| count(frame.nulls(*index, rows.clone()))).sum(),
            null_volume: self.volume.map_or(0, |index| count(frame.nulls(index, rows.clone()))),
            ..MonthCounts::default()
        }
    }
}

/// Midnight UTC that begins the month of `time`, µs.
fn month_of(time: i64) -> i64 {
    let date = DateTime::from_timestamp_micros(time).map_or(NaiveDate::MIN, |timestamp| timestamp.date_naive());
    midnight(date.with_day(1).unwrap_or(date))
}

fn next_month(month: i64) -> i64 {
    month_of(month + 31 * DAY_US)
}

fn midnight(date: NaiveDate) -> i64 {
    i64::from(date.to_epoch_days()) * DAY_US
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_arrive_as_they_left() {
        let counts =
            MonthCounts { bars: 3, expected: Some(5), missing: None, null_volume: 2, ..MonthCounts::default() };
        let months = [
            Month { month: 19_723, first: -1, last: i64::MAX, counts },
            Month { month: -31, first: 0, last: 0, counts: MonthCounts { missing: Some(0), ..counts } },
        ];
        let bytes = Month::to_bytes(&months);
        assert_eq!(Month::from_bytes(&bytes).as_deref(), Some(&months[..]));
        assert_eq!(Month::from_bytes(&[]).as_deref(), Some(&[][..]));
        assert_eq!(Month::from_bytes(&bytes[1..]), None);
        assert_eq!(Month::from_bytes(&bytes[..bytes.len() - 8]), None);
    }
}
