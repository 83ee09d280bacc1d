//! What a finding adds for a person to follow it: a type of its own in each check, written as JSON and read back.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::escape::shortened;

/// Most characters of a value that a message shows.
pub(super) const LONGEST_VALUE: usize = 80;

/// A value of a bar. JSON has no NaN and no infinity, so these are written as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Shown {
    /// A finite number.
    Number(f64),
    /// Text, or a number that is not finite.
    Text(String),
    /// NULL.
    Nothing,
}

impl Shown {
    /// A number as evidence shows it.
    pub(super) fn number(value: Option<f64>) -> Self {
        match value {
            Some(value) if value.is_finite() => Self::Number(value),
            Some(value) => Self::Text(value.to_string()),
            None => Self::Nothing,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&shortened(text, LONGEST_VALUE)),
            Self::Nothing => f.write_str("no value"),
        }
    }
}
