//! Takes what the operator puts out, batch by batch, and makes the report of the run of it.
//!
//! Findings and months go to disk as they come, under names no reader sees; counts are kept. A report is published
//! as a whole, the row in `runs` last, or not at all.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;

use super::destination::{Destination, as_few_rows};
use super::error::ReportError;
use super::finding_bars::FindingBars;
use super::findings::{FindingParts, PART};
use super::history::{self, Previous};
use super::incoming::{Records, column, only};
use super::months::Months;
use super::moves::{self, MoveRow};
use super::one_fault::{ByFault, OneFault};
use super::other_days::{ByDay, OtherDays};
use super::rights;
use super::rows;
use super::run::{Outcome, RunMeta, RunStatus};
use super::summary::Summary;
use super::tables::Table;
use super::tally::Tally;
use super::write::{self, Published, TableWriter};
use crate::decide::{Label, Labels};
use crate::durable::{Disk, Staged, folder_of};
use crate::engine::program::Program;
use crate::engine::records::Record;

/// Exit code of a run that broke off.
const BROKEN: u8 = 3;

/// About what a row that is to be moved takes: itself, and the names of the row and of a finding or two.
const BYTES_OF_MOVE: usize = 384;

/// Collects the report of one run.
#[derive(Debug)]
pub struct Collector {
    report: Report,
    tally: Tally,
    moves: Vec<MoveRow>,
    findings: FindingParts,
    bars: FindingBars,
    months: Months,
    faults: ByFault,
    days: ByDay,
}

impl Collector {
    /// A collector for `run`, a run of `program`, that writes below `dir`. `files` are the names of the source files
    /// by index, for locators and for who may read the report; `previous` is what findings are compared with.
    pub fn new(dir: &Path, program: Arc<Program>, run: RunMeta, files: Vec<String>, previous: Previous) -> Self {
        Self::with_disk(&Disk::system(), dir, program, run, files, previous)
    }

    /// [`Collector::new`] on a file system of the caller's.
    pub fn with_disk(
        disk: &Disk,
        dir: &Path,
        program: Arc<Program>,
        run: RunMeta,
        files: Vec<String>,
        previous: Previous,
    ) -> Self {
        let whole = !matches!(previous, Previous::Unknown);
        let mode = rights::mode(&files);
        let destination = Arc::new(Destination::new(disk, dir, &program.job, &run, whole, mode));
        let since_run = previous.run().map(str::to_owned);
        Self {
            tally: Tally::new(&program),
            moves: Vec::new(),
            findings: FindingParts::new(Arc::clone(&destination), &program, files, previous, PART),
            bars: FindingBars::default(),
            months: Months::new(Arc::clone(&destination), &program),
            faults: ByFault::default(),
            days: ByDay::default(),
            report: Report { destination, program, run, since_run },
        }
    }

    /// The run.
    pub fn run_id(&self) -> &str {
        self.report.run.run_id.as_str()
    }

    /// Rows are those of the snapshot at `path`, which is to be there until the report is finished: it knows where they
    /// stand in their files.
    pub fn look_up_in(&mut self, path: Option<&Path>) {
        self.findings.look_up_in(path);
    }

    /// What a person decided about findings of the job, as far as it still counts.
    pub fn set_labels(&mut self, labels: Labels) {
        self.findings.set_labels(labels);
    }

    /// Labels that no finding has so far.
    pub fn labels_without_findings(&self) -> impl Iterator<Item = &Label> {
        self.findings.marks().without_findings()
    }

    /// Whether labels call everything known or fine for which a row would be moved.
    pub fn is_muted(&self, row: &MoveRow) -> bool {
        let mut moving = row.found.iter().filter(|found| found.action.moves_rows());
        moving.all(|found| self.findings.marks().is_muted(&found.finding_id))
    }

