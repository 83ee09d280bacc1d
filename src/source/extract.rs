//! Text files -> a snapshot: one thread reads and finds the records, several parse and encode, one writes.
//!
//! Blocks of records go to the workers in turn and come back in turn, so their order is kept without sorting.
//! Memory is bounded by a few blocks for each worker. The snapshot appears under its name only when it is complete,
//! every record is in it, and no file changed meanwhile; on an error nothing is left behind.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use ::parquet::errors::ParquetError;
use ::parquet::file::writer::SerializedFileWriter;
use arrow::datatypes::SchemaRef;

use super::csv;
use super::error::quoted;
use super::opened::Opened;
use super::snapshot::{check_names, snapshot_schema, writer_properties};
use super::table::{Given, Layout, Records, Table, WideRecords};
use super::text::CHUNK;
use super::zip_archive::Member;
use super::{Chunk, FileIdentity, FilesSet, Format, Snapshot, SourceError, Wanted};

/// The name of a snapshot in its folder.
const NAME: &str = "snapshot.parquet";
/// More parsing threads than this do not help: one reader feeds them.
const MOST_WORKERS: usize = 8;

/// Records of one file or of several small ones: what becomes one row group.
#[derive(Default)]
struct Block {
    pieces: Vec<(i32, Arc<Layout>, Chunk)>,
    text: usize,
    rows: u64,
    /// Bytes of all files, as they lie on disk, that were read up to here.
    bytes_read: u64,
}

/// A row group, ready to be written.
struct Encoded {
    columns: Vec<ArrowColumnChunk>,
    rows: u64,
    /// Records that these are the rows of.
    records: u64,
    broken: u64,
    present: Vec<bool>,
    bytes_read: u64,
}

/// What a worker needs to know.
struct Job<'a> {
    set: &'a FilesSet,
    wanted: &'a [Wanted],
    dir: &'a Path,
    /// Text read at a time, in bytes; three quarters of it make a row group, so that small files are put together.
    chunk: usize,
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

/// What was written, so far.
struct Written {
    rows: u64,
    records: u64,
    broken: u64,
    present: Vec<bool>,
}

