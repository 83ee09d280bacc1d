//! The bars of a source as one Parquet file, all of them or without the rows that a run would move. The source stays as
//! it is: this is the way out where its rows cannot be moved.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type, SchemaRef};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::conclude::RunMetaOf;
use super::events::Stage;
use super::failure::Failure;
use super::ingest::Ingested;
use super::job::Job;
use super::labels;
use super::mistaken;
use super::of_job::OfJob;
use super::open::Opened;
use super::options::{Order, RunOptions};
use super::program;
use super::removal::Planned;
use super::source::Reading;
use crate::bars::BarColumn;
use crate::durable::{Disk, Growing, folder_of, paths, temporary_of};
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::text::utc::UtcMicros;

/// What is extracted, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractOptions {
    /// The folder of the file, which is called like the job; made where it is missing.
    pub dir: PathBuf,
    /// Whether rows are left out that a run would move.
    pub clean: bool,
}

/// What was extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// The file.
    pub file: PathBuf,
    /// The rows in it.
    pub rows: u64,
    /// Rows that a run would move, which are not in it.
    pub left_out: u64,
    /// Records that could not be split into fields, so that no row can stand for them.
    pub broken: u64,
}

impl Job {
    /// Writes the columns of the source that can be read to a Parquet file `DIR/JOB.parquet`, rows in their order. Text
    /// stays the text it was, so that the same `[bars]` reads it; typed columns keep their types. NULL stays NULL.
    ///
    /// # Errors
    /// The file is there already or would be one of the source, the source cannot be read or changes meanwhile, or the
    /// file cannot be written: then none is there. With `clean` also where a run would be refused.
    pub async fn extract(&self, options: &ExtractOptions) -> Result<Extracted, Failure> {
        let file = paths::absolute(&options.dir)?.join(format!("{}.parquet", self.name()));
        let opened = Arc::new(self.open_source().await?);
        let extracted = tokio::select! {
            extracted = self.extract_opened(&opened, &file, options.clean) => extracted,
            number = self.context.stop.wait() => Err(self.context.stop.stopped(number)),
        };
        opened.source.close().await;
        extracted
    }

    async fn extract_opened(&self, opened: &Arc<Opened>, file: &Path, clean: bool) -> Result<Extracted, Failure> {
        let scratch = self.context.scratch()?;
        let session = session(&self.context.limits_in(&scratch))?;
        let program = Arc::new(program::program(self, opened, &session)?);
        let all = program::program(self, opened, &session)?.with_every_field();
        let reading =
            Reading { program: &all, series: &[], within: None, missing_is_null: true, context: &self.context };
        let ingested = opened.source.ingest(&reading).await?;
        check_target(file, &ingested)?;
        let rejected = match clean {
            true => self.rejected(opened, &program, (&session, scratch.path()), &ingested).await?,
            false => HashSet::new(),
        };
        let plan = plan::source_rows(&ingested.input, &columns(opened, &all))?;
        let mut stream = session.execute_logical_plan(plan).await?.execute_stream().await?;
        let mut to = Target::create(file, &stream.schema())?;
        let progress = self.context.begin(self.name(), Stage::Extracting, ingested.rows);
        while let Some(batch) = stream.try_next().await? {
            to.write(&batch, &rejected)?;
            progress.report(to.extracted.rows);
        }
        // The verdicts are about the rows that were evaluated, not about what stands there now.
        for identity in &ingested.identities {
            identity.verify_unchanged()?;
        }
        to.complete()
    }

    /// File and number of each row that a run would move.
    async fn rejected(
        &self,
        opened: &Arc<Opened>,
        program: &Arc<Program>,
        (session, scratch): (&SessionContext, &Path),
        ingested: &Ingested,
    ) -> Result<HashSet<(i32, i64)>, Failure> {
        let order = Order::from(RunOptions { dry_run: true, ..RunOptions::default() });
        let now = self.context.clock.now();
        let meta =
            RunMetaOf { command: "extract", loaded: &self.loaded, window: (None, None) }.meta(now, &self.context.clock);
        let names = opened.source.file_names();
        let mut collector = Collector::new(scratch, Arc::clone(program), meta.clone(), names, Previous::Unknown);
        collector.set_labels(labels::of_day(&self.loaded, now));
        let of_job = OfJob { job: self, order: &order, opened, program, meta: &meta };
        let (first, _) = of_job.evaluate(session, ingested, &mut collector).await?;
        let read = collector.tally().series.rows.read;
        let planned = Planned { opened, program, meta: &meta, ingested, read, expires_at: UtcMicros::from(now) };
        let moves = of_job.without_kept(&planned, &mut collector).await?;
        let mistakes = mistaken::refusals(opened, program, &collector, &first);
        let refusals: Vec<String> = of_job.refusals(&collector, mistakes)?.iter().map(ToString::to_string).collect();
        if !refusals.is_empty() {
            let problem = format!("a run would be refused, so no row is left out: {}", refusals.join("; "));
            let help = "correct the job or its limits, or extract without `--clean`";
            return Err(Failure::Refused(problem, help.to_owned()));
        }
        Ok(moves.into_iter().map(|row| (row.file, row.row)).collect())
    }
}

