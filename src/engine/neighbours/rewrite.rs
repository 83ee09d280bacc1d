//! What an expression says of the bars beside a bar, and the expression over columns of these values.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{
    Expr, ExprWithAlias, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Value, visit_expressions_mut,
};

use super::derived::{Derived, SESSION, Usual};
use crate::bars::BarsSpec;

/// The most bars before a bar that an expression may look at.
const MOST_BARS: u32 = 10_000;

/// Parses `sql` and puts a column in the place of each value of other bars; which these are.
pub(super) fn rewrite(state: &SessionState, bars: &BarsSpec, sql: &str) -> Result<(ExprWithAlias, Vec<Derived>)> {
    let dialect = state.config_options().sql_parser.dialect;
    let mut parsed = state.sql_to_expr_with_alias(sql, &dialect)?;
    let mut derived: Vec<Derived> = Vec::new();
    let visited = visit_expressions_mut(&mut parsed.expr, |part| match of(bars, part) {
        Err(problem) => ControlFlow::Break(problem),
        Ok(None) => ControlFlow::Continue(()),
        Ok(Some(value)) => {
            *part = Expr::Identifier(Ident::with_quote('"', value.name()));
            if !derived.contains(&value) {
                derived.push(value);
            }
            ControlFlow::Continue(())
        }
    });
    match visited {
        ControlFlow::Break(problem) => Err(DataFusionError::Plan(problem)),
        ControlFlow::Continue(()) => Ok((parsed, derived)),
    }
}

/// The value of other bars that `part` is; `None` where it is another expression.
fn of(bars: &BarsSpec, part: &Expr) -> Result<Option<Derived>, String> {
    match part {
        Expr::Identifier(name) if name.value == SESSION && bars.field(SESSION).is_none() => Ok(Some(Derived::Session)),
        Expr::CompoundIdentifier(names) => match names.as_slice() {
            [side, field] => {
                Ok(step(&side.value).map(|bars| Derived::Beside { field: field.value.as_str().into(), bars }))
            }
            _ => Ok(None),
        },
        Expr::Function(function) => of_function(function),
        _ => Ok(None),
    }
}

/// The bar that a word stands for.
fn step(word: &str) -> Option<i32> {
    match word {
        "prev" => Some(-1),
        "next" => Some(1),
        _ => None,
    }
}

fn of_function(function: &Function) -> Result<Option<Derived>, String> {
    let name = function.name.to_string();
    let usual = Usual::ALL.iter().find(|(other, _)| *other == name).map(|(_, usual)| *usual);
    if step(&name).is_none() && usual.is_none() && name != "ret" {
        return Ok(None);
    }
    let (field, bars) = arguments(function, &name)?;
    match (step(&name), usual, bars) {
        (None, None, None) => Ok(Some(Derived::Return { field })),
        (None, None, Some(_)) => Err("`ret` takes the name of a field, as in ret(close)".to_owned()),
        (None, Some(usual), Some(bars)) => Ok(Some(Derived::Over { usual, field, bars })),
        (None, Some(_), None) => {
            Err(format!("`{name}` takes a field and how many bars before the bar, as in {name}(volume, 20)"))
        }
        (Some(side), ..) => {
            let bars = i32::try_from(bars.unwrap_or(1)).unwrap_or(i32::MAX);
            Ok(Some(Derived::Beside { field, bars: side * bars }))
        }
    }
}

/// The field and the number of bars that a function is given.
fn arguments(function: &Function, name: &str) -> Result<(Arc<str>, Option<u32>), String> {
    let wrong = || format!("`{name}` takes the name of a field, and how many bars, from 1 to {MOST_BARS}");
    let FunctionArguments::List(list) = &function.args else { return Err(wrong()) };
    let part = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(part)) => Some(part.clone()),
        _ => None,
    };
    let parts: Vec<Expr> = list.args.iter().filter_map(part).collect();
    let field = match parts.first() {
        Some(Expr::Identifier(field)) => Arc::from(field.value.as_str()),
        _ => return Err(wrong()),
    };
    let bars = match parts.get(1) {
        None => None,
        Some(Expr::Value(value)) => match &value.value {
            Value::Number(number, _) => number.parse::<u32>().ok().filter(|bars| (1..=MOST_BARS).contains(bars)),
            _ => None,
        }
        .map(Some)
        .ok_or_else(wrong)?,
        Some(_) => return Err(wrong()),
    };
    if parts.len() == list.args.len() && parts.len() <= 2 { Ok((field, bars)) } else { Err(wrong()) }
}
