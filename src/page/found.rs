//! The findings of a run: all of them counted, and those that the page holds with what it says of them.
//!
//! They are read twice, so that what is held in memory grows with the page and not with the run.

use std::collections::BTreeMap;

use arrow::array::{Array, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchReader, StringArray};
use arrow::error::ArrowError;
use serde_json::Value;

use super::chosen::{Choice, Kind};
use super::columns::{Columns, count, flag, number, text};
use super::heat::{Map, Tally, Times};
use super::names::Names;
use crate::checks::{self, Facts};
use crate::market::{DAY_US, Interval};
use crate::report::error::ReportError;
use crate::report::files::Place;

/// Words of severities, by their places.
pub(super) const SEVERITIES: [&str; 3] = ["error", "warn", "info"];

/// Columns that findings are counted by.
const COUNTED: &[&str] =
    &["rule_id", "severity", "series", "symbol", "is_new", "label", "time", "time_until", "session", "bars_affected"];
/// Columns that are shown beside them.
const SHOWN: &[&str] = &[
    "finding_id",
    "check",
    "field",
    "observed",
    "expected_lo",
    "expected_hi",
    "cause",
    "locator",
    "message",
    "proposed",
    "open",
    "high",
    "low",
    "close",
    "volume",
];
/// Columns that the sentence is made from where the table has no column `message`.
const OF_MESSAGE: &[&str] = &["observed_text", "expected_text", "score", "evidence"];

/// A finding of the page. Times are in µs UTC, days since 1970-01-01.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) rule: u32,
    pub(super) severity: u8,
    pub(super) series: u32,
    pub(super) time: Option<i64>,
    pub(super) until: Option<i64>,
    /// Its session, or the UTC date of its timestamp.
    pub(super) day: Option<i64>,
    /// Whether the run before did not have it; `None` where that is not known.
    pub(super) is_new: Option<bool>,
    pub(super) label: Option<u32>,
    pub(super) field: Option<u32>,
    pub(super) cause: Option<u32>,
    pub(super) id: String,
    pub(super) message: String,
    pub(super) locator: Option<String>,
    /// What the bar may have been, as JSON.
    pub(super) proposed: Option<String>,
    pub(super) observed: Option<f64>,
    pub(super) lo: Option<f64>,
    pub(super) hi: Option<f64>,
    /// Open, high, low, close and volume of the bar.
    pub(super) bar: [Option<f64>; 5],
    pub(super) bars_affected: Option<i64>,
}

/// What findings are counted by: rule, severity, whether new, label.
pub(super) type Key = (u32, u8, Option<bool>, Option<u32>);

/// The findings of a run.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) series: Names,
    pub(super) rules: Names,
    pub(super) fields: Names,
    pub(super) causes: Names,
    pub(super) labels: Names,
    /// Symbols by the places of the series.
    pub(super) symbols: BTreeMap<u32, String>,
    /// Check and severity of rules, by their places.
    pub(super) checks: BTreeMap<u32, (String, u8)>,
    /// All findings, counted.
    pub(super) counts: BTreeMap<Key, u64>,
    /// Those of the page, gravest first.
    pub(super) held: Vec<Finding>,
    /// Where they are.
    pub(super) map: Option<Map>,
}

