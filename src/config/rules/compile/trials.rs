//! Rules that are tried beside those of a job: one rule at several values, or the rules of two files, in one set.
//!
//! Several rules of a set may have the same id then, as they would have in a job: findings are known by it.

use std::sync::Arc;

use super::{Compiler, Unfit};
use crate::bars::BarsSpec;
use crate::config::rules::{Rule, RuleFile, RuleSet};
use crate::decide::{Action, Severity};
use crate::schema::diagnostic::SourceText;

/// A rule to be tried.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The file it stands in.
    pub file: RuleFile,
    /// Its id.
    pub id: Arc<str>,
    /// A text with `[tune.ID]`: values over those of the file and of the job.
    pub values: Option<Arc<SourceText>>,
}

/// Rules that were compiled together.
#[derive(Debug, Default)]
pub struct Trials {
    /// The rules of the job that stay, then those that are tried.
    pub rules: RuleSet,
    /// For each rule in the set the place of the one that is tried; `None` for those of the job.
    pub tried: Vec<Option<usize>>,
}

/// Compiles the rules of `job` that `stays` is true of, and behind them every one of `tried`, which only reports.
pub(in crate::config) fn compile_trials(
    job: &[RuleFile],
    stays: &dyn Fn(&Rule) -> bool,
    tried: &[Tried],
    bars: &BarsSpec,
) -> Result<Trials, Unfit> {
    let only: Vec<[String; 1]> = tried.iter().map(|tried| [tried.id.to_string()]).collect();
    let mut compiler = Compiler { of_job: true, ..Compiler::new(Some(bars), &[]) }.with(job);
    let (staying, leaving): (Vec<Rule>, Vec<Rule>) = std::mem::take(&mut compiler.rules).into_iter().partition(stays);
    for expression in &mut compiler.expressions {
        // Slots stay as they are; what nobody asks for costs nothing.
        if leaving.iter().any(|rule| rule.id == expression.rule) {
            "true".clone_into(&mut expression.sql);
        }
    }
    compiler.rules = staying;
    let mut places = vec![None; compiler.rules.len()];
    for (place, (Tried { file, values, .. }, only)) in tried.iter().zip(&only).enumerate() {
        compiler.ids.clear();
        compiler.only = only;
        let before = compiler.rules.len();
        compiler.add_file(&RuleFile { tried: values.clone(), ..file.clone() });
        for rule in compiler.rules.iter_mut().skip(before) {
            // A rule that is tried neither keeps rows from others nor moves any.
            (rule.severity, rule.action) = (Severity::Info, Action::Report);
            places.push(Some(place));
        }
    }
    // A mistake in a rule that is tried several times is one.
    let mut seen: Vec<(usize, usize, &str)> = Vec::new();
    compiler.mistakes.retain(|mistake| {
        let place = (Arc::as_ptr(&mistake.file) as usize, mistake.span.start, mistake.code);
        let new = !seen.contains(&place);
        seen.push(place);
        new
    });
    let rules = super::of_job(compiler)?;
    Ok(Trials { rules, tried: places })
}
