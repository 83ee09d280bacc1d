//! Whether the dates of bars are one day off: then the zone of the job is probably wrong, and not the rows.
//!
//! Daily bars whose timestamps are the midnight of another zone fall on the day before or after. Those of Mondays are on a
//! Sunday then, which is no session, while the day that was meant is one.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int32Type};

use super::incoming::column;
use super::one_fault::FEW;
use crate::bars::TIME;
use crate::engine::program::Program;
use crate::market::{Calendar, Lookup};

/// The cause of findings about bars on days without a session.
const NOT_A_SESSION: &str = "not-a-session";

/// Bars on days without a session, by rule: two rules may be about the same rows.
#[derive(Debug, Default)]
pub(super) struct ByDay {
    counts: BTreeMap<i32, Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    rows: u64,
    /// Rows whose next day is a session.
    early: u64,
    /// Rows whose day before is a session.
    late: u64,
}

/// Daily bars that are on days without a session, each a day beside one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherDays {
    /// Rows.
    pub rows: u64,
    /// Rows that were read.
    pub of: u64,
    /// How many days are to be added to theirs: 1 or -1.
    pub shift: i32,
}

impl ByDay {
    /// Takes the findings of one batch.
    pub(super) fn take(&mut self, program: &Program, findings: &RecordBatch) {
        let Some(calendar) = program.bars.calendar.as_deref().filter(|_| program.bars.daily()) else { return };
        let rules = column(findings, "rule").as_primitive::<Int32Type>();
        let days = column(findings, "session").as_primitive::<Date32Type>();
        let text = |name: &str| column(findings, name).as_string::<i32>();
        let (fields, causes) = (text("field"), text("cause"));
        for row in 0..findings.num_rows() {
            let is = |column: &arrow::array::StringArray, word| !column.is_null(row) && column.value(row) == word;
            if is(fields, TIME) && is(causes, NOT_A_SESSION) && !days.is_null(row) {
                self.counts.entry(rules.value(row)).or_default().add(calendar, days.value(row));
            }
        }
    }

    /// The rows on other days, where they are a good share of `rows` and nearly all are beside a session on one side.
    pub(super) fn of_many(&self, rows: u64) -> Option<OtherDays> {
        let most = self.counts.values().max_by_key(|counted| counted.rows)?;
        if most.rows <= FEW || most.rows * 10 < rows {
            return None;
        }
        let nearly_all = |beside: u64| beside * 10 >= most.rows * 9;
        let shift = match (nearly_all(most.early), nearly_all(most.late)) {
            (true, false) => 1,
            (false, true) => -1,
            // A holiday amid a week says nothing.
            _ => return None,
        };
        Some(OtherDays { rows: most.rows, of: rows, shift })
    }
}

impl Counted {
    fn add(&mut self, calendar: &Calendar, day: i32) {
        let trades = |day| u64::from(matches!(calendar.session_on(day), Lookup::Session(_)));
        self.rows += 1;
        self.early += trades(day + 1);
        self.late += trades(day - 1);
    }
}
