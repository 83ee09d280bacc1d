//! The trading date of a timestamp by the calendar of the job.

use super::program::Program;
use crate::bars::DAY_US;
use crate::market::Lookup;
use crate::market::zone::local_day;

/// The trading date of a timestamp, µs UTC on the scale of the bars, in days since 1970-01-01.
pub fn session(program: &Program, time: i64) -> Option<i32> {
    if program.bars.daily() {
        return i32::try_from(time.div_euclid(DAY_US)).ok();
    }
    let zone = program.bars.calendar.as_ref().map_or(program.bars.time.zone, |calendar| calendar.zone());
    let day = local_day(zone, time);
    let Some(calendar) = &program.bars.calendar else { return Some(day) };
    // A session can open on the evening before its date (CMES): then the next session holds the timestamp.
    let next = calendar.first_on_or_after(day + 1).map(|ordinal| calendar.session(ordinal));
    match (calendar.session_on(day), next) {
        (_, Some(next)) if (next.open..next.close).contains(&time) => Some(next.day),
        (Lookup::Session(_) | Lookup::Closed | Lookup::OutOfRange, _) => Some(day),
    }
}
