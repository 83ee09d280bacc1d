//! Checks that evaluate series by each other.
//!
//! Such a check sees each series once, where all rules do, and notes what it needs of it: a few bytes, not bars. The
//! notes leave the operator with everything else that it finds, and when all series were read the check concludes from
//! them. So a run reads its bars once, in any number of partitions and on any number of machines, and what is held of a
//! series is its note.

use super::finding::{Finding, Totals};
use super::reason::{Excused, Reason};
use super::series::Series;

/// What stands for the series key of a finding about all of them.
pub const ALL_SERIES: &str = "(all series)";

/// What a check noted of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The series key as text.
    pub series: String,
    /// Its first field; `None` where that is NULL.
    pub symbol: Option<String>,
    /// What the check wrote.
    pub bytes: Vec<u8>,
    /// File index and row number of the row to look at.
    pub locator: Option<(i32, i64)>,
    /// Its `_id`, in collections.
    pub id: Option<Vec<u8>>,
}

/// What a check writes of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// What [`Across::conclude`] reads again.
    pub bytes: Vec<u8>,
    /// A row to look at, should a finding come of it.
    pub row: Option<usize>,
}

/// A check that evaluates series by each other.
pub trait Across: Send + Sync {
    /// What has to be known of one series; `None` where it counts for nothing. The series has all of its rows that the
    /// rule is about.
    fn note(&self, series: &Series<'_>) -> Option<Noted>;

    /// With fewer series there is nothing to compare.
    fn least_series(&self) -> usize {
        1
    }

    /// Whether the newest bars of each series are all that it needs.
    fn needs_only_newest(&self) -> bool {
        false
    }

    /// The days, since 1970-01-01 and ascending, that the calendar calls closed and on which most series traded, by what was
    /// noted of them. Where there are any, the series are read again with this as [`Series::open_days`]. Only days from `from`
    /// on (µs UTC) count, where not all series were read before it.
    fn open_days(&self, _notes: &[Note], _from: Option<i64>) -> Vec<i64> {
        Vec::new()
    }

    /// Evaluates all series by what was noted of them, which is in the order of their keys.
    fn conclude(&self, notes: &[Note], sink: &mut AcrossSink);
}

/// A finding across series, and where it belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct OfSeries {
    /// Index of the note of its series; `None` where it is about all of them.
    pub note: Option<usize>,
    /// What was found. It stands for no rows.
    pub finding: Finding,
    /// Whether it is about the row that was noted to look at.
    pub at_row: bool,
}

/// Takes what a check finds across series.
#[derive(Debug, Default)]
pub struct AcrossSink {
    /// The findings, in the order they were made.
    pub findings: Vec<OfSeries>,
    /// The counts of rows, over all series.
    pub totals: Totals,
    /// Before it, µs UTC, not all series were read; `None` where they were read whole.
    pub from: Option<i64>,
}

impl AcrossSink {
    /// Takes a finding about the series of the note at `index`.
    pub fn push(&mut self, index: usize, finding: Finding) {
        self.findings.push(OfSeries { note: Some(index), finding, at_row: false });
    }

    /// Takes a finding about the row that was noted to look at in the series of the note at `index`.
    pub fn push_at_row(&mut self, index: usize, finding: Finding) {
        self.findings.push(OfSeries { note: Some(index), finding, at_row: true });
    }

    /// Takes a finding about all series.
    pub fn push_of_all(&mut self, finding: Finding) {
        self.findings.push(OfSeries { note: None, finding, at_row: false });
    }

    /// Counts rows that got a verdict.
    pub fn evaluated(&mut self, rows: u64) {
        self.totals.evaluated += rows;
    }

    /// Counts what a fact excused.
    pub fn excuse(&mut self, reason: Reason, more: Excused) {
        let sum = &mut self.totals.excused_by[reason as usize];
        sum.findings += more.findings;
        sum.bars += more.bars;
    }

    /// Counts rows without enough to compare them with.
    pub fn insufficient(&mut self, rows: u64) {
        self.totals.insufficient += rows;
    }
}

/// Numbers as the bytes of a note.
pub(super) fn to_bytes(words: impl IntoIterator<Item = i64>) -> Vec<u8> {
    words.into_iter().flat_map(i64::to_le_bytes).collect()
}

/// The numbers of a note that [`to_bytes`] wrote.
pub(super) fn to_words(bytes: &[u8]) -> Vec<i64> {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| i64::from_le_bytes(*word)).collect()
}
