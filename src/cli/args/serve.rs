//! Flags of `barkeep serve`.

use std::path::PathBuf;

use clap::Args;

use super::ReportsDir;
use crate::cli::path;

/// Flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Jobs whose rows in quarantine are shown; their reports are to be below the folder of the reports.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) jobs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reports: ReportsDir,
    /// The port on this machine; without it, one that is free.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// Let rows be put back from the browser, each time after a confirmation.
    #[arg(long)]
    pub(crate) allow_actions: bool,
}
