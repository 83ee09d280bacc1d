#![expect(clippy::cast_possible_wrap, reason = "small literal data")]

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray,
};
use proptest::prelude::*;

use super::*;
use crate::bars::{BarColumn, DAY_US, TIME};
use crate::decide::{RowTotals, Verdict, verdicts};
use crate::engine::scope::Scope;
use crate::engine::tests::program;

/// 2024-01-01, a Monday, as a day number.
const MONDAY: i64 = 19_723;

/// A bar: days after the Monday (`None`: a timestamp that does not parse), close, volume. Its other prices are sound.
type Bar = (Option<i64>, f64, f64);

/// The rows of one series in the order of the source; `holds` is the result of the only expression.
fn frame(program: &Program, bars: &[Bar], holds: &[bool]) -> (Layout, Frame) {
    let rows = bars.len();
    let prices =
        |of: fn(f64) -> f64| Arc::new(bars.iter().map(|bar| Some(of(bar.1))).collect::<Float64Array>()) as ArrayRef;
    let time: TimestampMicrosecondArray = bars.iter().map(|bar| bar.0.map(|day| (MONDAY + day) * DAY_US)).collect();
    let raw: StringViewArray = bars.iter().map(|bar| bar.0.is_none().then_some("17")).collect();
    let volume: Float64Array = bars.iter().map(|bar| Some(bar.2)).collect();
    let mut columns = vec![
        ("symbol".to_owned(), Arc::new(StringViewArray::from(vec!["A"; rows])) as ArrayRef),
        (TIME.to_owned(), Arc::new(time.with_timezone("UTC"))),
        (BarColumn::Exact(TIME).name().into_owned(), Arc::new(raw)),
        ("open".to_owned(), prices(|close| close)),
        ("high".to_owned(), prices(|close| close + 0.5)),
        ("low".to_owned(), prices(|close| close - 0.5)),
        ("close".to_owned(), prices(|close| close)),
        ("volume".to_owned(), Arc::new(volume)),
        (BarColumn::File.name().into_owned(), Arc::new(Int32Array::from(vec![0; rows]))),
        (BarColumn::Row.name().into_owned(), Arc::new((0..rows as i64).collect::<Int64Array>())),
    ];
    for slot in 0..program.rules.expressions.len() {
        columns.push((BarColumn::Expression(slot).name().into_owned(), Arc::new(BooleanArray::from(holds.to_vec()))));
    }
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let layout = Layout::try_new(program, &batch.schema(), Arc::default()).unwrap();
    let frame = Frame::try_new(&batch, &layout).unwrap();
    (layout, frame)
}

/// What `rules` make of `bars`: findings as (rule, row in the source or none for a gap, moves), verdicts by row of the
/// source, and the counts.
struct Outcome {
    found: BTreeSet<(String, Option<usize>, bool)>,
    verdicts: Vec<Verdict>,
    totals: Vec<Totals>,
}

fn outcome(rules: &str, bars: &[Bar]) -> Outcome {
    outcome_where(rules, bars, &vec![true; bars.len()])
}

fn outcome_where(rules: &str, bars: &[Bar], holds: &[bool]) -> Outcome {
    let program = program(rules);
    let (layout, frame) = frame(&program, bars, holds);
    let evaluated = evaluate(&program, &layout, &frame, ("A", None)).unwrap();
    let source = |row: usize| usize::try_from(frame.locator(&layout, row).1).unwrap();
    let mut found = BTreeSet::new();
    for flagged in &evaluated.flagged {
        let (rule, moves) = (program.rule_id(flagged.rule), flagged.action(&program) > Action::Report);
        let rows: Vec<Option<usize>> = flagged.rows.iter().map(|row| Some(source(row))).collect();
        let rows = if rows.is_empty() { vec![None] } else { rows };
        found.extend(rows.into_iter().map(|row| (rule.to_owned(), row, moves)));
    }
    let of_frame = verdicts(bars.len(), evaluated.flagged.iter().map(|flagged| flagged.found(&program)), |_| true);
    assert!(RowTotals::count(&of_frame).conserved());
    let mut verdicts = vec![Verdict::Clean; bars.len()];
    for (row, verdict) in of_frame.into_iter().enumerate() {
        verdicts[source(row)] = verdict;
    }
    Outcome { found, verdicts, totals: evaluated.totals }
}

impl Outcome {
    /// Rows of the source that `rule` flags.
    fn of(&self, rule: &str) -> Vec<usize> {
        self.found.iter().filter(|(id, ..)| id == rule).filter_map(|(_, row, _)| *row).collect()
    }

