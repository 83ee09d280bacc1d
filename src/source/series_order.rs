//! Whether every series of a Parquet source is one unbroken run of rows, so that nothing needs to be sorted by series.
//!
//! Reads the key columns only, as dictionary indices, and compares texts just where an index changes. Row groups are
//! read in parallel; the first series that comes back after another one ends the search. Says nothing of the order
//! of rows within a series.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use arrow::array::{Array, AsArray, DictionaryArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Schema};

use super::SourceError;
use super::column::plain;
use super::error::quoted;
use super::parquet::open;

const BATCH_ROWS: usize = 64 << 10;

/// The values of the key columns that name one series, in the order of the columns; NULL is a value.
pub type SeriesKey = Vec<Option<String>>;

/// The series in one row group that has rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpan {
    /// Position of the file in the list that was asked about.
    pub file: usize,
    /// Number of the row group in the file, from 0.
    pub row_group: usize,
    /// Its rows.
    pub rows: u64,
    /// How many series have rows in it.
    pub series: usize,
    /// The series of its first row.
    pub first: SeriesKey,
    /// The series of its last row.
    pub last: SeriesKey,
}

/// How the rows of a source are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeriesOrder {
    /// Each series is one run of rows; one may go on in the next row group or file. The row groups are in order.
    Contiguous(Vec<KeySpan>),
    /// A series has rows before and after those of another one. Which of several such rows is reported is not fixed.
    Scattered {
        /// The file with the row.
        file: PathBuf,
        /// The row where the series comes back, from 1.
        row: u64,
        /// The series.
        series: SeriesKey,
    },
    /// A key column is not text, so nothing was looked at.
    NotText {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
    },
}

/// A field of the series key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyField {
    /// A column of the files.
    Column(String),
    /// What it is in every row of a file, by the position of the file.
    Given(Vec<Option<String>>),
}

/// Looks at the key `fields` of Parquet files, read in this order.
///
/// # Errors
/// When a file does not read or has no such column.
pub fn series_order(files: &[PathBuf], fields: &[KeyField], threads: usize) -> Result<SeriesOrder, SourceError> {
    let mut sources = Vec::with_capacity(files.len());
    for (file, path) in files.iter().enumerate() {
        match Source::open(path, file, fields)? {
            Ok(source) => sources.push(source),
            Err(column) => return Ok(SeriesOrder::NotText { file: path.clone(), column }),
        }
    }
    let units = units(&sources);
    let mut scans = scan_all(&sources, &units, threads)?;
    scans.sort_by_key(|(unit, _)| *unit);
    Ok(merge(&sources, &units, &scans))
}

/// A file with the columns to read.
struct Source<'a> {
    path: &'a Path,
    metadata: ArrowReaderMetadata,
    /// Where the key fields are.
    key: Vec<Part>,
}

/// Where a field of the series key is.
enum Part {
    /// At this position of the file's columns.
    Column(usize),
    /// The same in the whole file.
    Given(Option<String>),
}

/// One row group.
#[derive(Clone, Copy)]
struct Unit {
    file: usize,
    row_group: usize,
    rows: u64,
    /// Rows of the file before it.
    rows_before: u64,
}

/// The runs of one row group: the row each begins at, from 0, and its series. No two neighbours are of one series.
struct Runs {
    runs: Vec<(u64, SeriesKey)>,
    /// Set when the last run is of a series that was there before.
    scattered: bool,
}

