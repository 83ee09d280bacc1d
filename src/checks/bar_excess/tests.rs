//! Golden bars, computed apart from this code, and what is stepped over, undecided or too much.

use proptest::prelude::*;

use super::*;
use crate::checks::testing::{Evaluated, Fixture, compile};

const RULE: &str = "check = \"bar-excess\"\n";
const FIVE: &str = "check = \"bar-excess\"\nwindow = 5\n";

const BASE: [[f64; 5]; 7] = [
    [100.0, 101.0, 99.5, 100.5, 1000.0],
    [100.6, 101.4, 100.0, 101.0, 1100.0],
    [101.0, 101.8, 100.2, 100.4, 900.0],
    [100.5, 101.2, 99.8, 100.9, 1000.0],
    [100.8, 101.6, 100.4, 101.3, 1200.0],
    [101.2, 102.0, 100.7, 101.1, 1000.0],
    [101.0, 101.7, 100.1, 100.6, 950.0],
];

fn fixture(bars: &[[f64; 5]]) -> Fixture {
    let mut csv = String::from("time,open,high,low,close,volume\n");
    for (day, [open, high, low, close, volume]) in bars.iter().enumerate() {
        let date = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(day as u64);
        csv += &format!("{date},{open},{high},{low},{close},{volume}\n");
    }
    Fixture::daily(&csv)
}

/// The base with another bar in row 3.
fn with(bar: [f64; 5]) -> Vec<[f64; 5]> {
    let mut bars = BASE.to_vec();
    bars[3] = bar;
    bars
}

fn rule(window: usize) -> Rule {
    Rule {
        columns: Columns { prices: [0, 1, 2, 3], volume: Some(4) },
        names: ["open", "high", "low", "close"].map(Arc::from),
        scale: Scale::Log,
        limit: 1.2,
        floor: 0.01,
        side: window / 2,
        beside: 0,
        slot: None,
        beside_peers: false,
        most: 1.0,
    }
}

/// Low, high, open, close in units of the scale, and the scale; NaN where there is no bar to compare with.
fn values(bars: &[[f64; 5]], row: usize) -> [f64; 5] {
    let rule = rule(5);
    fixture(bars).with_series(|series| {
        let bars = Bars::collect(rule.scale, &rule.columns, series);
        let around = Around { bars: &bars, time: series.time, times: OnceCell::new(), peers: None };
        let scale = rule.usual(&around, row, &mut Vec::new()).scale;
        let value = |cause| bars.outside(row, cause).map_or(f64::NAN, |distance| distance.ln() / scale);
        [value(Cause::Low), value(Cause::High), value(Cause::Open), value(Cause::Close), scale]
    })
}

#[track_caller]
fn same(found: [f64; 5], wanted: [f64; 5]) {
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 6e-7 || (found.is_nan() && wanted.is_nan()), "{found} is not {wanted}");
    }
}

#[test]
fn golden_values_of_a_bar_and_its_variants() {
    same(values(&BASE, 3), [0.299_146, 0.127_063, 0.0, 0.0, 0.023_365]);
    same(values(&with([100.5, 101.2, 93.0, 100.9, 1000.0]), 3), [3.319_425, 0.127_063, 0.0, 0.0, 0.023_365]);
    same(values(&with([100.5, 101.2, 93.0, 100.9, 9000.0]), 3), [1.578_678, 0.060_430, 0.0, 0.0, 0.049_129]);
    same(values(&with([100.5, 101.2, 93.0, 100.9, 0.0]), 3), [3.319_425, 0.127_063, 0.0, 0.0, 0.023_365]);
    same(values(&with([110.0, 110.0, 99.8, 100.9, 1000.0]), 3), [0.469_153, 0.0, 3.695_724, 0.0, 0.023_365]);
    same(values(&with([100.5, 108.0, 99.8, 108.0, 1000.0]), 3), [0.281_016, 0.0, 0.0, 2.773_872, 0.024_872]);
}

#[test]
fn golden_values_of_a_split_and_of_the_ends() {
    let mut split = with([100.5, 103.2, 99.8, 103.0, 1000.0]);
    for bar in &mut split[4..] {
        *bar = [bar[0] / 2.0, bar[1] / 2.0, bar[2] / 2.0, bar[3] / 2.0, bar[4] * 2.0];
    }
    same(values(&split, 3), [0.281_016, 0.077_993, 0.0, 0.0, 0.024_872]);
    same(
        values(&BASE, 0)[..4].try_into().map(|[a, b, c, d]: [f64; 4]| [a, b, c, d, 0.0]).unwrap(),
        [0.201_530, 0.199_530, f64::NAN, 0.0, 0.0],
    );
    same(
        values(&BASE, 6)[..4].try_into().map(|[a, b, c, d]: [f64; 4]| [a, b, c, d, 0.0]).unwrap(),
        [0.222_892, 0.308_971, 0.0, f64::NAN, 0.0],
    );
}

