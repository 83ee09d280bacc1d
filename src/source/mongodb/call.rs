//! What is asked of a server, and how long it may take.

use std::time::Duration;

/// For commands that are answered from memory.
pub(super) const SHORT: Duration = Duration::from_secs(30);
/// For commands that may have to look at a large part of a collection.
pub(super) const LONG: Duration = Duration::from_mins(10);

/// What a command is: what it does, in words that follow "to", and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) what: &'a str,
    pub(super) limit: Duration,
    /// Whether it is tried again when it fails for a passing reason.
    pub(super) patient: bool,
}

impl<'a> Call<'a> {
    pub(super) fn short(what: &'a str) -> Self {
        Self { what, limit: SHORT, patient: true }
    }

    pub(super) fn long(what: &'a str) -> Self {
        Self { what, limit: LONG, patient: true }
    }

    /// The first command: a server that is not there is reported at once.
    pub(super) fn first(what: &'a str) -> Self {
        Self { what, limit: SHORT, patient: false }
    }

    /// The limit for the server, so that it does not go on for nobody.
    pub(super) fn max_time_ms(&self) -> i64 {
        i64::try_from(self.limit.as_millis()).unwrap_or(i64::MAX)
    }
}
