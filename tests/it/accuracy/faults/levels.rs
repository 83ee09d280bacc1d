//! Prices on another level, for some bars or from a day on.

use crate::accuracy::bars::Price;
use crate::accuracy::cut::{Cut, Touched, scale_whole, set, set_volume};

/// Prices of `count` bars are multiplied, then all is as before.
pub(in crate::accuracy) fn for_some(cut: &mut Cut<'_>, count: usize, factor: f64) -> Option<Touched> {
    cut.scale(count, factor);
    cut.level(count)
}

/// Prices are multiplied from here to the end.
pub(in crate::accuracy) fn for_good(cut: &mut Cut<'_>, factor: f64) -> Option<Touched> {
    let at = cut.at;
    cut.rows[at..].iter_mut().for_each(|row| scale_whole(row, factor, row.digits()));
    cut.rest()
}

/// A share becomes `into` shares, and nobody adjusted the prices before.
pub(in crate::accuracy) fn split(cut: &mut Cut<'_>, into: f64) -> Option<Touched> {
    let at = cut.at;
    for row in &mut cut.rows[at..] {
        let volume = row.volume() * into;
        scale_whole(row, 1.0 / into, row.digits());
        set_volume(row, volume);
    }
    cut.rest()
}

/// The prices before here are adjusted by `factor`, with four digits; those after are not.
pub(in crate::accuracy) fn seam(cut: &mut Cut<'_>, factor: f64) -> Option<Touched> {
    let at = cut.at;
    cut.rows[..at].iter_mut().for_each(|row| scale_whole(row, factor, 4));
    cut.past()
}

/// The closes before here are adjusted, the other prices are not.
pub(in crate::accuracy) fn close_alone(cut: &mut Cut<'_>, factor: f64) -> Option<Touched> {
    let at = cut.at;
    for row in &mut cut.rows[..at] {
        let close = row.price(Price::Close) * factor;
        set(row, Price::Close, close);
    }
    let touched = cut.past()?;
    Some(Touched::at(touched.all))
}

/// Another company has the symbol from here on, `pause` bars after the last one of this company.
pub(in crate::accuracy) fn reused(cut: &mut Cut<'_>, pause: usize) -> Option<Touched> {
    let at = cut.at;
    let strangers: Option<Vec<_>> = cut.rows[at..].iter().map(|row| cut.stranger(row.at)).collect();
    for (row, other) in cut.rows[at..].iter_mut().zip(strangers?) {
        (row.prices, row.volume) = (other.prices, other.volume);
    }
    let touched = cut.rest()?;
    let first = cut.rows[at + pause].at;
    cut.rows.drain(at..at + pause);
    Some(Touched { seam: (touched.seam.0, first), ..touched })
}
