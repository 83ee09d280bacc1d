//! What these tests share: a folder to run barkeep in, and readers of what a run leaves behind.
//!
//! The tables of a report are read with the Parquet reader itself, so that barkeep's own reader hides no mistake of
//! its writer.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::array::{TimestampMicrosecondArray, UInt32Array};
use arrow::json::LineDelimitedWriter;
use assert_cmd::Command;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The package, where jobs, rules and test data are.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program, in `folder`, without the settings of whoever runs the tests.
pub(crate) fn barkeep(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("barkeep").unwrap();
    command.current_dir(folder);
    for name in ["THREADS", "MEMORY_LIMIT", "TEMP_DIR", "LOG", "REPORTS"] {
        command.env_remove(format!("BARKEEP_{name}"));
    }
    command
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// What a run of one job said.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code.
    pub(crate) exit: i32,
    /// The summary.
    pub(crate) summary: Value,
    /// What it said on stderr.
    pub(crate) log: String,
}

impl Run {
    /// Runs `barkeep --format ndjson` with `args` in `folder`.
    ///
    /// # Panics
    /// When it gives no summary, which it does for mistakes and broken sources.
    pub(crate) fn new(folder: &Path, args: &[&str]) -> Self {
        Self::of(barkeep(folder).args(["--format", "ndjson"]).args(args))
    }

    /// Runs `command`, which asks for `ndjson`.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [summary, exit] = lines.as_slice() else {
            panic!("no summary: {stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        };
        let code = output.status.code().unwrap();
        assert_eq!(exit["code"], code, "the exit object has the exit code");
        assert_eq!(summary["exit_code"], code, "the summary has the exit code");
        Self { exit: code, summary: summary.clone(), log: String::from_utf8(output.stderr).unwrap() }
    }

    /// The id of the run.
    pub(crate) fn id(&self) -> &str {
        self.summary["run_id"].as_str().unwrap()
    }

    /// A count of the summary, e.g. `/rows/read`.
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        self.summary.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no count at {pointer}"))
    }
}

/// One row of the table `findings`.
#[expect(clippy::struct_field_names, reason = "these are the names of the columns")]
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Finding {
    pub(crate) run_id: String,
    pub(crate) finding_id: String,
    pub(crate) rule_id: String,
    pub(crate) check: String,
    pub(crate) severity: String,
    pub(crate) action: String,
    pub(crate) series: String,
    pub(crate) time: Option<String>,
    pub(crate) time_until: Option<String>,
    pub(crate) locator: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) observed: Option<f64>,
    pub(crate) observed_text: Option<String>,
    pub(crate) expected_lo: Option<f64>,
    pub(crate) expected_hi: Option<f64>,
    pub(crate) expected_text: Option<String>,
    pub(crate) score: Option<f64>,
    pub(crate) bars_affected: u64,
    pub(crate) cause: Option<String>,
    pub(crate) evidence: Option<String>,
    pub(crate) is_new: Option<bool>,
}

impl Finding {
    /// Its timestamp: the date where timestamps are dates, e.g. `2024-01-02`, else `2024-01-02T14:30:00Z`.
    pub(crate) fn at(&self) -> Option<&str> {
        self.time.as_deref().map(short)
    }

    /// Its last timestamp.
    pub(crate) fn until(&self) -> Option<&str> {
        self.time_until.as_deref().map(short)
    }

    /// The timestamp, or the text in its place where that is not a timestamp.
    pub(crate) fn key(&self) -> &str {
        self.at().or(self.observed_text.as_deref()).unwrap_or_default()
    }

    /// The value as the source writes it.
    pub(crate) fn value(&self) -> Option<String> {
        self.observed_text.clone().or_else(|| self.observed.map(|value| value.to_string()))
    }

    /// What there is to follow the verdict; NULL where it is nothing.
    pub(crate) fn evidence(&self) -> Value {
        self.evidence.as_deref().map_or(Value::Null, |evidence| serde_json::from_str(evidence).unwrap())
    }

    /// The row of the source, from 1; none for a gap.
    pub(crate) fn row(&self) -> Option<usize> {
        self.locator.as_ref()?.rsplit(':').next()?.parse().ok()
    }

    /// All of it that a person would compare, in one line.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{} {} {}", self.rule_id, self.series, self.at().unwrap_or("-"));
        let mut add = |part: std::fmt::Arguments<'_>| line.write_fmt(part).unwrap();
        if let Some(until) = self.until() {
            add(format_args!(" .. {until}"));
        }
        if let Some(field) = &self.field {
            add(format_args!(" {field}"));
        }
        if let Some(value) = self.value() {
            add(format_args!(" `{}`", value.replace('\r', "\\r").replace('\n', "\\n")));
        }
        if let Some(cause) = &self.cause {
            add(format_args!(" {cause}"));
        }
        if self.bars_affected != 1 {
            add(format_args!(" bars={}", self.bars_affected));
        }
        if let Some(locator) = &self.locator {
            add(format_args!(" @{locator}"));
        }
        line
    }
}

