//! From a job file to a program: rules compiled over the bars of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::failure::Failure;
use super::job::Job;
use super::open::Opened;
use super::other_job;
use crate::bars::{BarsSpec, TimeSpec};
use crate::config::{Loaded, Rule, RuleSet};
use crate::engine::expressions;
use crate::engine::plan;
use crate::engine::program::{Gathers, Program};
use crate::schema::diagnostic::suggestion;

/// Compiles the rules of the job over its bars, as of now.
pub(super) fn program(job: &Job, opened: &Opened, context: &SessionContext) -> Result<Program, Failure> {
    program_as_of(job, opened, context, job.context.clock.micros())
}

/// Compiles the rules of the job over its bars, to be evaluated for the instant `as_of`, µs UTC.
pub(super) fn program_as_of(
    job: &Job,
    opened: &Opened,
    context: &SessionContext,
    as_of: i64,
) -> Result<Program, Failure> {
    let only = job.only.as_slice();
    let bars = BarsSpec { as_of: Some(as_of), ..opened.bars.clone() };
    let mut rules = opened.loaded.compile_only(&bars, only).map_err(Failure::Mistakes)?;
    for rule in without_fields(context, &bars, &rules) {
        rules.leave_out(&rule);
    }
    reject_unknown(&opened.loaded, &rules, only)?;
    over(job, opened, context, bars, rules)
}

/// The rules whose SQL needs a field that `bars` lack, where that is said to be so.
pub(super) fn without_fields(context: &SessionContext, bars: &BarsSpec, rules: &RuleSet) -> Vec<Arc<str>> {
    let optional = rules.rules.iter().filter(|rule| rule.optional).map(|rule| Arc::clone(&rule.id)).collect();
    expressions::rules_without_fields(context, bars, &rules.expressions, &optional).into_iter().collect()
}

/// The program of `rules` over `bars`, which know for which instant they are evaluated.
pub(super) fn over(
    job: &Job,
    opened: &Opened,
    context: &SessionContext,
    bars: BarsSpec,
    mut rules: RuleSet,
) -> Result<Program, Failure> {
    let clock = &job.context.clock;
    let as_of = bars.as_of.unwrap_or_else(|| clock.micros());
    other_job::reject_unfit(&rules, &bars)?;
    let in_expressions = expressions::check(context, &bars, &rules.expressions).map_err(Failure::Mistakes)?;
    let reach = expressions::reach(context, &bars, &rules.expressions);
    for (expression, reach) in rules.expressions.iter_mut().zip(reach) {
        expression.reach = reach;
    }
    let job = &opened.loaded.job;
    // What explains findings is read where anything can.
    let facts = &opened.facts;
    let explaining = |rule: &&Rule| !facts.is_empty() || rule.excuses.knows_limits();
    let of_facts: Vec<usize> = rules.rules.iter().filter(explaining).flat_map(|rule| rule.excuses.fields()).collect();
    let used = rules.used.iter().copied().chain(in_expressions).chain(of_facts);
    let movable_before = (job.window.grace > chrono::TimeDelta::zero())
        .then(|| clock.micros() - job.window.grace.num_microseconds().unwrap_or(0));
    Ok(Program {
        job: job.name.clone(),
        read: plan::fields_to_read(&bars, used),
        compared: plan::fields_to_compare(&bars, &rules),
        bars,
        parse_error_severity: job.parse_error.severity,
        parse_error_action: job.parse_error.action,
        movable_before,
        by: None,
        gathers: Gathers::Nothing,
        peers: BTreeMap::new(),
        others: BTreeMap::new(),
        scope: None,
        skipped: BTreeSet::new(),
        open_days: BTreeMap::new(),
        sha256: plan::sha256_of([
            opened.loaded.job_sha256.as_str(),
            rules.sha256.as_str(),
            opened.loaded.facts.sha256.as_str(),
            as_of.to_string().as_str(),
        ]),
        facts: Arc::clone(facts),
        rules,
    })
}

/// The bars of `opened` without any rule, of which only `gathers` is wanted.
pub(super) fn of_bars(opened: &Opened, gathers: Gathers) -> Program {
    let bars = opened.bars.clone();
    let read = plan::fields_to_read(&bars, []);
    let sha256 = plan::sha256_of([opened.loaded.job_sha256.as_str(), "bars"]);
    Program { bars, read, gathers, sha256, ..unseen(&opened.loaded) }
}

/// What stands for the program of a job whose source could not be looked at, so that a report can say so: no rule,
/// no field.
pub(super) fn unseen(loaded: &Loaded) -> Program {
    let job = &loaded.job;
    let time = TimeSpec {
        sources: job.bars.time.fields.iter().map(|field| Arc::clone(field.get_ref())).collect(),
        digits: false,
        formats: job.bars.time.formats.clone(),
        zone: job.bars.time.zone,
        label: job.bars.time.label,
        fold: job.bars.time.fold,
    };
    let (interval, calendar) = (job.bars.interval, job.bars.calendar.clone());
    Program {
        job: job.name.clone(),
        bars: BarsSpec { calendar, ..BarsSpec::new(interval, time) },
        rules: RuleSet::default(),
        parse_error_severity: job.parse_error.severity,
        parse_error_action: job.parse_error.action,
        movable_before: None,
        read: Vec::new(),
        compared: Vec::new(),
        by: None,
        facts: Arc::default(),
        gathers: Gathers::Nothing,
        peers: BTreeMap::new(),
        others: BTreeMap::new(),
        scope: None,
        skipped: BTreeSet::new(),
        open_days: BTreeMap::new(),
        sha256: String::new(),
    }
}

/// Fails where one of the ids `only` is that of no rule.
fn reject_unknown(loaded: &Loaded, rules: &RuleSet, only: &[String]) -> Result<(), Failure> {
    let Some(id) = only.iter().find(|id| !rules.rules.iter().any(|rule| *rule.id == ***id)) else { return Ok(()) };
    let ids = loaded.rule_ids();
    let help = suggestion(id, "rules", ids.iter().map(|id| &**id));
    Err(Failure::Usage(format!("the job has no rule `{id}`"), help))
}
