//! Files of facts -> the facts of a job: their rows, read by declared columns, and what contradicts itself.
//!
//! Bytes in, values out: the caller reads the files. All mistakes of all files are reported at once, and nothing of them
//! is used where there is one.

mod columns;
mod contradictions;
mod kinds;
mod reader;
mod table;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use self::columns::{Cells, Column, KINDS, Kind};
use self::kinds::Rows;
use self::reader::Scale;
use super::job::{Bars, FactFiles};
use crate::durable::hex;
use crate::market::facts::MarketFacts;
use crate::schema::diagnostic::{Diagnostic, SourceText, suggestion};

/// So many exceptions of rules that are not there are shown.
const MOST_SHOWN: usize = 20;

/// The facts of a job.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What they say.
    pub market: Arc<MarketFacts>,
    /// SHA-256 (hex) over the bytes of all files; empty where there is none.
    pub sha256: String,
    /// What is odd in them, and is used all the same.
    pub warnings: Vec<Diagnostic>,
    /// The rules that exceptions name.
    pub excepted: Vec<Excepted>,
}

/// A rule that an exception names, and where.
#[derive(Debug, Clone)]
pub struct Excepted {
    /// Its identifier.
    pub rule: String,
    /// The file.
    pub file: Arc<SourceText>,
    /// Where in it.
    pub span: Range<usize>,
}

impl Facts {
    /// Exceptions that name none of the rules `ids`.
    pub(super) fn unknown_rules(&self, ids: &[Arc<str>]) -> Vec<Diagnostic> {
        let unknown = self.excepted.iter().filter(|excepted| !ids.iter().any(|id| **id == *excepted.rule));
        let mistake = |Excepted { rule, file, span }: &Excepted| {
            let help = suggestion(rule, "rules", ids.iter().map(|id| &**id));
            let title = format!("an exception names the rule `{rule}`, and the job has none of that id");
            Diagnostic::new("unknown-rule", title, file, span.clone()).label("unknown rule").help(help)
        };
        unknown.take(MOST_SHOWN).map(mistake).collect()
    }
}

/// A file that a job names and that was read.
#[derive(Debug)]
pub(super) struct FactFile<'j> {
    /// The key of `[facts]`.
    pub(super) key: &'static str,
    /// Where the job names it.
    pub(super) named: Range<usize>,
    /// The file.
    pub(super) path: &'j Path,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// The facts in `read`, the files that `job` names, for bars described by `bars`.
///
/// # Errors
/// Every mistake of every file.
pub(super) fn of_files(
    job: &Arc<SourceText>,
    files: &FactFiles,
    bars: &Bars,
    read: Vec<FactFile<'_>>,
) -> Result<Facts, Vec<Diagnostic>> {
    let scale = Scale::of(bars);
    let (mut rows, mut digest) = (Rows::default(), Sha256::new());
    let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
    let any = !read.is_empty();
    for FactFile { key, named, path, bytes } in read {
        digest.update(key);
        digest.update(Sha256::digest(&bytes));
        match table::read(path, bytes) {
            Err(problem) => {
                let title = format!("`{}` cannot be read: {problem}", path.display());
                mistakes.push(Diagnostic::new("unreadable-file", title, job, named));
            }
            Ok(Err(of_table)) => mistakes.extend(of_table),
            Ok(Ok(table)) => {
                let (wrong, odd) = rows.take(key, &table, scale);
                mistakes.extend(wrong);
                warnings.extend(odd);
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let (wrong, odd) = contradictions::of(&rows);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    warnings.extend(odd);
    let excepted = rows.exceptions.iter().map(|row| Excepted {
        rule: row.fact.rule.to_string(),
        file: Arc::clone(&row.file),
        span: row.span.clone(),
    });
    let excepted = excepted.collect();
    let mut market = rows.facts();
    market.symbol_field.clone_from(&files.symbol);
    market.source_field.clone_from(&files.source);
    let sha256 = if any { hex(&digest.finalize()) } else { String::new() };
    Ok(Facts { market: Arc::new(market), sha256, warnings, excepted })
}

#[cfg(test)]
mod tests;
