//! Bars that a program gives: evaluated and reported, never moved. The shortest kind of source there is.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatchReader;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use parquet::arrow::ArrowWriter;

use super::contract::{Reading, Source, SourceKind};
use crate::engine::plan::{self, Input};
use crate::engine::table::Locators;
use crate::quarantine::item::{Exempt, Item};
use crate::quarantine::plan::{Plan, SourceIdentity};
use crate::report::run::Connections;
use crate::run::context::Context;
use crate::run::events::Stage;
use crate::run::examination::Examination;
use crate::run::failure::Failure;
use crate::run::ingest::{self, Beyond, Ingested};
use crate::run::quarantine::contract::Note;
use crate::run::quarantine::{Quarantine, Removal};
use crate::run::removal::Done;
use crate::source::{self, KeyField, Original, SourceColumn};

/// Bars of a program, for [`Job::open_over`](crate::Job::open_over). A job names them with `[source.own] name = "…"`, and
/// says with `[bars]` what the columns are, as for any source. They are evaluated and reported, and never moved.
pub trait OwnSource: Send + Sync {
    /// The columns.
    fn schema(&self) -> SchemaRef;

    /// Reads all rows, in whatever order; of this schema, and the same each time. A finding names a row by its number.
    ///
    /// # Errors
    /// Whatever keeps them from being read; it ends the check.
    fn read(&self) -> Result<Box<dyn RecordBatchReader + Send>, Box<dyn Error + Send + Sync>>;
}

/// Why rows cannot be moved, and what to do.
const REASON: &str = "a program gives the bars";
const REMEDY: &str = "correct them where it has them from";

fn not_movable() -> Failure {
    Failure::Refused(format!("no row can be moved: {REASON}"), REMEDY.to_owned())
}

/// What a program gives, under the name that the job has for it.
pub(super) struct NamedOwn {
    pub(super) name: String,
    pub(super) given: Arc<dyn OwnSource>,
}

#[async_trait]
impl SourceKind for NamedOwn {
    async fn open(&self) -> Result<Arc<dyn Source>, Failure> {
        let columns = source::columns_of(Path::new(&self.name), &self.given.schema())?;
        Ok(Arc::new(OpenedOwn { name: self.name.clone(), given: Arc::clone(&self.given), columns }))
    }

    async fn quarantine(&self) -> Result<Box<dyn Quarantine>, Failure> {
        Err(not_movable())
    }

    async fn examine(&self, _lines: &mut Examination<'_>) -> Result<bool, Failure> {
        Ok(true)
    }
}

/// The same with its columns.
struct OpenedOwn {
    name: String,
    given: Arc<dyn OwnSource>,
    columns: Vec<SourceColumn>,
}

impl fmt::Debug for OpenedOwn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedOwn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Source for OpenedOwn {
    fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    /// Copies the rows into a Parquet file, which is read as others are.
    async fn ingest(&self, reading: &Reading<'_>) -> Result<Ingested, Failure> {
        let Reading { program, context, series, .. } = *reading;
        let key = ingest::key_columns(&program.bars);
        let filter = key.first().filter(|_| !series.is_empty()).map(|column| (column.clone(), series.to_vec()));
        let filter: Vec<_> = filter.into_iter().collect();
        let columns = ingest::columns(program, &filter)?;
        let copied = ingest::columns_of_snapshot(program, &filter)?;
        let folder = context.scratch()?;
        let path = folder.path().join("bars.parquet");
        let progress = context.begin(&program.job, Stage::Reading, None);
        let started = std::time::Instant::now();
        let (given, wanted, to) = (Arc::clone(&self.given), copied, path.clone());
        let copying = tokio::task::spawn_blocking(move || copy(&*given, &wanted, to, |rows| progress.report(rows)));
        let broke_off = |error: Box<dyn Error + Send + Sync>| {
            Failure::Broken(format!("cannot read the bars `{}` that the program gives: {error}", self.name).into())
        };
        let rows = copying.await?.map_err(broke_off)?;
        let extract_seconds = started.elapsed().as_secs_f64();
        let bytes = fs::metadata(&path)?.len();
        let files = vec![plan::table_file(path.clone(), 0, bytes)];
        let key = key.into_iter().map(KeyField::Column).collect();
        let (arrangement, groups) = ingest::arrange(key, files, vec![path], context.limits().threads).await?;
        let (schema, whole) = ingest::typed_schemas(program, &self.columns, columns);
        let (locators, places, window) = (Locators::Counted, Vec::new(), (None, None));
        let input = Input { groups, schema, places, locators, whole, arrangement, filter, window };
        let (rows, copies) = (Some(rows), Some(folder));
        Ok(Ingested {
            input,
            identities: Vec::new(),
            rows,
            bytes,
            extract_seconds,
            snapshot: None,
            copies,
            beyond: Beyond::default(),
            whole_only: None,
        })
    }

