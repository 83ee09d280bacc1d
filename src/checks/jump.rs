//! Jumps in the level of a series, and what they look like: a split, another unit, another company, or a real move.
//!
//! A jump is measured from a close to the open after it, for a split or a unit changes over night, and a market mostly
//! does not. Real moves give themselves away by what is traded: on the days of the six splits of AAPL, GOOG and IBM from
//! 1998 to 2021 the value of it was 0.6 to 1.6 times its median, on days on which news moved these shares by eight usual
//! returns at once 2.9 times and more. Knows bars and time alone, no corporate actions.

use std::borrow::Cow;

use super::Series;
use super::robust::median;
use super::usable::{UsableRows, usable};

/// Returns on each side that say what is usual, and fewest of both sides.
const USUAL: usize = 60;
const FEWEST_RETURNS: usize = 20;

/// Bars before a jump whose median says how much is usually traded, and fewest of them. What is traded on both sides of it
/// is compared over as many bars as the level has, so that a slip that is soon over is not mixed with what is beside it.
const TRADED: usize = 20;
const FEWEST_TRADED: usize = 3;

/// Bars on each side whose median close is the level.
const LEVEL: usize = 5;

/// Longest break between two bars over which they are compared, µs: exchanges close for eleven days at most, and a share
/// that was suspended for longer comes back where it may.
const LONGEST_BREAK_US: i64 = 12 * 86_400_000_000;

/// Estimates a standard deviation from the median absolute return; returns have a median close to zero.
const SIGMA_PER_MEDIAN: f64 = super::robust::SIGMA_PER_MAD;

/// By how much the logarithm of a jump may miss that of a power of ten: a usual night, and some more.
const UNIT_TOLERANCE: f64 = 0.15;

/// The same for the ratios of splits, and of bonus shares.
const SPLIT_TOLERANCE: f64 = 0.06;
const BONUS_TOLERANCE: f64 = 0.02;

/// How many times the usual value is traded, at most, at a split, and where a level changes for no reason.
const MOST_AT_SPLIT: f64 = 3.0;
const MOST_AT_SEAM: f64 = 2.0;

/// How many times the usual number of shares is traded where a price changes its unit, at most.
const MOST_AT_UNIT: f64 = 4.0;

/// From so many times more or less traded on one side on, it is another company.
const OTHER_COMPANY: f64 = 10.0;

/// Ratios of splits and reverse splits, as the shares after for so many before, with the price after over that before.
const SPLITS: [(&str, f64); 34] = [
    ("2:1", 1.0 / 2.0),
    ("3:1", 1.0 / 3.0),
    ("4:1", 1.0 / 4.0),
    ("5:1", 1.0 / 5.0),
    ("6:1", 1.0 / 6.0),
    ("7:1", 1.0 / 7.0),
    ("8:1", 1.0 / 8.0),
    ("10:1", 1.0 / 10.0),
    ("15:1", 1.0 / 15.0),
    ("20:1", 1.0 / 20.0),
    ("25:1", 1.0 / 25.0),
    ("50:1", 1.0 / 50.0),
    ("100:1", 1.0 / 100.0),
    ("3:2", 2.0 / 3.0),
    ("5:2", 2.0 / 5.0),
    ("5:3", 3.0 / 5.0),
    ("7:2", 2.0 / 7.0),
    ("1:2", 2.0),
    ("1:3", 3.0),
    ("1:4", 4.0),
    ("1:5", 5.0),
    ("1:6", 6.0),
    ("1:7", 7.0),
    ("1:8", 8.0),
    ("1:10", 10.0),
    ("1:12", 12.0),
    ("1:15", 15.0),
    ("1:20", 20.0),
    ("1:25", 25.0),
    ("1:30", 30.0),
    ("1:40", 40.0),
    ("1:50", 50.0),
    ("1:100", 100.0),
    ("2:3", 3.0 / 2.0),
];

