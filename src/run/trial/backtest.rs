//! One rule over the bars of a job: what it finds, at its own threshold and at others, and what people said of that.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use super::evaluate::{TrialOptions, Tries, Visitor};
use super::found::Found;
use super::values::Values;
use super::{named, thresholds};
use crate::checks::Threshold;
use crate::config::{Rule, Tried};
use crate::decide::{Judgement, Labels};
use crate::market::zone::DAY_US;
use crate::report::latest::each_finding;
use crate::report::run::Window;
use crate::report::tally::RuleTally;
use crate::run::failure::Failure;
use crate::run::job::Job;
use crate::run::load::today;

/// What is tried first: the rule as it is.
const AS_IT_IS: usize = 0;

/// What a back-test looks at.
#[derive(Debug, Clone, Default)]
pub struct BacktestOptions {
    /// Which rule: an id of the job's rules, a rule file with one rule, or `FILE#ID`.
    pub rule: String,
    /// Values in the place of those of the rule.
    pub values: Values,
    /// Over which bars.
    pub trial: TrialOptions,
}

/// What a rule found.
#[derive(Debug)]
pub struct Backtest {
    /// Its id.
    pub rule: String,
    /// The check behind it.
    pub check: &'static str,
    /// Whether bars are days or longer.
    pub daily: bool,
    /// The window, half-open, µs UTC on the scale of the bars.
    pub window: Window,
    /// Rows read.
    pub read: u64,
    /// Series read.
    pub series: u64,
    /// What it counted: rows evaluated, excused, without enough history, stepped over.
    pub tally: RuleTally,
    /// Findings by series and year, most first.
    pub by_year: Vec<OfYear>,
    /// Findings at other thresholds.
    pub thresholds: Option<Thresholds>,
    /// Why there are no other thresholds.
    pub no_thresholds: Option<&'static str>,
    /// What labels say of its findings; `None` where the job has no label that counts.
    pub judged: Option<Judged>,
}

/// Findings of a series in a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfYear {
    /// The series.
    pub series: String,
    /// The year; `None` for findings without a timestamp.
    pub year: Option<i32>,
    /// How many.
    pub findings: u64,
}

/// Findings at several thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// The parameter.
    pub key: &'static str,
    /// Its present value.
    pub present: f64,
    /// Findings at each threshold, ascending; the present one is among them.
    pub values: Vec<AtThreshold>,
    /// Symbols whose own value the job sets: that stays.
    pub fixed: Vec<String>,
}

/// Findings at one threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct AtThreshold {
    /// The threshold.
    pub value: f64,
    /// How many findings.
    pub findings: u64,
    /// How many of them are labelled `known`, `fine` and `bad`.
    pub labelled: [u64; 3],
}

/// What labels say of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Findings by label: `known`, `fine`, `bad`.
    pub labelled: [u64; 3],
    /// Findings without a label.
    pub unlabelled: u64,
    /// The run whose findings of this rule were compared; `None` where the job has no report.
    pub run: Option<String>,
    /// Findings of that run that are labelled `bad`, by series and time, and are not found.
    pub missed: Vec<Missed>,
}

/// A finding that is labelled `bad` and is not found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missed {
    /// The series.
    pub series: String,
    /// The timestamp, µs UTC.
    pub time: Option<i64>,
    /// The field.
    pub field: Option<String>,
    /// The id.
    pub finding_id: String,
}

impl Job {
    /// Evaluates the bars by one rule, and by the same rule at other thresholds, in one pass. Nothing is written.
    ///
    /// # Errors
    /// There is no such rule, it has mistakes, or the source cannot be read.
    pub async fn backtest(&self, options: &BacktestOptions) -> Result<Backtest, Failure> {
        let base = named::one(&self.loaded, &options.rule, &options.values)?;
        self.try_rules(&options.trial, async |bench| {
            let first = bench.compile(std::slice::from_ref(&base))?;
            let rule = first.rule(AS_IT_IS).ok_or_else(|| left_out(&base))?;
            let others = other_thresholds(rule);
            let (check, symbols) = (rule.kind.name(), rule.by_symbol.keys().cloned().collect());
            let mut tried = vec![base.clone()];
            if let Ok((Threshold { key, .. }, values)) = &others {
                let at =
                    |value: &f64| Tried { values: options.values.with(key, *value).text(&base.id), ..base.clone() };
                tried.extend(values.iter().map(at));
            }
            let tries = bench.compile(&tried)?;
            let labels = self.loaded.labels.labels().live(today(&self.loaded.job, &self.context.clock));
            let mut hits = Hits::new(&tries, tried.len(), labels);
            let asked = (bench.window, options.trial.series.as_slice());
            let run = if hits.labels.is_empty() { None } else { self.expect(&mut hits, &base.id, asked)? };
            let counted = bench.evaluate(&tries, &tried, &mut hits).await?;
            let own = tries.index(AS_IT_IS).ok_or_else(|| left_out(&base))?;
            let tally = counted.rules[own].clone();
            let (thresholds, no_thresholds) = match others {
                Ok((Threshold { key, value: present }, values)) => {
                    // Behind the rule as it is.
                    let values = values.iter().zip(&hits.tried[AS_IT_IS + 1..]);
                    let values = values.map(|(value, counts)| counts.at(*value)).collect();
                    (Some(Thresholds { key, present, values, fixed: symbols }), None)
                }
                Err(why) => (None, Some(why)),
            };
            Ok(Backtest {
                rule: base.id.to_string(),
                check,
                daily: bench.is_daily(),
                window: bench.window,
                read: counted.series.rows.read,
                series: counted.series.series,
                tally,
                judged: hits.judged(run),
                by_year: hits.by_year(),
                thresholds,
                no_thresholds,
            })
        })
        .await
    }

