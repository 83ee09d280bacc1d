//! One trading day: its date and its hours.

/// How many breaks a session may have.
pub(super) const MAX_BREAKS: usize = 4;

/// One trading day of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The trading date, in days since 1970-01-01. The open may fall on the day before (futures).
    pub day: i32,
    /// When trading opens, µs UTC.
    pub open: i64,
    /// When continuous trading closes, µs UTC.
    pub close: i64,
    /// When the closing auction ends, µs UTC; [`Session::close`] where there is none of its own.
    pub auction_end: i64,
    /// The breaks between open and close.
    pub breaks: Breaks,
    /// Whether the session is shorter than usual.
    pub half_day: bool,
}

/// The breaks of a session, in order, as seconds from its open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breaks {
    count: u8,
    from_open: [(u32, u32); MAX_BREAKS],
}

impl Breaks {
    /// Adds a break after those before it, µs UTC, of a session that opens at `open`; `false` where there is no
    /// room for it.
    pub(super) fn push(&mut self, open: i64, start: i64, end: i64) -> bool {
        let seconds = |instant: i64| u32::try_from((instant - open) / 1_000_000).ok();
        let Some(place) = self.from_open.get_mut(usize::from(self.count)) else { return false };
        let Some(found) = seconds(start).zip(seconds(end)) else { return false };
        *place = found;
        self.count += 1;
        true
    }
}

impl Session {
    /// A full day without a break.
    pub(super) fn new(day: i32, open: i64, close: i64) -> Self {
        Self { day, open, close, auction_end: close, breaks: Breaks::default(), half_day: false }
    }

    /// The breaks between open and close as (start, end), µs UTC, in order.
    pub fn breaks(&self) -> impl Iterator<Item = (i64, i64)> {
        let instant = |seconds: u32| self.open + i64::from(seconds) * 1_000_000;
        let breaks = self.breaks.from_open.iter().take(usize::from(self.breaks.count));
        breaks.map(move |(start, end)| (instant(*start), instant(*end)))
    }

    /// How long trading goes on, without the breaks, in µs.
    pub fn trading_time(&self) -> i64 {
        self.close - self.open - self.breaks().map(|(start, end)| end - start).sum::<i64>()
    }

    /// The stretches of uninterrupted trading as (start, end), µs UTC, in order: one, and one more after each break.
    pub fn stretches(&self) -> impl Iterator<Item = (i64, i64)> {
        let starts = std::iter::once(self.open).chain(self.breaks().map(|(_, end)| end));
        let ends = self.breaks().map(|(start, _)| start).chain(std::iter::once(self.close));
        starts.zip(ends)
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
