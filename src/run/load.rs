//! A job file and the rule files it names.

use std::path::Path;

use super::failure::Failure;
use crate::config::{self, LoadError, Loaded};

/// Loads a job file and its rule files.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    config::load(path).map_err(|error| match error {
        LoadError::Mistakes(mistakes) => Failure::Mistakes(mistakes),
        LoadError::Unreadable { path, source } => {
            let message = format!("cannot read `{}`: {source}", path.display());
            Failure::Usage(
                message,
                "give the path of a job file, e.g. jobs/daily.toml; `barkeep init` makes one".into(),
            )
        }
        other => {
            let cause = std::error::Error::source(&other).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::Usage(format!("{other}{cause}"), "repair the file".into())
        }
    })
}
