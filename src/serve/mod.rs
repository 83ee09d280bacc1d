//! Reports in a browser, from this machine to this machine: the runs there are, the page of each, the rows in quarantine, and how
//! far the runs are that are under way.
//!
//! ```text
//! guard       who is answered: the token in the path, the Host and the Origin
//! pages       the list of runs and jobs, and the page of a run
//! quarantine  rows in quarantine, and what puts them back
//! live        how far runs are, over a WebSocket
//! app         what is served
//! server      the port, and which path is answered by what
//! template    the documents
//! ```
//!
//! It listens on the loopback address alone. Its address holds a token of 128 random bits, without which nothing is answered.

mod app;
mod guard;
mod live;
mod pages;
mod quarantine;
mod server;
mod template;

pub use self::app::ServeOptions;
pub use self::server::Server;
