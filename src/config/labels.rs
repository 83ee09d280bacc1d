//! A file of labels -> what a person decided about findings of a job.
//!
//! Text in, values out: the caller reads the file, and says which day it is where that matters.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};

use super::document;
use super::job::Bars;
use crate::checks::parse_error;
use crate::decide::{About, Judgement, Label, Labels, Pattern};
use crate::market::DAY_US;
use crate::schema::Environment;
use crate::schema::diagnostic::{Diagnostic, SourceText, suggestion};
use crate::schema::keys::Otherwise::{Mistake, Nothing};
use crate::schema::keys::{Holds, Section, key};
use crate::schema::moment::Moment;
use crate::schema::reader::Reader;
use crate::schema::section::SectionReader;

/// The file of labels of a job that names none, beside the job file.
pub const USUAL_FILE: &str = "labels.toml";

/// Digits of a finding's id that a label writes at least, so that no two findings are likely to begin so.
const FEWEST_DIGITS: usize = 8;

/// Digits of the whole id of a finding.
const ID_DIGITS: usize = 32;

/// The keys of a file of labels.
pub const LABEL_FILE: Section = Section {
    name: "a file of labels",
    doc: "What a person decided about findings of jobs.",
    keys: &[key("label", Holds::Tables(&LABEL), Nothing, "A decision about one finding, or about all of a kind.")],
};

const LABEL: Section = Section {
    name: "a label",
    doc: "A decision about one finding, by `finding`, or about all of a kind, by `rule`, `series`, `time`, `since`, `until`, `field`.",
    keys: &[
        key("finding", Holds::Text, Nothing, "The id of the finding, or its first 8 digits or more."),
        key("rule", Holds::Text, Nothing, "Id of the rule of the findings."),
        key("series", Holds::Text, Nothing, "Series of the findings: the whole key, or its first field."),
        key("time", Holds::Moment, Nothing, "Timestamp of the findings; a date is that whole day."),
        key("since", Holds::Moment, Nothing, "First timestamp of the findings."),
        key("until", Holds::Moment, Nothing, "First timestamp that is no longer part of it."),
        key("field", Holds::Text, Nothing, "The field of the findings."),
        key("job", Holds::Text, Nothing, "Name of the job that the label is for; all that read the file by default."),
        key(
            "verdict",
            Holds::Choice(Judgement::WORDS),
            Mistake,
            "`known`: the bar is wrong, and lived with; `fine`: a false alarm; `bad`: the finding is right.",
        ),
        key("why", Holds::Text, Mistake, "Why, for the person who reads it next."),
        key("by", Holds::Text, Nothing, "Who says so."),
        key("expires", Holds::Moment, Nothing, "The last day on which the label counts, as `2026-12-31`."),
    ],
};

/// A label, and where it stands.
#[derive(Debug, Clone)]
pub struct Written {
    /// The label.
    pub label: Label,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

/// The labels of a job.
#[derive(Debug, Clone)]
pub struct JobLabels {
    /// The file they stand in, whether it is there or not.
    pub path: PathBuf,
    /// Its text; empty where it is not there.
    pub file: Arc<SourceText>,
    /// Those that are for the job, in the order of the file.
    pub written: Vec<Written>,
    /// What is odd in the file, and is used all the same.
    pub warnings: Vec<Diagnostic>,
}

impl JobLabels {
    /// No labels: `path` is where they would stand.
    pub fn none(path: &Path) -> Self {
        let file = SourceText::new(path, "");
        Self { path: path.to_path_buf(), file, written: Vec::new(), warnings: Vec::new() }
    }

    /// All of them, also those that have expired.
    pub fn labels(&self) -> Labels {
        Labels::new(self.written.iter().map(|written| written.label.clone()).collect())
    }

