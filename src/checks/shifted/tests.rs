use proptest::prelude::*;

use super::stretch::{scaled, stretches};
use crate::checks::testing::{Evaluated, evaluated_example, run_examples};

/// Moves of the market that repeat themselves at no small shift.
const MOVES: [f64; 17] = [
    0.01, -0.012, 0.008, 0.015, -0.02, 0.011, -0.009, 0.013, -0.016, 0.007, 0.012, -0.014, 0.018, -0.011, 0.009,
    -0.013, 0.014,
];

/// Series A to D over `days`; the bars `late` of A show what the market did `by` days before.
fn evaluated(rule: &str, days: usize, late: std::ops::Range<usize>, by: usize) -> Evaluated {
    let mut csv = String::from("time,symbol,close\n");
    for (symbol, own) in [("A", 1.0), ("B", 0.9), ("C", 1.1), ("D", 1.2)] {
        let mut close: f64 = 100.0;
        for day in 0..days {
            let shown = if symbol == "A" && late.contains(&day) { day - by } else { day };
            close *= (own * MOVES[shown % MOVES.len()]).exp();
            let date = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(day as u64);
            csv += &format!("{date},{symbol},{close}\n");
        }
    }
    evaluated_example("", &csv, &format!("check = \"shifted\"\n{rule}"))
}

#[test]
fn the_examples_of_the_document() {
    run_examples("shifted", include_str!("../shifted.md"));
    run_examples("shifted", include_str!("../shifted_examples.md"));
}

#[test]
fn a_stretch_that_is_late_is_one_finding_with_the_shift_and_both_correlations() {
    let found = evaluated("", 120, 20..45, 1);
    assert_eq!(found.lines, ["A 2024-01-22 .. 2024-02-13 close bars=23 cause=late"], "to a bar or two");
    let evidence = found.findings[0].evidence.clone().unwrap();
    assert_eq!(evidence["shift"], 1);
    assert!(evidence["shifted"].as_f64().unwrap() > 0.99, "{evidence}");
    assert_eq!((found.totals.evaluated, found.totals.insufficient), (476, 4));
    assert_eq!(evaluated("", 120, 20..45, 2).findings[0].evidence.clone().unwrap()["shift"], 2);
    assert_eq!(evaluated("bars = 1", 120, 20..45, 2).lines.len(), 0, "it is not looked for");
}

#[test]
fn series_that_stand_right_and_short_stretches_are_no_finding() {
    assert_eq!(evaluated("", 60, 0..0, 1).lines.len(), 0);
    assert_eq!(evaluated("", 60, 20..24, 1).lines.len(), 0);
}

#[test]
fn fewer_others_than_asked_for_give_no_verdict() {
    let found = evaluated("series = 4", 60, 20..45, 1);
    assert_eq!((found.lines.len(), found.totals.evaluated, found.totals.insufficient), (0, 0, 240));
}

proptest! {
    /// A series that follows the market as it stands, by any share, is not shifted.
    #[test]
    fn noise_is_not_shifted(share in 0.0..1.0_f64, pairs in prop::collection::vec((-3.0..3.0_f64, -3.0..3.0_f64), 40..400)) {
        let market: Vec<f64> = pairs.iter().map(|(market, _)| *market).collect();
        let own: Vec<f64> = pairs.iter().map(|(market, noise)| share * market + (1.0 - share) * noise).collect();
        let rows: Vec<usize> = (0..pairs.len()).collect();
        let (own, market) = (scaled(&own, &rows), scaled(&market, &rows));
        prop_assert_eq!(stretches(&own, &market, 2, 20.0).unwrap_or_default(), []);
    }
}
