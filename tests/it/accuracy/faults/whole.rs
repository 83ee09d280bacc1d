//! Faults of a whole series, and of its newest bar.

use crate::accuracy::bars::{Price, Series};
use crate::accuracy::cut::{Cut, Touched};

/// The values of every bar stand one bar later.
pub(in crate::accuracy) fn shifted(cut: &mut Cut<'_>) -> Option<Touched> {
    for index in (1..cut.rows.len()).rev() {
        let before = cut.rows[index - 1].clone();
        let row = &mut cut.rows[index];
        (row.prices, row.volume) = (before.prices, before.volume);
    }
    cut.rows.remove(0);
    cut.whole()
}

/// The bars stand there under another name too.
pub(in crate::accuracy) fn copied(cut: &mut Cut<'_>) -> Option<Touched> {
    let (_, piece) = cut.symbol.split_once('.')?;
    let mut rows = cut.rows.clone();
    for row in &mut rows {
        row.fault = Some(cut.id);
    }
    cut.added.push(Series { symbol: format!("COPY.{piece}"), rows });
    cut.at = 0;
    cut.hole(cut.rows.len())
}

/// No bar has a volume.
pub(in crate::accuracy) fn no_volume(cut: &mut Cut<'_>) -> Option<Touched> {
    cut.rows.iter_mut().for_each(|row| row.volume.clear());
    cut.whole()
}

/// The newest bar was written while the session was on: half of its range and of its volume.
pub(in crate::accuracy) fn half_finished(cut: &mut Cut<'_>) -> Option<Touched> {
    let open = cut.price(Price::Open);
    for price in [Price::High, Price::Low, Price::Close] {
        cut.set(price, f64::midpoint(open, cut.price(price)));
    }
    cut.scale_volume(1, 0.45);
    cut.one()
}

/// The newest bar is the one before it once more.
pub(in crate::accuracy) fn repeated(cut: &mut Cut<'_>) -> Option<Touched> {
    let before = cut.rows[cut.at - 1].clone();
    let row = cut.row();
    (row.prices, row.volume) = (before.prices, before.volume);
    cut.one()
}
