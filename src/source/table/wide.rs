//! Records of wide tables: each becomes a row for each of its series.

use super::super::wide::{Series, Wide};
use super::{Given, Table, Wanted};

/// A wide table, and where the wanted columns are in it.
#[derive(Debug)]
pub(in super::super) struct WideRecords {
    wide: Wide,
    places: Vec<Place>,
}

/// Where a wanted column is.
#[derive(Debug)]
enum Place {
    Shared(usize),
    Level(usize),
    Field(usize),
    Nowhere,
}

impl WideRecords {
    /// Looks for the `wanted` columns.
    pub(in super::super) fn new(wide: Wide, wanted: &[Wanted]) -> Self {
        let place = |wanted: &Wanted| {
            let name = wanted.column.as_str();
            let shared = wide.shared.iter().find(|(shared, _)| shared == name).map(|(_, at)| Place::Shared(*at));
            let level = || wide.levels.iter().position(|level| level == name).map(Place::Level);
            let field = || wide.fields.iter().position(|field| field == name).map(Place::Field);
            shared.or_else(level).or_else(field).unwrap_or(Place::Nowhere)
        };
        let places = wanted.iter().map(place).collect();
        Self { wide, places }
    }
}

impl Table<'_> {
    /// Adds a row for each series that has a value in the record of the file `file`; `(row, line)` is where it stands.
    ///
    /// # Errors
    /// The record does not fit; nothing was added.
    pub(super) fn push_wide(
        &mut self,
        (file, row, line): (i32, u64, u64),
        record: &[u8],
        records: &WideRecords,
        given: &[Option<Given>],
    ) -> Result<(), String> {
        let layout = &self.set.layout;
        let encoding = layout.encoding_of_records();
        let text = encoding.decode(record).ok_or_else(|| format!("the record is not {}", encoding.name()))?;
        let mut cells = std::mem::take(&mut self.cells);
        cells.read(text.as_bytes(), layout);
        cells.drop_empty_end(records.wide.width);
        if cells.len() != records.wide.width {
            let reason = format!("ragged row: {} cells, header has {}", cells.len(), records.wide.width);
            self.cells = cells;
            return Err(reason);
        }
        let unquoted = cells.text(text.as_bytes());
        let cell = |at: usize| {
            let cell = cells.range(at).and_then(|range| std::str::from_utf8(&unquoted[range]).ok())?;
            (!layout.nulls.iter().any(|null| null == cell)).then_some(cell)
        };
        for series in &records.wide.series {
            if series.cells.iter().all(|(_, at)| cell(*at).is_none()) {
                continue;
            }
            for ((values, given), place) in self.values.iter_mut().zip(given).zip(&records.places) {
                values.append_option(match (given, place) {
                    (Some(given), _) => given.as_deref(),
                    (None, Place::Shared(at)) => cell(*at),
                    (None, Place::Level(level)) => series.names.get(*level).map(String::as_str),
                    (None, Place::Field(field)) => field_of(series, *field).and_then(cell),
                    (None, Place::Nowhere) => None,
                });
            }
            self.files.push(file);
            self.rows.push(row.cast_signed());
            self.lines.push(line.cast_signed());
            self.broken.append_null();
            self.raw.append_null();
        }
        self.cells = cells;
        Ok(())
    }
}

/// Where the field with this index is in a series.
fn field_of(series: &Series, field: usize) -> Option<usize> {
    series.cells.iter().find(|(own, _)| *own == field).map(|(_, at)| *at)
}
