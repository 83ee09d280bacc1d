//! `stale`: the same bar again and again while trades are reported.
//!
//! Compares open, high, low and close, as many of them as the bars have, for exact equality. Equal prices happen; equal
//! volumes with them hardly do, so fewer such bars make a run. Rows without a volume above or below zero claim no trade
//! and break a run. How long a run may be in time is not looked at.

use std::sync::Arc;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::Exempt;
use super::cause::causes;
use super::evidence::LONGEST_VALUE;
use super::params::Params;
use super::{
    Check, CheckKind, Context, Described, Facts, Finding, FindingSink, NumberColumn, Series, Stage, Threshold,
};
use crate::bars::BarsSpec;
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::escape::shortened;

/// The check `stale`.
pub(crate) struct Stale;

const PARAMS: &[Key] = &[
    key(
        "bars",
        Holds::Count { min: 2, max: 1_000_000 },
        Otherwise::Nothing,
        "Bars in a row with identical prices that make a run; 5 where not given, 30 for bars shorter than a day.",
    ),
    key(
        "equal",
        Holds::Count { min: 2, max: 1_000_000 },
        Otherwise::Nothing,
        "The same where volumes are identical too and the high is above the low; 2, and 3 for bars shorter than a day.",
    ),
];

causes! {
    /// The prices repeat.
    SamePrices = "same-prices",
    /// The volume repeats with them.
    SameBar = "same-bar",
}

/// How often the bar was there, and from when on.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    length: u64,
    since: Option<String>,
}

impl Described for Stale {
    fn name(&self) -> &'static str {
        "stale"
    }

    fn explain(&self) -> &'static str {
        include_str!("stale.md")
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { length, since } = facts.evidence();
        let since = since.map(|since| format!(" since {}", shortened(&since, LONGEST_VALUE))).unwrap_or_default();
        let volume = match facts.cause.and_then(Cause::parse) {
            Some(Cause::SameBar) => ", with the same volume",
            Some(Cause::SamePrices) | None => "",
        };
        format!("the same bar {length} times in a row{since}{volume}: {}", facts.subject())
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("stale_examples.md")
    }
}

impl CheckKind for Stale {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn excused_by_default(&self) -> &'static [Exempt] {
        &[Exempt::Halted]
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let close = params.bar_field("close");
        let others = ["open", "high", "low"].map(|field| params.optional_bar_field(field));
        let name = bars.fields.get(close).map(|field| Arc::clone(&field.name)).unwrap_or_default();
        let length = params.maybe_count("bars").unwrap_or(if bars.daily() { 5 } else { 30 });
        let equal = params.maybe_count("equal").unwrap_or(if bars.daily() { 2 } else { 3 });
        let [_, high, low] = others;
        let others = others.into_iter().flatten().collect();
        let volume = params.optional_bar_field("volume");
        let wide = high.zip(low);
        Box::new(Rule { close, others, wide, volume, name, length, equal, daily: bars.daily() })
    }
}

/// One rule of the check.
struct Rule {
    close: usize,
    others: Vec<usize>,
    /// High and low, where the bars have both.
    wide: Option<(usize, usize)>,
    volume: Option<usize>,
    name: Arc<str>,
    length: usize,
    equal: usize,
    daily: bool,
}

/// Identical bars met so far.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The bar that the others repeat.
    first: usize,
    /// The newest row.
    last: usize,
}

impl Run {
    fn length(self) -> usize {
        self.last + 1 - self.first
    }
}

/// What one series has to be evaluated by.
struct Columns<'a> {
    close: NumberColumn<'a>,
    others: Vec<NumberColumn<'a>>,
    /// High and low.
    wide: Option<[NumberColumn<'a>; 2]>,
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

    /// Whether the volumes of two rows are equal too, in bars that are no flat ones: those repeat by themselves.
    fn same_volume(&self, a: usize, b: usize) -> bool {
        let wide = self.wide.is_some_and(|[high, low]| high.values()[b] > low.values()[b]);
        wide && self.volume.is_some_and(|volume| volume.values()[a] == volume.values()[b])
    }

    fn same(&self, a: usize, b: usize) -> bool {
        let same = |column: &NumberColumn<'_>| column.values()[a] == column.values()[b];
        same(&self.close) && self.others.iter().all(same)
    }
}

impl Check for Rule {
    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "bars", value: self.length as f64 })
    }

    fn context(&self) -> Context {
        Context::Run { least: self.length }
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let columns = Columns {
            close: series.number(self.close),
            others: self.others.iter().map(|index| series.number(*index)).collect(),
            wide: self.wide.map(|(high, low)| [series.number(high), series.number(low)]),
            volume: self.volume.map(|index| series.number(index)),
        };
        let (mut run, mut met, mut evaluated): (Option<Run>, usize, usize) = (None, 0, 0);
        for row in 0..series.dated() {
            if !columns.priced(row) || !columns.traded(row) {
                findings.excused(if columns.priced(row) { series.count(row) } else { 0 });
                self.close_run(series, &columns, run.take(), findings);
                continue;
            }
            met += 1;
            evaluated += series.count(row);
            match &mut run {
                Some(run) if columns.same(run.last, row) => run.last = row,
                _ => self.close_run(series, &columns, run.replace(Run { first: row, last: row }), findings),
            }
        }
        self.close_run(series, &columns, run, findings);
        if met < self.length { findings.insufficient(evaluated) } else { findings.evaluated(evaluated) }
    }
}

