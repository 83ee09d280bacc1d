//! Whether every row has the same parse error in the same field: then the job is probably wrong, and not the rows.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;

use super::incoming::column;
use crate::engine::program::Program;

/// Parse errors by field and cause.
#[derive(Debug, Default)]
pub(super) struct ByFault {
    counts: BTreeMap<(String, String), Counted>,
}

#[derive(Debug)]
struct Counted {
    rows: u64,
    first: String,
}

/// A field in which every row has the same parse error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneFault {
    /// The field.
    pub field: String,
    /// The cause of its findings.
    pub cause: String,
    /// The first value.
    pub first: String,
    /// Rows.
    pub rows: u64,
}

impl ByFault {
    /// Takes the findings of one batch.
    pub(super) fn take(&mut self, program: &Program, findings: &RecordBatch) {
        let rules = column(findings, "rule").as_primitive::<Int32Type>();
        let text = |name: &str| column(findings, name).as_string::<i32>();
        let (fields, causes, observed) = (text("field"), text("cause"), text("observed_text"));
        let parse_error = i32::try_from(program.parse_error()).unwrap_or(i32::MAX);
        for row in (0..findings.num_rows()).filter(|row| rules.value(*row) == parse_error) {
            if fields.is_null(row) || causes.is_null(row) || observed.is_null(row) {
                continue;
            }
            let key = (fields.value(row).to_owned(), causes.value(row).to_owned());
            let first = || Counted { rows: 0, first: observed.value(row).to_owned() };
            self.counts.entry(key).or_insert_with(first).rows += 1;
        }
    }

    /// The field in which all of `rows` rows have one parse error, where no rule that moves rows aims at it. A few rows
    /// say nothing of the job.
    pub(super) fn of_all(&self, program: &Program, rows: u64) -> Option<OneFault> {
        /// So many rows may well be wrong all of them.
        const FEW: u64 = 5;
        let all = self.counts.iter().find(|(_, counted)| counted.rows == rows && rows > FEW);
        let ((field, cause), counted) = all?;
        (!program.aims_at(field)).then(|| OneFault {
            field: field.clone(),
            cause: cause.clone(),
            first: counted.first.clone(),
            rows,
        })
    }
}
