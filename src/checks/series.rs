//! The bars of one series as slices: what a check sees.

use arrow::array::{Array, BooleanArray, StringViewArray};
use arrow::buffer::NullBuffer;

use super::other_job::OtherBar;
use super::peers::PeerTable;
use crate::market::facts::SeriesFacts;

/// A numeric column.
#[derive(Debug, Clone, Copy)]
pub struct NumberColumn<'a> {
    values: &'a [f64],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> NumberColumn<'a> {
    /// A column of `values`; the caller has put NaN where `nulls` says NULL.
    pub fn new(values: &'a [f64], nulls: Option<&'a NullBuffer>) -> Self {
        Self { values, nulls: nulls.filter(|nulls| nulls.null_count() > 0) }
    }

    /// One value a row; NaN where the value is NULL or is NaN.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// Whether the value of `row` is NULL, as distinguished from NaN.
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// The value of `row`; `None` for NULL, `Some(NaN)` for NaN.
    pub fn get(&self, row: usize) -> Option<f64> {
        (!self.is_null(row)).then(|| self.values[row])
    }
}

/// A text column, exactly as in the source.
#[derive(Debug, Clone, Copy)]
pub struct TextColumn<'a> {
    text: &'a StringViewArray,
    other: Option<&'a StringViewArray>,
}

impl<'a> TextColumn<'a> {
    /// A column of `text`; `other` holds the literal of values whose type in the source is not text.
    pub fn new(text: &'a StringViewArray, other: Option<&'a StringViewArray>) -> Self {
        Self { text, other: other.filter(|other| other.null_count() < other.len()) }
    }

    /// The text of `row`; `None` where it is NULL or of another type.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        (!self.text.is_null(row)).then(|| self.text.value(row))
    }

    /// The literal of a value that is not text in the source, e.g. `20200213` or `{"$date":"…"}`.
    pub fn other(&self, row: usize) -> Option<&'a str> {
        self.other.filter(|other| !other.is_null(row)).map(|other| other.value(row))
    }

    /// Whether `row` has neither text nor a value of another type.
    pub fn is_null(&self, row: usize) -> bool {
        self.text.is_null(row) && self.other(row).is_none()
    }
}

/// One column of a series.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// No rule uses it, so it was not read.
    Absent,
    /// Numbers.
    Number(NumberColumn<'a>),
    /// Text.
    Text(TextColumn<'a>),
}

/// How the source writes the values of a column, where that says more than the values do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written<'a> {
    text: Option<&'a StringViewArray>,
    other: Option<&'a StringViewArray>,
    kind: Option<&'a StringViewArray>,
}

impl<'a> Written<'a> {
    /// The exact texts of numbers, literals of values of another type, and the types of values that are not of the usual
    /// one.
    pub fn new(
        text: Option<&'a StringViewArray>,
        other: Option<&'a StringViewArray>,
        kind: Option<&'a StringViewArray>,
    ) -> Self {
        Self { text, other, kind }
    }

    /// The exact text of the number in `row`.
    pub fn text(&self, row: usize) -> Option<&'a str> {
        value(self.text, row)
    }

    /// The literal of a value of another type than the column's.
    pub fn other(&self, row: usize) -> Option<&'a str> {
        value(self.other, row)
    }

    /// The type of the value in `row` in the source, where that is not the usual one of its column.
    pub fn kind(&self, row: usize) -> Option<&'a str> {
        value(self.kind, row)
    }
}

/// What the records of the source say beyond the values of the columns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Records<'a> {
    /// How they write the values of the columns, by the same index; empty where nothing is known of it.
    pub columns: &'a [Written<'a>],
    /// How they write the timestamps.
    pub time: Written<'a>,
    /// What they have besides the fields of the columns.
    pub rest: Option<&'a StringViewArray>,
}

fn value(texts: Option<&StringViewArray>, row: usize) -> Option<&str> {
    texts.filter(|texts| !texts.is_null(row)).map(|texts| texts.value(row))
}

/// How a row stands after the rules about single rows and about the series; the smaller one stays rather.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Not rejected, with so many findings of rules about single rows.
    Good(u32),
    /// A rule about the series moves it.
    Moved,
    /// A rule about single rows or a parse error rejects it.
    Rejected,
}

