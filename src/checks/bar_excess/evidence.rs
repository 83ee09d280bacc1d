//! What a finding about a price that sticks out adds.

use serde::{Deserialize, Serialize};

/// What the price was compared with.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    /// How far it sticks out, in natural logarithms or in units of the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) excess: Option<f64>,
    /// The usual range around the bar, in the same unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usual: Option<f64>,
    /// How many times the usual volume the bar has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) busy: Option<f64>,
    /// How many times the usual range the other series move at this timestamp, where that widens the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peers: Option<f64>,
    /// The prices it lies outside of, the lower one first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<[f64; 2]>,
    /// Whether no bar follows yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) provisional: bool,
    /// Share of the bars that stick out, where they are too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<f64>,
}
