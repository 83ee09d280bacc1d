//! A span after the close of each session of a calendar.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::market::zone;
use crate::market::{Calendar, Session};

/// Sessions that lie within a few days of each other.
const NEAR: i64 = 16;

/// A span after each close.
#[derive(Debug, Clone)]
pub struct AfterClose {
    /// The span, not below nothing.
    pub span: TimeDelta,
    /// The calendar.
    pub calendar: Arc<Calendar>,
}

impl AfterClose {
    /// The first session whose close and the span after it lie after `after` (µs UTC), and that instant; `None` where the
    /// calendar ends before.
    pub fn next(&self, after: i64) -> Option<(i64, Session)> {
        let span = self.span.num_microseconds()?;
        let close = after.checked_sub(span)?;
        // The session of a trading date may close on the day before or after it in UTC.
        let day = zone::day_of(close) - 2;
        let first = self.calendar.first_on_or_after(day.max(self.calendar.first().unwrap_or(day)))?;
        let last = self.calendar.last().map(|last| self.calendar.last_on_or_before(last).unwrap_or(-1));
        let known = (first..first + NEAR).take_while(|ordinal| last.is_none_or(|last| *ordinal <= last));
        let session = known.map(|ordinal| self.calendar.session(ordinal)).find(|session| session.close > close)?;
        Some((session.close + span, session))
    }
}

/// The last session of `calendar` that is closed at `instant` (µs UTC).
pub(super) fn closed_before(calendar: &Calendar, instant: i64) -> Option<Session> {
    let day = zone::day_of(instant);
    if calendar.last().is_some_and(|last| day > last) {
        return None;
    }
    // A session of the next trading date can be closed before that date begins in UTC.
    let next = calendar.last_on_or_before((day + 1).min(calendar.last().unwrap_or(day + 1)))?;
    let first = calendar.first().map_or(next - NEAR, |_| 0.max(next - NEAR));
    let mut sessions = (first..=next).rev().map(|ordinal| calendar.session(ordinal));
    sessions.find(|session| session.close <= instant)
}
