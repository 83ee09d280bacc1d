//! Prints that a second vendor contradicts: how many of them rules flag, and which other bars.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::data::{Project, json};

/// The shares that both vendors have.
const SYMBOLS: [&str; 3] = ["AAPL", "GOOG", "IBM"];

/// Limits of `bar-excess` that are compared: from one that flags much to one that only flags what may leave.
const LIMITS: [&str; 8] = ["0.8", "1.0", "1.1", "1.2", "1.3", "1.5", "2.0", "3.0"];

/// A rule for each limit and one beside the other series, in the text of a rule file.
pub(super) fn limits() -> String {
    let rule = |limit: &str| {
        let id = limit.replace('.', "-");
        format!("[[rule]]\nid = \"limit-{id}\"\ncheck = \"bar-excess\"\nlimit = {limit}\nmost = 1.0\n\n")
    };
    let beside = "[[rule]]\nid = \"limit-1-2-peers\"\ncheck = \"bar-excess\"\nlimit = 1.2\nmost = 1.0\npeers = true\n";
    LIMITS.map(rule).concat() + beside
}

/// A bar: symbol and date.
type Bar = (String, String);

/// What a second vendor says of the bars of `us_equity_daily.csv`.
struct Second {
    /// The log ratio by which it contradicts a high or a low; the larger one of both.
    wicks: BTreeMap<Bar, f64>,
    opens: BTreeSet<Bar>,
    /// Bars that are neither right nor wrong.
    between: BTreeSet<Bar>,
}

impl Second {
    fn read(data: &Path) -> Self {
        let file = json(&data.join("us_equity_daily.bad_prints.json"));
        let bar = |row: &serde_json::Value| -> Bar {
            (row[0].as_str().unwrap().to_owned(), row[1].as_str().unwrap().to_owned())
        };
        let rows = |name: &str| file[name].as_array().unwrap().iter();
        let mut second =
            Self { wicks: BTreeMap::new(), opens: BTreeSet::new(), between: rows("between").map(bar).collect() };
        for row in rows("rows") {
            let ratio = row[3].as_f64().unwrap().abs();
            if row[2] == "open" {
                second.opens.insert(bar(row));
            } else {
                let known = second.wicks.entry(bar(row)).or_default();
                *known = known.max(ratio);
            }
        }
        second
    }
}

/// What one rule, or all of them, flagged.
pub(super) struct Flagged {
    /// Its id.
    pub(super) rule: String,
    /// Of the highs and lows that are contradicted by more than 3, 5 and 10 %: how many were flagged, and how many there are.
    pub(super) beyond: [(usize, usize); 3],
    pub(super) opens: (usize, usize),
    /// Flagged bars on which both vendors agree.
    pub(super) false_bars: BTreeSet<Bar>,
    /// Flagged bars of all four shares.
    pub(super) all: usize,
}

impl Flagged {
    fn new(rule: &str, bars: &BTreeSet<Bar>, second: &Second) -> Self {
        // The file rounds: 3.0 and 10.0 % in it are more than that, by the counts that go with it.
        let is_beyond: [fn(f64) -> bool; 3] = [|_| true, |ratio| ratio > 0.05, |ratio| ratio >= 0.10];
        let beyond = is_beyond.map(|is_beyond| {
            let wrong: Vec<&Bar> =
                second.wicks.iter().filter(|(_, ratio)| is_beyond(**ratio)).map(|(bar, _)| bar).collect();
            (wrong.iter().filter(|bar| bars.contains(**bar)).count(), wrong.len())
        });
        let opens = (second.opens.intersection(bars).count(), second.opens.len());
        let is_known =
            |bar: &Bar| second.wicks.contains_key(bar) || second.opens.contains(bar) || second.between.contains(bar);
        let common = bars.iter().filter(|(symbol, _)| SYMBOLS.contains(&symbol.as_str()));
        let false_bars = common.filter(|bar| !is_known(bar)).cloned().collect();
        Self { rule: rule.to_owned(), beyond, opens, false_bars, all: bars.len() }
    }
}

/// What each of these rules, in the text of a rule file, flags, in the order of their ids.
pub(super) fn of_rules(data: &Path, rules: &str) -> Vec<Flagged> {
    let project = Project::new(Some(data));
    fs::write(project.path().join("rules/prints.toml"), rules).unwrap();
    project.with_rules("jobs/examples/us-daily.toml", "jobs/examples/prints.toml", "prints.toml");
    let bars = flagged(&project, "jobs/examples/prints.toml");
    let second = Second::read(data);
    bars.iter().map(|(rule, bars)| Flagged::new(rule, bars, &second)).collect()
}

/// What the rules that ship flag with warn or error, but not the splits that they label.
pub(super) fn of_shipped(data: &Path) -> Flagged {
    let mut bars = flagged(&Project::new(Some(data)), "jobs/examples/us-daily.toml");
    bars.remove("split");
    let all = bars.into_values().flatten().collect();
    Flagged::new("the rules that ship", &all, &Second::read(data))
}

/// The bars that findings of severity warn or error begin with, by rule.
fn flagged(project: &Project, job: &str) -> BTreeMap<String, BTreeSet<Bar>> {
    let (_, findings) = project.check(job);
    let mut bars: BTreeMap<String, BTreeSet<Bar>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.severity != "info") {
        let bar = (finding.series.clone(), finding.at().unwrap_or_default().to_owned());
        bars.entry(finding.rule_id.clone()).or_default().insert(bar);
    }
    bars
}
