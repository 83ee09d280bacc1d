//! The gauges of a run in the text format of Prometheus, for the text-file collector of `node_exporter`: one file a job.
//!
//! Labels are of closed sets: the job, its rules, their severities. No symbol, no id, no message is one, so that the number
//! of series does not grow with the data.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::durable::{Disk, Growing};

/// The collector runs as another user.
const EVERYBODY_READS: u32 = 0o644;

/// What a run is measured by.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The job.
    pub job: String,
    /// When the run ended, µs UTC.
    pub finished_at: i64,
    /// When the last run with exit code 0 ended, µs UTC; `None` where none is known.
    pub last_success: Option<i64>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Its exit code.
    pub exit_code: u8,
    /// Most memory it held, in bytes.
    pub peak_rss: Option<u64>,
    /// Rows evaluated.
    pub rows_read: u64,
    /// Rows that left the source.
    pub rows_removed: u64,
    /// Channels that did not take a message of the run.
    pub failed_deliveries: u64,
    /// Findings by rule and severity, of every rule.
    pub findings: Vec<(String, String, u64)>,
}

/// The file of a job in `folder`.
pub fn file(folder: &Path, job: &str) -> PathBuf {
    folder.join(format!("barkeep-{job}.prom"))
}

/// The gauges as text.
pub fn text(metrics: &Metrics) -> String {
    let mut out = String::new();
    let job = format!("{{job=\"{}\"}}", escaped(&metrics.job));
    let mut gauge = |name: &str, help: &str, values: &[(String, String)]| {
        if !values.is_empty() {
            out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        }
        for (labels, value) in values {
            out.push_str(&format!("{name}{labels} {value}\n"));
        }
    };
    let one = |value: Option<String>| value.map(|value| (job.clone(), value)).into_iter().collect::<Vec<_>>();
    let seconds = |micros: i64| micros.div_euclid(1_000_000).to_string();
    gauge(
        "barkeep_job_last_run_timestamp_seconds",
        "When the last run of the job ended.",
        &one(Some(seconds(metrics.finished_at))),
    );
    gauge(
        "barkeep_job_last_success_timestamp_seconds",
        "When the last run of the job with exit code 0 ended.",
        &one(metrics.last_success.map(seconds)),
    );
    gauge("barkeep_job_duration_seconds", "How long the last run took.", &one(Some(format!("{:.3}", metrics.seconds))));
    gauge("barkeep_job_exit_code", "The exit code of the last run.", &one(Some(metrics.exit_code.to_string())));
    gauge(
        "barkeep_job_peak_rss_bytes",
        "Most memory the last run held.",
        &one(metrics.peak_rss.map(|bytes| bytes.to_string())),
    );
    gauge(
        "barkeep_job_failed_deliveries",
        "Channels that did not take the message of the last run.",
        &one(Some(metrics.failed_deliveries.to_string())),
    );
    gauge("barkeep_rows_checked", "Rows the last run evaluated.", &one(Some(metrics.rows_read.to_string())));
    gauge(
        "barkeep_quarantine_rows",
        "Rows the last run moved to quarantine.",
        &one(Some(metrics.rows_removed.to_string())),
    );
    let findings: Vec<(String, String)> = metrics
        .findings
        .iter()
        .map(|(rule, severity, findings)| {
            let mut labels = format!("{{job=\"{}\"", escaped(&metrics.job));
            // A text in memory takes everything.
            write!(labels, ",rule=\"{}\",severity=\"{}\"}}", escaped(rule), escaped(severity)).ok();
            (labels, findings.to_string())
        })
        .collect();
    gauge("barkeep_findings", "Findings of the last run that reached its end.", &findings);
    out
}