impl Rule {
    /// Ends a run of equal prices and reports it if it is long enough, or else the parts of it with equal volumes that
    /// are.
    fn close_run(&self, series: &Series<'_>, columns: &Columns<'_>, run: Option<Run>, findings: &mut FindingSink) {
        let Some(run) = run.filter(|run| run.length() >= self.length.min(self.equal)) else { return };
        let mut parts = vec![Run { first: run.first, last: run.first }];
        for row in run.first + 1..=run.last {
            match parts.last_mut() {
                Some(part) if columns.same_volume(part.last, row) => part.last = row,
                _ => parts.push(Run { first: row, last: row }),
            }
        }
        if run.length() >= self.length {
            let cause = if parts.len() == 1 { Cause::SameBar } else { Cause::SamePrices };
            findings.push(self.finding(series, run, (cause, self.length)));
            return;
        }
        for part in parts.into_iter().filter(|part| part.length() >= self.equal) {
            findings.push(self.finding(series, part, (Cause::SameBar, self.equal)));
        }
    }

    /// The finding about a run. The first bar may be true, so its rows are those that repeat it.
    fn finding(&self, series: &Series<'_>, run: Run, (cause, least): (Cause, usize)) -> Finding {
        let (Run { first, last }, length) = (run, run.length());
        let format = if self.daily { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M:%SZ" };
        let since = DateTime::from_timestamp_micros(series.time[first]).map(|time| time.format(format).to_string());
        let evidence = Evidence { length: length as u64, since };
        Finding::run(first + 1..last + 1)
            .field(&self.name)
            .observed(series.number(self.close).values()[first])
            .until(series.time[last])
            .score(length as f64 / least as f64)
            .cause(cause)
            .evidence(evidence)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::checks::testing::{Evaluated, Fixture};
    use proptest::prelude::*;

    const RULE: &str = "check = \"stale\"\n";
    const FOUR: &str = "check = \"stale\"\nbars = 4\n";

    fn evaluate(rule: &str, csv: &str) -> Evaluated {
        Fixture::daily(csv).evaluate(rule)
    }

    /// Bars from 2024-01-01, each as close and volume; the close is all four prices.
    fn flat(bars: &[(f64, f64)]) -> String {
        let mut csv = String::from("time,open,high,low,close,volume\n");
        for (day, (price, volume)) in bars.iter().enumerate() {
            csv += &format!("2024-01-{:02},{price},{price},{price},{price},{volume}\n", day + 1);
        }
        csv
    }

    #[test]
    fn run_is_one_finding_about_the_bars_that_repeat_the_first() {
        let evaluated = evaluate(
            RULE,
            &flat(&[(9.0, 5.0), (7.0, 5.0), (7.0, 6.0), (7.0, 7.0), (7.0, 8.0), (7.0, 9.0), (8.0, 5.0)]),
        );
        assert_eq!(evaluated.lines, ["2024-01-03 .. 2024-01-06 close observed=7 bars=4 cause=same-prices"]);
        assert_eq!(evaluated.findings[0].rows, Some(2..6));
        assert_eq!(evaluated.findings[0].evidence, Some(json!({ "length": 5, "since": "2024-01-02" })));
        assert_eq!(evaluated.totals.evaluated, 7);
    }

    #[test]
    fn run_below_the_length_and_one_at_the_end_are_distinguished() {
        assert_eq!(evaluate(RULE, &flat(&[(7.0, 5.0); 4])).findings.len(), 0);
        assert_eq!(evaluate(RULE, &flat(&[(7.0, 5.0); 5])).findings.len(), 1);
        let two = [[(7.0, 5.0); 5], [(8.0, 5.0); 5]].concat();
        assert_eq!(evaluate(RULE, &flat(&two)).findings.len(), 2);
    }

    #[test]
    fn minutes_may_repeat_longer_than_days() {
        let mut csv = String::from("time,close\n");
        for minute in 0..30 {
            csv += &format!("2024-01-02T10:{minute:02}:00Z,5\n");
        }
        let minutes = Fixture::new("interval = \"1m\"", &csv);
        assert_eq!(
            minutes.evaluate(RULE).lines,
            ["2024-01-02T10:01:00Z .. 2024-01-02T10:29Z close observed=5 bars=29 cause=same-prices"]
        );
        assert_eq!(minutes.evaluate("check = \"stale\"\nbars = 31").findings.len(), 0);
        let evidence = minutes.evaluate(RULE).findings[0].evidence.clone();
        assert_eq!(evidence, Some(json!({ "length": 30, "since": "2024-01-02T10:00:00Z" })));
    }

    /// Bars from 2024-01-01 with a high above the low, as close and volume.
    fn wide(bars: &[(f64, f64)]) -> String {
        let mut csv = String::from("time,open,high,low,close,volume\n");
        for (day, (close, volume)) in bars.iter().enumerate() {
            csv += &format!("2024-01-{:02},{close},{},{close},{close},{volume}\n", day + 1, close + 1.0);
        }
        csv
    }

    #[test]
    fn equal_volumes_make_a_run_of_two_days() {
        let bars = [(7.0, 5.0), (7.0, 6.0), (7.0, 6.0), (8.0, 6.0), (9.0, 4.0), (9.0, 4.0), (9.0, 4.0)];
        let evaluated = evaluate(RULE, &wide(&bars));
        let lines = [
            "2024-01-03 .. 2024-01-03 close observed=7 cause=same-bar",
            "2024-01-06 .. 2024-01-07 close observed=9 bars=2 cause=same-bar",
        ];
        assert_eq!(evaluated.lines, lines);
        assert_eq!(evaluate(&format!("{RULE}equal = 3"), &wide(&bars)).lines, lines[1..]);
        assert_eq!(evaluate(RULE, &flat(&bars)).lines, [""; 0], "flat bars repeat by themselves");
        assert_eq!(evaluate(RULE, &wide(&[(7.0, 5.0); 6])).findings[0].cause, Some("same-bar"));
    }

    #[test]
    fn frozen_minutes_are_seen_at_the_third() {
        let mut csv = String::from("time,high,low,close,volume\n");
        for (minute, volume) in [100, 101, 102, 103, 104, 110, 110, 110].iter().enumerate() {
            csv += &format!("2024-01-02T10:{minute:02}:00Z,9,8,8.5,{volume}\n");
        }
        let minutes = Fixture::new("interval = \"1m\"", &csv).evaluate(RULE);
        assert_eq!(
            minutes.lines,
            ["2024-01-02T10:06:00Z .. 2024-01-02T10:07Z close observed=8.5 bars=2 cause=same-bar"]
        );
    }

    #[test]
    fn bars_without_volume_break_a_run_and_are_excused() {
        let mut bars = vec![(7.0, 5.0); 7];
        bars[3].1 = 0.0;
        let evaluated = evaluate(FOUR, &flat(&bars));
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated, evaluated.totals.excused), (0, 6, 1));
        let null = evaluate(FOUR, &flat(&bars).replace(",0\n", ",\n"));
        assert_eq!((null.findings.len(), null.totals.excused), (0, 1));
    }

