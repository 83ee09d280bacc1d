//! Quarantine copies of rows of files: the record's own bytes (text), or the row with all its columns (Parquet), with
//! the rule that condemned it.
//!
//! A copy is written under a temporary name, synced, read back and compared before it gets its name. Files are 0600
//! in folders of 0700. The source is only read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};

use crate::engine::program::Program;
use crate::report::moves::MoveRow;
use crate::report::run::ActionRow;
use crate::report::utc::UtcMicros;
use crate::source::{self, FileIdentity, FilesSet, Locator, SourceError};

/// Where copies go.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The job's quarantine folder.
    pub dir: &'a Path,
    /// The job.
    pub job: &'a str,
    /// The run that makes them.
    pub run_id: &'a str,
    /// When, µs UTC.
    pub at: i64,
}

/// Why rows could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The rows could not be read again as they were judged.
    #[error("cannot read the rows to be copied again; run once more")]
    Source(#[from] SourceError),
    /// The quarantine cannot be written.
    #[error("cannot write the quarantine copy `{}`; free or grant the space, then run again", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The copy cannot be encoded.
    #[error("cannot encode the quarantine copy `{}`", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder says.
        source: ParquetError,
    },
    /// The rows do not make a table.
    #[error("the rows of `{}` do not make a table", path.display())]
    Table {
        /// The source file.
        path: PathBuf,
        /// Why.
        source: ArrowError,
    },
    /// What was read back is not what was written.
    #[error("the quarantine copy `{}` does not read back as it was written; check the disk", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
    },
}

impl CopyError {
    /// A failure of the Parquet writer; what the disk says is told from what the encoder says.
    fn encoding(path: &Path, source: ParquetError) -> Self {
        let path = path.to_path_buf();
        match source {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => Self::Write { path, source: *source },
                Err(inner) => Self::Encode { path, source: ParquetError::External(inner) },
            },
            source => Self::Encode { path, source },
        }
    }
}

/// Copies the rows of `moves`, which are in the order of (file, row), one Parquet file a source file.
///
/// # Errors
/// When a row cannot be read again or the copy cannot be written and verified; copies of earlier source files stay.
pub fn keep(
    target: &Target<'_>,
    program: &Program,
    set: &FilesSet,
    files: &[FileIdentity],
    moves: &[MoveRow],
) -> Result<Vec<ActionRow>, CopyError> {
    let mut actions = Vec::with_capacity(moves.len());
    for rows in moves.chunk_by(|a, b| a.file == b.file) {
        let number = usize::try_from(rows[0].file).unwrap_or(usize::MAX);
        let Some(file) = files.get(number) else { continue };
        let (raw, hashes) = match set.format.is_text() {
            true => raw_records(set, file, number, rows)?,
            false => parquet_rows(file, rows)?,
        };
        file.verify_unchanged()?;
        let ids: Vec<String> = rows.iter().zip(&hashes).map(|(row, hash)| item_id(&file.path, row, hash)).collect();
        let batch = with_reasons(target, program, file, rows, &ids, &hashes, &raw)?;
        write(target, number, &batch)?;
        for ((row, id), hash) in rows.iter().zip(ids).zip(hashes) {
            actions.push(ActionRow {
                finding_ids: vec![row.finding_id.clone()],
                quarantine_id: id,
                locator: format!("{}:{}", file.path.display(), row.row),
                action: row.action,
                state: "copied".to_owned(),
                sha256: hash,
                at: UtcMicros(target.at),
            });
        }
    }
    Ok(actions)
}

/// Identity of a quarantined row: the same row of the same file always has the same.
fn item_id(path: &Path, row: &MoveRow, hash: &str) -> String {
    let mut id = Sha256::new();
    for part in [path.as_os_str().as_encoded_bytes(), row.row_key.as_bytes(), hash.as_bytes()] {
        id.update((part.len() as u64).to_le_bytes());
        id.update(part);
    }
    hex(&id.finalize()[..16])
}

/// Records as they stand in a text file, in the column `raw`.
fn raw_records(
    set: &FilesSet,
    file: &FileIdentity,
    number: usize,
    rows: &[MoveRow],
) -> Result<(RecordBatch, Vec<String>), CopyError> {
    let locator =
        |row: &MoveRow| Locator { file: number, row: row.row.unsigned_abs(), hash: row.hash.unwrap_or_default() };
    let locators: Vec<Locator> = rows.iter().map(locator).collect();
    let records = source::fetch_text(set, &locators).collect::<Result<Vec<_>, _>>()?;
    let raw: BinaryArray = records.iter().map(|record| Some(record.bytes.as_slice())).collect();
    let hashes = records.iter().map(|record| hex(&record.locator.hash)).collect();
    let batch = RecordBatch::try_from_iter([("raw", Arc::new(raw) as ArrayRef)]).map_err(table(file))?;
    Ok((batch, hashes))
}

