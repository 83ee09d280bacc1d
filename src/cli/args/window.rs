//! The flags that say which bars a run looks at.

use clap::Args;

/// The half-open window of data time a run looks at.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Window")]
pub(crate) struct WindowArgs {
    /// First moment, a date or an RFC 3339 time.
    #[arg(long, value_name = "T", conflicts_with_all = ["last", "full"])]
    pub(crate) since: Option<String>,
    /// First moment that is no longer part of it.
    #[arg(long, value_name = "T", conflicts_with = "full")]
    pub(crate) until: Option<String>,
    /// As far back from now, e.g. 7d, 24h.
    #[arg(long, value_name = "SPAN", conflicts_with = "full")]
    pub(crate) last: Option<String>,
    /// Everything there is, whatever the job says.
    #[arg(long)]
    pub(crate) full: bool,
    /// The moment the bars are evaluated for, a date (its end) or an RFC 3339 time; now by default.
    #[arg(long, value_name = "T")]
    pub(crate) as_of: Option<String>,
}
