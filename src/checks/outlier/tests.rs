//! Golden numbers of the three methods, their edges, and a comparison with plain sorting on random series.

use proptest::prelude::*;

use crate::checks::testing::{Evaluated, Fixture, compile};

const HAMPEL: &str = "check = \"outlier\"\nmethod = \"hampel\"\nscale = \"linear\"\nfloor = 0\n";
const TRIMMED: &str = "check = \"outlier\"\nmethod = \"brownlees-gallo\"\nscale = \"linear\"\nwindow = 11\n";

// Alphabet (GOOG) from 2008-09-23, with the wrong low and close of 2008-09-30; from QuantConnect Lean, Apache-2.0.
const GOOG_CLOSE: [f64; 11] = [429.27, 435.11, 439.6, 431.04, 390.08, 294.57, 412.25, 390.49, 386.91, 369.37, 346.01];
const GOOG_LOW: [f64; 11] = [425.89, 430.17, 435.99, 421.08, 380.72, 0.01, 403.11, 386.0, 383.07, 357.16, 345.41];

// Apple from 2000-09-22, with the true fall of 2000-09-29; from QuantConnect Lean, Apache-2.0.
const AAPL_CLOSE: [f64; 11] = [52.19, 53.44, 51.42, 48.94, 53.38, 25.81, 24.31, 22.25, 23.69, 22.19, 22.19];

fn evaluate(rule: &str, values: &[f64]) -> Evaluated {
    let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
    Fixture::column("close", &values).evaluate(rule)
}

fn rows(evaluated: &Evaluated) -> Vec<usize> {
    evaluated.findings.iter().filter_map(|finding| finding.rows.as_ref()).map(|rows| rows.start).collect()
}

fn score(evaluated: &Evaluated, row: usize) -> f64 {
    let finding = evaluated.findings.iter().find(|finding| finding.rows == Some(row..row + 1));
    finding.and_then(|finding| finding.score).unwrap_or(f64::NAN)
}

fn number(evaluated: &Evaluated, finding: usize, key: &str) -> f64 {
    let evidence = evaluated.findings[finding].evidence.as_ref();
    evidence.and_then(|evidence| evidence[key].as_f64()).unwrap_or(f64::NAN)
}

fn close_to(found: f64, wanted: f64, places: i32) -> bool {
    (found - wanted).abs() <= 0.6 * 10_f64.powi(-places)
}

#[test]
fn hampel_scores_match_the_golden_numbers() {
    let values = [10.00, 10.02, 10.01, 10.03, 10.02, 15.00, 10.04, 10.03, 10.05, 10.04, 10.06];
    let evaluated = evaluate(&format!("{HAMPEL}window = 7\nlimit = 0.5"), &values);
    assert!(close_to(score(&evaluated, 5), 335.2219, 4), "{}", score(&evaluated, 5));
    assert!(close_to(score(&evaluated, 3), 0.6745, 4), "{}", score(&evaluated, 3));
    assert!(!rows(&evaluated).contains(&6), "the bar beside a wrong one stands on its median");
    let wrong = rows(&evaluated).iter().position(|row| *row == 5).unwrap();
    assert!(close_to(number(&evaluated, wrong, "median"), 10.03, 6));
    assert!(close_to(number(&evaluated, wrong, "scale"), 0.014_826, 6));
    let limit = evaluate(&format!("{HAMPEL}window = 7\nlimit = 8"), &values);
    assert_eq!((rows(&limit), limit.totals.evaluated), (vec![5], 11));
}

#[test]
fn wrong_print_of_goog_is_seen_in_the_low_by_hampel() {
    let rule = format!("{HAMPEL}window = 11\nlimit = 1");
    let close = evaluate(&rule, &GOOG_CLOSE);
    assert!(close_to(score(&close, 5), 1.6683, 4), "{}", score(&close, 5));
    let low = evaluate(&rule, &GOOG_LOW);
    assert!(close_to(score(&low, 5), 7.4215, 4), "{}", score(&low, 5));
    let at = rows(&low).iter().position(|row| *row == 5).unwrap();
    assert!(close_to(number(&low, at, "median"), 386.0, 6) && close_to(number(&low, at, "scale"), 52.009_608, 6));
    assert_eq!(rows(&evaluate(&format!("{HAMPEL}window = 11\nlimit = 6"), &GOOG_LOW)), [5]);
}

