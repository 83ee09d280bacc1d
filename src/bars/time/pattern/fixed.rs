//! The quick way through patterns in which every byte has its place, such as `%Y-%m-%d`.
//!
//! Shape first, in one pass; then the digits are picked from their places. Columns of tens of
//! millions of timestamps go this way, so it neither allocates nor steps through pieces.

use super::civil::{clock_micros, day_number};
use super::piece::{Field, Piece};
use crate::bars::time::readable::Parsed;
use crate::market::DAY_US;

/// A pattern of literals and digits of fixed width, with a year, a month and a day of the month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fixed {
    shape: Shape,
    year: usize,
    month: usize,
    day: usize,
    hour: Option<usize>,
    minute: Option<usize>,
    second: Option<usize>,
    utc: bool,
}

/// What each byte must be: its exclusive or with `base` is at most 9 where that is a digit, and else nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    base: Vec<u8>,
    /// 127 less what each byte may differ by: added to it, a byte that differs by more reaches the highest bit.
    room: Vec<u8>,
}

/// The highest bit of each byte.
const HIGHEST: u64 = 0x8080_8080_8080_8080;

impl Shape {
    fn of(pieces: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let (base, room) = pieces.into_iter().map(|(base, most)| (base, 127 - most)).unzip();
        Self { base, room }
    }

    /// Whether `text` has this shape. Eight bytes are compared at once, the last eight where their number is no multiple of
    /// it; shorter texts byte by byte.
    #[inline]
    fn fits(&self, text: &[u8]) -> bool {
        if text.len() != self.base.len() {
            return false;
        }
        let eight = |from: usize| {
            let word = |bytes: &[u8]| bytes.get(from..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            let differs = word(text)? ^ word(&self.base)?;
            Some((differs.wrapping_add(word(&self.room)?) | differs) & HIGHEST == 0)
        };
        match text.len().checked_sub(8) {
            Some(last) => (0..last).step_by(8).chain([last]).all(|from| eight(from) == Some(true)),
            None => text.iter().zip(&self.base).zip(&self.room).all(|((byte, base), room)| byte ^ base <= 127 - room),
        }
    }
}

impl Fixed {
    /// The quick form of `pieces`; `None` where they are not all of fixed width.
    pub(super) fn new(pieces: &[Piece]) -> Option<Self> {
        let mut shape = Vec::new();
        let mut fields = Vec::new();
        let mut utc = false;
        for piece in pieces {
            match piece {
                Piece::Literal(base) => shape.push((*base, 0)),
                Piece::Zulu => {
                    utc = true;
                    shape.push((b'Z', 0));
                }
                Piece::Digits(field, width) => {
                    fields.push((*field, shape.len()));
                    shape.extend((0..*width).map(|_| (b'0', 9)));
                }
                _ => return None,
            }
        }
        let place = |wanted| fields.iter().find(|(field, _)| *field == wanted).map(|(_, place)| *place);
        if place(Field::Hour12).is_some() {
            return None;
        }
        Some(Self {
            year: place(Field::Year)?,
            month: place(Field::Month)?,
            day: place(Field::Day)?,
            hour: place(Field::Hour),
            minute: place(Field::Minute),
            second: place(Field::Second),
            utc,
            shape: Shape::of(shape),
        })
    }

    /// Reads `text`; `None` where it has another shape or is not a readable time.
    #[inline]
    pub(super) fn parse(&self, text: &[u8]) -> Option<Parsed> {
        if !self.shape.fits(text) {
            return None;
        }
        let two = |place| two_digits(text, place);
        let day = day_number(two(self.year) * 100 + two(self.year + 2), two(self.month), two(self.day)).ok()?;
        let micros = match self.hour {
            None => 0,
            Some(hour) => clock_micros(two(hour), self.minute.map_or(0, two), self.second.map_or(0, two)).ok()?,
        };
        Some(if self.utc { Parsed::Instant(i64::from(day) * DAY_US + micros) } else { Parsed::Local { day, micros } })
    }
}

/// The value of the two digits at `place`, where there are two.
#[inline]
fn two_digits(text: &[u8], place: usize) -> u32 {
    match text.get(place..) {
        Some(&[tens, ones, ..]) => u32::from(tens & 0x0f) * 10 + u32::from(ones & 0x0f),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Texts of the shape, and with one byte changed, against a comparison byte by byte.
        #[test]
        fn a_shape_fits_what_fits_byte_by_byte(
            places in prop::collection::vec((prop_oneof![Just((b'0', 9)), (0_u8..128).prop_map(|byte| (byte, 0))], 0_u8..10), 0..20),
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let shape = Shape::of(places.iter().map(|(place, _)| *place));
            let digit = |((base, most), digit): &((u8, u8), u8)| if *most == 9 { b'0' + digit } else { *base };
            let mut text: Vec<u8> = places.iter().map(digit).collect();
            if let Some((at, byte)) = change.filter(|_| !text.is_empty()) {
                let at = at.index(text.len());
                text[at] = byte;
            }
            let fits = |(byte, ((base, most), _)): (&u8, &((u8, u8), u8))| byte ^ base <= *most;
            prop_assert_eq!(shape.fits(&text), text.iter().zip(&places).all(fits));
            text.push(b'0');
            prop_assert!(!shape.fits(&text));
        }
    }
}
