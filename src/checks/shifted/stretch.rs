//! Stretches over which returns follow those of the market better with a shift than without.

use std::ops::Range;

use crate::checks::robust::median;

/// Fewest returns of a series that say how closely it follows the market.
const FEWEST: usize = 8;

/// A series that correlates less with the market, at any shift, says nothing of one: over the 120 bars of half a year two
/// series that have nothing in common reach 0.27 once in 300 times.
const LEAST_CORRELATION: f64 = 0.3;
/// More is not believed, however closely it follows: the ratio would hang on the last digits of prices.
const MOST_CORRELATION: f64 = 0.9;

/// Returns count as at most so many times their usual size.
const CLIP: f64 = 4.0;
/// A return of a bar is never less likely than this, so that a stretch is never one day.
const MOST_OF_ONE_BAR: f64 = 3.0;

/// Bars that are shifted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stretch {
    /// Which of the returns.
    pub(super) bars: Range<usize>,
    /// Bars by which they are late; early where below zero.
    pub(super) shift: isize,
    /// How much likelier they are so, as a natural logarithm.
    pub(super) score: f64,
    /// Correlation with the market, shifted and not.
    pub(super) shifted: f64,
    pub(super) as_it_stands: f64,
}

/// The values of `rows` in units of their usual size, clipped.
pub(super) fn scaled(values: &[f64], rows: &[usize]) -> Vec<f64> {
    let mut sizes: Vec<f64> = rows.iter().map(|row| values[*row].abs()).filter(|size| *size > 0.0).collect();
    // The median size of normal values is this part of their standard deviation.
    let unit = median(&mut sizes) / 0.674_489_750_196_081_7;
    rows.iter()
        .map(|row| (values[*row] / unit).clamp(-CLIP, CLIP))
        .map(|value| if value.is_finite() { value } else { 0.0 })
        .collect()
}

/// The stretches of `own` that follow `market` with a shift of at most `most` bars, in the order of time; `None` where the
/// series is too short, or does not follow the market.
pub(super) fn stretches(own: &[f64], market: &[f64], most: usize, limit: f64) -> Option<Vec<Stretch>> {
    if own.len() < FEWEST + 2 * most {
        return None;
    }
    let most = isize::try_from(most).ok()?;
    let whole = 0..own.len();
    let closest = (-most..=most).map(|shift| correlation(own, market, &whole, shift)).fold(0.0, f64::max);
    if closest < LEAST_CORRELATION {
        return None;
    }
    let model = Model { own, market, follows: closest.min(MOST_CORRELATION) };
    let shifts = (-most..=most).filter(|shift| *shift != 0);
    let mut all: Vec<Stretch> = shifts.flat_map(|shift| model.stretches(shift, limit)).collect();
    // Shifts that explain the same bars: the likeliest one stands.
    all.sort_by(|one, other| other.score.total_cmp(&one.score));
    let mut found: Vec<Stretch> = Vec::new();
    for stretch in all {
        let apart = |other: &Stretch| other.bars.end <= stretch.bars.start || stretch.bars.end <= other.bars.start;
        if found.iter().all(apart) {
            found.push(stretch);
        }
    }
    found.sort_by_key(|stretch| stretch.bars.start);
    Some(found)
}

/// The value of the market that the return at `at` follows with a shift.
fn beside(market: &[f64], at: usize, shift: isize) -> Option<f64> {
    market.get(at.checked_add_signed(-shift)?).copied()
}

/// Correlation of the returns in `bars` with those of the market, shifted; 0 where nothing moves.
fn correlation(own: &[f64], market: &[f64], bars: &Range<usize>, shift: isize) -> f64 {
    let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
    for at in bars.clone() {
        let Some(market) = beside(market, at, shift) else { continue };
        both += own[at] * market;
        one += own[at] * own[at];
        other += market * market;
    }
    let size = (one * other).sqrt();
    if size > 0.0 { both / size } else { 0.0 }
}

/// How returns follow the market.
struct Model<'a> {
    own: &'a [f64],
    market: &'a [f64],
    /// The correlation of a series with the market where nothing is shifted.
    follows: f64,
}

impl Model<'_> {
    /// How much likelier the return at `at` is with a shift than without, as a natural logarithm.
    fn gain(&self, at: usize, shift: isize) -> f64 {
        let Some(shifted) = beside(self.market, at, shift) else { return 0.0 };
        let spread = 2.0 * (1.0 - self.follows * self.follows);
        let miss = |market: f64| ((self.own[at] - self.follows * market).powi(2) / spread).min(MOST_OF_ONE_BAR);
        miss(self.market[at]) - miss(shifted)
    }

    /// The stretches with a sum of at least `limit`, in one pass: one ends where the sum has lost as much again, or all.
    fn stretches(&self, shift: isize, limit: f64) -> Vec<Stretch> {
        let mut found = Vec::new();
        let (mut sum, mut from, mut best) = (0.0, 0, (0.0, 0));
        for at in 0..=self.own.len() {
            let over = at == self.own.len() || sum <= 0.0 || sum <= best.0 - limit;
            if over {
                if best.0 >= limit {
                    found.push(self.stretch(shift, best.0, from..best.1));
                }
                (sum, from, best) = (0.0, at, (0.0, at));
            }
            if at < self.own.len() {
                sum += self.gain(at, shift);
                if sum > best.0 {
                    best = (sum, at + 1);
                }
            }
        }
        found
    }

    fn stretch(&self, shift: isize, score: f64, bars: Range<usize>) -> Stretch {
        let [shifted, as_it_stands] = [shift, 0].map(|shift| correlation(self.own, self.market, &bars, shift));
        Stretch { bars, shift, score, shifted, as_it_stands }
    }
}
