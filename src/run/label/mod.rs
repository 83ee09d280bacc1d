//! `label`: writes down what a person decided about findings, behind what stands in the file of labels.

mod append;
mod asked;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

use self::append::append;
pub use self::asked::Asked;
use super::failure::Failure;
use super::job::Job;
use super::load::today;
use crate::checks::parse_error;
use crate::config::labels::{self, ForJob, JobLabels, Written};
use crate::decide::{About, Judgement, Labels};
use crate::report::latest::{Latest, each_finding};
use crate::schema::diagnostic::suggestion;
use crate::text::toml::string;

/// Ids that a message about an ambiguous beginning names.
const CANDIDATES: usize = 5;

/// What is to be written down.
#[derive(Debug, Clone)]
pub struct LabelOptions {
    /// About which findings.
    pub about: Asked,
    /// What it says of them.
    pub judgement: Judgement,
    /// Why.
    pub why: String,
    /// Who says so.
    pub by: Option<String>,
    /// The last day on which it counts.
    pub expires: Option<NaiveDate>,
}

/// A label that was written down.
#[derive(Debug)]
pub struct LabelResult {
    /// The file it stands in.
    pub path: PathBuf,
    /// The line it begins in, from 1.
    pub line: usize,
    /// What was written, without the end of the last line.
    pub text: String,
    /// The latest run, and how many of its findings the label is about; `None` where there is no run.
    pub covers: Option<(Latest, u64)>,
    /// Labels of findings that the latest run does not have, where that run looked at all data: the line and the id.
    pub gone: Vec<(usize, String)>,
}

impl Job {
    /// Writes a label behind those that are there; the rest of the file stays as it is.
    ///
    /// # Errors
    /// There is no such finding or rule, a label that counts says otherwise, or the file cannot be written.
    pub fn label(&self, options: &LabelOptions) -> Result<LabelResult, Failure> {
        if options.why.trim().is_empty() {
            let help = "say why, for the person who reads it next: --why \"a bad tick, confirmed by the vendor\"";
            return Err(Failure::Usage("--why is empty".to_owned(), help.to_owned()));
        }
        let about = match &options.about {
            Asked::Finding(beginning) => Asked::Finding(self.finding(beginning)?),
            Asked::Pattern(pattern) => {
                self.reject_unknown_rule(pattern)?;
                options.about.clone()
            }
        };
        let written = &self.loaded.labels;
        let entry = entry(&about, self.name(), options);
        let read = |text: &str| self.read_labels(text);
        let after =
            append(&written.path, &self.path, &entry, &|text: &str| self.reject_contradiction(written, &read(text)?))?;
        let labels = read(&after)?;
        self.result(&labels, &entry)
    }

    /// The labels in `text`, as they are read for the job.
    fn read_labels(&self, text: &str) -> Result<JobLabels, Failure> {
        let (job, rules) = (&self.loaded.job, self.loaded.rule_ids());
        let of_job = self.loaded.rule_files.first().map(|file| Arc::clone(&file.environment));
        let environment = of_job.unwrap_or_default();
        let for_job = ForJob { name: &job.name, bars: &job.bars, rules: &rules, environment: &environment };
        labels::read(&self.loaded.labels.path, text, for_job).map_err(Failure::Mistakes)
    }

