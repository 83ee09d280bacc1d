//! Documents -> a snapshot: several ranges of a collection are fetched, decoded and encoded at the same time, one thread
//! writes.
//!
//! While a page of a range is decoded on a thread of its own, the next one is on its way; memory is bounded by two
//! pages and one row group for each range that is read. The snapshot appears under its name only when it is complete and
//! as many documents are in it as there are; on an error, or when the future is dropped, nothing is left behind.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use ::parquet::errors::ParquetError;
use ::parquet::file::writer::SerializedFileWriter;
use arrow::datatypes::SchemaRef;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use mongodb::bson::Document;
use tempfile::NamedTempFile;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, spawn_blocking};

use super::collections::{Collections, Member};
use super::columns::{check_names, snapshot_schema, writer_properties};
use super::counts::{count, verify};
use super::error::MongoError;
use super::look::{self, Kind};
use super::page::Page;
use super::parts::{Part, Span};
use super::ranges::{ranges, times};
use super::row::Shape;
use super::table::Table;
use super::walk::Times;
use crate::source::Wanted;
use crate::source::error::quoted;

/// The name of a snapshot in its folder.
const NAME: &str = "snapshot.parquet";
/// More ranges read at the same time do not help: the pool has few connections.
const MOST_WORKERS: usize = 4;
/// Rows of a row group, at least and at most; the last one of a range has fewer. Small ones keep memory low while they are
/// made: with 32,768, and pages of 2,048, a check of a million quotes took 80 MB more and no less time.
const GROUP_ROWS: [usize; 2] = [8_192, 65_536];
/// Row groups of a large snapshot, about: each of them costs memory when it is read.
const GROUPS: u64 = 512;
/// Rows of a document that holds many, about: so many trading days a year has.
const ROWS_INSIDE: u64 = 250;
/// A row group ends early after so many bytes of BSON: large documents may have large texts.
const GROUP_BYTES: u64 = 64 << 20;

/// A complete snapshot of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MongoSnapshot {
    /// The Parquet file.
    pub path: PathBuf,
    /// Its columns, as [`snapshot_schema`] gives them.
    pub schema: SchemaRef,
    /// Rows read: as many as the Parquet file has.
    pub rows: u64,
    /// How many of them are broken.
    pub broken: u64,
    /// Bytes of BSON in the documents.
    pub bytes: u64,
}

/// What a thread that decodes needs to know.
struct Job {
    /// How many fields are wanted.
    wanted: usize,
    dir: PathBuf,
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
    /// Rows of a row group.
    rows: usize,
}

/// A row group, ready to be written.
struct Encoded {
    columns: Vec<ArrowColumnChunk>,
    rows: u64,
    broken: u64,
    present: Vec<bool>,
    bytes: u64,
}

/// A page on its way into a table, and into row groups where that is full.
type Decoding = JoinHandle<Result<(Table, Vec<Encoded>), MongoError>>;

/// What was written, so far.
struct Written {
    file: NamedTempFile,
    rows: u64,
    broken: u64,
    present: Vec<bool>,
}