/// Copies the records of text files into a snapshot in the folder `dir`, in place of one that is there, on up to
/// `threads` parsing threads. `progress` is reported the rows written and the bytes read so far, as they lie on disk.
///
/// # Errors
/// When a file cannot be read to its end, is not of its format, or changes meanwhile; when files differ in their
/// columns or have none of the wanted ones; when the snapshot cannot be written. A bad record is not an error.
pub fn extract(
    set: &FilesSet,
    wanted: &[Wanted],
    dir: &Path,
    threads: NonZeroUsize,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Snapshot, SourceError> {
    extract_in_chunks(set, wanted, dir, threads, CHUNK, progress)
}

fn extract_in_chunks(
    set: &FilesSet,
    wanted: &[Wanted],
    dir: &Path,
    threads: NonZeroUsize,
    chunk: usize,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Snapshot, SourceError> {
    check_names(wanted)?;
    let failed = |error| SourceError::write(dir, error);
    let schema = snapshot_schema(set.format, wanted);
    let file = tempfile::Builder::new()
        .prefix(".snapshot-")
        .suffix(".parquet")
        .tempfile_in(dir)
        .map_err(|error| failed(error.into()))?;
    let properties = writer_properties(&schema, wanted).map_err(failed)?;
    let (mut writer, factory) = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
        .and_then(ArrowWriter::into_serialized_writer)
        .map_err(failed)?;
    let job = Job { set, wanted, dir, chunk, schema, factory };
    let (files, read, written) = run(&job, threads.get().min(MOST_WORKERS), &mut writer, progress)?;
    if read != written.records {
        return Err(SourceError::Unbalanced { read, written: written.records });
    }
    check_present(set, wanted, &written)?;
    files.iter().try_for_each(FileIdentity::verify_unchanged)?;
    let file = writer.into_inner().map_err(failed)?;
    let path = dir.join(NAME);
    file.persist(&path).map_err(|error| failed(error.error.into()))?;
    Ok(Snapshot { path, schema: job.schema, files, rows: written.rows, broken: written.broken })
}

/// Reads, parses and writes at the same time. Returns the files, the rows read, and what was written.
fn run<W: std::io::Write + Send>(
    job: &Job<'_>,
    workers: usize,
    writer: &mut SerializedFileWriter<W>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Vec<FileIdentity>, u64, Written), SourceError> {
    thread::scope(|scope| {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (input, blocks) = sync_channel::<Block>(1);
            let (encoded, output) = sync_channel(1);
            inputs.push(input);
            outputs.push(output);
            scope.spawn(move || work(job, &blocks, &encoded));
        }
        let reader = scope.spawn(move || Reader::new(job, inputs).read());
        let written = write(job, outputs, writer, progress);
        let read = match reader.join() {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // A writer that failed stops the reader, so its error is the first one.
        let written = written?;
        let (files, rows) = read?;
        Ok((files, rows, written))
    })
}

/// Reads the files and hands their records out in blocks.
struct Reader<'a> {
    job: &'a Job<'a>,
    inputs: Vec<SyncSender<Block>>,
    turn: usize,
    block: Block,
    rows: u64,
    bytes_before: u64,
}

impl<'a> Reader<'a> {
    fn new(job: &'a Job<'a>, inputs: Vec<SyncSender<Block>>) -> Self {
        Self { job, inputs, turn: 0, block: Block::default(), rows: 0, bytes_before: 0 }
    }

    /// Returns the files and the rows in them. Stops early when nobody takes the blocks any more.
    fn read(mut self) -> Result<(Vec<FileIdentity>, u64), SourceError> {
        let mut files = Vec::with_capacity(self.job.set.files.len());
        for (path, number) in self.job.set.files.iter().zip(0_i32..) {
            let Some(mut file) = Opened::open(path, self.job.set, self.job.chunk)? else {
                files.push(self.job.set.identity(path)?);
                continue;
            };
            let layout = Arc::new(self.layout(path, files.len(), &file)?);
            while let Some(chunk) = file.next_chunk()? {
                if !self.push(number, &layout, chunk) {
                    return Ok((files, self.rows));
                }
            }
            let identity = file.finish()?;
            self.bytes_before += self.job.set.members.get(path).map_or(identity.length, Member::length);
            files.push(identity);
        }
        self.send();
        Ok((files, self.rows))
    }

    /// Where the wanted columns are in the records of the file at `path`, number `file` from 0.
    fn layout(&self, path: &Path, file: usize, opened: &Opened) -> Result<Layout, SourceError> {
        let (set, wanted, columns) = (self.job.set, self.job.wanted, opened.columns());
        let given: Vec<Option<Given>> = wanted
            .iter()
            .map(|wanted| set.places.value(&wanted.column, file).map(Option::<&Arc<str>>::cloned))
            .collect();
        if set.format != Format::Csv {
            let value = |value: &Option<String>| value.as_deref().map(Arc::from);
            let beside = |wanted: &Wanted| {
                opened.beside().iter().rfind(|(name, _)| set.canonical(name) == wanted.column).map(|(_, of)| value(of))
            };
            let beside = wanted.iter().map(beside).collect();
            return Ok(Layout { given, records: Records::Json { keyed: opened.is_keyed(), beside } });
        }
        if let Some(wide) = opened.wide() {
            return Ok(Layout { given, records: Records::Wide(WideRecords::new(wide?, wanted)) });
        }
        let is_wanted = |name: &str| wanted.iter().any(|wanted| *wanted.column == *name);
        csv::check_distinct(path, columns, is_wanted)?;
        let position = |wanted: &Wanted| columns.iter().position(|name| *name == wanted.column);
        let positions: Vec<Option<usize>> = wanted.iter().map(position).collect();
        let needed = |wanted: &Wanted| !set.may_lack.contains(&wanted.column);
        let mut lacking = wanted
            .iter()
            .zip(&positions)
            .zip(&given)
            .filter(|((wanted, at), given)| at.is_none() && given.is_none() && needed(wanted));
        if positions.iter().all(Option::is_none) {
            return Err(SourceError::NoWantedColumn {
                path: path.to_path_buf(),
                wanted: quoted(wanted.iter().map(|wanted| wanted.column.as_str())),
                available: quoted(columns.iter().map(String::as_str)),
            });
        }
        if let Some(((wanted, _), _)) = lacking.next().filter(|_| !set.missing_is_null) {
            return Err(SourceError::MissingColumn {
                path: path.to_path_buf(),
                column: wanted.column.clone(),
                available: quoted(columns.iter().map(String::as_str)),
            });
        }
        let named_by = if set.layout.columns.is_empty() { "header has" } else { "`columns` has" };
        Ok(Layout { given, records: Records::Csv { width: columns.len(), positions, named_by } })
    }

    fn push(&mut self, file: i32, layout: &Arc<Layout>, chunk: Chunk) -> bool {
        let rows = chunk.records.len() as u64;
        self.rows += rows;
        self.block.rows += rows;
        self.block.text += chunk.data.len();
        self.block.bytes_read = self.bytes_before + chunk.bytes_read;
        self.block.pieces.push((file, Arc::clone(layout), chunk));
        self.block.text < self.job.chunk / 4 * 3 || self.send()
    }

    /// Hands the block to the worker whose turn it is; `false` when that one is gone.
    fn send(&mut self) -> bool {
        let block = std::mem::take(&mut self.block);
        if block.rows == 0 {
            return true;
        }
        let sent = self.inputs[self.turn].send(block).is_ok();
        self.turn = (self.turn + 1) % self.inputs.len();
        sent
    }
}

/// Parses and encodes blocks until there are no more, or nobody takes them.
fn work(job: &Job<'_>, blocks: &Receiver<Block>, encoded: &SyncSender<Result<Encoded, SourceError>>) {
    for block in blocks {
        let result = encode(job, &block).map_err(|error| SourceError::write(job.dir, error));
        let failed = result.is_err();
        if encoded.send(result).is_err() || failed {
            break;
        }
    }
}

fn encode(job: &Job<'_>, block: &Block) -> Result<Encoded, ParquetError> {
    let rows = block.pieces.iter().map(|(_, _, chunk)| chunk.records.len()).sum();
    let mut table = Table::new(job.wanted, job.set, rows);
    for (file, layout, chunk) in &block.pieces {
        table.push(*file, layout, chunk);
    }
    let records = table.records() as u64;
    let (rows, broken, present) = (table.len() as u64, table.broken() as u64, table.present().to_vec());
    let batch = table.finish(Arc::clone(&job.schema))?;
    // The number of a row group matters to encrypted files only.
    let writers = job.factory.create_column_writers(0)?;
    let mut columns = Vec::with_capacity(writers.len());
    for ((mut writer, field), column) in writers.into_iter().zip(job.schema.fields()).zip(batch.columns()) {
        for leaf in compute_leaves(field, column)? {
            writer.write(&leaf)?;
        }
        columns.push(writer.close()?);
    }
    Ok(Encoded { columns, rows, records, broken, present, bytes_read: block.bytes_read })
}

/// Writes the row groups in the order their blocks were read.
#[expect(clippy::needless_pass_by_value, reason = "dropping `outputs` on an error stops the other threads")]
fn write<W: std::io::Write + Send>(
    job: &Job<'_>,
    outputs: Vec<Receiver<Result<Encoded, SourceError>>>,
    writer: &mut SerializedFileWriter<W>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Written, SourceError> {
    let failed = |error| SourceError::write(job.dir, error);
    let mut written = Written { rows: 0, records: 0, broken: 0, present: vec![false; job.wanted.len()] };
    for output in outputs.iter().cycle() {
        let Ok(encoded) = output.recv() else { break };
        let encoded = encoded?;
        let mut group = writer.next_row_group().map_err(failed)?;
        for column in encoded.columns {
            column.append_to_row_group(&mut group).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        written.rows += encoded.rows;
        written.records += encoded.records;
        written.broken += encoded.broken;
        written.present.iter_mut().zip(encoded.present).for_each(|(seen, present)| *seen |= present);
        progress(written.rows, encoded.bytes_read);
    }
    Ok(written)
}

/// Fails when no JSON object had any of the wanted fields.
fn check_present(set: &FilesSet, wanted: &[Wanted], written: &Written) -> Result<(), SourceError> {
    let good = written.rows > written.broken;
    if !set.format.is_json() || !good || written.present.contains(&true) {
        return Ok(());
    }
    let available = super::infer(set)?;
    Err(SourceError::NoWantedColumn {
        path: set.files[0].clone(),
        wanted: quoted(wanted.iter().map(|wanted| wanted.column.as_str())),
        available: quoted(available.iter().map(|column| column.name.as_str())),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow::array::{AsArray, RecordBatch};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Int32Type, Int64Type};
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::super::WantedKind;
    use super::super::testing::{Fixture, gzip, zstd};
    use super::*;

    fn want(columns: &[&str]) -> Vec<Wanted> {
        columns.iter().map(|column| Wanted { column: (*column).to_owned(), kind: WantedKind::Text }).collect()
    }

    fn copy(fixture: &Fixture, columns: &[&str]) -> Result<Snapshot, SourceError> {
        let out = fixture.dir.path().join("out");
        fs::create_dir_all(&out).unwrap();
        extract(&fixture.set, &want(columns), &out, NonZeroUsize::new(2).unwrap(), &mut |_, _| ())
    }

    fn left_behind(fixture: &Fixture) -> usize {
        fs::read_dir(fixture.dir.path().join("out")).unwrap().count()
    }

    fn rows(snapshot: &Snapshot) -> RecordBatch {
        let file = fs::File::open(&snapshot.path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let batch = concat_batches(&snapshot.schema, &batches).unwrap();
        assert_eq!(batch.num_rows() as u64, snapshot.rows);
        batch
    }

    fn texts<'a>(batch: &'a RecordBatch, column: &str) -> Vec<Option<&'a str>> {
        batch.column_by_name(column).unwrap().as_string::<i32>().iter().collect()
    }

    fn integers(batch: &RecordBatch, column: &str) -> Vec<i64> {
        batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn files_of_any_packing_and_column_order_become_one_snapshot_in_order() {
        let packed = gzip(b"close,symbol\n2,B\n3\n");
        let mut fixture = Fixture::new(
            Format::Csv,
            &[
                ("a.csv", b"symbol,close\r\nA,1\r\n".to_vec()),
                ("b.csv.gz", packed.clone()),
                ("c.csv.zst", zstd(b"symbol,close\nC,NA")),
            ],
        );
        let error = copy(&fixture, &["symbol", "close", "gone"]).unwrap_err().to_string();
        assert!(error.contains("a.csv` has no column `gone`; it has `symbol`, `close`"), "{error}");
        fixture.set.missing_is_null = true;
        let snapshot = copy(&fixture, &["symbol", "close", "gone"]).unwrap();
        assert_eq!((snapshot.rows, snapshot.broken), (4, 1));
        assert_eq!(snapshot.files[1].sha256, Some(Sha256::digest(&packed).into()));
        let batch = rows(&snapshot);
        assert_eq!(batch.schema(), snapshot.schema);
        assert_eq!(texts(&batch, "symbol"), [Some("A"), Some("B"), None, Some("C")]);
        assert_eq!(texts(&batch, "close"), [Some("1"), Some("2"), None, None]);
        assert_eq!(texts(&batch, "__broken"), [None, None, Some("ragged row: 1 cells, header has 2"), None]);
        assert_eq!(batch.column_by_name("__file").unwrap().as_primitive::<Int32Type>().values(), &[0, 1, 1, 2]);
        assert_eq!(integers(&batch, "__row"), [1, 1, 2, 1]);
        assert_eq!(integers(&batch, "__line"), [2, 2, 3, 2]);
        assert_eq!(left_behind(&fixture), 1);
    }

    #[test]
    fn many_row_groups_keep_the_order_of_the_records() {
        let text = (0..5000).map(|n| format!("s{},{n}\n", n % 7)).collect::<Vec<_>>().concat();
        let fixture = Fixture::csv(format!("symbol,n\n{text}"));
        let mut reported = Vec::new();
        let threads = NonZeroUsize::new(3).unwrap();
        let mut progress = |rows, bytes| reported.push((rows, bytes));
        let snapshot =
            extract_in_chunks(&fixture.set, &want(&["n"]), fixture.dir.path(), threads, 1000, &mut progress).unwrap();
        let batch = rows(&snapshot);
        assert!(reported.len() > 20 && reported.is_sorted(), "{reported:?}");
        assert_eq!(reported.last(), Some(&(5000, snapshot.files[0].length)));
        assert_eq!(integers(&batch, "__row"), (1..=5000).collect::<Vec<i64>>());
        let numbers: Vec<usize> = texts(&batch, "n").iter().map(|n| n.unwrap().parse().unwrap()).collect();
        assert_eq!(numbers, (0..5000).collect::<Vec<usize>>());
    }

    #[test]
    fn a_header_alone_gives_a_snapshot_without_rows() {
        let fixture = Fixture::csv("symbol,close\n");
        let snapshot = copy(&fixture, &["symbol"]).unwrap();
        assert_eq!((snapshot.rows, rows(&snapshot).num_rows()), (0, 0));
    }

    #[test]
    fn a_cell_of_a_megabyte_is_copied() {
        let long = "x".repeat(1 << 20);
        let fixture = Fixture::csv(format!("symbol,note\nA,\"{long}\ny\"\n"));
        let batch = rows(&copy(&fixture, &["note"]).unwrap());
        assert_eq!(texts(&batch, "note"), [Some(format!("{long}\ny").as_str())]);
    }

    #[test]
    fn json_lines_become_a_snapshot() {
        let fixture = Fixture::ndjson("{\"symbol\":\"A\",\"close\":1.50}\n[]\n{\"close\":\"NA\"}\n");
        let snapshot = copy(&fixture, &["symbol", "close"]).unwrap();
        let batch = rows(&snapshot);
        assert_eq!(texts(&batch, "symbol"), [Some("A"), None, None]);
        assert_eq!(texts(&batch, "close"), [None, None, Some("NA")], "texts of NULL are those of CSV");
        assert_eq!(texts(&batch, "close!"), [Some("1.50"), None, None]);
        assert_eq!(snapshot.broken, 1);
    }

    #[test]
    fn an_error_anywhere_leaves_nothing_behind() {
        let large = (0..5000).map(|n| format!("A,{n},{}\n", n * 7919 % 10_007)).collect::<Vec<_>>().concat();
        let broken_off = gzip(format!("s,n,p\n{large}").as_bytes());
        let good = ("a.csv", format!("s,n,p\n{large}").into_bytes());
        for (what, bytes) in [
            ("open quote", format!("s,n,p\n{large}\"A,1,2\n").into_bytes()),
            ("breaks off", broken_off[..broken_off.len() - 100].to_vec()),
            ("other columns", b"n,p\n1,2\n".to_vec()),
        ] {
            let fixture = Fixture::new(Format::Csv, &[good.clone(), ("b.csv", bytes)]);
            for chunk in [1000, CHUNK] {
                let out = fixture.dir.path().join("out");
                fs::create_dir_all(&out).unwrap();
                let threads = NonZeroUsize::new(2).unwrap();
                let error =
                    extract_in_chunks(&fixture.set, &want(&["s"]), &out, threads, chunk, &mut |_, _| ()).unwrap_err();
                assert!(error.to_string().contains("b.csv"), "{what}: {error}");
                assert_eq!(left_behind(&fixture), 0, "{what}");
            }
        }
    }

    #[test]
    fn none_of_the_wanted_columns_is_an_error_that_lists_those_there_are() {
        for fixture in [Fixture::csv("symbol,open\nA,1\n"), Fixture::ndjson("{\"symbol\":\"A\",\"open\":1}\n")] {
            let error = copy(&fixture, &["close", "high"]).unwrap_err().to_string();
            assert!(error.ends_with("has none of the columns `close`, `high`; it has `symbol`, `open`"), "{error}");
            assert_eq!(left_behind(&fixture), 0);
        }
    }

    #[test]
    fn a_file_that_changes_before_the_copy_is_complete_is_an_error() {
        let fixture = Fixture::csv("s\nA\n");
        let out = fixture.dir.path().join("out");
        fs::create_dir(&out).unwrap();
        let path = fixture.set.files[0].clone();
        let mut append = |_: u64, _: u64| fs::write(&path, "s\nA\nB\n").unwrap();
        let error = extract(&fixture.set, &want(&["s"]), &out, NonZeroUsize::MIN, &mut append).unwrap_err();
        assert!(matches!(error, SourceError::Changed { .. }), "{error}");
        assert_eq!(left_behind(&fixture), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
        let fixture = Fixture::csv("s\nA\n");
        let none = fixture.dir.path().join("none");
        let error = extract(&fixture.set, &want(&["s"]), &none, NonZeroUsize::MIN, &mut |_, _| ()).unwrap_err();
        assert!(matches!(&error, SourceError::Write { dir, .. } if *dir == none), "{error}");
    }
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn any_bytes_are_refused_or_copied_the_same_in_chunks_of_any_size(
            parts in proptest::collection::vec(
                prop::sample::select(vec![&b"a"[..], b"1", b",", b"\"", b"\n", b"\r\n", b"\xff", b"\0", b"{", b"}", b"{\"s\":1}\n"]), 0..40,
            ),
            format in prop::sample::select(vec![Format::Csv, Format::Ndjson]),
            chunk in 1_usize..50,
        ) {
            let head = if format == Format::Csv { &b"s,n\n"[..] } else { b"{\"s\":\"x\"}\n" };
            let bytes = [head, &parts.concat()].concat();
            let fixture = Fixture::new(format, &[("a", &bytes)]);
            let read = |chunk| {
                let threads = NonZeroUsize::new(2).unwrap();
                let copied =
                    extract_in_chunks(&fixture.set, &want(&["s", "n"]), fixture.dir.path(), threads, chunk, &mut |_, _| ());
                copied.map(|snapshot| rows(&snapshot)).map_err(|error| error.to_string())
            };
            prop_assert_eq!(read(chunk), read(CHUNK));
        }
    }
}
