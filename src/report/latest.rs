//! The findings of the latest run of a job, one by one: what labels are compared with.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;

use super::error::ReportError;
use super::places::{self, Place};
use super::reading::texts;
use super::run::RunStatus;
use super::runs;
use super::tables::Table;
use crate::decide::Labelled;

/// A run of which the findings were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// Its id.
    pub run: String,
    /// How many findings it has.
    pub findings: u64,
    /// Whether it looked at all data and not at a window of it.
    pub whole: bool,
}

/// Shows `visit` every finding of the latest run of `job` below `dir` that reached its end; `None` where there is none.
///
/// # Errors
/// A file of the report cannot be read.
pub fn each_finding(
    dir: &Path,
    job: &str,
    visit: &mut dyn FnMut(&Labelled<'_>),
) -> Result<Option<Latest>, ReportError> {
    for file in runs::of_job(dir, job)? {
        let file = file?;
        let row = match file.row(dir, &["status", "window_since", "window_until"]) {
            Err(error) if error.is_of_a_file_that_went() => continue,
            row => row?,
        };
        let ended = row.as_ref().map(ended).transpose().map_err(|source| ReportError::reading(&file.path, source))?;
        let Some(whole) = ended.flatten() else { continue };
        let mut findings = 0;
        for part in places::of(dir, Table::Findings, job, &file.run)? {
            findings += each_of(&part, visit).map_err(|source| ReportError::reading(part.path(), source))?;
        }
        return Ok(Some(Latest { run: file.run.to_string(), findings, whole }));
    }
    Ok(None)
}

/// Whether a run that reached its end looked at all data; `None` for one that did not.
fn ended(run: &RecordBatch) -> Result<Option<bool>, ArrowError> {
    let is_open = |name: &str| run.column_by_name(name).is_none_or(|times| times.is_null(0));
    let ended = RunStatus::parse(texts(run, "status")?.value(0)).is_some_and(RunStatus::reached_its_end);
    Ok(ended.then(|| is_open("window_since") && is_open("window_until")))
}

fn each_of(part: &Place, visit: &mut dyn FnMut(&Labelled<'_>)) -> Result<u64, ArrowError> {
    let mut rows = 0;
    for batch in part.open()?.only(&["finding_id", "rule_id", "series", "symbol", "time", "field"])? {
        rows += visit_all(&batch?, visit)?;
    }
    Ok(rows)
}

fn visit_all(batch: &RecordBatch, visit: &mut dyn FnMut(&Labelled<'_>)) -> Result<u64, ArrowError> {
    let (ids, rules, series) = (texts(batch, "finding_id")?, texts(batch, "rule_id")?, texts(batch, "series")?);
    let (symbols, fields) = (texts(batch, "symbol")?, texts(batch, "field")?);
    let times = batch.column_by_name("time").and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    let times = times.ok_or_else(|| ArrowError::SchemaError("`time` is not a column of instants".to_owned()))?;
    let text = |column: &'_ StringArray, row: usize| (!column.is_null(row)).then(|| column.value(row).to_owned());
    for row in 0..batch.num_rows() {
        let (symbol, field) = (text(&symbols, row), text(&fields, row));
        visit(&Labelled {
            finding_id: ids.value(row),
            rule: rules.value(row),
            series: series.value(row),
            symbol: symbol.as_deref(),
            time: (!times.is_null(row)).then(|| times.value(row)),
            field: field.as_deref(),
        });
    }
    Ok(batch.num_rows() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::collector::Collector;
    use crate::report::history::Previous;
    use crate::report::run::{Outcome, RunStatus};
    use crate::report::testing::{meta, one_series, program};
    use crate::text::utc::UtcMicros;

    fn report(dir: &Path, hour: u32, status: RunStatus) -> String {
        let run = meta(hour);
        let id = run.run_id.to_string();
        let mut collector = Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        let outcome = Outcome::new(status, 1, UtcMicros(0));
        match status {
            RunStatus::Broken => collector.abandon(&outcome).unwrap(),
            _ => collector.finish(outcome).unwrap(),
        };
        id
    }

    #[test]
    fn the_latest_run_that_reached_its_end_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = Vec::new();
        assert_eq!(each_finding(dir.path(), "demo", &mut |_| panic!("no run")).unwrap(), None);
        report(dir.path(), 1, RunStatus::Findings);
        let latest = report(dir.path(), 2, RunStatus::Findings);
        report(dir.path(), 3, RunStatus::Broken);
        let read = each_finding(dir.path(), "demo", &mut |found| {
            ids.push((found.finding_id.to_owned(), found.rule.to_owned()));
        });
        let read = read.unwrap().unwrap();
        assert_eq!((read.run, read.findings, ids.len()), (latest, 4, 4));
        assert!(ids.iter().any(|(id, rule)| id.len() == 32 && rule == "close-outlier"), "{ids:?}");
        assert_eq!(each_finding(dir.path(), "other", &mut |_| ()).unwrap(), None);
    }
}