    /// Labels that count on `day` and say different things of the same findings.
    pub fn contradictions(&self, day: NaiveDate) -> Vec<Diagnostic> {
        let live: Vec<&Written> = self.written.iter().filter(|written| written.label.counts_on(day)).collect();
        let mut mistakes = Vec::new();
        for (place, written) in live.iter().enumerate() {
            let Written { label, span } = written;
            let opposes =
                |other: &&&Written| other.label.judgement != label.judgement && other.label.is_about_the_same(label);
            let Some(first) = live[..place].iter().find(opposes) else { continue };
            let (one, two) = (first.label.judgement, label.judgement);
            let (before, now) = (self.line_of(first), self.line_of(written));
            let title = format!(
                "two labels of the same findings contradict each other: `{one}` in line {before} and `{two}` in line {now}"
            );
            let counts = if first.label.names_more(label) { before } else { now };
            let help = format!("take one of them out, or let the earlier one expire; that in line {counts} counts");
            let mistake = Diagnostic::new("contradiction", title, &self.file, span.clone()).label(two.as_str());
            mistakes.push(mistake.also(&self.file, first.span.clone(), one.as_str()).help(help));
        }
        mistakes
    }

    /// The line in which a label begins, from 1.
    pub fn line_of(&self, written: &Written) -> usize {
        self.file.text.get(..written.span.start).unwrap_or_default().matches('\n').count() + 1
    }
}

/// The job that labels are read for.
#[derive(Debug, Clone, Copy)]
pub struct ForJob<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its bars: what moments mean.
    pub bars: &'a Bars,
    /// The ids of its rules.
    pub rules: &'a [Arc<str>],
    /// Values for `${NAME}`.
    pub environment: &'a Environment,
}

/// Whether `text` is a file of labels and not a job; a file without any key is neither.
pub fn is_file_of_labels(text: &str) -> bool {
    let table: Result<toml::Table, _> = toml::from_str(text);
    table.is_ok_and(|table| table.contains_key("label") && !table.contains_key("name"))
}

/// The labels in `text`, the file at `path`, that are for `job`.
///
/// # Errors
/// Every mistake in the file.
pub fn read(path: &Path, text: &str, job: ForJob<'_>) -> Result<JobLabels, Vec<Diagnostic>> {
    let (file, mut mistakes) = document::open(path, text);
    let (table, syntax) = document::parse(&file);
    if !syntax.is_empty() {
        mistakes.extend(syntax);
        return Err(mistakes);
    }
    let reader = Reader::new(&file, table.get_ref(), table.span(), job.environment);
    let mut section = SectionReader::new(&LABEL_FILE, reader);
    let (mut written, mut warnings) = (Vec::new(), Vec::new());
    for mut part in section.sections("label") {
        let span = part.span();
        let of_job = part.text("job").map(toml::Spanned::into_inner);
        let label = label(&mut part, job.bars);
        let for_this = of_job.as_deref().is_none_or(|name| name == job.name);
        if let Some(unknown) = label.as_ref().filter(|_| for_this).and_then(|label| unknown_rule(&part, label, job)) {
            // A file without the names of jobs may serve several, of which only one has the rule.
            match of_job {
                Some(_) => part.absorb(vec![unknown]),
                None => warnings.push(unknown),
            }
        }
        mistakes.extend(part.finish());
        written.extend(label.filter(|_| for_this).map(|label| Written { label, span }));
    }
    mistakes.extend(section.finish());
    mistakes.sort_by_key(|mistake| mistake.span.start);
    let path = path.to_path_buf();
    if mistakes.is_empty() { Ok(JobLabels { path, file, written, warnings }) } else { Err(mistakes) }
}

/// The label of `part`; `None` where it is wrong, which is recorded there.
fn label(part: &mut SectionReader<'_>, bars: &Bars) -> Option<Label> {
    let judgement = part.choice("verdict").and_then(Judgement::parse);
    let why = part.text("why").map(toml::Spanned::into_inner);
    if why.as_deref().is_some_and(|why| why.trim().is_empty()) {
        part.reject("why", "`why` is empty", "say why, for the person who reads it next");
    }
    let by = part.text("by").map(toml::Spanned::into_inner);
    let expires = match part.moment("expires") {
        Some(Moment::Date(day)) => Some(day),
        Some(Moment::Local(_) | Moment::Instant(_)) => {
            part.reject(
                "expires",
                "`expires` is a date",
                "write the last day on which the label counts, as 2026-12-31",
            );
            None
        }
        None => None,
    };
    let about = about(part, bars);
    Some(Label { about: about?, judgement: judgement?, why: why?, by, expires })
}