impl<'a> Source<'a> {
    /// Reads the footer. The inner error is the name of a column that is not text.
    fn open(path: &'a Path, file: usize, key_fields: &[KeyField]) -> Result<Result<Self, String>, SourceError> {
        let (_, metadata) = open(path, ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;
        let mut fields: Vec<FieldRef> = metadata.schema().fields().to_vec();
        let mut key = Vec::with_capacity(key_fields.len());
        for field in key_fields {
            let column = match field {
                KeyField::Column(column) => column,
                KeyField::Given(values) => {
                    key.push(Part::Given(values.get(file).cloned().flatten()));
                    continue;
                }
            };
            // What is in a struct is not looked at.
            if fields.iter().any(|field| field.name() != column && column.starts_with(&format!("{}.", field.name())))
                && fields.iter().all(|field| field.name() != column)
            {
                return Ok(Err(column.clone()));
            }
            let position = fields.iter().position(|field| field.name() == column).ok_or_else(|| {
                let available = quoted(fields.iter().map(|field| field.name().as_str()));
                SourceError::MissingColumn { path: path.to_path_buf(), column: column.clone(), available }
            })?;
            if *plain(fields[position].data_type()) != DataType::Utf8 {
                return Ok(Err(column.clone()));
            }
            let indices = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            fields[position] = Arc::new(Field::new(column, indices, fields[position].is_nullable()));
            key.push(Part::Column(position));
        }
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
            .map_err(|error| SourceError::parquet(path, error))?;
        Ok(Ok(Self { path, metadata, key }))
    }

    /// The runs of one row group, as far as they were found before `stop` was set.
    fn scan(&self, row_group: usize, stop: &AtomicBool) -> Result<Runs, SourceError> {
        let given = |part: &Part| if let Part::Given(value) = part { Some(value.clone()) } else { None };
        if let Some(series) = self.key.iter().map(given).collect::<Option<SeriesKey>>() {
            return Ok(Runs { runs: vec![(0, series)], scattered: false });
        }
        let file = File::open(self.path).map_err(|error| SourceError::read(self.path, error))?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.positions());
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![row_group])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| SourceError::parquet(self.path, error))?;
        let mut search = Search { runs: Vec::new(), seen: HashSet::new(), rows: 0 };
        for batch in batches {
            let batch = batch.map_err(|error| SourceError::parquet(self.path, error.into()))?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if self.add(&mut search, &batch) {
                stop.store(true, Ordering::Relaxed);
                return Ok(Runs { runs: search.runs, scattered: true });
            }
        }
        Ok(Runs { runs: search.runs, scattered: false })
    }

    /// Positions of the columns that are read.
    fn positions(&self) -> impl Iterator<Item = usize> {
        self.key.iter().filter_map(|part| if let Part::Column(position) = part { Some(*position) } else { None })
    }

    /// Adds the runs of a batch; `true` when a series came back.
    fn add(&self, search: &mut Search, batch: &RecordBatch) -> bool {
        let mut in_file: Vec<usize> = self.positions().collect();
        in_file.sort_unstable();
        in_file.dedup();
        let field = |part: &'_ Part| {
            Some(match part {
                Part::Column(position) => {
                    InBatch::Column(batch.column(in_file.binary_search(position).ok()?).as_dictionary_opt()?)
                }
                Part::Given(value) => InBatch::Given(value.clone()),
            })
        };
        let fields: Option<Vec<InBatch<'_>>> = self.key.iter().map(field).collect();
        fields.is_some_and(|fields| search.add(&fields, batch.num_rows()))
    }
}

/// A field of the series key in a batch.
enum InBatch<'a> {
    Column(&'a DictionaryArray<Int32Type>),
    Given(Option<String>),
}

/// The runs found so far in one row group.
struct Search {
    runs: Vec<(u64, SeriesKey)>,
    seen: HashSet<SeriesKey>,
    rows: u64,
}

impl Search {
    /// Adds the runs of one batch; `true` when a series came back, which is then the last run.
    fn add(&mut self, fields: &[InBatch<'_>], rows: usize) -> bool {
        let mut ends = vec![0; fields.len()];
        let mut at = 0;
        while at < rows {
            for (end, field) in ends.iter_mut().zip(fields) {
                if *end <= at {
                    *end = if let InBatch::Column(column) = field { run_end(column, at) } else { rows };
                }
            }
            let value = |field: &InBatch<'_>| match field {
                InBatch::Column(column) => text(column, at),
                InBatch::Given(value) => value.clone(),
            };
            let key: SeriesKey = fields.iter().map(value).collect();
            if self.runs.last().is_none_or(|(_, last)| *last != key) {
                let back = !self.seen.insert(key.clone());
                self.runs.push((self.rows + at as u64, key));
                if back {
                    return true;
                }
            }
            at = ends.iter().copied().min().unwrap_or(rows);
        }
        self.rows += rows as u64;
        false
    }
}

