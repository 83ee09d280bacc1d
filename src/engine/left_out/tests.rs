//! The reader leaves out nothing that a window has, and rows keep their numbers.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono_tz::Tz;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::displayable;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::bars::time::TimeFormat;
use crate::bars::{BarColumn, DAY_US, FieldKind, Label, TIME};
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::session::{Limits, session};
use crate::engine::table::Locators;
use crate::engine::{Arrangement, tests};

const NONE: &str = "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n";

/// (symbol, timestamp) of 2,000 rows, hours apart around 2024-01-01, some without a timestamp, symbol after symbol.
fn rows() -> Vec<(String, Option<i64>)> {
    let at = |row: i64| 1_704_067_200_000_000 + (row % 500 - 250) * 3_600_000_000 * 7;
    (0..2_000).map(|row| (format!("S{}", row / 500), (row % 97 != 5).then(|| at(row)))).collect()
}

/// They in a file of small row groups and pages, with the timestamps as `time` makes them.
fn file(dir: &tempfile::TempDir, time: &dyn Fn(ArrayRef) -> ArrayRef) -> Input {
    let rows = rows();
    let at: TimestampMicrosecondArray = rows.iter().map(|row| row.1).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("symbol", Arc::new(rows.iter().map(|row| Some(&row.0)).collect::<StringArray>()) as ArrayRef, true),
        ("ts", time(Arc::new(at)), true),
        ("open", Arc::new(arrow::array::Float64Array::from(vec![1.0; rows.len()])), true),
    ])
    .unwrap();
    let path = dir.path().join("bars.parquet");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(300))
        .set_data_page_row_count_limit(40)
        .set_write_batch_size(20)
        .build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    Input {
        groups: vec![vec![plan::table_file(path, 0, bytes)]],
        schema: plan::narrowed(&batch.schema(), &["symbol".into(), "ts".into(), "open".into()]),
        places: Vec::new(),
        locators: Locators::Counted,
        whole: None,
        arrangement: Arrangement::Sorted,
        filter: Vec::new(),
        window: (None, None),
    }
}

fn program(format: &str, zone: Tz, label: Label) -> Program {
    let mut program = Arc::into_inner(tests::program(NONE)).unwrap();
    program.bars.fields.truncate(2);
    assert_eq!((&*program.bars.fields[0].name, program.bars.fields[1].kind), ("symbol", FieldKind::Number));
    program.read = vec![0, 1];
    (program.bars.time.formats, program.bars.time.zone) = (vec![TimeFormat::compile(format).unwrap()], zone);
    program.bars.time.label = label;
    program
}

/// Row number and timestamp of every row that is read, and how many rows left the reader.
async fn read(program: &Program, input: &Input, series: Option<&str>) -> (Vec<(i64, Option<i64>)>, usize) {
    let symbols = series.map(|series| [series.to_owned()].into());
    let context = session(&Limits { threads: 1, ..Limits::default() }).unwrap();
    let shaped = plan::shaped(program, input, symbols.as_ref()).unwrap();
    let plan: LogicalPlanBuilder = shaped;
    let physical = context.state().create_physical_plan(&plan.build().unwrap()).await.unwrap();
    let stream = datafusion::physical_plan::execute_stream(Arc::clone(&physical), context.task_ctx()).unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    let mut out = Vec::new();
    for batch in &batches {
        let rows = batch.column_by_name(&BarColumn::Row.name()).unwrap().as_primitive::<Int64Type>();
        let times = batch.column_by_name(TIME).unwrap().as_primitive::<TimestampMicrosecondType>();
        out.extend((0..batch.num_rows()).map(|row| (rows.value(row), times.is_valid(row).then(|| times.value(row)))));
    }
    let mut scan = physical;
    while let Some(child) = scan.children().first().map(|child| Arc::clone(child)) {
        scan = child;
    }
    let scanned = scan.metrics().and_then(|metrics| metrics.output_rows());
    (out, scanned.unwrap_or_else(|| panic!("{}", displayable(scan.as_ref()).indent(true))))
}

