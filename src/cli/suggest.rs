//! `barkeep rules suggest`: rules whose limits follow from the bars of a job.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::args::{Global, SuggestArgs};
use super::events;
use super::log::message;
use super::output::Output;
use super::window::{as_of, asked};
use crate::run::shell::typed;
use crate::run::{CheckOptions, Exit, Failure, Job, Stop, Suggestions};
use crate::text::numbers::counted;

/// Reads the bars and writes the rules.
pub(crate) async fn suggest(global: &Global, args: &SuggestArgs, output: &mut Output) -> Result<Exit, Failure> {
    if let Some(file) = args.output.as_deref().filter(|file| file.exists()) {
        return Err(there(file));
    }
    let window = asked(&args.window)?;
    let options = CheckOptions { window, as_of: as_of(&args.window)?, ..CheckOptions::default() };
    let job = Job::open(&events::context(global, Stop::never()), &args.job)?;
    let suggested = job.suggest(options, &format!("barkeep rules suggest {}", typed(&args.job))).await?;
    let file = args.output.as_deref().filter(|_| !suggested.rules.is_empty());
    if let Some(file) = file {
        write(file, &suggested.text)?;
    }
    if output.is_json() {
        output.line(&json(&suggested, file).to_string())?;
        return Ok(Exit::Ok);
    }
    match file {
        Some(file) => {
            output.line(&format!("wrote {}: {}", file.display(), counted(suggested.rules.len() as u64, "rule")))?;
            let job = typed(&args.job);
            output.line(&format!("next: read it, name it in `rules` of {job}, then barkeep check {job}"))?;
        }
        // What was to be written to a file is shown, for there is no rule file without rules.
        None => output.line(suggested.text.trim_end())?,
    }
    if suggested.rules.is_empty() {
        let written = args.output.as_deref().map(|file| format!("; `{}` was not written", file.display()));
        message(&format!("no rule beyond those of the job follows from these bars{}", written.unwrap_or_default()));
    }
    Ok(Exit::Ok)
}

fn json(suggested: &Suggestions, file: Option<&Path>) -> serde_json::Value {
    let rules: Vec<_> = suggested
        .rules
        .iter()
        .map(|rule| serde_json::json!({ "id": rule.id, "findings": rule.findings, "evaluated": rule.evaluated }))
        .collect();
    serde_json::json!({
        "type": "suggestions", "rules": rules, "tuned": suggested.tuned,
        "file": file.map(|file| file.display().to_string()), "text": suggested.text,
    })
}

fn there(file: &Path) -> Failure {
    let help = "choose another name, or move it away; nothing was read or written";
    Failure::Usage(format!("`{}` is there already", file.display()), help.to_owned())
}

/// Writes a new file; one that came up meanwhile is left alone.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let refused = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => there(file),
        _ => Failure::Broken(format!("cannot write `{}`: {error}", file.display()).into()),
    };
    let mut new = OpenOptions::new().write(true).create_new(true).open(file).map_err(refused)?;
    new.write_all(text.as_bytes()).map_err(|error| {
        // The failure to write is the one to report.
        drop(std::fs::remove_file(file));
        refused(error)
    })
}