    /// Takes note of the findings of the rule `id` in the latest report that are labelled `bad` and that lie in the window
    /// and in the series that are asked for; gives the run.
    fn expect(
        &self,
        hits: &mut Hits,
        id: &str,
        ((since, until), series): (Window, &[String]),
    ) -> Result<Option<String>, Failure> {
        let inside = |time: i64| since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until);
        let Hits { labels, expected, .. } = hits;
        let latest = each_finding(self.report_dir(), self.name(), &mut |found| {
            let wanted = series.is_empty() || found.symbol.is_some_and(|symbol| series.iter().any(|one| one == symbol));
            let is_bad = || labels.of(found).is_some_and(|label| label.judgement == Judgement::Bad);
            if found.rule == id && wanted && found.time.is_none_or(inside) && is_bad() {
                let place = Place::of(found.series, found.time, found.field);
                expected.insert(place, found.finding_id.to_owned());
            }
        })?;
        Ok(latest.map(|latest| latest.run))
    }
}

fn left_out(rule: &Tried) -> Failure {
    let message = format!("rule `{}` is not evaluated: the bars lack a field that it needs", rule.id);
    Failure::Usage(message, "look at `without` in `[bars]`, and at `optional` of the rule".to_owned())
}

/// The thresholds at which a rule is tried, or why there are none.
fn other_thresholds(rule: &Rule) -> Result<(Threshold, Vec<f64>), &'static str> {
    let threshold = rule.check.threshold().ok_or("its check has no one parameter that says how far is too far")?;
    let key = rule.kind.params().iter().find(|key| key.name == threshold.key);
    let key = key.ok_or("its check has no such parameter")?;
    match thresholds::around(threshold.value, key) {
        values if values.len() > 1 => Ok((threshold, values)),
        _ => Err("no other threshold is allowed"),
    }
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    series: String,
    time: Option<i64>,
    field: Option<String>,
}

impl Place {
    fn of(series: &str, time: Option<i64>, field: Option<&str>) -> Self {
        Self { series: series.to_owned(), time, field: field.map(str::to_owned) }
    }
}

/// Counts of one rule that is tried.
#[derive(Debug, Clone, Default)]
struct Counts {
    findings: u64,
    labelled: [u64; 3],
}

impl Counts {
    fn at(&self, value: f64) -> AtThreshold {
        AtThreshold { value, findings: self.findings, labelled: self.labelled }
    }
}

/// Counts what rules find that are tried.
#[derive(Clone)]
struct Hits {
    places: Vec<Option<usize>>,
    ids: Vec<Arc<str>>,
    labels: Labels,
    tried: Vec<Counts>,
    years: BTreeMap<(String, Option<i32>), u64>,
    /// Findings labelled `bad` that were not met so far, with their ids.
    expected: HashMap<Place, String>,
}

impl Visitor for Hits {
    fn add(&mut self, found: &Found<'_>) {
        let Some(place) = self.places.get(found.rule).copied().flatten() else { return };
        let label = self.labels.of(&found.labelled(&self.ids[found.rule])).map(|label| label.judgement);
        let counts = &mut self.tried[place];
        counts.findings += 1;
        if let Some(judgement) = label {
            counts.labelled[judgement as usize] += 1;
        }
        if place == AS_IT_IS {
            *self.years.entry((found.series.to_owned(), year(found))).or_default() += 1;
            if !self.expected.is_empty() {
                self.expected.remove(&Place::of(found.series, found.time, found.field));
            }
        }
    }
}

impl Hits {
    fn new(tries: &Tries, count: usize, labels: Labels) -> Self {
        Self {
            places: tries.places.clone(),
            ids: tries.program.rules.rules.iter().map(|rule| Arc::clone(&rule.id)).collect(),
            labels,
            tried: vec![Counts::default(); count],
            years: BTreeMap::new(),
            expected: HashMap::new(),
        }
    }

    fn by_year(&self) -> Vec<OfYear> {
        let of_year = |((series, year), findings): (&(String, Option<i32>), &u64)| OfYear {
            series: series.clone(),
            year: *year,
            findings: *findings,
        };
        let mut years: Vec<OfYear> = self.years.iter().map(of_year).collect();
        // Of equally many the order of series and year stays.
        years.sort_by_key(|of_year| std::cmp::Reverse(of_year.findings));
        years
    }

    fn judged(&self, run: Option<String>) -> Option<Judged> {
        if self.labels.is_empty() {
            return None;
        }
        let Counts { findings, labelled } = self.tried[AS_IT_IS].clone();
        let mut missed: Vec<Missed> = (self.expected.iter())
            .map(|(Place { series, time, field }, id)| Missed {
                series: series.clone(),
                time: *time,
                field: field.clone(),
                finding_id: id.clone(),
            })
            .collect();
        missed.sort();
        Some(Judged { labelled, unlabelled: findings - labelled.iter().sum::<u64>(), run, missed })
    }
}

/// The year of the session of a finding, else of its timestamp in UTC.
fn year(found: &Found<'_>) -> Option<i32> {
    let day = found.session.or_else(|| i32::try_from(found.time?.div_euclid(DAY_US)).ok())?;
    NaiveDate::from_epoch_days(day).map(|date| date.year())
}
