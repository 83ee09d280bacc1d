//! The test cases that rules carry, run through the same engine as a job.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int8Type, Int64Type};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;

use crate::bars::spec::FieldSpec;
use crate::bars::{BarsSpec, DAY_US, FieldKind, TIME};
use crate::config::{Literal, RuleSet, RuleTest};
use crate::decide::{Action, Severity};
use crate::engine::Arrangement;
use crate::engine::expressions;
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::records::Record;
use crate::engine::session::{Limits, session};
use crate::engine::table::Locators;
use crate::market::Grid;
use crate::run::Failure;

/// 2024-01-02, a Tuesday on which every market is open: the timestamp of a first row that has none.
const FIRST_TIMESTAMP: i64 = 19_724 * DAY_US;

/// A test case of a rule that was run.
#[derive(Debug)]
pub struct RuleCase {
    /// The rule.
    pub rule: Arc<str>,
    /// The case.
    pub name: String,
    /// Rows that must be flagged, ascending.
    pub expected: Vec<usize>,
    /// Rows that were flagged, ascending.
    pub flagged: Vec<usize>,
}

impl RuleCase {
    /// Whether the rule flags what it must.
    pub fn passed(&self) -> bool {
        self.expected == self.flagged
    }
}

/// Runs every case of `rules` over bars like `bars`; `folder` is for temporary files.
pub(super) async fn run(
    limits: &Limits,
    folder: &Path,
    mut rules: RuleSet,
    mut bars: BarsSpec,
) -> Result<Vec<RuleCase>, Failure> {
    // Rows are literals under canonical names, their timestamps already on the scale of the bars.
    for field in &mut bars.fields {
        *field = FieldSpec::plain(&field.name, field.kind);
    }
    bars.time.sources = vec![Arc::from(TIME)];
    bars.time.zone = chrono_tz::UTC;
    let context = session(limits)?;
    let used = expressions::check(&context, &bars, &rules.expressions).map_err(Failure::Mistakes)?;
    let compared = plan::fields_to_compare(&bars, &rules);
    let read = plan::fields_to_read(&bars, rules.used.iter().copied().chain(used).chain(compared));
    let mut cases = Vec::new();
    for rule in std::mem::take(&mut rules.rules) {
        let tests = rule.tests.clone();
        let id = Arc::clone(&rule.id);
        let alone = RuleSet { rules: vec![rule], expressions: rules.expressions.clone(), ..RuleSet::default() };
        let program = Arc::new(Program {
            job: "test".to_owned(),
            bars: bars.clone(),
            rules: alone,
            parse_error_severity: Severity::Error,
            parse_error_action: Action::Report,
            movable_before: None,
            read: read.clone(),
            compared: Vec::new(),
            by: None,
            facts: Arc::default(),
            gathers: crate::engine::program::Gathers::Nothing,
            peers: std::collections::BTreeMap::new(),
            others: std::collections::BTreeMap::new(),
            scope: None,
            skipped: std::collections::BTreeSet::new(),
            open_days: std::collections::BTreeMap::new(),
            sha256: id.to_string(),
        });
        for test in tests {
            let flagged = flagged(&context, &program, &test, folder).await?;
            cases.push(RuleCase { rule: Arc::clone(&id), name: test.name, expected: test.flag, flagged });
        }
    }
    Ok(cases)
}

