//! How a look at files ends: with a job, or with why there is none.

use crate::source::SourceError;

/// A job that was written from what was seen.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// Its name.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
    /// What a person must confirm.
    pub(crate) confirm: Vec<String>,
}

/// Why no job can be written.
#[derive(Debug)]
pub(crate) enum InspectError {
    /// The files are not what a job can read: what is wrong, and what to do.
    Unfit(String, String),
    /// They cannot be read.
    Source(SourceError),
}

impl From<SourceError> for InspectError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// No job, for a reason and with what to do.
pub(super) fn unfit<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, InspectError> {
    Err(InspectError::Unfit(message.into(), help.into()))
}
