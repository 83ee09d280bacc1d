//! What is usual around a bar: how far bars move there, how much is traded, and how lively this time of the day is.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::bars::Bars;
use crate::checks::robust::median;
use crate::checks::sorted_window::SortedWindow;
use crate::market::zone::{DAY_US, offset_at};

/// Fewest bars at one time of the day that say how lively it is.
const FEWEST_AT_A_TIME: usize = 20;

/// Volumes excuse up to so many times the usual one: what a share trades on the day of its largest news.
const BUSIEST: f64 = 16.0;

/// The median size of the ranges of the bars around bar `at`, without its own.
pub(super) fn range(bars: &Bars, at: usize, side: usize, scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    for near in bars.near(at, side) {
        scratch.extend(bars.ranges[near].iter().map(|range| bars.scale.size(*range)));
    }
    median(scratch)
}

/// [`share`] of every bar.
pub(super) fn shares(bars: &Bars, side: usize) -> impl Iterator<Item = f64> {
    let sizes: Vec<f64> = bars.ranges.iter().map(|range| bars.scale.size(*range)).collect();
    let mut window = SortedWindow::of(&sizes[..sizes.len().min(side)]);
    (0..sizes.len()).map(move |at| {
        let enters = sizes.get(at + side).copied();
        let leaves = at.checked_sub(side + 1).map(|gone| sizes[gone]);
        window.slide(leaves, enters);
        sizes[at] / window.median_without(sizes[at])
    })
}

/// How many times the median range of the bars around it bar `at` moves; not finite where they do not move.
pub(super) fn share(bars: &Bars, at: usize, side: usize, scratch: &mut Vec<f64>) -> f64 {
    bars.scale.size(bars.ranges[at]) / range(bars, at, side, scratch)
}

/// Whether at least half of the ranges around bar `at` reach `distance`, so that their median does.
pub(super) fn reaches(bars: &Bars, at: usize, side: usize, distance: f64) -> bool {
    let (mut reach, mut all) = (0, 0);
    for near in bars.near(at, side) {
        let ranges = &bars.ranges[near];
        reach += ranges.iter().map(|range| usize::from(*range >= distance)).sum::<usize>();
        all += ranges.len();
    }
    2 * reach > all
}

/// How many times the usual volume bar `at` has, between 1 and 16; 1 where there are too few volumes to tell.
pub(super) fn busy(bars: &Bars, at: usize, side: usize, scratch: &mut Vec<f64>) -> f64 {
    let traded = |volume: f64| volume.is_finite() && volume > 0.0;
    let volume = bars.all[at].volume;
    scratch.clear();
    for near in bars.near(at, side) {
        scratch.extend(bars.all[near].iter().map(|bar| bar.volume).filter(|volume| traded(*volume)));
    }
    if !traded(volume) || scratch.len() < side {
        return 1.0;
    }
    (volume / median(scratch)).clamp(1.0, BUSIEST)
}

/// The median absolute close of the bars around bar `at`.
pub(super) fn level(bars: &Bars, at: usize, side: usize, scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    for near in bars.near(at, side) {
        scratch.extend(bars.all[near].iter().map(|bar| bar.close.abs()));
    }
    median(scratch)
}

/// How much more than usual bars move at each time of the day, by the clocks of the exchange.
#[derive(Debug)]
pub(super) struct Times {
    zone: Tz,
    lively: HashMap<i64, f64>,
}

impl Times {
    /// Looks at all `bars`, whose timestamps are `time` (µs UTC) at their rows.
    pub(super) fn of(bars: &Bars, time: &[i64], zone: Tz, side: usize) -> Self {
        let mut at_times: HashMap<i64, Vec<f64>> = HashMap::new();
        for (row, share) in bars.rows.iter().zip(shares(bars, side)).filter(|(_, share)| share.is_finite()) {
            at_times.entry(time_of_day(zone, time[*row])).or_default().push(share);
        }
        let enough = at_times.into_iter().filter(|(_, shares)| shares.len() >= FEWEST_AT_A_TIME);
        Self { zone, lively: enough.map(|(time, mut shares)| (time, median(&mut shares))).collect() }
    }

    /// By how much the usual range is to be widened at the time of day of `time` (µs UTC), at least 1.
    pub(super) fn at(&self, time: i64) -> f64 {
        self.lively.get(&time_of_day(self.zone, time)).map_or(1.0, |lively| lively.max(1.0))
    }
}

/// Microseconds after midnight on the clocks of `zone`.
fn time_of_day(zone: Tz, time: i64) -> i64 {
    time.saturating_add(offset_at(zone, time)).rem_euclid(DAY_US)
}