/// The same of bonus shares, of which a Chinese company gives one to ten for ten. They lie close to each other, and news
/// move a price by as much.
const BONUSES: [(&str, f64); 9] = [
    ("5:4", 4.0 / 5.0),
    ("4:3", 3.0 / 4.0),
    ("6:5", 5.0 / 6.0),
    ("13:10", 10.0 / 13.0),
    ("7:5", 5.0 / 7.0),
    ("8:5", 5.0 / 8.0),
    ("17:10", 10.0 / 17.0),
    ("9:5", 5.0 / 9.0),
    ("11:10", 10.0 / 11.0),
];

/// The bars of a series that have a price above zero, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Levels<'a> {
    /// Their rows.
    pub(super) rows: UsableRows,
    /// Timestamps of all rows, µs UTC.
    time: &'a [i64],
    /// Opens; the close where there is none.
    pub(super) open: Cow<'a, [f64]>,
    pub(super) close: Cow<'a, [f64]>,
    /// Volumes; NaN where there is none, and `None` where the bars have none.
    volume: Option<Cow<'a, [f64]>>,
}

/// A jump from the close of one bar to the open of the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jump {
    /// The bar after it.
    pub(super) at: usize,
    /// Natural logarithm of its ratio.
    pub(super) size: f64,
    /// The usual return around it.
    pub(super) sigma: f64,
    /// Part of it that is left in the bars after it: 1 where the level stays.
    pub(super) stays: f64,
    /// What the price does in the rest of its bar, as a natural logarithm.
    pub(super) inside: f64,
    /// How many times the usual value, and the usual number of shares, is traded in its bar.
    pub(super) value: Option<f64>,
    shares: Option<f64>,
    /// The same of the bars after it together.
    value_after: Option<f64>,
    shares_after: Option<f64>,
}

/// What a jump looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Look {
    /// A split, as old to new shares, with its factor of the price.
    Split(&'static str, f64),
    /// So many powers of ten.
    Unit(i32),
    /// Another company under the same name: much more or less is traded from here on.
    OtherCompany,
    /// Another level without a reason that is seen.
    Level,
    /// A move of the market.
    Move,
}

