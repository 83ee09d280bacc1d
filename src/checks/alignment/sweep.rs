//! Goes over all timestamps once, in order, and says at each how many series have a bar of those that could.

use std::ops::Range;

use super::presence::{BLOCK, Bits, Presence, bit, has, set};

/// What there is at the timestamps of one block.
#[derive(Debug)]
struct Block {
    number: i64,
    /// Timestamps at which a series without a bar misses what at least half of the others have.
    lacking: Bits,
    /// Timestamps at which a series with a bar has what at least half of the others have.
    shared: Bits,
    /// Timestamps of `lacking` in blocks before.
    before: u64,
}

/// Timestamps at which most series have no bar, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outage {
    /// First and last position.
    pub(super) span: (i64, i64),
    /// How many positions.
    pub(super) bars: u64,
    /// Of so many series that could have a bar, at the position where fewest have one.
    pub(super) series: u64,
    /// So many have none there.
    pub(super) missing: u64,
}

/// How one series compares with the others.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compared {
    /// Timestamps within its span at which at least half of the others have a bar.
    pub(super) eligible: u64,
    /// Those at which it has none.
    pub(super) missing: u64,
}

/// All timestamps of all series.
pub(super) struct Sweep<'p> {
    series: &'p [Presence],
    blocks: Vec<Block>,
    /// Timestamps at which most series have no bar, and those between them at which more have one.
    pub(super) outages: Vec<Outage>,
    /// Bars there are, and bars there could be, at timestamps at which most series have one.
    pub(super) usual: (u64, u64),
    /// Timestamps from the first to the last bar.
    pub(super) positions: u64,
}

/// Outages with so few timestamps between them are one.
const BETWEEN: i64 = 3;

impl<'p> Sweep<'p> {
    /// Goes over `series`.
    pub(super) fn new(series: &'p [Presence]) -> Self {
        let mut all: Vec<(i64, usize, usize)> = Vec::new();
        for (index, presence) in series.iter().enumerate() {
            all.extend(presence.blocks.iter().enumerate().map(|(place, (block, _))| (*block, index, place)));
        }
        all.sort_unstable();
        let mut alive = Alive::new(series);
        let mut sweep = Self { series, blocks: Vec::new(), outages: Vec::new(), usual: (0, 0), positions: 0 };
        let Some(first) = series.iter().map(|presence| presence.span.0).min() else { return sweep };
        let last = series.iter().map(|presence| presence.span.1).max().unwrap_or(first);
        sweep.positions = u64::try_from(last - first + 1).unwrap_or(0);
        let mut next = first;
        let mut counts = [0_u32; 256];
        for group in all.chunk_by(|one, other| one.0 == other.0) {
            let number = group[0].0;
            counts.fill(0);
            for (_, index, place) in group {
                count(&series[*index].blocks[*place].1, &mut counts);
            }
            let positions = number * BLOCK..(number + 1) * BLOCK;
            // Nothing is there in blocks that no series has.
            sweep.empty(next..positions.start, &mut alive);
            sweep.block(number, next.max(positions.start)..positions.end.min(last + 1), &counts, &mut alive);
            next = positions.end;
        }
        sweep
    }

    fn block(&mut self, number: i64, positions: Range<i64>, counts: &[u32; 256], alive: &mut Alive) {
        let before = self.blocks.last().map_or(0, |block| block.before + ones(&block.lacking));
        let mut block = Block { number, lacking: Bits::default(), shared: Bits::default(), before };
        for position in positions {
            let (at, alive) = (bit(position), alive.at(position));
            let there = u64::from(counts[at]);
            if alive >= 2 && there >= 1 && 2 * there >= alive - 1 {
                set(&mut block.lacking, at);
            }
            if alive >= 2 && there >= 1 && 2 * (there - 1) >= alive - 1 {
                set(&mut block.shared, at);
            }
            if alive >= 3 && 2 * there < alive {
                self.out(position, alive, alive - there);
            } else {
                self.usual.0 += there;
                self.usual.1 += alive;
            }
        }
        self.blocks.push(block);
    }

    /// Timestamps at which no series has a bar.
    fn empty(&mut self, positions: Range<i64>, alive: &mut Alive) {
        let mut position = positions.start;
        while position < positions.end {
            let series = alive.at(position);
            // As many series are alive until one begins or ends.
            let until = alive.changes().min(positions.end).max(position + 1);
            if series >= 3 {
                self.out(position, series, series);
                if let Some(outage) = self.outages.last_mut() {
                    outage.bars += u64::try_from(until - 1 - position).unwrap_or(0);
                    outage.span.1 = until - 1;
                }
            }
            position = until;
        }
    }

