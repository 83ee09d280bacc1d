//! From a job file to a program: rules compiled over the bars of the source.

use std::path::Path;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::failure::Failure;
use super::open::Opened;
use crate::bars::{BarsSpec, TimeSpec};
use crate::config::diagnostic::suggestion;
use crate::config::{self, Diagnostic, LoadError, Loaded, RuleSet};
use crate::engine::plan;
use crate::engine::program::Program;

/// Loads a job file and its rule files.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    config::load(path).map_err(|error| match error {
        LoadError::Mistakes(mistakes) => Failure::Mistakes(mistakes),
        LoadError::Unreadable { path, source } => {
            let message = format!("cannot read `{}`: {source}", path.display());
            Failure::Usage(
                message,
                "give the path of a job file, e.g. jobs/daily.toml; `barkeep init` makes one".into(),
            )
        }
        other => {
            let cause = std::error::Error::source(&other).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::Usage(format!("{other}{cause}"), "repair the file".into())
        }
    })
}

/// Compiles the rules over the bars; `only` keeps the rules with these ids, all of them where it is empty.
pub(crate) fn program(opened: &Opened, context: &SessionContext, only: &[String]) -> Result<Program, Failure> {
    let mut rules = opened.loaded.compile(&opened.bars).map_err(Failure::Mistakes)?;
    let in_expressions =
        plan::check_expressions(context, &opened.bars, &rules.expressions).map_err(Failure::Mistakes)?;
    keep_only(&mut rules, only)?;
    let job = &opened.loaded.job;
    let used = rules.used.iter().copied().chain(in_expressions);
    let movable_before = (job.window.grace > chrono::TimeDelta::zero())
        .then(|| chrono::Utc::now().timestamp_micros() - job.window.grace.num_microseconds().unwrap_or(0));
    Ok(Program {
        job: job.name.clone(),
        read: plan::fields_to_read(&opened.bars, used),
        bars: opened.bars.clone(),
        parse_error_severity: job.parse_error.severity,
        parse_error_action: job.parse_error.action,
        movable_before,
        sha256: plan::sha256_of([opened.loaded.job_sha256.as_str(), rules.sha256.as_str()]),
        rules,
    })
}

/// What stands for the program of a job whose source could not be looked at, so that a report can say so: no rule,
/// no field.
pub(crate) fn unseen(loaded: &Loaded) -> Program {
    let job = &loaded.job;
    let time = TimeSpec {
        source: Arc::clone(job.bars.time.field.get_ref()),
        formats: job.bars.time.formats.clone(),
        zone: job.bars.time.zone,
        label: job.bars.time.label,
        fold: job.bars.time.fold,
    };
    let (interval, calendar) = (job.bars.interval, job.bars.calendar.clone());
    Program {
        job: job.name.clone(),
        bars: BarsSpec { series: Vec::new(), interval, calendar, grid: None, time, fields: Vec::new() },
        rules: RuleSet { rules: Vec::new(), expressions: Vec::new(), used: Vec::new(), sha256: String::new() },
        parse_error_severity: job.parse_error.severity,
        parse_error_action: job.parse_error.action,
        movable_before: None,
        read: Vec::new(),
        sha256: String::new(),
    }
}

fn keep_only(rules: &mut RuleSet, only: &[String]) -> Result<(), Failure> {
    for id in only {
        if !rules.rules.iter().any(|rule| *rule.id == **id) {
            let ids = rules.rules.iter().map(|rule| &*rule.id);
            return Err(Failure::Usage(format!("the job has no rule `{id}`"), suggestion(id, "rules", ids)));
        }
    }
    if !only.is_empty() {
        rules.rules.retain(|rule| only.iter().any(|id| **id == *rule.id));
    }
    Ok(())
}

/// All mistakes that show only with the source at hand, e.g. for `rules lint`.
pub(crate) fn mistakes(opened: &Opened, context: &SessionContext) -> Vec<Diagnostic> {
    match program(opened, context, &[]) {
        Err(Failure::Mistakes(mistakes)) => mistakes,
        _ => Vec::new(),
    }
}
