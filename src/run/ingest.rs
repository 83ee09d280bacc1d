//! Makes the bars of a source readable by the engine: text and documents are copied into a snapshot, Parquet is read
//! where it lies.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;

use super::context::Context;
use super::events::Stage;
use super::failure::Failure;
use super::job;
use super::open::{At, Collected, Opened, open};
use super::scratch::Scratch;
use crate::bars::column::reserved;
use crate::bars::{BarsSpec, FieldKind};
use crate::config::job::{FilterValue, Source};
use crate::engine::Arrangement;
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::table::{Locators, TableFile};
use crate::source::mongodb::filter;
use crate::source::{self, FileIdentity, FilesSet, SeriesKey, SeriesOrder, SourceError, Wanted, WantedKind};

/// Files smaller than this are not worth splitting over several cores.
const WORTH_PARTITIONING: u64 = 4 << 20;

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
    snapshot: Option<(PathBuf, Scratch)>,
}

impl Ingested {
    /// The snapshot, where the source was copied into one.
    pub(crate) fn snapshot(&self) -> Option<&Path> {
        self.snapshot.as_ref().map(|(path, _)| path.as_path())
    }
}

/// Makes the bars readable by the engine. `series` keeps the series whose first key field is one of these.
pub(crate) async fn ingest(
    opened: &Arc<Opened>,
    program: &Program,
    context: &Context,
    series: &[String],
) -> Result<Ingested, Failure> {
    match &opened.at {
        At::Files(set) if set.format.is_text() => ingest_text(opened, set, program, context, series).await,
        At::Files(set) => ingest_parquet(opened, set, program, context, series).await,
        At::Collection(collection) => ingest_documents(opened, collection, program, context, series).await,
    }
}

async fn ingest_text(
    opened: &Arc<Opened>,
    set: &FilesSet,
    program: &Program,
    context: &Context,
    series: &[String],
) -> Result<Ingested, Failure> {
    let filter = filters(opened, series);
    let columns = columns(program, &filter)?;
    let wanted = wanted(opened, program, &columns);
    let limits = context.limits();
    let temp = context.scratch()?;
    let (dir, set) = (temp.path().to_path_buf(), set.clone());
    let threads = NonZeroUsize::new(limits.threads).unwrap_or(NonZeroUsize::MIN);
    let progress = context.begin(&program.job, Stage::Reading, None);
    let started = std::time::Instant::now();
    let extracting = tokio::task::spawn_blocking(move || {
        source::extract(&set, &wanted, &dir, threads, &mut |rows, _| progress.at(rows))
    });
    let snapshot = extracting.await??;
    let extract_seconds = started.elapsed().as_secs_f64();
    let bytes = snapshot.files.iter().map(|file| file.length).sum();
    let path = snapshot.path;
    let stored = Stored { path: path.clone(), schema: snapshot.schema, filter };
    let input = stored.input(program, &columns, limits.threads).await?;
    let (identities, rows) = (snapshot.files, Some(snapshot.rows));
    Ok(Ingested { input, identities, rows, bytes, extract_seconds, snapshot: Some((path, temp)) })
}

async fn ingest_documents(
    opened: &Arc<Opened>,
    collection: &Collected,
    program: &Program,
    context: &Context,
    series: &[String],
) -> Result<Ingested, Failure> {
    let columns = columns(program, &[])?;
    let wanted = wanted(opened, program, &columns);
    let limits = context.limits();
    let temp = context.scratch()?;
    // What the server cannot choose by is chosen when the snapshot is read.
    let (filter, chosen) = match key_columns(&opened.bars).first() {
        Some(key) if collection.collections.serves(key) => {
            (filter::and_one_of(&collection.filter, key, series), Vec::new())
        }
        Some(key) if !series.is_empty() => (collection.filter.clone(), vec![(key.clone(), series.to_vec())]),
        _ => (collection.filter.clone(), Vec::new()),
    };
    let workers = NonZeroUsize::new(limits.threads).unwrap_or(NonZeroUsize::MIN);
    let started = std::time::Instant::now();
    let progress = context.begin(&program.job, Stage::Reading, None);
    let reported = |rows, _| progress.at(rows);
    let snapshot = collection.collections.extract(&filter, &wanted, temp.path(), workers, reported).await?;
    let extract_seconds = started.elapsed().as_secs_f64();
    let path = snapshot.path;
    let stored = Stored { path: path.clone(), schema: snapshot.schema, filter: chosen };
    let input = stored.input(program, &columns, limits.threads).await?;
    let (bytes, rows) = (snapshot.bytes, Some(snapshot.rows));
    Ok(Ingested { input, identities: Vec::new(), rows, bytes, extract_seconds, snapshot: Some((path, temp)) })
}

async fn ingest_parquet(
    opened: &Arc<Opened>,
    set: &FilesSet,
    program: &Program,
    context: &Context,
    series: &[String],
) -> Result<Ingested, Failure> {
    let filter = filters(opened, series);
    let columns = columns(program, &filter)?;
    let identities = set.files.iter().map(|path| FileIdentity::of(path)).collect::<Result<Vec<_>, _>>()?;
    let mut files = Vec::with_capacity(identities.len());
    for (index, identity) in identities.iter().enumerate() {
        files.push(plan::table_file(identity.path.clone(), index, identity.length));
    }
    let bytes = identities.iter().map(|identity| identity.length).sum();
    let (arrangement, groups) = arrange(program, files, set.files.clone(), context.limits().threads).await?;
    let schema = plan::narrowed(&parquet_schema(&opened.columns, &columns), &columns);
    let input = Input { groups, schema, locators: Locators::Counted, arrangement, filter, window: (None, None) };
    Ok(Ingested { input, identities, rows: None, bytes, extract_seconds: 0.0, snapshot: None })
}

