//! `stale`: the same bar again and again while trades are reported.
//!
//! Compares open, high, low and close, as many of them as the bars have, for exact equality. Rows without a volume
//! above or below zero claim no trade and break a run. How long a run may be in time is not looked at.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::json;

use super::{Check, CheckKind, Finding, FindingSink, NumberColumn, Series, Stage};
use crate::bars::BarsSpec;
use crate::config::{Param, ParamKind, Params};

/// The check `stale`.
pub(crate) struct Stale;

const PARAMS: &[Param] = &[Param {
    name: "bars",
    kind: ParamKind::Count { min: 2, max: 1_000_000 },
    default: None,
    required: false,
    doc: "Identical bars in a row that make a run; 5 where not given, 30 for bars shorter than a day.",
}];

impl CheckKind for Stale {
    fn name(&self) -> &'static str {
        "stale"
    }

    fn explain(&self) -> &'static str {
        include_str!("stale.md")
    }

    fn params(&self) -> &'static [Param] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let close = params.bar_field("close");
        let others = ["open", "high", "low"].map(|field| params.optional_bar_field(field));
        let name = bars.fields.get(close).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let length = params.maybe_count("bars").unwrap_or(if bars.daily() { 5 } else { 30 });
        let others = others.into_iter().flatten().collect();
        Box::new(Rule { close, others, volume: params.optional_bar_field("volume"), name, length, daily: bars.daily() })
    }
}

/// One rule of the check.
struct Rule {
    close: usize,
    others: Vec<usize>,
    volume: Option<usize>,
    name: Arc<str>,
    length: usize,
    daily: bool,
}

/// Identical bars met so far.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The bar that the others repeat.
    first: usize,
    /// The first row with a later stamp, once there is one.
    repeat: Option<usize>,
    /// The newest row.
    last: usize,
    /// Number of stamps.
    length: usize,
}

/// What one series has to be judged by.
struct Columns<'a> {
    close: NumberColumn<'a>,
    others: Vec<NumberColumn<'a>>,
    volume: Option<NumberColumn<'a>>,
}

impl Columns<'_> {
    /// Whether all prices of `row` are finite numbers.
    fn priced(&self, row: usize) -> bool {
        self.close.values()[row].is_finite() && self.others.iter().all(|column| column.values()[row].is_finite())
    }

    /// Whether `row` claims that something was traded; without a volume field every row does.
    fn traded(&self, row: usize) -> bool {
        self.volume.is_none_or(|volume| {
            let volume = volume.values()[row];
            !volume.is_nan() && volume != 0.0
        })
    }

    fn same(&self, a: usize, b: usize) -> bool {
        let same = |column: &NumberColumn<'_>| column.values()[a] == column.values()[b];
        same(&self.close) && self.others.iter().all(same)
    }
}

impl Check for Rule {
    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let columns = Columns {
            close: series.number(self.close),
            others: self.others.iter().map(|index| series.number(*index)).collect(),
            volume: self.volume.map(|index| series.number(index)),
        };
        let (mut run, mut judged): (Option<Run>, usize) = (None, 0);
        for row in (0..series.dated()).filter(|row| !series.condemned[*row]) {
            if !columns.priced(row) || !columns.traded(row) {
                findings.excused(usize::from(columns.priced(row)));
                self.close_run(series, run.take(), findings);
                continue;
            }
            judged += 1;
            match &mut run {
                Some(run) if columns.same(run.last, row) => run.extend(series.time, row),
                _ => self.close_run(
                    series,
                    run.replace(Run { first: row, repeat: None, last: row, length: 1 }),
                    findings,
                ),
            }
        }
        self.close_run(series, run, findings);
        if judged < self.length { findings.insufficient(judged) } else { findings.judged(judged) }
    }
}

impl Run {
    /// Takes in `row`; another copy of the newest stamp does not make the run longer.
    fn extend(&mut self, time: &[i64], row: usize) {
        if time[row] != time[self.last] {
            self.length += 1;
            self.repeat.get_or_insert(row);
        }
        self.last = row;
    }
}

impl Rule {
    /// Ends a run and reports it if it is long enough. The first bar may be true, so the rows of the finding are
    /// those that repeat it.
    fn close_run(&self, series: &Series<'_>, run: Option<Run>, findings: &mut FindingSink) {
        let Some(Run { first, repeat: Some(repeat), last, length }) = run.filter(|run| run.length >= self.length)
        else {
            return;
        };
        let format = if self.daily { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M:%SZ" };
        let since = DateTime::from_timestamp_micros(series.time[first]).map(|time| time.format(format).to_string());
        let evidence = json!({ "length": length, "since": since });
        let finding = Finding::run(repeat..last + 1)
            .field(&self.name)
            .observed(series.number(self.close).values()[first])
            .until(series.time[last])
            .score(length as f64 / self.length as f64)
            .evidence(evidence);
        findings.push(finding);
    }
}
