//! The quarantine copy of the rows that leave one file: one Parquet file, written, read back, and only then named.
//!
//! Columns that say where a row was and why it is here begin with `quarantine_`. Behind them stands the record's own
//! bytes (`raw`, text) or the row's own columns with the types and bits they had (Parquet).

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type as Long};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use sha2::{Digest, Sha256};

use crate::decide::Action;
use crate::quarantine::item::{Item, Reason, State};

use super::columns::{self, Chunks, Part, Reader};
use super::open::Open;
use super::text::Piece;
use super::{FilesError, table};
use crate::durable::{Disk, hex};

/// A row of a quarantine copy without what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) run_id: String,
    pub(super) plan_id: String,
    pub(super) job: String,
    pub(super) source: String,
    pub(super) row: u64,
    /// Where it began in the unpacked text; `None` for Parquet.
    pub(super) offset: Option<u64>,
    /// The physical line it began in; `None` for Parquet, and in copies of earlier versions.
    pub(super) line: Option<u64>,
    pub(super) line_end: Option<Vec<u8>>,
    /// The key of the row before it that stayed.
    pub(super) after: Option<u128>,
    pub(super) sha256: String,
    pub(super) series: String,
    pub(super) time: Option<i64>,
    pub(super) reasons: Vec<Reason>,
    pub(super) action: Action,
    pub(super) at: i64,
    pub(super) expires_at: i64,
    /// The bytes of a text record; `None` for Parquet.
    pub(super) raw: Option<Vec<u8>>,
}

/// The column that holds the bytes of text records.
const RAW: &str = "raw";
/// The column behind it that holds their lines.
const LINE: &str = "quarantine_line";
/// What the names of our own columns begin with.
const OURS: &str = "quarantine_";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bytes,
    Whole,
    Time,
}

/// Our own columns in their order.
const COLUMNS: [(&str, Kind); 16] = [
    ("quarantine_id", Kind::Text),
    ("quarantine_run", Kind::Text),
    ("quarantine_plan", Kind::Text),
    ("quarantine_job", Kind::Text),
    ("quarantine_file", Kind::Text),
    ("quarantine_row", Kind::Whole),
    ("quarantine_offset", Kind::Whole),
    ("quarantine_line_end", Kind::Bytes),
    ("quarantine_after", Kind::Text),
    ("quarantine_sha256", Kind::Text),
    ("quarantine_series", Kind::Text),
    ("quarantine_time", Kind::Time),
    ("quarantine_reasons", Kind::Text),
    ("quarantine_action", Kind::Text),
    ("quarantine_at", Kind::Time),
    ("quarantine_expires_at", Kind::Time),
];

/// Columns of a copy that are not the source's.
pub(super) const SKIPPED: usize = COLUMNS.len();

/// The rows' own columns.
pub(super) enum Own<'a> {
    /// The bytes stand in [`Kept::raw`].
    Text,
    /// These rows of a Parquet file.
    Table(&'a Reader, Vec<Part>),
    /// These rows of another copy of rows of a Parquet file.
    Copy(&'a Reader, Vec<Part>),
}

impl Own<'_> {
    /// Columns of the file that are not the source's.
    fn skipped(&self) -> usize {
        match self {
            Self::Copy(..) => SKIPPED,
            Self::Text | Self::Table(..) => 0,
        }
    }
}

/// Fails where a column of the source has a name of ours.
pub(super) fn check_names(path: &Path, reader: &Reader) -> Result<(), FilesError> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let taken = schema.root_schema().get_fields().iter().map(|field| field.name()).find(|name| name.starts_with(OURS));
    match taken {
        None => Ok(()),
        Some(column) => Err(FilesError::ReservedColumn { path: path.to_path_buf(), column: column.to_owned() }),
    }
}

/// Writes the copy to `temporary`, syncs it, and proves that it reads back as it was written.
pub(super) fn write(disk: &Disk, temporary: &Path, kept: &[Kept], own: &Own<'_>) -> Result<(), FilesError> {
    let mut file = disk.create(temporary).map_err(|source| FilesError::write(temporary, source))?;
    table::guarded(temporary, || {
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?));
        let schema = Arc::new(schema(own)?);
        let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties.build()))?;
        let mut group = writer.next_row_group()?;
        for (name, kind) in COLUMNS {
            let mut column = group.next_column()?.ok_or_else(table::no_column)?;
            write_ours(&mut column, name, kind, kept)?;
            column.close()?;
        }
        match own {
            Own::Text => {
                let mut column = group.next_column()?.ok_or_else(table::no_column)?;
                write_bytes(&mut column, kept.iter().map(|row| row.raw.clone()))?;
                column.close()?;
                let mut column = group.next_column()?.ok_or_else(table::no_column)?;
                write_ours(&mut column, LINE, Kind::Whole, kept)?;
                column.close()?;
            }
            Own::Table(reader, parts) | Own::Copy(reader, parts) => {
                let skipped = own.skipped();
                for number in 0..table::leaves(reader.metadata()) - skipped {
                    let mut column = group.next_column()?.ok_or_else(table::no_column)?;
                    columns::assemble(&mut column, &[(reader, skipped)], number, parts)?;
                    column.close()?;
                }
            }
        }
        group.close()?;
        writer.close()?;
        Ok(())
    })?;
    file.sync().map_err(|source| FilesError::write(temporary, source))?;
    drop(file);
    let written = Open::at(disk, temporary)?;
    match read(&written)? == kept && hashes_match(&written, kept)? {
        true => Ok(()),
        false => Err(FilesError::CopyDiffers { path: temporary.to_path_buf() }),
    }
}

