//! The rules of the run before: a finding may be new because its rule is another one, not because the bars are.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::error::ArrowError;

use super::error::ReportError;
use super::places;
use super::reading::texts;
use super::runs::RunFile;
use super::tables::Table;

/// What became of a rule since the run before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleChange {
    /// What decides its verdicts is another: a parameter, a condition, a level.
    Changed,
    /// The run before had no such rule.
    Added,
    /// Only the run before had it.
    Removed,
}

impl RuleChange {
    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// The rules of a run, by id: SHA-256 (hex) of what decides the verdicts of each, where that is known.
#[derive(Debug, Default)]
pub(super) struct RulesBefore(BTreeMap<String, Option<String>>);

impl RulesBefore {
    /// Those of the run whose `rule_results` are the file `results`; none are known where there is no such file.
    pub(super) fn of(dir: &Path, file: &RunFile) -> Result<Self, ReportError> {
        let mut rules = BTreeMap::new();
        for batch in places::read(dir, Table::RuleResults, &file.job, &file.run, &["rule_id", "rule_sha256"])? {
            add(&batch, &mut rules).map_err(|source| ReportError::reading(&file.path, source))?;
        }
        Ok(Self(rules))
    }

    /// What became of the rule `id` that has the hash `sha256` now; `None` where it is what it was, or that is not known.
    pub(super) fn change(&self, id: &str, sha256: Option<&str>) -> Option<RuleChange> {
        match (self.0.get(id), sha256) {
            (None, _) => (!self.0.is_empty()).then_some(RuleChange::Added),
            (Some(Some(before)), Some(now)) => (before != now).then_some(RuleChange::Changed),
            (Some(_), _) => None,
        }
    }

    /// The ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn add(results: &RecordBatch, rules: &mut BTreeMap<String, Option<String>>) -> Result<(), ArrowError> {
    let ids = texts(results, "rule_id")?;
    // Runs of an older version do not say.
    let hashes = results.column_by_name("rule_sha256").is_some().then(|| texts(results, "rule_sha256")).transpose()?;
    for row in 0..results.num_rows() {
        let hash = hashes.as_ref().filter(|hashes| hashes.is_valid(row)).map(|hashes| hashes.value(row).to_owned());
        rules.insert(ids.value(row).to_owned(), hash);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_the_same_changed_added_or_not_known() {
        let rules = [("same", Some("1")), ("other", Some("2")), ("old", None)];
        let rules = rules.map(|(id, hash)| (id.to_owned(), hash.map(str::to_owned)));
        let before = RulesBefore(rules.into_iter().collect());
        let now = |id| before.change(id, Some("1"));
        assert_eq!([now("same"), now("old")], [None, None]);
        assert_eq!([now("other"), now("more")], [Some(RuleChange::Changed), Some(RuleChange::Added)]);
        assert_eq!(RulesBefore::default().change("same", Some("1")), None, "nothing is known of a run without results");
    }
}
