//! `barkeep rules`: list, explain, lint, test, schema.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::args::{Global, SchemaOf};
use super::events;
use super::output::Output;
use super::rule_cases;
use crate::bars::spec::Fold;
use crate::bars::time::TimeFormat;
use crate::bars::{BarsSpec, FieldKind, FieldSpec, Label, NUMBERS, TimeSpec};
use crate::checks::{self, CHECKS};
use crate::config::diagnostic::suggestion;
use crate::config::{Diagnostic, Environment, RuleFile, RuleSet, document, rules, schema};
use crate::engine::plan;
use crate::engine::session::session;
use crate::market::{Calendar, Grid, Interval};
use crate::run::{Exit, Failure, Stop};
use crate::run::{job, open};

/// The JSON Schema of a kind of file.
pub(crate) fn schema(of: SchemaOf, output: &mut Output) -> Result<Exit, Failure> {
    let schema = match of {
        SchemaOf::Rules => schema::rules_schema(),
        SchemaOf::Job => schema::job_schema(),
    };
    output.line(&if output.is_json() { schema.to_string() } else { format!("{schema:#}") })?;
    Ok(Exit::Ok)
}

/// The documentation of a check.
pub(crate) fn explain(name: &str, output: &mut Output) -> Result<Exit, Failure> {
    let Some(check) = checks::find(name) else {
        let help = suggestion(name, "checks", CHECKS.iter().map(|check| check.name()));
        return Err(Failure::Usage(format!("there is no check `{name}`"), help));
    };
    if output.is_json() {
        let json = serde_json::json!({ "type": "check", "name": check.name(), "markdown": check.explain() });
        output.line(&json.to_string())?;
    } else {
        output.line(check.explain().trim_end())?;
    }
    Ok(Exit::Ok)
}

/// The checks there are, or the rules of files.
pub(crate) async fn list(files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    if files.is_empty() {
        for check in CHECKS {
            let what = first_sentence(check.explain());
            let json = || serde_json::json!({ "type": "check", "name": check.name(), "what": what });
            output.line(&if output.is_json() { json().to_string() } else { format!("{:<14} {what}", check.name()) })?;
        }
        return Ok(Exit::Ok);
    }
    for file in files {
        let (rules, _) = match kind_of(file)? {
            Kind::Job => {
                let opened = open::open(file).await?;
                opened.close().await;
                (opened.loaded.compile(&opened.bars).map_err(Failure::Mistakes)?, opened.bars)
            }
            Kind::Rules(rules) => usual(&rules).map_err(Failure::Mistakes)?,
        };
        for rule in &rules.rules {
            output.line(&match output.is_json() {
                true => serde_json::json!({
                    "type": "rule", "file": file.display().to_string(), "id": &*rule.id, "check": rule.kind.name(),
                    "severity": rule.severity.as_str(), "action": rule.action.as_str(), "why": rule.why,
                })
                .to_string(),
                false => format!(
                    "{:<28} {:<12} {:<6} {:<11} {}",
                    rule.id,
                    rule.kind.name(),
                    rule.severity,
                    rule.action,
                    rule.why.as_deref().unwrap_or_default()
                )
                .trim_end()
                .to_owned(),
            })?;
        }
    }
    Ok(Exit::Ok)
}

/// The first sentence under `## What it flags`.
fn first_sentence(markdown: &str) -> String {
    let text = markdown.split("## What it flags").nth(1).unwrap_or_default();
    let paragraph = text.trim().split("\n\n").next().unwrap_or_default().replace('\n', " ");
    paragraph.split_once(". ").map_or(paragraph.trim_end_matches(['.', ':']).to_owned(), |(first, _)| first.to_owned())
}

/// Every mistake of all files at once.
pub(crate) async fn lint(files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let context = session(&crate::engine::session::Limits::default())?;
    let mut mistakes: Vec<Diagnostic> = Vec::new();
    let mut exit = Exit::Ok;
    for file in files {
        let found = match mistakes_in(file, &context).await {
            Ok(found) => found,
            // A file that cannot be read does not hide the mistakes of the others.
            Err(failure) => {
                output.failure(&failure, Some(file))?;
                exit = exit.worst(failure.exit());
                continue;
            }
        };
        // Rule files that several jobs share are reported about once.
        let new = |mistake: &Diagnostic| !mistakes.iter().any(|other| same_place(other, mistake));
        let found: Vec<_> = found.into_iter().filter(new).collect();
        mistakes.extend(found);
    }
    if !mistakes.is_empty() {
        let failure = Failure::Mistakes(mistakes);
        output.failure(&failure, None)?;
        exit = exit.worst(failure.exit());
    } else if exit == Exit::Ok && !output.is_json() {
        match files {
            [file] => output.line(&format!("{}: no mistakes", file.display()))?,
            files => output.line(&format!("{} files: no mistakes", files.len()))?,
        }
    }
    Ok(exit)
}

