//! Parquet files as a source: their footers, and whether they agree.
//!
//! Opens and reads footers only, save to find out which file is damaged. A file whose footer does not read is refused whole.

use std::collections::HashSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use ::parquet::errors::ParquetError;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::column::{Drift, plain};
use super::error::quoted;
use super::{SourceColumn, SourceError};
use crate::bars::FieldKind;

/// Opens a Parquet file and reads its footer.
pub(super) fn open(path: &Path, options: ArrowReaderOptions) -> Result<(File, ArrowReaderMetadata), SourceError> {
    let file = File::open(path).map_err(|error| SourceError::read(path, error))?;
    let length = file.metadata().map_err(|error| SourceError::read(path, error))?.len();
    if length == 0 {
        return Err(SourceError::Empty { path: path.to_path_buf() });
    }
    // The reader panics on some damaged footers.
    let metadata = catch_unwind(AssertUnwindSafe(|| ArrowReaderMetadata::load(&file, options)))
        .unwrap_or_else(|_| Err(ParquetError::General("its footer is damaged".to_owned())))
        .and_then(|metadata| check_places(&metadata, length).map(|()| metadata))
        .map_err(|error| SourceError::parquet(path, error))?;
    Ok((file, metadata))
}

/// Fails when the footer places a column outside the file.
fn check_places(metadata: &ArrowReaderMetadata, length: u64) -> Result<(), ParquetError> {
    for (number, row_group) in metadata.metadata().row_groups().iter().enumerate() {
        for column in row_group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let inside = start >= 0
                && column.compressed_size() >= 0
                && end.and_then(|end| u64::try_from(end).ok()).is_some_and(|end| end <= length);
            if !inside {
                let name = column.column_path();
                return Err(ParquetError::General(format!(
                    "column {name} of row group {number} lies outside the file"
                )));
            }
        }
    }
    Ok(())
}

/// The columns of Parquet files: those of the first one, then those that others add. Files may differ in them.
pub(super) fn columns(files: &[PathBuf]) -> Result<Vec<SourceColumn>, SourceError> {
    columns_by(files, |path| Ok(Arc::clone(open(path, ArrowReaderOptions::new())?.1.schema())))
}

/// The columns of rows with the schema `schema`, which `name` stands for in messages.
///
/// # Errors
/// Two columns have one name.
pub fn columns_of(name: &Path, schema: &SchemaRef) -> Result<Vec<SourceColumn>, SourceError> {
    columns_by(&[name.to_path_buf()], |_| Ok(Arc::clone(schema)))
}

/// The same for files of any typed format, whose columns `schema_of` tells.
pub(super) fn columns_by(
    files: &[PathBuf],
    schema_of: impl Fn(&Path) -> Result<SchemaRef, SourceError>,
) -> Result<Vec<SourceColumn>, SourceError> {
    let mut columns: Vec<(SourceColumn, PathBuf)> = Vec::new();
    for (number, path) in files.iter().enumerate() {
        let schema = schema_of(path)?;
        let schema = schema.as_ref();
        check_distinct(path, schema)?;
        let own = with_children(schema);
        for (known, first) in &mut columns {
            match own.iter().find(|(name, ..)| *name == known.name) {
                Some((_, _, data_type)) => widen(known, first, (path, *data_type)),
                None => {
                    let like = own.iter().map(|(name, ..)| name).find(|name| alike(name, &known.name)).cloned();
                    drift(known, Drift::Missing { has: first.clone(), lacks: path.clone(), like });
                }
            }
        }
        for (name, steps, data_type) in own {
            if columns.iter().all(|(known, _)| known.name != name) {
                let mut added = SourceColumn { steps, ..column(&name, data_type) };
                if number > 0 {
                    let like = columns.iter().map(|(known, _)| &known.name).find(|known| alike(known, &name)).cloned();
                    drift(&mut added, Drift::Missing { has: path.clone(), lacks: files[0].clone(), like });
                }
                columns.push((added, path.clone()));
            }
        }
    }
    Ok(columns.into_iter().map(|(column, _)| column).collect())
}

