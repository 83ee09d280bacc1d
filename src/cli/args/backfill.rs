//! The flags of `backfill`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{FailOn, IfLocked};
use crate::cli::path;

/// Flags of `backfill`.
#[derive(Debug, Args)]
pub(crate) struct BackfillArgs {
    /// A job file.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: PathBuf,
    /// First moment of the first window, a date or an RFC 3339 time.
    #[arg(long, value_name = "T")]
    pub(crate) since: String,
    /// First moment that is no longer part of the last window.
    #[arg(long, value_name = "T")]
    pub(crate) until: String,
    /// The length of a window, e.g. 7d, 12h; 30d by default.
    #[arg(long, value_name = "SPAN")]
    pub(crate) step: Option<String>,
    /// Which of the windows are run.
    #[arg(long, value_enum, default_value_t = Reprocess::Missing)]
    pub(crate) reprocess: Reprocess,
    /// Which findings make the exit code 1; by default those that the job says in `fail_on`, else errors.
    #[arg(long, value_enum)]
    pub(crate) fail_on: Option<FailOn>,
    /// Print nothing of windows where nothing is wrong, and no summary where that holds for all.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// What to do where another run of the job is alive, or one that moves rows of the same source.
    #[arg(long, value_enum, default_value_t = IfLocked::Fail)]
    pub(crate) if_locked: IfLocked,
    /// The moment the bars are evaluated for, a date (its end) or an RFC 3339 time; now by default.
    #[arg(long, value_name = "T")]
    pub(crate) as_of: Option<String>,
}

/// Which of the old windows are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reprocess {
    /// Those without a finished run by the job and the rules as they are now: what was interrupted goes on.
    Missing,
    /// Those whose newest run failed, was refused or was stopped, and no others.
    Failed,
    /// All of them, also those that are done.
    All,
}