    /// No row of it is moved.
    async fn originals(&self, _ingested: &Ingested, _places: Vec<(i32, i64)>) -> Result<Vec<Original>, Failure> {
        Ok(Vec::new())
    }

    async fn damage(&self) -> Option<Failure> {
        None
    }

    fn origin(&self) -> String {
        self.name.clone()
    }

    fn file_names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn named_source(&self, _ingested: &Ingested) -> SourceIdentity {
        SourceIdentity::Files(Vec::new())
    }

    /// A plan over it is a list.
    async fn identity(&self, ingested: &Ingested) -> Result<SourceIdentity, Failure> {
        Ok(self.named_source(ingested))
    }

    fn check_same(&self, _planned: &SourceIdentity) -> Result<(), String> {
        Err(format!("no row can be moved: {REASON}"))
    }

    fn check_only(&self) -> Option<(&str, &str)> {
        Some((REASON, REMEDY))
    }

    fn removal(&self) -> Result<Box<dyn Removal + '_>, Failure> {
        Ok(Box::new(NoRemoval))
    }

    async fn examine(&self, lines: &mut Examination<'_>) -> Result<(), Failure> {
        lines.warn("source", &format!("no row can be moved: {REASON}"))
    }

    async fn close(&self) -> Option<Connections> {
        None
    }
}

/// Copies the columns `wanted`, and those that they are inside of, into a Parquet file; returns how many rows there are.
fn copy(
    given: &dyn OwnSource,
    wanted: &[Arc<str>],
    to: PathBuf,
    mut progress: impl FnMut(u64),
) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let is_read = |name: &str| {
        let inside = |wanted: &Arc<str>| wanted.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        wanted.iter().any(|wanted| **wanted == *name || inside(wanted))
    };
    let schema = given.schema();
    let columns = schema.fields().iter().enumerate().filter(|(_, field)| is_read(field.name()));
    let columns: Vec<usize> = columns.map(|(index, _)| index).collect();
    let mut writer = ArrowWriter::try_new(File::create(to)?, Arc::new(schema.project(&columns)?), None)?;
    let mut rows = 0;
    for batch in given.read()? {
        let batch = batch?;
        writer.write(&batch.project(&columns)?)?;
        rows += batch.num_rows() as u64;
        progress(rows);
    }
    writer.close()?;
    Ok(rows)
}

/// Moves nothing.
struct NoRemoval;

#[async_trait]
impl Removal for NoRemoval {
    async fn check_fit(&self) -> Result<(), Failure> {
        Err(not_movable())
    }

    async fn recover(&self, _run_id: &str) -> Done {
        Done::default()
    }

    async fn moved(&self, _note: &Note<'_>) -> Result<Vec<(String, i64)>, Failure> {
        Ok(Vec::new())
    }

    async fn rows_of(&self, _run: &str) -> Result<Vec<Item>, Failure> {
        Ok(Vec::new())
    }

    async fn any_restored(&self) -> Result<bool, Failure> {
        Ok(false)
    }

    async fn exempt(&self, _plan: &Plan) -> Result<Vec<Exempt>, Failure> {
        Ok(Vec::new())
    }

    async fn put_back(&self, _plan: &Plan) -> Result<u64, Failure> {
        Ok(0)
    }

    async fn carry_out(&self, _plan: &Plan, _run_id: &str, _context: &Context) -> Result<Done, Failure> {
        Err(not_movable())
    }

    fn what_moves(&self, _plan: &Plan) -> String {
        format!("no row can be moved: {REASON}")
    }
}
