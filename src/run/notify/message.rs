//! How a run ended, as a message: from its summary, or from the failure where it left no report.

use chrono::{DateTime, Utc};

use super::super::conclude::RunResult;
use super::super::failure::{Exit, Failure};
use crate::durable::process;
use crate::notify::{Event, Message, RuleLine};
use crate::report::summary::{Summary, Verdict};
use crate::text::utc::UtcMicros;

/// The message about `event` of a run of `job` that ended so; one without a report went from the first moment to the second.
pub(super) fn message(
    job: &str,
    ended: &Result<RunResult, Failure>,
    event: Event,
    (began, now): (DateTime<Utc>, DateTime<Utc>),
) -> Message {
    match ended {
        Ok(result) => of_summary(&result.summary, event, result.exit),
        Err(failure) => {
            let (began, now) = (UtcMicros::from(began), UtcMicros::from(now));
            let moments = (began.to_string(), now.to_string());
            Message {
                exit_code: failure.exit().code(),
                status: failure.exit().name().to_owned(),
                error: Some(first_lines(&failure.render(false))),
                seconds: (now.0 - began.0) as f64 / 1e6,
                ..Message::without_report(event, job, process::host(), moments)
            }
        }
    }
}

/// The same run, which is broken because a delivery failed that the job requires.
pub(super) fn broken(message: Message, exit: Exit, error: &str) -> Message {
    let verdict = "FAIL".to_owned();
    Message {
        event: Event::Fail,
        verdict,
        status: exit.name().to_owned(),
        exit_code: exit.code(),
        error: Some(error.to_owned()),
        ..message
    }
}

/// Rows that left the source.
pub(super) fn removed(summary: &Summary) -> u64 {
    ["removed", "earlier_removed"].iter().filter_map(|state| summary.actions.get(*state)).sum()
}

fn of_summary(summary: &Summary, event: Event, exit: Exit) -> Message {
    let rules = summary.rules.iter().filter(|rule| rule.findings > 0);
    Message {
        event,
        job: summary.job.clone(),
        run_id: Some(summary.run_id.clone()),
        verdict: match summary.verdict {
            Verdict::Ok => "OK",
            Verdict::Warn => "WARN",
            Verdict::Fail => "FAIL",
        }
        .to_owned(),
        status: summary.status.to_string(),
        exit_code: exit.code(),
        error: summary.error.as_deref().map(first_lines),
        host: process::host(),
        started_at: summary.started_at.to_string(),
        finished_at: summary.finished_at.to_string(),
        seconds: summary.elapsed(),
        rows_read: summary.rows.read,
        rows_removed: removed(summary),
        errors: summary.findings.error,
        warnings: summary.findings.warn,
        new: summary.change.as_ref().map(|change| change.new),
        fixed: summary.change.as_ref().map(|change| change.fixed),
        rules: rules
            .map(|rule| RuleLine {
                id: rule.id.clone(),
                severity: rule.severity.clone(),
                findings: rule.findings,
                new: rule.new,
            })
            .collect(),
        refusals: summary.refusals.clone(),
        next: summary.next.first().map(|next| next.command.clone()),
    }
}

/// The lines of an error up to the place it shows of a file: a line of a file is data.
fn first_lines(text: &str) -> String {
    let lines = text.trim_start_matches("error: ").lines().take_while(|line| !line.trim_start().starts_with("-->"));
    lines.collect::<Vec<_>>().join("\n")
}
