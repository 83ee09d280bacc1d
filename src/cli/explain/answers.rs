//! What each rule says, in words.

use super::look::Look;
use crate::run::explain::{Answer, Explanation, Measured, RuleAnswer};
use crate::text::columns::{columns, cut, padded, wrapped};
use crate::text::escape::visible;
use crate::text::numbers::{counted, rough};
use crate::text::utc::UtcMicros;

/// Columns of the word, and of the id of a rule at most.
const WORD: usize = 12;
const ID: usize = 24;
/// With fewer columns the sentence stands below the rule.
const NARROW: usize = 72;

/// The rules, those that found something first.
pub(super) fn lines(explanation: &Explanation, look: Look) -> Vec<String> {
    let no_rows = explanation.rows().next().is_none();
    if no_rows && explanation.rules.is_empty() {
        return vec!["no finding of a rule holds that time".to_owned()];
    }
    let mut rules: Vec<&RuleAnswer> = explanation.rules.iter().collect();
    rules.sort_by_key(|rule| match rule.answer {
        Answer::Flagged => 0,
        Answer::InStretch => 1,
        _ => 2,
    });
    let id = rules.iter().map(|rule| columns(&rule.rule)).max().unwrap_or(0).min(ID);
    let mut lines = Vec::new();
    for rule in rules {
        let word = padded(word(&rule.answer), WORD);
        let word = match (&rule.answer, look.colour) {
            (Answer::Flagged, true) => format!("\u{1b}[1;31m{word}\u{1b}[0m"),
            (Answer::Within, true) => format!("\u{1b}[32m{word}\u{1b}[0m"),
            _ => word,
        };
        let name = padded(&cut(&rule.rule, ID, look.drawn), id);
        let said = sentences(rule, explanation.is_daily());
        let indent = if look.width < NARROW { 2 } else { WORD + id + 2 };
        let body: Vec<String> = said.iter().flat_map(|text| wrapped(text, look.width.saturating_sub(indent))).collect();
        let below = |text: &String| format!("{}{text}", " ".repeat(indent));
        if look.width < NARROW {
            lines.push(format!("{word}{}", name.trim_end()));
            lines.extend(body.iter().map(below));
        } else {
            let mut body = body.iter();
            lines.push(format!("{word}{name}  {}", body.next().map_or("", String::as_str)));
            lines.extend(body.map(below));
        }
    }
    lines
}

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Flagged => "FLAGGED",
        Answer::InStretch => "in stretch",
        Answer::Within => "ok",
        Answer::Insufficient => "no history",
        Answer::Excused(_) => "excused",
        Answer::NotChosen(_) => "not chosen",
        Answer::Rejected(_) => "not run",
        Answer::AnotherCopy => "copy",
        Answer::SteppedOver => "passed over",
        Answer::NotValid(_) => "not valid",
        Answer::OfAllSeries { .. } | Answer::OfRuns => "not one bar",
        Answer::LeftOut => "left out",
        Answer::NotKnown(_) => "not known",
    }
}

/// What a rule says, a sentence a line.
fn sentences(rule: &RuleAnswer, daily: bool) -> Vec<String> {
    let mut lines = match &rule.answer {
        Answer::Flagged | Answer::InStretch => found(rule, daily),
        Answer::Within => vec![within(rule.measured.as_ref())],
        Answer::Insufficient => vec![match rule.window {
            Some((before, after)) => format!(
                "too few bars around it: it looks at {} before and {after} after",
                counted(before as u64, "bar")
            ),
            None => "too few bars to compare with".to_owned(),
        }],
        Answer::Excused(facts) if facts.is_empty() => {
            vec![format!("the check excuses it; `barkeep rules explain {}`", rule.check.unwrap_or_default())]
        }
        Answer::Excused(facts) => vec![format!("what would be a finding is explained: {}", facts.join(", "))],
        Answer::NotChosen(condition) => vec![format!("its condition does not choose the bar: {}", visible(condition))],
        Answer::Rejected(rules) => {
            vec![format!("{} rejected the bar: rules about the series do not see it", rules.join(", "))]
        }
        Answer::AnotherCopy => vec!["another row of that time stands for it".to_owned()],
        Answer::SteppedOver => {
            let check = rule.check.unwrap_or_default();
            vec![format!("the check has nothing to evaluate in it; `barkeep rules explain {check}`")]
        }
        Answer::NotValid(validity) => {
            let at = |time: i64| UtcMicros(time).timestamp(daily);
            let ends = [
                validity.from.map(|from| format!("from {}", at(from))),
                validity.until.map(|until| format!("until {}", at(until))),
            ];
            vec![format!("the rule holds {}", ends.into_iter().flatten().collect::<Vec<_>>().join(" "))]
        }
        Answer::OfAllSeries { run: true } => {
            vec!["it evaluates all series together: nothing it found holds the bar".to_owned()]
        }
        Answer::OfAllSeries { run: false } => {
            vec![
                "it evaluates all series together, and only this one was read; `barkeep report show` has what it found"
                    .to_owned(),
            ]
        }
        Answer::OfRuns => vec!["it compares runs; `barkeep report show` has what it found".to_owned()],
        Answer::LeftOut => vec!["the bars lack a field that it needs".to_owned()],
        Answer::NotKnown(why) => vec![why.clone()],
    };
    let rows = rule.rows;
    if rows.evaluated + rows.insufficient + rows.excused + rows.stepped_over > 1 {
        let parts = [
            (rows.flagged, "flagged"),
            (rows.evaluated - rows.flagged.min(rows.evaluated), "evaluated and not flagged"),
            (rows.insufficient, "without enough history"),
            (rows.excused, "excused"),
            (rows.stepped_over, "not looked at"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, how)| format!("{} {how}", counted(count, "row"))).collect();
        lines.push(parts.join(", "));
    }
    lines
}

fn found(rule: &RuleAnswer, daily: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &rule.findings {
        let span = match finding.span {
            (Some(first), Some(last)) if first != last => {
                let [first, last] = [first, last].map(|time| UtcMicros(time).timestamp(daily));
                format!(" [{first} to {last}]")
            }
            _ => String::new(),
        };
        let place = finding.place.as_ref().map(|place| format!(" ({})", visible(place))).unwrap_or_default();
        let label = finding.label.map(|label| format!("; labelled {label}")).unwrap_or_default();
        lines.push(format!("{}{span}{place}{label}", finding.message));
    }
    if lines.is_empty() {
        lines.push("it is one of the bars of a finding".to_owned());
    }
    lines.push(format!("{}, {}", rule.severity, rule.action));
    lines.extend(rule.why.iter().map(|why| format!("why: {}", visible(why))));
    lines
}

fn within(measured: Option<&Measured>) -> String {
    let Some(Measured { key, limit, flagged_at, observed }) = measured else { return "nothing found".to_owned() };
    let value = match observed {
        Some((Some(field), value)) => format!("{} {value}; ", visible(field)),
        Some((None, value)) => format!("{value}; "),
        None => String::new(),
    };
    let limit = rough(*limit, 6);
    match flagged_at {
        Some(at) => format!("{value}{key} {limit}, it would be flagged from {} on", rough(*at, 3)),
        None if matches!(*key, "min" | "max") => format!("{value}{key} {limit}"),
        None => format!("{value}{key} {limit}, it would be flagged at none"),
    }
}
