//! Slips that come back and that stay, of prices and of volumes, and what is none.

use crate::checks::testing::{Evaluated, Fixture};

const RULE: &str = "check = \"unit-slip\"\n";
const VOLUME: &str = "check = \"unit-slip\"\nfield = \"volume\"\n";

/// Closes and volumes with small moves.
fn bars(count: usize) -> Vec<[f64; 2]> {
    let close = |bar: usize| 100.0 * (1.0 + 0.01 * [0.0, 1.0, -1.0, 0.5, -0.5][bar % 5]);
    (0..count).map(|bar| [close(bar), 1000.0 * (1.0 + 0.3 * (bar * 7 % 9) as f64)]).collect()
}

fn evaluate(rule: &str, bars: &[[f64; 2]]) -> Evaluated {
    let mut csv = String::from("time,close,volume\n");
    for (day, [close, volume]) in bars.iter().enumerate() {
        let date = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(day as u64);
        csv += &format!("{date},{close},{volume}\n");
    }
    Fixture::daily(&csv).evaluate(rule)
}

/// Rows, cause and factor of each finding.
fn found(rule: &str, bars: &[[f64; 2]]) -> Vec<(std::ops::Range<usize>, &'static str, f64)> {
    let findings = evaluate(rule, bars).findings;
    let factor = |evidence: &serde_json::Value| evidence["factor"].as_f64().unwrap();
    findings.into_iter().map(|f| (f.rows.unwrap(), f.cause.unwrap(), factor(&f.evidence.unwrap()))).collect()
}

fn scaled(count: usize, rows: std::ops::Range<usize>, column: usize, factor: f64) -> Vec<[f64; 2]> {
    let mut bars = bars(count);
    for bar in &mut bars[rows] {
        bar[column] *= factor;
    }
    bars
}

#[test]
fn every_factor_is_found_over_one_bar_and_over_many() {
    for factor in [10.0, 100.0, 1000.0, 1e4, 0.1, 0.01, 0.001, 1e-4] {
        for length in [1, 2, 8, 25] {
            let slipped = found(RULE, &scaled(60, 20..20 + length, 0, factor));
            assert_eq!(slipped.len(), 1, "{factor}, {length}: {slipped:?}");
            assert_eq!((&slipped[0].0, slipped[0].1), (&(20..20 + length), "comes-back"));
            assert!((slipped[0].2 / factor - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn the_value_in_line_is_proposed() {
    let evaluated = evaluate(RULE, &scaled(60, 20..21, 0, 100.0));
    let evidence = evaluated.findings[0].evidence.as_ref().unwrap();
    assert!((evidence["proposed"].as_f64().unwrap() - 100.0).abs() < 1e-9, "{evidence}");
}

#[test]
fn a_slip_over_most_of_the_series_has_a_finding_at_each_end_and_moves_nothing() {
    let evaluated = evaluate(RULE, &scaled(60, 10..50, 0, 0.01));
    let rows: Vec<_> = evaluated.findings.iter().map(|finding| finding.rows.clone().unwrap()).collect();
    assert_eq!(rows, [10..11, 50..51]);
    assert!(evaluated.findings.iter().all(|finding| finding.report_only));
}

#[test]
fn a_unit_that_changes_for_good_is_one_finding_at_the_seam() {
    assert_eq!(found(RULE, &scaled(60, 30..60, 0, 0.01)), [(30..31, "stays", 0.01)]);
    assert!(evaluate(RULE, &scaled(60, 30..60, 0, 0.01)).findings[0].report_only);
}

#[test]
fn the_newest_bars_in_another_unit_are_wrong_tonight() {
    assert_eq!(found(RULE, &scaled(60, 59..60, 0, 10.0)), [(59..60, "stays", 10.0)]);
    let newest = evaluate(RULE, &scaled(60, 59..60, 0, 10.0));
    assert_eq!(newest.findings[0].evidence.as_ref().unwrap()["provisional"], true);
    assert!(!newest.findings[0].report_only);
    assert_eq!(found(RULE, &scaled(60, 57..60, 0, 100.0)), [(57..60, "stays", 100.0)]);
}

#[test]
fn a_reverse_split_and_a_crash_are_none() {
    // Ten times the price and a tenth of the shares: the same money.
    let mut reverse = scaled(60, 30..60, 0, 10.0);
    for bar in &mut reverse[30..] {
        bar[1] /= 10.0;
    }
    assert_eq!(found(RULE, &reverse), []);
    let mut crash = scaled(60, 30..60, 0, 0.1);
    crash[30][1] *= 30.0;
    assert_eq!(found(RULE, &crash), []);
}

#[test]
fn coins_of_few_steps_and_wild_markets_are_none() {
    let step = 1e-8;
    let closes = [2.0, 1.0, 2.0, 3.0, 2.0, 1.0];
    let mut coin: Vec<[f64; 2]> = (0..40).map(|bar| [closes[bar % 6] * step, 5.0]).collect();
    coin[20][0] = 12.0 * step;
    assert_eq!(found(RULE, &coin), []);
    let wild: Vec<[f64; 2]> = (0..40).map(|bar| [if bar % 2 == 0 { 10.0 } else { 100.0 }, 5.0]).collect();
    assert_eq!(found(RULE, &wild), []);
}

#[test]
fn flat_prices_have_a_slip_all_the_same() {
    let mut flat = vec![[50.0, 5.0]; 40];
    flat[20][0] = 5000.0;
    assert_eq!(found(RULE, &flat), [(20..21, "comes-back", 100.0)]);
}

#[test]
fn volumes_in_another_unit_are_found_over_ten_bars() {
    assert_eq!(found(VOLUME, &scaled(60, 30..60, 1, 0.01)), [(30..31, "stays", 0.01)]);
    assert_eq!(found(VOLUME, &scaled(60, 20..35, 1, 1000.0)), [(20..35, "comes-back", 1000.0)]);
    assert_eq!(found(VOLUME, &scaled(60, 20..25, 1, 1000.0)), [], "five bars are too few to tell");
    assert_eq!(found(VOLUME, &bars(60)), []);
}

#[test]
fn volumes_after_a_split_are_in_their_unit() {
    let mut split = scaled(60, 30..60, 1, 10.0);
    for bar in &mut split[30..] {
        bar[0] /= 10.0;
    }
    assert_eq!(found(VOLUME, &split), []);
}

#[test]
fn few_bars_are_insufficient() {
    let few = evaluate(RULE, &scaled(12, 6..12, 0, 100.0));
    assert_eq!((few.lines.len(), few.totals.insufficient, few.totals.evaluated), (0, 2, 10));
    let few = evaluate(VOLUME, &bars(19));
    assert_eq!((few.totals.insufficient, few.totals.evaluated), (19, 0));
}
