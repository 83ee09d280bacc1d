//! The engine over small Parquet files: arrangements agree, sorts spill, expressions are checked, identities hold.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::type_complexity,
    reason = "small literal data"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int8Type, Int32Type, Int64Type};
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::arrangement::Arrangement;
use super::counts::{Counts, SeriesCounts};
use super::expressions;
use super::plan::{self, Input};
use super::program::Program;
use super::records::Record;
use super::session::{Limits, session};
use super::table::Locators;
use super::twice::Twice;
use crate::bars::Fold;
use crate::bars::time::TimeFormat;
use crate::bars::{BarsSpec, DAY_US, FieldKind, FieldSpec, Label, TimeSpec};
use crate::config::{RuleFile, rules};
use crate::decide::{Action, Severity};
use crate::market::{Calendar, Grid, Interval};
use crate::schema::{Diagnostic, Environment, SourceText};

const RULES: &str = r#"
[[rule]]
id = "ohlc"
check = "ohlc"
action = "quarantine"

[[rule]]
id = "duplicate"
check = "duplicate"

[[rule]]
id = "gap"
check = "gap"

[[rule]]
id = "outlier"
check = "outlier"
window = 7

[[rule]]
id = "cheap"
check = "sql"
where = "symbol <> 'S3'"
assert = "close < 30 or volume is null"
"#;

fn bars() -> BarsSpec {
    let number = |name: &str| FieldSpec::plain(name, FieldKind::Number);
    let mut fields = vec![FieldSpec::plain("symbol", FieldKind::Text)];
    fields.extend(["open", "high", "low", "close", "volume"].map(number));
    let calendar = Calendar::named("weekdays").unwrap();
    let grid = Grid::new(Arc::clone(&calendar), Interval::Day, Label::Session);
    let time = TimeSpec {
        sources: vec!["ts".into()],
        digits: false,
        formats: vec![TimeFormat::compile("%Y-%m-%d").unwrap()],
        zone: chrono_tz::UTC,
        label: Label::Session,
        fold: Fold::Refuse,
    };
    BarsSpec {
        series: vec!["symbol".into()],
        calendar: Some(calendar),
        grid: Some(Arc::new(grid)),
        fields,
        ..BarsSpec::new(Interval::Day, time)
    }
}

pub(super) fn program(text: &str) -> Arc<Program> {
    let bars = bars();
    let file = RuleFile::new(SourceText::new("rules.toml", text), Arc::new(Environment::default()));
    let rules = rules::compile(&[file], &bars).unwrap_or_else(|d| panic!("{}", d[0].render(false)));
    let context = session(&Limits::default()).unwrap();
    let used = expressions::check(&context, &bars, &rules.expressions).unwrap();
    let read = plan::fields_to_read(&bars, rules.used.iter().copied().chain(used));
    let compared = plan::fields_to_compare(&bars, &rules);
    Arc::new(Program {
        job: "test".into(),
        bars,
        rules,
        parse_error_severity: Severity::Error,
        parse_error_action: Action::Report,
        movable_before: None,
        read,
        compared,
        by: None,
        facts: Arc::default(),
        gathers: crate::engine::program::Gathers::Nothing,
        peers: std::collections::BTreeMap::new(),
        others: std::collections::BTreeMap::new(),
        scope: None,
        skipped: std::collections::BTreeSet::new(),
        open_days: std::collections::BTreeMap::new(),
        sha256: "x".into(),
    })
}