    /// Takes one batch of the operator's output.
    ///
    /// # Errors
    /// The disk does not take it; or barkeep is wrong: a record is not readable, or the rows of a series do not
    /// add up.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<(), ReportError> {
        self.tally.take(batch)?;
        if let Some(moves) = only(batch, Record::Move)? {
            self.tally.moves += moves::collect_moves(&Records::of(&moves), self.tally.rules.len(), &mut self.moves)?;
        }
        if let Some(months) = only(batch, Record::Months)? {
            self.tally.add_nulls(self.months.take(&months)?);
        }
        if let Some(bars) = only(batch, Record::Bar)? {
            self.bars.take(&bars)?;
        }
        if let Some(findings) = only(batch, Record::Finding)? {
            self.count_arrivals(&findings)?;
            self.faults.take(&self.report.program, &findings);
            self.days.take(&self.report.program, &findings);
            self.findings.take(&findings, &mut self.tally.rules)?;
        }
        Ok(())
    }

    /// Forgets what it took: the bars are evaluated again.
    pub fn begin_again(&mut self) {
        let Report { destination, program, .. } = &self.report;
        self.tally = Tally::new(program);
        self.moves.clear();
        self.findings.begin_again();
        self.bars.begin_again();
        self.months = Months::new(Arc::clone(destination), program);
        self.faults = ByFault::default();
        self.days = ByDay::default();
    }

    fn count_arrivals(&mut self, findings: &RecordBatch) -> Result<(), ReportError> {
        let rules = self.tally.rules.len();
        for rule in column(findings, "rule").as_primitive::<Int32Type>() {
            let known =
                rule.and_then(|rule| usize::try_from(rule).ok()).and_then(|rule| self.tally.rules.get_mut(rule));
            let known =
                known.ok_or_else(|| ReportError::Records(format!("a finding names none of the {rules} rules")))?;
            known.arrived += 1;
        }
        Ok(())
    }

    /// The field in which most rows have the same parse error.
    pub fn one_fault(&self) -> Option<OneFault> {
        self.faults.of_most(&self.report.program, self.tally.series.rows.read)
    }

    /// Daily bars that are a day off.
    pub fn other_days(&self) -> Option<OtherDays> {
        self.days.of_many(self.tally.series.rows.read)
    }

    /// About how much memory it holds, in bytes, as far as that grows with what is found: the rows that are to be moved, and
    /// the findings that wait to be written.
    pub fn bytes(&self) -> usize {
        self.moves.len() * BYTES_OF_MOVE + self.findings.bytes()
    }

    /// What has been counted so far: what is compared with the limits.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Counts rows as kept that were to be moved: a person put them back, and when that was, µs UTC.
    pub fn keep<'a>(&mut self, rows: impl IntoIterator<Item = (&'a MoveRow, Option<i64>)>) {
        for (row, restored_at) in rows {
            self.tally.keep(row, restored_at);
            for found in &row.found {
                self.findings.accept(&found.finding_id, &mut self.tally.rules[found.rule]);
            }
        }
    }

    /// Counts rows as kept that were to be moved: labels call everything known or fine for which they would be.
    pub fn keep_labelled<'a>(&mut self, rows: impl IntoIterator<Item = &'a MoveRow>) {
        for row in rows {
            self.tally.keep(row, None);
            self.tally.kept_by_label += 1;
        }
    }

    /// The rules that evaluated nothing, by index into the rules of the program: in this run, which looked at all of the
    /// data, or, where it looked at a part of it, in this run and the last ones. A run that read no row evaluated
    /// nothing as a whole, and names no rule.
    ///
    /// # Errors
    /// A file of an earlier run cannot be read.
    pub fn not_evaluated(&self) -> Result<Vec<usize>, ReportError> {
        let mut rules = self.tally.not_evaluated();
        rules.retain(|rule| !self.report.program.skipped.contains(rule));
        let Report { program, run, destination, .. } = &self.report;
        if self.tally.series.rows.read == 0 || rules.is_empty() {
            return Ok(Vec::new());
        }
        let in_part = run.window != (None, None) || !destination.whole();
        if in_part {
            let evaluated = history::evaluated_before(destination.dir(), &program.job)?;
            rules.retain(|rule| !evaluated.contains(program.rule_id(*rule)));
        }
        Ok(rules)
    }

    /// Hands out the rows that are to be moved, in the order of the source files; none are left.
    pub fn take_moves(&mut self) -> Vec<MoveRow> {
        let mut moves = std::mem::take(&mut self.moves);
        moves.sort_unstable_by_key(|row| (row.file, row.row));
        moves
    }

    /// Publishes the report of a run that reached its end.
    ///
    /// # Errors
    /// The disk does not take it, or what was counted does not add up. Nothing of the report is left then but, where
    /// that can still be written, a row in `runs` that says the run is broken. Or the whole report is there, and only
    /// whether it outlasts a power failure is not sure.
    pub fn finish(self, mut outcome: Outcome) -> Result<Summary, ReportError> {
        let Self { report, mut tally, findings, bars, months, .. } = self;
        report.publish(&mut tally, (findings, bars, months), &mut outcome).inspect_err(|error| {
            let message = Some(error.to_string());
            let broken = Outcome { status: RunStatus::Broken, exit_code: BROKEN, error: message, ..outcome };
            // The first error is the one to report.
            match error {
                // The report is there and nothing of it is taken away, but it says how the run ended.
                ReportError::NotDurable { .. } => report.correct(&tally, &broken).ok(),
                _ => report.write_run(&tally, &broken).ok(),
            };
        })
    }

    /// Ends a run that broke off or was stopped: removes what was staged and writes its row in `runs`, with the
    /// counts as far as it got.
    ///
    /// # Errors
    /// The disk does not take the row.
    pub fn abandon(self, outcome: &Outcome) -> Result<Summary, ReportError> {
        let Self { report, tally, findings, months, .. } = self;
        drop((findings, months));
        report.write_run(&tally, outcome)?;
        Ok(report.summary(&tally, outcome))
    }
}

