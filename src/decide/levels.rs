//! How severe a finding is, and what is done with its row: the two scales rules are set on, ordered by strength.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Severity of a finding. A rule that names none is an `error`: what nobody thought about should be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look; the run is still good.
    Warn,
    /// The data is wrong; the run says so in its exit code.
    #[default]
    Error,
}

impl Severity {
    /// The words, weakest first.
    pub const WORDS: &'static [&'static str] = &["info", "warn", "error"];

    /// The word rules use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The severity that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Info, Self::Warn, Self::Error].into_iter().find(|level| level.as_str() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is done with a flagged row. A rule that names none only reports: nothing is moved that nobody asked to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The row stays.
    #[default]
    Report,
    /// The row goes to quarantine.
    Quarantine,
    /// The row goes to quarantine for a shorter time.
    Delete,
}

impl Action {
    /// The words, weakest first.
    pub const WORDS: &'static [&'static str] = &["report", "quarantine", "delete"];

    /// The word rules use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Quarantine => "quarantine",
            Self::Delete => "delete",
        }
    }

    /// The action that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Report, Self::Quarantine, Self::Delete].into_iter().find(|action| action.as_str() == word)
    }

    /// Whether the row leaves its source.
    pub fn moves_rows(self) -> bool {
        self > Self::Report
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written_back_in_order_of_strength() {
        let severities: Vec<_> = Severity::WORDS.iter().map(|word| Severity::parse(word).unwrap()).collect();
        assert!(severities.is_sorted() && severities.iter().map(|s| s.as_str()).eq(Severity::WORDS.iter().copied()));
        let actions: Vec<_> = Action::WORDS.iter().map(|word| Action::parse(word).unwrap()).collect();
        assert!(actions.is_sorted() && actions.iter().map(|a| a.as_str()).eq(Action::WORDS.iter().copied()));
        assert_eq!((Severity::parse("fatal"), Action::parse("drop")), (None, None));
    }

    #[test]
    fn only_quarantine_and_delete_move_rows() {
        assert!(!Action::Report.moves_rows() && Action::Quarantine.moves_rows() && Action::Delete.moves_rows());
    }
}
