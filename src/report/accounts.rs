//! The lines of a summary that account for every row and finding.

use super::by_label::ByLabel;
use super::change::{Change, OfChangedRule};
use super::rules_before::RuleChange;
use super::summary::{RuleSummary, Summary};
use super::tally::RuleStatus;
use crate::text::escape::visible;
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;

/// Most rules that the line of rows stepped over names.
const MOST_NAMED: usize = 4;

/// Where every row went, what changed, and what was not evaluated.
pub fn accounts(summary: &Summary) -> Vec<String> {
    let mut lines = vec![format!("  {}", equation(summary))];
    let found = summary.findings.error + summary.findings.warn + summary.findings.info;
    if let Some(change) =
        summary.change.as_ref().filter(|change| found > 0 || change.fixed > 0 || !change.of_changed_rules.is_empty())
    {
        let since = match &change.since_run {
            Some(run) => format!("{} new and {} fixed since {run}", thousands(change.new), thousands(change.fixed)),
            None => "all new: this is the first run".to_owned(),
        };
        lines.push(format!("  {}, {since}", counted(found, "finding")));
        lines.extend(of_changed_rules(change));
    }
    lines.extend(labelled(summary));
    if summary.fail_on.as_deref() == Some("new") && summary.findings.error > 0 {
        lines.push(match summary.new_errors {
            0 => "  no error is new".to_owned(),
            errors => format!("  {} new", counted_are(errors)),
        });
    }
    if summary.rows.kept > 0 {
        lines.push(format!("  {}", kept(summary)));
    }
    lines.extend(not_evaluated(summary));
    if !summary.not_evaluated.is_empty() {
        let rules: Vec<_> = summary.not_evaluated.iter().map(|rule| visible(rule)).collect();
        lines.push(format!("  evaluated nothing: {}", rules.join(", ")));
    }
    if !summary.left_out.is_empty() {
        let rules: Vec<_> = summary.left_out.iter().map(|rule| visible(rule)).collect();
        let count = counted(summary.left_out.len() as u64, "rule");
        let need = if summary.left_out.len() == 1 { "needs" } else { "need" };
        lines.push(format!("  {count} left out that {need} a field of `without`: {}", rules.join(", ")));
    }
    if !summary.skipped.is_empty() {
        let rules: Vec<_> = summary.skipped.iter().map(|rule| visible(rule)).collect();
        let did =
            if rules.len() == 1 { "depends on all of a series and did" } else { "depend on all of a series and did" };
        let count = counted(rules.len() as u64, "rule");
        lines.push(format!("  {count} {did} not run; `--full` runs them: {}", rules.join(", ")));
    }
    if let Some((newest, days)) = summary.age() {
        let old = counted(days, "day");
        lines.push(format!(
            "  the newest bar is that of {}, {old} before {}",
            newest.timestamp(summary.daily),
            date_of(summary)
        ));
    }
    if let Some(calendar) = &summary.calendar {
        let known = calendar.known_until.as_ref().map(|day| format!(", known until {day}")).unwrap_or_default();
        lines.push(format!("  calendar {}{known}", calendar.name));
    }
    lines.push(String::new());
    lines
}

/// The date of the moment the bars were evaluated for.
fn date_of(summary: &Summary) -> String {
    summary.as_of.map(UtcMicros::date).unwrap_or_default()
}

/// `of a changed rule: close-outlier 46 new and 40 fixed`, a line a rule: what is new or gone because the rule is another
/// one.
fn of_changed_rules(change: &Change) -> Vec<String> {
    let line = |of: &OfChangedRule| {
        let what = match of.change {
            RuleChange::Changed => "a changed rule",
            RuleChange::Added => "an added rule",
            RuleChange::Removed => "a removed rule",
        };
        format!("  of {what}: {} {} new and {} fixed", visible(&of.rule), thousands(of.new), thousands(of.fixed))
    };
    change.of_changed_rules.iter().map(line).collect()
}

/// `3 findings are labelled: 2 known, 1 fine`: what a person said of findings.
fn labelled(summary: &Summary) -> Option<String> {
    let ByLabel { known, fine, bad, accepted } = summary.labelled;
    let counts = [(known, "known"), (fine, "fine"), (bad, "bad"), (accepted, "accepted by putting the row back")];
    let said = counts.into_iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, what)| format!("{} {what}", thousands(count))).collect();
    let all = known + fine + bad + accepted;
    let are = if all == 1 { "is" } else { "are" };
    (!said.is_empty()).then(|| format!("  {} {are} labelled: {}", counted(all, "finding"), said.join(", ")))
}

