use super::session::Lookup;

/// Where a timestamp stands on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// An expected timestamp, with its position: positions of consecutive expected timestamps are consecutive.
    On(i64),
    /// Not on the step: inside trading hours but between two bars; for daily bars and longer, not a midnight.
    OffGrid,
    /// In the week or month at this position, on another day than the one that dates its bar.
    OtherDay(i64),
    /// In the closing auction, or in the hours before and after the regular ones: neither expected nor out of place.
    Tolerated,
    /// On the date of a session, but outside its hours or in a break.
    OffHours,
    /// On a date without a session; for weeks and months, in one without any.
    Closed,
    /// On a date the calendar does not reach; nothing can be said.
    OutOfRange,
}

impl Slot {
    pub(super) fn of(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Session(ordinal) => Self::On(ordinal),
            Lookup::Closed => Self::Closed,
            Lookup::OutOfRange => Self::OutOfRange,
        }
    }
}
