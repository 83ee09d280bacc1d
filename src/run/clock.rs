//! The time of day that runs go by.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Tells what time it is: when a run begins, how far back its window reaches, what has expired. Locks and timeouts go by
/// the system's clock, whatever this one says.
///
/// A run is named after the moment it begins: two runs of one job need two moments.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// A clock that says what `now` returns.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
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
        (self.0)()
    }

    /// The same in µs UTC.
    pub(crate) fn micros(&self) -> i64 {
        self.now().timestamp_micros()
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