#[test]
fn wrong_print_of_goog_is_seen_in_the_low_by_default_and_the_finding_explains_it() {
    let evaluated = evaluate("check = \"outlier\"", &GOOG_LOW);
    let (lo, hi) = (evaluated.findings[0].expected_lo.unwrap(), evaluated.findings[0].expected_hi.unwrap());
    assert_eq!(rows(&evaluated), [5]);
    assert_eq!(evaluated.findings[0].observed, Some(0.01));
    assert!(lo > 200.0 && lo < 345.0 && hi > 425.0 && hi < 800.0, "{lo} {hi}");
    assert_eq!((number(&evaluated, 0, "left"), number(&evaluated, 0, "right")), (380.72, 403.11));
    assert_eq!(number(&evaluated, 0, "window"), 10.0);
    assert_eq!(evaluated.lines, ["x close observed=0.01 cause=blip"]);
}

#[test]
fn true_fall_of_aapl_is_no_outlier_of_a_centred_window() {
    for method in ["nearest", "hampel"] {
        let rule = format!("check = \"outlier\"\nmethod = \"{method}\"\nwindow = 11");
        let evaluated = evaluate(&rule, &AAPL_CLOSE);
        assert_eq!((rows(&evaluated), evaluated.totals.evaluated), (vec![], 11), "{method}");
    }
}

#[test]
fn quiet_prices_are_evaluated_by_the_floor() {
    let values = [5.0, 5.0, 5.0, 5.0, 5.01, 5.0, 5.0, 5.0, 5.0];
    let linear = "check = \"outlier\"\nmethod = \"hampel\"\nscale = \"linear\"\nwindow = 7\n";
    let floor = evaluate(linear, &values);
    assert_eq!(rows(&floor), [4]);
    assert!(close_to(score(&floor, 4), 20.0, 6), "{}", score(&floor, 4));
    assert_eq!(rows(&evaluate(&format!("{linear}tick = 0.01"), &values)), [0; 0]);
    assert_eq!(rows(&evaluate("check = \"outlier\"\nmethod = \"hampel\"\nwindow = 7", &values)), [0; 0]);
}

#[test]
fn without_spread_and_floor_nothing_is_decided() {
    let evaluated = evaluate(&format!("{HAMPEL}window = 7"), &[5.0, 5.0, 5.0, 5.0, 5.01, 5.0, 5.0, 5.0, 5.0]);
    assert_eq!((rows(&evaluated), evaluated.totals.evaluated, evaluated.totals.insufficient), (vec![], 8, 1));
    let zeros = evaluate("check = \"outlier\"\nscale = \"linear\"\nwindow = 3", &[0.0, 0.0, 7.0, 0.0, 0.0]);
    assert_eq!((rows(&zeros), zeros.totals.insufficient), (vec![], 1));
}

#[test]
fn one_tick_of_a_penny_share_is_no_outlier_where_the_tick_is_known() {
    let values = [0.02, 0.02, 0.02, 0.02, 0.03, 0.02, 0.02, 0.02, 0.02];
    assert_eq!(rows(&evaluate("check = \"outlier\"\nwindow = 7", &values)), [4]);
    assert_eq!(rows(&evaluate("check = \"outlier\"\nwindow = 7\ntick = 0.01", &values)), [0; 0]);
}

#[test]
fn trimmed_mean_matches_the_golden_numbers() {
    let values = [100.00, 100.02, 100.01, 100.03, 100.05, 101.50, 100.04, 100.02, 100.03, 100.05, 100.06];
    for (trim, mean, sd) in [(0.20, 100.03125, 0.014_577), (0.10, 100.031, 0.019_120)] {
        let evaluated = evaluate(&format!("{TRIMMED}trim = {trim}"), &values);
        assert_eq!((rows(&evaluated), evaluated.totals.evaluated), (vec![5], 11), "trim {trim}");
        assert!(close_to(number(&evaluated, 0, "mean"), mean, 6), "{}", number(&evaluated, 0, "mean"));
        assert!(close_to(number(&evaluated, 0, "scale"), sd, 6), "{}", number(&evaluated, 0, "scale"));
        let (lo, hi) = (evaluated.findings[0].expected_lo.unwrap(), evaluated.findings[0].expected_hi.unwrap());
        assert!(close_to((hi - lo) / 2.0, 3.0 * sd + 0.02, 5), "{}", (hi - lo) / 2.0);
    }
}

