//! What a finding about a series or an outage adds.

use serde::{Deserialize, Serialize};

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    /// Timestamps that others have, of those a series misses, and in how many runs.
    pub(super) eligible: u64,
    pub(super) missing: u64,
    pub(super) runs: u64,
    /// The longest of these: its first timestamp, µs UTC, and how many it has.
    pub(super) longest_at: i64,
    pub(super) longest: u64,
    /// The median of the shares that series miss.
    pub(super) usual: f64,
    /// Series that could have a bar at a timestamp that most miss.
    pub(super) series: u64,
}
