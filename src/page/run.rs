//! The page of a run: read, put together, written.

use std::path::{Path, PathBuf};

use super::data::{self, About, Content};
use super::gathered::Gathered;
use super::{template, view, write};
use crate::report::error::ReportError;
use crate::report::store::RunRef;
use crate::report::{files, tables};

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
    tables::page(dir, run.run_id.as_str())
}

/// Writes the page of `run`, whose report is below `dir`, as `target`.
///
/// # Errors
/// There is no row of the run, a later version wrote it, or the file cannot be written.
pub fn write_run(dir: &Path, run: &RunRef, options: &Options, target: &Path) -> Result<Written, ReportError> {
    let gathered = Gathered::of(dir, run, options.most)?;
    let html = html(&gathered, dir)?;
    write::write(target, &html, files::of_row(dir, run).as_deref())?;
    Ok(Written {
        path: target.to_path_buf(),
        findings: (gathered.found.there(), gathered.found.held.len() as u64),
        missing: gathered.missing,
    })
}

fn html(page: &Gathered, dir: &Path) -> Result<String, ReportError> {
    let dir = dir.to_string_lossy();
    let since = page.summary.as_ref().and_then(|summary| summary.change.as_ref()?.since_run.as_deref());
    let about = About {
        run_id: page.run.run_id.as_str(),
        job_file: page.row.job_file.as_deref(),
        dir: &dir,
        daily: page.daily(),
        since,
    };
    let Gathered { rules, found, bars, moved, coverage, .. } = page;
    let content = Content { about, rules, found, bars, moved, coverage };
    let wrong = |error: &dyn std::fmt::Display| ReportError::Template(error.to_string());
    let block = data::pack(&content).map_err(|error| wrong(&error))?;
    template::page(&view::of(page), &block).map_err(|error| wrong(&error))
}