#[test]
fn small_trim_takes_nobody_away_and_one_wrong_value_spoils_the_spread_of_all() {
    let values = [100.2, 100.02, 100.01, 100.03, 100.05, 101.50, 100.04, 100.02, 100.03, 100.05, 100.06];
    assert_eq!(rows(&evaluate(&format!("{TRIMMED}trim = 0.1"), &values)), [5]);
    assert_eq!(rows(&evaluate(&format!("{TRIMMED}trim = 0.2"), &values)), [0, 5]);
}

#[test]
fn first_bars_of_a_new_level_are_near_those_that_follow() {
    let mut values = vec![100.0; 30];
    values[28..].fill(50.0);
    let nearest = evaluate("check = \"outlier\"", &values);
    assert_eq!((rows(&nearest), nearest.totals.insufficient), (vec![], 1), "only the last bar is undecided");
    assert_eq!(rows(&evaluate("check = \"outlier\"\nmethod = \"hampel\"", &values)), [28, 29]);
}

#[test]
fn one_step_of_a_coin_is_no_outlier() {
    let step = 1e-8;
    let mut values: Vec<f64> = [12.0, 12.0, 12.0, 12.0, 13.0, 12.0].iter().cycle().take(60).map(|n| n * step).collect();
    let rule = "check = \"outlier\"\nlimit = 12";
    assert_eq!(rows(&evaluate(rule, &values)), [0; 0]);
    values[30] = 20.0 * step;
    assert_eq!(rows(&evaluate(rule, &values)), [30]);
}

#[test]
fn wrong_print_beside_a_new_level_is_still_seen() {
    let mut values = vec![100.0; 40];
    values[20..].fill(50.0);
    values[22] = 500.0;
    values[17] = 1.0;
    assert_eq!(rows(&evaluate("check = \"outlier\"", &values)), [17, 22]);
}

#[test]
fn wrong_last_bar_is_provisional_until_another_follows() {
    let mut values = vec![100.0; 20];
    values[19] = 1000.0;
    let last = evaluate("check = \"outlier\"", &values);
    assert_eq!((rows(&last), last.totals.evaluated, last.totals.insufficient), (vec![19], 20, 0));
    assert_eq!(last.findings[0].evidence.as_ref().unwrap()["provisional"], true);
    values.push(100.0);
    let decided = evaluate("check = \"outlier\"", &values);
    assert_eq!(rows(&decided), [19]);
    assert!(decided.findings[0].evidence.as_ref().unwrap().get("provisional").is_none());
    values[20] = 1000.0;
    assert_eq!(rows(&evaluate("check = \"outlier\"", &values)), [0; 0], "a level that stays");
}

#[test]
fn newest_bar_within_three_times_the_limit_or_at_half_the_price_is_undecided() {
    let mut values = vec![100.0; 20];
    for (newest, undecided) in [(110.0, 1), (50.0, 1), (70.0, 0), (201.0, 1), (170.0, 0)] {
        values[19] = newest;
        let last = evaluate("check = \"outlier\"", &values);
        assert_eq!((rows(&last).len(), last.totals.insufficient), (1 - undecided, undecided as u64), "{newest}");
    }
}

#[test]
fn two_wrong_bars_in_a_row_are_both_seen() {
    let mut values = vec![100.0; 20];
    values[9..11].fill(1000.0);
    assert_eq!(rows(&evaluate("check = \"outlier\"", &values)), [9, 10]);
}