/// The mistakes of one file.
async fn mistakes_in(file: &Path, context: &SessionContext) -> Result<Vec<Diagnostic>, Failure> {
    match kind_of(file)? {
        Kind::Rules(rules) => {
            Ok(usual(&rules).map_or_else(|mistakes| mistakes, |(rules, bars)| in_sql(context, &rules, &bars)))
        }
        Kind::Job => match open::open(file).await {
            Err(Failure::Mistakes(mistakes)) => Ok(mistakes),
            Err(other) => Err(other),
            Ok(opened) => {
                opened.close().await;
                Ok(job::mistakes(&opened, context))
            }
        },
    }
}

fn same_place(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.file.path == b.file.path && a.span == b.span && a.code == b.code
}

fn in_sql(context: &SessionContext, rules: &RuleSet, bars: &BarsSpec) -> Vec<Diagnostic> {
    let mistakes = plan::check_expressions(context, bars, &rules.expressions).err().unwrap_or_default();
    // Which fields there are is the source's to say.
    mistakes.into_iter().filter(|mistake| mistake.code != "unknown-field").collect()
}

/// Runs the test cases that rules carry.
pub(crate) async fn test(global: &Global, files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let limits = of_process.limits_in(&scratch);
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in files {
        let (rules, bars) = match kind_of(file)? {
            Kind::Job => {
                let opened = open::open(file).await?;
                opened.close().await;
                (opened.loaded.compile(&opened.bars).map_err(Failure::Mistakes)?, opened.bars)
            }
            Kind::Rules(rules) => usual(&rules).map_err(Failure::Mistakes)?,
        };
        for case in rule_cases::run(&limits, scratch.path(), rules, bars).await? {
            let ok = case.expected == case.flagged;
            *(if ok { &mut passed } else { &mut failed }) += 1;
            output.line(&match output.is_json() {
                true => serde_json::json!({
                    "type": "case", "rule": &*case.rule, "name": case.name, "passed": ok,
                    "expected": case.expected, "flagged": case.flagged,
                })
                .to_string(),
                false if ok => format!("ok    {} / {}", case.rule, case.name),
                false => format!(
                    "FAIL  {} / {}: flags rows {:?}, should flag {:?}",
                    case.rule, case.name, case.flagged, case.expected
                ),
            })?;
        }
    }
    if !output.is_json() {
        output.line(&format!("{passed} passed, {failed} failed"))?;
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::Findings })
}

/// A file that a command about rules was given.
enum Kind {
    Job,
    Rules(RuleFile),
}

/// A rule file has `[[rule]]` and no `name`; what is neither is read as a job, which says what is wrong with it.
fn kind_of(path: &Path) -> Result<Kind, Failure> {
    let unreadable = |problem: String| {
        Failure::Usage(format!("cannot read `{}`: {problem}", path.display()), "give a job file or a rule file".into())
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = document::decode(bytes).map_err(|error| unreadable(error.to_string()))?;
    let (file, _) = document::open(path, &text);
    let (table, _) = document::parse(&file);
    let keys = table.get_ref();
    if keys.contains_key("name") || keys.contains_key("source") || keys.contains_key("bars") {
        return Ok(Kind::Job);
    }
    drop(table);
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Kind::Rules(RuleFile { file, environment: Arc::new(Environment::new(variables)) }))
}

/// Compiles a rule file by itself, over the bars most sources have: daily, of every weekday.
fn usual(file: &RuleFile) -> Result<(RuleSet, BarsSpec), Vec<Diagnostic>> {
    let named = |name: &str, kind| FieldSpec { name: Arc::from(name), source: Arc::from(name), kind };
    let mut fields: Vec<FieldSpec> = NUMBERS.iter().map(|name| named(name, FieldKind::Number)).collect();
    fields.insert(0, named("symbol", FieldKind::Text));
    let mut bars = BarsSpec {
        series: vec![Arc::from("symbol")],
        interval: Interval::Day,
        calendar: Calendar::named("weekdays"),
        grid: None,
        time: TimeSpec {
            source: Arc::from("time"),
            formats: TimeFormat::compile("%Y-%m-%d").into_iter().collect(),
            zone: chrono_tz::UTC,
            label: Label::Session,
            fold: Fold::Refuse,
        },
        fields,
    };
    bars.grid = bars.calendar.as_ref().map(|days| Arc::new(Grid::new(Arc::clone(days), bars.interval, Label::Session)));
    loop {
        match rules::compile(std::slice::from_ref(file), &bars) {
            Ok(rules) => return Ok((rules, bars)),
            Err(mistakes) => {
                // A field only the rule file knows of is taken to be there: the source decides, not this file.
                let missing: Vec<String> =
                    mistakes.iter().filter(|m| m.code == "unknown-field").filter_map(field_at).collect();
                let before = bars.fields.len();
                for name in missing {
                    if bars.field(&name).is_none() {
                        bars.fields.push(named(&name, FieldKind::Text));
                    }
                }
                if bars.fields.len() == before {
                    return Err(mistakes);
                }
            }
        }
    }
}

/// The field name a diagnostic's caret points at.
fn field_at(mistake: &Diagnostic) -> Option<String> {
    let text = mistake.file.text.get(mistake.span.clone())?;
    let name = text.trim_matches(['"', '\'']);
    (!name.is_empty() && !name.contains(['\n', '[', '='])).then(|| name.to_owned())
}
