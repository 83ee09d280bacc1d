use arrow::datatypes::DataType;

use crate::bars::FieldKind;

/// One column of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// What it holds. Text columns hold numbers when every value in the sample that is not NULL is one and none has
    /// a leading zero as codes do; JSON ones when at least one value is not a string. Parquet types are what they are.
    pub kind: FieldKind,
    /// Whether its values are typed dates or instants: a Parquet type, or MongoDB's `{"$date": …}`.
    pub typed_time: bool,
    /// The type in a Parquet file.
    pub arrow: Option<DataType>,
}
