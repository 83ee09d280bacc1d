//! Puts a run together: expressions of the rules, the program, and the plan from files to findings.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};

use super::EngineError;
use super::arrangement::Arrangement;
use super::nested;
use super::node::SeriesNode;
use super::program::Program;
use super::shape;
use super::table::{BarsTable, Locators, TableFile};
use crate::bars::{BarColumn, BarsSpec, FieldKind, TIME};
use crate::checks::Expression;
use crate::schema::Diagnostic;
use crate::schema::diagnostic::suggestion;

/// The bars of a run, as Parquet files.
#[derive(Debug)]
pub struct Input {
    /// The files, grouped into partitions.
    pub groups: Vec<Vec<TableFile>>,
    /// Their columns.
    pub schema: SchemaRef,
    /// Fields that the places of the files give; a snapshot has them as columns.
    pub places: Vec<Arc<str>>,
    /// Where row numbers come from.
    pub locators: Locators,
    /// How series lie in them.
    pub arrangement: Arrangement,
    /// Only rows whose column equals one of the texts are read, and those that could not be parsed at all.
    pub filter: Vec<(String, Vec<String>)>,
    /// Only rows with a timestamp in the half-open interval (µs UTC), or without a timestamp, are read.
    pub window: (Option<i64>, Option<i64>),
}

/// Checks the expressions of rules against the bars.
///
/// Returns the fields they use, by index.
///
/// # Errors
/// Every expression that does not parse, names a field the bars lack, is not boolean, or is not a pure expression.
pub fn check_expressions(
    context: &SessionContext,
    bars: &BarsSpec,
    expressions: &[Expression],
) -> Result<BTreeSet<usize>, Vec<Diagnostic>> {
    let schema = canonical(bars);
    let mut used = BTreeSet::new();
    let mut mistakes = Vec::new();
    for expression in expressions {
        match parse(context, &schema, &expression.sql).and_then(|expr| boolean(context, &schema, expr)) {
            Ok(expr) => {
                let columns = expr.column_refs();
                let mut indices: Vec<_> = columns.iter().filter_map(|c| bars.field(&c.name)).map(|(i, _)| i).collect();
                indices.sort_unstable();
                used.extend(indices);
            }
            Err(error) => mistakes.push(mistake(bars, expression, &error)),
        }
    }
    if mistakes.is_empty() { Ok(used) } else { Err(mistakes) }
}

