//! What the rules that ship say of the files as they are.

use std::collections::BTreeMap;
use std::path::Path;

use barkeep::checks::{self, Facts};
use barkeep::market::Interval;
use chrono::DateTime;

use crate::data::Project;
use crate::support::Finding;

/// A job that ships and its file.
#[expect(clippy::struct_field_names, reason = "a file is known by its name")]
pub(super) struct File {
    pub(super) job: &'static str,
    pub(super) file: &'static str,
    interval: Interval,
}

/// All files, the real ones first.
pub(super) const FILES: [File; 7] = [
    File { job: "us-daily", file: "us_equity_daily.csv", interval: Interval::Day },
    File { job: "us-hourly", file: "us_equity_hourly.csv", interval: Interval::minutes(60) },
    File { job: "crypto-1m", file: "crypto_coinbase.csv, minutes", interval: Interval::minutes(1) },
    File { job: "crypto-1d", file: "crypto_coinbase.csv, days", interval: Interval::Day },
    File { job: "cn-tushare", file: "ashare_tushare_daily.csv", interval: Interval::Day },
    File { job: "cn-ndjson", file: "stock_daily_quotes.ndjson, faults put in", interval: Interval::Day },
    File { job: "injected-us", file: "injected_us_daily.csv, faults put in", interval: Interval::Day },
];

/// What was found in a file.
pub(super) struct Said {
    pub(super) rows: u64,
    /// Findings by severity and rule, those of the highest score first.
    pub(super) rules: BTreeMap<(String, String), Vec<Finding>>,
}

impl File {
    /// Whether nobody put faults into it.
    pub(super) fn is_real(&self) -> bool {
        !self.file.ends_with("faults put in")
    }

    /// Checks it.
    pub(super) fn check(&self, data: &Path) -> Said {
        let (run, findings) = Project::new(Some(data)).check(&format!("jobs/examples/{}.toml", self.job));
        let mut rules: BTreeMap<(String, String), Vec<Finding>> = BTreeMap::new();
        for finding in findings {
            rules.entry((finding.severity.clone(), finding.rule_id.clone())).or_default().push(finding);
        }
        for findings in rules.values_mut() {
            let score = |finding: &Finding| finding.score.unwrap_or(0.0).abs();
            let place = |finding: &Finding| (finding.series.clone(), finding.time.clone(), finding.row());
            findings.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| place(a).cmp(&place(b))));
        }
        Said { rows: run.count("/rows/read"), rules }
    }

    /// A finding in the words of its check.
    pub(super) fn message(&self, finding: &Finding) -> String {
        let micros = |time: &String| DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros();
        let evidence = finding.evidence();
        let message = checks::message(&Facts {
            check: &finding.check,
            interval: self.interval,
            field: finding.field.as_deref(),
            observed: finding.observed,
            observed_text: finding.observed_text.as_deref(),
            expected_lo: finding.expected_lo,
            expected_hi: finding.expected_hi,
            expected_text: finding.expected_text.as_deref(),
            score: finding.score,
            bars: finding.bars_affected,
            cause: finding.cause.as_deref(),
            evidence: &evidence,
            time: finding.time.as_ref().map(micros),
            time_until: finding.time_until.as_ref().map(micros),
        });
        format!("{} {}: {message}", finding.series, finding.key())
    }
}
