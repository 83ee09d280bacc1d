use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::presence::{Positions, Presence};
use super::sweep::{Compared, Sweep};
use crate::checks::testing::Fixture;
use crate::checks::testing::several::evaluate;
use crate::checks::{Excused, Reason};
use crate::market::DAY_US;

/// Daily bars without a calendar, of each series the days it has.
fn csv(series: &[(&str, Vec<u32>)]) -> String {
    let mut csv = String::from("time,symbol,close\n");
    for (symbol, days) in series {
        for day in days {
            let date = chrono::NaiveDate::from_epoch_days(19_723 + i32::try_from(*day).unwrap()).unwrap();
            csv += &format!("{date},{symbol},1\n");
        }
    }
    csv
}

const RULE: &str = "check = \"alignment\"\nmin = 10";

fn all_but(days: u32, missing: &[u32]) -> Vec<u32> {
    (0..days).filter(|day| !missing.contains(day)).collect()
}

#[test]
fn series_are_evaluated_within_their_own_span() {
    let series = [
        ("A", all_but(100, &[])),
        ("B", all_but(100, &[])),
        ("EARLY", (0..40).collect()),
        ("LATE", (60..100).collect()),
    ];
    let evaluated = evaluate("", &csv(&series), RULE);
    assert_eq!(evaluated.lines, [""; 0]);
    assert_eq!((evaluated.totals.evaluated, evaluated.totals.insufficient), (280, 0));
}

#[test]
fn a_series_with_holes_of_its_own_is_one_finding() {
    let series = [("A", all_but(100, &[])), ("B", all_but(100, &[])), ("C", all_but(100, &[20, 21, 22, 50]))];
    let evaluated = evaluate("", &csv(&series), RULE);
    assert_eq!(evaluated.lines, ["C 2024-01-21 .. 2024-02-20 observed=0.04 bars=4 cause=misses"]);
    let evidence = evaluated.findings[0].evidence.clone().unwrap();
    assert_eq!((&evidence["eligible"], &evidence["runs"], &evidence["longest"]), (&json!(100), &json!(2), &json!(3)));
}

#[test]
fn what_the_source_lost_is_the_fault_of_no_series() {
    let calendar = "calendar = \"24/7\"";
    let lost: Vec<u32> = (30..40).collect();
    let series: Vec<(&str, Vec<u32>)> = ["A", "B", "C", "D"].map(|name| (name, all_but(100, &lost))).to_vec();
    let evaluated = evaluate(calendar, &csv(&series), RULE);
    assert_eq!(evaluated.lines, ["(all series) 2024-01-31 .. 2024-02-09 bars=10 cause=outage"]);
    assert_eq!(evaluate("", &csv(&series), RULE).lines, [""; 0], "no calendar says that there should be bars");
}

#[test]
fn one_day_that_all_series_lack_is_an_outage() {
    let series: Vec<(&str, Vec<u32>)> = ["A", "B", "C", "D"].map(|name| (name, all_but(60, &[30]))).to_vec();
    let evaluated = evaluate("calendar = \"24/7\"", &csv(&series), RULE);
    assert_eq!(evaluated.lines, ["(all series) 2024-01-31 .. 2024-01-31 cause=outage"]);
}

#[test]
fn timestamps_of_a_thin_market_are_no_outage() {
    // Each series has two bars of three, one after the other.
    let thin = |shift: u32| {
        (0..300).filter(|day| !(day + shift).is_multiple_of(3) && !(day * 7 + shift * 3).is_multiple_of(5)).collect()
    };
    let series: Vec<(&str, Vec<u32>)> = vec![("A", thin(0)), ("B", thin(1)), ("C", thin(2)), ("D", thin(0))];
    let evaluated = evaluate("calendar = \"24/7\"", &csv(&series), RULE);
    assert!(!evaluated.lines.iter().any(|line| line.contains("outage")), "{:?}", evaluated.lines);
}

#[test]
fn few_timestamps_and_one_series_are_insufficient() {
    let few = [("A", (0..5).collect()), ("B", (0..5).collect())];
    assert_eq!(evaluate("", &csv(&few), RULE).totals.insufficient, 10);
    let alone = [("A", (0..50).collect())];
    let evaluated = evaluate("", &csv(&alone), RULE);
    assert_eq!((evaluated.totals.evaluated, evaluated.totals.insufficient), (0, 50));
}

/// The definition, timestamp by timestamp.
fn naive(series: &[BTreeSet<i64>], own: usize) -> Compared {
    let span = |days: &BTreeSet<i64>| (*days.first().unwrap(), *days.last().unwrap());
    let mut compared = Compared::default();
    for day in span(&series[own]).0..=span(&series[own]).1 {
        let others = series
            .iter()
            .enumerate()
            .filter(|(index, days)| *index != own && span(days).0 <= day && day <= span(days).1);
        let others: Vec<bool> = others.map(|(_, days)| days.contains(&day)).collect();
        let there = others.iter().filter(|there| **there).count();
        if !others.is_empty() && 2 * there >= others.len() {
            compared.eligible += 1;
            compared.missing += u64::from(!series[own].contains(&day));
        }
    }
    compared
}

proptest! {
    #[test]
    fn the_sweep_agrees_with_the_definition(
        days in prop::collection::vec(prop::collection::btree_set(-300..900_i64, 1..200), 1..7),
    ) {
        let spec = Fixture::daily("time").spec;
        let positions = Positions::of(&spec);
        let presence = |days: &BTreeSet<i64>| {
            let times: Vec<i64> = days.iter().map(|day| day * DAY_US).collect();
            Presence::from_bytes(&Presence::new(&positions, &times).unwrap().to_bytes()).unwrap()
        };
        let series: Vec<Presence> = days.iter().map(presence).collect();
        let sweep = Sweep::new(&series);
        for index in 0..series.len() {
            let compared = sweep.compared(index);
            prop_assert_eq!(compared, naive(&days, index));
            let runs = sweep.runs(index);
            prop_assert_eq!(runs.iter().map(|run| run.2).sum::<u64>(), compared.missing);
        }
    }
}

#[test]
fn bars_that_facts_explain_are_missed_by_no_series() {
    let lost: Vec<u32> = (30..40).collect();
    let series: Vec<(&str, Vec<u32>)> = ["A", "B", "C", "D"].map(|name| (name, all_but(100, &lost))).to_vec();
    let outage = "calendar = \"24/7\"\nfacts = [\"outage 2024-01-31 2024-02-10\"]";
    let evaluated = evaluate(outage, &csv(&series), RULE);
    assert_eq!(evaluated.lines, [""; 0]);
    assert_eq!(evaluated.totals.excused_by[Reason::Outage as usize], Excused { findings: 4, bars: 40 });
    assert_eq!(evaluated.totals.evaluated, 360, "what is not there is no row");

    let series = [("A", all_but(100, &[])), ("B", all_but(100, &[])), ("C", all_but(100, &[20, 21, 22, 50]))];
    let suspended = "calendar = \"24/7\"\nfacts = [\"suspended 2024-01-21 2024-01-24\"]";
    let evaluated = evaluate(suspended, &csv(&series), "check = \"alignment\"\nmin = 10\nshare = 0.02");
    assert_eq!(evaluated.lines, [""; 0]);
    assert_eq!(evaluated.totals.excused_by[Reason::Suspended as usize], Excused { findings: 1, bars: 3 });
    let other = "calendar = \"24/7\"\nfacts = [\"suspended 2024-03-01 2024-03-04\"]";
    assert_eq!(evaluate(other, &csv(&series), "check = \"alignment\"\nmin = 10\nshare = 0.02").lines.len(), 1);
}
