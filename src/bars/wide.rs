//! Wide tables: a record holds the bars of many series, one column or several for each.

/// What the header of a wide table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WideTable {
    /// What stands in each header row, from the top: the name of a text field, or [`FIELD`] for names of fields.
    pub rows: Vec<String>,
    /// The field that cells are where no header row names fields.
    pub values: Option<String>,
    /// Columns that all series have in common.
    pub shared: Vec<String>,
}

/// What a header row is called that names fields.
pub const FIELD: &str = "field";