#[test]
fn short_series_is_insufficient_not_clean() {
    let ten = evaluate("check = \"outlier\"", &[100.0; 10]);
    assert_eq!((ten.totals.evaluated, ten.totals.insufficient), (0, 10));
    let eleven = evaluate("check = \"outlier\"", &[100.0; 11]);
    assert_eq!((eleven.totals.evaluated, eleven.totals.insufficient), (11, 0));
    let none = evaluate("check = \"outlier\"", &[]);
    assert_eq!((none.findings.len(), none.totals.evaluated, none.totals.insufficient), (0, 0, 0));
}

#[test]
fn skipped_edges_are_insufficient() {
    let mut values = vec![100.0; 25];
    values[3] = 1000.0;
    let evaluated = evaluate("check = \"outlier\"\nedges = \"skip\"", &values);
    assert_eq!((rows(&evaluated), evaluated.totals.evaluated, evaluated.totals.insufficient), (vec![], 5, 20));
}

#[test]
fn unusable_values_are_in_no_window_and_not_evaluated() {
    let mut values = vec![Some(100.0); 25];
    for (row, value) in [(4, None), (6, Some(f64::NAN)), (8, Some(0.0)), (9, Some(-5.0)), (11, Some(f64::INFINITY))] {
        values[row] = value;
    }
    values[10] = Some(1000.0);
    let evaluated = Fixture::column("close", &values).evaluate("check = \"outlier\"\nwindow = 3");
    assert_eq!((rows(&evaluated), evaluated.totals.evaluated), (vec![10], 20));
    assert_eq!((number(&evaluated, 0, "left"), number(&evaluated, 0, "right")), (100.0, 100.0));
}

#[test]
fn a_value_at_the_very_reach_is_outside_the_limits_it_is_reported_with() {
    let evaluated = evaluate(
        "check = \"outlier\"\nmethod = \"brownlees-gallo\"\nscale = \"linear\"\nwindow = 5\nlimit = 0.5\ntrim = 0.0\ngamma = 0.0",
        &[100.05, 100.0, 100.0, 100.0, 100.0],
    );
    let finding = &evaluated.findings[0];
    assert_eq!(rows(&evaluated)[0], 1);
    assert_eq!((finding.observed, finding.expected_lo), (Some(100.0), Some(100.0_f64.next_up())));
}

#[test]
fn negative_prices_are_evaluated_on_the_linear_scale() {
    let values = [18.3, 10.0, -37.6, 10.0, 12.8, 11.0, 12.0];
    let evaluated = evaluate("check = \"outlier\"\nscale = \"linear\"\nwindow = 5\nlimit = 5", &values);
    assert_eq!(rows(&evaluated), [2]);
}

#[test]
fn parameters_that_contradict_each_other_are_mistakes() {
    let bars = Fixture::column("close", &[]);
    let mistakes = |rule: &str| {
        let found = compile(rule, &bars.spec).err().unwrap_or_default();
        found
            .iter()
            .map(|mistake| format!("{} {}", mistake.title, mistake.help.clone().unwrap_or_default()))
            .collect::<String>()
    };
    assert!(mistakes("check = \"outlier\"\nwindow = 20").contains("`window` is 20, and must be an odd number"));
    assert!(mistakes("check = \"outlier\"\nwindow = 20").contains("use 19 or 21"));
    assert!(mistakes("check = \"outlier\"\nwindow = 1").contains("out of range"));
    assert!(mistakes("check = \"outlier\"\nfield = \"clsoe\"").contains("do not have"));
    for (method, foreign) in
        [("nearest", "gamma"), ("hampel", "trim"), ("brownlees-gallo", "floor"), ("brownlees-gallo", "tick")]
    {
        let found = mistakes(&format!("check = \"outlier\"\nmethod = \"{method}\"\n{foreign} = 0.1"));
        assert!(found.contains(&format!("`{foreign}`")), "{method} {foreign}: {found}");
    }
    assert_eq!(mistakes("check = \"outlier\"\nwindow = 3\nlimit = 3\nfloor = 0.01\ntick = 0.01\nedges = \"skip\""), "");
}

