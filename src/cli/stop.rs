//! Ctrl-C and polite kills. The first one ends a command after what it is in the middle of; a second one ends the
//! process at once, and the next run recovers.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::{Exit, Failure};

/// Tells whether the process was asked to stop, from the moment it was made on.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: watch::Receiver<Option<u8>>,
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
        Ok(Self { asked })
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
        number = stop.wait() => Err(Failure::Stopped(number)),
    }
}
