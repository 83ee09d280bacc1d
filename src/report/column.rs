//! What a column of a report is.

use arrow::datatypes::{DataType, TimeUnit};

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What its values mean, with their unit.
    pub meaning: &'static str,
    /// When it is NULL; empty where it never is.
    pub null: &'static str,
    /// A value, as DuckDB shows it.
    pub example: &'static str,
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text of its own: ids, hashes, what people wrote, JSON.
    Text,
    /// One of a few names.
    Name,
    /// A whole number, 64 bits.
    Count,
    /// A double.
    Number,
    /// True or false.
    Flag,
    /// µs UTC.
    Instant,
    /// A day.
    Date,
}

impl Kind {
    /// Its type in Arrow.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Name => names(),
            Self::Count => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Instant => instants(),
            Self::Date => DataType::Date32,
        }
    }

    /// Its type in the words of SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text | Self::Name => "VARCHAR",
            Self::Count => "BIGINT",
            Self::Number => "DOUBLE",
            Self::Flag => "BOOLEAN",
            Self::Instant => "TIMESTAMP WITH TIME ZONE",
            Self::Date => "DATE",
        }
    }
}

/// The type of columns of names.
pub fn names() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The type of columns of instants.
pub fn instants() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
