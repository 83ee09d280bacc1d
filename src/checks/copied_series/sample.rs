//! A sample of the bars of a series, at timestamps that are the same ones in every series.

use crate::checks::across::{to_bytes, to_words};
use crate::checks::{NumberColumn, Series};

/// About so many bars of a series are sampled; half as many at least, where it has them.
const MOST: u64 = 256;
/// Timestamps count by the minute, in which no two bars of a series begin.
const MINUTE_US: i64 = 60_000_000;

/// The fields by which bars are compared.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) close: usize,
    pub(super) others: [Option<usize>; 3],
    pub(super) volume: Option<usize>,
}

/// One sampled bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bar {
    /// Minutes since 1970-01-01.
    pub(super) minute: i32,
    /// A number made of its values.
    pub(super) values: u32,
}

/// Bars of a series.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Rows with a timestamp.
    pub(super) rows: u64,
    /// Bars that say something: a flat bar and one without volume are alike in many series.
    pub(super) usable: u64,
    /// One of two to this power was sampled.
    pub(super) level: u32,
    /// Ascending by timestamp, of each the first bar.
    pub(super) bars: Vec<Bar>,
}

/// A number that spreads those that are near each other over all numbers (Steele, Lea and Flood 2014, `SplitMix64`).
fn spread(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Whether bars of `minute` are sampled at `level`.
pub(super) fn is_sampled(minute: i32, level: u32) -> bool {
    level == 0 || spread(u64::from(minute.cast_unsigned())).trailing_zeros() >= level
}

/// The columns of one series.
struct Columns<'a> {
    close: NumberColumn<'a>,
    others: [Option<NumberColumn<'a>>; 3],
    volume: Option<NumberColumn<'a>>,
}

impl Columns<'_> {
    /// A number made of the values of `row`; `None` where they say nothing.
    fn values(&self, row: usize) -> Option<u32> {
        let close = self.close.values()[row];
        let others = self.others.iter().flatten().map(|column| column.values()[row]);
        let finite = close.is_finite() && others.clone().all(f64::is_finite);
        let flat = others.clone().count() > 0 && others.clone().all(|price| price == close);
        let volume = self.volume.as_ref().map(|volume| volume.values()[row]);
        if !finite || flat || volume.is_some_and(|volume| volume == 0.0) {
            return None;
        }
        // A volume that is not there is compared as one that is not a number.
        let volume = volume.map(|volume| if volume.is_nan() { f64::NAN } else { volume });
        let all = std::iter::once(close).chain(others).chain(volume);
        let mixed = all.fold(0, |mixed: u64, value| spread(mixed ^ (value + 0.0).to_bits()));
        u32::try_from(mixed >> 32).ok()
    }
}

impl Sample {
    /// The sample of `series`.
    pub(super) fn of(fields: &Fields, series: &Series<'_>) -> Self {
        let columns = Columns {
            close: series.number(fields.close),
            others: fields.others.map(|field| field.map(|index| series.number(index))),
            volume: fields.volume.map(|index| series.number(index)),
        };
        let level = (series.dated() as u64).div_ceil(MOST).max(1).next_power_of_two().trailing_zeros();
        let mut sample = Self { rows: series.dated() as u64, level, ..Self::default() };
        for (row, time) in series.time.iter().enumerate() {
            let Ok(minute) = i32::try_from(time.div_euclid(MINUTE_US)) else { continue };
            if !is_sampled(minute, level) || sample.bars.last().is_some_and(|last| last.minute == minute) {
                continue;
            }
            sample.bars.extend(columns.values(row).map(|values| Bar { minute, values }));
        }
        sample.usable = (sample.bars.len() as u64) << level;
        sample
    }

    /// As the bytes of a note.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let head = [self.rows.cast_signed(), self.usable.cast_signed(), i64::from(self.level)];
        let bars = self.bars.iter().map(|bar| (i64::from(bar.minute) << 32) | i64::from(bar.values));
        to_bytes(head.into_iter().chain(bars))
    }

    /// What [`Sample::to_bytes`] wrote; nothing where it did not.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let words = to_words(bytes);
        let Some((head, bars)) = words.split_at_checked(3) else { return Self::default() };
        let bar = |word: &i64| {
            let values = u32::try_from(word & 0xffff_ffff).unwrap_or(0);
            Bar { minute: i32::try_from(word >> 32).unwrap_or(0), values }
        };
        Self {
            rows: head[0].cast_unsigned(),
            usable: head[1].cast_unsigned(),
            level: u32::try_from(head[2]).unwrap_or(0),
            bars: bars.iter().map(bar).collect(),
        }
    }
}
