//! The flags of a window, and the window that they ask for.

use clap::Args;

use crate::run::{AskedWindow, Failure};
use crate::schema::moment::{Moment, parse_duration};

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

/// The window that the flags ask for.
pub(super) fn asked(args: &WindowArgs) -> Result<AskedWindow, Failure> {
    let wrong = |flag: &str, problem: String| {
        Failure::Usage(format!("{flag}: {problem}"), "see `barkeep check --help`".to_owned())
    };
    let moment = |flag: &str, text: &Option<String>| {
        text.as_deref().map(Moment::parse).transpose().map_err(|problem| wrong(flag, problem))
    };
    let last = args.last.as_deref().map(parse_duration).transpose().map_err(|problem| wrong("--last", problem))?;
    let (since, until) = (moment("--since", &args.since)?, moment("--until", &args.until)?);
    Ok(AskedWindow { since, until, last, full: args.full })
}

/// The moment that the bars are to be evaluated for, where the flags say it.
pub(super) fn as_of(args: &WindowArgs) -> Result<Option<Moment>, Failure> {
    let wrong =
        |problem: String| Failure::Usage(format!("--as-of: {problem}"), "see `barkeep check --help`".to_owned());
    args.as_of.as_deref().map(Moment::parse).transpose().map_err(wrong)
}