/// A snapshot, and which of its rows are read.
struct Stored {
    path: PathBuf,
    schema: arrow::datatypes::SchemaRef,
    filter: Vec<(String, Vec<String>)>,
}

impl Stored {
    async fn input(self, program: &Program, columns: &[Arc<str>], threads: usize) -> Result<Input, Failure> {
        let bytes = FileIdentity::of(&self.path)?.length;
        let files = vec![plan::table_file(self.path.clone(), 0, bytes)];
        let filled = source::filled(&self.path, &self.schema)?;
        let (arrangement, groups) = arrange(program, files, vec![self.path], threads).await?;
        let schema = plan::narrowed(&filled, columns);
        let (locators, filter) = (Locators::Stored, self.filter);
        Ok(Input { groups, schema, locators, arrangement, filter, window: (None, None) })
    }
}

/// The source columns that a run reads: those of the program and those of its filter.
fn columns(program: &Program, filter: &[(String, Vec<String>)]) -> Result<Vec<Arc<str>>, SourceError> {
    let mut columns = plan::columns_to_read(program);
    columns.extend(filter.iter().map(|(column, _)| Arc::from(column.as_str())));
    reject_reserved(program, &columns)?;
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

/// The columns of Parquet files that are read: others may have any name.
fn parquet_schema(columns: &[source::SourceColumn], read: &[Arc<str>]) -> arrow::datatypes::Schema {
    let columns = columns.iter().filter(|column| read.iter().any(|name| **name == *column.name));
    let field = |column: &source::SourceColumn| {
        let data_type = column.arrow.clone().unwrap_or(arrow::datatypes::DataType::Null);
        arrow::datatypes::Field::new(&column.name, data_type, true)
    };
    arrow::datatypes::Schema::new(columns.map(field).collect::<Vec<_>>())
}

fn filters(opened: &Opened, series: &[String]) -> Vec<(String, Vec<String>)> {
    let texts = |value: &FilterValue| match value {
        FilterValue::Text(text) => vec![text.clone()],
        FilterValue::Integer(number) => vec![number.to_string()],
        FilterValue::Boolean(flag) => vec![flag.to_string()],
        FilterValue::AnyOf(texts) => texts.clone(),
    };
    let Source::Files(files) = &opened.loaded.job.source else { return Vec::new() };
    let mut filters: Vec<_> = files.filter.iter().map(|f| (f.field.get_ref().clone(), texts(&f.value))).collect();
    if !series.is_empty()
        && let Some(column) = key_columns(&opened.bars).first()
    {
        filters.push((column.clone(), series.to_vec()));
    }
    filters
}

/// The source columns of the series key.
fn key_columns(bars: &BarsSpec) -> Vec<String> {
    bars.series.iter().filter_map(|name| bars.field(name)).map(|(_, field)| field.source.to_string()).collect()
}

fn wanted(opened: &Opened, program: &Program, columns: &[Arc<str>]) -> Vec<Wanted> {
    let kind = |column: &str| {
        if *program.bars.time.source == *column {
            return WantedKind::Time;
        }
        let field = opened.bars.fields.iter().find(|field| *field.source == *column);
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

/// How the rows of the series lie in `files`, and which files a partition reads; `paths` are those of the files as a
/// person knows them.
async fn arrange(
    program: &Program,
    files: Vec<TableFile>,
    paths: Vec<PathBuf>,
    threads: usize,
) -> Result<(Arrangement, Vec<Vec<TableFile>>), Failure> {
    let columns = key_columns(&program.bars);
    let order = tokio::task::spawn_blocking(move || source::series_order(&paths, &columns, threads)).await??;
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

/// The bars of a job as a table of a session.
pub(crate) struct BarsView {
    /// Where the job's reports are.
    pub(crate) report_dir: PathBuf,
    _ingested: Ingested,
}

/// Registers the bars of the job at `path` as the table `bars`: canonical names, all fields.
pub(crate) async fn bars_table(context: &Context, session: &SessionContext, path: &Path) -> Result<BarsView, Failure> {
    let opened = Arc::new(open(path).await?);
    let ingested = ingest_all(&opened, session, context).await;
    opened.close().await;
    let (program, ingested) = ingested?;
    let view = plan::canonical_view(&program, &ingested.input)?;
    session.register_table("bars", Arc::new(ViewTable::new(view, None)))?;
    Ok(BarsView { report_dir: opened.loaded.job.report_dir.resolved.clone(), _ingested: ingested })
}

/// All fields of the bars, within reach.
async fn ingest_all(
    opened: &Arc<Opened>,
    session: &SessionContext,
    context: &Context,
) -> Result<(Program, Ingested), Failure> {
    let mut program = job::program(opened, session, &[])?;
    program.read = (0..program.bars.fields.len()).collect();
    let ingested = ingest(opened, &program, context, &[]).await?;
    Ok((program, ingested))
}