impl<'a> Levels<'a> {
    /// The bars of `series` with a close above zero in the column `close`.
    pub(super) fn collect(series: &Series<'a>, open: Option<usize>, close: usize, volume: Option<usize>) -> Self {
        let closes = &series.number(close).values()[..series.dated()];
        let rows = UsableRows::of(closes);
        let close = rows.pick(closes);
        let open = open.map_or_else(
            || close.clone(),
            |open| {
                let opens = rows.pick(series.number(open).values());
                if opens.iter().all(|open| usable(*open)) {
                    return opens;
                }
                opens.iter().zip(&*close).map(|(open, close)| if usable(*open) { *open } else { *close }).collect()
            },
        );
        let volume = volume.map(|index| rows.pick(series.number(index).values()));
        Self { rows, time: series.time, open, close, volume }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether so much time lies before bar `at` that it is not compared with the bar before; `step_us` is from bar to bar.
    pub(super) fn after_a_break(&self, at: usize, step_us: i64) -> bool {
        let [before, time] = [at - 1, at].map(|at| self.time[self.rows.row(at)]);
        time - before > LONGEST_BREAK_US.max(3 * step_us)
    }

    /// The closes before bar `at`, and those from it on, whose returns say what is usual there.
    fn around(&self, at: usize) -> [&[f64]; 2] {
        [&self.close[at.saturating_sub(USUAL + 1)..at], &self.close[at..self.len().min(at + USUAL + 1)]]
    }

    /// Whether there are enough returns around the step to bar `at` to say what is usual.
    pub(super) fn is_known(&self, at: usize) -> bool {
        self.around(at).iter().map(|closes| closes.len().saturating_sub(1)).sum::<usize>() >= FEWEST_RETURNS
    }

    /// Whether the usual return around the step to bar `at` surely is larger than `least`: then it is not worked out.
    pub(super) fn is_lively(&self, at: usize, least: f64) -> bool {
        // Logarithms, exponentials and products are rounded, by less than this.
        let least = (least / SIGMA_PER_MEDIAN) * (1.0 + 1e-9) + 1e-9;
        let (up, down) = (least.exp(), (-least).exp());
        let (mut larger, mut all) = (0, 0);
        for closes in self.around(at) {
            let pairs = closes.iter().zip(closes.get(1..).unwrap_or_default());
            larger +=
                pairs.map(|(from, to)| usize::from(*to > from * up) + usize::from(*to < from * down)).sum::<usize>();
            all += closes.len().saturating_sub(1);
        }
        2 * larger > all
    }

    /// The usual absolute return around the step to bar `at`, as a standard deviation; none with too few bars.
    fn sigma(&self, at: usize, scratch: &mut Vec<f64>) -> Option<f64> {
        let [before, after] = self.around(at).map(|closes| closes.windows(2));
        scratch.clear();
        scratch.extend(before.chain(after).map(|pair| (pair[1] / pair[0]).ln().abs()));
        (scratch.len() >= FEWEST_RETURNS).then(|| SIGMA_PER_MEDIAN * median(scratch))
    }

    /// The smallest step between two closes up to `highest` around bar `at`, besides the one to it, in units of the
    /// price; none where they are all equal.
    pub(super) fn step(&self, at: usize, highest: f64) -> Option<f64> {
        let before = self.close[at.saturating_sub(USUAL)..at].windows(2);
        let after = self.close[at..self.len().min(at + USUAL)].windows(2);
        let low = before.chain(after).filter(|pair| pair[0].max(pair[1]) <= highest);
        let steps = low.map(|pair| (pair[1] - pair[0]).abs());
        steps.filter(|step| *step > 0.0).min_by(f64::total_cmp)
    }

    /// The jump to the open of bar `at`, which is not the first; none with too few bars around it.
    pub(super) fn jump(&self, at: usize, scratch: &mut Vec<f64>) -> Option<Jump> {
        let size = (self.open[at] / self.close[at - 1]).ln();
        let sigma = self.sigma(at, scratch)?;
        let mut level = |closes: &[f64]| {
            scratch.clear();
            scratch.extend(closes.iter().map(|close| close.ln()));
            median(scratch)
        };
        let before = level(&self.close[at.saturating_sub(LEVEL)..at]);
        let after = level(&self.close[at..self.len().min(at + LEVEL)]);
        let [value, value_after] = self.traded(at, scratch, |volume, close| volume * close);
        let [shares, shares_after] = self.traded(at, scratch, |volume, _| volume);
        Some(Jump {
            at,
            size,
            sigma,
            stays: (after - before) / size,
            inside: (self.close[at] / self.open[at]).ln(),
            value,
            shares,
            value_after,
            shares_after,
        })
    }

    /// What is traded in bar `at`, and in the bars from there on, over what is usual before it.
    fn traded(&self, at: usize, scratch: &mut Vec<f64>, of: impl Fn(f64, f64) -> f64) -> [Option<f64>; 2] {
        let Some(volumes) = &self.volume else { return [None; 2] };
        let mut usual = |range: std::ops::Range<usize>| {
            scratch.clear();
            let all = volumes[range.clone()].iter().zip(&self.close[range]);
            scratch.extend(all.filter(|(volume, _)| usable(**volume)).map(|(volume, close)| of(*volume, *close)));
            (scratch.len() >= FEWEST_TRADED).then(|| median(scratch))
        };
        let before = usual(at.saturating_sub(TRADED)..at);
        let (just_before, after) = (usual(at.saturating_sub(LEVEL)..at), usual(at..self.len().min(at + LEVEL)));
        let own = usable(volumes[at]).then(|| of(volumes[at], self.close[at]));
        [own.zip(before), after.zip(just_before)].map(|traded| traded.map(|(traded, usual)| traded / usual))
    }
}

impl Jump {
    /// Whether the level stays where the jump went.
    pub(super) fn lasts(&self) -> bool {
        (0.6..=1.5).contains(&self.stays)
    }

