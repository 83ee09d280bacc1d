//! Ctrl-C and polite kills. The first one ends a command after what it is in the middle of; a second one ends the
//! process at once, and the next run recovers.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::run::failure::{Exit, Failure};
use crate::run::stop::Stop;

/// Begins to listen for Ctrl-C (2) and a polite kill (15).
///
/// # Errors
/// The system lets no handler be set.
pub(super) fn listen() -> io::Result<Stop> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (ask, asked) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
            };
            if ask.send_replace(Some(number)).is_some() {
                // A second signal means now, whatever is under way.
                #[expect(clippy::exit, reason = "the caller asked twice, and nothing else ends blocking work")]
                std::process::exit(i32::from(Exit::Signal(number).code()));
            }
        }
    });
    Ok(Stop::when(asked))
}

/// `command`, dropped at the first signal: for commands that only read.
pub(super) async fn stoppable<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let stop = listen()?;
    tokio::select! {
        ended = command => ended,
        number = stop.wait() => Err(stop.stopped(number)),
    }
}
