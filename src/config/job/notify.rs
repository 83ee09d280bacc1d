//! `[notify]`: notifications of how a run ended.

use std::path::PathBuf;

use secrecy::SecretString;

use super::path::JobPath;
use crate::notify::mail::wrong_address;
use crate::notify::settings::Mailbox;
use crate::notify::{Address, Channel, Event, Settings, Template};
use crate::schema::diagnostic::{Diagnostic, nearest};
use crate::schema::keys::Otherwise::{Flag, Nothing, Text, Texts};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::section::SectionReader;

pub(super) const NOTIFY: Section = Section {
    name: "`[notify]`",
    doc: "Notifications of how a `run` of the job ended. Addresses and secrets are written `${NAME}`; one that is empty is not used.",
    keys: &[
        key(
            "on",
            Holds::Texts,
            Texts(&["fail", "recovery"]),
            "The events that are sent: `fail` (the exit code is not 0), `recovery` (it is 0 again), `new` (findings that the run before did not have, or another failure).",
        ),
        key(
            "at_most_every",
            Holds::Duration,
            Nothing,
            "At most one message in this span; what waits is said by a later run.",
        ),
        key("required", Holds::Flag, Flag(false), "A run whose message was not delivered is broken: exit code 3."),
        key(
            "text",
            Holds::Text,
            Nothing,
            "The text of messages as a minijinja template, e.g. `{{ headline }} on {{ host }}`.",
        ),
        key(
            "allow_plaintext",
            Holds::Flag,
            Flag(false),
            "Addresses of other machines may begin with `http://`: whoever listens can read them.",
        ),
        key(
            "prometheus",
            Holds::Text,
            Nothing,
            "The folder of node_exporter's text-file collector, relative to the job file: `barkeep-JOB.prom` is written there after every run.",
        ),
        key(
            "healthchecks",
            Holds::Text,
            Nothing,
            "The address that is pinged when a run begins, and with its exit code when it ends.",
        ),
        key("webhook", Holds::Text, Nothing, "An address that takes messages as JSON."),
        key("webhook_secret", Holds::Text, Nothing, "Signs the JSON: HMAC-SHA256 in the header `X-Barkeep-Signature`."),
        key("slack", Holds::Text, Nothing, "An incoming webhook of Slack."),
        key("feishu", Holds::Text, Nothing, "The webhook of a custom bot of Feishu or Lark."),
        key("feishu_secret", Holds::Text, Nothing, "Its secret, where it checks signatures."),
        key("dingtalk", Holds::Text, Nothing, "The webhook of a custom robot of DingTalk."),
        key("dingtalk_secret", Holds::Text, Nothing, "Its secret, where it checks signatures."),
        key("wecom", Holds::Text, Nothing, "The webhook of a robot of a WeCom group."),
        key("mail", Holds::Texts, Nothing, "Mail addresses, e.g. `ops@example.com`."),
        key("mail_from", Holds::Text, Nothing, "The sender of mails; default that of the system."),
        key("sendmail", Holds::Text, Text("/usr/sbin/sendmail"), "The program that takes mails."),
    ],
};

/// Reads `[notify]`.
pub(super) fn read(mut section: SectionReader<'_>) -> (Option<Settings>, Vec<Diagnostic>) {
    let on = read_events(&mut section);
    let at_most_every = section.duration("at_most_every");
    let (required, plaintext) = (section.flag("required"), section.flag("allow_plaintext"));
    let text = section
        .text("text")
        .and_then(|text| Template::parse(text.get_ref()).map_err(|wrong| section.reject("text", wrong, HELP)).ok());
    let job = &section.file().path;
    let prometheus = section.text("prometheus").map(|folder| JobPath::new(job, folder.into_inner()).resolved);
    let healthchecks = read_address(&mut section, "healthchecks", plaintext);
    let channels = read_channels(&mut section, plaintext);
    let unheard = prometheus.is_none() && healthchecks.is_none() && channels.is_empty();
    if unheard && !CHANNELS.iter().any(|name| section.has(name)) {
        let help = "write for instance `slack = \"${SLACK_URL}\"`, or `prometheus = \"/var/lib/node_exporter\"`";
        section.reader().reject_whole("`[notify]` has no channel", help);
    }
    let settings = Settings { on, at_most_every, required, text, prometheus, healthchecks, channels };
    (Some(settings), section.finish())
}

