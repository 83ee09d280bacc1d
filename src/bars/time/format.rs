//! The formats of timestamps: names such as `epoch-ms`, and patterns.

use super::epoch::Epoch;
use super::fault::TimeFault;
use super::pattern::Pattern;
use super::readable::Parsed;

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
    /// - `epoch`: an integer whose unit follows from the number of its digits: 10 seconds, 13 milliseconds, 16 microseconds, 19 nanoseconds.
    ///   Any other number of digits is out of range: before 2001-09-09 the unit does not follow from them.
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

    /// Whether this is a pattern of dates alone, without a time of day.
    pub fn is_date_only(&self) -> bool {
        let parsed = self.sample().and_then(|text| self.parse(&text).ok());
        matches!(parsed, Some(Parsed::Local { micros: 0, .. }))
    }

    /// A text that this format and `other` read as two different dates, e.g. `03/04/2024`; `None` where there is none such.
    pub fn contradicts(&self, other: &Self) -> Option<String> {
        let text = self.sample()?;
        match (self.parse(&text), other.parse(&text)) {
            (Ok(Parsed::Local { day, .. }), Ok(Parsed::Local { day: other, .. })) if day != other => Some(text),
            _ => None,
        }
    }

    /// The fourth of March 2005, 06:07:08, as this pattern writes it: its parts can be taken for one another.
    fn sample(&self) -> Option<String> {
        const PARTS: [(&str, &str); 25] = [
            ("%F", "2005-03-04"),
            ("%D", "03/04/05"),
            ("%T", "06:07:08"),
            ("%R", "06:07"),
            ("%Y", "2005"),
            ("%y", "05"),
            ("%m", "03"),
            ("%-m", "3"),
            ("%b", "Mar"),
            ("%d", "04"),
            ("%-d", "4"),
            ("%e", " 4"),
            ("%j", "063"),
            ("%H", "06"),
            ("%-H", "6"),
            ("%I", "06"),
            ("%-I", "6"),
            ("%p", "AM"),
            ("%M", "07"),
            ("%S", "08"),
            ("%3f", "000"),
            ("%6f", "000000"),
            ("%.f", ""),
            ("%z", "+0000"),
            ("%:z", "+00:00"),
        ];
        let (Kind::Pattern(_), mut rest) = (&self.kind, self.text.as_str()) else { return None };
        let mut text = String::new();
        while let Some(first) = rest.chars().next() {
            match PARTS.iter().find(|(part, _)| rest.starts_with(part)) {
                Some((part, written)) => {
                    text.push_str(written);
                    rest = &rest[part.len()..];
                }
                None if first == '%' => return None,
                None => {
                    text.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        Some(text)
    }

    /// The instant of an integer, µs UTC; `None` where this is not the format of an epoch number.
    pub(super) fn read_number(&self, number: i64) -> Option<Result<i64, TimeFault>> {
        if let Kind::Epoch(epoch) = &self.kind { Some(epoch.read(number)) } else { None }
    }

    /// Whether it reads whole numbers.
    pub(super) fn reads_numbers(&self) -> bool {
        matches!(self.kind, Kind::Epoch(_))
    }

    /// The whole number of an instant, µs UTC, rounded down; `None` where this is not the format of numbers of one unit.
    pub(super) fn number_of(&self, micros: i64) -> Option<i64> {
        if let Kind::Epoch(epoch) = &self.kind { epoch.number_of(micros) } else { None }
    }

    /// Whether this is a pattern of digits alone, such as `%Y%m%d`.
    pub(super) fn is_digits(&self) -> bool {
        let digits =
            |c: char| c.is_ascii_digit() || matches!(c, '%' | 'Y' | 'y' | 'm' | 'd' | 'j' | 'H' | 'M' | 'S' | 'f');
        matches!(self.kind, Kind::Pattern(_)) && self.text.chars().all(digits)
    }

    /// Whether this is the format of dates of MongoDB.
    pub(super) fn is_bson_date(&self) -> bool {
        self.kind == Kind::BsonDate
    }
}