    fn moved(&self) -> Vec<usize> {
        (0..self.verdicts.len()).filter(|row| self.verdicts[*row].moves()).collect()
    }
}

fn rule(id: &str, check: &str, levels: &str, more: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ncheck = \"{check}\"\n{levels}\n{more}\n")
}

const QUARANTINE: &str = "severity = \"error\"\naction = \"quarantine\"";
const REPORT: &str = "severity = \"error\"\naction = \"report\"";
const SPIKE: &str = "limit = 6.0";

/// Thirty quiet days, and one more bar for each of `extra` (day, close).
fn quiet_and(extra: &[(i64, f64)]) -> Vec<Bar> {
    let day = |at: i64| at / 5 * 7 + at % 5;
    let quiet = (0..30).filter(|at| !extra.iter().any(|(other, _)| day(*at) == *other));
    let mut bars: Vec<Bar> = quiet.map(|at| (Some(day(at)), 100.0 + (at % 3) as f64 / 10.0, 10.0)).collect();
    bars.extend(extra.iter().map(|(day, close)| (Some(*day), *close, 10.0)));
    bars
}

#[test]
fn a_copy_that_another_rule_takes_is_not_the_one_that_stays() {
    let rules =
        rule("spike", "price-spike", QUARANTINE, SPIKE) + &rule("copy", "duplicate", QUARANTINE, "keep = \"first\"");
    let bars = quiet_and(&[(35, 500.0), (35, 100.1)]);
    let outcome = outcome(&rules, &bars);
    assert_eq!(outcome.of("spike"), [29], "the first copy is a spike");
    assert_eq!(outcome.moved(), [29], "the second is evaluated in its place and stays");

    let unreadable =
        rule("positive", "range", REPORT, "field = \"close\"\nmin = 1") + &rule("copy", "duplicate", QUARANTINE, "");
    let outcome = super::tests::outcome(&unreadable, &quiet_and(&[(35, -4.0), (35, 100.1)]));
    assert_eq!(
        (outcome.of("copy"), outcome.moved()),
        (vec![29], vec![29]),
        "an error that is only reported rejects too"
    );
}

#[test]
fn both_copies_leave_where_rules_reject_both() {
    let rules = rule("spike", "price-spike", QUARANTINE, SPIKE) + &rule("copy", "duplicate", QUARANTINE, "");
    let outcome = outcome(&rules, &quiet_and(&[(35, 500.0), (35, 500.0)]));
    assert_eq!((outcome.of("spike"), outcome.moved()), (vec![29, 30], vec![29, 30]));
}

#[test]
fn rules_about_copies_that_contradict_each_other_leave_one() {
    let rules = rule("first", "duplicate", QUARANTINE, "keep = \"first\"")
        + &rule("last", "duplicate", QUARANTINE, "keep = \"last\"");
    let outcome = outcome(&rules, &quiet_and(&[(35, 100.0), (35, 100.1)]));
    assert_eq!((outcome.of("first"), outcome.of("last")), (vec![30], vec![29]));
    assert_eq!(outcome.moved().len(), 1);
}

#[test]
fn rules_about_a_series_see_no_rejected_row_and_a_bar_once() {
    let spike = rule("spike", "price-spike", QUARANTINE, SPIKE);
    let two = quiet_and(&[(35, 500.0), (36, 500.0)]);
    assert_eq!(outcome(&spike, &two).of("spike"), [0_usize; 0], "two in a row are a level");
    let rejects = rule("cap", "range", REPORT, "field = \"volume\"\nmax = 50") + &spike;
    let mut rejected = two.clone();
    rejected[29].2 = 99.0;
    let outcome = outcome(&rejects, &rejected);
    assert_eq!((outcome.of("cap"), outcome.of("spike")), (vec![29], vec![28]));
    assert_eq!(outcome.totals[1].evaluated + outcome.totals[1].insufficient, 29, "29 of 30 rows are seen");
}

#[test]
fn a_rejected_bar_is_no_gap() {
    let rules = rule("cap", "range", REPORT, "field = \"volume\"\nmax = 50") + &rule("gap", "gap", REPORT, "");
    let mut bars = quiet_and(&[]);
    bars[3].2 = 99.0;
    assert!(outcome(&rules, &bars).found.iter().all(|(rule, ..)| rule != "gap"));
    bars.remove(3);
    assert!(outcome(&rules, &bars).found.contains(&("gap".to_owned(), None, false)));
}

