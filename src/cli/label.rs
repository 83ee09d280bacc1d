//! `barkeep label`: what a person decided about findings, written into the file of labels.

use super::args::{Global, JudgementArg, LabelArgs};
use super::events;
use super::log::message;
use super::output::Output;
use crate::run::{Asked, Exit, Failure, Job, Judgement, LabelOptions, LabelResult, Stop};
use crate::schema::moment::Moment;
use crate::text::escape::visible;
use crate::text::numbers::{counted, thousands};

/// Writes a label and says what it covers.
pub(crate) fn label(global: &Global, args: &LabelArgs, output: &mut Output) -> Result<Exit, Failure> {
    let expires = match args.until.as_deref().map(Moment::parse).transpose() {
        Ok(None) => None,
        Ok(Some(Moment::Date(day))) => Some(day),
        Ok(Some(_)) => return Err(wrong_day("it is a date, the last day on which the label counts")),
        Err(problem) => return Err(wrong_day(&problem)),
    };
    let options = LabelOptions {
        about: Asked::parse(&args.about)?,
        judgement: args.verdict.into(),
        why: args.why.clone(),
        by: args.by.clone(),
        expires,
    };
    let context = events::context(global, Stop::never());
    let result = Job::open(&context, &args.job)?.label(&options)?;
    for (line, id) in &result.gone {
        let run = result.covers.as_ref().map_or("", |(latest, _)| latest.run.as_str());
        let place = format!("{}:{line}", result.path.display());
        message(&format!(
            "warning: {place}: the label is about finding {id}, which run {run} does not have\n  = help: take it out where it is not needed any more"
        ));
    }
    output.line(&if output.is_json() { json(&result, options.judgement) } else { text(&result) })?;
    Ok(Exit::Ok)
}

fn wrong_day(problem: &str) -> Failure {
    Failure::Usage(format!("--until: {problem}"), "e.g. `--until 2026-12-31`".to_owned())
}

fn text(result: &LabelResult) -> String {
    let place = format!("{}:{}", visible(&result.path.display().to_string()), result.line);
    let lines: Vec<String> = result.text.lines().map(|line| format!("  {}", visible(line))).collect();
    let covers = match &result.covers {
        None => "there is no report yet: what it covers is seen after the next check".to_owned(),
        Some((latest, covered)) => {
            format!("covers {} of {} of run {}", thousands(*covered), counted(latest.findings, "finding"), latest.run)
        }
    };
    format!("{place}\n{}\n{covers}", lines.join("\n"))
}

fn json(result: &LabelResult, judgement: Judgement) -> String {
    let latest = result.covers.as_ref();
    serde_json::json!({
        "type": "label", "file": result.path.display().to_string(), "line": result.line,
        "verdict": judgement.as_str(), "text": result.text,
        "run": latest.map(|(latest, _)| &latest.run), "findings": latest.map(|(latest, _)| latest.findings),
        "covers": latest.map(|(_, covered)| covered),
        "gone": result.gone.iter().map(|(line, id)| serde_json::json!({ "line": line, "finding_id": id })).collect::<Vec<_>>(),
    })
    .to_string()
}

impl From<JudgementArg> for Judgement {
    fn from(judgement: JudgementArg) -> Self {
        match judgement {
            JudgementArg::Known => Self::Known,
            JudgementArg::Fine => Self::Fine,
            JudgementArg::Bad => Self::Bad,
        }
    }
}
