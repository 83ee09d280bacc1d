//! Golden bars of both forms, their edges, and a comparison with a plain reading of the rule on random series.

use proptest::prelude::*;

use crate::checks::testing::{Evaluated, Fixture, compile};

const RULE: &str = "check = \"price-spike\"\n";

// Closes of Alphabet (GOOG) from 2008-07-03 to 2008-10-02, with the wrong one of 2008-09-30; from QuantConnect Lean,
// Apache-2.0.
const GOOG: [f64; 65] = [
    527.04, 537.05, 543.91, 555.15, 541.55, 540.57, 533.8, 521.62, 516.09, 534.61, 533.44, 481.32, 468.8, 477.11,
    489.22, 475.62, 491.98, 477.12, 483.11, 482.7, 473.75, 467.86, 463.0, 479.85, 486.34, 479.12, 495.01, 500.84,
    502.61, 500.03, 505.49, 510.15, 498.3, 490.5, 485.0, 486.53, 490.59, 483.01, 474.16, 468.58, 473.78, 463.29,
    465.25, 464.41, 450.26, 444.25, 420.62, 418.66, 414.16, 433.17, 437.66, 433.07, 443.0, 414.49, 439.08, 449.15,
    430.14, 429.27, 435.11, 439.6, 431.04, 390.08, 294.57, 412.25, 390.49,
];

/// The row of [`GOOG`] with the wrong close.
const WRONG: usize = 62;

fn evaluate(rule: &str, closes: &[f64]) -> Evaluated {
    let closes: Vec<Option<f64>> = closes.iter().copied().map(Some).collect();
    Fixture::column("close", &closes).evaluate(rule)
}

/// `closes` after 25 bars that close where the first of them does.
fn after_quiet_bars(closes: &[f64]) -> Vec<f64> {
    [vec![closes[0]; 25], closes.to_vec()].concat()
}

fn rows(evaluated: &Evaluated) -> Vec<usize> {
    evaluated.findings.iter().filter_map(|finding| finding.rows.as_ref()).map(|rows| rows.start).collect()
}

fn number(evaluated: &Evaluated, key: &str) -> f64 {
    let evidence = evaluated.findings.first().and_then(|finding| finding.evidence.as_ref());
    evidence.and_then(|evidence| evidence[key].as_f64()).unwrap_or(f64::NAN)
}

fn close_to(found: f64, wanted: f64, places: i32) -> bool {
    (found - wanted).abs() <= 0.6 * 10_f64.powi(-places)
}

#[test]
fn wrong_close_of_goog_is_flagged_with_its_returns() {
    let evaluated = evaluate(RULE, &GOOG);
    assert_eq!(rows(&evaluated), [WRONG]);
    assert!(close_to(number(&evaluated, "return"), -0.280_835, 6), "{}", number(&evaluated, "return"));
    assert!(close_to(number(&evaluated, "next_return"), 0.336_113, 6), "{}", number(&evaluated, "next_return"));
    assert!(close_to(number(&evaluated, "remains"), 0.1968, 4), "{}", number(&evaluated, "remains"));
    assert!(close_to(number(&evaluated, "sigma"), 0.022_554, 6), "{}", number(&evaluated, "sigma"));
    assert_eq!((number(&evaluated, "previous"), number(&evaluated, "next")), (390.08, 412.25));
    let finding = &evaluated.findings[0];
    let (lo, hi) = (finding.expected_lo.unwrap(), finding.expected_hi.unwrap());
    assert!(
        close_to(lo, 390.08 * (-8.0 * 0.022_553_54_f64).exp(), 2)
            && close_to(hi, 390.08 * (8.0 * 0.022_553_54_f64).exp(), 2)
    );
    assert_eq!((finding.observed, finding.cause), (Some(294.57), Some("reversal")));
}

#[test]
fn blame_falls_on_the_bar_that_went_out_and_not_on_its_return() {
    let evaluated = evaluate(RULE, &after_quiet_bars(&[100.0, 150.0, 100.0, 100.0]));
    assert_eq!(rows(&evaluated), [26]);
}

#[test]
fn moves_that_stay_are_no_spikes() {
    // Apple's fall of 2000-09-29 and its split of 2014-06-09; from QuantConnect Lean, Apache-2.0.
    assert_eq!(rows(&evaluate(RULE, &after_quiet_bars(&[53.38, 25.81, 24.31, 22.25]))), [0; 0]);
    assert_eq!(rows(&evaluate(RULE, &after_quiet_bars(&[645.57, 93.7, 94.25]))), [0; 0]);
    let loose = format!("{RULE}reversal = 1");
    assert_eq!(rows(&evaluate(&loose, &after_quiet_bars(&[100.0, 150.0, 150.0]))), [0; 0]);
}

