//! Where a job wants to be heard, and when.

use std::path::PathBuf;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::address::Address;
use super::event::Event;
use super::template::Template;

/// What `[notify]` of a job says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is said.
    pub on: Vec<Event>,
    /// No two messages within this span.
    pub at_most_every: Option<TimeDelta>,
    /// Whether a run is broken where it could not be said.
    pub required: bool,
    /// The text of messages, where it is a person's own.
    pub text: Option<Template>,
    /// The folder for the gauges, after every run.
    pub prometheus: Option<PathBuf>,
    /// The address that is pinged when a run begins and when it ends.
    pub healthchecks: Option<Address>,
    /// Where messages go.
    pub channels: Vec<Channel>,
}

/// Where a message goes.
#[derive(Debug, Clone)]
pub enum Channel {
    /// The message as JSON, signed where there is a secret.
    Webhook(Address, Option<SecretString>),
    /// An incoming webhook of Slack.
    Slack(Address),
    /// A custom bot of Feishu or Lark.
    Feishu(Address, Option<SecretString>),
    /// A custom robot of `DingTalk`.
    DingTalk(Address, Option<SecretString>),
    /// A robot of a group of `WeCom`.
    WeCom(Address),
    /// A mail.
    Mail(Mailbox),
}

/// Who gets a mail, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Addresses.
    pub to: Vec<String>,
    /// The sender; that of the system where there is none.
    pub from: Option<String>,
    /// The program that takes mails.
    pub sendmail: PathBuf,
}

impl Channel {
    /// What the channel is called in a job.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Webhook(..) => "webhook",
            Self::Slack(_) => "slack",
            Self::Feishu(..) => "feishu",
            Self::DingTalk(..) => "dingtalk",
            Self::WeCom(_) => "wecom",
            Self::Mail(_) => "mail",
        }
    }
}
