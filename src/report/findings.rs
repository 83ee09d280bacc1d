//! The table `findings`: takes findings as they arrive, and writes them in parts of bounded size.
//!
//! A part is sorted by (series, time, rule), at most [`PART`] rows long, and ended early where its rows are long, so
//! memory is bounded by a part, not by what was found.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::destination::Destination;
use super::error::ReportError;
use super::finding_columns::FindingColumns;
use super::fixed::{self, Because};
use super::history::Previous;
use super::incoming::column;
use super::marks::{Marked, Marks};
use super::tables::Table;
use super::tally::{RuleTally, Tally};
use super::write::TableWriter;
use crate::decide::Labels;
use crate::durable::Staged;
use crate::engine::program::Program;

/// Most findings in one file.
pub const PART: usize = 200_000;

/// Bytes of buffered findings after which a part is ended early: a broken line can be as long as it likes.
const PART_BYTES: usize = 256 << 20;

/// Columns of the operator that columns of another name are made from.
const SOURCES: [&str; 4] = ["rule", "file", "row", "id"];

/// Writes the findings of one run.
#[derive(Debug)]
pub(super) struct FindingParts {
    destination: Arc<Destination>,
    columns: FindingColumns,
    marks: Marks,
    most: usize,
    buffer: Vec<RecordBatch>,
    buffered: usize,
    bytes: usize,
    staged: Vec<Staged>,
}

impl FindingParts {
    /// Bytes of the findings that wait to be written.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Parts of at most `most` findings of `program` over `files`, by index.
    pub(super) fn new(
        destination: Arc<Destination>,
        program: &Arc<Program>,
        files: Vec<String>,
        previous: Previous,
        most: usize,
    ) -> Self {
        let run = destination.run.as_str();
        Self {
            columns: FindingColumns::new(program, run, previous.run(), files),
            marks: Marks::new(run, program, previous),
            destination,
            most,
            buffer: Vec::new(),
            buffered: 0,
            bytes: 0,
            staged: Vec::new(),
        }
    }

    /// Rows are those of the snapshot at `path`, which is there until the last part is written.
    pub(super) fn look_up_in(&mut self, path: Option<&Path>) {
        self.columns.snapshot = path.map(Path::to_path_buf);
    }

    /// What a person decided, that still counts.
    pub(super) fn set_labels(&mut self, labels: Labels) {
        self.marks.set_labels(labels);
    }

    /// What labels and the run before say of them.
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Counts a finding as accepted, for a person put its row back.
    pub(super) fn accept(&mut self, finding_id: &str, tally: &mut RuleTally) {
        self.marks.accept(finding_id, tally);
    }

    /// Forgets what it took.
    pub(super) fn begin_again(&mut self) {
        self.marks.begin_again();
        self.buffer.clear();
        (self.buffered, self.bytes) = (0, 0);
        // Parts that are not published are removed.
        self.staged.clear();
    }

    /// Takes findings, which are records of the operator; their rules are known to exist. Those of each rule are counted by
    /// what labels and the run before say of them.
    pub(super) fn take(&mut self, findings: &RecordBatch, rules: &mut [RuleTally]) -> Result<(), ReportError> {
        let (schema, table) = (findings.schema(), Table::Findings.schema());
        let wanted = |index: &usize| {
            let name = schema.field(*index).name().as_str();
            SOURCES.contains(&name) || table.index_of(name).is_ok()
        };
        let wanted: Vec<usize> = (0..schema.fields().len()).filter(wanted).collect();
        let mut rest = with_marks(&findings.project(&wanted)?, self.marks.take(findings, rules))?;
        let row_bytes = rest.get_array_memory_size() / rest.num_rows().max(1);
        while self.buffered + rest.num_rows() >= self.most {
            let fits = self.most - self.buffered;
            self.buffer.push(rest.slice(0, fits));
            rest = rest.slice(fits, rest.num_rows() - fits);
            self.write_part()?;
        }
        if rest.num_rows() > 0 {
            self.buffered += rest.num_rows();
            self.bytes += row_bytes * rest.num_rows();
            self.buffer.push(rest);
        }
        if self.bytes >= PART_BYTES { self.write_part() } else { Ok(()) }
    }

