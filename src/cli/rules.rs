//! `barkeep rules`: list, explain, lint, test, schema.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::args::{Global, SchemaOf};
use super::assumed;
use super::events;
use super::output::Output;
use super::rule_cases;
use crate::bars::BarsSpec;
use crate::checks::{self, CHECKS};
use crate::config::{RuleFile, RuleSet, document, schema};
use crate::engine::session::{Limits, session};
use crate::run::load::load;
use crate::run::{Exit, Failure, Stop};
use crate::schema::diagnostic::suggestion;
use crate::schema::{Diagnostic, Environment};
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
pub(crate) fn list(files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    if files.is_empty() {
        for check in CHECKS {
            let what = check.summary();
            let json = || serde_json::json!({ "type": "check", "name": check.name(), "what": what });
            output.line(&if output.is_json() { json().to_string() } else { format!("{:<14} {what}", check.name()) })?;
        }
        return Ok(Exit::Ok);
    }
    let context = session(&Limits::default())?;
    for file in files {
        let (rules, _) = compiled(file, &context)?;
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

/// Every mistake of all files at once.
pub(crate) fn lint(files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let context = session(&Limits::default())?;
    let mut mistakes: Vec<Diagnostic> = Vec::new();
    let mut exit = Exit::Ok;
    for file in files {
        let found = match mistakes_in(file, &context) {
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
            files => output.line(&format!("{}: no mistakes", counted(files.len() as u64, "file")))?,
        }
    }
    Ok(exit)
}

/// The mistakes of one file.
fn mistakes_in(file: &Path, context: &SessionContext) -> Result<Vec<Diagnostic>, Failure> {
    match compiled(file, context) {
        Ok(_) => Ok(Vec::new()),
        Err(Failure::Mistakes(mistakes)) => Ok(mistakes),
        Err(other) => Err(other),
    }
}

/// The rules of a job or of a rule file, over the bars it lets expect; no source is opened.
fn compiled(file: &Path, context: &SessionContext) -> Result<(RuleSet, BarsSpec), Failure> {
    let compiled = match kind_of(file)? {
        Kind::Job => {
            let loaded = load(file)?;
            assumed::compile(&loaded.rule_files, loaded.job.bars.assumed_spec(), context)
        }
        Kind::Rules(rules) => assumed::compile(&[rules], assumed::usual_bars(), context),
    };
    compiled.map_err(Failure::Mistakes)
}

fn same_place(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.file.path == b.file.path && a.span == b.span && a.code == b.code
}

/// Runs the test cases that rules carry.
pub(crate) async fn test(global: &Global, files: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let of_process = events::context(global, Stop::never());
    let scratch = of_process.scratch()?;
    let limits = of_process.limits_in(&scratch);
    let context = session(&limits)?;
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in files {
        let (rules, bars) = compiled(file, &context)?;
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
    let (table, syntax) = document::parse(&file);
    let keys = table.get_ref();
    let of_job = ["name", "source", "bars"].iter().any(|key| keys.contains_key(*key));
    let of_neither =
        !keys.contains_key("rule") && !syntax.is_empty() && path.extension().is_none_or(|end| end != "toml");
    if of_job || of_neither {
        return Ok(Kind::Job);
    }
    drop(table);
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Kind::Rules(RuleFile::new(file, Arc::new(Environment::new(variables)))))
}