#[test]
fn half_way_back_is_decided_by_the_reversal() {
    // Bitcoin on Coinbase from 2015-01-13, on very few coins; from QuantConnect Lean, Apache-2.0.
    let bars = after_quiet_bars(&[260.0, 130.0, 204.22, 199.46]);
    assert_eq!(rows(&evaluate(RULE, &bars)), [0; 0]);
    let wide = evaluate(&format!("{RULE}reversal = 0.35"), &bars);
    assert_eq!(rows(&wide), [26]);
    assert!(
        close_to(number(&wide, "return"), -std::f64::consts::LN_2, 6)
            && close_to(number(&wide, "next_return"), 0.451_663, 6)
    );
    assert!(close_to(number(&wide, "remains"), 0.3484, 4));
}

#[test]
fn small_moves_stay_below_the_floor() {
    assert_eq!(rows(&evaluate(RULE, &after_quiet_bars(&[100.0, 102.9, 100.0]))), [0; 0]);
    assert_eq!(rows(&evaluate(RULE, &after_quiet_bars(&[100.0, 103.2, 100.0]))), [26]);
    assert_eq!(rows(&evaluate(&format!("{RULE}floor = 0.05"), &after_quiet_bars(&[100.0, 103.2, 100.0]))), [0; 0]);
}

#[test]
fn restless_prices_need_a_larger_move() {
    let mut closes: Vec<f64> = [100.0, 104.0, 100.0, 97.0, 100.0].repeat(12);
    closes.extend([140.0, 100.0, 100.0]);
    assert_eq!(rows(&evaluate(RULE, &closes)), [0; 0], "eight times 4.5 % is not reached");
    closes[60] = 160.0;
    assert_eq!(rows(&evaluate(RULE, &closes)), [60]);
}

#[test]
fn too_few_returns_decide_no_large_move() {
    let mut closes = vec![100.0; 25];
    closes[20] = 200.0;
    let early = evaluate(RULE, &closes);
    assert_eq!((rows(&early), early.totals.evaluated, early.totals.insufficient), (vec![], 22, 3));
    closes.insert(0, 100.0);
    let enough = evaluate(RULE, &closes);
    assert_eq!((rows(&enough), enough.totals.evaluated, enough.totals.insufficient), (vec![21], 24, 2));
}

#[test]
fn first_and_last_bar_are_undecided() {
    let evaluated = evaluate(RULE, &after_quiet_bars(&[100.0, 300.0]));
    assert_eq!((rows(&evaluated), evaluated.totals.evaluated, evaluated.totals.insufficient), (vec![], 25, 2));
    for few in [&[][..], &[100.0], &[100.0, 200.0]] {
        assert_eq!(evaluate(RULE, few).totals.insufficient, few.len() as u64);
    }
}

#[test]
fn unusable_closes_are_stepped_over() {
    let mut closes: Vec<Option<f64>> = after_quiet_bars(&[100.0, 150.0, 100.0, 100.0]).into_iter().map(Some).collect();
    for (row, bad) in [(26, None), (26, Some(f64::NAN)), (28, Some(0.0)), (28, Some(f64::INFINITY)), (29, None)] {
        closes.insert(row, bad);
    }
    let evaluated = Fixture::column("close", &closes).evaluate(RULE);
    assert_eq!((rows(&evaluated), evaluated.totals.evaluated, evaluated.totals.insufficient), (vec![31], 27, 2));
}

#[test]
fn prices_that_change_their_sign_are_stepped_over() {
    // Power on a Sunday: from 40 to 0.4 and back is no ratio to speak of.
    let mut closes = after_quiet_bars(&[40.0, 20.0, -5.0, 3.0, 0.4, 12.0, 41.0]);
    closes.extend(vec![40.0; 70]);
    closes.extend([90.0, 40.0, 40.0]);
    let evaluated = evaluate(RULE, &closes);
    assert_eq!(rows(&evaluated), [102], "the spike long after it");
    assert!(evaluated.totals.evaluated + evaluated.totals.insufficient < closes.len() as u64);
}

#[test]
fn one_step_of_a_coin_is_no_spike() {
    let step = 1e-8;
    let closes: Vec<f64> =
        [12.0, 13.0, 13.0, 12.0, 11.0, 11.0, 12.0, 12.0].iter().cycle().take(64).map(|n| n * step).collect();
    let mut wrong = closes.clone();
    wrong.extend([13.0, 12.0, 12.0].map(|n| n * step));
    assert_eq!(rows(&evaluate("check = \"price-spike\"\nlimit = 0.5", &wrong)), [0; 0]);
    wrong[65] = 30.0 * step;
    assert_eq!(rows(&evaluate("check = \"price-spike\"\nlimit = 0.5", &wrong)).len(), 1);
}

#[test]
fn a_parameter_of_earlier_files_is_accepted_without_effect() {
    let wild = after_quiet_bars(&[100.0, 150.0, 100.0, 100.0]);
    assert_eq!(rows(&evaluate(&format!("{RULE}wick = 0.3"), &wild)), rows(&evaluate(RULE, &wild)));
    let bars = Fixture::column("close", &[]);
    let mistakes = |rule: &str| compile(rule, &bars.spec).err().unwrap_or_default();
    assert!(mistakes(&format!("{RULE}window = 19"))[0].title.contains("out of range"));
    assert!(mistakes(&format!("{RULE}wicks = 0.3"))[0].title.contains("unknown key"));
}

