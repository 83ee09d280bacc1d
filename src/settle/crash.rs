//! Places where a test may end the process, as a power cut would: before and after every step of the protocol.
//!
//! Only builds with debug assertions look; in a release build a point is nothing. `BARKEEP_CRASH_AT=NAME` ends the
//! process when it comes to the point `NAME`, `NAME#3` when it comes there for the third time.

/// Ends the process here, without any clean-up, where a test asked for it.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static AT: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let at = std::env::var("BARKEEP_CRASH_AT").ok()?;
        match at.split_once('#') {
            Some((name, time)) => Some((name.to_owned(), time.parse().ok()?)),
            None => Some((at, 1)),
        }
    });
    static TIMES: AtomicU32 = AtomicU32::new(0);

    if let Some((at, time)) = &*AT
        && at == name
        && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == *time
    {
        std::process::abort();
    }
}

/// Nothing: a release build has no such places.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_name: &str) {}
