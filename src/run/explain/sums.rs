//! What the rules counted of one series from a timestamp on.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int8Type, Int32Type, Int64Type};
use arrow::error::ArrowError;

use super::answer::OfRows;
use super::found::Found;
use crate::engine::counts::{Counts, RuleCounts, SeriesCounts};
use crate::engine::records::Record;

/// What was counted of the rows from a timestamp on, and the findings that hold it.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Rows.
    pub(super) rows: i64,
    /// By index of the rule.
    rules: BTreeMap<usize, RuleCounts>,
    /// What facts excused, by index of the rule and word of the fact.
    excuses: BTreeMap<(usize, String), i64>,
    /// Findings that hold the timestamp.
    pub(super) found: Vec<Found>,
}

impl Sums {
    /// Takes a batch of the operator's output over one series.
    pub(super) fn take(&mut self, batch: &RecordBatch, time: i64) -> Result<(), ArrowError> {
        self.found.extend(Found::all_at(batch, time)?);
        self.count(batch, None)
    }

    /// Takes what was counted of `series` alone.
    pub(super) fn take_of(&mut self, batch: &RecordBatch, series: &str) -> Result<(), ArrowError> {
        self.count(batch, Some(series))
    }

    /// Rows that the rule at `rule` evaluated.
    pub(super) fn evaluated(&self, rule: usize) -> i64 {
        self.rules.get(&rule).map_or(0, |counts| counts.evaluated)
    }

    fn count(&mut self, batch: &RecordBatch, only: Option<&str>) -> Result<(), ArrowError> {
        let missing = |name: &str| ArrowError::SchemaError(format!("there is no such column `{name}`"));
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
        let record = column("record")?.as_primitive::<Int8Type>();
        let rule = column("rule")?.as_primitive::<Int32Type>();
        let cause = column("cause")?.as_string::<i32>();
        let count = |name: &str, row: usize| {
            let counts = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
            (!counts.is_null(row)).then(|| counts.value(row))
        };
        let series = column("series")?.as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| only.is_none_or(|only| series.value(*row) == only)) {
            let is = |kind: Record| record.value(row) == kind as i8;
            let of_rule = || usize::try_from(rule.value(row)).unwrap_or_default();
            if is(Record::Series) {
                self.rows += SeriesCounts::read(|at| count(SeriesCounts::COLUMNS[at], row)).read;
            } else if is(Record::Rule) {
                let more = RuleCounts::read(|at| count(RuleCounts::COLUMNS[at], row));
                let sum = self.rules.entry(of_rule()).or_default();
                sum.evaluated += more.evaluated;
                sum.insufficient += more.insufficient;
                sum.excused += more.excused;
                sum.rows += more.rows;
            } else if is(Record::Excuse) {
                let more = RuleCounts::read(|at| count(RuleCounts::COLUMNS[at], row));
                *self.excuses.entry((of_rule(), cause.value(row).to_owned())).or_default() += more.findings;
            }
        }
        Ok(())
    }
}

/// What the rules counted of the rows of one timestamp.
#[derive(Debug, Default)]
pub(super) struct AtOnce {
    /// Its rows.
    pub(super) rows: u64,
    from: Sums,
    behind: Sums,
}

impl AtOnce {
    /// That of which `from` counts all rows from it on, and `behind` those behind it.
    pub(super) fn between(from: Sums, behind: Sums) -> Self {
        Self { rows: u64::try_from(from.rows - behind.rows).unwrap_or_default(), from, behind }
    }

    /// The findings that hold it.
    pub(super) fn found(&self) -> &[Found] {
        &self.from.found
    }

    /// What the rule at `rule` counted, where `of_rows` says whether it counts rows; `None` where that does not add up.
    pub(super) fn of(&self, rule: usize, of_rows: bool) -> Option<OfRows> {
        let [from, behind] = [&self.from, &self.behind].map(|sums| sums.rules.get(&rule).copied().unwrap_or_default());
        let difference = |count: fn(RuleCounts) -> i64| u64::try_from(count(from) - count(behind)).ok();
        let (evaluated, insufficient) =
            (difference(|counts| counts.evaluated)?, difference(|counts| counts.insufficient)?);
        let (excused, flagged) = (difference(|counts| counts.excused)?, difference(|counts| counts.rows)?);
        let looked_at = evaluated + insufficient + excused;
        let stepped_over = if of_rows { self.rows.checked_sub(looked_at)? } else { 0 };
        Some(OfRows { evaluated, insufficient, excused, stepped_over, flagged })
    }

    /// The facts that excused something of it from the rule at `rule`.
    pub(super) fn excuses(&self, rule: usize) -> Vec<String> {
        let more =
            |key: &&(usize, String)| self.from.excuses[*key] > self.behind.excuses.get(*key).copied().unwrap_or(0);
        let own = self.from.excuses.keys().filter(|(of, _)| *of == rule);
        own.filter(more).map(|(_, fact)| fact.clone()).collect()
    }
}
