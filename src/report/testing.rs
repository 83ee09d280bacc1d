//! Runs for the tests of reports: a program of three rules, records as the operator puts them out, tables read back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::reading::shaped;
use super::run::{RunMeta, Trigger};
use super::run_id::RunId;
use super::tables::Table;
use crate::checks::Finding;
use crate::checks::testing::Fixture;
use crate::config::{RuleFile, compile};
use crate::decide::{Action, Severity};
use crate::engine::counts::{MonthCounts, RuleCounts, SeriesCounts};
use crate::engine::metrics::Month;
use crate::engine::program::Program;
use crate::engine::records::{Counted, Record, RecordBuilder, Row};
use crate::schema::{Environment, SourceText};
use crate::text::utc::UtcMicros;

pub(super) const DAY: i64 = 86_400_000_000;

/// Indices of the rules of [`program`].
pub(super) const OHLC: usize = 0;
pub(super) const GAP: usize = 1;
pub(super) const OUTLIER: usize = 2;
pub(super) const PARSE_ERROR: usize = 3;

const RULES: &str = r#"
[[rule]]
id = "ohlc"
check = "ohlc"
action = "quarantine"
why = "a bar must agree with itself"

[[rule]]
id = "gap"
check = "gap"
severity = "warn"

[[rule]]
id = "close-outlier"
check = "outlier"
budget = 0.01
"#;

/// A job `demo` over daily bars with the rules `ohlc` (quarantine), `gap` (warn) and `close-outlier` (report).
pub(super) fn program() -> Arc<Program> {
    let bars = Fixture::new("calendar = \"24/7\"", "time,open,high,low,close,volume\n").spec;
    let file = RuleFile::new(SourceText::new("rules.toml", RULES), Arc::new(Environment::default()));
    let rules = compile(&[file], &bars).unwrap_or_else(|d| panic!("{}", d[0].render(false)));
    Arc::new(Program {
        job: "demo".to_owned(),
        bars,
        rules,
        parse_error_severity: Severity::Error,
        parse_error_action: Action::Report,
        movable_before: None,
        read: Vec::new(),
        compared: Vec::new(),
        by: None,
        facts: Arc::default(),
        gathers: crate::engine::program::Gathers::Nothing,
        peers: std::collections::BTreeMap::new(),
        others: std::collections::BTreeMap::new(),
        scope: None,
        skipped: std::collections::BTreeSet::new(),
        open_days: std::collections::BTreeMap::new(),
        sha256: "p".to_owned(),
    })
}

/// The run that began `hour` hours after 2026-11-20 00:00Z, over all of the data.
pub(super) fn meta(hour: u32) -> RunMeta {
    RunMeta {
        run_id: RunId::parse(&format!("20261120T{hour:02}0000Z-aaaa")).unwrap(),
        command: "check".to_owned(),
        trigger: Trigger::Cli,
        as_of: UtcMicros(0),
        started_at: UtcMicros(20_777 * DAY + i64::from(hour) * 3_600_000_000),
        source: "data/bars_1d".to_owned(),
        window: (None, None),
        changed_since: None,
        watermark_before: None,
        job_file: "/jobs/demo.toml".to_owned(),
        job_sha256: "j".repeat(64),
        rules_sha256: "r".repeat(64),
        host: "box".to_owned(),
        user: "alice".to_owned(),
    }
}

/// Records of the operator, written down.
#[derive(Default)]
pub(super) struct Output(RecordBuilder);

impl Output {
    /// A finding about `row`; its id is made of rule, series and row.
    pub(super) fn finding(mut self, rule: usize, series: &str, day: i64, row: i64) -> Self {
        let finding = Finding::row(0).field(&Arc::from("close")).observed(15.0).cause("far");
        self.0.push(&Row {
            record: Record::Finding,
            rule: Some(rule),
            series,
            symbol: Some(series),
            finding_id: Some(&finding_id(rule, series, row)),
            row_key: Some(&format!("{row:032x}")),
            time: Some(day * DAY),
            session: i32::try_from(day).ok(),
            locator: Some((0, row)),
            action: Some(i8::from(rule == OHLC)),
            finding: Some(&finding),
            bar: Some([Some(14.0), None, Some(13.5), Some(15.0), Some(100.0)]),
            provisional: Some(day == 107),
            ..Row::default()
        });
        self
    }

