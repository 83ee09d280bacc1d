//! `reconcile`: the same symbol from several sources, bar by bar.
//!
//! Sees the bars of all sources of a symbol together, in time order. Bars at one timestamp are compared field by field; where
//! more than half agree, the others are odd, and else each differs. What differs by one ratio in consecutive bars is one
//! finding.

mod cause;
mod compare;
mod evidence;
mod limits;
mod runs;

use std::sync::Arc;

use serde_json::Value;

use self::cause::Cause;
use self::compare::{Difference, compare};
use self::evidence::Evidence;
use self::limits::{Columns, FIELDS, Limits};
use self::runs::{Run, runs};
use super::params::{FieldRef, Params};
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, NumberColumn, OtherJob, Series, Stage};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `reconcile`.
pub(crate) struct Reconcile;

/// What the bars of the series are called beside those of another job.
const THESE: &str = "these bars";

/// Fewest bars of a source of which a share says something.
const FEWEST: usize = 20;

const PARAMS: &[Key] = &[
    key("by", Holds::Field, Otherwise::Nothing, "The field of the series key that names the source."),
    key(
        "with",
        Holds::Text,
        Otherwise::Nothing,
        "Another job, by the path of its file from the folder of the rule file.",
    ),
    key("price", Holds::Number { min: 0.0, max: 1.0 }, Otherwise::Number(0.001), "Share by which prices may differ."),
    key(
        "tick",
        Holds::Number { min: 0.0, max: 1e9 },
        Otherwise::Number(0.0),
        "Amount by which prices may differ, whatever share that is.",
    ),
    key("volume", Holds::Number { min: 0.0, max: 1.0 }, Otherwise::Number(0.05), "Share by which volumes may differ."),
    key(
        "most",
        Holds::Share,
        Otherwise::Number(0.2),
        "Share of its bars in which a source may differ before it is one finding.",
    ),
];

impl Described for Reconcile {
    fn name(&self) -> &'static str {
        "reconcile"
    }

    fn explain(&self) -> &'static str {
        include_str!("reconcile.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        match facts.cause.and_then(Cause::parse) {
            Some(cause) => cause.message(facts),
            None => facts.generic(),
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("reconcile_examples.md")
    }
}

impl CheckKind for Reconcile {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Sources
    }

    fn flags_rows(&self) -> bool {
        false
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let by = match params.any_field("by") {
            Some(FieldRef::Text(index) | FieldRef::Number(index)) => index,
            Some(FieldRef::Time) | None => usize::MAX,
        };
        let name = bars.fields.get(by).map(|field| Arc::clone(&field.name));
        let of_key = name.as_ref().is_some_and(|name| bars.series.contains(name));
        if params.given("by") && !of_key {
            let help =
                format!("the series key is {}: name the field of it that says the source", bars.series.join(", "));
            params.reject("by", "`by` names no field of the series key", help);
        } else if of_key && bars.series.len() < 2 {
            let help = "add the field that says the symbol to `[bars] series`";
            params.reject(
                "by",
                "`by` names the only field of the series key: nothing says which series belong together",
                help,
            );
        }
        let other = params.other_job("with");
        match (params.given("by"), &other) {
            (true, Some(_)) => {
                let help = "compare the sources of this job by one rule, and those of two jobs by another one";
                params.reject("with", "`by` and `with` are two comparisons", help);
            }
            (false, None) => {
                let help = "add `by`, the field that names the source, or `with`, the file of another job";
                params.reject("by", "nothing says what is compared", help);
            }
            _ => {}
        }
        let fields = FIELDS.map(|field| params.optional_bar_field(field));
        if fields.iter().all(Option::is_none) {
            params.bar_field("close");
        }
        Box::new(Rule {
            by,
            source: name,
            other,
            names: FIELDS.map(Arc::from),
            fields,
            limits: Limits {
                price: params.number("price"),
                tick: params.number("tick"),
                volume: params.number("volume"),
            },
            most: params.number("most"),
        })
    }
}

