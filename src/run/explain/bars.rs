//! The rows around the timestamp.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};

use super::answer::Bar;
use super::reading::{Desk, Read};
use crate::bars::{BarColumn, TIME};
use crate::engine::key::parts_of;
use crate::engine::near::{FIELDS, near};
use crate::engine::program::Program;
use crate::run::failure::Failure;
use crate::source;

/// Rows before the timestamp, and as many from it on.
const SIDE: usize = 60;

/// Where a row is: file index and row number, `_id`.
pub(super) type At = (Option<(i32, i64)>, Option<Vec<u8>>);

/// A row on its way to a bar: timestamp, values, file index and row number, `_id`.
struct Row {
    time: i64,
    values: [Option<f64>; 5],
    at: (i32, i64),
    id: Option<Vec<u8>>,
}

impl Desk<'_> {
    /// The rows of the series `key` around `time`, in the order of time.
    pub(super) async fn bars(
        &self,
        program: &Program,
        read: &Read,
        (key, time): (&str, i64),
    ) -> Result<Vec<Bar>, Failure> {
        let [before, from] = near(program, &read.ingested.input, (&parts_of(key), time), SIDE)?;
        let mut rows = Vec::new();
        for plan in [before, from] {
            let batches = self.session.execute_logical_plan(plan).await?.collect().await?;
            for batch in &batches {
                rows.extend((0..batch.num_rows()).filter_map(|row| Row::of(batch, row)));
            }
        }
        rows.sort_by_key(|row| (row.time, row.at));
        let places = self.places(read, rows.iter().map(|row| (Some(row.at), row.id.clone())).collect())?;
        let bars = rows.into_iter().zip(places);
        Ok(bars
            .map(|(row, place)| Bar { time: row.time, values: row.values, place: place.unwrap_or_default() })
            .collect())
    }

    /// Where rows stand in the source, e.g. `bars.csv:17`, by file index and row number or `_id`; `None` where neither is known.
    pub(super) fn places(&self, read: &Read, rows: Vec<At>) -> Result<Vec<Option<String>>, Failure> {
        let files = self.opened.source.file_names();
        let known: Vec<(i32, i64)> = rows.iter().map(|(at, _)| at.unwrap_or((i32::MAX, i64::MAX))).collect();
        let positions = match read.ingested.snapshot() {
            Some(snapshot) => source::positions(snapshot, &known)?,
            None => Vec::new(),
        };
        let place = |(index, (at, id)): (usize, At)| {
            if let Some(id) = id {
                return Some(source::id_text(&id));
            }
            let (file, row) = at?;
            let name = usize::try_from(file).ok().and_then(|file| files.get(file))?;
            Some(match positions.get(index).copied().flatten() {
                Some(position) => format!("{name}:{position}"),
                None => format!("{name}:{row}"),
            })
        };
        Ok(rows.into_iter().enumerate().map(place).collect())
    }
}

impl Row {
    fn of(batch: &RecordBatch, row: usize) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name).filter(|column| column.is_valid(row));
        let value = |name: &str| Some(column(name)?.as_primitive_opt::<Float64Type>()?.value(row));
        let file = column(&BarColumn::File.name())?.as_primitive_opt::<Int32Type>()?.value(row);
        let number = column(&BarColumn::Row.name())?.as_primitive_opt::<Int64Type>()?.value(row);
        let id = column(&BarColumn::Id.name()).and_then(|ids| Some(ids.as_binary_opt::<i32>()?.value(row).to_vec()));
        Some(Self {
            time: column(TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row),
            values: FIELDS.map(value),
            at: (file, number),
            id,
        })
    }
}