    #[test]
    fn a_difference_in_any_price_ends_a_run() {
        let same = flat(&[(7.0, 5.0); 5]);
        assert_eq!(evaluate(FOUR, &same).findings.len(), 1);
        for (price, other) in ["8,7,7,7", "7,8,7,7", "7,7,6,7", "7,7,7,8"].iter().zip(1..) {
            let csv = same.replace("2024-01-03,7,7,7,7", &format!("2024-01-03,{price}"));
            assert_eq!(evaluate(FOUR, &csv).findings.len(), 0, "price {other}");
        }
    }

    #[test]
    fn missing_and_broken_prices_break_a_run() {
        for bad in ["", "NaN", "inf"] {
            let csv = flat(&[(7.0, 5.0); 5]).replace("2024-01-03,7,7,7,7", &format!("2024-01-03,7,7,{bad},7"));
            let evaluated = evaluate(FOUR, &csv);
            assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 4), "`{bad}`");
        }
    }

    #[test]
    fn short_series_is_insufficient() {
        let evaluated = evaluate(RULE, &flat(&[(7.0, 5.0); 4]));
        assert_eq!((evaluated.totals.evaluated, evaluated.totals.insufficient), (0, 4));
        assert_eq!(evaluate(RULE, "time,close").totals, crate::checks::Totals::default());
    }

    proptest! {
        #[test]
        fn runs_agree_with_trying_every_start(
            bars in prop::collection::vec((0..2_u8, 0..5_u8, 0..8_u8), 0..40),
            length in 2..6_usize,
        ) {
            let mut csv = String::from("time,close,volume\n");
            for (day, (price, volume, missing)) in bars.iter().enumerate() {
                let price = if *missing == 0 { String::new() } else { price.to_string() };
                csv += &format!("2024-{:02}-{:02},{price},{volume}\n", day / 28 + 1, day % 28 + 1);
            }
            let alike = |a: usize, b: usize| bars[a].2 != 0 && bars[b].2 != 0 && bars[a].1 != 0 && bars[b].1 != 0 && bars[a].0 == bars[b].0;
            let mut wanted = Vec::new();
            for start in 0..bars.len() {
                let end = (start + 1..bars.len()).find(|row| !alike(start, *row)).unwrap_or(bars.len());
                if (start == 0 || !alike(start - 1, start)) && end - start >= length {
                    wanted.push(start + 1..end);
                }
            }
            let evaluated = evaluate(&format!("{RULE}bars = {length}"), &csv);
            let found: Vec<_> = evaluated.findings.into_iter().filter_map(|finding| finding.rows).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
