//! Sends the notifications of `[notify]` of a job when its run ended, after its report is there.
//!
//! A notification changes nothing of the run, unless the job requires that it is delivered. Rows, symbols and the rest of the
//! data stay here: a message holds counts and the names of rules.

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use super::conclude::RunResult;
use super::failure::{Exit, Failure};
use super::job::Job;
use crate::durable::process;
use crate::notify::event::{Decision, decide};
use crate::notify::metrics::Metrics;
use crate::notify::{Channel, Event, Message, Outcome, Past, Patience, Present, RuleLine, Settings};
use crate::notify::{http, mail, metrics, payload, sendmail};
use crate::report::notification::{self, EarlierRun, Undelivered};
use crate::report::run::{Delivery, Notification, RunStatus};
use crate::report::run_id::RunId;
use crate::report::summary::{Summary, Verdict};
use crate::text::utc::UtcMicros;

/// Earlier runs that are looked at for their notifications.
const MOST_RUNS: usize = 400;

/// A run that somebody is notified of.
pub(super) struct Notifying<'a> {
    job: &'a Job,
    settings: &'a Settings,
    run: RunId,
    began: DateTime<Utc>,
    /// The ping of the beginning, under way beside the run.
    start: Option<JoinHandle<Outcome>>,
}

impl<'a> Notifying<'a> {
    /// A run that begins; `None` where the job has no notifications.
    pub(super) fn begin(job: &'a Job, run: RunId) -> Option<Self> {
        let settings = job.loaded.job.notify.as_ref()?;
        let start = settings.healthchecks.as_ref().map(|address| {
            let ping = payload::ping(address, "start", "");
            tokio::task::spawn_blocking(move || http::send(&ping, &Patience::default()))
        });
        Some(Self { job, settings, run, began: job.context.clock.now(), start })
    }

    /// Sends how it ended, writes down what was delivered, and returns its end: another one where a delivery was required and
    /// failed.
    pub(super) async fn end(mut self, ended: Result<RunResult, Failure>) -> Result<RunResult, Failure> {
        let mut deliveries = Vec::new();
        if let Some(start) = self.start.take() {
            deliveries.push(delivery("healthchecks", &joined(start.await)));
        }
        // A start that was not heard is no matter once the end is.
        deliveries.retain(|one: &Delivery| one.error.is_some());
        let exit = exit_of(&ended);
        let runs = self.earlier();
        let now = self.job.context.clock.now();
        let new = summary_of(&ended).and_then(|summary| summary.change.as_ref()).map(|change| change.new);
        let present = Present { exit_code: exit.code(), new, finished_at: UtcMicros::from(now).0 };
        let Decision { event, held_back } =
            decide(&present, &past(&runs, &self.run), &self.settings.on, self.settings.at_most_every);
        let usual = if exit == Exit::Ok { Event::New } else { Event::Fail };
        let message = self.message(&ended, event.unwrap_or(usual), now);
        let text = self.text(&message);
        let patience = match exit {
            // Who asked it to stop waits.
            Exit::Signal(_) => Patience { tries: 1, ..Patience::default() },
            _ => Patience::default(),
        };
        let mut notification =
            Notification { event: event.map(|event| event.as_str().to_owned()), held_back, ..Notification::default() };
        let channels: &[Channel] = if event.is_some() && !held_back { &self.settings.channels } else { &[] };
        for (name, sending) in self.send(channels, &message, &text, exit, now, patience) {
            let outcome = joined(sending.await);
            notification.delivered |= outcome.failed.is_none() && name != "healthchecks";
            deliveries.push(delivery(name, &outcome));
        }
        notification.deliveries = deliveries;
        self.write_metrics(&ended, &runs, &present, &mut notification);
        for Delivery { channel, error, .. } in &notification.deliveries {
            match error {
                Some(error) => {
                    self.job.context.note(&format!("warning: notification not delivered: {channel}: {error}"));
                }
                None => tracing::info!(job = self.job.name(), run = %self.run, channel, "notification delivered"),
            }
        }
        self.conclude(ended, &notification)
    }

