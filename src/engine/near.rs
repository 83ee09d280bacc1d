//! The rows of one series around a timestamp.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, cast, ident, lit};

use super::plan::{Input, shaped};
use super::program::Program;
use super::shape::{column, has};
use crate::bars::{BarColumn, TIME};

/// The fields of a row that is shown, besides its timestamp and place; those that the bars lack are left out.
pub use super::around::OF_BAR as FIELDS;

/// The last `side` rows of the series before `time` (µs UTC), newest first, and as many from `time` on. `key` holds the texts
/// of the key fields. A row has its timestamp, [`FIELDS`], `__file`, `__row`, and `__id` where the source has one.
pub fn near(
    program: &Program,
    input: &Input,
    (key, time): (&[Option<String>], i64),
    side: usize,
) -> Result<[LogicalPlan; 2]> {
    let at = || lit(ScalarValue::TimestampMicrosecond(Some(time), Some("UTC".into())));
    let before = rows(program, input, key, ident(TIME).lt(at()), (false, side))?;
    let from = rows(program, input, key, ident(TIME).gt_eq(at()), (true, side))?;
    Ok([before, from])
}

fn rows(
    program: &Program,
    input: &Input,
    key: &[Option<String>],
    when: Expr,
    (ascending, most): (bool, usize),
) -> Result<LogicalPlan> {
    let symbols: Option<BTreeSet<String>> = key.first().cloned().flatten().map(|symbol| BTreeSet::from([symbol]));
    let mut plan = shaped(program, input, symbols.as_ref())?.filter(when)?;
    for (name, text) in program.key_columns().zip(key) {
        plan = plan.filter(match text {
            Some(text) => ident(&**name).eq(cast(lit(text.as_str()), DataType::Utf8View)),
            None => ident(&**name).is_null(),
        })?;
    }
    let place =
        [BarColumn::File, BarColumn::Row].into_iter().chain(has(&input.schema, BarColumn::Id).then_some(BarColumn::Id));
    let shown = FIELDS.iter().filter(|name| {
        let field = program.bars.field(name).map(|(index, _)| index);
        field.is_some_and(|index| program.read.contains(&index) && program.is_number(index))
    });
    let columns: Vec<Expr> =
        std::iter::once(ident(TIME)).chain(shown.map(|name| ident(*name))).chain(place.map(column)).collect();
    let by = [ident(TIME), column(BarColumn::File), column(BarColumn::Row)];
    plan.project(columns)?.sort(by.map(|column| column.sort(ascending, false)))?.limit(0, Some(most))?.build()
}