/// `1 error is`, `2 errors are`.
fn counted_are(errors: u64) -> String {
    format!("{} {}", counted(errors, "error"), if errors == 1 { "is" } else { "are" })
}

/// `16 rows stay: restored on 2026-11-26`: rows that rules would move, and that a person put back.
fn kept(summary: &Summary) -> String {
    let stay = if summary.rows.kept == 1 { "stays" } else { "stay" };
    let labelled = summary.kept_by_label;
    if labelled == summary.rows.kept {
        return format!("{} {stay}: labelled known or fine", counted(labelled, "row"));
    }
    let dates = summary.restored.and_then(|span| Some((span.since?.date(), span.until?.date())));
    let when = match dates {
        Some((first, last)) if first == last => format!("restored on {first}"),
        Some((first, last)) => format!("restored on {first} to {last}"),
        None => "restored by a person".to_owned(),
    };
    let labelled =
        if labelled > 0 { format!(", {} labelled known or fine", thousands(labelled)) } else { String::new() };
    format!("{} {stay}: {when}{labelled}", counted(summary.rows.kept, "row"))
}

/// `259,174 rows = 259,161 clean + 13 flagged`: every row read is counted once. What is 0 is left out.
fn equation(summary: &Summary) -> String {
    let rows = &summary.rows;
    let others = [
        (rows.flagged, "flagged"),
        (rows.parse_errors, if rows.parse_errors == 1 { "parse error" } else { "parse errors" }),
        (rows.to_quarantine, "to quarantine"),
        (rows.to_delete, "to delete"),
        (rows.kept, "kept"),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let sum = std::iter::once((rows.clean, "clean")).chain(others);
    let sum: Vec<String> = sum.map(|(count, what)| format!("{} {what}", thousands(count))).collect();
    format!("{} = {}", counted(rows.read, "row"), sum.join(" + "))
}

/// Rows without a verdict, by reason and rule; rules without any verdict have a line of their own in the table.
fn not_evaluated(summary: &Summary) -> Vec<String> {
    let reason = |what: &str, reported: RuleStatus, count: fn(&RuleSummary) -> u64| {
        let rules = summary.rules.iter().filter(|rule| rule.status != reported && count(rule) > 0);
        let rules: Vec<String> = rules.map(|rule| format!("{} {}", rule.id, counted(count(rule), "row"))).collect();
        (!rules.is_empty()).then(|| format!("  {what}: {}", rules.join(", ")))
    };
    let lacking = reason("too little history", RuleStatus::Insufficient, |rule| rule.insufficient);
    let excused = reason("excused", RuleStatus::Skipped, |rule| rule.excused);
    lacking.into_iter().chain(excused).chain(explained(summary)).chain(stepped_over(summary)).collect()
}

/// What facts excused, by rule and fact: `facts explain: gap 5,004 bars delisted, 3 suspended`.
fn explained(summary: &Summary) -> Option<String> {
    let rules: Vec<String> = summary.rules.iter().filter(|rule| !rule.excused_by.is_empty()).map(of_facts).collect();
    (!rules.is_empty()).then(|| format!("  facts explain: {}", rules.join("; ")))
}

fn of_facts(rule: &RuleSummary) -> String {
    let bars = rule.excused_by.iter().enumerate().map(|(index, (fact, excused))| {
        let fact = fact.replace('-', " ");
        match index {
            0 => format!("{} {fact}", counted(excused.bars, "bar")),
            _ => format!("{} {fact}", thousands(excused.bars)),
        }
    });
    format!("{} {}", visible(&rule.id), bars.collect::<Vec<_>>().join(", "))
}

/// Rows that rules did not look at. Most rules step over some, so the largest few stand for all.
fn stepped_over(summary: &Summary) -> Option<String> {
    let mut rules: Vec<&RuleSummary> = summary.rules.iter().filter(|rule| rule.stepped_over > 0).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.stepped_over));
    let named = rules.iter().take(MOST_NAMED).map(|rule| format!("{} {}", rule.id, counted(rule.stepped_over, "row")));
    let more = rules.len().saturating_sub(MOST_NAMED);
    let rest = (more > 0).then(|| format!("{} with fewer", counted(more as u64, "rule")));
    let named: Vec<String> = named.chain(rest).collect();
    (!named.is_empty()).then(|| format!("  stepped over: {}", named.join(", ")))
}
