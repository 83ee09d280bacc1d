//! Real splits and moves that are none, and the ends of a series.

use proptest::prelude::*;

use super::Rule;
use crate::checks::jump::Levels;
use crate::checks::testing::{Evaluated, Fixture};

const RULE: &str = "check = \"split\"\n";

/// Bars with small moves around `level`, open and close alike, with this volume.
fn quiet(level: f64, bars: usize, volume: f64) -> Vec<[f64; 3]> {
    let close = |bar: usize| level * (1.0 + 0.008 * [0.0, 1.0, -1.0, 0.5, -0.5][bar % 5]);
    (0..bars)
        .map(|bar| [if bar == 0 { level } else { close(bar - 1) }, close(bar), volume * (1.0 + 0.1 * (bar % 3) as f64)])
        .collect()
}

fn evaluate(bars: &[[f64; 3]]) -> Evaluated {
    fixture(bars).evaluate(RULE)
}

fn fixture(bars: &[[f64; 3]]) -> Fixture {
    let mut csv = String::from("time,open,close,volume\n");
    for (day, [open, close, volume]) in bars.iter().enumerate() {
        let date = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(day as u64);
        csv += &format!("{date},{open},{close},{volume}\n");
    }
    Fixture::daily(&csv)
}

fn causes(bars: &[[f64; 3]]) -> Vec<(usize, &'static str)> {
    let found = evaluate(bars).findings;
    found.iter().map(|finding| (finding.rows.as_ref().unwrap().start, finding.cause.unwrap())).collect()
}

/// Thirty quiet bars, then thirty at `factor` times their level with `volume` times their volume.
fn step(factor: f64, volume: f64) -> Vec<[f64; 3]> {
    [quiet(100.0, 30, 1e6), quiet(100.0 * factor, 30, 1e6 * volume)].concat()
}

#[test]
fn splits_of_every_kind_are_named_with_their_ratio() {
    for (factor, volume, name) in [
        (0.5, 2.0, "2:1"),
        (1.0 / 7.0, 7.0, "7:1"),
        (0.05, 20.0, "20:1"),
        (2.0 / 3.0, 1.5, "3:2"),
        (10.0, 0.1, "1:10"),
        (0.1, 10.0, "10:1"),
        (100.0, 0.01, "1:100"),
        (10.0 / 13.0, 1.3, "13:10"),
        (0.8, 1.25, "5:4"),
    ] {
        let evaluated = evaluate(&step(factor, volume));
        assert_eq!(evaluated.lines.len(), 1, "{name}: {:?}", evaluated.lines);
        let finding = &evaluated.findings[0];
        let evidence = finding.evidence.as_ref().unwrap();
        assert_eq!((finding.cause, evidence["split"].as_str()), (Some("split"), Some(name)));
        assert!((evidence["proposed"]["prices_before"].as_f64().unwrap() - factor).abs() < 1e-9, "{evidence}");
        assert!(finding.report_only && finding.rows == Some(30..31));
    }
}

#[test]
fn the_same_steps_with_the_trading_of_news_are_moves() {
    // Half the price on ten times the value, as Apple on 2000-09-29; a seventh more on five times the value.
    for (factor, volume) in [(0.5257, 20.0), (1.15, 5.0), (0.85, 6.0)] {
        let mut bars = step(factor, 1.0);
        bars[30][2] *= volume;
        assert_eq!(causes(&bars), [], "{factor}");
    }
}

#[test]
fn a_seam_is_found_by_what_was_not_traded() {
    assert_eq!(causes(&step(0.87, 1.0)), [(30, "level-shift")]);
    assert_eq!(causes(&step(1.25, 1.0)), [(30, "level-shift")], "a fifth more with the same volume is a split no more");
    assert_eq!(causes(&step(0.97, 1.0)), [], "a step of 3 % is below the floor");
    assert_eq!(causes(&step(4.3, 60.0)), [(30, "other-company")]);
}

#[test]
fn a_level_that_comes_back_is_left_to_other_checks() {
    let mut bars = step(1.0, 1.0);
    bars[30] = [50.0, 50.2, 2e6];
    assert_eq!(causes(&bars), []);
}

