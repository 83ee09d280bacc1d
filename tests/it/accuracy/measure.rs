//! Checks bars with faults, and counts which faults were found and what was found besides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::DateTime;

use super::bars::Bars;
use super::base::Base;
use super::cut::{Fault, Span};
use super::inject::{Flagged, inject};
use super::kinds::Kind;
use crate::data::Project;
use crate::support::Finding;

/// Checks whose findings are about a series among others.
const ACROSS: [&str; 4] = ["alignment", "copied-series", "freshness", "history"];

/// A finding as far as two runs are compared: rule, series, first and last timestamp, and its value as text where it has
/// no timestamp. Not the cause, which a fault in another bar may change.
type Key = (String, String, Option<String>, Option<String>, Option<String>);

/// A file without faults.
pub(super) struct Clean {
    bars: Bars,
    /// What is found in it.
    known: BTreeSet<Key>,
    /// Bars that something is found about: faults begin with others, else nobody could say what found them.
    flagged: Flagged,
    /// Findings about several bars.
    runs: Vec<Finding>,
}

impl Clean {
    /// The file of `base` in the folder `data`, as `kind` needs it, after a check.
    pub(super) fn new(kind: &Kind, base: &Base, data: &Path) -> Self {
        let mut bars = Bars::read(base, data);
        kind.prepare.into_iter().for_each(|prepare| prepare(&mut bars));
        let findings = check(base, &bars);
        let known = findings.iter().map(|finding| key(finding, &finding.series)).collect();
        let bar = |finding: &Finding| Some((finding.series.clone(), span(finding)?.0));
        let mut flagged: Flagged = findings.iter().filter_map(bar).collect();
        // Where most bars are flagged for what all of them are, a fault has no other place.
        for series in &bars.series {
            let of_series = flagged.iter().filter(|(symbol, _)| *symbol == series.symbol).count();
            if of_series * 10 > series.rows.len() {
                flagged.retain(|(symbol, _)| *symbol != series.symbol);
            }
        }
        let runs = findings.into_iter().filter(|finding| finding.time_until.is_some()).collect();
        Self { bars, known, flagged, runs }
    }

    /// Whether a finding is there without faults too, or a part of one that is: a fault may cut a run in two.
    fn has(&self, finding: &Finding) -> bool {
        let is_part = |run: &Finding| {
            let same = (&run.rule_id, &run.series) == (&finding.rule_id, &finding.series);
            same && span(run).zip(span(finding)).is_some_and(|(run, part)| run.0 <= part.0 && part.1 <= run.1)
        };
        self.known.contains(&key(finding, &finding.series)) || self.runs.iter().any(is_part)
    }
}

/// What became of the faults of one kind in one file.
pub(super) struct Counted {
    pub(super) kind: &'static str,
    pub(super) base: &'static str,
    pub(super) injected: usize,
    pub(super) found: usize,
    /// How many faults each rule found.
    pub(super) rules: BTreeMap<String, usize>,
    /// The faults that were not found.
    pub(super) missed: Vec<Fault>,
    /// Findings about bars that a fault touches.
    pub(super) right: usize,
    /// Findings about bars that no fault touches, and that the file without faults does not have.
    pub(super) false_findings: Vec<Finding>,
}

impl Counted {
    /// All of it in a line.
    pub(super) fn line(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(|(rule, faults)| format!("{rule} {faults}")).collect();
        format!(
            "{} in {}: {} of {} ({}), {} false\n",
            self.kind,
            self.base,
            self.found,
            self.injected,
            rules.join(", "),
            self.false_findings.len()
        )
    }
}

/// The findings of severity warn or error of the rules that ship.
fn check(base: &Base, bars: &Bars) -> Vec<Finding> {
    let project = Project::new(None);
    bars.write(base, &project.path().join("bars.csv"));
    std::fs::write(project.path().join("jobs/accuracy.toml"), base.job()).unwrap();
    let (_, mut findings) = project.check("jobs/accuracy.toml");
    findings.retain(|finding| finding.severity != "info");
    findings
}

