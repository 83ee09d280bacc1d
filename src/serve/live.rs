//! Progress of the runs under way, each over a connection of its own (`WebSocket`). One task reads it, and only while there are subscribers; each gets a message when
//! something changed, and a ping with every heartbeat. One that does not answer is dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::report::running::running;

/// How often the files of runs are read.
const LOOK: Duration = Duration::from_millis(500);
/// A client that answers nothing for so many heartbeats is gone.
const MISSED: u32 = 3;

/// Progress, and who subscribes to it.
#[derive(Debug)]
pub(super) struct Live {
    dir: PathBuf,
    heartbeat: Duration,
    /// The runs under way as JSON; `None` once the server stops.
    progress: watch::Sender<Option<String>>,
    clients: Arc<AtomicUsize>,
}

impl Live {
    pub(super) fn new(dir: PathBuf, heartbeat: Duration) -> Self {
        let progress = watch::channel(Some("[]".to_owned())).0;
        Self { dir, heartbeat, progress, clients: Arc::default() }
    }

    /// Closes every connection.
    pub(super) fn close(&self) {
        self.progress.send_replace(None);
    }
}

/// Reads the progress of the runs under way, for as long as the server runs.
pub(super) async fn look(live: Arc<Live>) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if live.progress.receiver_count() == 0 {
            continue;
        }
        let dir = live.dir.clone();
        let seen = tokio::task::spawn_blocking(move || running(&dir)).await;
        let text = match seen {
            Ok(Ok(runs)) => json!(runs).to_string(),
            Ok(Err(error)) => json!({ "error": error.to_string() }).to_string(),
            Err(error) => json!({ "error": error.to_string() }).to_string(),
        };
        live.progress.send_if_modified(|progress| match progress {
            Some(before) if *before != text => {
                *progress = Some(text);
                true
            }
            _ => false,
        });
    }
}

/// How many subscribers there are.
pub(super) async fn status(State(live): State<Arc<Live>>) -> Json<Value> {
    Json(json!({ "clients": live.clients.load(Ordering::SeqCst) }))
}

/// Accepts a subscriber.
pub(super) async fn socket(upgrade: WebSocketUpgrade, State(live): State<Arc<Live>>) -> Response {
    // Counted before the answer, so that a client whose connection is accepted is among them; an upgrade that fails drops it.
    let client = Client::new(&live.clients);
    upgrade.max_message_size(1024).on_upgrade(move |socket| async move {
        let _client = client;
        let (progress, heartbeat) = (live.progress.subscribe(), live.heartbeat);
        drop(live);
        serve_client(socket, progress, heartbeat).await;
    })
}

/// Counts a client for as long as it is there.
struct Client(Arc<AtomicUsize>);

impl Client {
    fn new(clients: &Arc<AtomicUsize>) -> Self {
        clients.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(clients))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sends one client what changes, until it closes, answers no ping any more, or the server stops.
async fn serve_client(mut socket: WebSocket, mut progress: watch::Receiver<Option<String>>, heartbeat: Duration) {
    let mut beat = interval(heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    progress.mark_changed();
    loop {
        let sent = tokio::select! {
            changed = progress.changed() => {
                let text = progress.borrow_and_update().clone().filter(|_| changed.is_ok());
                let Some(text) = text else {
                    // The client may be gone already.
                    socket.send(Message::Close(None)).await.ok();
                    return;
                };
                send(&mut socket, Message::Text(text.into()), heartbeat).await
            }
            _ = beat.tick() => {
                if heard.elapsed() > heartbeat * MISSED {
                    return;
                }
                send(&mut socket, Message::Ping(Bytes::new()), heartbeat).await
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {
                    heard = Instant::now();
                    true
                }
            },
        };
        if !sent {
            return;
        }
    }
}

/// Whether the client took it; one that takes nothing for a whole heartbeat is gone.
async fn send(socket: &mut WebSocket, message: Message, within: Duration) -> bool {
    tokio::time::timeout(within, socket.send(message)).await.is_ok_and(|sent| sent.is_ok())
}