    fn out(&mut self, position: i64, series: u64, missing: u64) {
        match self.outages.last_mut() {
            Some(outage) if position - outage.span.1 <= BETWEEN + 1 => {
                outage.bars += 1;
                outage.span.1 = position;
                if missing > outage.missing {
                    (outage.series, outage.missing) = (series, missing);
                }
            }
            _ => self.outages.push(Outage { span: (position, position), bars: 1, series, missing }),
        }
    }

    /// How the series at `index` compares with the others.
    pub(super) fn compared(&self, index: usize) -> Compared {
        let presence = &self.series[index];
        let (first, last) = presence.span;
        let mut lacking = self.lacking_before(last + 1) - self.lacking_before(first);
        let mut shared = 0;
        for (number, bits) in &presence.blocks {
            let Some(block) = self.find(*number) else { continue };
            lacking -= both(bits, &block.lacking);
            shared += both(bits, &block.shared);
        }
        Compared { eligible: lacking + shared, missing: lacking }
    }

    /// Runs of timestamps that the series at `index` misses, as (first, last, timestamps): those with nothing but
    /// timestamps between them at which it is not to have a bar are one.
    pub(super) fn runs(&self, index: usize) -> Vec<(i64, i64, u64)> {
        let presence = &self.series[index];
        let mut runs: Vec<(i64, i64, u64)> = Vec::new();
        let mut own = presence.blocks.iter().peekable();
        let mut open = false;
        for block in &self.blocks {
            while own.next_if(|(number, _)| *number < block.number).is_some() {}
            let bits =
                own.peek().filter(|(number, _)| *number == block.number).map_or(Bits::default(), |(_, bits)| *bits);
            for at in 0..BLOCK {
                let position = block.number * BLOCK + at;
                let at = bit(position);
                if position < presence.span.0 || position > presence.span.1 {
                    continue;
                }
                if has(&bits, at) {
                    open = false;
                } else if has(&block.lacking, at) {
                    match runs.last_mut().filter(|_| open) {
                        Some(run) => (run.1, run.2) = (position, run.2 + 1),
                        None => runs.push((position, position, 1)),
                    }
                    open = true;
                }
            }
        }
        runs
    }

    fn find(&self, number: i64) -> Option<&Block> {
        self.blocks.binary_search_by_key(&number, |block| block.number).ok().map(|at| &self.blocks[at])
    }

    /// How many timestamps before `position` are `lacking`.
    fn lacking_before(&self, position: i64) -> u64 {
        let number = position.div_euclid(BLOCK);
        let at = self.blocks.partition_point(|block| block.number < number);
        match self.blocks.get(at).filter(|block| block.number == number) {
            Some(block) => block.before + ones_below(&block.lacking, bit(position)),
            None => at.checked_sub(1).map_or(0, |last| self.blocks[last].before + ones(&self.blocks[last].lacking)),
        }
    }
}

/// How many series have begun and not ended.
struct Alive {
    starts: Vec<i64>,
    ends: Vec<i64>,
    begun: usize,
    ended: usize,
}

impl Alive {
    fn new(series: &[Presence]) -> Self {
        let mut starts: Vec<i64> = series.iter().map(|presence| presence.span.0).collect();
        let mut ends: Vec<i64> = series.iter().map(|presence| presence.span.1).collect();
        starts.sort_unstable();
        ends.sort_unstable();
        Self { starts, ends, begun: 0, ended: 0 }
    }

    /// Those at `position`, which is not before the one that was asked for last.
    fn at(&mut self, position: i64) -> u64 {
        while self.starts.get(self.begun).is_some_and(|start| *start <= position) {
            self.begun += 1;
        }
        while self.ends.get(self.ended).is_some_and(|end| *end < position) {
            self.ended += 1;
        }
        (self.begun - self.ended) as u64
    }

    /// The next position at which another number may be alive.
    fn changes(&self) -> i64 {
        let start = self.starts.get(self.begun).copied().unwrap_or(i64::MAX);
        let end = self.ends.get(self.ended).map_or(i64::MAX, |end| end.saturating_add(1));
        start.min(end)
    }
}

fn count(bits: &Bits, counts: &mut [u32; 256]) {
    for (word, counts) in bits.iter().zip(counts.chunks_exact_mut(64)) {
        let mut rest = *word;
        while rest != 0 {
            counts[rest.trailing_zeros() as usize] += 1;
            rest &= rest - 1;
        }
    }
}

fn ones(bits: &Bits) -> u64 {
    bits.iter().map(|word| u64::from(word.count_ones())).sum()
}

/// How many bits below that at `at` are set.
fn ones_below(bits: &Bits, at: usize) -> u64 {
    let part = bits[at / 64] & ((1 << (at % 64)) - 1);
    bits[..at / 64].iter().chain([&part]).map(|word| u64::from(word.count_ones())).sum()
}

fn both(one: &Bits, other: &Bits) -> u64 {
    one.iter().zip(other).map(|(one, other)| u64::from((one & other).count_ones())).sum()
}
