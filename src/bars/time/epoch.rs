//! Timestamps that count time units since 1970-01-01T00:00Z.

use super::fault::TimeFault;
use super::readable::is_readable;
use crate::market::zone;

/// The unit an epoch number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Epoch {
    /// Told by the number of digits.
    ByDigits,
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Epoch {
    /// The format called `name`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "epoch" => Self::ByDigits,
            "epoch-s" => Self::Seconds,
            "epoch-ms" => Self::Millis,
            "epoch-us" => Self::Micros,
            "epoch-ns" => Self::Nanos,
            _ => return None,
        })
    }

    /// Reads an integer without blanks, plus sign or leading zeros; the instant is in µs UTC.
    pub(super) fn read_text(self, text: &str) -> Result<i64, TimeFault> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leads_with_zero = digits.starts_with('0') && text != "0";
        if digits.is_empty() || leads_with_zero || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TimeFault::Format);
        }
        text.parse().map_err(|_| TimeFault::OutOfRange).and_then(|number| self.read(number))
    }

    /// The instant of `number`, µs UTC; nanoseconds are cut to the microsecond they lie in.
    pub(super) fn read(self, number: i64) -> Result<i64, TimeFault> {
        let micros = match self {
            Self::Seconds => number.checked_mul(1_000_000),
            Self::Millis => number.checked_mul(1_000),
            Self::Micros => Some(number),
            Self::Nanos => Some(number.div_euclid(1_000)),
            Self::ByDigits => return Self::of_digits(number)?.read(number),
        };
        micros.filter(|micros| is_readable(zone::day_of(*micros))).ok_or(TimeFault::OutOfRange)
    }

    /// The number of the instant `micros`, rounded down; `None` where the unit follows from the digits, or it has none.
    pub(super) fn number_of(self, micros: i64) -> Option<i64> {
        match self {
            Self::Seconds => Some(micros.div_euclid(1_000_000)),
            Self::Millis => Some(micros.div_euclid(1_000)),
            Self::Micros => Some(micros),
            Self::Nanos => micros.checked_mul(1_000),
            Self::ByDigits => None,
        }
    }

    /// The unit by the number of digits; only counts since 2001-09-09 are distinguished, smaller ones would be guesses.
    fn of_digits(number: i64) -> Result<Self, TimeFault> {
        match number.unsigned_abs().checked_ilog10().map(|log| log + 1) {
            Some(10) => Ok(Self::Seconds),
            Some(13) => Ok(Self::Millis),
            Some(16) => Ok(Self::Micros),
            Some(19) => Ok(Self::Nanos),
            _ => Err(TimeFault::OutOfRange),
        }
    }
}