/// A value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Writes the file of the job into `folder`, which is there: whoever reads it sees the old one or the new one.
///
/// # Errors
/// There is no such folder, or this user may not write there.
pub fn write(folder: &Path, metrics: &Metrics) -> io::Result<()> {
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("`{}` is not a folder", folder.display())));
    }
    let (disk, target) = (Disk::system(), file(folder, &metrics.job));
    // The collector reads what ends in `.prom`; what a killed run left there is replaced.
    let temporary = folder.join(format!(".barkeep-{}.prom.partial", metrics.job));
    disk.remove(&temporary)?;
    let mut growing = Growing::create(&disk, &temporary, &target)?;
    growing.allow(EVERYBODY_READS);
    growing.write_all(text(metrics).as_bytes())?;
    growing.complete()?.publish().map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sample() -> Metrics {
        Metrics {
            job: "cn-daily".to_owned(),
            finished_at: 1_763_606_400_000_000,
            last_success: Some(1_763_520_000_999_999),
            seconds: 4.25,
            exit_code: 1,
            peak_rss: Some(104_857_600),
            rows_read: 259_174,
            rows_removed: 13,
            failed_deliveries: 0,
            findings: vec![
                ("ohlc".to_owned(), "error".to_owned(), 13),
                ("odd \"name\"\\".to_owned(), "warn".to_owned(), 0),
            ],
        }
    }

    #[test]
    fn gauges_are_those_that_node_exporter_reads() {
        insta::assert_snapshot!(text(&sample()), @r#"
        # HELP barkeep_job_last_run_timestamp_seconds When the last run of the job ended.
        # TYPE barkeep_job_last_run_timestamp_seconds gauge
        barkeep_job_last_run_timestamp_seconds{job="cn-daily"} 1763606400
        # HELP barkeep_job_last_success_timestamp_seconds When the last run of the job with exit code 0 ended.
        # TYPE barkeep_job_last_success_timestamp_seconds gauge
        barkeep_job_last_success_timestamp_seconds{job="cn-daily"} 1763520000
        # HELP barkeep_job_duration_seconds How long the last run took.
        # TYPE barkeep_job_duration_seconds gauge
        barkeep_job_duration_seconds{job="cn-daily"} 4.250
        # HELP barkeep_job_exit_code The exit code of the last run.
        # TYPE barkeep_job_exit_code gauge
        barkeep_job_exit_code{job="cn-daily"} 1
        # HELP barkeep_job_peak_rss_bytes Most memory the last run held.
        # TYPE barkeep_job_peak_rss_bytes gauge
        barkeep_job_peak_rss_bytes{job="cn-daily"} 104857600
        # HELP barkeep_job_failed_deliveries Channels that did not take the message of the last run.
        # TYPE barkeep_job_failed_deliveries gauge
        barkeep_job_failed_deliveries{job="cn-daily"} 0
        # HELP barkeep_rows_checked Rows the last run evaluated.
        # TYPE barkeep_rows_checked gauge
        barkeep_rows_checked{job="cn-daily"} 259174
        # HELP barkeep_quarantine_rows Rows the last run moved to quarantine.
        # TYPE barkeep_quarantine_rows gauge
        barkeep_quarantine_rows{job="cn-daily"} 13
        # HELP barkeep_findings Findings of the last run that reached its end.
        # TYPE barkeep_findings gauge
        barkeep_findings{job="cn-daily",rule="ohlc",severity="error"} 13
        barkeep_findings{job="cn-daily",rule="odd \"name\"\\",severity="warn"} 0
        "#);
    }

    #[test]
    fn the_file_is_replaced_whole_and_everybody_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let other = Metrics { job: "other".to_owned(), ..sample() };
        for metrics in [&sample(), &other, &Metrics { exit_code: 0, findings: Vec::new(), ..sample() }] {
            write(dir.path(), metrics).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["barkeep-cn-daily.prom", "barkeep-other.prom"]);
        let path = file(dir.path(), "cn-daily");
        assert!(fs::read_to_string(&path).unwrap().contains("barkeep_job_exit_code{job=\"cn-daily\"} 0\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn what_a_killed_run_left_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".barkeep-cn-daily.prom.partial"), "half").unwrap();
        write(dir.path(), &sample()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(&dir.path().join("nowhere"), &sample()).unwrap_err();
        assert!(error.to_string().contains("nowhere` is not a folder"), "{error}");
    }
}
