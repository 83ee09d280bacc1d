//! The columns of one series, in time order, as the slices a check sees.
//!
//! [`Layout`] says where the columns are in the operator's input, found once by name. [`Frame`] owns the rows of
//! one series; it sorts them by (time, file, row) unless they are in order, and puts rows without a timestamp last.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;

use super::key::key_of;
use super::neighbours::Neighbours;
use super::program::Program;
use crate::bars::{BarColumn, TIME};
use crate::checks::{Column, NumberColumn, OtherBar, PeerTable, Records, Series, Standing, TextColumn, Written};
use crate::market::facts::{MarketFacts, SeriesFacts};

/// Where one field stands in the input.
#[derive(Debug, Clone, Copy, Default)]
pub struct FieldColumns {
    /// The decoded value; `None`: not read.
    pub value: Option<usize>,
    /// The exact text of a number.
    pub text: Option<usize>,
    /// The literal of a value of another type.
    pub other: Option<usize>,
    /// The type of a value, where that is not the usual one.
    pub kind: Option<usize>,
    /// The file of a value, where files have it in several types.
    pub file: Option<usize>,
}

/// Where the columns stand in the operator's input.
#[derive(Debug)]
pub struct Layout {
    /// Fields that the rows evaluated together have in common.
    pub keys: Vec<usize>,
    /// Fields of the series key.
    pub series: Vec<usize>,
    /// Of these, the one that facts name as the symbol, and the one that they name as the source.
    pub facts: [Option<usize>; 2],
    /// Decoded timestamps.
    pub time: usize,
    /// Timestamps as text.
    pub time_text: FieldColumns,
    /// By index into `BarsSpec::fields`.
    pub fields: Vec<FieldColumns>,
    /// Whether the field holds numbers, by the same index.
    pub numeric: Vec<bool>,
    /// Results of expressions by slot.
    pub expressions: Vec<usize>,
    /// File index.
    pub file: usize,
    /// Row number.
    pub row: usize,
    /// Its `_id`, in collections.
    pub id: Option<usize>,
    /// Why a row could not be parsed at all.
    pub broken: Option<usize>,
    /// Its raw text.
    pub raw: Option<usize>,
    /// What its record has besides the fields that are read.
    pub rest: Option<usize>,
    /// The expressions over the bars beside a bar, of which the last columns of a frame are.
    pub neighbours: Arc<Neighbours>,
}

impl Layout {
    /// Finds the columns of `program` in `schema`, behind which those of `neighbours` come.
    pub fn try_new(program: &Program, schema: &Schema, neighbours: Arc<Neighbours>) -> Result<Self, ArrowError> {
        let find = |column: BarColumn<'_>| schema.column_with_name(&column.name()).map(|(index, _)| index);
        let index_of = |column: BarColumn<'_>| schema.index_of(&column.name());
        let fields = (0..program.bars.fields.len()).map(|index| {
            let name = &program.bars.fields[index].name;
            let value = match program.read.contains(&index) {
                true => Some(schema.index_of(name)?),
                false => find(BarColumn::Value(name)).filter(|_| program.compared.contains(&index)),
            };
            let (text, other) = (find(BarColumn::Exact(name)), find(BarColumn::Other(name)));
            let (kind, file) = (find(BarColumn::Type(name)), find(BarColumn::FileOf(name)));
            Ok(FieldColumns { value, text, other, kind, file })
        });
        let series = program.bars.series.iter();
        let width = schema.fields().len();
        let slots = 0..program.rules.expressions.len();
        let expression = |slot: usize| match neighbours.slots().position(|other| other == slot) {
            Some(place) => Ok(width + place),
            None => index_of(BarColumn::Expression(slot)),
        };
        Ok(Self {
            keys: program.key_columns().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?,
            series: series.map(|name| schema.index_of(name)).collect::<Result<_, _>>()?,
            facts: program.fact_fields().map(|name| name.and_then(|name| schema.index_of(name).ok())),
            time: schema.index_of(TIME)?,
            time_text: FieldColumns {
                value: find(BarColumn::Exact(TIME)),
                text: None,
                other: find(BarColumn::Other(TIME)),
                kind: find(BarColumn::Type(TIME)),
                file: None,
            },
            fields: fields.collect::<Result<_, ArrowError>>()?,
            numeric: (0..program.bars.fields.len()).map(|index| program.is_number(index)).collect(),
            expressions: slots.map(expression).collect::<Result<_, _>>()?,
            file: index_of(BarColumn::File)?,
            row: index_of(BarColumn::Row)?,
            id: find(BarColumn::Id),
            broken: find(BarColumn::Broken),
            raw: find(BarColumn::Raw),
            rest: find(BarColumn::Rest),
            neighbours,
        })
    }
}

/// The rows of one series.
#[derive(Debug)]
pub struct Frame {
    batch: RecordBatch,
    dated: usize,
    numbers: Vec<Option<Float64Array>>,
    rank: Vec<u64>,
}

