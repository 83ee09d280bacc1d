//! Bars of a series by calendar month: how many there are, how many there should be, what they lack.

use std::ops::Range;

use chrono::{DateTime, Datelike, NaiveDate};

use super::counts::MonthCounts;
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
        let zero = |index: usize| rows.clone().filter(|row| frame.number(index, *row) == Some(0.0)).count();
        MonthCounts {
            bars: count(timestamps.len()),
            duplicates: count(repeated),
            zero_volume: self.volume.map_or(0, |index| count(zero(index))),
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
