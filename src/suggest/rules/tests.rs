use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono_tz::UTC;
use serde_json::json;

use super::*;
use crate::bars::{DAY_US, FieldSpec, Fold, Label, TimeSpec};
use crate::market::Interval;
use crate::suggest::{Profiling, draft_text};

const FIELDS: [&str; 8] = ["open", "high", "low", "close", "volume", "amount", "pre_close", "pct_chg"];

fn bars() -> BarsSpec {
    let time = TimeSpec {
        sources: vec![Arc::from("date")],
        digits: false,
        formats: Vec::new(),
        zone: UTC,
        label: Label::Session,
        fold: Fold::Refuse,
    };
    let fields = std::iter::once(FieldSpec::plain("symbol", FieldKind::Text))
        .chain(FIELDS.map(|name| FieldSpec::plain(name, FieldKind::Number)));
    BarsSpec { series: vec![Arc::from("symbol")], fields: fields.collect(), ..BarsSpec::new(Interval::Day, time) }
}

/// One bar a day of a symbol: close, volume, and what amount is of close times volume.
type Bar<'a> = (&'a str, i64, f64, Option<f64>, f64);

fn profile(rows: &[Bar<'_>]) -> Profile {
    let numbers =
        |of: &dyn Fn(&Bar<'_>) -> Option<f64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Float64Array>()) };
    let times = rows.iter().map(|row| Some(row.1 * DAY_US)).collect::<TimestampMicrosecondArray>();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(times.with_timezone("UTC"))),
        ("symbol", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<StringArray>())),
    ];
    for name in FIELDS {
        columns.push((
            name,
            match name {
                "volume" => numbers(&|row| row.3),
                "amount" => numbers(&|row| Some(row.3? * row.2 * row.4)),
                "pre_close" => numbers(&|row| Some(row.2 / 1.01)),
                "pct_chg" => numbers(&|_| Some(1.0)),
                _ => numbers(&|row| Some(row.2)),
            },
        ));
    }
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let batch = batch.unwrap();
    let all: Vec<usize> = (0..9).collect();
    let mut profiling = Profiling::new(&bars(), &all);
    // Series go on from batch to batch.
    let half = batch.num_rows() / 2;
    profiling.take(&batch.slice(0, half)).unwrap();
    profiling.take(&batch.slice(half, batch.num_rows() - half)).unwrap();
    profiling.finish()
}

fn texts(rows: &[Bar<'_>], known: &Known) -> (String, Vec<String>) {
    let (drafts, notes) = drafts("demo", &profile(rows), &bars(), known);
    let text = drafts.iter().map(|draft| format!("# {}\n{}", draft.reasons.join(" "), draft_text(draft)));
    (text.collect::<Vec<_>>().join("\n"), notes)
}

/// 400 bars of two series around 10 that move by a per cent, in cents.
fn plain() -> Vec<Bar<'static>> {
    let of = |symbol| (0..200).map(move |n| (symbol, n, if n % 2 == 0 { 10.0 } else { 10.1 }, Some(1000.0), 1.0));
    of("A").chain(of("B")).collect()
}

