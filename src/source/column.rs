use std::path::PathBuf;

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
    /// The type in Parquet files, wide enough for all of them.
    pub arrow: Option<DataType>,
    /// The names that lead to it from a column of structs; none where it is a column itself.
    pub steps: Vec<String>,
    /// How Parquet files differ in it, if they do; only of interest where it is read.
    pub drift: Option<Drift>,
}

impl SourceColumn {
    /// A column of text or of values without a type.
    pub(crate) fn untyped(name: String, kind: FieldKind, typed_time: bool) -> Self {
        Self { name, kind, typed_time, arrow: None, steps: Vec::new(), drift: None }
    }
}

/// How files differ in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// The second file lacks what the first one has.
    Missing(PathBuf, PathBuf),
    /// The files have types that no type holds.
    Types([(PathBuf, DataType); 2]),
}
