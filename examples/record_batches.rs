//! Evaluates OHLCV rules on an Arrow record batch, without a job, a file or a server: `cargo run --example record_batches`.
//!
//! The batch holds one series in time order. A program with several series makes one `Series` of each.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use barkeep::bars::time::TimeFormat;
use barkeep::bars::{BarsSpec, DAY_US, FieldKind, FieldSpec, Fold, Label, TimeSpec};
use barkeep::checks::{Column, FindingSink, NumberColumn, Series};
use barkeep::config::{RuleFile, compile};
use barkeep::market::{Calendar, Grid, Interval};

const RULES: &str = r#"
[[rule]]
id       = "ohlc"
check    = "ohlc"
severity = "error"

[[rule]]
id       = "gap"
check    = "gap"
severity = "warn"
"#;

const FIELDS: [&str; 5] = ["open", "high", "low", "close", "volume"];

fn main() -> Result<(), Box<dyn Error>> {
    let batch = bars()?;
    let spec = spec()?;
    let rules = RuleFile::from_text("rules.toml", RULES).and_then(|file| compile(&[file], &spec));
    let rules = rules.map_err(|mistakes| mistakes.iter().map(|one| one.render(false)).collect::<String>())?;

    let time = batch.column(0).as_primitive::<TimestampMicrosecondType>().values();
    let column = |field: &FieldSpec| match batch.column_by_name(&field.name) {
        Some(values) => {
            // A column with NULLs has to hold NaN there.
            let values = values.as_primitive::<Float64Type>();
            Column::Number(NumberColumn::new(values.values(), values.nulls()))
        }
        None => Column::Absent,
    };
    let columns: Vec<Column<'_>> = spec.fields.iter().map(column).collect();
    let source_rank: Vec<u64> = (0..batch.num_rows() as u64).collect();
    let series = Series {
        key: "AAPL",
        time,
        rows: batch.num_rows(),
        columns: &columns,
        source_rank: &source_rank,
        present: time,
        ..Series::default()
    };
    for rule in &rules.rules {
        let mut found = FindingSink::default();
        rule.check.check(&series, &mut found);
        println!("{}: {} rows evaluated, {} findings", rule.id, found.totals.evaluated, found.findings.len());
        for finding in &found.findings {
            println!("  rows {:?}, bars {}, cause {:?}", finding.rows, finding.bars_affected, finding.cause);
        }
    }
    Ok(())
}

/// Four sessions of January 2024. The second bar has a high below its low, and 2024-01-05, a Friday, is missing.
fn bars() -> Result<RecordBatch, Box<dyn Error>> {
    let days = [19_724, 19_725, 19_726, 19_730].map(|day| day * DAY_US);
    let column = |values: [f64; 4]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    Ok(RecordBatch::try_from_iter([
        ("time", Arc::new(TimestampMicrosecondArray::from(days.to_vec())) as ArrayRef),
        ("open", column([100.0, 101.0, 102.0, 103.0])),
        ("high", column([102.0, 99.0, 104.0, 105.0])),
        ("low", column([99.0, 100.0, 101.0, 102.0])),
        ("close", column([101.0, 100.5, 103.0, 104.0])),
        ("volume", column([1_000.0, 1_100.0, 900.0, 1_000.0])),
    ])?)
}

/// What the bars are: daily, of the New York Stock Exchange.
fn spec() -> Result<BarsSpec, Box<dyn Error>> {
    let calendar = Calendar::named("XNYS").ok_or("the calendar XNYS is built in")?;
    let time = TimeSpec {
        sources: vec![Arc::from("time")],
        digits: false,
        formats: vec![TimeFormat::compile("%Y-%m-%d")?],
        zone: chrono_tz::UTC,
        label: Label::Session,
        fold: Fold::Refuse,
    };
    Ok(BarsSpec {
        grid: Some(Arc::new(Grid::new(Arc::clone(&calendar), Interval::Day, Label::Session))),
        calendar: Some(calendar),
        fields: FIELDS.map(|name| FieldSpec::plain(name, FieldKind::Number)).to_vec(),
        ..BarsSpec::new(Interval::Day, time)
    })
}
