//! Three years of two shares with 68 faults put in: each is found by the rule that is for it, and what else is found has
//! a reason.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{Project, json, larger_data};
use crate::support::Finding;

/// A finding as far as it is compared: rule and cause, symbol, and timestamp or the text in its place.
type Found = (String, String, String);

fn found(what: &str, symbol: &str, at: &str) -> Found {
    (what.to_owned(), symbol.to_owned(), at.to_owned())
}

/// Which finding a fault is found by; a function of the fault, as the truth file has it.
type By = fn(&Value) -> (&'static str, String);

fn date(fault: &Value) -> String {
    fault["trade_date"].as_str().unwrap().to_owned()
}

/// The classes of faults, each with the rule and cause that find it.
const CLASSES: [(&str, By); 18] = [
    ("high_below_close", |fault| ("ohlc high-below", date(fault))),
    ("low_above_open", |fault| ("ohlc low-above", date(fault))),
    ("high_low_swapped", |fault| ("ohlc swapped-high-low", date(fault))),
    ("negative_volume", |fault| ("ohlc negative-volume", date(fault))),
    ("zero_close", |fault| ("ohlc non-positive", date(fault))),
    ("zero_volume", |fault| ("zero-volume price-moved", date(fault))),
    ("null_close", |fault| ("required null", date(fault))),
    ("spike_then_reversal_close", |fault| ("small-spike reversal", date(fault))),
    ("decimal_shift_all_prices", |fault| ("price-spike reversal", date(fault))),
    // The first bar of a run is the true one; the run is found from the first that repeats it.
    ("stale_run_start", |fault| {
        ("stale same-bar", if fault["trade_date"] == "2004-03-29" { "2004-03-30" } else { "2002-08-23" }.into())
    }),
    ("dropped_session", |fault| ("gap unexplained", date(fault))),
    ("dropped_block_start", |fault| ("gap unexplained", date(fault))),
    ("exact_duplicate", |fault| ("duplicate identical", date(fault))),
    ("conflicting_duplicate", |fault| ("duplicate conflicting", date(fault))),
    ("compact_date_format", |fault| ("date-format not-a-format", date(fault).replace('-', ""))),
    ("dd/mm/yyyy_date_format", |fault| ("date-format not-a-format", day_first(&date(fault)))),
    ("weekend_row_added", |fault| ("off-calendar not-a-session", fault["added"].as_str().unwrap().to_owned())),
    ("swapped_with_next_row", |fault| ("order earlier-than-previous", date(fault))),
];

fn day_first(date: &str) -> String {
    date.split('-').rev().collect::<Vec<_>>().join("/")
}

/// What is found besides, and why.
const BESIDES: [(&str, &str, &[&str], &str); 13] = [
    (
        "duplicate-copy identical",
        "IBM",
        &["2002-12-24", "2003-05-19", "2003-07-18", "2004-01-28"],
        "the exact duplicates again, by the rule that moves them",
    ),
    (
        "outlier unit-slip",
        "IBM",
        &["2002-03-22", "2004-07-14"],
        "prices shifted by two decimals are far from both sides",
    ),
    ("outlier unit-slip", "AAPL", &["2003-02-06"], "prices shifted by two decimals are far from both sides"),
    ("unit-slip comes-back", "IBM", &["2002-03-22", "2004-07-14"], "prices shifted by two decimals, by their unit"),
    ("unit-slip comes-back", "AAPL", &["2003-02-06"], "prices shifted by two decimals, by their unit"),
    ("small-spike reversal", "IBM", &["2002-03-22", "2004-07-14"], "prices shifted by two decimals come back"),
    ("small-spike reversal", "AAPL", &["2003-02-06"], "prices shifted by two decimals come back"),
    ("price-spike reversal", "IBM", &["2003-10-02", "2003-11-12"], "spikes large enough for the rules that ship"),
    ("price-spike reversal", "AAPL", &["2004-06-17"], "a spike large enough for the rules that ship"),
    ("outlier blip", "IBM", &["2003-10-02", "2003-11-12"], "spikes large enough for the rules that ship"),
    ("outlier blip", "AAPL", &["2004-06-17"], "a spike large enough for the rules that ship"),
    (
        "duplicate conflicting",
        "AAPL",
        &["2002-11-07", "2004-10-04"],
        "which copy is right is not known: both are reported",
    ),
    ("duplicate conflicting", "IBM", &["2003-08-12"], "which copy is right is not known: both are reported"),
];

/// Bars that are there under a date nobody can read: their days are gaps.
const UNREADABLE: [(&str, &str); 5] = [
    ("AAPL", "2003-05-09"),
    ("AAPL", "2003-12-17"),
    ("IBM", "2002-07-05"),
    ("IBM", "2002-08-06"),
    ("IBM", "2003-03-06"),
];

fn findings(data: &Path) -> Vec<Finding> {
    let project = Project::new(Some(data));
    let both = [("rules = [", "rules = [\"../../rules/injected.toml\", ")];
    project.change("jobs/examples/injected-us.toml", "jobs/examples/both.toml", &both);
    let (run, findings) = project.check("jobs/examples/both.toml");
    assert_eq!(run.count("/rows/read"), json(&truth(data))["file_rows"].as_u64().unwrap());
    findings
}

fn truth(data: &Path) -> std::path::PathBuf {
    data.join("injected_us_daily.truth.json")
}

fn as_found(finding: &Finding) -> Found {
    let what = format!("{} {}", finding.rule_id, finding.cause.as_deref().unwrap_or("-"));
    found(&what, &finding.series, finding.key())
}

/// The findings that the faults are found by, class by class.
fn wanted(data: &Path) -> Vec<(&'static str, Found)> {
    let truth = json(&truth(data));
    let faults = truth["truth"].as_object().unwrap();
    let classes: BTreeSet<&str> = faults.keys().map(String::as_str).collect();
    assert_eq!(classes, CLASSES.iter().map(|(class, _)| *class).collect(), "a rule for every class");
    let of_class = |(class, by): &(&'static str, By)| {
        let faults = faults[*class].as_array().unwrap();
        assert_eq!(Some(faults.len() as u64), truth["counts"][*class].as_u64(), "{class}");
        let one = |fault: &Value| {
            let (what, at) = by(fault);
            (*class, found(what, fault["symbol"].as_str().unwrap(), &at))
        };
        faults.iter().map(one).collect::<Vec<_>>()
    };
    CLASSES.iter().flat_map(of_class).collect()
}

/// Faults of a class, and how many of them were found.
pub(crate) struct ByClass {
    pub(crate) class: &'static str,
    pub(crate) injected: usize,
    /// By the rule that is for them, of those that ship and that of `injected.toml`.
    pub(crate) found: usize,
    /// By any rule that ships.
    pub(crate) shipped: usize,
}

/// What is found of each class, in the order of the classes.
pub(crate) fn by_class(data: &Path) -> Vec<ByClass> {
    let all = findings(data);
    let by_rule: BTreeSet<Found> = all.iter().map(as_found).collect();
    let shipped = all.iter().filter(|finding| finding.rule_id != "small-spike");
    let shipped: BTreeSet<(&str, &str)> = shipped.map(|finding| (finding.series.as_str(), finding.key())).collect();
    let mut classes: Vec<ByClass> = Vec::new();
    for (class, fault) in wanted(data) {
        if classes.last().is_none_or(|last| last.class != class) {
            classes.push(ByClass { class, injected: 0, found: 0, shipped: 0 });
        }
        if let Some(of) = classes.last_mut() {
            of.injected += 1;
            of.found += usize::from(by_rule.contains(&fault));
            of.shipped += usize::from(shipped.contains(&(fault.1.as_str(), fault.2.as_str())));
        }
    }
    classes
}

#[test]
fn every_fault_is_found_and_every_other_finding_has_a_reason() {
    let Some(data) = larger_data("injected faults") else { return };
    let findings = findings(&data);
    // The real file has wrong highs and lows of its own, which `accuracy` counts; spikes stick out of their bars too.
    let others = findings.iter().filter(|finding| finding.rule_id != "bar-excess");
    let mut open: Vec<Found> = others.map(as_found).collect();
    let mut lost = Vec::new();
    for (class, fault) in wanted(&data) {
        match open.iter().position(|found| *found == fault) {
            Some(position) => drop(open.swap_remove(position)),
            None => lost.push((class, fault)),
        }
    }
    assert!(lost.is_empty(), "faults that were not found: {lost:#?}");
    let besides = BESIDES.iter().flat_map(|(what, symbol, at, _)| at.iter().map(|at| found(what, symbol, at)));
    let gaps = UNREADABLE.iter().map(|(symbol, at)| found("gap unexplained", symbol, at));
    let mut besides: Vec<Found> = besides.chain(gaps).collect();
    besides.sort();
    open.sort();
    assert_eq!(open, besides);
}

#[test]
fn runs_are_one_finding_with_their_length() {
    let Some(data) = larger_data("injected runs") else { return };
    let findings = findings(&data);
    let truth = json(&truth(&data));
    let block = &truth["truth"]["dropped_block_start"][0];
    let gap = findings.iter().find(|f| f.rule_id == "gap" && f.at() == block["trade_date"].as_str()).unwrap();
    assert_eq!(Some(gap.bars_affected), block["sessions"].as_u64());
    for run in truth["truth"]["stale_run_start"].as_array().unwrap() {
        let same = |finding: &&Finding| finding.rule_id == "stale" && finding.evidence()["length"] == run["bars"];
        let found =
            findings.iter().filter(same).find(|f| f.evidence()["since"].as_str().unwrap().starts_with(&date(run)));
        let found = found.unwrap_or_else(|| panic!("no run since {}", date(run)));
        assert_eq!(Some(found.bars_affected + 1), run["bars"].as_u64(), "the first bar is the true one");
    }
}