#[test]
fn limits_follow_from_the_bars() {
    let mut rows = plain();
    rows[399].2 = 14.0;
    let (text, notes) = texts(&rows, &Known::default());
    insta::assert_snapshot!(text, @r##"
    # There is a value in each of 400 bars: volume, amount, pre_close, pct_chg.
    [[rule]]
    id       = "demo-present"
    check    = "required"
    fields   = ["volume", "amount", "pre_close", "pct_chg"]
    severity = "warn"
    action   = "report"
    why      = "fields that every bar has: where one is missing the feed changed"

    # `close` lies between 10 and 14 in 400 bars. The lowest 1 % quantile of 2 series is 10, the highest 99 % quantile 10.1. `min` is the lower of these divided by 3, `max` is three times the higher of these, rounded outwards.
    [[rule]]
    id       = "demo-close-range"
    check    = "range"
    field    = "close"
    min      = 3.3
    max      = 31
    severity = "warn"
    action   = "report"
    why      = "a price far outside of all that was ever seen: another unit, a lost point, another company"

    # 1,600 of 1,600 prices are multiples of 0.1, and fewer of any coarser step.
    [[rule]]
    id       = "demo-tick"
    check    = "tick-size"
    tick     = 0.1
    severity = "warn"
    action   = "report"
    why      = "a price between two steps was adjusted or mistyped"

    # The largest move from bar to bar is +40 % on B 1970-07-19; 98.7 % of 398 returns are at most 1.1 %, half of them at most 1.1 %. The limit is three times the size that 98.7 % do not exceed.
    [[rule]]
    id       = "demo-move"
    check    = "sql"
    assert   = "abs(ret(close)) <= 0.031"
    nulls    = "pass"
    severity = "warn"
    action   = "report"
    why      = "a move far beyond what these series do: a slipped point, a split, or news that a person should see"

    # `volume` lies between 1000 and 1000 in 400 bars. The lowest 1 % quantile of 2 series is 1000, the highest 99 % quantile 1000. `max` is 10 times the higher of these, rounded outwards.
    [[rule]]
    id       = "demo-volume-range"
    check    = "range"
    field    = "volume"
    max      = 10000
    severity = "warn"
    action   = "report"
    why      = "a volume far above all that was ever traded: another unit, or a number that was cut wrong"

    # Amount over volume lies between low and high in 400 of 400 bars.
    [[rule]]
    id       = "demo-turnover"
    check    = "turnover"
    severity = "warn"
    action   = "report"
    why      = "amount, volume and prices are of the same trades"

    # `pct_chg` follows from `close` and `pre_close` in 400 of 400 bars.
    [[rule]]
    id       = "demo-pct-chg"
    check    = "pct-change"
    severity = "warn"
    action   = "report"
    why      = "three numbers of one trade report agree"
    "##);
    assert_eq!(notes, [""; 0]);
}

#[test]
fn what_the_job_has_is_not_repeated() {
    let mut known = Known::default();
    let params = |value: serde_json::Value| value.as_object().cloned().unwrap();
    known.take("a", "range", params(json!({ "field": "close", "min": 1, "max": 100 })));
    known.take("b", "sql", params(json!({ "assert": "abs(ret(close)) <= 0.5" })));
    known.take("c", "tick-size", params(json!({ "tick": 0.01 })));
    known.take("d", "required", params(json!({ "fields": FIELDS })));
    known.take("e", "turnover", params(json!({})));
    known.take("demo-volume-range", "pct-change", params(json!({})));
    let (text, _) = texts(&plain(), &known);
    let ids: Vec<&str> = text.lines().filter(|line| line.starts_with("id")).collect();
    assert_eq!(ids, ["id       = \"demo-volume-range-2\""], "its own name is taken");
}

#[test]
fn what_says_nothing_is_not_suggested_and_why() {
    let none = Known::default();
    let notes = |rows: &[Bar<'_>]| texts(rows, &none).1;
    let mut rows = plain();
    for row in &mut rows {
        row.3 = None;
    }
    assert!(notes(&rows)[0].starts_with("`volume` is NULL in every bar: "), "{:?}", notes(&rows));
    for row in &mut rows {
        row.3 = Some(0.0);
    }
    assert!(notes(&rows)[0].starts_with("`volume` is never above 0"));
    rows = plain();
    for row in &mut rows {
        row.2 -= 10.05;
    }
    assert!(notes(&rows)[0].starts_with("50 % of closes are zero or below"), "{:?}", notes(&rows));
    let (text, _) = texts(&rows, &none);
    assert!(text.contains("min      = -0.25\nmax      = 0.25\n"), "{text}");
    rows = plain();
    for row in &mut rows {
        row.4 = 0.01;
    }
    assert!(notes(&rows)[0].contains("bars when it is multiplied by 100:"), "{:?}", notes(&rows));
    let (text, few) = texts(&plain()[..1], &none);
    assert_eq!(
        (text.as_str(), few.as_slice()),
        ("", &["0 returns are too few to tell a usual move; 250 returns are needed".to_owned()][..])
    );
    assert_eq!(texts(&[], &none).0, "");
}

#[test]
fn limits_have_two_digits_and_are_rounded_outwards() {
    for (value, upwards, downwards) in
        [(0.1234, 0.13, 0.12), (463.1 * 3.0, 1400.0, 1300.0), (9.95, 10.0, 9.9), (0.21, 0.21, 0.21)]
    {
        assert!((up(value) / upwards - 1.0).abs() < 1e-12 && (down(value) / downwards - 1.0).abs() < 1e-12, "{value}");
    }
    assert_eq!(up(0.0), 0.0);
}