/// Bars of `series` series of `days` weekdays each, with faults that depend on the row only.
fn rows(series: usize, days: usize) -> Vec<(String, i64, [Option<f64>; 5])> {
    let mut rows = Vec::new();
    for s in 0..series {
        let mut day = 19_723; // 2024-01-01, a Monday
        for i in 0..days {
            let close = 20.0 + s as f64 + ((i * 7 + s) % 5) as f64 / 10.0;
            let mut bar = [Some(close), Some(close + 0.5), Some(close - 0.5), Some(close), Some(1000.0)];
            match (i + 3 * s) % 41 {
                7 => bar[3] = Some(close * 10.0),
                13 => bar.swap(1, 2),
                17 => bar[4] = None,
                19 => bar[3] = None,
                23 => bar[..4].iter_mut().for_each(|price| *price = price.map(|price| price * 10.0)),
                _ => {}
            }
            if (i + s) % 29 != 23 {
                rows.push((format!("S{s}"), day * DAY_US, bar));
            }
            if (i + s) % 37 == 5 {
                rows.push((format!("S{s}"), day * DAY_US, bar));
            }
            day += if day % 7 == 1 { 3 } else { 1 };
        }
    }
    rows
}

fn write(path: &Path, rows: &[(String, i64, [Option<f64>; 5])]) {
    let number = |n: usize| rows.iter().map(|row| row.2[n]).collect::<Float64Array>();
    let time: TimestampMicrosecondArray = rows.iter().map(|row| Some(row.1)).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("symbol", Arc::new(rows.iter().map(|row| Some(&row.0)).collect::<StringArray>()) as _, true),
        ("ts", Arc::new(time.with_timezone("UTC")) as _, true),
        ("open", Arc::new(number(0)) as _, true),
        ("high", Arc::new(number(1)) as _, true),
        ("low", Arc::new(number(2)) as _, true),
        ("close", Arc::new(number(3)) as _, true),
        ("volume", Arc::new(number(4)) as _, true),
        ("unused", Arc::new((0..rows.len() as i64).collect::<Int64Array>()) as _, true),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn input(dir: &TempDir, program: &Program, parts: &[Vec<(String, i64, [Option<f64>; 5])>], how: Arrangement) -> Input {
    let mut files = Vec::new();
    for (index, rows) in parts.iter().enumerate() {
        let path = dir.path().join(format!("{index}.parquet"));
        write(&path, rows);
        let bytes = std::fs::metadata(&path).unwrap().len();
        files.push(vec![plan::table_file(path, index, bytes)]);
    }
    let file = std::fs::File::open(&files[0][0].path).unwrap();
    let schema = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().schema().clone();
    let groups = if how == Arrangement::HashPartitioned { vec![files.concat()] } else { files };
    Input {
        groups,
        schema: plan::narrowed(&schema, &plan::columns_to_read(program)),
        places: Vec::new(),
        locators: Locators::Counted,
        whole: None,
        arrangement: how,
        filter: Vec::new(),
        window: (None, None),
    }
}

async fn output(limits: &Limits, program: &Arc<Program>, input: &Input) -> Result<Vec<RecordBatch>, String> {
    let context = session(limits).unwrap();
    let stream = plan::run(&context, program, input).await.map_err(|error| error.to_string())?;
    stream.try_collect().await.map_err(|error| error.to_string())
}

/// (rule, finding id) of every finding.
fn findings(program: &Program, batches: &[RecordBatch]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for batch in batches {
        let record = batch.column_by_name("record").unwrap().as_primitive::<Int8Type>();
        let rule = batch.column_by_name("rule").unwrap().as_primitive::<Int32Type>();
        let id = batch.column_by_name("finding_id").unwrap().as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| record.value(*row) == Record::Finding as i8) {
            let rule = program.rule_id(rule.value(row) as usize).to_owned();
            assert!(found.insert((rule, id.value(row).to_owned())), "two findings of one identity");
        }
    }
    found
}

/// Sum of a column of counts.
fn sum(batches: &[RecordBatch], column: &str) -> i64 {
    let of = |batch: &RecordBatch| {
        batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().flatten().sum::<i64>()
    };
    batches.iter().map(of).sum()
}

