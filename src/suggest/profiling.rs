//! Takes a profile batch by batch, from bars in the order of series and time.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::partition;
use arrow::datatypes::Float64Type;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use super::of_series::OfSeries;
use super::profile::{Coverage, FieldProfile, Profile};
use crate::bars::BarsSpec;

/// A profile that is being taken.
#[derive(Debug)]
pub(crate) struct Profiling {
    bars: BarsSpec,
    profile: Profile,
    series: OfSeries,
}

impl Profiling {
    /// A profile of `bars`, of which the fields at the indices `read` are read.
    pub(crate) fn new(bars: &BarsSpec, read: &[usize]) -> Self {
        let fields = read.iter().map(|index| &bars.fields[*index]).filter(|field| field.constant.is_none());
        let fields = fields.map(|field| FieldProfile { name: Arc::clone(&field.name), kind: field.kind, nulls: 0 });
        let profile = Profile {
            fields: fields.collect(),
            coverage: bars.grid.is_some().then(Coverage::default),
            ..Profile::default()
        };
        Self { bars: bars.clone(), profile, series: OfSeries::default() }
    }

    /// Takes bars, which lie in the order of the series key and then of time.
    ///
    /// # Errors
    /// A key that cannot be compared.
    pub(crate) fn take(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        for field in &mut self.profile.fields {
            let Some(column) = batch.column_by_name(&field.name) else { continue };
            let nans = column
                .as_primitive_opt::<Float64Type>()
                .map_or(0, |numbers| numbers.iter().flatten().filter(|number| number.is_nan()).count());
            field.nulls += (column.null_count() + nans) as u64;
        }
        let keys: Vec<_> = self.bars.series.iter().filter_map(|name| batch.column_by_name(name)).cloned().collect();
        let ranges = match keys.is_empty() {
            true => std::iter::once(0..batch.num_rows()).collect(),
            false => partition(&keys)?.ranges(),
        };
        for range in ranges {
            let texts = keys.iter().map(|key| match key.is_null(range.start) {
                true => Ok(String::new()),
                false => array_value_to_string(key, range.start),
            });
            let key = texts.collect::<Result<Vec<String>, ArrowError>>()?;
            if self.series.key.as_ref() != Some(&key) {
                self.end_series();
                self.series.key = Some(key);
            }
            self.series.take(&batch.slice(range.start, range.len()));
        }
        Ok(())
    }

    /// The profile of all that was taken.
    pub(crate) fn finish(mut self) -> Profile {
        self.end_series();
        self.profile
    }

    fn end_series(&mut self) {
        std::mem::take(&mut self.series).add_to(&mut self.profile, &self.bars);
    }
}
