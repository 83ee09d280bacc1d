//! How far a value may be from a median, given the spread of the values around it.
//!
//! The spread of quiet or quantised prices can be zero; a floor keeps it from flagging every move. Works in units
//! of the scale (logarithms or prices) and knows no bars.

use super::neighbours::{Band, Verdict};
use crate::checks::robust::SIGMA_PER_MAD;

/// The limit of a rule and the floor under its scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    /// Whether values are natural logarithms of prices.
    pub(super) log: bool,
    /// How many scales away a value may be.
    pub(super) limit: f64,
    /// Smallest scale as a fraction of the price.
    pub(super) floor: f64,
    /// The price step, in units of the price; 0 where not known.
    pub(super) tick: f64,
}

impl Tolerance {
    /// Smallest scale around `centre`.
    fn floor_at(&self, centre: f64) -> f64 {
        match (self.log, self.tick > 0.0) {
            (true, false) => self.floor,
            (true, true) => self.floor.max(self.tick / centre.exp()),
            (false, _) => (self.floor * centre.abs()).max(self.tick),
        }
    }

    /// A distance so small that `value` passes by the floor alone if a median is no further away.
    pub(super) fn sure_reach(&self, value: f64) -> f64 {
        let reach = self.limit * self.floor;
        if self.log {
            return reach;
        }
        // The floor depends on the median, which may be closer to zero than the value by the reach itself; the
        // last factor is for rounding.
        (value.abs() * reach / (1.0 + reach)).max(self.limit * self.tick) * (1.0 - 1e-9)
    }

    /// A median absolute deviation below which alone a value at `distance` can be outside; a little too large, so
    /// that rounding never hides one.
    pub(super) fn largest_deviation(&self, distance: f64) -> f64 {
        distance / (self.limit * SIGMA_PER_MAD) * (1.0 + 1e-9)
    }

    /// The verdict on a value at `distance` from `centre`, where `deviation` is the median absolute deviation of
    /// `values` neighbours. Without any scale (no spread, no floor) nothing is decided.
    pub(super) fn verdict(&self, distance: f64, centre: f64, deviation: f64, values: usize) -> Verdict {
        let scale = (SIGMA_PER_MAD * deviation).max(self.floor_at(centre));
        let reach = self.limit * scale;
        match distance > reach {
            false => Verdict::Inside,
            true if reach == 0.0 => Verdict::Undecided,
            true => Verdict::Outside(Band { centre, scale, reach, values }),
        }
    }
}
