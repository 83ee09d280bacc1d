//! That the generator does what it says: on literal bars.

use std::collections::BTreeSet;

use super::bars::{Bars, Row, Series};
use super::base::{CN_DAILY, US_DAILY};
use super::cut::{Fault, Touched};
use super::inject::inject;
use super::kinds::kinds;
use super::measure::{finds, touches};
use crate::support::Finding;

/// Two shares of 900 days, one of them twice as dear.
fn bars() -> Bars {
    let row = |day: i64, factor: i64| Row {
        at: day * 86_400,
        time: US_DAILY.clock.text(day * 86_400),
        prices: [10, 12, 9, 11].map(|price| format!("{}.{:02}", price * factor, day % 50)),
        volume: (1000 + day).to_string(),
        others: Vec::new(),
        fault: None,
    };
    let series = |symbol: &str, factor| Series {
        symbol: symbol.to_owned(),
        rows: (11_000..11_900).map(|day| row(day, factor)).collect(),
    };
    Bars { series: vec![series("A", 1), series("B", 2)] }
}

/// The lines of the file, without the header.
fn lines(bars: &Bars) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.csv");
    bars.write(&US_DAILY, &path);
    std::fs::read_to_string(path).unwrap().lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn there_are_many_kinds_and_each_has_its_name_and_a_line_about_it() {
    let kinds = kinds();
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds.len(), "two kinds of one name");
    assert!(kinds.len() >= 40, "{}", kinds.len());
    assert!(kinds.iter().all(|kind| !kind.what.is_empty() && !kind.bases.is_empty()));
}

#[test]
fn a_wrong_low_changes_the_lines_it_names_and_no_other() {
    let (clean, kinds) = (bars(), kinds());
    let kind = kinds.iter().find(|kind| kind.name == "low-30").unwrap();
    let injected = inject(kind, &US_DAILY, (&clean, &BTreeSet::new()), "a seed");
    let (before, after) = (lines(&clean), lines(&injected.bars));
    let changed: BTreeSet<usize> = (0..before.len()).filter(|line| before[*line] != after[*line]).collect();
    let named: BTreeSet<usize> = injected.faults.iter().flat_map(|fault| &fault.lines).map(|line| line - 2).collect();
    assert_eq!((changed.len(), before.len()), (4, after.len()), "two in each series");
    assert_eq!(changed, named);
    for line in changed {
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let (before, after) = (cells(&before[line]), cells(&after[line]));
        let low: f64 = before[4].parse().unwrap();
        assert_eq!(after[4], format!("{:.2}", low * 0.7));
        assert_eq!((&before[..4], &before[5..]), (&after[..4], &after[5..]));
    }
}

#[test]
fn a_seed_gives_the_same_faults_again_and_another_seed_other_ones() {
    let (clean, kinds) = (bars(), kinds());
    let at = |seed: &str| -> Vec<Vec<i64>> {
        let kinds = kinds.iter().filter(|kind| kind.bases[0].name == US_DAILY.name);
        let of_kind = |kind| {
            inject(kind, &US_DAILY, (&clean, &BTreeSet::new()), seed).faults.iter().map(|f| f.touched.seam.0).collect()
        };
        kinds.map(of_kind).collect()
    };
    assert_eq!(at("reporting"), at("reporting"));
    assert_ne!(at("reporting"), at("tuning"));
}

#[test]
fn a_dropped_day_is_dropped_and_a_repeated_one_stands_there_twice() {
    let (clean, kinds) = (bars(), kinds());
    let injected = |name: &str| {
        let kind = kinds.iter().find(|kind| kind.name == name).unwrap();
        inject(kind, &CN_DAILY, (&clean, &BTreeSet::new()), "a seed")
    };
    let (dropped, twice) = (injected("dropped"), injected("twice"));
    let length = |bars: &Bars| bars.series.iter().map(|series| series.rows.len()).sum::<usize>();
    assert_eq!(dropped.faults.len(), 12, "one in each 140 bars");
    assert_eq!((length(&dropped.bars), length(&twice.bars)), (1800 - 12, 1800 + 12));
    for fault in &dropped.faults {
        let series = dropped.bars.series.iter().find(|series| series.symbol == fault.symbol).unwrap();
        assert!(series.rows.iter().all(|row| row.at != fault.touched.seam.0));
    }
}

/// A finding at these dates, in line 7.
fn finding(series: &str, time: Option<&str>, until: Option<&str>) -> Finding {
    let instant = |date: &str| format!("{date}T00:00:00Z");
    serde_json::from_value(serde_json::json!({
        "run_id": "", "finding_id": "", "rule_id": "r", "check": "c", "severity": "warn", "action": "report",
        "series": series, "time": time.map(instant), "time_until": until.map(instant), "locator": "bars.csv:7",
        "bars_affected": 1,
    }))
    .unwrap()
}

#[test]
fn a_lasting_fault_is_found_at_its_seam_and_a_finding_on_its_bars_is_not_false() {
    let day = |date: &str| US_DAILY.clock.seconds(date);
    let seam = (day("2004-03-04"), day("2004-03-05"));
    let touched = Touched { lasting: true, all: (seam.0, day("2004-12-31")), ..Touched::at(seam) };
    let fault = Fault { symbol: "A".to_owned(), original: None, touched, whole: false, lines: vec![7, 8, 9] };
    let at = |series: &str, time: &str, until: Option<&str>| {
        let finding = finding(series, Some(time), until);
        (finds(&finding, &fault), touches(&finding, &fault))
    };
    assert_eq!(at("A", "2004-03-05", None), (true, true));
    assert_eq!(at("A|coinbase", "2004-03-05", Some("2004-12-31")), (true, true), "it begins at the seam");
    assert_eq!(at("A", "2004-06-01", None), (false, true), "one of its bars");
    assert_eq!(at("A", "2004-01-02", Some("2005-01-03")), (false, true), "it only covers the seam");
    let other = Fault { lines: Vec::new(), ..fault.clone() };
    assert!(!touches(&finding("A", Some("2004-03-03"), None), &other), "the bar before");
    assert!(!touches(&finding("B", Some("2004-03-05"), None), &other), "another series");
}

#[test]
fn a_row_that_nobody_can_date_is_found_by_its_line() {
    let touched = Touched::at((0, 0));
    let fault = Fault { symbol: "A".to_owned(), original: None, touched, whole: false, lines: vec![7] };
    assert!(finds(&finding("A", None, None), &fault));
    assert!(!finds(&finding("A", None, None), &Fault { lines: vec![8], ..fault }));
}

#[test]
fn a_series_that_is_wrong_is_not_found_by_one_of_its_bars() {
    let day = |date: &str| US_DAILY.clock.seconds(date);
    let touched = Touched::at((day("2004-01-02"), day("2004-12-31")));
    let fault = Fault { symbol: "A".to_owned(), original: None, touched, whole: true, lines: vec![7] };
    assert!(!finds(&finding("A", Some("2004-03-05"), None), &fault));
    assert!(finds(&finding("A", Some("2004-01-02"), Some("2004-12-31")), &fault));
    let across = Finding { check: "copied-series".to_owned(), ..finding("A", Some("2004-01-02"), None) };
    assert!(finds(&across, &fault));
}