impl Found {
    /// How many there are.
    pub(super) fn there(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// How they are read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// The step of the bars.
    pub(super) interval: Interval,
    /// First and last timestamp that the run read, µs UTC.
    pub(super) span: Option<(i64, i64)>,
    /// At most so many are held.
    pub(super) most: u64,
    /// The rules in the order in which they are shown.
    pub(super) rules: Vec<String>,
}

/// Reads the findings in `parts`. A part that does not read is reported in `missing`, and the others are read.
pub(super) fn read(parts: &[Place], how: &Reading, missing: &mut Vec<ReportError>) -> Found {
    let mut found = Found::default();
    how.rules.iter().for_each(|rule| _ = found.rules.place(rule));
    let days = how.span.map_or((0, 0), |(first, last)| (first.div_euclid(DAY_US), last.div_euclid(DAY_US)));
    let mut tally = Tally::new(Times::over(days.0, days.1));
    let mut choice = Choice::default();
    let mut readable = Vec::new();
    for part in parts {
        match each(part, COUNTED, |batch| found.count(Columns(batch), &mut choice, &mut tally)) {
            Ok(()) => readable.push(part),
            Err(error) => missing.push(error),
        }
    }
    choice.decide(how.most);
    for part in readable {
        // What was counted a moment ago reads again, unless somebody takes it away.
        if let Err(error) = found.hold_of(part, how.interval, &mut choice) {
            missing.push(error);
        }
    }
    found.sort();
    found.map = tally.map(&found.series);
    found
}

/// Shows `visit` the batches of a file.
fn each(
    part: &Place,
    columns: &[&str],
    mut visit: impl FnMut(&RecordBatch) -> Result<(), ArrowError>,
) -> Result<(), ReportError> {
    for batch in part.read(columns)?.into_iter().flatten() {
        let visited = batch.and_then(|batch| visit(&batch));
        visited.map_err(|source| ReportError::reading(part.path(), source))?;
    }
    Ok(())
}

/// The columns that findings are counted by, of one batch.
struct Counted {
    rules: Vec<Option<u32>>,
    severities: Vec<u8>,
    series: Vec<Option<u32>>,
    labels: Vec<Option<u32>>,
    is_new: BooleanArray,
    times: Int64Array,
    until: Int64Array,
    sessions: Int64Array,
    bars: Int64Array,
}

impl Counted {
    fn of(columns: Columns<'_>, found: &mut Found) -> Result<Self, ArrowError> {
        let mut words = Names::default();
        let words_of = columns.names("severity", &mut words)?;
        let place = |word: Option<u32>| {
            let word = word.map_or("", |word| words.name(word));
            SEVERITIES.iter().position(|it| *it == word).and_then(|place| u8::try_from(place).ok()).unwrap_or(2)
        };
        Ok(Self {
            rules: columns.names("rule_id", &mut found.rules)?,
            severities: words_of.into_iter().map(place).collect(),
            series: columns.names("series", &mut found.series)?,
            labels: columns.names("label", &mut found.labels)?,
            is_new: columns.flags("is_new")?,
            times: columns.counts("time")?,
            until: columns.counts("time_until")?,
            sessions: columns.counts("session")?,
            bars: columns.counts("bars_affected")?,
        })
    }

    fn kind(&self, row: usize, rule: u32) -> Kind {
        Kind { severity: self.severities[row], is_old: flag(&self.is_new, row) == Some(false), rule }
    }

    fn day(&self, row: usize) -> Option<i64> {
        count(&self.sessions, row).or_else(|| Some(count(&self.times, row)?.div_euclid(DAY_US)))
    }
}

impl Found {
    fn count(&mut self, columns: Columns<'_>, choice: &mut Choice, tally: &mut Tally) -> Result<(), ArrowError> {
        let of = Counted::of(columns, self)?;
        let mut symbols = Names::default();
        let symbol = columns.names("symbol", &mut symbols)?;
        let (nameless, seriesless) = (self.rules.find(""), self.series.find(""));
        for row in 0..columns.rows() {
            let rule = of.rules[row].or(nameless).unwrap_or_else(|| self.rules.place(""));
            let series = of.series[row].or(seriesless).unwrap_or_else(|| self.series.place(""));
            let severity = of.severities[row];
            choice.count(of.kind(row, rule));
            *self.counts.entry((rule, severity, flag(&of.is_new, row), of.labels[row])).or_default() += 1;
            if let Some(day) = of.day(row) {
                // Gaps have an end; nothing else says how many bars are not there.
                let missing = count(&of.until, row).and_then(|_| count(&of.bars, row)).unwrap_or(0);
                tally.add((series, rule), day, severity == 0, u64::try_from(missing).unwrap_or(0));
            }
            if let Some(symbol) = symbol[row] {
                self.symbols.entry(series).or_insert_with(|| symbols.name(symbol).to_owned());
            }
        }
        Ok(())
    }

    fn hold_of(&mut self, part: &Place, interval: Interval, choice: &mut Choice) -> Result<(), ReportError> {
        let has_messages = part.read(SHOWN)?.is_some_and(|read| read.schema().index_of("message").is_ok());
        let of_message = if has_messages { &[] } else { OF_MESSAGE };
        let columns: Vec<&str> = COUNTED.iter().chain(SHOWN).chain(of_message).copied().collect();
        each(part, &columns, |batch| self.hold(Columns(batch), interval, choice))
    }

