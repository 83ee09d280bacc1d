//! What is open: the findings of the newest run that looked at everything, with those of the runs after it, which looked at the
//! part of the bars that may have changed, in the place of what was found there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::chain::{self, Chain, ChainedRun, Part};
use super::error::ReportError;
use super::places::{self, Place};
use super::reading::{again_where_one_goes, shaped, texts};
use super::runs;
use super::tables::Table;
use super::tally::RuleStatus;

/// A run after another one, and what it replaces of what that one found.
struct Later {
    part: Part,
    /// The rules that it did not run, for they need all of a series.
    skipped: BTreeSet<String>,
}

impl Later {
    fn replaces(&self, rule: &str, series: &str, ends: Option<i64>) -> bool {
        !self.skipped.contains(rule) && self.part.has(series, ends)
    }
}

/// The columns of `findings` and `job` behind them.
pub fn open_schema() -> SchemaRef {
    let columns = Table::Findings.schema();
    let job = Arc::new(Field::new("job", DataType::Utf8, true));
    Arc::new(Schema::new(columns.fields().iter().cloned().chain([job]).collect::<Vec<_>>()))
}

/// The findings of all jobs below `dir` that are open, in batches of [`open_schema`], each as the newest run that had it wrote it.
///
/// # Errors
/// A folder cannot be listed, or a file not read.
pub fn open_findings(dir: &Path) -> Result<Vec<RecordBatch>, ReportError> {
    again_where_one_goes(|| {
        let mut open = Vec::new();
        for job in runs::jobs(dir)? {
            of_job(dir, &job, &mut open)?;
        }
        Ok(open)
    })
}

fn of_job(dir: &Path, job: &str, open: &mut Vec<RecordBatch>) -> Result<(), ReportError> {
    let links = match chain::open(dir, job)? {
        Chain::Runs(links, _) => links,
        Chain::None | Chain::OtherWindows => return Ok(()),
    };
    let mut later: Vec<Later> = Vec::new();
    for ChainedRun { file, part } in links.into_iter().rev() {
        for place in places::of(dir, Table::Findings, job, &file.run)? {
            let batches = read(&place, job, &later).map_err(|source| ReportError::reading(place.path(), source))?;
            open.extend(batches);
        }
        if let Some(part) = part {
            let results = places::read(dir, Table::RuleResults, job, &file.run, &["rule_id", "status", "seconds"])?;
            let skipped = skipped(&results).map_err(|source| ReportError::reading(&file.path, source))?;
            later.push(Later { part, skipped });
        }
    }
    Ok(())
}

/// The findings in `place` that no later run replaced.
fn read(place: &Place, job: &str, later: &[Later]) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut kept = Vec::new();
    for batch in place.open()?.all()? {
        let batch = shaped(&batch?, &Table::Findings.schema())?;
        let (rules, series) = (texts(&batch, "rule_id")?, texts(&batch, "series")?);
        let times = |name: &str| batch.column_by_name(name).map(AsArray::as_primitive::<TimestampMicrosecondType>);
        let at = |name: &str, row: usize| times(name).filter(|times| times.is_valid(row)).map(|times| times.value(row));
        let is_open = |row: usize| {
            let ends = at("time_until", row).or_else(|| at("time", row));
            !later.iter().any(|run| run.replaces(rules.value(row), series.value(row), ends))
        };
        let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_open(row))).collect();
        let batch = filter_record_batch(&batch, &mask)?;
        let job: ArrayRef = Arc::new(StringArray::from(vec![job; batch.num_rows()]));
        kept.push(RecordBatch::try_new(open_schema(), batch.columns().iter().cloned().chain([job]).collect())?);
    }
    Ok(kept)
}

/// The rules that a run did not run: one that ran and evaluated nothing took some time all the same.
fn skipped(results: &[RecordBatch]) -> Result<BTreeSet<String>, ArrowError> {
    let mut skipped = BTreeSet::new();
    for batch in results {
        let (ids, states) = (texts(batch, "rule_id")?, texts(batch, "status")?);
        let ran = |row: usize| batch.column_by_name("seconds").is_some_and(|seconds| seconds.is_valid(row));
        let of = (0..batch.num_rows()).filter(|row| states.value(*row) == RuleStatus::Skipped.as_str() && !ran(*row));
        skipped.extend(of.map(|row| ids.value(row).to_owned()));
    }
    Ok(skipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::counts::{RuleCounts, SeriesCounts};
    use crate::report::collector::Collector;
    use crate::report::history::previous_findings;
    use crate::report::margins::Coverage;
    use crate::report::run::{Outcome, RunMeta, RunStatus};
    use crate::report::testing::{DAY, GAP, OHLC, Output, meta, one_series, program, texts as shown};
    use crate::text::utc::UtcMicros;

    fn report(dir: &Path, run: RunMeta, output: Output, read_whole: BTreeSet<String>) {
        let program = program();
        let previous = previous_findings(dir, "demo", &Coverage::of(&program, &run)).unwrap();
        let mut collector = Collector::new(dir, program, run, vec!["bars.csv".to_owned()], previous);
        collector.take(&output.batch()).unwrap();
        let outcome = Outcome { read_whole, ..Outcome::new(RunStatus::Findings, 1, UtcMicros(0)) };
        collector.finish(outcome).unwrap();
    }

    /// A run over the bars of `A` from `day` on, which ran all rules but that of outliers, and found a gap behind it.
    fn part(day: i64) -> (RunMeta, Output) {
        let run = RunMeta { window: (Some(day * DAY), None), changed_since: Some(day * DAY), ..meta(2) };
        let evaluated = RuleCounts { evaluated: 50, ..RuleCounts::default() };
        let found = RuleCounts { findings: 1, bars: 2, ..evaluated };
        let rows = SeriesCounts { read: 50, clean: 50, sessions: 50, ..SeriesCounts::default() };
        let output = Output::default().gap("A", 160, 2).timed_rule(OHLC, "A", evaluated).timed_rule(GAP, "A", found);
        (run, output.series("A", rows))
    }

    /// Rule, first day and run of what is open, in that order.
    fn open(dir: &Path) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for batch in open_findings(dir).unwrap() {
            let columns = ["rule_id", "session", "run_id", "job"].map(|name| shown(&batch, name));
            lines.extend(
                (0..batch.num_rows()).map(|row| columns.each_ref().map(|column| column[row].as_str()).join(" ")),
            );
        }
        lines.sort();
        lines
    }

    #[test]
    fn a_run_over_a_part_replaces_what_its_rules_would_find_again() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(open(dir.path()), Vec::<String>::new());
        report(dir.path(), meta(1), one_series(), BTreeSet::new());
        assert_eq!(open(dir.path()).len(), 4);
        let (run, output) = part(104);
        report(dir.path(), run, output, BTreeSet::new());
        // The bar of the day 105 was corrected and the gap of the day 150 filled; day 103 lies before, and outliers were not looked for.
        let expected = [
            "close-outlier 1970-04-18 20261120T010000Z-aaaa demo",
            "gap 1970-06-10 20261120T020000Z-aaaa demo",
            "ohlc 1970-04-14 20261120T010000Z-aaaa demo",
        ];
        assert_eq!(open(dir.path()), expected);
    }

    #[test]
    fn of_a_series_that_was_read_as_a_whole_nothing_earlier_is_left() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(1), one_series(), BTreeSet::new());
        let (run, output) = part(104);
        report(dir.path(), run, output, BTreeSet::from(["A".to_owned()]));
        let open = open(dir.path());
        let rules: Vec<&str> = open.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(rules, ["close-outlier", "gap"], "the finding of the day 103 is gone, too");
    }
}
