//! Bars within reach of the engine, and what all kinds of sources do to bring them there: which columns are read, and
//! which partition reads which files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::failure::Failure;
use super::scratch::Scratch;
use crate::bars::column::reserved;
use crate::bars::{BarsSpec, FieldKind};
use crate::engine::Arrangement;
use crate::engine::nested;
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::several_types;
use crate::engine::table::{Locators, TableFile};
use crate::source::{
    self, FileIdentity, KeyField, SeriesKey, SeriesOrder, SourceColumn, SourceError, Wanted, WantedKind,
};

/// Files smaller than this are not worth splitting over several cores.
const WORTH_PARTITIONING: u64 = 4 << 20;

/// Bars that lie before the window, and are read where a verdict depends on them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beyond {
    /// The first timestamp that is ever read, µs UTC.
    pub(crate) earliest: Option<i64>,
    /// Series that had bars in the window of the run before, each with its first key field: where they have none now, they
    /// are read whole.
    pub(crate) expected: BTreeMap<String, Option<String>>,
}

impl Beyond {
    /// Where nothing before `earliest` is ever read.
    pub(crate) fn from(earliest: Option<i64>) -> Self {
        Self { earliest, ..Self::default() }
    }
}

/// Bars within reach of the engine.
#[derive(Debug)]
pub(crate) struct Ingested {
    /// What the engine reads.
    pub(crate) input: Input,
    /// The files as they were when they were read.
    pub(crate) identities: Vec<FileIdentity>,
    /// Rows in the files, where that is known.
    pub(crate) rows: Option<u64>,
    /// Bytes of the source.
    pub(crate) bytes: u64,
    /// Seconds it took to copy text into a snapshot.
    pub(crate) extract_seconds: f64,
    /// The snapshot, in a folder that goes with it.
    pub(super) snapshot: Option<(PathBuf, Scratch)>,
    /// The folder of copies of the files, which are there as long as it is.
    #[expect(dead_code, reason = "it is held, not looked at")]
    pub(super) copies: Option<Scratch>,
    /// What lies before the window.
    pub(crate) beyond: Beyond,
    /// Where the source left out bars before the window or after it: the first key fields of the series of which it did not.
    pub(crate) whole_only: Option<BTreeSet<String>>,
}

impl Ingested {
    /// The snapshot, where the source was copied into one.
    pub(crate) fn snapshot(&self) -> Option<&Path> {
        self.snapshot.as_ref().map(|(path, _)| path.as_path())
    }
}

/// A snapshot, and which of its rows are read.
pub(super) struct Stored {
    pub(super) path: PathBuf,
    pub(super) schema: arrow::datatypes::SchemaRef,
    /// Which texts a column may have, for each column that is asked about.
    pub(super) filter: Vec<(String, Vec<String>)>,
}

impl Stored {
    pub(super) async fn input(self, program: &Program, columns: &[Arc<str>], threads: usize) -> Result<Input, Failure> {
        let bytes = FileIdentity::of(&self.path)?.length;
        let files = vec![plan::table_file(self.path.clone(), 0, bytes)];
        let filled = source::filled(&self.path, &self.schema)?;
        let key = key_columns(&program.bars).into_iter().map(KeyField::Column).collect();
        let (arrangement, groups) = arrange(key, files, vec![self.path], threads).await?;
        let schema = plan::narrowed(&filled, columns);
        let (locators, filter, places) = (Locators::Stored, self.filter, Vec::new());
        Ok(Input { groups, schema, whole: None, places, locators, arrangement, filter, window: (None, None) })
    }
}

/// The source columns that a run reads: those of the program and those of its filter.
pub(super) fn columns(program: &Program, filter: &[(String, Vec<String>)]) -> Result<Vec<Arc<str>>, SourceError> {
    let mut columns = plan::columns_to_read(program);
    columns.extend(filter.iter().map(|(column, _)| Arc::from(column.as_str())));
    reject_reserved(program, &columns)?;
    Ok(columns)
}

/// The source columns that a snapshot has: those that a run reads, and those by which it compares rows.
pub(super) fn columns_of_snapshot(
    program: &Program,
    filter: &[(String, Vec<String>)],
) -> Result<Vec<Arc<str>>, SourceError> {
    let mut columns = columns(program, filter)?;
    columns.extend(plan::columns_to_compare(program).into_iter().map(|(name, _)| name));
    Ok(columns)
}

/// Fails where what is read has a name that barkeep's own columns have.
fn reject_reserved(program: &Program, columns: &[Arc<str>]) -> Result<(), SourceError> {
    let names = program.read.iter().map(|index| &program.bars.fields[*index].name).chain(columns);
    for name in names {
        if let Some(reason) = reserved(name) {
            return Err(SourceError::ReservedColumn { column: name.to_string(), reason });
        }
    }
    Ok(())
}

/// The source columns of the series key; what the job itself says of it is the same in all rows and has none.
pub(super) fn key_columns(bars: &BarsSpec) -> Vec<String> {
    let fields = bars.series.iter().filter_map(|name| bars.field(name)).map(|(_, field)| field);
    fields.filter(|field| field.constant.is_none()).map(|field| field.source.to_string()).collect()
}