/// One rule of the check.
struct Rule {
    by: usize,
    source: Option<Arc<str>>,
    other: Option<OtherJob>,
    names: [Arc<str>; 5],
    fields: [Option<usize>; 5],
    limits: Limits,
    most: f64,
}

impl Check for Rule {
    fn context(&self) -> Context {
        Context::Whole
    }

    fn by(&self) -> Option<&Arc<str>> {
        self.source.as_ref()
    }

    fn other_job(&self) -> Option<&OtherJob> {
        self.other.as_ref()
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        if let Some(other) = &self.other {
            return self.check_with(other, series, findings);
        }
        let sources = series.text(self.by);
        let mut names: Vec<&str> = (0..series.dated()).filter_map(|row| sources.get(row)).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 {
            findings.insufficient(series.dated().saturating_sub(series.from));
            return;
        }
        let source = |row: usize| sources.get(row).and_then(|name| names.binary_search(&name).ok());
        let columns = self.fields.map(|field| field.map(|index| series.number(index)));
        let mut times: Vec<Vec<(usize, usize)>> = Vec::new();
        let mut row = 0;
        while row < series.dated() {
            let end = row + series.time[row..].partition_point(|time| *time == series.time[row]);
            let bars = first_of_each(row..end, &source);
            if bars.len() > 1 {
                times.push(bars);
            }
            row = end;
        }
        let every: Vec<usize> = (0..names.len()).collect();
        self.compare(series, (&names, &every), &columns, &times, findings);
    }
}

/// The first bar of each source among `rows`, in the order of the sources.
fn first_of_each(rows: std::ops::Range<usize>, source: &impl Fn(usize) -> Option<usize>) -> Vec<(usize, usize)> {
    let mut bars: Vec<(usize, usize)> = rows.filter_map(|row| Some((source(row)?, row))).collect();
    bars.sort_unstable();
    bars.dedup_by_key(|(source, _)| *source);
    bars
}

impl Rule {
    /// Compares the bars of the series with those of its symbol in another job; findings are about those of the series.
    fn check_with(&self, other: &OtherJob, series: &Series<'_>, findings: &mut FindingSink) {
        let name = other.path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if series.other.is_empty() || series.dated() == 0 {
            return findings.insufficient(series.dated().saturating_sub(series.from));
        }
        // The rows of the other job stand after those of this one.
        let joined =
            self.fields.map(|field| field.map(|index| series.number(index).values()[..series.dated()].to_vec()));
        let joined: Vec<Option<Vec<f64>>> = joined
            .into_iter()
            .enumerate()
            .map(|(field, own)| {
                own.map(|own| own.into_iter().chain(series.other.iter().map(|bar| bar.values[field])).collect())
            })
            .collect();
        let columns: Columns<'_> =
            std::array::from_fn(|field| joined[field].as_ref().map(|values| NumberColumn::new(values, None)));
        let mut times: Vec<Vec<(usize, usize)>> = Vec::new();
        let mut at = 0;
        for row in (0..series.dated()).filter(|row| *row == 0 || series.time[row - 1] < series.time[*row]) {
            let time = series.time[row];
            at += series.other[at..].partition_point(|bar| bar.time < time);
            if series.other.get(at).is_some_and(|bar| bar.time == time) {
                times.push(vec![(0, row), (1, series.dated() + at)]);
            }
        }
        self.compare(series, (&[THESE, &name], &[0]), &columns, &times, findings);
    }

