//! The tables of a report: their names, where their files lie, and their columns.
//!
//! Columns are flat and of types every reader of Parquet knows: text, dictionary-encoded names and enumerations,
//! 64-bit counts, doubles, dates, instants in µs UTC. The partition columns `job` and `month` are in the path only; behind the
//! columns of its table every file has [`RUN_DATE`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};

use super::column::Column;
use super::columns;
use super::run_id::RunId;

/// Version of the columns; one is added where a column changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// The column behind all others of a file: the UTC date on which the run began.
pub const RUN_DATE: &str = "run_date";

/// The column that the name of the folder of a file gives, beside `job`: the UTC month in which the run began.
pub const MONTH: &str = "month";

/// The file of the runs of a month that is over, in the folder of the month.
pub(super) const MONTH_FILE: &str = "month.parquet";

/// One table of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// One row a run; written last, so that a run exists when its row does.
    Runs,
    /// One row a run and rule.
    RuleResults,
    /// One row a broken rule.
    Findings,
    /// One row a finding of the run before that is no longer found.
    FixedFindings,
    /// One row a bar around a finding.
    FindingBars,
    /// One row a series and month.
    SeriesMetrics,
    /// One row a row that was moved.
    Actions,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 7] = [
        Self::Runs,
        Self::RuleResults,
        Self::Findings,
        Self::FixedFindings,
        Self::FindingBars,
        Self::SeriesMetrics,
        Self::Actions,
    ];

    /// Its name, in SQL and as a folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::RuleResults => "rule_results",
            Self::Findings => "findings",
            Self::FixedFindings => "fixed_findings",
            Self::FindingBars => "finding_bars",
            Self::SeriesMetrics => "series_metrics",
            Self::Actions => "actions",
        }
    }

    /// Its columns; without the partition columns.
    pub fn schema(self) -> SchemaRef {
        let fields = self.columns().map(|column| Field::new(column.name, column.kind.data_type(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The columns of its files: its own, and [`RUN_DATE`].
    pub fn stored_schema(self) -> SchemaRef {
        with_run_date(&self.schema())
    }

    /// Its columns, with what they mean; without the partition columns.
    pub fn columns(self) -> impl Iterator<Item = &'static Column> {
        let (columns, more): (&[Column], &[Column]) = match self {
            Self::Runs => (columns::RUNS, &[]),
            Self::RuleResults => (columns::RULE_RESULTS, &[]),
            Self::Findings => (columns::FINDINGS, &[]),
            Self::FixedFindings => (columns::FINDINGS, columns::FIXED),
            Self::FindingBars => (columns::FINDING_BARS, &[]),
            Self::SeriesMetrics => (columns::SERIES_METRICS, &[]),
            Self::Actions => (columns::ACTIONS, &[]),
        };
        columns.iter().chain(more)
    }

    /// The folder of its files for the runs of `job`, below the folder of the reports.
    pub(super) fn of_job(self, dir: &Path, job: &str) -> PathBuf {
        dir.join(self.name()).join(format!("job={job}"))
    }

    /// The folder of its files for the runs of `job` that began in `month`, e.g. `2026-11`.
    pub(super) fn of_month(self, dir: &Path, job: &str, month: &str) -> PathBuf {
        self.of_job(dir, job).join(format!("month={month}"))
    }

    /// The folder of its files for one run of `job`.
    pub fn folder(self, dir: &Path, job: &str, run: &RunId) -> PathBuf {
        self.of_month(dir, job, &run.month())
    }

    /// The folders in which files of one run of `job` may lie: that of its month, and that of its day, where
    /// an earlier version put them.
    pub(super) fn folders(self, dir: &Path, job: &str, run: &RunId) -> [PathBuf; 2] {
        [self.folder(dir, job, run), self.of_job(dir, job).join(format!("run_date={}", run.run_date()))]
    }

    /// Its only file for one run of `job`.
    pub fn file(self, dir: &Path, job: &str, run: &RunId) -> PathBuf {
        self.folder(dir, job, run).join(format!("{run}.parquet"))
    }

    /// Its file without rows, which every job has: a reader of a pattern of files, such as DuckDB, fails where there is none,
    /// and one that takes folders for columns where only some files lie in such folders.
    pub(super) fn without_rows(self, dir: &Path, job: &str) -> PathBuf {
        self.of_month(dir, job, "1970-01").join("no-rows.parquet")
    }

    /// Its file number `part` for one run of `job`, where it may have several.
    pub fn part(self, dir: &Path, job: &str, run: &RunId, part: usize) -> PathBuf {
        self.folder(dir, job, run).join(part_name(run, part))
    }
}

/// The columns `schema` with [`RUN_DATE`] behind them.
pub(super) fn with_run_date(schema: &Schema) -> SchemaRef {
    let date = Arc::new(Field::new(RUN_DATE, DataType::Date32, true));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([date]).collect::<Vec<_>>()))
}

