//! What is served.

use std::path::PathBuf;
use std::time::Duration;

use crate::run::{Context, Job};

/// What is served.
#[derive(Debug)]
pub struct ServeOptions {
    /// The folder of the reports.
    pub dir: PathBuf,
    /// Jobs whose quarantine is shown.
    pub jobs: Vec<Job>,
    /// Whether rows can be put back from the browser.
    pub allow_actions: bool,
    /// The port; 0 for one that is free.
    pub port: u16,
    /// How often clients that listen for progress are asked whether they are there.
    pub heartbeat: Duration,
}

/// What the handlers share.
#[derive(Debug)]
pub(super) struct App {
    pub(super) options: ServeOptions,
    pub(super) context: Context,
}
