//! Limits with which rules of the job that find much find less: each is tried, by the job as it would be.

use std::sync::Arc;

use serde_json::Value;

use super::evaluating::{Evaluating, with_files};
use crate::config::{Rule, RuleFile};
use crate::run::failure::Failure;
use crate::run::ingest::Ingested;
use crate::run::open::Opened;
use crate::schema::diagnostic::SourceText;
use crate::schema::keys::Otherwise;
use crate::suggest::{Counted, Tuning};
use crate::text::toml::key;

/// Share of the bars it evaluates that a rule with a limit finds something in before it finds too much to be read.
const MUCH: f64 = 0.002;
/// Findings that a person reads whatever their share.
const FEW: u64 = 10;
/// Times the present limit, one after the other.
const TIMES: [f64; 4] = [1.5, 2.0, 3.0, 5.0];

/// The rules of `rules` that find much, each with a limit with which it does not; `counted` is what they find now.
pub(super) async fn tunings(
    evaluating: &Evaluating<'_>,
    opened: &Opened,
    ingested: &Ingested,
    rules: &[Rule],
    counted: &[(Arc<str>, Counted)],
) -> Result<Vec<Tuning>, Failure> {
    let found = |id: &str| counted.iter().find(|(rule, _)| **rule == *id).map(|(_, counted)| *counted);
    let mut tunings: Vec<Tuning> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.tuned.is_empty() && rule.by_symbol.is_empty()) {
        if let (Some(limit), Some(now)) = (limit_of(rule), found(&rule.id))
            && is_much(now)
        {
            tunings.push(Tuning { rule: rule.id.to_string(), limit, now, better: None, largest: (limit, now) });
        }
    }
    for times in TIMES {
        let open: Vec<(&str, f64)> = tunings
            .iter()
            .filter(|tuning| tuning.better.is_none())
            .map(|tuning| (tuning.rule.as_str(), tuning.limit * times))
            .collect();
        let Some(tuned) = (!open.is_empty()).then(|| tuned(opened, &open)).flatten() else { break };
        let counted = evaluating.counts(&tuned, ingested).await?;
        for tuning in tunings.iter_mut().filter(|tuning| tuning.better.is_none()) {
            let Some((_, then)) = counted.iter().find(|(rule, _)| **rule == *tuning.rule) else { continue };
            tuning.largest = (tuning.limit * times, *then);
            if !is_much(*then) {
                tuning.better = Some(tuning.largest);
            }
        }
    }
    Ok(tunings)
}

fn is_much(Counted { findings, evaluated }: Counted) -> bool {
    findings > FEW && findings as f64 > evaluated as f64 * MUCH
}

/// The limit of a rule, where its check has one.
fn limit_of(rule: &Rule) -> Option<f64> {
    let params: Value = serde_json::from_str(&rule.params).ok()?;
    let key = rule.kind.params().iter().find(|key| key.name == "limit")?;
    match (params.get("limit").and_then(Value::as_f64), key.otherwise) {
        (Some(limit), _) | (None, Otherwise::Number(limit)) => Some(limit),
        _ => None,
    }
}

/// The job as it would be with these limits; `None` where it has tuning to which nothing can be added.
fn tuned(opened: &Opened, limits: &[(&str, f64)]) -> Option<Opened> {
    let job = &opened.loaded.job.file;
    let more = limits.iter().map(|(rule, limit)| format!("\n[tune.{}]\nlimit = {limit:?}\n", key(rule)));
    let text: String = std::iter::once(format!("{}\n", job.text)).chain(more).collect();
    if toml::from_str::<toml::Table>(&text).is_err() {
        return None;
    }
    let job = SourceText::new(&job.path, &text);
    let with = |file: &RuleFile| RuleFile { job: file.job.as_ref().map(|_| Arc::clone(&job)), ..file.clone() };
    Some(with_files(opened, opened.loaded.rule_files.iter().map(with).collect()))
}
