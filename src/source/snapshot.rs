//! The columnar copy of what a run read from text files: its columns, and how they are stored.
//!
//! A snapshot is one Parquet file. It holds, as text, the columns a job wants, and for every record where it stood.
//! Rows are in the order of the files and of the records in them.

use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use ::parquet::schema::types::ColumnPath;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{FileIdentity, Format, SourceError};
use crate::bars::BarColumn;
use crate::bars::column::reserved;

/// What a wanted column is to hold; decides which JSON values count as others. In CSV every cell is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WantedKind {
    /// Numbers, also those written as strings.
    Number,
    /// Strings and object ids.
    Text,
    /// Strings; every other JSON value, a date of MongoDB too, is left to the decoder of timestamps.
    Time,
}

/// A column to be copied. The columns of one snapshot are distinct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Its name in the source.
    pub column: String,
    /// What it is to hold.
    pub kind: WantedKind,
}

/// The type of strings, where [`BarColumn::Type`] says it.
pub(crate) const STRING: &str = "string";

/// A complete snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The Parquet file.
    pub path: PathBuf,
    /// Its columns, as [`snapshot_schema`] gives them.
    pub schema: SchemaRef,
    /// The files that were read, as they were, with their hashes; `__file` counts into this list.
    pub files: Vec<FileIdentity>,
    /// Records read: as many rows as the Parquet file has.
    pub rows: u64,
    /// How many of them are broken.
    pub broken: u64,
}

/// The columns of a snapshot. For each wanted column `c` there is a `Utf8` column `c` with the text of the source,
/// NULL where the record has none; for NDJSON also a `Utf8` column `c!` with the JSON literal of a value that is
/// neither what was wanted nor NULL, and `c^` with the type of a value that is read as what was wanted and is of another
/// type. At most one of the first two is not NULL. Then come those of the whole row, see
/// [`BarColumn`].
pub fn snapshot_schema(format: Format, wanted: &[Wanted]) -> SchemaRef {
    let mut fields = Vec::new();
    for Wanted { column, .. } in wanted {
        fields.push(field(BarColumn::Value(column)));
        if format.is_json() {
            fields.extend([BarColumn::Other(column), BarColumn::Type(column)].map(field));
        }
    }
    fields.extend([BarColumn::File, BarColumn::Row, BarColumn::Line].map(field));
    fields.extend((format == Format::Json).then(|| field(BarColumn::Column)));
    fields.extend([BarColumn::Broken, BarColumn::Raw].map(field));
    fields.extend(format.is_json().then(|| field(BarColumn::Rest)));
    Arc::new(Schema::new(fields))
}

/// A column of a snapshot; values are text.
pub(super) fn field(column: BarColumn<'_>) -> Field {
    let (data_type, nullable) = match column {
        BarColumn::File => (DataType::Int32, false),
        BarColumn::Row | BarColumn::Line | BarColumn::Column => (DataType::Int64, false),
        BarColumn::Hash => (DataType::FixedSizeBinary(32), false),
        BarColumn::Id => (DataType::Binary, false),
        BarColumn::Expression(_) => (DataType::Boolean, true),
        BarColumn::Value(_)
        | BarColumn::Exact(_)
        | BarColumn::Other(_)
        | BarColumn::Type(_)
        | BarColumn::FileOf(_)
        | BarColumn::Broken
        | BarColumn::Raw
        | BarColumn::Rest => (DataType::Utf8, true),
    };
    Field::new(column.name(), data_type, nullable)
}

/// Fails when a wanted column has a name the snapshot uses itself.
pub(super) fn check_names(wanted: &[Wanted]) -> Result<(), SourceError> {
    match wanted.iter().find_map(|wanted| Some((&wanted.column, reserved(&wanted.column)?))) {
        Some((column, reason)) => Err(SourceError::ReservedColumn { column: column.clone(), reason }),
        None => Ok(()),
    }
}

/// Whether a column says what only some records have.
pub(super) fn may_be_empty(name: &str) -> bool {
    BarColumn::of(name).is_sparse()
}

/// How columns are stored that may be empty: with the count of their NULLs.
pub(super) fn count_nulls(properties: WriterPropertiesBuilder, schema: &Schema) -> WriterPropertiesBuilder {
    let counted = schema.fields().iter().filter(|field| may_be_empty(field.name()));
    counted.fold(properties, |properties, field| {
        let path = ColumnPath::new(vec![field.name().clone()]);
        properties.set_column_statistics_enabled(path, EnabledStatistics::Chunk)
    })
}

/// How a snapshot is stored. It is written once and read once or twice, so speed comes before size: numbers hardly
/// repeat, get no dictionary and are not compressed, and nothing prunes by statistics.
pub(super) fn writer_properties(schema: &Schema, wanted: &[Wanted]) -> Result<WriterProperties, ParquetError> {
    let mut properties = count_nulls(WriterProperties::builder(), schema)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None);
    for column in [BarColumn::Row, BarColumn::Line, BarColumn::Column] {
        properties = properties
            .set_column_dictionary_enabled(path(column), false)
            .set_column_encoding(path(column), Encoding::DELTA_BINARY_PACKED);
    }
    for Wanted { column, .. } in wanted.iter().filter(|wanted| wanted.kind == WantedKind::Number) {
        properties = properties
            .set_column_dictionary_enabled(path(BarColumn::Value(column)), false)
            .set_column_compression(path(BarColumn::Value(column)), Compression::UNCOMPRESSED);
    }
    Ok(properties.build())
}

/// Where a snapshot keeps a column.
pub(super) fn path(column: BarColumn<'_>) -> ColumnPath {
    ColumnPath::new(vec![column.name().into_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(column: &str) -> Wanted {
        Wanted { column: column.to_owned(), kind: WantedKind::Number }
    }

    #[test]
    fn json_columns_have_one_for_other_values_beside_them() {
        let names = |format| -> Vec<String> {
            snapshot_schema(format, &[want("a"), want("b")]).fields().iter().map(|field| field.name().clone()).collect()
        };
        let own = ["__file", "__row", "__line", "__broken", "__raw"];
        assert_eq!(names(Format::Csv), [&["a", "b"][..], &own].concat());
        assert_eq!(names(Format::Ndjson), [&["a", "a!", "a^", "b", "b!", "b^"][..], &own, &["__rest"]].concat());
        let of_document = ["__file", "__row", "__line", "__column", "__broken", "__raw", "__rest"];
        assert_eq!(names(Format::Json), [&["a", "a!", "a^", "b", "b!", "b^"][..], &of_document].concat());
    }

    #[test]
    fn names_of_the_snapshot_itself_cannot_be_wanted() {
        for name in ["__row", "a!", "a~"] {
            assert!(matches!(check_names(&[want("a"), want(name)]), Err(SourceError::ReservedColumn { .. })), "{name}");
        }
        check_names(&[want("_id"), want("!a"), want("")]).unwrap();
    }
}
