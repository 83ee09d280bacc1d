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
    shape: Vec<Place>,
    year: usize,
    month: usize,
    day: usize,
    hour: Option<usize>,
    minute: Option<usize>,
    second: Option<usize>,
    utc: bool,
}

/// What one byte must be: its exclusive or with `base` is at most `most`, 9 for a digit and 0 for a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    base: u8,
    most: u8,
}

impl Fixed {
    /// The quick form of `pieces`; `None` where they are not all of fixed width.
    pub(super) fn new(pieces: &[Piece]) -> Option<Self> {
        let mut shape = Vec::new();
        let mut fields = Vec::new();
        let mut utc = false;
        for piece in pieces {
            match piece {
                Piece::Literal(base) => shape.push(Place { base: *base, most: 0 }),
                Piece::Zulu => {
                    utc = true;
                    shape.push(Place { base: b'Z', most: 0 });
                }
                Piece::Digits(field, width) => {
                    fields.push((*field, shape.len()));
                    shape.extend((0..*width).map(|_| Place { base: b'0', most: 9 }));
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
            shape,
        })
    }

    /// Reads `text`; `None` where it has another shape or is not a readable time.
    #[inline]
    pub(super) fn parse(&self, text: &[u8]) -> Option<Parsed> {
        let fits = |(byte, place): (&u8, &Place)| byte ^ place.base <= place.most;
        if text.len() != self.shape.len() || !text.iter().zip(&self.shape).all(fits) {
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