/// Timestamps as a file has them.
type Column = Box<dyn Fn(ArrayRef) -> ArrayRef>;

#[tokio::test]
async fn the_reader_leaves_out_nothing_that_a_window_has() {
    let utc = |zone: &'static str| {
        move |at: ArrayRef| cast(&at, &DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()))).unwrap()
    };
    let unit = |unit| move |at: ArrayRef| cast(&at, &DataType::Timestamp(unit, None)).unwrap();
    let dates = |at: ArrayRef| {
        let at = at.as_primitive::<TimestampMicrosecondType>();
        Arc::new(at.iter().map(|at| Some(i32::try_from(at?.div_euclid(DAY_US)).unwrap())).collect::<Date32Array>())
            as ArrayRef
    };
    let millis = |at: ArrayRef| {
        let at = at.as_primitive::<TimestampMicrosecondType>();
        // 7 is a number, and no timestamp that a job of these years would have; it is one all the same.
        Arc::new(at.iter().map(|at| Some(at? / 1_000)).collect::<Int64Array>()) as ArrayRef
    };
    let text = |at: ArrayRef| cast(&at, &DataType::Utf8).unwrap();
    let (new_york, shanghai) = (Tz::America__New_York, Tz::Asia__Shanghai);
    let columns: Vec<(Column, Program, bool)> = vec![
        (Box::new(utc("UTC")), program("%F", Tz::UTC, Label::Start), true),
        (Box::new(utc("America/New_York")), program("%F", new_york, Label::End), true),
        (Box::new(utc("UTC")), program("%F", shanghai, Label::Session), true),
        (Box::new(unit(TimeUnit::Nanosecond)), program("%F", shanghai, Label::Session), true),
        (Box::new(unit(TimeUnit::Millisecond)), program("%F", Tz::UTC, Label::Start), true),
        (Box::new(unit(TimeUnit::Second)), program("%F", Tz::UTC, Label::Start), true),
        // Clocks skip and repeat times there: what is not readable has no place in time.
        (Box::new(unit(TimeUnit::Microsecond)), program("%F", new_york, Label::Start), false),
        (Box::new(dates), program("%F", new_york, Label::Session), true),
        (Box::new(millis), program("epoch-ms", Tz::UTC, Label::Start), true),
        (Box::new(text), program("%FT%T", Tz::UTC, Label::Start), false),
    ];
    let middle = 1_704_067_200_000_000;
    let windows = [
        (Some(middle), None),
        (None, Some(middle)),
        (Some(middle), Some(middle + 5 * DAY_US)),
        (Some(middle + 900 * DAY_US), None),
    ];
    for (number, (column, program, leaves_out)) in columns.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let input = file(&dir, column);
        let (all, _) = read(program, &input, None).await;
        assert_eq!(all.iter().map(|row| row.0).collect::<Vec<_>>(), (1..=2_000).collect::<Vec<_>>());
        assert_eq!(all.iter().filter(|row| row.1.is_none()).count(), 21, "column {number}: {:?}", all[0]);
        for window in windows {
            let inside = |at: i64| window.0.is_none_or(|since| at >= since) && window.1.is_none_or(|until| at < until);
            let expected: Vec<_> = all.iter().copied().filter(|row| row.1.is_none_or(inside)).collect();
            let (rows, scanned) = read(program, &Input { window, ..file(&dir, column) }, None).await;
            assert_eq!(rows, expected, "column {number}, {window:?}");
            assert_eq!(scanned < 2_000, *leaves_out, "column {number}, {window:?}: {scanned}");
        }
    }
}

#[tokio::test]
async fn only_series_that_are_asked_for_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let program = program("%F", Tz::UTC, Label::Start);
    let input = file(&dir, &|at| at);
    let (rows, scanned) = read(&program, &input, Some("S2")).await;
    assert_eq!((rows.len(), scanned, rows[0].0), (500, 500, 1_001));
}
