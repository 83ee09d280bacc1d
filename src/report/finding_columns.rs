//! The columns of `findings` for findings as they leave the operator: those of the operator, shared, or made from them by
//! kernels, and what a person reads of each.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Date32Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{SortColumn, SortOptions, cast, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use serde_json::Value;

use super::column::names;
use super::error::ReportError;
use super::incoming::column;
use super::tables::Table;
use crate::checks::{self, Facts};
use crate::decide::Action;
use crate::engine::program::Program;
use crate::engine::trading_date::session;
use crate::source::{self, Position};

/// Makes the columns of `findings`.
#[derive(Debug)]
pub(super) struct FindingColumns {
    program: Arc<Program>,
    run: String,
    compared_with: Option<String>,
    words: RuleWords,
    pub(super) files: Vec<String>,
    /// The snapshot that knows in which lines rows stand.
    pub(super) snapshot: Option<PathBuf>,
}

impl FindingColumns {
    /// For findings of `run`, by the rules of `program` in rows of `files`, by index; `compared_with` is the run that tells
    /// which of them are new.
    pub(super) fn new(program: &Arc<Program>, run: &str, compared_with: Option<&str>, files: Vec<String>) -> Self {
        Self {
            words: RuleWords::new(program),
            program: Arc::clone(program),
            run: run.to_owned(),
            compared_with: compared_with.map(str::to_owned),
            files,
            snapshot: None,
        }
    }

    /// The order of the table.
    pub(super) fn order(&self, findings: &RecordBatch) -> Result<UInt32Array, ArrowError> {
        self.words.order(findings)
    }

    /// The rows of the table for sorted findings, whose labels are `labels`.
    pub(super) fn table(&self, findings: &RecordBatch, labels: &StringArray) -> Result<RecordBatch, ReportError> {
        let rules: &Int32Array = column(findings, "rule").as_primitive();
        let rows = findings.num_rows();
        let (message, proposed) = self.sentences(findings);
        let columns: Result<Vec<ArrayRef>, ReportError> = Table::Findings
            .schema()
            .fields()
            .iter()
            .map(|field| {
                Ok(match field.name().as_str() {
                    "run_id" => all(Some(&self.run), rows),
                    "compared_with" => all(self.compared_with.as_deref(), rows),
                    "rule_id" => self.words.ids.over(rules)?,
                    "check" => self.words.checks.over(rules)?,
                    "severity" => self.words.severities.over(rules)?,
                    "why" => cast(&take(&self.words.whys, rules, None)?, &names())?,
                    "action" => {
                        self.words.actions.over(cast(column(findings, "action"), &DataType::Int32)?.as_primitive())?
                    }
                    "locator" => self.locators(findings)?,
                    "label" => cast(labels, &names())?,
                    "message" => Arc::new(message.clone()),
                    "proposed" => Arc::new(proposed.clone()),
                    "session_until" => sessions(&self.program, column(findings, "time_until").as_primitive()),
                    same if *field.data_type() == names() => cast(column(findings, same), &names())?,
                    same => Arc::clone(column(findings, same)),
                })
            })
            .collect();
        Ok(RecordBatch::try_new(Table::Findings.schema(), columns?)?)
    }

    /// What each finding says in a sentence, and the values that would be right in its place, as JSON.
    fn sentences(&self, findings: &RecordBatch) -> (StringArray, StringArray) {
        let said = Said::of(findings);
        let (mut messages, mut proposed) = (StringBuilder::new(), StringBuilder::new());
        for row in 0..findings.num_rows() {
            let rule = usize::try_from(said.rule.value(row)).unwrap_or(usize::MAX);
            let evidence: Value =
                text(said.evidence, row).and_then(|evidence| serde_json::from_str(evidence).ok()).unwrap_or_default();
            let facts = said.facts(row, (self.program.check_name(rule), &self.program), &evidence);
            messages.append_value(checks::message(&facts));
            proposed.append_option(evidence.get("proposed").filter(|value| !value.is_null()).map(Value::to_string));
        }
        (messages.finish(), proposed.finish())
    }

    /// Where the row of each finding stands, e.g. `bars.csv:17`: the line of a text file, so that an editor opens there, the
    /// line and the byte in a JSON document, the row of Parquet, or the `_id` of a document; NULL for a gap between rows.
    fn locators(&self, findings: &RecordBatch) -> Result<ArrayRef, ReportError> {
        let files = column(findings, "file").as_primitive::<Int32Type>();
        let rows = column(findings, "row").as_primitive::<Int64Type>();
        let ids: &BinaryArray = column(findings, "id").as_binary();
        let mut locators = StringBuilder::with_capacity(findings.num_rows(), findings.num_rows() * 32);
        let mut positions = self.positions(files, rows)?.into_iter();
        for ((file, row), id) in files.iter().zip(rows).zip(ids) {
            let position = positions.next().flatten();
            if let Some(id) = id {
                locators.append_value(source::id_text(id));
                continue;
            }
            let Some((file, row)) = file.zip(row) else {
                locators.append_null();
                continue;
            };
            let name = usize::try_from(file).ok().and_then(|file| self.files.get(file));
            let name = name.ok_or_else(|| ReportError::Records(format!("there is no file number {file}")))?;
            let written = match position {
                Some(position) => write!(locators, "{name}:{position}"),
                None => write!(locators, "{name}:{row}"),
            };
            written.map_err(|source| ArrowError::from_external_error(Box::new(source)))?;
            locators.append_value("");
        }
        Ok(Arc::new(locators.finish()))
    }

