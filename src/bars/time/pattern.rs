//! Timestamps written by a `strftime` pattern.
//!
//! A pattern is compiled to pieces of fixed meaning and mostly fixed width; a text matches it whole or not at all.
//! Unlike `strftime` parsers elsewhere, no piece skips blanks, takes fewer digits or accepts a sign.

mod civil;
mod compile;
mod fixed;
mod piece;

use self::civil::{clock_micros, day_number, day_number_of_ordinal};
use self::fixed::Fixed;
use self::piece::{Field, Piece};
use super::fault::TimeFault;
use super::readable::Parsed;
use crate::market::DAY_US;

/// A compiled pattern: what to expect, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    date: DateForm,
    /// The usual shape of its texts; others are read piece by piece.
    fixed: Option<Fixed>,
}

/// What the date is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DateForm {
    MonthAndDay,
    DayOfYear,
}

/// What a text said so far.
#[derive(Debug, Default)]
struct Said {
    year: u32,
    month: u32,
    day: u32,
    day_of_year: u32,
    hour: u32,
    hour12: Option<u32>,
    afternoon: bool,
    minute: u32,
    second: u32,
    /// µs.
    fraction: u32,
    /// Minutes ahead of UTC; the magnitude may be more than a day where the text says so.
    offset: Option<i32>,
    impossible: bool,
}

impl Pattern {
    /// Reads `text`, all of it.
    #[inline]
    pub(super) fn parse(&self, text: &str) -> Result<Parsed, TimeFault> {
        match self.fixed.as_ref().and_then(|fixed| fixed.parse(text.as_bytes())) {
            Some(parsed) => Ok(parsed),
            None => self.parse_pieces(text.as_bytes()),
        }
    }

    fn parse_pieces(&self, text: &[u8]) -> Result<Parsed, TimeFault> {
        let mut rest = text;
        let mut said = Said::default();
        for piece in &self.pieces {
            rest = said.take(*piece, rest).ok_or(TimeFault::Format)?;
        }
        if rest.is_empty() { said.result(self.date) } else { Err(TimeFault::Format) }
    }
}

