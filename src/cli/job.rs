//! From a job file to a run that can begin: files found, rules compiled, bars brought into reach of the engine.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;
use tempfile::TempDir;

use super::args::Global;
use super::exit::Failure;
use super::progress::Progress;
use crate::bars::{BarsSpec, FieldKind, TimeSpec};
use crate::config::diagnostic::suggestion;
use crate::config::job::{FileFormat, FilterValue};
use crate::config::{self, Diagnostic, LoadError, Loaded, RuleSet};
use crate::engine::node::Arrangement;
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::session::Limits;
use crate::engine::table::{Locators, TableFile};
use crate::source::{
    self, FileIdentity, Files, FilesSet, Format, SeriesKey, SeriesOrder, SourceError, Wanted, WantedKind,
};

/// Files smaller than this are not worth dealing out to several cores.
const WORTH_DEALING: u64 = 4 << 20;

/// The engine's limits as the flags set them.
pub(crate) fn engine_limits(global: &Global) -> Limits {
    let default = Limits::default();
    Limits {
        threads: global.threads.map_or(default.threads, usize::from),
        memory: global.memory_limit,
        temp: global.temp_dir.clone(),
    }
}

/// A job whose source was found and looked at.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Job and rule files.
    pub(crate) loaded: Arc<Loaded>,
    /// The source's files.
    pub(crate) set: FilesSet,
    /// Its bars.
    pub(crate) bars: BarsSpec,
    /// Its columns.
    columns: Vec<source::SourceColumn>,
}

/// Loads the job at `path` and looks at its source.
pub(crate) fn open(path: &Path) -> Result<Opened, Failure> {
    look(&Arc::new(load(path)?))
}

/// Looks at the source of a job: a file that is missing or unreadable breaks the run, a field that the job names and
/// the source lacks is a mistake.
pub(crate) fn look(loaded: &Arc<Loaded>) -> Result<Opened, Failure> {
    let files = &loaded.job.source;
    let set = source::discover(&Files {
        patterns: files.paths.iter().map(|path| path.resolved.clone()).collect(),
        format: files.format.map(|format| match format {
            FileFormat::Csv => Format::Csv,
            FileFormat::Ndjson => Format::Ndjson,
            FileFormat::Parquet => Format::Parquet,
        }),
        delimiter: files.delimiter,
        nulls: files.nulls.clone(),
    })?;
    let columns = source::peek(&set)?;
    let described: Vec<_> = columns
        .iter()
        .map(|column| config::SourceColumn {
            name: column.name.clone(),
            kind: column.kind,
            typed_time: column.typed_time,
        })
        .collect();
    let bars = loaded.job.bars_spec(&described).map_err(Failure::Mistakes)?;
    Ok(Opened { loaded: Arc::clone(loaded), set, bars, columns })
}

/// Loads a job file and its rule files.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    config::load(path).map_err(|error| match error {
        LoadError::Mistakes(mistakes) => Failure::Mistakes(mistakes),
        LoadError::Unreadable { path, source } => {
            let message = format!("cannot read `{}`: {source}", path.display());
            Failure::Usage(
                message,
                "give the path of a job file, e.g. jobs/daily.toml; `barkeep init` makes one".into(),
            )
        }
        other => {
            let cause = std::error::Error::source(&other).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::Usage(format!("{other}{cause}"), "mend the file".into())
        }
    })
}

/// Compiles the rules over the bars; `only` keeps the rules with these ids, all of them where it is empty.
pub(crate) fn program(opened: &Opened, context: &SessionContext, only: &[String]) -> Result<Program, Failure> {
    let mut rules = opened.loaded.compile(&opened.bars).map_err(Failure::Mistakes)?;
    let in_expressions =
        plan::check_expressions(context, &opened.bars, &rules.expressions).map_err(Failure::Mistakes)?;
    keep_only(&mut rules, only)?;
    let job = &opened.loaded.job;
    let used = rules.used.iter().copied().chain(in_expressions);
    let settled = (job.window.settle > chrono::TimeDelta::zero())
        .then(|| chrono::Utc::now().timestamp_micros() - job.window.settle.num_microseconds().unwrap_or(0));
    Ok(Program {
        job: job.name.clone(),
        read: plan::fields_to_read(&opened.bars, used),
        bars: opened.bars.clone(),
        undecodable_severity: job.undecodable.severity,
        undecodable_action: job.undecodable.action,
        settled,
        sha256: plan::sha256_of([opened.loaded.job_sha256.as_str(), rules.sha256.as_str()]),
        rules,
    })
}

