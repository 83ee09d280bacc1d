//! A row in quarantine, whatever its source: where it was, why it is here, how far its removal is, and its bytes.

use serde::{Deserialize, Serialize};

use crate::decide::Action;

/// Why a row is rejected: a rule that flagged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Identifier of the rule.
    pub id: String,
    /// SHA-256 (hex) of what decides the rule's verdicts: a rule that was changed has another one.
    pub hash: String,
    /// Why the rule exists, in its author's words.
    pub why: Option<String>,
    /// The finding.
    pub finding_id: String,
}

/// How far the removal of a row is. States only move forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A verified copy exists; the row is in the source.
    Copied,
    /// The row is about to be removed: it is in the source or not, only a look tells.
    Removing,
    /// The row is not in the source any more.
    Removed,
    /// Somebody changed the row since it was evaluated: it stays.
    KeptChanged,
    /// The source would not let the row go: it stays.
    KeptError,
    /// The row is back in the source.
    Restored,
}

impl State {
    /// All of them, in the order of a row's life.
    pub const ALL: [Self; 6] =
        [Self::Copied, Self::Removing, Self::Removed, Self::KeptChanged, Self::KeptError, Self::Restored];

    /// The word in tables and in the quarantine.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Removing => "removing",
            Self::Removed => "removed",
            Self::KeptChanged => "kept_changed",
            Self::KeptError => "kept_error",
            Self::Restored => "restored",
        }
    }

    /// The state that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A row in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// First 32 hexadecimal digits of a SHA-256: the same bad row of the same source always has the same.
    pub id: String,
    /// The run that moved it last.
    pub run_id: String,
    /// The plan that said so.
    pub plan_id: String,
    /// The source: `database.collection`, or the path of the file.
    pub source: String,
    /// Where it was: the `_id` as text, the line of a text file, or the row of Parquet, from 1.
    pub locator: String,
    /// SHA-256 (hex) of its bytes.
    pub sha256: String,
    /// The series key.
    pub series: String,
    /// Its timestamp, µs UTC; `None` where it has none that can be read.
    pub time: Option<i64>,
    /// Every rule that rejected it.
    pub reasons: Vec<Reason>,
    /// What was to be done.
    pub action: Action,
    /// When it came here, µs UTC.
    pub at: i64,
    /// From when on it may be purged, µs UTC.
    pub expires_at: i64,
    /// How far its removal is.
    pub state: State,
    /// When a person put its row back, µs UTC; `None` where it is not back, or that was not written down.
    pub restored_at: Option<i64>,
    /// The row as it was: BSON, the bytes of a text record, or, for a row of Parquet, JSON of its values.
    pub raw: Vec<u8>,
}

/// A row of a plan that stays, because a person put it back after it was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exempt {
    /// Its index among the rows of the plan.
    pub row: usize,
    /// When it was put back, µs UTC, where that was written down.
    pub restored_at: Option<i64>,
}

/// Which items are meant; what is `None` or empty does not choose.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Items with one of these names, or of which one of these is the beginning.
    pub ids: Vec<String>,
    /// Items of this run.
    pub run: Option<String>,
    /// Items that this rule rejected.
    pub rule: Option<String>,
    /// Items of this series.
    pub series: Option<String>,
    /// Items that came here from this moment on, µs UTC.
    pub since: Option<i64>,
}

impl Which {
    /// Whether `item` is meant.
    pub fn takes(&self, item: &Item) -> bool {
        let named = self.ids.is_empty() || self.ids.iter().any(|id| !id.is_empty() && item.id.starts_with(id.as_str()));
        named
            && self.run.as_ref().is_none_or(|run| *run == item.run_id)
            && self.rule.as_ref().is_none_or(|rule| item.reasons.iter().any(|reason| reason.id == *rule))
            && self.series.as_ref().is_none_or(|series| *series == item.series)
            && self.since.is_none_or(|since| item.at >= since)
    }
}

/// Where the rows of a plan went. Each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalCounts {
    /// Rows of the plan.
    pub planned: u64,
    /// Rows that are not in the source any more, and in quarantine.
    pub removed: u64,
    /// Rows that somebody changed since: they stay.
    pub kept_changed: u64,
    /// Rows that could not be removed: they stay.
    pub kept_error: u64,
    /// Rows too large to be wrapped: they stay.
    pub oversize: u64,
    /// Rows that were not tried, for the run was stopped before.
    pub untried: u64,
    /// Rows that were gone from the source already, by somebody else's hand.
    pub gone: u64,
    /// Rows whose end is not known: the next run looks at them before anything else.
    pub open: u64,
    /// Rows of runs that were cut short before, found to be gone or removed now: none of this plan.
    #[serde(default)]
    pub recovered: u64,
}

impl RemovalCounts {
    /// Whether no row of the plan is still in the source, or may be.
    pub fn all_left(&self) -> bool {
        let Self { kept_changed, kept_error, oversize, untried, open, .. } = *self;
        [kept_changed, kept_error, oversize, untried, open].iter().all(|rows| *rows == 0)
    }

    /// The end of rows that all ended alike, in a word.
    pub fn word(&self) -> &'static str {
        let Self { removed, kept_changed, kept_error, oversize, gone, open, .. } = *self;
        let words = [
            (removed, "removed"),
            (kept_changed, "kept_changed"),
            (kept_error, "kept_error"),
            (oversize, "oversize"),
            (gone, "gone"),
            (open, "open"),
        ];
        words.iter().find(|(count, _)| *count > 0).map_or("untried", |(_, word)| word)
    }

    /// Whether every planned row is accounted for exactly once.
    pub fn conserved(&self) -> bool {
        let Self { planned, removed, kept_changed, kept_error, oversize, untried, gone, open, .. } = *self;
        planned == removed + kept_changed + kept_error + oversize + untried + gone + open
    }
}

impl std::ops::AddAssign for RemovalCounts {
    fn add_assign(&mut self, other: Self) {
        self.planned += other.planned;
        self.removed += other.removed;
        self.kept_changed += other.kept_changed;
        self.kept_error += other.kept_error;
        self.oversize += other.oversize;
        self.untried += other.untried;
        self.gone += other.gone;
        self.open += other.open;
        self.recovered += other.recovered;
    }
}
/// Work that has not ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Runs that are not closed, oldest first.
    pub runs: Vec<String>,
    /// Who holds the lease, and until when, where it is not over.
    pub holder: Option<String>,
}