/// Rows of a Parquet file with all its columns. The hash is over the row alone as Parquet-independent text of its values.
fn parquet_rows(file: &FileIdentity, rows: &[MoveRow]) -> Result<(RecordBatch, Vec<String>), CopyError> {
    let numbers: Vec<u64> = rows.iter().map(|row| row.row.unsigned_abs()).collect();
    let batches = source::fetch_parquet(&file.path, &numbers)?.collect::<Result<Vec<_>, _>>()?;
    let Some(first) = batches.first() else {
        return Err(SourceError::Changed { path: file.path.clone() }.into());
    };
    let batch = concat_batches(&first.schema(), &batches).map_err(table(file))?;
    let hashes =
        (0..batch.num_rows()).map(|row| row_hash(&batch, row)).collect::<Result<_, _>>().map_err(table(file))?;
    Ok((batch, hashes))
}

/// SHA-256 over the values of a row: for each column its name and the bytes of the value's canonical text.
fn row_hash(batch: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let options = arrow::util::display::FormatOptions::default().with_null("\u{0}");
    let mut hash = Sha256::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let text = arrow::util::display::ArrayFormatter::try_new(column, &options)?.value(row).try_to_string()?;
        for part in [field.name().as_str(), text.as_str()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(hex(&hash.finalize()))
}

fn table(file: &FileIdentity) -> impl Fn(ArrowError) -> CopyError + '_ {
    |source| CopyError::Table { path: file.path.clone(), source }
}

/// The rows behind columns that say where they were and why they are here; those begin with `quarantine_`.
fn with_reasons(
    target: &Target<'_>,
    program: &Program,
    file: &FileIdentity,
    rows: &[MoveRow],
    ids: &[String],
    hashes: &[String],
    raw: &RecordBatch,
) -> Result<RecordBatch, CopyError> {
    let texts = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
    let why = |row: &MoveRow| program.rules.rules.get(row.rule).and_then(|rule| rule.why.as_deref());
    let path = file.path.display().to_string();
    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.time).collect();
    let reasons: Vec<(&str, ArrayRef)> = vec![
        ("quarantine_id", texts(ids.iter().map(|id| Some(id.as_str())).collect())),
        ("quarantine_run", texts(vec![Some(target.run_id); rows.len()])),
        ("quarantine_job", texts(vec![Some(target.job); rows.len()])),
        ("quarantine_file", texts(vec![Some(path.as_str()); rows.len()])),
        ("quarantine_row", Arc::new(rows.iter().map(|row| Some(row.row)).collect::<Int64Array>())),
        ("quarantine_sha256", texts(hashes.iter().map(|hash| Some(hash.as_str())).collect())),
        ("quarantine_series", texts(rows.iter().map(|row| Some(&*row.series)).collect())),
        ("quarantine_time", Arc::new(times.with_timezone("UTC"))),
        ("quarantine_rule", texts(rows.iter().map(|row| Some(program.rule_id(row.rule))).collect())),
        ("quarantine_why", texts(rows.iter().map(why).collect())),
        ("quarantine_action", texts(rows.iter().map(|row| Some(row.action.as_str())).collect())),
    ];
    let mut fields: Vec<Field> =
        reasons.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    fields.extend(raw.schema().fields().iter().map(|field| field.as_ref().clone()));
    let columns = reasons.into_iter().map(|(_, array)| array).chain(raw.columns().iter().cloned()).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(table(file))
}

fn write(target: &Target<'_>, number: usize, batch: &RecordBatch) -> Result<(), CopyError> {
    let folder = target.dir.join(format!("job={}", target.job));
    let path = folder.join(format!("{}-{number:03}.parquet", target.run_id));
    let failed = |source| CopyError::Write { path: path.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    let temporary = folder.join(format!(".{}-{number:03}.writing", target.run_id));
    let written = write_verified(&temporary, &path, batch);
    if written.is_err() {
        // The first error is the one to tell; a leftover has a name that nothing reads.
        fs::remove_file(&temporary).ok();
    }
    written?;
    fs::rename(&temporary, &path).map_err(failed)?;
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn write_verified(temporary: &Path, path: &Path, batch: &RecordBatch) -> Result<(), CopyError> {
    let failed = |source| CopyError::Write { path: path.to_path_buf(), source };
    let encode = |source| CopyError::encoding(path, source);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary).map_err(failed)?;
    let compression = Compression::ZSTD(ZstdLevel::try_new(3).map_err(encode)?);
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer =
        ArrowWriter::try_new(file.try_clone().map_err(failed)?, batch.schema(), Some(properties)).map_err(encode)?;
    writer.write(batch).map_err(encode)?;
    writer.close().map_err(encode)?;
    file.sync_all().map_err(failed)?;
    let reader = File::open(temporary).map_err(failed)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(reader)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(encode)?;
    let back = reader.collect::<Result<Vec<_>, _>>().and_then(|back| concat_batches(&batch.schema(), &back));
    let same = back.is_ok_and(|back| back.columns() == batch.columns() && raw_hashes_match(&back));
    if same { Ok(()) } else { Err(CopyError::Differs { path: path.to_path_buf() }) }
}

/// Whether the bytes of text records have the hashes that stand beside them; true where there are none.
fn raw_hashes_match(batch: &RecordBatch) -> bool {
    let (Some(raw), Some(hashes)) = (batch.column_by_name("raw"), batch.column_by_name("quarantine_sha256")) else {
        return true;
    };
    let Some(raw) = raw.as_binary_opt::<i32>() else { return true };
    let hashes = hashes.as_string::<i32>();
    (0..batch.num_rows()).all(|row| raw.is_null(row) || hex(&Sha256::digest(raw.value(row))) == hashes.value(row))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
