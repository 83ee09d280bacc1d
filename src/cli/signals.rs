//! Ctrl-C and SIGTERM. The first one ends a command after what it is in the middle of; a second one ends the
//! process at once, and the next run recovers.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

use super::log::message;
use crate::run::failure::{Exit, Failure};
use crate::run::stop::Stop;

/// Begins to listen for SIGINT (2, Ctrl-C) and SIGTERM (15).
///
/// # Errors
/// The system lets no handler be set.
pub(super) fn listen() -> io::Result<Stop> {
    listen_within(None)
}

/// The same; after `longest`, what is under way is stopped as by SIGTERM.
///
/// # Errors
/// As [`listen`].
pub(super) fn listen_within(longest: Option<Duration>) -> io::Result<Stop> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (ask, asked) = watch::channel(None);
    tokio::spawn(async move {
        let over = async {
            match longest {
                Some(longest) => tokio::time::sleep(longest).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        let mut is_over = false;
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
                () = &mut over, if !is_over => {
                    is_over = true;
                    // Who was asked to stop before is about to.
                    if ask.borrow().is_some() {
                        continue;
                    }
                    message("warning: it takes longer than `--max-time` allows, and is stopped");
                    15
                }
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

/// The number of each signal of those, as often as one comes.
///
/// # Errors
/// As [`listen`].
pub(super) fn each() -> io::Result<UnboundedReceiver<u8>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
            };
            if sender.send(number).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// `command`, dropped at the first signal: for commands that only read.
pub(super) async fn stoppable<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let stop = listen()?;
    tokio::select! {
        ended = command => ended,
        number = stop.wait() => Err(stop.stopped(number)),
    }
}
