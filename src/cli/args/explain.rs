//! Flags of `explain`.

use std::path::PathBuf;

use clap::Args;

use super::path;

/// Flags of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A job file.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: PathBuf,
    /// The series: its key as reports show it, or its symbol where one series has that.
    #[arg(long, value_name = "S")]
    pub(crate) series: String,
    /// The timestamp of the bar, a date or an RFC 3339 time.
    #[arg(long, value_name = "T")]
    pub(crate) at: String,
    /// The moment the bars are evaluated for, a date (its end) or an RFC 3339 time; now by default.
    #[arg(long, value_name = "T")]
    pub(crate) as_of: Option<String>,
    /// Read no other series, though rules look at others: what these say is not known then.
    #[arg(long)]
    pub(crate) alone: bool,
}
