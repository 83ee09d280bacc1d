//! Names of the columns in which bars travel: from a source into a snapshot, and from there to the rules.
//!
//! A source and the engine agree on these names and on nothing else.

use std::borrow::Cow;

/// Ends the name of [`BarColumn::Exact`].
const EXACT: char = '~';
/// Ends the name of [`BarColumn::Other`].
const OTHER: char = '!';
/// Ends the name of [`BarColumn::Type`].
const TYPE: char = '^';
/// Ends the name of [`BarColumn::FileOf`].
const FILE_OF: &str = "^^";
/// Begins the name of [`BarColumn::Expression`].
const EXPRESSION: &str = "__x";

/// A column of bars. A snapshot names the fields as the source does, the engine as the job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarColumn<'a> {
    /// The value of a field; NULL where the source has none, or where it does not parse.
    Value(&'a str),
    /// `Utf8`: the exact text of a number, where the column of its values holds numbers.
    Exact(&'a str),
    /// `Utf8`: the literal of a value of another type than the field should have. At most one of this and the value
    /// is not NULL.
    Other(&'a str),
    /// `Utf8`: the type of a value in the source, where that is not the usual one of its column; the text of a typed
    /// timestamp.
    Type(&'a str),
    /// `Utf8`: the file that a value is of, where files have the column in several types.
    FileOf(&'a str),
    /// `Boolean`: the result of the expression with this number.
    Expression(usize),
    /// `Int32`: the position of the row's file among those that were read.
    File,
    /// `Int64`: the number of the record in its file, from 1; a header row is not counted.
    Row,
    /// `Int64`: the physical line that the record begins in, from 1; for messages.
    Line,
    /// `Int64`: the byte of that line at which the record begins, from 1; only for JSON documents, in which a line may hold
    /// many records.
    Column,
    /// `FixedSizeBinary(32)`: SHA-256 of the record's bytes without its line end.
    Hash,
    /// `Binary`: the `_id` of a document, element type and bytes; only for collections.
    Id,
    /// `Utf8`: what is wrong with the record; NULL for a good one. All values of a broken record are NULL.
    Broken,
    /// `Utf8`: the first 1,024 characters of a broken record; NULL for a good one.
    Raw,
    /// `Utf8`: what a record has besides the fields that are read, as a JSON object; NULL where that is nothing.
    Rest,
}

impl<'a> BarColumn<'a> {
    /// The columns that say something of the whole row.
    pub const OF_ROW: [BarColumn<'static>; 9] = {
        use BarColumn::{Broken, Column, File, Hash, Id, Line, Raw, Rest, Row};
        [File, Row, Line, Column, Hash, Id, Broken, Raw, Rest]
    };

    /// Its name.
    pub fn name(self) -> Cow<'a, str> {
        Cow::Borrowed(match self {
            Self::Value(field) => field,
            Self::Exact(field) => return Cow::Owned(format!("{field}{EXACT}")),
            Self::Other(field) => return Cow::Owned(format!("{field}{OTHER}")),
            Self::Type(field) => return Cow::Owned(format!("{field}{TYPE}")),
            Self::FileOf(field) => return Cow::Owned(format!("{field}{FILE_OF}")),
            Self::Expression(slot) => return Cow::Owned(format!("{EXPRESSION}{slot}")),
            Self::File => "__file",
            Self::Row => "__row",
            Self::Line => "__line",
            Self::Column => "__column",
            Self::Hash => "__hash",
            Self::Id => "__id",
            Self::Broken => "__broken",
            Self::Raw => "__raw",
            Self::Rest => "__rest",
        })
    }

    /// The column with this name.
    pub fn of(name: &'a str) -> Self {
        if let Some(column) = Self::OF_ROW.into_iter().find(|column| column.name() == name) {
            return column;
        }
        if let Some(slot) = name.strip_prefix(EXPRESSION).and_then(|slot| slot.parse().ok()) {
            return Self::Expression(slot);
        }
        if let Some(field) = name.strip_suffix(FILE_OF) {
            return Self::FileOf(field);
        }
        let field = |end: char| name.strip_suffix(end);
        let of_field = field(EXACT).map(Self::Exact).or_else(|| field(OTHER).map(Self::Other));
        of_field.or_else(|| field(TYPE).map(Self::Type)).unwrap_or(Self::Value(name))
    }

    /// The field that it belongs to; `None` where it says something of the whole row.
    pub fn field(self) -> Option<&'a str> {
        match self {
            Self::Value(field) | Self::Exact(field) | Self::Other(field) | Self::Type(field) | Self::FileOf(field) => {
                Some(field)
            }
            _ => None,
        }
    }

    /// Whether only some rows have anything in it, whatever the source is.
    pub fn is_sparse(self) -> bool {
        matches!(self, Self::Exact(_) | Self::Other(_) | Self::Type(_) | Self::Broken | Self::Raw | Self::Rest)
    }
}

/// Why a field of a source cannot have this name; `None` where it can.
pub fn reserved(name: &str) -> Option<&'static str> {
    match BarColumn::of(name) {
        BarColumn::Value(_) => None,
        BarColumn::Exact(_) | BarColumn::Other(_) | BarColumn::Type(_) | BarColumn::FileOf(_) => {
            Some("names that end with `!`, `~` or `^` are barkeep's own")
        }
        _ => Some("this name is one of barkeep's own"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_found_by_its_name() {
        let of_field = [BarColumn::Value, BarColumn::Exact, BarColumn::Other, BarColumn::Type, BarColumn::FileOf]
            .map(|of| of("close"));
        for column in BarColumn::OF_ROW.into_iter().chain(of_field).chain([BarColumn::Expression(12)]) {
            assert_eq!(BarColumn::of(&column.name()), column);
            assert_eq!(reserved(&column.name()).is_none(), column == BarColumn::Value("close"), "{column:?}");
        }
        assert_eq!(BarColumn::Exact("close").name(), "close~");
        assert_eq!(BarColumn::of("").field(), Some(""));
        for name in ["_id", "!a", "~a", "@close", "__index_level_0__", "__x", ""] {
            assert_eq!((BarColumn::of(name), reserved(name)), (BarColumn::Value(name), None));
        }
    }
}