/// A rule, as its parameters.
struct Plain {
    window: usize,
    limit: f64,
    floor: f64,
    reversal: f64,
}

/// Rows flagged with the way out, the way back and the usual size of a move; rows evaluated and undecided: by a plain
/// reading of the rule for closes, which takes the logarithm of every one.
fn oracle(closes: &[Option<f64>], rule: &Plain) -> (Vec<(usize, [f64; 3])>, u64, u64) {
    let Plain { window, limit, floor, reversal } = *rule;
    let usable: Vec<(usize, f64)> = closes
        .iter()
        .enumerate()
        .filter_map(|(row, close)| close.filter(|c| c.is_finite() && *c > 0.0).map(|c| (row, c.ln())))
        .collect();
    let (mut flagged, mut evaluated, mut undecided) = (Vec::new(), 0, 0);
    for (row, log) in &usable {
        let near = row.saturating_sub(window)..(row + 2).min(closes.len());
        if closes[near].iter().flatten().any(|close| close.is_finite() && *close < 0.0) {
            continue;
        }
        let before: Vec<f64> = usable.iter().filter(|at| at.0 < *row).map(|at| at.1).collect();
        let after = usable.iter().find(|at| at.0 > *row).map(|at| at.1);
        let (Some(previous), Some(next)) = (before.last(), after) else {
            undecided += 1;
            continue;
        };
        let (out, back) = (log - previous, next - log);
        let candidate = out * back < 0.0 && out.abs() >= floor && (out + back).abs() <= reversal * out.abs();
        let returns: Vec<f64> = before.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if candidate && returns.len() < 20 {
            undecided += 1;
            continue;
        }
        evaluated += 1;
        let recent = &returns[returns.len().saturating_sub(window)..];
        let centre = median(recent);
        let distances: Vec<f64> = recent.iter().map(|r| (r - centre).abs()).collect();
        let sigma = 1.4826 * median(&distances);
        if candidate && out.abs() >= limit * sigma && !is_one_step(closes, *row, window) {
            flagged.push((*row, [out, back, sigma]));
        }
    }
    (flagged, evaluated, undecided)
}

/// Whether the close in `row` is one step from the one before, as the closes of the window before make them.
fn is_one_step(closes: &[Option<f64>], row: usize, window: usize) -> bool {
    let before = closes[..row].iter().flatten().copied().filter(|close| close.is_finite() && *close > 0.0);
    let before: Vec<f64> = before.collect();
    let near = &before[before.len().saturating_sub(window + 1)..];
    let step = (closes[row].unwrap() - near[near.len() - 1]).abs();
    crate::checks::steps::is_smallest(step, near.windows(2).map(|pair| pair[1] - pair[0]))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

fn closes() -> impl Strategy<Value = Vec<Option<f64>>> {
    let close = prop_oneof![
        20 => (0..30_i32).prop_map(|step| Some(100.0 + f64::from(step) * 0.1)),
        3 => (50.0..200.0_f64).prop_map(Some),
        1 => Just(None),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(-3.0), Just(f64::MAX), Just(5e-324)].prop_map(Some),
    ];
    prop::collection::vec(close, 0..90)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn closes_agree_with_a_plain_reading_of_the_rule(
        closes in closes(),
        window in 20..70_usize,
        limit in 0.5..9.0_f64,
        floor in prop_oneof![Just(0.03), Just(0.0), 0.0..0.2_f64],
        reversal in prop_oneof![0.0..1.0_f64, Just(1.0)],
        at_floor in prop::option::of(0..90_usize),
    ) {
        // The very size of a move is where rounding would show.
        let move_of = |row: usize| Some(closes.get(row + 1)?.as_ref()?.ln() - closes.get(row)?.as_ref()?.ln());
        let own = at_floor.and_then(move_of).map(f64::abs).filter(|floor| (0.0..=10.0).contains(floor));
        let plain = Plain { window, limit, floor: own.unwrap_or(floor), reversal };
        let floor = plain.floor;
        let rule = format!("{RULE}window = {window}\nlimit = {limit:?}\nfloor = {floor:?}\nreversal = {reversal:?}");
        let evaluated = Fixture::column("close", &closes).evaluate(&rule);
        let (flagged, decided, undecided) = oracle(&closes, &plain);
        let found: Vec<(usize, [f64; 3])> = evaluated.findings.iter().map(|finding| {
            let evidence = finding.evidence.as_ref().unwrap();
            let number = |key: &str| evidence[key].as_f64().unwrap();
            (finding.rows.as_ref().unwrap().start, ["return", "next_return", "sigma"].map(number))
        }).collect();
        prop_assert_eq!(found, flagged);
        prop_assert_eq!((evaluated.totals.evaluated, evaluated.totals.insufficient), (decided, undecided));
    }
}
