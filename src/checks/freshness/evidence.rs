//! What a finding about the newest bars adds.

use serde::{Deserialize, Serialize};

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    /// The moment the bars were evaluated for, µs UTC.
    pub(super) as_of: i64,
    /// Series that end together, and series there are.
    pub(super) late: u64,
    pub(super) series: u64,
    /// Series that end later.
    pub(super) longer: u64,
    /// How far they lag behind, in `unit`.
    pub(super) lag: u64,
    pub(super) unit: String,
    /// The first of them by name.
    pub(super) names: Vec<String>,
}
