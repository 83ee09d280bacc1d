//! Columns that the files of a source have in several types: where rows are compared these are read as text, which says all
//! of their values. A field of the schema of a run says by its metadata that it is one.

use arrow::datatypes::{DataType, Field, Schema};

/// The metadata of such a column.
const SEVERAL: &str = "barkeep.several";
/// Its value where these are all types of numbers.
const NUMBERS: &str = "numbers";

/// Such a column; `numbers` where all types are of numbers.
pub fn column(name: &str, numbers: bool) -> Field {
    let types = if numbers { NUMBERS } else { "" };
    Field::new(name, DataType::Utf8View, true).with_metadata([(SEVERAL.to_owned(), types.to_owned())].into())
}

/// Whether files have the column `name` in several types.
pub(super) fn has_several(schema: &Schema, name: &str) -> bool {
    types(schema, name).is_some()
}

/// Whether they have it in several types of numbers.
pub(super) fn are_numbers(schema: &Schema, name: &str) -> bool {
    types(schema, name) == Some(NUMBERS)
}

fn types<'s>(schema: &'s Schema, name: &str) -> Option<&'s str> {
    schema.field_with_name(name).ok()?.metadata().get(SEVERAL).map(String::as_str)
}