#[test]
fn units_are_left_to_unit_slip() {
    assert_eq!(causes(&step(100.0, 1.0)), []);
    assert_eq!(causes(&step(0.01, 1.0)), []);
}

#[test]
fn the_newest_bar_is_provisional() {
    let bars = &step(0.5, 2.0)[..31];
    let evaluated = evaluate(bars);
    assert_eq!(evaluated.lines.len(), 1);
    assert_eq!(evaluated.findings[0].evidence.as_ref().unwrap()["provisional"], true);
}

#[test]
fn a_price_of_a_few_steps_makes_no_split() {
    let step = 1e-8;
    let mut bars = vec![[3.0 * step, 3.0 * step, 5.0]; 25];
    bars[4] = [2.0 * step, 2.0 * step, 5.0];
    bars.extend(vec![[2.0 * step, 2.0 * step, 7.5]; 25]);
    assert_eq!(causes(&bars), [], "from three units to two is one step");
}

#[test]
fn a_break_is_excused_and_few_bars_are_insufficient() {
    let mut csv = String::from("time,open,close\n");
    for (day, [open, close, _]) in step(0.5, 1.0).iter().enumerate() {
        let later = if day >= 30 { 40 } else { 0 };
        let date = chrono::NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new((day + later) as u64);
        csv += &format!("{date},{open},{close}\n");
    }
    let broken = Fixture::daily(&csv).evaluate(RULE);
    assert_eq!((broken.lines.len(), broken.totals.excused, broken.totals.evaluated), (0, 1, 58));
    let few = evaluate(&step(0.5, 2.0)[25..35]);
    assert_eq!((few.lines.len(), few.totals.insufficient, few.totals.evaluated), (0, 2, 8));
    assert_eq!(evaluate(&[]).totals.insufficient, 0);
}

/// Prices that wander, some of them by leaps, with volumes; some closes, opens and volumes are not usable.
fn wandering() -> impl Strategy<Value = Vec<[f64; 3]>> {
    let step = prop_oneof![8 => -0.03..0.03_f64, 2 => -0.2..0.2_f64, 1 => (0..4_usize).prop_map(|at| [-0.7, 0.7, -2.3, 0.05][at])];
    let bar = (step, -0.02..0.02_f64, 1.0..1e4_f64, 0..40_u8);
    prop::collection::vec(bar, 0..150).prop_map(|bars| {
        let mut level = 100.0;
        let mut bar = |(step, inside, volume, fault): (f64, f64, f64, u8)| {
            let open = level * f64::exp(step);
            level = open * f64::exp(inside);
            match fault {
                0 => [0.0, level, volume],
                1 => [open, level, 0.0],
                2 => [open, f64::NAN, volume],
                3 => [open, -1.0, volume],
                _ => [open, level, volume],
            }
        };
        bars.into_iter().map(&mut bar).collect()
    })
}

proptest! {
    /// By a plain reading of the rule, which works out everything of every bar that steps by more than the floor.
    #[test]
    fn what_is_not_worked_out_changes_no_verdict(bars in wandering(), floor in 0.001..0.2_f64, limit in 1.0..12.0_f64) {
        let bars = fixture(&bars);
        let index = |name: &str| bars.spec.field(name).map(|(index, _)| index);
        let (open, close, volume) = (index("open"), index("close").unwrap(), index("volume"));
        let rule = Rule { open, close, volume, name: "open".into(), floor, limit, step_us: crate::bars::DAY_US };
        let (plain, undecided) = bars.with_series(|series| {
            let levels = Levels::collect(series, open, close, volume);
            let (mut found, mut undecided) = (Vec::new(), u64::from(levels.len() > 0));
            for at in 1..levels.len() {
                let ratio = levels.open[at] / levels.close[at - 1];
                if ratio < floor.exp() && ratio > (-floor).exp() {
                    continue;
                }
                match levels.jump(at, &mut Vec::new()) {
                    None => undecided += 1,
                    Some(jump) => found.extend(rule.finding(&levels, &jump)),
                }
            }
            (found, undecided)
        });
        let evaluated = bars.evaluate(&format!("{RULE}floor = {floor:?}\nlimit = {limit:?}"));
        prop_assert_eq!(evaluated.totals.insufficient, undecided);
        prop_assert_eq!(evaluated.findings, plain);
    }
}
