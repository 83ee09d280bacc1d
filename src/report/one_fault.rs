//! Whether rows are wrong in such a way that the job is probably wrong, and not the rows: nearly all have one parse error.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;

use super::incoming::column;
use crate::bars::TIME;
use crate::checks::parse_error::Cause;
use crate::engine::program::Program;

/// So many rows may well be wrong all of them.
pub(super) const FEW: u64 = 5;
/// Texts that are kept of each field: enough to see how they are written.
const SAMPLES: usize = 64;

/// Parse errors by field and cause.
#[derive(Debug, Default)]
pub(super) struct ByFault {
    counts: BTreeMap<(String, String), Counted>,
}

#[derive(Debug)]
struct Counted {
    rows: u64,
    first: String,
    samples: BTreeSet<String>,
}

/// A field in which every row, or at least every other one, has the same parse error.
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
    /// Rows that were read.
    pub of: u64,
    /// Some of the texts: those of all numbers where they are no numbers, for numbers are written alike in all fields.
    pub samples: Vec<String>,
    /// Whether a rule that moves rows is about such values.
    pub aimed: bool,
}

impl ByFault {
    /// Takes the findings of one batch.
    pub(super) fn take(&mut self, program: &Program, findings: &RecordBatch) {
        let rules = column(findings, "rule").as_primitive::<Int32Type>();
        let text = |name: &str| column(findings, name).as_string::<i32>();
        let (fields, causes, observed) = (text("field"), text("cause"), text("observed_text"));
        let about_parsing: Vec<bool> = (0..=program.parse_error()).map(|rule| program.is_about_parsing(rule)).collect();
        let is_about_parsing =
            |row: &usize| usize::try_from(rules.value(*row)).is_ok_and(|rule| about_parsing.get(rule) == Some(&true));
        for row in (0..findings.num_rows()).filter(is_about_parsing) {
            if fields.is_null(row)
                || observed.is_null(row)
                || causes.is_null(row)
                || Cause::parse(causes.value(row)).is_none()
            {
                continue;
            }
            let key = (fields.value(row).to_owned(), causes.value(row).to_owned());
            let text = observed.value(row);
            let first = || Counted { rows: 0, first: text.to_owned(), samples: BTreeSet::new() };
            let counted = self.counts.entry(key).or_insert_with(first);
            counted.rows += 1;
            if counted.samples.len() < SAMPLES && !counted.samples.contains(text) {
                counted.samples.insert(text.to_owned());
            }
        }
    }

    /// The field in which the most of `rows` rows have one parse error, and at least every other. A few rows say nothing of
    /// the job.
    pub(super) fn of_most(&self, program: &Program, rows: u64) -> Option<OneFault> {
        let common = self.counts.iter().filter(|(_, counted)| counted.rows > FEW && counted.rows * 2 >= rows);
        // Of equal ones the first.
        let ((field, cause), counted) = common.rev().max_by_key(|(_, counted)| counted.rows)?;
        let of_numbers = field != TIME && *cause == <&str>::from(Cause::NotANumber);
        let alike = self.counts.iter().filter(|((_, other), _)| of_numbers && other == cause);
        let samples = if of_numbers {
            alike.flat_map(|(_, counted)| &counted.samples).cloned().collect()
        } else {
            counted.samples.iter().cloned().collect()
        };
        Some(OneFault {
            field: field.clone(),
            cause: cause.clone(),
            first: counted.first.clone(),
            rows: counted.rows,
            of: rows,
            samples,
            aimed: program.aims_at(field),
        })
    }
}
