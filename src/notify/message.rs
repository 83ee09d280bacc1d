//! What there is to say of a run: counts and names, no rows.

use serde::Serialize;

use super::event::Event;
use crate::text::escape::{shortened, visible};
use crate::text::numbers::{counted, seconds, thousands};

/// Rules that a text names.
const MOST_RULES: usize = 15;
/// Characters of an error that a text shows.
const LONGEST_ERROR: usize = 600;

/// What there is to say of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// What about.
    pub event: Event,
    /// The job.
    pub job: String,
    /// The run; `None` where it failed before it had a report.
    pub run_id: Option<String>,
    /// `OK`, `WARN` or `FAIL`.
    pub verdict: String,
    /// How it ended, e.g. `findings`, `broken`.
    pub status: String,
    /// Its exit code.
    pub exit_code: u8,
    /// What failed, where something did.
    pub error: Option<String>,
    /// The machine.
    pub host: String,
    /// When it began, with `Z`.
    pub started_at: String,
    /// When it ended, with `Z`.
    pub finished_at: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows that left the source.
    pub rows_removed: u64,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warn.
    pub warnings: u64,
    /// Findings that the run before did not have; `None` where that is not known.
    pub new: Option<u64>,
    /// Findings of the run before that are gone; `None` where that is not known.
    pub fixed: Option<u64>,
    /// The rules with findings, worst first.
    pub rules: Vec<RuleLine>,
    /// Why nothing was moved.
    pub refusals: Vec<String>,
    /// A command that shows more.
    pub next: Option<String>,
}

/// The findings of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleLine {
    /// The rule.
    pub id: String,
    /// Severity of its findings.
    pub severity: String,
    /// How many there are.
    pub findings: u64,
    /// Those that the run before did not have; `None` where that is not known.
    pub new: Option<u64>,
}

impl Message {
    /// A message of a run that left no report: it failed, and how is not said yet. `host` is the machine, the moments are with `Z`.
    pub fn without_report(event: Event, job: &str, host: String, (started_at, finished_at): (String, String)) -> Self {
        Self {
            event,
            job: job.to_owned(),
            run_id: None,
            verdict: "FAIL".to_owned(),
            status: String::new(),
            exit_code: 0,
            error: None,
            host,
            started_at,
            finished_at,
            seconds: 0.0,
            rows_read: 0,
            rows_removed: 0,
            errors: 0,
            warnings: 0,
            new: None,
            fixed: None,
            rules: Vec::new(),
            refusals: Vec::new(),
            next: None,
        }
    }

    /// One line: what happened, to which job.
    pub fn headline(&self) -> String {
        let Self { job, verdict, exit_code, .. } = self;
        match self.event {
            Event::Recovery => format!("{verdict} {job}: works again{}", self.counts(", ")),
            Event::Fail | Event::New if *exit_code > 1 => {
                format!("{verdict} {job}: {}, exit {exit_code}", self.status)
            }
            Event::Fail | Event::New => format!("{verdict} {job}{}", self.counts(": ")),
        }
    }