/// What the report of one run is about.
#[derive(Debug)]
struct Report {
    destination: Arc<Destination>,
    program: Arc<Program>,
    run: RunMeta,
    since_run: Option<String>,
}

impl Report {
    fn publish(
        &self,
        tally: &mut Tally,
        (findings, bars, months): (FindingParts, FindingBars, Months),
        outcome: &mut Outcome,
    ) -> Result<Summary, ReportError> {
        let clock = Instant::now();
        tally.conserved(&self.program)?;
        let mut staged = findings.finish(&self.program, tally, &outcome.read_whole)?;
        staged.extend(bars.finish(&self.destination, &self.program)?);
        staged.extend(months.finish()?);
        staged.push(self.stage(Table::RuleResults, &rows::rule_results(&self.run, &self.program, &tally.rules)?)?);
        if !outcome.actions.is_empty() {
            staged.push(self.stage(Table::Actions, &rows::actions(&self.run, &outcome.actions)?)?);
        }
        outcome.seconds.report += clock.elapsed().as_secs_f64();
        let summary = self.summary(tally, outcome);
        let target = self.destination.summary();
        staged.push(write::bytes(&self.destination, &target, &json(&summary, &target)?)?);
        self.fill_tables()?;
        let published = Published::publish(self.destination.disk(), staged)?;
        let written = self.write_run(tally, outcome);
        if matches!(written, Ok(()) | Err(ReportError::NotDurable { .. })) {
            published.keep();
        }
        written.map(|()| summary)
    }

