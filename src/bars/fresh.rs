//! How far the newest bar of a series may lag behind.

/// How far the newest bar of a series may lag behind the moment it is evaluated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fresh {
    /// So many sessions of the calendar that are over may lie behind it without a bar.
    Sessions(u64),
    /// So much of the time of trading, in µs: bars that are shorter than a day, with a calendar.
    Trading(i64),
    /// So much time, in µs, may have passed since the first bar that is missing was over.
    Elapsed(i64),
}