    /// Compares the bars of `times`, of each timestamp those that the sources have, and reports on the sources `reported`.
    fn compare(
        &self,
        series: &Series<'_>,
        (names, reported): (&[&str], &[usize]),
        columns: &Columns<'_>,
        times: &[Vec<(usize, usize)>],
        findings: &mut FindingSink,
    ) {
        let mut compared = vec![0_usize; names.len()];
        let mut differences: Vec<Difference> = Vec::new();
        for (place, bars) in times.iter().enumerate() {
            for (source, _) in bars {
                compared[*source] += 1;
            }
            compare(place, bars, columns, self.limits, &mut differences);
        }
        let is_counted = |(source, row): &&(usize, usize)| reported.contains(source) && *row >= series.from;
        let evaluated = times.iter().flatten().filter(is_counted).count();
        findings.evaluated(evaluated);
        findings.insufficient(series.dated().saturating_sub(series.from) - evaluated);
        if times.is_empty() {
            findings.push(Self::nothing_common(series, names));
            return;
        }
        for source in reported {
            let own: Vec<&Difference> = differences.iter().filter(|found| found.source == *source).collect();
            self.report(series, (names[*source], names, columns), compared[*source], &own, findings);
        }
    }

    fn nothing_common(series: &Series<'_>, names: &[&str]) -> Finding {
        let (first, last) = (series.time[0], series.time[series.dated() - 1]);
        let evidence = Evidence { source: names.join(", "), ..Evidence::default() };
        let finding = Finding { time: Some(first), time_until: Some(last), at: Some(0), ..Finding::default() };
        finding.cause(Cause::NothingCommon).evidence(evidence)
    }

    /// The findings of one source.
    fn report(
        &self,
        series: &Series<'_>,
        (name, names, columns): (&str, &[&str], &Columns<'_>),
        compared: usize,
        own: &[&Difference],
        findings: &mut FindingSink,
    ) {
        let runs = runs(own, self.limits);
        // What has one ratio all along is one finding however long; what has none may be in each bar.
        let single: Vec<&Run<'_>> = runs.iter().filter(|run| run.bars.len() == 1).collect();
        let unlike = compared >= FEWEST && single.len() as f64 > self.most * compared as f64;
        let base = || Evidence { source: name.to_owned(), compared: compared as u64, ..Evidence::default() };
        if let (true, Some(first), Some(last)) = (unlike, single.first(), single.last()) {
            let (at, until) = (first.bars[0].row, last.bars[0].row);
            let finding = Finding {
                time: Some(series.time[at]),
                time_until: Some(series.time[until]),
                at: Some(at),
                ..Finding::default()
            };
            let finding = Finding { bars_affected: single.len() as u64, ..finding };
            findings.push(finding.cause(Cause::Unlike).evidence(base()));
        }
        for run in runs.iter().filter(|run| !unlike || run.bars.len() > 1) {
            let (first, last) = (run.bars[0], run.bars[run.bars.len() - 1]);
            let cause = match (run.bars.len(), first.odd) {
                (2.., _) => Cause::Ratio,
                (_, true) => Cause::OddOne,
                (_, false) => Cause::Differs,
            };
            let value = columns[first.field].as_ref().map_or(f64::NAN, |column| column.values()[first.row]);
            let others = first.others.iter().filter_map(|(source, row)| {
                Some((names[*source].to_owned(), columns[first.field].as_ref()?.values()[*row]))
            });
            let evidence = Evidence {
                others: others.collect(),
                proposed: first.odd.then(|| proposed(first, columns, &self.names)),
                ratio: first.ratio.is_finite().then_some(first.ratio),
                fields: first.fields.iter().map(|field| self.names[*field].to_string()).collect(),
                ..base()
            };
            let finding = Finding {
                time: Some(series.time[first.row]),
                time_until: (run.bars.len() > 1).then(|| series.time[last.row]),
                bars_affected: run.bars.len() as u64,
                at: Some(first.row),
                ..Finding::default()
            };
            let finding = finding.field(&self.names[first.field]).observed(value).cause(cause);
            findings.push(finding.evidence(evidence));
        }
    }
}

/// The values that the other sources agree on, by field.
fn proposed(found: &Difference, columns: &Columns<'_>, names: &[Arc<str>; 5]) -> Value {
    let value =
        |field: &usize| Some((names[*field].to_string(), columns[*field].as_ref()?.values()[found.reference].into()));
    Value::Object(found.fields.iter().filter_map(value).collect())
}

#[cfg(test)]
mod tests;
