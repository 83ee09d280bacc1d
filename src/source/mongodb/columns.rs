//! The columns of a snapshot of a collection, and how they are stored.
//!
//! Numbers are numbers here, for BSON has types: the exact text is kept only where it says more than the number.

use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::error::MongoError;
use crate::bars::BarColumn;
use crate::bars::column::reserved;
use crate::source::snapshot::{count_nulls, field, path};
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
/// missing are NULL in all of them. Beside each of them, `c^` `Utf8` names the type of a value that is not a double where a
/// number was wanted, or not a string elsewhere. Then come
///
/// - `__file` `Int32`: the number of the range the row was read in, from 0; ranges of one collection are in the order of
///   `_id`, or of time,
/// - `__row` `Int64`: its number in the range, from 1,
/// - `__hash` `FixedSizeBinary(32)`: SHA-256 of the whole document's BSON, or of the element that the row is,
/// - `__id` `Binary`: the `_id` as [`id::encode`](super::id::encode) gives it, or a locator that says more: the collection
///   of several, the place in the document,
/// - `__broken` and `__raw` `Utf8`: what is wrong with a row, and the beginning of its document as extended JSON; NULL for
///   a good one. All wanted columns of a broken one are NULL,
/// - `__rest` `Utf8`: what the row has besides the wanted fields and its `_id`, as canonical extended JSON, where that is
///   asked for.
///
/// Row groups may stand in any order: (`__file`, `__row`) is the order of the rows.
pub fn snapshot_schema(wanted: &[Wanted]) -> SchemaRef {
    let mut fields = Vec::new();
    for Wanted { column, kind } in wanted {
        match kind {
            WantedKind::Number => {
                fields.push(Field::new(column, DataType::Float64, true));
                fields.push(field(BarColumn::Exact(column)));
            }
            WantedKind::Text | WantedKind::Time => fields.push(field(BarColumn::Value(column))),
        }
        fields.extend([BarColumn::Other(column), BarColumn::Type(column)].map(field));
    }
    fields.extend(
        [BarColumn::File, BarColumn::Row, BarColumn::Hash, BarColumn::Id, BarColumn::Broken, BarColumn::Raw].map(field),
    );
    fields.push(field(BarColumn::Rest));
    Arc::new(Schema::new(fields))
}

/// Fails when a wanted field has a name the snapshot uses itself.
pub(super) fn check_names(wanted: &[Wanted]) -> Result<(), MongoError> {
    match wanted.iter().find_map(|wanted| Some((&wanted.column, reserved(&wanted.column)?))) {
        Some((column, reason)) => Err(MongoError::ReservedColumn { column: column.clone(), reason }),
        None => Ok(()),
    }
}

/// How a snapshot is stored: written once and read once or twice, so speed comes before size. Numbers, ids and hashes
/// hardly repeat and get no dictionary, hashes do not compress, and nothing prunes by statistics.
pub(super) fn writer_properties(schema: &Schema, wanted: &[Wanted]) -> WriterProperties {
    let mut properties = count_nulls(WriterProperties::builder(), schema)
        .set_compression(Compression::LZ4_RAW)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled(path(BarColumn::Hash), false)
        .set_column_compression(path(BarColumn::Hash), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(path(BarColumn::Id), false)
        .set_column_dictionary_enabled(path(BarColumn::Row), false)
        .set_column_encoding(path(BarColumn::Row), Encoding::DELTA_BINARY_PACKED);
    for Wanted { column, .. } in wanted.iter().filter(|wanted| wanted.kind == WantedKind::Number) {
        properties = properties.set_column_dictionary_enabled(path(BarColumn::Value(column)), false);
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
                "close^ Utf8",
                "symbol Utf8",
                "symbol! Utf8",
                "symbol^ Utf8",
                "day Utf8",
                "day! Utf8",
                "day^ Utf8",
                "__file Int32",
                "__row Int64",
                "__hash FixedSizeBinary(32)",
                "__id Binary",
                "__broken Utf8",
                "__raw Utf8",
                "__rest Utf8",
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
