//! Findings as lines: severity, rule, series, time, why, and where in the source.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};

use crate::checks::{self, Facts};
use crate::market::Interval;
use crate::run::Failure;
use crate::text::escape::visible;
use crate::text::utc::UtcMicros;

/// What stands in front of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing.
    None,
    /// `+` where it is new.
    New,
    /// The same before each.
    Each(&'static str),
}

/// One line a finding of `batch`, which has the columns of the table `findings`, behind its mark.
pub(super) fn lines(batch: &RecordBatch, interval: Interval, mark: Mark) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let text = |name: &str| -> Result<ArrayRef, Failure> {
        let column = batch.column(batch.schema().index_of(name)?);
        Ok(cast(column, &DataType::Utf8)?)
    };
    let names = [
        "severity",
        "rule_id",
        "series",
        "check",
        "field",
        "observed_text",
        "expected_text",
        "cause",
        "evidence",
        "locator",
    ];
    let columns = names.iter().map(|name| text(name)).collect::<Result<Vec<_>, _>>()?;
    let numbers = ["observed", "expected_lo", "expected_hi", "score"];
    let numbers = numbers.iter().map(|name| batch.schema().index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let times = [batch.schema().index_of("time")?, batch.schema().index_of("time_until")?];
    let bars = batch.column(batch.schema().index_of("bars_affected")?).as_primitive::<Int64Type>();
    let new = batch.column(batch.schema().index_of("is_new")?).as_boolean();
    for row in 0..batch.num_rows() {
        let text = |column: usize| {
            let column = columns[column].as_string::<i32>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        let number = |column: usize| {
            let column = batch.column(numbers[column]).as_primitive::<Float64Type>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        let time = |column: usize| {
            let column = batch.column(times[column]).as_primitive::<TimestampMicrosecondType>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        let evidence = text(8).and_then(|evidence| serde_json::from_str(evidence).ok()).unwrap_or_default();
        let facts = Facts {
            check: text(3).unwrap_or_default(),
            interval,
            field: text(4),
            observed: number(0),
            observed_text: text(5),
            expected_lo: number(1),
            expected_hi: number(2),
            expected_text: text(6),
            score: number(3),
            bars: bars.value(row).unsigned_abs(),
            cause: text(7),
            evidence: &evidence,
            time: time(0),
            time_until: time(1),
        };
        let timestamp = time(0)
            .map_or_else(|| "no timestamp".to_owned(), |t| UtcMicros(t).timestamp(interval.is_daily_or_longer()));
        let place = text(9).map(|place| format!(" ({})", visible(place))).unwrap_or_default();
        lines.push(format!(
            "{}{:<5} {} {} {timestamp}: {}{place}",
            match (mark, new.is_valid(row) && new.value(row)) {
                (Mark::None, _) => "",
                (Mark::New, true) => "+ ",
                (Mark::New, false) => "  ",
                (Mark::Each(mark), _) => mark,
            },
            text(0).unwrap_or_default(),
            visible(text(1).unwrap_or_default()),
            visible(text(2).unwrap_or_default()),
            checks::message(&facts)
        ));
    }
    Ok(lines)
}
