//! Columns of Parquet files below Arrow: values and levels as they are stored, so that a row that moves keeps its
//! bits, whatever its type.

use std::io::{self, BufReader, Read};
use std::ops::Range;

use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{
    AsBytes, BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader};
use parquet::file::serialized_reader::{ReadOptions, SerializedFileReader};
use parquet::file::writer::SerializedColumnWriter;
use parquet::{basic::Type, schema::types::ColumnDescriptor};

use crate::durable;

/// Where the Parquet library reads from: any part of an open file.
#[derive(Debug, Clone)]
pub(super) struct Chunks {
    file: durable::Reader,
    length: u64,
}

impl Chunks {
    pub(super) fn new(file: durable::Reader) -> io::Result<Self> {
        let length = file.length()?;
        Ok(Self { file, length })
    }

    /// Exactly `length` bytes from byte `at` on.
    pub(super) fn exact(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.from(at).read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<durable::Reader>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(self.file.from(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        Ok(self.exact(start, length)?.into())
    }
}

/// An open Parquet file.
pub(super) struct Reader {
    parquet: SerializedFileReader<Chunks>,
    /// The same file, for bytes as they lie in it.
    pub(super) file: Chunks,
}

impl Reader {
    pub(super) fn new(file: Chunks, options: ReadOptions) -> Result<Self> {
        let parquet = SerializedFileReader::new_with_options(file.clone(), options)?;
        Ok(Self { parquet, file })
    }

    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.parquet.metadata()
    }

    pub(super) fn row_group(&self, group: usize) -> Result<Box<dyn RowGroupReader + '_>> {
        self.parquet.get_row_group(group)
    }
}

/// Rows of one row group of one of the files that a column is put together from.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Which file.
    pub(super) file: usize,
    pub(super) group: usize,
    /// Rows of the row group, from 0.
    pub(super) rows: Range<usize>,
}

/// The cells of a column in one row group.
struct Cells<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    /// Where each row begins among the levels, and where the last one ends.
    levels_of: Vec<usize>,
    /// The same among the values.
    values_of: Vec<usize>,
}

/// Calls a function with the data type of a column.
macro_rules! typed {
    ($kind:expr, $function:ident($($argument:expr),*)) => {
        match $kind {
            Type::BOOLEAN => $function::<BoolType>($($argument),*),
            Type::INT32 => $function::<Int32Type>($($argument),*),
            Type::INT64 => $function::<Int64Type>($($argument),*),
            Type::INT96 => $function::<Int96Type>($($argument),*),
            Type::FLOAT => $function::<FloatType>($($argument),*),
            Type::DOUBLE => $function::<DoubleType>($($argument),*),
            Type::BYTE_ARRAY => $function::<ByteArrayType>($($argument),*),
            Type::FIXED_LEN_BYTE_ARRAY => $function::<FixedLenByteArrayType>($($argument),*),
        }
    };
}

/// Gives `each` the cells of a column of a row group, row by row, each as bytes that say all of it: NULL, nesting, value.
pub(super) fn fold(reader: &Reader, group: usize, column: usize, each: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
    let rows = rows_of(reader, group)?;
    let descriptor = reader.metadata().file_metadata().schema_descr().column(column);
    let chunk = reader.row_group(group)?.get_column_reader(column)?;
    typed!(descriptor.physical_type(), fold_typed(chunk, &descriptor, rows, each))
}

/// Writes the column `column` of a row group, put together from `parts` of `files`; the column is number `at` there.
pub(super) fn assemble(
    out: &mut SerializedColumnWriter<'_>,
    files: &[(&Reader, usize)],
    column: usize,
    parts: &[Part],
) -> Result<()> {
    let (first, skipped) = files[0];
    let descriptor = first.metadata().file_metadata().schema_descr().column(skipped + column);
    typed!(descriptor.physical_type(), assemble_typed(out, files, column, &descriptor, parts))
}

