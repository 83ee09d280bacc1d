//! Parquet files: rows taken out and put back without a change of schema, order, row groups or metadata.
//!
//! Row groups that keep all their rows are copied byte for byte; the others are encoded again with the compression
//! and encodings they had. Levels of compression and sizes of pages are the writer's own, and it writes no checksums.

use std::io::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, ReaderProperties, WriterProperties, WriterVersion};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use parquet::file::writer::SerializedFileWriter;
use sha2::{Digest, Sha256};
use twox_hash::xxhash3_128::Hasher;

use super::FilesError;
use super::columns::{self, Chunks, Part, Reader};
use super::open::Open;
use super::text::Sums;
use crate::durable::{Hash, Output};

/// Reads the footer of a Parquet file.
pub(super) fn open(open: &Open) -> Result<Reader, FilesError> {
    let file = Chunks::new(open.reader()).map_err(|source| FilesError::read(&open.path, source))?;
    guarded(&open.path, || {
        let options = ReadOptionsBuilder::new()
            .with_page_index()
            .with_reader_properties(ReaderProperties::builder().set_read_bloom_filter(true).build())
            .build();
        Reader::new(file, options)
    })
}

/// Runs the Parquet library, which panics on some damaged files.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> ParquetResult<T>) -> Result<T, FilesError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(ParquetError::General("the file is damaged".to_owned())))
        .map_err(|source| FilesError::parquet(path, source))
}

/// The number of rows in each row group.
pub(super) fn group_sizes(reader: &Reader) -> ParquetResult<Vec<u64>> {
    let groups = 0..reader.metadata().num_row_groups();
    groups.map(|group| columns::rows_of(reader, group).map(|rows| rows as u64)).collect()
}

/// The keys of all rows in their order, without the first `skipped` columns. A key is over all that a row holds.
pub(super) fn keys(path: &Path, reader: &Reader, skipped: usize) -> Result<Vec<u128>, FilesError> {
    guarded(path, || {
        let mut keys = Vec::new();
        for group in 0..reader.metadata().num_row_groups() {
            let mut own = vec![0_u128; columns::rows_of(reader, group)?];
            for column in skipped..leaves(reader.metadata()) {
                columns::fold(reader, group, column, &mut |row, cell| {
                    let mut hasher = Hasher::new();
                    hasher.write(&own[row].to_le_bytes());
                    hasher.write(cell);
                    own[row] = hasher.finish_128();
                })?;
            }
            keys.append(&mut own);
        }
        Ok(keys)
    })
}

/// SHA-256 of the rows with these indices (ascending, from 0), without the first `skipped` columns: over the name and
/// the cell of every column. It does not depend on how the file is stored.
pub(super) fn hashes(path: &Path, reader: &Reader, skipped: usize, rows: &[u64]) -> Result<Vec<Hash>, FilesError> {
    guarded(path, || {
        let mut hashes = Vec::with_capacity(rows.len());
        for (group, local) in by_group(&group_sizes(reader)?, rows) {
            let mut own: Vec<Sha256> = vec![Sha256::new(); local.len()];
            for column in skipped..leaves(reader.metadata()) {
                let name = reader.metadata().file_metadata().schema_descr().column(column).path().string();
                let mut wanted = local.iter().zip(&mut own).peekable();
                columns::fold(reader, group, column, &mut |row, cell| {
                    if let Some((_, hash)) = wanted.next_if(|(wanted, _)| **wanted == row) {
                        for part in [name.as_bytes(), cell] {
                            hash.update((part.len() as u64).to_le_bytes());
                            hash.update(part);
                        }
                    }
                })?;
            }
            hashes.extend(own.into_iter().map(|hash| <Hash>::from(hash.finalize())));
        }
        Ok(hashes)
    })
}

/// Rows (ascending indices in the file) as row groups and indices in them; those beyond the end are left out.
fn by_group(sizes: &[u64], rows: &[u64]) -> Vec<(usize, Vec<usize>)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (group, size) in sizes.iter().enumerate() {
        let own =
            rows[rows.partition_point(|row| *row < start)..rows.partition_point(|row| *row < start + size)].iter();
        let local: Vec<usize> = own.filter_map(|row| usize::try_from(row - start).ok()).collect();
        if !local.is_empty() {
            found.push((group, local));
        }
        start += size;
    }
    found
}

