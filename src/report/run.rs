//! A run as its caller knows it: what it set out to do, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::run_id::RunId;
use crate::decide::{Action, FailOn, Refusal};
use crate::text::utc::UtcMicros;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// The word in tables and JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What `word` stands for.
            pub fn parse(word: &str) -> Option<Self> {
                [$(Self::$variant,)*].into_iter().find(|value| value.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What began a run.
    Trigger {
        /// A person.
        Cli = "cli",
        /// The system's scheduler.
        Cron = "cron",
        /// barkeep's own loop.
        Schedule = "schedule",
        /// A run over old windows.
        Backfill = "backfill",
    }
}

words! {
    /// How a run ended.
    RunStatus {
        /// It reached its end and found nothing that counts.
        Ok = "ok",
        /// It reached its end and found some.
        Findings = "findings",
        /// It found more than it may move, and moved nothing.
        Refused = "refused",
        /// A source, a disk or a query failed.
        Broken = "broken",
        /// A signal stopped it.
        Stopped = "stopped",
        /// Another run of the job was under way.
        Skipped = "skipped",
    }
}

impl Default for Trigger {
    /// A person.
    fn default() -> Self {
        Self::Cli
    }
}

impl RunStatus {
    /// Whether every row of the window was evaluated.
    pub fn reached_its_end(self) -> bool {
        matches!(self, Self::Ok | Self::Findings | Self::Refused)
    }
}

/// A half-open window, µs UTC; an end that is `None` is open.
pub type Window = (Option<i64>, Option<i64>);

/// A run as it begins.
#[derive(Debug, Clone)]
pub struct RunMeta {
    /// Its name.
    pub run_id: RunId,
    /// The command, e.g. `check`.
    pub command: String,
    /// What began it.
    pub trigger: Trigger,
    /// When.
    pub started_at: UtcMicros,
    /// The moment it evaluates the bars for.
    pub as_of: UtcMicros,
    /// The source as a person calls it, e.g. `data/bars_1m`.
    pub source: String,
    /// The half-open window it looks at, µs UTC.
    pub window: Window,
    /// The first timestamp, µs UTC, from which on bars may differ from those that the run before read, where the run looks at
    /// a part of the bars and knows those before: its window begins no later. `None` for one that knows nothing before its window.
    pub changed_since: Option<i64>,
    /// The watermark before, µs UTC.
    pub watermark_before: Option<i64>,
    /// The job file, as an absolute path: what distinguishes jobs of one name.
    pub job_file: String,
    /// SHA-256 of the job file.
    pub job_sha256: String,
    /// SHA-256 of the rule files.
    pub rules_sha256: String,
    /// The machine.
    pub host: String,
    /// The user, by login name.
    pub user: String,
}

/// Wall time of the stages of a run, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StageSeconds {
    /// Reading job, rules and calendar.
    pub load: f64,
    /// Reading the source into a snapshot; 0 where it is read as it lies.
    pub extract: f64,
    /// Evaluating.
    pub check: f64,
    /// Moving rows.
    #[serde(default)]
    pub apply: f64,
    /// Writing the report.
    pub report: f64,
}

/// The connections of a run to its server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Connections opened.
    pub opened: u64,
    /// Connections closed, by reason.
    pub closed: BTreeMap<String, u64>,
    /// The most that were in use at the same time.
    pub peak: u64,
    /// Connections still in use at the end: 0, for every one comes back.
    pub in_use: u64,
    /// Commands sent, by name.
    pub commands: BTreeMap<String, u64>,
}

/// A row that was moved, or was to be.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRow {
    /// The findings that rejected it.
    pub finding_ids: Vec<String>,
    /// Its place in the quarantine.
    pub quarantine_id: String,
    /// Where it was in the source.
    pub locator: String,
    /// What was to be done.
    pub action: Action,
    /// How far that is, e.g. `removed`.
    pub state: String,
    /// SHA-256 of its raw bytes.
    pub sha256: String,
    /// When it came to this state.
    pub at: UtcMicros,
}