fn key(finding: &Finding, series: &str) -> Key {
    let text = finding.time.is_none().then(|| finding.observed_text.clone()).flatten();
    let (time, until) = (finding.time.clone(), finding.time_until.clone());
    (finding.rule_id.clone(), series.to_owned(), time, until, text)
}

/// Puts faults of `kind` into `clean` and checks them.
pub(super) fn count(kind: &Kind, base: &'static Base, clean: &Clean, seed: &str) -> Counted {
    let injected = inject(kind, base, (&clean.bars, &clean.flagged), seed);
    let findings = check(base, &injected.bars);
    let new: Vec<&Finding> = findings.iter().filter(|finding| !clean.has(finding)).collect();
    let mut counted = Counted {
        kind: kind.name,
        base: base.name,
        injected: injected.faults.len(),
        found: 0,
        rules: BTreeMap::new(),
        missed: Vec::new(),
        right: 0,
        false_findings: Vec::new(),
    };
    for fault in &injected.faults {
        let by = new.iter().filter(|finding| finds(finding, fault) && !is_of_original(finding, fault, clean));
        let rules: BTreeSet<&str> = by.map(|finding| finding.rule_id.as_str()).collect();
        counted.found += usize::from(!rules.is_empty());
        for rule in &rules {
            *counted.rules.entry((*rule).to_owned()).or_default() += 1;
        }
        if rules.is_empty() {
            counted.missed.push(fault.clone());
        }
    }
    let is_right = |finding: &Finding| injected.faults.iter().any(|fault| touches(finding, fault));
    let (right, false_findings): (Vec<&Finding>, _) = new.iter().partition(|finding| is_right(finding));
    counted.right = right.len();
    counted.false_findings = false_findings.into_iter().cloned().collect();
    counted
}

/// First and last timestamp of a finding in seconds UTC.
fn span(finding: &Finding) -> Option<Span> {
    let seconds = |time: &String| DateTime::parse_from_rfc3339(time).unwrap().timestamp();
    let first = finding.time.as_ref().map(seconds)?;
    Some((first, finding.time_until.as_ref().map_or(first, seconds)))
}

fn is_in_series(finding: &Finding, fault: &Fault) -> bool {
    let symbol = finding.series.split('|').next();
    symbol == Some(&fault.symbol) || symbol == fault.original.as_deref()
}

fn is_row_of(finding: &Finding, fault: &Fault) -> bool {
    finding.row().is_some_and(|line| fault.lines.binary_search(&line).is_ok())
}

/// Whether a finding is about a fault: it begins or ends where the fault is, or is about one of its rows. A series that is
/// wrong as a whole is found by what is about the series: its bars may be flagged for what they always were.
pub(super) fn finds(finding: &Finding, fault: &Fault) -> bool {
    let (first, last) = fault.touched.seam;
    let is_at = |at: i64| (first..=last).contains(&at);
    let row = is_row_of(finding, fault) && !fault.touched.lasting;
    let found = match fault.whole {
        true => {
            let is_most = |(since, until): Span| (until - since) * 2 >= last - first;
            ACROSS.contains(&finding.check.as_str()) || span(finding).map_or(finding.row().is_none(), is_most)
        }
        false => row || span(finding).is_some_and(|(since, until)| is_at(since) || is_at(until)),
    };
    is_in_series(finding, fault) && found
}

/// Whether a finding covers a bar that a fault changed.
pub(super) fn touches(finding: &Finding, fault: &Fault) -> bool {
    let spans = [Some(fault.touched.all), fault.touched.moved];
    let is_at = |(since, until): Span| spans.iter().flatten().any(|(first, last)| since <= *last && *first <= until);
    // A finding without timestamp and row is about the series.
    let covers = span(finding).map_or(finding.row().is_none(), is_at);
    is_row_of(finding, fault) || is_in_series(finding, fault) && (fault.whole || covers)
}

/// Whether a finding in a copy is one that the original has too: it does not find the copy.
fn is_of_original(finding: &Finding, fault: &Fault, clean: &Clean) -> bool {
    let Some(original) = &fault.original else { return false };
    clean.known.contains(&key(finding, &finding.series.replacen(&fault.symbol, original, 1)))
}
