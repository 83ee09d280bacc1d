//! Puts a run together: the plan from files to findings.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder, ident, lit};
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};

use super::EngineError;
use super::arrangement::Arrangement;
use super::canonical::canonical;
use super::expressions::parse;
use super::left_out;
use super::nested;
use super::node::SeriesNode;
use super::program::Program;
use super::shape;
use super::table::{BarsTable, Locators, TableFile};
use super::twice::{Longer, Pass, Twice};
use crate::bars::column::reserved;
use crate::bars::{BarColumn, BarsSpec, FieldSpec, TIME};
use crate::config::RuleSet;

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

/// The fields a run reads: those the rules use, the series key, and what identifies a bar.
pub fn fields_to_read(bars: &BarsSpec, used: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let always = ["open", "high", "low", "close", "volume"].into_iter().filter_map(|name| bars.field(name));
    key_and(bars, always.map(|(index, _)| index).chain(used))
}

/// The fields `used`, and those of the series key.
pub fn key_and(bars: &BarsSpec, used: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let key = bars.series.iter().filter_map(|name| bars.field(name)).map(|(index, _)| index);
    let read: BTreeSet<usize> = key.chain(used).collect();
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
    shaped(program, input, None)?.project(std::iter::once(ident(TIME)).chain(fields))?.build()
}

/// The bars of `input` as [`canonical_view`] has them, by series and in each by time; those without a timestamp last.
pub fn bars_in_order(program: &Program, input: &Input) -> Result<LogicalPlan> {
    let keys = program.bars.series.iter().map(|name| ident(&**name)).chain([ident(TIME)]);
    LogicalPlanBuilder::from(canonical_view(program, input)?).sort(keys.map(|key| key.sort(true, false)))?.build()
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

/// Scan, filter, canonical columns, window; rows whose first key field is not one of `of` may be left out.
pub(super) fn shaped(program: &Program, input: &Input, of: Option<&BTreeSet<String>>) -> Result<LogicalPlanBuilder> {
    let columns = shape::Columns { schema: &input.schema, places: &input.places, whole: input.whole.is_none() };
    let plan = scanned_where(input, left_out::needed(program, &input.schema, input.window, of))?
        .project(shape::projection(program, &columns, input.first_row()))?;
    match window(input.window) {
        Some(window) => plan.filter(window),
        None => Ok(plan),
    }
}

/// Scan, filter.
fn scanned(input: &Input) -> Result<LogicalPlanBuilder> {
    scanned_where(input, None)
}

/// Scan, filter; rows of which `needed` is not true may be left out.
fn scanned_where(input: &Input, needed: Option<Expr>) -> Result<LogicalPlanBuilder> {
    let table = BarsTable::new(input.groups.clone(), nested::stored(&input.schema), input.locators, &input.places);
    let table = Arc::new(table.where_possible(needed));
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

/// Runs `program`, which gathers what rules have to know before they run, over all of `input`.
pub async fn run_to_gather(
    context: &SessionContext,
    program: &Arc<Program>,
    input: &Input,
) -> Result<SendableRecordBatchStream, EngineError> {
    run_whole(context, program, input, input.arrangement).await
}

/// Runs `program`, which evaluates the sources of each symbol together, over all of `input`: sorted by symbol, which may
/// spill.
pub async fn run_over_sources(
    context: &SessionContext,
    program: &Arc<Program>,
    input: &Input,
) -> Result<SendableRecordBatchStream, EngineError> {
    run_whole(context, program, input, Arrangement::Sorted).await
}

/// Runs `program` over all of `input`, each series by the fields that are read.
async fn run_whole(
    context: &SessionContext,
    program: &Arc<Program>,
    input: &Input,
    arrangement: Arrangement,
) -> Result<SendableRecordBatchStream, EngineError> {
    let input = Input {
        groups: input.groups.clone(),
        schema: Arc::clone(&input.schema),
        places: input.places.clone(),
        filter: input.filter.clone(),
        whole: None,
        ..*input
    };
    let plan = shaped(program, &input, None);
    execute(context, plan.and_then(|plan| evaluated(context, program, plan, (arrangement, Pass::Whole)))).await
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
    let chosen =
        shaped(program, &again, Some(&twice.symbols)).and_then(|plan| of_symbols(program, plan, &twice.symbols));
    let pass = Pass::Again(Arc::new(twice.series.clone()));
    let plan = chosen.and_then(|plan| evaluated(context, program, plan, (again.arrangement, pass)));
    execute(context, plan).await
}

/// Runs `program` over the series of which more rows have to be read than the window of `input` has, by all fields: from
/// `earliest` on (µs UTC), or from their first row.
pub async fn run_longer(
    context: &SessionContext,
    program: &Arc<Program>,
    input: &Input,
    (longer, earliest): (&Longer, Option<i64>),
) -> Result<SendableRecordBatchStream, EngineError> {
    let all = Input {
        groups: input.groups.clone(),
        schema: Arc::clone(input.whole.as_ref().unwrap_or(&input.schema)),
        places: input.places.clone(),
        filter: input.filter.clone(),
        whole: None,
        window: (earliest, input.window.1),
        ..*input
    };
    let chosen =
        shaped(program, &all, Some(&longer.symbols)).and_then(|plan| of_symbols(program, plan, &longer.symbols));
    let pass = Pass::Longer(Arc::new(longer.series.clone()));
    execute(context, chosen.and_then(|plan| evaluated(context, program, plan, (all.arrangement, pass)))).await
}

/// The rows of `plan` whose first key field is one of `symbols`.
fn of_symbols(program: &Program, plan: LogicalPlanBuilder, symbols: &BTreeSet<String>) -> Result<LogicalPlanBuilder> {
    match program.key_columns().next() {
        Some(key) => {
            plan.filter(ident(&**key).in_list(symbols.iter().map(|symbol| lit(symbol.as_str())).collect(), false))
        }
        None => Ok(plan),
    }
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
    evaluated(context, program, shaped(program, input, None)?, (input.arrangement, pass))
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
        let parsed = parse(context, &program.bars, &schema, &expression.sql)?;
        // What looks at other bars is evaluated where these lie together.
        if !parsed.looks_beside() {
            out.push(parsed.expr.alias(BarColumn::Expression(slot).name()));
        }
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
