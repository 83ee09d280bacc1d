//! The operator's output as typed columns: what the rest of the module reads records through.
//!
//! The schema is checked once a batch; after that every column has the type it is asked for. Nothing is copied.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int8Array, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{Float64Type, Int8Type, Int32Type, Int64Type, TimestampMicrosecondType};

use super::error::ReportError;
use crate::engine::counts::{Counts, RuleCounts, SeriesCounts};
use crate::engine::records::{self, Record};

/// Refuses what is not the operator's output.
pub(super) fn check_schema(batch: &RecordBatch) -> Result<(), ReportError> {
    if batch.schema().fields() == records::schema().fields() {
        return Ok(());
    }
    Err(ReportError::Records(format!("the columns are {:?}", batch.schema().fields())))
}

/// The rows of `batch` that are of one kind; `None` where there are none.
pub(super) fn only(batch: &RecordBatch, record: Record) -> Result<Option<RecordBatch>, ReportError> {
    let wanted = eq(number::<Int8Type>(batch, "record"), &Int8Array::new_scalar(record as i8))?;
    Ok(match wanted.true_count() {
        0 => None,
        count if count == batch.num_rows() => Some(batch.clone()),
        _ => Some(filter_record_batch(batch, &wanted)?),
    })
}

/// A column of the operator's output.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).unwrap_or_else(|| unreachable!("bug: no column `{name}` in the records"))
}

fn number<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> &'a PrimitiveArray<T> {
    column(batch, name).as_primitive()
}

/// The columns that counting and moving look at.
pub(super) struct Records<'a> {
    rule: &'a PrimitiveArray<Int32Type>,
    series: &'a StringArray,
    row_key: &'a StringArray,
    finding_id: &'a StringArray,
    time: &'a PrimitiveArray<TimestampMicrosecondType>,
    time_until: &'a PrimitiveArray<TimestampMicrosecondType>,
    file: &'a PrimitiveArray<Int32Type>,
    row: &'a PrimitiveArray<Int64Type>,
    action: &'a PrimitiveArray<Int8Type>,
    lowest: &'a PrimitiveArray<Float64Type>,
    highest: &'a PrimitiveArray<Float64Type>,
    cause: &'a StringArray,
    of_rule: Vec<&'a PrimitiveArray<Int64Type>>,
    of_series: Vec<&'a PrimitiveArray<Int64Type>>,
    nanos: &'a PrimitiveArray<Int64Type>,
    rows: usize,
}

impl<'a> Records<'a> {
    /// The columns of `batch`, whose schema was checked.
    pub(super) fn of(batch: &'a RecordBatch) -> Self {
        Self {
            rule: number(batch, "rule"),
            series: column(batch, "series").as_string(),
            row_key: column(batch, "row_key").as_string(),
            finding_id: column(batch, "finding_id").as_string(),
            time: number(batch, "time"),
            time_until: number(batch, "time_until"),
            file: number(batch, "file"),
            row: number(batch, "row"),
            action: number(batch, "action"),
            lowest: number(batch, "expected_lo"),
            highest: number(batch, "expected_hi"),
            cause: column(batch, "cause").as_string(),
            of_rule: RuleCounts::COLUMNS.iter().map(|name| number(batch, name)).collect(),
            of_series: SeriesCounts::COLUMNS.iter().map(|name| number(batch, name)).collect(),
            nanos: number(batch, "nanos"),
            rows: batch.num_rows(),
        }
    }

    /// Indices of the rows.
    pub(super) fn rows(&self) -> std::ops::Range<usize> {
        0..self.rows
    }

    /// Index of the rule, below `rules`.
    pub(super) fn rule(&self, row: usize, rules: usize) -> Result<usize, ReportError> {
        let rule = value(self.rule, row).and_then(|rule| usize::try_from(rule).ok()).filter(|rule| *rule < rules);
        rule.ok_or_else(|| ReportError::Records(format!("row {row} names no rule of the {rules} there are")))
    }

    /// The series key.
    pub(super) fn series(&self, row: usize) -> &'a str {
        self.series.value(row)
    }

    /// The word of a cause, or of a fact that excused something.
    pub(super) fn cause(&self, row: usize) -> Option<&'a str> {
        (!self.cause.is_null(row)).then(|| self.cause.value(row))
    }

    /// Identity of the row that a record stands for.
    pub(super) fn row_key(&self, row: usize) -> Option<&'a str> {
        (!self.row_key.is_null(row)).then(|| self.row_key.value(row))
    }

    /// Identity of the finding that a record is or follows from.
    pub(super) fn finding_id(&self, row: usize) -> Option<&'a str> {
        (!self.finding_id.is_null(row)).then(|| self.finding_id.value(row))
    }

    /// First timestamp, µs UTC.
    pub(super) fn time(&self, row: usize) -> Option<i64> {
        value(self.time, row)
    }

    /// Last timestamp, µs UTC.
    pub(super) fn time_until(&self, row: usize) -> Option<i64> {
        value(self.time_until, row)
    }

    /// Index of the source file, and the row in it from 1.
    pub(super) fn locator(&self, row: usize) -> Option<(i32, i64)> {
        value(self.file, row).zip(value(self.row, row))
    }

    /// [`crate::decide::Action`] as a number.
    pub(super) fn action(&self, row: usize) -> Option<i8> {
        value(self.action, row)
    }

    /// How long a rule took over a series, in ns.
    pub(super) fn nanos(&self, row: usize) -> Option<i64> {
        value(self.nanos, row)
    }

    /// Least and greatest value observed.
    pub(super) fn observed(&self, row: usize) -> Option<(f64, f64)> {
        value(self.lowest, row).zip(value(self.highest, row))
    }

    /// The counts of a rule.
    pub(super) fn rule_counts(&self, row: usize) -> RuleCounts {
        RuleCounts::read(|column| value(self.of_rule[column], row))
    }

    /// The counts of a series.
    pub(super) fn series_counts(&self, row: usize) -> SeriesCounts {
        SeriesCounts::read(|column| value(self.of_series[column], row))
    }
}

fn value<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    (!column.is_null(row)).then(|| column.value(row))
}