    fn hold(&mut self, columns: Columns<'_>, interval: Interval, choice: &mut Choice) -> Result<(), ArrowError> {
        let of = Counted::of(columns, self)?;
        let [ids, locators, check_names, proposed] =
            ["finding_id", "locator", "check", "proposed"].map(|name| columns.texts(name));
        let (ids, locators, check_names, proposed) = (ids?, locators?, check_names?, proposed?);
        let (fields, causes) = (columns.names("field", &mut self.fields)?, columns.names("cause", &mut self.causes)?);
        let numbers = |names: &[&str]| names.iter().map(|name| columns.numbers(name)).collect::<Result<Vec<_>, _>>();
        let (limits, bar) = (
            numbers(&["observed", "expected_lo", "expected_hi"])?,
            numbers(&["open", "high", "low", "close", "volume"])?,
        );
        let messages = Messages::of(columns, interval)?;
        for row in 0..columns.rows() {
            let rule = of.rules[row].or_else(|| self.rules.find("")).unwrap_or_default();
            if !choice.holds(of.kind(row, rule)) {
                continue;
            }
            let check = text(&check_names, row).unwrap_or_default();
            self.checks.entry(rule).or_insert_with(|| (check.to_owned(), of.severities[row]));
            let finding = Finding {
                rule,
                severity: of.severities[row],
                series: of.series[row].or_else(|| self.series.find("")).unwrap_or_default(),
                time: count(&of.times, row),
                until: count(&of.until, row),
                day: of.day(row),
                is_new: flag(&of.is_new, row),
                label: of.labels[row],
                field: fields[row],
                cause: causes[row],
                id: text(&ids, row).unwrap_or_default().to_owned(),
                message: String::new(),
                locator: text(&locators, row).map(str::to_owned),
                proposed: text(&proposed, row).map(str::to_owned),
                observed: number(&limits[0], row),
                lo: number(&limits[1], row),
                hi: number(&limits[2], row),
                bar: [0, 1, 2, 3, 4].map(|field: usize| number(&bar[field], row)),
                bars_affected: count(&of.bars, row),
            };
            let message = messages.of_row(
                row,
                check,
                &finding,
                fields[row].map(|field| self.fields.name(field)),
                causes[row].map(|cause| self.causes.name(cause)),
            );
            self.held.push(Finding { message, ..finding });
        }
        Ok(())
    }

    /// Gravest first: severity, new before others, then by rule as these are shown, series and time.
    fn sort(&mut self) {
        let mut by_name: Vec<usize> = (0..self.series.all().len()).collect();
        by_name.sort_by(|one, other| self.series.all()[*one].cmp(&self.series.all()[*other]));
        let mut ranks = vec![0; by_name.len()];
        by_name.into_iter().enumerate().for_each(|(rank, place)| ranks[place] = rank);
        self.held.sort_by_key(|it| {
            let rank = ranks.get(it.series as usize).copied().unwrap_or(0);
            (it.severity, it.is_new == Some(false), it.rule, rank, it.time.is_none(), it.time)
        });
    }
}

/// The sentences of a batch: as the table has them, or made from its other columns.
struct Messages {
    has: bool,
    interval: Interval,
    message: StringArray,
    observed: StringArray,
    expected: StringArray,
    evidence: StringArray,
    score: Float64Array,
}

impl Messages {
    fn of(columns: Columns<'_>, interval: Interval) -> Result<Self, ArrowError> {
        Ok(Self {
            has: columns.has("message"),
            interval,
            message: columns.texts("message")?,
            observed: columns.texts("observed_text")?,
            expected: columns.texts("expected_text")?,
            evidence: columns.texts("evidence")?,
            score: columns.numbers("score")?,
        })
    }

    fn of_row(&self, row: usize, check: &str, finding: &Finding, field: Option<&str>, cause: Option<&str>) -> String {
        if self.has && self.message.is_valid(row) {
            return self.message.value(row).to_owned();
        }
        let evidence: Value =
            text(&self.evidence, row).and_then(|evidence| serde_json::from_str(evidence).ok()).unwrap_or_default();
        checks::message(&Facts {
            check,
            interval: self.interval,
            field,
            observed: finding.observed,
            observed_text: text(&self.observed, row),
            expected_lo: finding.lo,
            expected_hi: finding.hi,
            expected_text: text(&self.expected, row),
            score: number(&self.score, row),
            bars: finding.bars_affected.unwrap_or(0).unsigned_abs(),
            cause,
            evidence: &evidence,
            time: finding.time,
            time_until: finding.until,
        })
    }
}
