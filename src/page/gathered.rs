//! All that the page of a run is made of, read from its files; what is not there or does not read is named.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::error::ArrowError;

use super::beside::{self, Bar, Covered, History};
use super::columns::{Columns, count, text};
use super::data::Rule;
use super::found::{self, Found, Reading, SEVERITIES};
use crate::market::Interval;
use crate::report::Table;
use crate::report::error::ReportError;
use crate::report::files::{self, RunRow};
use crate::report::store::RunRef;
use crate::report::summary::Summary;
use crate::text::numbers::thousands;

/// All that a page is made of.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) run: RunRef,
    pub(super) row: RunRow,
    /// `None` where the run broke off.
    pub(super) summary: Option<Summary>,
    pub(super) found: Found,
    /// By the places of their names.
    pub(super) rules: Vec<Rule>,
    /// Parameters by rule, as JSON.
    pub(super) params: BTreeMap<String, String>,
    pub(super) bars: Vec<Bar>,
    pub(super) moved: BTreeMap<String, String>,
    pub(super) coverage: Vec<Covered>,
    pub(super) history: History,
    /// What is not there, or does not read.
    pub(super) missing: Vec<String>,
}

impl Gathered {
    /// Reads it; of the findings at most `most` are held.
    ///
    /// # Errors
    /// There is no row of the run, or a later version wrote it. What else does not read is in `missing`.
    pub(super) fn of(dir: &Path, run: &RunRef, most: u64) -> Result<Self, ReportError> {
        let row = files::row(dir, run)?;
        let mut missing = Vec::new();
        let summary = match run.load_summary() {
            Ok(summary) => Some(summary),
            // Its row says how it ended.
            Err(ReportError::NoSummary { .. }) => None,
            Err(error) => {
                missing.push(error);
                None
            }
        };
        let mut found = found_of(dir, run, summary.as_ref(), most, &mut missing);
        let bars = lacking(beside::bars(dir, run, &found), &mut missing);
        let moved = lacking(beside::moved(dir, run, &found), &mut missing);
        let coverage = lacking(beside::coverage(dir, run, &mut found.series), &mut missing);
        let history = lacking(beside::history(dir, run), &mut missing);
        let params = lacking(params(dir, run), &mut missing);
        let rules = rules(summary.as_ref(), &found);
        let mut missing: Vec<String> = missing.iter().map(with_causes).collect();
        missing.extend(lacks(summary.as_ref(), &found));
        missing.dedup();
        Ok(Self { run: run.clone(), row, summary, found, rules, params, bars, moved, coverage, history, missing })
    }

    /// Whether timestamps are trading dates.
    pub(super) fn daily(&self) -> bool {
        self.summary.as_ref().is_some_and(|summary| summary.daily)
    }

    /// A text of the row of the run.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(&Columns(&self.row.row).texts(name).ok()?, 0).map(str::to_owned)
    }

    /// A count, or an instant, of the row of the run.
    pub(super) fn count(&self, name: &str) -> Option<i64> {
        count(&Columns(&self.row.row).counts(name).ok()?, 0)
    }
}

fn found_of(dir: &Path, run: &RunRef, summary: Option<&Summary>, most: u64, missing: &mut Vec<ReportError>) -> Found {
    let parts = lacking(files::findings(dir, run), missing);
    let interval = summary.and_then(|summary| Interval::parse(&summary.interval).ok());
    let data = summary.map(|summary| summary.data);
    let how = Reading {
        interval: interval.unwrap_or(Interval::Day),
        span: data.and_then(|data| Some((data.since?.0, data.until?.0))),
        most,
        rules: summary.map(|summary| summary.rules.iter().map(|rule| rule.id.clone()).collect()).unwrap_or_default(),
    };
    found::read(&parts, &how, missing)
}

fn lacking<T: Default>(read: Result<T, ReportError>, missing: &mut Vec<ReportError>) -> T {
    read.unwrap_or_else(|error| {
        missing.push(error);
        T::default()
    })
}

/// An error with its causes, in one line.
fn with_causes(error: &ReportError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(below) = source {
        text += &format!(": {below}");
        source = below.source();
    }
    text
}

/// What the tables do not hold of what the summary counts.
fn lacks(summary: Option<&Summary>, found: &Found) -> Option<String> {
    let counted = summary.map(|summary| summary.findings)?;
    let counted = counted.error + counted.warn + counted.info;
    let there = found.there();
    (counted != there).then(|| {
        let (counted, there) = (thousands(counted), thousands(there));
        format!("the run counted {counted} findings, and its table `findings` holds {there}: files are missing; a new run writes a whole report")
    })
}

/// Those of the summary, then those that only findings name.
fn rules(summary: Option<&Summary>, found: &Found) -> Vec<Rule> {
    let of_summary: BTreeMap<&str, Rule> = summary
        .iter()
        .flat_map(|summary| &summary.rules)
        .map(|rule| {
            let (id, check, severity) = (rule.id.clone(), rule.check.clone(), rule.severity.clone());
            (rule.id.as_str(), Rule { id, check, severity, action: rule.action.clone(), why: rule.why.clone() })
        })
        .collect();
    let of_findings = |place: usize, id: &str| {
        let of = u32::try_from(place).ok().and_then(|place| found.checks.get(&place));
        let (check, severity) = of.map_or(("", ""), |(check, severity)| (check, SEVERITIES[usize::from(*severity)]));
        Rule {
            id: id.to_owned(),
            check: check.to_owned(),
            severity: severity.to_owned(),
            action: "report".to_owned(),
            why: None,
        }
    };
    let each = found.rules.all().iter().enumerate();
    each.map(|(place, id)| of_summary.get(id.as_str()).cloned().unwrap_or_else(|| of_findings(place, id))).collect()
}

fn params(dir: &Path, run: &RunRef) -> Result<BTreeMap<String, String>, ReportError> {
    let mut params = BTreeMap::new();
    for batch in files::rows(dir, Table::RuleResults, run, &["rule_id", "params"])? {
        let read = || -> Result<Vec<_>, ArrowError> {
            let (ids, texts) = (Columns(&batch).texts("rule_id")?, Columns(&batch).texts("params")?);
            let pair = |row| Some((text(&ids, row)?.to_owned(), text(&texts, row)?.to_owned()));
            Ok((0..batch.num_rows()).filter_map(pair).collect())
        };
        params.extend(read().map_err(|source| ReportError::reading(dir, source))?);
    }
    Ok(params)
}
