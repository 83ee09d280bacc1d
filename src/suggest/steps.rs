//! The price step that bars show.

/// Steps from the coarsest on. Finer steps are lost in the rounding of 64-bit numbers.
const STEPS: [f64; 18] = [
    1.0, 0.5, 0.25, 0.2, 0.1, 0.05, 0.025, 0.02, 0.01, 0.005, 0.0025, 0.001, 0.0005, 0.000_1, 0.000_05, 1e-5, 1e-6,
    1e-8,
];
/// Share of prices that stand on a step which is one.
const ON: f64 = 0.999;
/// Prices that tell a step.
const ENOUGH: u64 = 200;
/// Share of a step by which a price may miss it, as for the check `tick-size`.
const TOLERANCE: f64 = 1e-4;

/// How many prices stand on each step.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    on: [u64; STEPS.len()],
    all: u64,
}

/// A price step, and how many prices stand on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) size: f64,
    pub(super) on: u64,
    pub(super) of: u64,
}

impl Steps {
    pub(super) fn take(&mut self, price: f64) {
        if !price.is_finite() {
            return;
        }
        self.all += 1;
        for (on, step) in self.on.iter_mut().zip(STEPS) {
            *on += u64::from(is_on(price, step));
        }
    }

    /// The coarsest step that nearly all prices stand on.
    pub(super) fn found(&self) -> Option<Step> {
        if self.all < ENOUGH {
            return None;
        }
        let is_one = |(on, _): &(u64, f64)| *on as f64 >= self.all as f64 * ON;
        let found = self.on.iter().copied().zip(STEPS).find(is_one);
        found.map(|(on, size)| Step { size, on, of: self.all })
    }
}

fn is_on(price: f64, step: f64) -> bool {
    let steps = price / step;
    (steps - steps.round()).abs() <= TOLERANCE.max(steps.abs() * 1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(prices: impl Iterator<Item = f64>) -> Option<f64> {
        let mut steps = Steps::default();
        prices.for_each(|price| steps.take(price));
        steps.found().map(|step| step.size)
    }

    #[test]
    fn the_coarsest_step_is_found() {
        let cents = || (0..400).map(|n| f64::from(1000 + n) / 100.0);
        assert_eq!(found(cents()), Some(0.01));
        assert_eq!(found(cents().map(|price| price * 25.0)), Some(0.25));
        assert_eq!(found(cents().take(100)), None, "too few prices");
        assert_eq!(found(cents().map(|price| price / 3.0)), None, "adjusted prices");
        assert_eq!(found(cents().map(|price| -price)), Some(0.01), "prices below zero");
        let nearly = cents().chain((0..3000).map(|n| f64::from(n % 90) / 10.0)).chain([1.2345]);
        assert_eq!(found(nearly), Some(0.01), "one price between the steps");
    }
}