/// What the rule says, worked out by sorting and without any short cut.
#[derive(Debug)]
struct Oracle {
    method: &'static str,
    log: bool,
    half: usize,
    whole: bool,
    limit: f64,
    floor: f64,
    tick: f64,
    trim: f64,
    gamma: f64,
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let values = sorted(values);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

impl Oracle {
    /// Centre, reach; none where undecided; the value passes if it is within reach.
    fn band(&self, value: f64, left: &[f64], right: &[f64]) -> Option<(f64, f64)> {
        if self.method == "brownlees-gallo" {
            return self.trimmed(left, right);
        }
        let others: Vec<f64> = left.iter().chain(right).copied().collect();
        let (centre, deviation) = if self.method == "hampel" {
            let window: Vec<f64> = others.iter().copied().chain([value]).collect();
            let centre = median(window.iter().copied());
            (centre, median(window.iter().map(|v| (v - centre).abs())))
        } else {
            let medians = [median(others), median(left.iter().copied()), median(right.iter().copied())];
            let nearest = medians.into_iter().filter(|m| !m.is_nan());
            let centre = nearest.reduce(|a, b| if (value - b).abs() < (value - a).abs() { b } else { a })?;
            let left = left.iter().map(|v| (v - medians[1]).abs());
            (centre, median(left.chain(right.iter().map(|v| (v - medians[2]).abs()))))
        };
        let floor = match self.log {
            true => self.floor.max(if self.tick > 0.0 { self.tick / centre.exp() } else { 0.0 }),
            false => (self.floor * centre.abs()).max(self.tick),
        };
        Some((centre, self.limit * (1.4826 * deviation).max(floor)))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    fn trimmed(&self, left: &[f64], right: &[f64]) -> Option<(f64, f64)> {
        let others = sorted(left.iter().chain(right).copied());
        let cut = (self.trim * others.len() as f64 / 2.0).floor() as usize;
        let kept = others.get(cut..others.len() - cut).filter(|kept| kept.len() > 1)?;
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        let sd = (kept.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (kept.len() - 1) as f64).sqrt();
        Some((mean, self.limit * sd + self.gamma)).filter(|(mean, reach)| mean.is_finite() && reach.is_finite())
    }

    /// Rows flagged with their scores, rows evaluated, rows undecided.
    fn run(&self, values: &[Option<f64>]) -> (Vec<(usize, f64)>, u64, u64) {
        let usable = |v: &f64| v.is_finite() && (!self.log || *v > 0.0);
        let scaled = |v: f64| if self.log { v.ln() } else { v };
        let points: Vec<(usize, f64)> =
            values.iter().enumerate().filter_map(|(row, v)| Some((row, scaled(v.filter(usable)?)))).collect();
        let (mut flagged, mut evaluated, mut undecided) = (Vec::new(), 0, 0);
        for &(row, value) in &points {
            let mut left: Vec<f64> = points.iter().filter(|(at, _)| *at < row).map(|(_, v)| *v).collect();
            let mut right: Vec<f64> = points.iter().filter(|(at, _)| *at > row).map(|(_, v)| *v).collect();
            let (had_left, had_right) = (left.len().min(self.half), right.len().min(self.half));
            let slides = self.method == "brownlees-gallo";
            let keep_left = if slides { 2 * self.half - had_right } else { self.half };
            let keep_right = if slides { 2 * self.half - had_left } else { self.half };
            left.drain(..left.len().saturating_sub(keep_left));
            right.truncate(keep_right);
            let full = had_left == self.half && had_right == self.half;
            let enough = if self.whole { full } else { had_left + had_right >= self.half };
            let band = enough.then(|| self.band(value, &left, &right)).flatten();
            let Some((centre, reach)) = band else {
                undecided += 1;
                continue;
            };
            let distance = (value - centre).abs();
            let first = self.method == "nearest" && left.is_empty();
            let newest = self.method == "nearest" && !left.is_empty() && right.is_empty();
            let reach_of_newest = if newest { 3.0 * reach } else { reach };
            let at_the_last = newest && left.last().is_some_and(|last| (value - last).abs() <= reach);
            let of_a_split = newest && self.log && crate::checks::jump::is_split(value - centre);
            // The paper keeps what is nearer than the reach, the medians keep what is at it.
            match distance < reach || (distance == reach && !(slides && reach > 0.0)) {
                true => evaluated += 1,
                false
                    if reach == 0.0 || first || distance <= reach_of_newest && newest || at_the_last || of_a_split =>
                {
                    undecided += 1;
                }
                false => {
                    evaluated += 1;
                    flagged.push((row, (distance / reach_of_newest * self.limit).min(f64::MAX)));
                }
            }
        }
        (flagged, evaluated, undecided)
    }
}

fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![
        12 => (0..40_i32).prop_map(|step| Some(100.0 + f64::from(step) * 0.01)),
        6 => (90.0..110.0_f64).prop_map(Some),
        3 => (-50.0..1500.0_f64).prop_map(Some),
        1 => Just(None),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(0.0), Just(-0.0)].prop_map(Some),
    ];
    // One extreme at most: among several alike, the sums of the oracle overflow where the check needs none.
    let extreme = prop_oneof![Just(f64::MAX), Just(f64::MIN), Just(1e-200), Just(1e200)];
    // Few levels: values at the very reach, which thousands of levels hardly ever give.
    let level = (0..3_i32).prop_map(|step| Some(100.0 + f64::from(step) * 0.05));
    let values = prop_oneof![4 => prop::collection::vec(value, 0..60), 1 => prop::collection::vec(level, 0..20)];
    (values, prop::option::of((0..60_usize, extreme))).prop_map(|(mut values, extreme)| {
        if let Some((row, extreme)) = extreme
            && let Some(value) = values.get_mut(row)
        {
            *value = Some(extreme);
        }
        values
    })
}