    fn write_part(&mut self) -> Result<(), ReportError> {
        let Some(first) = self.buffer.first() else { return Ok(()) };
        let all = concat_batches(&first.schema(), &self.buffer)?;
        self.buffer.clear();
        (self.buffered, self.bytes) = (0, 0);
        let sorted = take_record_batch(&all, &self.columns.order(&all)?)?;
        let texts = |name: &str| column(&sorted, name).as_string();
        let labels = self.marks.with_accepted(texts("label"), texts("finding_id"));
        let table = self.columns.table(&sorted, &labels)?;
        let target = self.destination.part(Table::Findings, self.staged.len());
        self.staged.push(TableWriter::whole(&self.destination, &target, &table, self.properties(table.num_rows()))?);
        Ok(())
    }

    fn properties(&self, rows: usize) -> WriterProperties {
        let schema = Table::Findings.schema();
        let sorted = ["series", "time", "rule_id"].iter().filter_map(|name| schema.index_of(name).ok());
        let sorted = sorted.filter_map(|index| i32::try_from(index).ok());
        let sorted = sorted.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
        let properties = self.destination.properties().set_sorting_columns(Some(sorted.collect()));
        ["finding_id", "row_key"]
            .into_iter()
            .map(ColumnPath::from)
            .fold(properties, |properties, column| {
                let properties = properties.set_column_bloom_filter_enabled(column.clone(), true);
                properties.set_column_bloom_filter_max_ndv(column, rows as u64)
            })
            .build()
    }

    /// Writes what is left; gives the rules what is new and what is fixed.
    pub(super) fn finish(
        mut self,
        program: &Program,
        tally: &mut Tally,
        whole: &BTreeSet<String>,
    ) -> Result<Vec<Staged>, ReportError> {
        self.write_part()?;
        let fixed = match &self.marks.previous {
            Previous::TooMany | Previous::OtherWindows | Previous::Unknown => return Ok(self.staged),
            Previous::None => HashMap::new(),
            Previous::Known(known) => known.fixed(whole),
        };
        let counts = fixed.values().fold(HashMap::<&str, i64>::new(), |mut counts, rule| {
            *counts.entry(*rule).or_default() += 1;
            counts
        });
        for (index, (rule, new)) in tally.rules.iter_mut().zip(&self.marks.new).enumerate() {
            rule.new = Some(*new);
            rule.fixed = Some(counts.get(program.rule_id(index)).copied().unwrap_or(0));
        }
        if let Previous::Known(known) = &self.marks.previous {
            let before = known.rules_before();
            for (index, rule) in tally.rules.iter_mut().enumerate() {
                let sha256 = program.rules.rules.get(index).map(|rule| rule.sha256.as_str());
                rule.change = before.change(program.rule_id(index), sha256);
            }
            let is_there = |id: &&str| (0..tally.rules.len()).any(|index| program.rule_id(index) == *id);
            let removed =
                before.ids().filter(|id| !is_there(id)).filter_map(|id| Some((id.to_owned(), *counts.get(id)?)));
            tally.removed_rules = removed.collect();
            let changed = |id: &str| {
                let mut rules = (0..tally.rules.len()).filter(|index| program.rule_id(*index) == id);
                rules.next().is_none_or(|index| tally.rules[index].change.is_some())
            };
            let because = |rule: &str| if changed(rule) { Because::Rule } else { Because::Data };
            let fixed = fixed.iter().map(|(id, rule)| (*id, because(rule))).collect();
            self.staged.extend(fixed::stage(&self.destination, known.files(), fixed)?);
        }
        Ok(self.staged)
    }
}