impl Frame {
    /// Puts the rows of one series in order.
    pub fn try_new(batch: &RecordBatch, layout: &Layout) -> Result<Self, ArrowError> {
        let rank = ranks(batch, layout);
        let time = batch.column(layout.time).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        let (batch, rank) = if in_order(time, &rank) {
            (batch.clone(), rank)
        } else {
            let order = order_of(time, &rank);
            let rank = order.values().iter().map(|row| rank[*row as usize]).collect();
            (take_record_batch(batch, &order)?, rank)
        };
        let time = batch.column(layout.time);
        let dated = time.len() - time.null_count();
        let numbers = (0..layout.fields.len()).map(|index| nan_filled(&batch, layout, index)).collect();
        Ok(Self { batch, dated, numbers, rank })
    }

    /// The same rows with what the expressions over the bars beside each say of them.
    pub fn with_neighbours(self, program: &Program, layout: &Layout) -> datafusion::error::Result<Self> {
        let batch = layout.neighbours.evaluate(program, self.batch.clone(), self.time(layout))?;
        Ok(Self { batch, ..self })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Timestamps of the dated rows, µs UTC.
    pub fn time(&self, layout: &Layout) -> &[i64] {
        let time: &TimestampMicrosecondArray = self.batch.column(layout.time).as_primitive();
        &time.values()[..self.dated]
    }

    /// The columns as checks see them.
    pub fn columns(&self, layout: &Layout) -> Vec<Column<'_>> {
        let column = |(index, field): (usize, &FieldColumns)| match (field.value, &self.numbers[index]) {
            (None, _) => Column::Absent,
            (Some(_), Some(numbers)) => Column::Number(NumberColumn::new(numbers.values(), numbers.nulls())),
            (Some(value), None) => Column::Text(self.text_column(value, field.other)),
        };
        layout.fields.iter().enumerate().map(column).collect()
    }

    fn text_column(&self, value: usize, other: Option<usize>) -> TextColumn<'_> {
        TextColumn::new(self.texts(value), other.map(|other| self.texts(other)))
    }

    fn texts(&self, column: usize) -> &StringViewArray {
        self.batch.column(column).as_string_view()
    }

    /// How the source writes the values of the columns, where that says more than they do.
    pub fn written(&self, layout: &Layout) -> Vec<Written<'_>> {
        layout.fields.iter().map(|field| self.written_in(*field)).collect()
    }

    fn written_in(&self, field: FieldColumns) -> Written<'_> {
        let texts = |column: Option<usize>| column.map(|column| self.texts(column));
        Written::new(texts(field.text), texts(field.other), texts(field.kind.or(field.file)))
    }

    /// The files that the rows are in.
    pub fn files(&self, layout: &Layout) -> BTreeSet<i32> {
        let files: &Int32Array = self.batch.column(layout.file).as_primitive();
        files.values().iter().copied().collect()
    }

    /// Results of the expressions by slot.
    pub fn expressions(&self, layout: &Layout) -> Vec<&BooleanArray> {
        layout.expressions.iter().map(|column| self.batch.column(*column).as_boolean()).collect()
    }

    /// The series as a check sees it, out of parts made by [`Frame::columns`] and [`Frame::expressions`].
    pub fn series<'a>(&'a self, layout: &Layout, key: &'a str, parts: &'a Parts<'a>) -> Series<'a> {
        Series {
            key,
            time: self.time(layout),
            rows: self.rows(),
            columns: &parts.columns,
            time_text: layout.time_text.value.map(|value| self.text_column(value, layout.time_text.other)),
            records: Records {
                columns: &parts.written,
                time: self.written_in(FieldColumns { text: layout.time_text.value, ..layout.time_text }),
                rest: layout.rest.map(|rest| self.texts(rest)),
            },
            source_rank: &self.rank,
            expressions: &parts.expressions,
            present: parts.present,
            standing: parts.standing,
            facts: parts.facts,
            peers: parts.peers,
            other: parts.other,
            displaced: parts.displaced,
            open_days: parts.open_days,
            from: parts.since.map_or(0, |since| self.time(layout).partition_point(|time| *time < since)),
            since: parts.since.unwrap_or(i64::MIN),
        }
    }

    /// The rows for which `mask` is true, as a frame of their own.
    pub fn narrow(&self, layout: &Layout, mask: &BooleanArray) -> Result<Self, ArrowError> {
        Self::try_new(&filter_record_batch(&self.batch, mask)?, layout)
    }

    /// Locator of a row: file index and row number.
    pub fn locator(&self, layout: &Layout, row: usize) -> (i32, i64) {
        let files: &Int32Array = self.batch.column(layout.file).as_primitive();
        let rows: &Int64Array = self.batch.column(layout.row).as_primitive();
        (files.value(row), rows.value(row))
    }

    /// Timestamp of a row, µs UTC; `None` where it has none.
    pub fn time_of(&self, layout: &Layout, row: usize) -> Option<i64> {
        self.time(layout).get(row).copied()
    }

    /// The text of `column` at `row`.
    pub fn text(&self, column: Option<usize>, row: usize) -> Option<&str> {
        let texts = self.texts(column?);
        (!texts.is_null(row)).then(|| texts.value(row))
    }

    /// What `facts` says of the series.
    pub fn facts<'a>(&'a self, layout: &Layout, facts: &'a MarketFacts, key: &str) -> SeriesFacts<'a> {
        let [symbol, source] = match self.rows() {
            0 => [None; 2],
            _ => layout.facts.map(|column| self.text(column, 0)),
        };
        facts.of_series(key, symbol, source)
    }

    /// The key of the series that `row` belongs to.
    pub fn series_key(&self, layout: &Layout, row: usize) -> String {
        key_of(layout.series.iter().map(|column| self.text(Some(*column), row)))
    }

    /// The number of the field at `index`, as read.
    pub fn number(&self, index: usize, row: usize) -> Option<f64> {
        let numbers = self.numbers.get(index)?.as_ref()?;
        (!numbers.is_null(row)).then(|| numbers.value(row))
    }

    /// The `_id` of a row of a collection: element type and bytes.
    pub fn id(&self, layout: &Layout, row: usize) -> Option<&[u8]> {
        self.batch.column(layout.id?).as_binary_opt::<i32>().map(|ids| ids.value(row))
    }

    /// How many numbers of the field at `index` are zero among `rows`.
    pub fn zeros(&self, index: usize, rows: std::ops::Range<usize>) -> usize {
        let numbers = self.numbers.get(index).and_then(Option::as_ref);
        numbers.map_or(0, |numbers| numbers.values()[rows].iter().filter(|number| **number == 0.0).count())
    }

    /// How many values of the field at `index` are NULL among `rows`.
    pub fn nulls(&self, index: usize, rows: std::ops::Range<usize>) -> usize {
        let column = self.numbers.get(index).and_then(Option::as_ref);
        column.and_then(|numbers| numbers.nulls()).map_or(0, |nulls| rows.filter(|row| nulls.is_null(*row)).count())
    }
}

