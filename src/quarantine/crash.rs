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

    #[cfg(test)]
    testing::reach(name);
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

/// Crashes inside one process, for unit tests: a point unwinds instead of ending it. What runs when values are
/// dropped runs then, so code under such tests must not tidy up in `Drop`.
#[cfg(test)]
pub(crate) mod testing {
    use std::cell::RefCell;

    thread_local! {
        static ARMED: RefCell<Option<String>> = const { RefCell::new(None) };
        static REACHED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    /// What a point unwinds with.
    pub(crate) struct Crash;

    /// Runs `work`; `None` when it came to the point `at` and was cut short there.
    pub(crate) fn crash_at<T>(at: &str, work: impl FnOnce() -> T) -> Option<T> {
        ARMED.with(|armed| *armed.borrow_mut() = Some(at.to_owned()));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        ARMED.with(|armed| armed.borrow_mut().take());
        match result {
            Ok(value) => Some(value),
            Err(payload) if payload.is::<Crash>() => None,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    }

    /// The points this thread came to since it last asked.
    pub(crate) fn reached() -> Vec<String> {
        REACHED.with(|reached| std::mem::take(&mut *reached.borrow_mut()))
    }

    pub(super) fn reach(name: &str) {
        REACHED.with(|reached| reached.borrow_mut().push(name.to_owned()));
        if ARMED.with(|armed| armed.borrow_mut().take_if(|at| at == name)).is_some() {
            std::panic::resume_unwind(Box::new(Crash));
        }
    }
}