const CHANNELS: [&str; 8] = ["prometheus", "healthchecks", "webhook", "slack", "feishu", "dingtalk", "wecom", "mail"];
const HELP: &str = "values: headline, text, event, job, run_id, verdict, status, exit_code, error, host, started_at, finished_at, \
                    seconds, rows_read, rows_removed, errors, warnings, new, fixed, rules (id, severity, findings, new), refusals, next";

fn read_events(section: &mut SectionReader<'_>) -> Vec<Event> {
    let mut on = Vec::new();
    for word in section.texts("on") {
        match Event::parse(word.get_ref()) {
            Some(event) => on.push(event),
            None => {
                let help = match nearest(word.get_ref(), Event::WORDS.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of: {}", Event::WORDS.join(", ")),
                };
                section.reject_at(word.span(), format!("`{}` is not an event", word.get_ref()), help);
            }
        }
    }
    on
}

fn read_channels(section: &mut SectionReader<'_>, plaintext: bool) -> Vec<Channel> {
    let mut address = |name: &'static str| read_address(section, name, plaintext);
    let (webhook, slack, feishu) = (address("webhook"), address("slack"), address("feishu"));
    let (dingtalk, wecom) = (address("dingtalk"), address("wecom"));
    let mut secret = |of: &str| read_secret(section, of);
    let (of_webhook, of_feishu, of_dingtalk) = (secret("webhook"), secret("feishu"), secret("dingtalk"));
    let mut channels = Vec::new();
    channels.extend(webhook.map(|address| Channel::Webhook(address, of_webhook)));
    channels.extend(slack.map(Channel::Slack));
    channels.extend(feishu.map(|address| Channel::Feishu(address, of_feishu)));
    channels.extend(dingtalk.map(|address| Channel::DingTalk(address, of_dingtalk)));
    channels.extend(wecom.map(Channel::WeCom));
    channels.extend(read_mailbox(section).map(Channel::Mail));
    channels
}

/// A string that may be empty: then the environment says that it is not used.
fn read_reference(section: &mut SectionReader<'_>, name: &str) -> Option<String> {
    let text = section.reader().string(name)?;
    Some(text.into_inner()).filter(|text| !text.is_empty())
}

fn read_address(section: &mut SectionReader<'_>, name: &'static str, plaintext: bool) -> Option<Address> {
    let text = read_reference(section, name)?;
    // An address that stands in the file was reported and redacted where the file was read.
    if text.contains("***") {
        return None;
    }
    let help = "it is what the service shows as the address of the webhook";
    Address::parse(&text, plaintext).map_err(|wrong| section.reject(name, format!("`{name}`: {wrong}"), help)).ok()
}

/// The secret of the channel `of`.
fn read_secret(section: &mut SectionReader<'_>, of: &str) -> Option<SecretString> {
    let name = format!("{of}_secret");
    if section.has(&name) && !section.has(of) {
        let help = format!("write `{of}`, or leave it out");
        section.reject(&name, format!("`{name}` without `{of}` signs nothing"), help);
    }
    read_reference(section, &name).map(SecretString::from)
}

fn read_mailbox(section: &mut SectionReader<'_>) -> Option<Mailbox> {
    let mut to = Vec::new();
    for address in section.texts("mail").into_iter().filter(|address| !address.get_ref().is_empty()) {
        if let Some(wrong) = wrong_address(address.get_ref()) {
            section.reject_at(
                address.span(),
                format!("this is no address of a mail: {wrong}"),
                "e.g. `ops@example.com`",
            );
        }
        to.push(address.into_inner());
    }
    let from = section.text("mail_from").map(toml::Spanned::into_inner);
    if let Some(wrong) = from.as_deref().and_then(wrong_address) {
        section.reject("mail_from", format!("this is no address of a mail: {wrong}"), "e.g. `barkeep@example.com`");
    }
    for name in ["mail_from", "sendmail"] {
        if section.has(name) && !section.has("mail") {
            section.reject(name, format!("`{name}` without `mail` has no effect"), "write `mail`, or leave it out");
        }
    }
    let sendmail = section.text("sendmail").map(|program| PathBuf::from(program.into_inner()))?;
    (!to.is_empty()).then_some(Mailbox { to, from, sendmail })
}

#[cfg(test)]
mod tests;