fn oracle() -> impl Strategy<Value = Oracle> {
    let method = prop_oneof![Just("nearest"), Just("hampel"), Just("brownlees-gallo")];
    let sizes = (
        prop_oneof![Just(1_usize), Just(2), Just(3), Just(10)],
        prop_oneof![Just(0.5), Just(1.5), Just(3.0), Just(8.0)],
    );
    let floors = (prop_oneof![Just(0.0), Just(0.0001), Just(0.005)], prop_oneof![Just(0.0), Just(0.013)]);
    let trims = (prop_oneof![Just(0.0), Just(0.1), Just(0.5), Just(0.9)], prop_oneof![Just(0.0), Just(0.0137)]);
    (method, any::<bool>(), any::<bool>(), sizes, floors, trims).prop_map(
        |(method, log, whole, (half, limit), (floor, tick), (trim, gamma))| Oracle {
            method,
            log,
            half,
            whole,
            limit,
            floor,
            tick,
            trim,
            gamma,
        },
    )
}

impl Oracle {
    fn rule(&self) -> String {
        let scale = if self.log { "log" } else { "linear" };
        let edges = if self.whole { "skip" } else { "shrink" };
        let own = match self.method {
            "brownlees-gallo" => format!("trim = {:?}\ngamma = {:?}", self.trim, self.gamma),
            _ => format!("floor = {:?}\ntick = {:?}", self.floor, self.tick),
        };
        let (window, limit) = (2 * self.half + 1, self.limit);
        format!(
            "check = \"outlier\"\nmethod = \"{}\"\nscale = \"{scale}\"\nedges = \"{edges}\"\nwindow = {window}\nlimit = {limit:?}\n{own}",
            self.method
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_method_agrees_with_plain_sorting(
        values in values(),
        oracle in oracle(),
    ) {
        // Of prices, moves by one step are left out; see below.
        let rule = format!("{}\nfield = \"ratio\"", oracle.rule());
        let evaluated = Fixture::column("ratio", &values).evaluate(&rule);
        let found: Vec<(usize, f64)> =
            rows(&evaluated).into_iter().zip(evaluated.findings.iter().map(|f| f.score.unwrap_or(f64::NAN))).collect();
        let (flagged, decided, undecided) = oracle.run(&values);
        prop_assert_eq!(found, flagged, "{}", oracle.rule());
        prop_assert_eq!((evaluated.totals.evaluated, evaluated.totals.insufficient), (decided, undecided));
        for finding in &evaluated.findings {
            let observed = finding.observed.unwrap_or(f64::NAN);
            let inside = finding.expected_lo.is_none_or(|lo| observed >= lo) && finding.expected_hi.is_none_or(|hi| observed <= hi);
            prop_assert!(!inside, "{:?}", finding);
        }
    }
}