    /// What it looks like.
    pub(super) fn look(&self) -> Look {
        // Where prices and not volumes change their base, the value changes with them, and the shares do not.
        let quiet =
            |most: f64| self.value.is_none_or(|value| value <= most) || self.shares.is_none_or(|shares| shares <= most);
        let same = |ratio: Option<f64>, times: f64| ratio.is_none_or(|ratio| (1.0 / times..=times).contains(&ratio));
        if let Some(power) = power_of_ten(self.size, UNIT_TOLERANCE) {
            return match split(self.size) {
                Some(split) if self.value_after.is_some() && same(self.value_after, MOST_AT_SPLIT) => {
                    Look::Split(split.name, split.factor)
                }
                _ if same(self.shares, MOST_AT_UNIT) => Look::Unit(power),
                _ => Look::Move,
            };
        }
        if !same(self.value_after, OTHER_COMPANY) && !same(self.shares_after, OTHER_COMPANY) {
            return Look::OtherCompany;
        }
        match split(self.size) {
            Some(split) if quiet(split.most) => Look::Split(split.name, split.factor),
            _ if quiet(MOST_AT_SEAM) && self.inside.abs() <= (self.size.abs() / 3.0).max(0.05) => Look::Level,
            _ => Look::Move,
        }
    }
}

/// The power of ten whose logarithm is `size`, from 10 to 10,000 and back, within `tolerance`.
pub(super) fn power_of_ten(size: f64, tolerance: f64) -> Option<i32> {
    let ten = std::f64::consts::LN_10;
    (-4..=4_i32).filter(|power| *power != 0).find(|power| (size - f64::from(*power) * ten).abs() <= tolerance)
}

/// A split whose ratio a step may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratio {
    name: &'static str,
    factor: f64,
    /// How many times the usual value may be traded at it.
    most: f64,
}

/// The split or bonus whose ratio is nearest to `size`, where it is near enough.
fn split(size: f64) -> Option<Ratio> {
    let ratios = |splits: &'static [(&'static str, f64)], tolerance: f64, most: f64| {
        splits.iter().map(move |(name, factor)| (Ratio { name, factor: *factor, most }, tolerance))
    };
    let all = ratios(&SPLITS, SPLIT_TOLERANCE, MOST_AT_SPLIT).chain(ratios(&BONUSES, BONUS_TOLERANCE, MOST_AT_SEAM));
    let miss = |ratio: &Ratio| (size - ratio.factor.ln()).abs();
    let nearest = all.min_by(|(one, _), (other, _)| miss(one).total_cmp(&miss(other)));
    nearest.filter(|(ratio, tolerance)| miss(ratio) <= *tolerance).map(|(ratio, _)| ratio)
}

/// Whether a step of `size` may be a split and is no power of ten.
pub(super) fn is_split(size: f64) -> bool {
    power_of_ten(size, UNIT_TOLERANCE).is_none() && split(size).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn levels(close: Vec<f64>) -> Levels<'static> {
        Levels { rows: UsableRows::of(&close), close: close.into(), ..Levels::default() }
    }

    #[test]
    fn most_steps_are_decided_without_a_logarithm() {
        let closes: Vec<f64> = (0..60).map(|bar| 100.0 + f64::from(bar % 2)).collect();
        let levels = levels(closes);
        let sigma = levels.sigma(30, &mut Vec::new()).unwrap();
        assert!(levels.is_lively(30, 0.9999 * sigma) && !levels.is_lively(30, sigma), "{sigma}");
    }

    proptest! {
        #[test]
        fn what_is_lively_has_a_larger_usual_return(
            closes in prop::collection::vec(
                prop_oneof![8 => 90.0..110.0_f64, 4 => (0..5_i32).prop_map(|at| 1.01_f64.powi(at)), 1 => Just(f64::MAX), 1 => Just(5e-324)],
                2..150,
            ),
            at in 1..149_usize,
            part in prop_oneof![Just(1.0), Just(1.0 - 1e-12), 0.5..1.5_f64],
        ) {
            let at = at.min(closes.len() - 1);
            let levels = levels(closes);
            let sigma = levels.sigma(at, &mut Vec::new());
            prop_assert_eq!(levels.is_known(at), sigma.is_some());
            if let Some(sigma) = sigma {
                prop_assert!(!levels.is_lively(at, sigma * part) || sigma > sigma * part);
            }
        }
    }
}
