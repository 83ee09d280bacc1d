//! The port, and which path is answered by what.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use rustix::rand::{GetRandomFlags, getrandom};
use tokio::net::TcpListener;

use super::app::{App, ServeOptions};
use super::guard::{self, Guard};
use super::live::{self, Live};
use super::{pages, quarantine, template};
use crate::run::Context;

/// A server that has its port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    guard: Arc<Guard>,
    live: Arc<Live>,
}

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// It is taken, or the system has no random numbers.
    pub async fn bind(context: &Context, options: ServeOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let guard = Arc::new(Guard::new(token()?, address));
        let live = Arc::new(Live::new(options.dir.clone(), options.heartbeat));
        let app = Arc::new(App { options, context: context.clone() });
        Ok(Self { listener, address, app, guard, live })
    }

    /// What to open in a browser.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.guard.token())
    }

    /// Answers until `stopped` is; what is being answered then is finished.
    ///
    /// # Errors
    /// The port is lost.
    pub async fn run(self, stopped: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let looking = tokio::spawn(live::look(Arc::clone(&self.live)));
        let stopping = Arc::clone(&self.live);
        let stopped = async move {
            stopped.await;
            // Clients that listen for progress would keep the server for as long as they like.
            stopping.close();
        };
        let router = router(self.app, &self.guard, self.live);
        let served = axum::serve(self.listener, router).with_graceful_shutdown(stopped).await;
        looking.abort();
        served
    }
}

fn router(app: Arc<App>, guard: &Arc<Guard>, live: Arc<Live>) -> Router {
    let at = |path: &str| format!("/{}/{path}", guard.token());
    let progress =
        Router::new().route(&at("live"), get(live::socket)).route(&at("status"), get(live::status)).with_state(live);
    Router::new()
        .route(&at(""), get(pages::index))
        .route(&at("serve.css"), get(template::style))
        .route(&at("serve.js"), get(template::script))
        .route(&at("run/{run}"), get(pages::run))
        .route(&at("quarantine/{job}"), get(quarantine::list))
        .route(&at("quarantine/{job}/restore"), post(quarantine::restore))
        .with_state(app)
        .merge(progress)
        .layer(from_fn_with_state(Arc::clone(guard), guard::guard))
}

/// 128 random bits, in hexadecimal digits.
fn token() -> io::Result<String> {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").map_err(io::Error::other)?;
    }
    Ok(text)
}
