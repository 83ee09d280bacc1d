//! What a finding about the totals of a run adds.

use serde::{Deserialize, Serialize};

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    /// Runs compared with.
    pub(super) runs: u64,
    /// The oldest and the newest of them.
    pub(super) first: String,
    pub(super) last: String,
    /// Their median, and the scale of their distances from it.
    pub(super) median: f64,
    pub(super) scale: f64,
    /// Whether these are shares of the rows.
    pub(super) share: bool,
}
