//! Wrong prices in one bar.

use crate::accuracy::bars::{PRICES, Price};
use crate::accuracy::cut::{Cut, Touched, scale};

/// The low is too low by this share.
pub(in crate::accuracy) fn low(cut: &mut Cut<'_>, by: f64) -> Option<Touched> {
    cut.set(Price::Low, cut.price(Price::Low) * (1.0 - by));
    cut.one()
}

/// The high is too high by this share.
pub(in crate::accuracy) fn high(cut: &mut Cut<'_>, by: f64) -> Option<Touched> {
    cut.set(Price::High, cut.price(Price::High) * (1.0 + by));
    cut.one()
}

/// The low has its decimal point one place too far to the left.
pub(in crate::accuracy) fn low_slip(cut: &mut Cut<'_>) -> Option<Touched> {
    low(cut, 0.9)
}

/// Open or close is wrong by this share, up or down, and high and low reach to it: the bar agrees with itself.
pub(in crate::accuracy) fn inside(cut: &mut Cut<'_>, price: Price, by: f64) -> Option<Touched> {
    let value = cut.price(price) * (1.0 + by * cut.random.sign());
    cut.set(price, value);
    cut.reach(value);
    cut.one()
}

/// One price has its decimal point elsewhere, and high and low do not reach to it.
pub(in crate::accuracy) fn slip(cut: &mut Cut<'_>, price: Price, factor: f64) -> Option<Touched> {
    cut.set(price, cut.price(price) * factor);
    cut.one()
}

/// All four prices are wrong by this share, up or down.
pub(in crate::accuracy) fn all(cut: &mut Cut<'_>, by: f64) -> Option<Touched> {
    let factor = 1.0 + by * cut.random.sign();
    scaled(cut, factor)
}

/// All four prices are multiplied.
pub(in crate::accuracy) fn scaled(cut: &mut Cut<'_>, factor: f64) -> Option<Touched> {
    cut.scale(1, factor);
    cut.one()
}

/// High and low are exchanged.
pub(in crate::accuracy) fn high_and_low_swapped(cut: &mut Cut<'_>) -> Option<Touched> {
    swap(cut, Price::High, Price::Low)
}

/// Open and close are exchanged.
pub(in crate::accuracy) fn open_and_close_swapped(cut: &mut Cut<'_>) -> Option<Touched> {
    swap(cut, Price::Open, Price::Close)
}

fn swap(cut: &mut Cut<'_>, one: Price, other: Price) -> Option<Touched> {
    let row = cut.row();
    (row.price(one) != row.price(other)).then(|| row.prices.swap(one as usize, other as usize))?;
    cut.one()
}

/// A cell is lost on the way, so that each price stands in the column before its own and the volume among them.
pub(in crate::accuracy) fn columns_shifted(cut: &mut Cut<'_>) -> Option<Touched> {
    let row = cut.row();
    let [_, high, low, close] = row.prices.clone();
    let volume = std::mem::replace(&mut row.volume, "0".to_owned());
    row.prices = [high, low, close, volume];
    cut.one()
}

/// The high lies between open and close.
pub(in crate::accuracy) fn high_too_low(cut: &mut Cut<'_>) -> Option<Touched> {
    between(cut, Price::High)
}

/// The low lies between open and close.
pub(in crate::accuracy) fn low_too_high(cut: &mut Cut<'_>) -> Option<Touched> {
    between(cut, Price::Low)
}

fn between(cut: &mut Cut<'_>, price: Price) -> Option<Touched> {
    let (open, close) = (cut.price(Price::Open), cut.price(Price::Close));
    // Half of a smaller body would be rounded away.
    ((open - close).abs() > 0.05).then(|| cut.set(price, f64::midpoint(open, close)))?;
    cut.one()
}

/// The high is that of open and close: what was traded above is missing.
pub(in crate::accuracy) fn high_lost(cut: &mut Cut<'_>) -> Option<Touched> {
    let top = cut.price(Price::Open).max(cut.price(Price::Close));
    (top < cut.price(Price::High)).then(|| cut.set(Price::High, top))?;
    cut.one()
}

/// The cell of a price has this text.
pub(in crate::accuracy) fn text(cut: &mut Cut<'_>, price: Price, text: &str) -> Option<Touched> {
    text.clone_into(&mut cut.row().prices[price as usize]);
    cut.one()
}

/// The price has a minus.
pub(in crate::accuracy) fn negative(cut: &mut Cut<'_>) -> Option<Touched> {
    slip(cut, Price::Close, -1.0)
}

/// All prices are 0.
pub(in crate::accuracy) fn nothing(cut: &mut Cut<'_>) -> Option<Touched> {
    for price in PRICES {
        "0".clone_into(&mut cut.row().prices[price as usize]);
    }
    cut.one()
}

/// The first digit of the close is lost.
pub(in crate::accuracy) fn digit_lost(cut: &mut Cut<'_>) -> Option<Touched> {
    let cell = &mut cut.row().prices[Price::Close as usize];
    let (whole, _) = cell.split_once('.').unwrap_or((cell, ""));
    (whole.len() > 1).then(|| cell.remove(0))?;
    cut.one()
}

/// Prices of `count` bars have no digits after the point.
pub(in crate::accuracy) fn rounded(cut: &mut Cut<'_>, count: usize) -> Option<Touched> {
    let at = cut.at;
    cut.rows[at..at + count].iter_mut().for_each(|row| scale(row, 1.0, 0));
    cut.run(count)
}

/// Prices of `count` bars are cut after three digits: 123.45 becomes 123, and 24.93 becomes 24.9.
pub(in crate::accuracy) fn truncated(cut: &mut Cut<'_>, count: usize) -> Option<Touched> {
    let at = cut.at;
    for cell in cut.rows[at..at + count].iter_mut().flat_map(|row| &mut row.prices) {
        let (whole, _) = cell.split_once('.').unwrap_or((cell, ""));
        let keep = if whole.len() >= 3 { whole.len() } else { 4 };
        cell.truncate(keep);
    }
    cut.run(count)
}

/// All of the bar is that of another symbol on the same day.
pub(in crate::accuracy) fn stranger(cut: &mut Cut<'_>) -> Option<Touched> {
    let other = cut.stranger(cut.rows[cut.at].at)?;
    let row = cut.row();
    (row.prices, row.volume) = (other.prices, other.volume);
    cut.one()
}
