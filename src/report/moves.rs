//! Rows whose verdict is to leave their source, as the plan of a run needs them.

use std::sync::Arc;

use super::error::ReportError;
use super::incoming::Records;
use crate::config::Action;

/// A row that is to leave its source. About 250 bytes; a run keeps one for each such row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRow {
    /// Index of the source file.
    pub file: i32,
    /// Row of the file, from 1.
    pub row: i64,
    /// SHA-256 of the row's raw bytes; `None` where the source is no text.
    pub hash: Option<[u8; 32]>,
    /// Identity of the row, stable over runs.
    pub row_key: String,
    /// Index of the rule that decided.
    pub rule: usize,
    /// Its finding.
    pub finding_id: String,
    /// What is to be done.
    pub action: Action,
    /// The series key.
    pub series: Arc<str>,
    /// Its stamp, µs UTC; `None` where it has none that can be read.
    pub time: Option<i64>,
}

/// Appends the rows that `records` say are to be moved; `rules` is the number of rules.
pub(super) fn take(records: &Records<'_>, rules: usize, moves: &mut Vec<MoveRow>) -> Result<(), ReportError> {
    for row in records.rows() {
        let series = match moves.last() {
            Some(before) if *before.series == *records.series(row) => Arc::clone(&before.series),
            _ => Arc::from(records.series(row)),
        };
        let lacks =
            |what: &str| ReportError::Records(format!("a row of series `{series}` is to be moved without {what}"));
        let (file, number) = records.locator(row).ok_or_else(|| lacks("a locator"))?;
        let action = records.action(row).and_then(action).filter(|action| *action > Action::Report);
        let hash = records.hash(row).map(<[u8; 32]>::try_from).transpose();
        moves.push(MoveRow {
            file,
            row: number,
            hash: hash.map_err(|_| lacks("a whole hash"))?,
            row_key: records.row_key(row).ok_or_else(|| lacks("an identity"))?.to_owned(),
            rule: records.rule(row, rules)?,
            finding_id: records.finding_id(row).ok_or_else(|| lacks("a finding"))?.to_owned(),
            action: action.ok_or_else(|| lacks("an action"))?,
            time: records.time(row),
            series,
        });
    }
    Ok(())
}

fn action(value: i8) -> Option<Action> {
    [Action::Report, Action::Quarantine, Action::Delete].into_iter().find(|action| *action as i8 == value)
}
