//! At which timestamps a series has bars: one bit a timestamp, in blocks of which only those that have any are kept.

use crate::bars::BarsSpec;
use crate::checks::across::{to_bytes, to_words};
use crate::checks::reason::Reason;
use crate::market::facts::SeriesFacts;
use crate::market::{DAY_US, Grid, Interval, Slot, zone};

/// Timestamps of a block.
pub(super) const BLOCK: i64 = 256;
/// Bits of a block.
pub(super) type Bits = [u64; 4];
/// Reasons for which bars may not be there: the first ones of [`Reason`].
const REASONS: usize = Reason::Quarantined as usize + 1;
/// Numbers before the blocks in a note.
const HEAD: usize = 3 + REASONS;
/// Numbers of a block in a note.
const WORDS: usize = 5;

/// Where a series has bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presence {
    /// Rows that are on a timestamp.
    pub(super) rows: u64,
    /// First and last position with a bar.
    pub(super) span: (i64, i64),
    /// Blocks by their number, ascending.
    pub(super) blocks: Vec<(i64, Bits)>,
    /// Positions without a bar that a fact explains, by [`Reason`]; they count as if it had bars there.
    pub(super) explained: [i64; REASONS],
}

/// The positions of timestamps: those of the grid where there is a calendar, else the steps of the clock.
#[derive(Debug, Clone)]
pub(super) struct Positions {
    grid: Option<std::sync::Arc<Grid>>,
    interval: Interval,
}

impl Positions {
    pub(super) fn of(bars: &BarsSpec) -> Self {
        Self { grid: bars.grid.clone(), interval: bars.interval }
    }

    /// Whether positions are those where the calendar expects bars.
    pub(super) fn expected(&self) -> bool {
        self.grid.is_some()
    }

    /// The position of `time`, µs UTC; `None` where the calendar expects no bar.
    fn position(&self, time: i64) -> Option<i64> {
        if let Some(grid) = &self.grid {
            return match grid.slot(time) {
                Slot::On(position) | Slot::OtherDay(position) => Some(position),
                _ => None,
            };
        }
        Some(match self.interval {
            Interval::Seconds(seconds) => time.div_euclid(i64::from(seconds) * 1_000_000),
            Interval::Day => i64::from(zone::day_of(time)),
            // 1970-01-05 was a Monday.
            Interval::Week => (i64::from(zone::day_of(time)) + 3).div_euclid(7),
            Interval::Month => month_of(time),
        })
    }

    /// The positions from the first to the last of `span` at which `facts` explain that no bar is there.
    fn explained(&self, facts: &SeriesFacts<'_>, (first, last): (i64, i64)) -> Vec<(i64, Reason)> {
        let Some(grid) = self.grid.as_ref().filter(|_| !facts.is_empty()) else { return Vec::new() };
        let mut explained = Vec::new();
        let mut position = first;
        while position <= last {
            let (absence, changes) = facts.absence(grid.timestamp(position));
            let next = grid.first_at_or_after(changes).unwrap_or(i64::MAX).clamp(position + 1, last + 1);
            let reason = absence.map(Reason::of);
            explained.extend(reason.into_iter().flat_map(|reason| (position..next).map(move |at| (at, reason))));
            position = next;
        }
        explained
    }

    /// A timestamp of `position`, µs UTC.
    pub(super) fn timestamp(&self, position: i64) -> i64 {
        match (&self.grid, self.interval) {
            (Some(grid), _) => grid.timestamp(position),
            (None, Interval::Seconds(seconds)) => position * i64::from(seconds) * 1_000_000,
            (None, Interval::Day) => position * DAY_US,
            (None, Interval::Week) => (position * 7 - 3) * DAY_US,
            (None, Interval::Month) => first_of_month(position),
        }
    }
}

/// Months since year 0.
fn month_of(time: i64) -> i64 {
    use chrono::Datelike;
    let date = chrono::NaiveDate::from_epoch_days(zone::day_of(time)).unwrap_or_default();
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

fn first_of_month(month: i64) -> i64 {
    let year = i32::try_from(month.div_euclid(12)).ok();
    let of_year = u32::try_from(month.rem_euclid(12) + 1).ok();
    let date = year.zip(of_year).and_then(|(year, month)| chrono::NaiveDate::from_ymd_opt(year, month, 1));
    date.map_or(0, |date| i64::from(date.to_epoch_days()) * DAY_US)
}

impl Presence {
    /// Where bars with the timestamps `times`, which ascend, are; `None` where no position has one.
    pub(super) fn new(positions: &Positions, times: &[i64]) -> Option<Self> {
        let (mut rows, mut span, mut blocks) = (0, None, Vec::<(i64, Bits)>::new());
        for position in times.iter().filter_map(|time| positions.position(*time)) {
            rows += 1;
            span = Some(span.map_or((position, position), |(first, _)| (first, position)));
            let (block, at) = (position.div_euclid(BLOCK), bit(position));
            match blocks.last_mut() {
                Some((last, bits)) if *last == block => set(bits, at),
                _ => {
                    let mut bits = Bits::default();
                    set(&mut bits, at);
                    blocks.push((block, bits));
                }
            }
        }
        span.map(|span| Self { rows, span, blocks, explained: [0; REASONS] })
    }

    /// The same of a series with `facts`: where they explain that a bar is missing, it is not missed.
    pub(super) fn with_facts(self, positions: &Positions, times: &[i64], facts: &SeriesFacts<'_>) -> Self {
        let mut explained = [0; REASONS];
        let mut all = times.to_vec();
        for (position, reason) in positions.explained(facts, self.span) {
            if !self.has(position) {
                explained[reason as usize] += 1;
                all.push(positions.timestamp(position));
            }
        }
        all.sort_unstable();
        match Self::new(positions, &all) {
            Some(filled) => Self { rows: self.rows, explained, ..filled },
            None => self,
        }
    }

    fn has(&self, position: i64) -> bool {
        let block = self.blocks.binary_search_by_key(&position.div_euclid(BLOCK), |(block, _)| *block);
        block.is_ok_and(|block| has(&self.blocks[block].1, bit(position)))
    }

    /// As the bytes of a note.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let head = [i64::try_from(self.rows).unwrap_or(i64::MAX), self.span.0, self.span.1];
        let blocks = self
            .blocks
            .iter()
            .flat_map(|(block, bits)| std::iter::once(*block).chain(bits.iter().map(|word| word.cast_signed())));
        to_bytes(head.into_iter().chain(self.explained).chain(blocks))
    }

    /// What [`Presence::to_bytes`] wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let words = to_words(bytes);
        let (head, blocks) = words.split_at_checked(HEAD)?;
        let block = |words: &[i64]| {
            let mut bits = Bits::default();
            bits.iter_mut().zip(&words[1..]).for_each(|(bits, word)| *bits = word.cast_unsigned());
            (words[0], bits)
        };
        let blocks = blocks.chunks_exact(WORDS).map(block).collect();
        let explained = head[3..].try_into().ok()?;
        Some(Self { rows: head[0].cast_unsigned(), span: (head[1], head[2]), blocks, explained })
    }
}

/// The bit of `position` in its block.
pub(super) fn bit(position: i64) -> usize {
    usize::try_from(position.rem_euclid(BLOCK)).unwrap_or(0)
}

/// Sets a bit.
pub(super) fn set(bits: &mut Bits, at: usize) {
    bits[at / 64] |= 1 << (at % 64);
}

/// Whether a bit is set.
pub(super) fn has(bits: &Bits, at: usize) -> bool {
    bits[at / 64] >> (at % 64) & 1 == 1
}