#[test]
fn flat_bars_have_the_floor_alone() {
    let mut flat = vec![[50.0, 50.0, 50.0, 50.0, 100.0]; 7];
    flat[3][1] = 50.5;
    let value = values(&flat, 3)[1];
    assert!((value - 0.995_033).abs() < 1e-6, "{value}");
    assert_eq!(fixture(&flat).evaluate(FIVE).lines, [""; 0]);
    flat[3][1] = 50.7;
    assert_eq!(fixture(&flat).evaluate(FIVE).lines, ["2024-01-04 high observed=50.7 cause=high"]);
}

#[test]
fn volume_excuses_and_says_so() {
    let wild = with([100.5, 101.2, 93.0, 100.9, 9000.0]);
    let evaluated = fixture(&wild).evaluate(FIVE);
    let finding = &evaluated.findings[0];
    assert!((finding.score.unwrap() - 1.578_678).abs() < 1e-6);
    let evidence = finding.evidence.as_ref().unwrap();
    assert!((evidence["busy"].as_f64().unwrap() - 8.571_429).abs() < 1e-6, "{evidence}");
    assert_eq!(fixture(&wild).evaluate(&format!("{FIVE}limit = 1.6")).lines, [""; 0]);
}

#[test]
fn newest_bar_is_provisional_and_too_few_bars_are_insufficient() {
    let mut bars = BASE.to_vec();
    bars[6][2] = 93.0;
    bars[6][3] = 120.0;
    bars[6][1] = 120.0;
    let evaluated = fixture(&bars).evaluate(FIVE);
    assert_eq!(evaluated.lines, ["2024-01-07 low observed=93 cause=low"]);
    assert_eq!(evaluated.findings[0].evidence.as_ref().unwrap()["provisional"], true);
    let few = fixture(&bars[4..]).evaluate(RULE);
    assert_eq!((few.findings.len(), few.totals.evaluated, few.totals.insufficient), (0, 0, 3));
}

#[test]
fn bars_that_lack_a_price_are_stepped_over() {
    let mut csv = String::from("time,open,high,low,close,volume\n");
    for (day, bar) in BASE.iter().chain(&BASE).enumerate() {
        csv += &match day {
            3 => format!("2024-01-{:02},,101,99,100,5\n", day + 1),
            5 => format!("2024-01-{:02},0,101,0,100,5\n", day + 1),
            _ => format!("2024-01-{:02},{},{},{},{},{}\n", day + 1, bar[0], bar[1], bar[2], bar[3], bar[4]),
        };
    }
    let evaluated = Fixture::daily(&csv).evaluate(FIVE);
    assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 12));
}

#[test]
fn a_frozen_bar_makes_no_close_stick_out() {
    // Its close is far from its open, and the open after it is that of the same bar again.
    let mut bars: Vec<[f64; 5]> = BASE.iter().cycle().take(30).copied().collect();
    for bar in &mut bars[10..16] {
        *bar = [100.5, 106.0, 100.0, 105.8, 1000.0];
    }
    let evaluated = fixture(&bars).evaluate(RULE);
    assert_eq!(evaluated.lines, ["2024-01-11 close observed=105.8 cause=close"], "the first one alone");
    assert_eq!(evaluated.totals.evaluated, 25);
}

#[test]
fn linear_scale_evaluates_prices_below_zero() {
    let shifted = |bars: &[[f64; 5]]| -> Vec<[f64; 5]> {
        bars.iter().map(|bar| [bar[0] - 200.0, bar[1] - 200.0, bar[2] - 200.0, bar[3] - 200.0, bar[4]]).collect()
    };
    let linear = format!("{FIVE}scale = \"linear\"");
    let wrong = with([100.5, 101.2, 93.0, 100.9, 1000.0]);
    let evaluated = fixture(&shifted(&wrong)).evaluate(&linear);
    assert_eq!(evaluated.lines, ["2024-01-04 low observed=-107 cause=low"]);
    assert_eq!(fixture(&shifted(&BASE)).evaluate(&linear).lines, [""; 0]);
    // On the log scale they are stepped over.
    let stepped = fixture(&shifted(&wrong)).evaluate(FIVE);
    assert_eq!((stepped.findings.len(), stepped.totals.evaluated), (0, 0));
}

