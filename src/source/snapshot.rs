//! The columnar copy of what a run read from text files: its columns, and how they are stored.
//!
//! A snapshot is one Parquet file. It holds, as text, the columns a job wants, and for every record where it stood
//! and the hash of its bytes. Rows are in the order of the files and of the records in them.

use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use ::parquet::schema::types::ColumnPath;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{FileIdentity, Format, SourceError};

/// The columns a snapshot has besides the wanted ones.
pub mod columns {
    /// `Int32`: the position of the file in [`Snapshot::files`](super::Snapshot::files).
    pub const FILE: &str = "__file";
    /// `Int64`: the number of the record in its file, from 1; a header row is not counted.
    pub const ROW: &str = "__row";
    /// `Int64`: the physical line the record begins in, from 1; for messages.
    pub const LINE: &str = "__line";
    /// `FixedSizeBinary(32)`: SHA-256 of the record's bytes without its line end.
    pub const HASH: &str = "__hash";
    /// `Binary`: the `_id`, element type and bytes; only for collections.
    pub const ID: &str = "__id";
    /// `Utf8`: what is wrong with the record; NULL for a good one. All wanted columns of a broken one are NULL.
    pub const BROKEN: &str = "__broken";
    /// `Utf8`: the first 1,024 characters of a broken record; NULL for a good one.
    pub const RAW: &str = "__raw";
    /// Ends the name of the column beside a wanted one that holds JSON values of other types; only for NDJSON.
    pub const OTHER: char = '!';
    /// Ends the name of the column beside a wanted number that holds its exact text; only for collections.
    pub const EXACT: char = '~';
}

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
/// neither what was wanted nor NULL. At most one of the two is not NULL. Then come those of [`columns`].
pub fn snapshot_schema(format: Format, wanted: &[Wanted]) -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let mut fields = Vec::new();
    for Wanted { column, .. } in wanted {
        fields.push(text(column));
        if format == Format::Ndjson {
            fields.push(text(&format!("{column}{}", columns::OTHER)));
        }
    }
    fields.extend([
        Field::new(columns::FILE, DataType::Int32, false),
        Field::new(columns::ROW, DataType::Int64, false),
        Field::new(columns::LINE, DataType::Int64, false),
        Field::new(columns::HASH, DataType::FixedSizeBinary(32), false),
        text(columns::BROKEN),
        text(columns::RAW),
    ]);
    Arc::new(Schema::new(fields))
}

/// Fails when a wanted column has a name the snapshot uses itself.
pub(super) fn check_names(wanted: &[Wanted]) -> Result<(), SourceError> {
    for Wanted { column, .. } in wanted {
        let reason = if column.starts_with("__") {
            "names that begin with `__` are barkeep's own"
        } else if column.ends_with(columns::OTHER) {
            "names that end with `!` are barkeep's own"
        } else {
            continue;
        };
        return Err(SourceError::ReservedColumn { column: column.clone(), reason });
    }
    Ok(())
}

/// Whether a column says what only some records have.
pub(super) fn may_be_empty(name: &str) -> bool {
    name == columns::BROKEN || name == columns::RAW || name.ends_with([columns::OTHER, columns::EXACT])
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
/// repeat and get no dictionary, hashes do not compress, and nothing prunes by statistics.
pub(super) fn writer_properties(schema: &Schema, wanted: &[Wanted]) -> Result<WriterProperties, ParquetError> {
    let path = |name: &str| ColumnPath::new(vec![name.to_owned()]);
    let mut properties = count_nulls(WriterProperties::builder(), schema)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled(path(columns::HASH), false)
        .set_column_compression(path(columns::HASH), Compression::UNCOMPRESSED);
    for name in [columns::ROW, columns::LINE] {
        properties = properties
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    for Wanted { column, .. } in wanted.iter().filter(|wanted| wanted.kind == WantedKind::Number) {
        properties = properties.set_column_dictionary_enabled(path(column), false);
    }
    Ok(properties.build())
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
        let own = ["__file", "__row", "__line", "__hash", "__broken", "__raw"];
        assert_eq!(names(Format::Csv), [&["a", "b"][..], &own].concat());
        assert_eq!(names(Format::Ndjson), [&["a", "a!", "b", "b!"][..], &own].concat());
    }

    #[test]
    fn names_of_the_snapshot_itself_cannot_be_wanted() {
        for name in ["__row", "a!"] {
            assert!(matches!(check_names(&[want("a"), want(name)]), Err(SourceError::ReservedColumn { .. })), "{name}");
        }
        check_names(&[want("_id"), want("!a"), want("")]).unwrap();
    }
}
