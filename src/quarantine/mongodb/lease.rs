//! One runner at a time moves rows of a collection: a document with a time on the server's clock.
//!
//! The lease keeps two runners from each other's way; that no good row is lost does not rest on it. A holder that died on
//! this machine is known to be dead, and its lease is taken over at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mongodb::bson::raw::cstr;
use mongodb::bson::{DateTime, Document, RawDocumentBuf, doc};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::document::{Names, RUNS};
use super::error::QuarantineError;
use super::server::{DUPLICATE_KEY, Outcome, Server, batch};
use crate::durable::hex;
use crate::durable::process::{self, Process};

/// How long a lease lasts, in milliseconds.
const LASTS: i64 = 60_000;
/// How often it is renewed.
const EVERY: Duration = Duration::from_secs(15);
/// How often a lease is asked for before the outcome counts as unknown.
const TRIES: u32 = 3;
/// How old the last renewal may be for rows to be removed.
const FRESH: Duration = Duration::from_secs(40);

/// A lease that is held and renewed until it is given back.
#[derive(Debug)]
pub(super) struct Lease {
    server: Arc<dyn Server>,
    key: String,
    holder: String,
    namespace: String,
    started: Instant,
    /// Milliseconds after `started` of the last renewal.
    renewed: Arc<AtomicU64>,
    renewing: JoinHandle<()>,
}

impl Lease {
    /// Takes the lease of a collection for `run_id`.
    ///
    /// # Errors
    /// [`QuarantineError::Locked`] where another runner holds it.
    pub(super) async fn take(server: &Arc<dyn Server>, names: &Names, run_id: &str) -> Result<Self, QuarantineError> {
        let key = key(names);
        let holder = format!("{run_id} {} host={}", Process::this(), process::host());
        if !renew(&**server, &key, &holder, None).await? {
            let other = other(&**server, &key).await?;
            let dead = other.as_ref().is_some_and(|(holder, _)| Process::of(holder).is_some_and(|p| p.is_dead()));
            let expected = other.as_ref().map(|(holder, _)| holder.as_str()).filter(|_| dead);
            if expected.is_none() || !renew(&**server, &key, &holder, expected).await? {
                let (holder, until) = other.unwrap_or_default();
                return Err(QuarantineError::Locked { namespace: names.namespace(), holder: in_words(&holder), until });
            }
        }
        let (started, renewed) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let keeping = keep(Arc::clone(server), key.clone(), holder.clone(), started, Arc::clone(&renewed));
        let renewing = tokio::spawn(keeping.in_current_span());
        Ok(Self { server: Arc::clone(server), key, holder, namespace: names.namespace(), started, renewed, renewing })
    }

    /// Fails where the last renewal is too old for anything to be removed.
    pub(super) fn check(&self) -> Result<(), QuarantineError> {
        let renewed = Duration::from_millis(self.renewed.load(Ordering::SeqCst));
        let age = self.started.elapsed().saturating_sub(renewed);
        if age < FRESH {
            return Ok(());
        }
        Err(QuarantineError::LeaseLost { namespace: self.namespace.clone(), seconds: age.as_secs() })
    }

    /// Gives the lease back. One that cannot be given back ends by itself.
    pub(super) async fn release(self) {
        self.renewing.abort();
        let filter = doc! { "_id": &self.key, "holder": &self.holder };
        let Ok(delete) = RawDocumentBuf::try_from(&doc! { "q": filter, "limit": 1 }) else { return };
        let command = batch(cstr!("delete"), RUNS, cstr!("deletes"), [delete], true);
        if let Err(error) = self.server.write("give the lease back", command).await {
            tracing::warn!(%error, "the lease ends by itself");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn keep(server: Arc<dyn Server>, key: String, holder: String, started: Instant, renewed: Arc<AtomicU64>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let asked = started.elapsed();
        match renew(&*server, &key, &holder, Some(&holder)).await {
            Ok(true) => renewed.store(u64::try_from(asked.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst),
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the lease was not renewed"),
        }
    }
}

/// Takes or renews the lease where it is free, over, or held by `expected`; then looks whether it is held by `holder`.
async fn renew(server: &dyn Server, key: &str, holder: &str, expected: Option<&str>) -> Result<bool, QuarantineError> {
    let doing = "take the lease of the collection";
    // A lease that is not there has no end, and nothing is less than any time.
    let over = doc! { "$lt": ["$until", "$$NOW"] };
    let held = doc! { "$in": ["$holder", { "$literal": [holder, expected.unwrap_or(holder)] }] };
    let free = doc! { "$or": [over, held] };
    let set = doc! { "$set": {
        "kind": "lease",
        "holder": { "$cond": [free.clone(), { "$literal": holder }, "$holder"] },
        "until": { "$cond": [free, { "$add": ["$$NOW", LASTS] }, "$until"] },
    } };
    let statement = doc! { "q": { "_id": key }, "u": [set], "upsert": true };
    let statement = RawDocumentBuf::try_from(&statement).map_err(|error| QuarantineError::encode(doing, &error))?;
    let mut reason = String::new();
    for attempt in 0..TRIES {
        server.pause(attempt).await;
        let command = batch(cstr!("update"), RUNS, cstr!("updates"), [statement.clone()], true);
        let known = match server.write(doing, command).await? {
            Outcome::Unknown(unknown) => {
                reason = unknown;
                false
            }
            Outcome::Known(written) => {
                if let Some(error) = written.errors.into_values().find(|error| error.code != DUPLICATE_KEY) {
                    return Err(QuarantineError::Command { doing: doing.to_owned(), reason: error.message });
                }
                true
            }
        };
        match other(server, key).await? {
            Some((now, _)) if now == holder => return Ok(true),
            // Two that make the document at once: one of them finds it there, and asks once more.
            Some(_) if known => return Ok(false),
            _ => {}
        }
    }
    Err(QuarantineError::Unknown { doing: doing.to_owned(), reason })
}

/// A holder as a person reads it: the run, whose name says since when, the process and the host.
fn in_words(holder: &str) -> String {
    let field = |name: &str| holder.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    match (holder.split(' ').next(), field("pid"), field("host")) {
        (Some(run), Some(pid), Some(host)) => format!("run {run}, process {pid} on {host}"),
        _ => holder.to_owned(),
    }
}

/// Who holds the lease of a collection, and until when, where it is not over by this machine's clock and not of a process
/// that is known to be gone.
pub(super) async fn holder(server: &dyn Server, names: &Names) -> Result<Option<String>, QuarantineError> {
    let lease = other(server, &key(names)).await?;
    let now = DateTime::now().try_to_rfc3339_string().unwrap_or_default();
    let held = |(holder, until): &(String, String)| {
        *until > now && !Process::of(holder).is_some_and(|process| process.is_dead())
    };
    Ok(lease.filter(held).map(|(holder, until)| format!("{holder} until {until}")))
}

fn key(names: &Names) -> String {
    format!("lease:{}", hex(&names.uuid))
}

/// Who holds the lease, and until when.
async fn other(server: &dyn Server, key: &str) -> Result<Option<(String, String)>, QuarantineError> {
    let found = server.find("read the lease of the collection", RUNS, doc! { "_id": key }, None).await?;
    let Some(lease) = found.first().and_then(|lease| Document::try_from(lease.clone()).ok()) else { return Ok(None) };
    let until = lease.get_datetime("until").ok().and_then(|until| until.try_to_rfc3339_string().ok());
    Ok(Some((lease.get_str("holder").unwrap_or_default().to_owned(), until.unwrap_or_default())))
}