/// What stands for the program of a job whose source could not be looked at, so that a report can say so: no rule,
/// no field.
pub(crate) fn unseen(loaded: &Loaded) -> Program {
    let job = &loaded.job;
    let time = TimeSpec {
        source: Arc::clone(job.bars.time.field.get_ref()),
        formats: job.bars.time.formats.clone(),
        zone: job.bars.time.zone,
        stamp: job.bars.time.stamp,
        fold: job.bars.time.fold,
    };
    let (interval, calendar) = (job.bars.interval, job.bars.calendar.clone());
    Program {
        job: job.name.clone(),
        bars: BarsSpec { series: Vec::new(), interval, calendar, grid: None, time, fields: Vec::new() },
        rules: RuleSet { rules: Vec::new(), expressions: Vec::new(), used: Vec::new(), sha256: String::new() },
        undecodable_severity: job.undecodable.severity,
        undecodable_action: job.undecodable.action,
        settled: None,
        read: Vec::new(),
        sha256: String::new(),
    }
}

fn keep_only(rules: &mut RuleSet, only: &[String]) -> Result<(), Failure> {
    for id in only {
        if !rules.rules.iter().any(|rule| *rule.id == **id) {
            let ids = rules.rules.iter().map(|rule| &*rule.id);
            return Err(Failure::Usage(format!("the job has no rule `{id}`"), suggestion(id, "rules", ids)));
        }
    }
    if !only.is_empty() {
        rules.rules.retain(|rule| only.iter().any(|id| **id == *rule.id));
    }
    Ok(())
}

/// Bars within reach of the engine.
#[derive(Debug)]
pub(crate) struct Brought {
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
    /// Holds the snapshot for as long as it is read.
    _snapshot: Option<TempDir>,
}

/// Brings the bars within reach: text is copied into a snapshot, Parquet is read where it lies.
///
/// `series` keeps the series whose first key field is one of these.
pub(crate) async fn bring(
    opened: &Arc<Opened>,
    program: &Program,
    global: &Global,
    series: &[String],
) -> Result<Brought, Failure> {
    let filter = filters(opened, series);
    let mut columns = plan::columns_to_read(program);
    columns.extend(filter.iter().map(|(column, _)| Arc::from(column.as_str())));
    reject_reserved(program, &columns)?;
    let limits = engine_limits(global);
    if opened.set.format.is_text() {
        let wanted = wanted(opened, program, &columns);
        let temp = temp_dir(global)?;
        let (dir, set) = (temp.path().to_path_buf(), Arc::clone(opened));
        let threads = NonZeroUsize::new(limits.threads).unwrap_or(NonZeroUsize::MIN);
        let name = program.job.clone();
        let started = std::time::Instant::now();
        let extracting = tokio::task::spawn_blocking(move || {
            let mut progress = Progress::new(&format!("{name}: reading"), None);
            source::extract(&set.set, &wanted, &dir, threads, &mut |rows, _| progress.at(rows))
        });
        let snapshot = extracting.await??;
        let extract_seconds = started.elapsed().as_secs_f64();
        let bytes = snapshot.files.iter().map(|file| file.length).sum();
        let snapshot_bytes = FileIdentity::of(&snapshot.path)?.length;
        let files = vec![plan::table_file(snapshot.path.clone(), 0, snapshot_bytes)];
        let paths = vec![snapshot.path.clone()];
        let (arrangement, groups) = arrange(program, files, paths, limits.threads).await?;
        let schema = plan::narrowed(&snapshot.schema, &columns);
        let input = Input { groups, schema, locators: Locators::Stored, arrangement, filter, window: (None, None) };
        let (identities, rows) = (snapshot.files, Some(snapshot.rows));
        return Ok(Brought { input, identities, rows, bytes, extract_seconds, _snapshot: Some(temp) });
    }
    let identities = opened.set.files.iter().map(|path| FileIdentity::of(path)).collect::<Result<Vec<_>, _>>()?;
    let mut files = Vec::with_capacity(identities.len());
    for (index, identity) in identities.iter().enumerate() {
        files.push(plan::table_file(std::path::absolute(&identity.path)?, index, identity.length));
    }
    let bytes = identities.iter().map(|identity| identity.length).sum();
    let (arrangement, groups) = arrange(program, files, opened.set.files.clone(), limits.threads).await?;
    let schema = plan::narrowed(&parquet_schema(&opened.columns, &columns), &columns);
    let input = Input { groups, schema, locators: Locators::Counted, arrangement, filter, window: (None, None) };
    Ok(Brought { input, identities, rows: None, bytes, extract_seconds: 0.0, _snapshot: None })
}