/// Whether the rows have the hashes that stand beside them.
fn hashes_match(copy: &Open, kept: &[Kept]) -> Result<bool, FilesError> {
    if kept.iter().all(|row| row.raw.is_some()) {
        let hash = |row: &Kept| hex(&Sha256::digest(row.raw.as_deref().unwrap_or_default()));
        return Ok(kept.iter().all(|row| hash(row) == row.sha256));
    }
    let rows: Vec<u64> = (0..kept.len() as u64).collect();
    let hashes = table::hashes(&copy.path, &table::open(copy)?, SKIPPED, &rows)?;
    Ok(hashes.iter().map(|hash| hex(hash)).eq(kept.iter().map(|row| row.sha256.clone())))
}

fn schema(own: &Own<'_>) -> ParquetResult<Type> {
    let field = |name: &str, kind: Kind| {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Bytes => (Physical::BYTE_ARRAY, None),
            Kind::Whole => (Physical::INT64, None),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        field.with_logical_type(logical).build().map(Arc::new)
    };
    let mut fields = COLUMNS.iter().map(|(name, kind)| field(name, *kind)).collect::<ParquetResult<Vec<TypePtr>>>()?;
    match own {
        Own::Text => fields.extend([field(RAW, Kind::Bytes)?, field(LINE, Kind::Whole)?]),
        Own::Table(reader, _) | Own::Copy(reader, _) => {
            let schema = reader.metadata().file_metadata().schema_descr();
            fields.extend(schema.root_schema().get_fields()[own.skipped()..].iter().cloned());
        }
    }
    Type::group_type_builder("schema").with_fields(fields).build()
}

fn write_ours(column: &mut SerializedColumnWriter<'_>, name: &str, kind: Kind, kept: &[Kept]) -> ParquetResult<()> {
    match kind {
        Kind::Text | Kind::Bytes => {
            let cells = kept.iter().map(|row| bytes_of(row, name)).collect::<ParquetResult<Vec<_>>>()?;
            write_bytes(column, cells.into_iter())
        }
        Kind::Whole | Kind::Time => {
            let cells: Vec<Option<i64>> = kept.iter().map(|row| number_of(row, name)).collect();
            let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
            let values: Vec<i64> = cells.into_iter().flatten().collect();
            column.typed::<Long>().write_batch(&values, Some(&levels), None).map(drop)
        }
    }
}

fn write_bytes(
    column: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = Option<Vec<u8>>>,
) -> ParquetResult<()> {
    let cells: Vec<Option<Vec<u8>>> = cells.collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<ByteArray> = cells.into_iter().flatten().map(ByteArray::from).collect();
    column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).map(drop)
}

fn bytes_of(row: &Kept, name: &str) -> ParquetResult<Option<Vec<u8>>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    Ok(match name {
        "quarantine_id" => text(&row.id),
        "quarantine_run" => text(&row.run_id),
        "quarantine_plan" => text(&row.plan_id),
        "quarantine_job" => text(&row.job),
        "quarantine_file" => text(&row.source),
        "quarantine_line_end" => row.line_end.clone(),
        "quarantine_after" => row.after.and_then(|key| text(&format!("{key:032x}"))),
        "quarantine_sha256" => text(&row.sha256),
        "quarantine_series" => text(&row.series),
        "quarantine_reasons" => {
            Some(serde_json::to_vec(&row.reasons).map_err(|error| ParquetError::External(Box::new(error)))?)
        }
        "quarantine_action" => text(row.action.as_str()),
        _ => None,
    })
}

fn number_of(row: &Kept, name: &str) -> Option<i64> {
    match name {
        "quarantine_row" => i64::try_from(row.row).ok(),
        "quarantine_offset" => row.offset.and_then(|offset| i64::try_from(offset).ok()),
        LINE => row.line.and_then(|line| i64::try_from(line).ok()),
        "quarantine_time" => row.time,
        "quarantine_at" => Some(row.at),
        "quarantine_expires_at" => Some(row.expires_at),
        _ => None,
    }
}

/// Writes the rows `stays` of a copy, which are those of `kept`, to `temporary`, and proves that they are.
pub(super) fn rewrite(
    disk: &Disk,
    temporary: &Path,
    copy: &Open,
    is_text: bool,
    kept: &[Kept],
    stays: &[usize],
) -> Result<(), FilesError> {
    if is_text {
        return write(disk, temporary, kept, &Own::Text);
    }
    let reader = table::open(copy)?;
    let rows: Vec<u64> = stays.iter().map(|row| *row as u64).collect();
    let parts = table::guarded(&copy.path, || table::parts_of(&reader, &rows))?;
    write(disk, temporary, kept, &Own::Copy(&reader, parts))
}

