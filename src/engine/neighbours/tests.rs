use arrow::array::{Float64Array, StringViewArray, TimestampMicrosecondArray};

use super::*;
use crate::bars::time::TimeFormat;
use crate::bars::{DAY_US, FieldKind, FieldSpec, Fold, Label, TIME, TimeSpec};
use crate::engine::session::{Limits, session};
use crate::market::Interval;

fn bars() -> BarsSpec {
    let time = TimeSpec {
        sources: vec![TIME.into()],
        digits: false,
        formats: vec![TimeFormat::compile("%Y-%m-%d").unwrap()],
        zone: chrono_tz::UTC,
        label: Label::Session,
        fold: Fold::Refuse,
    };
    let mut fields = vec![FieldSpec::plain("symbol", FieldKind::Text)];
    fields.extend(["close", "volume"].map(|name| FieldSpec::plain(name, FieldKind::Number)));
    BarsSpec { series: vec!["symbol".into()], fields, ..BarsSpec::new(Interval::Day, time) }
}

/// What `sql` says of each bar with these days, closes and volumes; the last rows have no day.
fn verdicts(sql: &str, days: &[Option<i64>], closes: &[Option<f64>]) -> Vec<Option<bool>> {
    let context = session(&Limits::default()).unwrap();
    let (bars, state) = (bars(), context.state());
    let schema = canonical(&bars);
    let parsed = parse(&state, &bars, &schema, sql).unwrap();
    assert!(parsed.looks_beside(), "{sql}");
    let time: TimestampMicrosecondArray = days.iter().map(|day| day.map(|day| day * DAY_US)).collect();
    let symbol: StringViewArray = days.iter().map(|_| Some("A")).collect();
    let close: Float64Array = closes.iter().copied().collect();
    let volume: Float64Array = (0..days.len()).map(|row| Some(row as f64)).collect();
    let columns: [(&str, ArrayRef); 4] = [
        (TIME, Arc::new(time.with_timezone("UTC"))),
        ("symbol", Arc::new(symbol)),
        ("close", Arc::new(close)),
        ("volume", Arc::new(volume)),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
    let rule = "[[rule]]\nid = \"r\"\ncheck = \"sql\"\nassert = \"close > 1\"\n";
    let mut program = Arc::into_inner(crate::engine::tests::program(rule)).unwrap();
    program.bars = bars;
    program.rules.expressions = vec![crate::checks::Expression {
        sql: sql.to_owned(),
        span: 0..0,
        file: crate::schema::SourceText::new("rules.toml", ""),
        rule: "r".into(),
        reach: (0, 0),
    }];
    let neighbours = Neighbours::try_new(&state, &program, &batch.schema()).unwrap();
    let dated: Vec<i64> = days.iter().flatten().map(|day| day * DAY_US).collect();
    let out = neighbours.evaluate(&program, batch, &dated).unwrap();
    out.columns().last().unwrap().as_boolean().iter().collect()
}

const DAYS: [Option<i64>; 5] = [Some(0), Some(1), Some(2), Some(3), None];

#[test]
fn a_bar_sees_the_bars_beside_it() {
    let closes = [Some(10.0), Some(11.0), None, Some(12.0), Some(13.0)];
    assert_eq!(verdicts("prev.close = 10", &DAYS, &closes), [None, Some(true), Some(false), None, None]);
    assert_eq!(verdicts("next.close = 12", &DAYS, &closes), [Some(false), None, Some(true), None, None]);
    assert_eq!(verdicts("prev(close, 2) = 11", &DAYS, &closes), [None, None, Some(false), Some(true), None]);
    assert_eq!(verdicts("ret(close) < 0.1001", &DAYS, &closes), [None, Some(true), None, None, None]);
    assert_eq!(verdicts("prev.symbol = symbol", &DAYS, &closes)[1..4], [Some(true); 3]);
}

#[test]
fn copies_of_a_bar_are_one_bar_and_the_first_of_them_counts() {
    let days = [Some(0), Some(1), Some(1), Some(2)];
    let closes = [Some(10.0), Some(20.0), Some(30.0), Some(40.0)];
    assert_eq!(verdicts("prev.close = 10", &days, &closes), [None, Some(true), Some(true), Some(false)]);
    assert_eq!(verdicts("prev.close = 20", &days, &closes)[3], Some(true));
    assert_eq!(verdicts("mean(close, 2) = 15", &days, &closes)[3], Some(true));
}

#[test]
fn what_is_usual_leaves_the_bar_itself_out_and_wants_half_of_the_bars() {
    let closes = [Some(10.0), Some(30.0), Some(20.0), Some(99.0), Some(1.0)];
    assert_eq!(verdicts("median(close, 3) = 20", &DAYS, &closes), [None, None, Some(true), Some(true), None]);
    assert_eq!(verdicts("highest(close, 2) = 30", &DAYS, &closes), [None, Some(false), Some(true), Some(true), None]);
    assert_eq!(verdicts("lowest(close, 2) = 20", &DAYS, &closes)[3], Some(true));
    let gaps = [None, Some(f64::NAN), Some(7.0), Some(99.0), Some(1.0)];
    assert_eq!(verdicts("mean(close, 3) = 7", &DAYS, &gaps)[3], None, "one of three bars has a number");
    assert_eq!(verdicts("mean(close, 2) = 7", &DAYS, &gaps)[3], Some(true));
}

#[test]
fn the_trading_date_is_a_date() {
    let closes = [Some(1.0); 5];
    assert_eq!(
        verdicts("session = date '1970-01-02'", &DAYS, &closes),
        [Some(false), Some(true), Some(false), Some(false), None]
    );
    assert_eq!(
        verdicts("session - prev.session > 1", &[Some(0), Some(1), Some(4)], &closes[..3]),
        [None, Some(false), Some(true)]
    );
}

#[test]
fn what_cannot_be_is_said() {
    let context = session(&Limits::default()).unwrap();
    let bars = bars();
    let schema = canonical(&bars);
    let problem = |sql: &str| match parse(&context.state(), &bars, &schema, sql) {
        Ok(_) => panic!("{sql}"),
        Err(error) => error.strip_backtrace(),
    };
    assert!(problem("median(volume) > 1").contains("median(volume, 20)"), "{}", problem("median(volume) > 1"));
    assert!(problem("ret(close + 1) > 1").contains("takes the name of a field"));
    assert!(problem("mean(close, 0) > 1").contains("from 1 to 10000"));
    assert!(problem("ret(symbol) > 1").contains("needs a field of numbers"));
    assert!(problem("prev.clsoe > 1").contains("clsoe"));
}

#[test]
fn how_far_an_expression_looks_is_known() {
    let context = session(&Limits::default()).unwrap();
    let bars = bars();
    let schema = canonical(&bars);
    let reach = |sql: &str| parse(&context.state(), &bars, &schema, sql).unwrap().reach();
    assert_eq!(reach("close > 1"), (0, 0));
    assert_eq!(reach("median(volume, 20) < volume and next.close > 1"), (20, 1));
}