    /// A bar around the finding about the row and day `day`, whose close is its day.
    pub(super) fn bar(mut self, rule: usize, series: &str, day: i64, (offset, flagged): (i64, bool)) -> Self {
        let at = day + offset;
        self.0.push(&Row {
            record: Record::Bar,
            rule: Some(rule),
            series,
            symbol: Some(series),
            finding_id: Some(&finding_id(rule, series, day)),
            time: Some(at * DAY),
            session: i32::try_from(at).ok(),
            bar: Some([None, None, None, Some(at as f64), None]),
            offset: Some(offset),
            flagged: Some(flagged),
            ..Row::default()
        });
        self
    }

    /// A finding about a gap of `bars` from `day` on.
    pub(super) fn gap(self, series: &str, day: i64, bars: u64) -> Self {
        self.gap_of("unexplained", series, day, bars)
    }

    /// The same, with its cause.
    pub(super) fn gap_of(mut self, cause: &'static str, series: &str, day: i64, bars: u64) -> Self {
        let last = day + i64::try_from(bars).unwrap() - 1;
        let finding = Finding::gap(day * DAY, last * DAY, bars).cause(cause);
        self.0.push(&Row {
            record: Record::Finding,
            rule: Some(GAP),
            series,
            symbol: Some(series),
            finding_id: Some(&finding_id(GAP, series, day)),
            row_key: Some(&format!("{day:032x}")),
            time: Some(day * DAY),
            time_until: Some(last * DAY),
            session: i32::try_from(day).ok(),
            action: Some(0),
            finding: Some(&finding),
            ..Row::default()
        });
        self
    }

    /// Counts of `rule` over `series`, whose findings lie on `days`.
    pub(super) fn rule(mut self, rule: usize, series: &str, counts: RuleCounts, days: Option<(i64, i64)>) -> Self {
        self.0.push(&Row {
            record: Record::Rule,
            rule: Some(rule),
            series,
            time: days.map(|(first, _)| first * DAY),
            time_until: days.map(|(_, last)| last * DAY),
            observed: (counts.findings > 0 && counts.rows > 0).then_some((15.0, 16.0)),
            counts: Some(Counted::Rule(counts)),
            ..Row::default()
        });
        self
    }

    /// Counts of `rule` over `series`, with the time that it took.
    pub(super) fn timed_rule(mut self, rule: usize, series: &str, counts: RuleCounts) -> Self {
        let (record, counts) = (Record::Rule, Some(Counted::Rule(counts)));
        self.0.push(&Row { record, rule: Some(rule), series, counts, nanos: Some(1), ..Row::default() });
        self
    }

    /// Counts of the rows of `series`, which has bars from day 100 on.
    pub(super) fn series(mut self, series: &str, counts: SeriesCounts) -> Self {
        self.0.push(&Row {
            record: Record::Series,
            series,
            symbol: Some(series),
            time: Some(100 * DAY),
            time_until: Some((99 + counts.read) * DAY),
            counts: Some(Counted::Series(counts)),
            ..Row::default()
        });
        self
    }

    /// A row that `ohlc` rejected.
    pub(super) fn moved(mut self, series: &str, day: i64, row: i64) -> Self {
        self.0.push(&Row {
            record: Record::Move,
            rule: Some(OHLC),
            series,
            finding_id: Some(&finding_id(OHLC, series, row)),
            row_key: Some(&format!("{row:032x}")),
            time: Some(day * DAY),
            locator: Some((0, row)),
            action: Some(Action::Quarantine as i8),
            ..Row::default()
        });
        self
    }

