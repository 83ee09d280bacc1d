//! Columns of a batch by their names, whatever version of barkeep wrote them: a column that is not there is all NULL.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::array::{new_null_array, types::Int32Type};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;

use super::names::Names;

/// The columns of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a>(pub(super) &'a RecordBatch);

impl Columns<'_> {
    /// Rows.
    pub(super) fn rows(self) -> usize {
        self.0.num_rows()
    }

    fn of(self, name: &str, kind: &DataType) -> Result<ArrayRef, ArrowError> {
        match self.0.column_by_name(name) {
            Some(column) => cast(column, kind),
            None => Ok(new_null_array(kind, self.rows())),
        }
    }

    /// Texts.
    pub(super) fn texts(self, name: &str) -> Result<StringArray, ArrowError> {
        Ok(self.of(name, &DataType::Utf8)?.as_string().clone())
    }

    /// Whether there is a column `name`.
    pub(super) fn has(self, name: &str) -> bool {
        self.0.column_by_name(name).is_some()
    }

    /// Numbers.
    pub(super) fn numbers(self, name: &str) -> Result<Float64Array, ArrowError> {
        Ok(self.of(name, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
    }

    /// Counts, instants (µs UTC) and dates (days since 1970-01-01).
    pub(super) fn counts(self, name: &str) -> Result<Int64Array, ArrowError> {
        let is_date = self.0.column_by_name(name).is_some_and(|column| column.data_type() == &DataType::Date32);
        let column = if is_date {
            cast(&self.of(name, &DataType::Int32)?, &DataType::Int64)?
        } else {
            self.of(name, &DataType::Int64)?
        };
        Ok(column.as_primitive::<Int64Type>().clone())
    }

    /// Flags.
    pub(super) fn flags(self, name: &str) -> Result<BooleanArray, ArrowError> {
        Ok(self.of(name, &DataType::Boolean)?.as_boolean().clone())
    }

    /// Names as places in `all`, where new ones are added; `None` for NULL.
    pub(super) fn names(self, name: &str, all: &mut Names) -> Result<Vec<Option<u32>>, ArrowError> {
        let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let column = self.of(name, &kind)?;
        let column = column.as_dictionary::<Int32Type>();
        let values = column.values().as_string::<i32>();
        // A dictionary may hold names that no row of the batch has.
        let mut places: Vec<Option<u32>> = vec![None; values.len()];
        let mut place = |key: usize| {
            if values.is_null(key) {
                return None;
            }
            Some(*places[key].get_or_insert_with(|| all.place(values.value(key))))
        };
        Ok(column.keys().iter().map(|key| place(usize::try_from(key?).ok()?)).collect())
    }
}

/// The text of a row.
pub(super) fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// The number of a row.
pub(super) fn number(column: &Float64Array, row: usize) -> Option<f64> {
    column.is_valid(row).then(|| column.value(row))
}

/// The count of a row.
pub(super) fn count(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}

/// The flag of a row.
pub(super) fn flag(column: &BooleanArray, row: usize) -> Option<bool> {
    column.is_valid(row).then(|| column.value(row))
}
