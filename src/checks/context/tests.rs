//! Every check finds in a stretch, cut with its context, what it finds there in the whole series.

use std::ops::Range;

use proptest::prelude::*;

use super::Context;
use crate::checks::testing::{Fixture, compile};
use crate::checks::{Check, Finding, FindingSink, Series};

const BARS: &str = "calendar = \"24/7\"\n";

/// Bars of one series: days from the bar before (0 makes a copy), close, distance of the high, volume.
type Row = (u8, Option<u16>, u8, Option<u8>);

fn csv(rows: &[Row]) -> Vec<String> {
    let mut day = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    let line = |(step, close, reach, volume): &Row| {
        day += chrono::TimeDelta::days(i64::from(*step));
        let close = close.map(|close| f64::from(close) / 10.0);
        let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let high = close.map(|close| close + f64::from(*reach));
        format!("{day},{},{},{},{},{}", text(close), text(high), text(close), text(close), text(volume.map(f64::from)))
    };
    rows.iter().map(line).collect()
}

fn fixture(lines: &[String]) -> Fixture {
    Fixture::new(BARS, &format!("time,open,high,low,close,volume\n{}", lines.join("\n")))
}

/// Where a stretch must begin and end so that it holds `inside` and its context; copies of a bar stay together.
fn with_context(check: &dyn Check, context: Context, series: &Series<'_>, inside: &Range<usize>) -> Range<usize> {
    let Context::Bars { before, after } = context else { return 0..series.rows };
    let enough = |rows: &mut dyn Iterator<Item = usize>, bars: usize| {
        let mut counted = Vec::new();
        let mut last = None;
        for row in rows {
            let time = series.time[row];
            if counted.len() >= bars && !counted.contains(&time) {
                break;
            }
            if check.counts(series, row) && !counted.contains(&time) {
                counted.push(time);
            }
            last = Some(row);
        }
        last
    };
    let start = enough(&mut (0..inside.start).rev(), before).unwrap_or(inside.start);
    let end = enough(&mut (inside.end..series.rows), after).map_or(inside.end, |row| row + 1);
    start..end
}

/// The findings about bars with timestamps in `times`, without what only says where a row stands.
fn findings(fixture: &Fixture, check: &dyn Check, times: Range<i64>) -> Vec<String> {
    let sink = fixture.run(check);
    let time_of = |finding: &Finding| {
        let first = finding.rows.as_ref().map(|rows| rows.start);
        fixture.with_series(|series| match first {
            Some(row) => series.time[row],
            // A gap is found at the bar that ends it.
            None => series.time[series.time.partition_point(|time| Some(*time) < finding.time_until)],
        })
    };
    let inside = sink.findings.iter().filter(|finding| times.contains(&time_of(finding)));
    let text = |finding: &Finding| {
        let limits = (finding.expected_lo, finding.expected_hi, finding.score);
        format!("{} {limits:?}", fixture.render(finding))
    };
    inside.map(text).collect()
}

/// The same in a stretch of `rows` with `context` around it, and in all of them.
fn stretch_and_whole(rule: &str, rows: &[Row], cut: Range<usize>, context: Option<Context>) -> [Vec<String>; 2] {
    let lines = csv(rows);
    let whole = fixture(&lines);
    let check = compile(rule, &whole.spec).unwrap_or_else(|mistakes| panic!("{rule}: {}", mistakes[0].render(false)));
    let context = context.unwrap_or(check.context());
    let (inside, stretch, times) = whole.with_series(|series| {
        // A bar is cut off with all its copies.
        let first_of = |row: usize| series.time.partition_point(|time| *time < series.time[row.min(series.rows - 1)]);
        let inside = first_of(cut.start)..if cut.end >= series.rows { series.rows } else { first_of(cut.end) };
        let stretch = with_context(check.as_ref(), context, series, &inside);
        let end = series.time.get(inside.end).copied().unwrap_or(i64::MAX);
        let times = series.time[inside.start]..end;
        (inside, stretch, times)
    });
    if inside.is_empty() {
        return [Vec::new(), Vec::new()];
    }
    let part = fixture(&lines[stretch]);
    [findings(&part, check.as_ref(), times.clone()), findings(&whole, check.as_ref(), times)]
}

