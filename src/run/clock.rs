//! The time of day that runs go by.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// How far apart, µs, the moments are that runs are named after: a name holds the hundredth of a second.
const APART: i64 = 10_000;

/// Says what time it is: when a run begins, how far back its window reaches, what has expired. Locks and timeouts go by
/// the system's clock, whatever this one says. Runs are named after the moment they begin: those that go by one clock, or
/// clones of it, have names of their own also where it stands still.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// The moment that was given last to name a run after, µs UTC.
    named: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that says what `now` returns.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), named: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// The system's clock.
    pub fn system() -> Self {
        Self::new(Utc::now)
    }

    /// A clock that stands still.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::new(move || at)
    }

    /// What time it is.
    pub fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// The same in µs UTC.
    pub(crate) fn micros(&self) -> i64 {
        self.now().timestamp_micros()
    }

    /// The moment that a run is named after: now, and on a clock that stands still a little later for each run.
    pub(super) fn naming(&self) -> DateTime<Utc> {
        let now = self.now();
        let micros = now.timestamp_micros();
        let next = |last: i64| micros.max(last.saturating_add(APART));
        let last = self.named.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        let at = next(last.unwrap_or(i64::MIN));
        now.checked_add_signed(TimeDelta::microseconds(at - micros)).unwrap_or(now)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run_id::RunId;

    #[test]
    fn runs_that_begin_at_one_moment_have_names_of_their_own_in_order() {
        let clock = Clock::fixed(DateTime::from_timestamp_micros(1_704_866_400_000_000).unwrap());
        let names: Vec<RunId> = (0..150).map(|_| RunId::new(clock.clone().naming(), 7, "daily")).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        assert_eq!(names[0].as_str().split('-').next(), Some("20240110T060000Z"));
    }
}