    /// Runs before, newest first, this one among them where it has a row. Without them every event is sent.
    fn earlier(&self) -> Vec<EarlierRun> {
        let mut runs: Vec<EarlierRun> = Vec::new();
        let (mut delivered, mut success) = (false, self.settings.prometheus.is_none());
        let read = notification::each_run(self.job.report_dir(), self.job.name(), &mut |run| {
            delivered |= run.notification.as_ref().is_some_and(|one| one.delivered);
            success |= run.exit_code == 0;
            runs.push(run);
            runs.len() < MOST_RUNS && !(delivered && success)
        });
        if let Err(error) = read {
            self.job.context.note(&format!(
                "warning: the notifications of earlier runs cannot be read, so every event is sent: {error}"
            ));
        }
        runs
    }

    fn message(&self, ended: &Result<RunResult, Failure>, event: Event, now: DateTime<Utc>) -> Message {
        match (summary_of(ended), ended) {
            (Some(summary), _) => of_summary(summary, event, exit_of(ended)),
            (None, Err(failure)) => Message {
                exit_code: failure.exit().code(),
                status: failure.exit().name().to_owned(),
                error: Some(first_lines(&failure.render(false))),
                ..self.without_report(event, now)
            },
            (None, Ok(_)) => self.without_report(event, now),
        }
    }

