//! The window that flags ask for.

use super::args::WindowArgs;
use crate::run::{AskedWindow, Failure};
use crate::schema::moment::{Moment, parse_duration};

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