/// Rows of the file as parts to put columns together from.
pub(super) fn parts_of(reader: &Reader, rows: &[u64]) -> ParquetResult<Vec<Part>> {
    let groups = by_group(&group_sizes(reader)?, rows);
    let part = |group: usize, row: usize| Part { file: 0, group, rows: row..row + 1 };
    Ok(groups.into_iter().flat_map(|(group, local)| local.into_iter().map(move |row| part(group, row))).collect())
}

/// The sums of a file whose rows have these keys.
pub(super) fn sums(keys: &[u128]) -> Sums {
    let mut sums = Sums::default();
    for key in keys {
        sums.add(*key, *key);
    }
    sums
}

/// A row group to be written.
enum Group {
    /// As it lies in the first file.
    Copied(usize),
    Built(Vec<Part>),
}

/// Writes the file `path`, opened as `base`, without the rows with these indices (ascending, from 0).
pub(super) fn write_without(path: &Path, base: &Reader, rows: &[u64], out: &mut dyn Output) -> Result<(), FilesError> {
    guarded(path, || {
        let sizes = group_sizes(base)?;
        let mut gone = by_group(&sizes, rows).into_iter().peekable();
        let mut groups = Vec::with_capacity(sizes.len());
        for group in 0..sizes.len() {
            match gone.next_if(|(number, _)| *number == group) {
                None => groups.push(Group::Copied(group)),
                Some((_, local)) => {
                    let parts = between(&local, columns::rows_of(base, group)?);
                    groups.push(Group::Built(parts.map(|rows| Part { file: 0, group, rows }).collect()));
                }
            }
        }
        write(&[(base, 0)], groups, out)
    })
}

/// The stretches of `0..rows` around the indices `gone`.
fn between(gone: &[usize], rows: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = std::iter::once(0).chain(gone.iter().map(|row| row + 1));
    let ends = gone.iter().copied().chain([rows]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|rows| !rows.is_empty())
}

/// Writes the file `path`, opened as `base`, with rows of `extra` put in: pairs of the index they go before and their
/// index in `extra`, in the order of their places. `skipped` columns of `extra` are not the file's.
pub(super) fn write_with(
    path: &Path,
    base: &Reader,
    (extra, skipped): (&Reader, usize),
    rows: &[(u64, usize)],
    out: &mut dyn Output,
) -> Result<(), FilesError> {
    guarded(path, || {
        let mut waiting = rows.iter().peekable();
        let mut groups = Vec::new();
        let mut start = 0;
        let last = base.metadata().num_row_groups().checked_sub(1);
        for group in 0..base.metadata().num_row_groups() {
            let size = columns::rows_of(base, group)?;
            let end = start + size as u64;
            let mut parts = Vec::new();
            let mut at = 0;
            // A row at the border of two row groups goes to the first of them.
            while let Some((place, row)) = waiting.next_if(|(place, _)| *place <= end || Some(group) == last) {
                let local = usize::try_from(place.saturating_sub(start)).unwrap_or(size).min(size);
                if at < local {
                    parts.push(Part { file: 0, group, rows: at..local });
                }
                parts.push(Part { file: 1, group: 0, rows: *row..row + 1 });
                at = local;
            }
            if parts.is_empty() {
                groups.push(Group::Copied(group));
            } else {
                if at < size {
                    parts.push(Part { file: 0, group, rows: at..size });
                }
                groups.push(Group::Built(parts));
            }
            start = end;
        }
        let left: Vec<Part> = waiting.map(|(_, row)| Part { file: 1, group: 0, rows: *row..row + 1 }).collect();
        groups.push(Group::Built(left));
        write(&[(base, 0), (extra, skipped)], groups, out)
    })
}