fn about(part: &mut SectionReader<'_>, bars: &Bars) -> Option<About> {
    let finding = part.text("finding");
    let mut text = |name: &str| part.text(name).map(toml::Spanned::into_inner);
    let (rule, series, field) = (text("rule"), text("series"), text("field"));
    let (since, until) = window(part, bars);
    let pattern = Pattern { rule, series, since, until, field };
    let Some(finding) = finding else {
        let written = ["rule", "series", "time", "since", "until", "field"].iter().any(|name| part.has(name));
        if !written && !part.has("finding") {
            let help = "write `finding`, or at least one of `rule`, `series`, `time`, `since`, `until`, `field`";
            part.reject_at(part.span(), "the label is about no finding, or about every one", help);
        }
        return (!pattern.is_empty()).then_some(About::Pattern(pattern));
    };
    if !pattern.is_empty() {
        let help = "leave the other keys out: the id says which finding it is";
        part.reject("finding", "`finding` stands beside keys that say which findings are meant", help);
    }
    let (id, span) = (finding.get_ref().to_ascii_lowercase(), finding.span());
    let is_id = (FEWEST_DIGITS..=ID_DIGITS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        let help = format!(
            "write the column `finding_id` of the table `findings`, or its first {FEWEST_DIGITS} digits or more"
        );
        part.reject_at(span, format!("`{}` is not the id of a finding", finding.get_ref()), help);
        return None;
    }
    Some(About::Finding(id))
}

/// The timestamps that a pattern is about, half-open.
fn window(part: &mut SectionReader<'_>, bars: &Bars) -> (Option<i64>, Option<i64>) {
    let at = moment(part, "time", bars);
    let (since, until) = (moment(part, "since", bars), moment(part, "until", bars));
    if part.has("time") && (part.has("since") || part.has("until")) {
        let help = "write `time` for one bar, or `since` and `until` for several";
        part.reject("time", "`time` stands beside `since` or `until`", help);
    }
    if let (Some((since, _)), Some((until, _))) = (since, until)
        && since >= until
    {
        let help = "`until` is the first date or time that the label is no longer about";
        part.reject("until", "the label is about no bar: `until` is not after `since`", help);
    }
    if let Some((at, is_date)) = at
        && !is_date
        && bars.interval.is_daily_or_longer()
        && at % DAY_US != 0
    {
        part.reject("time", "no bar has this time: its bars are dated by days", "write the date, as 2024-03-08");
    }
    match at {
        Some((at, true)) => (Some(at), next_day(part, bars).or(Some(at + DAY_US))),
        Some((at, false)) => (Some(at), Some(at + 1)),
        None => (since.map(|(since, _)| since), until.map(|(until, _)| until)),
    }
}

/// A moment on the scale of the bars, and whether a date is written.
fn moment(part: &mut SectionReader<'_>, name: &str, bars: &Bars) -> Option<(i64, bool)> {
    let moment = part.moment(name)?;
    let resolved = moment.resolve(bars.time.zone, bars.interval.is_daily_or_longer());
    let reject = |problem: String| part.reject(name, problem, "write an offset, e.g. `2024-03-08T14:30:00Z`");
    resolved.map_err(reject).ok().map(|at| (at, matches!(moment, Moment::Date(_))))
}

/// When the day after that of `time` begins: days of a time zone may be longer or shorter than others.
fn next_day(part: &mut SectionReader<'_>, bars: &Bars) -> Option<i64> {
    let Moment::Date(date) = part.moment("time")? else { return None };
    let next = Moment::Date(date.checked_add_signed(TimeDelta::days(1))?);
    next.resolve(bars.time.zone, bars.interval.is_daily_or_longer()).ok()
}

/// That a label names a rule that the job does not have.
fn unknown_rule(part: &SectionReader<'_>, label: &Label, job: ForJob<'_>) -> Option<Diagnostic> {
    let About::Pattern(Pattern { rule: Some(rule), .. }) = &label.about else { return None };
    let names = || job.rules.iter().map(|id| &**id).chain([parse_error::NAME]);
    if names().any(|id| id == rule) {
        return None;
    }
    let names: Vec<&str> = names().collect();
    let title = format!("a label names the rule `{rule}`, and the job `{}` has none of that id", job.name);
    let help = suggestion(rule, "rules", names);
    Some(Diagnostic::new("unknown-rule", title, part.file(), part.span_of("rule")).label("unknown rule").help(help))
}

#[cfg(test)]
mod tests;
