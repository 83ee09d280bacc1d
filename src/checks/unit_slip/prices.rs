//! Prices in another unit.

use super::slip::{Found, Slip};
use crate::checks::Series;
use crate::checks::jump::{Levels, Look, power_of_ten};

/// By how much the logarithm of a step may miss that of a power of ten where both ends of a slip are seen: the return of
/// the bar itself lies on top of it.
const TOLERANCE: f64 = 0.2;

/// How many usual returns a step must be.
const LEAST: f64 = 8.0;

/// Bars of one price.
pub(super) struct Prices<'a> {
    levels: Levels<'a>,
}

/// A step by a power of ten.
#[derive(Debug, Clone, Copy)]
struct Step {
    at: usize,
    power: i32,
    /// Whether a step that stays is one of the unit.
    alone: bool,
}

impl<'a> Prices<'a> {
    pub(super) fn collect(series: &Series<'a>, price: usize, volume: Option<usize>) -> Self {
        Self { levels: Levels::collect(series, None, price, volume) }
    }

    pub(super) fn slips(self) -> Found {
        let (steps, insufficient) = self.steps();
        let mut slips = Vec::new();
        let mut next = 0;
        while let Some(step) = steps.get(next) {
            next += 1;
            let back = steps.get(next).filter(|back| back.power == -step.power);
            if let Some(back) = back {
                slips.push(Slip { from: step.at, until: Some(back.at), power: step.power });
                next += 1;
            } else if step.alone {
                slips.push(Slip { from: step.at, until: None, power: step.power });
            }
        }
        Found { rows: self.levels.rows, slips, insufficient }
    }

    /// Whether the prices around bar `at` are so few units of their last decimal that some steps make ten times as much.
    fn is_of_few_steps(&self, at: usize) -> bool {
        let lower = self.levels.close[at].min(self.levels.close[at - 1]);
        // Prices of the other unit have steps of their own.
        self.levels.step(at, 3.0 * lower).is_some_and(|step| step <= lower && lower < 3.0 * step)
    }

    /// The steps by a power of ten, in order; and the bars that have too few others around them.
    fn steps(&self) -> (Vec<Step>, Vec<usize>) {
        let levels = &self.levels;
        let (mut steps, mut scratch) = (Vec::new(), Vec::new());
        // The first one has none before it.
        let mut insufficient: Vec<usize> = (0..levels.len().min(1)).collect();
        for at in 1..levels.len() {
            let (price, before) = (levels.close[at], levels.close[at - 1]);
            if price < 5.0 * before && before < 5.0 * price {
                continue;
            }
            let Some(power) = power_of_ten((price / before).ln(), TOLERANCE) else { continue };
            // What lies far apart says nothing of a unit.
            if levels.after_a_break(at, 0) {
                continue;
            }
            let Some(jump) = levels.jump(at, &mut scratch) else {
                insufficient.push(at);
                continue;
            };
            if jump.size.abs() < LEAST * jump.sigma || self.is_of_few_steps(at) {
                continue;
            }
            steps.push(Step { at, power, alone: matches!(jump.look(), Look::Unit(_)) });
        }
        (steps, insufficient)
    }
}