fn chunks(copy: &Open) -> Result<Chunks, FilesError> {
    Chunks::new(copy.reader()).map_err(|source| FilesError::read(&copy.path, source))
}

/// The rows of a copy.
pub(super) fn read(copy: &Open) -> Result<Vec<Kept>, FilesError> {
    let (path, file) = (&copy.path, chunks(copy)?);
    let batches = table::guarded(path, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let wanted = (0..builder.parquet_schema().root_schema().get_fields().len())
            .filter(|root| *root < SKIPPED || [RAW, LINE].contains(&builder.schema().field(*root).name().as_str()));
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.collect::<Vec<_>>());
        let reader = builder.with_projection(mask).build()?;
        reader.collect::<Result<Vec<RecordBatch>, _>>().map_err(ParquetError::from)
    })?;
    let unreadable = |what: &str| FilesError::parquet(path, ParquetError::General(what.to_owned()));
    let mut kept = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            kept.push(read_row(batch, row).ok_or_else(|| unreadable("a row lacks what quarantine writes for each"))?);
        }
    }
    Ok(kept)
}

fn read_row(batch: &RecordBatch, row: usize) -> Option<Kept> {
    let column = |name: &str| batch.column_by_name(name).filter(|column| column.is_valid(row));
    let text = |name: &str| Some(column(name)?.as_string_opt::<i32>()?.value(row).to_owned());
    let bytes = |name: &str| Some(column(name)?.as_binary_opt::<i32>()?.value(row).to_vec());
    let whole = |name: &str| u64::try_from(column(name)?.as_primitive_opt::<Int64Type>()?.value(row)).ok();
    let time = |name: &str| Some(column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row));
    Some(Kept {
        id: text("quarantine_id")?,
        run_id: text("quarantine_run")?,
        plan_id: text("quarantine_plan")?,
        job: text("quarantine_job")?,
        source: text("quarantine_file")?,
        row: whole("quarantine_row")?,
        offset: whole("quarantine_offset"),
        line: whole(LINE),
        line_end: bytes("quarantine_line_end"),
        after: text("quarantine_after").and_then(|key| u128::from_str_radix(&key, 16).ok()),
        sha256: text("quarantine_sha256")?,
        series: text("quarantine_series")?,
        time: time("quarantine_time"),
        reasons: serde_json::from_str(&text("quarantine_reasons")?).ok()?,
        action: Action::parse(&text("quarantine_action")?)?,
        at: time("quarantine_at")?,
        expires_at: time("quarantine_expires_at")?,
        raw: match is_text(batch, row) {
            true => Some(bytes(RAW)?),
            false => None,
        },
    })
}

/// Whether the row is one of a text file: only those have a line end.
fn is_text(batch: &RecordBatch, row: usize) -> bool {
    batch.column_by_name("quarantine_line_end").is_some_and(|column| column.is_valid(row))
}

/// The rows of a copy of Parquet rows as JSON, one a row.
pub(super) fn rows_as_json(copy: &Open) -> Result<Vec<Vec<u8>>, FilesError> {
    let (path, file) = (&copy.path, chunks(copy)?);
    table::guarded(path, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let roots = SKIPPED..builder.parquet_schema().root_schema().get_fields().len();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let reader = builder.with_projection(mask).build()?;
        let batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
        let Some(first) = batches.first() else { return Ok(Vec::new()) };
        let batch = concat_batches(&first.schema(), &batches)?;
        (0..batch.num_rows())
            .map(|row| {
                let mut writer = arrow::json::WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .build::<_, arrow::json::writer::LineDelimited>(Vec::new());
                writer.write(&batch.slice(row, 1))?;
                writer.finish()?;
                Ok(writer.into_inner().trim_ascii_end().to_vec())
            })
            .collect()
    })
}

impl Kept {
    /// The row as the rest of the program sees it.
    pub(super) fn item(self, state: State, raw: Vec<u8>) -> Item {
        Item {
            id: self.id,
            run_id: self.run_id,
            plan_id: self.plan_id,
            source: self.source,
            locator: self.line.unwrap_or(self.row).to_string(),
            sha256: self.sha256,
            series: self.series,
            time: self.time,
            reasons: self.reasons,
            action: self.action,
            at: self.at,
            expires_at: self.expires_at,
            state,
            restored_at: None,
            raw,
        }
    }

    /// The row as it stood in its text file; `None` for a row of Parquet.
    pub(super) fn piece(&self) -> Option<Piece> {
        Some(Piece {
            row: self.row,
            offset: self.offset?,
            line: self.line.unwrap_or_default(),
            raw: self.raw.clone()?,
            line_end: self.line_end.clone()?,
            after: self.after,
        })
    }
}
