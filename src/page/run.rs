//! The page of a run: read, put together, written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::beside::{self, Bar, Covered, History};
use super::columns::{Columns, count, text};
use super::data::{self, About, Content, Rule};
use super::found::{self, Found, Reading, SEVERITIES};
use super::{template, view, write};
use crate::market::Interval;
use crate::report::error::ReportError;
use crate::report::files::{self, RunRow};
use crate::report::store::RunRef;
use crate::report::summary::Summary;
use crate::report::{Table, tables};
use crate::text::numbers::thousands;

/// Findings that a page holds unless it is said.
pub const MOST: u64 = 200_000;

/// How a page is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// At most so many findings are held; all are counted.
    pub most: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { most: MOST }
    }
}

/// A page that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Findings of the run, and of the page.
    pub findings: (u64, u64),
    /// What the page lacks, because it is not there or does not read.
    pub missing: Vec<String>,
}

/// Where the page of `run` is unless it is said.
pub fn page_of(dir: &Path, run: &RunRef) -> PathBuf {
    tables::pages(dir, run.run_id.as_str()).join("report.html")
}

/// Writes the page of `run`, whose report is below `dir`, as `target`.
///
/// # Errors
/// There is no row of the run, a later version wrote it, or the file cannot be written.
pub fn write_run(dir: &Path, run: &RunRef, options: &Options, target: &Path) -> Result<Written, ReportError> {
    let gathered = Gathered::of(dir, run, options)?;
    let html = gathered.html(dir)?;
    write::write(target, &html, Some(&Table::Runs.file(dir, &run.job, &run.run_id)))?;
    Ok(Written {
        path: target.to_path_buf(),
        findings: (gathered.found.there(), gathered.found.held.len() as u64),
        missing: gathered.missing,
    })
}

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
    fn of(dir: &Path, run: &RunRef, options: &Options) -> Result<Self, ReportError> {
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
        let mut found = found_of(dir, run, summary.as_ref(), options, &mut missing);
        let (bars, _) = lacking(beside::bars(dir, run, &found), &mut missing);
        let moved = lacking(beside::moved(dir, run, &found), &mut missing);
        let coverage = lacking(beside::coverage(dir, run, &mut found.series), &mut missing);
        let history = lacking(beside::history(dir, run), &mut missing);
        let params = lacking(params(dir, run), &mut missing);
        let rules = rules(summary.as_ref(), &found);
        let mut missing: Vec<String> = missing.iter().map(told).collect();
        missing.extend(lacks(summary.as_ref(), &found));
        missing.dedup();
        Ok(Self { run: run.clone(), row, summary, found, rules, params, bars, moved, coverage, history, missing })
    }

    fn html(&self, dir: &Path) -> Result<String, ReportError> {
        let dir = dir.to_string_lossy();
        let since = self.summary.as_ref().and_then(|summary| summary.change.as_ref()?.since_run.as_deref());
        let about = About {
            run_id: self.run.run_id.as_str(),
            job_file: self.row.job_file.as_deref(),
            dir: &dir,
            daily: self.daily(),
            since,
        };
        let Self { rules, found, bars, moved, coverage, .. } = self;
        let content = Content { about, rules, found, bars, moved, coverage };
        let wrong = |error: &dyn std::fmt::Display| ReportError::Template(error.to_string());
        let block = data::pack(&content).map_err(|error| wrong(&error))?;
        template::page(&view::of(self), &block).map_err(|error| wrong(&error))
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

fn found_of(
    dir: &Path,
    run: &RunRef,
    summary: Option<&Summary>,
    options: &Options,
    missing: &mut Vec<ReportError>,
) -> Found {
    let parts = lacking(files::findings(dir, run), missing);
    let interval = summary.and_then(|summary| Interval::parse(&summary.interval).ok());
    let data = summary.map(|summary| summary.data);
    let how = Reading {
        interval: interval.unwrap_or(Interval::Day),
        span: data.and_then(|data| Some((data.since?.0, data.until?.0))),
        most: options.most,
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

/// An error with what is below it, in one line.
fn told(error: &ReportError) -> String {
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
    let path = Table::RuleResults.file(dir, &run.job, &run.run_id);
    let mut params = BTreeMap::new();
    for batch in files::read(&path, &["rule_id", "params"])?.into_iter().flatten() {
        let read = batch.and_then(|batch| {
            let (ids, texts) = (Columns(&batch).texts("rule_id")?, Columns(&batch).texts("params")?);
            Ok((0..batch.num_rows())
                .filter_map(|row| Some((text(&ids, row)?.to_owned(), text(&texts, row)?.to_owned())))
                .collect::<Vec<_>>())
        });
        params.extend(read.map_err(|source| ReportError::reading(&path, source))?);
    }
    Ok(params)
}