/// Borrowed parts of a [`Series`].
#[derive(Debug)]
pub struct Parts<'a> {
    /// Made by [`Frame::columns`].
    pub columns: Vec<Column<'a>>,
    /// Made by [`Frame::written`].
    pub written: Vec<Written<'a>>,
    /// Made by [`Frame::expressions`].
    pub expressions: Vec<&'a BooleanArray>,
    /// Timestamps of every bar that is there.
    pub present: &'a [i64],
    /// How each row stands; empty but for rules about copies.
    pub standing: &'a [Standing],
    /// The facts of the series.
    pub facts: &'a SeriesFacts<'a>,
    /// What the other series show, for rules that need it.
    pub peers: Option<&'a PeerTable>,
    /// The bars of the symbol in another job.
    pub other: &'a [OtherBar],
    /// Stretches in which rules about single rows reported displaced bars.
    pub displaced: &'a [(i64, i64)],
    /// Closed days on which most series traded, for rules that say so.
    pub open_days: &'a [i64],
    /// Bars before it are not reported on, µs UTC; `None` where all are.
    pub since: Option<i64>,
}

/// Place of each row in the source: file index above 2^40 row numbers.
fn ranks(batch: &RecordBatch, layout: &Layout) -> Vec<u64> {
    let files: &Int32Array = batch.column(layout.file).as_primitive();
    let rows: &Int64Array = batch.column(layout.row).as_primitive();
    let rank = |(file, row): (&i32, &i64)| (u64::from(file.unsigned_abs()) << 40) + row.unsigned_abs();
    files.values().iter().zip(rows.values()).map(rank).collect()
}

fn in_order(time: &TimestampMicrosecondArray, rank: &[u64]) -> bool {
    let ascending = |i: usize| {
        let (a, b) = (time.values()[i], time.values()[i + 1]);
        a < b || (a == b && rank[i] < rank[i + 1])
    };
    time.null_count() == 0 && (0..rank.len().saturating_sub(1)).all(ascending)
}

fn order_of(time: &TimestampMicrosecondArray, rank: &[u64]) -> UInt32Array {
    let mut order: Vec<u32> = (0..u32::try_from(rank.len()).unwrap_or(u32::MAX)).collect();
    order.sort_unstable_by_key(|row| {
        let row = *row as usize;
        (time.is_null(row), if time.is_null(row) { 0 } else { time.value(row) }, rank[row])
    });
    UInt32Array::from(order)
}

/// Numbers with NaN in the place of NULL, which is what `Series` promises; NULLs stay marked.
fn nan_filled(batch: &RecordBatch, layout: &Layout, index: usize) -> Option<Float64Array> {
    let column = layout.fields[index].value?;
    if !layout.numeric[index] {
        return None;
    }
    let numbers: &Float64Array = batch.column(column).as_primitive();
    let Some(nulls) = numbers.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Some(numbers.clone());
    };
    let fill = |(row, value): (usize, &f64)| if nulls.is_null(row) { f64::NAN } else { *value };
    Some(Float64Array::new(numbers.values().iter().enumerate().map(fill).collect(), Some(nulls.clone())))
}
