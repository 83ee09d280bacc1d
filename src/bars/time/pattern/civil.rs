//! Dates and times of day as numbers, with what does not exist refused.

use crate::bars::time::fault::TimeFault;
use crate::bars::time::readable::is_readable;

/// Days of the months of a common year.
const MONTH_DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Days of a common year before each month.
const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Days from 0000-12-31 to 1970-01-01 in the Gregorian calendar.
const EPOCH: i32 = 719_163;

/// The Gregorian date in days since 1970-01-01, for years up to 9999. One that does not exist is impossible, one in a
/// year that is not readable out of range.
#[inline]
pub(super) fn day_number(year: u32, month: u32, day: u32) -> Result<i32, TimeFault> {
    let index = month.wrapping_sub(1) as usize;
    let (Some(days), Some(before)) = (MONTH_DAYS.get(index), DAYS_BEFORE.get(index)) else {
        return Err(TimeFault::Impossible);
    };
    let leap = is_leap(year);
    if day == 0 || day > days + u32::from(leap && month == 2) {
        return Err(TimeFault::Impossible);
    }
    from_start_of_year(year, before + u32::from(leap && month > 2) + day)
}

/// The date by its day of the year, from 1; otherwise like [`day_number`].
pub(super) fn day_number_of_ordinal(year: u32, ordinal: u32) -> Result<i32, TimeFault> {
    if ordinal == 0 || ordinal > 365 + u32::from(is_leap(year)) {
        return Err(TimeFault::Impossible);
    }
    from_start_of_year(year, ordinal)
}

#[inline]
fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[inline]
fn from_start_of_year(year: u32, ordinal: u32) -> Result<i32, TimeFault> {
    // A year of readable dates is never 0, where the subtraction would wrap.
    let full = year.saturating_sub(1);
    let days = full * 365 + full / 4 - full / 100 + full / 400 + ordinal;
    let day = days.cast_signed() - EPOCH;
    if is_readable(day) { Ok(day) } else { Err(TimeFault::OutOfRange) }
}

/// µs since midnight; hours, minutes and seconds that no clock shows, leap seconds among them, are impossible.
#[inline]
pub(super) fn clock_micros(hour: u32, minute: u32, second: u32) -> Result<i64, TimeFault> {
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeFault::Impossible);
    }
    Ok(i64::from((hour * 60 + minute) * 60 + second) * 1_000_000)
}