#[test]
fn one_step_of_the_price_is_no_finding() {
    // A coin of 12 units of its last decimal: a step is 8 %.
    let step = 1e-8;
    let mut bars = vec![[12.0 * step, 12.0 * step, 12.0 * step, 12.0 * step, 10.0]; 30];
    for bar in [4, 8, 12, 16] {
        bars[bar][1] = 13.0 * step;
    }
    bars[20][2] = 11.0 * step;
    assert_eq!(fixture(&bars).evaluate(RULE).lines, [""; 0]);
    bars[20][2] = 9.0 * step;
    assert_eq!(fixture(&bars).evaluate(RULE).lines, ["2024-01-21 low observed=0.00000009 cause=low"]);
}

#[test]
fn a_violent_week_is_usual_beside_its_bars() {
    let mut bars: Vec<[f64; 5]> = BASE.iter().cycle().take(61).copied().collect();
    for bar in &mut bars[28..33] {
        [bar[1], bar[2]] = [bar[1] + 1.3, bar[2] - 1.3];
    }
    bars[30][2] = 95.5;
    assert_eq!(fixture(&bars).evaluate(RULE).findings.len(), 1);
    assert_eq!(fixture(&bars).evaluate(&format!("{RULE}beside = 2")).findings.len(), 0);
}

/// Minutes of 30 days, each from 10:00 to 10:49; the first one of each day moves by `opening` from open to low.
fn minutes(opening: f64, last: f64) -> Fixture {
    let mut csv = String::from("time,open,high,low,close,volume\n");
    for day in 1..=30 {
        for minute in 0..50 {
            let low = if minute == 0 { 100.0 - if day == 30 { last } else { opening } } else { 99.9 };
            let high = 100.1 + 0.01 * f64::from(minute % 3);
            csv += &format!("2024-01-{day:02}T10:{minute:02}:00Z,100,{high},{low},100,10\n");
        }
    }
    Fixture::new("interval = \"1m\"", &csv)
}

#[test]
fn lively_times_of_the_day_are_wider() {
    let rule = format!("{RULE}most = 1");
    assert_eq!(minutes(2.0, 2.0).evaluate(&rule).findings.len(), 0);
    assert_eq!(minutes(2.0, 4.0).evaluate(&rule).lines, ["2024-01-30T10:00:00Z low observed=96 cause=low"]);
    assert_eq!(minutes(2.0, 2.0).evaluate(&format!("{rule}\nslot = false")).findings.len(), 30);
    assert_eq!(minutes(0.1, 2.0).evaluate(&rule).findings.len(), 1);
}

#[test]
fn an_even_window_is_a_mistake() {
    let mistakes = compile(&format!("{RULE}window = 40"), &fixture(&BASE).spec).err().unwrap_or_default();
    assert!(mistakes[0].title.contains("must be an odd number"), "{}", mistakes[0].title);
}

