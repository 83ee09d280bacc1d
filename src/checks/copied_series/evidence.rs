//! What a finding about a copy adds.

use serde::{Deserialize, Serialize};

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    /// The series with the same bars.
    pub(super) other: String,
    /// Bars that were compared, and those of them that are equal.
    pub(super) compared: u64,
    pub(super) equal: u64,
    /// One of so many bars was compared.
    pub(super) one_of: u64,
}
