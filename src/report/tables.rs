//! The five tables of a report: their names, where their files lie, and their columns.
//!
//! Columns are flat and of types every reader of Parquet knows: text, dictionary-encoded names and enumerations,
//! 64-bit counts, doubles, dates, instants in µs UTC. The partition columns `job` and `run_date` are in the path only.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::run_id::RunId;

/// Version of the columns; one is added where a column changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// One table of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// One row a run; written last, so that a run exists when its row does.
    Runs,
    /// One row a run and rule.
    RuleResults,
    /// One row a broken rule.
    Findings,
    /// One row a series and month.
    SeriesMetrics,
    /// One row a row that was moved.
    Actions,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 5] = [Self::Runs, Self::RuleResults, Self::Findings, Self::SeriesMetrics, Self::Actions];

    /// Its name, in SQL and as a folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::RuleResults => "rule_results",
            Self::Findings => "findings",
            Self::SeriesMetrics => "series_metrics",
            Self::Actions => "actions",
        }
    }

    /// Its columns; without the partition columns.
    pub fn schema(self) -> SchemaRef {
        let columns = match self {
            Self::Runs => RUNS,
            Self::RuleResults => RULE_RESULTS,
            Self::Findings => FINDINGS,
            Self::SeriesMetrics => SERIES_METRICS,
            Self::Actions => ACTIONS,
        };
        Arc::new(Schema::new(
            columns.iter().map(|(name, kind)| Field::new(*name, kind.data_type(), true)).collect::<Vec<_>>(),
        ))
    }

    /// The folder of its files for one run of `job`, below the folder of the reports.
    pub fn folder(self, dir: &Path, job: &str, run: &RunId) -> PathBuf {
        dir.join(self.name()).join(format!("job={job}")).join(format!("run_date={}", run.run_date()))
    }

    /// Its only file for one run of `job`.
    pub fn file(self, dir: &Path, job: &str, run: &RunId) -> PathBuf {
        self.folder(dir, job, run).join(format!("{run}.parquet"))
    }

    /// Its file number `part` for one run of `job`, where it may have several.
    pub fn part(self, dir: &Path, job: &str, run: &RunId, part: usize) -> PathBuf {
        self.folder(dir, job, run).join(format!("{run}-{part:03}.parquet"))
    }
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

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Text of its own: ids, hashes, what people wrote, JSON.
    Text,
    /// One of a few names.
    Name,
    Count,
    Number,
    Flag,
    Instant,
    Date,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Name => names(),
            Self::Count => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Instant => instants(),
            Self::Date => DataType::Date32,
        }
    }
}

/// The type of columns of names.
pub(super) fn names() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The type of columns of instants.
pub(super) fn instants() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

const RUNS: &[(&str, Kind)] = &[
    ("run_id", Kind::Text),
    ("command", Kind::Name),
    ("trigger", Kind::Name),
    ("started_at", Kind::Instant),
    ("finished_at", Kind::Instant),
    ("window_since", Kind::Instant),
    ("window_until", Kind::Instant),
    ("watermark_before", Kind::Instant),
    ("watermark_after", Kind::Instant),
    ("status", Kind::Name),
    ("exit_code", Kind::Count),
    ("rows_read", Kind::Count),
    ("rows_clean", Kind::Count),
    ("rows_flagged", Kind::Count),
    ("rows_parse_error", Kind::Count),
    ("rows_to_quarantine", Kind::Count),
    ("rows_to_delete", Kind::Count),
    ("rows_restored_kept", Kind::Count),
    ("rows_quarantined", Kind::Count),
    ("rows_deleted", Kind::Count),
    ("findings_error", Kind::Count),
    ("findings_warn", Kind::Count),
    ("findings_info", Kind::Count),
    ("rules_total", Kind::Count),
    ("rules_failed", Kind::Count),
    ("series", Kind::Count),
    // Sessions of the series that has most of them.
    ("sessions", Kind::Count),
    ("peak_rss", Kind::Count),
    ("bytes_read", Kind::Count),
    ("seconds_load", Kind::Number),
    ("seconds_extract", Kind::Number),
    ("seconds_check", Kind::Number),
    ("seconds_report", Kind::Number),
    ("seconds_apply", Kind::Number),
    // Rows that left the source.
    ("rows_removed", Kind::Count),
    // NULL for files, which have no connections.
    ("connections_opened", Kind::Count),
    ("connections_closed", Kind::Count),
    // A JSON object of counts by reason.
    ("connections_closed_by", Kind::Text),
    ("connections_peak", Kind::Count),
    ("connections_in_use", Kind::Count),
    ("job_sha256", Kind::Text),
    ("rules_sha256", Kind::Text),
    ("version", Kind::Name),
    ("host", Kind::Name),
    ("error", Kind::Text),
    // Login name, or the number of the user where it has none.
    ("user", Kind::Name),
    // Rows before the window that were read because verdicts depend on them; the other counts are without them.
    ("rows_context", Kind::Count),
    // The first timestamp that may differ from what the run before read; NULL where nothing before the window was read.
    ("changed_since", Kind::Instant),
    // A JSON array of series that were looked at as a whole, beside the window; NULL where there are none.
    ("series_whole", Kind::Text),
    // The event of the run: `fail`, `recovery`, `new` or `none`; NULL where the job has no notifications.
    ("notify_event", Kind::Name),
    // Whether one channel at least took it.
    ("notify_delivered", Kind::Flag),
    // A JSON array: channel, tries, and why it failed.
    ("deliveries", Kind::Text),
    // Rows that stay because others write to their files.
    ("rows_busy", Kind::Count),
    // Prices that are NULL, up to four in a row, and volumes.
    ("null_prices", Kind::Count),
    ("null_volumes", Kind::Count),
];

