//! What leaves the operator: findings, rows to move, totals and metrics, as rows of one Arrow schema.
//!
//! Everything travels as record batches, nothing by side channels, so that a run can be spread over machines.
//! [`Record`] says which columns a row fills; all others are NULL.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Float64Builder, Int8Builder, Int32Builder, Int64Builder,
    RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::around::Bar;
use super::counts::{Counts, RuleCounts, SeriesCounts};
use crate::checks::{ExcusedBy, Reason};

/// What a row of the operator's output stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Record {
    /// A finding: everything from `rule` to `evidence`.
    #[default]
    Finding = 0,
    /// Counts of a rule over a series: `rule` and [`RuleCounts`]; `time` and `time_until` are the first and last
    /// timestamp it flagged, `expected_lo` and `expected_hi` the least and greatest value observed.
    Rule = 1,
    /// Counts of the rows of a series: [`SeriesCounts`].
    Series = 2,
    /// Bars of a series by calendar month: `series`, and the months in `note`, see [`super::metrics::Month::to_bytes`]. One
    /// row a month would be most of what leaves the operator.
    Months = 3,
    /// A finding of a row whose verdict is to leave the source: `rule`, its `finding_id` and `action`, `file`, `row`,
    /// `row_key`. Those of one row follow each other; the first is the one that decided.
    Move = 4,
    /// A series with several rows of one time, which is to be read again with all fields of its source: `series`,
    /// `symbol`, and a `file` it is in.
    Again = 5,
    /// A series of which more rows have to be read than were: `series` and `symbol`.
    Longer = 8,
    /// What a rule noted of a series, to be evaluated with those of all others: `rule`, `series`, `symbol`,
    /// `note`, and `file`, `row`, `id` of a row to look at.
    Note = 6,
    /// What one fact excused of a rule in a series: `rule`, `series`, `cause` is the word of the fact, and of
    /// [`RuleCounts`] `findings` and `bars`.
    Excuse = 7,
    /// A bar around a finding: `rule`, `series`, `symbol`, `finding_id`, `time`, `session`, the bar, `offset` and `flagged`;
    /// see [`super::around`].
    Bar = 9,
}

/// The counts of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Of [`Record::Rule`].
    Rule(RuleCounts),
    /// Of [`Record::Series`].
    Series(SeriesCounts),
}

/// The columns of all kinds of counts.
fn count_columns() -> impl Iterator<Item = &'static str> {
    [RuleCounts::COLUMNS, SeriesCounts::COLUMNS].into_iter().flatten().copied()
}