/// The columns that are extracted, in the order of the source.
fn columns(opened: &Opened, all: &Program) -> Vec<Arc<str>> {
    let read = plan::columns_to_read(all);
    let known = opened.source.columns().iter().filter_map(|column| read.iter().find(|name| ***name == *column.name));
    let mut columns: Vec<Arc<str>> = known.cloned().collect();
    for name in read {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    columns
}

/// Fails where the file is there, or would be read as one of the source the next time.
fn check_target(file: &Path, ingested: &Ingested) -> Result<(), Failure> {
    let folder = folder_of(file);
    let other = "name another folder with `-o`".to_owned();
    if Disk::system().exists(file)? {
        return Err(Failure::Usage(format!("`{}` is there already", file.display()), other));
    }
    let of_source = |path: &Path| paths::absolute(path).is_ok_and(|path| folder_of(&path) == folder);
    match ingested.identities.iter().any(|identity| of_source(&identity.path)) {
        true => Err(Failure::Usage(format!("`{}` is the folder of the source", folder.display()), other)),
        false => Ok(()),
    }
}

/// The file that is being written.
struct Target {
    writer: ArrowWriter<Growing>,
    extracted: Extracted,
}

impl Target {
    /// Begins a file for batches of `schema`, that of [`plan::source_rows`].
    fn create(file: &Path, schema: &SchemaRef) -> Result<Self, Failure> {
        let (disk, temporary) = (Disk::system(), temporary_of(file));
        let begin = || {
            disk.make_folders(folder_of(file))?;
            // What is there is left of an extraction that was killed.
            disk.remove(&temporary)?;
            Growing::create(&disk, &temporary, file)
        };
        let growing = begin().map_err(|error| cannot_write(file, &error))?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        // Readers that do not know the text views of Arrow take the plain types.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let schema = of_source(&RecordBatch::new_empty(Arc::clone(schema)))?.schema();
        let writer = ArrowWriter::try_new_with_options(growing, schema, options)?;
        Ok(Self { writer, extracted: Extracted { file: file.to_path_buf(), rows: 0, left_out: 0, broken: 0 } })
    }

    /// Writes the rows of a batch but those that are rejected or no records.
    fn write(&mut self, batch: &RecordBatch, rejected: &HashSet<(i32, i64)>) -> Result<(), Failure> {
        let files = batch.column(0).as_primitive::<Int32Type>();
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        let broken = batch.columns().last().filter(|_| has_broken(&batch.schema()));
        let mut kept = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let is_rejected = rejected.contains(&(files.value(row), numbers.value(row)));
            let is_broken = !is_rejected && broken.is_some_and(|broken| broken.is_valid(row));
            self.extracted.left_out += u64::from(is_rejected);
            self.extracted.broken += u64::from(is_broken);
            kept.push(!is_rejected && !is_broken);
        }
        let rows = filter_record_batch(&of_source(batch)?, &BooleanArray::from(kept))?;
        self.extracted.rows += rows.num_rows() as u64;
        self.writer.write(&rows)?;
        Ok(())
    }

    /// Gives the file its name.
    fn complete(self) -> Result<Extracted, Failure> {
        let growing = self.writer.into_inner()?;
        let published = growing.complete().and_then(|staged| Ok(staged.publish()?));
        published.map_err(|error| cannot_write(&self.extracted.file, &error))?;
        Ok(self.extracted)
    }
}

fn has_broken(schema: &SchemaRef) -> bool {
    schema.fields().last().is_some_and(|field| BarColumn::of(field.name()) == BarColumn::Broken)
}

/// The columns of the source alone.
fn of_source(batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let end = batch.num_columns() - usize::from(has_broken(&batch.schema()));
    Ok(batch.project(&(2..end).collect::<Vec<_>>())?)
}

fn cannot_write(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Broken(format!("cannot write `{}`: {error}", file.display()).into())
}
