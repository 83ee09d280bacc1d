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
    /// Whether Parquet files have it in several types, which the type above holds or not.
    pub several_types: bool,
    /// Whether everything in it is missing, as Parquet files say by its type.
    pub is_null: bool,
}

impl SourceColumn {
    /// A column of text or of values without a type.
    pub(crate) fn untyped(name: String, kind: FieldKind, typed_time: bool) -> Self {
        Self {
            name,
            kind,
            typed_time,
            arrow: None,
            steps: Vec::new(),
            drift: None,
            several_types: false,
            is_null: false,
        }
    }
}

impl SourceColumn {
    /// Whether it has a type of numbers.
    pub fn is_numeric(&self) -> bool {
        self.arrow.as_ref().is_some_and(|data_type| plain(data_type).is_numeric())
    }
}

/// How files differ in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// A file lacks what another one has.
    Missing {
        /// The one that has it.
        has: PathBuf,
        /// The one that does not.
        lacks: PathBuf,
        /// What it has instead, where that differs in the case of letters only.
        like: Option<String>,
    },
    /// The files have types that no type holds.
    Types([(PathBuf, DataType); 2]),
}

/// The type of the values, without what only says how they lie in memory.
pub(super) fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::LargeUtf8 | DataType::Utf8View => &DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => &DataType::Binary,
        other => other,
    }
}