async fn flagged(
    context: &datafusion::prelude::SessionContext,
    program: &Arc<Program>,
    test: &RuleTest,
    folder: &Path,
) -> Result<Vec<usize>, Failure> {
    let batch = rows_of(program, test)?;
    let file = tempfile::Builder::new().suffix(".parquet").tempfile_in(folder)?;
    let mut writer = ArrowWriter::try_new(file.reopen()?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    let bytes = file.as_file().metadata()?.len();
    let input = Input {
        groups: vec![vec![plan::table_file(file.path().to_path_buf(), 0, bytes)]],
        schema: plan::narrowed(&batch.schema(), &plan::columns_to_read(program)),
        places: Vec::new(),
        locators: Locators::Counted,
        whole: None,
        arrangement: Arrangement::InPlace,
        filter: Vec::new(),
        window: (None, None),
    };
    let batches: Vec<RecordBatch> = plan::run(context, program, &input).await?.try_collect().await?;
    let mut flagged = BTreeSet::new();
    for batch in &batches {
        let record = batch.column(batch.schema().index_of("record")?).as_primitive::<Int8Type>();
        let rows = batch.column(batch.schema().index_of("row")?).as_primitive::<Int64Type>();
        let bars = batch.column(batch.schema().index_of("bars_affected")?).as_primitive::<Int64Type>();
        let rules = batch.column(batch.schema().index_of("rule")?).as_primitive::<arrow::datatypes::Int32Type>();
        let findings = (0..batch.num_rows()).filter(|row| record.value(*row) == Record::Finding as i8);
        for row in findings.filter(|row| rules.value(*row) == 0 && !rows.is_null(*row)) {
            let first = usize::try_from(rows.value(row) - 1).unwrap_or_default();
            flagged.extend(first..first + usize::try_from(bars.value(row)).unwrap_or(1));
        }
    }
    Ok(flagged.into_iter().collect())
}

/// The rows of a case as a table. A row without a timestamp follows the one before it on the calendar; one without a
/// series key belongs to the series `TEST`.
fn rows_of(program: &Program, test: &RuleTest) -> Result<RecordBatch, Failure> {
    let bars = &program.bars;
    let value_of =
        |row: &[(String, Literal)], name: &str| row.iter().find(|(field, _)| field == name).map(|(_, v)| v.clone());
    let mut columns: Vec<(String, ArrayRef)> = vec![(TIME.to_owned(), timestamps(bars, test, value_of))];
    for index in &program.read {
        let field = &bars.fields[*index];
        let values: Vec<Option<Literal>> = test.rows.iter().map(|row| value_of(row, &field.name)).collect();
        let is_key = bars.series.contains(&field.name);
        let has_text = values.iter().flatten().any(|value| matches!(value, Literal::Text(_)));
        let column: ArrayRef = if field.kind == FieldKind::Number && !has_text {
            Arc::new(values.iter().map(|value| value.as_ref().and_then(number)).collect::<Float64Array>())
        } else {
            let missing = || is_key.then(|| "TEST".to_owned());
            let texts = values.iter().map(|value| value.as_ref().map(text).or_else(missing));
            Arc::new(texts.collect::<StringArray>())
        };
        columns.push((field.name.to_string(), column));
    }
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
}

fn timestamps(
    bars: &BarsSpec,
    test: &RuleTest,
    value_of: impl Fn(&[(String, Literal)], &str) -> Option<Literal>,
) -> ArrayRef {
    let written: Vec<Option<Literal>> = test.rows.iter().map(|row| value_of(row, TIME)).collect();
    if written.iter().flatten().any(|value| matches!(value, Literal::Text(_) | Literal::Number(_))) {
        return Arc::new(written.iter().map(|value| value.as_ref().map(text)).collect::<StringArray>());
    }
    let mut next = FIRST_TIMESTAMP;
    let timestamps = written.iter().map(|value| {
        let timestamp = match value {
            Some(Literal::Time(micros)) => *micros,
            _ => bars.grid.as_deref().map_or(next, |grid| on_grid(grid, next)),
        };
        let step = bars.interval.micros().unwrap_or(DAY_US);
        next = bars.grid.as_deref().map_or(timestamp + step, |grid| on_grid(grid, timestamp + 1));
        Some(timestamp)
    });
    let timestamps: TimestampMicrosecondArray = timestamps.collect();
    Arc::new(timestamps.with_timezone("UTC"))
}

fn on_grid(grid: &Grid, time: i64) -> i64 {
    grid.first_at_or_after(time).map_or(time, |position| grid.timestamp(position))
}

fn number(value: &Literal) -> Option<f64> {
    match value {
        Literal::Number(number) => Some(*number),
        Literal::Boolean(flag) => Some(f64::from(u8::from(*flag))),
        Literal::Text(_) | Literal::Time(_) => None,
    }
}

fn text(value: &Literal) -> String {
    match value {
        Literal::Text(text) => text.clone(),
        Literal::Number(number) => number.to_string(),
        Literal::Boolean(flag) => flag.to_string(),
        Literal::Time(micros) => chrono::DateTime::from_timestamp_micros(*micros)
            .map(|timestamp| timestamp.format("%Y-%m-%d").to_string())
            .unwrap_or_default(),
    }
}
