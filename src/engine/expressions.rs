//! The boolean expressions of rules: each is about one bar, and names fields that the bars have.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;

use super::canonical::canonical;
use super::neighbours::{self, Parsed};
use crate::bars::BarsSpec;
use crate::checks::Expression;
use crate::schema::Diagnostic;
use crate::schema::diagnostic::suggestion;

/// Checks the expressions of rules against the bars.
///
/// Returns the fields they use, by index.
///
/// # Errors
/// Every expression that does not parse, names a field the bars lack, is not boolean, or is not a pure expression.
pub fn check(
    context: &SessionContext,
    bars: &BarsSpec,
    expressions: &[Expression],
) -> Result<BTreeSet<usize>, Vec<Diagnostic>> {
    let schema = canonical(bars);
    let mut used = BTreeSet::new();
    let mut mistakes = Vec::new();
    for expression in expressions {
        let parsed = parse(context, bars, &schema, &expression.sql);
        match parsed.and_then(|parsed| boolean(context, parsed)) {
            Ok(parsed) => {
                used.extend(parsed.fields().iter().filter_map(|name| bars.field(name)).map(|(index, _)| index));
            }
            Err(error) => mistakes.push(mistake(bars, expression, &error)),
        }
    }
    if mistakes.is_empty() { Ok(used) } else { Err(mistakes) }
}

/// How many bars before and after a bar each expression depends on, by its slot; nothing for one that cannot be parsed.
pub fn reach(context: &SessionContext, bars: &BarsSpec, expressions: &[Expression]) -> Vec<(usize, usize)> {
    let schema = canonical(bars);
    let reach = |expression: &Expression| parse(context, bars, &schema, &expression.sql).map(|parsed| parsed.reach());
    expressions.iter().map(|expression| reach(expression).unwrap_or_default()).collect()
}

/// The rules with an expression over a field that the bars are said not to have, or do not have where they are among
/// `optional`.
pub fn rules_without_fields(
    context: &SessionContext,
    bars: &BarsSpec,
    expressions: &[Expression],
    optional: &BTreeSet<Arc<str>>,
) -> BTreeSet<Arc<str>> {
    let schema = canonical(bars);
    let lacks = |expression: &&Expression| {
        let unknown = parse(context, bars, &schema, &expression.sql).err().as_ref().and_then(unknown_column);
        let may_lack = |field: String| bars.without.iter().any(|without| **without == *field);
        unknown.is_some_and(|field| optional.contains(&expression.rule) || may_lack(field))
    };
    expressions.iter().filter(lacks).map(|expression| Arc::clone(&expression.rule)).collect()
}

fn mistake(bars: &BarsSpec, expression: &Expression, error: &DataFusionError) -> Diagnostic {
    let message = error.strip_backtrace();
    let first = message.lines().next().unwrap_or_default();
    let unknown = unknown_column(error);
    let title = match &unknown {
        Some(_) => format!("rule `{}` uses a field these bars do not have", expression.rule),
        None => format!("rule `{}` has an expression that cannot be used", expression.rule),
    };
    let code = match error.find_root() {
        _ if unknown.is_some() => "unknown-field",
        DataFusionError::SQL(..) => "sql-syntax",
        _ => "bad-expression",
    };
    let diagnostic = Diagnostic::new(code, title, &expression.file, expression.span.clone());
    match unknown {
        Some(name) => {
            let known = suggestion(&name, "fields", bars.names());
            let without =
                format!("where these bars have none, `without = [\"{name}\"]` in `[bars]` leaves the rule out");
            diagnostic.label(format!("unknown field `{name}`")).help(format!("{known}; {without}"))
        }
        None => diagnostic.label(first.to_owned()),
    }
}

fn unknown_column(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            datafusion::common::SchemaError::FieldNotFound { field, .. } => Some(field.name.clone()),
            _ => None,
        },
        DataFusionError::Diagnostic(_, inner) => unknown_column(inner),
        _ => None,
    }
}

/// Parses one expression; see [`neighbours::parse`].
pub(super) fn parse(context: &SessionContext, bars: &BarsSpec, canonical: &DFSchema, sql: &str) -> Result<Parsed> {
    let parsed = neighbours::parse(&context.state(), bars, canonical, sql)?;
    let mut refused = None;
    parsed.expr.apply(|part| {
        refused = match part {
            Expr::AggregateFunction(_) => {
                Some("an aggregate (of the bars before a bar: median, mean, highest, lowest)")
            }
            Expr::WindowFunction(_) => Some("a window function (of the bars beside a bar: prev, next, ret)"),
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) => Some("a subquery"),
            Expr::ScalarFunction(f)
                if f.func.signature().volatility != datafusion::logical_expr::Volatility::Immutable =>
            {
                Some("a function whose result depends on more than its arguments")
            }
            _ => None,
        };
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match refused {
        Some(what) => {
            Err(DataFusionError::Plan(format!("{what} cannot stand here: a rule evaluates one bar by itself")))
        }
        None => Ok(parsed),
    }
}

/// Plans the expression over an empty table, so that types are coerced as they will be.
fn boolean(context: &SessionContext, parsed: Parsed) -> Result<Parsed> {
    let empty = LogicalPlan::EmptyRelation(datafusion::logical_expr::EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(parsed.schema.clone()),
    });
    let plan = LogicalPlanBuilder::from(empty).project(vec![parsed.expr.clone().alias("x")])?.build()?;
    let plan =
        context.state().analyzer().execute_and_check(plan, &context.state().config_options().clone(), |_, _| {})?;
    match plan.schema().field(0).data_type() {
        DataType::Boolean => Ok(parsed),
        other => Err(DataFusionError::Plan(format!("this is of type {other}, and must be true or false"))),
    }
}
