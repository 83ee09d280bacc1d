//! `barkeep rules`: list, explain, lint, test, schema.

use std::path::PathBuf;

use super::args::Global;
use super::events;
use super::output::Output;
use super::rules_args::SchemaOf;
use crate::checks::{self, CHECKS};
use crate::config::{Rule, schema};
use crate::run::{Exit, Failure, Rules, Stop};
use crate::schema::Diagnostic;
use crate::schema::diagnostic::suggestion;
use crate::text::escape::visible;
use crate::text::numbers::counted;

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
pub(crate) fn list(global: &Global, files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    if files.is_empty() {
        for check in CHECKS {
            let what = check.summary();
            let json = || serde_json::json!({ "type": "check", "name": check.name(), "what": what });
            output.line(&if output.is_json() { json().to_string() } else { format!("{:<14} {what}", check.name()) })?;
        }
        return Ok(Exit::Ok);
    }
    let context = events::context(global, Stop::never());
    for file in files {
        let rules = Rules::open(&context, file)?;
        for rule in rules.rules() {
            output.line(&match output.is_json() {
                true => serde_json::json!({
                    "type": "rule", "file": file.display().to_string(), "id": &*rule.id, "check": rule.kind.name(),
                    "severity": rule.severity.as_str(), "action": rule.action.as_str(), "why": rule.why,
                    "set": rule.file.path.display().to_string(), "values": values(rule),
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
            if let Some(job) = rules.job_file().filter(|_| !output.is_json()) {
                for value in values(rule) {
                    let from = match (value.symbol, value.from) {
                        (Some(symbol), _) => format!("{}, for {}", job.display(), visible(&symbol)),
                        (None, From::Job) => job.display().to_string(),
                        (None, From::Set) => rule.file.path.display().to_string(),
                    };
                    output.line(format!("    {:<40} {from}", format!("{} = {}", value.key, value.value)).trim_end())?;
                }
            }
        }
    }
    Ok(Exit::Ok)
}

/// Where a value of a rule comes from.
#[derive(Clone, Copy, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum From {
    Set,
    Job,
}

/// A value that is written for a rule.
#[derive(serde::Serialize)]
struct Written {
    key: String,
    value: serde_json::Value,
    from: From,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
}

/// The values that are written for a rule: those of its file, of the job, and of symbols.
fn values(rule: &Rule) -> Vec<Written> {
    let parse =
        |params: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(params).unwrap_or_default();
    let tuned = |key: &str, keys: &[String]| keys.iter().any(|tuned| tuned == key);
    let levels = [("severity", rule.severity.as_str()), ("action", rule.action.as_str())];
    let mut values: Vec<Written> = parse(&rule.params)
        .into_iter()
        .chain(
            levels
                .into_iter()
                .filter(|(key, _)| tuned(key, &rule.tuned))
                .map(|(key, word)| (key.to_owned(), word.into())),
        )
        .map(|(key, value)| {
            let from = if tuned(&key, &rule.tuned) { From::Job } else { From::Set };
            Written { key, value, from, symbol: None }
        })
        .collect();
    for (symbol, own) in &rule.by_symbol {
        let of_symbol = parse(&own.params).into_iter().filter(|(key, _)| tuned(key, &own.tuned));
        values.extend(of_symbol.map(|(key, value)| Written {
            key,
            value,
            from: From::Job,
            symbol: Some(symbol.clone()),
        }));
    }
    values
}

/// Every mistake of all files at once.
pub(crate) fn lint(global: &Global, files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let context = events::context(global, Stop::never());
    let mut mistakes: Vec<Diagnostic> = Vec::new();
    let mut exit = Exit::Ok;
    for file in files {
        match Rules::open(&context, file) {
            Ok(_) => {}
            // Rule files that several jobs share are reported about once.
            Err(Failure::Mistakes(found)) => {
                let new = |mistake: &Diagnostic| !mistakes.iter().any(|other| same_place(other, mistake));
                let found: Vec<_> = found.into_iter().filter(new).collect();
                mistakes.extend(found);
            }
            // A file that cannot be read does not hide the mistakes of the others.
            Err(failure) => {
                output.failure(&failure, Some(file))?;
                exit = exit.worst(failure.exit());
            }
        }
    }
    if !mistakes.is_empty() {
        let failure = Failure::Mistakes(mistakes);
        output.failure(&failure, None)?;
        exit = exit.worst(failure.exit());
    } else if exit == Exit::Ok && !output.is_json() {
        match files {
            [file] => output.line(&format!("{}: no mistakes", file.display()))?,
            files => output.line(&format!("{}: no mistakes", counted(files.len() as u64, "file")))?,
        }
    }
    Ok(exit)
}

fn same_place(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.file.path == b.file.path && a.span == b.span && a.code == b.code
}

/// Runs the test cases that rules carry.
pub(crate) async fn test(global: &Global, files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let context = events::context(global, Stop::never());
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in files {
        for case in Rules::open(&context, file)?.test().await? {
            let ok = case.passed();
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
