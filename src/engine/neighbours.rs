//! Expressions of rules that look at the bars beside a bar: `prev.close`, `next.open`, `ret(close)`, `median(volume, 20)`,
//! `session`. They are evaluated inside the series pass, where the bars of a series lie together in the order of time.

mod derived;
mod rewrite;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{Column, DFSchema, SchemaError};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;

use self::derived::{Bars, Derived};
use self::rewrite::rewrite;
use super::canonical::canonical;
use super::program::Program;
use super::trading_date::session;
use crate::bars::BarsSpec;

/// An expression of a rule as it is planned.
pub(super) struct Parsed {
    /// Over the columns of a bar, and those of the values of other bars.
    pub(super) expr: Expr,
    /// These columns.
    pub(super) schema: DFSchema,
    derived: Vec<Derived>,
}

impl Parsed {
    /// Whether it looks at other bars, or at the trading date.
    pub(super) fn looks_beside(&self) -> bool {
        !self.derived.is_empty()
    }

    /// How many bars before and after a bar it depends on.
    pub(super) fn reach(&self) -> (usize, usize) {
        let wider = |(before, after): (usize, usize), derived: &Derived| {
            let (more_before, more_after) = derived.reach();
            (before.max(more_before), after.max(more_after))
        };
        self.derived.iter().fold((0, 0), wider)
    }

    /// The names of the fields of the bars that it looks at.
    pub(super) fn fields(&self) -> Vec<String> {
        let own = self.expr.column_refs().into_iter().map(|column| column.name.clone());
        own.chain(self.derived.iter().filter_map(Derived::field).map(ToString::to_string)).collect()
    }
}

/// Parses an expression over the columns `canonical` of a bar and those of the bars beside it.
///
/// # Errors
/// It cannot be parsed, or names a field that the bars do not have.
pub(super) fn parse(state: &SessionState, bars: &BarsSpec, canonical: &DFSchema, sql: &str) -> Result<Parsed> {
    let (parsed, derived) = rewrite(state, bars, sql)?;
    let mut fields: Vec<FieldRef> = canonical.fields().iter().map(Arc::clone).collect();
    for value in &derived {
        let data_type = match value.field().map(|field| type_of(canonical, field)).transpose()? {
            None => DataType::Date32,
            Some(DataType::Float64) => DataType::Float64,
            Some(_) if value.is_of_numbers() => {
                return Err(DataFusionError::Plan(format!("`{}` needs a field of numbers", value.name())));
            }
            Some(other) => other,
        };
        fields.push(Arc::new(Field::new(value.name(), data_type, true)));
    }
    let schema = DFSchema::from_unqualified_fields(fields.into(), HashMap::new())?;
    let expr = state.create_logical_expr_from_sql_expr(parsed, &schema)?;
    Ok(Parsed { expr, schema, derived })
}

fn type_of(canonical: &DFSchema, field: &str) -> Result<DataType> {
    match canonical.field_with_unqualified_name(field) {
        Ok(found) => Ok(found.data_type().clone()),
        Err(_) => {
            let missing = SchemaError::FieldNotFound {
                field: Box::new(Column::from_name(field)),
                valid_fields: canonical.columns(),
            };
            Err(DataFusionError::SchemaError(Box::new(missing), Box::new(None)))
        }
    }
}

/// The expressions of a program that look at other bars, ready to evaluate.
#[derive(Debug, Default)]
pub struct Neighbours(Vec<Planned>);

#[derive(Debug)]
struct Planned {
    /// Its slot among the expressions of the rules.
    slot: usize,
    derived: Vec<Derived>,
    /// The columns that the expression is over: those of the bars, and derived ones.
    schema: SchemaRef,
    expr: Arc<dyn PhysicalExpr>,
}

impl Neighbours {
    /// Plans the expressions of `program`, whose bars come as `input`.
    ///
    /// # Errors
    /// One of them cannot be planned; they were checked before.
    pub fn try_new(state: &SessionState, program: &Program, input: &Schema) -> Result<Self> {
        let canonical = canonical(&program.bars);
        let mut planned = Vec::new();
        for (slot, expression) in program.rules.expressions.iter().enumerate() {
            let Parsed { expr, schema, derived } = parse(state, &program.bars, &canonical, &expression.sql)?;
            if derived.is_empty() {
                continue;
            }
            let named = expr.column_refs();
            let wanted = schema.fields().iter().filter(|field| named.iter().any(|column| column.name == *field.name()));
            let fields: Vec<FieldRef> = wanted.map(|field| typed(field, input)).collect();
            let over = DFSchema::from_unqualified_fields(fields.clone().into(), HashMap::new())?;
            let expr = state.create_physical_expr(expr, &over)?;
            planned.push(Planned { slot, derived, schema: Arc::new(Schema::new(fields)), expr });
        }
        Ok(Self(planned))
    }

    /// Their slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|planned| planned.slot)
    }

    /// Evaluates them over the rows of one series, `batch`, of which the first have the timestamps `time`, ascending;
    /// the rows come back with one column more for each.
    ///
    /// # Errors
    /// An expression fails, e.g. over a division of whole numbers by zero.
    pub(super) fn evaluate(&self, program: &Program, batch: RecordBatch, time: &[i64]) -> Result<RecordBatch> {
        if self.0.is_empty() {
            return Ok(batch);
        }
        let rows = batch.num_rows();
        let sessions = || -> Date32Array {
            let dated = time.iter().map(|time| session(program, *time));
            dated.chain(std::iter::repeat_n(None, rows - time.len())).collect()
        };
        let bars = Bars::new(&batch, time, &sessions);
        let mut values: HashMap<String, ArrayRef> = HashMap::new();
        let mut fields: Vec<FieldRef> = batch.schema().fields().iter().map(Arc::clone).collect();
        let mut columns = batch.columns().to_vec();
        for planned in &self.0 {
            for derived in &planned.derived {
                if let Entry::Vacant(vacant) = values.entry(derived.name()) {
                    vacant.insert(bars.values(derived)?);
                }
            }
            let column = |field: &FieldRef| {
                let own = values.get(field.name()).or_else(|| batch.column_by_name(field.name()));
                own.map(Arc::clone).ok_or_else(|| DataFusionError::Internal(format!("no column `{}`", field.name())))
            };
            let over: Vec<ArrayRef> = planned.schema.fields().iter().map(column).collect::<Result<_>>()?;
            let over = RecordBatch::try_new(Arc::clone(&planned.schema), over)?;
            let verdicts: BooleanArray = planned.expr.evaluate(&over)?.into_array(rows)?.as_boolean().clone();
            fields.push(Arc::new(Field::new(format!("neighbours {}", planned.slot), DataType::Boolean, true)));
            columns.push(Arc::new(verdicts));
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }
}

/// `field` with the type that the column has in `input`, where it is one of its columns.
fn typed(field: &FieldRef, input: &Schema) -> FieldRef {
    match input.field_with_name(field.name()) {
        Ok(column) => Arc::new(Field::new(field.name(), column.data_type().clone(), true)),
        Err(_) => Arc::clone(field),
    }
}

#[cfg(test)]
mod tests;
