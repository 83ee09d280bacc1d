//! A finding as the operator puts it out.

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Int8Type, Int32Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use crate::decide::Labelled;
use crate::engine::records::Record;

/// The columns of findings in a batch of the operator's output.
pub(super) struct Findings<'a> {
    record: &'a PrimitiveArray<Int8Type>,
    rule: &'a PrimitiveArray<Int32Type>,
    texts: [&'a StringArray; 5],
    time: &'a PrimitiveArray<TimestampMicrosecondType>,
    session: &'a PrimitiveArray<Date32Type>,
}

/// One finding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    /// Index of the rule in the program.
    pub(super) rule: usize,
    pub(super) finding_id: &'a str,
    /// Identity of the row or gap.
    pub(super) row_key: &'a str,
    pub(super) series: &'a str,
    pub(super) symbol: Option<&'a str>,
    pub(super) field: Option<&'a str>,
    /// µs UTC.
    pub(super) time: Option<i64>,
    /// The trading date, days since 1970-01-01.
    pub(super) session: Option<i32>,
}

impl<'a> Found<'a> {
    /// As labels see it, with the id of its rule.
    pub(super) fn labelled(&self, rule: &'a str) -> Labelled<'a> {
        let Self { finding_id, series, symbol, time, field, .. } = *self;
        Labelled { finding_id, rule, series, symbol, time, field }
    }
}

impl<'a> Findings<'a> {
    /// The columns of `batch`.
    ///
    /// # Errors
    /// barkeep is wrong: it is no output of the operator.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let column = |name: &str| {
            let missing = || ArrowError::SchemaError(format!("there is no column `{name}`"));
            batch.column_by_name(name).ok_or_else(missing)
        };
        Ok(Self {
            record: column("record")?.as_primitive(),
            rule: column("rule")?.as_primitive(),
            texts: [
                column("finding_id")?.as_string(),
                column("row_key")?.as_string(),
                column("series")?.as_string(),
                column("symbol")?.as_string(),
                column("field")?.as_string(),
            ],
            time: column("time")?.as_primitive(),
            session: column("session")?.as_primitive(),
        })
    }

    /// The findings among its rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = Found<'a>> + use<'_, 'a> {
        let findings = (0..self.record.len()).filter(|row| self.record.value(*row) == Record::Finding as i8);
        findings.filter_map(|row| {
            let text = |place: usize| {
                let column = self.texts[place];
                (!column.is_null(row)).then(|| column.value(row))
            };
            Some(Found {
                rule: usize::try_from(self.rule.value(row)).ok()?,
                finding_id: text(0).unwrap_or_default(),
                row_key: text(1).unwrap_or_default(),
                series: text(2).unwrap_or_default(),
                symbol: text(3),
                field: text(4),
                time: (!self.time.is_null(row)).then(|| self.time.value(row)),
                session: (!self.session.is_null(row)).then(|| self.session.value(row)),
            })
        })
    }
}