/// Fails where what is read has a name that barkeep's own columns have.
fn reject_reserved(program: &Program, columns: &[Arc<str>]) -> Result<(), SourceError> {
    let names = program.read.iter().map(|index| &program.bars.fields[*index].name).chain(columns);
    for name in names {
        let reason = match () {
            () if name.starts_with("__") => "names that begin with `__` are barkeep's own",
            () if name.starts_with('@') => "names that begin with `@` are barkeep's own",
            () if name.ends_with('!') => "names that end with `!` are barkeep's own",
            () => continue,
        };
        return Err(SourceError::ReservedColumn { column: name.to_string(), reason });
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
    let filters = opened.loaded.job.source.filter.iter();
    let mut filters: Vec<_> = filters.map(|f| (f.field.get_ref().clone(), texts(&f.value))).collect();
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

/// A folder of its own for what lives as long as the command; removed when dropped.
pub(crate) fn temp_dir(global: &Global) -> Result<TempDir, Failure> {
    let parent = global.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
    tempfile::Builder::new().prefix("barkeep-").tempdir_in(&parent).map_err(|error| {
        let message =
            format!("cannot make a folder in `{}`: {error}; name another one with `--temp-dir`", parent.display());
        Failure::Broken(message.into())
    })
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
    let order = tokio::task::spawn_blocking(move || source::series_order(&paths, &columns)).await??;
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
    if chains.len() < threads && bytes > WORTH_DEALING {
        let all = chains.into_iter().flatten().collect();
        return Ok((Arrangement::Dealt, vec![all]));
    }
    Ok((Arrangement::InPlace, plan::balanced(chains, threads)))
}

/// The bars of a job as a table of a session.
pub(crate) struct BarsView {
    /// Where the job's reports are.
    pub(crate) report_dir: PathBuf,
    _brought: Brought,
}

/// Registers the bars of the job at `path` as the table `bars`: canonical names, all fields.
pub(crate) async fn bars_table(global: &Global, context: &SessionContext, path: &Path) -> Result<BarsView, Failure> {
    let opened = Arc::new(open(path)?);
    let mut program = program(&opened, context, &[])?;
    program.read = (0..program.bars.fields.len()).collect();
    let brought = bring(&opened, &program, global, &[]).await?;
    let view = plan::canonical_view(&program, &brought.input)?;
    context.register_table("bars", Arc::new(ViewTable::new(view, None)))?;
    Ok(BarsView { report_dir: opened.loaded.job.report_dir.resolved.clone(), _brought: brought })
}

/// All mistakes that show only with the source at hand, e.g. for `rules lint`.
pub(crate) fn mistakes(opened: &Opened, context: &SessionContext) -> Vec<Diagnostic> {
    match program(opened, context, &[]) {
        Err(Failure::Mistakes(mistakes)) => mistakes,
        _ => Vec::new(),
    }
}