#[test]
fn a_gap_that_a_condition_leaves_is_found_beside_rejected_bars() {
    let gap = rule("gap", "gap", REPORT, "where = \"volume > 0\"");
    let rules = rule("cap", "range", REPORT, "field = \"volume\"\nmax = 50") + &gap;
    let mut bars = quiet_and(&[]);
    bars[3].2 = 99.0;
    let mut holds = vec![true; 30];
    holds[7] = false;
    let found = outcome_where(&rules, &bars, &holds).found;
    assert_eq!(
        found.iter().filter(|(rule, ..)| rule == "gap").count(),
        1,
        "the bar that is not of the rule is missing"
    );
}

#[test]
fn validity_is_decided_row_by_row() {
    let mut bars = quiet_and(&[]);
    bars[10..20].iter_mut().for_each(|bar| bar.1 = 107.0);
    // Rows 10 to 19 are 2024-01-15 to 2024-01-26; the rule begins on the 17th and ends before the 24th.
    let stale = rule("stale", "stale", QUARANTINE, "bars = 5\nfrom = 2024-01-17\nuntil = 2024-01-24");
    assert_eq!(outcome(&stale, &bars).moved(), [12, 13, 14, 15, 16]);
    let outside = rule("stale", "stale", QUARANTINE, "bars = 5\nuntil = 2024-01-15");
    assert_eq!(outcome(&outside, &bars).moved(), [0_usize; 0]);
}

#[test]
fn a_gap_is_valid_where_any_of_it_is() {
    let mut bars = quiet_and(&[]);
    bars.drain(10..15); // 2024-01-15 to 2024-01-19
    let found = |validity: &str| outcome(&rule("gap", "gap", REPORT, validity), &bars).found.len();
    assert_eq!(found("from = 2024-01-19"), 1);
    assert_eq!(found("from = 2024-01-20"), 0);
    assert_eq!(found("until = 2024-01-16"), 1);
    assert_eq!(found("until = 2024-01-15"), 0);
}

#[test]
fn a_parse_error_is_hidden_only_by_a_finding_that_is_as_severe_and_as_strong() {
    let bars = {
        let mut bars = quiet_and(&[]);
        bars.push((None, 100.0, 10.0));
        bars
    };
    let found = |levels: &str| outcome(&rule("format", "date-format", levels, ""), &bars);
    assert_eq!(found(QUARANTINE).of("parse-error"), [0_usize; 0]);
    assert_eq!(found(REPORT).of("parse-error"), [0_usize; 0]);
    for weaker in ["severity = \"info\"", "severity = \"warn\"\naction = \"quarantine\""] {
        let outcome = found(weaker);
        assert_eq!((outcome.of("format"), outcome.of("parse-error")), (vec![30], vec![30]), "{weaker}");
    }
}

#[test]
fn copies_that_differ_stay_where_a_rule_that_could_tell_them_apart_does_not_run() {
    let slip = rule("slip", "unit-slip", QUARANTINE, "field = \"close\"");
    let copies = rule("copy", "duplicate", QUARANTINE, "keep = \"first\"");
    let bars = quiet_and(&[(35, 100.1), (35, 100.2), (36, 100.1), (36, 100.1)]);
    let moved = |rules: &str, scope: Option<Scope>| {
        let program = Arc::into_inner(program(rules)).unwrap().within(scope);
        let (layout, frame) = frame(&program, &bars, &[]);
        let evaluated = evaluate(&program, &layout, &frame, ("A", scope.map(|scope| scope.since))).unwrap();
        let moves = evaluated.flagged.iter().filter(|flagged| flagged.action(&program) > Action::Report);
        moves.flat_map(|flagged| flagged.rows.iter().collect::<Vec<_>>()).collect::<BTreeSet<_>>()
    };
    let part = Some(Scope { since: (MONDAY + 30) * DAY_US, changed: (MONDAY + 30) * DAY_US });
    let both = format!("{slip}{copies}");
    assert_eq!(moved(&both, None).len(), 2, "one of each two");
    assert_eq!(moved(&both, part).len(), 1, "the one that says the same as the one that stays");
    assert_eq!(moved(&copies, part).len(), 2, "no rule is left out");
}

/// One rule of a random set.
fn any_rule() -> impl Strategy<Value = String> {
    let levels = (
        prop::sample::select(vec!["info", "warn", "error"]),
        prop::sample::select(vec!["report", "quarantine", "delete"]),
    );
    let check = prop::sample::select(vec![
        ("range", "field = \"close\"\nmin = 50"),
        ("range", "field = \"volume\"\nmax = 50"),
        ("ohlc", ""),
        ("price-spike", "limit = 6.0"),
        ("outlier", "window = 7"),
        ("stale", "bars = 4"),
        ("order", ""),
        ("zero-volume", ""),
        ("duplicate", ""),
        ("duplicate", "keep = \"first\""),
        ("duplicate", "keep = \"last\""),
        ("duplicate", "keep = \"none\""),
        ("duplicate", "key = [\"close\"]\nkeep = \"first\""),
    ]);
    let validity = prop::sample::select(vec!["", "", "", "from = 2024-01-10", "until = 2024-01-25"]);
    (levels, check, validity).prop_map(|((severity, action), (check, more), validity)| {
        format!("check = \"{check}\"\nseverity = \"{severity}\"\naction = \"{action}\"\n{more}\n{validity}\n")
    })
}