    /// Gives the job a file of each table, so that every table can be read, whatever its runs have found.
    fn fill_tables(&self) -> Result<(), ReportError> {
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Runs) {
            let target = self.destination.without_rows(table);
            let disk = self.destination.disk();
            if disk.exists(&target).map_err(|source| ReportError::reading(&target, source))? {
                continue;
            }
            let properties = as_few_rows(self.destination.properties()).build();
            let rows = RecordBatch::new_empty(table.schema());
            let file = TableWriter::whole(&self.destination, &target, &rows, properties)?;
            // Where it is not sure to stay, nothing of the report is there yet.
            file.publish().map_err(|error| ReportError::writing(folder_of(&target), io::Error::from(error)))?;
        }
        Ok(())
    }

    /// Writes again how the run ended, in place of what its report says of it.
    fn correct(&self, tally: &Tally, outcome: &Outcome) -> Result<(), ReportError> {
        let target = self.destination.summary();
        let mut file = self.destination.create_again(&target)?;
        let json = json(&self.summary(tally, outcome), &target)?;
        let written = file.write_all(&json).and_then(|()| file.complete());
        write::publish(written.map_err(|source| ReportError::writing(&target, source))?)?;
        let target = self.destination.file(Table::Runs);
        let row = self.row(tally, outcome)?;
        let properties = as_few_rows(self.destination.properties()).build();
        let mut writer = TableWriter::over(
            self.destination.create_again(&target)?,
            &target,
            (row.schema(), &self.destination.run),
            properties,
        )?;
        writer.write(&row)?;
        write::publish(writer.close()?)?;
        self.destination.release();
        Ok(())
    }

    fn stage(&self, table: Table, rows: &RecordBatch) -> Result<Staged, ReportError> {
        let target = self.destination.file(table);
        let properties = match table {
            Table::Runs | Table::RuleResults => as_few_rows(self.destination.properties()),
            _ => self.destination.properties(),
        };
        TableWriter::whole(&self.destination, &target, rows, properties.build())
    }

    fn row(&self, tally: &Tally, outcome: &Outcome) -> Result<RecordBatch, ReportError> {
        Ok(rows::run(&self.run, &self.program, (tally, outcome), self.since_run.as_deref(), self.destination.whole())?)
    }

    fn write_run(&self, tally: &Tally, outcome: &Outcome) -> Result<(), ReportError> {
        let row = self.row(tally, outcome)?;
        write::publish(self.stage(Table::Runs, &row)?)?;
        self.destination.release();
        Ok(())
    }

    fn summary(&self, tally: &Tally, outcome: &Outcome) -> Summary {
        Summary::new(&self.run, &self.program, tally, outcome, self.since_run.as_deref())
    }
}

