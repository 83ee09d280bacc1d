//! Rows that the reader of Parquet files may leave out: those with a timestamp that lies outside of the window for sure, and
//! those of series that are not asked for.
//!
//! What is left out is decided by the columns as the files have them, so that the reader can pass over pages and row groups
//! by their statistics. It is less than what the plan leaves out behind it, by the canonical columns: what a source column
//! means may depend on much, and a row without a timestamp is read in any case.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, ident, lit};

use super::nested::is_nested;
use super::program::Program;
use super::several_types::has_several;
use super::shape::{has, is_text};
use crate::bars::{BarColumn, DAY_US, FieldKind, TimeSpec};

/// What is true of every row that has to be read of files with the columns `schema`, as far as that is known: of those in
/// `window`, and, where `symbols` are given, of those whose first key field is one of these.
pub(super) fn needed(
    program: &Program,
    schema: &Schema,
    window: (Option<i64>, Option<i64>),
    symbols: Option<&BTreeSet<String>>,
) -> Option<Expr> {
    let in_time = in_window(&program.bars.time, schema, window);
    let of_symbols = symbols.and_then(|symbols| of_symbols(program, schema, symbols));
    in_time.into_iter().chain(of_symbols).reduce(Expr::and)
}

/// The rows without a timestamp outside of `window`.
fn in_window(time: &TimeSpec, schema: &Schema, window: (Option<i64>, Option<i64>)) -> Option<Expr> {
    let [only] = time.sources.as_slice() else { return None };
    let field = schema.field_with_name(only).ok().filter(|field| !is_nested(field))?;
    if has_several(schema, only) {
        return None;
    }
    let ranges: Vec<Range<ScalarValue>> = match field.data_type() {
        DataType::Timestamp(unit, zone) => {
            let ranges = match zone {
                Some(_) => TimeSpec::instants_outside(window),
                None => time.local_times_outside(window),
            };
            let value = |micros: i64| timestamp(*unit, micros, zone.clone());
            ranges.into_iter().map(|range| value(range.start)..value(range.end)).collect()
        }
        DataType::Date32 => {
            let value = |micros: i64| ScalarValue::Date32(i32::try_from(micros.div_euclid(DAY_US)).ok());
            time.local_times_outside(window).into_iter().map(|range| value(range.start)..value(range.end)).collect()
        }
        DataType::Int64 => {
            let value = |number: i64| ScalarValue::Int64(Some(number));
            time.numbers_outside(window).into_iter().map(|range| value(range.start)..value(range.end)).collect()
        }
        _ => return None,
    };
    let value = || ident(&**only);
    let beside = |range: Range<ScalarValue>| value().lt(lit(range.start)).or(value().gt_eq(lit(range.end)));
    let all = ranges.into_iter().map(beside).reduce(Expr::and)?;
    Some(value().is_null().or(all))
}

/// An instant or local time (µs) in a unit, rounded down: ranges that are outside for sure end well before the window.
fn timestamp(unit: TimeUnit, micros: i64, zone: Option<std::sync::Arc<str>>) -> ScalarValue {
    match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(micros.div_euclid(1_000_000)), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(micros.div_euclid(1_000)), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(micros), zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(micros.checked_mul(1_000), zone),
    }
}

/// The rows whose first key field is one of `symbols`, where it is a text in the files.
fn of_symbols(program: &Program, schema: &Schema, symbols: &BTreeSet<String>) -> Option<Expr> {
    let (_, field) = program.bars.field(program.key_columns().next()?)?;
    let source = &*field.source;
    let stored = schema.field_with_name(source).ok().filter(|stored| !is_nested(stored))?;
    let plain = field.constant.is_none() && field.kind == FieldKind::Text && is_text(schema, stored.name());
    let alone = !has_several(schema, source) && !has(schema, BarColumn::Other(source));
    (plain && alone).then(|| ident(source).in_list(symbols.iter().map(|symbol| lit(symbol.as_str())).collect(), false))
}

#[cfg(test)]
mod tests;
