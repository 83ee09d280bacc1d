//! A value against the trimmed mean and standard deviation of its neighbours, as made for ticks.
//!
//! Brownlees & Gallo (2006), Computational Statistics & Data Analysis 51(4), 2232-2245. What the paper leaves open
//! is fixed here: the value is not its own neighbour, trimming takes floor(trim × neighbours / 2) values from each
//! end, and the standard deviation divides by one less than the values kept. Near the ends of a series the first
//! or last neighbours are taken, so that their number stays the same.

use super::{Band, Neighbours, Verdict};

/// Limits of the method.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trimmed {
    /// How many standard deviations away a value may be.
    pub(super) limit: f64,
    /// Share of the neighbours left out, half of it at each end.
    pub(super) trim: f64,
    /// Distance that is always allowed, in units of the scale.
    pub(super) gamma: f64,
}

impl Trimmed {
    /// The verdict on `value`; `kept` is overwritten.
    pub(super) fn evaluate(&self, value: f64, neighbours: &Neighbours<'_>, kept: &mut Vec<f64>) -> Verdict {
        let (left, right) = sides(neighbours);
        let count = left.len() + right.len();
        let cut = self.cut(count);
        if count < 2 * cut + 2 {
            return Verdict::Undecided;
        }
        // All values the trimming can keep lie within gamma: so does their mean, but for rounding.
        let allowed = self.gamma * (1.0 - 1e-9);
        let below = count_below(left, value - allowed) + count_below(right, value - allowed);
        let above = count_above(left, value + allowed) + count_above(right, value + allowed);
        if self.gamma > 0.0 && below <= cut && above <= cut {
            return Verdict::Inside;
        }
        kept.clear();
        kept.extend_from_slice(left);
        kept.extend_from_slice(right);
        kept.sort_unstable_by(f64::total_cmp);
        let kept = &kept[cut..count - cut];
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        let squares = kept.iter().map(|neighbour| (neighbour - mean).powi(2)).sum::<f64>();
        let scale = (squares / (kept.len() - 1) as f64).sqrt();
        verdict(
            (value - mean).abs(),
            Band { centre: mean, scale, reach: self.limit * scale + self.gamma, values: kept.len() },
        )
    }

    /// Values left out at each end.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "trim lies in [0, 0.9], so the product is a small count"
    )]
    fn cut(&self, count: usize) -> usize {
        (self.trim * count as f64 / 2.0).floor() as usize
    }
}

/// Sums of the largest numbers overflow, and neighbours that are all alike have no spread: both decide nothing.
fn verdict(distance: f64, band: Band) -> Verdict {
    if !band.reach.is_finite() || !band.centre.is_finite() {
        return Verdict::Undecided;
    }
    match distance < band.reach || distance == 0.0 {
        true => Verdict::Inside,
        false if band.reach == 0.0 => Verdict::Undecided,
        false => Verdict::Outside(band),
    }
}

/// The neighbours before and after; what one side lacks, the other gives.
fn sides<'a>(neighbours: &Neighbours<'a>) -> (&'a [f64], &'a [f64]) {
    let Neighbours { clean, before, half } = *neighbours;
    let after = before + 1;
    let (left, right) = (before.min(half), (clean.len() - after).min(half));
    let from = before.saturating_sub(2 * half - right);
    let to = clean.len().min(after + 2 * half - left);
    (&clean[from..before], &clean[after..to])
}

fn count_below(values: &[f64], bound: f64) -> usize {
    values.iter().map(|value| usize::from(*value < bound)).sum()
}

fn count_above(values: &[f64], bound: f64) -> usize {
    values.iter().map(|value| usize::from(*value > bound)).sum()
}