/// The rules with an expression over a field that the bars are said not to have.
pub fn rules_without_fields(
    context: &SessionContext,
    bars: &BarsSpec,
    expressions: &[Expression],
) -> BTreeSet<Arc<str>> {
    let schema = canonical(bars);
    let lacks = |expression: &&Expression| {
        let unknown = parse(context, &schema, &expression.sql).err().as_ref().and_then(unknown_column);
        unknown.is_some_and(|field| bars.without.iter().any(|without| **without == *field))
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
            diagnostic.label(format!("unknown field `{name}`")).help(suggestion(&name, "fields", bars.names()))
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

/// The columns an expression can name.
fn canonical(bars: &BarsSpec) -> DFSchema {
    let mut fields = vec![Field::new(TIME, shape::time_type(), true)];
    fields.extend(bars.fields.iter().map(|field| {
        let data_type = match field.kind {
            FieldKind::Number => DataType::Float64,
            FieldKind::Text => DataType::Utf8View,
        };
        Field::new(&*field.name, data_type, true)
    }));
    DFSchema::from_unqualified_fields(fields.into(), HashMap::new()).unwrap_or_else(|_| DFSchema::empty())
}

fn parse(context: &SessionContext, schema: &DFSchema, sql: &str) -> Result<Expr> {
    let expr = context.parse_sql_expr(sql, schema)?;
    let mut refused = None;
    expr.apply(|part| {
        refused = match part {
            Expr::AggregateFunction(_) => Some("an aggregate"),
            Expr::WindowFunction(_) => Some("a window function"),
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
            Err(DataFusionError::Plan(format!("{what} cannot stand here: a rule evaluates one row by itself")))
        }
        None => Ok(expr),
    }
}

/// Plans the expression over an empty table, so that types are coerced as they will be.
fn boolean(context: &SessionContext, schema: &DFSchema, expr: Expr) -> Result<Expr> {
    let empty = LogicalPlan::EmptyRelation(datafusion::logical_expr::EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(schema.clone()),
    });
    let plan = LogicalPlanBuilder::from(empty).project(vec![expr.clone().alias("x")])?.build()?;
    let plan =
        context.state().analyzer().execute_and_check(plan, &context.state().config_options().clone(), |_, _| {})?;
    match plan.schema().field(0).data_type() {
        DataType::Boolean => Ok(expr),
        other => Err(DataFusionError::Plan(format!("this is of type {other}, and must be true or false"))),
    }
}

/// The fields a run reads: those the rules use, the series key, and what identifies a bar.
pub fn fields_to_read(bars: &BarsSpec, used: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let always = ["open", "high", "low", "close", "volume"].into_iter().chain(bars.series.iter().map(|s| &**s));
    let mut read: BTreeSet<usize> = always.filter_map(|name| bars.field(name)).map(|(index, _)| index).collect();
    read.extend(used);
    read.into_iter().collect()
}

/// The names of the source columns that `program` reads.
pub fn columns_to_read(program: &Program) -> Vec<Arc<str>> {
    let fields = program.read.iter().map(|index| &program.bars.fields[*index]);
    let of_source = fields.filter(|field| field.constant.is_none()).map(|field| Arc::clone(&field.source));
    of_source.chain(program.bars.time.sources.iter().map(Arc::clone)).collect()
}

/// Runs `program` over `input`.
pub async fn run(
    context: &SessionContext,
    program: &Arc<Program>,
    input: &Input,
) -> Result<SendableRecordBatchStream, EngineError> {
    let plan = logical(context, program, input).map_err(planning)?;
    let frame = context.execute_logical_plan(plan).await.map_err(planning)?;
    frame.execute_stream().await.map_err(planning)
}

fn planning(source: DataFusionError) -> EngineError {
    EngineError::Query { doing: "cannot plan the run", source }
}

/// The bars of `input` as a plan with canonical columns only: `time` and the fields that `program` reads.
pub fn canonical_view(program: &Program, input: &Input) -> Result<LogicalPlan> {
    let fields = program.read.iter().map(|index| ident(&*program.bars.fields[*index].name));
    shaped(program, input)?.project(std::iter::once(ident(TIME)).chain(fields))?.build()
}

/// The first `bars` of the first file of `input`, as [`canonical_view`] has them; no other file is read.
pub fn first_bars(program: &Program, input: &Input, bars: usize) -> Result<LogicalPlan> {
    let first = input.groups.iter().flatten().min_by_key(|file| file.index).cloned();
    let input = Input {
        groups: vec![first.into_iter().collect()],
        schema: Arc::clone(&input.schema),
        places: input.places.clone(),
        locators: input.locators,
        arrangement: input.arrangement,
        filter: input.filter.clone(),
        window: input.window,
    };
    LogicalPlanBuilder::from(canonical_view(program, &input)?).limit(0, Some(bars))?.build()
}

/// Scan, filter, canonical columns, window.
fn shaped(program: &Program, input: &Input) -> Result<LogicalPlanBuilder> {
    let first_row = i64::from(input.locators == Locators::Counted);
    let table =
        Arc::new(BarsTable::new(input.groups.clone(), nested::stored(&input.schema), input.locators, &input.places));
    let mut plan = LogicalPlanBuilder::scan("source", provider_as_source(table), None)?;
    if let Some(flat) = nested::flat(&input.schema, plan.schema()) {
        plan = plan.project(flat)?;
    }
    let may_be_broken = shape::has(&input.schema, BarColumn::Broken);
    for (column, texts) in &input.filter {
        let wanted = texts.iter().map(|text| lit(text.as_str())).collect();
        let chosen = shape::as_text(&input.schema, column).in_list(wanted, false);
        // A row that could not be parsed has no value to choose it by, and is not left out in silence.
        let broken = || shape::column(BarColumn::Broken).is_not_null();
        plan = plan.filter(if may_be_broken { chosen.or(broken()) } else { chosen })?;
    }
    plan = plan.project(shape::projection(program, &input.schema, first_row))?;
    match window(input.window) {
        Some(window) => plan.filter(window),
        None => Ok(plan),
    }
}

/// The logical plan of a run; see the module of the engine for its shape.
pub fn logical(context: &SessionContext, program: &Arc<Program>, input: &Input) -> Result<LogicalPlan> {
    let mut plan = shaped(program, input)?;
    if !program.rules.expressions.is_empty() {
        plan = with_expressions(context, program, plan)?;
    }
    let node = SeriesNode::try_new(plan.build()?, Arc::clone(program), input.arrangement)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

fn with_expressions(
    context: &SessionContext,
    program: &Program,
    plan: LogicalPlanBuilder,
) -> Result<LogicalPlanBuilder> {
    let schema = canonical(&program.bars);
    let columns = plan.schema().columns();
    let mut out: Vec<Expr> = columns.into_iter().map(|column: Column| Expr::Column(column)).collect();
    for (slot, expression) in program.rules.expressions.iter().enumerate() {
        out.push(parse(context, &schema, &expression.sql)?.alias(BarColumn::Expression(slot).name()));
    }
    plan.project(out)
}

fn window((since, until): (Option<i64>, Option<i64>)) -> Option<Expr> {
    let timestamp =
        |micros: i64| lit(datafusion::common::ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
    let time = || ident(TIME);
    let bounds = [since.map(|since| time().gt_eq(timestamp(since))), until.map(|until| time().lt(timestamp(until)))];
    let inside = bounds.into_iter().flatten().reduce(Expr::and)?;
    Some(time().is_null().or(inside))
}

/// Distributes chains of files, each of which stays together and in order, over at most `partitions` groups of about
/// equal size.
pub fn balanced(mut chains: Vec<Vec<TableFile>>, partitions: usize) -> Vec<Vec<TableFile>> {
    let bytes = |chain: &[TableFile]| chain.iter().map(|file| file.bytes).sum::<u64>();
    let partitions = partitions.clamp(1, chains.len().max(1));
    let mut groups: Vec<Vec<Vec<TableFile>>> = vec![Vec::new(); partitions];
    chains.sort_by_key(|chain| std::cmp::Reverse(bytes(chain)));
    for chain in chains {
        if let Some(least) = groups.iter_mut().min_by_key(|group| group.iter().map(|c| bytes(c)).sum::<u64>()) {
            least.push(chain);
        }
    }
    let in_order = |mut group: Vec<Vec<TableFile>>| {
        group.sort_by_key(|chain| chain.first().map(|file| file.index));
        group.into_iter().flatten().collect::<Vec<_>>()
    };
    groups.into_iter().map(in_order).filter(|group| !group.is_empty()).collect()
}

/// The part of `schema` that a run reads: `columns`, their companions, and what a snapshot adds.
pub fn narrowed(schema: &Schema, columns: &[Arc<str>]) -> SchemaRef {
    let wanted = |name: &str| {
        let of_field = BarColumn::of(name).field();
        of_field.is_none_or(|field| columns.iter().any(|column| **column == *field || **column == *name))
    };
    // Views are what the operator works on; the reader makes them without copying.
    let viewed = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().filter(|f| wanted(f.name())).map(viewed).collect::<Vec<_>>()))
}

/// SHA-256 over texts, as 64 hexadecimal digits.
pub fn sha256_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of a snapshot or of the source, as a table file.
pub fn table_file(path: PathBuf, index: usize, bytes: u64) -> TableFile {
    TableFile { path, index: i32::try_from(index).unwrap_or(i32::MAX), bytes, places: Vec::new() }
}
