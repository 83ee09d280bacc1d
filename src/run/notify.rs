//! Sends the notifications of `[notify]` of a job when its run ended, after its report is there.
//!
//! A notification changes nothing of the run, unless the job requires that it is delivered. Rows, symbols and the rest of the
//! data stay here: a message holds counts and the names of rules.

mod earlier;
mod message;
mod unreported;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use self::earlier::Earlier;
use self::unreported::Unreported;
use super::conclude::RunResult;
use super::failure::{Exit, Failure};
use super::job::Job;
use crate::durable::Disk;
use crate::notify::event::{Decision, decide};
use crate::notify::metrics::Metrics;
use crate::notify::{Channel, Event, Message, Outcome, Patience, Present, Settings};
use crate::notify::{http, mail, metrics, payload, sendmail};
use crate::report::notification::{self, Undelivered};
use crate::report::run::{Delivery, Notification, RunStatus};
use crate::report::run_id::RunId;
use crate::report::summary::{Summary, Verdict};
use crate::text::utc::UtcMicros;

/// What the file of the gauges is called among the deliveries.
const PROMETHEUS: &str = "prometheus";

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
    /// failed. A run that was skipped for another one says nothing: that one does.
    pub(super) async fn end(mut self, ended: Result<RunResult, Failure>) -> Result<RunResult, Failure> {
        if let Some(start) = self.start.take() {
            // A start that was not heard is no matter: the end is what counts, and it comes after it.
            let start = joined(start.await);
            tracing::debug!(job = self.job.name(), failed = ?start.failed, "pinged that the run began");
        }
        if summary_of(&ended).is_some_and(|summary| summary.status == RunStatus::Skipped) {
            return ended;
        }
        let now = self.job.context.clock.now();
        let earlier = Earlier::read(self.job, &self.run, self.settings.prometheus.is_some());
        let present = present(&ended, now);
        let Decision { event, held_back } =
            decide(&present, &earlier.past, &self.settings.on, self.settings.at_most_every);
        let usual = if present.exit_code == 0 { Event::New } else { Event::Fail };
        let message = message::message(self.job.name(), &ended, event.unwrap_or(usual), (self.began, now));
        let mut notification =
            Notification { event: event.map(|event| event.as_str().to_owned()), held_back, ..Notification::default() };
        let channels: &[Channel] = if event.is_some() && !held_back { &self.settings.channels } else { &[] };
        let patience = patience(exit_of(&ended));
        let text = self.text(&message);
        for (name, sending) in send(channels, &message, &text, now, patience) {
            let outcome = joined(sending.await);
            notification.delivered |= outcome.failed.is_none();
            notification.deliveries.push(delivery(name, &outcome));
        }
        self.tell_watchers(&ended, &earlier, (message, text), now, &mut notification).await;
        for Delivery { channel, error, .. } in &notification.deliveries {
            match error {
                Some(error) => {
                    self.job.context.note(&format!("warning: notification not delivered: {channel}: {error}"));
                }
                None => tracing::info!(job = self.job.name(), run = %self.run, channel, "notification delivered"),
            }
        }
        self.conclude(ended, &notification, event, now)
    }

    /// Writes the metrics and pings the end, with what the run came to for the messages that were not delivered.
    async fn tell_watchers(
        &self,
        ended: &Result<RunResult, Failure>,
        earlier: &Earlier,
        (message, text): (Message, String),
        now: DateTime<Utc>,
        notification: &mut Notification,
    ) {
        self.write_metrics(ended, earlier, now, notification);
        let Some(address) = &self.settings.healthchecks else { return };
        let exit = self.exit_with(exit_of(ended), notification);
        let text = match self.undelivered(exit_of(ended), notification) {
            Some(Undelivered { error, .. }) => self.text(&message::broken(message, exit, &error)),
            None => text,
        };
        let (ping, patience) = (payload::ping(address, &exit.code().to_string(), &text), patience(exit));
        let outcome = joined(tokio::task::spawn_blocking(move || http::send(&ping, &patience)).await);
        let unheard = outcome.failed.is_some();
        notification.deliveries.push(delivery("healthchecks", &outcome));
        if unheard {
            // The ping is one of the deliveries that failed, and the run another one than was written where it is required.
            notification.deliveries.retain(|one| one.channel != PROMETHEUS);
            self.write_metrics(ended, earlier, now, notification);
        }
    }

    /// The exit of a run that ended with `before`, with these deliveries.
    fn exit_with(&self, before: Exit, notification: &Notification) -> Exit {
        let lost = self.settings.required && notification.undelivered().next().is_some();
        if lost { before.worst(Exit::Broken) } else { before }
    }

    /// What a run that ended with `before` became by deliveries that failed; `None` where it is what it was.
    fn undelivered(&self, before: Exit, notification: &Notification) -> Option<Undelivered> {
        let exit = self.exit_with(before, notification);
        let lost: Vec<&str> = notification.undelivered().collect();
        (exit != before).then(|| Undelivered {
            exit_code: exit.code(),
            error: format!("the job requires that its messages are delivered, and {} took none", lost.join(", ")),
        })
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

    fn write_metrics(
        &self,
        ended: &Result<RunResult, Failure>,
        earlier: &Earlier,
        now: DateTime<Utc>,
        notification: &mut Notification,
    ) {
        let Some(folder) = &self.settings.prometheus else { return };
        let finished_at = UtcMicros::from(now).0;
        let exit = self.exit_with(exit_of(ended), notification);
        let summary = summary_of(ended);
        let reached = summary.filter(|summary| summary.status.reached_its_end());
        let metrics = Metrics {
            job: self.job.name().to_owned(),
            finished_at,
            last_success: if exit == Exit::Ok { Some(finished_at) } else { earlier.last_success },
            seconds: (finished_at - UtcMicros::from(self.began).0) as f64 / 1e6,
            exit_code: exit.code(),
            peak_rss: earlier.own_peak_rss,
            rows_read: summary.map_or(0, |summary| summary.rows.read),
            rows_removed: summary.map_or(0, message::removed),
            failed_deliveries: notification.undelivered().count() as u64,
            findings: reached
                .iter()
                .flat_map(|summary| &summary.rules)
                .map(|rule| (rule.id.clone(), rule.severity.clone(), rule.findings))
                .collect(),
        };
        let failed = metrics::write(folder, &metrics).err().map(|error| error.to_string());
        notification.deliveries.push(delivery(PROMETHEUS, &Outcome { tries: 1, failed }));
    }

    /// Writes down what was delivered, and what the run came to because of it.
    fn conclude(
        &self,
        mut ended: Result<RunResult, Failure>,
        notification: &Notification,
        event: Option<Event>,
        now: DateTime<Utc>,
    ) -> Result<RunResult, Failure> {
        let before = exit_of(&ended);
        let (exit, failed) = (self.exit_with(before, notification), self.undelivered(before, notification));
        if let Ok(result) = &mut ended {
            if let Some(Undelivered { exit_code, error }) = &failed {
                (result.exit, result.summary.exit_code, result.summary.status) = (exit, *exit_code, RunStatus::Broken);
                result.summary.verdict = Verdict::Fail;
                result.summary.error = Some(error.clone());
            }
            result.summary.notification = Some(notification.clone());
        }
        let unreported = Unreported {
            run: self.run.to_string(),
            exit_code: exit.code(),
            finished_at: UtcMicros::from(now),
            event,
            delivered: notification.delivered,
        };
        if let Err(error) = self.record(notification, failed.as_ref(), summary_of(&ended), unreported) {
            let error = error.render(false);
            self.job
                .context
                .note(&format!("warning: it could not be written down that this notification was sent, and the next run may send it again: {error}"));
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

    /// Writes the notification into the row of the run; beside the state of the job where the run has no row.
    fn record(
        &self,
        notification: &Notification,
        undelivered: Option<&Undelivered>,
        summary: Option<&Summary>,
        unreported: Unreported,
    ) -> Result<(), Failure> {
        let (job, disk) = (&self.job.loaded.job, Disk::system());
        let path = unreported::path(job);
        let reported =
            notification::record(self.job.report_dir(), &job.name, &self.run, notification, undelivered, summary)?;
        match reported {
            false => unreported::add(&disk, &path, unreported),
            // Nothing before what was delivered is looked at any more.
            true if notification.delivered => unreported::forget(&disk, &path),
            true => Ok(()),
        }
    }
}

/// Begins to send: everything at the same time, for each may take its time.
fn send(
    channels: &[Channel],
    message: &Message,
    text: &str,
    now: DateTime<Utc>,
    patience: Patience,
) -> Vec<(&'static str, JoinHandle<Outcome>)> {
    let mut sending = Vec::new();
    for channel in channels {
        let request = match channel {
            Channel::Webhook(address, secret) => payload::webhook(address, secret.as_ref(), message, text).ok(),
            Channel::Slack(address) => Some(payload::slack(address, text)),
            Channel::Feishu(address, secret) => Some(payload::feishu(address, secret.as_ref(), text, now.timestamp())),
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

fn patience(exit: Exit) -> Patience {
    match exit {
        // Who asked it to stop waits.
        Exit::Signal(_) => Patience { tries: 1, ..Patience::default() },
        _ => Patience::default(),
    }
}

fn present(ended: &Result<RunResult, Failure>, now: DateTime<Utc>) -> Present {
    let summary = summary_of(ended);
    let findings = summary.map_or(0, |summary| {
        let found = &summary.findings;
        found.error + found.warn + found.info
    });
    let new = summary.and_then(|summary| summary.change.as_ref()).map(|change| change.new);
    Present { exit_code: exit_of(ended).code(), new, findings, finished_at: UtcMicros::from(now).0 }
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

fn delivery(channel: &str, outcome: &Outcome) -> Delivery {
    Delivery { channel: channel.to_owned(), tries: outcome.tries, error: outcome.failed.clone() }
}

/// What a thread that sends came to; one that panicked sent nothing.
fn joined(outcome: Result<Outcome, tokio::task::JoinError>) -> Outcome {
    outcome.unwrap_or_else(|error| Outcome { tries: 1, failed: Some(format!("barkeep is wrong here: {error}")) })
}