/// What is read of the source columns `columns`.
pub(super) fn wanted_columns(program: &Program, columns: &[Arc<str>]) -> Vec<Wanted> {
    let kind = |column: &str| {
        if program.bars.time.sources.iter().any(|source| **source == *column) {
            return WantedKind::Time;
        }
        let field = program.bars.fields.iter().find(|field| *field.source == *column);
        match field.map(|field| field.kind) {
            Some(FieldKind::Number) => WantedKind::Number,
            _ => WantedKind::Text,
        }
    };
    let mut wanted: Vec<Wanted> = Vec::new();
    for column in columns {
        if !wanted.iter().any(|other| *other.column == **column) {
            wanted.push(Wanted { column: column.to_string(), kind: kind(column) });
        }
    }
    wanted
}

/// The columns of Parquet files that are read, `columns` among them, and where rows are compared those that bars which are
/// there twice are compared by; others may have any name.
pub(super) fn typed_schemas(
    program: &Program,
    found: &[SourceColumn],
    columns: Vec<Arc<str>>,
) -> (SchemaRef, Option<SchemaRef>) {
    let compared = plan::columns_to_compare(program);
    // Numbers that are stored as text may not decode, which is reported whether a rule looks at them or not.
    let stored_as_text = |name: &str| found.iter().any(|column| column.name == *name && !column.is_numeric());
    let texts = compared.iter().filter(|(name, numeric)| *numeric && stored_as_text(name));
    let looked_at: Vec<Arc<str>> = columns.iter().chain(texts.map(|(name, _)| name)).cloned().collect();
    let whole = program.compares_rows().then(|| {
        let all: Vec<Arc<str>> = columns.into_iter().chain(compared.iter().map(|(name, _)| Arc::clone(name))).collect();
        plan::narrowed(&whole_schema(found, (&looked_at, &all), &program.bars), &all)
    });
    let read = found.iter().filter(|column| is_read(column, &looked_at)).map(typed_field).collect::<Vec<_>>();
    (plan::narrowed(&Schema::new(read), &looked_at), whole)
}

/// The columns by which rows are compared: what files have in several types is read as text, which says all of it.
fn whole_schema(found: &[SourceColumn], (looked_at, all): (&[Arc<str>], &[Arc<str>]), bars: &BarsSpec) -> Schema {
    let exact = |column: &SourceColumn| {
        let is_number = bars.fields.iter().any(|f| *f.source == *column.name && f.kind == FieldKind::Number);
        if !column.several_types || !column.steps.is_empty() || is_read(column, &bars.time.sources) {
            typed_field(column)
        } else if is_number && column.is_numeric() {
            several_types::column(&column.name, true)
        } else if column.is_numeric() || !is_read(column, looked_at) {
            several_types::column(&column.name, false)
        } else {
            typed_field(column)
        }
    };
    Schema::new(found.iter().filter(|column| is_read(column, all)).map(exact).collect::<Vec<_>>())
}

/// Whether a column that can be read is among `names`.
fn is_read(column: &SourceColumn, names: &[Arc<str>]) -> bool {
    column.arrow.is_some() && names.iter().any(|name| **name == *column.name)
}

fn typed_field(column: &SourceColumn) -> Field {
    let data_type = column.arrow.clone().unwrap_or(DataType::Null);
    nested::marked(Field::new(&column.name, data_type, true), &column.steps)
}

/// How the rows of the series, known by the fields `key`, lie in `files`, and which files a partition reads; `paths` are
/// those of the files as a person knows them.
pub(super) async fn arrange(
    key: Vec<KeyField>,
    files: Vec<TableFile>,
    paths: Vec<PathBuf>,
    threads: usize,
) -> Result<(Arrangement, Vec<Vec<TableFile>>), Failure> {
    let order = tokio::task::spawn_blocking(move || source::series_order(&paths, &key, threads)).await??;
    let SeriesOrder::Contiguous(spans) = order else {
        return Ok((Arrangement::Sorted, plan::balanced(files.into_iter().map(|file| vec![file]).collect(), threads)));
    };
    // Files that share a series at their border stay together, in order.
    let mut chains: Vec<Vec<TableFile>> = Vec::new();
    let mut last: Option<&SeriesKey> = None;
    for (index, file) in files.into_iter().enumerate() {
        let mut own = spans.iter().filter(|span| span.file == index);
        let first = own.clone().next().map(|span| &span.first);
        match chains.last_mut() {
            Some(chain) if first.is_none() || first == last => chain.push(file),
            _ => chains.push(vec![file]),
        }
        last = own.next_back().map(|span| &span.last).or(last);
    }
    let bytes: u64 = chains.iter().flatten().map(|file| file.bytes).sum();
    if chains.len() < threads && bytes > WORTH_PARTITIONING {
        let all = chains.into_iter().flatten().collect();
        return Ok((Arrangement::HashPartitioned, vec![all]));
    }
    Ok((Arrangement::InPlace, plan::balanced(chains, threads)))
}
