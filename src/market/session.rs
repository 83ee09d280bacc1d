//! One trading day: its date and its hours.

/// One trading day of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The trading date, in days since 1970-01-01. The open may fall on the day before (futures).
    pub day: i32,
    /// When trading opens, µs UTC.
    pub open: i64,
    /// When trading closes, µs UTC.
    pub close: i64,
    /// The pause in the middle of the day as (start, end), µs UTC.
    pub pause: Option<(i64, i64)>,
    /// Whether the session is shorter than usual.
    pub half_day: bool,
}

impl Session {
    /// How long trading goes on, without the pause, in µs.
    pub fn trading_time(&self) -> i64 {
        self.close - self.open - self.pause.map_or(0, |(start, end)| end - start)
    }

    /// The stretches of uninterrupted trading as (start, end), in order: one, or two around a pause.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = (i64, i64)> {
        let (first_end, second) = match self.pause {
            Some((start, end)) => (start, Some((end, self.close))),
            None => (self.close, None),
        };
        std::iter::once((self.open, first_end)).chain(second)
    }
}

/// What a calendar knows of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// A session, with its ordinal: sessions in order have consecutive ordinals.
    Session(i64),
    /// No trading on that day.
    Closed,
    /// The calendar does not reach that day; nothing can be said.
    OutOfRange,
}