/// The bars of one series. Rows with a readable timestamp come first, in order of (time, place in the source);
/// rows without one follow, in the order of the source.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// The series key as text, its fields joined with `|`.
    pub key: &'a str,
    /// Timestamps of the dated rows, µs UTC, ascending, with ties. For daily bars the midnight (UTC) that
    /// stands for the trading date; else the instant the source gives.
    pub time: &'a [i64],
    /// Number of rows, dated or not.
    pub rows: usize,
    /// Columns by their index in `BarsSpec::fields`, each of `rows` values.
    pub columns: &'a [Column<'a>],
    /// The timestamps as the source writes them, where they are text.
    pub time_text: Option<TextColumn<'a>>,
    /// What the records of the rows say beyond that.
    pub records: Records<'a>,
    /// Rank of each row in the source's own order; strictly increasing with it, not dense.
    pub source_rank: &'a [u64],
    /// Results of the rules' SQL expressions by slot, each of `rows` values.
    pub expressions: &'a [&'a BooleanArray],
    /// Timestamps of every bar that is there, µs UTC, ascending, with ties: also of those that a rule about the series
    /// does not see because they were rejected or are further copies. They are no gap.
    pub present: &'a [i64],
    /// How each row stands, for rules about copies; empty where all rows are good.
    pub standing: &'a [Standing],
    /// What is known of its market besides the calendar.
    pub facts: &'a SeriesFacts<'a>,
    /// What the other series show, for checks that have [`super::Check::peers`]; `None` where that is not known.
    pub peers: Option<&'a PeerTable>,
    /// The bars of the symbol in another job, for checks that have [`super::Check::other_job`]; none for others.
    pub other: &'a [OtherBar],
    /// First and last timestamps, µs UTC, of stretches in which rules about single rows reported that bars are displaced
    /// against the calendar. What is missing there for it is no other fault.
    pub displaced: &'a [(i64, i64)],
    /// Days, since 1970-01-01 and ascending, that the calendar calls closed and on which most series traded, for checks that
    /// say so, see [`super::Across::open_days`].
    pub open_days: &'a [i64],
    /// The first row that is reported on. Those before are there because verdicts depend on them: what is found of them alone
    /// is not reported, and a check counts no row before it.
    pub from: usize,
    /// The first timestamp that is reported on, µs UTC; `i64::MIN` where all are.
    pub since: i64,
}

impl Default for Series<'_> {
    /// A series without rows, of which nothing is known.
    fn default() -> Self {
        Self {
            key: "",
            time: &[],
            rows: 0,
            columns: &[],
            time_text: None,
            records: Records::default(),
            source_rank: &[],
            expressions: &[],
            present: &[],
            standing: &[],
            facts: SeriesFacts::NONE,
            peers: None,
            other: &[],
            displaced: &[],
            open_days: &[],
            from: 0,
            since: i64::MIN,
        }
    }
}

impl<'a> Series<'a> {
    /// How many rows are reported on.
    pub fn reported(&self) -> usize {
        self.rows - self.from
    }

    /// `row` as a count: 1 where it is reported on, else 0.
    pub fn count(&self, row: usize) -> usize {
        usize::from(row >= self.from)
    }

    /// How `row` stands.
    pub fn standing(&self, row: usize) -> Standing {
        self.standing.get(row).copied().unwrap_or(Standing::Good(0))
    }

    /// How the source writes the values of the column at `index`.
    pub fn written(&self, index: usize) -> Written<'a> {
        self.records.columns.get(index).copied().unwrap_or_default()
    }

    /// What the record of `row` has besides the fields of the columns.
    pub fn rest(&self, row: usize) -> Option<&'a str> {
        value(self.records.rest, row)
    }

    /// Number of rows with a readable timestamp.
    pub fn dated(&self) -> usize {
        self.time.len()
    }

    /// The numeric column at `index` of `BarsSpec::fields`; an index comes from `Params` and is numeric.
    pub fn number(&self, index: usize) -> NumberColumn<'a> {
        match self.columns[index] {
            Column::Number(column) => column,
            _ => unreachable!("bug: column {index} was not read as numbers"),
        }
    }

    /// The text column at `index` of `BarsSpec::fields`; an index comes from `Params` and is text.
    pub fn text(&self, index: usize) -> TextColumn<'a> {
        match self.columns[index] {
            Column::Text(column) => column,
            _ => unreachable!("bug: column {index} was not read as text"),
        }
    }
}