/// What was handed to the writer, so far.
struct Totals {
    /// Documents read of each collection.
    documents: Vec<AtomicU64>,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Totals {
    fn of(collections: usize) -> Self {
        let documents = (0..collections).map(|_| AtomicU64::new(0)).collect();
        Self { documents, rows: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }
}

impl Collections {
    /// Copies the rows of the documents that match `filter` into a snapshot in the folder `dir`, in place of one that is
    /// there, with what rows have besides the wanted fields where it is to be `whole`; `workers` ranges are read at the same time. `progress` is reported the rows written and the bytes of BSON
    /// read so far. Dropping the future leaves no file behind.
    ///
    /// # Errors
    /// When a wanted name is barkeep's own, the server fails more often than is tried again, fewer documents are read than
    /// there are, none has a wanted field, or the snapshot cannot be written. A damaged document is not an error.
    pub async fn extract(
        &self,
        filter: &Document,
        (wanted, whole): (&[Wanted], bool),
        dir: &Path,
        workers: NonZeroUsize,
        progress: impl Fn(u64, u64) + Send + Sync,
    ) -> Result<MongoSnapshot, MongoError> {
        check_names(wanted)?;
        let wanted: Arc<[Wanted]> = wanted.into();
        let shapes: Vec<Arc<Shape>> =
            self.members.iter().map(|member| Arc::new(self.shape(member, (&wanted, whole)))).collect();
        // What is asked of each collection before it is read is asked of a few at a time.
        let rows_each = if self.unwind.is_some() { ROWS_INSIDE } else { 1 };
        let members = || stream::iter(0..self.members.len());
        let ready = members().map(|at| prepare(&self.members[at], filter, rows_each)).buffered(MOST_WORKERS);
        let ready: Vec<(u64, Vec<Span>)> = ready.try_collect().await?;
        let parts = Part::all(&self.members, &shapes, ready.iter().map(|(_, spans)| spans.as_slice()), filter)?;
        let documents: u64 = ready.iter().map(|(before, _)| before).sum();
        let rows = documents.saturating_mul(rows_each);
        let totals = Totals::of(self.members.len());
        let opened = open(&wanted, dir, rows)?;
        let written = run(&parts, opened, workers.get().min(MOST_WORKERS), &totals, &progress).await?;
        let read = totals.rows.load(Ordering::Relaxed);
        if read != written.rows {
            return Err(MongoError::Unbalanced { read, written: written.rows });
        }
        let verified = members().map(|at| {
            let read = totals.documents[at].load(Ordering::Relaxed);
            verify(&self.members[at], filter, read, ready[at].0)
        });
        verified.buffered(MOST_WORKERS).try_collect::<()>().await?;
        self.check_present(filter, &wanted, &written).await?;
        let Written { file, rows, broken, .. } = written;
        let path = dir.join(NAME);
        file.persist(&path).map_err(|error| MongoError::write(dir, error.error.into()))?;
        Ok(MongoSnapshot { path, schema: snapshot_schema(&wanted), rows, broken, bytes: totals.bytes.into_inner() })
    }

    /// How rows lie in one of the collections.
    fn shape(&self, member: &Member, (wanted, whole): (&Arc<[Wanted]>, bool)) -> Shape {
        Shape {
            wanted: Arc::clone(wanted),
            whole,
            unwind: self.unwind.clone(),
            pieces: member.pieces.clone(),
            collection: (!member.pieces.is_empty()).then(|| member.reader.collection.clone()),
        }
    }

    /// Fails when no good row had any of the wanted fields.
    async fn check_present(&self, filter: &Document, wanted: &[Wanted], written: &Written) -> Result<(), MongoError> {
        if written.rows == written.broken || written.present.contains(&true) {
            return Ok(());
        }
        let available = self.infer(filter).await?;
        Err(MongoError::NoWantedField {
            namespace: self.info().namespace.clone(),
            wanted: quoted(wanted.iter().map(|wanted| wanted.column.as_str())),
            available: quoted(available.iter().map(|column| column.name.as_str())),
        })
    }
}

/// How many documents of a collection match, of about so many rows each, and the parts in which it is read.
async fn prepare(member: &Member, filter: &Document, rows_each: u64) -> Result<(u64, Vec<Span>), MongoError> {
    let Member { reader, identity, .. } = member;
    let before = count(reader, filter).await?;
    let spans = match (identity.kind, &identity.time_field) {
        (Kind::TimeSeries, Some(field)) => {
            let ranges = times(reader, field, look::documents(reader).await?).await?;
            ranges.into_iter().map(Span::Times).collect()
        }
        (Kind::View | Kind::TimeSeries | Kind::Several, _) => vec![Span::Times(Times::default())],
        (Kind::Collection | Kind::Capped, _) => {
            let ranges = ranges(reader, filter, [before, look::documents(reader).await?], rows_each).await?;
            ranges.into_iter().map(Span::Ids).collect()
        }
    };
    Ok((before, spans))
}

/// Reads all ranges, a few at a time, and writes what comes of them.
async fn run(
    parts: &[Part<'_>],
    (writer, job): (SerializedFileWriter<NamedTempFile>, Arc<Job>),
    workers: usize,
    totals: &Totals,
    progress: &(impl Fn(u64, u64) + Send + Sync),
) -> Result<Written, MongoError> {
    let (sender, receiver) = channel(1);
    let writing = {
        let job = Arc::clone(&job);
        spawn_blocking(move || write(&job, writer, receiver))
    };
    let next = AtomicUsize::new(0);
    let workers = (0..workers).map(|_| async {
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            read(part, &job, &sender, totals, progress).await?;
        }
        Ok(())
    });
    let outcome = try_join_all(workers).await;
    drop(sender);
    // A writer that failed is why nobody took the row groups, so its error is the first one.
    let written = joined(writing.await)??;
    outcome?;
    Ok(written)
}

fn open(
    wanted: &Arc<[Wanted]>,
    dir: &Path,
    rows: u64,
) -> Result<(SerializedFileWriter<NamedTempFile>, Arc<Job>), MongoError> {
    let failed = |error| MongoError::write(dir, error);
    let file = tempfile::Builder::new()
        .prefix(".snapshot-")
        .suffix(".parquet")
        .tempfile_in(dir)
        .map_err(|error| failed(error.into()))?;
    let [least, most] = GROUP_ROWS;
    let rows = usize::try_from(rows / GROUPS).unwrap_or(most).clamp(least, most);
    let schema = snapshot_schema(wanted);
    let properties = writer_properties(&schema, wanted);
    let (writer, factory) = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
        .and_then(ArrowWriter::into_serialized_writer)
        .map_err(failed)?;
    Ok((writer, Arc::new(Job { wanted: wanted.len(), dir: dir.to_path_buf(), schema, factory, rows })))
}

/// Reads one part, page by page: while one is decoded the next one is fetched.
async fn read(
    part: &Part<'_>,
    job: &Arc<Job>,
    sender: &Sender<Encoded>,
    totals: &Totals,
    progress: &(impl Fn(u64, u64) + Send + Sync),
) -> Result<(), MongoError> {
    let mut pages = part.pages().await?;
    let mut decoding = decode(job, Table::new(&part.shape, part.number, 1, 0), None);
    loop {
        let page = pages.next().await?;
        totals.documents[part.member].fetch_add(page.as_ref().map_or(0, Page::len), Ordering::Relaxed);
        let at_end = page.is_none();
        let (table, full) = joined(decoding.await)??;
        decoding = decode(job, table, page);
        hand_over(full, sender, totals, progress).await?;
        if at_end {
            let (_, rest) = joined(decoding.await)??;
            return hand_over(rest, sender, totals, progress).await;
        }
    }
}

/// Decodes a page on a thread of its own.
fn decode(job: &Arc<Job>, table: Table, page: Option<Page>) -> Decoding {
    let job = Arc::clone(job);
    spawn_blocking(move || job.decode(table, page.as_ref()))
}

/// Gives row groups to the writer.
async fn hand_over(
    encoded: Vec<Encoded>,
    sender: &Sender<Encoded>,
    totals: &Totals,
    progress: &(impl Fn(u64, u64) + Send + Sync),
) -> Result<(), MongoError> {
    for encoded in encoded {
        let (rows, bytes) = (encoded.rows, encoded.bytes);
        sender.send(encoded).await.map_err(|_| MongoError::Thread)?;
        // Nothing is awaited in between, so the numbers that are reported only grow.
        let rows = totals.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let bytes = totals.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(rows, bytes);
    }
    Ok(())
}

fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, MongoError> {
    match outcome {
        Ok(value) => Ok(value),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(MongoError::Thread),
    }
}

impl Job {
    /// Adds a page to the table, and encodes the table whenever it is full, and when there are no more pages. Returns the
    /// table for the next page.
    fn decode(&self, mut table: Table, page: Option<&Page>) -> Result<(Table, Vec<Encoded>), MongoError> {
        let mut encoded = Vec::new();
        let mut encode = |table: &mut Table| {
            let next = table.next(self.rows);
            let full = self.encode(std::mem::replace(table, next));
            full.map(|full| encoded.push(full)).map_err(|error| MongoError::write(&self.dir, error))
        };
        for (document, id) in page.into_iter().flat_map(Page::documents) {
            table.push(document, id);
            if table.len() >= self.rows || table.bytes() >= GROUP_BYTES {
                encode(&mut table)?;
            }
        }
        if page.is_none() && table.len() > 0 {
            encode(&mut table)?;
        }
        Ok((table, encoded))
    }

    fn encode(&self, table: Table) -> Result<Encoded, ParquetError> {
        let (rows, bytes, broken) = (table.len() as u64, table.bytes(), table.broken());
        let present = table.present().to_vec();
        let batch = table.finish(Arc::clone(&self.schema))?;
        // The number of a row group matters to encrypted files only.
        let writers = self.factory.create_column_writers(0)?;
        let mut columns = Vec::with_capacity(writers.len());
        for ((mut writer, field), column) in writers.into_iter().zip(self.schema.fields()).zip(batch.columns()) {
            for leaf in compute_leaves(field, column)? {
                writer.write(&leaf)?;
            }
            columns.push(writer.close()?);
        }
        Ok(Encoded { columns, rows, broken, present, bytes })
    }
}

/// Writes the row groups as they come.
fn write(
    job: &Job,
    mut writer: SerializedFileWriter<NamedTempFile>,
    mut groups: Receiver<Encoded>,
) -> Result<Written, MongoError> {
    let failed = |error| MongoError::write(&job.dir, error);
    let (mut rows, mut broken, mut present) = (0, 0, vec![false; job.wanted]);
    while let Some(encoded) = groups.blocking_recv() {
        let mut group = writer.next_row_group().map_err(failed)?;
        for column in encoded.columns {
            column.append_to_row_group(&mut group).map_err(failed)?;
        }
        rows += group.close().map_err(failed)?.num_rows().cast_unsigned();
        broken += encoded.broken;
        present.iter_mut().zip(encoded.present).for_each(|(seen, present)| *seen |= present);
    }
    let file = writer.into_inner().map_err(failed)?;
    Ok(Written { file, rows, broken, present })
}
