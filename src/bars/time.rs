//! Reading the timestamps of bars: text by the formats of a job, epoch numbers, instants and dates.
//!
//! Reading is strict: a text is a timestamp only if all of it has the shape of a format, and a local time that its zone
//! skips or repeats is refused, not guessed. Nothing here allocates.

mod date;
mod epoch;
mod fault;
mod pattern;

use chrono::NaiveDate;

use self::epoch::Epoch;
use self::pattern::Pattern;
use super::DAY_US;
use super::spec::{Fold, Label, TimeSpec};
use crate::market::zone::{self, Local};

pub use self::fault::TimeFault;

/// First day that is readable. Readers of nanosecond timestamps, which most readers of Parquet are, can represent the
/// whole years from 1678 to 2261 and nothing around them.
const FIRST_DAY: i32 = epoch_day(1678, 1, 1);

/// Last day that is readable; see [`FIRST_DAY`].
const LAST_DAY: i32 = epoch_day(2261, 12, 31);

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// A wall time without an offset from UTC.
    Local {
        /// Days since 1970-01-01.
        day: i32,
        /// µs since midnight; 0 where the text is a date.
        micros: i64,
    },
    /// An instant, µs UTC.
    Instant(i64),
}

/// A format timestamps are written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Pattern(Pattern),
    Epoch(Epoch),
    BsonDate,
}

impl TimeFormat {
    /// Reads a format as jobs write it: a name or a pattern.
    ///
    /// - `rfc3339`: `2024-03-08T14:30:00Z`, with a fraction and an offset where there is one.
    /// - `epoch`: an integer whose unit its digits tell: 10 seconds, 13 milliseconds, 16 microseconds, 19 nanoseconds.
    ///   Any other number of digits is out of range: before 2001-09-09 the digits do not tell the unit.
    /// - `epoch-s`, `epoch-ms`, `epoch-us`, `epoch-ns`: an integer of that unit.
    /// - `bson-date`: a date of MongoDB, which is an instant; no text has this form.
    /// - a pattern of literal text and `%Y` (4 digits), `%y` (00–68 is 20xx, 69–99 is 19xx), `%m`, `%b` (`Jan`, in any
    ///   case), `%d`, `%j` (day of the year, 3 digits), `%H`, `%I` with `%p`, `%M`, `%S` (2 digits each), `%f` (1 to
    ///   9 digits of a fraction of a second), `%3f`, `%6f`, `%9f` (so many), `%.f` (a point and such digits, or
    ///   nothing), `%z` (`+0800`, `+08:00` or `Z`), `%:z` (`+08:00` or `Z`), `%-m`, `%-d`, `%-H`, `%-I` (without
    ///   leading zero), `%e` (day, padded with a blank), `%F`, `%D`, `%T`, `%R` (the usual short forms) and `%%`. A `Z`
    ///   that ends a pattern after a time of day means UTC. Fractions finer than a microsecond are cut off.
    ///
    /// The error names what is wrong with the text, or which part of a date it lacks.
    pub fn compile(text: &str) -> Result<Self, String> {
        let kind = match (text, Epoch::named(text)) {
            (_, Some(epoch)) => Kind::Epoch(epoch),
            ("bson-date", None) => Kind::BsonDate,
            ("rfc3339", None) => Kind::Pattern(Pattern::rfc3339()?),
            (pattern, None) => Kind::Pattern(Pattern::compile(pattern)?),
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The format as the job writes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads `text`, all of it. Years outside 1678 to 2261 are [`TimeFault::OutOfRange`]; a shape that fits with a
    /// date or time that does not exist, leap seconds among them, is [`TimeFault::Impossible`].
    #[inline]
    pub fn parse(&self, text: &str) -> Result<Parsed, TimeFault> {
        match &self.kind {
            Kind::Pattern(pattern) => pattern.parse(text),
            Kind::Epoch(epoch) => epoch.read_text(text).map(Parsed::Instant),
            Kind::BsonDate => Err(TimeFault::Format),
        }
    }
}

impl TimeSpec {
    /// The timestamp that `text` spells, by the first format that reads it: for trading dates the UTC midnight that
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

    /// The timestamp of an integer, which must be an epoch number: [`TimeFault::WrongType`] where no epoch format is
    /// among the job's formats.
    pub fn read_number(&self, number: i64) -> Result<i64, TimeFault> {
        let mut closest = TimeFault::WrongType;
        for format in &self.formats {
            if let Kind::Epoch(epoch) = &format.kind {
                match epoch.read(number).and_then(|instant| self.read_instant(instant)) {
                    Ok(timestamp) => return Ok(timestamp),
                    Err(fault) => closest = closest.max(fault),
                }
            }
        }
        Err(closest)
    }

    /// The timestamp of a value that is no text, as a JSON literal: an integer where the job's formats have an epoch, a date
    /// of MongoDB (`{"$date":…}`, with a number of milliseconds or RFC 3339 text) where they have `bson-date`.
    /// [`TimeFault::WrongType`] for everything else.
    pub fn read_literal(&self, literal: &str) -> Result<i64, TimeFault> {
        if let Ok(number) = literal.parse() {
            return self.read_number(number);
        }
        if !self.formats.iter().any(|format| format.kind == Kind::BsonDate) {
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

/// Whether `day` lies in the years 1678 to 2261.
fn is_readable(day: i32) -> bool {
    (FIRST_DAY..=LAST_DAY).contains(&day)
}

const fn epoch_day(year: i32, month: u32, day: u32) -> i32 {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date.to_epoch_days(),
        None => panic!("no such date"),
    }
}

#[cfg(test)]
mod tests;
