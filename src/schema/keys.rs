//! The keys of a section of a job or rule file, declared once as data.
//!
//! Reading, defaults, missing and unknown keys, documentation and the editor schema all come from the same
//! list, so they cannot drift apart.

/// The keys of one table.
#[derive(Debug)]
pub struct Section {
    /// What messages call it, e.g. `[bars]` in backticks.
    pub name: &'static str,
    /// One sentence for the person who writes it.
    pub doc: &'static str,
    /// The keys it takes.
    pub keys: &'static [Key],
}

/// One key of a section.
#[derive(Debug)]
pub struct Key {
    /// The key as written.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What holds where it is not written.
    pub otherwise: Otherwise,
    /// One sentence for the person who writes it.
    pub doc: &'static str,
}

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    /// A string.
    Text,
    /// A string or an array of strings.
    Texts,
    /// A string or an array of strings, none of them empty, and at least one.
    SomeTexts,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number within the closed interval; see [`ANY_COUNT`].
    Count {
        /// Smallest accepted value, 0 or more.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// A number within the closed interval.
    Number {
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// A number above 0 and at most 1.
    Share,
    /// A span of time, e.g. `10d`.
    Duration,
    /// A date or a time.
    Moment,
    /// Whole numbers, 0 or more.
    Indices,
    /// A table.
    Table(&'static Section),
    /// An array of strings, or a table.
    Wide(&'static Section),
    /// An array of tables.
    Tables(&'static Section),
    /// A table of names, each with a string, an integer, a boolean or an array of strings.
    Filter,
    /// A table of names, each with a value, an array of values, or a table of operators with these.
    MongoFilter,
    /// A truth value.
    Flag,
    /// A number that is not 0, or a string with one.
    Factor,
    /// A table of names, each with a number that is not 0, or a string with one.
    Factors,
    /// A string or such a table, or an array of both, and at least one.
    Files(&'static Section),
    /// A table of names, each with a string, an array of strings, or such a table.
    Names(&'static Section),
    /// A table of names, each with such a table.
    Sections(&'static Section),
    /// A table of dates, each with hours.
    Dated,
    /// An array of tables of names, each with a string, a number, a boolean or a time.
    Rows,
    /// The name of a numeric field of the bars.
    NumberField,
    /// The name of any field of the bars, or `time`.
    Field,
    /// A name of a field of the bars or `time`, or an array of such names.
    Fields,
    /// A boolean SQL expression over the fields of a bar.
    Expression,
    /// A table of names, each with a table of values.
    Values,
}

/// What holds where a key is not written.
#[derive(Debug, Clone, Copy)]
pub enum Otherwise {
    /// Nothing can: the key is required.
    Mistake,
    /// Nothing, or what the documentation of the key says.
    Nothing,
    /// This string.
    Text(&'static str),
    /// These strings.
    Texts(&'static [&'static str]),
    /// This whole number.
    Count(u64),
    /// This number.
    Number(f64),
    /// This truth value.
    Flag(bool),
}

/// Any whole number from 0 on.
pub const ANY_COUNT: Holds = Holds::Count { min: 0, max: i64::MAX };

/// A key; the tables of sections are lists of these.
pub const fn key(name: &'static str, holds: Holds, otherwise: Otherwise, doc: &'static str) -> Key {
    Key { name, holds, otherwise, doc }
}