macro_rules! columns {
    ($($name:ident: $builder:ty = $make:expr, $type:expr;)*) => {
        /// Builders of the columns, one row at a time.
        #[derive(Debug)]
        pub struct Columns {
            $(#[doc = concat!("Builder of `", stringify!($name), "`.")] pub $name: $builder,)*
            /// Builders of the counts, in the order of [`count_columns`].
            counts: Vec<Int64Builder>,
        }

        impl Default for Columns {
            fn default() -> Self {
                Self { $($name: $make,)* counts: count_columns().map(|_| Int64Builder::new()).collect() }
            }
        }

        impl Columns {
            fn finish(&mut self) -> Vec<ArrayRef> {
                let mut arrays: Vec<ArrayRef> = vec![$(Arc::new(self.$name.finish())),*];
                arrays.extend(self.counts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
                arrays
            }
        }

        fn fields() -> Vec<Field> {
            let mut fields = vec![$(Field::new(stringify!($name), $type, true)),*];
            fields.extend(count_columns().map(|name| Field::new(name, DataType::Int64, true)));
            fields
        }
    };
}

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn timestamps() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

columns! {
    record: Int8Builder = Int8Builder::new(), DataType::Int8;
    rule: Int32Builder = Int32Builder::new(), DataType::Int32;
    series: StringBuilder = StringBuilder::new(), DataType::Utf8;
    symbol: StringBuilder = StringBuilder::new(), DataType::Utf8;
    finding_id: StringBuilder = StringBuilder::new(), DataType::Utf8;
    row_key: StringBuilder = StringBuilder::new(), DataType::Utf8;
    time: TimestampMicrosecondBuilder = timestamps(), utc();
    time_until: TimestampMicrosecondBuilder = timestamps(), utc();
    session: Date32Builder = Date32Builder::new(), DataType::Date32;
    file: Int32Builder = Int32Builder::new(), DataType::Int32;
    row: Int64Builder = Int64Builder::new(), DataType::Int64;
    id: BinaryBuilder = BinaryBuilder::new(), DataType::Binary;
    action: Int8Builder = Int8Builder::new(), DataType::Int8;
    field: StringBuilder = StringBuilder::new(), DataType::Utf8;
    observed: Float64Builder = Float64Builder::new(), DataType::Float64;
    observed_text: StringBuilder = StringBuilder::new(), DataType::Utf8;
    expected_lo: Float64Builder = Float64Builder::new(), DataType::Float64;
    expected_hi: Float64Builder = Float64Builder::new(), DataType::Float64;
    expected_text: StringBuilder = StringBuilder::new(), DataType::Utf8;
    score: Float64Builder = Float64Builder::new(), DataType::Float64;
    bars_affected: Int64Builder = Int64Builder::new(), DataType::Int64;
    cause: StringBuilder = StringBuilder::new(), DataType::Utf8;
    evidence: StringBuilder = StringBuilder::new(), DataType::Utf8;
    note: BinaryBuilder = BinaryBuilder::new(), DataType::Binary;
    nanos: Int64Builder = Int64Builder::new(), DataType::Int64;
    provisional: BooleanBuilder = BooleanBuilder::new(), DataType::Boolean;
    open: Float64Builder = Float64Builder::new(), DataType::Float64;
    high: Float64Builder = Float64Builder::new(), DataType::Float64;
    low: Float64Builder = Float64Builder::new(), DataType::Float64;
    close: Float64Builder = Float64Builder::new(), DataType::Float64;
    volume: Float64Builder = Float64Builder::new(), DataType::Float64;
    offset: Int64Builder = Int64Builder::new(), DataType::Int64;
    flagged: BooleanBuilder = BooleanBuilder::new(), DataType::Boolean;
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(fields())));

/// The schema of the operator's output.
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// One row of the output; what is `None` or empty is NULL.
#[derive(Debug, Default)]
pub struct Row<'a> {
    /// What it stands for.
    pub record: Record,
    /// Index of the rule.
    pub rule: Option<usize>,
    /// The series key.
    pub series: &'a str,
    /// Its first field.
    pub symbol: Option<&'a str>,
    /// Identity of the finding.
    pub finding_id: Option<&'a str>,
    /// Identity of the row or gap.
    pub row_key: Option<&'a str>,
    /// µs UTC.
    pub time: Option<i64>,
    /// µs UTC.
    pub time_until: Option<i64>,
    /// Days since 1970-01-01.
    pub session: Option<i32>,
    /// Locator.
    pub locator: Option<(i32, i64)>,
    /// Its `_id`, for findings in collections: element type and bytes.
    pub id: Option<&'a [u8]>,
    /// [`crate::decide::Action`] as a number.
    pub action: Option<i8>,
    /// What is wrong, for findings.
    pub finding: Option<&'a crate::checks::Finding>,
    /// Exact text of the observed value; wins over the finding's own.
    pub observed_text: Option<&'a str>,
    /// Least and greatest observed value, for rule counts.
    pub observed: Option<(f64, f64)>,
    /// Its counts.
    pub counts: Option<Counted>,
    /// What was noted of the series, or its months.
    pub note: Option<&'a [u8]>,
    /// How long the rule took over the series, in ns.
    pub nanos: Option<i64>,
    /// The fact that excused something.
    pub excuse: Option<&'static str>,
    /// Whether a finding is about rows too young to be moved.
    pub provisional: Option<bool>,
    /// The bar of a finding, or one around it.
    pub bar: Option<Bar>,
    /// See [`super::around::BarAround`].
    pub offset: Option<i64>,
    /// See [`super::around::BarAround`].
    pub flagged: Option<bool>,
}

/// About as much memory as one row takes.
const BYTES_OF_ROW: usize = 512;

