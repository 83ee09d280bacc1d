//! A finding as the operator puts it out, with everything that it says.

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int8Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use serde_json::Value;

use super::answer::Finding;
use crate::checks::{self, Facts};
use crate::decide::{Action, Labelled, Labels};
use crate::engine::program::Program;
use crate::engine::records::Record;

/// One finding.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Index of the rule in the program.
    pub(super) rule: usize,
    pub(super) series: String,
    pub(super) symbol: Option<String>,
    /// First and last timestamp, µs UTC.
    pub(super) time: Option<i64>,
    pub(super) time_until: Option<i64>,
    /// File index and row number.
    pub(super) locator: Option<(i32, i64)>,
    /// The `_id` of its row, in collections.
    pub(super) document: Option<Vec<u8>>,
    id: String,
    field: Option<String>,
    pub(super) observed: Option<f64>,
    observed_text: Option<String>,
    expected: [Option<f64>; 2],
    expected_text: Option<String>,
    score: Option<f64>,
    bars: u64,
    cause: Option<String>,
    evidence: Value,
    action: &'static str,
}

impl Found {
    /// The findings in a batch of the operator's output that hold `time`.
    ///
    /// # Errors
    /// barkeep is wrong: it is no output of the operator.
    pub(super) fn all_at(batch: &RecordBatch, time: i64) -> Result<Vec<Self>, ArrowError> {
        let columns = Columns(batch);
        let record = columns.numbers::<Int8Type>("record")?;
        let is_finding = |row: &usize| record.value(*row) == Record::Finding as i8;
        let mut found = Vec::new();
        for row in (0..batch.num_rows()).filter(is_finding) {
            let [first, last] =
                ["time", "time_until"].map(|name| columns.number::<TimestampMicrosecondType>(name, row));
            let (first, last) = (first?, last?);
            if first.is_some_and(|first| first <= time && time <= last.unwrap_or(first)) {
                found.push(columns.found(row, (first, last))?);
            }
        }
        Ok(found)
    }

    /// Whether it is about one timestamp.
    pub(super) fn is_of_one_time(&self) -> bool {
        self.time_until.is_none_or(|last| Some(last) == self.time)
    }

    /// The field that is wrong.
    pub(super) fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// As it is answered: with its sentence, its place, and what a person said of it.
    pub(super) fn answered(self, program: &Program, labels: &Labels, place: Option<String>) -> Finding {
        let check = program.check_name(self.rule);
        let message = checks::message(&Facts {
            check,
            interval: program.bars.interval,
            field: self.field.as_deref(),
            observed: self.observed,
            observed_text: self.observed_text.as_deref(),
            expected_lo: self.expected[0],
            expected_hi: self.expected[1],
            expected_text: self.expected_text.as_deref(),
            score: self.score,
            bars: self.bars,
            cause: self.cause.as_deref(),
            evidence: &self.evidence,
            time: self.time,
            time_until: self.time_until,
        });
        let label = labels.of(&Labelled {
            finding_id: &self.id,
            rule: program.rule_id(self.rule),
            series: &self.series,
            symbol: self.symbol.as_deref(),
            time: self.time,
            field: self.field.as_deref(),
        });
        Finding {
            label: label.map(|label| label.judgement.as_str()),
            id: self.id,
            message,
            span: (self.time, self.time_until),
            field: self.field,
            observed: self.observed,
            observed_text: self.observed_text,
            expected: self.expected,
            expected_text: self.expected_text,
            score: self.score,
            bars: self.bars,
            cause: self.cause,
            evidence: self.evidence,
            place,
            action: self.action,
        }
    }
}

/// The columns of a batch, by name.
struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    fn numbers<T: ArrowPrimitiveType>(&self, name: &str) -> Result<&'a PrimitiveArray<T>, ArrowError> {
        let column = self.0.column_by_name(name).and_then(|column| column.as_primitive_opt());
        column.ok_or_else(|| ArrowError::SchemaError(format!("there is no such column `{name}`")))
    }

    fn number<T: ArrowPrimitiveType>(&self, name: &str, row: usize) -> Result<Option<T::Native>, ArrowError> {
        let column = self.numbers::<T>(name)?;
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<String>, ArrowError> {
        let column: Option<&StringArray> = self.0.column_by_name(name).and_then(|column| column.as_string_opt());
        let column = column.ok_or_else(|| ArrowError::SchemaError(format!("there is no such column `{name}`")))?;
        Ok((!column.is_null(row)).then(|| column.value(row).to_owned()))
    }

    fn found(&self, row: usize, (time, time_until): (Option<i64>, Option<i64>)) -> Result<Found, ArrowError> {
        let number = |name: &str| self.number::<Float64Type>(name, row);
        let file = self.number::<Int32Type>("file", row)?;
        let ids = self.0.column_by_name("id").and_then(|ids| ids.as_binary_opt::<i32>());
        let evidence = self.text("evidence", row)?;
        let action = self.number::<Int8Type>("action", row)?;
        let action =
            [Action::Report, Action::Quarantine, Action::Delete].into_iter().find(|one| Some(*one as i8) == action);
        Ok(Found {
            rule: usize::try_from(self.number::<Int32Type>("rule", row)?.unwrap_or_default()).unwrap_or_default(),
            series: self.text("series", row)?.unwrap_or_default(),
            symbol: self.text("symbol", row)?,
            time,
            time_until,
            locator: file.zip(self.number::<Int64Type>("row", row)?),
            document: ids.filter(|ids| !ids.is_null(row)).map(|ids| ids.value(row).to_vec()),
            id: self.text("finding_id", row)?.unwrap_or_default(),
            field: self.text("field", row)?,
            observed: number("observed")?,
            observed_text: self.text("observed_text", row)?,
            expected: [number("expected_lo")?, number("expected_hi")?],
            expected_text: self.text("expected_text", row)?,
            score: number("score")?,
            bars: self.number::<Int64Type>("bars_affected", row)?.unwrap_or_default().unsigned_abs(),
            cause: self.text("cause", row)?,
            evidence: evidence.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            action: action.unwrap_or(Action::Report).as_str(),
        })
    }
}
