//! What a person said of findings, counted; what of it makes no run fail.

use crate::decide::Judgement;

/// The label of a finding whose row a person put back.
pub(super) const ACCEPTED: &str = "accepted";

/// Findings by what a person said of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ByLabel {
    /// Labelled `known`.
    pub known: u64,
    /// Labelled `fine`.
    pub fine: u64,
    /// Labelled `bad`.
    pub bad: u64,
    /// Without such a label, of rows that a person put back.
    pub accepted: u64,
}

impl ByLabel {
    /// Those that make no run fail.
    pub fn muted(self) -> u64 {
        self.known + self.fine + self.accepted
    }

    /// Whether nothing was said of any finding.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The count of `judgement`.
    pub(super) fn of(&mut self, judgement: Judgement) -> &mut u64 {
        match judgement {
            Judgement::Known => &mut self.known,
            Judgement::Fine => &mut self.fine,
            Judgement::Bad => &mut self.bad,
        }
    }
}

impl std::ops::AddAssign for ByLabel {
    fn add_assign(&mut self, more: Self) {
        self.known += more.known;
        self.fine += more.fine;
        self.bad += more.bad;
        self.accepted += more.accepted;
    }
}

/// Whether a finding with this label in the table of an earlier run made no run fail.
pub(super) fn mutes(label: &str) -> bool {
    label == ACCEPTED || Judgement::parse(label).is_some_and(Judgement::mutes)
}
