//! The table `series_metrics`: bars of each series by month, written as they arrive.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;

use super::column::names;
use super::destination::Destination;
use super::error::ReportError;
use super::finding_columns::sessions;
use super::incoming::column;
use super::tables::Table;
use super::write::TableWriter;
use crate::durable::Staged;
use crate::engine::counts::{Counts, MonthCounts};
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

    /// Takes months, which are records of the operator.
    pub(super) fn take(&mut self, months: &RecordBatch) -> Result<(), ReportError> {
        let table = self.table(months)?;
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
        writer.write(&table)
    }

    fn table(&self, months: &RecordBatch) -> Result<RecordBatch, ReportError> {
        let run = self.destination.run.as_str();
        let same = |name: &str| Arc::clone(column(months, name));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(run, months.num_rows()))),
            cast(column(months, "series"), &names())?,
            same("session"),
        ];
        columns.extend(MonthCounts::COLUMNS.iter().map(|name| same(name)));
        columns.extend(["time", "time_until"].map(same));
        columns.extend(["time", "time_until"].map(|name| sessions(&self.program, column(months, name).as_primitive())));
        Ok(RecordBatch::try_new(Table::SeriesMetrics.schema(), columns)?)
    }

    /// Completes the file.
    pub(super) fn finish(self) -> Result<Option<Staged>, ReportError> {
        self.writer.map(TableWriter::close).transpose()
    }
}