/// A rule of every check that evaluates literal bars, with random parameters.
fn rule() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec!["nearest", "hampel", "brownlees-gallo"]);
    let edges = prop::sample::select(vec!["shrink", "skip"]);
    let scale = prop::sample::select(vec!["log", "linear"]);
    let outlier = (method, edges, scale, 1..6_usize, 5..80_u8).prop_map(|(method, edges, scale, half, limit)| {
        let (window, limit) = (2 * half + 1, f64::from(limit) / 10.0);
        format!("check = \"outlier\"\nmethod = \"{method}\"\nedges = \"{edges}\"\nscale = \"{scale}\"\nwindow = {window}\nlimit = {limit:?}")
    });
    let spike = (20..26_usize, 5..90_u8, 1..60_u8).prop_map(|(window, limit, floor)| {
        let [limit, floor] = [(limit, 10.0), (floor, 1000.0)].map(|(a, b)| f64::from(a) / b);
        format!("check = \"price-spike\"\nwindow = {window}\nlimit = {limit:?}\nfloor = {floor:?}\nreversal = 0.5")
    });
    let gap = (1..4_u8).prop_map(|min| format!("check = \"gap\"\nmin = {min}"));
    let keep = prop::sample::select(vec!["best", "first", "last", "none"]);
    let duplicate = keep.prop_map(|keep| format!("check = \"duplicate\"\nkeep = \"{keep}\""));
    let stale = (2..5_u8).prop_map(|bars| format!("check = \"stale\"\nbars = {bars}"));
    let volume =
        (0..10_u8).prop_map(|share| format!("check = \"zero-volume\"\nmax_share = {:?}", f64::from(share) / 10.0));
    let range = (0..200_u16).prop_map(|min| format!("check = \"range\"\nfield = \"close\"\nmin = {min}"));
    let split = (1..9_u8, 10..60_u8).prop_map(|(limit, floor)| {
        format!("check = \"split\"\nlimit = {limit}\nfloor = {:?}", f64::from(floor) / 1000.0)
    });
    let others = ["order", "ohlc", "required", "date-format", "bar-excess", "unit-slip"]
        .map(|check| format!("check = \"{check}\""));
    prop_oneof![3 => outlier, 3 => spike, 2 => gap, 1 => duplicate, 1 => stale, 1 => volume, 1 => range, 2 => split, 2 => prop::sample::select(others.to_vec())]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let close = prop_oneof![6 => (990..1_010_u16).prop_map(Some), 1 => (1..2_000_u16).prop_map(Some), 1 => Just(None)];
    let volume = prop_oneof![4 => (1..9_u8).prop_map(Some), 1 => Just(Some(0)), 1 => Just(None)];
    let reach = prop_oneof![5 => Just(0_u8), 1 => 0..60_u8];
    let step = prop_oneof![1 => Just(0_u8), 8 => Just(1), 1 => 2..5_u8];
    prop::collection::vec((step, close, reach, volume), 1..90)
}

proptest! {
    #[test]
    fn a_stretch_with_its_context_has_the_findings_of_the_whole(
        rule in rule(), rows in rows(), start in 0..90_usize, length in 1..30_usize,
    ) {
        let start = start % rows.len();
        let [stretch, whole] = stretch_and_whole(&rule, &rows, start..(start + length).min(rows.len()), None);
        prop_assert_eq!(stretch, whole, "{}", rule);
    }
}

