//! Counts the connections of a client, from the events of its pool, so that "every connection came back" is a number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::event::EventHandler;
use mongodb::event::cmap::{CmapEvent, ConnectionClosedReason};
use tokio::sync::Notify;

/// What became of the connections to a server. Those that only watch the server's state are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionUse {
    /// Connections opened, also those that failed to be.
    pub opened: u64,
    /// Connections closed, by reason: `stale`, `idle`, `error`, `dropped` (a call was given up), `pool_closed`.
    pub closed: BTreeMap<String, u64>,
    /// The most that were in use at the same time.
    pub peak: u64,
    /// Connections in use now.
    pub in_use: u64,
    /// Commands that barkeep sent, by name: what only reads sends none that writes. What the driver adds by itself
    /// (greetings, further batches of a cursor, ends of sessions) is not among them.
    pub commands: BTreeMap<String, u64>,
}

impl ConnectionUse {
    /// Connections closed, for whatever reason.
    pub fn closed_in_all(&self) -> u64 {
        self.closed.values().sum()
    }

    fn count(&mut self, event: &CmapEvent) {
        match event {
            CmapEvent::ConnectionCreated(_) => self.opened += 1,
            CmapEvent::ConnectionCheckedOut(_) => {
                self.in_use += 1;
                self.peak = self.peak.max(self.in_use);
            }
            CmapEvent::ConnectionCheckedIn(_) => self.in_use = self.in_use.saturating_sub(1),
            CmapEvent::ConnectionClosed(event) => {
                *self.closed.entry(word(&event.reason).to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }
}

fn word(reason: &ConnectionClosedReason) -> &'static str {
    match reason {
        ConnectionClosedReason::Stale => "stale",
        ConnectionClosedReason::Idle => "idle",
        ConnectionClosedReason::Error => "error",
        ConnectionClosedReason::Dropped => "dropped",
        ConnectionClosedReason::PoolClosed => "pool_closed",
        _ => "other",
    }
}

/// The counters of one client.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    counts: Mutex<ConnectionUse>,
    changed: Notify,
}

impl Counter {
    /// What the client is to tell its events.
    pub(super) fn handler(&self) -> EventHandler<CmapEvent> {
        let counted = Arc::clone(&self.0);
        EventHandler::callback(move |event| {
            lock(&counted).count(&event);
            counted.changed.notify_waiters();
        })
    }

    /// Counts a command that is about to be sent. The driver's own events of commands are not listened to: for each of
    /// them it makes a map of every document that was read, which took as long as all the rest of an extraction.
    pub(super) fn sends(&self, command: &str) {
        let mut counts = lock(&self.0);
        match counts.commands.get_mut(command) {
            Some(count) => *count += 1,
            None => _ = counts.commands.insert(command.to_owned(), 1),
        }
    }

    /// The counts so far.
    pub(super) fn counts(&self) -> ConnectionUse {
        lock(&self.0).clone()
    }

    /// Waits until every connection that was opened is closed.
    pub(super) async fn all_closed(&self) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let counts = self.counts();
            if counts.opened == counts.closed_in_all() {
                return;
            }
            changed.await;
        }
    }
}

fn lock(counted: &Counted) -> MutexGuard<'_, ConnectionUse> {
    // Counting cannot panic half-way, so a poisoned lock holds whole counts.
    counted.counts.lock().unwrap_or_else(PoisonError::into_inner)
}
