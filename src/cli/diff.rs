//! `barkeep rules diff`: what only one of two sets of rules finds.

use serde_json::{Value, json};

use super::args::{DiffArgs, Global};
use super::backtest::{timestamp, window};
use super::events;
use super::output::Output;
use super::window::{as_of, asked};
use crate::run::{DiffOptions, Difference, Example, Exit, Failure, Job, RuleDifference, Sided, Stop, TrialOptions};
use crate::text::escape::{shortened, visible};
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;

/// Characters of an id that are shown.
const ID: usize = 32;

/// Compares two sets of rules and shows how they differ.
pub(crate) async fn diff(global: &Global, args: &DiffArgs, output: &mut Output) -> Result<Exit, Failure> {
    let trial = TrialOptions { window: asked(&args.window)?, series: args.series.clone(), as_of: as_of(&args.window)? };
    let options = DiffOptions { sides: [args.one.clone(), args.two.clone()], trial };
    let context = events::context(global, Stop::never());
    let job = Job::open(&context, &args.job)?;
    let difference = job.diff_rules(&options).await?;
    if output.is_json() {
        for rule in &difference.rules {
            output.line(&json(rule, difference.daily).to_string())?;
        }
        let total = json!({
            "type": "rules-diff", "job": job.name(), "a": args.one, "b": args.two,
            "rows_read": difference.read, "series": difference.series, "rules": difference.rules.len(),
        });
        output.line(&total.to_string())?;
        return Ok(Exit::Ok);
    }
    for line in text(&difference, [&args.one, &args.two], job.name()) {
        output.line(line.trim_end())?;
    }
    Ok(Exit::Ok)
}

fn text(difference: &Difference, [one, two]: [&str; 2], job: &str) -> Vec<String> {
    let window = window(difference.window, difference.daily);
    let rows = counted(difference.read, "row");
    let mut lines = vec![
        format!(
            "A {}, B {} over {job}: {rows} of {} series{window}",
            visible(one),
            visible(two),
            thousands(difference.series)
        ),
        String::new(),
        format!("  {:<ID$}    only A    only B      both", "rule"),
    ];
    for rule in &difference.rules {
        let [only_one, only_two] = rule.only.map(thousands);
        lines.push(format!(
            "  {:<ID$}  {only_one:>8}  {only_two:>8}  {:>8}",
            shortened(&name(&rule.sides), ID),
            thousands(rule.both)
        ));
        for changed in &rule.changed {
            let [before, after] = changed.values.each_ref().map(value);
            lines.push(format!("      {} {before} → {after}", changed.key));
        }
        for (side, examples) in ["A", "B"].into_iter().zip(&rule.examples) {
            for example in examples {
                let Example { series, time, field } = example;
                let field = field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
                let time = timestamp(*time, difference.daily);
                lines.push(format!("      only {side}: {} {time}{field}", shortened(series, ID)));
            }
        }
        lines.extend(idle(rule).into_iter().map(|line| format!("      {line}")));
    }
    lines
}

/// The ids of both sides; one where they are the same.
fn name(sides: &[Option<Sided>; 2]) -> String {
    match sides {
        [Some(one), Some(two)] if one.id != two.id => format!("{} / {}", one.id, two.id),
        [Some(rule), _] | [None, Some(rule)] => rule.id.clone(),
        [None, None] => String::new(),
    }
}

/// Sides that have no such rule, or on which it evaluated nothing.
fn idle(rule: &RuleDifference) -> Vec<String> {
    let sides = ["A", "B"].into_iter().zip(&rule.sides);
    let idle = sides.filter_map(|(side, rule)| match rule {
        None => Some(format!("{side} has no such rule")),
        Some(Sided { evaluated: None, .. }) => {
            Some(format!("{side} is not evaluated: the bars lack a field that it needs"))
        }
        Some(Sided { evaluated: Some(0), .. }) => Some(format!("{side} evaluated nothing")),
        Some(_) => None,
    });
    idle.collect()
}

/// A value as a rule writes it.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "(not written)".to_owned(),
        Value::String(text) => visible(text).into_owned(),
        other => other.to_string(),
    }
}

fn json(rule: &RuleDifference, daily: bool) -> Value {
    let examples = |examples: &[Example]| -> Vec<Value> {
        let one = |Example { series, time, field }: &Example| json!({ "series": series, "time": time.map(|time| UtcMicros(time).timestamp(daily)), "field": field });
        examples.iter().map(one).collect()
    };
    let side =
        |side: &Option<Sided>| side.as_ref().map(|side| json!({ "rule": side.id, "rows_evaluated": side.evaluated }));
    let changed = rule.changed.iter();
    let changed = changed.map(|changed| json!({ "key": changed.key, "a": changed.values[0], "b": changed.values[1] }));
    json!({
        "type": "rule-diff", "rule": name(&rule.sides), "a": side(&rule.sides[0]), "b": side(&rule.sides[1]),
        "changed": changed.collect::<Vec<_>>(), "only_a": rule.only[0], "only_b": rule.only[1], "both": rule.both,
        "first_only_a": examples(&rule.examples[0]), "first_only_b": examples(&rule.examples[1]),
    })
}
