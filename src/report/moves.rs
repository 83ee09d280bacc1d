//! Rows whose verdict is to leave their source, as the plan of a run needs them.

use std::sync::Arc;

use super::error::ReportError;
use super::incoming::Records;
use crate::decide::Action;

/// A row that is to leave its source. About 200 bytes; a run keeps one for each such row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRow {
    /// Index of the source file; of the range of `_id`s for a collection.
    pub file: i32,
    /// Row of it, from 1.
    pub row: i64,
    /// Identity of the row, stable over runs.
    pub row_key: String,
    /// What was found of it; the first decided, so there is one at least.
    pub found: Vec<Found>,
    /// The series key.
    pub series: Arc<str>,
    /// Its timestamp, µs UTC; `None` where it has none that can be read.
    pub time: Option<i64>,
}

/// A finding of a row that is to leave its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Index of the rule.
    pub rule: usize,
    /// The finding.
    pub finding_id: String,
    /// What the rule says is to be done.
    pub action: Action,
}

impl MoveRow {
    /// What is to be done with the row: the strongest of all actions.
    pub fn action(&self) -> Action {
        self.found.iter().map(|found| found.action).max().unwrap_or_default()
    }
}

/// Appends the rows that `records` say are to be moved; `rules` is the number of rules. Returns how many rows came.
pub(super) fn collect_moves(records: &Records<'_>, rules: usize, moves: &mut Vec<MoveRow>) -> Result<u64, ReportError> {
    let before = moves.len();
    for row in records.rows() {
        let series = records.series(row);
        let lacks =
            |what: &str| ReportError::Records(format!("a row of series `{series}` is to be moved without {what}"));
        let action = records.action(row).and_then(action).ok_or_else(|| lacks("an action"))?;
        let found = Found {
            rule: records.rule(row, rules)?,
            finding_id: records.finding_id(row).ok_or_else(|| lacks("a finding"))?.to_owned(),
            action,
        };
        let (file, number) = records.locator(row).ok_or_else(|| lacks("a locator"))?;
        if let Some(last) = moves.last_mut().filter(|last| (last.file, last.row) == (file, number)) {
            last.found.push(found);
            continue;
        }
        if !action.moves_rows() {
            return Err(lacks("an action"));
        }
        let series = match moves.last() {
            Some(before) if *before.series == *series => Arc::clone(&before.series),
            _ => Arc::from(series),
        };
        moves.push(MoveRow {
            file,
            row: number,
            row_key: records.row_key(row).ok_or_else(|| lacks("an identity"))?.to_owned(),
            found: vec![found],
            time: records.time(row),
            series,
        });
    }
    Ok((moves.len() - before) as u64)
}

fn action(value: i8) -> Option<Action> {
    [Action::Report, Action::Quarantine, Action::Delete].into_iter().find(|action| *action as i8 == value)
}
