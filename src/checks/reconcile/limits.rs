//! What is compared, and by how much values may differ.

use crate::checks::NumberColumn;

/// The fields that are compared, prices first.
pub(super) const FIELDS: [&str; 5] = ["open", "high", "low", "close", "volume"];
/// How many of them are prices.
pub(super) const PRICES: usize = 4;

/// The columns of the compared fields, where the bars have them.
pub(super) type Columns<'a> = [Option<NumberColumn<'a>>; 5];

/// By how much values may differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) price: f64,
    pub(super) tick: f64,
    pub(super) volume: f64,
}

impl Limits {
    /// Whether two values of the field at `field` of [`FIELDS`] are alike.
    pub(super) fn alike(self, field: usize, one: f64, other: f64) -> bool {
        let (share, amount) = if field < PRICES { (self.price, self.tick) } else { (self.volume, 0.0) };
        // What rounds differently in the last bit is the same amount.
        let slack = 1e-12 * one.abs().max(other.abs());
        (one - other).abs() <= (share * one.abs().max(other.abs())).max(amount) + slack
    }
}