/// The row after the last one with the same index as row `start`.
fn run_end(column: &DictionaryArray<Int32Type>, start: usize) -> usize {
    let indices = column.keys();
    let rest = start + 1..indices.len();
    let changed = if indices.null_count() == 0 {
        let values = indices.values();
        let first = values[start];
        values[rest.clone()].iter().position(|index| *index != first)
    } else {
        let first = column.key(start);
        rest.clone().position(|row| column.key(row) != first)
    };
    changed.map_or(rest.end, |length| rest.start + length)
}

fn text(column: &DictionaryArray<Int32Type>, row: usize) -> Option<String> {
    let values = column.values().as_string_opt::<i32>()?;
    let index = column.key(row)?;
    values.is_valid(index).then(|| values.value(index).to_owned())
}

fn units(sources: &[Source<'_>]) -> Vec<Unit> {
    let mut units = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let mut rows_before = 0;
        for (row_group, metadata) in source.metadata.metadata().row_groups().iter().enumerate() {
            let rows = metadata.num_rows().unsigned_abs();
            if rows > 0 {
                units.push(Unit { file, row_group, rows, rows_before });
            }
            rows_before += rows;
        }
    }
    units
}

/// Scans row groups on `threads` cores; those not yet begun when a series came back are left out.
fn scan_all(sources: &[Source<'_>], units: &[Unit], threads: usize) -> Result<Vec<(usize, Runs)>, SourceError> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut scans = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(number) else { break };
            let scan =
                sources[unit.file].scan(unit.row_group, &stop).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            scans.push((number, scan));
        }
        Ok(scans)
    };
    let threads = threads.clamp(1, units.len().max(1));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::with_capacity(units.len());
        for worker in workers {
            match worker.join() {
                Ok(scans) => all.extend(scans?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

/// Looks for series that come back in another row group.
fn merge(sources: &[Source<'_>], units: &[Unit], scans: &[(usize, Runs)]) -> SeriesOrder {
    let back = |unit: &Unit, (row, series): &(u64, SeriesKey)| SeriesOrder::Scattered {
        file: sources[unit.file].path.to_path_buf(),
        row: unit.rows_before + row + 1,
        series: series.clone(),
    };
    if let Some((unit, runs)) = scans.iter().find(|(_, runs)| runs.scattered)
        && let Some(run) = runs.runs.last()
    {
        return back(&units[*unit], run);
    }
    let mut seen: HashSet<&SeriesKey> = HashSet::new();
    let mut found: Vec<KeySpan> = Vec::with_capacity(scans.len());
    for (number, runs) in scans {
        let unit = &units[*number];
        for (index, run) in runs.runs.iter().enumerate() {
            let goes_on = index == 0 && found.last().is_some_and(|span| span.last == run.1);
            if !seen.insert(&run.1) && !goes_on {
                return back(unit, run);
            }
        }
        if let (Some((_, first)), Some((_, last))) = (runs.runs.first(), runs.runs.last()) {
            found.push(KeySpan {
                file: unit.file,
                row_group: unit.row_group,
                rows: unit.rows,
                series: runs.runs.len(),
                first: first.clone(),
                last: last.clone(),
            });
        }
    }
    SeriesOrder::Contiguous(found)
}

#[cfg(test)]
mod tests {
    use ::parquet::arrow::ArrowWriter;
    use ::parquet::file::properties::WriterProperties;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::super::Format;
    use super::super::testing::{Fixture, parquet_bytes};
    use super::*;

    type Rows<'a> = Vec<(Option<&'a str>, Option<&'a str>)>;

    /// A file whose row groups have at most `group` rows.
    fn file(rows: &Rows<'_>, group: usize, dictionary: bool) -> Vec<u8> {
        let symbol: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>());
        let period: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>());
        let number: ArrayRef = Arc::new((0_i64..).take(rows.len()).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("period", period, true),
            ("n", number, true),
            ("symbol", symbol, true),
        ])
        .unwrap();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(group))
            .set_dictionary_enabled(dictionary)
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn columns(names: &[&str]) -> Vec<KeyField> {
        names.iter().map(|name| KeyField::Column((*name).to_owned())).collect()
    }

    fn order(files: &[Vec<u8>]) -> SeriesOrder {
        let names: Vec<String> = (0..files.len()).map(|n| format!("{n}.parquet")).collect();
        let files: Vec<(&str, &Vec<u8>)> = names.iter().map(String::as_str).zip(files).collect();
        let fixture = Fixture::new(Format::Parquet, &files);
        series_order(&fixture.set.files, &columns(&["symbol", "period"]), 2).unwrap()
    }

    fn daily<'a>(symbols: &[&'a str]) -> Rows<'a> {
        symbols.iter().map(|symbol| (Some(*symbol), Some("1d"))).collect()
    }

    fn key(symbol: &str) -> SeriesKey {
        vec![Some(symbol.to_owned()), Some("1d".to_owned())]
    }

    #[test]
    fn series_in_runs_are_contiguous_over_row_groups_and_files() {
        let files = [file(&daily(&["B", "B", "A", "A", "A"]), 2, true), file(&daily(&["A", "C"]), 9, true)];
        let span = |file, row_group, rows, series, first, last| KeySpan {
            file,
            row_group,
            rows,
            series,
            first: key(first),
            last: key(last),
        };
        assert_eq!(
            order(&files),
            SeriesOrder::Contiguous(vec![
                span(0, 0, 2, 1, "B", "B"),
                span(0, 1, 2, 1, "A", "A"),
                span(0, 2, 1, 1, "A", "A"),
                span(1, 0, 2, 2, "A", "C"),
            ])
        );
    }

    #[test]
    fn a_field_of_the_path_is_one_value_a_file() {
        let files = [file(&daily(&["B", "A"]), 1, true), file(&daily(&["B"]), 9, true)];
        let fixture = Fixture::new(Format::Parquet, &[("0.parquet", &files[0]), ("1.parquet", &files[1])]);
        let given = |values: [Option<&str>; 2]| KeyField::Given(values.map(|value| value.map(str::to_owned)).to_vec());
        let ends = |fields: &[KeyField]| match series_order(&fixture.set.files, fields, 2).unwrap() {
            SeriesOrder::Contiguous(spans) => {
                Some(spans.into_iter().map(|span| (span.first, span.last)).collect::<Vec<_>>())
            }
            _ => None,
        };
        let key = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<SeriesKey>();
        let whole = |text: &str| (key(&[text]), key(&[text]));
        assert_eq!(ends(&[given([Some("X"), Some("Y")])]).unwrap(), [whole("X"), whole("X"), whole("Y")]);
        assert_eq!(ends(&[given([Some("X"), None])]).unwrap()[2], (vec![None], vec![None]));
        let both = [given([Some("X"), Some("Y")]), KeyField::Column("symbol".to_owned())];
        assert_eq!(ends(&both).unwrap()[0], (key(&["X", "B"]), key(&["X", "B"])));
        let same = [given([Some("X"), Some("X")]), KeyField::Column("symbol".to_owned())];
        assert_eq!(ends(&same), None, "B of X comes back");
    }

    #[test]
    fn a_series_that_comes_back_is_reported_with_its_row() {
        let scattered = |files: &[Vec<u8>]| match order(files) {
            SeriesOrder::Scattered { file, row, series } => (file.file_name().unwrap().to_owned(), row, series),
            other => panic!("{other:?}"),
        };
        let within = [file(&daily(&["A", "B", "A"]), 9, true)];
        assert_eq!(scattered(&within), ("0.parquet".into(), 3, key("A")));
        let across_groups = [file(&daily(&["A", "B", "B", "A"]), 2, true)];
        assert_eq!(scattered(&across_groups), ("0.parquet".into(), 4, key("A")));
        let across_files =
            [file(&daily(&["A", "B"]), 9, true), file(&daily(&["C"]), 9, true), file(&daily(&["C", "A"]), 9, true)];
        assert_eq!(scattered(&across_files), ("2.parquet".into(), 2, key("A")));
    }

    #[test]
    fn null_is_a_series_of_its_own() {
        let apart: Rows<'_> = vec![(None, Some("1d")), (None, Some("1d")), (Some("A"), None), (Some("A"), Some("1d"))];
        assert!(matches!(order(&[file(&apart, 9, true)]), SeriesOrder::Contiguous(_)));
        let back: Rows<'_> = vec![(None, None), (Some("A"), None), (None, None)];
        assert!(matches!(order(&[file(&back, 9, true)]), SeriesOrder::Scattered { row: 3, .. }));
    }

    #[test]
    fn no_rows_are_contiguous() {
        assert_eq!(order(&[file(&vec![], 9, true)]), SeriesOrder::Contiguous(vec![]));
        assert_eq!(order(&[]), SeriesOrder::Contiguous(vec![]));
    }

    #[test]
    fn a_column_that_is_missing_or_no_text_is_reported() {
        let fixture = Fixture::new(Format::Parquet, &[("a.parquet", file(&daily(&["A"]), 9, true))]);
        let error = series_order(&fixture.set.files, &columns(&["symbl"]), 2).unwrap_err().to_string();
        assert!(error.ends_with("a.parquet` has no column `symbl`; it has `period`, `n`, `symbol`"), "{error}");
        let order = series_order(&fixture.set.files, &columns(&["symbol", "n"]), 2).unwrap();
        assert!(matches!(order, SeriesOrder::NotText { column, .. } if column == "n"));
    }

    #[test]
    fn a_file_that_is_cut_is_an_error() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let bytes = parquet_bytes(&RecordBatch::try_from_iter([("n", numbers)]).unwrap());
        let fixture = Fixture::new(Format::Parquet, &[("a.parquet", &bytes[..bytes.len() - 4])]);
        assert!(matches!(series_order(&fixture.set.files, &columns(&["n"]), 2), Err(SourceError::NotParquet { .. })));
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_a_naive_search(
            rows in proptest::collection::vec((proptest::option::of(0_u8..4), proptest::option::of(0_u8..2)), 0..12),
            sorted: bool, group in 1_usize..5, cut in 0_usize..12, dictionary: bool,
        ) {
            const NAMES: [&str; 4] = ["A", "B", "C", "D"];
            let mut rows: Rows<'_> =
                rows.iter().map(|(s, p)| (s.map(|s| NAMES[usize::from(s)]), p.map(|p| NAMES[usize::from(p)]))).collect();
            if sorted {
                rows.sort_unstable();
            }
            let mut runs = rows.clone();
            runs.dedup();
            let distinct: HashSet<_> = runs.iter().collect();
            let (head, tail) = rows.split_at(cut.min(rows.len()));
            let files = [file(&head.to_vec(), group, dictionary), file(&tail.to_vec(), group, !dictionary)];
            match order(&files) {
                SeriesOrder::Contiguous(spans) => {
                    prop_assert_eq!(distinct.len(), runs.len());
                    prop_assert_eq!(spans.iter().map(|span| span.rows).sum::<u64>(), rows.len() as u64);
                }
                SeriesOrder::Scattered { .. } => prop_assert!(distinct.len() < runs.len()),
                SeriesOrder::NotText { column, .. } => prop_assert!(false, "{column} is text"),
            }
        }
    }
}
