//! Wrong volumes.

use crate::accuracy::bars::Price;
use crate::accuracy::cut::{Cut, Touched, set_volume};

/// The volume of `count` bars is multiplied.
pub(in crate::accuracy) fn scaled(cut: &mut Cut<'_>, count: usize, factor: f64) -> Option<Touched> {
    cut.scale_volume(count, factor);
    if count == 1 { cut.one() } else { cut.level(count) }
}

/// Volumes are multiplied from here to the end.
pub(in crate::accuracy) fn for_good(cut: &mut Cut<'_>, factor: f64) -> Option<Touched> {
    cut.scale_volume(cut.left(), factor);
    cut.rest()
}

/// The volume is 0 although the price moved.
pub(in crate::accuracy) fn nothing(cut: &mut Cut<'_>) -> Option<Touched> {
    (cut.price(Price::High) > cut.price(Price::Low)).then(|| "0".clone_into(&mut cut.row().volume))?;
    cut.one()
}

/// The volume of `count` bars is not there.
pub(in crate::accuracy) fn missing(cut: &mut Cut<'_>, count: usize) -> Option<Touched> {
    let at = cut.at;
    cut.rows[at..at + count].iter_mut().for_each(|row| row.volume.clear());
    cut.run(count)
}

/// The volume has a minus.
pub(in crate::accuracy) fn negative(cut: &mut Cut<'_>) -> Option<Touched> {
    cut.scale_volume(1, -1.0);
    cut.one()
}

/// 2^32.
const WORD: f64 = 4_294_967_296.0;

/// What is above 2^32 is lost: the lower 32 bits of the volume are left.
pub(in crate::accuracy) fn wrapped(cut: &mut Cut<'_>) -> Option<Touched> {
    let volume = cut.row().volume();
    (volume >= WORD).then(|| set_volume(cut.row(), volume % WORD))?;
    cut.one()
}

/// A volume that does not fit in 32 bits with a sign is the largest number that does.
pub(in crate::accuracy) fn cut_off(cut: &mut Cut<'_>) -> Option<Touched> {
    (cut.row().volume() >= WORD / 2.0).then(|| set_volume(cut.row(), WORD / 2.0 - 1.0))?;
    cut.one()
}

/// A volume that does not fit in 32 bits with a sign becomes negative.
pub(in crate::accuracy) fn overflowed(cut: &mut Cut<'_>) -> Option<Touched> {
    let volume = cut.row().volume();
    (WORD / 2.0..WORD).contains(&volume).then(|| set_volume(cut.row(), volume - WORD))?;
    cut.one()
}