fn write(files: &[(&Reader, usize)], groups: Vec<Group>, out: &mut dyn Output) -> ParquetResult<()> {
    let (base, _) = files[0];
    let metadata = base.metadata();
    let properties = Arc::new(properties(metadata));
    let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(&mut *out, schema, properties)?;
    for group in groups {
        match group {
            Group::Copied(group) => copy_group(base, group, &mut writer)?,
            Group::Built(parts) if parts.is_empty() => {}
            Group::Built(parts) => {
                let mut row_group = writer.next_row_group()?;
                for column in 0..leaves(metadata) {
                    let mut chunk = row_group.next_column()?.ok_or_else(no_column)?;
                    columns::assemble(&mut chunk, files, column, &parts)?;
                    chunk.close()?;
                }
                row_group.close()?;
            }
        }
    }
    writer.close()?;
    out.sync()?;
    Ok(())
}

/// The number of columns, nested ones counted by their leaves.
pub(super) fn leaves(metadata: &ParquetMetaData) -> usize {
    metadata.file_metadata().schema_descr().num_columns()
}

/// That the library offers fewer columns than the schema has.
pub(super) fn no_column() -> ParquetError {
    ParquetError::General("the row group has too few columns".to_owned())
}

fn copy_group<W: Write + Send>(base: &Reader, group: usize, writer: &mut SerializedFileWriter<W>) -> ParquetResult<()> {
    let metadata = base.metadata();
    let reader = base.row_group(group)?;
    let mut row_group = writer.next_row_group()?;
    for (number, column) in metadata.row_group(group).columns().iter().enumerate() {
        let close = ColumnCloseResult {
            bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
            rows_written: u64::try_from(metadata.row_group(group).num_rows()).unwrap_or_default(),
            metadata: column.clone(),
            bloom_filter: reader.get_column_bloom_filter(number).cloned(),
            column_index: metadata
                .column_index()
                .and_then(|all| all.get(group)?.get(number))
                .filter(|index| **index != ColumnIndexMetaData::NONE)
                .cloned(),
            offset_index: metadata.offset_index().and_then(|all| all.get(group)?.get(number)).cloned(),
        };
        row_group.append_column(&base.file, close)?;
    }
    row_group.close()?;
    Ok(())
}

/// How to write a file like the one with `metadata`.
fn properties(metadata: &ParquetMetaData) -> WriterProperties {
    let file = metadata.file_metadata();
    let version = if file.version() >= 2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
    let sorting = metadata.row_groups().first().and_then(|group| group.sorting_columns()).cloned();
    let sorting =
        sorting.filter(|sorting| metadata.row_groups().iter().all(|group| group.sorting_columns() == Some(sorting)));
    // The library cannot write a file of which only some row groups have a page index.
    let page_index = metadata.num_row_groups() == 0
        || metadata.offset_index().is_some_and(|groups| {
            groups.len() == metadata.num_row_groups() && groups.iter().all(|columns| !columns.is_empty())
        });
    let mut properties = WriterProperties::builder()
        .set_offset_index_disabled(!page_index)
        .set_writer_version(version)
        .set_max_row_group_row_count(None)
        .set_key_value_metadata(file.key_value_metadata().cloned())
        .set_sorting_columns(sorting);
    let Some(group) = metadata.row_groups().first() else { return properties.build() };
    for column in group.columns() {
        let path = column.column_path().clone();
        let dictionary = column.dictionary_page_offset().is_some();
        properties = properties
            .set_column_compression(path.clone(), column.compression())
            .set_column_dictionary_enabled(path.clone(), dictionary);
        if let Some(encoding) = plain_encoding(column) {
            properties = properties.set_column_encoding(path.clone(), encoding);
        }
        let statistics = match (column.statistics().is_some(), page_index) {
            (false, _) => EnabledStatistics::None,
            (true, false) => EnabledStatistics::Chunk,
            (true, true) => EnabledStatistics::Page,
        };
        properties = properties.set_column_statistics_enabled(path.clone(), statistics);
        if column.bloom_filter_offset().is_some() {
            properties = properties.set_column_bloom_filter_enabled(path, true);
        }
    }
    properties.build()
}

/// The encoding of values outside a dictionary, where it is another than the writer's own choice.
fn plain_encoding(column: &ColumnChunkMetaData) -> Option<Encoding> {
    let special = [
        Encoding::DELTA_BINARY_PACKED,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
        Encoding::DELTA_BYTE_ARRAY,
        Encoding::BYTE_STREAM_SPLIT,
    ];
    column.encodings().find(|encoding| special.contains(encoding))
}