    fn without_report(&self, event: Event, now: DateTime<Utc>) -> Message {
        let (began, ended) = (UtcMicros::from(self.began), UtcMicros::from(now));
        Message {
            event,
            job: self.job.name().to_owned(),
            run_id: None,
            verdict: "FAIL".to_owned(),
            status: String::new(),
            exit_code: 0,
            error: None,
            host: process::host(),
            started_at: began.to_string(),
            finished_at: ended.to_string(),
            seconds: (ended.0 - began.0) as f64 / 1e6,
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

    /// The text of the job; where that does not render, the usual one, for something has to be said.
    fn text(&self, message: &Message) -> String {
        let own = self.settings.text.as_ref().map(|template| template.render(message));
        match own {
            Some(Ok(text)) => text,
            Some(Err(wrong)) => {
                self.job.context.note(&format!("warning: `text` of `[notify]`: {wrong}; the usual text is sent"));
                message.text()
            }
            None => message.text(),
        }
    }

    /// Begins to send: everything at the same time, for each may take its time.
    fn send(
        &self,
        channels: &[Channel],
        message: &Message,
        text: &str,
        exit: Exit,
        now: DateTime<Utc>,
        patience: Patience,
    ) -> Vec<(&'static str, JoinHandle<Outcome>)> {
        let mut sending = Vec::new();
        if let Some(address) = &self.settings.healthchecks {
            let ping = payload::ping(address, &exit.code().to_string(), text);
            sending.push(("healthchecks", tokio::task::spawn_blocking(move || http::send(&ping, &patience))));
        }
        for channel in channels {
            let request = match channel {
                Channel::Webhook(address, secret) => payload::webhook(address, secret.as_ref(), message, text).ok(),
                Channel::Slack(address) => Some(payload::slack(address, text)),
                Channel::Feishu(address, secret) => {
                    Some(payload::feishu(address, secret.as_ref(), text, now.timestamp()))
                }
                Channel::DingTalk(address, secret) => {
                    Some(payload::dingtalk(address, secret.as_ref(), text, now.timestamp_millis()))
                }
                Channel::WeCom(address) => Some(payload::wecom(address, text)),
                Channel::Mail(mailbox) => {
                    let mail = mail::mail(mailbox, &message.headline(), text, &now.to_rfc2822());
                    let program = mailbox.sendmail.clone();
                    let handing = move || sendmail::send(&program, &mail, &patience);
                    sending.push((channel.name(), tokio::task::spawn_blocking(handing)));
                    None
                }
            };
            if let Some(request) = request {
                sending.push((channel.name(), tokio::task::spawn_blocking(move || http::send(&request, &patience))));
            }
        }
        sending
    }

    fn write_metrics(
        &self,
        ended: &Result<RunResult, Failure>,
        runs: &[EarlierRun],
        present: &Present,
        notification: &mut Notification,
    ) {
        let Some(folder) = &self.settings.prometheus else { return };
        let own = runs.iter().find(|run| run.run == self.run.as_str());
        let last_success = match present.exit_code {
            0 => Some(present.finished_at),
            _ => runs.iter().find(|run| run.exit_code == 0).map(|run| run.finished_at),
        };
        let summary = summary_of(ended);
        let reached = summary.filter(|summary| summary.status.reached_its_end());
        let metrics = Metrics {
            job: self.job.name().to_owned(),
            finished_at: present.finished_at,
            last_success,
            seconds: (present.finished_at - UtcMicros::from(self.began).0) as f64 / 1e6,
            exit_code: present.exit_code,
            peak_rss: own.and_then(|run| run.peak_rss),
            rows_read: summary.map_or(0, |summary| summary.rows.read),
            rows_removed: summary.map_or(0, removed),
            failed_deliveries: notification.undelivered().count() as u64,
            findings: reached
                .iter()
                .flat_map(|summary| &summary.rules)
                .map(|rule| (rule.id.clone(), rule.severity.clone(), rule.findings))
                .collect(),
        };
        let failed = metrics::write(folder, &metrics).err().map(|error| error.to_string());
        notification.deliveries.push(delivery("prometheus", &Outcome { tries: 1, failed }));
    }

    /// Writes down what was delivered, and what the run came to because of it.
    fn conclude(&self, ended: Result<RunResult, Failure>, notification: &Notification) -> Result<RunResult, Failure> {
        let lost: Vec<&str> = notification.undelivered().collect();
        let before = exit_of(&ended);
        let exit = if self.settings.required && !lost.is_empty() { before.worst(Exit::Broken) } else { before };
        let failed = (exit != before).then(|| Undelivered {
            exit_code: exit.code(),
            error: format!("the job requires that its messages are delivered, and {} took none", lost.join(", ")),
        });
        let mut ended = ended;
        if let Ok(result) = &mut ended {
            if let Some(Undelivered { exit_code, error }) = &failed {
                (result.exit, result.summary.exit_code, result.summary.status) = (exit, *exit_code, RunStatus::Broken);
                result.summary.verdict = Verdict::Fail;
                result.summary.error = Some(error.clone());
            }
            result.summary.notification = Some(notification.clone());
        }
        let (dir, name) = (self.job.report_dir(), self.job.name());
        if let Err(error) =
            notification::record(dir, name, &self.run, notification, failed.as_ref(), summary_of(&ended))
        {
            let error = Failure::from(error).render(false);
            self.job
                .context
                .note(&format!("warning: the report does not say that this notification was sent; the next run may send it again: {error}"));
        }
        match (ended, failed) {
            // The failure of the run is said, whatever became of its message.
            (Err(failure), Some(Undelivered { error, .. })) => {
                self.job.context.note(&failure.render(false));
                Err(Failure::Broken(error.into()))
            }
            (Ok(result), Some(Undelivered { error, .. })) if result.failure.is_none() => {
                Ok(RunResult { failure: Some(Failure::Broken(error.into())), ..result })
            }
            (ended, _) => ended,
        }
    }
}

fn exit_of(ended: &Result<RunResult, Failure>) -> Exit {
    match ended {
        Ok(result) => result.exit,
        Err(failure) => failure.exit(),
    }
}

fn summary_of(ended: &Result<RunResult, Failure>) -> Option<&Summary> {
    ended.as_ref().ok().map(|result| &result.summary)
}

/// The runs before `run` whose end was looked at.
fn past(runs: &[EarlierRun], run: &RunId) -> Vec<Past> {
    let before = runs.iter().filter(|earlier| earlier.run != run.as_str());
    let looked_at = before.filter_map(|run| {
        let notification = run.notification.as_ref()?;
        let event = notification.event.as_deref().and_then(Event::parse);
        Some(Past { exit_code: run.exit_code, event, delivered: notification.delivered, finished_at: run.finished_at })
    });
    looked_at.collect()
}

fn removed(summary: &Summary) -> u64 {
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

fn delivery(channel: &str, outcome: &Outcome) -> Delivery {
    Delivery { channel: channel.to_owned(), tries: outcome.tries, error: outcome.failed.clone() }
}

/// What a thread that sends came to; one that panicked sent nothing.
fn joined(outcome: Result<Outcome, tokio::task::JoinError>) -> Outcome {
    outcome.unwrap_or_else(|error| Outcome { tries: 1, failed: Some(format!("barkeep is wrong here: {error}")) })
}
