//! The dates that timestamps may have, and what a text says of one.

use chrono::NaiveDate;

/// First day that is readable. Readers of nanosecond timestamps, which most readers of Parquet are, can represent the
/// whole years from 1678 to 2261 and nothing around them.
pub(super) const FIRST_DAY: i32 = epoch_day(1678, 1, 1);

/// Last day that is readable; see [`FIRST_DAY`].
pub(super) const LAST_DAY: i32 = epoch_day(2261, 12, 31);

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

/// Whether `day` lies in the years 1678 to 2261.
pub(super) fn is_readable(day: i32) -> bool {
    (FIRST_DAY..=LAST_DAY).contains(&day)
}

const fn epoch_day(year: i32, month: u32, day: u32) -> i32 {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date.to_epoch_days(),
        None => panic!("no such date"),
    }
}
