//! The columns of a snapshot of a collection, and how they are stored.
//!
//! Numbers are numbers here, for BSON has types: the exact text is kept only where it says more than the number.

use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::error::MongoError;
use crate::source::snapshot::{columns, count_nulls};
use crate::source::{Wanted, WantedKind};

/// The columns of a snapshot of a collection. For a wanted number `c` there are
///
/// - `c` `Float64`: int32, int64 and double as they are (an int64 beyond 2^53 rounded to nearest, NaN stays NaN); a
///   Decimal128 or a string as [`read_number`](crate::bars::number::read_number) reads its text; else NULL,
/// - `c~` `Utf8`: that text, or the digits of an int64 beyond 2^53, else NULL,
/// - `c!` `Utf8`: a value of any other type as canonical extended JSON, else NULL.
///
/// For a wanted text or time `c`: `c` `Utf8`, the text of a string and, for a text, the digits of an `ObjectId`;
/// and `c!` `Utf8`, a value of any other type: the digits of a number, else canonical extended JSON. Null, undefined and
/// missing are NULL in all of them. Then come
///
/// - `__file` `Int32`: the number of the range of `_id` the document was read in, from 0, in the order of `_id`,
/// - `__row` `Int64`: its number in the range, from 1,
/// - `__hash` `FixedSizeBinary(32)`: SHA-256 of the whole document's BSON,
/// - `__id` `Binary`: the `_id` as [`id::encode`](super::id::encode) gives it,
/// - `__broken` and `__raw` `Utf8`: what is wrong with a document, and the beginning of it as extended JSON; NULL for a
///   good one. All wanted columns of a broken one are NULL.
///
/// Row groups may stand in any order: (`__file`, `__row`) is the order of `_id`.
pub fn snapshot_schema(wanted: &[Wanted]) -> SchemaRef {
    let text = |name: String| Field::new(name, DataType::Utf8, true);
    let mut fields = Vec::new();
    for Wanted { column, kind } in wanted {
        match kind {
            WantedKind::Number => {
                fields.push(Field::new(column, DataType::Float64, true));
                fields.push(text(format!("{column}{}", columns::EXACT)));
            }
            WantedKind::Text | WantedKind::Time => fields.push(text(column.clone())),
        }
        fields.push(text(format!("{column}{}", columns::OTHER)));
    }
    fields.extend([
        Field::new(columns::FILE, DataType::Int32, false),
        Field::new(columns::ROW, DataType::Int64, false),
        Field::new(columns::HASH, DataType::FixedSizeBinary(32), false),
        Field::new(columns::ID, DataType::Binary, false),
        text(columns::BROKEN.to_owned()),
        text(columns::RAW.to_owned()),
    ]);
    Arc::new(Schema::new(fields))
}

/// Fails when a wanted field has a name the snapshot uses itself.
pub(super) fn check_names(wanted: &[Wanted]) -> Result<(), MongoError> {
    for Wanted { column, .. } in wanted {
        let reason = if column.starts_with("__") {
            "names that begin with `__` are barkeep's own"
        } else if column.ends_with(columns::OTHER) {
            "names that end with `!` are barkeep's own"
        } else if column.ends_with(columns::EXACT) {
            "names that end with `~` are barkeep's own"
        } else {
            continue;
        };
        return Err(MongoError::ReservedColumn { column: column.clone(), reason });
    }
    Ok(())
}

/// How a snapshot is stored: written once and read once or twice, so speed comes before size. Numbers, ids and hashes
/// hardly repeat and get no dictionary, hashes do not compress, and nothing prunes by statistics.
pub(super) fn writer_properties(schema: &Schema, wanted: &[Wanted]) -> WriterProperties {
    let path = |name: &str| ColumnPath::new(vec![name.to_owned()]);
    let mut properties = count_nulls(WriterProperties::builder(), schema)
        .set_compression(Compression::LZ4_RAW)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled(path(columns::HASH), false)
        .set_column_compression(path(columns::HASH), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(path(columns::ID), false)
        .set_column_dictionary_enabled(path(columns::ROW), false)
        .set_column_encoding(path(columns::ROW), Encoding::DELTA_BINARY_PACKED);
    for Wanted { column, .. } in wanted.iter().filter(|wanted| wanted.kind == WantedKind::Number) {
        properties = properties.set_column_dictionary_enabled(path(column), false);
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(column: &str, kind: WantedKind) -> Wanted {
        Wanted { column: column.to_owned(), kind }
    }

    #[test]
    fn numbers_have_their_text_and_everything_has_its_literal_beside_it() {
        let wanted =
            [want("close", WantedKind::Number), want("symbol", WantedKind::Text), want("day", WantedKind::Time)];
        let schema = snapshot_schema(&wanted);
        let columns: Vec<String> =
            schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
        assert_eq!(
            columns,
            [
                "close Float64",
                "close~ Utf8",
                "close! Utf8",
                "symbol Utf8",
                "symbol! Utf8",
                "day Utf8",
                "day! Utf8",
                "__file Int32",
                "__row Int64",
                "__hash FixedSizeBinary(32)",
                "__id Binary",
                "__broken Utf8",
                "__raw Utf8",
            ]
        );
    }

    #[test]
    fn names_of_the_snapshot_itself_cannot_be_wanted() {
        for name in ["__id", "a!", "a~"] {
            let wanted = [want("a", WantedKind::Text), want(name, WantedKind::Text)];
            assert!(matches!(check_names(&wanted), Err(MongoError::ReservedColumn { .. })), "{name}");
        }
        check_names(&[want("_id", WantedKind::Text), want("~a", WantedKind::Text)]).unwrap();
    }
}