/// A midnight is reported as its date.
fn short(time: &str) -> &str {
    time.strip_suffix("T00:00:00Z").unwrap_or(time)
}

/// The findings of one run, in the order of the table.
pub(crate) fn findings(reports: &Path, run: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = table(reports, "findings");
    findings.retain(|finding| finding.run_id == run);
    findings
}

/// All rows of a table of the reports.
pub(crate) fn table<T: DeserializeOwned>(reports: &Path, name: &str) -> Vec<T> {
    let mut rows = Vec::new();
    for path in parquet_files(&reports.join(name)) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
        for batch in reader {
            let mut text = Vec::new();
            LineDelimitedWriter::new(&mut text).write(&batch.unwrap()).unwrap();
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            rows.extend(lines.map(|line| serde_json::from_slice::<T>(line).unwrap()));
        }
    }
    rows
}

/// The Parquet files below a folder, sorted; none where there is no such folder.
pub(crate) fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = files(folder);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    files
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Rows of text with typed columns, as CSV: a header cell is `name:type`, an empty cell is NULL.
///
/// Types are `text`, `number`, `count`, `date` (`2024-01-02`) and `instant` (µs UTC, `2024-01-02T14:30:00Z`).
pub(crate) fn typed_batch(csv: &str) -> RecordBatch {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let columns = header.iter().enumerate().map(|(column, cell)| {
        let (name, kind) = cell.split_once(':').unwrap();
        let cells: Vec<Option<&str>> = rows.iter().map(|row| Some(row[column]).filter(|c| !c.is_empty())).collect();
        (name, typed_column(kind, &cells), true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn typed_column(kind: &str, cells: &[Option<&str>]) -> ArrayRef {
    let cells = cells.iter().copied();
    let instant = |cell: &str| chrono::DateTime::parse_from_rfc3339(cell).unwrap().timestamp_micros();
    let day = |cell: &str| cell.parse::<chrono::NaiveDate>().unwrap().to_epoch_days();
    match kind {
        "text" => Arc::new(cells.collect::<StringArray>()),
        "number" => Arc::new(cells.map(|cell| cell.map(|cell| cell.parse().unwrap())).collect::<Float64Array>()),
        "count" => Arc::new(cells.map(|cell| cell.map(|cell| cell.parse().unwrap())).collect::<Int64Array>()),
        "date" => Arc::new(cells.map(|cell| cell.map(day)).collect::<Date32Array>()),
        "instant" => {
            let instants = cells.map(|cell| cell.map(instant)).collect::<TimestampMicrosecondArray>();
            Arc::new(instants.with_timezone("UTC"))
        }
        other => panic!("no such type: {other}"),
    }
}

/// The rows of `batch` at `rows`.
pub(crate) fn take(batch: &RecordBatch, rows: impl IntoIterator<Item = usize>) -> RecordBatch {
    let rows = rows.into_iter().map(|row| u32::try_from(row).unwrap()).collect::<Vec<_>>();
    arrow::compute::take_record_batch(batch, &UInt32Array::from(rows)).unwrap()
}

/// Writes a Parquet file with row groups of at most `group` rows.
pub(crate) fn write_parquet(path: &Path, batch: &RecordBatch, group: usize) {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// How often processes are killed: as `BARKEEP_KILLS` says, else `usual` times.
pub(crate) fn kills(usual: u64) -> u64 {
    std::env::var("BARKEEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(usual)
}

/// Moments that nobody chose, the same in every run.
pub(crate) struct Moments(u64);

impl Moments {
    /// Moments that depend on `seed`, which is not 0.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, in milliseconds from `from` and below `from + span`.
    pub(crate) fn next(&mut self, from: u64, span: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(from + self.0 % span)
    }
}

/// Kills a process `writer_timeout` after now, where it has not ended by then.
pub(crate) fn kill_after(process: &mut Child, writer_timeout: Duration) {
    let began = Instant::now();
    while began.elapsed() < writer_timeout && process.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    // One that has ended already cannot be killed, and needs not be.
    process.kill().ok();
    process.wait().unwrap();
}

/// `text` packed with gzip.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

/// `text` packed with zstd.
pub(crate) fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

/// One bar of `A` at each of these local times, typed, without a zone.
pub(crate) fn write_local_bars(path: &Path, times: &[&str]) {
    let micros = |time: &&str| -> i64 {
        let local = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S").unwrap();
        local.and_utc().timestamp_micros()
    };
    let number = |value: f64| Arc::new(Float64Array::from(vec![value; times.len()])) as ArrayRef;
    let dates: TimestampMicrosecondArray = times.iter().map(|time| Some(micros(time))).collect();
    let batch = RecordBatch::try_from_iter([
        ("symbol", Arc::new(StringArray::from(vec!["A"; times.len()])) as ArrayRef),
        ("date", Arc::new(dates) as ArrayRef),
        ("open", number(10.0)),
        ("high", number(11.0)),
        ("low", number(9.0)),
        ("close", number(10.0)),
        ("volume", number(5.0)),
    ])
    .unwrap();
    write_parquet(path, &batch, 100);
}