    /// The whole id of the finding of the latest run whose id begins with `beginning`.
    fn finding(&self, beginning: &str) -> Result<String, Failure> {
        let mut meant: Vec<String> = Vec::new();
        let latest = each_finding(self.report_dir(), self.name(), &mut |found| {
            if found.finding_id.starts_with(beginning) {
                meant.push(found.finding_id.to_owned());
            }
        })?;
        meant.sort_unstable();
        meant.dedup();
        let Some(Latest { run, .. }) = latest else {
            let message = format!("job `{}` has no report, so there is no finding `{beginning}`", self.name());
            return Err(Failure::Usage(message, format!("run `barkeep check {}` first", self.path.display())));
        };
        match meant.as_slice() {
            [id] => Ok(id.clone()),
            [] => {
                let message = format!("no finding of run {run} has an id that begins with `{beginning}`");
                let help = "`barkeep sql \"SELECT finding_id, rule_id, series, time FROM findings\"` shows the ids";
                Err(Failure::Usage(message, help.to_owned()))
            }
            several => {
                let some = several.iter().take(CANDIDATES).map(String::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("{} findings of run {run} have ids that begin with `{beginning}`", several.len());
                Err(Failure::Usage(message, format!("write more digits: {some}")))
            }
        }
    }

    fn reject_unknown_rule(&self, pattern: &[(&'static str, String)]) -> Result<(), Failure> {
        let Some((_, rule)) = pattern.iter().find(|(key, _)| *key == "rule") else { return Ok(()) };
        let ids = self.loaded.rule_ids();
        let names: Vec<&str> = ids.iter().map(|id| &**id).chain([parse_error::NAME]).collect();
        if names.contains(&rule.as_str()) {
            return Ok(());
        }
        let help = suggestion(rule, "rules", names.iter().copied());
        Err(Failure::Usage(format!("the job has no rule `{rule}`"), help))
    }

    /// Fails where a label that counts today says otherwise of the same findings than the last one.
    fn reject_contradiction(&self, before: &JobLabels, labels: &JobLabels) -> Result<(), Failure> {
        let day = today(&self.loaded.job, &self.context.clock);
        let Some((new, earlier)) = labels.written.split_last() else { return Ok(()) };
        let opposes = |other: &&Written| {
            let (one, two) = (&other.label, &new.label);
            one.counts_on(day) && one.is_about_the_same(two) && one.judgement != two.judgement
        };
        let Some(other) = earlier.iter().find(opposes) else { return Ok(()) };
        let (path, line) = (before.path.display(), labels.line_of(other));
        let message =
            format!("{path}:{line} says `{}` of the same findings: {}", other.label.judgement, other.label.why);
        Err(Failure::Usage(message, "change that label, or let it expire".to_owned()))
    }

    fn result(&self, labels: &JobLabels, entry: &str) -> Result<LabelResult, Failure> {
        let day = today(&self.loaded.job, &self.context.clock);
        let new = labels.written.last();
        let own = Labels::new(new.map(|written| written.label.clone()).into_iter().collect());
        let named =
            |written: &&Written| written.label.counts_on(day) && matches!(written.label.about, About::Finding(_));
        let named: Vec<&Written> = labels.written.iter().filter(named).collect();
        let of_findings = Labels::new(named.iter().map(|written| written.label.clone()).collect());
        let (mut covered, mut there) = (0, vec![false; named.len()]);
        let latest = each_finding(self.report_dir(), self.name(), &mut |found| {
            covered += u64::from(own.of(found).is_some());
            if let Some(place) = of_findings.place_of(found) {
                there[place] = true;
            }
        })?;
        let is_whole = latest.as_ref().is_some_and(|latest| latest.whole);
        let gone = named.iter().zip(&there).filter(|(_, there)| is_whole && !**there);
        let gone = gone.filter_map(|(written, _)| match &written.label.about {
            About::Finding(id) => Some((labels.line_of(written), id.clone())),
            About::Pattern(_) => None,
        });
        Ok(LabelResult {
            path: labels.path.clone(),
            line: new.map_or(0, |written| labels.line_of(written)),
            text: entry.trim_end().to_owned(),
            covers: latest.map(|latest| (latest, covered)),
            gone: gone.collect(),
        })
    }
}

/// The lines of a label, each with its end.
fn entry(about: &Asked, job: &str, options: &LabelOptions) -> String {
    let mut lines = vec!["[[label]]".to_owned(), format!("job = {}", string(job))];
    lines.extend(about.lines());
    lines.push(format!("verdict = {}", string(options.judgement.as_str())));
    lines.push(format!("why = {}", string(&options.why)));
    lines.extend(options.by.as_ref().map(|by| format!("by = {}", string(by))));
    lines.extend(options.expires.map(|day| format!("expires = {day}")));
    lines.into_iter().map(|line| line + "\n").collect()
}