    /// A month of `bars` bars.
    pub(super) fn month(mut self, series: &str, month: i32, bars: i64) -> Self {
        let first = i64::from(month) * DAY;
        let counts = MonthCounts { bars, expected: Some(bars + 1), missing: Some(1), ..MonthCounts::default() };
        let note = Month::to_bytes(&[Month { month, first, last: first + (bars - 1) * DAY, counts }]);
        self.0.push(&Row { record: Record::Months, series, note: Some(&note), ..Row::default() });
        self
    }

    pub(super) fn batch(mut self) -> RecordBatch {
        self.0.finish().unwrap()
    }
}

/// The identity of a finding of [`Output`].
pub(super) fn finding_id(rule: usize, series: &str, row: i64) -> String {
    let series = series.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("{rule:04x}{series:012x}{row:016x}")
}

/// Series `A` of 100 rows: 2 quarantined by `ohlc`, 1 flagged by `close-outlier`, a gap of 3 bars; 20 rows too early
/// for `close-outlier`.
pub(super) fn one_series() -> Output {
    Output::default()
        .finding(OHLC, "A", 105, 5)
        .finding(OHLC, "A", 103, 3)
        .finding(OUTLIER, "A", 107, 7)
        .gap("A", 150, 3)
        .moved("A", 105, 5)
        .moved("A", 103, 3)
        .rule(
            OHLC,
            "A",
            RuleCounts { evaluated: 100, findings: 2, bars: 2, rows: 2, ..RuleCounts::default() },
            Some((103, 105)),
        )
        .rule(
            GAP,
            "A",
            RuleCounts { evaluated: 99, excused: 1, findings: 1, bars: 3, ..RuleCounts::default() },
            Some((150, 150)),
        )
        .rule(
            OUTLIER,
            "A",
            RuleCounts { evaluated: 80, insufficient: 20, findings: 1, bars: 1, rows: 1, ..RuleCounts::default() },
            Some((107, 107)),
        )
        .rule(PARSE_ERROR, "A", RuleCounts { evaluated: 100, ..RuleCounts::default() }, None)
        .series(
            "A",
            SeriesCounts {
                read: 100,
                clean: 97,
                flagged: 1,
                to_quarantine: 2,
                sessions: 100,
                ..SeriesCounts::default()
            },
        )
        .month("A", 90, 31)
}

/// Series `name` of 50 rows without a finding.
pub(super) fn clean_series(name: &str) -> Output {
    let evaluated = |rows| RuleCounts { evaluated: rows, ..RuleCounts::default() };
    Output::default()
        .rule(OHLC, name, evaluated(50), None)
        .rule(GAP, name, evaluated(50), None)
        .rule(OUTLIER, name, evaluated(50), None)
        .rule(PARSE_ERROR, name, evaluated(50), None)
        .series(name, SeriesCounts { read: 50, clean: 50, sessions: 50, ..SeriesCounts::default() })
        .month(name, 90, 31)
}

/// Every file below `dir`, as paths relative to it, in order; without those without rows, which every job has.
pub(super) fn files(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(dir, &mut found);
    let mut names: Vec<String> =
        found.iter().map(|path| path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned()).collect();
    names.retain(|name| !name.ends_with("/no-rows.parquet"));
    names.sort();
    names
}

/// All rows of a table of the job `demo`, in the order of the files.
pub(super) fn read(dir: &Path, table: Table) -> RecordBatch {
    let files =
        files(dir).into_iter().filter(|name| name.starts_with(&format!("{table}/")) && name.ends_with(".parquet"));
    let batches = files.flat_map(|name| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(dir.join(name)).unwrap()).unwrap();
        reader.build().unwrap().map(Result::unwrap).collect::<Vec<_>>()
    });
    let batches: Vec<RecordBatch> = batches.map(|batch| shaped(&batch, &table.schema()).unwrap()).collect();
    concat_batches(&table.schema(), &batches).unwrap()
}

/// The values of a column as text; NULL is empty.
pub(super) fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).unwrap();
    let column = match column.data_type() {
        DataType::Dictionary(..) => cast(column, &DataType::Utf8).unwrap(),
        _ => Arc::clone(column),
    };
    (0..column.len()).map(|row| array_value_to_string(&column, row).unwrap()).collect()
}