    fn counts(&self, joint: &str) -> String {
        let counts = [(self.errors, "error"), (self.warnings, "warning")];
        let mut parts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| counted(*count, noun)).collect();
        let changes = [(self.new, "new"), (self.fixed, "fixed")];
        parts.extend(changes.iter().filter_map(|(count, word)| {
            count.filter(|count| *count > 0).map(|count| format!("{} {word}", thousands(count)))
        }));
        if parts.is_empty() { String::new() } else { format!("{joint}{}", parts.join(", ")) }
    }

    /// The message in words, a line each; ends without a line break.
    pub fn text(&self) -> String {
        let mut lines = vec![self.headline()];
        lines.extend(self.error.iter().map(|error| shortened(error, LONGEST_ERROR)));
        lines.extend(self.refusals.iter().map(|refusal| format!("refused: {}", visible(refusal))));
        lines.extend(self.rules.iter().take(MOST_RULES).map(|rule| {
            let new = rule.new.filter(|new| *new > 0).map(|new| format!(", {} new", thousands(new)));
            let id = shortened(&rule.id, 80);
            format!("{} {id}: {}{}", rule.severity, counted(rule.findings, "finding"), new.unwrap_or_default())
        }));
        if let Some(more) = self.rules.len().checked_sub(MOST_RULES).filter(|more| *more > 0) {
            lines.push(format!("and {}", counted(more as u64, "more rule")));
        }
        let moved = match self.rows_removed {
            0 => String::new(),
            removed => format!(", {} moved to quarantine", thousands(removed)),
        };
        lines.push(format!("{} read{moved}, {}", counted(self.rows_read, "row"), seconds(self.seconds)));
        let run = self.run_id.as_ref().map(|run| format!("run {run}, ")).unwrap_or_default();
        lines.push(format!("{run}{} on {}", self.finished_at, visible(&self.host)));
        lines.extend(self.next.iter().map(|next| format!("next: {next}")));
        lines.join("\n")
    }
}

/// A message for tests.
#[cfg(test)]
pub(super) fn sample() -> Message {
    Message {
        event: Event::Fail,
        job: "cn-daily".to_owned(),
        run_id: Some("20261120T023000Z-k7f3".to_owned()),
        verdict: "FAIL".to_owned(),
        status: "findings".to_owned(),
        exit_code: 1,
        error: None,
        host: "bars-1".to_owned(),
        started_at: "2026-11-20T02:30:00Z".to_owned(),
        finished_at: "2026-11-20T02:30:04Z".to_owned(),
        seconds: 4.2,
        rows_read: 259_174,
        rows_removed: 13,
        errors: 13,
        warnings: 34,
        new: Some(2),
        fixed: Some(0),
        rules: vec![
            RuleLine { id: "ohlc".to_owned(), severity: "error".to_owned(), findings: 13, new: Some(2) },
            RuleLine { id: "gap".to_owned(), severity: "warn".to_owned(), findings: 34, new: Some(0) },
        ],
        refusals: Vec::new(),
        next: Some("barkeep report show --dir reports".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_findings_says_how_many_of_which_rules() {
        insta::assert_snapshot!(sample().text(), @r"
        FAIL cn-daily: 13 errors, 34 warnings, 2 new
        error ohlc: 13 findings, 2 new
        warn gap: 34 findings
        259,174 rows read, 13 moved to quarantine, 4.2 s
        run 20261120T023000Z-k7f3, 2026-11-20T02:30:04Z on bars-1
        next: barkeep report show --dir reports
        ");
    }

    #[test]
    fn a_run_that_broke_off_says_why_and_a_recovery_that_it_is_over() {
        let broken = Message {
            status: "broken".to_owned(),
            exit_code: 3,
            run_id: None,
            error: Some("cannot reach the server\u{1b}[2J\n".to_owned() + &"x".repeat(2_000)),
            rules: Vec::new(),
            rows_read: 0,
            rows_removed: 0,
            next: None,
            ..sample()
        };
        let text = broken.text();
        assert!(text.starts_with("FAIL cn-daily: broken, exit 3\ncannot reach the server\\u{1b}[2J\\nxxx"), "{text}");
        assert!(text.len() < 800, "{} bytes", text.len());
        let over = Message {
            event: Event::Recovery,
            verdict: "OK".to_owned(),
            exit_code: 0,
            errors: 0,
            warnings: 0,
            ..sample()
        };
        assert_eq!(over.headline(), "OK cn-daily: works again, 2 new");
    }

    #[test]
    fn a_long_list_of_rules_is_cut() {
        let rule = |n: u64| RuleLine { id: format!("r{n}"), severity: "warn".to_owned(), findings: n, new: None };
        let text = Message { rules: (1..=40).map(rule).collect(), ..sample() }.text();
        assert!(text.contains("warn r15: 15 findings\nand 25 more rules\n") && !text.contains("r16"), "{text}");
    }
}
