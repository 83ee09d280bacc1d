//! The table `series_metrics`: bars of each series by month, written as they arrive.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;

use super::destination::Destination;
use super::error::ReportError;
use super::finding_columns::sessions;
use super::incoming::column;
use super::tables::Table;
use super::write::TableWriter;
use crate::durable::Staged;
use crate::engine::counts::MonthCounts;
use crate::engine::metrics::Month;
use crate::engine::program::Program;

/// Writes the months of one run; no file where there are none.
#[derive(Debug)]
pub(super) struct Months {
    destination: Arc<Destination>,
    program: Arc<Program>,
    writer: Option<TableWriter>,
}

impl Months {
    /// Nothing written yet.
    pub(super) fn new(destination: Arc<Destination>, program: &Arc<Program>) -> Self {
        Self { destination, program: Arc::clone(program), writer: None }
    }

    /// Takes the months of series, which are records of the operator; how many prices and volumes among them are NULL.
    pub(super) fn take(&mut self, records: &RecordBatch) -> Result<(i64, i64), ReportError> {
        let (series, notes) =
            (column(records, "series").as_string::<i32>(), column(records, "note").as_binary::<i32>());
        let mut months = Vec::new();
        for (row, note) in notes.iter().enumerate() {
            let of_series = note.and_then(Month::from_bytes);
            let damaged =
                || ReportError::Records(format!("the months of series `{}` are not readable", series.value(row)));
            months.extend(of_series.ok_or_else(damaged)?.into_iter().map(|month| (row, month)));
        }
        let table = self.table(series, &months)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let target = self.destination.file(Table::SeriesMetrics);
                none.insert(TableWriter::create(
                    &self.destination,
                    &target,
                    table.schema(),
                    self.destination.properties().build(),
                )?)
            }
        };
        writer.write(&table)?;
        let counts = || months.iter().map(|(_, month)| month.counts);
        Ok((counts().map(|counts| counts.null_prices).sum(), counts().map(|counts| counts.null_volume).sum()))
    }

    /// The rows of the table; months come with the row of their series in `series`.
    fn table(&self, series: &StringArray, months: &[(usize, Month)]) -> Result<RecordBatch, ReportError> {
        let run = self.destination.run.as_str();
        let count = |of: fn(&MonthCounts) -> Option<i64>| -> ArrayRef {
            Arc::new(months.iter().map(|(_, month)| of(&month.counts)).collect::<Int64Array>())
        };
        let instants = |of: fn(&Month) -> i64| {
            let there = |month: &Month| (month.counts.bars > 0).then_some(of(month));
            let instants: TimestampMicrosecondArray = months.iter().map(|(_, month)| there(month)).collect();
            instants.with_timezone("UTC")
        };
        let (first, last) = (instants(|month| month.first), instants(|month| month.last));
        let (first_session, last_session) = (sessions(&self.program, &first), sessions(&self.program, &last));
        let keys: Int32Array = months.iter().map(|(row, _)| i32::try_from(*row).ok()).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(run, months.len()))),
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(series.clone()))?),
            Arc::new(Date32Array::from_iter_values(months.iter().map(|(_, month)| month.month))),
            count(|counts| Some(counts.bars)),
            count(|counts| counts.expected),
            count(|counts| counts.missing),
            count(|counts| Some(counts.duplicates)),
            count(|counts| Some(counts.zero_volume)),
            count(|counts| Some(counts.null_prices)),
            count(|counts| Some(counts.null_volume)),
            Arc::new(first),
            Arc::new(last),
            first_session,
            last_session,
        ];
        Ok(RecordBatch::try_new(Table::SeriesMetrics.schema(), columns)?)
    }

    /// Completes the file.
    pub(super) fn finish(self) -> Result<Option<Staged>, ReportError> {
        self.writer.map(TableWriter::close).transpose()
    }
}