/// A command to type next, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextStep {
    /// The command.
    pub command: String,
    /// What it shows or does, where the command does not say so.
    pub note: Option<String>,
}

/// A plan that a run wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanNote {
    /// Its file.
    pub path: String,
    /// What confirms it: the beginning of its checksum, and the number of its rows.
    pub confirmation: String,
}

/// The notification of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The event, e.g. `fail`; `None` where there was none.
    pub event: Option<String>,
    /// It waits, for the last message went out just before.
    pub held_back: bool,
    /// Whether one channel at least took it.
    pub delivered: bool,
    /// What became of it, by channel; pings and metrics are among them.
    pub deliveries: Vec<Delivery>,
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The channel, e.g. `slack`.
    pub channel: String,
    /// Tries.
    pub tries: u32,
    /// Why it was not delivered; `None` where it was.
    pub error: Option<String>,
}

impl Notification {
    /// The channels that did not take it.
    pub fn undelivered(&self) -> impl Iterator<Item = &str> {
        self.deliveries.iter().filter(|one| one.error.is_some()).map(|one| one.channel.as_str())
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// In a word.
    pub status: RunStatus,
    /// The exit code it gives.
    pub exit_code: u8,
    /// Series that were looked at as a whole although the run looks at a window.
    pub read_whole: BTreeSet<String>,
    /// Which findings make it fail.
    pub fail_on: FailOn,
    /// What failed, where something did.
    pub error: Option<String>,
    /// When.
    pub finished_at: UtcMicros,
    /// The watermark after it, µs UTC.
    pub watermark_after: Option<i64>,
    /// How long the stages took so far; what the report takes from here on is added to its own.
    pub seconds: StageSeconds,
    /// Bytes read from the source, where known.
    pub bytes_read: Option<u64>,
    /// Most memory held by this run, in bytes, where known.
    pub peak_rss: Option<u64>,
    /// Why nothing may be moved; empty where it may.
    pub refusals: Vec<Refusal>,
    /// Rules that evaluated nothing, by index into the rules of the program.
    pub not_evaluated: Vec<usize>,
    /// Rows that stay because others write to their files.
    pub busy: u64,
    /// Rows that were moved.
    pub actions: Vec<ActionRow>,
    /// What became of the connections to a server; `None` where there is none.
    pub connections: Option<Connections>,
    /// The plan it wrote.
    pub plan: Option<PlanNote>,
    /// What to type next.
    pub next: Vec<NextStep>,
}

impl Outcome {
    /// The end of a run that only looked, with nothing else known.
    pub fn new(status: RunStatus, exit_code: u8, finished_at: UtcMicros) -> Self {
        Self {
            status,
            exit_code,
            fail_on: FailOn::default(),
            error: None,
            finished_at,
            watermark_after: None,
            seconds: StageSeconds::default(),
            bytes_read: None,
            peak_rss: None,
            refusals: Vec::new(),
            read_whole: BTreeSet::new(),
            not_evaluated: Vec::new(),
            busy: 0,
            actions: Vec::new(),
            connections: None,
            plan: None,
            next: Vec::new(),
        }
    }

    /// The end of a run that broke off over `error`.
    pub fn broken(error: impl Into<String>, exit_code: u8, finished_at: UtcMicros) -> Self {
        Self { error: Some(error.into()), ..Self::new(RunStatus::Broken, exit_code, finished_at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_are_those_of_json() {
        for status in [RunStatus::Ok, RunStatus::Findings, RunStatus::Refused, RunStatus::Broken, RunStatus::Stopped] {
            assert_eq!(RunStatus::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        assert_eq!(Trigger::parse("Cli"), None);
    }

    #[test]
    fn only_a_run_that_evaluated_everything_reached_its_end() {
        assert!(RunStatus::Refused.reached_its_end());
        assert!(!RunStatus::Broken.reached_its_end() && !RunStatus::Stopped.reached_its_end());
    }
}
