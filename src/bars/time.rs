//! Reading the timestamps of bars: text by the formats of a job, epoch numbers, instants and dates.
//!
//! Reading is strict: a text is a timestamp only if all of it has the shape of a format, and a local time that its zone
//! skips or repeats is refused, not guessed. Nothing here allocates.

mod date;
mod epoch;
mod fault;
mod format;
mod outside;
mod pattern;
mod readable;
mod typed;

use std::sync::Arc;

use chrono_tz::Tz;

use self::readable::is_readable;
use self::typed::Typed;
use crate::market::zone::{self, Local};
use crate::market::{DAY_US, Label};

pub use self::fault::TimeFault;
pub use self::format::TimeFormat;
pub use self::outside::TextsOutside;
pub use self::readable::Parsed;

/// Which of the two instants a local time means that the zone's clocks showed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fold {
    /// Neither: the timestamp is not readable.
    #[default]
    Refuse,
    /// The first, before the clocks were put back.
    Earlier,
    /// The second.
    Later,
}

/// How the timestamp of a bar is found and read.
#[derive(Debug, Clone)]
pub struct TimeSpec {
    /// The source fields, mostly one; the values of several are read as one text, joined by a blank.
    pub sources: Vec<Arc<str>>,
    /// Whether the source has it as whole numbers, which then are read as the digits of a pattern, e.g. 20240102. A number
    /// among texts is of a wrong type.
    pub digits: bool,
    /// Accepted formats of text, tried in order; never empty.
    pub formats: Vec<TimeFormat>,
    /// Zone of timestamps that carry no offset, and of trading dates.
    pub zone: Tz,
    /// What the timestamp says.
    pub label: Label,
    /// Which instant a repeated local time means.
    pub fold: Fold,
}

impl TimeSpec {
    /// The timestamp that `text` holds, by the first format that reads it: for trading dates the UTC midnight that
    /// stands for the date in the job's zone, else the instant, µs UTC. Where no format reads it, the fault is that of
    /// the format that came closest.
    pub fn read_text(&self, text: &str) -> Result<i64, TimeFault> {
        let mut closest = TimeFault::Format;
        for format in &self.formats {
            let timestamp = match format.parse(text) {
                Ok(Parsed::Local { day, micros }) => self.read_local(day, micros),
                Ok(Parsed::Instant(instant)) => self.read_instant(instant),
                Err(fault) => Err(fault),
            };
            match timestamp {
                Ok(timestamp) => return Ok(timestamp),
                Err(fault) => closest = closest.max(fault),
            }
        }
        Err(closest)
    }

    /// The instant that `text` says, µs UTC; `None` where it is not readable, or says a local date or time, which is the
    /// same whatever the zone.
    pub fn instant_of(&self, text: &str) -> Option<i64> {
        match self.formats.iter().find_map(|format| format.parse(text).ok()) {
            Some(Parsed::Instant(instant)) => Some(instant),
            Some(Parsed::Local { .. }) => None,
            None => match typed::read(text) {
                Some(Typed::Instant(instant)) => Some(instant),
                _ => None,
            },
        }
    }

    /// The timestamp of an integer: an epoch number, or, where the source has whole numbers, the digits of a pattern.
    /// [`TimeFault::WrongType`] where no format reads digits.
    pub fn read_number(&self, number: i64) -> Result<i64, TimeFault> {
        let mut closest = TimeFault::WrongType;
        for format in &self.formats {
            let timestamp = match format.read_number(number) {
                Some(read) => read.and_then(|instant| self.read_instant(instant)),
                None => continue,
            };
            match timestamp {
                Ok(timestamp) => return Ok(timestamp),
                Err(fault) => closest = closest.max(fault),
            }
        }
        if self.digits && self.formats.iter().any(TimeFormat::is_digits) {
            match self.read_text(&number.to_string()) {
                Ok(timestamp) => return Ok(timestamp),
                Err(fault) => closest = closest.max(fault),
            }
        }
        Err(closest)
    }

    /// The timestamp of a number: one without a fraction is read as an integer, and one with a fraction is not readable.
    pub fn read_float(&self, number: f64) -> Result<i64, TimeFault> {
        /// Below it every whole number is exact.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !number.is_finite() || number.abs() > EXACT || number.fract() != 0.0 {
            return Err(TimeFault::WrongType);
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        self.read_number(number as i64)
    }

    /// The timestamp of a value that is not text, as a literal: a number (see [`TimeSpec::read_number`]), a date of MongoDB
    /// (`{"$date":…}`, with a number of milliseconds or RFC 3339 text) where the job's formats have `bson-date`, or a
    /// typed date or timestamp as Parquet shows it (`2024-01-02`, `2024-01-02T09:30:00`, with a `Z` where it is an
    /// instant). [`TimeFault::WrongType`] for everything else.
    pub fn read_literal(&self, literal: &str) -> Result<i64, TimeFault> {
        if let Ok(number) = literal.parse() {
            return self.read_number(number);
        }
        if let Ok(number) = literal.parse() {
            return self.read_float(number);
        }
        match typed::read(literal) {
            Some(Typed::Day(day)) => return self.read_day(day),
            Some(Typed::Local(day, micros)) => return self.read_local(day, micros),
            Some(Typed::Instant(micros)) => return self.read_instant(micros),
            None => {}
        }
        if !self.formats.iter().any(TimeFormat::is_bson_date) {
            return Err(TimeFault::WrongType);
        }
        self.read_instant(date::instant(literal)?)
    }

    /// The timestamp of an instant, µs UTC: itself, or for trading dates the UTC midnight that stands for the date it
    /// has in the job's zone.
    pub fn read_instant(&self, micros: i64) -> Result<i64, TimeFault> {
        if !is_readable(zone::day_of(micros)) {
            return Err(TimeFault::OutOfRange);
        }
        Ok(match self.label {
            Label::Session => i64::from(zone::local_day(self.zone, micros)) * DAY_US,
            Label::Start | Label::End => micros,
        })
    }

    /// The timestamp of a date without a time, in days since 1970-01-01: where timestamps are instants, its midnight in the
    /// job's zone.
    pub fn read_day(&self, day: i32) -> Result<i64, TimeFault> {
        if is_readable(day) { self.read_local(day, 0) } else { Err(TimeFault::OutOfRange) }
    }

    /// The timestamp of a local time in the job's zone.
    pub fn read_local(&self, day: i32, micros: i64) -> Result<i64, TimeFault> {
        if !is_readable(day) {
            return Err(TimeFault::OutOfRange);
        }
        if self.label == Label::Session {
            return Ok(i64::from(day) * DAY_US);
        }
        match (zone::from_local(self.zone, day, micros), self.fold) {
            (Local::At(instant), _)
            | (Local::Repeated(instant, _), Fold::Earlier)
            | (Local::Repeated(_, instant), Fold::Later) => Ok(instant),
            (Local::Repeated(..), Fold::Refuse) => Err(TimeFault::Repeated),
            (Local::Skipped, _) => Err(TimeFault::Skipped),
            (Local::OutOfRange, _) => Err(TimeFault::OutOfRange),
        }
    }
}

#[cfg(test)]
mod tests;