/// The largest value of each row that has one, by a plain reading of the definition.
fn oracle(bars: &[[f64; 5]], window: usize) -> Vec<Option<f64>> {
    let side = window / 2;
    let logs: Vec<[f64; 4]> = bars.iter().map(|bar| [bar[0].ln(), bar[1].ln(), bar[2].ln(), bar[3].ln()]).collect();
    let range = |at: usize| {
        let mut prices = logs[at].to_vec();
        prices.extend(at.checked_sub(1).map(|before| logs[before][3]));
        prices.iter().copied().fold(f64::MIN, f64::max) - prices.iter().copied().fold(f64::MAX, f64::min)
    };
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
    };
    let beyond = |price: f64, one: f64, other: f64| (one.min(other) - price).max(price - one.max(other)).max(0.0);
    let alone = |price: f64, one: f64, other: f64| {
        let outside = beyond(price, one, other);
        if (one - other).abs() <= outside { outside } else { 0.0 }
    };
    (0..bars.len())
        .map(|at| {
            let near: Vec<usize> =
                (at.saturating_sub(side)..(at + side + 1).min(bars.len())).filter(|other| *other != at).collect();
            if near.len() < side {
                return None;
            }
            let volumes: Vec<f64> = near.iter().map(|other| bars[*other][4]).filter(|volume| *volume > 0.0).collect();
            let busy = match bars[at][4] > 0.0 && volumes.len() >= side {
                true => (bars[at][4] / middle(volumes)).clamp(1.0, 16.0),
                false => 1.0,
            };
            let scale = middle(near.iter().map(|other| range(*other)).collect()) * busy.sqrt() + 0.01;
            let outside = |bars: &[[f64; 4]], alone: &dyn Fn(f64, f64, f64) -> f64| {
                let [open, high, low, close] = bars[at];
                let mut values = vec![(open.min(close) - low).max(0.0), (high - open.max(close)).max(0.0)];
                values.extend(at.checked_sub(1).map(|before| alone(open, bars[before][3], close)));
                let after = bars.get(at + 1).map(|after| after[0]);
                values.extend(after.map(|after| alone(close, open, after)));
                let ends = at.checked_sub(1).map(|before| bars[before][3]).zip(after);
                values.extend(ends.map(|(before, after)| {
                    let above = open.min(close) > before.max(after);
                    alone(if above { open.min(close) } else { open.max(close) }, before, after)
                }));
                values
            };
            let values = outside(&logs, &alone);
            let most = (0..values.len()).fold(0, |most, place| if values[place] > values[most] { place } else { most });
            let prices: Vec<[f64; 4]> = bars.iter().map(|bar| [bar[0], bar[1], bar[2], bar[3]]).collect();
            let inside = (0..prices.len()).filter(|other| *other != at).flat_map(|other| {
                let [open, high, low, close] = prices[other];
                [high - low, (close - open).abs()]
            });
            let between = (1..prices.len()).filter(|other| *other != at && *other != at + 1);
            let steps = inside.chain(between.map(|other| (prices[other][3] - prices[other - 1][3]).abs()));
            let step = steps.filter(|step| *step > 0.0).fold(f64::MAX, f64::min);
            // The price moved by one step at most.
            let one_step = step < f64::MAX && outside(&prices, &beyond)[most] <= step * (1.0 + 1e-6);
            Some(if one_step { 0.0 } else { values[most] / scale })
        })
        .collect()
}

fn evaluate(bars: &[[f64; 5]], window: usize, limit: f64) -> Evaluated {
    fixture(bars).evaluate(&format!("{RULE}window = {window}\nlimit = {limit:?}\nmost = 1"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn findings_agree_with_a_plain_reading_of_the_definition(
        bars in prop::collection::vec((90.0..110.0_f64, 0.0..4.0_f64, 0.0..4.0_f64, 90.0..110.0_f64, 0..5_u16), 1..60),
        half in 2..9_usize,
        limit in 0.3..2.5_f64,
    ) {
        let bars: Vec<[f64; 5]> = bars
            .iter()
            .map(|(open, up, down, close, volume)| {
                [*open, open.max(*close) + up, open.min(*close) - down, *close, f64::from(*volume) * 100.0]
            })
            .collect();
        let window = 2 * half + 1;
        let wanted = oracle(&bars, window);
        let evaluated = evaluate(&bars, window, limit);
        let scores: Vec<(usize, f64)> = evaluated
            .findings
            .iter()
            .map(|finding| (finding.rows.as_ref().unwrap().start, finding.score.unwrap()))
            .collect();
        let expected: Vec<(usize, f64)> = wanted
            .iter()
            .enumerate()
            .filter_map(|(row, value)| Some((row, (*value)?)).filter(|(_, value)| *value > limit))
            .collect();
        prop_assert_eq!(scores.len(), expected.len());
        for ((row, score), (wanted_row, wanted)) in scores.iter().zip(&expected) {
            prop_assert_eq!(row, wanted_row);
            prop_assert!((score - wanted).abs() < 1e-9);
        }
        prop_assert_eq!(evaluated.totals.evaluated, wanted.iter().flatten().count() as u64);
    }
}

#[test]
fn a_day_on_which_others_move_too_is_excused_beside_them_and_a_wrong_print_is_not() {
    let mut csv = String::from("time,symbol,open,high,low,close,volume\n");
    for symbol in ["A", "B", "C"] {
        for (day, [open, high, mut low, close, volume]) in BASE.iter().copied().enumerate() {
            // All fall and come back on day 3; on day 5 only A does.
            if day == 3 || (day == 5 && symbol == "A") {
                low = 93.0;
            }
            csv += &format!("2024-01-{:02},{symbol},{open},{high},{low},{close},{volume}\n", day + 1);
        }
    }
    let rule = format!("{FIVE}most = 1.0\npeers = true");
    let found = crate::checks::testing::evaluated_example("", &csv, &rule);
    assert_eq!(found.lines, ["A 2024-01-06 low observed=93 cause=low"]);
    let alone = fixture(&with([100.5, 101.2, 93.0, 100.9, 1000.0])).evaluate(&rule);
    assert_eq!(alone.lines, ["2024-01-04 low observed=93 cause=low"], "without others it is as without the key");
}
