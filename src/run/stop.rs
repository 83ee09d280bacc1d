//! Whether a run was asked to stop, and what it had done by then.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::failure::Failure;

/// Says whether a run was asked to stop, and takes note of what left its source by then.
#[derive(Debug)]
pub struct Stop {
    asked: watch::Receiver<Option<u8>>,
    /// Rows that left a source so far.
    left: AtomicU64,
    /// Rows whose end only a later look can find out.
    open: AtomicU64,
}

impl Stop {
    /// Asked to stop when `asked` holds the number of a signal.
    pub fn when(asked: watch::Receiver<Option<u8>>) -> Self {
        Self { asked, left: AtomicU64::new(0), open: AtomicU64::new(0) }
    }

    /// Never asked to stop.
    pub fn never() -> Self {
        Self::when(watch::channel(None).1)
    }

    /// Waits for the first signal.
    pub async fn wait(&self) -> u8 {
        let mut asked = self.asked.clone();
        let number = asked.wait_for(Option::is_some).await.ok().and_then(|number| *number);
        match number {
            Some(number) => number,
            None => std::future::pending().await,
        }
    }

    /// Takes note of rows that left a source, and of those whose end only a later look can find out.
    pub fn left(&self, left: u64, open: u64) {
        self.left.fetch_add(left, Ordering::Relaxed);
        self.open.fetch_add(open, Ordering::Relaxed);
    }

    /// The end of a command that a signal stopped, with what it had done by then.
    pub fn stopped(&self, signal: u8) -> Failure {
        let (left, open) = (self.left.load(Ordering::Relaxed), self.open.load(Ordering::Relaxed));
        Failure::Stopped { signal, left, open }
    }

    /// The first signal, if there was one.
    pub fn signal(&self) -> Option<u8> {
        *self.asked.borrow()
    }
}
