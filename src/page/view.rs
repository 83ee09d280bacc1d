//! What stands in the document of a run as text: verdict, counts, rules, the map, the first findings, the run.

use serde::Serialize;

use super::found::{Finding, SEVERITIES};
use super::gathered::Gathered;
use super::rule_rows::{NONE, NotRun, Parameters, RuleRow, not_run, parameters, rules};
use crate::report::RunId;
use crate::report::accounts::accounts;
use crate::report::render::reported;
use crate::report::summary::{Summary, Verdict};
use crate::text::escape::visible;
use crate::text::numbers::{counted, seconds, speed, thousands};
use crate::text::utc::UtcMicros;

/// Findings that are shown without scripts.
const FIRST: usize = 100;

#[derive(Debug, Serialize)]
pub(super) struct View {
    title: String,
    run_id: String,
    job: String,
    verdict: Word,
    facts: Vec<Pair>,
    notices: Vec<Notice>,
    cards: Vec<Card>,
    accounts: Vec<String>,
    rules: Vec<RuleRow>,
    no_rules: &'static str,
    sparks: String,
    heat: Option<Heat>,
    no_heat: &'static str,
    first: Vec<Row>,
    left_out: Option<String>,
    not_run: Vec<NotRun>,
    groups: Vec<Group>,
    parameters: Vec<Parameters>,
}

#[derive(Debug, Serialize)]
struct Word {
    text: &'static str,
    tone: &'static str,
    sentence: String,
}