fn shuffled<T>(mut rows: Vec<T>) -> Vec<T> {
    let mut state = 7_u64;
    for i in (1..rows.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        rows.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_do_not_depend_on_how_rows_lie() {
    let program = program(RULES);
    let all = rows(6, 120);
    let by_series = |from: usize, until: usize| {
        let inside = |row: &&(String, i64, _)| (from..until).contains(&row.0[1..].parse().unwrap());
        all.iter().filter(inside).cloned().collect::<Vec<_>>()
    };
    let halves: Vec<Vec<_>> = shuffled(all.clone()).chunks(all.len() / 2 + 1).map(<[_]>::to_vec).collect();
    let ways = [
        (Arrangement::InPlace, vec![by_series(0, 2), by_series(2, 6)]),
        (Arrangement::HashPartitioned, vec![all.clone()]),
        (Arrangement::Sorted, vec![all.clone()]),
        (Arrangement::Sorted, halves),
    ];
    let mut seen = Vec::new();
    for (how, parts) in ways {
        let dir = TempDir::new().unwrap();
        let batches = output(&Limits::default(), &program, &input(&dir, &program, &parts, how)).await.unwrap();
        assert_eq!(sum(&batches, "series_read"), all.len() as i64, "{how:?}: every row is read");
        let placed: i64 = SeriesCounts::COLUMNS[1..6].iter().map(|column| sum(&batches, column)).sum();
        assert_eq!(placed, all.len() as i64, "{how:?}: every row is counted once");
        seen.push(findings(&program, &batches));
    }
    for rule in ["ohlc", "duplicate", "gap", "outlier", "cheap"] {
        assert!(seen[0].iter().any(|(found, _)| found == rule), "`{rule}` finds something in this data");
    }
    assert!(seen.iter().all(|other| *other == seen[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sort_larger_than_the_memory_limit_spills_and_agrees() {
    let program = program(RULES);
    let all = shuffled(rows(30, 1500));
    let dir = TempDir::new().unwrap();
    let input = input(&dir, &program, &[all], Arrangement::Sorted);
    let roomy = output(&Limits { threads: 2, ..Limits::default() }, &program, &input).await.unwrap();
    let temp = TempDir::new().unwrap();
    let tight = Limits { threads: 2, memory: Some(4 << 20), temp: Some(temp.path().to_path_buf()) };
    let context = session(&tight).unwrap();
    let logical = plan::logical(&context, &program, &input).unwrap();
    let physical = context.state().create_physical_plan(&logical).await.unwrap();
    let spilled = collect(Arc::clone(&physical), context.task_ctx()).await.unwrap();
    assert_eq!(findings(&program, &roomy), findings(&program, &spilled));
    assert!(spills(&physical) > 0, "the limit is too small for the data");
    drop((physical, context));
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "nothing is left behind");
}

fn spills(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.spill_count()).unwrap_or(0);
    own + plan.children().into_iter().map(spills).sum::<usize>()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_rows_that_lie_anywhere_are_sorted() {
    let program = program(RULES);
    let context = session(&Limits { threads: 2, ..Limits::default() }).unwrap();
    for (how, sorts, hash_partitions) in [
        (Arrangement::InPlace, false, false),
        (Arrangement::HashPartitioned, false, true),
        (Arrangement::Sorted, true, true),
    ] {
        let dir = TempDir::new().unwrap();
        let input = input(&dir, &program, &[rows(2, 30), rows(1, 5)], how);
        let logical = plan::logical(&context, &program, &input).unwrap();
        let physical = context.state().create_physical_plan(&logical).await.unwrap();
        let text = displayable(physical.as_ref()).indent(false).to_string();
        assert_eq!(text.contains("SortExec"), sorts, "{how:?}\n{text}");
        assert_eq!(text.contains("RepartitionExec"), hash_partitions, "{how:?}\n{text}");
        assert!(!text.contains("unused"), "a column no rule uses is not read\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn series_with_a_bar_twice_alone_are_read_again_with_all_columns() {
    let mut program = Arc::into_inner(program(RULES)).unwrap();
    program.compared.push(program.bars.fields.len());
    program.bars.fields.push(FieldSpec::plain("unused", FieldKind::Number));
    let program = Arc::new(program);
    let limits = Limits { threads: 2, ..Limits::default() };
    let context = session(&limits).unwrap();
    let once: Vec<_> = rows(4, 4).into_iter().filter(|row| row.0.as_str() < "S2").collect();
    for how in [Arrangement::InPlace, Arrangement::HashPartitioned, Arrangement::Sorted] {
        let dir = TempDir::new().unwrap();
        // The last series of the first file has bars twice; so has one in the other file, and one has none.
        let more = rows(3, 60).into_iter().map(|row| (format!("T{}", row.0), row.1, row.2)).collect();
        let first = input(&dir, &program, &[once.clone(), more], how);
        let mut columns = plan::columns_to_read(&program);
        columns.push("unused".into());
        let file = std::fs::File::open(&first.groups[0][0].path).unwrap();
        let schema =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().schema().clone();
        let all = plan::narrowed(&schema, &columns);
        let whole = Input { schema: Arc::clone(&all), ..first };
        let expected = output(&limits, &program, &whole).await.unwrap();
        let schema = plan::narrowed(&schema, &plan::columns_to_read(&program));
        let first = Input { schema, whole: Some(all), ..whole };
        let mut seen = output(&limits, &program, &first).await.unwrap();
        let mut twice = Twice::default();
        for batch in &seen {
            twice.take(batch);
        }
        assert!(!twice.is_empty() && twice.series.iter().all(|key| key.starts_with("TS")), "{how:?}: {twice:?}");
        let again = plan::run_again(&context, &program, &first, &twice).await.unwrap();
        seen.extend(again.try_collect::<Vec<_>>().await.unwrap());
        assert_eq!(findings(&program, &seen), findings(&program, &expected), "{how:?}");
        assert_eq!(sum(&seen, SeriesCounts::COLUMNS[0]), sum(&expected, SeriesCounts::COLUMNS[0]), "{how:?}");

        let logical = plan::logical(&context, &program, &first).unwrap();
        let physical = context.state().create_physical_plan(&logical).await.unwrap();
        let text = displayable(physical.as_ref()).indent(false).to_string();
        assert!(!text.contains("unused"), "what is compared is not read where no bar is there twice\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_comes_back_where_none_should_stops_the_run() {
    let program = program(RULES);
    let mut rows = rows(2, 10);
    let stray = rows[0].clone();
    rows.push(stray);
    let dir = TempDir::new().unwrap();
    let error = output(&Limits::default(), &program, &input(&dir, &program, &[rows], Arrangement::InPlace)).await;
    assert!(error.unwrap_err().contains("rows of series `S0` do not lie together"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_beyond_the_memory_limit_is_refused_by_its_name_and_the_operator_is_measured() {
    let program = program(RULES);
    let dir = TempDir::new().unwrap();
    let input = input(&dir, &program, &[rows(1, 40_000)], Arrangement::InPlace);
    let tight = Limits { threads: 1, memory: Some(1 << 20), temp: None };
    let error = output(&tight, &program, &input).await.unwrap_err();
    assert!(error.contains("series `S0` does not fit into the memory limit"), "{error}");
    assert!(error.contains("raise --memory-limit"), "{error}");

    let context = session(&Limits::default()).unwrap();
    let logical = plan::logical(&context, &program, &input).unwrap();
    let physical = context.state().create_physical_plan(&logical).await.unwrap();
    let found = collect(Arc::clone(&physical), context.task_ctx()).await.unwrap();
    let metrics = physical.metrics().unwrap();
    let counted = |name: &str| metrics.sum_by_name(name).map(|value| value.as_usize());
    assert_eq!((counted("series"), counted("input_rows")), (Some(1), Some(sum(&found, "series_read") as usize)));
    assert_eq!(metrics.output_rows(), Some(found.iter().map(RecordBatch::num_rows).sum()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rows_give_no_records() {
    let program = program(RULES);
    let dir = TempDir::new().unwrap();
    let batches =
        output(&Limits::default(), &program, &input(&dir, &program, &[vec![]], Arrangement::Sorted)).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_moves_nothing_moves_nothing_and_one_that_does_moves_its_rows_once() {
    let text = "[[rule]]\nid = \"a\"\ncheck = \"range\"\nfield = \"close\"\nmax = 25.0\naction = \"delete\"\n\
                [[rule]]\nid = \"b\"\ncheck = \"range\"\nfield = \"close\"\nmax = 24.0\naction = \"quarantine\"\n";
    let program = program(text);
    let bar = |close| [Some(close), Some(close), Some(close), Some(close), Some(1.0)];
    let rows = [23.0, 24.5, 26.0].iter().enumerate();
    let rows = rows.map(|(i, close)| ("S".to_owned(), (19_723 + i as i64) * DAY_US, bar(*close))).collect();
    let dir = TempDir::new().unwrap();
    let batches =
        output(&Limits::default(), &program, &input(&dir, &program, &[rows], Arrangement::InPlace)).await.unwrap();
    let counts: Vec<i64> = SeriesCounts::COLUMNS[..6].iter().map(|column| sum(&batches, column)).collect();
    assert_eq!(counts, [3, 1, 0, 1, 1, 0], "read, clean, flagged, quarantined, deleted, parse_errors");
    assert_eq!(findings(&program, &batches).len(), 3, "the weaker finding of the deleted row is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_within_the_grace_time_are_only_reported() {
    let mut program = Arc::into_inner(program(RULES)).unwrap();
    program.movable_before = Some(19_723 * DAY_US);
    let program = Arc::new(program);
    let dir = TempDir::new().unwrap();
    let input = input(&dir, &program, &[rows(2, 60)], Arrangement::HashPartitioned);
    let batches = output(&Limits::default(), &program, &input).await.unwrap();
    assert_eq!(sum(&batches, "series_to_quarantine"), 0);
    assert!(sum(&batches, "series_flagged") > 0);
    for batch in &batches {
        let action = batch.column_by_name("action").unwrap().as_primitive::<Int8Type>();
        assert!(action.iter().flatten().all(|action| action == Action::Report as i8));
    }
}

fn mistakes(sql: &str) -> Vec<Diagnostic> {
    let text = format!("[[rule]]\nid = \"r\"\ncheck = \"sql\"\nassert = {sql:?}\n");
    let bars = bars();
    let file = RuleFile::new(SourceText::new("r.toml", text), Arc::new(Environment::default()));
    let rules = rules::compile(&[file], &bars).unwrap();
    expressions::check(&session(&Limits::default()).unwrap(), &bars, &rules.expressions).err().unwrap_or_default()
}

#[tokio::test]
async fn expressions_that_cannot_evaluate_a_row_are_mistakes_with_a_place() {
    for (sql, code) in [
        ("clsoe > 0", "unknown-field"),
        ("close +", "sql-syntax"),
        ("close + 1", "bad-expression"),
        ("max(close) > 1", "bad-expression"),
        ("close > (select 1)", "bad-expression"),
        ("random() < 0.5", "bad-expression"),
        ("now() > time", "bad-expression"),
        ("lag(close) over () > 1", "bad-expression"),
        ("no_such_function(close)", "bad-expression"),
    ] {
        let found = mistakes(sql);
        assert_eq!(found.iter().map(|m| m.code).collect::<Vec<_>>(), [code], "{sql}");
        assert_eq!(found[0].position().0, 4, "{sql}");
    }
    assert!(mistakes("close between low and high and symbol like 'S%' and time > '2020-01-01'").is_empty());
}
