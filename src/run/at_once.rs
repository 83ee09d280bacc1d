//! Whether bars are read by all fields of the source at once, or by those that rules look at first, and those of series in
//! which a bar is there twice again, by all of them.
//!
//! Both ways come to the same verdicts. To read series again costs as much as all of them did, and it takes only one bar
//! that is there twice in each file; to read further columns costs as much as there are bytes in them.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

/// Further columns are read at once where they add at most this part to the bytes of the others: then that is less work as
/// soon as bars are there twice in one job of four.
const MOST_MORE: f64 = 1.0 / 3.0;

/// Whether the columns of `whole` are worth being read where those of `looked_at` are; `bytes` are those of the columns by
/// their names.
pub(super) fn is_worth_it(looked_at: &Schema, whole: &Schema, bytes: &BTreeMap<String, u64>) -> bool {
    let is_more = |field: &&Field| looked_at.column_with_name(field.name()).is_none();
    let fields = || whole.fields().iter().map(|field| &**field);
    let same = |field: &Field| {
        let other = looked_at.column_with_name(field.name());
        other.is_none_or(|(_, other)| other == field && is_exact(field.data_type()))
    };
    if !fields().all(same) || !fields().filter(is_more).all(|field| is_plain(field.data_type())) {
        return false;
    }
    let of_field = |field: &Field| -> u64 {
        let name = field.name();
        let of_it =
            |path: &str| path.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        bytes.iter().filter(|(path, _)| of_it(path)).map(|(_, bytes)| bytes).sum()
    };
    let more: u64 = fields().filter(is_more).map(of_field).sum();
    let read: u64 = looked_at.fields().iter().map(|field| of_field(field)).sum();
    more as f64 <= MOST_MORE * read as f64
}

/// Whether a column of this type, which rules look at, is compared as they see it: others are written out as text for it,
/// row by row.
fn is_exact(data_type: &DataType) -> bool {
    is_plain(data_type)
        || matches!(
            data_type,
            DataType::Date32 | DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond, _)
        )
}

/// The same where no rule looks at it.
fn is_plain(data_type: &DataType) -> bool {
    use DataType::{Boolean, Float32, Float64, Int8, Int16, Int32, LargeUtf8, UInt8, UInt16, UInt32, Utf8, Utf8View};
    match data_type {
        DataType::Dictionary(_, values) => is_plain(values),
        Utf8 | LargeUtf8 | Utf8View | Boolean | Float32 | Float64 => true,
        other => matches!(other, Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 | DataType::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the columns `more` are read with a `close` of 300 bytes, of which each has so many.
    fn at_once(more: &[(&str, DataType, u64)]) -> bool {
        let close = Field::new("close", DataType::Float64, true);
        let more_fields = more.iter().map(|(name, data_type, _)| Field::new(*name, data_type.clone(), true));
        let whole = Schema::new(std::iter::once(close.clone()).chain(more_fields).collect::<Vec<_>>());
        let bytes = more.iter().map(|(name, _, bytes)| ((*name).to_owned(), *bytes));
        let bytes = std::iter::once(("close".to_owned(), 300)).chain(bytes).collect();
        is_worth_it(&Schema::new(vec![close]), &whole, &bytes)
    }

    #[test]
    fn a_few_bytes_more_are_read_at_once() {
        assert!(at_once(&[]));
        assert!(at_once(&[("amount", DataType::Float64, 99), ("period", DataType::Utf8View, 1)]));
        assert!(!at_once(&[("amount", DataType::Float64, 99), ("period", DataType::Utf8View, 2)]));
    }

    #[test]
    fn what_is_compared_by_a_text_that_has_to_be_made_is_not() {
        assert!(!at_once(&[("count", DataType::Int64, 1)]));
        assert!(!at_once(&[("updated", DataType::Date32, 1)]));
        assert!(!at_once(&[("price", DataType::Decimal128(10, 2), 1)]));
        let field = |data_type: DataType| Schema::new(vec![Field::new("close", data_type, true)]);
        let bytes = BTreeMap::new();
        assert!(is_worth_it(&field(DataType::Date32), &field(DataType::Date32), &bytes));
        assert!(!is_worth_it(&field(DataType::Int64), &field(DataType::Int64), &bytes));
        assert!(
            !is_worth_it(&field(DataType::Float64), &field(DataType::Utf8View), &bytes),
            "files have several types"
        );
    }
}