impl Said {
    /// Takes `piece` from the front of `text`; what is left, or `None` where it is not there.
    #[inline]
    fn take<'a>(&mut self, piece: Piece, text: &'a [u8]) -> Option<&'a [u8]> {
        match piece {
            Piece::Literal(literal) => text.split_first().filter(|(byte, _)| **byte == literal).map(|(_, rest)| rest),
            Piece::Digits(field, width) => {
                let (digits, rest) = text.split_at_checked(usize::from(width))?;
                *self.field(field) = number(digits)?;
                Some(rest)
            }
            other => self.take_rare(other, text),
        }
    }

    fn take_rare<'a>(&mut self, piece: Piece, text: &'a [u8]) -> Option<&'a [u8]> {
        match piece {
            Piece::Literal(_) | Piece::Digits(..) => self.take(piece, text),
            Piece::Separator => text.strip_prefix(b"T").or(text.strip_prefix(b"t")).or(text.strip_prefix(b" ")),
            Piece::Zulu => {
                self.offset = Some(0);
                text.strip_prefix(b"Z")
            }
            Piece::Unpadded(field) => {
                let (digits, rest) = text.split_at(leading_digits(text, 2));
                *self.field(field) = number(digits).filter(|_| digits == b"0" || !digits.starts_with(b"0"))?;
                Some(rest)
            }
            Piece::UnpaddedBefore(field, behind) => {
                let width = leading_digits(text, usize::from(behind) + 2).checked_sub(usize::from(behind))?;
                let (digits, rest) = text.split_at_checked(width)?;
                *self.field(field) = number(digits).filter(|_| digits == b"0" || !digits.starts_with(b"0"))?;
                Some(rest)
            }
            Piece::BlankPadded(field) => {
                let (digits, rest) = text.split_at_checked(2)?;
                *self.field(field) = number(digits.strip_prefix(b" ").unwrap_or(digits))?;
                Some(rest)
            }
            Piece::ShortYear => {
                let (digits, rest) = text.split_at_checked(2)?;
                let year = number(digits)?;
                self.year = if year < 69 { 2000 + year } else { 1900 + year };
                Some(rest)
            }
            Piece::MonthName => {
                let (name, rest) = text.split_at_checked(3)?;
                let index = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month))?;
                self.month = u32::try_from(index).ok()? + 1;
                Some(rest)
            }
            Piece::HalfDay => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = half.eq_ignore_ascii_case(b"PM");
                (self.afternoon || half.eq_ignore_ascii_case(b"AM")).then_some(rest)
            }
            Piece::Fraction(least, most) => self.take_fraction(text, least, most),
            Piece::PointFraction => match text.strip_prefix(b".") {
                Some(digits) => self.take_fraction(digits, 1, 9),
                None => Some(text),
            },
            Piece::Offset { colon_needed } => self.take_offset(text, colon_needed),
        }
    }

    /// Takes the digits of a fraction of a second; those after the sixth are cut off.
    fn take_fraction<'a>(&mut self, text: &'a [u8], least: u8, most: u8) -> Option<&'a [u8]> {
        let (digits, rest) = text.split_at(leading_digits(text, usize::from(most)));
        if digits.len() < usize::from(least) {
            return None;
        }
        let micros = digits.get(..6).unwrap_or(digits);
        self.fraction = (micros.len()..6).fold(number(micros)?, |value, _| value * 10);
        Some(rest)
    }

    fn take_offset<'a>(&mut self, text: &'a [u8], colon_needed: bool) -> Option<&'a [u8]> {
        if let Some(rest) = text.strip_prefix(b"Z").or(text.strip_prefix(b"z")) {
            self.offset = Some(0);
            return Some(rest);
        }
        let (sign, rest) = text.split_first()?;
        let (hours, rest) = rest.split_at_checked(2)?;
        let rest = match rest.strip_prefix(b":") {
            None if colon_needed => return None,
            after_colon => after_colon.unwrap_or(rest),
        };
        let (minutes, rest) = rest.split_at_checked(2)?;
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        self.impossible |= hours > 23 || minutes > 59;
        let ahead = (hours * 60 + minutes).cast_signed();
        self.offset = match sign {
            b'+' => Some(ahead),
            b'-' => Some(-ahead),
            _ => return None,
        };
        Some(rest)
    }

    fn field(&mut self, field: Field) -> &mut u32 {
        match field {
            Field::Year => &mut self.year,
            Field::Month => &mut self.month,
            Field::Day => &mut self.day,
            Field::DayOfYear => &mut self.day_of_year,
            Field::Hour => &mut self.hour,
            Field::Hour12 => self.hour12.insert(0),
            Field::Minute => &mut self.minute,
            Field::Second => &mut self.second,
        }
    }

    fn result(mut self, date: DateForm) -> Result<Parsed, TimeFault> {
        if let Some(hour) = self.hour12 {
            self.impossible |= !(1..=12).contains(&hour);
            self.hour = hour % 12 + if self.afternoon { 12 } else { 0 };
        }
        if self.impossible {
            return Err(TimeFault::Impossible);
        }
        let micros = clock_micros(self.hour, self.minute, self.second)? + i64::from(self.fraction);
        let day = match date {
            DateForm::MonthAndDay => day_number(self.year, self.month, self.day)?,
            DateForm::DayOfYear => day_number_of_ordinal(self.year, self.day_of_year)?,
        };
        Ok(match self.offset {
            None => Parsed::Local { day, micros },
            Some(ahead) => Parsed::Instant(i64::from(day) * DAY_US + micros - i64::from(ahead) * 60_000_000),
        })
    }
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// How many of the first `most` bytes are digits without a gap.
fn leading_digits(text: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count()
}

/// The value of at most nine ASCII digits; `None` for none at all or anything else.
#[inline]
fn number(digits: &[u8]) -> Option<u32> {
    let mut value = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    (!digits.is_empty()).then_some(value)
}