/// Collects rows into batches.
#[derive(Debug, Default)]
pub struct RecordBuilder {
    columns: Columns,
    rows: usize,
    /// Bytes of the notes among them.
    note_bytes: usize,
}

impl RecordBuilder {
    /// Rows collected so far, long notes as the many rows that take as much memory.
    pub fn len(&self) -> usize {
        self.rows + self.note_bytes / BYTES_OF_ROW
    }

    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends one row.
    pub fn push(&mut self, row: &Row<'_>) {
        let c = &mut self.columns;
        c.record.append_value(row.record as i8);
        c.rule.append_option(row.rule.and_then(|rule| i32::try_from(rule).ok()));
        c.series.append_value(row.series);
        c.symbol.append_option(row.symbol);
        c.finding_id.append_option(row.finding_id);
        c.row_key.append_option(row.row_key);
        c.time.append_option(row.time);
        c.time_until.append_option(row.time_until);
        c.session.append_option(row.session);
        c.file.append_option(row.locator.map(|(file, _)| file));
        c.row.append_option(row.locator.map(|(_, row)| row));
        c.id.append_option(row.id);
        c.action.append_option(row.action);
        c.note.append_option(row.note);
        c.nanos.append_option(row.nanos);
        self.note_bytes += row.note.map_or(0, <[u8]>::len);
        c.provisional.append_option(row.provisional);
        let values = [&mut c.open, &mut c.high, &mut c.low, &mut c.close, &mut c.volume];
        for (column, value) in values.into_iter().zip(row.bar.unwrap_or_default()) {
            column.append_option(value);
        }
        c.offset.append_option(row.offset);
        c.flagged.append_option(row.flagged);
        self.push_finding(row);
        self.push_counts(row.counts);
        self.rows += 1;
    }

    fn push_counts(&mut self, counts: Option<Counted>) {
        let (before, values) = match counts {
            None => (0, Vec::new()),
            Some(Counted::Rule(counts)) => (0, counts.values()),
            Some(Counted::Series(counts)) => (RuleCounts::COLUMNS.len(), counts.values()),
        };
        for (index, builder) in self.columns.counts.iter_mut().enumerate() {
            builder.append_option(index.checked_sub(before).and_then(|at| values.get(at).copied().flatten()));
        }
    }

    fn push_finding(&mut self, row: &Row<'_>) {
        let c = &mut self.columns;
        let finding = row.finding;
        c.field.append_option(finding.and_then(|f| f.field.as_deref()));
        c.observed.append_option(finding.and_then(|f| f.observed));
        c.observed_text.append_option(row.observed_text.or(finding.and_then(|f| f.observed_text.as_deref())));
        c.expected_lo.append_option(finding.and_then(|f| f.expected_lo).or(row.observed.map(|(lo, _)| lo)));
        c.expected_hi.append_option(finding.and_then(|f| f.expected_hi).or(row.observed.map(|(_, hi)| hi)));
        c.expected_text.append_option(finding.and_then(|f| f.expected_text.as_deref()));
        c.score.append_option(finding.and_then(|f| f.score));
        c.bars_affected.append_option(finding.and_then(|f| i64::try_from(f.bars_affected).ok()));
        c.cause.append_option(finding.and_then(|f| f.cause).or(row.excuse));
        match finding.and_then(|f| f.evidence.as_ref()) {
            Some(evidence) => c.evidence.append_value(evidence.to_string()),
            None => c.evidence.append_null(),
        }
    }

    /// Appends what facts excused of the rule at `rule` in `series`.
    pub fn push_excuses(&mut self, rule: usize, series: &str, excused: &ExcusedBy) {
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (reason, more) in Reason::ALL.into_iter().zip(excused).filter(|(_, more)| more.findings > 0) {
            let counts = RuleCounts { findings: count(more.findings), bars: count(more.bars), ..RuleCounts::default() };
            let (record, rule, excuse) = (Record::Excuse, Some(rule), Some(reason.word()));
            self.push(&Row { record, rule, series, excuse, counts: Some(Counted::Rule(counts)), ..Row::default() });
        }
    }

    /// The rows so far as a batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        (self.rows, self.note_bytes) = (0, 0);
        RecordBatch::try_new(schema(), self.columns.finish())
    }
}