/// The columns of a file, those of structs replaced by what is in them: dotted name, names that lead there, type. A
/// column that has such a name itself comes first.
fn with_children(schema: &Schema) -> Vec<(String, Vec<String>, &DataType)> {
    fn add<'a>(field: &'a Field, above: &[String], found: &mut Vec<(String, Vec<String>, &'a DataType)>) {
        let steps = [above, &[field.name().clone()]].concat();
        match field.data_type() {
            DataType::Struct(children) => children.iter().for_each(|child| add(child, &steps, found)),
            _ if above.is_empty() => found.push((field.name().clone(), Vec::new(), field.data_type())),
            _ => found.push((steps.join("."), steps, field.data_type())),
        }
    }
    let mut found = Vec::new();
    schema.fields().iter().for_each(|field| add(field, &[], &mut found));
    found.sort_by_key(|(_, steps, _)| !steps.is_empty());
    let mut seen = HashSet::new();
    found.retain(|(name, ..)| seen.insert(name.clone()));
    found
}

/// Whether two names differ only in the case of their letters.
fn alike(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Which of the Parquet files have no row.
pub(super) fn rowless(files: &[PathBuf]) -> Result<Vec<bool>, SourceError> {
    let rows = |path: &PathBuf| Ok(open(path, ArrowReaderOptions::new())?.1.metadata().file_metadata().num_rows() == 0);
    files.iter().map(rows).collect()
}

/// Remembers the first way in which files differ in a column.
fn drift(column: &mut SourceColumn, drift: Drift) {
    column.drift.get_or_insert(drift);
}

/// Makes the type of `known`, as the file `first` has it, wide enough for that of another file: any numbers are numbers,
/// timestamps of any units instants, texts of any kind text.
fn widen(known: &mut SourceColumn, first: &Path, (path, other): (&Path, &DataType)) {
    let Some(mine) = known.arrow.clone() else { return };
    // A column in which everything is missing has no type of its own.
    if is_null(other) {
        return;
    }
    if known.is_null {
        *known = SourceColumn {
            steps: std::mem::take(&mut known.steps),
            drift: known.drift.take(),
            ..column(&known.name, other)
        };
        return;
    }
    known.several_types |= plain(&mine) != plain(other);
    let wide = match (plain(&mine), plain(other)) {
        (mine, other) if mine == other => return,
        // Neither type holds all values of the other one.
        (mine, other) if whole(mine) && whole(other) && (*mine == DataType::UInt64 || *other == DataType::UInt64) => {
            DataType::Decimal128(20, 0)
        }
        (mine, other) if mine.is_numeric() && other.is_numeric() => match mine.is_integer() && other.is_integer() {
            true => DataType::Int64,
            false => DataType::Float64,
        },
        (DataType::Timestamp(_, zone), DataType::Timestamp(_, other)) if zone.is_some() == other.is_some() => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        _ => {
            return drift(known, Drift::Types([(first.to_path_buf(), mine), (path.to_path_buf(), other.clone())]));
        }
    };
    known.arrow = Some(wide);
}

/// Fails where files differ in a column that is read.
///
/// # Errors
/// A file lacks it, unless that is NULL, or the files have types that no type holds.
pub fn check_wanted(columns: &[SourceColumn], wanted: &[Arc<str>], missing_is_null: bool) -> Result<(), SourceError> {
    for column in columns.iter().filter(|column| wanted.iter().any(|name| **name == *column.name)) {
        let name = column.name.clone();
        match &column.drift {
            Some(Drift::Missing { has, lacks, like }) if !missing_is_null => {
                let remedy = match like {
                    Some(like) => format!(
                        ", which has `{like}`; names are the same where every letter is: give the column one name in all files"
                    ),
                    None => "; write `missing = \"null\"` where it is NULL there, or make them two sources".to_owned(),
                };
                let (has, lacks) = (has.clone(), lacks.clone());
                return Err(SourceError::MixedColumns { column: name, has, lacks, remedy });
            }
            Some(Drift::Types([(first, first_type), (other, other_type)])) => {
                return Err(SourceError::MixedTypes {
                    column: name,
                    first: first.clone(),
                    first_type: first_type.to_string(),
                    other: other.clone(),
                    other_type: other_type.to_string(),
                });
            }
            Some(Drift::Missing { .. }) | None => {}
        }
    }
    Ok(())
}

/// What is wrong with the first of `files` that does not read to its end, if there is one. Reads all of them.
pub fn damaged(files: &[PathBuf]) -> Option<SourceError> {
    let read = |path: &PathBuf| -> Result<(), SourceError> {
        let file = File::open(path).map_err(|error| SourceError::read(path, error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
        for batch in reader.map_err(|error| SourceError::parquet(path, error))? {
            batch.map_err(|error| SourceError::parquet(path, error.into()))?;
        }
        Ok(())
    };
    files.iter().find_map(|path| read(path).err())
}

/// Whether values of this type are whole numbers.
fn whole(data_type: &DataType) -> bool {
    data_type.is_integer() || *data_type == DataType::Decimal128(20, 0)
}

fn is_null(data_type: &DataType) -> bool {
    *plain(data_type) == DataType::Null
}

fn column(name: &str, data_type: &DataType) -> SourceColumn {
    // What is missing throughout is read as texts that are missing.
    let stored = if is_null(data_type) { &DataType::Utf8 } else { data_type };
    let plain = plain(stored);
    let number = plain.is_numeric();
    SourceColumn {
        name: name.to_owned(),
        kind: if number { FieldKind::Number } else { FieldKind::Text },
        typed_time: matches!(plain, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64),
        arrow: Some(stored.clone()),
        is_null: is_null(data_type),
        steps: Vec::new(),
        drift: None,
        several_types: false,
    }
}

fn check_distinct(path: &Path, schema: &Schema) -> Result<(), SourceError> {
    let mut seen = HashSet::new();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let twice: Vec<&str> = names.filter(|name| !seen.insert(*name)).collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(SourceError::DuplicateColumns { path: path.to_path_buf(), columns: quoted(twice) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::parquet::arrow::ArrowWriter;
    use arrow::array::{
        ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
    };

    use super::super::testing::{Fixture, parquet_bytes};
    use super::super::{Format, infer, series_order};
    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn text() -> ArrayRef {
        Arc::new(StringArray::from(vec!["x"]))
    }

    fn number() -> ArrayRef {
        Arc::new(Float64Array::from(vec![1.0]))
    }

    fn look(files: &[(&str, RecordBatch)]) -> Result<Vec<SourceColumn>, SourceError> {
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, batch)| (*name, parquet_bytes(batch))).collect();
        infer(&Fixture::new(Format::Parquet, &files).set)
    }

    #[test]
    fn columns_have_the_types_of_the_footer() {
        let timestamp: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC"));
        let columns = look(&[("a.parquet", batch(vec![("s", text()), ("t", timestamp), ("n", number())]))]).unwrap();
        let seen: Vec<_> =
            columns.iter().map(|c| (c.name.as_str(), c.kind == FieldKind::Number, c.typed_time)).collect();
        assert_eq!(seen, [("s", false, false), ("t", false, true), ("n", true, false)]);
        assert_eq!(columns[0].arrow, Some(DataType::Utf8));
    }

    fn wanted(columns: &[SourceColumn], missing_is_null: bool) -> Result<(), SourceError> {
        let names: Vec<Arc<str>> = columns.iter().map(|column| Arc::from(column.name.as_str())).collect();
        check_wanted(columns, &names, missing_is_null)
    }

    #[test]
    fn numbers_of_any_type_are_numbers_and_other_types_that_differ_are_an_error_where_they_are_read() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let of = |other: ArrayRef| {
            look(&[("a.parquet", batch(vec![("n", number())])), ("b.parquet", batch(vec![("n", other)]))]).unwrap()
        };
        let mixed = of(whole);
        assert_eq!((mixed[0].arrow.as_ref(), wanted(&mixed, false).is_ok()), (Some(&DataType::Float64), true));
        let columns = of(text());
        let message = wanted(&columns, true).unwrap_err().to_string();
        assert!(message.starts_with("mixed schemas: column `n` is Float64 in `"), "{message}");
        assert!(message.contains("a.parquet` and Utf8 in `"), "{message}");
        assert!(message.ends_with("b.parquet`; rewrite one of them"), "{message}");
        check_wanted(&columns, &[], false).unwrap();
    }

    #[test]
    fn how_text_lies_in_memory_is_no_difference() {
        let view: ArrayRef = Arc::new(StringViewArray::from(vec!["x"]));
        look(&[("a.parquet", batch(vec![("s", text())])), ("b.parquet", batch(vec![("s", view)]))]).unwrap();
    }

    #[test]
    fn what_is_in_structs_has_dotted_names_behind_those_of_columns() {
        let ohlc = |name: &str| -> ArrayRef {
            let field = Arc::new(arrow::datatypes::Field::new(name, DataType::Float64, true));
            Arc::new(arrow::array::StructArray::from(vec![(field, number())]))
        };
        let columns = vec![("ohlc", ohlc("open")), ("x", ohlc("y")), ("s", text()), ("x.y", text())];
        let found = look(&[("a.parquet", batch(columns))]).unwrap();
        let seen: Vec<_> = found.iter().map(|column| (column.name.as_str(), column.steps.join("/"))).collect();
        let plain = |name| (name, String::new());
        assert_eq!(seen, [plain("s"), plain("x.y"), ("ohlc.open", "ohlc/open".to_owned())]);
    }

    #[test]
    fn a_column_missing_in_one_file_is_an_error_where_it_is_read_and_not_null() {
        let (one, two) = (batch(vec![("s", text())]), batch(vec![("s", text()), ("n", number())]));
        for files in
            [[("a.parquet", one.clone()), ("b.parquet", two.clone())], [("a.parquet", two), ("b.parquet", one)]]
        {
            let columns = look(&files).unwrap();
            let error = wanted(&columns, false).unwrap_err();
            assert!(matches!(&error, SourceError::MixedColumns { column, .. } if column == "n"), "{error}");
            wanted(&columns, true).unwrap();
            check_wanted(&columns, &["s".into()], false).unwrap();
        }
    }

    #[test]
    fn columns_of_one_name_are_an_error() {
        let schema = Arc::new(Schema::new(vec![
            arrow::datatypes::Field::new("s", DataType::Utf8, true),
            arrow::datatypes::Field::new("s", DataType::Utf8, true),
        ]));
        let batch = RecordBatch::try_new(schema, vec![text(), text()]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let fixture = Fixture::new(Format::Parquet, &[("a.parquet", writer.into_inner().unwrap())]);
        assert!(matches!(infer(&fixture.set), Err(SourceError::DuplicateColumns { columns, .. }) if columns == "`s`"));
    }

    #[test]
    fn what_is_no_whole_parquet_file_is_refused() {
        let whole = parquet_bytes(&batch(vec![("s", text())]));
        for (what, bytes) in [
            ("truncated", whole[..whole.len() - 10].to_vec()),
            ("its head", whole[..20].to_vec()),
            ("text", b"symbol,close\nA,1\n".to_vec()),
            ("short", b"PAR1".to_vec()),
        ] {
            let error = infer(&Fixture::new(Format::Parquet, &[("a.parquet", bytes)]).set).unwrap_err();
            assert!(matches!(error, SourceError::NotParquet { .. }), "{what}: {error:?}");
        }
        let error = infer(&Fixture::new(Format::Parquet, &[("a.parquet", "")]).set).unwrap_err();
        assert!(matches!(error, SourceError::Empty { .. }), "{error:?}");
    }

    #[test]
    fn the_damaged_file_among_good_ones_is_found() {
        let whole = parquet_bytes(&batch(vec![("s", text()), ("n", number())]));
        let mut torn = whole.clone();
        torn[4..24].fill(0xff);
        let fixture =
            Fixture::new(Format::Parquet, &[("a.parquet", &whole), ("b.parquet", &torn), ("c.parquet", &whole)]);
        assert!(
            matches!(damaged(&fixture.set.files), Some(SourceError::NotParquet { path, .. }) if path.ends_with("b.parquet"))
        );
        assert!(damaged(&fixture.set.files[..1]).is_none());
    }

    #[test]
    fn a_footer_damaged_anywhere_makes_no_panic() {
        let whole = parquet_bytes(&batch(vec![("s", text()), ("n", number())]));
        let footer = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
        let fixture = Fixture::new(Format::Parquet, &[("a.parquet", &whole)]);
        let mut refused = 0;
        for at in whole.len() - 8 - footer..whole.len() - 4 {
            for value in [0x1f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                std::fs::write(&fixture.set.files[0], bytes).unwrap();
                refused += usize::from(infer(&fixture.set).is_err());
                refused += usize::from(
                    series_order(&fixture.set.files, &[super::super::KeyField::Column("s".to_owned())], 2).is_err(),
                );
            }
        }
        assert!(refused > footer, "{refused}");
    }
}
