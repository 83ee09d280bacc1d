//! The rules of a run as text: how each came out, worst first, which did not run and why, and how they were set.

use serde::Serialize;

use super::gathered::Gathered;
use super::spark;
use crate::report::summary::{RuleSummary, Summary};
use crate::report::tally::RuleStatus;
use crate::text::escape::visible;
use crate::text::numbers::{counted, rate, thousands};

/// What stands where there is nothing to say.
pub(super) const NONE: &str = "–";

#[derive(Debug, Serialize)]
pub(super) struct RuleRow {
    id: String,
    name: String,
    status: &'static str,
    tone: &'static str,
    calm: bool,
    severity: String,
    sentence: Option<String>,
    outcome: String,
    evaluated: String,
    findings: String,
    change: Option<String>,
    rate: String,
    action: String,
    spark: String,
}

#[derive(Debug, Serialize)]
pub(super) struct NotRun {
    id: String,
    because: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Parameters {
    id: String,
    check: String,
    params: String,
}

/// The rules of the run, then those that only its findings name.
pub(super) fn rules(page: &Gathered) -> Vec<RuleRow> {
    let Some(summary) = &page.summary else { return Vec::new() };
    let mut rows: Vec<RuleRow> = summary.rules.iter().map(|rule| rule_row(page, summary, rule)).collect();
    // Rules that have findings and that the summary does not know.
    for rule in page.rules.iter().filter(|rule| summary.rules.iter().all(|known| known.id != rule.id)) {
        let place = page.found.rules.find(&rule.id);
        let findings =
            page.found.counts.iter().filter(|((of, ..), _)| Some(*of) == place).map(|(_, count)| count).sum();
        rows.push(RuleRow {
            id: rule.id.clone(),
            name: visible(&rule.id).into_owned(),
            status: "unknown",
            tone: "none",
            calm: false,
            severity: rule.severity.clone(),
            sentence: None,
            outcome: "the summary of the run does not know this rule".to_owned(),
            evaluated: NONE.to_owned(),
            findings: thousands(findings),
            change: None,
            rate: NONE.to_owned(),
            action: rule.action.clone(),
            spark: spark::svg(&page.history.of_rule(&rule.id)),
        });
    }
    rows
}

fn rule_row(page: &Gathered, summary: &Summary, rule: &RuleSummary) -> RuleRow {
    let (status, tone) = match rule.status {
        RuleStatus::Fail => ("FAIL", "bad"),
        RuleStatus::Warn => ("WARN", "odd"),
        RuleStatus::Known => ("known", "none"),
        RuleStatus::Ok => ("OK", "good"),
        RuleStatus::Insufficient | RuleStatus::Skipped => ("not evaluated", "none"),
    };
    let change =
        rule.new.zip(rule.fixed).filter(|_| summary.change.as_ref().is_some_and(|change| change.since_run.is_some()));
    let change = change.filter(|(new, fixed)| new + fixed > 0);
    RuleRow {
        id: rule.id.clone(),
        name: visible(&rule.id).into_owned(),
        status,
        tone,
        calm: rule.findings == 0,
        severity: rule.severity.clone(),
        sentence: rule.why.as_deref().map(|why| visible(why).into_owned()),
        outcome: outcome(summary, rule),
        evaluated: thousands(rule.evaluated),
        findings: thousands(rule.findings),
        change: change.map(|(new, fixed)| format!("{} new, {} fixed", thousands(new), thousands(fixed))),
        rate: match (rule.findings, rule.rate) {
            (0, _) => NONE.to_owned(),
            (_, Some(share)) => rate(share),
            (_, None) => counted(rule.bars, "bar"),
        },
        action: rule.action.clone(),
        spark: spark::svg(&page.history.of_rule(&rule.id)),
    }
}

/// What came of a rule, beside its counts.
fn outcome(summary: &Summary, rule: &RuleSummary) -> String {
    let mut parts = Vec::new();
    if rule.findings > 0 {
        parts.push(format!("in {}", counted(rule.series_hit, "series")));
    }
    if let Some(place) = &rule.first {
        let time = place.time.map_or_else(|| "without a timestamp".to_owned(), |time| time.timestamp(summary.daily));
        parts.push(format!("first {} {time}", visible(&place.series)));
    }
    if rule.insufficient > 0 {
        parts.push(format!("too little history for {}", counted(rule.insufficient, "row")));
    }
    if rule.excused > 0 {
        parts.push(format!("{} excused", counted(rule.excused, "row")));
    }
    parts.join(", ")
}

/// Those that did not run, or evaluated nothing.
pub(super) fn not_run(summary: &Summary) -> Vec<NotRun> {
    let left_out = summary.left_out.iter().map(|id| (id, "the bars are said not to have a field that it needs"));
    let skipped = summary
        .skipped
        .iter()
        .map(|id| (id, "it depends on all of a series, and a part of it was read; `--full` runs it"));
    let nothing = summary.not_evaluated.iter().map(|id| (id, "no row met its conditions, so it evaluated nothing"));
    let named = left_out.chain(skipped).chain(nothing);
    let mut all: Vec<NotRun> = named.map(|(id, because)| NotRun { id: visible(id).into_owned(), because }).collect();
    for rule in &summary.rules {
        let because = match rule.status {
            RuleStatus::Insufficient => "no row had enough history",
            RuleStatus::Skipped => "it had no rows to evaluate",
            _ => continue,
        };
        let id = visible(&rule.id).into_owned();
        if all.iter().all(|other| other.id != id) {
            all.push(NotRun { id, because });
        }
    }
    all
}

/// The parameters of the rules.
pub(super) fn parameters(page: &Gathered) -> Vec<Parameters> {
    let with = page.rules.iter().filter_map(|rule| Some((rule, page.params.get(&rule.id)?)));
    with.map(|(rule, params)| Parameters {
        id: visible(&rule.id).into_owned(),
        check: rule.check.clone(),
        params: visible(params).into_owned(),
    })
    .collect()
}
