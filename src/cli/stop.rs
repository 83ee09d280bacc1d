//! Ctrl-C and polite kills. The first one ends a command after what it is in the middle of; a second one ends the
//! process at once, and the next run recovers.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::{Exit, Failure};

/// Tells whether the process was asked to stop, from the moment it was made on.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: watch::Receiver<Option<u8>>,
    /// Rows that left a source so far.
    left: AtomicU64,
    /// Rows of which only a later look can tell.
    open: AtomicU64,
}

impl Stop {
    /// Begins to listen for Ctrl-C (2) and a polite kill (15).
    ///
    /// # Errors
    /// The system lets no handler be set.
    pub(crate) fn listen() -> io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (tell, asked) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let number = tokio::select! {
                    _ = interrupt.recv() => 2,
                    _ = terminate.recv() => 15,
                };
                if tell.send_replace(Some(number)).is_some() {
                    // A second signal means now, whatever is under way.
                    std::process::exit(i32::from(Exit::Signal(number).code()));
                }
            }
        });
        Ok(Self { asked, left: AtomicU64::new(0), open: AtomicU64::new(0) })
    }

    /// Waits for the first signal.
    pub(crate) async fn wait(&self) -> u8 {
        let mut asked = self.asked.clone();
        let number = asked.wait_for(Option::is_some).await.ok().and_then(|number| *number);
        match number {
            Some(number) => number,
            None => std::future::pending().await,
        }
    }

    /// Takes note of rows that left a source, and of those of which only a later look can tell.
    pub(crate) fn left(&self, left: u64, open: u64) {
        self.left.fetch_add(left, Ordering::Relaxed);
        self.open.fetch_add(open, Ordering::Relaxed);
    }

    /// The end of a command that a signal stopped, with what it had done by then.
    pub(crate) fn stopped(&self, signal: u8) -> Failure {
        let (left, open) = (self.left.load(Ordering::Relaxed), self.open.load(Ordering::Relaxed));
        Failure::Stopped { signal, left, open }
    }

    /// The first signal, if there was one.
    pub(crate) fn signal(&self) -> Option<u8> {
        *self.asked.borrow()
    }
}

/// `command`, dropped at the first signal: for commands that only read.
pub(crate) async fn stoppable<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let stop = Stop::listen()?;
    tokio::select! {
        ended = command => ended,
        number = stop.wait() => Err(stop.stopped(number)),
    }
}
