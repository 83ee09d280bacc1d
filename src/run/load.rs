//! A job file and the rule files it names.

use std::path::Path;

use chrono::NaiveDate;

use super::clock::Clock;
use super::failure::Failure;
use crate::config::{self, Job, LoadError, Loaded};
use crate::source::Format;

/// Loads a job file and its rule files. Labels that contradict each other on the day of `clock` are mistakes.
pub(crate) fn load(path: &Path, clock: &Clock) -> Result<Loaded, Failure> {
    let loaded = load_only(path, &[])?;
    let contradictions = loaded.labels.contradictions(today(&loaded.job, clock));
    if contradictions.is_empty() { Ok(loaded) } else { Err(Failure::Mistakes(contradictions)) }
}

/// Which day it is where the bars are from.
pub(crate) fn today(job: &Job, clock: &Clock) -> NaiveDate {
    clock.now().with_timezone(&job.bars.time.zone).date_naive()
}

/// Loads a job file and its rule files for a run of the rules `only`, or of all of them where it is empty.
pub(crate) fn load_only(path: &Path, only: &[String]) -> Result<Loaded, Failure> {
    config::load_only(path, only).map_err(|error| match error {
        LoadError::Mistakes(mistakes) => Failure::Mistakes(mistakes),
        LoadError::Unreadable { path, source } => {
            let message = format!("cannot read `{}`: {source}", path.display());
            Failure::Usage(
                message,
                "give the path of a job file, e.g. jobs/daily.toml; `barkeep init` makes one".into(),
            )
        }
        LoadError::Folder { .. } | LoadError::NotAJob { .. } | LoadError::NotUtf8 { .. } => {
            let message = match Format::of(path) {
                Some(_) if path.is_file() => format!("`{}` is a data file, not a job file", path.display()),
                _ => described(&error),
            };
            let help =
                "give the path of a job file, which names the data in `[source.files] path`; `barkeep init` makes one";
            Failure::Usage(message, help.into())
        }
        other @ LoadError::Dotenv { .. } => Failure::Usage(described(&other), "repair the file".into()),
    })
}

/// An error with the cause below it.
fn described(error: &LoadError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