    /// Where the rows stand in text files; nothing for other sources.
    fn positions(&self, files: &Int32Array, rows: &Int64Array) -> Result<Vec<Option<Position>>, ReportError> {
        let Some(snapshot) = &self.snapshot else { return Ok(Vec::new()) };
        // A gap between rows has no place.
        let place = |(file, row): (Option<i32>, Option<i64>)| file.zip(row).unwrap_or((i32::MAX, i64::MAX));
        let places: Vec<(i32, i64)> = files.iter().zip(rows).map(place).collect();
        Ok(source::positions(snapshot, &places)?)
    }
}

/// Trading dates of timestamps.
pub(super) fn sessions(program: &Program, times: &TimestampMicrosecondArray) -> ArrayRef {
    Arc::new(times.iter().map(|time| session(program, time?)).collect::<Date32Array>())
}

/// One text in all rows.
fn all(text: Option<&str>, rows: usize) -> ArrayRef {
    Arc::new(std::iter::repeat_n(text, rows).collect::<StringArray>())
}

/// What sentences are made of.
struct Said<'a> {
    rule: &'a Int32Array,
    texts: [&'a StringArray; 4],
    numbers: [&'a Float64Array; 4],
    times: [&'a TimestampMicrosecondArray; 2],
    bars: &'a Int64Array,
    evidence: &'a StringArray,
}

impl<'a> Said<'a> {
    fn of(findings: &'a RecordBatch) -> Self {
        Self {
            rule: column(findings, "rule").as_primitive(),
            texts: ["field", "observed_text", "expected_text", "cause"].map(|name| column(findings, name).as_string()),
            numbers: ["observed", "expected_lo", "expected_hi", "score"]
                .map(|name| column(findings, name).as_primitive::<Float64Type>()),
            times: ["time", "time_until"].map(|name| column(findings, name).as_primitive::<TimestampMicrosecondType>()),
            bars: column(findings, "bars_affected").as_primitive(),
            evidence: column(findings, "evidence").as_string(),
        }
    }

    fn facts<'b>(&'b self, row: usize, (check, program): (&'b str, &Program), evidence: &'b Value) -> Facts<'b> {
        let number = |place: usize| self.numbers[place].is_valid(row).then(|| self.numbers[place].value(row));
        let time = |place: usize| self.times[place].is_valid(row).then(|| self.times[place].value(row));
        Facts {
            check,
            interval: program.bars.interval,
            field: text(self.texts[0], row),
            observed: number(0),
            observed_text: text(self.texts[1], row),
            expected_lo: number(1),
            expected_hi: number(2),
            expected_text: text(self.texts[2], row),
            score: number(3),
            bars: if self.bars.is_valid(row) { self.bars.value(row).unsigned_abs() } else { 0 },
            cause: text(self.texts[3], row),
            evidence,
            time: time(0),
            time_until: time(1),
        }
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// The words that stand in the tables for numbers.
#[derive(Debug)]
struct RuleWords {
    /// By index of the rule.
    ids: Words,
    /// By index of the rule.
    checks: Words,
    /// By index of the rule.
    severities: Words,
    /// By index of the rule; NULL where it does not say.
    whys: StringArray,
    /// By strength.
    actions: Words,
    /// Place of each rule among all in the order of their ids.
    ranks: Vec<i32>,
}

impl RuleWords {
    fn new(program: &Program) -> Self {
        let indices = 0..=program.parse_error();
        let words = |word: &dyn Fn(usize) -> &'static str| Words::new(indices.clone().map(word));
        let ids: Vec<&str> = indices.clone().map(|index| program.rule_id(index)).collect();
        let rank = |id: &&str| ids.iter().filter(|other| *other < id).count();
        Self {
            checks: words(&|index| program.check_name(index)),
            severities: words(&|index| program.levels(index).0.as_str()),
            actions: Words::new(Action::WORDS.iter().copied()),
            whys: indices.clone().map(|index| program.rules.rules.get(index)?.why.as_deref()).collect(),
            ranks: ids.iter().map(rank).map(|rank| i32::try_from(rank).unwrap_or(i32::MAX)).collect(),
            ids: Words::new(ids.iter().copied()),
        }
    }

    /// The order by (series, time, rule); equal findings by their ids, so that it depends on nothing else.
    fn order(&self, findings: &RecordBatch) -> Result<UInt32Array, ArrowError> {
        let rank =
            |rule: i32| usize::try_from(rule).ok().and_then(|rule| self.ranks.get(rule)).copied().unwrap_or(i32::MAX);
        let ranks: Int32Array = column(findings, "rule").as_primitive::<Int32Type>().unary(rank);
        let nulls_last = Some(SortOptions { descending: false, nulls_first: false });
        let by = |values: ArrayRef| SortColumn { values, options: nulls_last };
        let same = |name: &str| Arc::clone(column(findings, name));
        lexsort_to_indices(&[by(same("series")), by(same("time")), by(Arc::new(ranks)), by(same("finding_id"))], None)
    }
}

/// Words by number.
#[derive(Debug)]
struct Words(ArrayRef);

impl Words {
    fn new<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        Self(Arc::new(StringArray::from_iter_values(words)))
    }

    /// The word of each of `numbers`.
    fn over(&self, numbers: &Int32Array) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(numbers.clone(), Arc::clone(&self.0))?))
    }
}