#[derive(Debug, Serialize)]
struct Pair {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Notice {
    text: String,
    bad: bool,
}

#[derive(Debug, Serialize)]
struct Card {
    name: &'static str,
    value: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct Heat {
    about: String,
    says: String,
    svg: String,
    most: String,
    has_missing: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    severity: &'static str,
    rule: String,
    series: String,
    time: String,
    message: String,
    label: String,
}

#[derive(Debug, Serialize)]
struct Group {
    name: &'static str,
    pairs: Vec<Pair>,
}

/// The texts of a page.
pub(super) fn of(page: &Gathered) -> View {
    let summary = page.summary.as_ref();
    let job = visible(&page.run.job).into_owned();
    let day = page.run.run_id.started().date();
    View {
        title: format!("{job}, {day}, barkeep report"),
        run_id: page.run.run_id.to_string(),
        verdict: verdict(page),
        facts: summary.map_or_else(|| vec![pair("began", page.run.run_id.started().to_string())], facts),
        notices: notices(page),
        cards: summary.map(|summary| cards(page, summary)).unwrap_or_default(),
        accounts: summary
            .filter(|it| it.command != "apply")
            .map(|summary| accounts(summary).iter().map(|line| line.trim().to_owned()).collect())
            .unwrap_or_default(),
        rules: rules(page),
        no_rules: if summary.is_some() {
            "The run evaluated no rule."
        } else {
            "The run broke off before its rules had a result."
        },
        sparks: match page.history.runs() {
            0 | 1 => "The small bar is what it found: there are no earlier runs.".to_owned(),
            runs => format!("The small bars are its findings in the last {runs} runs, the newest on the right."),
        },
        heat: heat(page),
        no_heat: if page.found.there() == 0 {
            "Nothing was found, so there is nothing to be drawn."
        } else {
            "No finding has a timestamp to be drawn at."
        },
        first: page.found.held.iter().take(FIRST).map(|finding| row(page, finding)).collect(),
        left_out: left_out(page),
        not_run: summary.map(not_run).unwrap_or_default(),
        groups: groups(page),
        parameters: parameters(page),
        job,
    }
}

fn pair(name: &'static str, value: impl AsRef<str>) -> Pair {
    Pair { name, value: visible(value.as_ref()).into_owned() }
}

fn verdict(page: &Gathered) -> Word {
    let Some(summary) = &page.summary else {
        let sentence = "The run broke off and left no summary; what is below is what it left.".to_owned();
        return Word { text: "FAIL", tone: "bad", sentence };
    };
    let (text, tone) = match summary.verdict {
        Verdict::Ok => ("OK", "good"),
        Verdict::Warn => ("WARN", "odd"),
        Verdict::Fail => ("FAIL", "bad"),
    };
    let sentence = reported(summary);
    let mut letters = sentence.chars();
    let sentence = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    Word { text, tone, sentence }
}

fn span(since: Option<UtcMicros>, until: Option<UtcMicros>, daily: bool) -> String {
    let text = |time: Option<UtcMicros>, open: &str| time.map_or_else(|| open.to_owned(), |time| time.timestamp(daily));
    format!("{} to {}", text(since, "the beginning"), text(until, "the end"))
}

fn facts(summary: &Summary) -> Vec<Pair> {
    let mut facts = vec![pair("source", &summary.source)];
    if let (Some(since), Some(until)) = (summary.data.since, summary.data.until) {
        facts.push(pair("bars from", span(Some(since), Some(until), summary.daily)));
    }
    if summary.window.since.is_some() || summary.window.until.is_some() {
        facts.push(pair("window", span(summary.window.since, summary.window.until, summary.daily)));
    }
    facts.push(pair("series", thousands(summary.series)));
    facts.push(pair("began", summary.started_at.to_the_second().timestamp(false)));
    let elapsed = summary.elapsed();
    let pace = speed(summary.rows.read, elapsed).map(|speed| format!(", {speed}")).unwrap_or_default();
    facts.push(pair("took", format!("{}{pace}", seconds(elapsed))));
    facts
}

fn notices(page: &Gathered) -> Vec<Notice> {
    let notice = |text: &str, bad| Notice { text: text.lines().map(visible).collect::<Vec<_>>().join("\n"), bad };
    let error = page.text("error").or_else(|| page.summary.as_ref().and_then(|summary| summary.error.clone()));
    let ended = page.text("status").unwrap_or_default();
    let mut notices: Vec<Notice> =
        error.iter().map(|error| notice(error, !matches!(ended.as_str(), "ok" | "findings" | "skipped"))).collect();
    for refusal in page.summary.iter().flat_map(|summary| &summary.refusals) {
        notices.push(notice(&format!("Refused: {refusal}"), true));
    }
    notices.extend(page.missing.iter().map(|missing| notice(&format!("This page lacks something: {missing}"), true)));
    notices
}

fn cards(page: &Gathered, summary: &Summary) -> Vec<Card> {
    let card = |name, value: u64, note: String| Card { name, value: thousands(value), note };
    let (rows, found) = (&summary.rows, &summary.findings);
    let moved = page.count("rows_quarantined").and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
    let quarantined = match moved {
        0 if rows.to_quarantine > 0 => card("to quarantine", rows.to_quarantine, "nothing was moved".to_owned()),
        _ => card("quarantined", moved, rows_note(rows.to_quarantine, moved)),
    };
    let mut cards = vec![
        card("rows checked", rows.read, format!("{} without a finding", thousands(rows.clean))),
        card("errors", found.error, labelled(summary)),
        card("warnings", found.warn, if found.info > 0 { counted(found.info, "note") } else { String::new() }),
        quarantined,
    ];
    let since = summary.change.as_ref().and_then(|change| Some((change, change.since_run.as_deref()?)));
    match since {
        Some((change, run)) => {
            cards.push(card("new", change.new, format!("since the run of {}", began(run))));
            cards.push(card("fixed", change.fixed, "that the run before had".to_owned()));
        }
        None => {
            let none = |name, note: &str| Card { name, value: NONE.to_owned(), note: note.to_owned() };
            cards.push(none("new", "there is no run to compare with"));
            cards.push(none("fixed", ""));
        }
    }
    cards
}

/// When a run began, as its id says.
fn began(run: &str) -> String {
    RunId::parse(run).map_or_else(|_| run.to_owned(), |run| run.started().timestamp(false))
}

fn rows_note(planned: u64, moved: u64) -> String {
    if planned > moved { format!("of {} to be moved", thousands(planned)) } else { String::new() }
}

fn labelled(summary: &Summary) -> String {
    match summary.labelled.muted() {
        0 => String::new(),
        muted => format!("{} labelled known or fine, or accepted", counted(muted, "finding")),
    }
}

fn heat(page: &Gathered) -> Option<Heat> {
    let map = page.found.map.as_ref()?;
    let drawn = map.series.len() as u64;
    let (sum, most) = map.sums();
    let which = if (map.series_hit as u64) > drawn {
        format!("The {} worst of {} with findings", thousands(drawn), counted(map.series_hit as u64, "series"))
    } else {
        format!("All {} with findings, worst first", counted(drawn, "series"))
    };
    Some(Heat {
        about: format!(
            "{which}, by {}; a click shows the findings of a cell. A gap counts where it begins.",
            map.what()
        ),
        says: format!("{} in {} shown", counted(sum, "finding"), counted(drawn, "series")),
        svg: map.svg(&page.found.series),
        most: thousands(most),
        has_missing: map.has_missing(),
    })
}

fn row(page: &Gathered, finding: &Finding) -> Row {
    let time = finding.time.map_or_else(|| "no timestamp".to_owned(), |time| UtcMicros(time).timestamp(page.daily()));
    Row {
        severity: SEVERITIES[usize::from(finding.severity)],
        rule: visible(page.found.rules.name(finding.rule)).into_owned(),
        series: visible(page.found.series.name(finding.series)).into_owned(),
        time,
        message: visible(&finding.message).into_owned(),
        label: finding.label.map(|label| page.found.labels.name(label).to_owned()).unwrap_or_default(),
    }
}

fn left_out(page: &Gathered) -> Option<String> {
    let (there, held) = (page.found.there(), page.found.held.len() as u64);
    (held < there).then(|| {
        format!(
            "The run has {} findings, and this page holds {} of them: errors first, then what is new, of each rule its share. \
             Counts by rule, severity, label and what is new are of all; `barkeep report html --findings N` holds more, \
             and `barkeep sql` queries all of them.",
            thousands(there),
            thousands(held)
        )
    })
}

fn groups(page: &Gathered) -> Vec<Group> {
    let text = |name: &'static str, column: &str| page.text(column).map(|value| pair(name, value));
    let mut run = vec![pair("job", &page.run.job)];
    run.extend(page.row.job_file.as_deref().map(|file| pair("job file", file)));
    run.extend(
        [text("command", "command"), text("begun by", "trigger"), text("ended", "status")].into_iter().flatten(),
    );
    run.extend(page.count("exit_code").map(|code| pair("exit code", code.to_string())));
    if let Some(summary) = &page.summary {
        run.push(pair("bars of", &summary.interval));
        run.extend(summary.calendar.as_ref().map(|calendar| {
            let until = calendar.known_until.as_ref().map(|until| format!(", known until {until}")).unwrap_or_default();
            pair("calendar", format!("{}{until}", calendar.name))
        }));
        run.extend(summary.as_of.map(|as_of| pair("evaluated for", as_of.to_the_second().timestamp(false))));
    }
    let mut groups = vec![Group { name: "What ran", pairs: run }];
    if let Some(summary) = &page.summary {
        let of = &summary.seconds;
        let stages = [
            ("load", of.load),
            ("extract", of.extract),
            ("check", of.check),
            ("move", of.apply),
            ("report", of.report),
        ];
        let pairs = stages.into_iter().map(|(name, time)| pair(name, seconds(time)));
        let mut pairs: Vec<Pair> = pairs.chain([pair("all", seconds(summary.elapsed()))]).collect();
        let megabytes = |bytes: i64| format!("{} MB", thousands(bytes.unsigned_abs() / 1_000_000));
        pairs.extend(page.count("bytes_read").map(|bytes| pair("read", megabytes(bytes))));
        pairs.extend(page.count("peak_rss").map(|bytes| pair("memory at most", megabytes(bytes))));
        groups.push(Group { name: "Time by stage", pairs });
    }
    let who = [
        text("barkeep", "version"),
        text("host", "host"),
        text("user", "user"),
        text("job, SHA-256", "job_sha256"),
        text("rules, SHA-256", "rules_sha256"),
    ];
    groups.push(Group { name: "Who and with what", pairs: who.into_iter().flatten().collect() });
    groups
}
