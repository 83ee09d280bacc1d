//! The table `finding_bars`: the bars around findings, of the first ones of each rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{SortColumn, cast, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::column::names;
use super::destination::Destination;
use super::error::ReportError;
use super::incoming::column;
use super::tables::Table;
use super::write::TableWriter;
use crate::durable::Staged;
use crate::engine::around::MOST_SHOWN;
use crate::engine::program::Program;

/// Keeps the bars around findings. Their number is bounded by that of rules and threads: an operator puts out those of the
/// first findings of each rule only.
#[derive(Debug, Default)]
pub(super) struct FindingBars {
    batches: Vec<RecordBatch>,
}

impl FindingBars {
    /// Takes bars, which are records of the operator.
    pub(super) fn take(&mut self, bars: &RecordBatch) -> Result<(), ReportError> {
        let schema = Table::FindingBars.schema();
        let names = bars.schema();
        let wanted = |index: &usize| {
            let name = names.field(*index).name().as_str();
            name == "rule" || schema.index_of(name).is_ok()
        };
        let wanted: Vec<usize> = (0..names.fields().len()).filter(wanted).collect();
        self.batches.push(bars.project(&wanted)?);
        Ok(())
    }

    /// Forgets what it took.
    pub(super) fn begin_again(&mut self) {
        self.batches.clear();
    }

    /// Writes those of the first findings of each rule by series and timestamp; no file where there are none.
    pub(super) fn finish(self, destination: &Destination, program: &Program) -> Result<Option<Staged>, ReportError> {
        let Some(first) = self.batches.first() else { return Ok(None) };
        let all = concat_batches(&first.schema(), &self.batches)?;
        drop(self.batches);
        let chosen = filter_record_batch(&all, &first_of_each_rule(&all))?;
        let by = |name: &str| SortColumn { values: Arc::clone(column(&chosen, name)), options: None };
        let order = lexsort_to_indices(&[by("series"), by("rule"), by("finding_id"), by("offset")], None)?;
        let sorted = take_record_batch(&chosen, &order)?;
        let rules: &Int32Array = column(&sorted, "rule").as_primitive();
        let id = |rule: Option<i32>| Some(program.rule_id(usize::try_from(rule?).ok()?));
        let ids: StringArray = rules.iter().map(id).collect();
        let run = destination.run.as_str();
        let schema = Table::FindingBars.schema();
        let columns = schema.fields().iter().map(|field| {
            Ok(match field.name().as_str() {
                "run_id" => {
                    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(run, sorted.num_rows()))) as ArrayRef
                }
                "rule_id" => cast(&ids, &names())?,
                same if *field.data_type() == names() => cast(column(&sorted, same), &names())?,
                same => Arc::clone(column(&sorted, same)),
            })
        });
        let table = RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, ReportError>>()?)?;
        let target = destination.file(Table::FindingBars);
        TableWriter::whole(destination, &target, &table, destination.properties().build()).map(Some)
    }
}

/// Which bars are around one of the first [`MOST_SHOWN`] findings of their rule, by series and first timestamp: each thread
/// brings as many.
fn first_of_each_rule(bars: &RecordBatch) -> BooleanArray {
    let rules = column(bars, "rule").as_primitive::<Int32Type>();
    let series: &StringArray = column(bars, "series").as_string();
    let findings: &StringArray = column(bars, "finding_id").as_string();
    let offsets = column(bars, "offset").as_primitive::<Int64Type>();
    let times: &TimestampMicrosecondArray = column(bars, "time").as_primitive::<TimestampMicrosecondType>();
    // A finding at the end of its series has no bar at 0 if it is a gap: the last before it stands for it.
    let mut places: BTreeMap<(i32, &str), (&str, i64)> = BTreeMap::new();
    for row in 0..bars.num_rows() {
        let place = places.entry((rules.value(row), findings.value(row))).or_insert((series.value(row), i64::MIN));
        if offsets.value(row) <= 0 {
            place.1 = place.1.max(times.value(row));
        }
    }
    let mut ranked: Vec<(i32, (&str, i64), &str)> =
        places.into_iter().map(|((rule, finding), place)| (rule, place, finding)).collect();
    ranked.sort_unstable();
    let mut kept = BTreeSet::new();
    for of_rule in ranked.chunk_by(|one, other| one.0 == other.0) {
        kept.extend(of_rule.iter().take(MOST_SHOWN).map(|(rule, _, finding)| (*rule, *finding)));
    }
    (0..bars.num_rows()).map(|row| Some(kept.contains(&(rules.value(row), findings.value(row))))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::durable::Disk;
    use crate::report::testing::{GAP, OHLC, Output, meta, program, read, texts};
    use crate::report::write::Published;

    fn write(dir: &Path, batches: &[RecordBatch]) {
        let destination = Destination::new(&Disk::system(), dir, "demo", &meta(2), true, 0o600);
        let mut bars = FindingBars::default();
        for batch in batches {
            bars.take(batch).unwrap();
        }
        let staged = bars.finish(&destination, &program()).unwrap();
        Published::publish(&Disk::system(), staged.into_iter().collect()).unwrap().keep();
    }

    #[test]
    fn bars_stand_by_series_rule_and_finding_in_the_order_of_time() {
        let dir = tempfile::tempdir().unwrap();
        let one = Output::default().bar(OHLC, "B", 7, (0, true)).bar(OHLC, "B", 7, (1, false)).batch();
        let other = Output::default().bar(GAP, "A", 9, (0, false)).bar(GAP, "A", 9, (-1, false)).batch();
        write(dir.path(), &[one, other]);
        let bars = read(dir.path(), Table::FindingBars);
        for (column, values) in [
            ("rule_id", ["gap", "gap", "ohlc", "ohlc"]),
            ("series", ["A", "A", "B", "B"]),
            ("time", ["1970-01-09T00:00:00Z", "1970-01-10T00:00:00Z", "1970-01-08T00:00:00Z", "1970-01-09T00:00:00Z"]),
            ("session", ["1970-01-09", "1970-01-10", "1970-01-08", "1970-01-09"]),
            ("offset", ["-1", "0", "0", "1"]),
            ("flagged", ["false", "false", "true", "false"]),
            ("close", ["8.0", "9.0", "7.0", "8.0"]),
            ("volume", [""; 4]),
        ] {
            assert_eq!(texts(&bars, column), values, "{column}");
        }
    }

    #[test]
    fn of_what_several_threads_bring_the_first_by_series_and_time_stay() {
        let dir = tempfile::tempdir().unwrap();
        let most = i64::try_from(MOST_SHOWN).unwrap();
        let of = |series: &str| {
            (1..=most).rev().fold(Output::default(), |output, day| output.bar(OHLC, series, day, (0, true))).batch()
        };
        write(dir.path(), &[of("B"), of("A"), Output::default().bar(GAP, "Z", 1, (-1, false)).batch()]);
        let bars = read(dir.path(), Table::FindingBars);
        let series = texts(&bars, "series");
        let count = |name: &str| series.iter().filter(|series| *series == name).count();
        assert_eq!([count("A"), count("B"), count("Z")], [MOST_SHOWN, 0, 1]);
        assert_eq!(texts(&bars, "offset")[MOST_SHOWN], "-1");
    }

    #[test]
    fn without_findings_there_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[]);
        assert!(!dir.path().join("finding_bars").exists());
    }
}