fn rule_file(rules: &[String], order: &[usize]) -> String {
    order.iter().map(|index| format!("[[rule]]\nid = \"r{index}\"\n{}", rules[*index])).collect()
}

fn any_bars() -> impl Strategy<Value = Vec<Bar>> {
    let close = prop_oneof![12 => Just(100.0), 4 => 99.0..101.0_f64, 2 => Just(500.0), 1 => Just(-5.0)];
    let volume = prop_oneof![10 => Just(10.0), 1 => Just(0.0), 1 => Just(99.0)];
    let bar = (close, volume, prop_oneof![12 => Just(1_usize), 3 => Just(2), 1 => Just(3)]);
    let strays = prop::collection::vec((0..45_usize, 90.0..510.0_f64), 0..4);
    (prop::collection::vec(bar, 24..36), strays).prop_map(|(days, strays)| {
        let mut bars = Vec::new();
        for (at, (close, volume, copies)) in days.into_iter().enumerate() {
            let day = (at / 5 * 7 + at % 5) as i64;
            bars.extend(std::iter::repeat_n((Some(day), close, volume), copies));
        }
        for (at, close) in strays {
            let (at, day) = (at % bars.len(), bars[at % bars.len()].0);
            bars.push(bars[at]);
            let last = bars.len() - 1;
            bars[last] = (day, close, 10.0);
        }
        bars
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Of every bar with a copy that no rule rejects, one stays, and the order of the rules decides nothing.
    #[test]
    fn a_good_copy_of_every_bar_stays_in_any_order_of_the_rules(
        rules in prop::collection::vec(any_rule(), 1..6),
        bars in any_bars(),
        seed in 0..1000_usize,
    ) {
        let order: Vec<usize> = (0..rules.len()).collect();
        let outcome = outcome(&rule_file(&rules, &order), &bars);
        let moves_row = |row: usize, copies: bool| {
            outcome.found.iter().any(|(id, at, moves)| {
                let rule = id.strip_prefix('r').and_then(|index| index.parse::<usize>().ok()).map(|index| &rules[index]);
                let about_copies = rule.is_some_and(|rule| rule.contains("duplicate"));
                *at == Some(row) && about_copies == copies
                    && (*moves || rule.is_some_and(|rule| !copies && rule.contains("\"error\"")))
            })
        };
        let days: BTreeSet<i64> = bars.iter().filter_map(|bar| bar.0).collect();
        for day in days {
            let copies: Vec<usize> = (0..bars.len()).filter(|row| bars[*row].0 == Some(day)).collect();
            if copies.iter().all(|row| outcome.verdicts[*row].moves()) {
                let good: Vec<usize> = copies.iter().copied().filter(|row| !moves_row(*row, false)).collect();
                prop_assert!(good.is_empty(), "day {day}: all of {copies:?} leave, {good:?} only as copies\n{:?}", outcome.found);
            }
        }
        let mut turned = order.clone();
        turned.rotate_left(seed % rules.len());
        if seed % 2 == 1 {
            turned.reverse();
        }
        let other = super::tests::outcome(&rule_file(&rules, &turned), &bars);
        prop_assert_eq!(&outcome.found, &other.found);
        prop_assert_eq!(&outcome.verdicts, &other.verdicts);
    }

    /// What a rejected row holds decides nothing about other rows.
    #[test]
    fn no_baseline_contains_a_rejected_row(
        rules in prop::collection::vec(any_rule().prop_filter("about series", |rule| {
            !rule.contains("duplicate") && !rule.contains("range") && !rule.contains("ohlc")
        }), 1..4),
        bars in any_bars(),
        garbage in prop::collection::vec(0.5..900.0_f64, 8),
    ) {
        let file = rule_file(&rules, &(0..rules.len()).collect::<Vec<_>>())
            + &rule("cap", "range", REPORT, "field = \"volume\"\nmax = 50");
        let before = outcome(&file, &bars);
        let mut changed = bars.clone();
        for (row, close) in before.of("cap").into_iter().zip(garbage.iter().cycle()) {
            changed[row].1 = *close;
        }
        prop_assert_eq!(before.found, outcome(&file, &changed).found);
    }
}