const RULE_RESULTS: &[(&str, Kind)] = &[
    ("run_id", Kind::Text),
    ("rule_id", Kind::Name),
    ("check", Kind::Name),
    ("severity", Kind::Name),
    ("action", Kind::Name),
    ("status", Kind::Name),
    ("params", Kind::Text),
    ("rows_evaluated", Kind::Count),
    ("rows_insufficient", Kind::Count),
    ("rows_excused", Kind::Count),
    // Rows the rule did not look at; with the three above, the rows read.
    ("rows_stepped_over", Kind::Count),
    ("findings", Kind::Count),
    ("findings_new", Kind::Count),
    ("findings_fixed", Kind::Count),
    // Rows flagged of rows evaluated; NULL where findings are gaps between rows.
    ("share", Kind::Number),
    ("budget", Kind::Number),
    ("observed_min", Kind::Number),
    ("observed_max", Kind::Number),
    ("first_time", Kind::Instant),
    ("last_time", Kind::Instant),
    ("series_hit", Kind::Count),
    // Of all threads together; without the SQL expressions of a rule, which are evaluated before, for many series at once.
    ("seconds", Kind::Number),
    // A JSON object of what facts excused, by fact.
    ("excused_by", Kind::Text),
    // SHA-256 (hex) of what decides the verdicts of the rule.
    ("rule_sha256", Kind::Text),
    // `changed` or `added` since the run that this one is compared with.
    ("rule_change", Kind::Name),
    // Findings that make no run fail: labelled `known` or `fine`, or of rows that a person put back.
    ("findings_labelled", Kind::Count),
    // Errors without such a label that the run before did not have so.
    ("findings_new_errors", Kind::Count),
];

const FINDINGS: &[(&str, Kind)] = &[
    ("run_id", Kind::Text),
    ("finding_id", Kind::Text),
    ("rule_id", Kind::Name),
    ("check", Kind::Name),
    ("severity", Kind::Name),
    ("action", Kind::Name),
    ("series", Kind::Name),
    ("symbol", Kind::Name),
    ("time", Kind::Instant),
    ("time_until", Kind::Instant),
    ("session", Kind::Date),
    ("row_key", Kind::Text),
    ("locator", Kind::Text),
    ("field", Kind::Name),
    ("observed", Kind::Number),
    ("observed_text", Kind::Text),
    ("expected_lo", Kind::Number),
    ("expected_hi", Kind::Number),
    ("expected_text", Kind::Text),
    ("score", Kind::Number),
    ("bars_affected", Kind::Count),
    ("cause", Kind::Name),
    ("evidence", Kind::Text),
    ("is_new", Kind::Flag),
    ("first_seen_run", Kind::Text),
    // `known`, `fine` or `bad` as a person said; `accepted` where the person put the row back.
    ("label", Kind::Name),
];

const SERIES_METRICS: &[(&str, Kind)] = &[
    ("run_id", Kind::Text),
    ("series", Kind::Name),
    // First day of the month.
    ("bucket", Kind::Date),
    ("bars", Kind::Count),
    ("expected_bars", Kind::Count),
    ("missing", Kind::Count),
    ("duplicates", Kind::Count),
    ("zero_volume", Kind::Count),
    ("null_prices", Kind::Count),
    ("null_volume", Kind::Count),
    ("first_time", Kind::Instant),
    ("last_time", Kind::Instant),
];

const ACTIONS: &[(&str, Kind)] = &[
    ("run_id", Kind::Text),
    // A JSON array of texts.
    ("finding_ids", Kind::Text),
    ("quarantine_id", Kind::Text),
    ("locator", Kind::Text),
    ("action", Kind::Name),
    ("state", Kind::Name),
    ("sha256", Kind::Text),
    ("at", Kind::Instant),
    ("host", Kind::Name),
    ("user", Kind::Name),
    // The earlier run that moved the row, or was about to; NULL where it is this one.
    ("moved_by", Kind::Text),
];

#[cfg(test)]
mod tests {
    use super::*;

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
            columns.extend(["job", "run_date"]);
            columns.sort_unstable();
            assert!(columns.windows(2).all(|pair| pair[0] != pair[1]), "{table}: {columns:?}");
        }
    }

    #[test]
    fn files_lie_below_job_and_date_of_the_start() {
        let run = RunId::parse("20261120T233000Z-k7f3").unwrap();
        let path = |path: PathBuf| path.to_str().unwrap().replace('\\', "/");
        let dir = Path::new("reports");
        let part = Table::Findings.part(dir, "cn-daily", &run, 0);
        assert_eq!(path(part), "reports/findings/job=cn-daily/run_date=2026-11-20/20261120T233000Z-k7f3-000.parquet");
        let file = Table::Runs.file(dir, "cn-daily", &run);
        assert_eq!(path(file), "reports/runs/job=cn-daily/run_date=2026-11-20/20261120T233000Z-k7f3.parquet");
    }
}