/// The number of rows in a row group.
pub(super) fn rows_of(reader: &Reader, group: usize) -> Result<usize> {
    let rows = reader.metadata().row_group(group).num_rows();
    usize::try_from(rows).map_err(|_| ParquetError::General(format!("row group {group} has {rows} rows")))
}

fn fold_typed<T: DataType>(
    chunk: ColumnReader,
    descriptor: &ColumnDescriptor,
    rows: usize,
    each: &mut dyn FnMut(usize, &[u8]),
) -> Result<()> {
    let cells = decode::<T>(chunk, descriptor, rows)?;
    let full = descriptor.max_def_level();
    let mut bytes = Vec::new();
    for row in 0..rows {
        bytes.clear();
        let mut value = cells.values_of[row];
        for level in cells.levels_of[row]..cells.levels_of[row + 1] {
            let definition = cells.definitions.get(level).copied().unwrap_or(full);
            bytes.extend_from_slice(&definition.to_le_bytes());
            bytes.extend_from_slice(&cells.repetitions.get(level).copied().unwrap_or_default().to_le_bytes());
            if definition == full {
                let raw = cells.values[value].as_bytes();
                bytes.extend_from_slice(&(raw.len() as u64).to_le_bytes());
                bytes.extend_from_slice(raw);
                value += 1;
            }
        }
        each(row, &bytes);
    }
    Ok(())
}

fn assemble_typed<T: DataType>(
    out: &mut SerializedColumnWriter<'_>,
    files: &[(&Reader, usize)],
    column: usize,
    descriptor: &ColumnDescriptor,
    parts: &[Part],
) -> Result<()> {
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    // Rows of two files may take turns: of each, the row group that was read last is kept.
    let mut open: Vec<Option<(usize, Cells<T::T>)>> = files.iter().map(|_| None).collect();
    for Part { file, group, rows } in parts {
        let cells = match open[*file].take() {
            Some((number, cells)) if number == *group => cells,
            _ => {
                let (reader, skipped) = files[*file];
                let chunk = reader.row_group(*group)?.get_column_reader(skipped + column)?;
                decode::<T>(chunk, descriptor, rows_of(reader, *group)?)?
            }
        };
        let range = |of: &[usize]| of[rows.start]..of[rows.end];
        let levels = range(&cells.levels_of);
        values.extend_from_slice(&cells.values[range(&cells.values_of)]);
        definitions.extend_from_slice(cells.definitions.get(levels.clone()).unwrap_or_default());
        repetitions.extend_from_slice(cells.repetitions.get(levels).unwrap_or_default());
        open[*file] = Some((*group, cells));
    }
    let definitions = (descriptor.max_def_level() > 0).then_some(definitions.as_slice());
    let repetitions = (descriptor.max_rep_level() > 0).then_some(repetitions.as_slice());
    out.typed::<T>().write_batch(&values, definitions, repetitions)?;
    Ok(())
}

/// Reads a whole column chunk. Pages with checksums are verified on the way.
fn decode<T: DataType>(chunk: ColumnReader, descriptor: &ColumnDescriptor, rows: usize) -> Result<Cells<T::T>> {
    let mut reader = get_typed_column_reader::<T>(chunk);
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    let (read, _, levels) =
        reader.read_records(usize::MAX, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
    let full = descriptor.max_def_level();
    let nested = descriptor.max_rep_level() > 0;
    let (mut levels_of, mut values_of) = (Vec::with_capacity(rows + 1), Vec::with_capacity(rows + 1));
    let mut value = 0;
    for level in 0..levels {
        if !nested || repetitions.get(level) == Some(&0) {
            levels_of.push(level);
            values_of.push(value);
        }
        value += usize::from(definitions.get(level).is_none_or(|definition| *definition == full));
    }
    levels_of.push(levels);
    values_of.push(value);
    if read != rows || levels_of.len() != rows + 1 || value != values.len() {
        let name = descriptor.path();
        return Err(ParquetError::General(format!("column {name} has {read} rows where its row group has {rows}")));
    }
    Ok(Cells { values, definitions, repetitions, levels_of, values_of })
}
