//! What a finding about a source adds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a finding adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    /// The source that is contradicted.
    pub(super) source: String,
    /// What the other sources say, by source.
    pub(super) others: BTreeMap<String, f64>,
    /// The value that most sources agree on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proposed: Option<Value>,
    /// Value divided by that of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<f64>,
    /// Bars that were compared.
    pub(super) compared: u64,
    /// Fields that differ.
    pub(super) fields: Vec<String>,
}
