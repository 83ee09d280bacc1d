//! Findings compared with those of the run before, and what of that says nothing of the bars: the rule is another one.

use serde::{Deserialize, Serialize};

use super::rules_before::RuleChange;
use super::tally::Tally;
use crate::engine::program::Program;

/// Findings compared with those of the run before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Findings the run before did not have, of rules that are what they were.
    pub new: u64,
    /// Findings of the run before that were looked for and are gone, of rules that are what they were.
    pub fixed: u64,
    /// The run before; `None` for the first one.
    pub since_run: Option<String>,
    /// What is new and what is gone of other rules, for that says nothing of the bars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_changed_rules: Vec<OfChangedRule>,
}

/// Findings of a rule that is not what it was in the run before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfChangedRule {
    /// The rule.
    pub rule: String,
    /// What became of it.
    pub change: RuleChange,
    /// Findings the run before did not have.
    pub new: u64,
    /// Findings of the run before that are gone.
    pub fixed: u64,
}

impl Change {
    /// That of a run of `program`; `None` where it is not known what is new or what is fixed. `since_run` is the run that it
    /// is compared with.
    pub(super) fn of(program: &Program, tally: &Tally, since_run: Option<&str>) -> Option<Self> {
        let mut all = Self { new: 0, fixed: 0, since_run: since_run.map(str::to_owned), of_changed_rules: Vec::new() };
        for (index, rule) in tally.rules.iter().enumerate() {
            let (new, fixed) = (rule.new?.unsigned_abs(), rule.fixed?.unsigned_abs());
            match rule.change {
                Some(change) => all.add_changed(program.rule_id(index), change, (new, fixed)),
                None => (all.new, all.fixed) = (all.new + new, all.fixed + fixed),
            }
        }
        tally
            .removed_rules
            .iter()
            .for_each(|(id, fixed)| all.add_changed(id, RuleChange::Removed, (0, fixed.unsigned_abs())));
        Some(all)
    }

    fn add_changed(&mut self, id: &str, change: RuleChange, (new, fixed): (u64, u64)) {
        if new + fixed > 0 {
            self.of_changed_rules.push(OfChangedRule { rule: id.to_owned(), change, new, fixed });
        }
    }
}