/// The summary as the text of the file `target`.
fn json(summary: &Summary, target: &Path) -> Result<Vec<u8>, ReportError> {
    let mut json = serde_json::to_vec_pretty(summary).map_err(|source| ReportError::json(target, source))?;
    json.push(b'\n');
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::decide::Action;
    use crate::decide::RowTotals;
    use crate::engine::counts::{RuleCounts, SeriesCounts};
    use crate::report::history::previous_findings;
    use crate::report::margins::Coverage;
    use crate::report::run::ActionRow;
    use crate::report::testing::{
        DAY, GAP, OHLC, OUTLIER, Output, PARSE_ERROR, clean_series, files, finding_id, meta, one_series, program, read,
        texts,
    };
    use crate::text::utc::UtcMicros;

    fn collector(dir: &Path, run: RunMeta) -> Collector {
        let previous = previous_findings(dir, "demo", &Coverage::of(&program(), &run)).unwrap();
        Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], previous)
    }

    fn ended(run: &RunMeta) -> Outcome {
        Outcome::new(RunStatus::Findings, 1, UtcMicros(run.started_at.0 + 2_000_000))
    }

    /// Reports a run over `output`.
    fn report(dir: &Path, run: RunMeta, output: Vec<Output>) -> Result<Summary, ReportError> {
        let outcome = ended(&run);
        let mut collector = collector(dir, run);
        for part in output {
            collector.take(&part.batch())?;
        }
        collector.finish(outcome)
    }

    #[test]
    fn a_run_leaves_its_tables_and_a_summary() {
        let dir = tempfile::tempdir().unwrap();
        let mut outcome = ended(&meta(2));
        outcome.actions.push(ActionRow {
            finding_ids: vec![finding_id(OHLC, "A", 3)],
            quarantine_id: "q".to_owned(),
            locator: "bars.csv:3".to_owned(),
            action: Action::Quarantine,
            state: "removed".to_owned(),
            sha256: "s".to_owned(),
            at: UtcMicros(0),
            moved_by: None,
        });
        let mut collector = collector(dir.path(), meta(2));
        collector.take(&one_series().batch()).unwrap();
        collector.finish(outcome).unwrap();
        assert_eq!(
            files(dir.path()),
            [
                "actions/job=demo/month=2026-11/20261120T020000Z-aaaa.parquet",
                "findings/job=demo/month=2026-11/20261120T020000Z-aaaa-000.parquet",
                "pages/20261120T020000Z-aaaa/summary.json",
                "rule_results/job=demo/month=2026-11/20261120T020000Z-aaaa.parquet",
                "runs/job=demo/month=2026-11/20261120T020000Z-aaaa.parquet",
                "series_metrics/job=demo/month=2026-11/20261120T020000Z-aaaa.parquet",
            ]
        );
        let actions = read(dir.path(), Table::Actions);
        assert_eq!(texts(&actions, "finding_ids"), [format!("[\"{}\"]", finding_id(OHLC, "A", 3))]);
        assert_eq!(texts(&actions, "state"), ["removed"]);
    }

    #[test]
    fn tables_hold_what_was_counted() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(2), vec![clean_series("B"), one_series()]).unwrap();
        let runs = read(dir.path(), Table::Runs);
        for (column, value) in [
            ("rows_read", "150"),
            ("rows_clean", "147"),
            ("rows_flagged", "1"),
            ("rows_to_quarantine", "2"),
            ("findings_error", "3"),
            ("findings_warn", "1"),
            ("findings_info", "0"),
            ("rules_total", "4"),
            ("rules_failed", "2"),
            ("series", "2"),
            ("sessions", "100"),
            ("status", "findings"),
            ("exit_code", "1"),
            ("connections_peak", ""),
            ("window_since", ""),
            ("started_at", "2026-11-20T02:00:00Z"),
        ] {
            assert_eq!(texts(&runs, column), [value], "{column}");
        }
        let rules = read(dir.path(), Table::RuleResults);
        for (column, values) in [
            ("rule_id", ["ohlc", "gap", "close-outlier", "parse-error"]),
            ("status", ["fail", "warn", "fail", "ok"]),
            ("rows_evaluated", ["150", "149", "130", "150"]),
            ("rows_insufficient", ["0", "0", "20", "0"]),
            ("rows_excused", ["0", "1", "0", "0"]),
            ("rows_stepped_over", ["0", "0", "0", "0"]),
            ("findings", ["2", "1", "1", "0"]),
            ("share", ["0.013333333333333334", "", "0.007692307692307693", "0.0"]),
            ("budget", ["", "", "0.01", ""]),
            ("observed_max", ["16.0", "", "16.0", ""]),
            ("first_time", ["1970-04-14T00:00:00Z", "1970-05-31T00:00:00Z", "1970-04-18T00:00:00Z", ""]),
            ("series_hit", ["1", "1", "1", "0"]),
            ("params", ["{}", "{}", "{}", ""]),
        ] {
            assert_eq!(texts(&rules, column), values, "{column}");
        }
        let months = read(dir.path(), Table::SeriesMetrics);
        assert_eq!(texts(&months, "series"), ["B", "A"]);
        assert_eq!(texts(&months, "expected_bars"), ["32", "32"]);
    }

    #[test]
    fn findings_are_sorted_and_say_where_they_are() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), meta(2), vec![one_series()]).unwrap();
        let findings = read(dir.path(), Table::Findings);
        for (column, values) in [
            ("rule_id", ["ohlc", "ohlc", "close-outlier", "gap"]),
            ("check", ["ohlc", "ohlc", "outlier", "gap"]),
            ("severity", ["error", "error", "error", "warn"]),
            ("action", ["quarantine", "quarantine", "report", "report"]),
            ("locator", ["bars.csv:3", "bars.csv:5", "bars.csv:7", ""]),
            ("bars_affected", ["1", "1", "1", "3"]),
            ("is_new", ["true", "true", "true", "true"]),
            ("why", ["a bar must agree with itself", "a bar must agree with itself", "", ""]),
            ("open", ["14.0", "14.0", "14.0", ""]),
            ("high", ["", "", "", ""]),
            ("volume", ["100.0", "100.0", "100.0", ""]),
            ("provisional", ["false", "false", "true", ""]),
            ("session_until", ["", "", "", "1970-06-02"]),
            ("compared_with", ["", "", "", ""]),
            ("first_seen_run", ["20261120T020000Z-aaaa"; 4]),
        ] {
            assert_eq!(texts(&findings, column), values, "{column}");
        }
    }

    #[test]
    fn batches_may_come_in_any_order_and_cut() {
        let parts = || vec![clean_series("B"), one_series(), clean_series("C")];
        let collect = |batches: Vec<RecordBatch>| {
            let dir = tempfile::tempdir().unwrap();
            let mut collector = collector(dir.path(), meta(2));
            for batch in &batches {
                collector.take(batch).unwrap();
            }
            let moves = collector.take_moves();
            let mut summary = collector.finish(ended(&meta(2))).unwrap();
            summary.seconds.report = 0.0;
            (summary, moves, texts(&read(dir.path(), Table::Findings), "finding_id"))
        };
        let whole = collect(parts().into_iter().map(Output::batch).collect());
        let single = |batch: &RecordBatch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)).collect::<Vec<_>>();
        let rows: Vec<RecordBatch> = parts().into_iter().flat_map(|part| single(&part.batch())).rev().collect();
        assert_eq!(collect(rows), whole);
    }

    #[test]
    fn limits_see_totals_the_worst_series_and_the_rows_to_move() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = collector(dir.path(), meta(2));
        for part in [clean_series("B"), one_series()] {
            collector.take(&part.batch()).unwrap();
        }
        let tally = collector.tally();
        assert_eq!(
            tally.series.rows,
            RowTotals { read: 150, clean: 147, flagged: 1, to_quarantine: 2, ..RowTotals::default() }
        );
        assert_eq!(tally.series.worst(), Some(("A".to_owned(), 2, 100)));
        assert_eq!((tally.rules[OHLC].counts.rows, tally.rules[OHLC].counts.evaluated), (2, 150));
        assert_eq!(tally.rules[GAP].first, Some((Some(150 * DAY), "A".to_owned())));
        let moves = collector.take_moves();
        let places: Vec<(i32, i64)> = moves.iter().map(|row| (row.file, row.row)).collect();
        assert_eq!(places, [(0, 3), (0, 5)]);
        assert_eq!((moves[0].action(), &*moves[0].series), (Action::Quarantine, "A"));
        assert_eq!((moves[0].found[0].rule, moves[0].time, moves[0].row_key.len()), (OHLC, Some(103 * DAY), 32));
    }

    #[test]
    fn rows_of_a_series_that_do_not_add_up_are_a_bug() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = collector(dir.path(), meta(2));
        let lost = SeriesCounts { read: 10, clean: 9, ..SeriesCounts::default() };
        let error = collector.take(&Output::default().series("A", lost).batch()).unwrap_err();
        assert!(matches!(&error, ReportError::Conservation(message) if message.contains("`A`")), "{error}");
        assert!(error.to_string().starts_with("bug in barkeep"), "{error}");
    }

    #[test]
    fn findings_and_moves_that_did_not_arrive_are_a_bug() {
        let missing = RuleCounts { evaluated: 1, findings: 1, ..RuleCounts::default() };
        let uncounted = one_series().rule(OUTLIER, "B", missing, None);
        let unnamed =
            Output::default().series("A", SeriesCounts { read: 1, to_quarantine: 1, ..SeriesCounts::default() });
        for (output, reported) in [(uncounted, "`close-outlier` counted 2"), (unnamed, "1 rows are to be moved")] {
            let dir = tempfile::tempdir().unwrap();
            let error = report(dir.path(), meta(2), vec![output]).unwrap_err();
            assert!(error.to_string().contains(reported), "{error}");
            assert_eq!(files(dir.path()), ["runs/job=demo/month=2026-11/20261120T020000Z-aaaa.parquet"]);
            let runs = read(dir.path(), Table::Runs);
            assert_eq!([texts(&runs, "status"), texts(&runs, "exit_code")].concat(), ["broken", "3"]);
            assert!(texts(&runs, "error")[0].contains(reported));
        }
    }

    #[test]
    fn a_batch_of_another_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let batch = one_series().batch().project(&[0, 1]).unwrap();
        let error = collector(dir.path(), meta(2)).take(&batch).unwrap_err();
        assert!(matches!(error, ReportError::Records(_)), "{error}");
    }

    #[test]
    fn a_rule_that_is_not_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for output in [
            Output::default().finding(PARSE_ERROR + 1, "A", 100, 1),
            Output::default().rule(PARSE_ERROR + 1, "A", RuleCounts::default(), None),
        ] {
            let error = collector(dir.path(), meta(2)).take(&output.batch()).unwrap_err();
            assert!(matches!(error, ReportError::Records(_)), "{error}");
        }
    }

    #[test]
    fn nothing_is_visible_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = collector(dir.path(), meta(2));
        collector.take(&one_series().batch()).unwrap();
        assert!(files(dir.path()).iter().all(|name| !name.ends_with(".parquet")), "{:?}", files(dir.path()));
        collector.finish(ended(&meta(2))).unwrap();
        assert!(files(dir.path()).iter().all(|name| !name.contains("partial")), "{:?}", files(dir.path()));
    }

    #[test]
    fn a_run_that_broke_off_leaves_only_its_row() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = collector(dir.path(), meta(2));
        collector.take(&one_series().batch()).unwrap();
        let outcome = Outcome::broken("cannot read `b.csv`", 3, UtcMicros(0));
        let summary = collector.abandon(&outcome).unwrap();
        assert_eq!((summary.status, summary.rows.read), (RunStatus::Broken, 100));
        assert_eq!(files(dir.path()), ["runs/job=demo/month=2026-11/20261120T020000Z-aaaa.parquet"]);
        let runs = read(dir.path(), Table::Runs);
        let row = ["status", "exit_code", "error", "rows_read"].map(|column| texts(&runs, column).concat());
        assert_eq!(row, ["broken", "3", "cannot read `b.csv`", "100"]);
    }

    #[test]
    fn a_folder_that_takes_nothing_is_named_and_the_run_is_broken() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("findings"), "in the way").unwrap();
        let error = report(dir.path(), meta(2), vec![one_series()]).unwrap_err();
        assert!(matches!(&error, ReportError::Write { folder, .. } if folder.starts_with(dir.path())), "{error}");
        let left = ["findings", "runs/job=demo/month=2026-11/20261120T020000Z-aaaa.parquet"];
        assert_eq!(files(dir.path()), left);
        assert_eq!(texts(&read(dir.path(), Table::Runs), "status"), ["broken"]);
    }

    #[test]
    fn nothing_stays_where_the_last_row_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("runs"), "in the way").unwrap();
        let mut collector = Collector::new(dir.path(), program(), meta(2), vec!["bars.csv".to_owned()], Previous::None);
        collector.take(&one_series().batch()).unwrap();
        collector.finish(ended(&meta(2))).unwrap_err();
        // By the lock the next run knows that something may be left.
        assert_eq!(files(dir.path()), [".20261120T020000Z-aaaa.lock", "runs"]);
    }

    #[test]
    fn a_second_run_tells_what_is_new_and_what_is_fixed() {
        let dir = tempfile::tempdir().unwrap();
        let first = report(dir.path(), meta(2), vec![one_series()]).unwrap();
        let change = first.change.unwrap();
        assert_eq!((change.new, change.fixed, change.since_run), (4, 0, None));

        let counts = |evaluated, found| RuleCounts {
            evaluated,
            findings: found,
            bars: found,
            rows: found,
            ..RuleCounts::default()
        };
        let later = Output::default()
            .finding(OHLC, "A", 105, 5)
            .finding(OUTLIER, "A", 107, 7)
            .finding(OUTLIER, "A", 109, 9)
            .moved("A", 105, 5)
            .rule(OHLC, "A", counts(100, 1), Some((105, 105)))
            .rule(GAP, "A", counts(100, 0), None)
            .rule(OUTLIER, "A", counts(100, 2), Some((107, 109)))
            .rule(PARSE_ERROR, "A", counts(100, 0), None)
            .series(
                "A",
                SeriesCounts { read: 100, clean: 97, flagged: 2, to_quarantine: 1, ..SeriesCounts::default() },
            );
        let second = report(dir.path(), meta(3), vec![later]).unwrap();
        let change = second.change.unwrap();
        assert_eq!((change.new, change.fixed), (1, 2));
        assert_eq!(change.since_run.as_deref(), Some("20261120T020000Z-aaaa"));

        let rules = read(dir.path(), Table::RuleResults);
        assert_eq!(texts(&rules, "findings_new")[4..], ["0", "0", "1", "0"]);
        assert_eq!(texts(&rules, "findings_fixed")[4..], ["1", "1", "0", "0"]);
        let findings = read(dir.path(), Table::Findings);
        assert_eq!(texts(&findings, "is_new")[4..], ["false", "false", "true"]);
        let (first, second) = ("20261120T020000Z-aaaa", "20261120T030000Z-aaaa");
        assert_eq!(texts(&findings, "first_seen_run")[4..], [first, first, second]);
        assert_eq!(texts(&findings, "finding_id")[1], texts(&findings, "finding_id")[4]);
    }

    #[test]
    fn without_a_comparison_new_and_fixed_are_null() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector =
            Collector::new(dir.path(), program(), meta(2), vec!["bars.csv".to_owned()], Previous::Unknown);
        collector.take(&one_series().batch()).unwrap();
        assert_eq!(collector.finish(ended(&meta(2))).unwrap().change, None);
        assert_eq!(texts(&read(dir.path(), Table::RuleResults), "findings_new"), [""; 4]);
        assert_eq!(texts(&read(dir.path(), Table::Findings), "is_new"), [""; 4]);
    }

    #[test]
    fn a_run_without_rows_is_reported_too() {
        let dir = tempfile::tempdir().unwrap();
        let summary = report(dir.path(), meta(2), Vec::new()).unwrap();
        assert_eq!((summary.rows.read, summary.series, summary.data.since), (0, 0, None));
        assert_eq!(texts(&read(dir.path(), Table::RuleResults), "status"), ["skipped"; 4]);
    }

    #[test]
    fn the_summary_on_disk_is_the_one_that_is_returned() {
        let dir = tempfile::tempdir().unwrap();
        let summary = report(dir.path(), meta(2), vec![one_series()]).unwrap();
        let json = fs::read(dir.path().join("pages/20261120T020000Z-aaaa/summary.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Summary>(&json).unwrap(), summary);
        let ids: Vec<&str> = summary.rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, ["ohlc", "close-outlier", "gap", "parse-error"]);
        assert_eq!((summary.rows_per_second, summary.elapsed()), (Some(50.0), 2.0));
    }
}