/// Rows evaluated, insufficient and excused by `rule` over `rows`, of those from `from` on.
fn counts(rule: &str, rows: &[Row], from: usize) -> [u64; 3] {
    let fixture = fixture(&csv(rows));
    let check = compile(rule, &fixture.spec).unwrap_or_else(|mistakes| panic!("{rule}: {}", mistakes[0].render(false)));
    let mut sink = FindingSink::default();
    fixture.with_series(|series| {
        let since = if from == 0 { i64::MIN } else { series.time.get(from).copied().unwrap_or(i64::MAX) };
        check.check(&Series { from, since, ..*series }, &mut sink);
    });
    [sink.totals.evaluated, sink.totals.insufficient, sink.totals.excused]
}

proptest! {
    /// A row that is not reported on is not counted, and each of the others as it is where all are.
    #[test]
    fn rows_before_the_first_that_is_reported_on_are_not_counted(rule in rule(), rows in rows(), from in 0..90_usize) {
        prop_assume!(!["order", "unit-slip"].iter().any(|check| rule.contains(check)));
        // A part begins with all copies of a bar.
        let begins = |row: &usize| *row == rows.len() || *row == 0 || rows[*row].0 > 0;
        let starts: Vec<usize> = (0..=rows.len()).filter(begins).collect();
        let from = starts[from % starts.len()];
        let (all, part) = (counts(&rule, &rows, 0), counts(&rule, &rows, from));
        prop_assert!(part.iter().sum::<u64>() <= (rows.len() - from) as u64, "{rule}: {part:?}");
        prop_assert!(all.iter().sum::<u64>() - part.iter().sum::<u64>() <= from as u64, "{rule}: {part:?} of {all:?}");
        for bar in starts.windows(2) {
            let [with, without] = [bar[0], bar[1]].map(|from| counts(&rule, &rows, from));
            prop_assert!(with.iter().zip(&without).all(|(with, without)| without <= with), "{rule}: {with:?} {without:?}");
            let counted = with.iter().sum::<u64>() - without.iter().sum::<u64>();
            prop_assert!(counted <= (bar[1] - bar[0]) as u64, "{rule}: {counted} of the rows from {} on", bar[0]);
        }
    }
}

#[test]
fn a_context_that_is_too_small_is_noticed() {
    // The neighbours that say that a value is far off are cut off.
    let rows: Vec<Row> = (0..12).map(|row| (1, Some(if row == 6 { 1_500 } else { 1_000 }), 0, Some(1))).collect();
    let rule = "check = \"outlier\"\nwindow = 5";
    let [stretch, whole] = stretch_and_whole(rule, &rows, 6..7, None);
    assert_eq!((stretch.len(), &stretch), (1, &whole));
    let [stretch, whole] = stretch_and_whole(rule, &rows, 6..7, Some(Context::NONE));
    assert_ne!(stretch, whole);
}

#[test]
fn bars_without_a_value_do_not_count_as_context() {
    let value = |row: i32| match row {
        6 => Some(1_500),
        4 | 5 | 7 => None,
        _ => Some(1_000),
    };
    let rows: Vec<Row> = (0..12).map(|row| (1, value(row), 0, Some(1))).collect();
    let [stretch, whole] = stretch_and_whole("check = \"outlier\"\nwindow = 5", &rows, 6..7, None);
    assert_eq!((stretch.len(), stretch), (1, whole));
}

#[test]
fn at_the_end_of_a_series_a_trimmed_mean_reaches_twice_as_far_back() {
    let rows: Vec<Row> = (0..24).map(|row| (1, Some(if row == 23 { 1 } else { 990 + row % 7 }), 0, Some(1))).collect();
    let rule = "check = \"outlier\"\nmethod = \"brownlees-gallo\"\nwindow = 11\nlimit = 0.5";
    let [stretch, whole] = stretch_and_whole(rule, &rows, 23..24, None);
    assert_eq!((stretch.len(), &stretch), (1, &whole));
    let [stretch, whole] = stretch_and_whole(rule, &rows, 23..24, Some(Context::Bars { before: 5, after: 5 }));
    assert_ne!(stretch, whole);
}