/// Findings with what labels and the run before say of them.
fn with_marks(findings: &RecordBatch, marked: Marked) -> Result<RecordBatch, ArrowError> {
    let Marked { is_new, first_seen_run, label } = marked;
    let more: [(&str, ArrayRef); 3] =
        [("is_new", Arc::new(is_new)), ("first_seen_run", Arc::new(first_seen_run)), ("label", Arc::new(label))];
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) =
        more.into_iter().map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column)).unzip();
    let schema = findings.schema();
    let fields: Vec<_> = schema.fields().iter().cloned().chain(fields.into_iter().map(Arc::new)).collect();
    let columns = findings.columns().iter().cloned().chain(columns).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::bloom_filter::Sbbf;
    use parquet::file::properties::ReaderProperties;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::file::serialized_reader::ReadOptionsBuilder;

    use super::*;
    use crate::durable::Disk;
    use crate::market::DAY_US;
    use crate::report::collector::Collector;
    use crate::report::history::previous_findings;
    use crate::report::margins::Coverage;
    use crate::report::margins::Margins;
    use crate::report::run::{Outcome, RunMeta, RunStatus};
    use crate::report::testing::{OHLC, OUTLIER, Output, clean_series, finding_id, meta, program, texts};
    use crate::report::write::Published;
    use crate::text::utc::UtcMicros;

    fn parts(dir: &Path, most: usize) -> FindingParts {
        parts_after(dir, Previous::None, most)
    }

    fn parts_after(dir: &Path, previous: Previous, most: usize) -> FindingParts {
        let destination = Arc::new(Destination::new(&Disk::system(), dir, "demo", &meta(2), true, 0o600));
        FindingParts::new(destination, &program(), vec!["a.csv".to_owned()], previous, most)
    }

    fn tally() -> Tally {
        Tally::new(&program())
    }

    fn publish(parts: FindingParts) {
        Published::publish(&Disk::system(), parts.finish(&program(), &mut tally(), &BTreeSet::new()).unwrap())
            .unwrap()
            .keep();
    }

    fn part(dir: &Path, number: usize) -> std::path::PathBuf {
        Table::Findings.part(dir, "demo", &meta(2).run_id, number)
    }

    fn rows(path: &Path) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    #[test]
    fn parts_are_bounded_and_hold_every_finding_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts(dir.path(), 4);
        for batch in [7, 1, 2] {
            let output =
                (0..batch).fold(Output::default(), |output, row| output.finding(OHLC, "A", row, 10 * batch + row));
            parts.take(&output.batch(), &mut tally().rules).unwrap();
        }
        publish(parts);
        let counts: Vec<usize> = (0..3).map(|number| rows(&part(dir.path(), number)).num_rows()).collect();
        assert_eq!(counts, [4, 4, 2]);
        assert!(!part(dir.path(), 3).exists());
        let mut ids: Vec<String> =
            (0..3).flat_map(|number| texts(&rows(&part(dir.path(), number)), "finding_id")).collect();
        ids.sort();
        let mut wanted: Vec<String> = [7, 1, 2]
            .iter()
            .flat_map(|batch| (0..*batch).map(move |row| finding_id(OHLC, "A", 10 * batch + row)))
            .collect();
        wanted.sort();
        assert_eq!(ids, wanted);
    }

    #[test]
    fn whether_the_run_before_would_have_found_it_hangs_on_the_cause_too() {
        let dir = tempfile::tempdir().unwrap();
        let over = |hour, day: i64| RunMeta { window: (Some(day * DAY_US), None), ..meta(hour) };
        let mut before = Collector::new(dir.path(), program(), over(1, 100), Vec::new(), Previous::None);
        before.take(&clean_series("A").batch()).unwrap();
        before.finish(Outcome::new(RunStatus::Ok, 0, UtcMicros(0))).unwrap();
        let window = over(2, 104).window;
        let previous = previous_findings(
            dir.path(),
            "demo",
            &Coverage { window, in_part: false, margins: Margins::of(&program(), window) },
        )
        .unwrap();
        let mut parts = parts_after(dir.path(), previous, 10);
        // At the beginning of the window a gap needs the bar before it; what is said of a stretch of days does not.
        parts
            .take(&Output::default().gap("A", 104, 1).gap_of("shifted", "B", 104, 1).batch(), &mut tally().rules)
            .unwrap();
        publish(parts);
        let rows = rows(&part(dir.path(), 0));
        let is_new: Vec<Option<bool>> = column(&rows, "is_new").as_boolean().iter().collect();
        assert_eq!((texts(&rows, "series"), is_new), (vec!["A".to_owned(), "B".to_owned()], vec![None, Some(true)]));
    }

    #[test]
    fn a_part_is_sorted_by_series_time_and_rule() {
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts(dir.path(), PART);
        let shuffled = Output::default()
            .finding(OUTLIER, "B", 1, 1)
            .finding(OHLC, "A", 9, 2)
            .finding(OHLC, "A", 3, 3)
            .finding(OUTLIER, "A", 3, 4)
            .gap("A", 3, 2);
        parts.take(&shuffled.batch(), &mut tally().rules).unwrap();
        publish(parts);
        let rows = rows(&part(dir.path(), 0));
        assert_eq!(texts(&rows, "series"), ["A", "A", "A", "A", "B"]);
        assert_eq!(texts(&rows, "rule_id"), ["close-outlier", "gap", "ohlc", "ohlc", "close-outlier"]);
        assert_eq!(
            texts(&rows, "time")[..4].iter().map(|time| &time[..10]).collect::<Vec<_>>(),
            ["1970-01-04", "1970-01-04", "1970-01-04", "1970-01-10",]
        );
    }

    #[test]
    fn a_part_says_who_wrote_it_and_how_it_is_sorted() {
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts(dir.path(), PART);
        parts
            .take(&Output::default().finding(OHLC, "A", 1, 1).finding(OHLC, "A", 2, 2).batch(), &mut tally().rules)
            .unwrap();
        publish(parts);
        let options = ReadOptionsBuilder::new()
            .with_reader_properties(ReaderProperties::builder().set_read_bloom_filter(true).build())
            .with_page_index()
            .build();
        let file = File::open(part(dir.path(), 0)).unwrap();
        let reader = SerializedFileReader::new_with_options(file, options).unwrap();
        let metadata = reader.metadata();
        let pairs = metadata.file_metadata().key_value_metadata().unwrap();
        for (key, value) in [
            ("schema_version", "1".to_owned()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("run_id", "20261120T020000Z-aaaa".to_owned()),
            ("job", "demo".to_owned()),
            ("job_sha256", "j".repeat(64)),
            ("rules_sha256", "r".repeat(64)),
            ("scope", "whole".to_owned()),
        ] {
            let pair = pairs.iter().find(|pair| pair.key == format!("barkeep.{key}")).unwrap();
            assert_eq!(pair.value.as_ref(), Some(&value), "{key}");
        }
        let group = metadata.row_group(0);
        let name = |index: i32| group.column(usize::try_from(index).unwrap()).column_path().string();
        let sorted: Vec<String> =
            group.sorting_columns().unwrap().iter().map(|column| name(column.column_idx)).collect();
        assert_eq!(sorted, ["series", "time", "rule_id"]);
        assert!(metadata.column_index().is_some() && metadata.offset_index().is_some());
        let filter = |name: &str| -> Option<Sbbf> {
            let index = Table::Findings.schema().index_of(name).unwrap();
            reader.get_row_group(0).unwrap().get_column_bloom_filter(index).cloned()
        };
        assert!(filter("finding_id").unwrap().check(finding_id(OHLC, "A", 1).as_str()));
        assert!(!filter("finding_id").unwrap().check("nothing of the kind"));
        assert!(filter("row_key").is_some() && filter("locator").is_none());
    }

    #[test]
    fn a_file_nobody_named_is_a_bug() {
        let dir = tempfile::tempdir().unwrap();
        let mut parts = parts(dir.path(), PART);
        parts.columns.files.clear();
        parts.take(&Output::default().finding(OHLC, "A", 1, 1).batch(), &mut tally().rules).unwrap();
        let error = parts.finish(&program(), &mut tally(), &BTreeSet::new()).unwrap_err();
        assert!(matches!(error, ReportError::Records(_)), "{error}");
    }
}