/// The value of [`RUN_DATE`] in the rows of `run`, days since 1970-01-01.
pub(super) fn date_of(run: &RunId) -> i32 {
    Date32Type::from_naive_date(run.run_date())
}

/// The name of the file number `part` of a run.
pub(super) fn part_name(run: &RunId, part: usize) -> String {
    format!("{run}-{part:03}.parquet")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The folder of what is not a table of a run: the summary, the page, the log.
pub fn pages(dir: &Path, run: &str) -> PathBuf {
    dir.join("pages").join(run)
}

/// The summary of a run.
pub fn summary(dir: &Path, run: &str) -> PathBuf {
    pages(dir, run).join("summary.json")
}

/// The page of a run.
pub fn page(dir: &Path, run: &str) -> PathBuf {
    pages(dir, run).join("report.html")
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;
    use crate::report::column::names;

    #[test]
    fn columns_are_of_types_every_reader_knows() {
        for table in Table::ALL {
            for field in table.schema().fields() {
                let known = match field.data_type() {
                    DataType::Utf8 | DataType::Int64 | DataType::Float64 | DataType::Boolean | DataType::Date32 => true,
                    DataType::Dictionary(key, value) => **key == DataType::Int32 && **value == DataType::Utf8,
                    DataType::Timestamp(unit, zone) => *unit == TimeUnit::Microsecond && zone.as_deref() == Some("UTC"),
                    _ => false,
                };
                assert!(known, "{table}.{} is {}", field.name(), field.data_type());
            }
        }
    }

    #[test]
    fn names_are_reported_from_ids() {
        let of = |table: Table, column: &str| table.schema().field_with_name(column).unwrap().data_type().clone();
        for column in ["finding_id", "row_key", "run_id", "first_seen_run", "evidence", "locator"] {
            assert_eq!(of(Table::Findings, column), DataType::Utf8, "{column}");
        }
        for column in ["rule_id", "check", "severity", "action", "series", "symbol", "field", "cause"] {
            assert_eq!(of(Table::Findings, column), names(), "{column}");
        }
    }

    #[test]
    fn no_column_stands_twice_or_repeats_a_partition() {
        for table in Table::ALL {
            let schema = table.schema();
            let mut columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            columns.extend(["job", MONTH, RUN_DATE]);
            columns.sort_unstable();
            assert!(columns.windows(2).all(|pair| pair[0] != pair[1]), "{table}: {columns:?}");
        }
    }

    #[test]
    fn files_lie_below_job_and_month_of_the_start() {
        let run = RunId::parse("20261120T233000Z-k7f3").unwrap();
        let path = |path: PathBuf| path.to_str().unwrap().replace('\\', "/");
        let dir = Path::new("reports");
        let part = Table::Findings.part(dir, "cn-daily", &run, 0);
        assert_eq!(path(part), "reports/findings/job=cn-daily/month=2026-11/20261120T233000Z-k7f3-000.parquet");
        let file = Table::Runs.file(dir, "cn-daily", &run);
        assert_eq!(path(file), "reports/runs/job=cn-daily/month=2026-11/20261120T233000Z-k7f3.parquet");
    }
}
