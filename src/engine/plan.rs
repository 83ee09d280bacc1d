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
use super::twice::{Pass, Twice};
use crate::bars::column::reserved;
use crate::bars::{BarColumn, BarsSpec, FieldKind, FieldSpec, TIME};
use crate::checks::Expression;
use crate::config::RuleSet;
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
    /// The columns of all fields that tell copies of a bar apart, where `schema` has not all of them.
    pub whole: Option<SchemaRef>,
    /// How series lie in them.
    pub arrangement: Arrangement,
    /// Only rows whose column equals one of the texts are read, and those that could not be parsed at all.
    pub filter: Vec<(String, Vec<String>)>,
    /// Only rows with a timestamp in the half-open interval (µs UTC), or without a timestamp, are read.
    pub window: (Option<i64>, Option<i64>),
}

impl Input {
    /// What is added to the numbers of rows to count from 1.
    fn first_row(&self) -> i64 {
        i64::from(self.locators == Locators::Counted)
    }
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

/// The fields by which rows are compared, where one of `rules` does that: all of them but `_id`, which tells documents
/// apart, and those that cannot be read.
pub fn fields_to_compare(bars: &BarsSpec, rules: &RuleSet) -> Vec<usize> {
    if !rules.rules.iter().any(|rule| rule.check.compares_rows()) {
        return Vec::new();
    }
    let of_row = |field: &FieldSpec| {
        let readable = [&field.name, &field.source].into_iter().all(|name| reserved(name).is_none());
        readable && field.constant.is_none() && *field.source != *"_id"
    };
    (0..bars.fields.len()).filter(|index| of_row(&bars.fields[*index])).collect()
}

/// The names of the source columns that the rules of `program` look at.
pub fn columns_to_read(program: &Program) -> Vec<Arc<str>> {
    of_source(program, &program.read).chain(program.bars.time.sources.iter().map(Arc::clone)).collect()
}

/// The names of the source columns by which `program` tells copies of a bar apart, each with whether it is to hold
/// numbers.
pub fn columns_to_compare(program: &Program) -> Vec<(Arc<str>, bool)> {
    let numeric = |index: &usize| program.is_number(*index);
    let names =
        program.compared.iter().map(|index| (of_source(program, std::slice::from_ref(index)).next(), numeric(index)));
    names.filter_map(|(name, numeric)| Some((name?, numeric))).collect()
}

fn of_source<'p>(program: &'p Program, fields: &'p [usize]) -> impl Iterator<Item = Arc<str>> + 'p {
    let fields = fields.iter().map(|index| &program.bars.fields[*index]);
    fields.filter(|field| field.constant.is_none()).map(|field| Arc::clone(&field.source))
}

/// Runs `program` over `input`.
pub async fn run(
    context: &SessionContext,
    program: &Arc<Program>,
    input: &Input,
) -> Result<SendableRecordBatchStream, EngineError> {
    execute(context, logical(context, program, input)).await
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
    let input = of_first_file(input);
    LogicalPlanBuilder::from(canonical_view(program, &input)?).limit(0, Some(bars))?.build()
}

/// The first `rows` of the first file of `input` as the source has them, as texts under canonical names: the timestamp,
/// where it is one column, and the fields called `fields` that are read.
pub fn first_texts(program: &Program, input: &Input, fields: &[&str], rows: usize) -> Result<LogicalPlan> {
    let input = of_first_file(input);
    let mut columns: Vec<Expr> = Vec::new();
    if let [only] = program.bars.time.sources.as_slice() {
        columns.push(shape::as_text(&input.schema, only).alias(TIME));
    }
    let read = program.read.iter().map(|index| &program.bars.fields[*index]);
    for field in read.filter(|field| field.constant.is_none() && fields.contains(&&*field.name)) {
        columns.push(shape::as_text(&input.schema, &field.source).alias(&*field.name));
    }
    scanned(&input)?.project(columns)?.limit(0, Some(rows))?.build()
}

fn of_first_file(input: &Input) -> Input {
    let first = input.groups.iter().flatten().min_by_key(|file| file.index).cloned();
    Input {
        groups: vec![first.into_iter().collect()],
        schema: Arc::clone(&input.schema),
        places: input.places.clone(),
        filter: input.filter.clone(),
        whole: None,
        ..*input
    }
}

/// The rows of `input` in the order of its files: where each is, the source columns `columns` under their own names, and
/// whether it is a record at all. Text is the text that it was, and so is a number of which 64 bits may not hold every
/// digit; what a file has typed keeps its type.
pub fn source_rows(input: &Input, columns: &[Arc<str>]) -> Result<LogicalPlan> {
    let mut files: Vec<TableFile> = input.groups.iter().flatten().cloned().collect();
    files.sort_by_key(|file| file.index);
    let (groups, schema) = (vec![files], Arc::clone(&input.schema));
    let (places, filter) = (input.places.clone(), input.filter.clone());
    let in_order = Input { groups, schema, whole: None, places, filter, ..*input };
    let broken = shape::has(&input.schema, BarColumn::Broken).then(|| shape::column(BarColumn::Broken));
    let row = shape::column(BarColumn::Row) + lit(in_order.first_row());
    let place = [shape::column(BarColumn::File), row.alias(BarColumn::Row.name())];
    let written = columns.iter().map(|name| shape::as_written(&input.schema, name).alias(&**name));
    scanned(&in_order)?.project(place.into_iter().chain(written).chain(broken))?.build()
}

/// Scan, filter, canonical columns, window.
fn shaped(program: &Program, input: &Input) -> Result<LogicalPlanBuilder> {
    let columns = shape::Columns { schema: &input.schema, places: &input.places, whole: input.whole.is_none() };
    let plan = scanned(input)?.project(shape::projection(program, &columns, input.first_row()))?;
    match window(input.window) {
        Some(window) => plan.filter(window),
        None => Ok(plan),
    }
}

/// Scan, filter.
fn scanned(input: &Input) -> Result<LogicalPlanBuilder> {
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
    Ok(plan)
}

/// Runs `program` over the series that were put off, by all fields of `input`.
pub async fn run_again(
    context: &SessionContext,
    program: &Arc<Program>,
    input: &Input,
    twice: &Twice,
) -> Result<SendableRecordBatchStream, EngineError> {
    let has_any = |file: &TableFile| twice.files.contains(&file.index);
    let groups =
        input.groups.iter().map(|group| group.iter().filter(|file| has_any(file)).cloned().collect::<Vec<_>>());
    let again = Input {
        groups: groups.filter(|group| !group.is_empty()).collect(),
        schema: Arc::clone(input.whole.as_ref().unwrap_or(&input.schema)),
        places: input.places.clone(),
        filter: input.filter.clone(),
        whole: None,
        ..*input
    };
    let chosen = shaped(program, &again).and_then(|plan| match program.key_columns().next() {
        Some(key) => {
            plan.filter(ident(&**key).in_list(twice.symbols.iter().map(|symbol| lit(symbol.as_str())).collect(), false))
        }
        None => Ok(plan),
    });
    let pass = Pass::Again(Arc::new(twice.series.clone()));
    let plan = chosen.and_then(|plan| evaluated(context, program, plan, (again.arrangement, pass)));
    execute(context, plan).await
}

async fn execute(
    context: &SessionContext,
    plan: Result<LogicalPlan>,
) -> Result<SendableRecordBatchStream, EngineError> {
    let frame = context.execute_logical_plan(plan.map_err(planning)?).await.map_err(planning)?;
    frame.execute_stream().await.map_err(planning)
}

/// The logical plan of a run; see the module of the engine for its shape.
pub fn logical(context: &SessionContext, program: &Arc<Program>, input: &Input) -> Result<LogicalPlan> {
    let pass = if input.whole.is_none() { Pass::Whole } else { Pass::First };
    evaluated(context, program, shaped(program, input)?, (input.arrangement, pass))
}

/// The operator over `plan`.
fn evaluated(
    context: &SessionContext,
    program: &Arc<Program>,
    mut plan: LogicalPlanBuilder,
    (arrangement, pass): (Arrangement, Pass),
) -> Result<LogicalPlan> {
    if !program.rules.expressions.is_empty() {
        plan = with_expressions(context, program, plan)?;
    }
    let node = SeriesNode::try_new(plan.build()?, Arc::clone(program), arrangement, pass)?;
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
