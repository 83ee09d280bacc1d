use std::path::{Path, PathBuf};

use crate::durable::paths;

/// A path in a job file. Relative ones start at the folder of the job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPath {
    /// As written.
    pub written: String,
    /// Joined to the folder of the job file, which itself is as the user gave it, without detours.
    pub resolved: PathBuf,
}

impl JobPath {
    /// The path `written` in the job file `job`.
    pub fn new(job: &Path, written: impl Into<String>) -> Self {
        let written = written.into();
        let meant = paths::meant(Path::new(&written));
        let resolved = paths::tidy(&job.parent().unwrap_or(Path::new("")).join(meant));
        Self { written, resolved }
    }
}
